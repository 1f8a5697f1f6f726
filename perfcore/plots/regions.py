"""The map of TPP against logic area: the regions of ECCN 3A090 on a day, real chips, and designs that were found."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from perfcore import chips
from perfcore.design import DesignSpace
from perfcore.design_regions import REGIONS, Boxes
from perfcore.plots.labels import beside_mark, mark_box
from perfcore.plots.shapes import COLOURS, INK, Area, Frame, Line, Mark, Picture, Text, text_width
from perfcore.quantity import Interval
from perfcore.readings import metrics_of

__all__ = ["inline_regions", "picture_of", "save_regions"]

WIDTH, HEIGHT = 900.0, 620.0
LEFT, TOP, BOTTOM, RIGHT = 84.0, 66.0, 128.0, 24.0
X_MARKS = (100.0, 200.0, 300.0, 500.0, 858.0, 1200.0, 1716.0, 2574.0, 4000.0)
Y_MARKS = (500.0, 1000.0, 10000.0, 20000.0, 50000.0, 100000.0)  # and the thresholds of the rule
SPANS = (100.0, 4000.0, 500.0, 100000.0)
TINT = {"3A090.a": COLOURS[1], "3A090.b": COLOURS[5], "excluded": COLOURS[4], "not_controlled": "#ffffff"}
SAID = {
    "3A090.a": "controlled, 3A090.a",
    "3A090.b": "controlled, 3A090.b",
    "excluded": "excluded by a note",
    "not_controlled": "outside 3A090",
}
Corners = tuple[tuple[float, float], ...]
Straight = tuple[Fraction, Fraction]  # a level of TPP, or a density: TPP is the one plus the other times the area
Strip = tuple[str, list[tuple[float, float]], list[tuple[float, float]]]  # a region, its lower and its upper side
# Chips that are named; others of the catalogue with a known TPP and area are small dots.
NAMED = {
    "nvidia_a100_sxm_80gb": "A100",
    "nvidia_a30_pcie_24gb": "A30",
    "nvidia_h100_sxm_80gb": "H100, H800",
    "nvidia_h20_sxm_96gb": "H20",
    "nvidia_l20_pcie_48gb": "L20",
    "nvidia_l40s_pcie_48gb": "L40S",
    "nvidia_l4_pcie_24gb": "L4",
    "nvidia_rtx_4090_24gb": "RTX 4090",
    "nvidia_b200_sxm_180gb": "B200",
    "amd_mi300x_oam_192gb": "MI300X",
    "amd_mi308x_oam_192gb": "MI308X",
    "huawei_ascend_910b2_64gb": "910B2",
    "huawei_ascend_910c_128gb": "910C",
    "intel_gaudi_3_oam_128gb": "Gaudi 3",
}


def save_regions(found: DesignSpace, path: Path) -> None:
    """Write the map of a search to a file: SVG, PNG or PDF by its suffix."""
    from perfcore.plots import check_target
    from perfcore.plots.figure import save

    check_target(path)
    save(picture_of(found), path)


def inline_regions(found: DesignSpace) -> str:
    """Return the map of a search as an ``svg`` element, without matplotlib."""
    from perfcore.plots.inline import svg

    return svg(picture_of(found))


def picture_of(found: DesignSpace) -> Picture:
    """Return the map: regions as areas, exposure fields as lines, chips as dots, designs that were found as marks."""
    title = f"ECCN 3A090 on {found.ask.day} and designs at {found.ask.kind.parts.node}"
    picture = Picture(WIDTH, HEIGHT, title)
    frame = _frame(found)
    picture.frames.append(frame)
    io, dram = _rates(found)
    for region, corners in regions(found.boxes, io, dram):
        if region != "not_controlled":
            picture.areas.append(Area(tuple(frame.place(*corner) for corner in corners), TINT[region]))
    _fields(picture, frame, found)
    taken: list[Sequence[tuple[float, float]]] = []
    _designs(picture, frame, found, taken)
    _chips(picture, frame, taken)
    _legend(picture, frame, found, float(io))
    return picture


def _frame(found: DesignSpace) -> Frame:
    x_low, x_high, y_low, y_high = map(math.log10, SPANS)
    return Frame(
        LEFT,
        TOP,
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM,
        x_low,
        x_high,
        y_low,
        y_high,
        f"ECCN 3A090 on {found.ask.day}",
        "logic area of the package on non-planar processes [mm2]",
        "TPP [bit x TOPS]",
        X_MARKS,
        tuple(sorted({*Y_MARKS, *map(float, found.boxes.thresholds("tpp"))})),
    )


def _rates(found: DesignSpace) -> tuple[Fraction, Fraction]:
    """Return the I/O and memory bandwidth the map is drawn for: those of the reference."""
    shown = found.reference.to_dict(found.ask.load)
    return Fraction(repr(shown["io_bandwidth_gb_s"])), Fraction(repr(shown["dram_bandwidth_gb_s"]))


def regions(boxes: Boxes, io: Fraction, dram: Fraction) -> list[tuple[str, Corners]]:
    """Return the parts of the map with their regions, as corners of (area, TPP).

    Between two areas at which a line of density meets one of TPP, the lines keep their order, so cells have straight
    sides on logarithmic axes. Neighbours of one region are joined, so that no seam shows between them.
    """
    left, right, low, high = map(Fraction, SPANS)
    slopes = boxes.thresholds("performance_density")
    meets = {level / slope for level in (*boxes.thresholds("tpp"), low, high) for slope in slopes}
    edges = [left, *sorted(x for x in meets if left < x < right), right]
    done: list[Strip] = []
    grown: list[Strip] = []
    for x0, x1 in pairwise(edges):
        after = []
        for region, under, over in _cells(boxes, (x0 + x1) / 2, io, dram):
            bottom, top = _ends(under, x0, x1), _ends(over, x0, x1)
            joined = [s for s in grown if s[0] == region and (s[1][-1], s[2][-1]) == (bottom[0], top[0])]
            if joined:
                grown.remove(joined[0])
                bottom, top = [*joined[0][1], *bottom[1:]], [*joined[0][2], *top[1:]]
            after.append((region, bottom, top))
        done += grown
        grown = after
    return [(region, (*bottom, *reversed(top))) for region, bottom, top in (*done, *grown)]


def _cells(boxes: Boxes, area: Fraction, io: Fraction, dram: Fraction) -> list[tuple[str, Straight, Straight]]:
    """Return the regions over one area from below, each with the lines under and over it."""
    low, high = map(Fraction, SPANS[2:])
    lines: list[Straight] = [(level, Fraction(0)) for level in (low, *boxes.thresholds("tpp"), high)]
    lines += [(Fraction(0), slope) for slope in boxes.thresholds("performance_density")]
    inside = sorted((line for line in lines if low <= _tpp(line, area) <= high), key=lambda line: _tpp(line, area))
    found: list[tuple[str, Straight, Straight]] = []
    for under, over in pairwise(inside):
        region = boxes.region_at((_tpp(under, area) + _tpp(over, area)) / 2, area, io, dram)
        if found and found[-1][0] == region:
            under = found.pop()[1]
        found.append((region, under, over))
    return found


def _tpp(line: Straight, area: Fraction) -> Fraction:
    return line[0] + line[1] * area


def _ends(line: Straight, x0: Fraction, x1: Fraction) -> list[tuple[float, float]]:
    return [(float(x), float(_tpp(line, x))) for x in (x0, x1)]


def _fields(picture: Picture, frame: Frame, found: DesignSpace) -> None:
    """Draw the areas of one exposure field and more."""
    for fields in (1, 2, 3):
        area = fields * found.ask.limits.reticle_mm2
        if area < SPANS[1]:
            bottom, top = frame.place(area, SPANS[2]), frame.place(area, SPANS[3])
            picture.lines.append(Line((bottom, top), INK, 1.0, (5.0, 4.0)))
            said = "1 exposure field" if fields == 1 else f"{fields} fields"
            picture.texts.append(Text(top[0], top[1] - 9.0, said, size=11.0))


def _designs(picture: Picture, frame: Frame, found: DesignSpace, taken: list[Sequence[tuple[float, float]]]) -> None:
    """Draw the fronts as small marks and the best of each region as large ones."""
    for name in REGIONS:
        for one in found.fronts.get(name, ()):
            _add(picture, frame, one.area_mm2, one.tpp, "diamond", COLOURS[2], 3.0)
    reference = found.reference
    _add(picture, frame, reference.area_mm2, reference.tpp, "cross", INK, 5.0)
    for name in REGIONS:
        if name in found.best:
            best = found.best[name]
            mark = _add(picture, frame, best.area_mm2, best.tpp, "diamond", COLOURS[2], 8.0)
            if mark is not None:
                taken.append(mark_box(mark))


def _add(picture: Picture, frame: Frame, area: float, tpp: float, shape: str, colour: str, size: float) -> Mark | None:
    if not (SPANS[0] <= area <= SPANS[1] and SPANS[2] <= tpp <= SPANS[3]):
        return None
    mark = Mark(*frame.place(area, tpp), shape, colour, size)
    picture.marks.append(mark)
    return mark


def _chips(picture: Picture, frame: Frame, taken: list[Sequence[tuple[float, float]]]) -> None:
    """Draw the chips of the catalogue whose TPP and area are known; an interval by its middle."""
    labelled: list[tuple[Mark, str]] = []
    for chip_id in sorted(chips.ids("chip"), key=lambda one: one in NAMED):  # those with a name above the others
        values = metrics_of(chips.load(chip_id))
        tpp, area = values["tpp"], values["applicable_die_area_mm2"]
        assert isinstance(tpp, Interval)
        assert isinstance(area, Interval)
        if tpp.high is None or area.high is None or area.low == 0:
            continue
        size, colour = (4.5, COLOURS[0]) if chip_id in NAMED else (2.2, "#888888")
        middle = float(area.low + area.high) / 2, float(tpp.low + tpp.high) / 2
        mark = _add(picture, frame, *middle, "circle", colour, size)
        if mark is not None and chip_id in NAMED:
            labelled.append((mark, NAMED[chip_id]))
            taken.append(mark_box(mark))
    for mark, said in labelled:
        text = beside_mark(said, mark, COLOURS[0], frame, list(taken), (), 11.0)
        if text is not None:
            picture.texts.append(text)
            taken.append(text.corners(pad=0.5))


def _legend(picture: Picture, frame: Frame, found: DesignSpace, io: float) -> None:
    """Say under the axes what colours and marks stand for."""
    y, x = frame.bottom + 64.0, LEFT
    for region in REGIONS:
        if any(name == region for name, _ in regions(found.boxes, *_rates(found))):
            box = ((x, y - 7.0), (x + 16.0, y - 7.0), (x + 16.0, y + 7.0), (x, y + 7.0))
            picture.areas.append(Area(box, TINT[region]))
            picture.lines.append(Line((*box, box[0]), "#999999", 0.8))
            x = _said(picture, x + 22.0, y, SAID[region])
    y, x = y + 24.0, LEFT
    rows = (
        ("circle", COLOURS[0], 4.5, "chips of the catalogue"),
        ("diamond", COLOURS[2], 8.0, f"best design of a region by {found.ask.task.objective}"),
        ("diamond", COLOURS[2], 3.0, "Pareto fronts"),
        ("cross", INK, 5.0, "A100-like design"),
    )
    for shape, colour, size, said in rows:
        picture.marks.append(Mark(x + 8.0, y, shape, colour, size))
        x = _said(picture, x + 22.0, y, said)
    note = (
        f"drawn for {io:,.0f} GB/s of I/O, which this rule reads too"
        if found.boxes.thresholds("io_bandwidth_gb_s")
        else ""
    )
    if not found.ask.kind.datacenter:
        note = "; ".join(filter(None, (note, "regions of designs that are not for datacenters")))
    if note:
        picture.texts.append(Text(frame.right, frame.top - 30.0, note, anchor="end", size=11.0))


def _said(picture: Picture, x: float, y: float, said: str) -> float:
    picture.texts.append(Text(x, y, said, anchor="start", size=11.0))
    return x + text_width(said, 11.0) + 26.0
