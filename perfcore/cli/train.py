"""``perfcore train``."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import complete_chip, print_json, styled
from perfcore.display import Table, fields, text_table

if TYPE_CHECKING:
    from perfcore.training import Training

EPILOG = """\b
Examples:
  perfcore train llama3_405b --chip h100 --chips 16384 \\
      --global-batch 2048 --seq 8192
  perfcore train gpt3_175b --chip a100 --chips 1024 \\
      --tp 8 --pp 8 --dp 16 --global-batch 1536
  perfcore train path/to/config.json --chip h20 --chips 256 \\
      --seq 4096 --global-batch 512 --precision fp8
"""
DISCLAIMER = "A model of the step, not a measurement; docs/training.md says what it leaves out."
DEGREES = ("tp", "pp", "vp", "cp", "dp", "ep")


def _degree(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", type=click.IntRange(min=1), help=f"{what} (searched if not given).")


@click.command("train", epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.option("--chip", required=True, shell_complete=complete_chip, help="Chip of the catalogue, or a chip file.")
@click.option("--chips", "chips", required=True, type=int, help="Number of chips (packages).")
@click.option("--system", help="Node and network: of the catalogue, or a file. Default: that of the chip.")
@click.option("--software", help="Training software by era. Default: the newest for the chip.")
@click.option("--global-batch", type=int, help="Sequences a step. Default: the model's own.")
@click.option("--seq", type=int, help="Tokens a sequence. Default: the model's own.")
@click.option("--precision", help="bf16, fp16, tf32, fp8, fp8_current, mxfp8, nvfp4 ... Default: bf16.")
@click.option("--tokens", type=float, help="Tokens to train on: adds the days.")
@click.option("--micro-batch", type=click.IntRange(min=1), help="Sequences of a micro-batch (searched if not given).")
@_degree("tp", "Tensor-parallel ranks")
@_degree("pp", "Pipeline stages")
@_degree("vp", "Model chunks of a pipeline rank")
@_degree("cp", "Context-parallel ranks")
@_degree("dp", "Data-parallel ranks")
@_degree("ep", "Expert-parallel ranks")
@click.option("--recompute", type=click.Choice(["none", "selective", "full"]), help="Activations done again.")
@click.option("--shard", type=click.IntRange(0, 3), help="ZeRO stage: 0, 1, 2, or 3 (FSDP).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(model: str, as_json: bool, **options: Any) -> None:
    """Predict a training step of MODEL (catalogue id or Hugging Face config.json) on N chips.

    Whatever of the plan is not given is searched exhaustively; the fastest plan that fits in memory wins.
    """
    from perfcore.training import train

    chip, count = options.pop("chip"), options.pop("chips")
    found = train(model, chip, count, progress=_progress if sys.stderr.isatty() else _plain_progress, **options)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(lines_of(found)))


def _progress(said: str) -> None:
    """Show what the search waits for on one line of a terminal, cleared when it is done."""
    click.echo(f"\r\033[K{said}", nl=False, err=True)


def _plain_progress(said: str) -> None:
    if said.startswith("compiling"):
        click.echo(f"perfcore: {said}", err=True)


def lines_of(found: "Training") -> list[str]:
    """Return an answer in lines."""
    lines = [
        styled(f"{found.model} on {found.chips:,} x {found.chip}", bold=True),
        fields(_figures(found), width=16),
        *("", "plan", "  " + plan_text(found.plan)),
        *("", "where the time goes", text_table(("", "s", "%"), _parts(found), right=[1, 2], indent="  ")),
        *("", sensitivity_table(found.sensitivities)),
        *("", f"next-best of {found.configs_evaluated:,} legal plans ({found.search_s:.2f} s)"),
        _alternatives(found) if found.alternatives else "  none that fits",
    ]
    lines += ["", "assumed", *(f"  {sentence}" for sentence in found.assumptions), "", DISCLAIMER]
    return lines


def _figures(found: "Training") -> list[tuple[str, str]]:
    low, high = found.step_time_interval_s
    rate = f"{found.model_tflops_per_chip:,.0f}"
    over = "" if found.fits else ": does not fit"
    rows = [
        ("step time", f"{found.step_time_s:.4g} s   (80 % interval {low:.4g} to {high:.4g} s)"),
        ("rests on", _words(found.evidence)),
        ("throughput", f"{found.tokens_per_s:,.0f} tokens/s, {found.tokens_per_s_per_chip:,.0f} a chip"),
        ("utilisation", f"MFU {found.mfu:.1%}, HFU {found.hfu:.1%}, {rate} model TFLOP/s a chip"),
        ("memory", f"{found.memory_gb_per_chip:,.1f} of {found.memory_capacity_gb:,.0f} GB a chip{over}"),
        ("binds", found.binding),
    ]
    if found.days is not None:
        rows.append(("time to train", f"{found.days:,.1f} days without interruptions"))
    return rows


def _alternatives(found: "Training") -> Table:
    rows = [
        (f"{one['step_time_s']:.4g}", f"{one['memory_gb_per_chip']:.1f}", plan_text(one["plan"]))
        for one in found.alternatives
    ]
    text = "\n".join(f"  {step:>9} s {memory:>6} GB  {plan}" for step, memory, plan in rows)
    return Table(text, ("step, s", "GB a chip", "plan"), rows, right=[0, 1])


def sensitivity_table(sensitivities: dict[str, float]) -> Table:
    """Lay out by how much one percent more of each input changes a step."""
    head = ("one percent more of", "changes the step by %")
    rows = [(name, f"{change:+.2f}") for name, change in sensitivities.items()]
    lines = [f"{head[0]:30}{head[1]}", *(f"  {name:27} {change}" for name, change in rows)]
    return Table("\n".join(lines), head, rows, right=[1])


def _words(evidence: str) -> str:
    return {
        "known": "chip and software with published step times",
        "new_software": "no published step times of this software",
        "new_chip": "no published step times of this chip",
    }[evidence]


def plan_text(plan: dict[str, Any]) -> str:
    """Return a plan on one line.

    >>> plan_text({"tp": 8, "pp": 1, "vp": 1, "cp": 1, "dp": 4, "ep": 1, "micro_batch": 2, "micro_batches": 16,
    ...            "recompute": "none", "shard": 1, "sequence_parallel": True, "embedding_counts_as_layer": False})
    'tp 8, dp 4, micro-batch 2 x 16, ZeRO 1, sequence parallel'
    """
    words = [f"{name} {plan[name]}" for name in DEGREES if plan[name] > 1]
    words.append(f"micro-batch {plan['micro_batch']} x {plan['micro_batches']}")
    if plan["recompute"] != "none":
        words.append(f"recompute {plan['recompute']}")
    words.append(f"ZeRO {plan['shard']}")
    if plan["sequence_parallel"]:
        words.append("sequence parallel")
    if plan["embedding_counts_as_layer"]:
        words.append("one layer fewer on first and last stage")
    return ", ".join(words)


def _parts(found: "Training") -> list[tuple[str, str, str]]:
    from perfcore.spoken import LABELS

    rows = sorted(found.breakdown_s.items(), key=lambda pair: -pair[1])
    shown = [(name, value) for name, value in rows if value > 5e-4 * found.step_time_s]
    return [(LABELS[f"{name}_s"], f"{value:.4g}", f"{value / found.step_time_s:.1%}") for name, value in shown]
