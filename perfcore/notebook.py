"""Results as HTML for notebooks: the lines that the command prints, their tables as tables, every text escaped.

A result asks for this module only when a notebook shows it. Colours are those of the notebook, light or dark; nothing is
loaded. Long lists of sentences are folded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from perfcore.display import Table, number, text_table
from perfcore.markup import Html, details, el, join, table
from perfcore.terms import TERMS

if TYPE_CHECKING:
    from perfcore.batch import BatchResult
    from perfcore.claims import Claim, Judged
    from perfcore.design import DesignSpace
    from perfcore.inference import Inference
    from perfcore.items import Item
    from perfcore.measure.figures import Measurement
    from perfcore.measure.verify import Verification
    from perfcore.models import ModelFile
    from perfcore.proposals import Comparison
    from perfcore.result import Verdict
    from perfcore.rooflines import Rooflines
    from perfcore.rules import Rule
    from perfcore.stacking import Match
    from perfcore.systems import System
    from perfcore.training import Training
    from perfcore.validation import Validation

NOT_ADVICE = "Analysis, not legal advice."
MODEL = "A model of analysis, not a measurement and not legal advice."
CATALOGUE = "Numbers as their sources print them; [mark] says how sure each is. Analysis, not legal advice."
FOLDED = 6  # sentences under a heading from which on they are folded
NOTES = ("note", "caveat")
# Only what the colours and the type of a notebook do not bring: its own rules reach tables, so these name them.
STYLE = """
.perfcore{line-height:1.4;max-width:75em}
.perfcore p{margin:.3em 0}
.perfcore .title{font-weight:bold}
.perfcore .in{margin-left:1.2em}
.perfcore .note{font-size:smaller}
.perfcore summary{cursor:pointer}
.perfcore .wide{overflow:auto;max-height:36em;margin:.3em 0}
.perfcore table{border-collapse:collapse;margin:0;color:inherit}
.perfcore th,.perfcore td{text-align:left;vertical-align:top;padding:.15em .7em .15em 0;color:inherit}
.perfcore th,.perfcore td{border:0;border-bottom:1px solid #8885;white-space:normal;max-width:40em}
.perfcore tbody th{font-weight:inherit}
.perfcore .n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
@media print{.perfcore .wide{max-height:none}}
"""


@dataclass
class _Node:
    """A line or a table, and what is set in below it."""

    indent: int
    said: str
    below: list["_Node"] = field(default_factory=list)


def html_of(lines: Iterable[str], *notes: str, bold: int = 1) -> str:
    """Return lines of text, set in as a command prints them, as HTML; tables among them as tables.

    The first ``bold`` lines are the title; ``notes`` stand at the end in small type.

    >>> html_of(["A title", "  1 < 2"]).partition("</style>")[2]
    '<p class="title">A title</p><p>1 &lt; 2</p></div>'
    """
    parts = list(_parts(lines))
    title = [el("p", said.strip(), class_="title") for said in parts[:bold]]
    body = [_shown(node, True) for node in _outline(parts[bold:])]
    small = [el("p", note, class_="note") for note in notes]
    return str(el("div", el("style", Html(STYLE)), *title, *body, *small, class_="perfcore"))


def _parts(lines: Iterable[str]) -> Iterator[str]:
    """Yield tables whole, and of other text every line that says something, without a terminal's colours."""
    for line in lines:
        if isinstance(line, Table):
            yield line
        else:
            yield from (each for each in click.unstyle(line).split("\n") if each.strip())


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


def _shown(node: _Node, first: bool) -> Html:
    if isinstance(node.said, Table):
        return _table(node.said)
    said = node.said.strip()
    if not node.below:
        return el("p", said)
    heading = el("b", said) if first else said
    below = el("div", *(_shown(one, False) for one in node.below), class_="in")
    if any(isinstance(one.said, Table) for one in node.below) or _count(node) <= FOLDED:
        return join([el("p", heading), below])
    return details(heading, below)


def _count(node: _Node) -> int:
    return sum(1 + _count(one) for one in node.below)


def _table(laid: Table) -> Html:
    return table("", laid.head, laid.rows, laid.right, name="table") if laid.rows else Html("")


def verdicts_html(verdicts: Sequence["Verdict"], timeline: bool) -> str:
    """Return a verdict, or a chip under every version of the rules, as ``perfcore check`` says it."""
    from perfcore.cli.check_text import legend, timeline_lines, verdict_lines
    from perfcore.result import NOTICE

    if not verdicts:
        return html_of(["No rule that perfcore carries speaks of this item."], NOTICE)
    asked = verdicts[-1].chip
    lines = timeline_lines(verdicts, asked) if timeline else verdict_lines(verdicts[0], asked)
    return html_of(lines, legend([verdicts]), NOTICE, bold=1 if timeline else 2)


def training_html(found: "Training") -> str:
    """Return a training step as ``perfcore train`` says it."""
    from perfcore.cli.train import lines_of

    return html_of(lines_of(found))


def inference_html(found: "Inference") -> str:
    """Return what serving takes as ``perfcore infer`` says it."""
    from perfcore.cli.infer import lines_of

    return html_of(lines_of(found))


def match_html(found: "Match") -> str:
    """Return how many of a chip equal others as ``perfcore match`` says it."""
    from perfcore.cli.match import lines_of

    return html_of(lines_of(found))


def rooflines_html(found: "Rooflines") -> str:
    """Return rooflines as ``perfcore roofline`` says them."""
    from perfcore.cli.roofline import lines_of

    names = [one.name for one in found.results]
    title = [f"Rooflines of {len(names)} chips and memories"] if len(names) > 1 else []
    return html_of([*title, *lines_of(found)], *(() if found.model is not None else (NOT_ADVICE,)))


def validation_html(found: "Validation") -> str:
    """Return the errors of predictions as ``perfcore validate`` says them."""
    from perfcore.cli.validate import lines_of

    title = f"{found.summary['n']:,} rows predicted and measured; the error is of time: predicted / measured - 1"
    return html_of([title, *lines_of(found.summary, found.rows)], "The predictions are those of a model.")


def claim_html(found: "Judged") -> str:
    """Return a claim that was recomputed as ``perfcore claims ID`` says it."""
    from perfcore.cli.claims import NOTICE, lines_of

    return html_of(lines_of(found), NOTICE, NOT_ADVICE, bold=2)


def said_html(claim: "Claim") -> str:
    """Return a claim that was not recomputed: what was said, and by whom."""
    from perfcore.cli.claims import source_lines

    sources = source_lines({"sources": claim.said, "same_source": None})
    lines = [claim.words, f"  claim {claim.id}: perfcore.claims.judge recomputes it", "", "said by", *sources]
    return html_of(lines, NOT_ADVICE)


def designs_html(found: "DesignSpace") -> str:
    """Return designs under a rule as ``perfcore design`` says them."""
    from perfcore.cli.design_text import lines_of

    return html_of(lines_of(found))


def item_html(item: "Item") -> str:
    """Return a chip, memory part, system or process as ``perfcore chips ID`` says it."""
    from perfcore.cli.chips import lines_of

    return html_of(lines_of(item), CATALOGUE)


def rule_html(rule: "Rule") -> str:
    """Return a rule as ``perfcore rules ID`` says it."""
    from perfcore.cli.rules import lines_of
    from perfcore.result import NOTICE

    return html_of(lines_of(rule), NOTICE)


def comparison_html(found: "Comparison") -> str:
    """Return a rule beside ECCN 3A090 as ``perfcore rules FILE --catalogue`` says it."""
    from perfcore.cli.rules import comparison_lines
    from perfcore.result import NOTICE

    return html_of(comparison_lines(found, found.rule), NOTICE)


def model_html(model: "ModelFile") -> str:
    """Return a language model as ``perfcore models ID`` says it."""
    from perfcore.cli.models import lines_of

    return html_of(lines_of(model), "Counts follow from the shape; [mark] says how sure each number of it is.")


def system_html(system: "System") -> str:
    """Return a system: how it joins chips, what was assumed of it, and every number of its file with its source."""
    from perfcore import evidence
    from perfcore.cli.cited import cited_lines, cited_values

    assumed = [f"  {sentence}" for sentence in system.assumptions]
    cited = cited_lines(cited_values(system, evidence.leaves(system.document)))
    return html_of([system.name, f"  id: {system.id}", *(["assumed", *assumed] if assumed else []), *cited], CATALOGUE)


def batch_html(found: "BatchResult") -> str:
    """Return how a run over a table ended."""
    from perfcore.cli.batch import ended
    from perfcore.result import NOTICE

    return html_of(ended(found), NOTICE)


def measurement_html(found: "Measurement | None", verification: "Verification | None" = None) -> str:
    """Return what was measured, or how far predictions lie from it, as ``perfcore measure`` says it."""
    from perfcore.cli.measure import result_lines

    return html_of(result_lines(found, verification))


def answer_html(title: str, document: Mapping[str, Any], note: str = MODEL) -> str:
    """Return any answer by its JSON: numbers with their units, lists of rows as tables.

    >>> "<td>450 mm2</td>" in answer_html("A design", {"applicable_die_area_mm2": 450.0})
    True
    """
    notes = [str(document[key]) for key in NOTES if document.get(key)]
    several = {key: rows for key, rows in document.items() if _is_table(rows)}
    alone = {key: value for key, value in document.items() if key not in (*several, *NOTES)}
    lines = [title, text_table((), _flat(alone))]
    for key, rows in several.items():
        head = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[_cell(row.get(name)) for name in head] for row in rows]
        right = [at for at, name in enumerate(head) if all(isinstance(row.get(name), int | float) for row in rows)]
        lines += [key.replace("_", " "), text_table([_named(name) for name in head], cells, right, indent="  ")]
    return html_of(lines, *notes, note)


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _flat(document: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return names and values; a table within another one under both names."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, Mapping) and not {"low", "high"} >= set(value):
            found += _flat(value, f"{before}{name.replace('_', ' ')}: ")
            continue
        unit = TERMS[name].unit if name in TERMS and value is not None else ""
        found.append((before + _label(name), f"{_cell(value)} {unit}".strip()))
    return found


def _label(name: str) -> str:
    return (TERMS[name].label if name in TERMS else "") or name.replace("_", " ")


def _named(name: str) -> str:
    """Return a heading with its unit."""
    unit = TERMS[name].unit if name in TERMS else ""
    return f"{_label(name)} [{unit}]" if unit else _label(name)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping) and not {"low", "high"} >= set(value):
        return "; ".join(f"{key.replace('_', ' ')} {_cell(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "none"
    return "-" if value is None else number(value)
