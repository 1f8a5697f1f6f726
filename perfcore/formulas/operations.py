"""The operations of a transformer on one rank: what they compute and move, and the time their kernels take.

Functions that end in ``_count`` know no machine: FLOP, and the bytes that cross DRAM once if the chip keeps what it
uses again. The others add the time of the calibrated kernel and hold it to the roofline of the datasheet. Matrix
products are in ``products``; ``tokens`` are those of one pass on one rank.
"""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.gemm import gemm_time_s, soft_max
from perfcore.formulas.layer import (
    Passes,
    elementwise_bytes,
    flash_time_s,
    linear_of,
    routing_bytes,
    seen_tokens,
)
from perfcore.formulas.products import Count, Product, product_count, routed_tokens
from perfcore.formulas.records import Machine, Model, Plan, Software
from perfcore.formulas.roofline import ADAM_FLOP, RMS_NORM_FLOP, roofline_time_s
from perfcore.formulas.step import OPTIMIZER_BYTES
from perfcore.formulas.traffic import tensor_pairs

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


def product_operation(
    product: Product, rate_flop_s: float, element_bytes: float, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return a matrix product; ``rate_flop_s`` is what a large one achieves, ``peak_flop_s`` the datasheet's.

    Examples
    --------
    >>> machine = Machine(*[0.0] * 5, 1e300, *[0.0] * 10)
    >>> product_operation(Product(128.0, 256.0, 384.0, 1.0), 1.0, 2.0, 1.0, machine).time_s == 2 * 128 * 256 * 384
    True
    """
    memory, units = machine.memory_bytes_s, machine.multiprocessors
    rows, outputs, inputs, batch = product
    time_s = gemm_time_s(rows, outputs, inputs, batch, rate_flop_s, element_bytes, memory, units, machine.kernel_s)
    return bounded(product_count(product, element_bytes), time_s, peak_flop_s, memory)


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


def window_mix(model: Model, full: float, near: float) -> float:
    """Return the mean over layers of what differs between full attention and a window.

    Examples
    --------
    >>> window_mix(Model(*[0.0] * 24)._replace(layers=4.0, window_layers=3.0), 100.0, 20.0)
    40.0
    """
    share = model.window_layers / model.layers
    return (1.0 - share) * full + share * near


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
    seen = window_mix(model, seen_tokens(seq, 0.0), seen_tokens(seq, model.window))
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
    seen = window_mix(model, context, min(context, model.window))
    heads = model.heads / plan.tp
    if model.kv_lora_rank > 0.0:
        size = 2.0 * model.kv_lora_rank + model.rope_head_dim
        cached = model.kv_lora_rank + model.rope_head_dim
    else:
        size = model.head_dim + model.v_head_dim
        cached = kv_heads_per_rank(model, plan) * size
    own = 2.0 * heads * size
    return Count(2.0 * sequences * seen * heads * size, sequences * (seen * cached * kv_bytes + own))


def prefill_attention(
    model: Model, plan: Plan, tokens: float, seq: float, peak_flop_s: float, machine: Machine, soft: Software
) -> Operation:
    """Return fused causal attention over whole sequences, forward."""
    count = prefill_attention_count(model, plan, tokens, seq)
    full = flash_time_s(model, plan, tokens, seen_tokens(seq, 0.0), machine)
    near = flash_time_s(model, plan, tokens, seen_tokens(seq, model.window), machine)
    memory_s = count.moved_bytes / (machine.memory_efficiency * machine.memory_bytes_s)
    time_s = soft_max(window_mix(model, full, near) / soft.attention_factor, memory_s) + machine.kernel_s
    return bounded(count, time_s, peak_flop_s, machine.memory_bytes_s)


def trained_attention(
    model: Model, plan: Plan, tokens: float, seq: float, passes: Passes, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return core attention forward and backward, of whose times ``passes`` are; backward moves twice the bytes."""
    forward = prefill_attention_count(model, plan, tokens, seq)
    count = Count((1.0 + FLASH_BACKWARD_FLOP) * forward.flop, 3.0 * forward.moved_bytes)
    return bounded(count, passes.forward_s + passes.data_s, peak_flop_s, machine.memory_bytes_s)


def decode_attention(
    model: Model, plan: Plan, sequences: float, context: float, kv_bytes: float, peak_flop_s: float, machine: Machine
) -> Operation:
    """Return attention of one new token a sequence over its cache."""
    count = decode_attention_count(model, plan, sequences, context, kv_bytes)
    memory_s = count.moved_bytes / (machine.memory_efficiency * machine.memory_bytes_s)
    time_s = soft_max(count.flop / machine.attention_flop_s, memory_s) + machine.kernel_s
    return bounded(count, time_s, peak_flop_s, machine.memory_bytes_s)


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


def memory_operation(count: Count, factor: float, kernels: float, peak_flop_s: float, machine: Machine) -> Operation:
    """Return ``kernels`` memory-bound kernels, whose time is ``factor`` times that of the counted bytes."""
    memory_s = factor * count.moved_bytes / (machine.memory_efficiency * machine.memory_bytes_s)
    return bounded(count, memory_s + kernels * machine.kernel_s, peak_flop_s, machine.memory_bytes_s)


def routing_count(model: Model, plan: Plan, tokens: float, soft: Software) -> Count:
    """Return sorting tokens to experts and back, weighing their outputs, and the experts' activation, forward."""
    own = routed_tokens(model, plan, tokens)
    active = GATED_FLOP if model.ffn_matrices == 3.0 else PLAIN_FLOP
    flop = own * model.top_k * (2.0 * model.hidden + active * model.expert_ffn)
    return Count(flop, routing_bytes(model, plan, tokens, soft).forward_s)


def optimizer_count(parameters: float) -> Count:
    """Return an AdamW update of ``parameters`` parameters.

    Examples
    --------
    >>> optimizer_count(10.0)
    Count(flop=160.0, moved_bytes=400.0)
    """
    return Count(ADAM_FLOP * parameters, OPTIMIZER_BYTES * parameters)


def all_reduce_bytes(model: Model, plan: Plan, tokens: float, moe: float) -> float:
    """Return what a rank sends over its links for the all-reduces of one layer in one pass, in 16 bit [bytes].

    A ring sends (t - 1)/t of the tensor twice.

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, section 4.5.

    Examples
    --------
    Two of a tensor of 100 x 8192 values on 8 ranks:

    >>> llama = Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 10, 80, 0, 0, 0, 0)
    >>> all_reduce_bytes(llama, Plan(8, *[1] * 16), 100.0, 0.0) == 2 * 2 * 7 / 8 * 2 * 100 * 8192
    True
    """
    return tensor_pairs(plan, moe) * 2.0 * (plan.tp - 1.0) / plan.tp * 2.0 * tokens * model.hidden


def exchange_bytes(model: Model, plan: Plan, tokens: float) -> float:
    """Return what a rank sends over its links to dispatch its tokens to experts and to combine them, 16 bit [bytes].

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 3.2.2.
    """
    sent = 2.0 * routed_tokens(model, plan, tokens) * model.hidden * model.top_k
    return 2.0 * sent * (plan.ep - 1.0) / plan.ep
