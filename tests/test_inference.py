"""``perfcore.infer`` and ``perfcore infer``: the document, the search, what fits, and every refusal in one line."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import perfcore
from perfcore import chips, engines, models
from perfcore.errors import PerfcoreError
from perfcore.formulas.serving import total_s
from perfcore.inference import Inference, infer
from perfcore.questions import plan_of

# docs/json.md, typed again.
KEYS = {
    "model", "chip", "chips", "system", "engine", "precision", "kv_bits", "batch", "batch_per_replica", "input",
    "output", "prefix", "batching", "plan", "time_to_first_token_s", "time_to_first_token_interval_s",
    "time_to_first_token_loaded_s", "time_per_token_s", "time_per_token_interval_s", "decode_step_s", "request_s",
    "tokens_per_s", "tokens_per_s_per_chip", "tokens_per_s_per_chip_interval", "tokens_per_s_per_request",
    "prefill_tokens_per_s_per_chip", "weights_gb_per_chip", "kv_cache_gb_per_chip", "memory_capacity_gb",
    "kv_cache_bytes_per_token", "largest_batch", "binding", "breakdown_s", "roofline_step_s", "sensitivities",
    "configs_evaluated", "search_s", "alternatives", "evidence", "assumptions",
}  # fmt: skip
ISSUE = ("deepseek_v3", "h800", 32)
ASKED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "issue": (ISSUE, {"batch": 128, "input": 4096, "output": 512}),
    "as many as fit": (("llama3_70b", "h20", 8), {"precision": "fp8", "input": 2048, "output": 256}),
    "static": (("llama3_8b", "h100", 2), {"batch": 64, "static": True}),
    "prefix": (("llama3_8b", "h100", 1), {"batch": 16, "input": 4096, "prefix": 3072}),
    "chunks": (("llama3_70b", "mi300x", 2), {"batch": 64, "input": 8000, "chunk": 512}),
    "in time": (("llama3_8b", "h200", 4), {"time_per_token": 0.02}),
    "packed": (("llama3_70b", "a100", 4), {"precision": "int4_weights", "kv_bits": 8, "batch": 32}),
    "stages": (("llama3_70b", "h100", 4), {"tp": 2, "pp": 2, "batch": 16}),
    "two devices a chip": (("llama3_8b", "inferentia2", 12), {"batch": 4}),
    "torus": (("mixtral_8x7b", "tpu v6e", 8), {"batch": 64}),
    "alone": (("gpt2_small", "v100", 1), {"batch": 1, "input": 1, "output": 1}),
    "long": (("gemma3_27b", "b200", 1), {"batch": 4, "input": 100_000, "output": 1000}),
}


@pytest.fixture(params=ASKED, scope="module")
def found(request: pytest.FixtureRequest) -> Inference:
    asked, keywords = ASKED[request.param]
    return infer(*asked, **keywords)


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def test_the_document(found: Inference) -> None:
    document = found.to_dict()
    assert set(document) == KEYS
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert finite(document)
    assert set(document["plan"]) == {"tp", "pp", "dp", "ep"}
    for other in document["alternatives"]:
        assert set(other) == {"plan", "batch", "time_per_token_s", "tokens_per_s_per_chip"}
        assert set(other["plan"]) == set(document["plan"])
    assert set(document["breakdown_s"]) == {
        "weights_s", "attention_s", "elementwise_s", "reduce_s", "exchange_s", "overhead_s",
    }  # fmt: skip
    assert all(sentence for sentence in document["assumptions"])


def test_numbers_of_a_document_agree(found: Inference) -> None:
    one = found
    assert math.fsum(one.breakdown_s.values()) == pytest.approx(one.time_per_token_s, rel=1e-12)
    assert one.roofline_step_s <= one.time_per_token_s
    assert one.decode_step_s <= one.time_per_token_s * (1 + 1e-12)
    assert one.time_to_first_token_s <= one.time_to_first_token_loaded_s
    assert one.tokens_per_s_per_chip == pytest.approx(one.tokens_per_s / one.chips, rel=1e-12)
    assert one.tokens_per_s_per_request == pytest.approx(1 / one.time_per_token_s, rel=1e-12)
    assert one.batch_per_replica == math.ceil(one.batch / one.plan["dp"])
    if one.batching == "continuous":
        assert one.tokens_per_s == pytest.approx(one.batch / one.time_per_token_s, rel=1e-12)
    assert one.weights_gb_per_chip + one.kv_cache_gb_per_chip < one.memory_capacity_gb
    assert one.batch <= one.largest_batch
    assert one.request_s >= one.output * one.decode_step_s
    for low, high, point in (
        (*one.time_per_token_interval_s, one.time_per_token_s),
        (*one.time_to_first_token_interval_s, one.time_to_first_token_s),
        (*one.tokens_per_s_per_chip_interval, one.tokens_per_s_per_chip),
    ):
        assert low < point < high


def test_the_plan_uses_all_ranks(found: Inference) -> None:
    plan = found.plan
    devices = 2 if found.chip == "aws_inferentia_2" else 1
    assert plan["tp"] * plan["pp"] * plan["dp"] == found.chips * devices
    assert plan["ep"] == 1 or plan["ep"] % plan["tp"] == 0


def test_alternatives_are_slower_and_other_plans(found: Inference) -> None:
    rates = [found.tokens_per_s_per_chip, *(other["tokens_per_s_per_chip"] for other in found.alternatives)]
    assert rates == sorted(rates, reverse=True)
    assert found.plan not in [other["plan"] for other in found.alternatives]
    assert len(found.alternatives) <= 5


def test_what_binds_changes_the_step_most(found: Inference) -> None:
    changes = found.sensitivities
    assert set(changes) == {
        "compute", "memory bandwidth", "links inside a domain", "network", "latencies", "host and launches",
    }  # fmt: skip
    assert abs(changes[found.binding]) == max(map(abs, changes.values()))
    assert all(changes[name] <= 1e-9 for name in ("compute", "memory bandwidth", "links inside a domain", "network"))
    assert all(changes[name] >= -1e-9 for name in ("latencies", "host and launches"))
    assert math.fsum(map(abs, changes.values())) < 1.1  # one percent of everything is one percent at most


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_kv_cache_and_weights_of_the_issue() -> None:
    """DeepSeek-V3: 576 x 61 x 2 bytes a token on each of tp ranks; 671.0e9 parameters cannot be less than 32 ways."""
    one = infer(*ISSUE, batch=128, input=4096, output=512)
    each = 576 * 61 * 2
    assert one.kv_cache_bytes_per_token == pytest.approx(each * one.plan["tp"], rel=1e-9)
    assert one.kv_cache_gb_per_chip * 1e9 == pytest.approx(one.batch_per_replica * (4096 + 512) * each, rel=1e-9)
    assert 671.0 * 2 / 32 < one.weights_gb_per_chip < 80


def test_as_many_as_fit_is_the_capacity() -> None:
    """Llama 3 8B in bf16 on an H100: 0.95 x 80e9 less 16.06e9 bytes, 131,072 a token, 2,048 tokens a sequence: 223."""
    one = infer("llama3_8b", "h100", 1)
    assert one.batch == one.largest_batch == (0.95 * 80e9 - 16.06e9) // (131072 * 2048) == 223
    eight = infer("llama3_8b", "h100", 1, kv_bits=8)
    assert eight.batch == (0.95 * 80e9 - 16.06e9) // (65536 * 2048)
    short = infer("llama3_8b", "h100", 1, input=100, output=10)
    assert short.batch == 2048  # what the engine admits; memory holds 4,157
    assert short.largest_batch == (0.95 * 80e9 - 16.06e9) // (131072 * 110)


def test_a_prefix_is_cached_and_a_longer_one_saves_more() -> None:
    times = [infer("llama3_8b", "h100", 1, batch=8, input=4096, prefix=n) for n in (0, 1024, 3072, 4095)]
    firsts = [one.time_to_first_token_s for one in times]
    assert firsts == sorted(firsts, reverse=True)
    assert len({one.kv_cache_gb_per_chip for one in times}) == 1
    assert times[0].decode_step_s == times[-1].decode_step_s
    assert times[-1].time_per_token_s < times[0].time_per_token_s


def test_small_chunks_cost_more() -> None:
    times = [infer("llama3_8b", "h100", 1, batch=8, input=4096, output=64, chunk=n) for n in (32, 256, 2048, 8192)]
    firsts = [one.time_to_first_token_s for one in times]
    assert firsts == sorted(firsts, reverse=True)
    least = 4096 / 32 * 2 * 7.5e9 / 3350e9  # 128 passes over 7.5e9 weights
    assert firsts[0] > least


def test_static_is_prompts_then_answers() -> None:
    one = infer("llama3_8b", "h100", 1, batch=32, input=1000, output=100, static=True)
    assert one.request_s == pytest.approx(one.time_to_first_token_loaded_s + 100 * one.decode_step_s, rel=1e-12)
    assert one.tokens_per_s == pytest.approx(32 * 100 / one.request_s, rel=1e-12)
    assert one.time_per_token_s == one.decode_step_s


def test_formats_of_the_cache() -> None:
    sixteen, eight, four = (infer("llama3_8b", "h100", 1, batch=8, kv_bits=bits) for bits in (16, 8, 4))
    assert sixteen.kv_cache_gb_per_chip == 2 * eight.kv_cache_gb_per_chip == 4 * four.kv_cache_gb_per_chip
    assert sixteen.decode_step_s > eight.decode_step_s > four.decode_step_s
    # TensorRT-LLM stores the cache of 8-bit weights in 8 bit, vLLM does not unless asked
    assert infer("llama3_8b", "h100", 1, batch=8, precision="fp8").kv_bits == 8
    assert infer("llama3_8b", "h100", 1, batch=8, precision="fp8", engine="vllm_2025").kv_bits == 16


def test_h20_is_ahead_in_decode_and_h100_in_prefill() -> None:
    """4,000 beside 3,350 GB/s, 148 beside 989 TFLOP/s (their data sheets)."""
    h20, h100 = (infer("llama3_8b", chip, 1, batch=1, input=4096, output=512) for chip in ("h20", "h100"))
    assert 0.80 < h20.decode_step_s / h100.decode_step_s < 1.0
    assert 3.0 < h20.time_to_first_token_s / h100.time_to_first_token_s < 989.4 / 148
    many = [infer("llama3_8b", chip, 1, batch=200, input=512, output=512).tokens_per_s for chip in ("h20", "h100")]
    assert many[0] < many[1]


def test_time_per_token_finds_the_largest_batch_within() -> None:
    free = infer("llama3_8b", "h100", 1)
    limit = free.time_per_token_s * 0.6
    one = infer("llama3_8b", "h100", 1, time_per_token=limit)
    assert one.time_per_token_s <= limit
    more = infer("llama3_8b", "h100", 1, batch=int(one.batch) + 1)
    assert more.time_per_token_s > limit
    assert infer("llama3_8b", "h100", 1, time_per_token=1000.0).batch == free.batch
    whole = infer("llama3_8b", "h100", 4, time_per_token=limit)
    assert whole.time_per_token_s <= limit
    assert whole.tokens_per_s_per_chip >= one.tokens_per_s_per_chip


# --- the search ------------------------------------------------------------------------------------------------------

SEARCHED: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("llama3_8b", "h100", 4, {"batch": 64}),
    ("llama3_70b", "h100", 8, {"batch": 12}),
    ("mixtral_8x7b", "h100", 8, {"batch": 64, "precision": "fp8"}),
    ("deepseek_v3", "h200", 16, {"batch": 256, "input": 2000}),
    ("llama3_8b", "h100", 6, {"batch": 100, "static": True, "output": 20}),
    ("llama3_70b", "a100", 8, {"batch": 64, "static": True, "input": 2000, "output": 10}),
    ("mixtral_8x7b", "h100", 8, {"tp": 2, "batch": 64}),
)


@pytest.mark.parametrize(("model", "chip", "number", "given"), SEARCHED)
def test_the_search_is_a_naive_loop(model: str, chip: str, number: int, given: dict[str, Any]) -> None:
    """All tp, pp, dp, ep in turn, legality written again; the best is the one with the most tokens a second."""
    one = infer(model, chip, number, **given)
    shape, base = models.load(model).record, one.question
    rates, legal = {}, 0
    everything = range(1, number + 1)
    for tp, pp, dp, ep in itertools.product(everything, repeat=4):
        width = shape.expert_ffn if shape.experts else shape.ffn
        if tp * pp * dp != number or shape.heads % tp or width % tp or pp > shape.layers:
            continue
        if ep > 1 and (not shape.experts or ep % tp or (tp * dp) % ep or shape.experts % ep):
            continue
        if given.get("tp", tp) != tp:
            continue
        legal += 1
        asked = replace(base, plan=plan_of(tp=tp, pp=pp, dp=dp, ep=ep), sequences=float(-(-given["batch"] // dp)))
        if dp > given["batch"] or asked.sequences > asked.capacity():
            continue
        time_s = asked.batch_s() / asked.output if given.get("static") else total_s(asked.continuous())
        rates[tp, pp, dp, ep] = given["batch"] / time_s / number
    assert one.configs_evaluated == legal
    assert one.tokens_per_s_per_chip == pytest.approx(max(rates.values()), rel=1e-12)
    assert rates[tuple(one.plan.values())] == max(rates.values())
    others = sorted(rates.values(), reverse=True)[1:6]
    assert [other["tokens_per_s_per_chip"] for other in one.alternatives] == pytest.approx(others, rel=1e-12)


def test_what_is_given_is_kept() -> None:
    for name, value in (("tp", 2), ("pp", 4), ("dp", 2), ("ep", 8)):
        assert infer("mixtral_8x7b", "h100", 8, batch=32, **{name: value}).plan[name] == value
    given = {"tp": 2, "pp": 1, "dp": 4, "ep": 2}
    one = infer("mixtral_8x7b", "h100", 8, batch=32, **given)
    assert one.plan == given
    assert one.configs_evaluated == 1
    assert one.alternatives == []


def test_a_large_search_takes_seconds_at_most() -> None:
    one = infer("deepseek_v3", "h800", 720_720, batch=720_720)
    assert one.configs_evaluated > 300
    assert one.search_s < 10


# --- refusals --------------------------------------------------------------------------------------------------------

LLAMA = ("llama3_8b", "h100", 1)
HUGE = 10**18
REFUSED: tuple[tuple[tuple[Any, ...], dict[str, Any], str], ...] = (
    (LLAMA, {"batch": 224}, r"--batch: 224 sequences of 2048 tokens do not fit; the largest batch that does is 223\b"),
    (LLAMA, {"input": 0}, r"--input: found 0; allowed: a whole number from 1"),
    (LLAMA, {"output": 0}, r"--output: found 0; allowed: a whole number from 1"),
    (LLAMA, {"output": -5}, r"--output: found -5"),
    (LLAMA, {"batch": 0}, r"--batch: found 0"),
    (("llama3_8b", "a100", 1), {"precision": "fp8"}, r"A100 SXM 80 GB has no fp8 rate; it has .*bf16"),
    (LLAMA, {"precision": "int3"}, r"--precision: found 'int3'.*allowed: bf16"),
    (("llama3_8b", "h100", 8), {"tp": 3}, r"no plan with tp 3 on 8 ranks: tp must divide the 32 heads"),
    (("llama3_8b", "h100", 8), {"ep": 2}, r"ep be 1, since the model has no experts"),
    (("deepseek_v3", "h200", 12), {"ep": 12}, r"ep divide the 256 experts"),
    (("llama3_8b", "h100", 6), {"tp": 2, "dp": 2}, r"no plan with tp 2, dp 2 on 6 ranks"),
    (("llama3_405b", "h100", 2), {}, r"do not fit; weights take 405\.\d of 80 GB a chip at least"),
    (LLAMA, {"engine": "vlm"}, r"--engine: found 'vlm'.*allowed: .*vllm_2025"),
    (LLAMA, {"system": "no such"}, r"'no such' is no system"),
    (("llama3_8b", "h1000", 1), {}, r"'h1000' is nothing of the catalogue"),
    (("llama9", "h100", 1), {}, r"'llama9' is no model"),
    (("llama3_8b", "nvidia_dgx_h100", 1), {}, r"is a system"),
    (("llama3_8b", "h100", 0), {}, r"--chips: found 0"),
    (("llama3_8b", "h100", HUGE), {}, r"--chips: found 1000000000000000000; allowed: .* 1,000,000$"),
    (LLAMA, {"batch": HUGE}, r"--batch: found 1000000000000000000"),
    (LLAMA, {"input": HUGE}, r"--input: found 1000000000000000000"),
    (LLAMA, {"output": HUGE}, r"--output: found 1000000000000000000"),
    (LLAMA, {"chunk": HUGE}, r"--chunk: found 1000000000000000000"),
    (LLAMA, {"prefix": HUGE}, r"--prefix: found 1000000000000000000"),
    (LLAMA, {"tp": HUGE}, r"--tp: found 1000000000000000000"),
    (LLAMA, {"batch": 10**400}, r"--batch: found a number of 400 digits"),
    (LLAMA, {"input": 10**5000}, r"--input: found a number of 5000 digits"),
    (LLAMA, {"tp": 10**400}, r"--tp: found a number of 400 digits"),
    (LLAMA, {"time_per_token": 10**5000}, r"--time-per-token: found more than 1e\+06 s"),
    (LLAMA, {"input": 131_073}, r"132097 tokens together; Llama 3 8B takes at most 131072"),
    (LLAMA, {"prefix": 1024}, r"--prefix: found 1024; allowed: less than the 1024"),
    (LLAMA, {"prefix": -1}, r"--prefix: found -1"),
    (LLAMA, {"chunk": 0}, r"--chunk: found 0"),
    (LLAMA, {"kv_bits": 5}, r"--kv-bits: found 5; allowed: 4, 8 or 16"),
    (LLAMA, {"time_per_token": 0.0}, r"--time-per-token: found 0.0; allowed: seconds above 0"),
    (LLAMA, {"time_per_token": math.nan}, r"--time-per-token: found nan"),
    (LLAMA, {"time_per_token": math.inf}, r"--time-per-token: found more"),
    (LLAMA, {"time_per_token": -1.0}, r"--time-per-token: found -1.0"),
    (LLAMA, {"time_per_token": "fast"}, r"--time-per-token: found 'fast'"),
    (LLAMA, {"time_per_token": True}, r"--time-per-token: found True"),
    (LLAMA, {"time_per_token": 1e-6}, r"no plan answers within 1e-06 s"),
    (LLAMA, {"time_per_token": 0.1, "batch": 3}, r"it cannot stand beside --batch"),
    (("llama3_8b", "h100", 8), {"batch": 3, "dp": 8}, r"--batch: found 3; every plan has more replicas"),
    (LLAMA, {"batch": "8"}, r"--batch: found '8'"),
    (LLAMA, {"batch": 8.5}, r"--batch: found 8.5"),
    (LLAMA, {"batch": math.nan}, r"--batch: found nan"),
    (LLAMA, {"batch": True}, r"--batch: found True"),
    (LLAMA, {"input": [8]}, r"--input: found \[8\]"),
    (LLAMA, {"kv_bits": "8"}, r"--kv-bits: found '8'"),
    (LLAMA, {"engine": 3}, r"--engine: found 3; allowed: a name"),
    (LLAMA, {"system": 3}, r"--system: found 3; allowed: a name"),
    (LLAMA, {"precision": 3}, r"--precision: found 3; allowed: a name"),
    (LLAMA, {"vp": 3}, r"vp: not a part of a plan"),
    (("llama3_8b", "h100", "1"), {}, r"--chips: found '1'"),
    ((3, "h100", 1), {}, r"'3' is no model"),
    (("llama3_8b", 3, 1), {}, r"'3' is nothing"),
)


@pytest.mark.parametrize(("asked", "keywords", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_a_refusal_is_one_line(asked: tuple[Any, ...], keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(PerfcoreError, match=message) as refused:
        infer(*asked, **keywords)
    assert len(list(refused.value.lines)) == 1
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_the_largest_batch_that_is_named_does_fit() -> None:
    for chip, number in (("h100", 1), ("h100", 8), ("a100", 3)):
        with pytest.raises(PerfcoreError, match="the largest batch that does is") as refused:
            infer("llama3_8b", chip, number, batch=10**6)
        named = int(str(refused.value).split("that does is ")[1].split(":")[0].replace(",", ""))
        assert infer("llama3_8b", chip, number, batch=named).batch == named
        with pytest.raises(PerfcoreError, match="do not fit"):
            infer("llama3_8b", chip, number, batch=named + 1)


def test_eight_bits_are_advised_to_those_who_have_more() -> None:
    for bits, advised in ((16, True), (8, False), (4, False)):
        with pytest.raises(PerfcoreError) as refused:
            infer(*LLAMA, batch=10**6, kv_bits=bits)
        assert ("--kv-bits 8" in str(refused.value)) == advised


# --- a user's own chip -----------------------------------------------------------------------------------------------

CHIP = """
name = "Mine"
vendor = "Nobody"
[peak_dense_tflops]
bf16 = {peak}
[memory]
capacity_gb = 80
{bandwidth}
"""


def own(tmp_path: Path, bandwidth: str = "bandwidth_gb_s = 2000", peak: str = "300") -> str:
    path = tmp_path / "mine.toml"
    path.write_text(CHIP.format(bandwidth=bandwidth, peak=peak))
    return str(path)


def test_a_chip_file_is_served(tmp_path: Path) -> None:
    one = infer("llama3_8b", own(tmp_path), 1, batch=8)
    assert (one.engine, one.evidence) == ("default", "new_engine")
    assert any("multiprocessors are not given" in sentence for sentence in one.assumptions)


def test_without_bandwidth_the_file_is_named_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError, match=r"Mine: memory.bandwidth_gb_s is not given; .*add it to the chip file"):
        infer("llama3_8b", own(tmp_path, ""), 1, batch=8)


@pytest.mark.parametrize("bandwidth", ["nan", "inf", "0", "-5", '"fast"', "{ low = 3, high = 2 }"])
def test_a_bandwidth_that_is_none_is_refused(tmp_path: Path, bandwidth: str) -> None:
    with pytest.raises(PerfcoreError, match="bandwidth_gb_s"):
        infer("llama3_8b", own(tmp_path, f"bandwidth_gb_s = {bandwidth}"), 1, batch=8)


def relative(ends: tuple[float, float]) -> float:
    return ends[1] / ends[0]


def test_an_interval_of_bandwidth_widens_what_bandwidth_binds(tmp_path: Path) -> None:
    """Decode at batch 1 goes with the bandwidth: its interval is wider by nearly 2,200 / 1,800; prefill's is not."""
    point = infer("llama3_8b", own(tmp_path), 1, batch=1, input=4096)
    band = infer("llama3_8b", own(tmp_path, "bandwidth_gb_s = { low = 1800, high = 2200 }"), 1, batch=1, input=4096)
    assert band.time_per_token_s == pytest.approx(point.time_per_token_s, rel=1e-9)
    wider = relative(band.time_per_token_interval_s) / relative(point.time_per_token_interval_s)
    assert 1.1 < wider < 2200 / 1800
    first = relative(band.time_to_first_token_interval_s) / relative(point.time_to_first_token_interval_s)
    assert 1.0 < first < 1.05
    rate = relative(band.tokens_per_s_per_chip_interval) / relative(point.tokens_per_s_per_chip_interval)
    assert rate == pytest.approx(wider, rel=1e-9)


def test_an_interval_of_the_peak_widens_prefill(tmp_path: Path) -> None:
    point = infer("llama3_8b", own(tmp_path), 1, batch=1, input=4096)
    band = infer("llama3_8b", own(tmp_path, peak="{ low = 250, high = 350 }"), 1, batch=1, input=4096)
    first = relative(band.time_to_first_token_interval_s) / relative(point.time_to_first_token_interval_s)
    assert 1.2 < first < 350 / 250
    wider = relative(band.time_per_token_interval_s) / relative(point.time_per_token_interval_s)
    assert 1.0 <= wider < 1.1


# --- engines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", engines.ids())
def test_every_engine_loads_and_has_three_constants_at_most(name: str) -> None:
    used = engines.load(name)
    free = used.document.get("free", [])
    assert len(free) <= 3
    assert set(used.document.get("fitted", {})) == set(free)
    assert ("fit" in used.document) == bool(free)
    record = used.record()
    assert all(math.isfinite(value) and value >= 0 for value in record)
    assert 0 < record.stream_efficiency <= 0.95
    assert 0 < record.kv_efficiency <= 1.5
    assert 0 < record.memory_share <= 1
    for known in used.document.get("fit", {}).get("chips", []):
        assert chips.load(known).id == known
    assert engines.load(name, "neutral").constants != used.constants or not free
    assert infer("llama3_8b", "h100", 1, batch=4, engine=name).engine == name


def test_engines_by_other_names() -> None:
    assert engines.find("TRTLLM 2025") == "trtllm_2025"
    assert engines.for_framework("vLLM ROCm Nov 2025 (rocm7.0.0 vllm 0.11.1)") == "vllm_rocm_2025"
    assert engines.for_framework("TensorRT-LLM v1.0 trtllm-bench, max load (IFB)") == "trtllm_2025"
    assert engines.for_framework("TensorRT-LLM v0.5") == "trtllm_2023"
    assert engines.for_framework("vLLM TPU") == "vllm_tpu_2025"
    assert engines.for_framework("Transformers NeuronX (Neuron 2.18.1)") == "neuronx_2024"
    assert engines.default_for("NVIDIA") == "trtllm_2025"
    assert engines.default_for("Google") == "vllm_tpu_2025"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("step_us = 1000", ""), "structure.step_us"),
        (("step_us = 1000", "step_us = 1000\nstep_ms = 1"), "step_ms"),
        (('name = "SGLang"', 'name = "SGLang"\nspeed = 3'), "speed"),
        (("[structure]", "[structures]"), "structures"),
        (("layer_us = ", "layers_us = "), "layers_us"),
    ],
)
def test_a_wrong_engine_file_is_told_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    text = (engines.FOLDER / "sglang_2025.toml").read_text("utf-8")
    assert change[0] in text
    for name in engines.ids():
        (tmp_path / f"{name}.toml").write_text((engines.FOLDER / f"{name}.toml").read_text("utf-8"))
    (tmp_path / "sglang_2025.toml").write_text(text.replace(*change))
    monkeypatch.setattr(engines, "FOLDER", tmp_path)
    engines._document.cache_clear()
    engines.load.cache_clear()
    try:
        with pytest.raises(PerfcoreError, match=message) as refused:
            engines.load("sglang_2025")
        assert all("\n" not in line and "sglang_2025.toml" in line for line in refused.value.lines)
    finally:
        monkeypatch.undo()
        engines._document.cache_clear()
        engines.load.cache_clear()


# --- the command -----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "perfcore", "infer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


THE_ISSUE = ["deepseek_v3", "--chip", "h800", "--chips", "32", "--batch", "128", "--input", "4096", "--output", "512"]


def test_the_command_of_the_issue() -> None:
    printed = run(*THE_ISSUE, "--json")
    assert (printed.returncode, printed.stderr) == (0, "")
    document = json.loads(printed.stdout)
    assert set(document) == KEYS
    same = infer(*ISSUE, batch=128, input=4096, output=512).to_dict()
    assert {**document, "search_s": 0} == {**same, "search_s": 0}


def test_the_command_in_words() -> None:
    printed = run(*THE_ISSUE)
    assert printed.returncode == 0
    for said in ("first token", "each token", "throughput", "largest batch", "KV cache", "plan", "assumed", "binds"):
        assert said in printed.stdout
    assert max(map(len, printed.stdout.splitlines())) < 200


def test_options_of_the_command() -> None:
    options = "--prefix 1000 --chunk 2048 --kv-bits 8 --precision fp8 --engine vllm_2025 --tp 2 --static --batch 8"
    printed = run("llama3_8b", *f"--chip h100 --chips 2 --input 2000 {options} --json".split())
    document = json.loads(printed.stdout)
    keys = ("prefix", "kv_bits", "precision", "engine", "batching", "batch")
    assert [document[key] for key in keys] == [1000, 8, "fp8", "vllm_2025", "static", 8]
    assert document["plan"]["tp"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        "llama3_8b --chip h100 --chips 1 --batch 1000000",
        "llama3_8b --chip h100 --chips 1 --input 0",
        "llama3_8b --chip a100 --chips 1 --precision fp8",
        "llama3_8b --chip h100 --chips 8 --tp 5",
        "llama3_8b --chip h100 --chips 8 --tp 0",
        "llama3_405b --chip h100 --chips 1",
        "llama3_8b --chip h100 --chips 1 --engine none",
        "llama3_8b --chip h100 --chips 1 --system none",
        "llama3_8b --chip none --chips 1",
        "llama3_8b --chip h100 --chips many",
        "llama3_8b --chip h100 --chips 1 --time-per-token nan",
        "llama3_8b --chip h100 --chips 1 --batch 1e9999",
        "llama3_8b --chip h100 --chips 1 --batch " + "9" * 500,
        "llama3_8b --chip h100",
        "llama3_8b",
        "--chip h100 --chips 1",
    ],
)
def test_a_mistake_is_one_line_and_code_2(arguments: str) -> None:
    printed = run(*arguments.split())
    assert printed.returncode == 2
    assert printed.stdout == ""
    assert printed.stderr.startswith("perfcore: ")
    assert printed.stderr.count("\n") == 1
    assert "Traceback" not in printed.stderr


def test_help_has_examples() -> None:
    printed = run("--help")
    assert printed.returncode == 0
    assert "perfcore infer deepseek_v3 --chip h800 --chips 32" in printed.stdout


def test_the_interval_of_a_mixture_of_experts_is_wider() -> None:
    """Of 25 of their speeds 8 lay inside the interval of dense models when their model was left out of the fit."""
    dense, experts = (
        perfcore.infer(model, "h200", 8, batch=64, precision="fp8", tp=8) for model in ("llama3_70b", "deepseek_v3")
    )
    assert dense.evidence == experts.evidence == "known"
    spans = [one.time_per_token_interval_s[1] / one.time_per_token_interval_s[0] for one in (dense, experts)]
    assert spans[0] < 1.4 < 1.8 < spans[1]


def test_lengths_that_are_not_given_fit_the_model() -> None:
    """GPT-2 takes 1,024 tokens: half of them each, or what the one that is given leaves."""
    both = perfcore.infer("gpt2_xl", "v100", 1, batch=1)
    assert (both.input, both.output) == (512, 512)
    assert "input: 512 tokens" in both.assumptions
    one = perfcore.infer("gpt2_xl", "v100", 1, batch=1, input=1000)
    assert (one.input, one.output) == (1000, 24)
    with pytest.raises(PerfcoreError, match="tokens together; GPT-2 XL takes at most 1024"):
        perfcore.infer("gpt2_xl", "v100", 1, batch=1, input=1024)


def test_the_time_of_an_expert_fitted_in_four_bits_is_not_carried_to_others() -> None:
    used = engines.load("trtllm_2025")
    assert used.record(None, 4).expert_s == pytest.approx(used.constants["expert_us"] * 1e-6)
    assert used.record(None, 8).expert_s == used.record().expert_s == engines.neutral()["expert_us"] * 1e-6


def test_no_step_of_the_h20_jumps_where_the_vector_kernel_ends() -> None:
    """Four sequences against five: a fourth more work at most, 6 % of it the cache."""
    four, five = (infer("llama3_70b", "h20", 8, batch=n, input=8192, output=1024, tp=8).decode_step_s for n in (4, 5))
    assert four <= five < 1.06 * four
