"""Rooflines of chips that the rules are about, in the colours of the page."""

import re

from perfcore.display import number
from perfcore.markup import Html, details, el, scrolling, section, table
from perfcore.plots import inline_roofline
from perfcore.plots.shapes import COLOURS as OKABE_ITO
from perfcore.quantity import Interval
from perfcore.rooflines import Roofline, Rooflines, roofline

__all__ = ["rooflines_section", "themed"]

PICTURES = (
    ("NVIDIA's chips for China beside those they stand for", ("a100", "a800", "h100", "h800", "h20", "h200")),
    ("AMD, Huawei and others", ("mi300x", "mi308x", "910b1", "910c", "h20")),
)
# Colours that the writer of pictures fixes for paper, and the colours of the page in their place.
COLOURS = {"#ffffff": "var(--paper)", "#222222": "var(--ink)", "#e3e3e3": "var(--grid)", "#888888": "var(--muted)"}
COLOURS |= {colour: f"var(--c{place})" for place, colour in enumerate(OKABE_ITO[:6])}


def rooflines_section() -> Html:
    """Return the pictures with the same as tables."""
    intro = el(
        "p",
        "What a chip reaches at most, by operations for each byte moved: bandwidth times intensity up to the ridge "
        "point, the dense peak of a format beyond it. Export rules speak of the flat part; decoding is on the slope.",
    )
    figures = (_figure(place, title, roofline(*names)) for place, (title, names) in enumerate(PICTURES))
    return section("rooflines", "Rooflines", intro, *figures)


def _figure(place: int, title: str, found: Rooflines) -> Html:
    names = ", ".join(one.name for one in found.results)
    picture = themed(inline_roofline(found), f"roofline-{place}", f"Rooflines of {names}", _words(found))
    head = ("chip", "format", "dense peak [TFLOP/s]", "DRAM [GB/s]", "ridge [FLOP/B]")
    rows = [row for one in found.results for row in _rows(one)]
    fallback = details("The same as a table", table(title, head, rows, right=[2, 3, 4]))
    return el("figure", el("figcaption", title), scrolling(picture, title), fallback)


def _rows(one: Roofline) -> list[tuple[str, ...]]:
    memory = number(one.memory.bandwidth_gb_s, 4)
    return [
        (one.name, p.format, number(p.peak_dense_tflops, 4), memory, number(one.ridge_flop_per_byte.get(p.format), 4))
        for p in one.peaks
    ]


def _words(found: Rooflines) -> str:
    ridges = [f"{one.name} {number(ridge, 3)}" for one in found.results for ridge in _bf16(one)]
    return f"Ridge points in 16-bit formats, in operations for each byte: {', '.join(ridges)}."


def _bf16(one: Roofline) -> list[float | Interval]:
    return [one.ridge_flop_per_byte[form] for form in ("bf16", "fp16") if form in one.ridge_flop_per_byte][:1]


def themed(svg: str, name: str, title: str, desc: str) -> Html:
    """Return a picture for paper in the colours of the page, with a title and a description, without inline style."""
    named = f'<title id="{name}-t">{el("b", title)[3:-4]}</title><desc id="{name}-d">{el("b", desc)[3:-4]}</desc>'
    opening = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>')
    start = f'<svg viewBox="\\1" id="{name}" class="chart" role="img" aria-labelledby="{name}-t {name}-d">'
    shown = opening.sub(lambda found: start.replace("\\1", found[1]) + named, svg.strip(), count=1)
    for fixed, colour in COLOURS.items():
        shown = shown.replace(f'"{fixed}"', f'"{colour}"')
    return Html(shown)
