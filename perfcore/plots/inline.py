"""A picture as SVG text to put into a page: no library, the same text for the same picture."""

import math
from html import escape

from perfcore.plots.shapes import GRID, INK, Area, Frame, Line, Mark, Picture, Point, Text

__all__ = ["svg"]

FAMILY = "font-family: system-ui, 'DejaVu Sans', sans-serif"
CORNERS = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0.0, -1.1), (1.05, 0.8), (-1.05, 0.8)),
    "diamond": ((0.0, -1.25), (1.05, 0.0), (0.0, 1.25), (-1.05, 0.0)),
    "pentagon": tuple((math.sin(i * math.tau / 5), -math.cos(i * math.tau / 5)) for i in range(5)),
}


def svg(picture: Picture) -> str:
    """Return a picture as an ``svg`` element."""
    size = f'viewBox="0 0 {picture.width:.0f} {picture.height:.0f}"'
    name = f'role="img" aria-label="{escape(picture.title)}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{FAMILY}" {name}>']
    parts.append(f'<rect width="{picture.width:.0f}" height="{picture.height:.0f}" fill="#ffffff"/>')
    for frame in picture.frames:
        parts += _axes(frame)
    parts += [*map(_area, picture.areas), *map(_line, picture.lines)]
    parts += [*map(_mark, picture.marks), *map(_text, picture.texts)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _at(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_at(x)},{_at(y)}" for x, y in points)


def _area(area: Area) -> str:
    return f'<polygon points="{_points(area.points)}" fill="{area.colour}" fill-opacity="0.18"/>'


def _line(line: Line) -> str:
    dash = f' stroke-dasharray="{" ".join(map(_at, line.dash))}"' if line.dash else ""
    dash += f' stroke-dashoffset="{_at(-line.offset)}"' if line.offset else ""
    paint = f'fill="none" stroke="{line.colour}" stroke-width="{_at(line.width)}"'
    return f'<polyline points="{_points(line.points)}" {paint}{dash}/>'


def _mark(mark: Mark) -> str:
    x, y, r = mark.x, mark.y, mark.size
    if mark.shape == "circle":
        return f'<circle cx="{_at(x)}" cy="{_at(y)}" r="{_at(r)}" fill="{mark.colour}" stroke="#ffffff"/>'
    if mark.shape in ("cross", "plus"):
        a = r * (0.9 if mark.shape == "cross" else 1.1)
        straight = f"M{_at(x - a)} {_at(y)}H{_at(x + a)}M{_at(x)} {_at(y - a)}V{_at(y + a)}"
        slanted = (
            f"M{_at(x - a)} {_at(y - a)}L{_at(x + a)} {_at(y + a)}M{_at(x - a)} {_at(y + a)}L{_at(x + a)} {_at(y - a)}"
        )
        way = slanted if mark.shape == "cross" else straight
        return f'<path d="{way}" fill="none" stroke="{mark.colour}" stroke-width="2.4"/>'
    corners = tuple((x + r * a, y + r * b) for a, b in CORNERS[mark.shape])
    return f'<polygon points="{_points(corners)}" fill="{mark.colour}" stroke="#ffffff"/>'


def _text(text: Text) -> str:
    turn = f' transform="rotate({-text.angle:.1f} {_at(text.x)} {_at(text.y)})"' if text.angle else ""
    weight = ' font-weight="600"' if text.bold else ""
    halo = ' stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if text.halo else ""
    where = f'x="{_at(text.x)}" y="{_at(text.y + 0.35 * text.size)}" text-anchor="{text.anchor}"'
    look = f'font-size="{_at(text.size)}" fill="{text.colour}"{weight}{halo}{turn}'
    back = f'<polygon points="{_points(text.corners(pad=0.0))}" fill="#ffffff"/>' if text.backed else ""
    return f"{back}<text {where} {look}>{escape(text.text)}</text>"


def _axes(frame: Frame) -> list[str]:
    """Return grid, frame, numbers and names of the axes."""
    left, right, top, bottom = frame.left, frame.right, frame.top, frame.bottom
    parts = []
    for value, said in frame.x_ticks():
        x = frame.place(value, 10.0**frame.y_low)[0]
        parts.append(f'<path d="M{_at(x)} {_at(top)}V{_at(bottom)}" stroke="{GRID}"/>')
        parts.append(_text(Text(x, bottom + 14, said)))
    for value, said in frame.y_ticks():
        y = frame.place(10.0**frame.x_low, value)[1]
        parts.append(f'<path d="M{_at(left)} {_at(y)}H{_at(right)}" stroke="{GRID}"/>')
        parts.append(_text(Text(left - 7, y, said, anchor="end")))
    size = f'width="{_at(frame.width)}" height="{_at(frame.height)}"'
    parts.append(f'<rect x="{_at(left)}" y="{_at(top)}" {size} fill="none" stroke="{INK}"/>')
    parts.append(_text(Text((left + right) / 2, bottom + 34, frame.x_name)))
    parts.append(_text(Text(left - 58, (top + bottom) / 2, frame.y_name, angle=90)))
    parts.append(_text(Text(left, top - 13, frame.title, anchor="start", bold=True, size=13)))
    return parts
