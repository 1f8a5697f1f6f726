"""The shapes of files of training software and of serving engines."""

from perfcore.schema import CITED, Shape

__all__ = ["ENGINE", "ENGINE_CONSTANTS", "ENGINE_STRUCTURE", "SOFTWARE"]

_CONSTANTS = ("overlap", "elementwise_factor", "attention_factor", "link_factor")
_STRUCTURE = (
    *("attention_version", "tensor_overlap", "data_overlap", "gradient_bytes", "pipeline_overlap", "logit_bytes"),
    *("fused_experts", "deduplicated", "expert_factor", "launch_us", "single_network_port", "straggler"),
    *("slice_straggler", "embedding_layers", "interleaving"),
)
SOFTWARE: Shape = {
    **dict.fromkeys(("name", "aliases", "note", "frameworks", "default_for", "measured_site", "storage")),
    "structure": dict.fromkeys(_STRUCTURE),
    **{table: dict.fromkeys(_CONSTANTS) for table in ("neutral", "neutral_width", "fitted")},
    "fit": dict.fromkeys(("rows", "sources", "residual", "note")),
    **CITED,
}

# Serving engines: three at most of the constants are fitted, see benchmarks/calibrate_serving.py.
ENGINE_CONSTANTS = ("stream_efficiency", "layer_us", "sequence_us", "kv_efficiency", "expert_factor", "expert_us")
ENGINE_STRUCTURE = (
    *("attention_version", "compiled", "step_us", "all_reduce_us", "exchange_us", "host_layer_us", "host_reduce_us"),
    *("repeated_kv_gb_s", "whole_context", "chunk_tokens", "most_sequences", "memory_share", "kv_follows_weights"),
    "static_batches",
    "fitted_tiles",
    "splits_depth",
    "expert_bits",
)
ENGINE: Shape = {
    **dict.fromkeys(("name", "aliases", "note", "frameworks", "default_for", "free")),
    "structure": dict.fromkeys(ENGINE_STRUCTURE),
    **{table: dict.fromkeys(ENGINE_CONSTANTS) for table in ("neutral", "neutral_width", "fitted")},
    "fit": dict.fromkeys(("rows", "sources", "chips", "formats", "residual", "note")),
    **CITED,
}
