"""Public claims, recomputed, with their outcomes."""

from collections import Counter
from typing import Any

from perfcore.markup import Html, details, el, join, scrolling, section
from perfcore.report.numbers import source_link

__all__ = ["claims_section"]

SIGNS = {"fails": "✗", "undetermined": "?", "holds": "✓"}  # in the order they are shown


def claims_section() -> Html:
    """Return every claim with who said it, what was computed and why."""
    from perfcore import claims

    found = [claims.judge(claim).to_dict() for claim in claims.shipped().values()]
    found.sort(key=lambda one: list(SIGNS).index(one["outcome"]))
    counts = Counter(one["outcome"] for one in found)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in SIGNS)
    intro = el(
        "p",
        f"{len(found)} claims made in public, each recomputed: {said}. Holds and fails speak of the numbers perfcore "
        "has; an outcome is no judgement of the source.",
    )
    outcomes = el(
        "select",
        el("option", "any outcome", value=""),
        *(el("option", outcome, value=outcome) for outcome in SIGNS),
        id="claims-outcome",
    )
    words = el("input", id="claims-text", type="search", placeholder="h20, link, yield …", autocomplete="off")
    fields = (
        el("label", "Words ", words, for_="claims-text"),
        el("label", "Outcome ", outcomes, for_="claims-outcome"),
    )
    form = el("form", *fields, class_="filters js", role="search", aria_label="Filter the claims")
    count = el("p", f"{len(found)} shown", id="claims-count", role="status", aria_live="polite", class_="js")
    return section("claims", "Public claims, recomputed", intro, form, count, _table(found))


def _table(found: list[dict[str, Any]]) -> Html:
    head = (el("th", cell, scope="col") for cell in ("claim", "outcome", "computed and claimed", "who said it"))
    caption = el("caption", "Claims with what was computed")
    body = el("tbody", *map(_row, found))
    whole = el("table", caption, el("thead", el("tr", *head)), body, id="claims-table")
    return scrolling(whole, "Claims")


def _row(one: dict[str, Any]) -> Html:
    outcome = one["outcome"]
    sign = el("span", SIGNS.get(outcome, ""), aria_hidden="true")
    more = [one["says"], one.get("why"), *one.get("steps", ()), one.get("note")]
    steps = [str(each) for each in more[1:] if each]
    why = details(more[0], el("ul", *(el("li", each) for each in steps))) if steps else el("span", more[0])
    words = f"{one['id']} {one['claim']} {one['source'].get('id', '')}".lower()
    return el(
        "tr",
        el("th", one["claim"], scope="row", id=f"claim-{one['id']}"),
        el("td", el("span", sign, f" {outcome}", class_=f"s {outcome}")),
        el("td", why),
        el("td", join((_said_by(each) for each in one.get("sources") or [one["source"]]), "; ")),
        data_words=words,
        data_states=outcome,
    )


def _said_by(source: dict[str, Any]) -> Html:
    """Return who said it, with the place; the document stands at the end of the page."""
    said = source_link(source["id"]) if source.get("id") else el("span", source.get("title", ""))
    where = ", ".join(str(source[key]) for key in ("locator", "date") if source.get(key))
    return el("span", said, f": {where}" if where else "")
