"""Time of one training step: the cost of a layer, of the embedding and the head, the pipeline, the gradients."""

import math
from typing import NamedTuple

from perfcore.formulas.collectives import gather_time_s, point_to_point_time_s
from perfcore.formulas.layer import (
    Passes,
    attention_linear,
    attention_time,
    expert_linear,
    linear,
    memory_bound,
    mlp_linear,
)
from perfcore.formulas.pipeline import (
    FIXED_S,
    Costs,
    bubble_seconds,
    exposed_data_seconds,
    hop_seconds,
    stage_seconds,
    step_seconds,
)
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.states import expert_shard_group, layer_parameters_per_rank, stage_layers, stage_parameters
from perfcore.formulas.traffic import (
    BothWays,
    context_traffic,
    expert_traffic,
    exposed,
    shard_traffic,
    tensor_traffic,
)

SHARD_WINDOW = 0.7  # share of a layer's compute that gathering weights may hide behind
CONTEXT_WINDOW, CONTEXT_FLOOR = 0.9, 0.1  # of the ring behind attention
FORWARD_KERNELS, BACKWARD_KERNELS = 16.0, 30.0  # launches of a dense layer
FORWARD_MOE_KERNELS, BACKWARD_MOE_KERNELS = 30.0, 55.0
EXPERT_LAUNCHES, EXPERT_LAUNCHES_CAST = 2.0, 8.0  # of one expert forward: two products, and six casts in 8 and 4 bit
OPTIMIZER_BYTES = 40.0  # read and written per parameter: gradient, master weight, two moments, norm, copy
EMBEDDING_BYTES = 12.0  # per hidden element and token


class LayerTime(NamedTuple):
    """One layer and micro-batch on one rank [s]; communication is its exposed part."""

    gemm_s: float
    attention_s: float
    elementwise_s: float
    tensor_s: float
    context_s: float
    expert_s: float
    shard_s: float
    recompute_s: float
    launch_s: float
    weight_s: float  # of the above, the weight gradients, which a zero-bubble schedule may move


def total(layer: LayerTime) -> float:
    """Return the whole time of a layer."""
    return (
        layer.gemm_s
        + layer.attention_s
        + layer.elementwise_s
        + layer.tensor_s
        + layer.context_s
        + layer.expert_s
        + layer.shard_s
        + layer.recompute_s
        + layer.launch_s
    )


def mix(a: LayerTime, b: LayerTime, share: float) -> LayerTime:
    """Return the mean layer of a stack with ``share`` of ``b``."""
    rest = 1.0 - share
    return LayerTime(
        rest * a.gemm_s + share * b.gemm_s,
        rest * a.attention_s + share * b.attention_s,
        rest * a.elementwise_s + share * b.elementwise_s,
        rest * a.tensor_s + share * b.tensor_s,
        rest * a.context_s + share * b.context_s,
        rest * a.expert_s + share * b.expert_s,
        rest * a.shard_s + share * b.shard_s,
        rest * a.recompute_s + share * b.recompute_s,
        rest * a.launch_s + share * b.launch_s,
        rest * a.weight_s + share * b.weight_s,
    )


def layer_traffic(
    model: Model, plan: Plan, tokens: float, moe: float, machine: Machine, soft: Software
) -> tuple[BothWays, BothWays, BothWays, BothWays]:
    """Return tensor, context, expert and shard traffic of a layer, before any of it is hidden."""
    tensor = tensor_traffic(model, plan, tokens, moe, machine)
    context = context_traffic(model, plan, tokens, machine)
    nothing = BothWays(0.0, 0.0)
    expert = expert_traffic(model, plan, tokens, machine, soft) if moe == 1.0 else nothing
    held = layer_parameters_per_rank(model, plan, 1.0 - moe)
    shard = shard_traffic(2.0 * (held.dense + held.experts), plan, machine, soft)
    return tensor, context, expert, shard


def layer_time(
    model: Model, plan: Plan, work: Work, tokens: float, moe: float, machine: Machine, soft: Software
) -> LayerTime:
    """Return the time of a dense (``moe`` = 0) or MoE layer (1) for ``tokens`` tokens of a rank."""
    projections = attention_linear(model, plan, tokens, machine)
    mlp = (
        expert_linear(model, plan, tokens, machine)
        if moe == 1.0
        else mlp_linear(model, plan, tokens, model.ffn, machine)
    )
    attention = attention_time(model, plan, tokens, work.seq, machine, soft)
    width = model.shared_ffn if moe == 1.0 else model.ffn
    expert_width = model.expert_ffn if moe == 1.0 else 0.0
    memory = memory_bound(model, plan, tokens, width, expert_width, machine, soft)
    traffic = layer_traffic(model, plan, tokens, moe, machine, soft)
    each = EXPERT_LAUNCHES_CAST if machine.cast_bytes > 0.0 else EXPERT_LAUNCHES
    return join(plan, projections, mlp, attention, memory, traffic, moe, each * model.experts / plan.ep, soft)


def join(
    plan: Plan,
    projections: Passes,
    mlp: Passes,
    attention: Passes,
    memory: Passes,
    traffic: tuple[BothWays, BothWays, BothWays, BothWays],
    moe: float,
    launches: float,
    soft: Software,
) -> LayerTime:
    """Put the kernels and the traffic of a layer together: what is recomputed, what is hidden, the launch floor.

    ``launches`` are those of the experts' kernels in the forward pass; the backward pass has twice as many.
    """
    tensor, context, expert, shard = traffic
    show = 1.0 - soft.overlap * soft.tensor_overlap
    tensor_forward = show * tensor.forward_s
    context_forward = max(CONTEXT_FLOOR * context.forward_s, context.forward_s - CONTEXT_WINDOW * attention.forward_s)
    context_backward = max(CONTEXT_FLOOR * context.backward_s, context.backward_s - CONTEXT_WINDOW * attention.data_s)
    forward = projections.forward_s + mlp.forward_s + attention.forward_s + memory.forward_s
    backward = projections.data_s + mlp.data_s + attention.data_s + memory.data_s
    weight = projections.weight_s + mlp.weight_s
    again = (
        plan.recompute_projections * projections.forward_s
        + plan.recompute_mlp * mlp.forward_s
        + plan.recompute_attention * attention.forward_s
        + plan.recompute_elementwise * memory.forward_s
        + plan.recompute_communication * (tensor_forward + context_forward + expert.forward_s)
    )
    kernels_forward = FORWARD_MOE_KERNELS if moe == 1.0 else FORWARD_KERNELS
    kernels_backward = BACKWARD_MOE_KERNELS if moe == 1.0 else BACKWARD_KERNELS
    idle_forward = max(0.0, kernels_forward * soft.launch_s - forward)
    idle_backward = max(0.0, kernels_backward * soft.launch_s - backward - weight)
    if moe == 1.0 and soft.fused_experts == 0.0:
        # The host reads how many tokens each expert got, so it cannot launch their kernels ahead of the chip.
        idle_forward = max(idle_forward, launches * soft.launch_s - mlp.forward_s)
        idle_backward = max(idle_backward, 2.0 * launches * soft.launch_s - mlp.data_s - mlp.weight_s)
    shard_forward = exposed(shard.forward_s, forward, soft.overlap, SHARD_WINDOW)
    shard_backward = exposed(shard.backward_s, backward + weight + again, soft.overlap, SHARD_WINDOW)
    return LayerTime(
        projections.forward_s + projections.data_s + mlp.forward_s + mlp.data_s + weight,
        attention.forward_s + attention.data_s,
        memory.forward_s + memory.data_s,
        tensor_forward + show * tensor.backward_s,
        context_forward + context_backward,
        expert.forward_s + expert.backward_s,
        shard_forward + shard_backward,
        again,
        idle_forward + idle_backward,
        weight,
    )


def mean_layer(model: Model, plan: Plan, work: Work, tokens: float, machine: Machine, soft: Software) -> LayerTime:
    """Return the mean over the dense and MoE layers of a model."""
    dense_share = model.dense_layers / model.layers
    if dense_share == 1.0:
        return layer_time(model, plan, work, tokens, 0.0, machine, soft)
    moe = layer_time(model, plan, work, tokens, 1.0, machine, soft)
    if dense_share == 0.0:
        return moe
    return mix(moe, layer_time(model, plan, work, tokens, 0.0, machine, soft), dense_share)


def head_time(model: Model, plan: Plan, tokens: float, machine: Machine, soft: Software) -> float:
    """Return the time of logits and loss, forward and backward [s]; 16 bit in every recipe."""
    logits = linear(tokens, model.vocab / plan.tp, model.hidden, 1.0, machine.wide_gemm_flop_s, 2.0, machine)
    moved = soft.logit_bytes * tokens * model.vocab / plan.tp
    return (
        logits.forward_s
        + logits.data_s
        + logits.weight_s
        + moved / (machine.memory_efficiency * machine.memory_bytes_s)
    )


def embedding_time(model: Model, tokens: float, machine: Machine) -> float:
    """Return the time of looking tokens up and of their gradient [s]."""
    return EMBEDDING_BYTES * tokens * model.hidden / (machine.memory_efficiency * machine.memory_bytes_s)


class Step(NamedTuple):
    """Where the time of a step goes on the busiest stage [s]; ``time_s`` is the sum of the others."""

    time_s: float
    gemm_s: float
    attention_s: float
    elementwise_s: float
    head_s: float  # logits and loss, embedding
    recompute_s: float
    tensor_s: float  # exposed communication of tensor,
    context_s: float  # context,
    expert_s: float  # expert parallelism,
    shard_s: float  # of sharded weights
    pipeline_s: float  # and between stages
    bubble_s: float
    data_s: float  # exposed gradient reduction and weight gathering
    optimizer_s: float
    launch_s: float  # the host is slower than the chip
    straggler_s: float
    fixed_s: float


def tokens_per_micro_batch(plan: Plan, work: Work) -> float:
    """Return the tokens of one micro-batch on one rank."""
    return work.global_batch * work.seq / (plan.dp * plan.cp * plan.micro_batches)


def straggler_share(chips: float, machine: Machine, soft: Software) -> float:
    """Return the share of time lost to the slowest of many domains.

    Grows with the square root of the doublings in clusters of nodes, with the doublings where slices are joined.
    """
    domains = chips / machine.domain
    if domains <= 1.0:
        return 0.0
    return soft.straggler * math.sqrt(math.log2(domains)) + soft.slice_straggler * math.log2(domains)


def data_traffic(dense: float, experts: float, plan: Plan, machine: Machine, soft: Software) -> BothWays:
    """Return the time to gather updated weights (forward) and to reduce gradients (backward) of a rank's parameters [s].

    Expert gradients have a group of their own, ep ranks apart. Without a sharded optimizer an all-reduce replaces both.
    """
    ranks = plan.dp * plan.cp
    expert_ranks = ranks * plan.tp / plan.ep
    reduce_s = gather_time_s(soft.gradient_bytes * dense, ranks, plan.tp, machine)
    reduce_s += gather_time_s(soft.gradient_bytes * experts, expert_ranks, plan.ep, machine)
    back = 2.0 if plan.shard >= 1.0 else soft.gradient_bytes
    gather_s = gather_time_s(back * dense, ranks, plan.tp, machine)
    gather_s += gather_time_s(back * experts, expert_ranks, plan.ep, machine)
    if plan.shard >= 3.0:
        return BothWays(0.0, 0.0)
    return BothWays(gather_s, reduce_s)


def optimizer_seconds(dense: float, experts: float, plan: Plan, machine: Machine) -> float:
    """Return the time to update a rank's share of the parameters [s]."""
    spread = plan.shard_group if plan.shard >= 1.0 else 1.0
    expert_spread = expert_shard_group(plan) if plan.shard >= 1.0 else 1.0
    moved = OPTIMIZER_BYTES * (dense / spread + experts / expert_spread)
    return moved / (machine.memory_efficiency * machine.memory_bytes_s)


def costs_of(
    layer: LayerTime, model: Model, plan: Plan, work: Work, embedding_layers: float, machine: Machine, soft: Software
) -> Costs:
    """Return what a plan costs per layer, micro-batch and step."""
    chips = plan.tp * plan.pp * plan.cp * plan.dp
    tokens = tokens_per_micro_batch(plan, work)
    near = 1.0 if chips <= machine.domain else 0.0
    hop_s = point_to_point_time_s(2.0 * tokens * model.hidden / plan.tp, near, machine) if plan.pp > 1.0 else 0.0
    held = stage_parameters(model, plan, 0.0, embedding_layers)
    data = data_traffic(held.dense, held.experts, plan, machine, soft)
    middle = min(1.0, plan.pp - 1.0)
    return Costs(
        stage_layers(model.layers, plan.pp, middle if plan.pp > 2.0 else 0.0, embedding_layers),
        stage_layers(model.layers, plan.pp, plan.pp - 1.0, embedding_layers) + model.mtp_layers,
        total(layer),
        layer.weight_s,
        embedding_time(model, tokens, machine),
        head_time(model, plan, tokens, machine, soft) * (1.0 + model.mtp_layers),
        hop_s,
        data.backward_s,
        data.forward_s,
        optimizer_seconds(held.dense, held.experts, plan, machine),
        straggler_share(chips, machine, soft),
    )


def step_time(model: Model, plan: Plan, work: Work, embedding_layers: float, machine: Machine, soft: Software) -> Step:
    """Return the time of one optimizer step and where it goes.

    ``embedding_layers`` is 1.0 where embedding and head each count as a layer when layers are dealt to stages.
    """
    layer = mean_layer(model, plan, work, tokens_per_micro_batch(plan, work), machine, soft)
    costs = costs_of(layer, model, plan, work, embedding_layers, machine, soft)
    m = plan.micro_batches
    time_s = step_seconds(plan.pp, plan.vp, m, plan.schedule, soft.pipeline_overlap, soft.data_overlap, costs)
    stage_s = stage_seconds(plan.pp, costs)
    first = costs.full_layers * costs.layer_s + costs.embedding_s
    busy = m * (costs.full_layers if stage_s == first else costs.last_layers)
    bubble_s = bubble_seconds(plan.pp, plan.vp, m, plan.schedule, costs)
    hop_s = hop_seconds(plan.pp, plan.vp, m, soft.pipeline_overlap, costs)
    return Step(
        time_s,
        busy * layer.gemm_s,
        busy * layer.attention_s,
        busy * layer.elementwise_s,
        m * stage_s - busy * costs.layer_s,
        busy * layer.recompute_s,
        busy * layer.tensor_s,
        busy * layer.context_s,
        busy * layer.expert_s,
        busy * layer.shard_s,
        hop_s,
        bubble_s,
        exposed_data_seconds(soft.data_overlap, stage_s, costs),
        costs.optimizer_s,
        busy * layer.launch_s,
        costs.straggler * (m * stage_s + bubble_s + hop_s),
        FIXED_S,
    )
