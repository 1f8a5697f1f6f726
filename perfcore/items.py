"""What a file says of a chip, memory part, system or process: checked, exact and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfcore import formulas
from perfcore.errors import suggestion
from perfcore.quantity import UNKNOWN, Interval, common, exactly, highest, interval_of, point, quotient, scaled, total
from perfcore.reader import report
from perfcore.schema import (
    CHIP,
    MEMORY,
    PACKAGE_METRICS,
    PART,
    PROCESS,
    PROCESS_FACTS,
    SYSTEM,
    SYSTEM_FACTS,
    TOPOLOGIES,
    Problem,
    problems_of,
    shown,
)
from perfcore.terms import FACTS, FORMATS

# AI OVERWATCH Act: "first marketed after 1 January 2026". A day, not a threshold that a rule file could hold.
FIRST_MARKETED = date(2026, 1, 1)
SHAPES = {"chip": CHIP, "memory": MEMORY, "system": SYSTEM, "process": PROCESS, "part": PART}


@dataclass(frozen=True)
class Item:
    """A chip (one package), memory part, system or process: what its file says, in exact numbers.

    ``rates`` are the dense peaks by format, ``vector_rates`` those of the units beside the tensor units and
    ``uncapped_rates`` those without a firmware cap; None where the file has no such table. ``given`` holds the
    package metrics the file states itself, ``parts`` those its parts add up to.
    """

    id: str
    kind: str
    name: str
    document: Mapping[str, Any] = field(repr=False)
    path: Path = field(repr=False)
    rates: Mapping[str, Interval] | None = field(repr=False)
    vector_rates: Mapping[str, Interval] | None = field(repr=False)
    uncapped_rates: Mapping[str, Interval] | None = field(repr=False)
    given: Mapping[str, Interval] = field(repr=False)
    parts: Mapping[str, Interval] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        from perfcore.notebook import item_html

        return item_html(self)


def item_of(document: Mapping[str, Any], path: Path, kind: str = "chip") -> Item:
    """Check a document and freeze it.

    Raises
    ------
    PerfcoreError
        With every problem of the document, by line.
    """
    problems = problems_of(document, SHAPES[kind])
    problems = problems or _twice(document)
    problems = problems or _CHECKS.get(kind, _no_more)(document)
    if problems:
        raise report(path, problems)
    return Item(
        id=path.stem,
        kind=kind,
        name=document.get("name", path.stem),
        document=MappingProxyType(dict(document)),
        path=path,
        rates=_rates(document, "peak_dense_tflops"),
        vector_rates=_rates(document, "vector_peak_dense_tflops"),
        uncapped_rates=_rates(document, "uncapped_peak_dense_tflops"),
        given=_given(document),
        parts=_parts(document, kind),
        facts=_facts(document, kind),
    )


def _given(document: Mapping[str, Any]) -> dict[str, Interval]:
    """Return the package metrics a file states, at its top or among its facts."""
    stated = {**document.get("facts", {}), **document}
    return {name: interval_of(stated[name]) for name in PACKAGE_METRICS if name in stated}


def _twice(document: Mapping[str, Any]) -> list[Problem]:
    both = [name for name in document.get("facts", {}) if name in document]
    return [(f"facts.{name}", "stands at the top of the file too; give it once") for name in both]


def _chip_problems(document: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    measured = ("peak_dense_tflops", "die", "memory", "link", *PACKAGE_METRICS)
    if not any(key in document or key in document.get("facts", {}) for key in measured):
        found.append(("name", f"says nothing about a chip; give at least one of {', '.join(measured)}"))
    if document.get("die") == []:
        found.append(("die", "found no die; a package has at least one: list it, or leave the table out if unknown"))
    if document.get("peak_dense_tflops") == {}:
        found.append(("peak_dense_tflops", "found no format; give at least one, or leave the table out if unknown"))
    for place, link in enumerate(document.get("link", ()), 1):
        ships, can = link.get("shipped_gb_s"), link.get("bandwidth_gb_s")
        if ships is not None and can is not None and interval_of(ships).low > _high(can):
            found.append(
                (
                    f"link.{place}.shipped_gb_s",
                    f"found {ships}, above bandwidth_gb_s; it ships at most as fast as it can be programmed",
                )
            )
    return found or _disagreements(document)


def _high(value: Any) -> Fraction:
    high = interval_of(value).high
    assert high is not None  # a checked number has both ends
    return high


def _disagreements(document: Mapping[str, Any]) -> list[Problem]:
    """Name each package metric that its parts contradict."""
    found = []
    stated = _given(document)
    parts = _chip_parts(document)
    whole = parts | stated
    tpp, area = whole.get("tpp"), whole.get("applicable_die_area_mm2")
    if tpp and area and area.low > 0:
        parts["performance_density"] = quotient(tpp, area)
    for name, part in parts.items():
        if name in stated and common(part, stated[name]) is None:
            makes = f"{float(part.low):g}" if part.is_point else f"{float(part.low):g} or more"
            said = f"{float(stated[name].low):g}"
            wrong = f"found {said}, but the parts of the file make {makes}; give one, or make them agree"
            found.append((name if name in document else f"facts.{name}", wrong))
    return found


def _memory_problems(document: Mapping[str, Any]) -> list[Problem]:
    missing = [key for key in ("bandwidth_gb_s", "area_mm2") if key in document]
    return [] if missing else [("generation", "says nothing to decide on; give bandwidth_gb_s and area_mm2")]


def _system_problems(document: Mapping[str, Any]) -> list[Problem]:
    """What the kinds of the terms leave open: which topologies a table may name, and that its numbers are numbers."""
    found = []
    for table, allowed in TOPOLOGIES.items():
        named = document.get(table, {}).get("topology", allowed[0])
        if named not in allowed:
            wrong = f"found {shown(named)}; allowed: {', '.join(allowed)}{suggestion(named, allowed)}"
            found.append((f"{table}.topology", wrong))
    for table in ("scale_up", "scale_out", "host"):
        for key, value in document.get(table, {}).items():
            if isinstance(value, dict):
                found.append((f"{table}.{key}", "found an interval; give one number"))
    return found


def _process_problems(document: Mapping[str, Any]) -> list[Problem]:
    found = []
    for place, entry in enumerate(document.get("reported_yield", ()), 1):
        if not 0 < entry.get("die_yield", 1) <= 1:
            said = f"found {entry['die_yield']}; allowed: a share above 0 and at most 1"
            found.append((f"reported_yield.{place}.die_yield", said))
    return found


def _no_more(_: Mapping[str, Any]) -> list[Problem]:
    return []


_CHECKS = {
    "chip": _chip_problems,
    "part": _chip_problems,
    "memory": _memory_problems,
    "system": _system_problems,
    "process": _process_problems,
}


def _rates(document: Mapping[str, Any], table: str) -> Mapping[str, Interval] | None:
    if table not in document:
        return None
    return MappingProxyType({name: interval_of(rate) for name, rate in document[table].items()})


def _parts(document: Mapping[str, Any], kind: str) -> dict[str, Interval]:
    if kind == "chip":
        return _chip_parts(document)
    if kind == "memory":
        return _memory_parts(document)
    named = (*SYSTEM_FACTS, *PROCESS_FACTS)
    return {name: interval_of(document[name]) for name in named if name in document and FACTS[name].kind == "number"}


def _chip_parts(document: Mapping[str, Any]) -> dict[str, Interval]:
    """Add up the parts; a missing table says nothing, a missing key in an entry anything of 0 or more."""
    parts = {}
    if "peak_dense_tflops" in document:
        rates = _rates(document, "peak_dense_tflops") or {}
        parts["tpp"] = tpp_of(rates, FORMATS)
        parts["tops"] = highest(rates.values())
    if "die" in document:
        parts["applicable_die_area_mm2"] = total(counted(die, "area_mm2") for die in document["die"])
        parts["transistors_billion"] = total(counted(die, "transistors_billion") for die in document["die"])
    if "link" in document:
        parts["io_bandwidth_gb_s"] = total(
            _link(link) for link in document["link"] if not link.get("to_volatile_memory")
        )
    if "bandwidth_gb_s" in document.get("memory", {}):
        parts["dram_bandwidth_gb_s"] = interval_of(document["memory"]["bandwidth_gb_s"])
    return parts


def tpp_of(rates: Mapping[str, Interval], bit_lengths: Mapping[str, int]) -> Interval:
    """Return the highest total processing performance over some formats.

    >>> tpp_of({"fp16": point(300), "int8": point(550)}, FORMATS).low
    Fraction(4800, 1)
    """
    each = []
    for name, rate in rates.items():
        per_rate = exactly(formulas.tpp, exactly(formulas.mac_tops, Fraction(1)), bit_lengths[name])
        each.append(scaled(rate, per_rate))
    return highest(each)


def counted(die: Mapping[str, Any], key: str) -> Interval:
    """What one entry of dies adds: nothing if planar, anything up to its size if its transistors are unknown."""
    if die.get("transistor") == "planar":
        return point(0)
    each = scaled(interval_of(die[key]), die.get("count", 1)) if key in die else UNKNOWN
    return each if "transistor" in die else Interval(Fraction(0), each.high)


def _link(link: Mapping[str, Any]) -> Interval:
    """What one entry of links adds: the rate it can be programmed to, which is at least what it ships at."""
    if "bandwidth_gb_s" in link:
        each = interval_of(link["bandwidth_gb_s"])
    elif "shipped_gb_s" in link:
        each = Interval(interval_of(link["shipped_gb_s"]).low, None)
    else:
        each = UNKNOWN
    return scaled(each, exactly(formulas.link_bandwidth_gb_s, link.get("count", 1), 1))


def _memory_parts(document: Mapping[str, Any]) -> dict[str, Interval]:
    bandwidth = interval_of(document["bandwidth_gb_s"]) if "bandwidth_gb_s" in document else UNKNOWN
    area = interval_of(document["area_mm2"]) if "area_mm2" in document else UNKNOWN
    return {"hbm_bandwidth_density_gb_s_mm2": quotient(bandwidth, area), "dram_bandwidth_gb_s": bandwidth}


def _facts(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Facts that are not numbers of the package; what the kind of file says is a fact too."""
    facts: dict[str, Any] = {"digital_processing_units": kind == "chip", "dominant_function_processing": kind == "chip"}
    facts |= {name: document[name] for name in ("datacenter", "non_planar", "product") if name in document}
    if "type" in document.get("memory", {}):
        facts["high_bandwidth_memory"] = "hbm" in document["memory"]["type"].lower()
    if kind == "chip" and "launched" in document:
        facts["launched_after_2025"] = document["launched"] > FIRST_MARKETED
    others = {name: value for name, value in document.get("facts", {}).items() if name not in PACKAGE_METRICS}
    return facts | {name: value.lower() if isinstance(value, str) else value for name, value in others.items()}
