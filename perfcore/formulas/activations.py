"""Bytes of activations of transformer training: what a layer keeps for its backward pass, and how often.

Plain functions of the records; see ``footprint`` for the whole memory of a chip.
"""

from perfcore.formulas.records import Model, Plan, Work
from perfcore.formulas.storage import Storage


def micro_batch_tokens(plan: Plan, work: Work) -> float:
    """Tokens of one micro-batch on one rank. [token]"""
    return work.seq * plan.micro_batch / plan.cp


def sequence_cut(plan: Plan) -> float:
    """Ranks that share the tensors between the tensor-parallel regions: tp with sequence parallelism, else 1."""
    return plan.tp if plan.sequence_parallel > 0.0 else 1.0


def kv_heads_per_rank(model: Model, plan: Plan) -> float:
    """Key-value heads of one tensor-parallel rank; repeated when there are fewer heads than ranks."""
    return max(1.0, model.kv_heads / plan.tp)


def query_key_value_width(model: Model, plan: Plan) -> float:
    """Values a token has in queries, keys and values together, on one rank."""
    if model.kv_lora_rank > 0.0:  # MLA: every head has its own key and value when it trains
        return model.heads / plan.tp * (2.0 * model.head_dim + model.v_head_dim)
    keys_values = kv_heads_per_rank(model, plan) * (model.head_dim + model.v_head_dim)
    return model.heads * model.head_dim / plan.tp + keys_values


def attention_activation_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    r"""Bytes that attention keeps of one micro-batch in one layer, without the norm in front of it.

    Queries, keys, values and the output, which is also the input of the output projection; with flash attention the
    32-bit logarithm of the sum of each row, without it the softmax (and, with dropout, its mask and result).
    MLA adds the two compressed vectors before and after their norms.
    """
    tokens, size = micro_batch_tokens(plan, work), storage.element_bytes
    heads = model.heads / plan.tp
    projected = size * query_key_value_width(model, plan) * (1.0 - plan.recompute_projections)
    compressed = 2.0 * size * (model.q_lora_rank + model.kv_lora_rank + model.rope_head_dim) / sequence_cut(plan)
    compressed = compressed * (1.0 - plan.recompute_projections) if model.kv_lora_rank > 0.0 else 0.0
    output = size * heads * model.v_head_dim * (1.0 - min(plan.recompute_attention, plan.recompute_projections))
    if storage.attention_unfused > 0.0:
        scores = (size + (1.0 + size) * storage.dropout) * work.seq * heads
    else:
        scores = 4.0 * heads
    return tokens * (projected + compressed + output + scores * (1.0 - plan.recompute_attention))


def dense_activation_bytes(model: Model, plan: Plan, work: Work, storage: Storage, width: float) -> float:
    """Bytes a dense MLP of a given width keeps of one micro-batch: what its first product gives and its second takes.

    ``width`` is the whole MLP's; a gated one (three matrices) has two first products.
    """
    first = storage.element_bytes * (model.ffn_matrices - 1.0) * (1.0 - plan.recompute_mlp)
    second = storage.gemm_input_bytes * (1.0 - max(plan.recompute_mlp, plan.recompute_elementwise))
    return micro_batch_tokens(plan, work) * width / plan.tp * (first + second)


def expert_activation_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Bytes that a mixture-of-experts MLP keeps of one micro-batch, even load assumed.

    Per token and chosen expert: its copy, the first product(s) and the input of the second; per token the 32-bit score
    of every expert; the shared experts as a dense MLP.
    """
    tokens = micro_batch_tokens(plan, work) / plan.tp
    first = storage.element_bytes * (model.ffn_matrices - 1.0) * model.expert_ffn * (1.0 - plan.recompute_mlp)
    second = storage.gemm_input_bytes * model.expert_ffn * (1.0 - max(plan.recompute_mlp, plan.recompute_elementwise))
    copies = storage.gemm_input_bytes + storage.element_bytes * storage.routed_output_kept
    copied = copies * model.hidden * (1.0 - plan.recompute_communication)
    scores = 4.0 * model.experts * (1.0 - plan.recompute_mlp)
    shared = dense_activation_bytes(model, plan, work, storage, model.shared_ffn)
    return tokens * (model.top_k * (first + second + copied) + scores) + shared


def norm_activation_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Bytes of the layer's input, of the sum between attention and MLP, of both norms' outputs and of dropout masks."""
    redone = min(plan.recompute_projections, plan.recompute_elementwise)
    sums = storage.element_bytes * (2.0 - redone)
    outputs = 2.0 * storage.gemm_input_bytes * (1.0 - plan.recompute_elementwise)
    masks = 2.0 * storage.dropout * (1.0 - plan.recompute_elementwise)
    return micro_batch_tokens(plan, work) * model.hidden / sequence_cut(plan) * (sums + outputs + masks)


def activation_bytes_per_layer(model: Model, plan: Plan, work: Work, storage: Storage, dense_share: float) -> float:
    r"""Bytes of activations that one layer keeps of one micro-batch for its backward pass.

    For a GPT with unfused attention this is table 2 of [1]_, :math:`s b h (10 + 24/t + 5 a s / (h t))`, and
    :math:`s b h / t (34 + 5 a s / h)` with sequence parallelism; with full recomputation the layer's input remains.

    Parameters
    ----------
    dense_share
        Share of the layers whose MLP is dense; the others are mixtures of experts.

    References
    ----------
    .. [1] V. A. Korthikanti et al., "Reducing activation recomputation in large transformer models",
       arXiv:2205.05198 (2022), section 4 and table 2.
    """
    dense = dense_activation_bytes(model, plan, work, storage, model.ffn) if dense_share > 0.0 else 0.0
    experts = expert_activation_bytes(model, plan, work, storage) if dense_share < 1.0 else 0.0
    mlp = dense_share * dense + (1.0 - dense_share) * experts
    attention = attention_activation_bytes(model, plan, work, storage)
    return norm_activation_bytes(model, plan, work, storage) + attention + mlp


def stage_output_bytes(model: Model, plan: Plan, work: Work, storage: Storage) -> float:
    """Bytes of the output a pipeline stage keeps of one micro-batch after it was sent on, if the software does."""
    values = micro_batch_tokens(plan, work) * model.hidden / sequence_cut(plan)
    return storage.stage_output_kept * storage.element_bytes * values


def micro_batches_in_flight(plan: Plan, stage: float) -> float:
    r"""Micro-batches whose activations a pipeline stage holds at once, in units of all its layers.

    1F1B: stage i of p starts p - i forward passes before its first backward pass. Interleaved with v chunks a rank, it
    holds :math:`p (v - 1) + 2 (p - i) - 1` chunks of 1/v of its layers [1]_. The zero-bubble schedules are found by a
    search that may use the memory of p (ZB-1p) or 2 p (ZB-2p) micro-batches on every stage, and does [2]_.

    References
    ----------
    .. [1] D. Narayanan et al. (2021), arXiv:2104.04473, section 2.2; Megatron-LM, pipeline_parallel/schedules.py.
    .. [2] P. Qi et al., "Zero bubble pipeline parallelism", arXiv:2401.10241 (2023), section 4 and table 4.
    """
    if plan.schedule == 1.0:
        held = plan.pp
    elif plan.schedule == 2.0:
        held = 2.0 * plan.pp
    elif plan.vp > 1.0 and plan.pp > 1.0:
        held = (plan.pp * (plan.vp - 1.0) + 2.0 * (plan.pp - stage) - 1.0) / plan.vp
    else:
        held = plan.pp - stage
    return min(plan.micro_batches, held)
