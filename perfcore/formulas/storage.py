"""How many bytes a training software keeps per parameter, per value and per process: one record per software."""

from typing import NamedTuple

GIB = 1024.0**3


class Storage(NamedTuple):
    """Byte counts that belong to the software, not to the model or the plan."""

    weight_bytes: float  # per parameter: the copy that sharding of stage 3 cuts
    gradient_bytes: float  # per parameter, cut by sharding of stage 2
    optimizer_bytes: float  # per parameter, cut by sharding of stage 1: master copy, two moments
    element_bytes: float  # per value of an activation, of a gathered weight and of a gradient on its way
    gemm_input_bytes: float  # per value kept as the input of a matrix product: 2, or 1 in 8-bit formats
    logit_bytes: float  # per logit when the loss is at its peak
    spare_gradient_bytes: float  # per parameter of one layer, for a gradient that is never filled
    attention_unfused: float  # 1: the scores are kept
    dropout: float  # 1: dropout masks are kept
    routed_output_kept: float  # 1: outputs of experts are kept to weigh them, 0: weights are applied before
    stage_output_kept: float  # 1: a pipeline stage keeps its output for every micro-batch in flight
    embedding_layers: float  # layers that embedding and head each count for when layers are dealt to stages
    process_bytes: float  # per process and independent of the model, in what the measurement counts


# Megatron-LM of 2021 to 2023 [1]_: 16-bit weights, 32-bit gradients, Adam with a 32-bit master copy (2 + 4 + 12 bytes);
# scores and dropout masks kept; loss on 32-bit logits beside their 16-bit original.
#
# .. [1] V. A. Korthikanti et al. (2022), arXiv:2205.05198, section 4.
MEGATRON_2022 = Storage(
    weight_bytes=2.0,
    gradient_bytes=4.0,
    optimizer_bytes=12.0,
    element_bytes=2.0,
    gemm_input_bytes=2.0,
    logit_bytes=6.0,
    spare_gradient_bytes=0.0,
    attention_unfused=1.0,
    dropout=1.0,
    routed_output_kept=1.0,
    stage_output_kept=0.0,
    embedding_layers=0.0,
    process_bytes=0.0,
)

# Megatron-Core with Transformer Engine, 2025 [2]_: flash attention, no dropout, fused loss (one 32-bit copy of the
# logits); weight gradients are added to the 32-bit buffer inside the matrix product, and automatic differentiation is
# handed an unfilled 16-bit tensor instead, one for each shape of weight, which stays allocated. Outputs of experts are
# not kept: the router's weights are applied between their two products.
#
# .. [2] Transformer Engine 2.x, transformer_engine/pytorch/module/base.py, ``get_dummy_wgrad`` (recalled).
MEGATRON_CORE = MEGATRON_2022._replace(
    logit_bytes=4.0, spare_gradient_bytes=2.0, attention_unfused=0.0, dropout=0.0, routed_output_kept=0.0
)

# DeepSpeed of February 2022 under Megatron [3]_, as nvidia-smi shows it. With 16-bit floats, gradients stay 16-bit and
# the sharded optimizer makes a 32-bit copy of its part; unsharded it makes a flat 16-bit copy first. With bfloat16, a
# 32-bit sum of gradients stands beside the 16-bit ones. Gradients are reduced, and weights gathered, by way of buckets
# of 5e8 elements. The pipeline keeps outputs. The rest of ``process_bytes``, CUDA and NCCL contexts and what the
# allocator caches, is one number fitted on the 80 snapshots of fp16 runs of the study.
#
# .. [3] DeepSpeed 0.6, runtime/zero/stage_1_and_2.py, runtime/bf16_optimizer.py, runtime/pipe/engine.py (recalled).
BUCKET_ELEMENTS = 5e8
CONTEXT_BYTES_2022 = 7.5 * GIB
DEEPSPEED_FP16 = MEGATRON_2022._replace(
    gradient_bytes=2.0,
    optimizer_bytes=16.0,
    stage_output_kept=1.0,
    process_bytes=CONTEXT_BYTES_2022 + (2.0 + 2.0) * BUCKET_ELEMENTS,
)
DEEPSPEED_FP16_UNSHARDED = DEEPSPEED_FP16._replace(optimizer_bytes=20.0)
DEEPSPEED_BF16 = DEEPSPEED_FP16._replace(
    gradient_bytes=6.0, optimizer_bytes=12.0, process_bytes=CONTEXT_BYTES_2022 + (4.0 + 2.0) * BUCKET_ELEMENTS
)

# PyTorch FSDP2 [4]_: 32-bit weights, gradients and moments, all sharded; 32-bit logits and their softmax.
#
# .. [4] W. Liang et al., "TorchTitan", arXiv:2410.06511 (2024), section 2.1 (recalled).
FSDP2 = MEGATRON_CORE._replace(
    weight_bytes=4.0, gradient_bytes=4.0, optimizer_bytes=8.0, logit_bytes=14.0, spare_gradient_bytes=0.0
)

# The same under a pipeline: the gathered weights and the unreduced 32-bit gradients stay between micro-batches, beside
# the shards; to be used with sharding of stage 1.
FSDP2_PIPELINE = FSDP2._replace(weight_bytes=2.0, gradient_bytes=4.0, optimizer_bytes=16.0)

# llm-foundry and FMS on FSDP of 2023: a fused loss writes the gradient over the 16-bit logits.
FSDP_2023 = FSDP2._replace(logit_bytes=4.0)
