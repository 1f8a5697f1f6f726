"""The maps of the gallery: parts of the plane of area and TPP, with the files the pages themselves show."""

import math
import re
import tempfile
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from perfcore import chips, rules
from perfcore.design_regions import METRICS, Boxes, boxes_of
from perfcore.outcome import GROUPS
from perfcore.plots.inline import svg
from perfcore.plots.labels import Box, beside_mark, mark_box
from perfcore.plots.regions import NAMED, SAID, TINT, regions
from perfcore.plots.shapes import COLOURS, Area, Frame, Line, Mark, Picture, Point, Text, text_width
from perfcore.readings import metrics_of

HERE = Path(__file__).parent
DAY = date(2026, 2, 1)  # that of the pages
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT, TOP, RIGHT, BOTTOM = 84.0, 40.0, 24.0, 84.0
WIDTH, HEIGHT = 900.0, 504.0


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows: a name in backquotes and a colon, then a block.

    >>> files_of("`a.toml`:\\n\\n```toml\\nname = 1\\n```\\n")
    {'a.toml': 'name = 1\\n'}
    """
    return dict(FILE.findall(page))


def our_design() -> str:
    """Draw the design of the page among the lines of the rule, near enough to tell them apart."""
    with tempfile.TemporaryDirectory() as folder:
        item = chips.load(_written("our_design.md", "my_design.toml", folder))
    area, tpp = (float(metrics_of(item)[name].low) for name in ("applicable_die_area_mm2", "tpp"))
    boxes = boxes_of(rules.load(rules.THE_RULE).in_force(DAY), item)
    frame = _frame((400.0, 1200.0), (1200.0, 6000.0), (400.0, 500.0, 600.0, 750.0, 858.0, 1000.0, 1200.0), boxes)
    title = f"A design of {tpp:,.0f} TPP and {area:,.0f} mm2 under ECCN 3A090 on {DAY}"
    picture = Picture(WIDTH, HEIGHT, title, [frame])
    tints = {name: (colour, SAID[name]) for name, colour in TINT.items() if name != "excluded"}
    _paint(picture, frame, boxes, tints)
    mark = Mark(*frame.place(area, tpp), "diamond", COLOURS[2], 9.0)
    _chips(picture, frame, (mark, item.name))
    _legend(picture, frame, tints)
    return svg(picture)


class _Both:
    """A bill beside ECCN 3A090, cut as ``regions`` cuts a rule: what either catches alone, and what both do."""

    def __init__(self, bill: Boxes, today: Boxes) -> None:
        self.bill, self.today = bill, today

    def thresholds(self, metric: str) -> list[Fraction]:
        return sorted({*self.bill.thresholds(metric), *self.today.thresholds(metric)})

    def region_at(self, tpp: Fraction, area: Fraction, io: Fraction, dram: Fraction) -> str:
        caught = self.bill.mask(dict(zip(METRICS, (tpp, tpp / area, io, dram), strict=True))) > 0
        controlled = self.today.region_at(tpp, area, io, dram) in GROUPS
        return ("neither", "freed", "added", "both")[2 * caught + controlled]


def a_bill() -> str:
    """Draw what the bill of the page adds to ECCN 3A090 and what it frees, of chips for data centres."""
    with tempfile.TemporaryDirectory() as folder:
        version = rules.from_file(_written("a_bill.md", "my_bill.toml", folder)).versions[0]
    item = chips.load("nvidia_h20_sxm_96gb")  # any chip for data centres
    boxes: Any = _Both(boxes_of(version, item), boxes_of(rules.load(rules.THE_RULE).in_force(DAY), item))
    frame = _frame((100.0, 4000.0), (500.0, 20000.0), (100.0, 200.0, 300.0, 500.0, 858.0, 1716.0, 4000.0), boxes)
    title = "What the bill adds to ECCN 3A090 and what it frees, by TPP and logic area"
    picture = Picture(WIDTH, HEIGHT, title, [frame])
    tints = {
        "added": (COLOURS[1], "added by the bill"),
        "both": (COLOURS[6], "controlled, and caught by the bill"),
        "freed": (COLOURS[2], "freed by the bill"),
        "neither": ("#ffffff", "neither"),
    }
    _paint(picture, frame, boxes, tints)
    _chips(picture, frame)
    _legend(picture, frame, tints)
    return svg(picture)


def _written(page: str, name: str, folder: str) -> Path:
    path = Path(folder) / name
    path.write_text(files_of((HERE / "gallery" / page).read_text(encoding="utf-8"))[name], encoding="utf-8")
    return path


def _frame(x_span: Point, y_span: Point, x_marks: tuple[float, ...], boxes: Any) -> Frame:
    marks = tuple(sorted({*y_span, 1000.0, 10000.0, *map(float, boxes.thresholds("tpp"))}))
    ends = (*map(math.log10, x_span), *map(math.log10, y_span))
    return Frame(
        LEFT,
        TOP,
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM,
        *ends,
        f"Chips for data centres under ECCN 3A090 on {DAY}",
        "logic area of the package on non-planar processes [mm2]",
        "TPP [bit x TOPS]",
        x_marks,
        tuple(mark for mark in marks if y_span[0] <= mark <= y_span[1]),
    )


def _paint(picture: Picture, frame: Frame, boxes: Any, tints: dict[str, tuple[str, str]]) -> None:
    """Colour the regions within the frame; no rule since 2023 tests I/O or memory of these, so any rate will do."""
    for region, corners in regions(boxes, Fraction(900), Fraction(3200)):
        inside = _clipped([frame.place(*corner) for corner in corners], frame)
        if inside and tints[region][0] != "#ffffff":
            picture.areas.append(Area(tuple(inside), tints[region][0]))


def _clipped(corners: Sequence[Point], frame: Frame) -> list[Point]:
    """Cut a polygon at the four sides of a frame, one after the other (Sutherland and Hodgman)."""
    found = list(corners)
    for axis, limit, sign in ((0, frame.left, 1), (0, frame.right, -1), (1, frame.top, 1), (1, frame.bottom, -1)):
        before, found = found, []
        for start, end in zip([*before[-1:], *before[:-1]], before, strict=True):
            at, to = (sign * (point[axis] - limit) for point in (start, end))
            if (at < 0) != (to < 0):
                share = at / (at - to)
                found.append((start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))
            if to >= 0:
                found.append(end)
    return found


def _chips(picture: Picture, frame: Frame, own: tuple[Mark, str] | None = None) -> None:
    """Draw the chips for data centres whose TPP and area are known, with names of some, and a design of one's own."""
    named = [own] if own else []
    for chip_id in sorted(chips.ids("chip"), key=lambda one: one in NAMED):
        values = metrics_of(chips.load(chip_id))
        tpp, area = values["tpp"], values["applicable_die_area_mm2"]
        if values["datacenter"] != {True} or not (tpp.is_point and area.is_point and area.low):
            continue
        x, y = frame.place(float(area.low), float(tpp.low))
        if frame.left < x < frame.right and frame.top < y < frame.bottom:
            mark = Mark(x, y, "circle", *((COLOURS[0], 4.5) if chip_id in NAMED else ("#888888", 2.2)))
            named += [(mark, NAMED[chip_id])] if chip_id in NAMED else []
            picture.marks.append(mark)
    picture.marks += [own[0]] if own else []
    taken: list[Box] = [mark_box(mark) for mark, _ in named]
    for mark, said in named:
        if text := beside_mark(said, mark, mark.colour, frame, taken, (), 11.0):
            picture.texts.append(text)


def _legend(picture: Picture, frame: Frame, tints: dict[str, tuple[str, str]]) -> None:
    """Say under the axes what the colours stand for."""
    x, y = LEFT, frame.bottom + 64.0
    for colour, said in tints.values():
        box = ((x, y - 7.0), (x + 16.0, y - 7.0), (x + 16.0, y + 7.0), (x, y + 7.0))
        picture.areas.append(Area(box, colour))
        picture.lines.append(Line((*box, box[0]), "#999999", 0.8))
        picture.texts.append(Text(x + 22.0, y, said, anchor="start", size=11.0))
        x += text_width(said, 11.0) + 48.0
