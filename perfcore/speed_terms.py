"""The words of models, training software and efficiencies; ``perfcore.terms`` joins them to the vocabulary."""

from typing import NamedTuple


class Term(NamedTuple):
    """A word of the vocabulary.

    ``kind`` is ``number`` (above 0, or an interval of such numbers), ``share`` (a plain number of 0 or more),
    ``count`` (a whole number from 1 to 10,000),
    ``whole`` (a whole number to 10^9), ``yes_no``, ``word``, ``words`` (a list), ``date``, ``table`` or ``tables``.
    """

    kind: str
    unit: str
    meaning: str
    label: str = ""


# Training software and efficiencies of chips.
CALIBRATION_KEYS = {
    "frameworks": Term("words", "", "how the name of a framework starts that this software is taken for"),
    "storage": Term("word", "", "which count of bytes a framework keeps: see perfcore.formulas.storage"),
    "structure": Term("table", "", "what a framework overlaps, fuses and reduces"),
    "residual": Term("share", "", "mean absolute error over them"),
    "attention_version": Term("word", "", "unfused, flash_1, flash_2 (SDPA, cuDNN 8) or flash_3 (cuDNN 9, splash)"),
    "overlap": Term("share", "", "share of hideable communication that is hidden"),
    "elementwise_factor": Term("share", "", "time of memory-bound kernels over that of the counted bytes"),
    "attention_factor": Term("share", "", "speed of the attention kernel over the best of its kind"),
    "link_factor": Term("share", "", "rate of links and network over what chips reach elsewhere"),
    "tensor_overlap": Term("share", "", "share of overlap that tensor-parallel traffic enjoys"),
    "data_overlap": Term("yes_no", "", "gradients are reduced behind the backward pass"),
    "gradient_bytes": Term("number", "B", "bytes per parameter in the reduction of gradients"),
    "pipeline_overlap": Term("share", "", "share of the traffic between pipeline stages that is hidden"),
    "logit_bytes": Term("number", "B", "bytes the loss moves per logit"),
    "fused_experts": Term("yes_no", "", "sorting, quantisation and activation of experts run in one kernel"),
    "deduplicated": Term("yes_no", "", "a token is sent once to a rank that holds several of its experts"),
    "expert_factor": Term("number", "", "time of sorting tokens to experts over that of the counted bytes"),
    "launch_us": Term("share", "us", "time the host needs to launch a kernel; 0 with graphs or compiled programs"),
    "measured_site": Term(
        "word", "", "the one machine its runs are from, where that is slower than its chips elsewhere"
    ),
    "single_network_port": Term("yes_no", "", "sharded weights enter and leave a server through one network port"),
    "straggler": Term("share", "", "slowdown per square root of the doublings of domains"),
    "slice_straggler": Term("share", "", "slowdown per doubling of joined slices"),
    "embedding_layers": Term("share", "", "layers that embedding and head each count for when stages are dealt"),
    "interleaving": Term("share", "", "layers of a pipeline chunk where a run does not say; 0: one layer a chunk"),
    "family": Term("word", "", "generations of a vendor that are alike: one without kernels takes their mean"),
    "variant_of": Term("word", "", "the generation this is a capped or held back form of; not in the mean of a family"),
    "chips": Term("words", "", "ids of the chips (and parts of packages) of a generation"),
    "generations": Term("words", "", "ids of generations"),
    "neutral": Term("table", "", "from kernels, or bytes counted by hand: no training step time was used"),
    "neutral_width": Term("table", "", "relative one-sigma uncertainty of each"),
    "fitted": Term("table", "", "fitted to training step times, with the neutral values as priors"),
    "fitted_width": Term("table", "", "relative one-sigma uncertainty of each after the fit"),
    "fit": Term("table", "", "what the fit rests on"),
    "rows": Term("count", "", "measured rows"),
    "sources": Term("words", "", "ids of documents"),
    "gemm_16bit": Term("number", "", "share of the dense 16-bit peak that a large matrix product reaches"),
    "gemm_8bit": Term("number", "", "share of the dense 8-bit peak that a large matrix product reaches"),
    "gemm_4bit": Term("number", "", "share of the dense 4-bit peak that a large matrix product reaches"),
    "attention": Term(
        "number",
        "",
        "share of the dense 16-bit peak that the forward pass of fused attention reaches over long sequences, a causal "
        "mask counted half",
    ),
    "memory_efficiency": Term("number", "", "share of the datasheet memory bandwidth that memory-bound kernels reach"),
    "link_efficiency": Term("number", "", "share of the datasheet rate of the fast links that collectives reach"),
    "network_efficiency": Term("number", "", "share of the rate of the network that collectives reach"),
    "kernel_s": Term("number", "s", "start and drain of one kernel"),
    "link_latency_s": Term("number", "s", "start of one all-gather or reduce-scatter within a domain"),
    "network_latency_s": Term("number", "s", "start of one step of a collective between domains"),
    "attention_kernel": Term("table", "", "older attention kernels by generation"),
    "flash_1": Term("number", "", "speed of FlashAttention-1 over that of the generation's best kernel"),
    "flash_2": Term("number", "", "speed of FlashAttention-2 over that of the generation's best kernel"),
    "flash_3": Term("number", "", "speed of FlashAttention-3 or cuDNN 9 over that of the generation's best kernel"),
    "width": Term("number", "", "relative one-sigma uncertainty"),
    "site": Term("table", "", "machines slower than their chip"),
    "gemm_factor": Term("number", "", "GEMM rate of a machine over that of its generation"),
}

# Arguments of the roofline.
ROOFLINE_KEYS = {
    "flop": Term("number", "FLOP", "operations, a multiply-accumulate counted as 2"),
    "moved_bytes": Term("number", "B", "what must cross DRAM; the JSON key is bytes"),
    "flop_s": Term("number", "FLOP/s", "dense peak of a format"),
    "bytes_s": Term("number", "B/s", "bandwidth of a level of memory or of a link"),
    "flop_per_byte": Term("number", "FLOP/B", "intensity: operations for each byte moved"),
    "m": Term("number", "", "rows of a matrix product"),
    "n": Term("number", "", "columns of a matrix product"),
    "k": Term("number", "", "inner size of a matrix product"),
    "element_bytes": Term("number", "B", "size of an operand: 2 in 16 bit, 1 in 8 bit, 0.56 in 4 bit with its scales"),
    "kv_bytes": Term("number", "B", "size of an element of the key-value cache"),
    "tokens": Term("number", "token", "tokens that go through a layer together"),
    "optimizer_bytes": Term("number", "B", "what the optimizer reads and writes for each parameter"),
}

# Serving engines.
ENGINE_KEYS = {
    "free": Term("words", "", "the constants, three at most, that are fitted to published speeds of this engine"),
    "stream_efficiency": Term("share", "", "share of the datasheet memory bandwidth at which weights are read"),
    "layer_us": Term("share", "us", "time of a layer and step that no counted byte or FLOP explains"),
    "sequence_us": Term("share", "us", "time of the host for each sequence of a step"),
    "kv_efficiency": Term("share", "", "rate at which the KV cache is read over that of weights"),
    "expert_us": Term("share", "us", "time of each expert at work in a layer, beside its bytes and FLOP"),
    "compiled": Term("yes_no", "", "a step is one compiled program: kernels are not started one by one"),
    "step_us": Term("share", "us", "time of the host for each step"),
    "all_reduce_us": Term("share", "us", "start of one all-reduce within a domain"),
    "exchange_us": Term("share", "us", "start of one dispatch or combine of experts"),
    "host_layer_us": Term("share", "us", "least time the host needs for a layer; 0 with graphs or compiled programs"),
    "host_reduce_us": Term("share", "us", "and for the all-reduces of a layer"),
    "repeated_kv_gb_s": Term(
        "share", "GB/s", "rate at which each head of a group reads the same KV cache again; 0: it is read once"
    ),
    "formats": Term("words", "", "number formats of the measured rows"),
    "splits_depth": Term("yes_no", "", "the library splits K of narrow products over idle multiprocessors"),
    "expert_bits": Term("share", "bit", "format in which the time of an expert was fitted; 0: any"),
    "fitted_tiles": Term("yes_no", "", "matrix products are compiled for their shapes, as DeepGEMM's are"),
    "whole_context": Term("yes_no", "", "every step reads the KV cache of the full length"),
    "chunk_tokens": Term("whole", "token", "most tokens of a step"),
    "most_sequences": Term("whole", "", "most sequences of a step"),
    "memory_share": Term("share", "", "part of a chip's memory that weights and KV cache may fill"),
    "kv_follows_weights": Term("yes_no", "", "the KV cache is kept in 8 bit where weights are in 8 or 4 bit floats"),
    "static_batches": Term("yes_no", "", "its published speeds are of static batches: all prompts, then all outputs"),
}

# What `perfcore measure` writes beside the numbers of a chip file.
MEASURED_KEYS = {
    "measured": Term("table", "", "how the numbers of the file were measured"),
    "kind": Term("word", "", "what was measured: cpu or gpu"),
    "date": Term("date", "", "day of the measurement"),
    "version": Term("word", "", "version of perfcore that measured"),
    "threads": Term("count", "", "threads, each on a core of its own, that measured together"),
    "clock_mhz": Term("number", "MHz", "clock while it was measured"),
    "load": Term("share", "", "share of the device that other programs used, at most"),
    "spread": Term("share", "", "(p90 - p10) / median of the samples, of a run the largest of its rates"),
    "gemm_share": Term("share", "", "rate of a large matrix product of the library over the peak of the file"),
    "stream_share": Term("share", "", "median rate of a plain triad over the memory bandwidth of the file"),
    "refused": Term("words", "", "why the run is not a result, where it was written all the same"),
    "figure": Term("tables", "", "one measured figure"),
    "unit": Term("word", "", "unit of a figure"),
    "median": Term("number", "", "median of the samples of a figure"),
}

# The shape of a language model.
MODEL_KEYS = {
    "layers": Term("whole", "", "transformer layers, those of any kind"),
    "hidden": Term("whole", "", "width of the residual stream"),
    "heads": Term("whole", "", "query heads of a layer"),
    "kv_heads": Term("whole", "", "key and value heads of a layer; as many as heads where not given"),
    "head_dim": Term("whole", "", "size of a query and key head; hidden / heads where not given"),
    "v_head_dim": Term("whole", "", "size of a value head; head_dim where not given"),
    "ffn": Term("whole", "", "width of the dense MLP"),
    "ffn_matrices": Term("whole", "", "matrices of an MLP: 3 gated, 2 plain"),
    "vocab": Term("whole", "", "rows of the token embedding"),
    "tied_embeddings": Term("yes_no", "", "input and output embedding are one matrix"),
    "learned_positions": Term("whole", "", "rows of a learned position table; 0 for rotary positions or ALiBi"),
    "biases": Term("yes_no", "", "linear layers and norms carry biases"),
    "q_lora_rank": Term("whole", "", "multi-head latent attention: width of the query latent; 0 for none"),
    "kv_lora_rank": Term("whole", "", "multi-head latent attention: width of the key and value latent; 0 for none"),
    "rope_head_dim": Term("whole", "", "multi-head latent attention: the rotary part of head_dim"),
    "experts": Term("whole", "", "routed experts of a MoE layer; 0 for a dense model"),
    "top_k": Term("whole", "", "routed experts a token goes to"),
    "expert_ffn": Term("whole", "", "width of one routed expert"),
    "shared_ffn": Term("whole", "", "width of the experts every token goes to, together"),
    "dense_layers": Term("whole", "", "layers with the dense MLP; all of a dense model"),
    "top_groups": Term("whole", "", "groups of experts a token may reach where routing is limited to some"),
    "leading_dense_layers": Term("whole", "", "those dense layers of a MoE model that stand first"),
    "window": Term("whole", "token", "what a windowed attention layer sees; 0 for no window"),
    "window_layers": Term("whole", "", "layers with that window"),
    "mtp_layers": Term("whole", "", "trained layers that predict further tokens"),
    "seq": Term("whole", "token", "sequence length, in a model file that of its training"),
    "global_batch": Term("whole", "", "sequences of an optimizer step, in a model file those of its training"),
    "max_seq": Term("whole", "token", "longest sequence the model is published for"),
    "parameters_billion": Term("number", "10^9", "parameters, as published"),
    "active_parameters_billion": Term("number", "10^9", "parameters a token makes use of, as published"),
    "tokens_trillion": Term("number", "10^12", "tokens the model was trained on"),
}
