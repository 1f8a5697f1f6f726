"""Which chip of the catalogue a GPU is, and what was measured beside its datasheet."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from perfcore import formulas
from perfcore.chips import Item, ids, load, normal
from perfcore.measure.figures import Measurement
from perfcore.terms import FORMATS

GIB = 2**30
# A driver shows less than the sold capacity: error correction of GDDR takes a sixteenth, the driver some more.
LEAST_SHARE, MOST_SHARE = 0.90, 1.03
_FORMS = re.compile(r"sxm\d?|pcie|nvl|oam")
_IDLE_WORDS = re.compile(
    r"nvidia|amd|tesla|geforce|instinct|quadro|graphics|generation|edition|blackwell|superchip|gpu|apu|accelerator"
    r"|gcd|hbm\w*|\d+gb?|\d+w|grace|hopper"
)


class Match(NamedTuple):
    """The chip (or the part of a package) of the catalogue, or none; and what says so."""

    chip: str | None
    said: str


def _words(name: str) -> tuple[str, str]:
    """Return the product and the form that a name speaks of.

    >>> _words("NVIDIA A100-SXM4-80GB"), _words("NVIDIA GeForce RTX 4090 D"), _words("amd_mi300x_oam_192gb")
    (('a100', 'sxm4'), ('rtx4090d', ''), ('mi300x', 'oam'))
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    form = next((word for word in words if _FORMS.fullmatch(word)), "")
    kept = [word for word in words if not _FORMS.fullmatch(word) and not _IDLE_WORDS.fullmatch(word)]
    return normal("".join(kept)), form


def _bare(form: str) -> str:
    return form.rstrip("0123456789")


def _fits(chip: str, memory_bytes: float, multiprocessors: float) -> bool:
    """Return whether a chip's memory, and its multiprocessors where both are known, are those of the device."""
    document = load(chip).document
    capacity, units = document.get("memory", {}).get("capacity_gb"), document.get("multiprocessors")
    if capacity is None or isinstance(capacity, dict):
        return False
    if multiprocessors and units is not None and float(units) != multiprocessors:
        return False
    return LEAST_SHARE <= memory_bytes / GIB / float(capacity) <= MOST_SHARE


def match(name: str, memory_bytes: float, multiprocessors: float = 0.0) -> Match:
    """Return the catalogue's chip for the name a driver gives, ``A / B`` where it speaks of two.

    A name without a form means the SXM module where there is one: drivers name the others' form.

    >>> match("NVIDIA H200", 150.75e9).chip, match("NVIDIA H100 80GB HBM3", 85.5e9).chip
    ('nvidia_h200_sxm_141gb', 'nvidia_h100_sxm_80gb')
    >>> match("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10e9)
    Match(chip=None, said='a slice (MIG) of a GPU: no datasheet speaks of it')
    """
    if re.search(r"\bmig\b", name.lower()):
        return Match(None, "a slice (MIG) of a GPU: no datasheet speaks of it")
    spoken = [_words(one) for one in name.split(" / ")]
    forms = {chip: _words(chip.partition("_")[2]) for chip in (*ids(), *ids("part"))}
    named = {chip: form for chip, (product, form) in forms.items() if product in [its for its, _ in spoken]}
    if not named:
        return Match(None, f"no chip of the catalogue is called {name!r}")
    left = {chip: form for chip, form in named.items() if _fits(chip, memory_bytes, multiprocessors)}
    device = f"{memory_bytes / GIB:.1f} GiB" + (f" and {multiprocessors:.0f} multiprocessors" * bool(multiprocessors))
    if not left:
        return Match(None, f"{', '.join(named)}: none has {device}")
    chosen = _of_form(left, spoken[0][1])
    if len(chosen) == 1:
        return Match(chosen[0], f"the driver's name {name!r}, {device}")
    return Match(None, f"{name!r} may be {' or '.join(chosen or left)}")


def _of_form(left: Mapping[str, str], form: str) -> list[str]:
    """Return the chips of a form: the same, else the same but for its generation; without one SXM, else any."""
    rules = [
        [chip for chip, its in left.items() if its == form],
        [chip for chip, its in left.items() if form and _bare(its) == _bare(form)],
        [chip for chip, its in left.items() if not form and _bare(its) == "sxm"],
        [chip for chip in left if not form],
    ]
    return next((chips for chips in rules if chips), [])


def _specified(chip: Item) -> dict[str, float]:
    """Return the datasheet's numbers that a figure can stand beside; the middle of an interval."""
    found = {f"gemm_{form}": _middle(rate) for form, rate in (chip.rates or {}).items()}
    bandwidth = chip.parts.get("dram_bandwidth_gb_s") or chip.given.get("dram_bandwidth_gb_s")
    if bandwidth is not None:
        found |= {f"dram_{kernel}": _middle(bandwidth) for kernel in ("read", "copy", "triad")}
    return {name: value for name, value in found.items() if value}


def _middle(interval: Any) -> float:
    return float((interval.low + interval.high) / 2) if interval.high is not None else 0.0


def tpp(rates: Mapping[str, float]) -> float:
    """Return the total processing performance of rates by format [10^12/s]; 0 without any.

    >>> tpp({"fp16": 300.0, "int8": 550.0})
    4800.0
    """
    each = [formulas.tpp(formulas.mac_tops(rate), FORMATS[form]) for form, rate in rates.items()]
    return max(each, default=0.0)


def _gemms(values: Mapping[str, float]) -> dict[str, float]:
    return {form: values[f"gemm_{form}"] for form in FORMATS if f"gemm_{form}" in values}


def _bandwidth(values: Mapping[str, float]) -> float:
    return max((values.get(f"dram_{kernel}", 0.0) for kernel in ("read", "copy", "triad")), default=0.0)


def _beside(measured: float, specified: float | None) -> dict[str, float | None]:
    known = specified or None
    return {"measured": measured, "specified": known, "share": measured / known if known else None}


def compared(measurement: Measurement, chip: str | None = None) -> dict[str, Any]:
    """Return what was measured (medians) beside the datasheet: each rate, TPP and the ridge points.

    TPP is a theoretical peak in the law: the measured one says what share of it a program reached, no more.
    """
    chip = chip or measurement.device.get("catalogue")
    specified = _specified(load(chip)) if chip else {}
    measured = {one.name: one.median for one in measurement.figures}
    dram, sheet_dram = _bandwidth(measured), specified.get("dram_read", 0.0)
    ridges = {
        form: _beside(rate * 1e3 / dram, _ratio(specified.get(f"gemm_{form}", 0.0) * 1e3, sheet_dram))
        for form, rate in _gemms(measured).items()
        if dram
    }
    rates = {name: value for name, value in measured.items() if name.startswith(("gemm_", "dram_"))}
    return {
        "chip": chip,
        "rates": {name: _beside(value, specified.get(name)) for name, value in rates.items()},
        "tpp": _beside(tpp(_gemms(measured)), tpp(_gemms(specified))),
        "ridge_flop_per_byte": ridges,
    }


def _ratio(a: float, b: float) -> float | None:
    return a / b if b else None
