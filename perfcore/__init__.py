"""Export-control thresholds on AI chips, exact and cited.

``import perfcore`` is light: each name below is imported when it is first used.

>>> import perfcore
>>> perfcore.check("h20", on="2024-01-01").status
'not_controlled'
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfcore import chips, claims, formulas, models, rules, systems, terms, ufuncs
    from perfcore.batch import check_table
    from perfcore.bulk.frames import answer_frame
    from perfcore.bulk.tables import answer_table
    from perfcore.errors import PerfcoreError
    from perfcore.frames import check_frame, chips_frame
    from perfcore.inference import infer
    from perfcore.rooflines import roofline
    from perfcore.stacking import match
    from perfcore.training import train
    from perfcore.validation import validate
    from perfcore.verdict import check

__version__ = "0.1.0"
__all__ = ["PerfcoreError", "answer_frame", "answer_table", "check", "check_frame", "check_table", "chips"]
__all__ += ["chips_frame", "claims", "formulas", "infer", "match", "models", "roofline", "rules", "systems"]
__all__ += ["terms", "train", "ufuncs", "validate"]

_HOMES = {
    "check": "verdict",
    "check_frame": "frames",
    "chips_frame": "frames",
    "check_table": "batch",
    "PerfcoreError": "errors",
}
_HOMES |= {
    "answer_frame": "bulk.frames",
    "answer_table": "bulk.tables",
    "infer": "inference",
    "match": "stacking",
    "roofline": "rooflines",
    "train": "training",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"perfcore.{_HOMES[name]}"), name)
    if name in __all__:
        return import_module(f"perfcore.{name}")
    raise AttributeError(f"module 'perfcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
