"""Stacking: how much of a cluster of one chip a cluster of another reaches."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from perfcore import chips
from perfcore.display import number
from perfcore.errors import PerfcoreError
from perfcore.markup import Html, details, el, scrolling, section, table
from perfcore.plots.shapes import Frame
from perfcore.report.chart import axes, legend, marks, picture, points, shape_of, text

__all__ = ["stacking_section"]

TARGET, MODEL = "h100:1024", "llama3_70b"
SUBSTITUTES = ("h800", "a800", "h20", "910c", "mi308x")
LEFT, TOP, WIDE, HIGH = 86.0, 84.0, 800.0, 480.0


def stacking_section() -> Html:
    """Return the curves of some substitutes."""
    found, left_out = _matched()
    chip, _, count = TARGET.partition(":")
    target = f"{int(count):,} {chips.load(chip).name}"
    intro = el(
        "p",
        f"How much of {target} in training {MODEL} a number of other chips reaches: both sides at their best plan, "
        "failures counted. A curve that stays under the line of the target says that no number of chips is enough. "
        "A model, not a measurement. ",
        *(f"Not shown: {said}. " for said in left_out),
    )
    rows = [_row(one) for one in found]
    head = ("substitute", "by peak", "really", "80 % interval", "ceiling", "at chips", "binds", "power ratio")
    summary = table(f"Substitutes for {target}, {MODEL}", head, rows, right=[1, 2, 3, 4, 5, 7])
    points_of = [_points(one) for one in found]
    drawn = scrolling(_curves(found, target), "Stacking curves")
    figure = el(
        "figure", el("figcaption", f"Stacking against {target}"), drawn, details("Curves as tables", *points_of)
    )
    return section("stacking", "Stacking", intro, figure, summary)


def _matched() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the answer for each substitute, and why one is left out."""
    from perfcore.stacking import match

    found, left_out = [], []
    for name in SUBSTITUTES:
        try:
            found.append(match(TARGET, name, MODEL).to_dict())
        except PerfcoreError as reason:
            left_out.append(f"{name} ({reason})")
    return found, left_out


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = one["chips_interval"]
    spread = "" if low is None and high is None else f"{_count(low)} to {_count(high)}"
    ratio = one.get("power_ratio")
    return (
        chips.load(one["with"]).name,
        _count(one["naive_chips"]),
        _count(one["chips"]),
        spread,
        f"{one['ceiling']:.2f}",
        _count(one.get("ceiling_chips")),
        str(one["binding"]),
        "" if ratio is None else f"{ratio:.2f}",
    )


def _count(chip_count: int | None) -> str:
    return "no number" if chip_count is None else f"{chip_count:,}"


def _points(one: Mapping[str, Any]) -> Html:
    head = ("chips", "of the target", "MFU", "goodput", "binds")
    rows = [
        (f"{p['chips']:,}", number(p["ratio"], 3), f"{p['mfu']:.1%}", f"{p['goodput']:.1%}", p["binding"])
        for p in one["curve"]
    ]
    return table(chips.load(one["with"]).name, head, rows, right=[0, 1, 2, 3])


def _curves(found: Sequence[Mapping[str, Any]], target: str) -> Html:
    every = [point for one in found for point in one["curve"]]
    wide = [math.log10(point["chips"]) for point in every]
    high = [math.log10(point["ratio"]) for point in every] + [0.0]
    x_low, x_high = float(math.floor(min(wide))), float(math.ceil(max(wide)))
    y_low, y_high = float(math.floor(min(high))), math.ceil(max(high) * 2) / 2
    frame = Frame(LEFT, TOP, WIDE, HIGH, x_low, x_high, y_low, y_high, "")
    parts = [axes(frame, "chips of the substitute", "useful tokens/s over those of the target")]
    y = frame.place(10.0**frame.x_low, 1.0)[1]
    parts.append(el("path", d=f"M{frame.left:.1f} {y:.1f}H{frame.right:.1f}", class_="diagonal"))
    parts.append(text(frame.left + 8, y - 11, "the target", "region", "start"))
    for place, one in enumerate(found):
        spots = [frame.place(point["chips"], point["ratio"]) for point in one["curve"]]
        parts.append(el("polyline", points=points(spots), class_=f"curve c{place}"))
        parts.append(marks(spots, shape_of(place), f"p c{place}"))
    keys = [(shape_of(at), f"p c{at}", chips.load(one["with"]).name) for at, one in enumerate(found)]
    parts.append(legend(keys, LEFT, 22.0, WIDE))
    said = "; ".join(f"{chips.load(one['with']).name}: {_count(one['chips'])} chips" for one in found)
    size = (LEFT + WIDE + 24, TOP + HIGH + 52)
    return picture("curves", size, f"Stacking against {target}", f"Chips that equal the target: {said}.", parts)
