"""Rooflines: ridge points and intensities worked by hand, bounds that times keep, operations, and other memory.

Rates: NVIDIA A100 datasheet (SXM 80 GB: 312 TFLOP/s fp16, 624 TOPS int8, 156 TF32, 2,039 GB/s), H100 datasheet (SXM:
half of the sparse 1,979 and 3,958, 3.35 TB/s), H20 as in Tom's Hardware, November 2023 (148, 296, 4.0 TB/s).
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import document, run

import perfcore
from perfcore import chips, engines, formulas, models, systems
from perfcore.errors import PerfcoreError
from perfcore.formulas import operations as counted
from perfcore.formulas import products
from perfcore.formulas.transformer import attention_flop_per_token, matmul_flop_per_token
from perfcore.operation_rows import PHASES, Load
from perfcore.placements import Placed, placed
from perfcore.precisions import find_exactly
from perfcore.questions import plan_of
from perfcore.serving_questions import ServingQuestion, ServingSetting

RATE = st.floats(1e9, 1e16)
AMOUNT = st.floats(1e-3, 1e18)
LLAMA = models.load("llama3_70b").record
DEEPSEEK = models.load("deepseek_v3").record


@pytest.mark.parametrize(
    ("chip", "form", "ridge"),
    [
        ("a100", "fp16", 153.0),  # 312,000 / 2,039
        ("a100", "int8", 306.0),  # 624,000 / 2,039
        ("a100", "tf32", 76.5),  # 156,000 / 2,039
        ("h100", "fp16", 295.3),  # 989,400 / 3,350
        ("h100", "fp8", 590.7),  # 1,978,900 / 3,350
        ("h20", "bf16", 37.0),  # 148,000 / 4,000
        ("h20", "fp8", 74.0),  # 296,000 / 4,000
    ],
)
def test_ridge_points_of_datasheets(chip: str, form: str, ridge: float) -> None:
    assert perfcore.roofline(chip).results[0].ridge_flop_per_byte[form] == pytest.approx(ridge, abs=0.05)


def test_intensities_worked_by_hand() -> None:
    # 4096 x 4096 by 4096 x 4096, 16 bit: 2 x 4096^3 over 3 x 2 x 4096^2 bytes
    assert formulas.gemm_intensity(4096.0, 4096.0, 4096.0, 2.0) == pytest.approx(4096 / 3)
    # one row by 1000 x 500 in 8 bit: 10^6 FLOP over 1000 + 500,000 + 2 x 500 bytes
    assert formulas.gemv_intensity(500.0, 1000.0, 1.0) == pytest.approx(1e6 / 502_000)
    # Llama 3 70B, causal prompt of 8192: 8192 x 64 / (2 x 72)
    assert formulas.attention_prefill_intensity(8192.0, 64.0, 8.0, 128.0, 2.0) == pytest.approx(8192 * 64 / 144)
    # one token over 1000 cached: 4 x 1000 x 64 x 128 FLOP over 2 x 1000 x 8 x 128 x 2 + 2 x 64 x 128 x 2 bytes
    llama = formulas.attention_decode_intensity(1000.0, 64.0, 8.0, 128.0, 2.0, 2.0)
    assert llama == pytest.approx(32_768_000 / (4_096_000 + 32_768))
    # multi-query: one head of keys and values for 64 of queries; an 8-bit cache doubles it
    assert formulas.attention_decode_intensity(1e9, 64.0, 1.0, 128.0, 2.0, 1.0) == pytest.approx(128.0, rel=1e-4)
    # DeepSeek-V3: 2 x 128 x (512 + 576) FLOP over 576 x 2 bytes
    assert formulas.mla_decode_intensity(1e9, 128.0, 512.0, 64.0, 2.0, 2.0) == pytest.approx(278_528 / 1152, rel=1e-4)
    # all 8 experts of Mixtral reached by many tokens: 2 of 8 of the rows of a dense layer each
    assert formulas.distinct_experts(8.0, 2.0, 1000.0) == pytest.approx(8.0)
    rows = 1e6 * 2 / 8
    dense = 6 * rows * 4096 * 14336 / (2 * (3 * 4096 * 14336 + rows * (4096 + 14336)) + 2 * rows * (2 * 14336 + 4096))
    moe = formulas.moe_intensity(1e6, 4096.0, 8.0, 2.0, 14336.0, 3.0, 2.0)
    assert moe == pytest.approx(dense)
    assert (formulas.normalisation_intensity(2.0), formulas.optimizer_intensity(40.0)) == (1.0, 0.4)


@given(AMOUNT, AMOUNT, RATE, RATE)
def test_time_is_never_below_either_bound(flop: float, moved: float, flop_s: float, bytes_s: float) -> None:
    time_s = formulas.roofline_time_s(flop, moved, flop_s, bytes_s)
    assert time_s >= flop / flop_s
    assert time_s >= moved / bytes_s
    assert flop / time_s == pytest.approx(formulas.attainable_flop_s(flop / moved, flop_s, bytes_s))


@given(RATE, RATE)
def test_continuity_at_the_ridge(flop_s: float, bytes_s: float) -> None:
    ridge = formulas.ridge_flop_per_byte(flop_s, bytes_s)
    assert formulas.attainable_flop_s(ridge, flop_s, bytes_s) == pytest.approx(flop_s)
    for step in (1e-6, -1e-6):
        near = formulas.attainable_flop_s(ridge * (1 + step), flop_s, bytes_s)
        assert near == pytest.approx(flop_s, rel=2e-6)
    assert formulas.attainable_flop_s(ridge / 2, flop_s, bytes_s) == pytest.approx(flop_s / 2)


def place(chip: str, load: Load, form: str = "bf16") -> list[Placed]:
    item = chips.load(chip)
    return placed(item, systems.default_for(item), find_exactly(form), load)[0]


@given(
    st.sampled_from(["h100", "h20", "mi300x", "tpu v5e", "trainium1", "910b4", "br100"]),
    st.sampled_from(["llama3_70b", "deepseek_v3", "gpt3_175b", "mixtral_8x7b", "gemma3_27b"]),
    st.sampled_from([1, 2, 4, 8, 16, 32]),
    st.integers(1, 4096),
    st.integers(1, 100_000),
)
def test_no_operation_beats_the_datasheet(chip: str, model: str, tp: int, batch: int, seq: int) -> None:
    record = models.load(model).record
    ep = math.gcd(tp, int(record.experts)) if record.experts else 1
    for one in place(chip, Load(record, batch, seq, tp, ep)):
        flop, moved, time_s = one.operation
        assert flop >= 0.0
        assert moved > 0.0
        assert time_s >= flop / one.peak_flop_s * (1 - 1e-12), one.name
        assert time_s >= moved / one.bytes_s * (1 - 1e-12), one.name
        assert one.attainable_flop_s <= one.peak_flop_s
        assert one.bound in ("memory", "compute", "link", "network", "start-up")


@pytest.mark.parametrize("tp", [1, 4])
@pytest.mark.parametrize("model", ["llama3_70b", "gpt3_175b"])
def test_the_two_counts_of_operations_agree(model: str, tp: int) -> None:
    """What the ranks multiply together is what ``transformer`` counts of the model as a whole."""
    record, seq, batch = models.load(model).record, 2048, 3
    each: dict[str, float] = dict.fromkeys(PHASES, 0.0)
    attention = dict(each)
    for one in place("h100", Load(record, batch, seq, tp, 1)):
        if one.name == "attention":
            attention[one.phase] += one.operation.flop * tp
        elif one.name not in ("norms, sums, activation", "optimizer", "loss"):
            each[one.phase] += one.operation.flop * tp
    whole = matmul_flop_per_token(record)
    head = 2 * record.hidden * record.vocab
    extra = 1.0 if record.kv_heads >= tp else 0.0
    assert extra == 1.0  # no key-value head is repeated here
    assert each["training"] == pytest.approx(whole * seq * batch)
    assert each["decode"] == pytest.approx(whole / 3 * batch)
    assert each["prefill"] == pytest.approx((whole / 3 - head) * seq + head)  # logits of one token
    forward = attention_flop_per_token(record, float(seq), 1.0) / 3 * seq
    assert attention["prefill"] == pytest.approx(forward)
    assert attention["training"] == pytest.approx(3.5 * forward * batch)
    assert attention["decode"] == pytest.approx(2 * forward / seq * batch)  # a new token sees all, not half


def test_decode_reads_each_weight_and_each_cached_value_once() -> None:
    """Llama 3 70B in 16 bit on one rank: 141 GB of weights less the embedding that is looked up, and the cache."""
    load = Load(LLAMA, 1, 1000, 1, 1)
    moved = {one.name: one.operation.bytes for one in place("h100", load) if one.phase == "decode"}
    weights = 2 * (80 * (8192 * (8192 + 2 * 1024) + 8192 * 8192 + 3 * 8192 * 28672) + 8192 * 128256)
    cache = 80 * 1000 * 2 * 8 * 128 * 2
    own = 80 * 2 * 64 * 128 * 2  # queries and outputs
    assert moved["attention"] == cache + own
    matmul = sum(value for name, value in moved.items() if name not in ("attention", "norms, sums, activation"))
    assert matmul == pytest.approx(weights, rel=1e-3)


def test_latent_attention_is_absorbed_in_decode_and_expanded_in_prefill() -> None:
    names = {phase: set() for phase in PHASES}  # type: ignore[var-annotated]
    for one in place("h800", Load(DEEPSEEK, 32, 4096, 8, 8), "fp8"):
        names[one.phase].add(one.name)
    assert {"queries to latents", "latents to values"} <= names["decode"]
    assert "latent to keys and values" in names["prefill"] & names["training"]
    assert "latent to keys and values" not in names["decode"]
    count = counted.decode_attention_count(DEEPSEEK, plan_of(tp=8), 1.0, 1000.0, 2.0)
    # 16 heads a rank, 576 cached values of 16 bit, and 16 x 1088 of queries and outputs
    assert count == (2 * 1000 * 16 * 1088, 1000 * 576 * 2 + 2 * 16 * 1088)


def test_experts_that_no_token_reaches_are_not_read() -> None:
    """One token on 8 ranks of DeepSeek-V3: 8 experts of 58 layers, 1 a rank, 44 MB of 8 bit each."""
    load = Load(DEEPSEEK, 1, 100, 8, 8)
    moved = sum(o.operation.bytes for o in place("h800", load, "fp8") if o.phase == "decode" and "experts" in o.name)
    shared = 58 * 3 * 7168 * 2048 / 8
    assert moved == pytest.approx(58 * 3 * 7168 * 2048 + shared, rel=2e-3)


def test_windows_cut_attention() -> None:
    gemma = models.load("gemma3_27b").record
    assert gemma.window_layers > 0
    count = counted.decode_attention_count(gemma, plan_of(), 1.0, 100_000.0, 2.0)
    share = gemma.window_layers / gemma.layers
    seen = (1 - share) * 100_000 + share * gemma.window
    assert count.flop == pytest.approx(2 * seen * gemma.heads * 2 * gemma.head_dim)


def test_shapes_of_products() -> None:
    plan = plan_of(tp=8)
    assert products.query_key_value(LLAMA, plan, 5.0) == (5.0, 8 * 128 + 2 * 128, 8192, 1.0)
    assert products.query_key_value(LLAMA, plan_of(tp=16), 5.0) == (5.0, 4 * 128 + 2 * 128, 8192, 1.0)  # repeated
    assert products.mlp_up(LLAMA, plan, 5.0, 28672.0) == (5.0, 2 * 28672 / 8, 8192, 1.0)
    assert products.absorbed_queries(DEEPSEEK, plan, 5.0) == (5.0, 512.0, 128.0, 16.0)
    assert products.absorbed_values(DEEPSEEK, plan, 5.0) == (5.0, 128.0, 512.0, 16.0)


def test_bandwidth_bites_in_decode_and_rate_in_prefill() -> None:
    """By the datasheet H20 is 4.0 / 3.35 = 1.19 times an H100 in decode, and 148 / 989.4 = 0.15 of it in prefill."""
    found = perfcore.roofline("h100", "h20", model="llama3_70b", batch=8, seq=4096, tp=8)
    h100, h20 = ({phase["phase"]: phase["roofline_time_s"] for phase in one.phases} for one in found.results)
    links = sum(
        o["roofline_time_s"] for o in found.results[0].operations if o["phase"] == "decode" and o["over"] != "DRAM"
    )
    assert (h100["decode"] - links) / (h20["decode"] - links) == pytest.approx(4.0 / 3.35, rel=1e-3)
    compute = [
        sum(o["roofline_time_s"] for o in one.operations if o["phase"] == "prefill" and o["bound"] == "compute")
        for one in found.results
    ]
    assert compute[0] / compute[1] == pytest.approx(148 / 989.4, rel=1e-3)
    bounds = {o["name"]: o["bound"] for o in found.results[1].operations if o["phase"] == "decode"}
    assert bounds["MLP up"] == bounds["attention"] == "memory"


@pytest.mark.parametrize(
    ("chip", "model", "form", "tp", "rel"),
    [
        ("h100", "llama3_70b", "bf16", 4, 1e-3),
        ("mi300x", "mixtral_8x7b", "bf16", 2, 1e-3),
        ("tpu v6e", "gemma3_27b", "bf16", 4, 1e-3),
        ("h20", "deepseek_v3", "fp8", 8, 0.03),  # infer absorbs the maps of keys and values in prefill too
    ],
)
def test_operations_add_up_to_what_infer_predicts(chip: str, model: str, form: str, tp: int, rel: float) -> None:
    record, item = models.load(model).record, chips.load(chip)
    ep = math.gcd(tp, int(record.experts)) if record.experts else 1
    engine = engines.load(engines.default_for(item.document["vendor"]))
    bits = 8 if engine.structure["kv_follows_weights"] and form == "fp8" else 16
    setting = ServingSetting(item, systems.default_for(item), engine, find_exactly(form), bits)
    plan = plan_of(tp=tp, ep=ep, sequence_parallel=False)
    asked = ServingQuestion(record, setting, tp, plan, 16, 2048, 1e-9)
    own = place(chip, Load(record, 16, 2048, tp, ep), form)
    for phase, served in (("decode", asked.decode()), ("prefill", asked.prefill())):
        kernels = sum(one.operation.time_s for one in own if one.phase == phase)
        assert kernels == pytest.approx(sum(served) - served.overhead_s, rel=rel), phase


def test_json_is_what_python_gives() -> None:
    asked = ("roofline", "h20", "a100", "--model", "llama3_70b", "--batch", "8", "--memory", "hbm3e:6")
    out = document(*asked)
    again = perfcore.roofline("h20", "a100", model="llama3_70b", batch=8, memory=["hbm3e:6"]).to_dict()
    assert out == json.loads(json.dumps(again))
    assert [one["what_if"] for one in out["results"]] == [None, "hbm3e:6", None, "hbm3e:6"]
    one = out["results"][0]["operations"][0]
    assert {"name", "flop", "bytes", "intensity", "attainable_tflops", "bound", "time_s", "share_of_phase"} <= set(one)
    for result in out["results"]:
        for phase in PHASES:
            shares = [o["share_of_phase"] for o in result["operations"] if o["phase"] == phase]
            assert sum(shares) == pytest.approx(1.0)


def test_every_number_of_a_roof_names_its_source() -> None:
    found = perfcore.roofline("a100").results[0]
    by_level = {roof.level: roof for roof in found.roofs}
    assert by_level["cache"].source == {
        "mark": "derived",
        "source": "gpu_benches",
        "locator": "gpu-l2-cache/a100_80.txt",
    }
    assert by_level["chip link"].bandwidth_gb_s == 300.0  # one direction: half of the 600 of the datasheet
    assert all(roof.source["mark"] for roof in found.roofs)
    assert all(peak.source["mark"] for peak in found.peaks)


def test_other_memory() -> None:
    """Six stacks of Micron's HBM3E, 9.2 Gbit/s a pin of 1024: 6 x 1,177.6 GB/s and 6 x 24 GB."""
    before, after = perfcore.roofline("h20", memory=["hbm3e:6"]).results
    assert (before.memory.bandwidth_gb_s, after.memory.bandwidth_gb_s) == (4000.0, pytest.approx(6 * 1177.6))
    assert (after.memory.capacity_gb, after.memory.stacks, after.memory.part) == (144.0, 6, "micron_hbm3e_8hi")
    assert after.ridge_flop_per_byte["bf16"] == pytest.approx(148_000 / 7065.6)
    assert after.peaks == before.peaks
    said = next(sentence for sentence in after.assumptions if sentence.startswith("memory:"))
    assert "micron_hbm3e_8hi" in said
    assert "products run HBM3E at 750 to 1000 GB/s a stack" in said
    assert perfcore.roofline("h20", memory="hbm3e").results[1].memory.stacks == 6  # as many as the chip has


def test_one_rate_of_products_is_no_range() -> None:
    """One product of the catalogue runs HBM4: its rate stands alone."""
    after = perfcore.roofline("h20", memory="hbm4:6").results[1]
    said = next(sentence for sentence in after.assumptions if sentence.startswith("memory:"))
    assert said.endswith("products run HBM4 at 2750 GB/s a stack")


@pytest.mark.parametrize("given", [{"memory": 5}, {"memory": [5]}, {"precision": 5}])
def test_what_is_no_text_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(PerfcoreError, match="found 5; allowed: "):
        perfcore.roofline("h100", **given)


def test_a_part_without_capacity_leaves_it_unknown() -> None:
    after = perfcore.roofline("h20", memory=["jedec_hbm4:6"], model="llama3_8b").results[1]
    assert after.memory.capacity_gb is None
    assert after.operations


def test_no_bandwidth_is_a_missing_roof(chip_file: Any) -> None:
    path = chip_file("name = 'Mine'\n[peak_dense_tflops]\nbf16 = 100\n[[link]]\nname = 'L'\nbandwidth_gb_s = 100\n")
    result = run("roofline", path, "--model", "llama3_8b")
    assert result.returncode == 0
    assert "no DRAM roof: the file of Mine gives no memory.bandwidth_gb_s" in result.stdout
    assert "no operations" in result.stdout
    out = document("roofline", path)["results"][0]
    assert out["ridge_flop_per_byte"] == {}
    assert [roof["level"] for roof in out["roofs"]] == ["chip link", "network"]
    assert out["roofs"][0]["bandwidth_gb_s"] == 50.0


def test_an_interval_is_a_band(chip_file: Any) -> None:
    path = chip_file(
        "name = 'Mine'\n[peak_dense_tflops]\nbf16 = 100\nfp8 = { low = 150, high = 200 }\n"
        "[memory]\nbandwidth_gb_s = { low = 1000, high = 2000 }\ncapacity_gb = 80\n"
    )
    out = document("roofline", path, "--model", "llama3_8b", "--batch", "1", "--tp", "1")["results"][0]
    assert out["ridge_flop_per_byte"]["bf16"] == {"low": 50.0, "high": 100.0}
    assert out["ridge_flop_per_byte"]["fp8"] == {"low": 75.0, "high": 200.0}
    up = next(o for o in out["operations"] if (o["name"], o["phase"]) == ("MLP up", "decode"))
    assert up["attainable_tflops"]["high"] == pytest.approx(2 * up["attainable_tflops"]["low"])
    assert up["roofline_time_s"]["low"] == pytest.approx(up["bytes"] / 2e12)
    assert up["time_s"]["low"] < up["time_s"]["high"]
    text = run("roofline", path).stdout
    assert "1,000 to 2,000" in text
    assert "50 to 100" in text


def test_a_bound_that_an_interval_leaves_open_is_said(chip_file: Any) -> None:
    """A prompt of 160 tokens in 16 bit is about 155 FLOP/B in the MLP; the ridge lies between 50 and 1,000."""
    path = chip_file(
        "name = 'Mine'\n[peak_dense_tflops]\nbf16 = 100\n[memory]\nbandwidth_gb_s = { low = 100, high = 2000 }\n"
    )
    out = document("roofline", path, "--model", "llama3_8b", "--input", "160", "--tp", "1")["results"][0]
    bounds = {o["name"]: o["bound"] for o in out["operations"] if o["phase"] == "prefill"}
    assert bounds["MLP up"] == "memory or compute"


def test_a_measured_machine_with_caches(chip_file: Any) -> None:
    path = chip_file(
        "name = 'This machine'\n[peak_dense_tflops]\nfp64 = 0.08\nfp32 = 0.16\n"
        "[[cache]]\nname = 'L1d'\ncapacity_mb = 0.064\nbandwidth_gb_s = 400\n"
        "[[cache]]\nname = 'L2'\ncapacity_mb = 2\nbandwidth_gb_s = 160\n[memory]\nbandwidth_gb_s = 20\n"
    )
    out = document("roofline", path)["results"][0]
    assert [(roof["name"], roof["bandwidth_gb_s"]) for roof in out["roofs"]] == [
        ("L1d", 400.0),
        ("L2", 160.0),
        ("DRAM", 20.0),
    ]
    assert out["ridge_flop_per_byte"] == {"fp64": 4.0, "fp32": 8.0}
    assert any(said.startswith("no roofs of links") for said in out["assumptions"])
    model = document("roofline", path, "--model", "gpt2_large", "--input", "64", "--batch", "1")["results"][0]
    assert model["precision"] == "fp32"
    assert model["operations"]


MISTAKES = [
    (("h20", "--precision", "fp4"), "has no fp4 rate; it has fp64"),
    (("h20", "--precision", "fp9"), "did you mean fp8"),
    (("h20", "--model", "llama3_70b", "--input", "0"), "--input: found 0"),
    (("h20", "--model", "llama3_70b", "--batch", "0"), "--batch: found 0"),
    (("h20", "--model", "llama3_70b", "--batch", "-3"), "--batch: found -3"),
    (("h20", "--model", "llama3_70b", "--tp", "0"), "--tp: found 0"),
    (("h20", "--model", "llama3_70b", "--tp", "3"), "64 heads"),
    (("h20", "--model", "llama3_70b", "--tp", "8", "--chips", "4"), "give one of the two"),
    (("h20", "trainium1", "--model", "llama3_70b", "--chips", "4"), "give --tp instead"),
    (("h20", "--model", "llama3_70b", "--input", "200000"), "at most 131072 tokens"),
    (("h20", "--model", "llama9"), "did you mean"),
    (("h20", "--batch", "4"), "name one with --model"),
    (("h20", "--memory", "hbm9:6"), "did you mean hbm4"),
    (("h20", "--memory", "hbm3e:0"), "found '0' stacks"),
    (("h20", "--memory", "hbm3e:x"), "found 'x' stacks"),
    (("h20", "--memory", "hbm3e:65"), "from 1 to 64"),
    (("h20", "--memory", ":6"), "such as hbm3e:6"),
    (("l40", "--memory", "hbm3e"), "how many stacks"),
    (("hbm3e",), "name a chip"),
    (("dgx_h100",), "name a chip"),
    (("h1000",), "did you mean"),
    ((), "Missing argument"),
    (("h20", "--plot", "x.gif"), ".svg, .png, .pdf"),
    (("h20", "--plot", "nowhere/x.svg"), "no folder"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = run("roofline", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_chip_without_any_roof(chip_file: Any) -> None:
    with pytest.raises(PerfcoreError, match="has no roof"):
        perfcore.roofline(chip_file("name = 'Mine'\ntpp = 3000\n"))


def test_it_needs_neither_numpy_nor_matplotlib() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.argv = ['perfcore', 'roofline', 'h20', '--model', 'llama3_8b', '--json']\n"
        "from perfcore.cli import main\n"
        "try: main()\n"
        "finally: print([n for n in ('numpy', 'numba', 'pandas', 'matplotlib') if n in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "[]"


def test_the_text_of_one_command() -> None:
    """No number of it comes from a fit; written by ``python tests/test_roofline.py``."""
    assert run("roofline", "a100", "--memory", "hbm3e:5").stdout == GOLDEN.read_text(encoding="utf-8")


GOLDEN = Path(__file__).with_name("golden") / "roofline_a100.txt"


if __name__ == "__main__":
    GOLDEN.write_text(run("roofline", "a100", "--memory", "hbm3e:5").stdout, encoding="utf-8")
