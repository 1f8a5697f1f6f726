"""Numbers given to a question in Python: each checked where it enters, with one line for a mistake."""

import math
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.terms import TERMS


def number(name: str, value: Any, zero: bool = False) -> float:
    """Return a finite number above 0, or of 0 where that is allowed.

    >>> number("area_mm2", 814)
    814.0

    Raises
    ------
    PerfcoreError
        If it is no such number.
    """
    unit = f" [{TERMS[name].unit}]" if TERMS[name].unit else ""
    found = _finite(name, value, f"a number {'of 0 or more' if zero else 'above 0'}{unit}")
    if found < 0 or (found == 0 and not zero):
        raise PerfcoreError(
            f"{name}: found {value}; allowed: a number {'of 0 or more' if zero else 'above 0'}{unit}; "
            f"it is: {TERMS[name].meaning}"
        )
    return found


def share(name: str, value: Any, zero: bool = False) -> float:
    """Return a share above 0 and at most 1, or of 0 where that is allowed.

    >>> share("die_yield", 0.5)
    0.5

    Raises
    ------
    PerfcoreError
        If it is no such share.
    """
    allowed = f"a share {'from 0 to 1' if zero else 'above 0 and at most 1'}"
    found = _finite(name, value, allowed)
    if not 0 <= found <= 1 or (found == 0 and not zero):
        raise PerfcoreError(f"{name}: found {value}; allowed: {allowed}; it is: {TERMS[name].meaning}")
    return found


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of ``least`` or more.

    >>> whole("dies_per_package", 2)
    2

    Raises
    ------
    PerfcoreError
        If it is no such number.
    """
    found = _finite(name, value, f"a whole number of {least} or more")
    if found != int(found) or found < least:
        raise PerfcoreError(f"{name}: found {value}; allowed: a whole number of {least} or more")
    return int(found)


def _finite(name: str, value: Any, allowed: str) -> float:
    said = None
    if isinstance(value, bool) or not (isinstance(value, Real) or hasattr(value, "__float__")):
        said = repr(value)[:40]
    elif not math.isfinite(float(value)):
        said = "not a number" if math.isnan(float(value)) else "infinity"
    if said is not None:
        raise PerfcoreError(f"{name}: found {said}; allowed: {allowed}; give a number")
    return float(value)


def read_exactly(value: Any) -> Any:
    """Read a number as the shortest decimal that prints it, an interval by its ends, a word in lower case.

    >>> read_exactly(0.1), read_exactly({"low": 1, "high": 2.5}), read_exactly("CN")
    (Decimal('0.1'), {'low': 1, 'high': Decimal('2.5')}, 'cn')
    """
    if isinstance(value, dict):
        return {end: read_exactly(number) for end, number in value.items()}
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, bool | int | Decimal):
        return value
    if getattr(getattr(value, "dtype", None), "kind", "") == "b":  # numpy's yes and no
        return bool(value)
    if hasattr(value, "__index__"):  # numpy's integers
        return int(value)
    try:
        return Decimal(str(value)) if hasattr(value, "__float__") else value
    except InvalidOperation:
        return value
