"""The arithmetic of public claims: what is put beside what."""

import math


def ratio(above: float, below: float) -> float:
    """One number over another.

    >>> ratio(6.0, 4.0)
    1.5
    """
    return above / below


def product(one: float, other: float) -> float:
    """Two numbers multiplied.

    >>> product(6.0, 4.0)
    24.0
    """
    return one * other


def total(one: float, other: float) -> float:
    """Two numbers added.

    >>> total(6.0, 4.0)
    10.0
    """
    return one + other


def difference(more: float, less: float) -> float:
    """One number less another.

    >>> difference(6.0, 4.0)
    2.0
    """
    return more - less


def relative_change(now: float, before: float) -> float:
    """How much more a number is than another, as a share of that.

    >>> relative_change(5.0, 4.0)
    0.25
    """
    return now / before - 1.0


def share_lost(reached: float, possible: float) -> float:
    """The share of what is possible that is not reached.

    >>> share_lost(3.0, 4.0)
    0.25
    """
    return 1.0 - reached / possible


def geometric_mean(one: float, other: float) -> float:
    """Root of a product: the median of a lognormal distribution between two equal quantiles.

    >>> geometric_mean(4.0, 9.0)
    6.0
    """
    return math.sqrt(one * other)
