"""Communication of one layer on one rank: tensor, context and expert parallel, and sharded weights."""

from typing import NamedTuple

from perfcore.formulas.collectives import (
    all_reduce_time_s,
    expert_exchange_time_s,
    gather_time_s,
    point_to_point_time_s,
)
from perfcore.formulas.layer import IMBALANCE, local_kv_heads, routed_tokens
from perfcore.formulas.records import Machine, Model, Plan, Software


class BothWays(NamedTuple):
    """Times in the forward and the backward pass [s]."""

    forward_s: float
    backward_s: float


def tensor_traffic(model: Model, plan: Plan, tokens: float, moe: float, machine: Machine) -> BothWays:
    """Return the all-gathers and reduce-scatters of tensor parallelism.

    Two pairs each way in a dense layer; one in a MoE layer whose experts are not cut.
    """
    pairs = 1.0 if moe == 1.0 and (plan.ep > 1.0 or plan.sequence_parallel == 1.0) else 2.0
    each = 2.0 * pairs * gather_time_s(2.0 * tokens * model.hidden, plan.tp, 1.0, machine)
    return BothWays(each, each)


def context_traffic(model: Model, plan: Plan, tokens: float, machine: Machine) -> BothWays:
    """Return the ring that passes keys and values around the context-parallel group."""
    if plan.cp <= 1.0:
        return BothWays(0.0, 0.0)
    block = 2.0 * tokens * local_kv_heads(model, plan) * (model.head_dim + model.v_head_dim)
    near = 1.0 if plan.cp * plan.tp <= machine.domain else 0.0
    forward = (plan.cp - 1.0) * point_to_point_time_s(block, near, machine)
    return BothWays(forward, 2.0 * forward)


def expert_traffic(model: Model, plan: Plan, tokens: float, machine: Machine, soft: Software) -> BothWays:
    """Return dispatch and combine of a MoE layer."""
    sent = 2.0 * routed_tokens(model, plan, tokens) * model.hidden * IMBALANCE
    each = 2.0 * expert_exchange_time_s(sent, model.top_k, model.top_groups, plan.ep, 1.0, soft.deduplicated, machine)
    return BothWays(each, each)


def shard_traffic(layer_bytes: float, plan: Plan, machine: Machine, soft: Software) -> BothWays:
    """Return gathering a layer's weights and scattering its gradients when both are sharded (ZeRO-3, FSDP).

    ``layer_bytes`` are the 16-bit weights of the layer on one tensor-parallel rank.
    """
    if plan.shard < 3.0:
        return BothWays(0.0, 0.0)
    stride = plan.tp
    if soft.single_network_port == 1.0:
        # A flat ring enters and leaves each domain through one port.
        moved = (plan.shard_group - 1.0) / plan.shard_group * layer_bytes
        gather = machine.network_latency_s + moved / machine.network_bytes_s
        return BothWays(gather, 2.0 * gather)
    gather = gather_time_s(layer_bytes, plan.shard_group, stride, machine)
    gradients = layer_bytes * soft.gradient_bytes / 2.0
    scatter = gather_time_s(gradients, plan.shard_group, stride, machine)
    replicas = plan.dp * plan.cp / plan.shard_group
    scatter += all_reduce_time_s(gradients / plan.shard_group, replicas, stride * plan.shard_group, machine)
    return BothWays(gather, gather + scatter)


def exposed(traffic_s: float, compute_s: float, share: float, window: float) -> float:
    """Return the part of communication that is not hidden [s].

    A share of it at most is hidden, and no more than a window of the compute beside it.

    >>> exposed(10.0, 100.0, 0.8, 0.7), exposed(100.0, 100.0, 0.8, 0.7)
    (2.0, 30.0)
    """
    return max((1.0 - share) * traffic_s, traffic_s - window * compute_s)
