"""Silicon questions: padding to a region of the law, splitting, the foundry's gate, supply, the supercomputer envelope.

Limits are those of ``specs/rules/``, costs those of ``specs/processes/``, and every other input is given. Models of
analysis, not legal advice.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from perfcore import chips, processes
from perfcore.answers import json_of
from perfcore.boundaries import REGIONS, Area, datacenter_chip, highest_tpp, least_area, region_named, version_on
from perfcore.chiplets import Split, split
from perfcore.envelope import Envelope, envelope
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas import padding_cost_usd, raw_silicon_usd_mm2
from perfcore.foundry import FoundryGate, foundry_gate
from perfcore.given import number as positive
from perfcore.items import Item
from perfcore.outcome import classify
from perfcore.packages import Packages, Patterning, multi_patterning, packages
from perfcore.quantity import ZERO, Interval, plain
from perfcore.reader import as_date
from perfcore.readings import READINGS, Values, metrics_of, read_as
from perfcore.regions import AREA
from perfcore.stacks import Stacks, stacks_allowed

__all__ = ["CAVEAT", "REGIONS", "Envelope", "FoundryGate", "Packages", "Padding", "PaddingCost", "Patterning", "Region"]
__all__ += ["Split", "Stacks", "envelope", "foundry_gate", "multi_patterning", "packages", "padding", "region_table"]
__all__ += ["split", "stacks_allowed"]

CAVEAT = (
    "Which area counts: the definition speaks of logic dies on a non-planar process. Whether an idle, dummy or cache "
    "die is one is a legal question that no text read here settles, and a design made to evade the rule is itself a "
    "violation (15 CFR 764.2(h)). `if_added_area_does_not_count` is the answer without it. Costs are of raw silicon: a "
    "larger package, stitched reticles and lost bonds come on top."
)


@dataclass(frozen=True)
class PaddingCost:
    """The added area made of one process: its raw silicon, and how many reticle fields all logic then takes."""

    process: str
    raw_silicon_usd_mm2: float
    mark: str
    padding_cost_usd: Any
    reticle_fields: int | None


@dataclass(frozen=True)
class Padding:
    """Area a chip needs for a region of ECCN 3A090, and what is missing; None where no area does.

    ``inclusive`` false says that the area has to be passed. Numbers are intervals where the file's are.
    """

    chip: str
    on: date
    region: str
    reading: str
    tpp: Any
    applicable_die_area_mm2: Any
    area_needed_mm2: float | None
    inclusive: bool | None
    padding_area_mm2: Any
    why: str
    costs: tuple[PaddingCost, ...]
    if_added_area_does_not_count: str
    caveat: str = CAVEAT

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html(f"Area to add to {self.chip}", self.to_dict())


@dataclass(frozen=True)
class Region:
    """Highest TPP of a logic area: outside ECCN 3A090, and at most 3A090.b; None where nothing bounds it."""

    applicable_die_area_mm2: float
    outside: int | None
    at_most_b: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the row."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html("Highest TPP of a logic area", self.to_dict())


def padding(
    chip: str | Path | Item,
    region: str = "outside",
    on: date | str = "2024-01-01",
    process: str | Path | Iterable[str | Path] = (),
    reading: str = "",
) -> Padding:
    """Return the logic area to add to a chip so that it falls in a region, and what that area costs as raw silicon.

    Parameters
    ----------
    chip
        A name of the catalogue, a path to a TOML file, or an ``Item``.
    region
        ``outside`` ECCN 3A090, or ``at_most_3A090.b``.
    on
        The day whose rule is taken.
    process
        What the added area is made of: one or several; without it, every process of a known cost.
    reading
        A contested reading of the law (``perfcore.readings``), such as ``area_of_compute_dies_only``.

    Raises
    ------
    PerfcoreError
        If a name, date or region is wrong, or TPP or area are not known.

    Examples
    --------
    >>> answer = padding("h20", on="2024-01-01")
    >>> answer.padding_area_mm2, round(answer.area_needed_mm2, 1)
    (0.0, 740.0)
    """
    allowed, day = region_named(region), as_date(on, "on")
    item = chip if isinstance(chip, Item) else chips.load(chip)
    values = _values(item, reading)
    version = version_on(day)
    area = least_area(version, values, allowed)
    now = classify(version, values)
    missing = _missing(values[AREA], area)
    names = _processes(process)
    return Padding(
        chip=item.id,
        on=day,
        region=region,
        reading=reading,
        tpp=plain(values["tpp"]),
        applicable_die_area_mm2=plain(values[AREA]),
        area_needed_mm2=None if area is None else float(area.area_mm2),
        inclusive=None if area is None else area.inclusive,
        padding_area_mm2=None if missing is None else plain(missing),
        why=_why(area, missing),
        costs=() if missing is None else tuple(_cost(name, missing, values[AREA]) for name in names),
        if_added_area_does_not_count=" ".join((now.status, *now.certain)),
    )


def _processes(given: Any) -> list[str | Path]:
    """Return the processes asked for, or all of a known cost."""
    if isinstance(given, str | Path):
        return [given]
    if not isinstance(given, Iterable):
        raise PerfcoreError(f"process: found {given!r}; allowed: a process or several, such as tsmc_n5")
    return list(given) or list(processes.with_costs())


def _values(item: Item, reading: str) -> Values:
    """Return the metrics of a chip on a reading, TPP and area known at least as intervals."""
    if item.kind != "chip":
        raise PerfcoreError(f"{item.id}: found a {item.kind} file; padding is of chips: give a chip")
    values = metrics_of(item)
    if reading:
        named = {each.id: each for each in READINGS}
        if reading not in named:
            hint = suggestion(reading, named) or f"; the readings are: {', '.join(named)}"
            raise PerfcoreError(f"reading: found {reading!r}, which is none{hint}")
        values = read_as(named[reading], item, values) or values
    for name in ("tpp", AREA):
        value = values[name]
        if not isinstance(value, Interval) or value.high is None:
            raise PerfcoreError(f"{item.id}: {name} is not known; give it in the file")
        if value.high == 0:
            raise PerfcoreError(f"{item.id}: no die is non-planar, so performance density is undefined")
    return values


def _missing(known: Any, area: Area | None) -> Interval | None:
    """Return what an area lacks, from the least it may lack to the most; None where no area is enough."""
    if area is None:
        return None
    lacks = [max(ZERO, area.area_mm2 - end) for end in (known.high, known.low)]
    return Interval(lacks[0], lacks[1])


def _why(area: Area | None, missing: Interval | None) -> str:
    if area is None or missing is None:
        return "no area does: the rule of that day applies whatever the area"
    if missing.high == 0 and area.inclusive:
        return "there is enough area"
    return "there is enough area" if missing.high == 0 else "performance density is too high"


def _cost(name: str | Path, missing: Interval, area: Any) -> PaddingCost:
    process = processes.load(name)
    if process.non_planar is False:
        raise PerfcoreError(f"process: found {process.id}, which is planar; planar area does not count: name another")
    each = raw_silicon_usd_mm2(process.number("wafer_cost_usd"), process.number("wafer_diameter_mm"))
    assert missing.high is not None
    ends = [padding_cost_usd(float(end), each) for end in (missing.low, missing.high)]
    cost = ends[0] if ends[0] == ends[1] else {"low": ends[0], "high": ends[1]}
    total = float(area.low + missing.high)
    field = process.numbers.get("reticle_mm2")
    wafer = math.pi * (process.number("wafer_diameter_mm") / 2) ** 2
    if total > wafer:
        said = f"found {total:,.0f} with the padding; a wafer of {process.id} has {wafer:,.0f}"
        raise PerfcoreError(f"{AREA}: {said}; take a lower TPP")
    return PaddingCost(
        process=process.id,
        raw_silicon_usd_mm2=each,
        mark=process.numbers["wafer_cost_usd"].mark,
        padding_cost_usd=cost,
        reticle_fields=None if field is None else math.ceil(total / field.value),
    )


def region_table(areas_mm2: Iterable[float], on: date | str = "2024-01-01", **facts: Any) -> tuple[Region, ...]:
    """Return the highest whole TPP of a datacenter chip by logic area, decided exactly.

    ``facts`` are other numbers of the chip; the rule of October 2022 reads ``io_bandwidth_gb_s``.

    >>> region_table([500, 858], on="2024-01-01")[0]
    Region(applicable_die_area_mm2=500.0, outside=1599, at_most_b=2959)

    Raises
    ------
    PerfcoreError
        If an area or date is wrong.
    """
    version = version_on(as_date(on, "on"))
    rows = []
    for area in areas_mm2:
        positive("applicable_die_area_mm2", area)
        values = datacenter_chip(applicable_die_area_mm2=area, **facts)
        best = [highest_tpp(version, values, REGIONS[name]) for name in ("outside", "at_most_3A090.b")]
        rows.append(Region(float(area), *(None if found is None else found.whole_tpp for found in best)))
    return tuple(rows)
