"""Where the regions of ECCN 3A090 end: the highest TPP of an area and the least area of a TPP, exactly.

The numbers are those of the rule files; the arithmetic is on ``Fraction``. An end that a paragraph does not include is
said to be open: an area of *more than* so much, a TPP *below* so much.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.errors import PerfcoreError
from perfcore.formulas import area_at_density_mm2, tpp_at_density
from perfcore.items import item_of
from perfcore.outcome import governing
from perfcore.quantity import ZERO, Interval, exactly
from perfcore.readings import metrics_of
from perfcore.regions import ABOVE_ZERO, AREA, DENSITY, Values, cells, with_input
from perfcore.rules import THE_RULE, Version, load

__all__ = ["REGIONS", "Area", "Highest", "datacenter_chip", "highest_tpp", "least_area", "region_named", "version_on"]

# The headings that may govern an item, by the region that is sought.
REGIONS = {
    "outside": frozenset({"none"}),
    "at_most_3A090.b": frozenset({"none", "3A090.b"}),
}


class Area(NamedTuple):
    """The least area: itself enough, or to be passed (``inclusive`` false)."""

    area_mm2: Fraction
    inclusive: bool


class Highest(NamedTuple):
    """The highest TPP: the bound itself, whether it is reached, and the highest whole number on the right side."""

    tpp: Fraction | None
    inclusive: bool
    whole_tpp: int | None


def region_named(region: str) -> frozenset[str]:
    """Return the headings a region allows.

    Raises
    ------
    PerfcoreError
        If there is no such region.
    """
    if region not in REGIONS:
        raise PerfcoreError(f"region: found {region!r}; allowed: {', '.join(REGIONS)}")
    return REGIONS[region]


def version_on(on: date) -> Version | None:
    """Return the version of ECCN 3A090 in force on a day."""
    return load(THE_RULE).in_force(on)


def datacenter_chip(**numbers: Any) -> dict[str, Any]:
    """Return what is known of a datacenter chip of which only some numbers are given; floats by their shortest decimal.

    >>> datacenter_chip(tpp=2399)["tpp"] == Interval(Fraction(2399), Fraction(2399))
    True
    """
    exact = {name: value if isinstance(value, int) else Decimal(str(value)) for name, value in numbers.items()}
    document = {"datacenter": True, "tpp": 1, **exact}
    return metrics_of(item_of(document, Path("design")))


def highest_tpp(version: Version | None, values: Values, allowed: frozenset[str]) -> Highest | None:
    """Return the highest TPP a chip of some area may have in a region; None where none may.

    >>> on = version_on(date(2024, 1, 1))
    >>> highest_tpp(on, datacenter_chip(applicable_die_area_mm2=1716), REGIONS["outside"]).whole_tpp
    2745
    """
    area = values[AREA]
    assert isinstance(area, Interval)
    cuts = [*_thresholds(version, "tpp")]
    cuts += [exactly(tpp_at_density, d, area.low) for d in _thresholds(version, DENSITY) if area.is_point]
    for name in ("bits_x_tops_2022", "total_bits_x_tops_2022"):  # which follow TPP where they are not given
        cuts += _thresholds(version, name)
    best: Highest | None = None
    for part in reversed(cells(ABOVE_ZERO, cuts)):
        if not governing(version, _at_tpp(values, part)) <= allowed:
            continue
        if part.high is None:
            return Highest(None, False, None)
        whole = math.ceil(part.high) - 1 if part.high_open else math.floor(part.high)
        best = best or Highest(part.high, not part.high_open, None)
        if whole > 0 and whole in part:
            return Highest(best.tpp, best.inclusive, whole)
    return best


def _at_tpp(values: Values, tpp: Interval) -> Mapping[str, Any]:
    """Return the values at another TPP, which the measure of October 2022 follows."""
    return with_input(with_input(values, "tpp", tpp), "bits_x_tops_2022", tpp)


def least_area(version: Version | None, values: Values, allowed: frozenset[str]) -> Area | None:
    """Return the least applicable die area at which a chip is in a region, at any larger one too; None where none is.

    >>> on = version_on(date(2024, 1, 1))
    >>> least_area(on, datacenter_chip(tpp=2399), REGIONS["outside"])
    Area(area_mm2=Fraction(11995, 16), inclusive=False)
    """
    tpp = values["tpp"]
    assert isinstance(tpp, Interval)
    ends = {end for end in (tpp.low, tpp.high) if end}
    cuts = [exactly(area_at_density_mm2, end, d) for end in ends for d in _thresholds(version, DENSITY)]
    least: Area | None = None
    for part in reversed(cells(ABOVE_ZERO, cuts)):
        if not governing(version, with_input(values, AREA, part)) <= allowed:
            break
        least = Area(part.low, not part.low_open or part.low == ZERO)
    return least


def _thresholds(version: Version | None, metric: str) -> list[Fraction]:
    bounds: Iterable[Any] = version.tests.get(metric, ()) if version else ()
    return [bound.threshold for bound in bounds if isinstance(bound.threshold, Fraction) and bound.threshold > 0]
