"""What of a roofline is drawn: slopes of levels and flats of formats, those of several chips that coincide together."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from perfcore.display import number
from perfcore.plots.shapes import COLOURS
from perfcore.rooflines import Roofline, Rooflines

__all__ = ["Flat", "Slope", "Span", "flats", "short_names", "shown_formats", "slopes", "span"]

LEVELS = ("DRAM", "cache", "chip link", "network")
# Colour of a level where one chip is drawn, and the dashes of a level where several are.
LEVEL_COLOURS = {"DRAM": COLOURS[0], "cache": COLOURS[3], "chip link": COLOURS[2], "network": COLOURS[1]}
DASHES: Mapping[str, tuple[float, ...]] = {
    "DRAM": (),
    "cache": (14.0, 4.0),
    "chip link": (9.0, 3.0, 2.0, 3.0),
    "network": (2.0, 4.0),
}
TERA_PER_GIGA = 1e3
SAME = 2e-3  # rates closer than this are one line


@dataclass(frozen=True)
class Span:
    """A number, or what an interval leaves open."""

    low: float
    middle: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """Return both ends."""
        return self.low, self.high


@dataclass(frozen=True)
class Slope:
    """A level of one or more chips: its bandwidth [GB/s], and the peak that it ends at for each chip [TFLOP/s]."""

    level: str
    bandwidth: Span
    chips: tuple[int, ...]
    tops: tuple[float | None, ...]
    words: tuple[str, ...]  # labels, the longest first


@dataclass(frozen=True)
class Flat:
    """The peak of one or more formats and chips [TFLOP/s], and the bandwidth [GB/s] it starts at for each chip."""

    peak: Span
    chips: tuple[int, ...]
    starts: tuple[float | None, ...]
    label: str
    main: bool


def span(value: Any) -> Span:
    """Return a number or ``{low, high}`` as a span.

    >>> span(2.0), span({"low": 1.0, "high": 3.0}).middle
    (Span(low=2.0, middle=2.0, high=2.0), 2.0)
    """
    if isinstance(value, Mapping):
        return Span(value["low"], (value["low"] + value["high"]) / 2, value["high"])
    return Span(value, value, value)


def short_names(found: Rooflines) -> list[str]:
    """Return names for labels: without vendor, capacity and form where they stay apart, with the other memory."""
    names = {one.chip: one.name.partition(" ")[2] or one.name for one in found.results}
    for part in (r" \d+ GB$", r" (SXM\d?|PCIe|OAM|NVL|APU)$", r"^Instinct "):
        shorter = {chip: re.sub(part, "", name) for chip, name in names.items()}
        names = shorter if len(set(shorter.values())) == len(shorter) else names
    return [names[one.chip] + (f" with {one.what_if}" if one.what_if else "") for one in found.results]


def _joined(names: list[str], members: Iterable[int]) -> str:
    """Return the names of some chips, ``all`` of them in a word."""
    several = list(members)
    return "all" if len(several) == len(names) > 2 else ", ".join(names[place] for place in several)


def shown_formats(found: Rooflines) -> dict[int, list[str]]:
    """Return the formats that are drawn of each chip: all of one, of several that of the operations and the fastest."""
    if len(found.results) == 1 and found.model is None:
        return {0: [peak.format for peak in found.results[0].peaks]}
    shown = {}
    for place, one in enumerate(found.results):
        has = [peak.format for peak in one.peaks]  # the fastest first
        wanted = {"bf16", "fp16"} & set(has)
        if one.precision in has:
            wanted.add(one.precision)
        if found.model is None and has:
            fastest = span(one.peaks[0].peak_dense_tflops).middle
            wanted |= {peak.format for peak in one.peaks if span(peak.peak_dense_tflops).middle == fastest}
        shown[place] = [form for form in has if form in (wanted or set(has))]
    return shown


def slopes(found: Rooflines, levels: Iterable[str]) -> list[Slope]:
    """Return the levels of all chips, DRAM first; equal bandwidths of a level are one slope."""
    names, tops = short_names(found), _tops(found)
    wanted = [level for level in LEVELS if level in levels]
    groups: dict[tuple[str, Span], dict[int, str]] = {}
    for place, one in enumerate(found.results):
        for roof in one.roofs:
            if roof.level in wanted:
                groups.setdefault((roof.level, span(roof.bandwidth_gb_s)), {})[place] = roof.name
    made = []
    for (level, bandwidth), members in groups.items():
        rate = f"{_shown(bandwidth)} GB/s"
        of = _joined(names, members) if len(found.results) > 1 else ""
        kinds = ", ".join(dict.fromkeys(members.values()))
        words = (f"{of}: {kinds} {rate}", f"{of} {rate}", rate) if of else (f"{kinds} {rate}", rate)
        made.append(Slope(level, bandwidth, tuple(members), tuple(tops[place] for place in members), words))
    return sorted(made, key=lambda one: (wanted.index(one.level), -one.bandwidth.middle))


def _shown(value: Span) -> str:
    """Return a rate in three digits."""
    if value.low == value.high:
        return number(value.middle, 3)
    return f"{number(value.low, 3)} to {number(value.high, 3)}"


def _tops(found: Rooflines) -> list[float | None]:
    """Return the highest drawn peak of each chip, None where none is known."""
    shown = shown_formats(found)
    return [
        max((span(p.peak_dense_tflops).middle for p in one.peaks if p.format in shown[place]), default=None)
        for place, one in enumerate(found.results)
    ]


def _nearest(one: Roofline, levels: Iterable[str]) -> float | None:
    """Return the highest bandwidth that a flat starts at [GB/s]."""
    rates = [span(roof.bandwidth_gb_s).middle for roof in one.roofs if roof.level in levels]
    return max(rates, default=None)


def flats(found: Rooflines, levels: Iterable[str]) -> list[Flat]:
    """Return the peaks that are drawn, the highest first; those that no eye can part are one flat."""
    wanted, names, shown = list(levels), short_names(found), shown_formats(found)
    groups: dict[Span, dict[int, list[str]]] = {}
    for place, one in enumerate(found.results):
        for peak in one.peaks:
            if peak.format in shown[place]:
                rate = _alike(span(peak.peak_dense_tflops), groups)
                groups.setdefault(rate, {}).setdefault(place, []).append(peak.format)
    made = []
    for rate, members in groups.items():
        forms = list(dict.fromkeys(form for own in members.values() for form in own))
        label = f"{', '.join(forms)} {_shown(rate)}"
        if len(found.results) > 1:
            label += f": {_joined(names, members)}"
        starts = tuple(_nearest(found.results[place], wanted) for place in members)
        made.append(Flat(rate, tuple(members), starts, label, bool({"bf16", "fp16"} & set(forms))))
    return sorted(made, key=lambda one: -one.peak.middle)


def _alike(value: Span, known: Iterable[Span]) -> Span:
    """Return a span that is drawn already and is the same on paper, else the span itself."""
    close = (o for o in known if all(abs(a - b) <= SAME * b for a, b in zip(value.ends, o.ends, strict=True)))
    return next(close, value)


def ridge(peak: float, bandwidth: float) -> float:
    """Return where a flat and a slope meet [FLOP/B], of TFLOP/s and GB/s.

    >>> ridge(148.0, 4000.0)
    37.0
    """
    return peak * TERA_PER_GIGA / bandwidth
