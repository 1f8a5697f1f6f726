"""Communication of one layer on one rank: tensor, context and expert parallel, and sharded weights."""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.collectives import (
    all_reduce_time_s,
    expert_exchange_time_s,
    gather_time_s,
    point_to_point_time_s,
)
from perfcore.formulas.products import IMBALANCE, routed_tokens
from perfcore.formulas.records import Machine, Model, Plan, Software
from perfcore.formulas.states import expert_shard_group


class BothWays(NamedTuple):
    """Times in the forward and the backward pass [s]."""

    forward_s: float
    backward_s: float


def tensor_pairs(plan: Plan, moe: float) -> float:
    """Return the all-reduces (pairs of reduce-scatter and all-gather) of a layer in one pass: two, or one with experts.

    A MoE layer whose experts are not cut has that of attention alone.
    """
    return 1.0 if moe == 1.0 and (plan.ep > 1.0 or plan.sequence_parallel == 1.0) else 2.0


def tensor_traffic(model: Model, plan: Plan, tokens: float, moe: float, machine: Machine) -> BothWays:
    """Return the all-gathers and reduce-scatters of tensor parallelism, for 16-bit activations of ``tokens`` tokens.

    Two pairs each way in a dense layer [1]_, with sequence parallelism as without it [2]_; one in a MoE layer whose
    experts are not cut.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), section 2.3.
    .. [2] V. Korthikanti et al., arXiv:2205.05198 (2022), section 4.2.2.
    """
    each = 2.0 * tensor_pairs(plan, moe) * gather_time_s(2.0 * tokens * model.hidden, plan.tp, 1.0, machine)
    return BothWays(each, each)


def context_traffic(model: Model, plan: Plan, tokens: float, machine: Machine) -> BothWays:
    """Return the ring that passes 16-bit keys and values around the context-parallel group.

    The backward pass moves them and their gradients [1]_. KV heads are those of the model, fewer than query heads in
    grouped-query attention [2]_.

    References
    ----------
    .. [1] H. Liu, M. Zaharia, P. Abbeel, "Ring attention", arXiv:2310.01889 (2023), section 3.
    .. [2] J. Ainslie et al., "GQA", arXiv:2305.13245 (2023), section 2.2.
    """
    if plan.cp <= 1.0:
        return BothWays(0.0, 0.0)
    block = 2.0 * tokens * kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)
    near = 1.0 if plan.cp * plan.tp <= machine.domain else 0.0
    forward = (plan.cp - 1.0) * point_to_point_time_s(block, near, machine)
    return BothWays(forward, 2.0 * forward)


def expert_traffic(model: Model, plan: Plan, tokens: float, machine: Machine, soft: Software) -> BothWays:
    """Return dispatch and combine of a MoE layer, 16 bit, on the busiest rank.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 3.2.2.
    """
    sent = 2.0 * routed_tokens(model, plan, tokens) * model.hidden * IMBALANCE
    each = 2.0 * expert_exchange_time_s(sent, model.top_k, model.top_groups, plan.ep, 1.0, soft.deduplicated, machine)
    return BothWays(each, each)


def shard_traffic(
    layer_bytes: float, group: float, stride: float, copies: float, machine: Machine, soft: Software
) -> BothWays:
    """Return gathering weights and scattering their gradients when both are sharded (ZeRO-3, FSDP).

    ``layer_bytes`` are the 16-bit weights of a layer that a rank uses, cut over ``group`` ranks ``stride`` chips apart.
    Weights are gathered for each pass, gradients scattered once [1]_; where shards have ``copies`` on other ranks,
    these are summed.

    References
    ----------
    .. [1] S. Rajbhandari et al., "ZeRO", arXiv:1910.02054 (2020), section 7.2.2.
    """
    if soft.single_network_port == 1.0 and group * stride > machine.domain and group > 1.0:
        # A flat ring enters and leaves each domain through one port.
        moved = (group - 1.0) / group * layer_bytes
        gather = machine.network_latency_s + moved / machine.network_bytes_s
        return BothWays(gather, 2.0 * gather)
    gather = gather_time_s(layer_bytes, group, stride, machine)
    gradients = layer_bytes * soft.gradient_bytes / 2.0
    scatter = gather_time_s(gradients, group, stride, machine)
    scatter += all_reduce_time_s(gradients / group, copies, stride * group, machine)
    return BothWays(gather, gather + scatter)


def sharded_traffic(dense: float, experts: float, plan: Plan, machine: Machine, soft: Software) -> BothWays:
    """Return the traffic of a layer's sharded weights on a rank: of ``dense`` parameters and of those of ``experts``.

    Experts that are spread over ranks already are cut over those alone that hold the same ones.
    """
    if plan.shard < 3.0:
        return BothWays(0.0, 0.0)
    copies = plan.dp * plan.cp / plan.shard_group
    if plan.ep == 1.0:
        return shard_traffic(2.0 * (dense + experts), plan.shard_group, plan.tp, copies, machine, soft)
    group = expert_shard_group(plan)
    others = plan.tp * plan.dp * plan.cp / plan.ep / group
    a = shard_traffic(2.0 * dense, plan.shard_group, plan.tp, copies, machine, soft)
    b = shard_traffic(2.0 * experts, group, plan.ep, others, machine, soft)
    return BothWays(a.forward_s + b.forward_s, a.backward_s + b.backward_s)


def exposed(traffic_s: float, compute_s: float, share: float, window: float) -> float:
    """Return the part of communication that is not hidden [s].

    A share of it at most is hidden, and no more than a window of the compute beside it.

    Examples
    --------
    >>> exposed(10.0, 100.0, 0.75, 0.5), exposed(100.0, 100.0, 0.75, 0.5)
    (2.5, 50.0)
    """
    return max((1.0 - share) * traffic_s, traffic_s - window * compute_s)
