"""Memory of one chip in training: states of its parameters, activations in flight, and what one layer or the loss adds.

Plain functions of the records, without loops, so that a search can call them for every plan. Bytes everywhere.
"""

import math
from typing import NamedTuple

from perfcore.formulas.activations import (
    activation_bytes_per_layer,
    kv_heads_per_rank,
    micro_batch_tokens,
    micro_batches_in_flight,
)
from perfcore.formulas.records import Model, Plan, Work
from perfcore.formulas.storage import Storage


class StageParameters(NamedTuple):
    """Parameters of one rank of a pipeline stage, before data-parallel sharding."""

    dense: float  # all but the experts: attention, dense and shared MLP, router, norms, embedding, head
    experts: float
    head: float  # the part of ``dense`` that makes logits
    layer: float  # largest layer kind of the stage, with its experts


class States(NamedTuple):
    """Bytes of the states of parameters on one rank."""

    weights: float
    gradients: float
    optimizer: float


class Footprint(NamedTuple):
    """Bytes of one rank of a pipeline stage at its peak."""

    weights: float
    gradients: float
    optimizer: float
    activations: float  # kept for the backward pass, all micro-batches in flight
    logits: float  # 0 where the peak is not at the loss
    workspace: float  # of the layer or product at work, and of the process
    stage: float
    total: float


def stage_layers(layers: float, pp: float, stage: float, embedding_layers: float) -> float:
    """Layers of pipeline stage ``stage`` (from 0) when the last stage owns what an even deal leaves.

    Embedding and head count as ``embedding_layers`` layers each: 0 in Megatron-LM, 1 where the first and the last
    stage are relieved of one layer.

    Examples
    --------
    >>> [stage_layers(30.0, 4.0, stage, 0.0) for stage in (0.0, 1.0, 2.0, 3.0)]
    [8.0, 8.0, 8.0, 6.0]
    >>> [stage_layers(22.0, 4.0, stage, 1.0) for stage in (0.0, 1.0, 2.0, 3.0)]
    [5.0, 6.0, 6.0, 5.0]
    """
    even = math.ceil((layers + 2.0 * embedding_layers) / pp)
    owned = even
    if stage == pp - 1.0:
        owned = layers + embedding_layers - even * (pp - 1.0)
        if pp == 1.0:
            owned = layers
    elif stage == 0.0:
        owned = even - embedding_layers
    return max(0.0, owned)


def stage_dense_layers(model: Model, plan: Plan, stage: float, owned: float) -> float:
    """Layers with a dense MLP among the ``owned`` ones of a stage; leading ones are in the first chunks."""
    if model.experts == 0.0:
        return owned
    chunk = owned / plan.vp
    leading = min(chunk, max(0.0, model.leading_dense_layers - stage * chunk))
    between = model.layers - model.leading_dense_layers
    share = (model.dense_layers - model.leading_dense_layers) / between if between > 0.0 else 1.0
    return leading + (owned - leading) * share


def attention_parameters(model: Model, plan: Plan) -> float:
    """Parameters of attention in one layer on one tensor-parallel rank, biases included.

    MLA's projections to the compressed vectors are repeated on every rank.
    """
    heads = model.heads / plan.tp
    output = heads * model.v_head_dim * model.hidden
    if model.kv_lora_rank > 0.0:
        up = model.kv_lora_rank * heads * (model.head_dim - model.rope_head_dim + model.v_head_dim)
        down = model.hidden * (model.kv_lora_rank + model.rope_head_dim + model.q_lora_rank)
        query = (model.q_lora_rank if model.q_lora_rank > 0.0 else model.hidden) * heads * model.head_dim
        return output + up + down + query
    projected = heads * model.head_dim + kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)
    return output + projected * (model.hidden + model.biases) + model.biases * model.hidden


def layer_parameters_per_rank(model: Model, plan: Plan, dense: float) -> StageParameters:
    """Parameters of one layer on one rank; ``dense`` is 1 for a dense MLP, 0 for experts."""
    norms = 2.0 * model.hidden * (1.0 + model.biases)
    common = attention_parameters(model, plan) + norms
    width = model.ffn if dense > 0.0 else model.shared_ffn
    mlp = width / plan.tp * (model.ffn_matrices * model.hidden + (model.ffn_matrices - 1.0) * model.biases)
    mlp += model.biases * model.hidden
    if dense > 0.0:
        return StageParameters(common + mlp, 0.0, 0.0, common + mlp)
    router = model.hidden * model.experts
    one = model.ffn_matrices * model.hidden * model.expert_ffn
    part = common + mlp + router
    return StageParameters(part, one * model.experts / plan.ep, 0.0, part + one)


def stage_parameters(model: Model, plan: Plan, stage: float, embedding_layers: float) -> StageParameters:
    """Parameters of a stage on one rank: its layers, the embedding on the first, the head on the last stage.

    Tied embedding and head are one matrix when both stand on one stage, else a copy each.
    """
    owned = stage_layers(model.layers, plan.pp, stage, embedding_layers)
    last = 1.0 if stage == plan.pp - 1.0 else 0.0
    dense_layers = stage_dense_layers(model, plan, stage, owned)
    expert_layers = owned - dense_layers + last * model.mtp_layers * (1.0 if model.experts > 0.0 else 0.0)
    dense_layers += last * model.mtp_layers * (0.0 if model.experts > 0.0 else 1.0)
    dense = layer_parameters_per_rank(model, plan, 1.0)
    moe = layer_parameters_per_rank(model, plan, 0.0)
    vocabulary = model.vocab / plan.tp * model.hidden
    first = vocabulary + model.learned_positions * model.hidden if stage == 0.0 else 0.0
    head = vocabulary * last
    final = last * (model.hidden * (1.0 + model.biases) + 2.0 * model.hidden * model.hidden * model.mtp_layers)
    kept_head = 0.0 if model.tied_embeddings > 0.0 and plan.pp == 1.0 else head
    total = dense_layers * dense.dense + expert_layers * moe.dense + first + kept_head + final
    largest = max(dense.layer if dense_layers > 0.0 else 0.0, moe.layer if expert_layers > 0.0 else 0.0)
    return StageParameters(total, expert_layers * moe.experts, head, largest)


def expert_shard_group(plan: Plan) -> float:
    """Ranks that share the states of an expert: tp cp dp / ep, less if the shard group is smaller than cp dp."""
    replicas = plan.tp * plan.cp * plan.dp / plan.ep
    return max(1.0, replicas * plan.shard_group / (plan.cp * plan.dp))


def state_bytes(parameters: float, plan: Plan, group: float, storage: Storage) -> States:
    r"""Bytes of weights, gradients and optimizer states of ``parameters``, cut over ``group`` ranks as the plan says.

    With Adam in mixed precision, 2 + 2 + 12 bytes a parameter [1]_ (2 + 4 + 12 with 32-bit gradients), of which stage 1
    cuts the last, stage 2 the last two and stage 3 all three.

    References
    ----------
    .. [1] S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models",
       arXiv:1910.02054 (2020), section 3.1 and figure 1.
    """
    optimizer = storage.optimizer_bytes / (group if plan.shard >= 1.0 else 1.0)
    gradient = storage.gradient_bytes / (group if plan.shard >= 2.0 else 1.0)
    weight = storage.weight_bytes / (group if plan.shard >= 3.0 else 1.0)
    return States(parameters * weight, parameters * gradient, parameters * optimizer)


def without_recompute(plan: Plan) -> Plan:
    """The plan, with no share of a layer done again."""
    return Plan(
        plan.tp, plan.pp, plan.vp, plan.cp, plan.dp, plan.ep, plan.micro_batch, plan.micro_batches, plan.shard,
        plan.shard_group, plan.sequence_parallel, plan.schedule, 0.0, 0.0, 0.0, 0.0, 0.0,
    )  # fmt: skip


def logits_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Bytes of the logits and what the loss computes of them, at its peak, for each prediction a token makes."""
    predictions = 1.0 + model.mtp_layers
    return predictions * micro_batch_tokens(plan, work) * model.vocab / plan.tp * storage.logit_bytes


def head_workspace_bytes(model: Model, plan: Plan, work: Work, storage: Storage, head: float) -> float:
    """Bytes beside the logits when the head goes backward: its 16-bit gradient, that of its input, the gathered input."""
    gathered = 1.0 if plan.sequence_parallel > 0.0 and plan.tp > 1.0 else 0.0
    weights = 2.0 if plan.shard >= 3.0 else 1.0
    values = head * weights + micro_batch_tokens(plan, work) * model.hidden * (1.0 + gathered)
    return storage.element_bytes * values


def layer_workspace_bytes(model: Model, plan: Plan, work: Work, storage: Storage, dense_share: float) -> float:
    """Bytes that the backward pass of a layer adds to what is kept: gradients inside its MLP, or of its scores.

    When the scores' gradients are made, what the MLP kept is free again.
    """
    tokens, size = micro_batch_tokens(plan, work), storage.element_bytes
    routed = model.top_k * ((model.ffn_matrices - 1.0) * model.expert_ffn + model.hidden)
    inner = max((model.ffn_matrices - 1.0) * model.ffn if dense_share > 0.0 else 0.0, routed)
    mlp = size * tokens * (inner / plan.tp + 2.0 * model.hidden)
    freed = tokens * model.ffn_matrices * model.ffn / plan.tp * size
    scores = 2.0 * size * tokens * work.seq * model.heads / plan.tp - freed
    return max(mlp, scores) if storage.attention_unfused > 0.0 else mlp


def footprint(model: Model, plan: Plan, work: Work, storage: Storage, stage: float) -> Footprint:
    """Peak memory of one rank of pipeline stage ``stage``, by parts. [byte]"""
    held = stage_parameters(model, plan, stage, storage.embedding_layers)
    dense = state_bytes(held.dense, plan, plan.shard_group, storage)
    experts = state_bytes(held.experts, plan, expert_shard_group(plan), storage)
    last = 1.0 if stage == plan.pp - 1.0 else 0.0
    owned = stage_layers(model.layers, plan.pp, stage, storage.embedding_layers)
    dense_share = stage_dense_layers(model, plan, stage, owned) / owned if owned > 0.0 else 1.0
    kept = activation_bytes_per_layer(model, plan, work, storage, dense_share)
    whole = activation_bytes_per_layer(model, without_recompute(plan), work, storage, dense_share)
    activations = kept * (owned + last * model.mtp_layers) * micro_batches_in_flight(plan, stage)
    gathered = (3.0 if plan.shard >= 3.0 else 0.0) * storage.element_bytes
    fixed = storage.process_bytes + (storage.spare_gradient_bytes + gathered) * held.layer
    in_layer = whole - kept + layer_workspace_bytes(model, plan, work, storage, dense_share)
    at_loss = last * head_workspace_bytes(model, plan, work, storage, held.head)
    logits = last * logits_bytes(model, plan, work, storage)
    if in_layer > at_loss + logits:
        logits, at_loss = 0.0, in_layer
    weights, gradients = dense.weights + experts.weights, dense.gradients + experts.gradients
    optimizer, workspace = dense.optimizer + experts.optimizer, fixed + at_loss
    total = weights + gradients + optimizer + activations + logits + workspace
    return Footprint(weights, gradients, optimizer, activations, logits, workspace, stage, total)


def peak_footprint(model: Model, plan: Plan, work: Work, storage: Storage) -> Footprint:
    """The fullest of the stages 0, 1 and the last: any between holds the layers of stage 1 for fewer micro-batches."""
    first = footprint(model, plan, work, storage, 0.0)
    second = footprint(model, plan, work, storage, min(1.0, plan.pp - 1.0))
    last = footprint(model, plan, work, storage, plan.pp - 1.0)
    if first.total >= second.total and first.total >= last.total:
        return first
    return second if second.total >= last.total else last


def memory_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Peak memory of the fullest chip. [byte]"""
    return peak_footprint(model, plan, work, storage).total
