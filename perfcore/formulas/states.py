"""Parameters that one rank of a pipeline stage holds, and the bytes of their states under sharding.

Plain functions of the records, without loops; see ``footprint`` for the whole memory of a chip.
"""

import math
from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.records import Model, Plan
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
    even = float(math.ceil((layers + 2.0 * embedding_layers) / pp))
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
    # Stage 2 cuts them only where they are not summed over micro-batches; cutting sooner would reduce each time.
    cut = plan.shard >= 3.0 or (plan.shard >= 2.0 and plan.micro_batches <= 1.0)
    gradient = storage.gradient_bytes / (group if cut else 1.0)
    weight = storage.weight_bytes / (group if plan.shard >= 3.0 else 1.0)
    return States(parameters * weight, parameters * gradient, parameters * optimizer)
