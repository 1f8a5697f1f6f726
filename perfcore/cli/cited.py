"""What the commands that show one file of the catalogue share: every value with its source, and its rivals."""

from collections.abc import Iterable, Mapping
from typing import Any

from perfcore import evidence
from perfcore.display import number, text_table
from perfcore.quantity import interval_of, plain
from perfcore.terms import TERMS


def cited_values(item: evidence.Cited, values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the JSON of some values of a file, by path, and of its conflicts."""
    return {
        "values": [_value(item, path, value) for path, value in values],
        "conflicts": [_conflict(entry) for entry in item.document.get("conflict", ())],
    }


def _value(item: evidence.Cited, path: str, value: Any) -> dict[str, Any]:
    entry = evidence.entry_for(item, path) or {}
    return {
        "key": path,
        "value": _plain(value),
        "unit": TERMS[path.rpartition(".")[2]].unit,
        "mark": entry.get("mark"),
        "source": _source(entry.get("source")),
        "locator": entry.get("locator"),
        "note": entry.get("note"),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return plain(interval_of(value))


def _source(source: str | None) -> dict[str, str] | None:
    return {"id": source, **evidence.sources().get(source, {})} if source else None


def _conflict(entry: Mapping[str, Any]) -> dict[str, Any]:
    others = [
        {**other, "value": _plain(other["value"]), "source": _source(other.get("source"))} for other in entry["others"]
    ]
    return {
        "key": entry["key"],
        "reason": entry["reason"],
        "decision": entry.get("decision"),
        "others": others,
    }


def cited_lines(document: Mapping[str, Any]) -> list[str]:
    """Return the values, notes, conflicts and sources of a JSON document as lines."""
    rows = []
    for value in document["values"]:
        source = (value["source"] or {}).get("id", "")
        shown = number(value["value"])
        rows.append((value["key"], shown, value["unit"], value["mark"] or "", source, value["locator"] or ""))
    table = text_table(("value", "", "unit", "mark", "source", "where"), rows, right=[1], indent="  ")
    lines = ["", table, *_note_lines(document)]
    return [*lines, *_conflict_lines(document["conflicts"]), *_source_lines(document)]


def _note_lines(document: Mapping[str, Any]) -> list[str]:
    notes = dict.fromkeys(value["note"] for value in document["values"] if value["note"])
    return ["", "  notes:", *(f"    {note}" for note in notes)] if notes else []


def _conflict_lines(conflicts: list[dict[str, Any]]) -> list[str]:
    lines = ["", "  chosen over:"] if conflicts else []
    for conflict in conflicts:
        for other in conflict["others"]:
            note = f" ({other['note']})" if other.get("note") else ""
            source = f", {other['source']['id']}" if other["source"] else ""
            lines.append(f"    {conflict['key']}: {number(other['value'])}{note}{source}")
        lines.append(f"      because: {conflict['reason']}")
        if conflict["decision"]:
            lines.append(f"      decision: {conflict['decision']}")
    return lines


def _source_lines(document: Mapping[str, Any]) -> list[str]:
    used = {value["source"]["id"]: value["source"] for value in document["values"] if value["source"]}
    used |= {o["source"]["id"]: o["source"] for c in document["conflicts"] for o in c["others"] if o["source"]}
    if not used:
        return []
    return [
        "",
        "  sources:",
        *(f"    {name}: {s.get('title')}. {s.get('address')} ({s.get('date')})" for name, s in used.items()),
    ]
