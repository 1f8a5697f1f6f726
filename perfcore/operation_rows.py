"""The operations of prefill, decode and a training step of a model, one layer of each, on one rank of a group."""

from collections.abc import Callable
from dataclasses import dataclass

from perfcore.formulas.layer import GROUPED, attention_time, memory_bound
from perfcore.formulas.operations import (
    Operation,
    decode_attention,
    memory_operation,
    optimizer_count,
    prefill_attention,
    served_elementwise,
    served_product,
    trained_attention,
    trained_elementwise_count,
    trained_operation,
)
from perfcore.formulas.products import (
    Count,
    Product,
    absorbed_queries,
    absorbed_values,
    expert_down,
    expert_up,
    latent_down,
    latent_keys_values,
    latent_queries,
    logits,
    mlp_down,
    mlp_up,
    output_projection,
    query_key_value,
    routed_tokens,
    router,
)
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan, Software
from perfcore.formulas.sent import all_reduce, all_reduce_bytes, exchange, exchange_bytes
from perfcore.formulas.serving_layer import routed
from perfcore.formulas.states import stage_parameters
from perfcore.formulas.traffic import expert_traffic, tensor_traffic

__all__ = ["PHASES", "Bench", "Load", "Row", "rows_of"]

PHASES = ("prefill", "decode", "training")


@dataclass(frozen=True)
class Load:
    """What the operations work on: ``batch`` sequences decode, each with ``seq`` tokens; prompts are as long."""

    model: Model
    batch: int
    seq: int
    tp: int
    ep: int


@dataclass(frozen=True)
class Bench:
    """What the operations of a phase run on; peaks are those of the datasheet, of the format and of 16 bit."""

    load: Load
    plan: Plan
    machine: Machine
    peak_flop_s: float
    wide_flop_s: float
    formats: Formats
    engine: Engine
    soft: Software


@dataclass(frozen=True)
class Row:
    """One layer of an operation; ``wide`` says that it runs in 16 bit whatever the format.

    ``ranks`` are those that send to each other, 0 where its bytes cross DRAM.
    """

    name: str
    layers: float
    operation: Operation
    wide: bool = False
    ranks: float = 0.0


Maker = Callable[[Product, bool, float], Operation]  # of a product, whether in 16 bit, and 1.0 for experts


def rows_of(phase: str, bench: Bench) -> list[Row]:
    """Return the operations of a phase; those of no layer are left out."""
    found = {"prefill": _prefill, "decode": _decode, "training": _training}[phase](bench)
    return [row for row in found if row.layers > 0.0 and row.operation.time_s > 0.0]


def _projections(model: Model, plan: Plan, tokens: float, absorbed: bool, make: Maker) -> list[Row]:
    """Return the linear maps around attention; ``absorbed`` says MLA's decode, which never makes keys and values."""
    if model.kv_lora_rank == 0.0:
        named = [("query, key, value projection", query_key_value(model, plan, tokens), False)]
    else:
        named = [
            ("projection to latents", latent_down(model, plan, tokens), False),
            ("latent to queries", latent_queries(model, plan, tokens), False),
        ]
        if absorbed:
            named.append(("queries to latents", absorbed_queries(model, plan, tokens), True))
            named.append(("latents to values", absorbed_values(model, plan, tokens), True))
        else:
            named.append(("latent to keys and values", latent_keys_values(model, plan, tokens), False))
    named.append(("output projection", output_projection(model, plan, tokens), False))
    return [Row(name, model.layers, make(product, wide, 0.0), wide) for name, product, wide in named]


def _mlps(model: Model, plan: Plan, tokens: float, scored: float, make: Maker) -> list[Row]:
    """Return the products of dense MLPs, of shared and routed experts, and the router over ``scored`` tokens."""
    dense, moe = model.dense_layers, model.layers - model.dense_layers
    found = []
    for name, ffn, layers in (("MLP", model.ffn, dense), ("shared experts", model.shared_ffn, moe)):
        if ffn > 0.0:
            found.append(Row(f"{name} up", layers, make(mlp_up(model, plan, tokens, ffn), False, 0.0)))
            found.append(Row(f"{name} down", layers, make(mlp_down(model, plan, tokens, ffn), False, 0.0)))
    if moe > 0.0:
        own = routed(model, plan, tokens)
        shape = own.rows, own.chosen, own.width
        found.append(Row("router", moe, make(router(model, scored), True, 0.0), wide=True))
        found.append(Row("experts up", moe, make(expert_up(model, *shape), False, 1.0)))
        found.append(Row("experts down", moe, make(expert_down(model, *shape), False, 1.0)))
    return found


def _served(bench: Bench, tokens: float, heads_of: float, absorbed: bool, attention: Operation) -> list[Row]:
    """Return the operations of one pass of prefill or decode, with logits of ``heads_of`` tokens."""
    model, plan, machine, engine = bench.load.model, bench.plan, bench.machine, bench.engine
    in_16_bit = Formats(2.0, 1.0, bench.formats.kv_bytes)

    def make(product: Product, wide: bool, uneven: float) -> Operation:
        if wide:
            rate = machine.wide_gemm_flop_s
            return served_product(product, uneven, rate, 2.0, in_16_bit, bench.wide_flop_s, machine, engine)
        rate, size = machine.gemm_flop_s, machine.element_bytes
        return served_product(product, uneven, rate, size, bench.formats, bench.peak_flop_s, machine, engine)

    found = [*_projections(model, plan, tokens, absorbed, make), Row("attention", model.layers, attention, wide=True)]
    found += [
        *_mlps(model, plan, tokens, tokens, make),
        Row("logits", 1.0, make(logits(model, plan, heads_of), True, 0.0), True),
    ]
    for moe, layers in _kinds(model):
        where = _where(model, moe)
        rest = served_elementwise(model, plan, tokens, moe, bench.wide_flop_s, machine, engine)
        found.append(Row(_elementwise_name(moe), layers, rest, wide=True))
        if plan.tp > 1.0:
            found.append(
                Row(f"all-reduce{where}", layers, all_reduce(model, plan, tokens, moe, machine), ranks=plan.tp)
            )
        if moe and plan.ep > 1.0:
            found.append(Row("all-to-all", layers, exchange(model, plan, tokens, machine, engine), ranks=plan.ep))
    return found


def _kinds(model: Model) -> list[tuple[float, float]]:
    """Return the kinds of layers a model has (1.0: MoE) and how many of each."""
    both = ((0.0, model.dense_layers), (1.0, model.layers - model.dense_layers))
    return [(moe, layers) for moe, layers in both if layers > 0.0]


def _where(model: Model, moe: float) -> str:
    """Say which layers an operation is of, in a model with both kinds."""
    both = 0.0 < model.dense_layers < model.layers
    return (", MoE layers" if moe else ", dense layers") if both else ""


def _elementwise_name(moe: float) -> str:
    return "norms, sums, routing" if moe else "norms, sums, activation"


def _decode(bench: Bench) -> list[Row]:
    load, batch = bench.load, float(bench.load.batch)
    attention = decode_attention(
        load.model, bench.plan, batch, load.seq, bench.formats, bench.wide_flop_s, bench.machine, bench.engine
    )
    return _served(bench, batch, batch, load.model.kv_lora_rank > 0.0, attention)


def _prefill(bench: Bench) -> list[Row]:
    load, tokens = bench.load, float(bench.load.seq)
    attention = prefill_attention(load.model, bench.plan, tokens, tokens, bench.wide_flop_s, bench.machine)
    return _served(bench, tokens, 1.0, False, attention)


def _training(bench: Bench) -> list[Row]:
    """Return one step of ``batch`` sequences, one at a time, forward and backward, and an update, not sharded."""
    load, model, plan, machine = bench.load, bench.load.model, bench.plan, bench.machine
    tokens, wide_peak = float(load.seq), bench.wide_flop_s

    def make(product: Product, wide: bool, uneven: float) -> Operation:
        if wide:
            return trained_operation(product, machine.wide_gemm_flop_s, 2.0, wide_peak, machine)
        rate, size = machine.gemm_flop_s * (GROUPED if uneven == 1.0 else 1.0), machine.element_bytes
        return trained_operation(product, rate, size, bench.peak_flop_s, machine)

    passes = attention_time(model, plan, tokens, tokens, machine, bench.soft)
    attention = trained_attention(model, plan, tokens, tokens, passes, wide_peak, machine)
    loss = Count(0.0, bench.soft.logit_bytes * tokens * model.vocab / plan.tp)
    found = [
        *_projections(model, plan, tokens, False, make),
        Row("attention", model.layers, attention, wide=True),
        *_mlps(model, plan, tokens, routed_tokens(model, plan, tokens), make),
        Row("logits", 1.0, make(logits(model, plan, tokens), True, 0.0), wide=True),
        Row("loss", 1.0, memory_operation(loss, 0.0, wide_peak, machine), wide=True),
    ]
    for moe, layers in _kinds(model):
        found += _trained_rest(bench, tokens, moe, layers)
    found = [Row(row.name, row.layers * load.batch, row.operation, row.wide, row.ranks) for row in found]
    held = stage_parameters(model, plan, 0.0, 0.0)
    update = memory_operation(optimizer_count(held.dense + held.experts), 0.0, wide_peak, machine)
    return [*found, Row("optimizer", 1.0, update, wide=True)]


def _trained_rest(bench: Bench, tokens: float, moe: float, layers: float) -> list[Row]:
    """Return the memory-bound kernels of one kind of layer, and what it sends before any of that is hidden."""
    model, plan, machine, soft = bench.load.model, bench.plan, bench.machine, bench.soft
    width = model.shared_ffn if moe else model.ffn
    passes = memory_bound(model, plan, tokens, width, model.expert_ffn if moe else 0.0, machine, soft)
    count = trained_elementwise_count(model, plan, tokens, moe, soft)
    rest = memory_operation(count, passes.forward_s + passes.data_s, bench.wide_flop_s, machine)
    found = [Row(_elementwise_name(moe), layers, rest, wide=True)]
    if plan.tp > 1.0:
        both = tensor_traffic(model, plan, tokens, moe, machine)
        sent = 2.0 * all_reduce_bytes(model, plan, tokens, moe, machine.domain)
        found.append(
            Row(
                f"all-reduce{_where(model, moe)}",
                layers,
                Operation(0.0, sent, both.forward_s + both.backward_s),
                ranks=plan.tp,
            )
        )
    if moe and plan.ep > 1.0:
        both = expert_traffic(model, plan, tokens, machine, soft)
        sent = 2.0 * exchange_bytes(model, plan, tokens, 2.0, soft.deduplicated, machine.domain)
        found.append(Row("all-to-all", layers, Operation(0.0, sent, both.forward_s + both.backward_s), ranks=plan.ep))
    return found
