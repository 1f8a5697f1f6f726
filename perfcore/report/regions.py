"""The plane of area and TPP, cut where the comparisons of a rule version may turn, and decided piece by piece."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from perfcore import changes
from perfcore.items import item_of
from perfcore.outcome import CONTROLLED, GROUPS, UNDETERMINED, Outcome, classify, is_under
from perfcore.quantity import UNKNOWN, Interval, point
from perfcore.readings import Values, metrics_of
from perfcore.regions import AREA, DENSITY, cells, completed, sample
from perfcore.rules import Version
from perfcore.terms import FACTS

__all__ = ["Region", "regions_of"]

TPP = ("tpp", "bits_x_tops_2022", "total_bits_x_tops_2022")  # of a digital chip they are one number


@dataclass(frozen=True)
class Region:
    """A band of TPP between two performance densities (None: no end), and what a version says of all its points.

    ``outcome`` is of a chip for datacenters, ``otherwise`` of one that is neither designed nor marketed for them.
    ``needs`` says what else an open answer waits for.
    """

    tpp: tuple[float, float | None]
    density: tuple[float, float | None]
    outcome: Outcome
    otherwise: Outcome
    needs: str

    @property
    def kind(self) -> str:
        """Return ``a`` or ``b`` by the governing heading, ``open`` or ``none``."""
        if self.outcome.status == UNDETERMINED:
            return "open"
        if self.outcome.status != CONTROLLED:
            return "none"
        heading = next(h for h in GROUPS if any(is_under(p, h) for p in self.outcome.certain))
        return heading.rpartition(".")[2]

    @property
    def only_datacenter(self) -> bool:
        """Whether it is controlled for datacenters only."""
        return self.outcome.status == CONTROLLED != self.otherwise.status

    @property
    def words(self) -> str:
        """Return what is met in it, or what it waits for."""
        if self.kind == "none":
            return "not controlled"
        return self.needs if self.kind == "open" else ", ".join(self.outcome.certain)


def regions_of(version: Version | None) -> list[Region]:
    """Return the regions of a version; neighbours with the same answer are one."""
    if version is None:
        return []
    found: list[Region] = []
    for band in _stretches(version, TPP):
        for spread in _stretches(version, (DENSITY,)):
            one = _decided(version, band, spread)
            if found and _same(found[-1], one):
                one = Region(one.tpp, (found.pop().density[0], one.density[1]), one.outcome, one.otherwise, one.needs)
            found.append(one)
    return found


def _same(one: Region, other: Region) -> bool:
    return (one.tpp, one.outcome, one.otherwise, one.needs) == (other.tpp, other.outcome, other.otherwise, other.needs)


def _stretches(version: Version, metrics: tuple[str, ...]) -> Iterator[Interval]:
    """Yield the stretches between the thresholds of some metrics."""
    bounds = [bound for metric in metrics for bound in version.tests.get(metric, ())]
    cuts = [bound.threshold for bound in bounds if isinstance(bound.threshold, Fraction)]
    yield from (cell for cell in cells(UNKNOWN, cuts) if not cell.is_point)


def _decided(version: Version, band: Interval, spread: Interval) -> Region:
    """Decide a piece by one of its points: no comparison turns within it."""
    tpp = sample(band)
    area = tpp / sample(spread)
    for_datacenters, otherwise = (_values(tpp, area, datacenter) for datacenter in (True, False))
    outcome = classify(version, for_datacenters)
    return Region(
        (float(band.low), None if band.high is None else float(band.high)),
        (float(spread.low), None if spread.high is None else float(spread.high)),
        outcome,
        classify(version, otherwise),
        _needs(version, for_datacenters, outcome),
    )


def _values(tpp: Fraction, area: Fraction, datacenter: bool) -> Values:
    """Return what is known of a chip with a TPP and an area, and nothing else."""
    known: Mapping[str, Any] = metrics_of(item_of({"name": "a chip", "tpp": 1, "datacenter": datacenter}, Path("map")))
    own = {"tpp": point(tpp), AREA: point(area), "bits_x_tops_2022": UNKNOWN}
    return completed({**known, **own})


def _needs(version: Version, values: Values, outcome: Outcome) -> str:
    """Say what would make an open answer a controlled one."""
    for settled in changes.settling(version, values, outcome):
        for part, then in settled.stretches:
            if then.status == CONTROLLED and isinstance(part, Interval):
                met = ", ".join(then.certain)
                return f"{met} where {FACTS[settled.input].label} is {_span(part)} {FACTS[settled.input].unit}"
    return ""


def _span(part: Interval) -> str:
    low, high = float(part.low), part.high
    more = "more than" if part.low_open else "at least"
    return f"{more} {low:g}" if high is None or math.isinf(high) else f"{low:g} to {float(high):g}"
