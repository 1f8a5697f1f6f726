"""Lines of text as HTML for notebooks: what is set in stands below, tables are tables, every text is escaped.

Colours are those of the notebook, light or dark; nothing is loaded. Long lists of sentences are folded.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from perfcore.display import Table
from perfcore.markup import Html, details, el, join, table

__all__ = ["html_of"]

FOLDED = 10  # sentences under a heading, above which they are folded
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
# Only what the colours and the type of a notebook do not bring: its own rules reach tables, so these name them twice.
STYLE = """
.perfcore{line-height:1.4;max-width:75em}
.perfcore p{margin:.3em 0}
.perfcore .title{font-weight:bold}
.perfcore .in{margin-left:1.2em}
.perfcore .note{font-size:smaller}
.perfcore summary{cursor:pointer}
.perfcore .wide{overflow:auto;max-height:44em;margin:.3em 0}
.perfcore table{border-collapse:collapse;margin:0;color:inherit}
.perfcore .wide table th,.perfcore .wide table td{text-align:left;vertical-align:top;color:inherit}
.perfcore .wide table th,.perfcore .wide table td{padding:.15em .7em .15em 0;white-space:normal;max-width:40em}
.perfcore .wide table th,.perfcore .wide table td{border:0;border-bottom:1px solid #8885}
.perfcore .wide table tbody th{font-weight:inherit;white-space:nowrap}
.perfcore .wide table .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
@media print{.perfcore .wide{max-height:none}}
"""


@dataclass
class _Node:
    """A line or a table, and what is set in below it."""

    indent: int
    said: str
    below: list["_Node"] = field(default_factory=list)


def html_of(lines: Iterable[str], *notes: str, bold: int = 1, folded: int = FOLDED) -> str:
    """Return lines of text, set in as a command prints them, as HTML; tables among them as tables.

    The first ``bold`` lines are the title; ``notes`` stand at the end in small type. More than ``folded`` sentences
    under a heading are folded.

    >>> html_of(["A title", "  1 < 2"]).partition("</style>")[2]
    '<p class="title">A title</p><p>1 &lt; 2</p></div>'
    """
    parts = list(_parts(lines))
    title = [el("p", said.strip(), class_="title") for said in parts[:bold]]
    body = [_shown(node, folded, True) for node in _outline(parts[bold:])]
    small = [el("p", note, class_="note") for note in notes]
    return str(el("div", el("style", Html(STYLE)), *title, *body, *small, class_="perfcore"))


def _parts(lines: Iterable[str]) -> Iterator[str]:
    """Yield tables whole, and of other text every line that says something, without a terminal's colours."""
    for line in lines:
        if isinstance(line, Table):
            yield line
        else:
            yield from (each for each in _COLOURS.sub("", line).split("\n") if each.strip())


def _outline(parts: Iterable[str]) -> list[_Node]:
    """Set each part below the last one that is less set in."""
    top = _Node(-1, "")
    path = [top]
    for part in parts:
        node = _Node(len(part) - len(part.lstrip(" ")), part)
        while path[-1].indent >= node.indent:
            path.pop()
        path[-1].below.append(node)
        if not isinstance(part, Table):
            path.append(node)
    return top.below


def _shown(node: _Node, folded: int, first: bool) -> Html:
    if isinstance(node.said, Table):
        return _table(node.said)
    said = node.said.strip()
    if not node.below:
        return el("p", said)
    heading = el("b", said) if first else said
    below = el("div", *(_shown(one, folded, False) for one in node.below), class_="in")
    if any(isinstance(one.said, Table) for one in node.below) or _count(node) <= folded:
        return join([el("p", heading), below])
    return details(heading, below)


def _count(node: _Node) -> int:
    return sum(1 + _count(one) for one in node.below)


def _table(laid: Table) -> Html:
    name = " ".join(filter(None, laid.head)) or "figures"
    return table("", laid.head, laid.rows, laid.right, name) if laid.rows else Html("")
