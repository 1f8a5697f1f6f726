"""Time of one layer on one rank: its kernels, what of its traffic shows, what is done again, and the host."""

from typing import NamedTuple

from perfcore.formulas.layer import (
    Passes,
    attention_linear,
    attention_time,
    expert_linear,
    memory_bound,
    mlp_linear,
)
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.states import layer_parameters_per_rank
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
    """Return the whole time of a layer [s].

    Examples
    --------
    >>> total(LayerTime(*[1.0] * 10))
    9.0
    """
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
    """Return the mean layer of a stack with ``share`` of ``b``.

    Examples
    --------
    >>> mix(LayerTime(*[1.0] * 10), LayerTime(*[2.0] * 10), 0.25).gemm_s
    1.25
    """
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
    """Return tensor, context, expert and shard traffic of a layer [s], before any of it is hidden."""
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
    launches = each * model.experts / plan.ep if moe == 1.0 and soft.fused_experts == 0.0 else 0.0
    return join(plan, projections, mlp, attention, memory, traffic, moe, launches, soft)


def ring_shown(ring_s: float, attention_s: float) -> float:
    """Return the part of the context-parallel ring that attention does not hide [s].

    Examples
    --------
    >>> ring_shown(10.0, 100.0), ring_shown(100.0, 100.0)
    (1.0, 10.0)
    """
    return max(CONTEXT_FLOOR * ring_s, ring_s - CONTEXT_WINDOW * attention_s)


def host_idle(kernels: float, busy_s: float, launches: float, experts_s: float, launch_s: float) -> float:
    """Return how long the chip waits for the host in one pass of a layer [s].

    The host launches ahead while the chip is busy, with kernels or with traffic that shows. The ``launches`` of experts
    it cannot run ahead of: it reads how many tokens each expert got.

    Examples
    --------
    16 launches of 1 s beside 10 s of work; 20 of experts whose work is 8 s; a chip that is slower than both.

    >>> [host_idle(16.0, *rest, 1.0) for rest in ((10.0, 0.0, 0.0), (10.0, 20.0, 8.0), (99.0, 20.0, 30.0))]
    [6.0, 12.0, 0.0]
    """
    return max(max(0.0, kernels * launch_s - busy_s), launches * launch_s - experts_s)


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

    Full recomputation adds one forward pass, selective core attention alone [1]_. The ring of context parallelism hides
    behind attention; gathered weights and scattered gradients hide behind the whole pass, waiting for the host
    included, less what has hidden the ring. ``launches`` are those of the experts' kernels that the host cannot launch
    ahead, in the forward pass; the backward pass has twice as many.

    References
    ----------
    .. [1] V. Korthikanti et al., arXiv:2205.05198 (2022), section 5.
    """
    tensor, context, expert, shard = traffic
    show = 1.0 - soft.overlap * soft.tensor_overlap
    tensor_forward = show * tensor.forward_s
    tensor_backward = show * tensor.backward_s
    context_forward = ring_shown(context.forward_s, attention.forward_s)
    context_backward = ring_shown(context.backward_s, attention.data_s)
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
    kernels = FORWARD_MOE_KERNELS if moe == 1.0 else FORWARD_KERNELS
    busy = forward + tensor_forward + context_forward + expert.forward_s
    idle_forward = host_idle(kernels, busy, launches, mlp.forward_s, soft.launch_s)
    kernels = BACKWARD_MOE_KERNELS if moe == 1.0 else BACKWARD_KERNELS
    busy = backward + weight + tensor_backward + context_backward + expert.backward_s
    idle_backward = host_idle(kernels, busy, 2.0 * launches, mlp.data_s + mlp.weight_s, soft.launch_s)
    free = forward + idle_forward - (context.forward_s - context_forward)
    shard_forward = exposed(shard.forward_s, free, soft.overlap, SHARD_WINDOW)
    free = backward + weight + again + idle_backward - (context.backward_s - context_backward)
    shard_backward = exposed(shard.backward_s, free, soft.overlap, SHARD_WINDOW)
    return LayerTime(
        projections.forward_s + projections.data_s + mlp.forward_s + mlp.data_s + weight,
        attention.forward_s + attention.data_s,
        memory.forward_s + memory.data_s,
        tensor_forward + tensor_backward,
        context_forward + context_backward,
        expert.forward_s + expert.backward_s,
        shard_forward + shard_backward,
        again,
        idle_forward + idle_backward,
        weight,
    )


def mean_layer(model: Model, plan: Plan, work: Work, tokens: float, machine: Machine, soft: Software) -> LayerTime:
    """Return the mean over the dense and MoE layers of a model, for ``tokens`` tokens of a rank."""
    dense_share = model.dense_layers / model.layers
    if dense_share == 1.0:
        return layer_time(model, plan, work, tokens, 0.0, machine, soft)
    moe = layer_time(model, plan, work, tokens, 1.0, machine, soft)
    if dense_share == 0.0:
        return moe
    return mix(moe, layer_time(model, plan, work, tokens, 0.0, machine, soft), dense_share)
