"""What the commands share: printing JSON, completing names, reading facts."""

import json
import sys
from typing import Any

import click

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
