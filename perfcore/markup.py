"""HTML, written so that nothing of a user's file can become markup: text is escaped unless it is ``Html`` already."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["Html", "details", "el", "join", "scrolling", "section", "table"]


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


EMPTY = Html("")
VOID = ("input", "meta", "link", "br", "path", "rect", "circle", "line", "polygon", "polyline", "use")
# In SVG a shape without children may close itself; in HTML an empty element may not.
SELF_CLOSED = ("path", "rect", "circle", "line", "polygon", "polyline", "use")


def el(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Return an element; ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``; None is left out.

    >>> el("p", "1 < 2 ", el("b", "so"), class_="note", hidden=True, id=None)
    '<p class="note" hidden>1 &lt; 2 <b>so</b></p>'
    """
    said = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in VOID and not children:
        return Html(f"<{name}{said}/>" if name in SELF_CLOSED else f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(children)}</{name}>")


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def join(parts: Iterable[Any], between: str = "") -> Html:
    """Return parts one after another, those that are plain text escaped; None is left out."""
    each = (part if isinstance(part, Html) else escape(str(part)) for part in parts if part is not None)
    return Html(escape(between).join(each))


def table(
    caption: Any, head: Sequence[Any], rows: Iterable[Sequence[Any]], right: Iterable[int] = (), name: str = ""
) -> Html:
    """Return a table in a box that scrolls on a narrow screen; the first cell of a row is its heading.

    An empty caption or head is left out; ``name`` says what the box holds where the caption does not.
    """
    flush = set(right)
    top = el("tr", *(el("th", cell, scope="col", class_="n" if at in flush else None) for at, cell in enumerate(head)))
    body = (el("tr", *_cells(row, flush)) for row in rows)
    said = el("caption", caption) if caption else None
    whole = el("table", said, el("thead", top) if head else None, el("tbody", *body))
    return scrolling(whole, name or str(caption))


def _cells(row: Sequence[Any], flush: set[int]) -> list[Html]:
    first = el("th", row[0], scope="row", class_="n" if 0 in flush else None)
    return [first, *(el("td", cell, class_="n" if at in flush else None) for at, cell in enumerate(row[1:], 1))]


def scrolling(whole: Html, name: str) -> Html:
    """Return something wide in a box that scrolls, by keyboard too."""
    return el("div", whole, class_="wide", tabindex="0", role="region", aria_label=name)


def details(summary: Any, *children: Any, **attributes: Any) -> Html:
    """Return what opens at a click."""
    return el("details", el("summary", summary), *children, **attributes)


def section(name: str, title: str, *children: Any) -> Html:
    """Return a section of the page with its heading."""
    return el("section", el("h2", title, id=f"{name}-title"), *children, id=name, aria_labelledby=f"{name}-title")
