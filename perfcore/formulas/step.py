"""Time of one training step: layers, embedding and head on a stage, the pipeline, the gradients, the optimizer."""

import math
from typing import NamedTuple

from perfcore.formulas.collectives import gather_time_s, point_to_point_time_s
from perfcore.formulas.layer import linear
from perfcore.formulas.layer_time import LayerTime, mean_layer, total
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
from perfcore.formulas.states import expert_shard_group, stage_layers, stage_parameters
from perfcore.formulas.traffic import BothWays

OPTIMIZER_BYTES = 40.0  # read and written per parameter: gradient, master weight, two moments, norm, copy
EMBEDDING_BYTES = 12.0  # per hidden element and token


def head_time(model: Model, plan: Plan, tokens: float, machine: Machine, soft: Software) -> float:
    """Return the time of logits and loss of a micro-batch, forward and backward [s]; 16 bit in every recipe.

    6 FLOP for each token and weight [1]_, and the bytes that the loss moves for each logit.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), appendix.
    """
    logits = linear(tokens, model.vocab / plan.tp, model.hidden, 1.0, machine.wide_gemm_flop_s, 2.0, machine)
    moved = soft.logit_bytes * tokens * model.vocab / plan.tp
    return (
        logits.forward_s
        + logits.data_s
        + logits.weight_s
        + moved / (machine.memory_efficiency * machine.memory_bytes_s)
    )


def embedding_time(model: Model, tokens: float, machine: Machine) -> float:
    """Return the time of looking tokens up and of their gradient [s]: memory traffic of a micro-batch."""
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
    """Return the tokens of one micro-batch on one rank [tokens]; from the batch, since a run may not fill the last."""
    return work.global_batch * work.seq / (plan.dp * plan.cp * plan.micro_batches)


def straggler_share(chips: float, machine: Machine, soft: Software) -> float:
    """Return the share of time lost to the slowest of many domains.

    Grows with the square root of the doublings in clusters of nodes, with the doublings where slices are joined.

    Examples
    --------
    16 nodes of 8 chips are 4 doublings:

    >>> round(straggler_share(128.0, Machine(*[0.0] * 10, 8.0, *[0.0] * 5), Software(*[0.0] * 14, 0.01, 0.0)), 6)
    0.02
    """
    domains = chips / machine.domain
    if domains <= 1.0:
        return 0.0
    return soft.straggler * math.sqrt(math.log2(domains)) + soft.slice_straggler * math.log2(domains)


def data_traffic(dense: float, experts: float, plan: Plan, machine: Machine, soft: Software) -> BothWays:
    """Return the times to gather updated weights (forward) and to reduce gradients (backward) of a rank [s].

    Expert gradients have a group of their own, ep ranks apart. Without a sharded optimizer an all-reduce replaces both.
    Where weights are sharded the layers have done both [1]_.

    References
    ----------
    .. [1] S. Rajbhandari et al., "ZeRO", arXiv:1910.02054 (2020), section 7.
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
    """Return the time to update a rank's share of the parameters [s]: 40 bytes of memory traffic each."""
    spread = plan.shard_group if plan.shard >= 1.0 else 1.0
    expert_spread = expert_shard_group(plan) if plan.shard >= 1.0 else 1.0
    moved = OPTIMIZER_BYTES * (dense / spread + experts / expert_spread)
    return moved / (machine.memory_efficiency * machine.memory_bytes_s)


def costs_of(
    layer: LayerTime, model: Model, plan: Plan, work: Work, embedding_layers: float, machine: Machine, soft: Software
) -> Costs:
    """Return what a plan costs per layer, micro-batch and step.

    Data traffic and optimizer are those of the first stage.
    """
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
