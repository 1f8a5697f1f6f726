"""Every number of every chip with its source, and the documents, one click away."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfcore import evidence
from perfcore.display import number
from perfcore.items import Item
from perfcore.markup import Html, details, el, join, scrolling, section
from perfcore.quantity import interval_of, plain
from perfcore.report.entries import STATUSES, Entry, versions
from perfcore.terms import MARKS, TERMS

__all__ = ["documents_section", "numbers_section", "outside", "source_link"]

# A place that can be gone to, within a text: an address, owner and name of a code store with a commit, a paper.
PLACES = re.compile(
    r"https?://[^\s<>\"]*[^\s<>\"),.;]"
    r"|github (?P<code>[\w.-]+/[\w.-]+)(?: (?P<commit>[0-9a-f]{7,40})\b)?"
    r"|arXiv (?P<paper>\d{4}\.\d{4,5})"
)
MEANS = {"estimate": "somebody's estimate", "recalled": "from memory; no document was found"}


def numbers_section(entries: Sequence[Entry]) -> Html:
    """Return a box for each item that opens to its numbers."""
    intro = el(
        "p",
        "Each number with its unit, how sure it is, the document and the place in it. Marks, the surest first: ",
        ", ".join(MARKS),
        ". ",
        "; ".join(f"{mark}: {means}" for mark, means in MEANS.items()),
        ".",
    )
    return section("numbers", "Every number and its source", intro, *map(_box, entries))


def _box(entry: Entry) -> Html:
    item = entry.item
    notes = dict.fromkeys(e["note"] for e in item.document.get("evidence", ()) if e.get("note"))
    parts = [_table(item), _readings(entry)]
    if notes:
        parts.append(el("ul", *(el("li", note) for note in notes), class_="notes"))
    parts += [_conflict(conflict) for conflict in item.document.get("conflict", ())]
    return details(item.name, el("p", el("code", item.id), class_="id"), *parts, id=entry.anchor)


def _readings(entry: Entry) -> Html | None:
    """Say which contested readings would change which answer, and from when."""
    found: dict[tuple[str, str], list[str]] = {}
    for version, contested in zip(versions(), entry.contested, strict=True):
        for one in contested:
            met = f" ({', '.join(one.outcome.certain)})" if one.outcome.certain else ""
            reading = f"{one.reading.replace('_', ' ')}, {one.says}"
            found.setdefault((reading, STATUSES[one.outcome.status][0] + met), []).append(str(version.effective))
    if not found:
        return None
    items = (el("li", f"{reading}: {said} from {', '.join(days)}") for (reading, said), days in found.items())
    return join((el("p", "Contested readings of the rule that would change the answer:"), el("ul", *items)))


def _table(item: Item) -> Html:
    """Return the numbers of an item; what neighbours rest on together is said once."""
    values = list(evidence.leaves(item.document))
    supports = [_support(item, path) for path, _ in values]
    rows = []
    for at, (path, value) in enumerate(values):
        shown = number(value if isinstance(value, bool | str) else _plain(value))
        unit = TERMS[path.rpartition(".")[2]].unit
        own = [el("th", path, scope="row"), el("td", shown, class_="n"), el("td", unit)]
        if at == 0 or supports[at] != supports[at - 1]:
            several = next((n for n, other in enumerate(supports[at:]) if other != supports[at]), len(supports) - at)
            mark, source, where = supports[at]
            span = several if several > 1 else None
            own += [el("td", cell, rowspan=span) for cell in (mark, source_link(source), where)]
        rows.append(el("tr", *own))
    head = (el("th", cell, scope="col") for cell in ("name", "value", "unit", "mark", "source", "where"))
    caption = f"Numbers of {item.name}"
    whole = el("table", el("caption", caption), el("thead", el("tr", *head)), el("tbody", *rows), class_="numbers")
    return scrolling(whole, caption)


def _support(item: Item, path: str) -> tuple[str, str, str]:
    """Return mark, source and place of a value."""
    entry = evidence.entry_for(item, path) or {}
    return str(entry.get("mark", "")), str(entry.get("source", "")), str(entry.get("locator", ""))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else plain(interval_of(value))


def _conflict(conflict: Mapping[str, Any]) -> Html:
    others = [
        join((number(_other(o["value"])), " (", o.get("note", "no note"), ", ", source_link(o.get("source")), ")"))
        for o in conflict["others"]
    ]
    chosen = el("strong", conflict["key"], " chosen over: ")
    decision = f" Decision: {conflict['decision']}" if conflict.get("decision") else ""
    return el("p", chosen, join(others, "; "), f". Because: {conflict['reason']}{decision}", class_="conflict")


def _other(value: Any) -> Any:
    return value if isinstance(value, bool | str) else _plain(value)


def source_link(source: str | None) -> Html:
    """Return a link to a document of the list, or the citation itself where it is in words."""
    if not source:
        return Html("")
    if source in evidence.sources():
        return el("a", source, href=f"#source-{source}")
    return el("span", source)


def documents_section() -> Html:
    """Return the documents of the catalogue."""
    items = [_document(*pair) for pair in sorted(evidence.sources().items())]
    intro = el("p", f"{len(items)} documents, by the name they are cited under.")
    return section("sources", "Documents", intro, el("dl", *items))


def _linked(address: str) -> Iterator[Html | str]:
    """Yield an address, every place of it that can be gone to as a link.

    >>> [part for part in _linked("arXiv 2104.04473; a letter") if part]
    ['<a href="https://arxiv.org/abs/2104.04473" rel="noreferrer noopener">arXiv 2104.04473</a>', '; a letter']
    """
    at = 0
    for found in PLACES.finditer(address):
        yield address[at : found.start()]
        yield outside(found[0], _where(found))
        at = found.end()
    yield address[at:]


def _where(found: re.Match[str]) -> str:
    if found["paper"]:
        return f"https://arxiv.org/abs/{found['paper']}"
    if found["code"]:
        return f"https://github.com/{found['code']}" + (f"/tree/{found['commit']}" if found["commit"] else "")
    return found[0]


def outside(said: str, address: str) -> Html:
    """Return a link that leaves the page; it tells the other side nothing of it."""
    return el("a", said, href=address, rel="noreferrer noopener")


def _document(source: str, document: Mapping[str, str]) -> Html:
    said = el(
        "dd",
        document.get("title", ""),
        ". ",
        *_linked(document.get("address", "")),
        f" ({document.get('date', 'no date')})",
    )
    return join((el("dt", source, id=f"source-{source}"), said))
