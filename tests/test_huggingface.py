"""config.json files of Hugging Face: each architecture beside the catalogue, and everything that is not one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import models
from perfcore.errors import PerfcoreError
from perfcore.formulas import transformer
from perfcore.huggingface.layouts import LAYOUTS


def llama(
    name: str, layers: int, hidden: int, heads: int, kv: int, ffn: int, vocab: int, **more: Any
) -> dict[str, Any]:
    keys = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": ffn,
        "vocab_size": vocab,
    }
    return {"architectures": [f"{name}ForCausalLM"], **keys, **more}


def gpt(architecture: str, **keys: Any) -> dict[str, Any]:
    return {"architectures": [architecture], **keys}


LATENT = {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}
DEEPSEEK_V3 = llama("DeepseekV3", 61, 7168, 128, 128, 18432, 129280) | LATENT
DEEPSEEK_V3 |= {"n_routed_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 2048, "n_shared_experts": 1}
DEEPSEEK_V3 |= {
    "n_group": 8,
    "topk_group": 4,
    "first_k_dense_replace": 3,
    "num_nextn_predict_layers": 1,
    "moe_layer_freq": 1,
}
LITE = llama("DeepseekV2", 27, 2048, 16, 16, 10944, 102400) | LATENT | {"q_lora_rank": None}
LITE |= {"n_routed_experts": 64, "num_experts_per_tok": 6, "moe_intermediate_size": 1408, "n_shared_experts": 2}
LITE |= {"first_k_dense_replace": 1, "n_group": 1, "topk_group": 1}
KIMI = DEEPSEEK_V3 | {
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "n_routed_experts": 384,
    "vocab_size": 163840,
}
KIMI |= {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "num_nextn_predict_layers": 0}
GPT_OSS = llama("GptOss", 36, 2880, 64, 8, 2880, 201088, head_dim=64, sliding_window=128, attention_bias=True)
GPT_OSS |= {"num_local_experts": 128, "num_experts_per_tok": 4, "layer_types": ["sliding_attention", "full"] * 18}
QWEN_MOE = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "head_dim": 128}
GEMMA3 = {"num_hidden_layers": 48, "hidden_size": 3840, "num_attention_heads": 16, "num_key_value_heads": 8}
GEMMA3 |= {"intermediate_size": 15360, "vocab_size": 262144, "sliding_window": 1024}
LLAMA4 = llama("x", 48, 5120, 40, 8, 8192, 202048, head_dim=128, intermediate_size_mlp=16384, num_local_experts=128)
LLAMA4 |= {"num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "attention_chunk_size": 8192}

# What stands in the config.json of each model, recalled, and the file of the catalogue it is to agree with.
CONFIGS = {
    "llama3_8b": llama("Llama", 32, 4096, 32, 8, 14336, 128256),
    "mistral_7b": llama("Mistral", 32, 4096, 32, 8, 14336, 32000, sliding_window=None),
    "mixtral_8x7b": llama("Mixtral", 32, 4096, 32, 8, 14336, 32000, num_local_experts=8, num_experts_per_tok=2),
    "qwen2.5_7b": llama("Qwen2", 28, 3584, 28, 4, 18944, 152064, use_sliding_window=False, sliding_window=131072),
    "qwen2_57b_a14b": llama("Qwen2Moe", 28, 3584, 28, 4, 18944, 151936)
    | QWEN_MOE
    | {"num_experts": 64, "moe_intermediate_size": 2560, "shared_expert_intermediate_size": 20480},
    "qwen3_8b": llama("Qwen3", 36, 4096, 32, 8, 12288, 151936, head_dim=128),
    "qwen3_30b_a3b": llama("Qwen3Moe", 48, 2048, 32, 4, 6144, 151936) | QWEN_MOE,
    "gpt2_xl": gpt("GPT2LMHeadModel", n_layer=48, n_embd=1600, n_head=25, vocab_size=50257, n_positions=1024),
    "opt_1.3b": gpt(
        "OPTForCausalLM",
        num_hidden_layers=24,
        hidden_size=2048,
        num_attention_heads=32,
        ffn_dim=8192,
        vocab_size=50272,
        max_position_embeddings=2048,
        word_embed_proj_dim=2048,
    ),
    "bloom_176b": gpt("BloomForCausalLM", n_layer=70, n_embed=14336, num_attention_heads=112, vocab_size=250880),
    "gpt_neox_20b": gpt(
        "GPTNeoXForCausalLM",
        num_hidden_layers=44,
        hidden_size=6144,
        num_attention_heads=64,
        intermediate_size=24576,
        vocab_size=50432,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
    ),
    "gpt_j_6b": gpt(
        "GPTJForCausalLM", n_layer=28, n_embd=4096, n_head=16, vocab_size=50400, n_positions=2048, n_inner=None
    ),
    "falcon_7b": gpt(
        "FalconForCausalLM",
        num_hidden_layers=32,
        hidden_size=4544,
        num_attention_heads=71,
        num_kv_heads=71,
        vocab_size=65024,
        multi_query=True,
        new_decoder_architecture=False,
        bias=False,
    ),
    "falcon_180b": gpt(
        "FalconForCausalLM",
        num_hidden_layers=80,
        hidden_size=14848,
        num_attention_heads=232,
        num_kv_heads=8,
        vocab_size=65024,
        multi_query=True,
        new_decoder_architecture=True,
        bias=False,
    ),
    "starcoderbase_15.5b": gpt(
        "GPTBigCodeForCausalLM",
        n_layer=40,
        n_embd=6144,
        n_head=48,
        n_inner=24576,
        vocab_size=49152,
        n_positions=8192,
    ),
    "mpt_7b": gpt(
        "MPTForCausalLM",
        n_layers=32,
        d_model=4096,
        n_heads=32,
        expansion_ratio=4,
        vocab_size=50432,
        max_seq_len=2048,
        attn_config={"alibi": True},
        no_bias=True,
        learned_pos_emb=True,
    ),
    "gemma_7b": llama("Gemma", 28, 3072, 16, 16, 24576, 256000, head_dim=256),
    "gemma2_9b": llama("Gemma2", 42, 3584, 16, 8, 14336, 256000, head_dim=256, sliding_window=4096),
    "gemma3_12b": {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": GEMMA3},
    "deepseek_v3": DEEPSEEK_V3,
    "deepseek_v2_lite": LITE,
    "kimi_k2": KIMI,
    "gpt_oss_120b": GPT_OSS,
    "phi3_mini": llama("Phi3", 32, 3072, 32, 32, 8192, 32064),
    "olmo2_7b": llama("Olmo2", 32, 4096, 32, 32, 11008, 100352),
    "smollm3_3b": llama("SmolLM3", 36, 2048, 16, 4, 11008, 128256),
    "nemotron_4_340b": llama("Nemotron", 96, 18432, 96, 8, 73728, 256000, head_dim=192),
    "llama4_maverick": {"architectures": ["Llama4ForConditionalGeneration"], "text_config": LLAMA4},
}


def config(folder: Path, document: Any) -> Path:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.mark.parametrize("model_id", CONFIGS)
def test_a_config_gives_the_record_of_the_catalogue(tmp_path: Path, model_id: str) -> None:
    read = models.load(str(config(tmp_path, CONFIGS[model_id])))
    ours = models.load(model_id).record
    # The catalogue leaves out the width of dense layers where there are none.
    theirs = read.record._replace(ffn=ours.ffn) if read.record.dense_layers == 0 else read.record
    assert theirs == ours
    assert read.id == tmp_path.name
    assert read.seq is None
    assert any("seq" in sentence for sentence in read.assumptions)


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    document = {key: value for key, value in CONFIGS["llama3_8b"].items() if key != "num_key_value_heads"}
    said = models.load(config(tmp_path, document)).assumptions
    assert "kv_heads is not given: 32, one for each query head" in said
    assert "tie_word_embeddings is not given: false, the default of LlamaForCausalLM" in said


def test_small_gemma_takes_the_defaults_of_its_class(tmp_path: Path) -> None:
    text = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
    model = models.load(config(tmp_path, {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text}))
    assert model.record.kv_heads == 4
    assert model.record.window_layers == 29
    # 3,884 million of text, arXiv 2503.19786; its vocabulary has 64 rows less
    assert transformer.parameters(model.record) == pytest.approx(3.884e9, rel=0.002)
    assert any("num_attention_heads is not given: 8" in sentence for sentence in model.assumptions)


def test_a_window_of_all_or_some_layers(tmp_path: Path) -> None:
    mistral = models.load(config(tmp_path, llama("Mistral", 32, 4096, 32, 8, 14336, 32000, sliding_window=4096)))
    assert (mistral.record.window, mistral.record.window_layers) == (4096, 32)
    sliding = {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": 21}
    qwen = models.load(config(tmp_path, llama("Qwen2", 28, 3584, 28, 4, 18944, 152064, **sliding)))
    assert (qwen.record.window, qwen.record.window_layers) == (4096, 7)


def test_all_architectures_of_the_list_are_tried() -> None:
    tried = {document["architectures"][0] for document in CONFIGS.values()}
    siblings = {"Gemma3ForCausalLM", "Llama4ForCausalLM", "KimiK2ForCausalLM", "MptForCausalLM"}
    assert set(LAYOUTS) == tried | siblings


GOOD = CONFIGS["llama3_8b"]
BAD = [
    ("", "the file is empty"),
    ("layers = 2", "this is not JSON"),
    ("{", "this is not JSON"),
    ("[" * 100_000, "this is not JSON"),
    ('{"vocab_size": ' + "9" * 5000 + "}", "this is not JSON"),
    ("[]", "found a list; allowed: the config.json of a language model"),
    ("3", "found 3; allowed"),
    ("null", "found None; allowed"),
    ({}, "architectures is missing or empty"),
    ({"architectures": "LlamaForCausalLM"}, "architectures: found 'LlamaForCausalLM'; allowed: a list"),
    ({"architectures": [3]}, "architectures: found a list"),
    ({"architectures": ["T5ForConditionalGeneration"]}, "which is not known; known are: BloomForCausalLM, "),
    ({**GOOD, "num_hidden_layers": None}, "num_hidden_layers is missing; a config.json of LlamaForCausalLM holds it"),
    ({**GOOD, "num_hidden_layers": "32"}, "num_hidden_layers: found '32' (text); allowed: a whole number from 1"),
    ({**GOOD, "num_hidden_layers": 0}, "num_hidden_layers: found 0; allowed"),
    ({**GOOD, "hidden_size": -1}, "hidden_size: found -1; allowed"),
    ({**GOOD, "hidden_size": float("nan")}, "hidden_size: found nan; allowed"),
    ({**GOOD, "hidden_size": 4096.5}, "hidden_size: found 4096.5; allowed"),
    ({**GOOD, "hidden_size": {"a": [1]}}, "hidden_size: found a table; allowed"),
    ({**GOOD, "hidden_size": True}, "hidden_size: found true; allowed"),
    ({**GOOD, "tie_word_embeddings": "no"}, "tie_word_embeddings: found 'no'; allowed: true or false"),
    ({**GOOD, "num_key_value_heads": 5}, "kv_heads: found 5; allowed: a number that divides heads (32)"),
    ({**GOOD, "text_config": [1]}, "text_config: found a list; allowed: an object"),
    ({**GPT_OSS, "layer_types": "sliding"}, "layer_types: found 'sliding'; allowed: a list of texts"),
    ({**DEEPSEEK_V3, "moe_layer_freq": 2}, "moe_layer_freq: allowed: 1"),
    ({**CONFIGS["opt_1.3b"], "word_embed_proj_dim": 512}, "word_embed_proj_dim: found 512"),
    ({**CONFIGS["mpt_7b"], "attn_config": 3}, "attn_config: found 3; allowed: an object"),
]


@pytest.mark.parametrize(("document", "said"), BAD)
def test_what_is_no_config_is_refused_in_a_line(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        models.load(config(tmp_path, document))
    assert said in str(caught.value)
    assert all("\n" not in line and len(line) < 1200 for line in caught.value.lines)


def test_all_missing_keys_at_once(tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError) as caught:
        models.load(config(tmp_path, {"architectures": ["LlamaForCausalLM"]}))
    assert len(caught.value.lines) == 5


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(PerfcoreError, match="not text in UTF-8; give the config"):
        models.load(path)
    path.write_bytes(b"{" + b" " * 1_000_001)
    with pytest.raises(PerfcoreError, match="1,000,002 bytes"):
        models.load(path)
    with pytest.raises(PerfcoreError, match="cannot be read"):
        models.load("nowhere/config.json")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=400)
@given(
    base=st.sampled_from(list(CONFIGS.values())),
    changes=st.dictionaries(st.sampled_from(sorted({k for c in CONFIGS.values() for k in c})), JUNK, max_size=4),
    dropped=st.sets(st.sampled_from(sorted({k for c in CONFIGS.values() for k in c})), max_size=2),
)
def test_any_json_is_read_or_refused(base: Any, changes: Any, dropped: Any, tmp_path_factory: Any) -> None:
    document = {key: value for key, value in {**base, **changes}.items() if key not in dropped}
    path = config(tmp_path_factory.getbasetemp(), document)
    try:
        count = transformer.parameters(models.load(path).record)
    except PerfcoreError as refused:
        lines, count = refused.lines, 1.0
    else:
        lines = ()
    assert count > 0
    assert all("\n" not in line for line in lines)
