"""The picture of rooflines: one panel of roofs, or with a model one for each phase with its operations."""

import math
from dataclasses import dataclass

from perfcore.operation_rows import PHASES
from perfcore.plots.curves import (
    DASHES,
    LEVEL_COLOURS,
    TERA_PER_GIGA,
    Flat,
    Slope,
    flats,
    ridge,
    short_names,
    slopes,
)
from perfcore.plots.labels import Box, along_line, beside_mark, mark_box, spread
from perfcore.plots.shapes import COLOURS, INK, MARKS, Area, Frame, Line, Mark, Picture, Text, text_width
from perfcore.rooflines import Rooflines

__all__ = ["picture_of"]

LEFT, TOP, WIDTH, HEIGHT, BETWEEN = 84.0, 52.0, 660.0, 400.0, 78.0
ROW = 16.0  # of a line of text in the margin
SMALL = 11.0
CLOSE = 14.0  # px between marks that share a label
GREY = "#888888"


@dataclass(frozen=True)
class _Operation:
    """An operation to mark: its number in the key, and for each chip intensity and rate [TFLOP/s]."""

    name: str
    places: dict[int, tuple[float, float]]


def picture_of(found: Rooflines) -> Picture:
    """Return the picture of one or more rooflines."""
    levels = ("DRAM", "cache") if found.model else ("DRAM", "cache", "chip link", "network")
    made = slopes(found, levels), flats(found, ("DRAM", "cache") if _has_memory(found) else levels)
    phases = [phase for phase in PHASES if _operations(found, phase)] or [""]
    by_phase = [_operations(found, phase) for phase in phases]
    margin = _margin(made[1], by_phase)
    names = ", ".join(short_names(found))
    title = f"Roofline of {names}" + (f" with the operations of {found.model}" if found.model else "")
    legend = _legend(found, LEFT + WIDTH + margin)
    top = TOP + legend[2]
    height = top + len(phases) * (HEIGHT + BETWEEN) - 24.0
    picture = Picture(LEFT + WIDTH + margin, height, title, marks=legend[1], texts=legend[0], lines=legend[3])
    x_low, x_high, y_low, y_high = _ranges(*made, by_phase)
    for row, (phase, operations) in enumerate(zip(phases, by_phase, strict=True)):
        place = top + row * (HEIGHT + BETWEEN)
        words = _heading(found, phase) if phase else _roofs_heading(found, made[0])
        frame = Frame(LEFT, place, WIDTH, HEIGHT, x_low, x_high, y_low, y_high, words)
        _panel(picture, frame, made, operations, len(found.results))
    return picture


def _has_memory(found: Rooflines) -> bool:
    return any(roof.level in ("DRAM", "cache") for one in found.results for roof in one.roofs)


def _roofs_heading(found: Rooflines, sloping: list[Slope]) -> str:
    """Return what levels a picture of roofs shows, and whose DRAM is not known."""
    names = zip(short_names(found), found.results, strict=True)
    lacking = [name for name, one in names if one.memory.bandwidth_gb_s is None]
    missing = f"; no memory bandwidth known of {', '.join(lacking)}" if lacking else ""
    return f"roofs and ridge points ({', '.join(dict.fromkeys(one.level for one in sloping))}){missing}"


def _heading(found: Rooflines, phase: str) -> str:
    group = next(one.group for one in found.results if one.group is not None)
    ranks = f"{group['tp']} rank" + ("s" if group["tp"] > 1 else "")
    return {
        "prefill": f"prefill: a prompt of {group['input']:,} tokens, {ranks}",
        "decode": f"decode: {group['batch']:,} sequences of {group['input']:,} tokens, {ranks}",
        "training": f"training: sequences of {group['input']:,} tokens, {ranks}",
    }[phase]


def _operations(found: Rooflines, phase: str) -> list[_Operation]:
    """Return the operations of a phase that compute, in the order of their shares on the first chip."""
    by_name: dict[str, dict[int, tuple[float, float]]] = {}
    for place, one in enumerate(found.results):
        for own in one.operations:
            if own["phase"] == phase and own["flop"] > 0.0:
                by_name.setdefault(own["name"], {})[place] = own["intensity"], own["achieved_tflops"]
    return [_Operation(name, places) for name, places in by_name.items()]


def _margin(peaks: list[Flat], by_phase: list[list[_Operation]]) -> float:
    """Return the width of the margin on the right, which holds the names of peaks and operations."""
    words = [one.label for one in peaks] + [f"10 {own.name}" for each in by_phase for own in each]
    return 30.0 + max((text_width(text, SMALL) for text in words), default=0.0)


def _ranges(
    sloping: list[Slope], peaks: list[Flat], by_phase: list[list[_Operation]]
) -> tuple[float, float, float, float]:
    """Return the powers of ten that the axes span: all ridge points and marks, with some room."""
    marks = [place for each in by_phase for own in each for place in own.places.values()]
    near = [one for one in sloping if one.level == sloping[0].level]
    meets = [ridge(flat.peak.middle, one.bandwidth.middle) for flat in peaks for one in sloping]
    x = [math.log10(value) for value in (*meets, *(x for x, _ in marks))] or [0.0, 3.0]
    x_low, x_high = math.floor(min(x) - (0.3 if marks else 0.7)), math.ceil(max(x) + 0.3)
    tops = [math.log10(flat.peak.high) for flat in peaks]
    slowest = min((one.bandwidth.low for one in near), default=1.0)
    start = math.log10(slowest / TERA_PER_GIGA) + x_low
    y_high = max(tops) + 0.2 if tops else math.log10(max(o.bandwidth.high for o in sloping) / TERA_PER_GIGA) + x_high
    y_low = min([start, *(t - 0.2 for t in tops), *(math.log10(y) - 0.2 for _, y in marks)])
    return float(x_low), float(x_high), y_low, y_high


def _shape(chip: int) -> str:
    """Return a chip's marker; where colours come again, it is another."""
    return MARKS[(chip + chip // len(COLOURS)) % len(MARKS)]


def _colour(chip: int, level: str, alone: bool) -> str:
    return LEVEL_COLOURS[level] if alone else COLOURS[chip % len(COLOURS)]


def _panel(
    picture: Picture,
    frame: Frame,
    made: tuple[list[Slope], list[Flat]],
    operations: list[_Operation],
    chips: int,
) -> None:
    """Draw roofs, ridge points, operations and the names of all."""
    picture.frames.append(frame)
    taken: list[Box] = []
    sloping, peaks = made
    for one in sloping:
        _draw_slope(picture, frame, one, chips)
    for flat in peaks:
        _draw_flat(picture, frame, flat, chips)
    picture.marks += _ridges(frame, sloping, peaks, chips, taken, bool(operations))
    lines = [_course(frame, one) for one in sloping], [_flat_course(frame, flat) for flat in peaks]
    key_top = frame.bottom
    if operations:
        key_top = _mark_operations(picture, frame, operations, chips, taken, [*lines[0], *lines[1]])
    for place, one in enumerate(sloping):
        others = [*lines[0][:place], *lines[0][place + 1 :], *lines[1]]
        _name_slope(picture, frame, one, chips, taken, others)
    _name_flats(picture, frame, peaks, key_top)


def _alternating(dash: tuple[float, ...], place: int, members: int) -> tuple[tuple[float, ...], float]:
    """Return dashes and offset by which lines that coincide take turns."""
    if members == 1:
        return dash, 0.0
    each = 12.0 if not dash else 7.0
    return (each, each * (members - 1)), each * place


def _draw_slope(picture: Picture, frame: Frame, one: Slope, chips: int) -> None:
    highest, end = 10.0**frame.y_high, 10.0**frame.x_high
    for place, (chip, top) in enumerate(zip(one.chips, one.tops, strict=True)):
        colour = _colour(chip, one.level, chips == 1)
        limit = min(top or highest, highest)
        ends = [_reach(frame, rate, limit, end) for rate in (one.bandwidth.low, one.bandwidth.high)]
        if one.bandwidth.low != one.bandwidth.high:
            low, high = ends
            picture.areas.append(Area((low[0], low[1], high[1], high[0]), colour))
        dash, offset = _alternating(DASHES[one.level], place, len(one.chips))
        width = 2.4 if one.level == "DRAM" else 1.5
        points = _reach(frame, one.bandwidth.middle, limit, end)
        picture.lines.append(Line(points, colour, width, dash, offset))


def _reach(frame: Frame, bandwidth: float, limit: float, end: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return where a slope enters the axes and where it ends: at its peak, or at the edge [px]."""
    lowest = 10.0**frame.y_low
    x = max(10.0**frame.x_low, lowest * TERA_PER_GIGA / bandwidth)
    stop = min(limit * TERA_PER_GIGA / bandwidth, end)
    return (
        frame.place(x, x * bandwidth / TERA_PER_GIGA),
        frame.place(stop, max(lowest, stop * bandwidth / TERA_PER_GIGA)),
    )


def _draw_flat(picture: Picture, frame: Frame, flat: Flat, chips: int) -> None:
    for place, (chip, rate) in enumerate(zip(flat.chips, flat.starts, strict=True)):
        colour = INK if chips == 1 else COLOURS[chip % len(COLOURS)]
        start = 10.0**frame.x_low if rate is None else ridge(flat.peak.middle, rate)
        left, y = frame.place(start, flat.peak.middle)
        if flat.peak.low != flat.peak.high:
            low, high = (frame.place(start, end)[1] for end in (flat.peak.low, flat.peak.high))
            picture.areas.append(Area(((left, low), (frame.right, low), (frame.right, high), (left, high)), colour))
        dash, offset = _alternating(() if flat.main or chips == 1 else (7.0, 4.0), place, len(flat.chips))
        width = 2.0 if flat.main else 1.2
        picture.lines.append(Line(((left, y), (frame.right, y)), colour, width, dash, offset))


def _ridges(
    frame: Frame, sloping: list[Slope], peaks: list[Flat], chips: int, taken: list[Box], small: bool
) -> list[Mark]:
    """Mark where each peak meets DRAM; with a shape for each chip where there are several."""
    found = []
    for one in sloping:
        for flat in peaks if one.level == "DRAM" else ():
            both = [chip for chip in one.chips if chip in flat.chips]
            for place, chip in enumerate(both):
                x, y = frame.place(ridge(flat.peak.middle, one.bandwidth.middle), flat.peak.middle)
                colour = _colour(chip, "DRAM", chips == 1)
                size = 2.6 if small else 4.4 + 1.8 * (len(both) - 1 - place)  # of chips that coincide each shows
                mark = Mark(x, y, "circle" if small else _shape(chip), colour, size)
                found.append(mark)
                taken.append(mark_box(mark))
    return found


def _mark_operations(
    picture: Picture, frame: Frame, operations: list[_Operation], chips: int, taken: list[Box], lines: list[Box]
) -> float:
    """Mark the operations with their numbers and write the key in the margin; return where that begins [px]."""
    by_operation = []
    for own in operations:
        marks = [
            Mark(*frame.place(x, y), _shape(chip), INK if chips == 1 else COLOURS[chip % len(COLOURS)])
            for chip, (x, y) in own.places.items()
        ]
        by_operation.append(marks)
        picture.marks += marks
        taken += [mark_box(mark) for mark in marks]
    for numbers, mark in _clusters(by_operation):
        label = beside_mark(numbers, mark, INK, frame, taken, lines, SMALL)
        picture.texts += [label] if label else []
    start = frame.bottom - (len(operations) - 1) * ROW - 4.0
    for place, own in enumerate(operations):
        y = start + place * ROW
        picture.texts.append(Text(frame.right + 30, y, str(place + 1), anchor="end", bold=True, size=SMALL))
        picture.texts.append(Text(frame.right + 36, y, own.name, anchor="start", size=SMALL))
    return start - ROW


def _clusters(by_operation: list[list[Mark]]) -> list[tuple[str, Mark]]:
    """Return numbers to write and the mark to write them at: operations that stand on one spot share a label."""
    found: list[tuple[list[int], Mark]] = []
    for place, marks in enumerate(by_operation, 1):
        highest = min(marks, key=lambda mark: mark.y)
        near = [own for own in found if math.hypot(own[1].x - highest.x, own[1].y - highest.y) < CLOSE]
        if near:
            near[0][0].append(place)
        else:
            found.append(([place], highest))
    return [(", ".join(map(str, numbers)), mark) for numbers, mark in found]


def _course(frame: Frame, one: Slope) -> Box:
    """Return where a slope runs, of the chip whose peak is highest [px]."""
    highest = 10.0**frame.y_high
    limit = min(max((top for top in one.tops if top is not None), default=highest), highest)
    return _reach(frame, one.bandwidth.middle, limit, 10.0**frame.x_high)


def _flat_course(frame: Frame, flat: Flat) -> Box:
    """Return where a flat runs, of the chip where it starts first [px]."""
    starts = [ridge(flat.peak.middle, rate) for rate in flat.starts if rate is not None]
    left, y = frame.place(min(starts, default=10.0**frame.x_low), flat.peak.middle)
    return (left, y), (frame.right, y)


def _name_slope(picture: Picture, frame: Frame, one: Slope, chips: int, taken: list[Box], others: list[Box]) -> None:
    """Write the name of a slope on it, where it is free of others."""
    start, end = _course(frame, one)
    colour = INK if len(one.chips) > 1 else _colour(one.chips[0], one.level, chips == 1)
    label = along_line(one.words, start, end, colour, frame, taken, others, SMALL)
    picture.texts += [label] if label else []


def _name_flats(picture: Picture, frame: Frame, peaks: list[Flat], low: float) -> None:
    """Write the names of the peaks in the margin, each joined to its line."""
    wanted = [frame.place(10.0**frame.x_high, flat.peak.middle)[1] for flat in peaks]
    found = spread(wanted, ROW - 1.0, frame.top + 6.0, max(low - 8.0, frame.top + 7.0))
    for flat, at, y in zip(peaks, wanted, found, strict=True):
        picture.lines.append(Line(((frame.right, at), (frame.right + 12, y)), GREY, 0.8))
        picture.texts.append(Text(frame.right + 15, y, flat.label, anchor="start", size=SMALL))


def _legend(found: Rooflines, width: float) -> tuple[list[Text], list[Mark], float, list[Line]]:
    """Return the key of the chips above the panels, and the height it takes; nothing for one chip."""
    texts: list[Text] = []
    marks: list[Mark] = []
    lines: list[Line] = []
    if len(found.results) == 1:
        name = found.results[0].name + (f", {found.results[0].what_if}" if found.results[0].what_if else "")
        return [Text(LEFT, 22.0, name, anchor="start", bold=True, size=14.0)], marks, 4.0, lines
    x, y = LEFT, 20.0
    for chip, name in enumerate(short_names(found)):
        wide = 44.0 + text_width(name, 12.0) + 18.0
        if x > LEFT and x + wide > width:
            x, y = LEFT, y + 19.0
        colour = COLOURS[chip % len(COLOURS)]
        lines.append(Line(((x, y), (x + 32.0, y)), colour, 2.4))
        marks.append(Mark(x + 16.0, y, _shape(chip), colour))
        texts.append(Text(x + 40.0, y, name, anchor="start"))
        x += wide
    return texts, marks, y - 12.0, lines
