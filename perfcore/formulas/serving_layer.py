"""Time of one layer of a served model on one rank: products with weights, attention over the KV cache, exchange.

A step computes ``sequences`` new tokens, one for each sequence that decodes, and ``prompt`` tokens of prompts beside
them (chunked prefill); either may be 0. Kernels of a layer depend on one another, so their times add up; within a
kernel computing and reading overlap, so the greater counts (the smooth maximum of ``gemm.soft_max``).
"""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.collectives import all_reduce_time_s, expert_exchange_time_s
from perfcore.formulas.decode_attention import cache_bytes, score_flop
from perfcore.formulas.gemm import VECTOR_ROWS, few_rows_flop, soft_max, split_flop
from perfcore.formulas.layer import GROUPED, flash_time_s, seen_tokens
from perfcore.formulas.products import IMBALANCE
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan
from perfcore.formulas.roofline import distinct_experts
from perfcore.formulas.tiles import GROUPED_RATE, tiled_flop

DECODE_RATE, LATENT_RATE = 0.65, 0.85  # of a large GEMM's rate, by attention of single queries, and by MLA's
DISPATCH_BYTES = 1.5  # of an element sent to experts and back: 8 bit there, 16 bit back, half of it each way


class Tokens(NamedTuple):
    """What one step computes on one rank."""

    sequences: float  # that decode, a token each
    context: float  # tokens in the KV cache of each
    prompt: float  # tokens of prompts
    prompt_length: float  # tokens of each of these prompts that must be computed
    prefix: float  # tokens before them that are in the cache already


class Served(NamedTuple):
    """Time of a layer or a step by what it does [s]."""

    weights_s: float  # products with weights
    attention_s: float
    elementwise_s: float
    reduce_s: float  # all-reduce of tensor parallelism
    exchange_s: float  # of experts
    overhead_s: float


def stream_s(moved: float, machine: Machine, engine: Engine) -> float:
    """Return the time to read ``moved`` bytes of weights, cache or activations [s].

    Examples
    --------
    >>> machine, engine = Machine(*[100.0] * 16), Engine(0.5, *[0.0] * 16)
    >>> stream_s(100.0, machine, engine)
    2.0
    """
    return moved / (engine.stream_efficiency * machine.memory_bytes_s)


def product_s(
    rows: float,
    outputs: float,
    inputs: float,
    batch: float,
    uneven: float,
    flop_s: float,
    size: float,
    formats: Formats,
    machine: Machine,
    engine: Engine,
) -> float:
    """Return the time of ``batch`` products of ``rows`` tokens with weights of their own [s].

    Weights are read once, in their stored format; tokens come in elements of ``size`` bytes and leave in 16 bit. With
    ``uneven`` = 1.0 the products are experts with ``rows`` tokens each on average. Tiles are those of a library, or,
    where the engine compiles its products for their shapes, fitted to the shape.
    """
    if rows <= 0.0 or outputs <= 0.0 or batch <= 0.0:
        return 0.0
    units = machine.multiprocessors
    if engine.fitted_tiles == 1.0 and rows > VECTOR_ROWS:
        flop = tiled_flop(rows, outputs, inputs, batch, uneven, units) * (1.0 if uneven == 0.0 else 1.0 / GROUPED_RATE)
    else:
        flop = few_rows_flop(rows, outputs, inputs, batch, units)
        if engine.splits_depth == 1.0:
            flop = split_flop(rows, outputs, inputs, batch, units)
        flop = flop if uneven == 0.0 else flop / GROUPED
    compute = flop / flop_s
    weights = formats.weight_bytes / formats.weight_share * outputs * inputs
    moved = batch * (weights + rows * (size * inputs + 2.0 * outputs))
    return soft_max(compute, stream_s(moved, machine, engine)) + machine.kernel_s


def attention_products_s(
    model: Model, plan: Plan, tokens: float, formats: Formats, machine: Machine, engine: Engine
) -> float:
    """Return the products with the weights of attention [s]: queries, keys, values, output; of MLA with the latents.

    MLA's maps from the latents to keys and values are applied to queries and outputs instead (absorbed) [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 (2024), section 2.1.2.
    """
    rate, size = machine.gemm_flop_s, machine.element_bytes
    heads = model.heads / plan.tp
    output = product_s(tokens, model.hidden, heads * model.v_head_dim, 1.0, 0.0, rate, size, formats, machine, engine)
    if model.kv_lora_rank == 0.0:
        keys_values = kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)
        width = heads * model.head_dim + keys_values
        return output + product_s(tokens, width, model.hidden, 1.0, 0.0, rate, size, formats, machine, engine)
    down = model.q_lora_rank + model.kv_lora_rank + model.rope_head_dim
    inner = model.q_lora_rank if model.q_lora_rank > 0.0 else model.hidden
    latent = product_s(tokens, down, model.hidden, 1.0, 0.0, rate, size, formats, machine, engine)
    queries = product_s(tokens, heads * model.head_dim, inner, 1.0, 0.0, rate, size, formats, machine, engine)
    plain = Formats(2.0, 1.0, formats.kv_bytes)
    unrotated = model.head_dim - model.rope_head_dim
    wide = machine.wide_gemm_flop_s
    absorbed = product_s(tokens, model.kv_lora_rank, unrotated, heads, 0.0, wide, 2.0, plain, machine, engine)
    absorbed += product_s(tokens, model.v_head_dim, model.kv_lora_rank, heads, 0.0, wide, 2.0, plain, machine, engine)
    return output + latent + queries + absorbed


def kv_width(model: Model, plan: Plan) -> float:
    """Return the elements of the KV cache of a token and layer on one rank; MLA's latents are on every rank.

    Examples
    --------
    DeepSeek-V3 keeps 512 of the latent and 64 of the rotary key; Llama 70B on 8 ranks one head of 128, twice.

    >>> deepseek_v3 = Model(61, 7168, 128, 128, 192, 128, 18432, 3, 129280, 0, 0, 0, 1536, 512, 64, *[0] * 9)
    >>> kv_width(deepseek_v3, Plan(*[8] * 17))
    576
    >>> kv_width(Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 15), Plan(*[8] * 17))
    256.0
    """
    if model.kv_lora_rank > 0.0:
        return model.kv_lora_rank + model.rope_head_dim
    return kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)


def cached_tokens(model: Model, context: float) -> float:
    """Return the tokens of a context that a layer keeps, a mean over layers with and without a window.

    Examples
    --------
    >>> cached_tokens(Model(32.0, *[0.0] * 20, 100.0, 16.0, 0.0), 1000.0)
    550.0
    """
    if model.window <= 0.0:
        return context
    share = model.window_layers / model.layers
    return (1.0 - share) * context + share * min(context, model.window)


def decode_attention_s(
    model: Model,
    plan: Plan,
    sequences: float,
    context: float,
    formats: Formats,
    machine: Machine,
    engine: Engine,
) -> float:
    """Return attention of one new token of each sequence over its KV cache [s].

    The cache is read once for all heads of a group [1]_, unless the engine's kernel reads it again for each.

    References
    ----------
    .. [1] J. Ainslie et al., "GQA", arXiv:2305.13245 (2023), section 2.2.
    """
    if sequences <= 0.0:
        return 0.0
    keys = cached_tokens(model, context)
    moved = cache_bytes(sequences, keys, 1.0, kv_width(model, plan), formats.kv_bytes)
    heads = model.heads / plan.tp
    width = model.head_dim + model.v_head_dim
    rate = DECODE_RATE * machine.wide_gemm_flop_s
    if model.kv_lora_rank > 0.0:
        width = 2.0 * model.kv_lora_rank + model.rope_head_dim
        rate = LATENT_RATE * machine.wide_gemm_flop_s
    read = stream_s(moved / engine.kv_efficiency, machine, engine)
    if engine.repeated_kv_bytes_s > 0.0 and model.kv_lora_rank == 0.0:
        group = heads / kv_heads_per_rank(model, plan)
        read = max(read, moved * group / engine.repeated_kv_bytes_s) if group > 1.0 else read
    return soft_max(read, score_flop(sequences, keys, heads, width) / rate) + 1.5 * machine.kernel_s


def prompt_attention_s(model: Model, plan: Plan, step: Tokens, machine: Machine) -> float:
    """Return causal attention of the prompts of a step [s], a mean over layers with and without a window.

    Tokens of a cached prefix are seen by all that follow.
    """
    if step.prompt <= 0.0:
        return 0.0
    share = model.window_layers / model.layers
    seen = step.prefix + seen_tokens(step.prompt_length, 0.0)
    full = flash_time_s(model, plan, step.prompt, seen, machine)
    near = flash_time_s(model, plan, step.prompt, seen if model.window == 0.0 else min(seen, model.window), machine)
    return (1.0 - share) * full + share * near + machine.kernel_s


def mlp_products_s(
    model: Model, plan: Plan, tokens: float, ffn: float, formats: Formats, machine: Machine, engine: Engine
) -> float:
    """Return gate and up as one product, and down, of an MLP of width ``ffn``, cut over tensor-parallel ranks [s]."""
    if ffn <= 0.0:
        return 0.0
    width, rate, size = ffn / plan.tp, machine.gemm_flop_s, machine.element_bytes
    outputs = (model.ffn_matrices - 1.0) * width
    up = product_s(tokens, outputs, model.hidden, 1.0, 0.0, rate, size, formats, machine, engine)
    return up + product_s(tokens, model.hidden, width, 1.0, 0.0, rate, size, formats, machine, engine)


class Routed(NamedTuple):
    """Experts of one rank in one step."""

    chosen: float  # experts whose weights are read
    rows: float  # tokens of each
    width: float  # of an expert on this rank


def routed(model: Model, plan: Plan, tokens: float) -> Routed:
    """Return the experts at work on a rank; with expert parallelism an expert is whole, else cut like an MLP."""
    group = tokens * plan.ep / plan.tp if plan.ep > 1.0 else tokens
    local = model.experts / plan.ep
    chosen = distinct_experts(local, model.top_k / plan.ep, group)
    load = IMBALANCE if plan.ep > 1.0 else 1.0
    rows = group * model.top_k / (plan.ep * chosen) * load
    return Routed(chosen, rows, model.expert_ffn if plan.ep > 1.0 else model.expert_ffn / plan.tp)


def expert_products_s(
    model: Model, plan: Plan, tokens: float, formats: Formats, machine: Machine, engine: Engine
) -> float:
    """Return router, experts as grouped products, and shared experts [s]."""
    own = routed(model, plan, tokens)
    plain = Formats(2.0, 1.0, formats.kv_bytes)
    wide = machine.wide_gemm_flop_s
    router = product_s(tokens, model.experts, model.hidden, 1.0, 0.0, wide, 2.0, plain, machine, engine)
    rate, size = machine.gemm_flop_s, machine.element_bytes
    outputs = (model.ffn_matrices - 1.0) * own.width
    up = product_s(own.rows, outputs, model.hidden, own.chosen, 1.0, rate, size, formats, machine, engine)
    down = product_s(own.rows, model.hidden, own.width, own.chosen, 1.0, rate, size, formats, machine, engine)
    shared = mlp_products_s(model, plan, tokens, model.shared_ffn, formats, machine, engine)
    return router + up + down + shared


def elementwise_s(model: Model, plan: Plan, tokens: float, moe: float, machine: Machine, engine: Engine) -> float:
    """Return norms, residuals, rotary embedding and activations [s], all of them memory traffic."""
    heads = model.heads / plan.tp
    inner = heads * model.head_dim + kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)
    width = model.shared_ffn if moe == 1.0 else model.ffn
    moved = tokens * (24.0 * model.hidden + 6.0 * inner + 6.0 * width / plan.tp)
    if moe == 1.0:
        own = routed(model, plan, tokens)
        moved += engine.expert_factor * own.chosen * own.rows * (12.0 * model.hidden + 6.0 * own.width)
    return stream_s(moved, machine, engine)


def served_layer(
    model: Model, plan: Plan, step: Tokens, moe: float, formats: Formats, machine: Machine, engine: Engine
) -> Served:
    """Return the time of a dense (``moe`` = 0) or MoE layer (1) in one step."""
    tokens = step.sequences + step.prompt
    weights = attention_products_s(model, plan, tokens, formats, machine, engine)
    if moe == 1.0:
        weights += expert_products_s(model, plan, tokens, formats, machine, engine)
    else:
        weights += mlp_products_s(model, plan, tokens, model.ffn, formats, machine, engine)
    attention = decode_attention_s(model, plan, step.sequences, step.context, formats, machine, engine)
    attention += prompt_attention_s(model, plan, step, machine)
    elementwise = elementwise_s(model, plan, tokens, moe, machine, engine)
    reductions = 1.0 if moe == 1.0 and plan.ep > 1.0 else 2.0
    reduce = reductions * all_reduce_time_s(2.0 * tokens * model.hidden, plan.tp, 1.0, machine)
    exchange = 0.0
    if moe == 1.0 and plan.ep > 1.0:
        sent = DISPATCH_BYTES * tokens / plan.tp * model.hidden * IMBALANCE
        each = expert_exchange_time_s(sent, model.top_k, model.top_groups, plan.ep, 1.0, 0.0, machine)
        exchange = 2.0 * (each + engine.exchange_s)
    busy = weights + attention + elementwise + reduce + exchange
    host = engine.host_layer_s + (engine.host_reduce_s if plan.tp > 1.0 else 0.0)
    waiting = soft_max(busy, host) - busy if engine.host_layer_s > 0.0 else 0.0
    own = engine.layer_s
    if moe == 1.0:
        own += engine.expert_s * routed(model, plan, tokens).chosen
    return Served(weights, attention, elementwise, reduce, exchange, waiting + own)
