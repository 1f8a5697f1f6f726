"""How each model class of Hugging Face writes its shape: its keys, its defaults, and what the class fixes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from perfcore.huggingface.config import Config

Found = dict[str, Any]


class Layout(NamedTuple):
    """A model class: how it is read, the defaults of its configuration, and what reading it leaves out."""

    model_class: str
    read: Callable[[Config], Found]
    defaults: Mapping[str, Any]
    note: str = ""


def gated(config: Config) -> Found:
    """Read what Llama and its many descendants share: gated MLP, rotary positions, no biases."""
    return {
        **_widths(config),
        "kv_heads": config.optional("num_key_value_heads", least=1),
        "head_dim": config.optional("head_dim", least=1),
        "ffn": config.whole("intermediate_size"),
        "ffn_matrices": 3,
        "biases": False,
        "max_seq": config.optional("max_position_embeddings", least=1),
    }


def _widths(config: Config) -> Found:
    return {
        "layers": config.whole("num_hidden_layers", "n_layer", "n_layers"),
        "hidden": config.whole("hidden_size", "n_embd", "n_embed", "d_model"),
        "heads": config.whole("num_attention_heads", "n_head", "n_heads"),
        "vocab": config.whole("vocab_size"),
        "tied_embeddings": config.flag("tie_word_embeddings"),
    }


def plain(config: Config) -> Found:
    """Read what the GPT family shares: a plain MLP of 4 x the width where nothing else is said."""
    widths = _widths(config)
    ffn = config.optional("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", least=1)
    if not ffn and widths["hidden"]:
        ffn = 4 * widths["hidden"]
        config.assume(f"the width of the MLP is not given: {ffn}, four times hidden")
    max_seq = config.optional("max_position_embeddings", "n_positions", "max_seq_len", least=1)
    return {**widths, "ffn": ffn, "ffn_matrices": 2, "biases": True, "max_seq": max_seq}


def _learned(config: Config) -> Found:
    found = plain(config)
    return {**found, "learned_positions": config.whole("n_positions", "max_position_embeddings")}


def _opt(config: Config) -> Found:
    projected, hidden = config.optional("word_embed_proj_dim", least=1), config.optional("hidden_size", least=1)
    if projected and hidden and projected != hidden:
        config.problems.append(
            f"word_embed_proj_dim: found {projected}; allowed: hidden_size ({hidden}), no projection"
        )
    positions = config.whole("max_position_embeddings")
    # Positions are counted from 2: the table has two rows more.
    return {**plain(config), "biases": config.flag("enable_bias"), "learned_positions": positions and positions + 2}


def _big_code(config: Config) -> Found:
    return {**_learned(config), "kv_heads": 1 if config.flag("multi_query") else None}


def _falcon(config: Config) -> Found:
    found = {**plain(config), "biases": config.flag("bias")}
    if config.flag("new_decoder_architecture"):
        return {**found, "kv_heads": config.whole("num_kv_heads", "n_head_kv")}
    return {**found, "kv_heads": 1 if config.flag("multi_query") else None}


def _mpt(config: Config) -> Found:
    ratio, widths = config.optional("expansion_ratio", least=1), _widths(config)
    found = {**widths, "ffn": (ratio or 0) * (widths["hidden"] or 0), "ffn_matrices": 2}
    found |= {"biases": not config.flag("no_bias"), "max_seq": config.optional("max_seq_len", least=1)}
    attention = config.table("attn_config")
    learned = config.flag("learned_pos_emb") and attention.get("alibi") is False
    positions = {"learned_positions": config.whole("max_seq_len")} if learned else {}
    heads = attention.get("kv_n_heads")
    return {**found, **positions, **({"kv_heads": heads} if heads else {})}


def _nemotron(config: Config) -> Found:
    return {**gated(config), "ffn_matrices": 2}


def _gpt_j(config: Config) -> Found:
    return {**plain(config), "biases": False}


def _windowed(config: Config, layers: int | None) -> Found:
    """Read a window and the layers that have it; all of them where the config does not tell them apart."""
    window = config.optional("sliding_window")
    return {"window": window, "window_layers": layers} if window and layers else {}


def _typed(config: Config, found: Found, default: int | None) -> Found:
    """Read a window whose layers stand in ``layer_types``, or follow the default pattern of the class."""
    types = config.words("layer_types")
    layers = sum(word in ("sliding_attention", "chunked_attention") for word in types) if types else default
    return {**found, **_windowed(config, layers)}


def _mistral(config: Config) -> Found:
    found = gated(config)
    return {**found, **_windowed(config, found["layers"])}


def _qwen2(config: Config) -> Found:
    found = gated(config)
    if not config.flag("use_sliding_window"):
        return found
    full = config.optional("max_window_layers")
    return _typed(config, found, max(0, (found["layers"] or 0) - (full or 0)))


def _every_second(config: Config) -> Found:
    found = gated(config)
    return _typed(config, found, -(-(found["layers"] or 0) // 2))


def _gemma3(config: Config) -> Found:
    found = gated(config)
    layers, pattern = found["layers"] or 0, config.optional("sliding_window_pattern", least=1) or 1
    return _typed(config, found, layers - layers // pattern)


def _mixtral(config: Config) -> Found:
    found = _mistral(config)
    experts = {"experts": config.whole("num_local_experts"), "top_k": config.whole("num_experts_per_tok")}
    return {**_without_dense(found), **experts, "expert_ffn": found["ffn"]}


def _gpt_oss(config: Config) -> Found:
    found = _every_second(config)
    experts = {"experts": config.whole("num_local_experts", "num_experts")}
    experts["top_k"] = config.whole("num_experts_per_tok", "experts_per_token")
    return {**_without_dense(found), **experts, "expert_ffn": found["ffn"], "biases": True}


def _without_dense(found: Found) -> Found:
    return {**{key: value for key, value in found.items() if key != "ffn"}, "dense_layers": 0}


def _qwen_moe(config: Config) -> Found:
    found = _qwen2(config)
    step, layers = config.optional("decoder_sparse_step", least=1) or 1, found["layers"] or 0
    return {
        **found,
        "experts": config.whole("num_experts"),
        "top_k": config.whole("num_experts_per_tok"),
        "expert_ffn": config.whole("moe_intermediate_size"),
        "shared_ffn": config.optional("shared_expert_intermediate_size"),
        "dense_layers": min(layers, layers - layers // step + config.length("mlp_only_layers")),
    }


def _deepseek(config: Config) -> Found:
    found = gated(config)
    unrotated, rotated = config.whole("qk_nope_head_dim"), config.whole("qk_rope_head_dim")
    width, shared = config.whole("moe_intermediate_size"), config.optional("n_shared_experts")
    leading = config.optional("first_k_dense_replace")
    if config.optional("moe_layer_freq", least=1) not in (None, 1):
        config.problems.append("moe_layer_freq: allowed: 1, experts in every layer behind the leading dense ones")
    return {
        **found,
        "head_dim": unrotated and rotated and unrotated + rotated,
        "v_head_dim": config.whole("v_head_dim"),
        "q_lora_rank": config.optional("q_lora_rank"),
        "kv_lora_rank": config.whole("kv_lora_rank"),
        "rope_head_dim": rotated,
        "experts": config.whole("n_routed_experts"),
        "top_k": config.whole("num_experts_per_tok"),
        "top_groups": _top_groups(config),
        "expert_ffn": width,
        "shared_ffn": (width or 0) * (shared or 0),
        "dense_layers": leading,
        "leading_dense_layers": leading,
        "mtp_layers": config.optional("num_nextn_predict_layers"),
    }


def _top_groups(config: Config) -> int:
    """Routing is limited to some groups only where there are more groups than a token may reach."""
    groups, reached = config.optional("n_group"), config.optional("topk_group")
    return reached or 0 if (groups or 0) > (reached or 0) else 0


def _llama4(config: Config) -> Found:
    found = gated(config)
    layers, step = found["layers"] or 0, config.optional("interleave_moe_layer_step", least=1) or 1
    chunk = config.optional("attention_chunk_size")
    return {
        **found,
        "ffn": config.whole("intermediate_size_mlp"),
        "experts": config.whole("num_local_experts"),
        "top_k": config.whole("num_experts_per_tok"),
        "expert_ffn": found["ffn"],
        "shared_ffn": found["ffn"],
        "dense_layers": layers - layers // step,
        **({"window": chunk, "window_layers": layers - layers // 4} if chunk and layers >= 2 else {}),
    }


_OWN = {"tie_word_embeddings": False}
_TIED = {"tie_word_embeddings": True}
_PARTIAL = "queries, keys and values carry biases, which are left out (under 0.1 % of the parameters)"
_BESIDE = "norms of queries and keys, and behind attention and MLP, are left out (under 0.1 % of the parameters)"
_CHUNKS = "three of four layers attend within chunks; they are taken as windows"
_TEXT = "the vision encoder is left out"
_GEMMA3 = {
    "tie_word_embeddings": True,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "sliding_window_pattern": 6,
    "sliding_window": 4096,
    "max_position_embeddings": 131072,
}
_QWEN_MOE = {**_OWN, "decoder_sparse_step": 1, "max_window_layers": 28}
_LLAMA4 = {**_OWN, "interleave_moe_layer_step": 1, "attention_chunk_size": 8192}
_KV8 = {**_OWN, "num_key_value_heads": 8}
_MPT = {**_TIED, "no_bias": True, "learned_pos_emb": True, "expansion_ratio": 4}
_FALCON = {**_TIED, "bias": False, "multi_query": True, "new_decoder_architecture": False}

LAYOUTS = {
    layout.model_class: layout
    for layout in (
        Layout("LlamaForCausalLM", gated, _OWN),
        Layout("MistralForCausalLM", _mistral, _KV8),
        Layout("MixtralForCausalLM", _mixtral, _KV8),
        Layout("Qwen2ForCausalLM", _qwen2, {**_OWN, "max_window_layers": 28}, _PARTIAL),
        Layout("Qwen2MoeForCausalLM", _qwen_moe, _QWEN_MOE, _PARTIAL),
        Layout("Qwen3ForCausalLM", _qwen2, {**_OWN, "head_dim": 128, "max_window_layers": 28}, _BESIDE),
        Layout("Qwen3MoeForCausalLM", _qwen_moe, _QWEN_MOE, _BESIDE),
        Layout("GPT2LMHeadModel", _learned, _TIED),
        Layout("OPTForCausalLM", _opt, {**_TIED, "enable_bias": True}),
        Layout("BloomForCausalLM", plain, _TIED),
        Layout("GPTNeoXForCausalLM", plain, _OWN),
        Layout("GPTJForCausalLM", _gpt_j, _OWN, "the MLP and the output layer carry biases, which are left out"),
        Layout("FalconForCausalLM", _falcon, _FALCON),
        Layout("GPTBigCodeForCausalLM", _big_code, {**_TIED, "multi_query": True}),
        Layout("MPTForCausalLM", _mpt, _MPT),
        Layout("MptForCausalLM", _mpt, _MPT),
        Layout("GemmaForCausalLM", gated, {**_TIED, "head_dim": 256}),
        Layout("Gemma2ForCausalLM", _every_second, {**_TIED, "head_dim": 256, "sliding_window": 4096}, _BESIDE),
        Layout("Gemma3ForCausalLM", _gemma3, _GEMMA3, _BESIDE),
        Layout("Gemma3ForConditionalGeneration", _gemma3, _GEMMA3, f"{_TEXT}; {_BESIDE}"),
        Layout("DeepseekV2ForCausalLM", _deepseek, _OWN),
        Layout("DeepseekV3ForCausalLM", _deepseek, _OWN),
        Layout("KimiK2ForCausalLM", _deepseek, _OWN),
        Layout("GptOssForCausalLM", _gpt_oss, {**_KV8, "sliding_window": 128}, "attention sinks are left out"),
        Layout("Phi3ForCausalLM", _mistral, _OWN),
        Layout("Olmo2ForCausalLM", gated, _OWN, _BESIDE),
        Layout("SmolLM3ForCausalLM", gated, _TIED),
        Layout("NemotronForCausalLM", _nemotron, _OWN, "norms carry biases, which are left out"),
        Layout("Llama4ForCausalLM", _llama4, _LLAMA4, _CHUNKS),
        Layout("Llama4ForConditionalGeneration", _llama4, _LLAMA4, f"{_CHUNKS}; {_TEXT}"),
    )
}
