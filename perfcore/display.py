"""Rows as plain text and as HTML."""

from collections.abc import Iterable, Sequence
from html import escape


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), indent: str = "") -> str:
    """Lay rows out in columns; the columns in ``right`` are set flush right.

    >>> print(text_table(("chip", "TPP"), [("a", "4,992"), ("bb", "10")], right=[1]))
    chip    TPP
    a     4,992
    bb       10
    """
    cells = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    flush = set(right)
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        padded = [c.rjust(w) if n in flush else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table, everything escaped.

    >>> html_table(("a",), [("<b>",)])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


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
