"""What a training or inference formula is given: flat records of floats, so that the compiled kernels read them too.

A count, a yes (1.0) or no (0.0) and a quantity are all floats here. Units are SI (bytes, seconds, FLOP/s) unless a name
says otherwise. The files under ``specs/`` and the command line are turned into these records in one place each.
"""

from typing import NamedTuple


class Model(NamedTuple):
    """A decoder-only transformer; a key of ``specs/models`` of the same name means the same."""

    layers: float
    hidden: float
    heads: float
    kv_heads: float
    head_dim: float  # of queries and keys (MLA: no-position part + rotary part)
    v_head_dim: float  # of values; head_dim but for MLA
    ffn: float  # width of the dense MLP
    ffn_matrices: float  # 3 gated (SwiGLU), 2 plain
    vocab: float
    tied_embeddings: float  # 1: input and output embedding are one matrix
    learned_positions: float  # rows of a learned position table, 0 for rotary or ALiBi
    biases: float  # 1: linear layers and norms carry biases (GPT family)
    q_lora_rank: float  # MLA, else 0
    kv_lora_rank: float  # MLA, else 0
    rope_head_dim: float  # MLA: the rotary part of head_dim, else 0
    experts: float  # routed experts of a MoE layer, 0 for a dense model
    top_k: float
    expert_ffn: float
    shared_ffn: float  # width of the always-active experts together
    dense_layers: float  # layers with the dense MLP; all of them in a dense model
    leading_dense_layers: float  # those of them that stand first
    window: float  # tokens a windowed attention layer sees, 0: none
    window_layers: float  # layers with that window
    mtp_layers: float  # trained multi-token-prediction layers
    top_groups: float = 0.0  # groups of experts a token may reach where routing is limited to some (DeepSeek)


class Plan(NamedTuple):
    """How the work is cut over the chips."""

    tp: float  # tensor parallel
    pp: float  # pipeline parallel
    vp: float  # model chunks (virtual stages) a pipeline rank holds
    cp: float  # context parallel
    dp: float  # data-parallel ranks: chips / (tp pp cp)
    ep: float  # expert parallel, a part of dp x cp (x tp where the experts are not cut)
    micro_batch: float  # sequences per data-parallel rank at a time
    micro_batches: float  # per step and data-parallel rank
    shard: float  # 0 none; ZeRO 1 optimizer, 2 and gradients, 3 and weights (FSDP)
    shard_group: float  # ranks the shards are spread over (dp x cp unless hybrid)
    sequence_parallel: float
    schedule: float  # 0: 1F1B (interleaved when vp > 1); 1: ZB-1p; 2: ZB-2p
    # Shares of a layer's forward pass done again in the backward pass: none is 0 0 0 0 0, selective 0 0 1 0 0,
    # full 1 1 1 1 1; frameworks that choose single operations lie between.
    recompute_projections: float
    recompute_mlp: float
    recompute_attention: float
    recompute_elementwise: float
    recompute_communication: float


class Work(NamedTuple):
    """What one optimizer step is to do."""

    seq: float  # tokens of a sequence
    global_batch: float  # sequences a step


class Machine(NamedTuple):
    """What one chip and its network achieve: datasheet rates times the efficiencies of the chip's generation."""

    gemm_flop_s: float  # asymptotic rate of a large GEMM in the training format
    wide_gemm_flop_s: float  # the same in 16 bit (logits, router, unfused attention)
    attention_flop_s: float  # of a fused attention kernel over a long sequence, 16 bit
    element_bytes: float  # of a GEMM operand: 2 (16 bit), 1 (8 bit), 0.56 (4 bit with its scales)
    cast_bytes: float  # moved per GEMM input element to quantise it, 0 in 16 bit
    memory_bytes_s: float  # datasheet
    memory_efficiency: float  # share of it that memory-bound kernels reach
    memory_bytes: float  # capacity
    multiprocessors: float  # units GEMM tiles are spread over; 0: one systolic array, no waves; below 0: no tiles
    kernel_s: float  # start and drain of one kernel
    domain: float  # chips joined by the fast link
    link_bytes_s: float  # achieved per chip and direction inside the domain
    link_latency_s: float
    torus_axes: float  # 0: all of a chip's links serve any group (switch); else the axes they are split over
    network_bytes_s: float  # achieved per chip and direction between domains
    network_latency_s: float


class Software(NamedTuple):
    """What the training framework of an era does. The first three are fitted, the rest is its published structure."""

    overlap: float  # share of hideable communication that is hidden
    elementwise_factor: float  # memory-bound kernels: time over that of the counted bytes
    attention_factor: float  # speed of the attention kernel over that of the generation's best
    fused_attention: float  # 1: flash attention; 0: scores written to memory
    tensor_overlap: float  # share of ``overlap`` that tensor-parallel traffic enjoys
    data_overlap: float  # 1: gradient reduction runs behind the backward pass
    gradient_bytes: float  # per parameter in the reduction: 2 or 4
    pipeline_overlap: float  # share of stage-to-stage traffic hidden in the steady state
    logit_bytes: float  # moved per logit by the loss
    fused_experts: float  # 1: biases and clamped activation of experts in one kernel
    deduplicated: float  # 1: a token is sent once to a rank that holds several of its experts
    expert_factor: float  # MoE token shuffling: time over that of the counted bytes
    launch_s: float  # host time per kernel; 0 with graphs or XLA
    single_network_port: float  # 1: one chip's port carries a node's sharding traffic (DeepSpeed ZeRO-3, 2021)
    straggler: float  # slowdown per square root of log2(domains)
    slice_straggler: float  # slowdown per doubling of joined TPU slices


class Engine(NamedTuple):
    """How a serving engine of an era runs. Three of the first six are fitted, the rest is its published structure."""

    stream_efficiency: float  # share of the datasheet bandwidth at which weights are read
    layer_s: float  # of a layer and step, that no counted byte or FLOP explains: launches, gaps, small kernels
    sequence_s: float  # of the host for each sequence of a step
    kv_efficiency: float  # rate at which the KV cache is read over that of weights
    expert_factor: float  # sorting of tokens to experts: time over that of the counted bytes
    expert_s: float  # of each expert at work in a layer, beside its bytes and FLOP
    step_s: float  # of the host for each step
    exchange_s: float  # start of one dispatch or combine of experts
    host_layer_s: float  # the host needs at least that long for a layer; 0 with graphs or compiled programs
    host_reduce_s: float  # and for the all-reduces of a layer
    repeated_kv_bytes_s: float  # rate at which heads of a group read the same KV cache again; 0: it is read once
    splits_depth: float  # 1: the library splits K of narrow products over idle multiprocessors
    fitted_tiles: float  # 1: products are compiled for their shapes; 0: a library's tiles
    whole_context: float  # 1: every step reads the KV cache of the full length (static buckets)
    chunk_tokens: float  # most tokens of a step
    most_sequences: float  # of a step, where a run does not say
    memory_share: float  # of a chip's memory that weights and KV cache may fill


class Formats(NamedTuple):
    """What weights and KV cache are stored in."""

    weight_bytes: float  # of a parameter, scales included: 2, 1, 0.56
    weight_share: float  # rate at which they are read over that of plain ones: less where they must be unpacked
    kv_bytes: float  # of an element of the KV cache: 2 or 1
