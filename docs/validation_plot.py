"""``docs/validation.svg``: predicted against measured step time of every published run, drawn by hand."""

import math

from validation_rows import Run, runs

WIDTH, HEIGHT = 920, 520
PANEL, TOP, LEFTS = 360, 96, (84, 520)
MARK = 4.2
# Colours of Okabe and Ito, which the colour-blind tell apart; a shape each.
FAMILIES = (
    ("A100", "#0072B2", "circle"),
    ("H100", "#D55E00", "square"),
    ("B200, B300, GB200, GB300", "#009E73", "triangle"),
    ("TPU v4 to v7", "#CC79A7", "diamond"),
    ("others (Ascend, Gaudi2, Trainium, V100)", "#222222", "cross"),
)
LEGEND_AT = (84, 152, 222, 436, 566)
TITLES = ("source of the row left out of the fit", "fitted on all rows")
STYLE = "font-family: system-ui, sans-serif; font-size: 13px"


def family(chip: str) -> int:
    """Return the place of a chip's family in ``FAMILIES``."""
    starts = (("A100", 0), ("H100", 1), ("B", 2), ("GB", 2), ("TPU", 3))
    return next((place for start, place in starts if chip.startswith(start)), 4)


def shape(kind: str, x: float, y: float) -> str:
    """Return the path of a marker."""
    r = MARK
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r - 0.6:.1f}"/>'
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
        "diamond": ((0, -1.35), (1.1, 0), (0, 1.35), (-1.1, 0)),
    }
    if kind == "cross":
        half = f"{r * 0.9:.1f} {r * 0.9:.1f}"
        lines = f"M{x:.1f} {y:.1f}m-{half.replace(' ', ' -')}l{r * 1.8:.1f} {r * 1.8:.1f}m0 -{r * 1.8:.1f}"
        return f'<path d="{lines}l-{r * 1.8:.1f} {r * 1.8:.1f}" fill="none" stroke-width="1.6"/>'
    size = 0.82 * r
    points = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners[kind])
    return f'<polygon points="{points}"/>'


def picture() -> str:
    """Return the SVG document."""
    every = runs()
    ends = [run.case.measured_s for run in every]
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    name = 'role="img" aria-label="Predicted against measured step time"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="{STYLE}" {name}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_legend(),
    ]
    for panel, left in enumerate(LEFTS):
        parts += [*_axes(left, low, high, TITLES[panel]), *_marks(every, left, low, high, panel == 1)]
        ends_at = f'x1="{left}" y1="{TOP + PANEL}" x2="{left + PANEL}" y2="{TOP}"'
        parts.append(f'<line {ends_at} stroke="#222222" stroke-width="0.8"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _place(seconds: float, low: int, high: int) -> float:
    """Return how far along an axis a time stands [px]."""
    return (math.log10(seconds) - low) / (high - low) * PANEL


def _axes(left: int, low: int, high: int, title: str) -> list[str]:
    bottom, right = TOP + PANEL, left + PANEL
    off = math.log10(1.1) / (high - low) * PANEL
    rise, fall = off, math.log10(1 / 0.9) / (high - low) * PANEL
    band = f"{left},{bottom} {left},{bottom - rise:.1f} {right - rise:.1f},{TOP} {right},{TOP} {right},{TOP + fall:.1f}"
    parts = [
        f'<text x="{left + PANEL / 2:.0f}" y="{TOP - 14}" text-anchor="middle" font-weight="600">{title}</text>',
        f'<polygon points="{band} {left + fall:.1f},{bottom}" fill="#dddddd"/>',
        f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{PANEL}" fill="none" stroke="#333333"/>',
    ]
    for power in range(low, high + 1):
        at = (power - low) / (high - low) * PANEL
        x, y, label = left + at, bottom - at, f"{10.0**power:g}"
        parts.append(f'<path d="M{x:.1f} {bottom}v5M{left} {y:.1f}h-5" stroke="#333333"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{left - 9}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    middle = TOP + PANEL // 2
    parts.append(f'<text x="{left + PANEL // 2}" y="{bottom + 44}" text-anchor="middle">measured step time [s]</text>')
    turn = f'transform="rotate(-90 {left - 50} {middle})"'
    parts.append(f'<text x="{left - 50}" y="{middle}" text-anchor="middle" {turn}>predicted step time [s]</text>')
    return parts


def _marks(every: tuple[Run, ...], left: int, low: int, high: int, fitted: bool) -> list[str]:
    parts = []
    for place, (_, colour, kind) in enumerate(FAMILIES):
        marks = []
        for run in every:
            if family(run.case.chip) == place:
                error = run.fitted if fitted else run.left_out
                x = left + _place(run.case.measured_s, low, high)
                y = TOP + PANEL - _place(run.case.measured_s * (1.0 + error), low, high)
                marks.append(shape(kind, round(x, 6), round(y, 6)))
        paint = f'stroke="{colour}"' if kind == "cross" else f'fill="{colour}" fill-opacity="0.65" stroke="none"'
        parts += [f"<g {paint}>", *marks, "</g>"]
    return parts


def _legend() -> list[str]:
    parts = []
    for (name, colour, kind), x in zip(FAMILIES, LEGEND_AT, strict=True):
        paint = f'stroke="{colour}"' if kind == "cross" else f'fill="{colour}"'
        parts += [f"<g {paint}>{shape(kind, x, 30)}</g>", f'<text x="{x + 11}" y="34.5">{name}</text>']
    parts.append('<path d="M84 54h22" stroke="#555555"/><text x="113" y="58.5">predicted = measured</text>')
    parts.append(
        '<rect x="270" y="48" width="22" height="12" fill="#dddddd"/><text x="299" y="58.5">within 10 %</text>'
    )
    return parts
