"""Predicted against measured: every published training step, serving run and kernel that perfcore carries."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from perfcore.markup import Html, details, el, scrolling, section, table
from perfcore.plots.shapes import Frame
from perfcore.report.chart import axes, legend, marks, picture, points, shape_of
from perfcore.validation import Validation, validate

__all__ = ["measured_section"]

KINDS = {
    "training": "Training steps",
    "inference": "Serving",
    "kernels": "Single kernels",
}
WIDE, HIGH, LEFT, TOP = 340.0, 260.0, 76.0, 62.0
UNITS = {
    "tokens_per_s": "tokens/s",
    "tokens_per_s_per_chip": "tokens/s/chip",
    "gelements_s": "10^9 elements/s",
    "gb_s": "GB/s",
}
MANY = 1000  # rows from which each is a dot
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
    figures = el("div", *map(_figure, KINDS, found.values()), class_="side")
    return section("measured", "Predicted against measured", intro, _summary(found), figures)


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
    """Return predicted over measured time of every row, by what was measured (a time or a rate)."""
    rows = [row for row in found.rows if row["skipped"] is None]
    families = _families(rows)
    measured = [math.log10(row["measured"]) for row in rows]
    off = max(abs(math.log10(1.0 + row["error"])) for row in rows) + 0.05
    frame = Frame(LEFT, TOP, WIDE, HIGH, math.floor(min(measured)), math.ceil(max(measured)), -off, off, "")
    many = len(rows) >= MANY
    parts = [
        _band(frame),
        axes(frame, "measured, in the unit of each sign", "predicted over measured time"),
        _even(frame),
    ]
    keys = []
    for place, (name, members) in enumerate(families):
        shape, css = "dot" if many else shape_of(place), f"p c{place}"
        parts.append(marks([frame.place(row["measured"], 1.0 + row["error"]) for row in members], shape, css))
        keys.append((shape, css, name))
    parts.append(legend(keys, LEFT, 14.0, WIDE))
    desc = (
        f"{len(rows)} rows: mean error {found.summary['mean_abs']:.1%}, median {found.summary['median_abs']:.1%}. "
        f"The grey band is within {WITHIN:.0%}."
    )
    size = (LEFT + WIDE + 16, TOP + HIGH + 52)
    return picture(f"measured-{kind}", size, f"{KINDS[kind]}: predicted over measured time", desc, parts)


def _families(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return the rows by what was measured, the largest group first; beyond five, the rest together."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_quantity(str(row["quantity"])), []).append(row)
    ordered = sorted(groups.items(), key=lambda pair: -len(pair[1]))
    if len(ordered) <= 6:
        return ordered
    return [*ordered[:5], ("others", [row for _, members in ordered[5:] for row in members])]


def _quantity(name: str) -> str:
    """Return the name of a column as words with a unit.

    >>> _quantity("step_time_s"), _quantity("tokens_per_s_per_chip")
    ('step time [s]', 'tokens/s/chip')
    """
    if name in UNITS:
        return UNITS[name]
    words, _, unit = name.rpartition("_")
    return f"{words.replace('_', ' ')} [{unit}]" if unit in ("s", "us", "ms") and words else name.replace("_", " ")


def _band(frame: Frame) -> Html:
    left, right = 10.0**frame.x_low, 10.0**frame.x_high
    upper = [frame.place(x, 1 + WITHIN) for x in (left, right)]
    lower = [frame.place(x, 1 / (1 + WITHIN)) for x in (right, left)]
    return el("polygon", points=points([*upper, *lower]), class_="band")


def _even(frame: Frame) -> Html:
    ends = [frame.place(10.0**x, 1.0) for x in (frame.x_low, frame.x_high)]
    return el("polyline", points=points(ends), class_="diagonal")
