"""``perfcore models``."""

from typing import Any

import click

from perfcore import models as catalogue
from perfcore.cli.cited import cited_lines, cited_values
from perfcore.cli.common import complete_model, print_json, styled
from perfcore.display import number, text_table
from perfcore.formulas import transformer
from perfcore.models import ModelFile
from perfcore.speed_terms import MODEL_KEYS
from perfcore.terms import weakest

EPILOG = """\b
Examples:
  perfcore models
  perfcore models llama3_70b
  perfcore models path/to/config.json --json
"""
# Where a model's own training sequence is not known, its operations are shown at this one.
USUAL_SEQ = 4096.0


@click.command("models", epilog=EPILOG)
@click.argument("name", metavar="[ID_OR_FILE]", required=False, shell_complete=complete_model)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: str | None, as_json: bool) -> None:
    """List the language models of the catalogue, or show one: its shape, what follows from it, and every source.

    A model file and a config.json of Hugging Face are read too.
    """
    if name:
        model = catalogue.load(name)
        if as_json:
            print_json(as_document(model))
        else:
            click.echo("\n".join(lines_of(model)))
        return
    models = [catalogue.load(model_id) for model_id in catalogue.ids()]
    if as_json:
        print_json({"models": [_summary(model) for model in models]})
    else:
        click.echo(_table(models))


def _summary(model: ModelFile) -> dict[str, Any]:
    record = model.record
    marks = [entry["mark"] for entry in model.document.get("evidence", ()) if "mark" in entry]
    return {
        "id": model.id,
        "name": model.name,
        "vendor": model.document.get("vendor"),
        "aliases": list(model.document.get("aliases", ())),
        "parameters": transformer.parameters(record),
        "active_parameters": transformer.active_parameters(record),
        "mtp_parameters": transformer.mtp_parameters(record),
        "parameters_billion": model.parameters_billion,
        "active_parameters_billion": model.active_parameters_billion,
        "tokens_trillion": model.tokens_trillion,
        "seq": model.seq,
        "global_batch": model.global_batch,
        "max_seq": model.max_seq,
        "shape": record._asdict(),
        "weakest_mark": weakest(marks) if marks else None,
    }


def as_document(model: ModelFile) -> dict[str, Any]:
    """Return the JSON of one model: what follows from its shape, and every value with its source and its rivals."""
    given = [(key, value) for key, value in model.document.items() if key in MODEL_KEYS]
    return {
        **_summary(model),
        "flop_per_token": _operations(model),
        "assumptions": list(model.assumptions),
        **cited_values(model, given),
    }


def _operations(model: ModelFile) -> dict[str, float]:
    seq = model.seq or min(USUAL_SEQ, model.max_seq or USUAL_SEQ)
    return {
        "seq": seq,
        "matmul": transformer.matmul_flop_per_token(model.record),
        "mtp_matmul": transformer.mtp_matmul_flop_per_token(model.record),
        "attention_causal": transformer.attention_flop_per_token(model.record, seq, 1.0),
        "attention_full": transformer.attention_flop_per_token(model.record, seq, 0.0),
    }


def lines_of(model: ModelFile) -> list[str]:
    """Return an entry of the catalogue in lines."""
    document = as_document(model)
    lines = [styled(model.name, bold=True), f"  id: {model.id}"]
    if document["aliases"]:
        lines.append(f"  also found as: {', '.join(document['aliases'])}")
    if "note" in model.document:
        lines.append(f"  {model.document['note']}")
    lines += [f"  {line}" for line in _computed(document)]
    lines += [f"  assumed: {sentence}" for sentence in document["assumptions"]]
    return lines + cited_lines(document)


def _computed(document: dict[str, Any]) -> list[str]:
    """Say what follows from the shape, beside what is published."""
    operations = document["flop_per_token"]
    lines = [f"parameters: {_billion(document['parameters'])}{_published(document['parameters_billion'])}"]
    if document["shape"]["experts"]:
        said = _published(document["active_parameters_billion"])
        lines.append(f"active for one token: {_billion(document['active_parameters'])}{said}")
    if document["mtp_parameters"]:
        lines.append(f"beside them, to predict further tokens: {_billion(document['mtp_parameters'])}")
    giga = {key: number(value / 1e9) for key, value in operations.items()}
    lines.append(f"training operations of a token: {giga['matmul']} GFLOP in matrix multiplications")
    attention = f"{giga['attention_causal']} GFLOP in attention at {operations['seq']:,.0f} tokens, causal"
    return [*lines, f"  and {attention} ({giga['attention_full']} full)"]


def _billion(parameters: float) -> str:
    return f"{number(parameters / 1e9)} billion"


def _published(billion: float | None) -> str:
    return "" if billion is None else f" (published: {number(billion)})"


def _table(models: list[ModelFile]) -> str:
    head = ("id", "10^9 parameters", "active", "layers", "hidden", "seq", "weakest mark")
    rows = []
    for model in models:
        summary = _summary(model)
        counts = [number(summary[key] / 1e9, 4) for key in ("parameters", "active_parameters")]
        shape = [number(model.record.layers), number(model.record.hidden)]
        rows.append((model.id, *counts, *shape, number(model.seq), summary["weakest_mark"] or ""))
    return text_table(head, rows, right=[1, 2, 3, 4, 5])
