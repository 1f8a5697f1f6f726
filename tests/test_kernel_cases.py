"""Kernel tables: each category against numbers worked out by hand, malformed rows, the published tables."""

import json
import math
import re
import tomllib
from pathlib import Path

import numba
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.extending import register_jitable

from perfcore import validate
from perfcore.cells import Row, SkippedError, read_rows
from perfcore.cli.validate import command
from perfcore.errors import PerfcoreError
from perfcore.formulas import collectives, decode_attention, gemm, messages, tiles
from perfcore.formulas.records import Machine
from perfcore.kernel_cases import KERNELS, predict
from perfcore.reader import SPECS
from perfcore.table_kinds import KINDS, published

ROOT = Path(__file__).resolve().parents[1]
# Efficiencies of specs/efficiency (neutral) that the expected values use: A100 0.80 of 312 TFLOP/s, 0.70 of
# 2,039 GB/s, links 0.77 of 300 GB/s; H20 0.97 of 296 (FP8), 0.93 of 148 (attention), 4,000 GB/s; H200 links of 450;
# H800 of 200; MI300X of 448; network 0.85 of 50 GB/s. A kernel starts in 2.5 us, a collective in 20 (H200), 21.9 (A100)
# or 25 us (generic), between servers in 30.
A100 = {"chip": "A100-SXM-80GB", "n_chips": "1", "n_nodes": "1", "dtype": "bf16"}
H20 = {"chip": "H20-96GB", "n_chips": "1", "n_nodes": "1"}
GEMM = A100 | {"category": "gemm", "op": "matmul", "M": "8192", "N": "8192", "K": "8192", "time_us": "4500"}
GROUPED = H20 | {
    "category": "grouped_gemm",
    "op": "MoE up_proj decode",
    "dtype": "fp8",
    "M": "16",
    "N": "1536",
    "K": "2048",
    "groups_or_batch": "128",
    "time_us": "234.659",
}
DECODE = H20 | {
    "category": "attention",
    "op": "mha decode",
    "dtype": "bf16/kv bf16",
    "groups_or_batch": "64",
    "seq_or_kv": "4096",
    "heads": "32",
    "kv_heads": "8",
    "head_dim": "128",
    "time_us": "364",
}
REDUCE = {
    "chip": "A100-SXM-80GB",
    "n_chips": "8",
    "n_nodes": "1",
    "category": "collective",
    "op": "all_reduce",
    "message_bytes": "8589934592",
    "time_us": "64074",
}
EXPERTS = {
    "chip": "H800-SXM-80GB",
    "n_chips": "16",
    "n_nodes": "2",
    "category": "moe_all2all",
    "op": "low-latency dispatch",
    "dtype": "fp8",
    "notes": "128 tokens per rank, hidden 7168, top-8",
    "unit": "GB/s (bottleneck, RDMA(+NVLink))",
    "time_us": "118",
}
ELEMENTWISE = A100 | {
    "category": "elementwise",
    "op": "gelu",
    "dtype": "fp16",
    "N": "536870912",
    "value": "390.328",
    "unit": "G elements/s",
}
STREAM = A100 | {"category": "hbm_bw", "op": "stream read", "value": "1769", "unit": "GB/s"}
LINK = {"chip": "H200-SXM-141GB", "n_chips": "2", "category": "p2p", "op": "memcpy", "value": "396.4", "unit": "GB/s"}
LAYER = A100 | {
    "n_chips": "4",
    "category": "layer_op",
    "dtype": "fp16",
    "op": "GPT-3 175B one layer, decode, TP4, batch 8, kv 3072: allreduce_mha",
    "time_us": "26.04",
}
BASES = (GEMM, GROUPED, DECODE, REDUCE, EXPERTS, ELEMENTWISE, STREAM, LINK, LAYER)


def predicted(base: dict[str, str], **changes: str) -> float:
    return predict(Row(base | changes), 1, "neutral").predicted


def test_a_large_product() -> None:
    """2,048 tiles of 256 x 128 on 108 units are 19 waves, K + 110 deep.

    19 x 108 x 2 x 256 x 128 x 8,302 = 1.11645e12 at 249.6 TFLOP/s: 4,473 us; reading 403 MB in 247 us adds nothing
    (a third of the cube of 0.055), 2.5 us to start.
    """
    assert predicted(GEMM) == pytest.approx(4475.8, rel=2e-4)


def test_experts_of_few_tokens() -> None:
    """Tiles of 64 x 256: 128 experts x 6 are 768 on 78 units, 10 waves.

    10 x 64 x 256 x (1 + 15 (1/64 + 1/256 - 3/256)) = 183,040; x 2 x 78 x 2,158 at 0.93 x 0.97 x 296 TFLOP/s: 230.8 us.
    Memory: 413.1 MB at 0.8 x 4 TB/s: 129.1 us. (1 + 0.5594^3)^(1/3) = 1.0552; with the start 246.0 us.
    """
    assert predicted(GROUPED) == pytest.approx(246.0, rel=1e-3)


def test_experts_that_nobody_chose_are_not_read() -> None:
    """128 tokens over 128 experts leave (127/128)^128 = 0.3664 of them out: less than with two tokens each."""
    one, two = (predicted(GROUPED, M=m, time_us="150") - 2.5 for m in ("1", "2"))
    assert one / two == pytest.approx((1 - 0.3664) / (1 - 0.3664**2), rel=0.1)


def test_decode_attention_reads_the_cache() -> None:
    """64 x 4,096 x 8 x 256 x 2 bytes at 3.2 TB/s: 335.5 us; 4.295 GFLOP at 74 TFLOP/s: 58.0; start 20."""
    assert predicted(DECODE) == pytest.approx(335.6 + 20.0, rel=1e-3)


def test_decode_attention_with_a_cache_of_8_bit() -> None:
    """Half the bytes at 0.65 of the rate: 258.1 us, beside 58.0 of FLOP: 258.3."""
    assert predicted(DECODE, dtype="bf16/kv fp8") == pytest.approx(258.3 + 20.0, rel=1e-3)


def test_decode_attention_of_latents() -> None:
    """2 x 64 x 4,096 x 128 x 1,088 FLOP at 0.75 x 148 TFLOP/s: 657.8 us; 302 MB in 94 us add 0.01 %."""
    found = predicted(DECODE, op="mla decode", heads="128", kv_heads="", head_dim="512-64", time_us="690")
    assert found == pytest.approx(657.9 + 20.0, rel=1e-3)


def test_prefill_attention() -> None:
    """2 x 8,192 x 4,096 x 256 x 32 FLOP at 0.93 x 148 TFLOP/s, by 8,192/8,448: 4,119 us, and 2.5 to start."""
    found = predicted(DECODE, op="mha prefill", dtype="bf16", groups_or_batch="1", seq_or_kv="8192", time_us="4100")
    assert found == pytest.approx(4121.4, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "microseconds"),
    [
        ({}, 2 * (7 / 8 * 8589934592 / 231e9) * 1e6 + 43.8),  # a ring of eight
        ({"n_chips": "4", "message_bytes": "8", "time_us": "12.5"}, 6 * 2.5),  # six hops
        (
            {"chip": "H200-SXM-141GB", "message_bytes": "17179869184", "notes": "NVLS"},
            17179869184 / (0.78 * 346.5e9) * 1e6 + 40,  # in and out of the switch once
        ),
        (
            {"chip": "H200-SXM-141GB", "message_bytes": "17179869184", "notes": "NCCL_NVLS_ENABLE=0"},
            2 * 7 / 8 * 17179869184 / 346.5e9 * 1e6 + 40,
        ),
        (
            {"chip": "H200-SXM-141GB", "op": "all_gather", "message_bytes": "17179869184", "time_us": "41594.87"},
            7 / 8 * 17179869184 / 346.5e9 * 1e6 + 20,
        ),
        (
            {"chip": "MI300X", "n_chips": "2", "message_bytes": "4294967296", "time_us": "90096"},
            4294967296 / (448e9 * 0.77 / 7) * 1e6 + 50,  # one of seven links
        ),
        (
            {"chip": "H200-SXM-141GB", "n_chips": "32", "n_nodes": "4", "message_bytes": "4294967296"},
            2 * (31 / 32 * 4294967296 / (8 * 42.5e9) * 1e6 + 2 * 30),  # eight adapters a server, two doublings
        ),
    ],
)
def test_collectives(changes: dict[str, str], microseconds: float) -> None:
    assert predicted(REDUCE, **changes) == pytest.approx(microseconds, rel=1e-3)


def test_the_bus_bandwidth_of_an_all_reduce() -> None:
    """2 x 7/8 of the tensor over the time of the ring."""
    found = predict(Row(REDUCE | {"time_us": "", "value": "234.6", "unit": "GB/s busbw"}), 1, "neutral")
    assert found.quantity == "gb_s"
    assert found.predicted == pytest.approx(1.75 * 8.589934592 / (0.0650750 + 43.8e-6), rel=1e-3)
    assert found.time_error == pytest.approx(234.6 / found.predicted - 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 128 x 7,168 x 8 copies of 33/32 bytes: half of them by 42.5 GB/s, 30 us to start.
        ({}, 128 * 7168 * 8 * 33 / 32 / 2 / 42.5e9 * 1e6 + 30),
        ({"n_chips": "8", "n_nodes": "1", "time_us": "77"}, 128 * 7168 * 7 * 33 / 32 / 154e9 * 1e6 + 25),
        ({"unit": "GB/s (bottleneck, RDMA only)"}, 128 * 7168 * 8 * 33 / 32 * 15 / 16 / 42.5e9 * 1e6 + 30),
        ({"op": "low-latency combine", "dtype": "bf16"}, 128 * 7168 * 8 * 2 / 2 / 42.5e9 * 1e6 + 30),
    ],
)
def test_low_latency_exchange_of_experts(changes: dict[str, str], expected: float) -> None:
    assert predicted(EXPERTS, **changes) == pytest.approx(expected, rel=1e-3)


def test_normal_exchange_of_experts() -> None:
    """Eight ranks hold 8 (1 - (7/8)^8) = 5.251 of a token's experts, 7/8 of them elsewhere, at 154 GB/s."""
    row = {"op": "normal dispatch", "notes": "4096 tokens, hidden 7168, top-8 (top-4 groups)", "time_us": ""}
    row |= {"n_chips": "8", "n_nodes": "1", "value": "153", "unit": "GB/s (bottleneck, NVLink)"}
    sent = 4096 * 7168 * 33 / 32 * 5.251
    assert predicted(EXPERTS, **row) == pytest.approx(sent / (sent * 7 / 8 / 154e9 + 25e-6) / 1e9, rel=1e-3)


def test_a_row_kernel() -> None:
    """536,870,912 elements, 4 bytes each, at 0.7 x 2,039 GB/s: 1,504.6 us and 2.5 to start."""
    assert predicted(ELEMENTWISE) == pytest.approx(536870912 / 1507.1e-6 / 1e9, rel=1e-3)
    assert predicted(ELEMENTWISE, M="4096", N="131072") == pytest.approx(predicted(ELEMENTWISE))


def test_streams() -> None:
    """0.9 x 2,039 GB/s; on TPU v6e 2 x 32 MiB at 0.9 x 1,638 GB/s take 45.5 us and 2.5 to start."""
    found = predict(Row(STREAM), 1, "neutral")
    assert found.predicted == pytest.approx(1835.1)
    assert found.time_error == pytest.approx(1769 / 1835.1 - 1)
    copy = {"chip": "TPU-v6e", "op": "copy 32 MiB", "message_bytes": "33554432", "time_us": "49.36"}
    assert predicted(STREAM, **copy) == pytest.approx(48.02, rel=1e-3)


def test_links() -> None:
    assert predicted(LINK) == pytest.approx(0.77 * 450)
    assert predicted(LINK, op="memcpy bidirectional", value="783.73") == pytest.approx(2 * 0.77 * 450)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        # 8 x 12,288 x 2 bytes over four: six hops, and 1.5 times the tensor at 0.08 of 231 GB/s.
        ("allreduce_mha", 15 + 1.5 * 196608 / (0.08 * 231e9) * 1e6),
        ("layernorm_ffn", 8 * 12288 * 4 / (0.7 * 2.039e12) * 1e6 + 2.5),
        ("gelu", 8 * 12288 * 4 / (0.7 * 2.039e12) * 1e6 + 2.5),
        ("softmax", 8 * 24 * 3072 * 4 / (0.7 * 2.039e12) * 1e6 + 2.5),
        # 12,288 x 12,288 weights of 16 bit at 0.8 of 2,039 GB/s: 185.4 us. The products are 108 tiles of 64 x 128 and
        # take 103.3 us at 249.6 TFLOP/s; 1 + 0.557^3 = 1.173, its cube root 1.0546.
        ("W1_proj", (2 * (12288 * 12288 + 2 * 8 * 12288) / (0.8 * 2.039e12) * 1e6) * 1.0546 + 2.5),
    ],
)
def test_operations_of_a_layer(operation: str, expected: float) -> None:
    op = LAYER["op"].replace("allreduce_mha", operation)
    assert predicted(LAYER, op=op, time_us=str(expected)) == pytest.approx(expected, rel=3e-3)


def test_half_a_chip() -> None:
    """One of the two devices of a TPU v7: 2 x 8,192^3 FLOP at 0.78 of 1,153.5 TFLOP/s are 1,222 us."""
    row = {"chip": "TPU-v7x (Ironwood)", "unit": "TFLOP/s per device (half chip)", "time_us": "1300"}
    assert predicted(GEMM, **row) == pytest.approx(1222.0 + 2.5, rel=2e-3)


@pytest.mark.parametrize(
    ("base", "changes", "said"),
    [
        (GEMM, {"M": ""}, "no single shape"),
        (GEMM, {"M": "0"}, "M: found 0"),
        (GEMM, {"M": "-4"}, "0 or more"),
        (GEMM, {"N": "many"}, "found 'many'"),
        (GEMM, {"K": "0.5"}, "1 or more"),
        (GEMM, {"dtype": "bits"}, "dtype: found 'bits'"),
        (GEMM, {"dtype": ""}, "dtype"),
        (GEMM, {"dtype": "fp4"}, "no fp4 rate"),
        (GEMM, {"chip": "none of these"}, "nothing of the catalogue"),
        (GEMM, {"chip": "hbm3e_12hi"}, ""),
        (GEMM, {"n_chips": "1.5"}, "a whole number"),
        (GEMM, {"time_us": "", "value": ""}, "value is not given"),
        (GEMM, {"time_us": "", "value": "100", "unit": "furlongs"}, "found 'furlongs'"),
        (GEMM, {"time_us": "1"}, "of the datasheet's rates"),
        (GEMM, {"time_us": "1e300"}, "1e+15"),
        (GEMM, {"category": "l2_bw"}, "bandwidth of a cache"),
        (GEMM, {"category": "latency"}, "latency"),
        (GEMM, {"category": "poetry"}, "allowed: gemm"),
        (GROUPED, {"groups_or_batch": ""}, "groups_or_batch is not given"),
        (DECODE, {"op": "mha backward"}, "prefill"),
        (DECODE, {"op": "mla decode"}, "latent-rotary"),
        (DECODE, {"kv_heads": ""}, "kv_heads is not given"),
        (DECODE, {"seq_or_kv": ""}, "seq_or_kv is not given"),
        (REDUCE, {"n_chips": "1"}, "two chips"),
        (REDUCE, {"op": "broadcast"}, "allowed: all_reduce"),
        (REDUCE, {"message_bytes": ""}, "message_bytes is not given"),
        (REDUCE, {"time_us": "", "value": "5", "unit": "GB/s achieved"}, "what it counts"),
        (EXPERTS, {"notes": "some tokens"}, "tokens to experts"),
        (EXPERTS, {"n_chips": "1"}, "two chips"),
        (ELEMENTWISE, {"N": ""}, "how many elements"),
        (STREAM, {"op": "weight-read bandwidth in decode TP1"}, "a measurement of inference"),
        (STREAM, {"op": "triad", "message_bytes": "1e6"}, "'copy' is predicted"),
        (LAYER, {"op": "GPT-3 175B, decode"}, "allowed of a layer"),
        (LAYER, {"op": LAYER["op"].replace("GPT-3 175B", "My model")}, "My model"),
        (LAYER, {"op": LAYER["op"].replace("TP4", "TP5")}, "is cut like this"),
        (LAYER, {"op": LAYER["op"].replace("batch 8", "batch 0")}, "is cut like this"),
        (LAYER, {"op": LAYER["op"].replace("TP4", "TP1")}, "nothing"),
        (LAYER, {"op": LAYER["op"].replace("allreduce_mha", "dropout")}, "qkv_proj"),
    ],
)
def test_a_row_that_cannot_be_predicted_says_why(base: dict[str, str], changes: dict[str, str], said: str) -> None:
    with pytest.raises((SkippedError, PerfcoreError)) as found:
        predict(Row(base | changes), 1, "fitted")
    assert said in str(found.value)
    assert "\n" not in str(found.value)


WORDS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ("", "0", "-1", "nan", "inf", "1e15", "1e-15", "1e308", "7", "fp8", "mla decode", "512-64", "NVLS")
    ),
)


@settings(max_examples=300)
@given(st.sampled_from(BASES), st.dictionaries(st.sampled_from(sorted(set().union(*BASES))), WORDS, max_size=4))
def test_junk_is_skipped_or_predicted_with_finite_numbers(base: dict[str, str], changes: dict[str, str]) -> None:
    try:
        found = predict(Row(base | changes), 1, "neutral")
    except (SkippedError, PerfcoreError) as reason:
        if not str(reason):
            raise
        return
    low, high = found.predicted_interval
    assert all(map(math.isfinite, (found.predicted, found.measured, found.time_error, found.baseline_ratio, high)))
    assert 0 < low <= found.predicted <= high
    assert found.baseline_ratio > 0


def test_no_form_of_a_table_mixes_with_another() -> None:
    for one in KINDS:
        assert not [other for other in KINDS if other != one and set(other.needed) <= set(one.needed)]


def test_every_category_has_a_base_here() -> None:
    assert {base["category"] for base in BASES} == set(KERNELS)


def test_the_published_kernels() -> None:
    found = validate(kind="kernels")
    json.dumps(found.to_dict(), allow_nan=False)
    rows = [row for row in found.rows if not row["skipped"]]
    assert all(math.isfinite(row["error"]) and math.isfinite(row["baseline_error"]) for row in rows)
    assert found.summary["n"] >= 0.95 * len(found.rows)
    assert set(found.summary["by_category"]) == set(KERNELS)
    assert found.summary["mean_abs"] < 0.5 * found.summary["baseline_mean_abs"]
    assert 0.7 < found.summary["inside_interval"] < 0.95


def test_both_modes_are_one() -> None:
    """Efficiencies fitted to training steps are not those of kernels."""
    assert predict(Row(GEMM), 1, "fitted") == predict(Row(GEMM), 1, "neutral")


@pytest.mark.parametrize("folder", ["kernels", "inference"])
def test_published_files_are_whole_and_listed(folder: str) -> None:
    kind = next(kind for kind in KINDS if kind.name == folder)
    documents = tomllib.loads((SPECS / "sources.toml").read_text("utf-8"))
    readme = (SPECS / "measurements" / folder / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+\.csv)` \| ([^|]*)\|", readme, re.MULTILINE))
    paths = sorted((SPECS / "measurements" / folder).glob("*.csv"))
    assert {path.name for path in paths} == set(listed)
    assert {name for cell in listed.values() for name in re.findall(r"`(\w+)`", cell)} <= set(documents)
    ids: set[str] = set()
    for path in paths:
        rows = read_rows(path, (*kind.needed, "row_id", "source_id", "source_ref"))
        assert len({row.text("source_id") for row in rows}) == 1
        assert all(row.text("source_ref") for row in rows)
        assert all(any(row.text(column) for row in rows) for column in rows[0].cells), path
        ids |= {row.text("row_id") for row in rows}
    assert len(ids) == len(published(folder))


def test_the_command_reads_what_is_published() -> None:
    result = CliRunner().invoke(command, ["--published", "kernels"])
    assert result.exit_code == 0
    assert "grouped_gemm" in result.stdout
    for arguments, said in (
        (["--published", "kernel"], "did you mean"),
        (["--published", "kernels", "runs.csv"], "give one of them"),
    ):
        problem = CliRunner().invoke(command, arguments).exception
        assert isinstance(problem, PerfcoreError)
        assert said in str(problem)


def test_the_formulas_compile_unchanged() -> None:
    chip = Machine(*[0.0] * 10, 8.0, 231e9, 22e-6, 0.0, 42.5e9, 30e-6)
    product = (100.0, 3000.0, 4000.0, 4.0, 1.0, 1e14, 2.0, 2e12, 108.0, 2e-6)
    for formula, given_ in (
        (tiles.product_time_s, product),
        (decode_attention.decode_attention_time_s, (1e9, 1.0, 1e9, 0.0, 1e14, 4e12)),
        (messages.short_all_reduce_time_s, (1e5, 8.0, chip)),
        (messages.switch_all_reduce_time_s, (1e7, chip)),
        (messages.direct_exchange_time_s, (1e6, 8.0, 16.0, chip)),
    ):
        for module in (gemm, collectives, tiles):
            for inner in vars(module).values():
                if callable(inner) and getattr(inner, "__module__", "") == module.__name__:
                    register_jitable(inner)
        assert numba.njit(formula)(*given_) == pytest.approx(formula(*given_), rel=1e-12)
