"""Serving a language model: one step, prefill, decode with a growing KV cache, continuous batching, memory."""

import math
from typing import NamedTuple

from perfcore.formulas.collectives import point_to_point_time_s
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan
from perfcore.formulas.roofline import distinct_experts
from perfcore.formulas.serving_layer import (
    Served,
    Tokens,
    cached_tokens,
    kv_width,
    product_s,
    served_layer,
    stream_s,
)
from perfcore.formulas.states import stage_parameters
from perfcore.formulas.transformer import matmul_flop_per_token, mlp_matrix_parameters

LOGIT_BYTES = 8.0  # moved per logit by choosing the next token


def add(a: Served, b: Served, times: float) -> Served:
    """Return ``a`` and ``times`` of ``b``.

    Examples
    --------
    >>> add(Served(*[1.0] * 6), Served(*[2.0] * 6), 10.0).weights_s
    21.0
    """
    return Served(
        a.weights_s + times * b.weights_s,
        a.attention_s + times * b.attention_s,
        a.elementwise_s + times * b.elementwise_s,
        a.reduce_s + times * b.reduce_s,
        a.exchange_s + times * b.exchange_s,
        a.overhead_s + times * b.overhead_s,
    )


def total_s(step: Served) -> float:
    """Return the whole time of a layer or step [s].

    Examples
    --------
    >>> total_s(Served(*[1.0] * 6))
    6.0
    """
    return step.weights_s + step.attention_s + step.elementwise_s + step.reduce_s + step.exchange_s + step.overhead_s


def head_s(model: Model, plan: Plan, rows: float, formats: Formats, machine: Machine, engine: Engine) -> float:
    """Return the logits of ``rows`` tokens and the choice of the next ones [s]; 16 bit in every recipe."""
    if rows <= 0.0:
        return 0.0
    plain = Formats(2.0, 1.0, formats.kv_bytes)
    wide = machine.wide_gemm_flop_s
    logits = product_s(rows, model.vocab / plan.tp, model.hidden, 1.0, 0.0, wide, 2.0, plain, machine, engine)
    return logits + stream_s(LOGIT_BYTES * rows * model.vocab / plan.tp, machine, engine)


class Passes(NamedTuple):
    """How a step is cut: each of ``number`` passes runs through the layers of all stages, one after the other."""

    each: Tokens
    number: float


def passes(plan: Plan, step: Tokens, engine: Engine) -> Passes:
    """Return the tokens of one pass, and the passes that a stage's part of a step takes.

    Stages share out the sequences of a step, of which none can be cut; no pass has more than ``chunk_tokens`` tokens.

    Examples
    --------
    Half of 10,000 prompt tokens and 1,000 sequences, at most 2,048 in a pass: 2.7 of them on average.

    >>> engine = Engine(*[0.0] * 14, 2048.0, *[0.0] * 2)
    >>> found = passes(Plan(1.0, 2.0, *[1.0] * 15), Tokens(1000.0, 500.0, 10000.0, 500.0, 0.0), engine)
    >>> round(found.number, 1), round(found.each.sequences, 1), round(found.each.prompt, 1)
    (2.7, 186.2, 1861.8)
    """
    sequences = max(step.sequences / plan.pp, min(step.sequences, 1.0))
    prompt = step.prompt / plan.pp
    count = max(1.0, (sequences + prompt) / engine.chunk_tokens)
    return Passes(Tokens(sequences / count, step.context, prompt / count, step.prompt_length, step.prefix), count)


def layers_of_fullest_stage(model: Model, plan: Plan) -> float:
    """Return the layers of the fullest stage over those of a mean one; stages hold whole layers.

    Examples
    --------
    Of 61 layers on 4 stages one has 16:

    >>> round(layers_of_fullest_stage(Model(61.0, *[0.0] * 23), Plan(1.0, 4.0, *[1.0] * 15)), 4)
    1.0492
    """
    return math.ceil(model.layers / plan.pp) * plan.pp / model.layers


def queue_s(model: Model, plan: Plan, sequences: float, layers_s: float, logits_s: float) -> float:
    """Return how long the parts of a step queue at the slowest stage [s]; 0 while there are too few to fill the stages.

    A step takes all stages one after the other, or all its parts through the slowest: one of the fullest, or the last
    with the logits, which takes fewer layers where they do not come out even.

    Examples
    --------
    80 layers of 1 s each on 64 stages, with 64 sequences under way or one: two layers a stage, 128 s.

    >>> llama, stages = Model(80.0, *[0.0] * 23), Plan(1.0, 64.0, *[1.0] * 15)
    >>> queue_s(llama, stages, 64.0, 80.0, 0.0), queue_s(llama, stages, 1.0, 80.0, 0.0)
    (48.0, 0.0)
    """
    layer = layers_s / model.layers
    fullest = math.ceil(model.layers / plan.pp) * layer
    last = math.floor(model.layers / plan.pp) * layer + logits_s
    return max(0.0, min(plan.pp, sequences) * max(fullest, last) - layers_s - logits_s)


def serving_step(model: Model, plan: Plan, step: Tokens, formats: Formats, machine: Machine, engine: Engine) -> Served:
    """Return one step through all layers for the tokens of one rank.

    With ``plan.pp`` stages each works on a part of the batch at a time, so a token passes all layers in the time that
    part takes, and waits where a stage is slower than the others; a part of too many tokens takes several passes. The
    weights of a layer are read once for each.
    """
    part, count = passes(plan, step, engine)
    dense = model.dense_layers / model.layers
    time = Served(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if dense > 0.0:
        layer = served_layer(model, plan, part, 0.0, formats, machine, engine)
        time = add(time, layer, count * model.dense_layers)
    if dense < 1.0:
        layer = served_layer(model, plan, part, 1.0, formats, machine, engine)
        time = add(time, layer, count * (model.layers - model.dense_layers))
    ends = part.prompt / part.prompt_length if part.prompt > 0.0 else 0.0
    logits = count * head_s(model, plan, part.sequences + ends, formats, machine, engine)
    queue = queue_s(model, plan, step.sequences, total_s(time), logits)
    hops = 0.0
    if plan.pp > 1.0:
        near = 1.0 if plan.tp * plan.pp <= machine.domain else 0.0
        sent = 2.0 * (part.sequences + part.prompt) * model.hidden
        hops = plan.pp * point_to_point_time_s(sent, near, machine)
    host = engine.step_s * count + engine.sequence_s * step.sequences
    return add(time, Served(logits, 0.0, 0.0, 0.0, count * hops + queue, host), 1.0)


def prefill_step(
    model: Model,
    plan: Plan,
    prompts: float,
    prompt: float,
    prefix: float,
    formats: Formats,
    machine: Machine,
    engine: Engine,
) -> Served:
    """Return the prefill of ``prompts`` at once, with nothing before or after them.

    Of m parts (whole prompts, or chunks of one) the first passes all p stages, and one part follows after another:
    m - 1 times the fullest stage more, the pipeline's bubble included [1]_.

    References
    ----------
    .. [1] Y. Huang et al., "GPipe", arXiv:1811.06965 (2019), section 2.3.
    """
    tokens = prompts * prompt
    parts = float(max(1.0, max(min(plan.pp, prompts), math.ceil(tokens / engine.chunk_tokens))))
    full = Tokens(0.0, 0.0, tokens * plan.pp / parts, prompt, prefix)  # a part for each stage
    one = serving_step(model, plan, full, formats, machine, engine)
    return add(one, one, (parts - 1.0) / plan.pp * layers_of_fullest_stage(model, plan))


def mean_context(prompt: float, output: float, engine: Engine) -> float:
    """Return the tokens in a sequence's cache, a mean over its output; all of them with static buckets.

    Examples
    --------
    >>> mean_context(100.0, 50.0, Engine(*[0.0] * 17)), mean_context(100.0, 50.0, Engine(*[1.0] * 17))
    (125.0, 150.0)
    """
    return prompt + output if engine.whole_context == 1.0 else prompt + 0.5 * output


def kv_bytes_per_token(model: Model, plan: Plan, formats: Formats) -> float:
    """Return the bytes of KV cache that a token of a long context takes on one rank."""
    return model.layers / plan.pp * kv_width(model, plan) * formats.kv_bytes


def kv_bytes_per_sequence(model: Model, plan: Plan, length: float, formats: Formats) -> float:
    """Return the bytes of KV cache of a sequence of ``length`` tokens on the fullest rank; windows keep less."""
    uneven = layers_of_fullest_stage(model, plan)
    return uneven * kv_bytes_per_token(model, plan, formats) * cached_tokens(model, length)


def weight_bytes(model: Model, plan: Plan, formats: Formats) -> float:
    """Return the bytes of the weights on the fullest rank; embedding and head stay in 16 bit.

    Experts that are not spread over ranks are cut like an MLP, which takes the same memory.
    """
    spread = plan._replace(ep=max(plan.ep, plan.tp), vp=1.0)
    largest = 0.0
    vocabulary = model.vocab / plan.tp * model.hidden
    for stage in range(int(plan.pp)):
        held = stage_parameters(model._replace(mtp_layers=0.0), spread, float(stage), 0.0)
        ends = 0.0
        if stage == 0:
            ends += vocabulary + model.learned_positions * model.hidden
        if stage == int(plan.pp) - 1 and not (model.tied_embeddings > 0.0 and plan.pp == 1.0):
            ends += vocabulary
        largest = max(largest, formats.weight_bytes * (held.dense + held.experts - ends) + 2.0 * ends)
    return largest


def most_sequences(
    model: Model, plan: Plan, length: float, formats: Formats, machine: Machine, engine: Engine
) -> float:
    """Return how many sequences of ``length`` tokens fit in the memory of a rank beside the weights, 0 if none does."""
    free = engine.memory_share * machine.memory_bytes - weight_bytes(model, plan, formats)
    each = kv_bytes_per_sequence(model, plan, length, formats)
    return max(0.0, math.floor(free / each))


def continuous_step(
    model: Model,
    plan: Plan,
    sequences: float,
    prompt: float,
    prefix: float,
    output: float,
    formats: Formats,
    machine: Machine,
    engine: Engine,
) -> Served:
    """Return the mean step of continuous batching [1]_: ``sequences`` decode while prompts come in as others end.

    Each step carries a token of every sequence and ``prompt / output`` tokens of new prompts for each; ``prompt`` is
    what must be computed after a cached ``prefix``.

    References
    ----------
    .. [1] G. Yu et al., "Orca: a distributed serving system for transformer-based generative models", OSDI 2022.
    """
    context = mean_context(prefix + prompt, output, engine)
    step = Tokens(sequences, context, sequences * prompt / output, prompt, prefix)
    return serving_step(model, plan, step, formats, machine, engine)


def exchange_bound_s(
    tokens: float,
    experts: float,
    hidden: float,
    sent_bytes: float,
    returned_bytes: float,
    layers: float,
    micro_batches: float,
    bytes_s: float,
) -> float:
    """Return the least time per token that the exchange of experts allows, computation hidden behind it [s].

    Each of ``tokens`` on a device goes to ``experts`` of them (the shared one counted) with ``sent_bytes`` an element
    and comes back with ``returned_bytes``; ``micro_batches`` take turns, so that many exchanges stand in a row [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, "Insights into DeepSeek-V3", arXiv:2505.09343 (2025), section 2.3.2.

    Examples
    --------
    32 tokens, 9 experts, 7,000 elements, 50 GB/s: 120.96 us a layer and micro-batch, 14.76 ms a token.

    >>> round(exchange_bound_s(32.0, 9.0, 7000.0, 1.0, 2.0, 61.0, 2.0, 50e9) * 1e3, 2)
    14.76
    """
    layer_s = (sent_bytes + returned_bytes) * tokens * experts * hidden / bytes_s
    return micro_batches * layers * layer_s


def seen_by_prompt(model: Model, step: Tokens) -> float:
    """Return the keys that a token of a prompt sees, a mean over tokens and layers: the prefix and half of the prompt.

    Examples
    --------
    >>> windowed = Model(32.0, *[0.0] * 20, 100.0, 16.0, 0.0)
    >>> seen_by_prompt(windowed, Tokens(0.0, 0.0, 1000.0, 1000.0, 0.0))
    297.5
    """
    full = step.prefix + 0.5 * step.prompt_length
    if model.window <= 0.0:
        return full
    early = min(step.prompt_length, max(0.0, model.window - step.prefix))  # tokens that see less than a window
    near = ((step.prefix + 0.5 * early) * early + (step.prompt_length - early) * model.window) / step.prompt_length
    share = model.window_layers / model.layers
    return (1.0 - share) * full + share * near


def roofline_step_s(
    model: Model, plan: Plan, step: Tokens, formats: Formats, peak_flop_s: float, memory_bytes_s: float
) -> float:
    """Return the least time of a step on one rank [s]: its bytes over the bandwidth, or its FLOP over the peak.

    Weights once (of the experts those that are chosen), the KV cache once, no activations, nothing between chips: what
    any speed is compared with, not a prediction.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the ACM 52(4), 2009.
    """
    tokens = step.sequences + step.prompt
    ranks = plan.tp * plan.pp
    weights = weight_bytes(model, plan, formats)
    if not (model.tied_embeddings > 0.0 and plan.pp == 1.0):  # a tied embedding is read, as the head
        weights -= 2.0 * model.vocab * model.hidden / ranks
    if model.experts > 0.0:
        group = tokens * plan.ep / plan.tp if plan.ep > 1.0 else tokens
        idle = 1.0 - distinct_experts(1.0, model.top_k / model.experts, group)
        cut = max(plan.ep, plan.tp) * plan.pp
        held = (model.layers - model.dense_layers) * model.experts * mlp_matrix_parameters(model, model.expert_ffn)
        weights -= idle * formats.weight_bytes * held / cut
    cache = step.sequences * kv_bytes_per_token(model, plan, formats) * cached_tokens(model, step.context)
    ends = step.prompt / step.prompt_length if step.prompt > 0.0 else 0.0
    logits = 2.0 * model.hidden * model.vocab
    flop = tokens * (matmul_flop_per_token(model) / 3.0 - logits) + (step.sequences + ends) * logits
    keys = step.sequences * cached_tokens(model, step.context)
    keys += step.prompt * seen_by_prompt(model, step) if step.prompt > 0.0 else 0.0
    flop += keys * model.layers * 2.0 * model.heads * (model.head_dim + model.v_head_dim)
    return max((weights + cache) / memory_bytes_s, flop / ranks / peak_flop_s)
