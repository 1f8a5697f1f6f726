"""``perfcore infer``."""

from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import complete_chip, print_json, styled
from perfcore.cli.train import sensitivity_table
from perfcore.display import Table, fields, text_table

if TYPE_CHECKING:
    from perfcore.inference import Inference

EPILOG = """\b
Examples:
  perfcore infer deepseek_v3 --chip h800 --chips 32 \\
      --batch 128 --input 4096 --output 512
  perfcore infer llama3_70b --chip h20 --chips 8 \\
      --precision fp8 --input 2048 --output 256
  perfcore infer llama3_70b --chip h100 --chips 8 --time-per-token 0.03
  perfcore infer path/to/config.json --chip b200 --chips 4 \\
      --precision nvfp4 --tp 4
"""
DISCLAIMER = "A model of serving, not a measurement; docs/inference.md says what it leaves out."
LABELS = {
    "weights_s": "products with weights",
    "attention_s": "attention",
    "elementwise_s": "memory-bound kernels",
    "reduce_s": "all-reduce",
    "exchange_s": "experts' exchange, stages",
    "overhead_s": "host and gaps between kernels",
}
EVIDENCE = {
    "known": "engine and chip with published speeds",
    "new_chip": "no published speeds of this engine on this chip",
    "new_engine": "no published speeds of this engine",
}


@click.command("infer", epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.option("--chip", required=True, shell_complete=complete_chip, help="Chip of the catalogue, or a chip file.")
@click.option("--chips", "chips", required=True, type=int, help="Number of chips (packages).")
@click.option("--batch", type=int, help="Sequences decoding at once on all chips. Default: as many as fit.")
@click.option("--input", "input", type=int, help="Tokens of a prompt. Default: 1024.")
@click.option("--output", type=int, help="Tokens of an answer. Default: 1024.")
@click.option("--prefix", type=int, default=0, help="Tokens of the prompt that are in the cache already.")
@click.option("--time-per-token", type=float, help="Longest time per token [s]: finds the largest batch within it.")
@click.option("--precision", help="bf16, fp8, nvfp4, int8, int8_weights, int4_weights ... Default: bf16.")
@click.option("--kv-bits", type=int, help="Bits of an element of the KV cache: 16, 8 or 4. Default: the engine's.")
@click.option("--engine", help="Serving engine by era. Default: the newest known for the chip.")
@click.option("--system", help="Node and network: of the catalogue, or a file. Default: that of the chip.")
@click.option("--chunk", type=int, help="Most tokens of a step (chunked prefill). Default: the engine's.")
@click.option("--static", is_flag=True, help="Static batches: all prompts, then all answers.")
@click.option("--tp", type=click.IntRange(min=1), help="Tensor-parallel ranks (searched if not given).")
@click.option("--pp", type=click.IntRange(min=1), help="Pipeline stages (searched if not given).")
@click.option("--dp", type=click.IntRange(min=1), help="Replicas, or data-parallel attention (searched if not given).")
@click.option("--ep", type=click.IntRange(min=1), help="Expert-parallel ranks (searched if not given).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(model: str, as_json: bool, **options: Any) -> None:
    """Predict the serving of MODEL (catalogue id or Hugging Face config.json) on N chips.

    Time to the first token, time per token, throughput, memory and the largest batch. Whatever of the plan is not
    given is searched over every legal plan; the one with the most tokens a second wins.
    """
    from perfcore.inference import infer

    chip, count = options.pop("chip"), options.pop("chips")
    found = infer(model, chip, count, **options)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(lines_of(found)))


def lines_of(found: "Inference") -> list[str]:
    """Return an answer in lines."""
    parts = text_table(("", "ms", "%"), _parts(found), right=[1, 2], indent="  ")
    return [
        styled(f"{found.model} on {found.chips:,} x {found.chip}, {found.precision}", bold=True),
        fields(_figures(found), width=16),
        *("", "plan", "  " + plan_text(found.plan)),
        *("", "where the time of a step goes", parts),
        *("", sensitivity_table(found.sensitivities)),
        *("", f"next-best of {found.configs_evaluated:,} legal plans"),
        _alternatives(found) if found.alternatives else "  no other fits",
        *("", "assumed", *(f"  {sentence}" for sentence in found.assumptions)),
        *("", DISCLAIMER),
    ]


def _alternatives(found: "Inference") -> Table:
    rows = [
        (
            f"{one['tokens_per_s_per_chip']:,.1f}",
            _time(one["time_per_token_s"]),
            f"{one['batch']:,.6g}",
            plan_text(one["plan"]),
        )
        for one in found.alternatives
    ]
    lines = [f"  {rate:>10} tokens/s a chip, {each} a token, batch {batch}: {plan}" for rate, each, batch, plan in rows]
    return Table("\n".join(lines), ("tokens/s a chip", "each token", "batch", "plan"), rows, right=[0, 1, 2])


def _figures(found: "Inference") -> list[tuple[str, str]]:
    first, token, rate = (
        found.time_to_first_token_interval_s,
        found.time_per_token_interval_s,
        found.tokens_per_s_per_chip_interval,
    )
    prompt = f"{found.input:,} tokens in" + (f" ({found.prefix:,} cached)" if found.prefix else "")
    weights, cache, capacity = found.weights_gb_per_chip, found.kv_cache_gb_per_chip, found.memory_capacity_gb
    loaded = f"{_time(found.time_to_first_token_loaded_s)} under this load"
    alone = f"{_time(found.decode_step_s)} without new prompts"
    each = f"{found.tokens_per_s_per_chip:,.1f} a chip ({rate[0]:,.1f} to {rate[1]:,.1f})"
    return [
        ("load", f"{found.batch:,.6g} sequences at once, {prompt}, {found.output:,} out; {found.batching}"),
        ("first token", f"{_time(found.time_to_first_token_s)}   (80 % interval {_times(first)}); {loaded}"),
        ("each token", f"{_time(found.time_per_token_s)}   ({_times(token)}); {alone}"),
        ("a request", f"{_time(found.request_s)}, {found.tokens_per_s_per_request:,.1f} tokens/s"),
        ("throughput", f"{found.tokens_per_s:,.0f} output tokens/s, {each}"),
        ("rests on", EVIDENCE[found.evidence]),
        ("memory a chip", f"{weights:,.1f} GB weights + {cache:,.1f} GB KV cache of {capacity:,.0f}"),
        ("largest batch", f"{found.largest_batch:,.0f} sequences of this length under this plan"),
        ("binds", f"{found.binding}; the datasheet alone allows a step of {_time(found.roofline_step_s)}"),
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds >= 1.0 else f"{seconds * 1e3:.4g} ms"


def _times(ends: tuple[float, float]) -> str:
    return f"{_time(ends[0])} to {_time(ends[1])}"


def plan_text(plan: dict[str, int]) -> str:
    """Return a plan on one line.

    >>> plan_text({"tp": 8, "pp": 1, "dp": 4, "ep": 1}), plan_text({"tp": 1, "pp": 1, "dp": 1, "ep": 1})
    ('tp 8, dp 4', 'one chip')
    """
    return ", ".join(f"{name} {value}" for name, value in plan.items() if value > 1) or "one chip"


def _parts(found: "Inference") -> list[tuple[str, str, str]]:
    rows = sorted(found.breakdown_s.items(), key=lambda pair: -pair[1])
    whole = sum(found.breakdown_s.values())
    shown = [(name, value) for name, value in rows if value > 5e-4 * whole]
    return [(LABELS[name], f"{value * 1e3:.4g}", f"{value / whole:.1%}") for name, value in shown]
