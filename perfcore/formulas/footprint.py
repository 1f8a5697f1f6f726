"""Memory of one chip in training: states of its parameters, activations in flight, and what one layer or the loss adds.

Plain functions of the records, without loops, so that a search can call them for every plan. Bytes everywhere.
"""

from typing import NamedTuple

from perfcore.formulas.activations import (
    activation_bytes_per_layer,
    micro_batch_tokens,
    micro_batches_in_flight,
    stage_output_bytes,
)
from perfcore.formulas.records import Model, Plan, Work
from perfcore.formulas.states import (
    expert_shard_group,
    stage_dense_layers,
    stage_layers,
    stage_parameters,
    state_bytes,
)
from perfcore.formulas.storage import Storage


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
    """Bytes beside the logits when the head goes backward: gradients of its weights and input, the gathered input."""
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
    output = (1.0 - last) * stage_output_bytes(model, plan, work, storage)
    activations = (kept * (owned + last * model.mtp_layers) + output) * micro_batches_in_flight(plan, stage)
    gathered = (3.0 if plan.shard >= 3.0 else 0.0) * storage.element_bytes
    fixed = storage.process_bytes + (storage.spare_gradient_bytes + gathered) * held.layer
    in_layer = whole - kept + layer_workspace_bytes(model, plan, work, storage, dense_share) if owned > 0.0 else 0.0
    at_loss = last * head_workspace_bytes(model, plan, work, storage, held.head)
    logits = last * logits_bytes(model, plan, work, storage)
    if in_layer > at_loss + logits:
        logits, at_loss = 0.0, in_layer
    weights, gradients = dense.weights + experts.weights, dense.gradients + experts.gradients
    optimizer, workspace = dense.optimizer + experts.optimizer, fixed + at_loss
    total = weights + gradients + optimizer + activations + logits + workspace
    return Footprint(weights, gradients, optimizer, activations, logits, workspace, stage, total)


def peak_footprint(model: Model, plan: Plan, work: Work, storage: Storage) -> Footprint:
    """The fullest of the stages 0, 1 and the last.

    Any stage between holds as many layers as stage 1 for fewer or as many micro-batches; only where leading dense
    layers fill stage 1 of a mixture of experts could a later one hold more.
    """
    first = footprint(model, plan, work, storage, 0.0)
    second = footprint(model, plan, work, storage, min(1.0, plan.pp - 1.0))
    last = footprint(model, plan, work, storage, plan.pp - 1.0)
    if first.total >= second.total and first.total >= last.total:
        return first
    return second if second.total >= last.total else last


def memory_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Peak memory of the fullest chip. [byte]"""
    return peak_footprint(model, plan, work, storage).total
