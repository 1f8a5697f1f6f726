"""Pictures of the page: axes and marks in the colours of the page, light or dark, with a title and a description."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from perfcore.markup import Html, el
from perfcore.plots.shapes import Frame, Point, power_label, text_width

__all__ = ["GLYPHS", "at", "axes", "clipped", "legend", "marks", "picture", "points", "shape_of", "text"]

# Signs as relative paths, so that a cloud of them is one path: circle, square, triangle, diamond, cross, plus.
GLYPHS = {
    "circle": "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    "square": "m-3.2-3.2h6.4v6.4h-6.4z",
    "diamond": "m0-4.6l4.2 4.6-4.2 4.6-4.2-4.6z",
    "triangle": "m0-4.3l4.1 7.2h-8.2z",
    "cross": "m-3.2-3.2l6.4 6.4m0-6.4l-6.4 6.4",
    "plus": "m-4 0h8m-4-4v8",
    "dot": "m-1.2-1.2h2.4v2.4h-2.4z",
}
NAMES = ("circle", "square", "triangle", "diamond", "cross", "plus")


def shape_of(place: int) -> str:
    """Return the sign of the nth group."""
    return NAMES[place % len(NAMES)]


def at(value: float) -> str:
    """Write a coordinate.

    >>> at(3.04), at(3.06)
    ('3', '3.1')
    """
    shown = f"{value:.1f}"
    return shown[:-2] if shown.endswith(".0") else shown


def points(several: Iterable[Point]) -> str:
    """Write points of a line."""
    return " ".join(f"{at(x)},{at(y)}" for x, y in several)


def marks(places: Iterable[Point], shape: str, css: str) -> Html:
    """Return a cloud of equal signs as one path."""
    return el("path", d="".join(f"M{at(x)} {at(y)}{GLYPHS[shape]}" for x, y in places), class_=css)


def text(x: float, y: float, said: str, css: str | None = None, anchor: str = "middle", turn: float = 0.0) -> Html:
    """Return a text with its middle at a point."""
    turned = f"rotate({at(-turn)} {at(x)} {at(y)})" if turn else None
    return el("text", said, x=at(x), y=at(y), dy="0.35em", text_anchor=anchor, class_=css, transform=turned)


def picture(
    name: str, size: tuple[float, float], title: str, desc: str, parts: Iterable[Html], **attributes: str
) -> Html:
    """Return an ``svg`` element that says what it shows to those who do not see it."""
    named = (el("title", title, id=f"{name}-t"), el("desc", desc, id=f"{name}-d"))
    box = f"0 0 {at(size[0])} {at(size[1])}"
    return Html(
        # viewBox is the one attribute whose capitals matter, in files of their own.
        el(
            "svg",
            *named,
            *parts,
            id=name,
            role="img",
            aria_labelledby=f"{name}-t {name}-d",
            class_="chart",
            **attributes,
        ).replace("<svg ", f'<svg viewBox="{box}" ', 1)
    )


def axes(frame: Frame, x_name: str, y_name: str) -> Html:
    """Return grid, frame, powers of ten (with 2 and 5 where there is room) and the names of the axes."""
    parts: list[Html] = []
    low = 10.0**frame.x_low
    for value, label in _ticks(frame.x_low, frame.x_high, frame.width):
        x = frame.place(value, 10.0**frame.y_low)[0]
        parts.append(el("path", d=f"M{at(x)} {at(frame.top)}V{at(frame.bottom)}", class_="grid"))
        if label:
            parts.append(text(x, frame.bottom + 14, label, "tick"))
    for value, label in _ticks(frame.y_low, frame.y_high, frame.height):
        y = frame.place(low, value)[1]
        parts.append(el("path", d=f"M{at(frame.left)} {at(y)}H{at(frame.right)}", class_="grid"))
        if label:
            parts.append(text(frame.left - 7, y, label, "tick", "end"))
    parts.append(_box(frame))
    parts.append(text((frame.left + frame.right) / 2, frame.bottom + 36, x_name))
    parts.append(text(frame.left - 62, (frame.top + frame.bottom) / 2, y_name, turn=90))
    if frame.title:
        parts.append(text(frame.left, frame.top - 14, frame.title, "name", "start"))
    return el("g", *parts, class_="axes")


def _box(frame: Frame) -> Html:
    size = {"width": at(frame.width), "height": at(frame.height)}
    return el("rect", x=at(frame.left), y=at(frame.top), class_="frame", **size)


def _ticks(low: float, high: float, room: float) -> list[tuple[float, str]]:
    """Return where grid lines stand and what is written there: less of it where there is little room."""
    decade = room / (high - low)  # px
    found = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5) if decade > 130.0 else (1,):
            place = power + math.log10(digit)
            if low - 1e-9 <= place <= high + 1e-9:
                said = power_label(power) if digit == 1 else _number(digit, power)
                found.append((10.0**place, said if decade > 62.0 or power % 2 == 0 else ""))
    return found


def _number(digit: int, power: int) -> str:
    if power < 0:
        return f"{digit * 10.0**power:g}"
    return f"{digit * 10**power:,}" if power <= 5 else ""


def clipped(corners: Sequence[Point], frame: Frame) -> list[Point]:
    """Return what of a polygon lies within the axes (Sutherland and Hodgman, 1974), in pixels."""
    found = list(corners)
    for axis, sign, limit in ((0, 1, frame.left), (0, -1, frame.right), (1, 1, frame.top), (1, -1, frame.bottom)):
        found = _cut(found, axis, sign, limit)
    return found


def _cut(corners: list[Point], axis: int, sign: int, limit: float) -> list[Point]:
    """Cut a polygon at one side."""
    kept: list[Point] = []
    for one, other in pairwise([*corners, *corners[:1]]):
        inside = [sign * (point[axis] - limit) >= 0 for point in (one, other)]
        if inside[0]:
            kept.append(one)
        if inside[0] != inside[1]:
            share = (limit - one[axis]) / (other[axis] - one[axis])
            kept.append((one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])))
    return kept


def legend(entries: Sequence[tuple[str, str, str]], x: float, y: float, width: float) -> Html:
    """Return a key of signs: shape, class, words; it wraps."""
    parts, left = [], x
    for shape, css, words in entries:
        wide = 30.0 + text_width(words, 12.0)
        if left > x and left + wide > x + width:
            left, y = x, y + 18.0
        parts += [marks([(left + 5, y)], shape, css), text(left + 14, y, words, "key", "start")]
        left += wide
    return el("g", *parts)
