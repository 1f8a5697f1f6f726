"""Room for a label within a polygon."""

from collections.abc import Sequence

from perfcore.plots.shapes import Point, Text, text_width

__all__ = ["Box", "within"]

Box = Sequence[Point]
STEP = (14.0, 9.0)  # px between the places that are tried


def within(words: str, corners: Sequence[Point], taken: list[Box], size: float) -> Text | None:
    """Return a label within a convex polygon that hides nothing of ``taken``, as near its right end as there is room.

    What is found is added to ``taken``. None if there is no room.
    """
    if len(corners) < 3:
        return None
    wide, high = text_width(words, size) * 0.92 / 2 + 3.0, size * 0.55 + 2.0
    right, left = max(x for x, _ in corners) - wide, min(x for x, _ in corners) + wide
    top, bottom = min(y for _, y in corners) + high, max(y for _, y in corners) - high
    x = right
    while x >= left:
        y = top
        while y <= bottom:
            box = [(x - wide, y - high), (x + wide, y - high), (x + wide, y + high), (x - wide, y + high)]
            if all(_inside(corner, corners) for corner in box) and not any(_meet(box, other) for other in taken):
                taken.append(box)
                return Text(x, y, words, size=size)
            y += STEP[1]
        x -= STEP[0]
    return None


def _inside(place: Point, corners: Sequence[Point]) -> bool:
    """Tell whether a point lies in a convex polygon: on one side of all its edges.

    >>> square = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
    >>> _inside((1.0, 1.0), square), _inside((3.0, 1.0), square)
    (True, False)
    """
    px, py = place
    sides = [
        (x1 - x0) * (py - y0) - (y1 - y0) * (px - x0)
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], *corners[:1]], strict=True)
    ]
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def _meet(one: Box, other: Box) -> bool:
    """Tell whether two upright boxes overlap."""
    return one[0][0] < other[2][0] and other[0][0] < one[2][0] and one[0][1] < other[2][1] and other[0][1] < one[2][1]
