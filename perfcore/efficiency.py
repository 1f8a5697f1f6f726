"""The share of its datasheet rates that a chip reaches, by generation: from kernels alone, or fitted to step times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean
from typing import Any, NamedTuple

from perfcore.efficiency_files import read_efficiency, read_shared
from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS
from perfcore.schema import COMMON, SHARES
from perfcore.terms import weakest

__all__ = [
    "AttentionKernels",
    "Efficiency",
    "Share",
    "Shared",
    "Site",
    "attention_kernels",
    "for_chip",
    "for_generation",
]
__all__ += ["generations", "share_of", "shared", "site"]

FOLDER = SPECS / "efficiency"
DEFAULT, SHARED = "default", "shared"
MODES = ("fitted", "neutral")
FAMILY_WIDTH = 0.15  # least relative uncertainty of a share taken from the other generations of a family
_CHIPS = re.compile(r"^chips\s*=\s*\[([^\]]*)\]", re.MULTILINE)
_FAMILY = re.compile(r'^family\s*=\s*"([^"]*)"', re.MULTILINE)


class Share(NamedTuple):
    """A number with its relative one-sigma width and mark, and whose it is where it is not the generation's own."""

    value: float
    width: float
    mark: str
    taken_from: str


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
    name = chip_id or "the chip of a file"
    said = f"no generation is known for {name}, so all of its efficiencies are the mean over families (default)"
    return replace(for_generation(DEFAULT, mode), assumptions=(said,))


def fitted_sources(chip_id: str, shares: tuple[str, ...]) -> frozenset[str]:
    """Return the sources of step times behind the fitted shares of a chip's generation; none if one is not fitted.

    >>> fitted_sources("nvidia_rubin_r200_288gb", ("gemm_16bit",))
    frozenset()
    """
    for generation, (chips, _) in _heads().items():
        document = _document(generation)
        if chip_id in chips and all(share in document.get("fitted", {}) for share in shares):
            return frozenset(document["fit"]["sources"])
    return frozenset()


@cache
def for_generation(generation: str, mode: str = "fitted") -> Efficiency:
    """Return what the kernels of a generation reach; what its file leaves open comes from its family or the default.

    >>> for_generation("nvidia_hopper", "neutral").assumptions
    ('gemm_4bit 0.62 is the mean of nvidia, since nothing of the kind is known of nvidia_hopper',)

    Raises
    ------
    PerfcoreError
        If there is no such generation or mode, or a file is wrong.
    """
    shares = {name: share_of(generation, name, mode) for name in SHARES}
    values = {name: share.value for name, share in shares.items()}
    widths = {f"{name}_width": share.width for name, share in shares.items()}
    said = [
        f"{name} {share.value:.2f} is {share.taken_from}, since nothing of the kind is known of {generation}"
        for name, share in shares.items()
        if share.taken_from
    ]
    mark = weakest([share.mark for share in shares.values()])
    return Efficiency(generation=generation, mark=mark, assumptions=tuple(said), **values, **widths)


def share_of(generation: str, name: str, mode: str = "fitted") -> Share:
    """Return one share of a generation: its own, else the mean of its family, else of all families.

    >>> share_of("nvidia_hopper", "gemm_16bit", "neutral")
    Share(value=0.75, width=0.1, mark='derived', taken_from='')
    """
    _check(generation, mode)
    document = _document(generation)
    if mode == "fitted" and name not in document.get("fitted", {}):
        return _carried(generation, document["family"], name)
    own = _stated(document, name, mode)
    if own is not None:
        return own
    relatives = [_document(other) for other in _family(document["family"]) if "variant_of" not in _document(other)]
    family = [share for relative in relatives if (share := _stated(relative, name, mode)) is not None]
    if not family:
        return _complete(_document(DEFAULT), name, mode)._replace(taken_from="the mean over families")
    mean = fmean(share.value for share in family)
    scatter = max(abs(share.value / mean - 1.0) for share in family)
    width = max(FAMILY_WIDTH, scatter, *(share.width for share in family))
    return Share(mean, width, "estimate", f"the mean of {document['family']}")


def _carried(generation: str, family: str, name: str) -> Share:
    """Return the share of a generation without step times: from kernels, times what step times ask of its family."""
    share = share_of(generation, name, "neutral")
    ratio, whose = _ratio(family, name)
    if ratio == 1.0:
        return share
    said = f"{share.taken_from}, times {ratio:.2f}" if share.taken_from else f"of kernels, times {ratio:.2f}"
    return Share(
        share.value * ratio, max(FAMILY_WIDTH, share.width), "estimate", f"{said} as step times of {whose} ask for"
    )


@cache
def _ratio(family: str, name: str) -> tuple[float, str]:
    """Return fitted over neutral share, a mean over a family, or over all families where it has no step times."""
    by_family: dict[str, list[float]] = {}
    for generation in _heads():
        document = _document(generation)
        if name in document.get("fitted", {}):
            ratio = float(document["fitted"][name]) / share_of(generation, name, "neutral").value
            by_family.setdefault(document["family"], []).append(ratio)
    if family in by_family:
        return fmean(by_family[family]), family
    means = [fmean(ratios) for ratios in by_family.values()]
    return (fmean(means), "all families") if means else (1.0, "")


def _check(generation: str, mode: str) -> None:
    _check_mode(mode)
    if generation != DEFAULT and generation not in _heads():
        hint = suggestion(generation, _heads()) or f"; known are: {', '.join(generations())}"
        raise PerfcoreError(f"{generation!r} is no generation of specs/efficiency{hint}")


def _stated(document: Mapping[str, Any], key: str, mode: str) -> Share | None:
    """Return a number of a file: the fitted one if it is asked for and there, else the neutral one."""
    table = "fitted" if mode == "fitted" and key in document.get("fitted", {}) else "neutral"
    if key not in document.get(table, {}):
        return None
    width = document.get(f"{table}_width", {}).get(key, document.get("neutral_width", {}).get(key, FAMILY_WIDTH))
    return Share(float(document[table][key]), float(width), _mark(document, f"{table}.{key}"), "")


def _complete(document: Mapping[str, Any], key: str, mode: str) -> Share:
    """Return a number that the file must hold."""
    share = _stated(document, key, mode)
    if share is None:
        raise PerfcoreError(f"specs/efficiency: {document['name']}: neutral.{key} is missing; give it")
    return share


def _mark(document: Mapping[str, Any], path: str) -> str:
    found = [
        (len(key), entry.get("mark", "estimate"))
        for entry in document.get("evidence", ())
        for key in entry["keys"]
        if path == key or path.startswith(key + ".")
    ]
    return max(found)[1] if found else "estimate"


@cache
def shared(mode: str = "fitted") -> Shared:
    """Return what all chips share.

    >>> shared("neutral").memory_efficiency
    0.7
    """
    _check_mode(mode)
    document = _shared_document()
    found = {key: _complete(document, key, mode) for key in COMMON}
    return Shared(
        **{key: share.value for key, share in found.items()},
        widths={key: share.width for key, share in found.items()},
        mark=weakest([share.mark for share in found.values()]),
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


@cache
def _shared_document() -> Mapping[str, Any]:
    return read_shared(FOLDER / f"{SHARED}.toml")
