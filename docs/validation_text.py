"""Paragraphs, tables and verdicts of ``docs/validation.md``."""

import re
from collections.abc import Iterable, Sequence
from textwrap import fill

FIGURE = re.compile(r"[+-]?[0-9.,]*")


def prose(text: str) -> str:
    """Return a paragraph, or a point of a list, in lines of one width.

    >>> prose("- one  two")
    '- one two'
    """
    later = "  " if text.startswith("- ") else ""
    words = " ".join(text.split())
    return fill(words, 118, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, figures to the right."""
    body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    rules = ["---:" if body and all(FIGURE.fullmatch(row[i]) for row in body) else "---" for i in range(len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(head), rules, *body])


def judged(value: float, target: float) -> str:
    """Say whether a figure is at most its target.

    >>> judged(6.9, 7.0), judged(7.04, 7.0)
    ('met', '**missed**')
    """
    return "met" if value <= target else "**missed**"
