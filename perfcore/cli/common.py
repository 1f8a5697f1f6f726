"""What the commands share: printing JSON, completing names, reading facts."""

import json
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from perfcore.errors import PerfcoreError
from perfcore.terms import FACTS

STATUS_STYLE = {
    "controlled": {"fg": "red", "bold": True},
    "excluded": {"fg": "yellow", "bold": True},
    "not_controlled": {"fg": "green", "bold": True},
    "undetermined": {"fg": "magenta", "bold": True},
}


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def styled_status(status: str) -> str:
    """Return a status in words, coloured on a terminal."""
    return styled(status.replace("_", " "), **STATUS_STYLE[status])


def styled(text: str, **style: Any) -> str:
    """Return text in a style on a terminal, plain elsewhere."""
    return click.style(text, **style) if sys.stdout is not None and sys.stdout.isatty() else text


def complete_chip(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Complete the names of the catalogue, and files."""
    from click.shell_completion import CompletionItem

    from perfcore import chips

    names = [n for kind in ("chip", "memory") for n in chips.ids(kind) if n.startswith(incomplete.lower())]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def complete_rule(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the ids of rules."""
    from perfcore import rules

    return [name for name in rules.ids() if name.startswith(incomplete)]


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Complete the ids of models, and files."""
    from click.shell_completion import CompletionItem

    from perfcore import models

    names = [name for name in models.ids() if name.startswith(incomplete.lower())]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def read_facts(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs: numbers, LOW..HIGH, true or false, words.

    >>> read_facts(("tpp=4000..5000", "datacenter=true", "destination=CN"))
    {'tpp': {'low': Decimal('4000'), 'high': Decimal('5000')}, 'datacenter': True, 'destination': 'cn'}
    """
    facts: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not text.strip():
            raise PerfcoreError(f"--fact: found {pair[:60]!r}; allowed: NAME=VALUE, such as destination=cn")
        if name in facts:
            raise PerfcoreError(f"--fact: {name} is given twice")
        facts[name] = _value(text.strip(), FACTS[name].kind if name in FACTS else "word")
    return facts


def _value(text: str, kind: str) -> Any:
    if kind == "yes_no":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if kind == "number":
        low, dots, high = text.partition("..")
        return {"low": _decimal(low), "high": _decimal(high)} if dots else _decimal(text)
    return text.lower()


def _decimal(text: str) -> Any:
    try:
        if "_" in text or not text.isascii():
            raise InvalidOperation
        return Decimal(text.strip())
    except InvalidOperation:
        return text.strip()
