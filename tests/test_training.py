"""``perfcore.training.train``: its document, its arithmetic, its order among chips, its refusals, and published runs.

``python tests/test_training.py`` writes the figures of ``tests/golden`` anew, after a refit of the constants.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.errors import PerfcoreError
from perfcore.training import Training, train

# ../shared/DESIGN.md A4, ``train --json``; what perfcore adds to it is below.
CONTRACT = {
    "plan", "step_time_s", "step_time_interval_s", "tokens_per_s", "tokens_per_s_per_chip", "model_tflops_per_chip",
    "mfu", "hfu", "memory_gb_per_chip", "fits", "binding", "breakdown_s", "configs_evaluated", "search_s",
    "alternatives", "assumptions",
}  # fmt: skip
ADDED = {
    "model", "chip", "chips", "memory_capacity_gb", "memory_breakdown_gb", "sensitivities", "pareto", "software",
    "evidence", "days", "system", "precision", "seq", "global_batch",
}  # fmt: skip
PARTS = {"tp", "pp", "vp", "cp", "dp", "ep", "micro_batch", "micro_batches", "recompute", "shard", "sequence_parallel"}
GIVEN: dict[str, Any] = {
    "system": "dgx h100", "software": "megatron_bridge_2025", "precision": "bf16", "seq": 8192, "global_batch": 64,
}  # fmt: skip
ASKED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "dense": (("llama3_8b", "h100", 8), GIVEN),
    "full recompute": (("llama3_70b", "a100", 64), {"global_batch": 64, "recompute": "full"}),
    "moe": (("mixtral_8x7b", "h100", 32), {"global_batch": 32, "seq": 4096, "precision": "fp8"}),
    "mla": (("deepseek_v2_lite", "h800", 16), {"global_batch": 32, "seq": 4096}),
    "new chip": (("llama3_8b", "mi300x", 8), {"global_batch": 64}),
    "announced": (("llama3_8b", "rubin", 8), {"global_batch": 64}),
    "torus": (("llama3_8b", "tpu v5p", 16), {"global_batch": 32}),
    "no bf16": (("gpt3_1.3b", "v100", 8), {"global_batch": 64}),
    "one plan": (("llama3_8b", "h100", 8), {**GIVEN, "tp": 2, "pp": 2, "micro_batch": 1, "recompute": "none"}),
}


@pytest.fixture(params=ASKED, scope="module")
def found(request: pytest.FixtureRequest) -> Training:
    asked, keywords = ASKED[request.param]
    return train(*asked, **keywords)


def test_the_document_has_the_keys_of_the_contract(found: Training) -> None:
    document = found.to_dict()
    assert set(document) == CONTRACT | ADDED
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document["plan"]) >= PARTS
    for other in (*document["alternatives"], *document["pareto"]):
        assert set(other["plan"]) == set(document["plan"])
    assert isinstance(document["step_time_interval_s"], list)


def test_the_breakdown_adds_up(found: Training) -> None:
    assert math.fsum(found.breakdown_s.values()) == pytest.approx(found.step_time_s, rel=1e-12)
    assert math.fsum(found.memory_breakdown_gb.values()) == pytest.approx(found.memory_gb_per_chip, rel=1e-12)
    assert min(*found.breakdown_s.values(), *found.memory_breakdown_gb.values()) >= 0.0


def test_rates_follow_from_the_time(found: Training) -> None:
    work = found.question.work
    tokens = work.global_batch * work.seq
    assert found.tokens_per_s == pytest.approx(tokens / found.step_time_s, rel=1e-12)
    assert found.tokens_per_s_per_chip == pytest.approx(found.tokens_per_s / found.chips, rel=1e-12)
    assert 0.0 < found.mfu <= found.hfu < 1.0
    assert (found.hfu > found.mfu) == (found.plan["recompute"] != "none")
    assert found.fits
    assert found.memory_gb_per_chip <= found.memory_capacity_gb


def test_the_interval_contains_the_point(found: Training) -> None:
    low, high = found.step_time_interval_s
    assert low < found.step_time_s < high


def test_the_plan_multiplies_out(found: Training) -> None:
    plan, work = found.plan, found.question.work
    assert plan["tp"] * plan["pp"] * plan["cp"] * plan["dp"] == found.chips
    assert plan["dp"] * plan["micro_batch"] * plan["micro_batches"] == work.global_batch


def test_alternatives_are_slower_and_not_the_winner(found: Training) -> None:
    times = [other["step_time_s"] for other in found.alternatives]
    assert times == sorted(times)
    assert all(time_s >= found.step_time_s for time_s in times)
    assert found.plan not in [other["plan"] for other in found.alternatives]
    assert len(found.alternatives) <= 5
    held = [other["memory_gb_per_chip"] for other in found.pareto]
    assert held == sorted(held, reverse=True)
    assert found.pareto[0]["step_time_s"] == found.step_time_s


# Llama 3 8B: 32 layers, width 4096, 32 heads of 128 and 8 of keys, MLP 14336 wide with 3 matrices, vocabulary 128256
# (Grattafiori et al. 2024, table 3). 6 FLOP a weight of a matrix product and token; attention over half of 8192 tokens:
# 12 FLOP per layer, width and seen token. H100 SXM: 989.4 TFLOP/s dense in 16 bit (datasheet: 1,979 with sparsity).
WEIGHTS = 32 * (4096 * (32 + 8 + 8) * 128 + 32 * 128 * 4096 + 3 * 4096 * 14336) + 4096 * 128256
FLOP_PER_TOKEN = 6 * WEIGHTS + 12 * 32 * 4096 * 8192 / 2


@pytest.mark.parametrize("chips", [8, 16])
def test_utilisation_is_flop_over_time_and_peak(chips: int) -> None:
    got = train("llama3_8b", "h100", chips, **GIVEN)
    flop = FLOP_PER_TOKEN * 64 * 8192 / chips
    assert got.model_tflops_per_chip == pytest.approx(flop / got.step_time_s / 1e12, rel=1e-9)
    assert got.mfu == pytest.approx(flop / (got.step_time_s * 989.4e12), rel=1e-3)


def test_full_recomputation_does_the_forward_pass_of_the_layers_again() -> None:
    got = train("llama3_8b", "h100", 8, recompute="full", **GIVEN)
    head = 6 * 4096 * 128256  # is not done again
    assert got.hfu / got.mfu == pytest.approx(1 + (FLOP_PER_TOKEN - head) / 3 / FLOP_PER_TOKEN, rel=1e-9)


def test_days_are_steps_times_step_time() -> None:
    got = train("llama3_8b", "h100", 8, tokens=15e12, **GIVEN)
    assert got.days == pytest.approx(math.ceil(15e12 / (64 * 8192)) * got.step_time_s / 86400, rel=1e-12)
    assert train("llama3_8b", "h100", 8, **GIVEN).days is None


@pytest.mark.parametrize(
    ("chip", "software", "evidence"),
    [
        ("h100", "megatron_bridge_2025", "known"),
        ("a100", "megatron_2021", "known"),
        ("h100", "primus_2025", "new_software"),  # a software without fitted step times (a refit may give it some)
        ("mi300x", "primus_2025", "new_chip"),  # chips without
        ("rubin", "megatron_bridge_2025", "new_chip"),
        ("h20", "megatron_bridge_2025", "new_chip"),
        ("br100", "megatron_bridge_2025", "new_chip"),
    ],
)
def test_evidence_says_what_the_figures_rest_on(chip: str, software: str, evidence: str) -> None:
    got = train("llama3_8b", chip, 8, global_batch=64, software=software)
    assert got.evidence == evidence
    widths = {"known": 0.2, "new_software": 0.25, "new_chip": 0.4}  # at least; specs/intervals.toml
    low, high = got.step_time_interval_s
    assert (high - low) / got.step_time_s > widths[evidence]


DEFAULTS = {
    "seq": "seq: 8192 tokens", "global_batch": "global batch: 2048 sequences", "system": "system: NVIDIA DGX H100",
    "software": "software: Megatron-Bridge", "precision": "precision: bf16",
}  # fmt: skip


@pytest.mark.parametrize("left_out", DEFAULTS)
def test_each_default_taken_is_said(left_out: str) -> None:
    keywords = {**GIVEN, "global_batch": 2048, "system": "dgx h100", "tp": 8, "pp": 16}
    said = train("llama3_405b", "h100", 1024, **keywords).assumptions
    del keywords[left_out]
    more = train("llama3_405b", "h100", 1024, **keywords).assumptions
    assert len(more) == len(said) + 1
    assert [sentence for sentence in more if sentence.startswith(DEFAULTS[left_out])]
    assert not [sentence for sentence in said if sentence.startswith(DEFAULTS[left_out])]


COMPLETE_SYSTEM = """
name = "A system that leaves nothing open"
chips_per_node = 8
scale_up = { domain_chips = 8, per_direction_gb_s = 300, latency_us = 20, topology = "switch" }
scale_out = { per_direction_gb_s = 25, latency_us = 30, topology = "fat_tree" }
host = { per_direction_gb_s = 32 }
"""
COMPLETE: dict[str, Any] = {
    "software": "megatron_2021", "precision": "fp16", "seq": 2048, "global_batch": 2304, "tp": 8, "pp": 8, "vp": 2,
    "cp": 1, "dp": 24, "ep": 1, "micro_batch": 2, "recompute": "full", "shard": 0, "sequence_parallel": 0,
}  # fmt: skip


def test_nothing_is_assumed_where_all_is_given(tmp_path: Path) -> None:
    system = tmp_path / "complete.toml"
    system.write_text(COMPLETE_SYSTEM)
    got = train("megatron_145b", "a100", 1536, system=str(system), **COMPLETE)
    assert got.assumptions == []
    assert got.configs_evaluated == 1
    assert got.alternatives == []


# Order among chips and numbers of chips.


@pytest.mark.parametrize("model", ["llama3_8b", "llama3_70b", "mixtral_8x7b"])
def test_an_h20_lies_between_its_compute_and_that_of_an_h100(model: str) -> None:
    """H20: 148 of the 989 TFLOP/s of an H100, more memory bandwidth, the same links."""
    h20, h100 = (
        train(model, chip, 64, global_batch=256, seq=4096, precision="bf16").step_time_s for chip in ("h20", "h100")
    )
    assert 3.0 < h20 / h100 < 989 / 148


@pytest.mark.parametrize("model", ["llama3_8b", "llama3_70b"])
def test_chips_of_a_family_stand_in_their_order(model: str) -> None:
    """H200 is an H100 with more and faster memory; H800 and A800 are H100 and A100 with slower links."""
    time_s = {
        chip: train(model, chip, 64, global_batch=256, seq=8192, precision="bf16").step_time_s
        for chip in ("a100", "a800", "h800", "h100", "h200", "b200")
    }
    assert time_s["b200"] < time_s["h200"] <= time_s["h100"] <= time_s["h800"] < time_s["a100"] <= time_s["a800"]


@pytest.mark.parametrize(
    ("model", "chip", "batch", "seq"),
    [("llama3_8b", "h100", 512, 8192), ("mixtral_8x7b", "h100", 512, 4096), ("llama3_70b", "mi300x", 256, 8192)],
)
def test_more_chips_are_never_slower(model: str, chip: str, batch: int, seq: int) -> None:
    times = [train(model, chip, n, global_batch=batch, seq=seq).step_time_s for n in (16, 32, 64, 128, 256, 512)]
    assert times == sorted(times, reverse=True)


def test_an_eight_bit_step_is_faster_and_a_given_plan_never_beats_the_search() -> None:
    keywords = {**GIVEN, "global_batch": 64}
    free = train("llama3_8b", "h100", 16, **keywords)
    assert train("llama3_8b", "h100", 16, **{**keywords, "precision": "fp8"}).step_time_s < free.step_time_s
    for part in ({"tp": 2}, {"pp": 4}, {"cp": 2}, {"shard": 3}, {"recompute": "full"}, {"micro_batch": 2}):
        assert train("llama3_8b", "h100", 16, **keywords, **part).step_time_s >= free.step_time_s


@settings(max_examples=25)
@given(
    st.sampled_from(["llama3_8b", "gpt3_6.7b", "mixtral_8x7b"]), st.sampled_from(["h100", "a100", "mi300x", "h20"]),
    st.integers(1, 40), st.integers(1, 48), st.sampled_from([512, 1000, 2048]),
)  # fmt: skip
def test_any_small_question_is_answered_or_refused_in_lines(
    model: str, chip: str, chips: int, batch: int, seq: int
) -> None:
    said = refusal(model, chips, chip, global_batch=batch, seq=seq)
    if said:
        assert re.search(r"fits on: \d+|that can: \d+|more chips do not help", said)
    else:
        got = train(model, chip, chips, global_batch=batch, seq=seq)
        assert got.fits
        assert math.isfinite(got.step_time_s)


def refusal(model: str, chips: int, chip: str = "h100", **keywords: Any) -> str:
    """Return why a question is refused, nothing where it is answered."""
    try:
        train(model, chip, chips, **keywords)
    except PerfcoreError as said:
        return str(said)
    return ""


# Refusals: each one line that says what was found, what is allowed, what to do.

ASK: dict[str, Any] = {"model": "llama3_8b", "chip": "h100", "chips": 64, "global_batch": 64, "seq": 8192}
POWERS = "1, 2, 4, 8, 16, 32 or 64"
REFUSED = [
    ({"tp": 3}, ["--tp: found 3", "allowed on 64 ranks: 1, 2, 4 or 8", "32 heads"]),
    ({"tp": 16}, ["--tp: found 16", "1, 2, 4 or 8", "8 ranks that the fast link joins"]),
    ({"pp": 64}, ["--pp: found 64", "1, 2, 4, 8, 16 or 32", "32 layers"]),
    ({"dp": 128}, ["--dp: found 128", POWERS, "batch of 64"]),
    ({"dp": 16, "global_batch": 8}, ["--dp: found 16", "1, 2, 4 or 8", "batch of 8"]),
    ({"cp": 3}, ["--cp: found 3", POWERS, "sequence of 8192"]),
    ({"vp": 3}, ["--vp: found 3", "1, 2, 4, 8 or 16", "layers of a stage"]),
    ({"micro_batch": 7}, ["--micro-batch: found 7", POWERS]),
    ({"ep": 2}, ["--ep: found 2", "allowed on 64 ranks: 1 ", "no experts"]),
    ({"model": "mixtral_8x7b", "ep": 3}, ["--ep: found 3", "1, 2, 4 or 8", "8 experts"]),
    ({"model": "mixtral_8x7b", "ep": 2, "chips": 9, "global_batch": 9}, ["--ep: found 2", "allowed on 9 ranks: 1 "]),
    ({"pp": 2, "shard": 2}, ["--pp 2, --shard 2: not together", "--pp 1", "--shard 0 or 1", "without a pipeline"]),
    ({"pp": 1, "vp": 2}, ["--pp 1, --vp 2: not together", "--vp 1"]),
    ({"chips": 65}, ["--chips: found 65", "batch of 64", "nearest that can: 64"]),
    (
        {"chips": 65, "pp": 3},
        ["--chips: found 65", "--pp 3", "nearest that can: 48"],
    ),  # 3 x 16; 3 x 20 and 3 x 22 do not
    ({"chips": 8191}, ["--chips: found 8191", "nearest that can: 8192"]),
    ({"chips": 10**6}, ["--chips: found 1000000", "that can: "]),
    ({"chips": 0}, ["--chips: found 0", "a whole number from 1 to"]),
    ({"chips": -8}, ["--chips: found -8", "a whole number from 1 to"]),
    ({"chips": 1.5}, ["--chips: found 1.5", "a whole number from 1 to"]),
    ({"chips": 10**15}, ["--chips: found 1000000000000000", "from 1 to 10,000,000"]),
    ({"global_batch": 10**18}, ["--global-batch", "from 1 to 1,000,000,000"]),
    ({"chips": math.nan}, ["--chips: found nan", "a whole number"]),
    ({"chips": math.inf}, ["--chips: found inf", "a whole number"]),
    ({"chips": "8"}, ["--chips: found '8'", "a whole number"]),
    ({"chips": True}, ["--chips: found True", "a whole number"]),
    ({"global_batch": 0}, ["--global-batch: found 0", "a whole number from 1 to"]),
    ({"global_batch": math.nan}, ["--global-batch: found nan"]),
    ({"seq": 131_073}, ["--seq: found 131073", "at most 131072", "give that or less"]),
    ({"seq": 0}, ["--seq: found 0", "a whole number from 1 to"]),
    ({"seq": 0.5}, ["--seq: found 0.5"]),
    ({"tp": 0}, ["--tp: found 0", "a whole number of 1 or more"]),
    ({"tp": 1.5}, ["--tp: found 1.5"]),
    ({"tp": math.nan}, ["--tp: found nan"]),
    ({"tp": "x"}, ["--tp: found 'x'"]),
    ({"shard": 4}, ["--shard: found 4", "0 to 3"]),
    ({"shard": -1}, ["--shard: found -1", "0 to 3"]),
    ({"sequence_parallel": 2}, ["--sequence-parallel: found 2", "0 to 1"]),
    ({"recompute": "some"}, ["--recompute: found 'some'", "none, selective, full"]),
    ({"tokens": -1}, ["--tokens: found -1", "above 0"]),
    ({"tokens": math.nan}, ["--tokens: found nan"]),
    ({"zp": 2}, ["zp: not a part of a plan", "tp, pp"]),
    ({"precision": "nvfp4"}, ["--precision", "H100", "no fp4 rate", "it has fp64"]),
    ({"chip": "a100", "precision": "fp8"}, ["--precision", "A100", "no fp8 rate", "it has"]),
    ({"precision": "fp3"}, ["--precision: found 'fp3'", "allowed: bf16"]),
    ({"model": "llama9"}, ["'llama9' is no model", "perfcore models"]),
    ({"chip": "h1000"}, ["'h1000'", "did you mean"]),
    ({"chip": "dgx h100"}, ["--chip", "is a system", "name a chip"]),
    ({"system": "no such"}, ["'no such' is no system"]),
    ({"software": "cuda"}, ["--software: found 'cuda'", "megatron_2021"]),
]


@pytest.mark.parametrize(("changed", "words"), REFUSED, ids=[str(changed) for changed, _ in REFUSED])
def test_refusals(changed: dict[str, Any], words: list[str]) -> None:
    keywords = {**ASK, **changed}
    with pytest.raises(PerfcoreError) as caught:
        train(keywords.pop("model"), keywords.pop("chip"), keywords.pop("chips"), **keywords)
    said = str(caught.value)
    assert "\n" not in said
    assert [word for word in words if word not in said] == []


def test_each_part_that_never_goes_has_a_line() -> None:
    with pytest.raises(PerfcoreError) as caught:
        train("llama3_8b", "h100", 64, global_batch=64, tp=3, dp=128, shard=1)
    assert [line.split(":")[0] for line in caught.value.lines] == ["--tp", "--dp"]


def test_flags_may_be_yes_or_no() -> None:
    got = train("llama3_8b", "h100", 8, **GIVEN, tp=2, sequence_parallel=False)
    assert got.plan["sequence_parallel"] is False


@pytest.mark.parametrize(("chips", "batch"), [(65, 64), (100, 128), (34, 32)])
def test_the_nearest_number_of_chips_is_the_nearest_that_can(chips: int, batch: int) -> None:
    with pytest.raises(PerfcoreError) as caught:
        train("llama3_405b", "h100", chips, global_batch=batch)
    near = int(re.findall(r"nearest that can: (\d+)", str(caught.value))[0])
    for other in range(chips - abs(near - chips), chips + abs(near - chips) + 1):
        impossible = "that can" in refusal("llama3_405b", other, global_batch=batch)
        assert impossible == (other != near) or abs(other - chips) == abs(near - chips)


@pytest.mark.parametrize(
    ("model", "chips", "keywords"),
    [
        ("llama3_405b", 8, {}),
        ("llama3_405b", 24, {"global_batch": 24}),
        ("llama3_405b", 3, {"global_batch": 24}),
        ("llama3_405b", 8, {"tp": 8, "pp": 1, "cp": 1}),
        ("llama3_70b", 1, {"global_batch": 16}),
        ("deepseek_v3", 64, {"tp": 1, "ep": 8, "global_batch": 960}),
    ],
)
def test_what_does_not_fit_names_chips_that_do(model: str, chips: int, keywords: dict[str, Any]) -> None:
    said = refusal(model, chips, **keywords)
    assert "does not fit" in said
    enough = int(re.findall(r"fits on: (\d+)", said)[0])
    assert refusal(model, enough, **keywords) == ""
    assert enough > chips
    for fewer in {enough // 2, enough - 8 if enough > 8 else chips} - {0}:  # and not on half, or a server fewer
        assert fewer < chips or refusal(model, fewer, **keywords) != ""


def test_more_chips_keep_the_given_degrees_where_they_can() -> None:
    said = refusal("llama3_70b", 8, dp=8, global_batch=64)
    enough = int(re.findall(r"fits on: (\d+)$", said)[0])
    assert refusal("llama3_70b", enough, dp=8, global_batch=64) == ""
    said = refusal("llama3_70b", 8, dp=8, tp=1, pp=1, cp=1, global_batch=1024)  # only dp may grow
    enough = int(re.findall(r"fits on: (\d+) with another --dp$", said)[0])
    assert refusal("llama3_70b", enough, tp=1, pp=1, cp=1, global_batch=1024) == ""


def test_what_no_number_of_chips_helps_says_so() -> None:
    said = refusal("llama3_405b", 8, tp=1, pp=1, shard=0)
    assert "more chips do not help" in said


# Published runs.

GOLDEN = Path(__file__).with_name("golden")
RUNS = sorted(path.stem for path in GOLDEN.glob("*.json"))
FIGURES = ("step_time_s", "tokens_per_s_per_chip", "mfu", "hfu", "memory_gb_per_chip")


def golden(run: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / f"{run}.json").read_text("utf-8")))


def predicted(document: dict[str, Any]) -> Training:
    return train(document["model"], document["chip"], document["chips"], **document["question"])


def test_there_are_five_published_runs() -> None:
    assert len(RUNS) == 5


@pytest.mark.parametrize("run", RUNS)
def test_published_runs_stay_as_they_were(run: str) -> None:
    """The plan exactly; figures within 2 %, so that a refit of the constants leaves them standing."""
    document = golden(run)
    got = predicted(document).to_dict()
    assert got["plan"] == document["plan"]
    asked = {name: value for name, value in document["question"].items() if name in PARTS}
    assert {name: got["plan"][name] for name in asked} == asked
    for name in FIGURES:
        assert got[name] == pytest.approx(document["figures"][name], rel=0.02), name


@pytest.mark.parametrize("run", [run for run in RUNS if run.startswith("megatron")])
def test_the_runs_of_2021_are_predicted_within_a_tenth(run: str) -> None:
    """Narayanan et al. 2021, table 1: plan, software and network are printed; the time follows from its TFLOP/s."""
    document = golden(run)
    assert predicted(document).step_time_s == pytest.approx(document["published"]["step_time_s"], rel=0.1)


def write() -> None:
    """Write plan and figures of each run anew."""
    for run in RUNS:
        document = golden(run)
        got = predicted(document).to_dict()
        document["plan"] = got["plan"]
        document["figures"] = {name: float(f"{got[name]:.4g}") for name in FIGURES}
        (GOLDEN / f"{run}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write()


def test_evidence_is_of_the_pair_and_the_format() -> None:
    """No source ran Megatron-Bridge on A100 or a TPU; Gaudi2 has step times in 16 bit alone."""
    asked = {"global_batch": 64, "seq": 2048}
    assert train("llama3_8b", "h100", 8, **asked).evidence == "known"
    assert train("llama3_8b", "a100", 8, software="megatron_bridge_2026", **asked).evidence == "new_software"
    assert train("llama3_8b", "a100", 8, software="megatron_2021", **asked).evidence == "known"
    assert train("llama3_8b", "gaudi2", 8, precision="fp8", **asked).evidence == "new_chip"


def test_a_plan_given_whole_is_evaluated_even_if_it_does_not_fit() -> None:
    plan = {"tp": 8, "pp": 1, "cp": 1, "dp": 1, "recompute": "none"}
    found = train("llama3_70b", "h100", 8, global_batch=16, seq=8192, **plan)
    assert not found.fits
    assert found.memory_gb_per_chip > found.memory_capacity_gb
    assert any("does not fit" in sentence for sentence in found.assumptions)


def test_a_part_that_would_fit_otherwise_is_named() -> None:
    with pytest.raises(PerfcoreError, match=r"fits with --recompute full"):
        train("llama3_70b", "h100", 32, global_batch=32, seq=131072, recompute="none", cp=1)


def test_a_file_named_like_a_catalogue_chip_inherits_nothing(tmp_path: Path) -> None:
    from perfcore import chips

    path = tmp_path / "nvidia_h100_sxm_80gb.toml"
    path.write_text(
        'name = "Mine"\nvendor = "Mine"\n[peak_dense_tflops]\nbf16 = 500\n'
        "[memory]\nbandwidth_gb_s = 3000\ncapacity_gb = { low = 60, high = 120 }\n"
    )
    assert chips.load(path).id == "nvidia_h100_sxm_80gb"
    found = train("llama3_8b", str(path), 8, global_batch=64, seq=2048)
    assert found.evidence == "new_chip"
    assert found.memory_capacity_gb == 60.0  # the low end: a plan must fit whatever the chip turns out to hold


def test_zero_2_keeps_whole_gradients_while_they_are_summed() -> None:
    """Two micro-batches a step: stages 1 and 2 need the same memory; with one, stage 2 needs less."""
    plan = {"tp": 1, "pp": 1, "cp": 1, "recompute": "full", "micro_batch": 1}
    one, two = (
        [
            train("llama3_8b", "h200", 8, global_batch=batch, seq=2048, shard=s, **plan).memory_gb_per_chip
            for s in (1, 2)
        ]
        for batch in (8, 16)
    )
    assert one[1] < one[0]
    assert two[1] == two[0]
