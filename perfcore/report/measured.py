"""Predicted against measured: every published training step, serving run and kernel that perfcore carries."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from perfcore.plots.shapes import Frame, Point
from perfcore.report.chart import axes, clipped, legend, marks, picture, points, shape_of
from perfcore.report.markup import Html, details, el, scrolling, section, table
from perfcore.validation import Validation, validate

__all__ = ["measured_section"]

KINDS = {
    "training": "Training steps",
    "inference": "Serving",
    "kernels": "Single kernels",
}
MADE_OF = {"training": "by_chip", "inference": "by_phase", "kernels": "by_category"}
SIZE, LEFT, TOP = 470.0, 86.0, 84.0
WITHIN = 0.2  # of the measured value: the band that is drawn


def measured_section() -> Html:
    """Return a picture and tables of each kind."""
    intro = el(
        "p",
        "The error is of time: predicted over measured, less one. The constants of training and serving were fitted "
        "with these rows among others; what to expect of a run that perfcore has not seen, each source left out of the "
        "fit in turn, stands in docs/validation.md and docs/serving_validation.md and is larger. Beside each error "
        "stands that of one constant efficiency for each chip and precision.",
    )
    found = {kind: validate(kind=kind) for kind in KINDS}
    return section(
        "measured", "Predicted against measured", intro, _summary(found), *map(_figure, KINDS, found.values())
    )


def _summary(found: Mapping[str, Validation]) -> Html:
    rows = []
    for kind, one in found.items():
        inside = one.summary["inside_interval"]
        shown = "" if inside is None else f"{inside:.0%}"
        rows.append((KINDS[kind], *_errors(one.summary), shown, str(one.summary["skipped"])))
    head = ("kind", "rows", "mean %", "median %", "largest %", "bias %", "constant efficiency, mean %")
    return table("Errors, all rows", (*head, "inside their 80 % interval", "not predicted"), rows, right=range(1, 9))


def _errors(one: Mapping[str, Any]) -> tuple[str, ...]:
    if not one["n"]:
        return ("0", "", "", "", "", "")
    sizes = (f"{one[name] * 100:.1f}" for name in ("mean_abs", "median_abs", "max_abs"))
    return (str(one["n"]), *sizes, f"{one['bias'] * 100:+.1f}", f"{one['baseline_mean_abs'] * 100:.1f}")


def _figure(kind: str, found: Validation) -> Html:
    head = ("", "rows", "mean %", "median %", "largest %", "bias %", "constant efficiency, mean %")
    tables = [
        table(
            f"{KINDS[kind]} {name.replace('_', ' ')}",
            (name.removeprefix("by_"), *head[1:]),
            _groups(group),
            range(1, 7),
        )
        for name, group in found.summary.items()
        if name.startswith("by_")
    ]
    return el(
        "figure",
        el("figcaption", KINDS[kind]),
        scrolling(_cloud(kind, found), f"{KINDS[kind]}, predicted against measured"),
        details("The same as tables: errors by group", *tables),
    )


def _groups(groups: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name, *_errors(one)) for name, one in groups.items() if one["n"]]


def _cloud(kind: str, found: Validation) -> Html:
    """Return predicted over measured of every row, the quantities in units of their own (time or rate)."""
    rows = [row for row in found.rows if row["skipped"] is None and row["measured"] > 0 and row["predicted"] > 0]
    families = _families(rows)
    values = [math.log10(row[key]) for row in rows for key in ("measured", "predicted")]
    low, high = math.floor(min(values) * 2) / 2, math.ceil(max(values) * 2) / 2
    frame = Frame(LEFT, TOP, SIZE, SIZE, low, high, low, high, "")
    parts = [_band(frame), axes(frame, "measured", "predicted"), _diagonal(frame)]
    for place, (_, members) in enumerate(families):
        spots = [frame.place(row["measured"], row["predicted"]) for row in members]
        shape = shape_of(place) if len(rows) < 1000 else "dot"
        parts.append(marks(spots, shape, f"p c{place}"))
    shapes = (shape_of(place) if len(rows) < 1000 else "dot" for place in range(len(families)))
    keys = [(shape, f"p c{at}", name) for at, (shape, (name, _)) in enumerate(zip(shapes, families, strict=True))]
    parts.append(legend(keys, LEFT, 22.0, SIZE))
    desc = (
        f"{len(rows)} rows: mean error {found.summary['mean_abs']:.1%}, median {found.summary['median_abs']:.1%}. "
        f"The grey band is within {WITHIN:.0%}."
    )
    return picture(
        f"measured-{kind}",
        (SIZE + LEFT + 24, SIZE + TOP + 52),
        f"{KINDS[kind]}, predicted against measured",
        desc,
        parts,
    )


def _families(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return the rows by what was measured, the largest group first; beyond five, the rest together."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row["quantity"]).replace("_", " "), []).append(row)
    ordered = sorted(groups.items(), key=lambda pair: -len(pair[1]))
    if len(ordered) <= 6:
        return ordered
    return [*ordered[:5], ("others", [row for _, members in ordered[5:] for row in members])]


def _band(frame: Frame) -> Html:
    shift = [10.0 ** (frame.x_low - 1), 10.0 ** (frame.x_high + 1)]
    upper = [frame.place(x, x * (1 + WITHIN)) for x in shift]
    lower = [frame.place(x, x / (1 + WITHIN)) for x in reversed(shift)]
    corners: list[Point] = clipped([*upper, *lower], frame)
    return el("polygon", points=points(corners), class_="band")


def _diagonal(frame: Frame) -> Html:
    ends = [frame.place(10.0**x, 10.0**x) for x in (frame.x_low, frame.x_high)]
    return el("polyline", points=points(ends), class_="diagonal")
