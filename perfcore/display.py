"""Numbers and rows as plain text."""

from collections.abc import Iterable, Sequence
from typing import Self


class Table(str):
    """Rows laid out as text, which keep their cells: a notebook shows them as a table (``perfcore.notebook``)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int]

    def __new__(cls, text: str, head: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> Self:
        """Keep the cells beside the text; ``head`` is empty where the columns have no names."""
        table = super().__new__(cls, text)
        table.head, table.right = tuple(head), frozenset(right)
        table.rows = tuple(tuple(row) for row in rows)
        return table


def text_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), indent: str = ""
) -> Table:
    """Lay rows out in columns; the columns in ``right`` are set flush right, an empty ``head`` is left out.

    >>> print(text_table(("chip", "TPP"), [("a", "4,992"), ("bb", "10")], right=[1]))
    chip    TPP
    a     4,992
    bb       10
    """
    names, body = list(map(str, head)), [list(map(str, row)) for row in rows]
    cells = [names, *body] if names else body
    flush = set(right)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [c.rjust(w) if n in flush else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append((indent + "  ".join(padded)).rstrip())
    return Table("\n".join(lines), names, body, flush)


def fields(rows: Iterable[tuple[str, str]], width: int) -> Table:
    """Lay out labels and what they say; a label longer than ``width`` moves what it says along.

    >>> print(fields([("chips", "8"), ("tokens a second", "10")], 8))
      chips   8
      tokens a second   10
    """
    each = [(label, said) for label, said in rows]
    lines = [f"  {label:{width}}{said}" if len(label) < width else f"  {label}   {said}" for label, said in each]
    return Table("\n".join(lines), (), each)


def number(value: object, digits: int = 6) -> str:
    """Show a number, an interval or an unknown.

    >>> number(4992.0), number({"low": 600.0, "high": None}), number(None), number(2.90909)
    ('4,992', '600 or more', 'unknown', '2.90909')
    """
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        return f"{number(low, digits)} or more" if high is None else f"{number(low, digits)} to {number(high, digits)}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        rounded = f"{value:,.{digits}g}"
        return f"{value:,.0f}" if "e" in rounded else rounded
    return str(value)


def percent(value: float | None) -> str:
    """Show a relative distance with its sign.

    >>> percent(0.48), percent(-0.0909090)
    ('+48.0 %', '-9.09 %')
    """
    if value is None:
        return ""
    size = abs(value) * 100
    digits = 1 if size >= 10 else 2
    return f"{value * 100:+.{digits}f} %"
