"""The share of its datasheet rates that a chip reaches, by generation: from kernels alone, or fitted to step times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import (
    ATTENTION_KERNEL,
    COMMON,
    EFFICIENCY,
    SHARED_EFFICIENCY,
    SHARES,
    SITE,
    Problem,
    Shape,
    problems_of,
)
from perfcore.terms import weakest

__all__ = ["AttentionKernels", "Efficiency", "Shared", "Site", "attention_kernels", "for_chip", "for_generation"]
__all__ += ["generations", "shared", "site"]

FOLDER = SPECS / "efficiency"
DEFAULT, SHARED = "default", "shared"
MODES = ("fitted", "neutral")
FAMILY_WIDTH = 0.15  # least relative uncertainty of a share taken from the other generations of a family
_CHIPS = re.compile(r"^chips\s*=\s*\[([^\]]*)\]", re.MULTILINE)
_FAMILY = re.compile(r'^family\s*=\s*"([^"]*)"', re.MULTILINE)


@dataclass(frozen=True)
class Efficiency:
    """Shares of the dense datasheet peak that a generation's kernels reach, with relative one-sigma widths.

    ``attention`` is a share of the 16-bit peak, of the forward pass of the generation's best fused kernel over long
    sequences, a causal mask counted half. ``assumptions`` says what was taken from elsewhere.
    """

    generation: str
    gemm_16bit: float
    gemm_8bit: float
    gemm_4bit: float
    attention: float
    gemm_16bit_width: float
    gemm_8bit_width: float
    gemm_4bit_width: float
    attention_width: float
    mark: str
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """What all chips share, with relative one-sigma widths: shares of the datasheet rate, and start-up times [s]."""

    memory_efficiency: float
    link_efficiency: float
    network_efficiency: float
    kernel_s: float
    link_latency_s: float
    network_latency_s: float
    widths: Mapping[str, float]
    mark: str


@dataclass(frozen=True)
class AttentionKernels:
    """Speed of the attention kernels of three eras over that of the generation's best."""

    flash_1: float
    flash_2: float
    flash_3: float
    width: float
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """A machine slower than its chip: its GEMM rate over that of the generation."""

    id: str
    generation: str
    gemm_factor: float
    width: float


def generations() -> tuple[str, ...]:
    """Return the ids of the generations with a file.

    >>> "nvidia_hopper" in generations(), "shared" in generations()
    (True, False)
    """
    return tuple(sorted(_heads()))


def for_chip(chip_id: str, mode: str = "fitted") -> Efficiency:
    """Return what kernels of a chip's generation reach, by the id of the chip; ``mode`` is fitted or neutral.

    >>> for_chip("nvidia_h100_sxm_80gb", "neutral").gemm_16bit
    0.75

    A chip of no generation takes the mean over all families, and that is said.

    >>> for_chip("my_chip").assumptions[0]
    'no generation is known for my_chip, so all of its efficiencies are the mean over families (default)'
    """
    for generation, (chips, _) in _heads().items():
        if chip_id in chips:
            return for_generation(generation, mode)
    said = f"no generation is known for {chip_id}, so all of its efficiencies are the mean over families (default)"
    return replace(for_generation(DEFAULT, mode), assumptions=(said,))


@cache
def for_generation(generation: str, mode: str = "fitted") -> Efficiency:
    """Return what the kernels of a generation reach; what its file leaves open comes from its family or the default.

    >>> round(for_generation("nvidia_volta", "neutral").gemm_16bit_width, 2)
    0.15

    Raises
    ------
    PerfcoreError
        If there is no such generation or mode, or a file is wrong.
    """
    _check_mode(mode)
    if generation != DEFAULT and generation not in _heads():
        hint = suggestion(generation, _heads()) or f"; known are: {', '.join(generations())}"
        raise PerfcoreError(f"{generation!r} is no generation of specs/efficiency{hint}")
    values, marks, open_ones = {}, [], []
    for share in SHARES:
        value, width, mark, origin = _taken(generation, share, mode)
        values[share], values[f"{share}_width"] = value, width
        marks.append(mark)
        if origin:
            open_ones.append(f"{share} {value:.2f} ({origin})")
    said = f"{generation} has no kernels of its own for: {'; '.join(open_ones)}"
    return Efficiency(
        generation=generation, mark=weakest(marks), assumptions=(said,) if open_ones else (), **values
    )


def _taken(generation: str, share: str, mode: str) -> tuple[float, float, str, str]:
    """Return a share, its width, its mark, and whose it is where it is not the generation's own."""
    document = _document(generation)
    own = _stated(document, share, mode)
    if own is not None:
        return (*own, "")
    family = [
        found
        for other in _family(document["family"])
        if "variant_of" not in _document(other) and (found := _stated(_document(other), share, mode)) is not None
    ]
    if family:
        mean = fmean(value for value, _, _ in family)
        scatter = max(abs(value / mean - 1.0) for value, _, _ in family)
        width = max(FAMILY_WIDTH, scatter, *(width for _, width, _ in family))
        return mean, width, "estimate", f"mean of {document['family']}"
    stated = _stated(_document(DEFAULT), share, mode)
    assert stated is not None  # a test holds the default to be complete
    return (*stated, "mean over families")


def _stated(document: Mapping[str, Any], key: str, mode: str) -> tuple[float, float, str] | None:
    """Return a number of a file with its width and mark: the fitted one if it is asked for and there."""
    table = "fitted" if mode == "fitted" and key in document.get("fitted", {}) else "neutral"
    if key not in document.get(table, {}):
        return None
    width = document.get(f"{table}_width", {}).get(key, document.get("neutral_width", {}).get(key, FAMILY_WIDTH))
    return float(document[table][key]), float(width), _mark(document, f"{table}.{key}")


def _mark(document: Mapping[str, Any], path: str) -> str:
    found = [
        (len(key), entry.get("mark", "estimate"))
        for entry in document.get("evidence", ())
        for key in entry["keys"]
        if path == key or path.startswith(key + ".")
    ]
    return max(found)[1] if found else "estimate"


def shared(mode: str = "fitted") -> Shared:
    """Return what all chips share.

    >>> shared("neutral").memory_efficiency
    0.7
    """
    _check_mode(mode)
    document = _shared_document()
    stated = {key: _stated(document, key, mode) for key in COMMON}
    found = {key: value for key, value in stated.items() if value is not None}
    missing = [(f"neutral.{key}", "is missing; give it") for key in COMMON if key not in found]
    if missing:
        raise report(FOLDER / f"{SHARED}.toml", missing)
    return Shared(
        **{key: value for key, (value, _, _) in found.items()},
        widths={key: width for key, (_, width, _) in found.items()},
        mark=weakest([mark for _, _, mark in found.values()]),
    )


def attention_kernels(generation: str) -> AttentionKernels:
    """Return the speed of older attention kernels on a generation.

    >>> attention_kernels("nvidia_hopper").flash_2
    0.57
    """
    for table in _shared_document().get("attention_kernel", {}).values():
        if generation in table["generations"]:
            speeds = {key: float(table[key]) for key in ("flash_1", "flash_2", "flash_3", "width")}
            return AttentionKernels(**speeds, assumptions=())
    said = f"no older attention kernel is known on {generation}: each is taken to run at the generation's best rate"
    return AttentionKernels(1.0, 1.0, 1.0, 0.3, (said,))


def site(site_id: str) -> Site:
    """Return a machine slower than its chip.

    >>> site("simumax_b200").generation
    'nvidia_blackwell'
    """
    sites = _shared_document().get("site", {})
    if site_id not in sites:
        hint = suggestion(site_id, sites) or f"; known are: {', '.join(sites)}"
        raise PerfcoreError(f"{site_id!r} is no site of specs/efficiency/shared.toml{hint}")
    table = sites[site_id]
    return Site(site_id, table["generation"], float(table["gemm_factor"]), float(table["width"]))


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise PerfcoreError(f"mode: found {mode!r}; allowed: {', '.join(MODES)}{suggestion(mode, MODES)}")


@cache
def _heads() -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Map each generation to its chips and family, read by pattern: cheaper than parsing every file."""
    heads = {}
    for path in sorted(FOLDER.glob("*.toml")):
        if path.stem not in (DEFAULT, SHARED):
            top = path.read_text("utf-8").partition("\n[")[0]
            family = _FAMILY.search(top)
            heads[path.stem] = (
                tuple(re.findall(r'"([^"]+)"', "".join(_CHIPS.findall(top)))),
                family[1] if family else "",
            )
    return heads


def _family(name: str) -> list[str]:
    return [generation for generation, (_, family) in _heads().items() if family == name]


@cache
def _document(generation: str) -> Mapping[str, Any]:
    return read_efficiency(FOLDER / f"{generation}.toml")


def read_efficiency(path: Path, shape: Shape = EFFICIENCY) -> Mapping[str, Any]:
    """Read and check the file of a generation; all its problems at once.

    Raises
    ------
    PerfcoreError
        If the file cannot be read or says what such a file may not say.
    """
    document = read_toml(path)
    found = problems_of(document, shape) or _beyond_the_shape(document)
    if shape is EFFICIENCY:
        found += [(key, "is missing; give it") for key in ("name", "family") if key not in document]
    if found:
        raise report(path, found)
    return document


def _beyond_the_shape(document: Mapping[str, Any]) -> list[Problem]:
    """Check what the shape cannot say: a share is at most 1, and a number has its width."""
    found: list[Problem] = []
    for table in ("neutral", "fitted", "neutral_width", "fitted_width"):
        for key, value in document.get(table, {}).items():
            if isinstance(value, dict):
                found.append((f"{table}.{key}", "found an interval; allowed: a single number, its width beside it"))
            elif value > 1:
                found.append((f"{table}.{key}", f"found {value}; allowed: a number above 0 and at most 1"))
    for key in document.get("neutral", {}):
        if key not in document.get("neutral_width", {}):
            found.append((f"neutral_width.{key}", "is missing; say how sure the number is (relative, one sigma)"))
    return found


@cache
def _shared_document() -> Mapping[str, Any]:
    return read_shared(FOLDER / f"{SHARED}.toml")


def read_shared(path: Path) -> Mapping[str, Any]:
    """Read and check the file of what all chips share; all its problems at once."""
    document = read_toml(path)
    named = {"attention_kernel": ATTENTION_KERNEL, "site": SITE}
    found = problems_of({key: value for key, value in document.items() if key not in named}, SHARED_EFFICIENCY)
    for table, shape in named.items():
        for name, entry in document.get(table, {}).items():
            here = f"{table}.{name}"
            if not isinstance(entry, dict):
                found.append((here, f"found {entry}; allowed: a table, written [{here}]"))
                continue
            found += [(f"{here}.{key}", "is missing; give it") for key in shape if key not in entry]
            found += problems_of(entry, shape, here)
    found = found or _beyond_the_shape(document)
    if found:
        raise report(path, found)
    return document
