"""What a claims file may hold, and the check of a document against it: all problems at once."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from perfcore.errors import suggestion
from perfcore.rule_schema import COMPARISONS
from perfcore.schema import Problem, number_problem, shown
from perfcore.terms import MARKS

OUTCOMES = ("holds", "fails", "undetermined")
BOUNDS = COMPARISONS

Check = Callable[[Any], str | None]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "a text that is not empty"


def _texts(value: Any) -> str | None:
    good = isinstance(value, list) and value and all(_text(word) is None for word in value)
    return None if good else "a list of texts"


def _day(value: Any) -> str | None:
    return None if type(value) is date else "a date, written 2024-01-31"


def _share(value: Any) -> str | None:
    good = is_number(value) and number_problem(value, zero=True) is None
    return None if good else "a number of 0 or more"


def _table(value: Any) -> str | None:
    return None if isinstance(value, dict) else "a table"


def _claimed(value: Any) -> str | None:
    if isinstance(value, bool) or _text(value) is None or is_number(value):
        return None
    if isinstance(value, list):
        return None if all(_text(word) is None for word in value) else "a list of texts"
    if isinstance(value, dict) and value and set(value) <= set(BOUNDS) and all(map(is_number, value.values())):
        return None
    return f"a number, a text, true or false, a list of texts, or a table of {', '.join(BOUNDS)}"


def is_number(value: Any) -> bool:
    """Whether a value of a file is a finite number.

    >>> is_number(Decimal("-0.5")), is_number(True), is_number("3")
    (True, False, False)
    """
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(allowed: tuple[str, ...]) -> Check:
    return lambda value: None if value in allowed else ", ".join(allowed)


_FILE = ("name", "note", "said_by", "claim", "group")
_SAYING: Mapping[str, Check] = {"source": _text, "locator": _text, "date": _text, "mark": _one_of(MARKS), "note": _text}
COMMON: Mapping[str, Check] = {
    "id": _text,
    "claim": _text,
    "said_by": _texts,
    "kind": _text,
    "value": _claimed,
    "tolerance": _share,
    "tolerance_absolute": _share,
    "because": _text,
    "outcome": _one_of(OUTCOMES),
    "why": _text,
    "note": _text,
}
_SPEED: Mapping[str, Check] = {
    "model": _text,
    "chip": _text,
    "chips": _share,
    "quantity": _text,
    "options": _table,
    "point": lambda value: None if isinstance(value, bool) else "true or false",
}
# What each kind of computation takes, and which of it it cannot do without.
KINDS: Mapping[str, Mapping[str, Check]] = {
    "quantity": {"chip": _text, "chips": _texts, "of": _one_of(("lowest", "highest")), "metric": _text, "path": _text}
    | {"link": _text},
    "status": {"chip": _text, "on": _day, "facts": _table},
    "heading": {"chip": _text, "on": _day, "facts": _table},
    "paragraph": {"chip": _text, "on": _day, "rule": _text, "paragraph": _text, "facts": _table},
    "paragraphs": {"chip": _text, "on": _day, "rule": _text, "facts": _table},
    "tests": {"chip": _text, "on": _day, "rule": _text, "paragraph": _text, "facts": _table},
    "threshold": {"rule": _text, "on": _day, "metric": _text, "paragraph": _text},
    "formula": {"formula": _text, "arguments": _table},
    "design": {"quantity": _text, "changes": _table},
    "training": _SPEED,
    "serving": _SPEED,
    "not_computed": {"needs": _text},
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "quantity": (),
    "status": ("chip", "on"),
    "heading": ("chip", "on"),
    "paragraph": ("chip", "on", "paragraph"),
    "paragraphs": ("chip", "on"),
    "tests": ("chip", "on", "rule", "paragraph"),
    "threshold": ("rule", "metric"),
    "formula": ("formula", "arguments"),
    "design": ("quantity",),
    "training": ("model", "chip", "chips", "quantity"),
    "serving": ("model", "chip", "chips", "quantity"),
    "not_computed": ("needs",),
}
# Kinds whose result is a number, and which so can stand among the arguments of a formula.
NUMERIC = ("quantity", "threshold", "formula", "design", "training", "serving")


def file_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with a claims document, but for what only its claims together can show."""
    found = [(key, _unknown(key, _FILE)) for key in document if key not in _FILE]
    if _text(document.get("name")) is not None:
        found.append(("name", f"found {shown(document.get('name', ''))}; say in words what the file gathers"))
    found += _sayings_problems(document.get("said_by", {}))
    for table in ("claim", "group"):
        found += _tables_problems(table, document.get(table, []), f"a list of tables, each written [[{table}]]")
    for place, group in enumerate(document.get("group", []) if not found else [], 1):
        rows = "a list of tables, each { id = ..., ... }"
        found += _tables_problems(f"group.{place}.claims", group.get("claims"), rows)
    return found


def _sayings_problems(said_by: Any) -> list[Problem]:
    if not isinstance(said_by, dict):
        return [("said_by", f"found {shown(said_by)}; allowed: tables, each written [said_by.NAME]")]
    found = []
    for name, saying in said_by.items():
        found += _entry_problems(saying, _SAYING, f"said_by.{name}")
        if isinstance(saying, dict) and "mark" not in saying:
            found.append((f"said_by.{name}", "mark is missing; give it"))
    return found


def _tables_problems(path: str, value: Any, allowed: str) -> list[Problem]:
    good = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return [] if good else [(path, f"found {shown(value)}; allowed: {allowed}")]


def _entry_problems(entry: Any, checks: Mapping[str, Check], path: str) -> list[Problem]:
    if not isinstance(entry, dict):
        return [(path, f"found {shown(entry)}; allowed: a table")]
    found = []
    for key, value in entry.items():
        if key not in checks:
            found.append((f"{path}.{key}", _unknown(key, checks)))
        elif (allowed := checks[key](value)) is not None:
            found.append((f"{path}.{key}", f"found {shown(value)}; allowed: {allowed}"))
    return found


def _unknown(key: str, known: Iterable[str]) -> str:
    return f"not a known key{suggestion(key, known) or '; the keys here are: ' + ', '.join(known)}"


def claim_problems(claim: Mapping[str, Any], path: str, said_by: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with one claim, the keys of its group filled in."""
    kind = str(claim.get("kind", ""))
    if kind not in KINDS:
        return [(path, f"kind: found {shown(kind)}; allowed: {', '.join(KINDS)}{suggestion(kind, KINDS)}")]
    found = _entry_problems(claim, {**COMMON, **KINDS[kind]}, path)
    needed = ["id", "said_by", "outcome", *NEEDED[kind], *(["value"] if kind != "not_computed" else [])]
    found += [(path, f"{key} is missing; give it") for key in needed if key not in claim]
    if found:
        return found
    found += _said_problems(claim, path, said_by) + _tolerance_problems(claim, path)
    if claim["outcome"] != "holds" and "why" not in claim:
        found.append((path, f"why is missing; say why it {_WORDS[claim['outcome']]}"))
    return found + computation_problems(claim, path)


_WORDS = {"fails": "fails", "undetermined": "cannot be decided"}


def _said_problems(claim: Mapping[str, Any], path: str, said_by: Mapping[str, Any]) -> list[Problem]:
    unknown = [name for name in claim["said_by"] if name not in said_by]
    here = f"{path}.said_by"
    return [
        (here, f"found {name!r}, which is no [said_by.{name}] of this file{suggestion(name, said_by)}")
        for name in unknown
    ]


def _tolerance_problems(claim: Mapping[str, Any], path: str) -> list[Problem]:
    given = [key for key in ("tolerance", "tolerance_absolute") if key in claim]
    if not given:
        return []
    if len(given) == 2:
        return [(f"{path}.tolerance", "stands beside tolerance_absolute; give one")]
    if not is_number(claim.get("value")):
        return [(f"{path}.{given[0]}", "only a claimed number has a tolerance; leave it out")]
    return [] if "because" in claim else [(path, f"because is missing; say why this {given[0]}")]


def computation_problems(computation: Mapping[str, Any], path: str) -> list[Problem]:
    """Return what is wrong with a computation, that of a claim or one among the arguments of a formula."""
    kind = computation["kind"]
    if kind == "quantity":
        return _quantity_problems(computation, path)
    if kind == "formula":
        return [p for name, a in computation["arguments"].items() for p in _argument(a, f"{path}.arguments.{name}")]
    return []


def _quantity_problems(computation: Mapping[str, Any], path: str) -> list[Problem]:
    found = []
    for several in (("chip", "chips"), ("metric", "path", "link")):
        if sum(key in computation for key in several) != 1:
            found.append((path, f"give one of {', '.join(several)}"))
    if ("chips" in computation) != ("of" in computation):
        found.append((path, "several chips need `of`, lowest or highest, and one chip none"))
    return found


def _argument(value: Any, path: str) -> list[Problem]:
    if is_number(value):
        return []
    if not isinstance(value, dict):
        return [(path, f"found {shown(value)}; allowed: a number, {{ low = , high = }}, or a table with a kind")]
    if set(value) == {"low", "high"}:
        good = is_number(value["low"]) and is_number(value["high"]) and value["low"] <= value["high"]
        return [] if good else [(path, "allowed: two numbers, low at most high")]
    kind = str(value.get("kind", ""))
    if kind not in NUMERIC:
        return [(path, f"kind: found {shown(kind)}; allowed among arguments: {', '.join(NUMERIC)}")]
    found = _entry_problems(value, {**KINDS[kind], "kind": _text}, path)
    found += [(path, f"{key} is missing; give it") for key in NEEDED[kind] if key not in value]
    return found or computation_problems(value, path)
