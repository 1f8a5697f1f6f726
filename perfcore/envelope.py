"""The supercomputer of 15 CFR 772.1: how many chips, racks, cubic feet and kilowatts reach its peak.

The limits are those of ``specs/rules/us_supercomputer.toml``. What a rack holds comes from the system's file or from
whoever asks; a number that neither says is left out of the answer and named.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from perfcore import chips, formulas, rules, systems
from perfcore.answers import json_of
from perfcore.errors import PerfcoreError
from perfcore.given import number, whole
from perfcore.items import Item
from perfcore.quantity import Interval, interval_of
from perfcore.reader import as_date

THE_DEFINITION = "us_supercomputer"
FORMATS = {"fp64_petaflops": "fp64", "fp32_petaflops": "fp32"}
NOTE = (
    "Peaks of datasheets, summed over chips; racks stand side by side, without aisles. How an envelope is drawn around "
    "racks set apart is not settled by the text read here: setting them apart lowers the density."
)


@dataclass(frozen=True)
class Rack:
    """What one rack holds; None where it is not known."""

    chips_per_rack: int | None = None
    rack_volume_ft3: float | None = None
    rack_kw: float | None = None


@dataclass(frozen=True)
class Reach:
    """What reaches the peak at one format, by the fastest units or (``units`` vector) those beside them."""

    number_format: str
    units: str
    chip_tflops: float
    petaflops: float
    chips: int
    chip_kw: float | None
    racks: int | None
    rack_kw: float | None
    volume_ft3: float | None
    within_envelope: bool | None


@dataclass(frozen=True)
class Envelope:
    """What of a chip makes a supercomputer, and the peak of as many racks as the envelope holds."""

    chip: str
    system: str | None
    on: date
    volume_limit_ft3: float
    rack: Rack
    reaches: tuple[Reach, ...]
    chips_in_envelope: int | None
    petaflops_in_envelope: Mapping[str, float]
    asked_for: tuple[str, ...]
    note: str = NOTE

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html(f"{self.chip} as a supercomputer", self.to_dict())


def envelope(
    chip: str | Path | Item,
    system: str | None = None,
    chips_per_rack: int | None = None,
    rack_volume_ft3: float | None = None,
    rack_kw: float | None = None,
    on: date | str = "2024-01-01",
) -> Envelope:
    """Return how many chips reach the peak of a supercomputer, their racks, volume and power.

    Parameters
    ----------
    chip
        A name of the catalogue, a path to a TOML file, or an ``Item``.
    system
        A system whose file says what a rack holds; the chip's usual one where left out.
    chips_per_rack, rack_volume_ft3, rack_kw
        In place of what the system's file says.
    on
        The day whose definition is taken.

    Raises
    ------
    PerfcoreError
        If something given is wrong, or the chip has neither format.

    Examples
    --------
    >>> [(r.number_format, r.chips) for r in envelope("h20").reaches]
    [('fp64', 100000), ('fp32', 4546)]
    """
    item, day = chip if isinstance(chip, Item) else chips.load(chip), as_date(on, "on")
    system_id, rack = _rack(item, system)
    given = {"chips_per_rack": chips_per_rack, "rack_volume_ft3": rack_volume_ft3, "rack_kw": rack_kw}
    rack = replace(rack, **_checked(given))
    volume, peaks = _definition(day)
    reaches = tuple(_reaches(item, rack, volume, peaks))
    if not reaches:
        raise PerfcoreError(f"{item.id}: no fp64 or fp32 rate is known; give one in peak_dense_tflops")
    inside = None
    if rack.chips_per_rack is not None and rack.rack_volume_ft3 is not None:
        inside = math.floor(volume / rack.rack_volume_ft3) * rack.chips_per_rack
    return Envelope(
        chip=item.id,
        system=system_id,
        on=day,
        volume_limit_ft3=volume,
        rack=rack,
        reaches=reaches,
        chips_in_envelope=inside,
        petaflops_in_envelope={} if inside is None else _peaks_of(reaches, inside),
        asked_for=tuple(name for name in given if getattr(rack, name) is None),
    )


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, checked."""
    checks = {"chips_per_rack": whole, "rack_volume_ft3": number, "rack_kw": number}
    return {name: checks[name](name, value) for name, value in given.items() if value is not None}


def _rack(item: Item, system: str | None) -> tuple[str | None, Rack]:
    """Return the system and what its racks hold: that named, or the one this chip usually stands in."""
    found = chips.load(system, "system").id if system is not None else None
    if found is None:
        usual = [s for s in systems.ids() if item.id in chips.load(s, "system").document.get("default_for", ())]
        found = usual[0] if usual else None
    table = {} if found is None else chips.load(found, "system").document.get("rack", {})
    count = table.get("chips_per_rack")
    numbers = {name: _middle(table[name]) for name in ("rack_volume_ft3", "rack_kw") if name in table}
    return found, Rack(chips_per_rack=count, **numbers)


def _middle(value: Any) -> float:
    interval = interval_of(value)
    assert interval.high is not None  # a checked number has both ends
    return float((interval.low + interval.high) / 2)


def _definition(on: date) -> tuple[float, dict[str, float]]:
    """Return the volume of the definition in force, and the peak of each format."""
    version = rules.load(THE_DEFINITION).in_force(on)
    if version is None:
        raise PerfcoreError(f"on: found {on}; the definition takes effect on 2022-10-21; give a later day")
    bounds = {b.metric: float(b.threshold) for b in version.paragraphs[0].bounds if isinstance(b.threshold, Fraction)}
    return bounds["volume_ft3"], {name: bounds[name] for name in FORMATS}


def _reaches(item: Item, rack: Rack, volume: float, peaks: Mapping[str, float]) -> list[Reach]:
    tdp = item.document.get("power", {}).get("tdp_w")
    found = []
    for name, peak in peaks.items():
        spelt = FORMATS[name]
        fastest = (item.rates or {}).get(spelt)
        vector = (item.vector_rates or {}).get(spelt)
        for units, rate in (("fastest", fastest), ("vector", vector if vector != fastest else None)):
            if isinstance(rate, Interval) and rate.high:
                each = float((rate.low + rate.high) / 2)
                found.append(_reach(spelt, units, each, peak, rack, volume, None if tdp is None else _middle(tdp)))
    return found


def _reach(spelt: str, units: str, each: float, peak: float, rack: Rack, limit: float, tdp_w: float | None) -> Reach:
    count = int(formulas.chips_at_petaflops(peak, each))
    racks = None if rack.chips_per_rack is None else math.ceil(count / rack.chips_per_rack)
    volume = None
    if racks is not None and rack.rack_volume_ft3 is not None:
        volume = formulas.volume_of_racks_ft3(racks, rack.rack_volume_ft3)
    return Reach(
        number_format=spelt,
        units=units,
        chip_tflops=each,
        petaflops=peak,
        chips=count,
        chip_kw=None if tdp_w is None else count * tdp_w / 1000,
        racks=racks,
        rack_kw=None if racks is None or rack.rack_kw is None else racks * rack.rack_kw,
        volume_ft3=volume,
        within_envelope=None if volume is None else volume <= limit,
    )


def _peaks_of(reaches: tuple[Reach, ...], count: int) -> dict[str, float]:
    return {f"{r.number_format} {r.units}": count * r.chip_tflops / 1000 for r in reaches}
