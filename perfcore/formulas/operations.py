"""The operations of a transformer on one rank: what they compute and move, and the time their kernels take.

Functions that end in ``_count`` know no machine: FLOP, and the bytes that cross DRAM once if the chip keeps what it
uses again. The others add the time of the calibrated kernel and hold it to the roofline of the datasheet. Matrix
products are in ``products``; ``tokens`` are those of one pass on one rank.
"""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.decode_attention import cache_bytes, score_flop
from perfcore.formulas.layer import Passes, elementwise_bytes, linear_of, routing_bytes, seen_tokens
from perfcore.formulas.products import Count, Product, product_count, routed_tokens
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan, Software
from perfcore.formulas.roofline import ADAM_FLOP, RMS_NORM_FLOP, roofline_time_s
from perfcore.formulas.serving_layer import (
    Tokens,
    cached_tokens,
    decode_attention_s,
    elementwise_s,
    kv_width,
    product_s,
    prompt_attention_s,
    routed,
)
from perfcore.formulas.step import OPTIMIZER_BYTES

LAYER_NORM_FLOP = 7.0  # per element: mean, difference, square, sum, scale, weight, bias
ROTARY_FLOP = 3.0  # per element: two products and a sum
GATED_FLOP, PLAIN_FLOP = 6.0, 8.0  # per element of the MLP: SiLU and gate; GeLU by its tanh
FLASH_BACKWARD_FLOP = 2.5  # over those of the forward pass: scores are computed again


class Operation(NamedTuple):
    """One operation on one rank: FLOP, bytes (over DRAM, or over the links for a collective), time [s]."""

    flop: float
    bytes: float
    time_s: float


def plus(a: Count, b: Count) -> Count:
    """Add two counts.

    Examples
    --------
    >>> plus(Count(1.0, 2.0), Count(10.0, 20.0))
    Count(flop=11.0, moved_bytes=22.0)
    """
    return Count(a.flop + b.flop, a.moved_bytes + b.moved_bytes)


def times(operation: Operation, count: float) -> Operation:
    """Return an operation done ``count`` times one after the other.

    Examples
    --------
    >>> times(Operation(1.0, 2.0, 3.0), 2.0)
    Operation(flop=2.0, bytes=4.0, time_s=6.0)
    """
    return Operation(count * operation.flop, count * operation.bytes, count * operation.time_s)


def bounded(count: Count, time_s: float, flop_s: float, bytes_s: float) -> Operation:
    """Return an operation whose time is that of its kernel, and never less than datasheet rates allow.

    Examples
    --------
    >>> bounded(Count(10.0, 4.0), 7.0, 2.0, 1.0).time_s, bounded(Count(10.0, 4.0), 4.0, 2.0, 1.0).time_s
    (7.0, 5.0)
    """
    return Operation(
        count.flop, count.moved_bytes, max(time_s, roofline_time_s(count.flop, count.moved_bytes, flop_s, bytes_s))
    )


def served_count(product: Product, element_bytes: float, formats: Formats) -> Count:
    """Return a product with weights in their stored format, tokens in elements of ``element_bytes``, 16-bit result.

    Examples
    --------
    4-bit weights of 10 x 10, 3 rows of 16 bit:

    >>> served_count(Product(3.0, 10.0, 10.0, 1.0), 2.0, Formats(0.5, 1.0, 2.0))
    Count(flop=600.0, moved_bytes=170.0)
    """
    rows, outputs, inputs, batch = product
    weights = formats.weight_bytes * outputs * inputs
    moved = batch * (weights + rows * (element_bytes * inputs + 2.0 * outputs))
    return Count(product_count(product, element_bytes).flop, moved)


def served_product(
    product: Product,
    uneven: float,
    rate_flop_s: float,
    element_bytes: float,
    formats: Formats,
    peak_flop_s: float,
    machine: Machine,
    engine: Engine,
) -> Operation:
    """Return a product in prefill or decode, ``uneven`` = 1.0 of experts, at what a large one achieves at most."""
    rows, outputs, inputs, batch = product
    time_s = product_s(rows, outputs, inputs, batch, uneven, rate_flop_s, element_bytes, formats, machine, engine)
    return bounded(served_count(product, element_bytes, formats), time_s, peak_flop_s, machine.memory_bytes_s)


def trained_count(product: Product, element_bytes: float) -> Count:
    """Return what a product and its two gradients compute and move.

    Examples
    --------
    >>> trained_count(Product(2.0, 3.0, 5.0, 1.0), 2.0).flop == 3 * 2 * 2 * 3 * 5
    True
    """
    rows, outputs, inputs, batch = product
    forward = product_count(product, element_bytes)
    data = product_count(Product(rows, inputs, outputs, batch), element_bytes)
    weight = product_count(Product(outputs, inputs, rows, batch), element_bytes)
    return plus(forward, plus(data, weight))


def trained_operation(
    product: Product, rate_flop_s: float, element_bytes: float, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return a matrix product with the two of its backward pass."""
    passes = linear_of(product, rate_flop_s, element_bytes, machine)
    time_s = passes.forward_s + passes.data_s + passes.weight_s
    return bounded(trained_count(product, element_bytes), time_s, peak_flop_s, machine.memory_bytes_s)


def prefill_attention_count(model: Model, plan: Plan, tokens: float, seq: float) -> Count:
    """Return core attention over whole sequences: scores stay on the chip, queries, keys, values and output move once.

    Causal masks are counted half, as in ``layer.seen_tokens``; MLA makes keys and values for each head.

    References
    ----------
    .. [1] T. Dao et al., "FlashAttention", arXiv:2205.14135 (2022), section 3.1.

    Examples
    --------
    Llama 3 70B on one chip, one sequence of 4096: 2 x 4096^2 x 64 x 128 FLOP; 2 x 4096 x 72 x 128 values of 16 bit.

    >>> llama = Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 10, 80, 0, 0, 0, 0)
    >>> prefill_attention_count(llama, Plan(*[1] * 17), 4096.0, 4096.0) == (2 * 4096**2 * 8192, 2 * 2 * 4096 * 72 * 128)
    True
    """
    share = model.window_layers / model.layers
    seen = (1.0 - share) * seen_tokens(seq, 0.0) + share * seen_tokens(seq, model.window)
    heads = model.heads / plan.tp
    shared = heads if model.kv_lora_rank > 0.0 else kv_heads_per_rank(model, plan)
    size = model.head_dim + model.v_head_dim
    return Count(2.0 * tokens * seen * heads * size, 2.0 * tokens * (heads + shared) * size)


def decode_attention_count(model: Model, plan: Plan, sequences: float, context: float, kv_bytes: float) -> Count:
    """Return core attention of one new token in each of ``sequences`` over ``context`` cached ones.

    Each sequence's cache is read once for all the heads of a rank; MLA reads its latents, which every rank holds [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 (2024), section 2.1.2.

    Examples
    --------
    Llama 3 70B, 8 key-value heads of 128, 1000 cached tokens of 16 bit: 4.096 MB, and 32 kB of queries and outputs.

    >>> llama = Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 10, 80, 0, 0, 0, 0)
    >>> decode_attention_count(llama, Plan(*[1] * 17), 1.0, 1000.0, 2.0) == (4 * 1000 * 8192, 4_096_000 + 32_768)
    True
    """
    seen = cached_tokens(model, context)
    width = model.head_dim + model.v_head_dim
    if model.kv_lora_rank > 0.0:
        width = 2.0 * model.kv_lora_rank + model.rope_head_dim
    heads = model.heads / plan.tp
    read = cache_bytes(sequences, seen, 1.0, kv_width(model, plan), kv_bytes)
    return Count(score_flop(sequences, seen, heads, width), read + 2.0 * sequences * heads * width)


def prefill_attention(
    model: Model, plan: Plan, tokens: float, seq: float, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return fused causal attention over the prompts of one layer, a mean over layers with and without a window."""
    count = prefill_attention_count(model, plan, tokens, seq)
    time_s = prompt_attention_s(model, plan, Tokens(0.0, 0.0, tokens, seq, 0.0), machine)
    return bounded(count, time_s, peak_flop_s, machine.memory_bytes_s)


def decode_attention(
    model: Model,
    plan: Plan,
    sequences: float,
    context: float,
    formats: Formats,
    peak_flop_s: float,
    machine: Machine,
    engine: Engine,
) -> Operation:
    """Return attention of one new token a sequence over its cache, in one layer."""
    count = decode_attention_count(model, plan, sequences, context, formats.kv_bytes)
    time_s = decode_attention_s(model, plan, sequences, context, formats, machine, engine)
    return bounded(count, time_s, peak_flop_s, machine.memory_bytes_s)


def trained_attention(
    model: Model, plan: Plan, tokens: float, seq: float, passes: Passes, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return core attention forward and backward, of whose times ``passes`` are; backward moves twice the bytes."""
    forward = prefill_attention_count(model, plan, tokens, seq)
    count = Count((1.0 + FLASH_BACKWARD_FLOP) * forward.flop, 3.0 * forward.moved_bytes)
    return bounded(count, passes.forward_s + passes.data_s, peak_flop_s, machine.memory_bytes_s)


def elementwise_count(model: Model, plan: Plan, tokens: float, ffn: float) -> Count:
    """Return two norms, two residual sums, rotary positions and the activation of an MLP of width ``ffn``, forward.

    Examples
    --------
    A gated layer of width 4 with one head of 4 and an MLP of 8: 2 norms of 16, 2 sums of 4, 24 to turn, 48 to gate.

    >>> tiny = Model(1, 4, 1, 1, 4, 4, 8, 3, 10, *[0] * 10, 1, 0, 0, 0, 0)
    >>> elementwise_count(tiny, Plan(*[1] * 17)._replace(sequence_parallel=0.0), 1.0, 8.0).flop
    112.0
    """
    shared = plan.tp if plan.sequence_parallel == 1.0 else 1.0
    norm = LAYER_NORM_FLOP if model.biases == 1.0 else RMS_NORM_FLOP
    turned = 0.0 if model.learned_positions > 0.0 else model.heads / plan.tp + kv_heads_per_rank(model, plan)
    size = model.rope_head_dim if model.kv_lora_rank > 0.0 else model.head_dim
    active = GATED_FLOP if model.ffn_matrices == 3.0 else PLAIN_FLOP
    flop = (2.0 * norm + 2.0) * model.hidden / shared + ROTARY_FLOP * turned * size + active * ffn / plan.tp
    return Count(tokens * flop, elementwise_bytes(model, plan, tokens, ffn).forward_s)


def served_elementwise(
    model: Model, plan: Plan, tokens: float, moe: float, peak_flop_s: float, machine: Machine, engine: Engine
) -> Operation:
    """Return norms, sums, rotary positions, activation and the sorting of tokens to experts of a layer in serving."""
    ffn = model.shared_ffn if moe == 1.0 else model.ffn
    count = elementwise_count(model, plan, tokens, ffn)
    if moe == 1.0:
        own = routed(model, plan, tokens)
        each = Count(2.0 * model.hidden + GATED_FLOP * own.width, 12.0 * model.hidden + 6.0 * own.width)
        rows = own.chosen * own.rows
        count = plus(count, Count(rows * each.flop, rows * each.moved_bytes))
    time_s = elementwise_s(model, plan, tokens, moe, machine, engine)
    return bounded(count, time_s, peak_flop_s, machine.memory_bytes_s)


def memory_operation(count: Count, time_s: float, peak_flop_s: float, machine: Machine) -> Operation:
    """Return memory-bound kernels of known bytes that reach the usual share of the bandwidth, or take ``time_s``."""
    usual_s = count.moved_bytes / (machine.memory_efficiency * machine.memory_bytes_s)
    return bounded(count, max(time_s, usual_s), peak_flop_s, machine.memory_bytes_s)


def trained_elementwise_count(model: Model, plan: Plan, tokens: float, moe: float, soft: Software) -> Count:
    """Return the memory-bound kernels of a layer forward and backward; the backward pass does twice the FLOP."""
    ffn = model.shared_ffn if moe == 1.0 else model.ffn
    moved = elementwise_bytes(model, plan, tokens, ffn)
    flop = elementwise_count(model, plan, tokens, ffn).flop
    whole = moved.forward_s + moved.data_s
    if moe == 1.0:
        own = routed_tokens(model, plan, tokens)
        flop += own * model.top_k * (2.0 * model.hidden + GATED_FLOP * model.expert_ffn)
        sorting = routing_bytes(model, plan, tokens, soft)
        whole += sorting.forward_s + sorting.data_s
    return Count(3.0 * flop, whole)


def optimizer_count(parameters: float) -> Count:
    """Return an AdamW update of ``parameters`` parameters.

    Examples
    --------
    >>> optimizer_count(10.0)
    Count(flop=160.0, moved_bytes=400.0)
    """
    return Count(ADAM_FLOP * parameters, OPTIMIZER_BYTES * parameters)
