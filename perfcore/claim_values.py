"""What a computation gives, what a claim says, and whether the one bears out the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from perfcore.display import number
from perfcore.quantity import Interval, Value

FROM_MEMORY = "recalled"
HOLDS, FAILS, UNDETERMINED = "holds", "fails", "undetermined"
# Two ways of computing one number differ by rounding alone.
ROUNDING = 1e-9


class Range(NamedTuple):
    """The numbers a computed value may be, ends included; both ends are one where it is known."""

    low: float
    high: float

    @property
    def is_point(self) -> bool:
        """Whether it is a single number."""
        return self.low == self.high


class Band(NamedTuple):
    """The numbers that bear out a claim; an end that is open does not belong to it."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: Range) -> bool | None:
        """Whether all of a range lies within, None where only a part does.

        >>> band = Band(1.0, 2.0, high_open=True)
        >>> band.holds(Range(1.0, 1.5)), band.holds(Range(2.0, 2.0)), band.holds(Range(1.5, 3.0))
        (True, False, None)
        """
        low = self.low if self.low_open else self.low - ROUNDING * abs(self.low)
        high = self.high if self.high_open else self.high + ROUNDING * abs(self.high)
        above = value.low > low if self.low_open else value.low >= low
        under = value.high < high if self.high_open else value.high <= high
        if above and under:
            return True
        beyond = value.low >= high if self.high_open else value.low > high
        before = value.high <= low if self.low_open else value.high < low
        return False if beyond or before else None


@dataclass(frozen=True)
class Found:
    """What a computation gives: a range, a word, words, yes or no; or None, with the reason.

    ``steps`` spell it out, ``flips`` say what smallest changes would change it, and ``mark`` is that of the weakest
    number of the catalogue it rests on.
    """

    value: Range | str | bool | tuple[str, ...] | None
    steps: tuple[str, ...] = ()
    reason: str = ""
    flips: tuple[str, ...] = ()
    mark: str | None = None


def range_of(value: Value) -> Range | None:
    """Return an exact interval as a range of floats, None where nothing is known.

    >>> from perfcore.quantity import point
    >>> range_of(point(3))
    Range(low=3.0, high=3.0)
    """
    if not isinstance(value, Interval) or value.is_unknown:
        return None
    return Range(float(value.low), inf if value.high is None else float(value.high))


def band_of(claim: Mapping[str, Any], lines: tuple[float, ...] = ()) -> Band:
    """Return the numbers that bear out the claimed one, never across a line of the law.

    >>> band_of({"value": 100, "tolerance": 0.05}), band_of({"value": 4804, "tolerance": 0.01}, (4800.0,)).low
    (Band(low=95.0, high=105.0, low_open=False, high_open=False), 4800.0)
    """
    said = claim["value"]
    if isinstance(said, dict):
        return _compared(said)
    centre = float(said)
    width = float(claim.get("tolerance_absolute", 0)) or abs(centre) * float(claim.get("tolerance", 0))
    low, high, high_open = centre - width, centre + width, False
    for line in lines:
        if centre >= line:
            low = max(low, line)
        elif high >= line:
            high, high_open = line, True
    return Band(low, high, high_open=high_open)


def _compared(said: Mapping[str, Any]) -> Band:
    low = float(said.get("more_than", said.get("at_least", -inf)))
    high = float(said.get("below", said.get("at_most", inf)))
    return Band(low, high, "more_than" in said, "below" in said)


def outcome_of(found: Found, claim: Mapping[str, Any], lines: tuple[float, ...] = ()) -> str:
    """Say whether a computation bears a claim out.

    >>> outcome_of(Found(Range(96.0, 104.0)), {"value": 100, "tolerance": 0.05})
    'holds'
    >>> outcome_of(Found(Range(96.0, 106.0)), {"value": 100, "tolerance": 0.05})
    'undetermined'

    What is remembered alone refutes nobody:

    >>> outcome_of(Found(Range(50.0, 50.0), mark="recalled"), {"value": 100})
    'undetermined'
    """
    if found.value is None:
        return UNDETERMINED
    if isinstance(found.value, Range):
        inside = band_of(claim, lines).holds(found.value)
        if inside is None or (not inside and found.mark == FROM_MEMORY):
            return UNDETERMINED
        return HOLDS if inside else FAILS
    said = tuple(sorted(claim["value"])) if isinstance(claim["value"], list) else claim["value"]
    return HOLDS if said == found.value else FAILS


def difference(found: Found, claim: Mapping[str, Any]) -> float | None:
    """Return claimed over computed less 1, where both are one number.

    >>> difference(Found(Range(400.0, 400.0)), {"value": 300})
    -0.25
    """
    value, said = found.value, claim.get("value")
    if not isinstance(value, Range) or not value.is_point or isinstance(said, dict | list | str | bool):
        return None
    return float(said) / value.low - 1 if said is not None and value.low else None


WORDS = {"at_least": "at least", "more_than": "more than", "below": "below", "at_most": "at most"}


def spoken(value: Any) -> str:
    """Show a claimed or computed value in words.

    >>> spoken(Range(1.0, 2.0)), spoken({"at_least": 0.1, "at_most": 0.3}), spoken(("a", "b")), spoken(True)
    ('1 to 2', 'at least 0.1, at most 0.3', 'a, b', 'yes')
    """
    if value is None:
        return "unknown"
    if isinstance(value, Range):
        ends = {"low": value.low, "high": None if value.high == inf else value.high}
        return number(value.low, 5) if value.is_point else number(ends, 5)
    if isinstance(value, dict):
        return ", ".join(f"{WORDS[test]} {number(float(limit), 5)}" for test, limit in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool | str):
        return number(value)
    return number(float(value), 7)
