"""What is only guessed, as spreads: seeded draws through any question, and which guess the answer hangs on.

A spread is read from a median and the interval that holds 95 % of it. Either side of the median is lognormal with its
own width, so that all three numbers are kept where they are not symmetric.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any, NamedTuple

from perfcore.answers import json_of
from perfcore.errors import PerfcoreError

_NORMAL = NormalDist()
_AT_EDGE = _NORMAL.inv_cdf(0.975)
MOST_DRAWS = 10_000_000
FEWEST_DRAWS = 100

Question = Callable[..., float]


class Spread(NamedTuple):
    """A number above 0 that is guessed: 95 % of it lies from ``low`` to ``high``."""

    median: float
    low: float
    high: float

    def at(self, share: float) -> float:
        """Return the number that a share of the spread lies below.

        >>> round(Spread(18_000, 1_600, 200_000).at(0.975))
        200000
        """
        sigmas = _NORMAL.inv_cdf(share)
        ratio = math.log((self.high if sigmas > 0 else self.low) / self.median)
        return self.median * math.exp(ratio * abs(sigmas) / _AT_EDGE)


@dataclass(frozen=True)
class Outcome:
    """What came out of some draws: their median, mean and the interval that holds 95 % of them."""

    median: float
    mean: float
    low: float
    high: float
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html("What came out of the draws", self.to_dict())


class Swing(NamedTuple):
    """The answer with one input at either end of its 95 %, the others at their medians."""

    name: str
    at_low: float
    at_high: float


def spread(median: float, low: float, high: float) -> Spread:
    """Return a spread, checked.

    >>> spread(18_000, 1_600, 200_000).median
    18000.0

    Raises
    ------
    PerfcoreError
        If the numbers are not above 0, finite and in order.
    """
    for name, value in (("low", low), ("median", median), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise PerfcoreError(f"{name}: found {value!r}; allowed: a number above 0")
    if not low <= median <= high:
        raise PerfcoreError(f"median: found {median:g}; allowed: from low ({low:g}) to high ({high:g})")
    return Spread(float(median), float(low), float(high))


def simulate(question: Question, inputs: Mapping[str, float | Spread], draws: int = 10_000, seed: int = 1) -> Outcome:
    """Ask a question of many draws of its inputs; the same seed gives the same answer.

    Parameters
    ----------
    question
        A function that takes the inputs by name and returns one number.
    inputs
        Numbers, and spreads, which are drawn independently of each other.
    draws
        How many.
    seed
        Of the generator.

    Raises
    ------
    PerfcoreError
        If an input or the number of draws is wrong.

    Examples
    --------
    >>> simulate(lambda chips: chips, {"chips": Spread(100.0, 100.0, 100.0)}).median
    100.0
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or not FEWEST_DRAWS <= draws <= MOST_DRAWS:
        raise PerfcoreError(f"draws: found {draws!r}; allowed: a whole number from {FEWEST_DRAWS} to {MOST_DRAWS}")
    known = _checked(inputs)
    source = random.Random(seed)
    found = sorted(question(**{name: _drawn(value, source) for name, value in known.items()}) for _ in range(draws))
    return Outcome(_quantile(found, 0.5), fmean(found), _quantile(found, 0.025), _quantile(found, 0.975), draws, seed)


def tornado(question: Question, inputs: Mapping[str, float | Spread]) -> tuple[Swing, ...]:
    """Return how far each input alone moves the answer, the one it hangs on most first.

    Raises
    ------
    PerfcoreError
        If an input is wrong.

    Examples
    --------
    >>> [s.name for s in tornado(lambda a, b: a * b, {"a": Spread(2, 1, 4), "b": Spread(3, 2, 4)})]
    ['a', 'b']
    """
    known = _checked(inputs)
    middle = {name: value.median if isinstance(value, Spread) else value for name, value in known.items()}
    swings = [
        Swing(name, question(**middle | {name: value.low}), question(**middle | {name: value.high}))
        for name, value in known.items()
        if isinstance(value, Spread)
    ]
    return tuple(sorted(swings, key=lambda swing: -abs(swing.at_high - swing.at_low)))


def _checked(inputs: Mapping[str, float | Spread]) -> dict[str, float | Spread]:
    known: dict[str, float | Spread] = {}
    for name, value in inputs.items():
        try:
            known[name] = spread(*value) if isinstance(value, Spread) else spread(value, value, value).median
        except PerfcoreError as error:
            raise PerfcoreError(f"{name}: {error}") from None
    return known


def _drawn(value: float | Spread, source: random.Random) -> float:
    if not isinstance(value, Spread):
        return value
    share = source.random()
    return value.at(min(max(share, 1e-12), 1 - 1e-12))


def _quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of ordered numbers, between neighbours by proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
