"""The design form: its numbers go to the engine behind ``perfcore serve``; the page itself decides nothing."""

import json
import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from perfcore import chips
from perfcore.markup import Html, el, join, section
from perfcore.quantity import plain
from perfcore.report.entries import STATUSES, Entry, versions
from perfcore.report.map import map_parts
from perfcore.terms import FACTS
from perfcore.verdict import METRICS, OTHER_METRICS

__all__ = ["design_section", "words_of"]

# What the form asks for: the fact, and from where to where its slider goes.
FIELDS = (
    ("tpp", 100.0, 200_000.0),
    ("applicable_die_area_mm2", 20.0, 5_000.0),
    ("io_bandwidth_gb_s", 10.0, 20_000.0),
    ("dram_bandwidth_gb_s", 20.0, 50_000.0),
    ("transistors_billion", 1.0, 1_000.0),
)
SHORT = {
    "tpp": "TPP",
    "applicable_die_area_mm2": "applicable die area",
    "io_bandwidth_gb_s": "I/O bandwidth",
    "dram_bandwidth_gb_s": "DRAM bandwidth",
    "transistors_billion": "transistors",
}
START = "h20"  # the chip whose numbers the form begins with
STEPS = 2000  # of a slider, on a logarithmic scale


def design_section(entries: Sequence[Entry], live: bool, today: date) -> Html:
    """Return the form with the map beside it; without an engine behind the page, a line that says where it works."""
    if not live:
        note = el(
            "p",
            "The form works only in ",
            el("code", "perfcore serve"),
            ", where the page asks perfcore for the verdict of each design; this file is a still page.",
            class_="notice",
        )
        return section("design", "A design of your own", note)
    intro = el("p", "Move a slider or write a number; leave a field empty where it is not known.")
    words = el("script", words_of(entries), type="application/json", id="words")
    said, *maps = map_parts(entries)
    verdict = el(
        "div",
        el("p", "Waiting for perfcore …", id="verdict-status", role="status", aria_live="polite", class_="js"),
        el("div", el("h3", "TPP against area"), *maps, said, id="map"),
        el("div", id="verdict-more"),
        id="verdict",
    )
    fields = (_start(entries), *(_number(*field) for field in FIELDS), _datacenter(), _day(today))
    form = el("form", *fields, id="form", class_="js", aria_label="A design")
    without = el("noscript", el("p", "The form needs JavaScript; the rest of the page does without.", class_="notice"))
    return section("design", "A design of your own", intro, without, el("div", form, verdict, class_="two"), words)


def _start(entries: Sequence[Entry]) -> Html:
    """Return a choice of chips whose numbers fill the form."""
    options = [el("option", e.item.name, value=e.anchor) for e in entries if e.item.kind == "chip"]
    first = next(e.anchor for e in entries if not e.own and e.item.id == chips.find(START, "chip"))
    select = el("select", el("option", "numbers of your own", value=""), *options, id="start", data_first=first)
    return el("p", el("label", "Start from ", for_="start"), select, class_="field")


def _number(name: str, low: float, high: float) -> Html:
    unit = FACTS[name].unit
    slider = el(
        "input",
        type="range",
        id=f"slider-{name}",
        min="0",
        max=STEPS,
        step="1",
        data_for=name,
        data_low=f"{math.log10(low):.6f}",
        data_high=f"{math.log10(high):.6f}",
        aria_label=f"{SHORT[name]}, slider",
    )
    field = el("input", type="text", inputmode="decimal", id=f"field-{name}", name=name, autocomplete="off", size="9")
    label = el("label", SHORT[name], el("small", f" [{unit}]"), for_=f"field-{name}", title=FACTS[name].label)
    return el("p", label, field, slider, class_="field")


def _datacenter() -> Html:
    choices = [("true", "yes"), ("false", "no"), ("", "unknown")]
    buttons = (
        el("label", el("input", type="radio", name="datacenter", value=value, checked=value == "true"), f" {words}")
        for value, words in choices
    )
    legend = el("legend", "designed or marketed for datacenters")
    return el("fieldset", legend, join(buttons, " "), class_="field")


def _day(today: date) -> Html:
    field = el("input", type="date", id="field-on", name="on", value=today.isoformat(), required=True)
    days = (
        el("button", str(v.effective), type="button", class_="day", data_day=v.effective.isoformat())
        for v in versions()
    )
    return el("p", el("label", "date", for_="field-on"), field, el("span", *days, class_="days"), class_="field")


def words_of(entries: Sequence[Entry]) -> Html:
    """Return what the script shows answers with: labels, units, words, and the numbers of chips, as JSON."""
    shown = (*METRICS, *OTHER_METRICS)
    document = {
        "labels": {name: term.label for name, term in FACTS.items()},
        "units": {name: FACTS[name].unit for name in shown},
        "statuses": {name: list(words) for name, words in STATUSES.items()},
        "chips": {entry.anchor: _facts(entry) for entry in entries if entry.item.kind == "chip"},
    }
    # "<" could end the element that holds it.
    return Html(json.dumps(document, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _facts(entry: Entry) -> dict[str, Any]:
    """Return what fills the form, and the name that perfcore knows the chip by where it is of the catalogue."""
    known = {name: plain(entry.value(name)) for name, _, _ in FIELDS}
    return {name: value for name, value in known.items() if value is not None} | {
        "datacenter": plain(entry.values["datacenter"]),
        "chip": None if entry.own else entry.item.id,
    }
