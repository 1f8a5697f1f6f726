"""Language models: the catalogue, the formulas on their shapes, model files, the command."""

import inspect
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from perfcore import evidence, models
from perfcore.cli.models import command
from perfcore.errors import PerfcoreError
from perfcore.formulas import transformer
from perfcore.formulas.records import Model
from perfcore.schema import MODEL
from perfcore.speed_terms import MODEL_KEYS
from perfcore.terms import MARKS, TERMS

IDS = models.ids()
# Published counts that leave out the input embedding: DeepSeek and OpenAI say so, the V2-Lite paper by its figure.
WITHOUT_EMBEDDING = {"deepseek_v3", "deepseek_v2_lite", "gpt_oss_120b", "gpt_oss_20b"}
# Published counts the shape misses by more than 1 %; each file says why.
COARSE = {"falcon_40b": 0.035, "kimi_k2": 0.014, "llama4_scout": 0.012}
COARSE_ACTIVE = {"qwen3_30b_a3b": 0.017, "deepseek_v2_lite": 0.022}


def allowed(published: Any, coarse: float) -> float:
    """1 %, or half a unit of the last digit printed where that is more."""
    number = Decimal(published)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(max(0.01, coarse) * float(number), 0.5 * 10.0**exponent)


@pytest.mark.parametrize("model_id", IDS)
def test_parameters_are_those_published(model_id: str) -> None:
    model = models.load(model_id)
    published = model.document.get("parameters_billion")
    if published is None:
        assert model_id in ("internlm_65b", "neusight_gpt3_xl")  # nothing published beside the name
        return
    computed = transformer.parameters(model.record) / 1e9
    assert abs(computed - float(published)) <= allowed(published, COARSE.get(model_id, 0))


@pytest.mark.parametrize("model_id", [i for i in IDS if models.load(i).record.experts])
def test_active_parameters_are_those_published(model_id: str) -> None:
    model = models.load(model_id)
    published = model.document["active_parameters_billion"]
    computed = transformer.active_parameters(model.record)
    if model_id in WITHOUT_EMBEDDING:
        computed -= model.record.vocab * model.record.hidden
    assert abs(computed / 1e9 - float(published)) <= allowed(published, COARSE_ACTIVE.get(model_id, 0))


# Exact sizes of released weights, recalled from their pages (safetensors totals).
EXACT = {
    "llama_7b": 6_738_415_616,
    "llama2_70b": 68_976_648_192,
    "llama3_8b": 8_030_261_248,
    "llama3_70b": 70_553_706_496,
    "llama3_405b": 405_853_388_800,
    "mistral_7b": 7_241_732_096,
    "mixtral_8x7b": 46_702_792_704,
}


@pytest.mark.parametrize(("model_id", "count"), EXACT.items())
def test_models_without_small_extras_are_exact(model_id: str, count: int) -> None:
    assert transformer.parameters(models.load(model_id).record) == count


def test_a_layer_of_deepseek_v3_by_hand() -> None:
    model = models.load("deepseek_v3").record
    queries = 7168 * 1536 + 1536 + 1536 * 128 * 192
    keys_values = 7168 * (512 + 64) + 512 + 512 * 128 * (128 + 128)
    attention = queries + keys_values + 128 * 128 * 7168
    assert transformer.attention_parameters(model) == attention == 187_107_328
    experts = 256 * 7168 + (256 + 1) * 3 * 7168 * 2048
    assert transformer.moe_layer_parameters(model, 256) == attention + experts + 2 * 7168
    # arXiv 2412.19437: the prediction layer is 11.6 billion beside its copies of the embeddings
    assert transformer.mtp_parameters(model) == attention + experts + 2 * 7168 + 2 * 7168**2 + 3 * 7168


def test_a_gpt_with_biases_by_hand() -> None:
    model = models.load("gpt2_small").record
    layer = 4 * (768 * 768 + 768) + (768 * 3072 + 3072) + (3072 * 768 + 768) + 2 * 2 * 768
    assert transformer.parameters(model) == 12 * layer + 2 * 768 + (50257 + 1024) * 768 == 124_439_808


# Published TFLOP/s over published tokens/s [10^9 FLOP per token], as far as sources print both: (model, seq, causal).
PRINTED = [
    ("llama3_70b", 8192, 1.0, 449.221, "tpu-recipes ironwood"),
    ("llama3_70b", 131072, 1.0, 932.41, "tpu-recipes ironwood"),
    ("llama3_70b", 8192, 0.0, 481.409, "NeMo 24.07"),
    ("llama3_405b", 8192, 1.0, 2523.95, "tpu-recipes v6e"),
    ("mistral_7b", 8192, 0.0, 55.5473, "tpu-recipes v6e"),
    ("mixtral_8x7b", 4096, 0.0, 82.8841, "NeMo 24.05"),
    ("nemotron-4-340b", 4096, 0.0, 2105.59, "NeMo 24.07"),
    ("qwen3_30b_a3b", 4096, 1.0, 22.9167, "Megatron-Bridge"),
]


@pytest.mark.parametrize(("name", "seq", "causal", "printed", "source"), PRINTED)
def test_operations_of_a_token_are_those_printed(
    name: str, seq: float, causal: float, printed: float, source: str
) -> None:
    model = models.load(name).record
    flop = transformer.matmul_flop_per_token(model) + transformer.attention_flop_per_token(model, seq, causal)
    assert flop / 1e9 == pytest.approx(printed, rel=0.01), source


def test_deepseek_with_its_prediction_layer() -> None:
    """Megatron-Bridge prints 260.0 GFLOP per token with one prediction layer, 250.45 without."""
    model = models.load("deepseek_v3").record
    matmul, attention = (
        transformer.matmul_flop_per_token(model),
        transformer.attention_flop_per_token(model, 4096.0, 1.0),
    )
    assert (matmul + attention) / 1e9 == pytest.approx(250.45, rel=1e-4)
    whole = matmul + transformer.mtp_matmul_flop_per_token(model) + attention * 62 / 61
    assert whole / 1e9 == pytest.approx(260.0, rel=0.005)


SC21 = ["1.7b", "3.6b", "7.5b", "18b", "39b", "76b", "145b", "310b", "530b", "1t"]


@pytest.mark.parametrize("size", SC21)
def test_megatron_models_follow_the_formula_of_their_paper(size: str) -> None:
    """Narayanan et al., arXiv 2104.04473: 96 B s l h^2 (1 + s/6h + V/16lh) with recompute; 72 for 96 without."""
    model = models.load(f"megatron_{size}").record
    h, layers, s, v = model.hidden, model.layers, 2048, 51200
    paper = 72 * layers * h**2 * (1 + s / (6 * h)) + 6 * h * v
    own = transformer.matmul_flop_per_token(model) + transformer.attention_flop_per_token(model, s, 0.0)
    assert own == pytest.approx(paper, rel=1e-12)


def test_windows_shorten_attention() -> None:
    """12 queries, a window of 4: a triangle of 4 x 4 / 2, then 8 x 4, over 12."""
    assert transformer.attended_tokens(12.0, 4.0, 1.0) == pytest.approx((8 + 32) / 12)
    gemma = models.load("gemma3_12b").record
    plain = gemma._replace(window=0.0, window_layers=0.0)
    ratio = transformer.attention_flop_per_token(gemma, 32768.0, 0.0) / transformer.attention_flop_per_token(
        plain, 32768.0, 0.0
    )
    assert ratio == pytest.approx((8 + 40 * 1024 / 32768) / 48)


def test_the_formulas_compile() -> None:
    import numba
    from numba.extending import register_jitable

    named = [f for f in vars(transformer).values() if inspect.isfunction(f)]
    for formula in named:
        register_jitable(formula)
    model = models.load("deepseek_v3").record
    for formula in named:
        others = [8.0, 4.0, 1.0][: len(inspect.signature(formula).parameters) - 1]
        given = (model, *others) if "model" in inspect.signature(formula).parameters else (8.0, *others)
        assert numba.njit(formula)(*given) == formula(*given)


@pytest.mark.parametrize("model_id", IDS)
def test_every_number_has_a_source_and_a_mark(model_id: str) -> None:
    model = models.load(model_id)
    for key in MODEL_KEYS:
        if key in model.document:
            entry = evidence.entry_for(model, key) or {}
            assert entry.get("mark") in MARKS, key
            assert entry.get("source") in evidence.sources(), key
    for conflict in model.document.get("conflict", ()):
        assert conflict["key"] in MODEL_KEYS
        assert all(other["source"] in evidence.sources() for other in conflict["others"])
    assert model.document["name"]
    assert model.document["vendor"]
    assert model.assumptions == ()


def test_sources_of_models_are_used() -> None:
    own = {e["source"] for i in IDS for e in models.load(i).document["evidence"]}
    own |= {o["source"] for i in IDS for c in models.load(i).document.get("conflict", ()) for o in c["others"]}
    listed = list(evidence.sources())
    behind = listed[listed.index("flash_attention_2") :]
    assert set(behind[: behind.index("maxtext_configs") + 1]) <= own


def test_names_are_unique() -> None:
    assert not {name: ids for name, ids in models._names(models.pointed).items() if len(ids) > 1}


@pytest.mark.parametrize("model_id", IDS)
def test_the_names_read_by_pattern_are_those_of_the_file(model_id: str) -> None:
    document = models.load(model_id).document
    assert set(models._heads()[model_id]) == {document["name"], *document["aliases"]}
    assert all(models.find(alias) == model_id for alias in (*document["aliases"], model_id))


def test_every_field_is_a_term() -> None:
    assert set(MODEL) - {"evidence", "conflict"} <= set(TERMS)
    assert set(Model._fields) <= set(MODEL_KEYS)


NAMES = {
    "gpt3_175b": "gpt3_175b",
    "GPT-3 175B": "gpt3_175b",
    "gpt3": "gpt3_175b",
    "llama3": "llama3_70b",
    "llama3_405b": "llama3_405b",
    "llama3.1-405b": "llama3_405b",
    "llama3.3-70b": "llama3_70b",
    "llama3.1-8b": "llama3_8b",
    "deepseek_v3": "deepseek_v3",
    "DeepSeek R1": "deepseek_v3",
    "mixtral": "mixtral_8x7b",
    "bloom-176B": "bloom_176b",
    "opt-1.3b": "opt_1.3b",
    "opt-13b": "opt_13b",
    "opt13b": "opt_13b",
    "gpt3-13b": "gpt3_13b",
    "gpt3-1.3B": "gpt3_1.3b",
    "gpt-530B": "megatron_530b",
    "pythia-12B": "pythia_12b",
    "starcoderbase-15.5B": "starcoderbase_15.5b",
    "qwen3-235b-a22b": "qwen3_235b_a22b",
    "nemotron-4-340b": "nemotron_4_340b",
    "gpt-oss-120b": "gpt_oss_120b",
    "kimi k2": "kimi_k2",
}


@pytest.mark.parametrize(("name", "model_id"), NAMES.items())
def test_names(name: str, model_id: str) -> None:
    assert models.find(name) == model_id


# The models the measurement tables name, with the shape they print: layers, hidden, heads.
MEASURED = {
    "gpt3-5b": (24, 4096, 32),
    "gpt3-20b": (44, 6144, 48),
    "gpt3-23b": (28, 8192, 64),
    "gpt3_27": (32, 2560, 32),
    "gpt3_xl": (24, 3072, 24),
    "gpt2_large": (36, 1280, 20),
    "opt_13": (24, 2048, 32),
    "gpt-28.3B": (62, 6144, 48),
    "gpt-8B": (42, 4096, 32),
    "gpt-1T": (128, 25600, 160),
    "gpt-j-6b": (28, 4096, 16),
    "falcon-180b": (80, 14848, 232),
    "mpt-760m": (24, 1536, 12),
    "mpt-30b": (48, 7168, 56),
    "maxtext-128": (64, 8192, 128),
    "maxtext-22B": (48, 6144, 24),
    "nemotron-22b": (40, 6144, 48),
    "skywork-13b": (52, 4608, 36),
    "smollm3-3B": (36, 2048, 16),
    "yi-34b": (60, 7168, 56),
    "aquila2-34b": (60, 6144, 48),
    "qwen3-coder-480b-a35b": (62, 6144, 96),
    "llama4-maverick-17b-128e": (48, 5120, 40),
    "pythia-1B": (16, 2048, 8),
}


@pytest.mark.parametrize(("name", "shape"), MEASURED.items())
def test_measured_models_are_there(name: str, shape: tuple[int, ...]) -> None:
    assert models.load(name).record[:3] == shape


def test_an_unknown_name_is_one_line_with_names_near() -> None:
    with pytest.raises(PerfcoreError, match=r"'lama3_70b' is no model .* did you mean llama3_70b") as caught:
        models.load("lama3_70b")
    assert len(caught.value.lines) == 1


GOOD = "layers = 2\nhidden = 8\nheads = 4\nffn = 32\nffn_matrices = 2\nvocab = 10\nseq = 16\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_model_file_with_defaults_named(tmp_path: Path) -> None:
    model = models.load(written(tmp_path, GOOD))
    assert model.record == Model(2, 8, 4, 4, 2, 2, 32, 2, 10, *[0] * 10, 2, 0, 0, 0, 0)
    assert all(isinstance(value, float) for value in model.record)
    assert (model.id, model.seq, model.global_batch) == ("mine", 16, None)
    said = " ".join(model.assumptions)
    assert all(key in said for key in ("kv_heads", "head_dim", "tied_embeddings", "biases"))


MOE = GOOD + "experts = 8\ntop_k = 2\nexpert_ffn = 16\n"
LATENT = "head_dim = 6\nkv_lora_rank = 4\n"
BAD = {
    "layers = 2\n": "hidden: is missing",
    GOOD + "leyers = 2\n": "leyers: not a known key; did you mean layers?",
    GOOD.replace("layers = 2", "layers = 0"): ":1: layers: found 0; allowed: a whole number from 1",
    GOOD.replace("layers = 2", "layers = -2"): "layers: found -2",
    GOOD.replace("layers = 2", "layers = 2.5"): "layers: found 2.5",
    GOOD.replace("layers = 2", "layers = nan"): "layers: found NaN",
    GOOD.replace("layers = 2", 'layers = "two"'): "layers: found 'two'",
    GOOD.replace("layers = 2", "layers = {low = 1, high = 2}"): "layers: found a table",
    GOOD.replace("layers = 2", f"layers = {10**12}"): "allowed: a whole number from 1 to 1000000000",
    GOOD.replace("heads = 4", "heads = 3"): "head_dim: is missing, and hidden 8 is not a multiple of heads 3",
    GOOD + "kv_heads = 3\n": ":8: kv_heads: found 3; allowed: a number that divides heads (4)",
    GOOD.replace("ffn_matrices = 2", "ffn_matrices = 4"): "ffn_matrices: found 4; allowed: 3 (gated) or 2",
    GOOD.replace("ffn = 32\n", ""): "ffn: is missing",
    GOOD + "biases = 1\n": "biases: found 1; allowed: true or false",
    GOOD + "window = 4\n": "window_layers: is missing, but window is given",
    GOOD + "window = 4\nwindow_layers = 3\n": "window_layers: found 3; allowed: at most layers (2)",
    GOOD + "max_seq = 8\n": "seq: found 16; allowed: at most max_seq (8)",
    GOOD + "learned_positions = 8\n": "seq: found 16; allowed: at most learned_positions (8)",
    GOOD + "top_k = 2\n": "top_k: found 2 without experts",
    GOOD + "experts = 8\n": "top_k: is missing; a model with experts needs it",
    GOOD + "dense_layers = 1\n": "dense_layers: found 1; allowed: all 2 layers",
    MOE.replace("top_k = 2", "top_k = 9"): "top_k: found 9; allowed: at most experts (8)",
    MOE + "dense_layers = 2\n": "dense_layers: found 2; allowed: below layers (2)",
    MOE + "dense_layers = 0\nleading_dense_layers = 1\n": "leading_dense_layers: found 1; allowed: at most",
    GOOD + LATENT: "rope_head_dim: is missing",
    GOOD + LATENT + "rope_head_dim = 6\n": "rope_head_dim: found 6; allowed: below head_dim (6)",
    GOOD + "q_lora_rank = 4\n": "q_lora_rank: found 4 without kv_lora_rank",
    GOOD + "parameters_billion = {low = 1, high = 2}\n": "parameters_billion: found a table; allowed: one number",
    "": "the file is empty",
    '{"layers": 2}': "this is not TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_model_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        models.load(written(tmp_path, text))
    assert BAD[text] in str(caught.value)


def test_all_problems_at_once(tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError) as caught:
        models.load(written(tmp_path, GOOD + "kv_heads = 3\nwindow = 2\nmax_seq = 8\n"))
    assert len(caught.value.lines) == 3


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_command_lists_and_shows() -> None:
    assert all(model_id in run() for model_id in ("llama3_405b", "deepseek_v3"))
    shown = run("qwen3-235b")
    for said in ("id: qwen3_235b_a22b", "published: 235", "chosen over", "because", "sources:"):
        assert said in shown


def test_the_json() -> None:
    listed = json.loads(run("--json"))["models"]
    assert [model["id"] for model in listed] == list(IDS)
    one = json.loads(run("llama2_70b", "--json"))
    assert one["parameters"] == EXACT["llama2_70b"]
    assert one["shape"]["kv_heads"] == 8
    assert one["flop_per_token"]["seq"] == 4096
    assert {value["key"]: value["mark"] for value in one["values"]}["layers"] == "recalled"
    assert set(listed[0]) < set(one)


def test_checking_a_chip_does_not_load_models() -> None:
    import subprocess
    import sys

    code = "import sys, perfcore; perfcore.check('h20'); print([m for m in sys.modules if 'model' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("model_id", IDS)
def test_a_rank_that_holds_everything_holds_the_model(model_id: str) -> None:
    """The count per rank (memory) and the count of a model (published figures) are two walks over one shape."""
    from perfcore.formulas.states import stage_parameters
    from perfcore.formulas.transformer import mtp_parameters, parameters
    from perfcore.questions import plan_of

    model = models.load(model_id).record
    held = stage_parameters(model, plan_of(), 0.0, 0.0)
    assert held.dense + held.experts == pytest.approx(parameters(model) + mtp_parameters(model), rel=1e-3)
