"""Formulas by name, with intervals for arguments: no text is ever run as code."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from inspect import getmembers, isfunction, signature
from itertools import product
from pkgutil import iter_modules

from perfcore import formulas
from perfcore.claim_values import Band, Range
from perfcore.errors import PerfcoreError, suggestion

# An argument is sought from a thousandth of what it is to a thousand times that.
REACH = 1e3
HALVINGS = 80


@cache
def _modules() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(formulas.__path__))


def function_of(name: str, arguments: Iterable[str]) -> Callable[..., float]:
    """Return a formula of ``perfcore.formulas`` by its module and name.

    >>> function_of("control.performance_density", ["tpp", "applicable_die_area_mm2"])(2368.0, 400.0)
    5.92

    Raises
    ------
    PerfcoreError
        If there is no such formula, or it takes other arguments.
    """
    module, _, own = name.partition(".")
    if module not in _modules():
        raise PerfcoreError(f"formula: found {name!r}; allowed: MODULE.NAME with MODULE one of {', '.join(_modules())}")
    home = import_module(f"perfcore.formulas.{module}")
    public = {n: f for n, f in getmembers(home, isfunction) if f.__module__ == home.__name__ and n[0] != "_"}
    if own not in public:
        hint = suggestion(own, public) or f"; those of {module} are: {', '.join(public)}"
        raise PerfcoreError(f"formula: found {name!r}, which is not there{hint}")
    takes = tuple(signature(public[own]).parameters)
    if set(takes) != set(arguments):
        raise PerfcoreError(f"formula {name}: found {', '.join(arguments)}; allowed: {', '.join(takes)}")
    return public[own]


def evaluated(name: str, arguments: Mapping[str, Range]) -> Range | None:
    """Evaluate a formula over intervals: at every corner, which is exact where it is monotone in each argument.

    >>> evaluated("arithmetic.ratio", {"above": Range(8.0, 9.0), "below": Range(2.0, 4.0)})
    Range(low=2.0, high=4.5)
    """
    function = function_of(name, arguments)
    ends = [sorted(set(value)) for value in arguments.values()]
    values = [_value(function, dict(zip(arguments, corner, strict=True))) for corner in product(*ends)]
    known = [value for value in values if value is not None]
    return Range(min(known), max(known)) if len(known) == len(values) else None


def _value(function: Callable[..., float], arguments: Mapping[str, float]) -> float | None:
    try:
        value = function(**arguments)
    except (ArithmeticError, ValueError):
        return None
    return float(value) if math.isfinite(value) else None


def solutions(name: str, arguments: Mapping[str, Range], band: Band) -> dict[str, float]:
    """Return, for each argument alone, the value nearest to the present one that brings the formula into a band.

    >>> solutions("arithmetic.ratio", {"above": Range(8.0, 8.0), "below": Range(2.0, 2.0)}, Band(5.0, 6.0))
    {'above': 10.0, 'below': 1.6}
    """
    function = function_of(name, arguments)
    middle = {key: (value.low + value.high) / 2 for key, value in arguments.items()}
    now = _value(function, middle)
    if now is None or band.holds(Range(now, now)):
        return {}
    wanted = band.low if now < band.low else band.high
    found = {}
    for key in arguments:
        solved = _solved(lambda x, key=key: _value(function, {**middle, key: x}), middle[key], wanted)  # type: ignore[misc]
        if solved is not None:
            found[key] = solved
    return found


def _solved(function: Callable[[float], float | None], start: float, wanted: float) -> float | None:
    """Return where a monotone function of one number above 0 takes a value, by halving on a scale of ratios."""
    if start <= 0 or not math.isfinite(wanted):
        return None
    for end in (start * REACH, start / REACH):
        here, there = function(start), function(end)
        if here is None or there is None or (here - wanted) * (there - wanted) > 0 or here == there:
            continue
        near, far = start, end
        for _ in range(HALVINGS):
            middle = math.sqrt(near * far)
            value = function(middle)
            if value is None:
                return None
            near, far = (middle, far) if (value - wanted) * (here - wanted) > 0 else (near, middle)
        return float(f"{far:.10g}")
    return None
