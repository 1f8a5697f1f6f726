"""Whole numbers that a user gives, and their divisors; the cores there are to work on."""

import math
import os
from numbers import Real
from typing import Any

from perfcore.errors import PerfcoreError

__all__ = ["LARGEST", "MOST", "cores", "divisors", "whole"]

LARGEST = 10**12  # of a count that is given; its divisors are tried one by one
MOST = 10**9  # tokens or sequences


def whole(label: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return a whole number that a user gave."""
    if isinstance(value, int) and abs(value) > LARGEST**2:  # too large for a float, or to print
        raise PerfcoreError(
            f"{label}: found a number of {math.log10(abs(value)):.0f} digits; allowed: at most {most or LARGEST:,}"
        )
    real = isinstance(value, Real) and not (isinstance(value, bool) and most != 1) and math.isfinite(value)
    if not real or value != int(value) or value < least or (most is not None and value > most):
        allowed = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most:,}"
        raise PerfcoreError(f"{label}: found {value!r}; allowed: {allowed}")
    if value > LARGEST:
        raise PerfcoreError(f"{label}: found {value!r}; allowed: at most {LARGEST:,}")
    return int(value)


def divisors(number: int) -> list[int]:
    """Return the divisors of a whole number, in order.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
