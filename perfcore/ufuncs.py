"""The formulas as NumPy ufuncs, compiled on first use; the only module that imports numba.

``ufuncs.tpp`` is to ``formulas.tpp`` as ``numpy.sqrt`` is to ``math.sqrt``: arrays and pandas columns in, the same out.

>>> import numpy
>>> from perfcore import ufuncs
>>> ufuncs.performance_density(numpy.array([2368.0, 4800.0]), 400.0)
array([ 5.92, 12.  ])
"""

from inspect import signature
from typing import Any

from perfcore import formulas
from perfcore.formulas.gemm import gemm_bytes

__all__ = list(formulas.__all__)
_HELPERS = (gemm_bytes,)  # what formulas call that is no formula of its own


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import numba
    from numba.extending import register_jitable

    float64: Any = numba.float64
    vectorize: Any = numba.vectorize

    for other in (*_HELPERS, *(getattr(formulas, each) for each in __all__)):
        register_jitable(other)
    formula = getattr(formulas, name)
    # An explicit float64 signature: lazy typing would make int64 kernels that overflow.
    compiled = vectorize([float64(*[float64] * len(signature(formula).parameters))])(formula)
    globals()[name] = compiled
    return compiled
