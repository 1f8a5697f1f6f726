"""Exact quantities: a number known, known within an interval, or unknown.

Numbers are ``Fraction``, so that a comparison with a threshold is decided and never rounded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from ``low`` to ``high``; ``high`` is None where nothing bounds them above.

    >>> 4 in Interval(Fraction(3), Fraction(4)), 4 in Interval(Fraction(3), Fraction(4), high_open=True)
    (True, False)
    """

    low: Fraction
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False

    @property
    def is_point(self) -> bool:
        """Whether it holds a single number."""
        return self.low == self.high

    @property
    def is_unknown(self) -> bool:
        """Whether it says nothing at all."""
        return self.high is None and self.low == 0

    def __contains__(self, number: Fraction | int) -> bool:
        above = number > self.low or (number == self.low and not self.low_open)
        if self.high is None:
            return above
        return above and (number < self.high or (number == self.high and not self.high_open))


UNKNOWN = Interval(ZERO, None)

# What is known of one fact: an interval of numbers, or the yes-or-no and word values it may have (None: any).
Value = Interval | frozenset[bool] | frozenset[str] | None


def point(number: Fraction | int) -> Interval:
    """Return the interval that holds one number.

    >>> point(3).is_point
    True
    """
    exact = number if type(number) is Fraction else Fraction(number)
    return Interval(exact, exact)


def exactly(formula: Callable[..., float], *numbers: Fraction | int) -> Fraction:
    """Call a formula on exact numbers: the plain functions of ``perfcore.formulas`` run on them unchanged.

    >>> exactly(lambda tpp, area: tpp / area, Fraction(1), Fraction(3))
    Fraction(1, 3)
    """
    return cast(Fraction, formula(*numbers))


def interval_of(value: Any) -> Interval:
    """Read a checked value of a spec file: a number, or a table with low and high.

    >>> interval_of({"low": 1, "high": 2}) == Interval(Fraction(1), Fraction(2))
    True
    """
    if isinstance(value, dict):
        return Interval(Fraction(value["low"]), Fraction(value["high"]))
    return point(Fraction(value))


def scaled(interval: Interval, factor: Fraction | int) -> Interval:
    """Multiply by a number above 0.

    >>> scaled(point(3), 8).low
    Fraction(24, 1)
    """
    high = None if interval.high is None else interval.high * factor
    return Interval(interval.low * factor, high, interval.low_open, interval.high_open)


def total(intervals: Iterable[Interval]) -> Interval:
    """Add intervals; an end that one of them does not reach, the sum does not reach either.

    >>> total([point(1), UNKNOWN])
    Interval(low=Fraction(1, 1), high=None, low_open=False, high_open=False)
    """
    several = list(intervals)
    low = sum((each.low for each in several), ZERO)
    low_open = any(each.low_open for each in several)
    highs = [each.high for each in several if each.high is not None]
    if len(highs) < len(several):
        return Interval(low, None, low_open)
    return Interval(low, sum(highs, ZERO), low_open, any(each.high_open for each in several))


def highest(intervals: Iterable[Interval]) -> Interval:
    """Return the interval of the largest of some numbers, each in its own interval.

    >>> highest([point(2), Interval(Fraction(1), Fraction(3))])
    Interval(low=Fraction(2, 1), high=Fraction(3, 1), low_open=False, high_open=False)
    """
    several = list(intervals)
    highs = [interval.high for interval in several]
    known = [high for high in highs if high is not None]
    return Interval(max(i.low for i in several), max(known) if len(known) == len(highs) else None)


def quotient(above: Interval, below: Interval) -> Interval:
    """Divide closed intervals of numbers above 0 (``below`` may be unknown).

    >>> quotient(point(820), Interval(Fraction(100), Fraction(205)))
    Interval(low=Fraction(4, 1), high=Fraction(41, 5), low_open=False, high_open=False)
    """
    low = ZERO if below.high is None else above.low / below.high
    high = None if above.high is None or below.low == 0 else above.high / below.low
    return Interval(low, high)


def common(one: Interval, other: Interval) -> Interval | None:
    """Return what two intervals share, or None.

    >>> common(point(3), Interval(Fraction(1), Fraction(4))) == point(3)
    True
    >>> common(point(4), Interval(Fraction(1), Fraction(4), high_open=True)) is None
    True
    """
    low = max(one.low, other.low)
    low_open = any(each.low_open for each in (one, other) if each.low == low)
    highs = [each.high for each in (one, other) if each.high is not None]
    high = min(highs) if highs else None
    high_open = high is not None and any(each.high_open for each in (one, other) if each.high == high)
    if high is not None and (low > high or (low == high and (low_open or high_open))):
        return None
    return Interval(low, high, low_open, high_open)


def plain(value: Value) -> Any:
    """Turn a value into what JSON holds: a float, low and high, a word, or None for unknown.

    >>> plain(point(3)), plain(Interval(Fraction(1), None)), plain(frozenset({True})), plain(None)
    (3.0, {'low': 1.0, 'high': None}, True, None)
    """
    if isinstance(value, Interval):
        if value.is_point:
            return float(value.low)
        if value.is_unknown:
            return None
        return {"low": float(value.low), "high": None if value.high is None else float(value.high)}
    if value is None or len(value) != 1:
        return None
    return next(iter(value))
