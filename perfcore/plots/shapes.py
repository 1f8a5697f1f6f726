"""What a picture is made of, before anything draws it: lines, areas, marks and texts in pixels, y downwards."""

import math
from dataclasses import dataclass, field

Point = tuple[float, float]

# Colours of Okabe and Ito, which the colour-blind tell apart, the yellow left out: it is too faint for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222")
MARKS = ("circle", "square", "triangle", "diamond", "cross", "pentagon", "plus")
INK, GRID = "#222222", "#e3e3e3"
FONT = 12.0  # px


@dataclass(frozen=True)
class Line:
    """A line through points; ``dash`` alternates drawn and blank lengths [px], from ``offset`` on."""

    points: tuple[Point, ...]
    colour: str
    width: float
    dash: tuple[float, ...] = ()
    offset: float = 0.0


@dataclass(frozen=True)
class Area:
    """A filled polygon, see-through."""

    points: tuple[Point, ...]
    colour: str


@dataclass(frozen=True)
class Mark:
    """A marker at a point."""

    x: float
    y: float
    shape: str
    colour: str
    size: float = 5.0


@dataclass(frozen=True)
class Text:
    """A text with its middle (or end, or start) at a point, turned by ``angle`` degrees counter-clockwise.

    ``halo`` draws a white rim around its letters, ``backed`` a white box behind it.
    """

    x: float
    y: float
    text: str
    colour: str = INK
    anchor: str = "middle"  # start | middle | end
    angle: float = 0.0
    bold: bool = False
    halo: bool = False
    backed: bool = False
    size: float = FONT

    def corners(self, pad: float = 1.0) -> tuple[Point, ...]:
        """Return the corners of the box the text fills [px], a little wide."""
        width, height = text_width(self.text, self.size, self.bold) + 2 * pad, self.size * 1.1 + 2 * pad
        left = {"start": -pad, "middle": -width / 2, "end": pad - width}[self.anchor]
        box = ((left, -height / 2), (left + width, -height / 2), (left + width, height / 2), (left, height / 2))
        turn = math.radians(-self.angle)
        cos, sin = math.cos(turn), math.sin(turn)
        return tuple((self.x + x * cos - y * sin, self.y + x * sin + y * cos) for x, y in box)


@dataclass(frozen=True)
class Frame:
    """Axes of a panel: its place [px] and what it spans, in powers of ten."""

    left: float
    top: float
    width: float
    height: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    title: str
    x_name: str = "intensity [FLOP for each byte moved over the level]"
    y_name: str = "rate [TFLOP/s]"
    x_marks: tuple[float, ...] = ()  # numbers that are printed along the axis instead of powers of ten
    y_marks: tuple[float, ...] = ()

    def x_ticks(self) -> list[tuple[float, str]]:
        """Return the numbers along the lower axis, and how they are printed."""
        return _ticks(self.x_marks, self.x_low, self.x_high)

    def y_ticks(self) -> list[tuple[float, str]]:
        """Return the numbers along the left axis, and how they are printed."""
        return _ticks(self.y_marks, self.y_low, self.y_high)

    @property
    def right(self) -> float:
        """Return its right edge [px]."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Return its lower edge [px]."""
        return self.top + self.height

    def place(self, x: float, y: float) -> Point:
        """Return where a point of the data stands [px].

        >>> Frame(0.0, 0.0, 100.0, 100.0, 0.0, 2.0, 0.0, 2.0, "").place(10.0, 100.0)
        (50.0, 0.0)
        """
        along = (math.log10(x) - self.x_low) / (self.x_high - self.x_low)
        up = (math.log10(y) - self.y_low) / (self.y_high - self.y_low)
        return self.left + along * self.width, self.bottom - up * self.height

    @property
    def angle(self) -> float:
        """Return the angle of a roof that slopes [degrees]."""
        rise = self.height / (self.y_high - self.y_low)
        run = self.width / (self.x_high - self.x_low)
        return math.degrees(math.atan2(rise, run))


@dataclass
class Picture:
    """A whole picture; what comes later is drawn above."""

    width: float
    height: float
    title: str
    frames: list[Frame] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


_NARROW, _WIDE = set("ijlrtfI.,:;'|!()[] /-"), set("mwMW%@+<>=")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how wide a text is [px], on the wide side: a little above DejaVu Sans, matplotlib's own.

    >>> text_width("10", 10.0) < text_width("mm", 10.0)
    True
    """
    each = (0.42 if c in _NARROW else 0.98 if c in _WIDE else 0.70 if c.isupper() else 0.645 for c in text)
    return size * sum(each) * (1.1 if bold else 1.0)


def _ticks(marks: tuple[float, ...], low: float, high: float) -> list[tuple[float, str]]:
    if marks:
        return [(mark, f"{mark:,g}" if mark < 1e5 else f"{mark:,.0f}") for mark in marks]
    return [(10.0**power, power_label(power)) for power in range(math.ceil(low), math.floor(high) + 1)]


def power_label(power: int) -> str:
    """Return a power of ten for an axis.

    >>> power_label(-2), power_label(0), power_label(4), power_label(6)
    ('0.01', '1', '10,000', '10^6')
    """
    if not -3 <= power <= 5:
        return f"10^{power}"
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
