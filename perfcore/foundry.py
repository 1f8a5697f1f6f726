"""The foundry's gate: how many transistors an area holds, and whether the presumption of January 2025 stands.

The limits are those of ``specs/rules/us_foundry_presumption.toml``. How transistors are to be "approximated" is not
settled by the text read here: the density a process is said to have and that which chips reach stand side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from perfcore import chips, formulas, processes, rules
from perfcore.answers import json_of
from perfcore.boundaries import datacenter_chip, version_on
from perfcore.errors import PerfcoreError
from perfcore.given import number, whole
from perfcore.items import Item
from perfcore.outcome import layer_met
from perfcore.processes import Process
from perfcore.quantity import Interval, Value, point
from perfcore.readings import metrics_of
from perfcore.regions import ABOVE_ZERO, AREA, cells
from perfcore.rules import Version

THE_PRESUMPTION = "us_foundry_presumption"
COUNT = "transistors_billion"
LAST_YEAR = 9999  # of a calendar date
# Who makes and packages it: the way out by counting is open to them.
BY_THE_FABRICATOR: Mapping[str, Value] = {
    "exporter": frozenset({"front_end_fabricator"}),
    "packager": frozenset({"front_end_fabricator"}),
    "packaged_in_macau_or_d5": frozenset({False}),
}
NOTE = (
    "Counts that rest on density times area. The presumption falls below the limit only where the fabricator or an "
    "approved OSAT packages outside Macau and D:5; it is then not more than a presumption that falls: the "
    "classification by TPP and performance density remains."
)


@dataclass(frozen=True)
class Count:
    """Transistors by one density: of the process, of a chip made on it, or (``file``) as the chip's file says."""

    basis: str
    transistor_density_mtr_mm2: float | None
    transistors_billion: float
    overcome: str
    area_at_limit_mm2: float | None


@dataclass(frozen=True)
class FoundryGate:
    """Whether the presumption is overcome (``yes``, ``no``, ``open``) by each count; ``differs`` where they disagree.

    ``overcome`` is the answer of the count in the chip's file, else that of all counts, else ``open``. Below
    ``limit_billion`` it certainly is, from ``open_to_billion`` on certainly not.
    """

    name: str
    applicable_die_area_mm2: float  # the middle, where the file has an interval
    process: str
    high_bandwidth_memory: bool
    year: int
    limit_billion: float
    open_to_billion: float
    counts: tuple[Count, ...]
    overcome: str
    differs: bool
    note: str = NOTE

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import NOT_ADVICE, answer_html

        return answer_html("The foundry's gate", self.to_dict(), NOT_ADVICE)


@dataclass(frozen=True)
class Carried:
    """TPP that a number of transistors carries at the TPP per transistor of one chip."""

    chip: str
    tpp_per_billion: float
    tpp: float


def foundry_gate(
    chip_or_area: str | Path | Item | float, process: str | Path, high_bandwidth_memory: bool | None, year: int
) -> FoundryGate:
    """Count the transistors of a chip or a logic area, and say whether the presumption of 3A090.a is overcome.

    Parameters
    ----------
    chip_or_area
        A chip, or the area of its non-planar logic dies. [mm2]
    process
        What it is made on.
    high_bandwidth_memory
        Whether the package holds HBM; None takes what the chip's file says.
    year
        In which the export is completed, 2025 or later.

    Raises
    ------
    PerfcoreError
        If something given is wrong, or the rule was not yet there.

    Examples
    --------
    At the density of N7 on paper 400 mm2 are over 30 billion, at that of the A100 under it:

    >>> gate = foundry_gate(400.0, "n7", True, 2026)
    >>> [(c.basis, round(c.transistors_billion, 1), c.overcome) for c in gate.counts if c.basis in ("nominal",)]
    [('nominal', 38.5, 'no')]
    >>> gate.differs
    True
    """
    made = processes.load(process)
    name, area, hbm, said = _asked(chip_or_area, high_bandwidth_memory)
    if whole("year", year) > LAST_YEAR:
        raise PerfcoreError(f"year: found {year}; allowed: 2025 to {LAST_YEAR}")
    day = date(int(year), 7, 1)
    version = rules.load(THE_PRESUMPTION).in_force(day)
    if version is None:
        raise PerfcoreError(f"year: found {year}; the presumption takes effect in January 2025; give 2025 or later")
    limit, open_to = _limits(version, area, hbm, day)
    counts = [_count(basis, density, area, limit, open_to) for basis, density in _densities(made)]
    if said is not None:
        counts.append(Count("file", None, said, _overcome(said, limit, open_to), None))
    if not counts:
        raise PerfcoreError(f"{made.name}: no density is known; give transistor_density_mtr_mm2 in its file")
    answers = {count.overcome for count in counts}
    return FoundryGate(
        name=name,
        applicable_die_area_mm2=area,
        process=made.id,
        high_bandwidth_memory=hbm,
        year=year,
        limit_billion=float(limit),
        open_to_billion=float(open_to),
        counts=tuple(counts),
        overcome=counts[-1].overcome if said is not None or len(answers) == 1 else "open",
        differs=len(answers) > 1,
    )


def _asked(chip_or_area: str | Path | Item | float, hbm: bool | None) -> tuple[str, float, bool, float | None]:
    """Return name, area, whether it has HBM, and the count of its file."""
    if not isinstance(chip_or_area, str | Path | Item):
        if hbm is None:
            raise PerfcoreError("high_bandwidth_memory: found nothing; allowed: true or false; an area does not say")
        return "design", number(AREA, chip_or_area), hbm, None
    item = chip_or_area if isinstance(chip_or_area, Item) else chips.load(chip_or_area)
    values = metrics_of(item)
    area, count = values[AREA], values[COUNT]
    if not isinstance(area, Interval) or area.high is None or area.high == 0:
        raise PerfcoreError(f"{item.id}: its applicable_die_area_mm2 is not known or 0; give the area itself")
    has = item.facts.get("high_bandwidth_memory") if hbm is None else hbm
    if has is None:
        raise PerfcoreError(f"{item.id}: its file does not say whether it has HBM; give high_bandwidth_memory")
    said = float(count.low) if isinstance(count, Interval) and count.is_point else None
    return item.id, float((area.low + area.high) / 2), bool(has), said


def _densities(made: Process) -> list[tuple[str, float]]:
    nominal = made.numbers.get("transistor_density_mtr_mm2")
    found = [] if nominal is None else [("nominal", nominal.value)]
    return found + [(chip, density) for chip, density in made.realised]


def _count(basis: str, density: float, area: float, limit: Fraction, open_to: Fraction) -> Count:
    transistors = formulas.transistors_of_area_billion(area, density)
    at_limit = formulas.area_of_transistors_mm2(float(limit), density)
    return Count(basis, density, transistors, _overcome(transistors, limit, open_to), at_limit)


def _overcome(transistors: float, limit: Fraction, open_to: Fraction) -> str:
    if transistors < limit:
        return "yes"
    return "open" if transistors < open_to else "no"


def _limits(version: Version, area: float, hbm: bool, day: date) -> tuple[Fraction, Fraction]:
    """Return the count below which a paragraph certainly helps, and that below which one may."""
    known: dict[str, Value] = {**datacenter_chip(applicable_die_area_mm2=area), **BY_THE_FABRICATOR}
    known |= {"high_bandwidth_memory": frozenset({hbm}), "completion_year": point(day.year)}
    ways = [paragraph for paragraph in version.paragraphs if any(b.metric == COUNT for b in paragraph.bounds)]
    cuts = [bound.threshold for bound in version.tests[COUNT] if isinstance(bound.threshold, Fraction)]
    certain, possible = Fraction(0), Fraction(0)
    for part in cells(ABOVE_ZERO, cuts):
        answers = [layer_met(way, version_on(day), {**known, COUNT: part}) for way in ways]
        if part.high is not None and True in answers:
            certain = part.high
        if part.high is not None and (True in answers or None in answers):
            possible = part.high
    return certain, max(certain, possible)


def carried(transistors_billion: float, names: tuple[str, ...] = ()) -> tuple[Carried, ...]:
    """Return the TPP that a number of transistors carries at the TPP per transistor of chips, the least first.

    A count below the gate does not mean a TPP below a threshold. Without names, every chip whose file has both numbers.

    >>> round(carried(30, ("h100",))[0].tpp)
    5937

    Raises
    ------
    PerfcoreError
        If the count is no number above 0.
    """
    total = number(COUNT, transistors_billion)
    found = []
    for item in map(chips.load, names or chips.ids()):
        values = metrics_of(item)
        tpp, count = values["tpp"], values[COUNT]
        if isinstance(tpp, Interval) and isinstance(count, Interval) and tpp.is_point and count.is_point and count.low:
            each = float(tpp.low / count.low)
            found.append(Carried(item.id, each, formulas.tpp_of_transistors(total, each)))
    return tuple(sorted(found, key=lambda row: row.tpp))
