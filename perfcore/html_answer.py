"""Any answer as HTML for notebooks, by its JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from perfcore.display import Table, number, text_table
from perfcore.html_lines import html_of
from perfcore.terms import TERMS

__all__ = ["NOT_ADVICE", "answer_html"]

NOT_ADVICE = "Analysis, not legal advice."
MODEL = "A model of analysis, not a measurement and not legal advice."
NOTES = ("note", "caveat")
# How a name says its unit, the longest ending first.
UNITS = {
    "_mtr_mm2": "10^6/mm2",
    "_usd_mm2": "USD/mm2",
    "_gb_s_mm2": "GB/s/mm2",
    "_per_billion": "1/10^9",
    "_per_cm2": "1/cm2",
    "_billion": "10^9",
    "_petaflops": "PFLOP/s",
    "_tflops": "TFLOP/s",
    "_gb_s": "GB/s",
    "_mm2": "mm2",
    "_usd": "USD",
    "_ft3": "ft3",
    "_kw": "kW",
}


def answer_html(title: str, document: Mapping[str, Any], note: str = MODEL) -> str:
    """Return any answer by its JSON: numbers with their units, lists of rows as tables, sentences as lines.

    >>> "<td>450 mm2</td>" in answer_html("A design", {"applicable_die_area_mm2": 450.0})
    True
    """
    notes = [str(document[key]) for key in NOTES if document.get(key)]
    several = {key: value for key, value in document.items() if _is_list_of(Mapping, value)}
    said = {key: value for key, value in document.items() if _is_list_of(str, value) and " " in "".join(value)}
    alone = {key: value for key, value in document.items() if key not in (*several, *said, *NOTES)}
    lines = [title, text_table((), _flat(alone))]
    for key, rows in several.items():
        lines += [f"  {key.replace('_', ' ')}", _rows(rows)]
    for key, sentences in said.items():
        lines += [f"  {key.replace('_', ' ')}", *(f"    {sentence}" for sentence in sentences)]
    return html_of(lines, *notes, note)


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, kind) for one in value)


def _rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    head = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(name, row.get(name)) for name in head] for row in rows]
    right = [at for at, name in enumerate(head) if not any(isinstance(row.get(name), str) for row in rows)]
    named = [f"{label} [{unit}]" if unit else label for label, unit in map(_named, head)]
    return text_table(named, cells, right, indent="    ")


def _flat(document: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return names and values; a table within another one under both names."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        label, unit = _named(name)
        if isinstance(value, Mapping) and not _is_interval(value):
            found += _flat(value, f"{before}{label}{f' [{unit}]' if unit else ''}: ")
        elif value != "":
            found.append((before + label, f"{_cell(name, value)} {'' if value is None else unit}".strip()))
    return found


def _named(name: str) -> tuple[str, str]:
    """Return the label and the unit of a name, which ends in its unit unless the vocabulary has it.

    >>> _named("tpp"), _named("rack_volume_ft3"), _named("k")
    (('total processing performance', 'bit x TOPS'), ('rack volume', 'ft3'), ('k', ''))
    """
    term = TERMS.get(name)
    ending = next((one for one in UNITS if name.endswith(one)), "")
    label = (term.label if term else "") or name.removesuffix(ending).replace("_", " ")
    return label, (term.unit if term else "") or UNITS.get(ending, "")


def _is_interval(value: Mapping[str, Any]) -> bool:
    return set(value) == {"low", "high"}


def _cell(name: str, value: Any) -> str:
    if isinstance(value, Mapping) and not _is_interval(value):
        return "; ".join(f"{_named(key)[0]} {_cell(key, one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_cell(name, one) for one in value) or "none"
    if value is None or name == "year":
        return "-" if value is None else str(value)
    return number(value)
