"""What the page asks: a design or a chip and a day, as JSON or as a query; the answer is that of ``perfcore check``."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from perfcore import chips
from perfcore.errors import PerfcoreError
from perfcore.fact_pairs import read_facts
from perfcore.items import Item, item_of
from perfcore.reader import parse_date
from perfcore.result import NOTICE
from perfcore.rules import Rule, effective_dates, shipped
from perfcore.schema import PACKAGE_METRICS
from perfcore.verdict import verdicts, with_facts

__all__ = ["MOST_BYTES", "answer", "read_json", "read_query"]

MOST_BYTES = 20_000
LONGEST_NAME = 80
MOST_FIELDS = 64
KEYS = {"on": str, "chip": str, "facts": dict}
IN_FILE = (*PACKAGE_METRICS, "datacenter")  # what a design file says at its top
DESIGN = Path("design.toml")


def read_json(raw: bytes) -> dict[str, Any]:
    """Read a question written as JSON; decimals stay exact.

    Raises
    ------
    PerfcoreError
        If it is not JSON, not an object, or holds something else than ``on``, ``chip`` and ``facts``.
    """
    try:
        found = json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except PerfcoreError:
        raise
    except (ValueError, RecursionError, ArithmeticError) as problem:
        said = str(problem).split("\n")[0][:120]
        raise PerfcoreError(f"body: this is not JSON in UTF-8 ({said}); send an object") from None
    if not isinstance(found, dict):
        raise PerfcoreError("body: found no object; allowed: an object with on, chip and facts")
    for key, value in found.items():
        if key not in KEYS:
            raise PerfcoreError(f"body: {key[:LONGEST_NAME]!r} is not a known key; the keys are: {', '.join(KEYS)}")
        if not isinstance(value, KEYS[key]):
            raise PerfcoreError(f"body: {key}: allowed: {'an object' if key == 'facts' else 'a text'}")
    return found


def _no_number(word: str) -> NoReturn:
    raise PerfcoreError(f"body: found {word}; allowed: numbers")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise PerfcoreError("body: a key is given twice; give it once")
    return found


def read_query(query: str) -> dict[str, Any]:
    """Read a question written as a query: ``on``, ``chip``, and facts by name.

    >>> read_query("chip=h20&on=2024-01-01&tpp=4000..5000")
    {'on': '2024-01-01', 'chip': 'h20', 'facts': {'tpp': '4000..5000'}}

    Raises
    ------
    PerfcoreError
        If a field is given twice, or there are too many.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as problem:
        raise PerfcoreError(f"query: {str(problem)[:120]}") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise PerfcoreError("query: a field is given twice; give it once")
    named: dict[str, Any] = {key: fields.pop(key) for key in ("on", "chip") if key in fields}
    return {**named, "facts": fields}


def answer(question: Mapping[str, Any], rules: tuple[Rule, ...] | None = None) -> dict[str, Any]:
    """Return the JSON document of ``perfcore check`` for a question.

    Without ``chip`` the facts are those of a design; without ``on`` there is an answer for every version of the rules,
    which are the shipped ones where none are given.

    >>> answer({"on": "2024-01-01", "facts": {"tpp": 4800, "applicable_die_area_mm2": "800"}})["results"][0]["status"]
    'controlled'

    Raises
    ------
    PerfcoreError
        If a name, fact or date is wrong.
    """
    facts = _facts(question.get("facts", {}))
    if "chip" in question:
        item, more = _chip(question["chip"]), facts
    else:
        item, more = _design(facts), {name: value for name, value in facts.items() if name not in IN_FILE}
    in_play = shipped() if rules is None else rules
    day = question.get("on")
    days = effective_dates(in_play, item.kind) if day is None else (parse_date(day, "on"),)
    found = verdicts(with_facts(item, more), days, in_play)
    return {"results": [verdict.to_dict() for verdict in found], "notice": NOTICE}


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read facts: numbers, intervals, yes or no, or text as after ``--fact``."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if len(name) > LONGEST_NAME or not name.isidentifier():
            raise PerfcoreError(f"facts: found {name[:LONGEST_NAME]!r}; allowed: the name of a fact, such as tpp")
        if value is None:
            continue  # unknown
        found[name] = (
            read_facts((f"{name}={value[:LONGEST_NAME]}",), "facts")[name] if isinstance(value, str) else value
        )
    return found


def _chip(name: str) -> Item:
    """Return a chip of the catalogue; no file is opened by a name that came over the network."""
    if len(name) > LONGEST_NAME:
        raise PerfcoreError(
            f"chip: found {len(name)} letters; allowed: a name of the catalogue, at most {LONGEST_NAME}"
        )
    return chips.load(chips.find(name))


def _design(facts: Mapping[str, Any]) -> Item:
    document = {"name": "A design", **{name: value for name, value in facts.items() if name in IN_FILE}}
    try:
        return item_of(document, DESIGN)
    except PerfcoreError as mistake:
        raise PerfcoreError([line.removeprefix(f"{DESIGN}: ") for line in mistake.lines]) from None
