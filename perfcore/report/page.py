"""The page: its sections in order, its style and script within it, and a policy that lets it load nothing else."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from perfcore import __version__
from perfcore.errors import PerfcoreError, suggestion
from perfcore.markup import Html, el
from perfcore.report.claimed import claims_section
from perfcore.report.entries import Entry, catalogue, own_designs
from perfcore.report.form import design_section
from perfcore.report.law import rules_section
from perfcore.report.map import map_section
from perfcore.report.matrix import matrix_section
from perfcore.report.measured import measured_section
from perfcore.report.numbers import documents_section, numbers_section
from perfcore.report.roofs import rooflines_section
from perfcore.report.stacked import stacking_section
from perfcore.result import NOTICE
from perfcore.rules import Rule, shipped, with_own

__all__ = ["SLOW", "Contents", "alone", "contents_of", "page", "policy", "slow_section"]

ASSETS = Path(__file__).parent / "assets"
TITLE = "perfcore: export-control thresholds on AI chips"


class _Slow(NamedTuple):
    """A section that takes seconds: its title, and what makes it."""

    title: str
    make: Callable[[], Html]


# Predictions of thousands of measurements, searches of plans, claims.
SLOW = {
    "measured": _Slow("Predicted against measured", measured_section),
    "stacking": _Slow("Stacking", stacking_section),
    "claims": _Slow("Public claims, recomputed", claims_section),
}


@dataclass(frozen=True)
class Contents:
    """What a page shows beside the catalogue: a user's own designs and rules; and what it leaves out."""

    own: tuple[Entry, ...] = ()
    rules: tuple[Rule, ...] = field(default_factory=shipped)
    without: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return every item of the page, the user's own first."""
        return (*self.own, *catalogue(), *catalogue("memory"))


def contents_of(designs: Iterable[Path] = (), rules: Iterable[Path] = (), without: Iterable[str] = ()) -> Contents:
    """Return what a page shows, from what a user gave.

    Raises
    ------
    PerfcoreError
        If a file is wrong, or a section is none of those that can be left out.
    """
    left_out = tuple(without)
    for name in left_out:
        if name not in SLOW:
            hint = suggestion(name, SLOW)
            raise PerfcoreError(f"--without: found {name[:60]!r}; allowed: {', '.join(SLOW)}{hint}")
    return Contents(own_designs(designs), with_own(tuple(rules)), left_out)


@cache
def slow_section(name: str) -> Html:
    """Return one of the sections that take seconds, made once."""
    return SLOW[name].make()


def page(contents: Contents, *, live: bool = False, today: date | None = None) -> str:
    """Return the page; ``live`` is the one that ``perfcore serve`` stands behind."""
    slow = [name for name in SLOW if name not in contents.without]
    parts = [
        design_section(contents.entries, live, today or date.today()),
        None if live else map_section(contents.entries),
        matrix_section(contents.entries),
        rules_section(contents.rules),
        rooflines_section(),
        *(_later(name) if live else slow_section(name) for name in slow),
        numbers_section(contents.entries),
        documents_section(),
    ]
    return _document([part for part in parts if part], live)


def _later(name: str) -> Html:
    """Return the place of a slow section, which the script of the live page fills."""
    title = SLOW[name].title
    link = el("a", "Show it alone", href=f"/section/{name}")
    waiting = el("p", "Being computed … ", link, class_="notice")
    heading = el("h2", title, id=f"{name}-title")
    return el("section", heading, waiting, id=name, aria_labelledby=f"{name}-title", data_later=name)


def _document(sections: Sequence[Html], live: bool) -> str:
    body = [
        el("a", "To the content", href="#content", class_="skip"),
        _patterns(),
        _header(sections),
        el("main", *sections, id="content"),
        el("footer", el("p", NOTICE), el("p", f"perfcore {__version__}. Times and rates are a model's answers.")),
        el("script", _asset("page.js")),
    ]
    head = [
        el("meta", charset="utf-8"),
        None if live else el("meta", http_equiv="Content-Security-Policy", content=policy()),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", TITLE),
        el("link", rel="icon", href="data:,") if live else None,
        el("style", _asset("page.css")),
    ]
    kind = "live" if live else "still"
    whole = el("html", el("head", *head), el("body", *body, class_=kind), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _header(sections: Sequence[Html]) -> Html:
    """Return the title and links to the sections; of a section that stands alone, to the whole page."""
    links = [] if len(sections) > 1 else [el("li", el("a", "The whole page", href="/"))]
    for part in sections if len(sections) > 1 else ():
        name = part.partition(' id="')[2].partition('"')[0].removesuffix("-title")
        title = part.partition("<h2")[2].partition(">")[2].partition("</h2>")[0]
        links.append(el("li", el("a", Html(title), href=f"#{name}")))
    intro = el(
        "p",
        "Does a chip cross a threshold of ECCN 3A090, since which date, by how much; what chips do at scale; and what "
        "each number rests on.",
    )
    return el("header", el("h1", TITLE), intro, el("nav", el("ul", *links), aria_label="Sections"))


def _patterns() -> Html:
    """Return the pattern of dots that pictures refer to; of no size, since what is not displayed cannot be used."""
    dot = el("circle", cx="3", cy="3", r="1.1")
    pattern = Html(el("pattern", dot, id="dots", width="9", height="9", class_="dots")).replace(
        "<pattern ", '<pattern patternUnits="userSpaceOnUse" ', 1
    )
    return el("svg", el("defs", Html(pattern)), width="0", height="0", aria_hidden="true", class_="defs")


@cache
def _asset(name: str) -> Html:
    return Html((ASSETS / name).read_text("utf-8"))


def policy(*, live: bool = False) -> str:
    """Return the content security policy: the page's own style and script by their hash, and no load from anywhere."""
    rules = [
        "default-src 'none'",
        f"style-src {_hash('page.css')}",
        f"script-src {_hash('page.js')}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if live:
        rules += ["connect-src 'self'", "img-src data:", "frame-ancestors 'none'"]
    return "; ".join(rules)


@cache
def _hash(name: str) -> str:
    digest = hashlib.sha256(_asset(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def alone(name: str) -> str:
    """Return a slow section as a page of its own, for browsers without script; its links lead to the whole page."""
    return _document([Html(slow_section(name).replace('href="#', 'href="/#'))], live=True)
