"""Places for labels that touch neither each other nor what they must not hide."""

import math
from collections.abc import Iterable, Sequence

from perfcore.plots.shapes import Frame, Mark, Point, Text, text_width

__all__ = ["along_line", "beside_mark", "inside", "overlap", "spread"]

Box = Sequence[Point]
AROUND = ((0, -1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (1, 1), (-1, 1))


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two convex polygons share more than an edge: no line along an edge of either parts them.

    >>> square = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0))
    >>> overlap(square, tuple((x + 1.0, y) for x, y in square)), overlap(square, tuple((x + 2.0, y) for x, y in square))
    (True, False)
    """
    for box in (one, other):
        for (ax, ay), (bx, by) in zip(box, [*box[1:], box[0]], strict=True):
            across = (ay - by, bx - ax)
            first = [x * across[0] + y * across[1] for x, y in one]
            second = [x * across[0] + y * across[1] for x, y in other]
            slack = 1e-9 * max(map(abs, (*first, *second)))
            if max(first) <= min(second) + slack or max(second) <= min(first) + slack:
                return False
    return True


def inside(box: Box, frame: Frame) -> bool:
    """Tell whether a box stands within the axes."""
    return all(frame.left <= x <= frame.right and frame.top <= y <= frame.bottom for x, y in box)


def mark_box(mark: Mark) -> Box:
    """Return the box of a marker."""
    r = mark.size + 1.0
    x, y = mark.x, mark.y
    return ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r))


def clear(text: Text, frame: Frame, taken: Iterable[Box]) -> bool:
    """Tell whether a text is within the axes and hides nothing."""
    box = text.corners()
    return inside(box, frame) and not any(overlap(box, other) for other in taken)


def along_line(
    words: Sequence[str],
    start: Point,
    end: Point,
    colour: str,
    frame: Frame,
    taken: list[Box],
    lines: Sequence[Box],
    size: float,
) -> Text | None:
    """Return a label on a sloping line, where there is room, near its upper end first; None if there is none.

    ``words`` are texts to try, the longest first, each clear of other ``lines`` if it can be; what is found is added
    to ``taken``.
    """
    for avoided in ([*taken, *lines], taken):
        for text in words:
            for step in range(2, 60):
                share = 1.0 - step / 61.0
                x, y = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
                label = Text(x, y, text, colour, angle=frame.angle, backed=True, size=size)
                if clear(label, frame, avoided):
                    taken.append(label.corners())
                    return label
    return None


def beside_mark(
    text: str, mark: Mark, colour: str, frame: Frame, taken: list[Box], lines: Sequence[Box], size: float
) -> Text | None:
    """Return a label beside a marker, as near as there is room, off ``lines`` if it can be; None if there is none.

    What is found is added to ``taken``.
    """
    for avoided, distances in (([*taken, *lines], (11.0, 15.0, 20.0)), (taken, (11.0, 15.0, 20.0, 28.0, 38.0, 50.0))):
        for distance in distances:
            for dx, dy in AROUND:
                across = text_width(text, size, bold=True) / 2 - 4.0 if dx else 0.0  # a long label starts at its edge
                x = mark.x + dx * (distance / math.hypot(dx, dy) + across)
                label = Text(
                    x, mark.y + dy * distance / math.hypot(dx, dy), text, colour, bold=True, halo=True, size=size
                )
                if clear(label, frame, avoided):
                    taken.append(label.corners(pad=0.5))
                    return label
    return None


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places near the wanted ones, in their order, ``gap`` apart at least, within the limits if they fit.

    >>> spread([10.0, 11.0, 50.0], 10.0, 0.0, 100.0)
    [5.5, 15.5, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    clusters: list[tuple[float, list[int]]] = []  # middle, members
    for index in order:
        clusters.append((wanted[index], [index]))
        while len(clusters) > 1 and _touch(clusters[-2], clusters[-1], gap):
            members = clusters[-2][1] + clusters[-1][1]
            clusters[-2:] = [(_middle(members, wanted, gap, low, high), members)]
    found = [0.0] * len(wanted)
    for middle, members in clusters:
        held = _middle(members, wanted, gap, low, high) if len(members) > 1 else min(max(middle, low), high)
        for place, index in enumerate(members):
            found[index] = held + (place - (len(members) - 1) / 2) * gap
    return found


def _touch(one: tuple[float, list[int]], other: tuple[float, list[int]], gap: float) -> bool:
    return other[0] - one[0] < gap * (len(one[1]) + len(other[1])) / 2


def _middle(members: list[int], wanted: Sequence[float], gap: float, low: float, high: float) -> float:
    """Return the middle of labels that stand together, moved so that they stay within the limits."""
    half = (len(members) - 1) * gap / 2
    mean = sum(wanted[index] for index in members) / len(members)
    return min(max(mean, low + half), max(high - half, low + half))
