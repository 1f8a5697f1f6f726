"""Fabrication processes: what their files say, with marks, and the densities that chips made on them reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from perfcore import chips, evidence
from perfcore.errors import PerfcoreError
from perfcore.quantity import Interval, interval_of
from perfcore.reader import SPECS
from perfcore.silicon_terms import PROCESS_NUMBERS


class Marked(NamedTuple):
    """A number and how sure it is; an interval is read by its middle."""

    value: float
    mark: str
    source: str


class Realised(NamedTuple):
    """Transistors of one mm2 of a chip's dies [10^6/mm2]."""

    chip: str
    transistor_density_mtr_mm2: float


class ReportedYield(NamedTuple):
    """A yield someone reported, of dies of an area."""

    made: str
    area_mm2: float
    die_yield: float
    mark: str


@dataclass(frozen=True)
class Process:
    """A process: its numbers by name, the yields reported of it, and the ids chip files know it by.

    ``non_planar`` is None where its file does not say.
    """

    id: str
    name: str
    non_planar: bool | None
    numbers: Mapping[str, Marked]
    reported: tuple[ReportedYield, ...]
    variants: tuple[str, ...]

    def number(self, name: str) -> float:
        """Return one of its numbers.

        Raises
        ------
        PerfcoreError
            If its file does not say.
        """
        if name not in self.numbers:
            raise PerfcoreError(f"{self.name}: {name} is not in its file; give {name}, or a process whose file says it")
        return self.numbers[name].value

    @property
    def realised(self) -> tuple[Realised, ...]:
        """What chips made on it reach, of each density the chip launched first, the lowest density first."""
        return _realised(self.variants)


def load(name_or_path: str | Path) -> Process:
    """Load a process of the catalogue, or of a file.

    >>> load("n7").number("wafer_cost_usd")
    9346.0

    Raises
    ------
    PerfcoreError
        If there is none of that name, or it is no process for logic.
    """
    item = chips.load(name_or_path, None if isinstance(name_or_path, Path) or "." in name_or_path else "process")
    if item.kind != "process" or item.document.get("product", "logic") != "logic":
        raise PerfcoreError(f"{item.id}: found no process for logic; the processes are: {', '.join(with_costs())}")
    document = item.document
    numbers = {name: _marked(item, name) for name in PROCESS_NUMBERS if name in document}
    reported = tuple(
        ReportedYield(
            entry["made"],
            _middle(interval_of(entry["area_mm2"])),
            float(entry["die_yield"]),
            (evidence.entry_for(item, f"reported_yield.{place}.die_yield") or {}).get("mark", ""),
        )
        for place, entry in enumerate(document.get("reported_yield", ()), 1)
    )
    return Process(
        item.id, item.name, document.get("non_planar"), numbers, reported, tuple(document.get("variants", ()))
    )


def _marked(item: chips.Item, name: str) -> Marked:
    entry = evidence.entry_for(item, name) or {}
    return Marked(_middle(interval_of(item.document[name])), entry.get("mark", ""), entry.get("source", ""))


def _middle(interval: Interval) -> float:
    assert interval.high is not None  # a checked number has both ends
    return float((interval.low + interval.high) / 2)


@cache
def with_costs() -> tuple[str, ...]:
    """Return the ids of the catalogue's processes whose wafers have a cost, the cheapest first.

    >>> with_costs()
    ('tsmc_16ff', 'tsmc_n10', 'tsmc_n7', 'tsmc_n5')
    """
    known = {}
    for process_id in chips.ids("process"):
        document = chips.load(SPECS / "processes" / f"{process_id}.toml").document
        if "wafer_cost_usd" in document:
            known[process_id] = _middle(interval_of(document["wafer_cost_usd"]))
    return tuple(sorted(known, key=known.__getitem__))


@cache
def _realised(variants: tuple[str, ...]) -> tuple[Realised, ...]:
    found: dict[float, tuple[date, str]] = {}
    for chip_id in chips.ids():
        document = chips.load(chip_id).document
        since = (document.get("launched", date.max), chip_id)
        for die in document.get("die", ()):
            if die.get("process") in variants and {"area_mm2", "transistors_billion"} <= set(die):
                area, count = interval_of(die["area_mm2"]), interval_of(die["transistors_billion"])
                if area.is_point and count.is_point:
                    density = round(float(count.low / area.low) * 1000, 1)
                    found[density] = min(found.get(density, since), since)
    return tuple(Realised(first[1], density) for density, first in sorted(found.items()))
