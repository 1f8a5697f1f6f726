"""Kernels of one transformer layer on one rank: matrix multiplications, core attention, memory-bound kernels.

``tokens`` are those of one micro-batch on one rank throughout, before sequence parallelism cuts them.
"""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.gemm import gemm_time_s
from perfcore.formulas.products import (
    IMBALANCE,
    Product,
    latent_down,
    latent_keys_values,
    latent_queries,
    mlp_down,
    mlp_up,
    output_projection,
    query_key_value,
    routed_tokens,
    router,
)
from perfcore.formulas.records import Machine, Model, Plan, Software

GROUPED = 0.85  # rate of a grouped GEMM (experts) over that of a plain one
BATCHED = 0.85  # rate of the batched GEMMs of unfused attention over that of a plain one
MISALIGNED = 12.0  # slowdown of those where the head size is no multiple of 8 (no tensor cores)
FLASH_BACKWARD = 2.5 / 0.8  # FLOP of the backward pass over the forward one, by its lower rate
FILL_TOKENS = 256.0  # keys at which a fused attention kernel runs at half its rate
SMALL_HEAD = 0.6  # rate of fused attention below 128 elements a head
SCORE_BYTES_FORWARD, SCORE_BYTES_BACKWARD = 9.0, 11.0  # softmax, mask and dropout, per score
UNFUSED_BIAS_BYTES = 30.0  # per routed element: bias, clamp and gate, each read and written in 16 bit
FUSED_BIAS_BYTES = 24.0  # of them, what stays with fused experts: gradients of the biases, clamp (fitted)
FUSED_MOVE = 0.6  # bytes of sorting with fused experts over those without (fitted)
FORWARD_GAPS, BACKWARD_GAPS = 7.0, 12.0  # memory-bound kernels of a layer


class Passes(NamedTuple):
    """Times of something in its three passes [s]; where a function says so, bytes or elements."""

    forward_s: float
    data_s: float  # gradient of the input
    weight_s: float  # gradient of the weights


def add(a: Passes, b: Passes) -> Passes:
    """Add two passes.

    Examples
    --------
    >>> add(Passes(1.0, 2.0, 3.0), Passes(10.0, 20.0, 30.0)).data_s
    22.0
    """
    return Passes(a.forward_s + b.forward_s, a.data_s + b.data_s, a.weight_s + b.weight_s)


def linear(
    rows: float, outputs: float, inputs: float, batch: float, flop_s: float, size: float, machine: Machine
) -> Passes:
    """Return the three multiplications of ``batch`` linear layers over ``rows`` tokens, operands of ``size`` bytes.

    2 FLOP per weight and token in each pass, 6 together [1]_.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), appendix.

    Examples
    --------
    On an array that does one FLOP a second and reads without delay:

    >>> machine = Machine(*[0.0] * 5, 1e300, *[0.0] * 10)
    >>> linear(128.0, 256.0, 384.0, 1.0, 1.0, 2.0, machine).forward_s == 2 * 128 * 256 * 384
    True
    """
    memory, units, kernel_s = machine.memory_bytes_s, machine.multiprocessors, machine.kernel_s
    return Passes(
        gemm_time_s(rows, outputs, inputs, batch, flop_s, size, memory, units, kernel_s),
        gemm_time_s(rows, inputs, outputs, batch, flop_s, size, memory, units, kernel_s),
        gemm_time_s(outputs, inputs, rows, batch, flop_s, size, memory, units, kernel_s),
    )


def linear_of(product: Product, flop_s: float, size: float, machine: Machine) -> Passes:
    """Return the three multiplications of a linear layer by its shape."""
    return linear(product.rows, product.outputs, product.inputs, product.batch, flop_s, size, machine)


def attention_linear(model: Model, plan: Plan, tokens: float, machine: Machine) -> Passes:
    """Return the projections around core attention: fused QKV and output, or those of MLA [1]_.

    MLA's projections down to the latents are repeated on every tensor-parallel rank.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 2.1.1.
    """
    rate, size = machine.gemm_flop_s, machine.element_bytes
    out = linear_of(output_projection(model, plan, tokens), rate, size, machine)
    if model.kv_lora_rank > 0.0:
        latent = linear_of(latent_down(model, plan, tokens), rate, size, machine)
        queries = linear_of(latent_queries(model, plan, tokens), rate, size, machine)
        keys = linear_of(latent_keys_values(model, plan, tokens), rate, size, machine)
        return add(add(latent, queries), add(keys, out))
    return add(linear_of(query_key_value(model, plan, tokens), rate, size, machine), out)


def mlp_linear(model: Model, plan: Plan, tokens: float, ffn: float, machine: Machine) -> Passes:
    """Return the MLP of width ``ffn``: gate and up as one multiplication, and down."""
    if ffn == 0.0:
        return Passes(0.0, 0.0, 0.0)
    rate, size = machine.gemm_flop_s, machine.element_bytes
    up = linear_of(mlp_up(model, plan, tokens, ffn), rate, size, machine)
    return add(up, linear_of(mlp_down(model, plan, tokens, ffn), rate, size, machine))


def expert_linear(model: Model, plan: Plan, tokens: float, machine: Machine) -> Passes:
    """Return the router (16 bit), the experts of the busiest rank as grouped GEMMs, and the shared experts.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 2.1.2.
    """
    own = routed_tokens(model, plan, tokens)
    scores = linear_of(router(model, own), machine.wide_gemm_flop_s, 2.0, machine)
    local = model.experts / plan.ep
    rows = own * model.top_k * plan.ep / model.experts * IMBALANCE
    rate, size = machine.gemm_flop_s * GROUPED, machine.element_bytes
    up = linear(rows, (model.ffn_matrices - 1.0) * model.expert_ffn, model.hidden, local, rate, size, machine)
    down = linear(rows, model.hidden, model.expert_ffn, local, rate, size, machine)
    return add(add(scores, mlp_linear(model, plan, tokens, model.shared_ffn, machine)), add(up, down))


def seen_tokens(seq: float, window: float) -> float:
    """Return the keys that attention computes for a query on average under a causal mask [tokens].

    Half the sequence, or a window as if each query had a full one: kernels work in whole blocks. (The mean a query
    sees is less where the window is not small, see ``transformer.attended_tokens``, which counts a model's own FLOP.)

    Examples
    --------
    >>> seen_tokens(8192.0, 0.0), seen_tokens(8192.0, 128.0)
    (4096.0, 128.0)
    """
    return seq / 2.0 if window == 0.0 else min(seq / 2.0, window)


def flash_time_s(model: Model, plan: Plan, tokens: float, seen: float, machine: Machine) -> float:
    """Return the forward time of fused attention [s] over ``seen`` keys a query.

    2 FLOP for each element of a query on each key it sees, and 2 for each of the value [1]_. Short sequences and small
    heads run slower.

    References
    ----------
    .. [1] T. Dao, "FlashAttention-2", arXiv:2307.08691 (2023), section 4.1.
    """
    flop = 2.0 * tokens * seen * (model.head_dim + model.v_head_dim) * model.heads / plan.tp
    length = 2.0 * seen / (2.0 * seen + FILL_TOKENS)
    size = 1.0 if model.head_dim >= 128.0 else SMALL_HEAD
    return flop / (machine.attention_flop_s * length * size)


def unfused_time_s(model: Model, plan: Plan, tokens: float, seq: float, score_bytes: float, machine: Machine) -> float:
    """Return the time of one pass of unfused attention [s]: two batched multiplications and the traffic of the scores.

    All scores are computed, masked ones too; ``score_bytes`` are moved for each, as memory-bound kernels do.

    References
    ----------
    .. [1] V. Korthikanti et al., arXiv:2205.05198 (2022), section 4.1 (scores, softmax and dropout).
    """
    heads = model.heads / plan.tp
    batch = tokens / seq * heads
    rate = machine.wide_gemm_flop_s * BATCHED
    if model.head_dim % 8.0 != 0.0:
        rate = rate / MISALIGNED
    memory, units, kernel_s = machine.memory_bytes_s, machine.multiprocessors, machine.kernel_s
    scores = gemm_time_s(seq, seq, model.head_dim, batch, rate, 2.0, memory, units, kernel_s)
    values = gemm_time_s(seq, model.v_head_dim, seq, batch, rate, 2.0, memory, units, kernel_s)
    return scores + values + score_bytes * tokens * seq * heads / (machine.memory_efficiency * memory)


def attention_time(model: Model, plan: Plan, tokens: float, seq: float, machine: Machine, soft: Software) -> Passes:
    """Return core attention, a mean over layers with and without a window; all of the backward pass in ``data_s``.

    The backward pass of a fused kernel computes the scores again: 2.5 times the FLOP of the forward one [1]_. The
    unfused one multiplies four times.

    References
    ----------
    .. [1] T. Dao, "FlashAttention-2", arXiv:2307.08691 (2023), section 4.1.
    """
    if soft.fused_attention == 0.0:
        forward = unfused_time_s(model, plan, tokens, seq, SCORE_BYTES_FORWARD, machine)
        backward = unfused_time_s(model, plan, tokens, seq, SCORE_BYTES_BACKWARD, machine)
        once = unfused_time_s(model, plan, tokens, seq, 0.0, machine)
        return Passes(forward, backward + once, 0.0)
    share = model.window_layers / model.layers
    full = flash_time_s(model, plan, tokens, seen_tokens(seq, 0.0), machine)
    near = flash_time_s(model, plan, tokens, seen_tokens(seq, model.window), machine)
    forward = ((1.0 - share) * full + share * near) / soft.attention_factor
    return Passes(forward, FLASH_BACKWARD * forward, 0.0)


def elementwise_bytes(model: Model, plan: Plan, tokens: float, ffn: float) -> Passes:
    """Return the bytes of norms, residuals, rotary embedding and activation of width ``ffn``, forward and backward.

    Sequence parallelism cuts those of width hidden, tensor parallelism the others [1]_.

    References
    ----------
    .. [1] V. Korthikanti et al., arXiv:2205.05198 (2022), section 4.2.2.
    """
    shared = plan.tp if plan.sequence_parallel == 1.0 else 1.0
    hidden = model.hidden / shared
    if model.ffn_matrices == 2.0:
        inner = model.heads * model.head_dim / plan.tp
        forward = 24.0 * hidden + 4.0 * inner + 4.0 * ffn / plan.tp
        return Passes(tokens * forward, tokens * (36.0 * hidden + 6.0 * inner + 8.0 * ffn / plan.tp), 0.0)
    inner = (model.heads / plan.tp + kv_heads_per_rank(model, plan)) * model.head_dim
    forward = 20.0 * hidden + 4.0 * inner + 6.0 * ffn / plan.tp
    return Passes(tokens * forward, tokens * (32.0 * hidden + 4.0 * inner + 12.0 * ffn / plan.tp), 0.0)


def routing_bytes(model: Model, plan: Plan, tokens: float, soft: Software) -> Passes:
    """Return the bytes of sorting tokens to experts and back, and of the experts' activation, forward and backward.

    Experts with biases and a clamped activation (GPT-OSS) run each of those as a kernel of its own until fused; fused
    kernels sort a part of the tokens' bytes only, since the exchange writes them in place and in 8 bit.
    """
    own = routed_tokens(model, plan, tokens)
    moved = own * model.hidden * (6.0 + 10.0 * model.top_k) * (FUSED_MOVE if soft.fused_experts == 1.0 else 1.0)
    active = own * model.top_k * model.expert_ffn * IMBALANCE
    bias = FUSED_BIAS_BYTES if soft.fused_experts == 1.0 else UNFUSED_BIAS_BYTES
    bias = bias if model.biases == 1.0 else 0.0
    return Passes(moved + (6.0 + bias) * active, moved + (10.0 + bias) * active, 0.0)


def cast_elements(model: Model, plan: Plan, tokens: float, mlp: float, expert: float) -> Passes:
    """Return the GEMM inputs (forward) and output gradients (backward) of a layer, which 8 and 4 bit must quantise."""
    heads = model.heads / plan.tp
    gated = model.ffn_matrices - 1.0
    inputs = model.hidden + heads * model.v_head_dim
    outputs = model.hidden + (heads + 2.0 * kv_heads_per_rank(model, plan)) * model.head_dim
    if mlp > 0.0:
        inputs += model.hidden + mlp / plan.tp
        outputs += model.hidden + gated * mlp / plan.tp
    own = routed_tokens(model, plan, tokens) * model.top_k if expert > 0.0 else 0.0
    return Passes(
        tokens * inputs + own * (model.hidden + expert), tokens * outputs + own * (model.hidden + gated * expert), 0.0
    )


def memory_bound(
    model: Model, plan: Plan, tokens: float, mlp: float, expert: float, machine: Machine, soft: Software
) -> Passes:
    """Return the memory-bound kernels of a layer with a dense MLP of width ``mlp`` and experts of width ``expert``."""
    rate = machine.memory_efficiency * machine.memory_bytes_s
    moved = elementwise_bytes(model, plan, tokens, mlp)
    cast = cast_elements(model, plan, tokens, mlp, expert if soft.fused_experts == 0.0 else 0.0)
    routed = routing_bytes(model, plan, tokens, soft) if expert > 0.0 else Passes(0.0, 0.0, 0.0)
    forward = moved.forward_s * soft.elementwise_factor + machine.cast_bytes * cast.forward_s
    backward = moved.data_s * soft.elementwise_factor + machine.cast_bytes * cast.data_s
    return Passes(
        (forward + soft.expert_factor * routed.forward_s) / rate + FORWARD_GAPS * machine.kernel_s,
        (backward + soft.expert_factor * routed.data_s) / rate + BACKWARD_GAPS * machine.kernel_s,
        0.0,
    )
