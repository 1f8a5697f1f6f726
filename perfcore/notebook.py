"""Results as HTML for notebooks: the lines that their commands print.

A result asks for this module only when a notebook shows it.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perfcore.html_answer import NOT_ADVICE
from perfcore.html_lines import html_of

if TYPE_CHECKING:
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
    from perfcore.tables.runs import BatchResult
    from perfcore.training import Training
    from perfcore.validation import Validation

CATALOGUE = "Numbers as their sources print them; [mark] says how sure each is. Analysis, not legal advice."


def verdicts_html(verdicts: Sequence["Verdict"], timeline: bool) -> str:
    """Return a verdict, or a chip under every version of the rules, as ``perfcore check`` says it."""
    from perfcore.cli.check_text import legend, timeline_lines, verdict_lines
    from perfcore.result import NOTICE

    if not verdicts:
        return html_of(["No rule that perfcore carries speaks of this item."], NOTICE)
    asked = verdicts[-1].chip
    lines = timeline_lines(verdicts, asked) if timeline else verdict_lines(verdicts[0], asked)
    # What stands beside the classification is an answer of its own: never folded.
    return html_of(lines, legend([verdicts]), NOTICE, bold=1 if timeline else 2, folded=sys.maxsize)


def training_html(found: "Training") -> str:
    """Return a training step as ``perfcore train`` says it."""
    from perfcore.cli.train import lines_of

    *lines, model = lines_of(found)
    return html_of(lines, model)


def inference_html(found: "Inference") -> str:
    """Return what serving takes as ``perfcore infer`` says it."""
    from perfcore.cli.infer import lines_of

    *lines, model = lines_of(found)
    return html_of(lines, model)


def match_html(found: "Match") -> str:
    """Return how many of a chip equal others as ``perfcore match`` says it."""
    from perfcore.cli.match import lines_of

    *lines, model = lines_of(found)
    return html_of(lines, model)


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

    *lines, model = lines_of(found)
    return html_of(lines, model)


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

    assumed = [f"  assumed: {sentence}" for sentence in system.assumptions]
    cited = cited_lines(cited_values(system, evidence.leaves(system.document)))
    return html_of([system.name, f"  id: {system.id}", *assumed, *cited], CATALOGUE)


def batch_html(found: "BatchResult") -> str:
    """Return how a run over a table ended."""
    from perfcore.cli.batch import ended, notice

    return html_of(ended(found), notice(found))


def measurement_html(found: "Measurement | None", verification: "Verification | None" = None) -> str:
    """Return what was measured, or how far predictions lie from it, as ``perfcore measure`` says it."""
    from perfcore.cli.measure import result_lines

    return html_of(result_lines(found, verification))
