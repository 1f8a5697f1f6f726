"""Chips and memory parts: the catalogue and a user's own files, checked and frozen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfcore import formulas
from perfcore.errors import PerfcoreError
from perfcore.quantity import UNKNOWN, Interval, common, exactly, highest, interval_of, point, quotient, scaled, total
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import CHIP, MEMORY, PACKAGE_METRICS, Problem, problems_of
from perfcore.terms import FORMATS

FOLDERS = {"chip": "chips", "memory": "memory"}
_NAMES = re.compile(r"^(?:name|aliases)\s*=\s*(\[[^\]]*\]|\"[^\"]*\")", re.MULTILINE)
_FILE_ENDINGS = (".toml", ".yaml", ".yml", ".json", ".csv", ".txt", ".ini", ".xml")


@dataclass(frozen=True)
class Item:
    """A chip (one package) or a memory part: what its file says, in exact numbers.

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


def normal(name: str) -> str:
    """Return a name without case, spaces and punctuation.

    >>> normal("RTX 4090-D")
    'rtx4090d'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _heads() -> dict[str, tuple[str, list[str]]]:
    """Return the kind of each file of the catalogue and the names it goes by: id -> (kind, name and aliases).

    Read by pattern, not by parsing 150 files at each start; a test compares it with what the files say.
    """
    heads = {}
    for kind, folder in FOLDERS.items():
        for path in sorted((SPECS / folder).glob("*.toml")):
            found = _NAMES.findall(path.read_text("utf-8").partition("\n[")[0])
            heads[path.stem] = (kind, re.findall(r'"([^"]+)"', "".join(found)))
    return heads


@cache
def _names() -> dict[str, list[str]]:
    """Map each normal name to the ids that carry it."""
    names: dict[str, list[str]] = {}
    for item_id, (_, spoken) in _heads().items():
        for name in {normal(n) for n in (item_id, *spoken)}:
            names.setdefault(name, []).append(item_id)
    return names


def ids(kind: str = "chip") -> tuple[str, ...]:
    """Return the ids of the catalogue's chips, or of its memory parts (``kind="memory"``).

    >>> "nvidia_h20_sxm_96gb" in ids(), "skhynix_hbm3_8hi" in ids("memory")
    (True, True)
    """
    return tuple(item_id for item_id, (its_kind, _) in _heads().items() if its_kind == kind)


def find(name: str) -> str:
    """Return the id a name stands for.

    >>> find("H100 SXM"), find("rtx 4090 d")
    ('nvidia_h100_sxm_80gb', 'nvidia_rtx_4090_d_24gb')

    Raises
    ------
    PerfcoreError
        If no chip or memory part has that name, or several have.
    """
    found = _names().get(normal(name), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise PerfcoreError(f"{name!r} stands for several: {', '.join(found)}; say which")
    spoken = {normal(n): n for _, names in _heads().values() for n in names}
    from difflib import get_close_matches

    near = [spoken[n] for n in get_close_matches(normal(name), spoken, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise PerfcoreError(
        f"{name!r} is no chip or memory part of the catalogue and no file; {hint}(perfcore chips lists them)"
    )


def load(name_or_path: str | Path) -> Item:
    """Load a chip or memory part by any of its names, or from a TOML file.

    >>> load("h20").name
    'NVIDIA H20 SXM 96 GB'

    Raises
    ------
    PerfcoreError
        If there is no such name or file, or the file is not a chip file; all its problems at once.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or _is_path(text):
        return from_file(Path(text))
    item_id = find(text)
    kind = _heads()[item_id][0]
    return item_of(read_toml(_catalogue_path(item_id)), _catalogue_path(item_id), kind)


def _is_path(text: str) -> bool:
    if text.lower().endswith(_FILE_ENDINGS) or "/" in text or "\\" in text:
        return True
    return normal(text) not in _names() and Path(text).is_file()


def _catalogue_path(item_id: str) -> Path:
    return SPECS / FOLDERS[_heads()[item_id][0]] / f"{item_id}.toml"


def from_file(path: Path) -> Item:
    """Load a user's own file; one that has a generation and no chip table is a memory part."""
    document = read_toml(path)
    kind = "memory" if "generation" in document or "pin_gbit_s" in document else "chip"
    return item_of(document, path, kind)


def item_of(document: Mapping[str, Any], path: Path, kind: str = "chip") -> Item:
    """Check a document and freeze it.

    Raises
    ------
    PerfcoreError
        With every problem of the document, by line.
    """
    problems = problems_of(document, CHIP if kind == "chip" else MEMORY)
    problems = problems or (_chip_problems(document) if kind == "chip" else _memory_problems(document))
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
        parts=_chip_parts(document) if kind == "chip" else _memory_parts(document),
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
    found = _twice(document)
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


def _rates(document: Mapping[str, Any], table: str) -> Mapping[str, Interval] | None:
    if table not in document:
        return None
    return MappingProxyType({name: interval_of(rate) for name, rate in document[table].items()})


def _chip_parts(document: Mapping[str, Any]) -> dict[str, Interval]:
    """Add up the parts; a missing table says nothing, a missing key in an entry anything of 0 or more."""
    parts = {}
    if "peak_dense_tflops" in document:
        parts["tpp"] = tpp_of(_rates(document, "peak_dense_tflops") or {}, FORMATS)
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
    facts = {"digital_processing_units": kind == "chip", "dominant_function_processing": kind == "chip"}
    if "datacenter" in document:
        facts["datacenter"] = document["datacenter"]
    others = {name: value for name, value in document.get("facts", {}).items() if name not in PACKAGE_METRICS}
    return facts | {name: value.lower() if isinstance(value, str) else value for name, value in others.items()}
