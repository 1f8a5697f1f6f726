"""Measured runs: cells read strictly, rows as questions, errors of a table."""

import csv
import json
from pathlib import Path
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore import software, validate
from perfcore.cells import Row, SkippedError, read_rows
from perfcore.errors import PerfcoreError
from perfcore.measurements import NEEDED, case_of
from perfcore.questions import RECOMPUTE, answer
from perfcore.validation import published

# The 175 B run of arXiv 2104.04473, table 2 (PTD-P): 384 A100, tensor 8, pipeline 12, batch 1,536.
ROW = {
    "row_id": "one",
    "source_id": "mine",
    "chip": "A100-SXM-80GB",
    "n_chips": "384",
    "model": "gpt-174.6B",
    "layers": "96",
    "hidden": "12288",
    "heads": "96",
    "vocab": "51200",
    "seq": "2048",
    "precision": "fp16",
    "gbs_seqs": "1536",
    "mbs": "1",
    "TP": "8",
    "PP": "12",
    "recompute": "full",
    "framework": "Megatron-LM v2.x 2021",
    "step_time_s": "60",
}


def case(**changes: str) -> object:
    return case_of(Row(ROW | changes), 1)


def written(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "runs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_becomes_the_plan_it_states() -> None:
    plan = case().question.plan
    assert (plan.tp, plan.pp, plan.dp, plan.micro_batch, plan.micro_batches) == (8, 12, 4, 1, 384)
    assert plan[12:] == RECOMPUTE["full"]
    assert case().question.setting.attention_kernel == "unfused"


def test_columns_left_out_are_named_among_the_assumptions() -> None:
    said = " ".join(case(model="mine").assumptions)
    assert "ffn not given: 4 x hidden" in said
    assert "network not stated" in said


def test_speed_in_tokens_and_in_seconds_is_the_same() -> None:
    """60 s for 1,536 x 2,048 tokens on 384 chips are 136.5 tokens/s a chip."""
    rate = case(step_time_s="", tokens_per_s_per_chip="136.5333333", metric="tokens_per_s_per_chip")
    assert rate.measured_s == pytest.approx(60.0)
    assert rate.quantity == "tokens_per_s_per_chip"
    assert rate.in_quantity(30.0) == pytest.approx(2 * 136.5333333)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_chips": "zero"}, "n_chips: found 'zero'"),
        ({"n_chips": "0"}, "found 0"),
        ({"n_chips": "-8"}, "0 or more"),
        ({"n_chips": "inf"}, "0 or more"),
        ({"chip": "H1000"}, "did you mean"),
        ({"precision": "fp3"}, "--precision"),
        ({"precision": "nvfp4"}, "has no fp4 rate"),
        ({"TP": "7"}, "does not divide"),
        ({"gbs_seqs": ""}, "gbs_seqs"),
        ({"seq": ""}, "seq is not given"),
        ({"step_time_s": "fast"}, "found 'fast'"),
        ({"step_time_s": ""}, "none of step_time_s"),
        ({"tokens_per_s_per_chip": "500"}, "contradict"),
        ({"metric": "oom"}, "out of memory"),
        ({"metric": "gpu_hours"}, "chip-hours"),
        ({"mode": "lora"}, "only full training steps"),
        ({"layers": "", "model": "my-model"}, "neither in the catalogue"),
        ({"moe_experts": "8"}, "moe_ffn is not given"),
        ({"TP": "48", "PP": "1", "heads": "40", "hidden": "5120"}, "TP 48 does not divide the 40 heads"),
        ({"PP": "48", "TP": "1", "layers": "24"}, "PP 48 is more than the 24 layers"),
        ({"gbs_seqs": "2"}, "gbs_seqs 2 is less than 4 DP ranks"),
        ({"layers": "95.5"}, "whole numbers"),
        ({"step_time_s": "10"}, "of the peak of the chips"),
    ],
)
def test_a_row_that_cannot_be_predicted_says_why(changes: dict[str, str], said: str) -> None:
    with pytest.raises((SkippedError, PerfcoreError)) as found:
        answer(case(**changes).question)
    assert said in str(found.value)


def test_a_model_by_name_needs_no_columns() -> None:
    names = dict.fromkeys(("layers", "hidden", "heads", "vocab"), "")
    named = case(**names, model="llama3-70b", framework="Megatron-Bridge 26.06", TP="8", PP="4", recompute="none")
    assert named.question.model.layers == 80
    assert named.question.plan.vp == 5  # 20 layers a stage, four to a chunk, as Bridge usually runs


def test_a_batch_follows_from_its_parts() -> None:
    """1 sequence x 384 micro-batches x 384 / (8 x 12) data-parallel ranks are 1,536."""
    assert case(gbs_seqs="", grad_accum="384").question.work.global_batch == 1536


@pytest.mark.parametrize(
    ("seq", "pp", "taken"), [("1024", "1", 8), ("4096", "1", 2), ("8192", "1", 1), ("1024", "12", 1)]
)
def test_a_micro_batch_that_is_not_given(seq: str, pp: str, taken: int) -> None:
    """At most 8,192 tokens, a divisor of a rank's 32 (with 12 stages: 384) sequences; one with a pipeline."""
    found = case(mbs="", step_time_s="900", seq=seq, PP=pp, n_chips="384", gbs_seqs="1536")
    assert found.question.plan.micro_batch == taken
    assert f"mbs not given: {taken}" in found.assumptions


def test_the_words_of_frameworks() -> None:
    shard = case(shard_mode="FSDP shard group 64", PP="1", mbs="4", n_chips="512").question.plan
    assert (shard.shard, shard.shard_group) == (3, 64)
    assert case(shard_mode="ZeRO-1 (DeepSpeed)").question.plan.shard == 1
    assert case(framework="Megatron-LM + zero-bubble fork, schedule ZB-2p").question.plan.schedule == 2
    assert case(framework="Megatron-LM + zero-bubble fork").question.setting.software.id == "zero_bubble_2023"
    assert case(recompute="selective").question.plan[12:] == RECOMPUTE["selective"]
    slices = case(chip="TPU-v5e", chip_note="2 slices of 256", n_chips="512", TP="1", PP="1", precision="bf16")
    assert slices.question.setting.system.domain_chips == 256


def test_fp8_means_what_the_framework_does() -> None:
    names = {"chip": "H100-SXM-80GB", "precision": "fp8"}
    assert case(**names, framework="Megatron-Bridge 25.09").question.setting.precision.name == "fp8_current"
    assert case(**names, framework="torchtitan + torch.compile").question.setting.precision.name == "fp8_tensorwise"
    assert case(**names, framework="NeMo/Megatron-Core").question.setting.precision.name == "fp8"


def test_every_software_is_found_by_the_frameworks_it_names() -> None:
    for name in software.ids():
        for start in software.load(name).document["frameworks"]:
            assert software.for_framework(f"{start} 1.0") is not None


def test_errors_and_the_constant_efficiency_beside_them(tmp_path: Path) -> None:
    """Two sources of one chip: the efficiency of one is that of the other, so the baseline's errors are reciprocal."""
    rows = [ROW | {"row_id": "a", "source_id": "x"}, ROW | {"row_id": "b", "source_id": "y", "step_time_s": "75"}]
    found = validate(written(tmp_path, rows))
    first, second = found.rows
    assert first["predicted"] == pytest.approx(second["predicted"])
    assert first["error"] == pytest.approx(first["predicted"] / 60.0 - 1.0)
    assert second["error"] == pytest.approx(first["predicted"] / 75.0 - 1.0)
    # The same FLOP in 75 s: 60/75 of the efficiency; a constant from the other source is off by the ratio of times.
    assert first["baseline_error"] == pytest.approx(75.0 / 60.0 - 1.0)
    assert second["baseline_error"] == pytest.approx(60.0 / 75.0 - 1.0)
    size = [abs(first["error"]), abs(second["error"])]
    assert found.summary["mean_abs"] == pytest.approx(fmean(size))
    assert found.summary["median_abs"] == pytest.approx(median(size))
    assert found.summary["bias"] == pytest.approx((first["error"] + second["error"]) / 2)
    assert found.summary["by_source"]["x"]["n"] == 1


def test_rows_that_cannot_be_predicted_are_listed_not_lost(tmp_path: Path) -> None:
    found = validate(written(tmp_path, [ROW, ROW | {"row_id": "two", "n_chips": "many"}]))
    assert [row["row_id"] for row in found.rows] == ["one", "two"]
    assert found.rows[1]["skipped"].startswith("n_chips: found 'many'")
    assert (found.summary["n"], found.summary["skipped"]) == (1, 1)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_table_of_nothing_predictable_has_no_errors(tmp_path: Path) -> None:
    found = validate(written(tmp_path, [ROW | {"chip": "none"}]))
    assert found.summary["n"] == 0
    assert found.summary["mean_abs"] is None
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ("chip,n_chips,seq\n", "no rows"),
        ("chip,seq\nH100,4096\n", r"columns are missing \(training: n_chips; "),
        ("chip,category\nH100,gemm\n", r"columns are missing \(kernels: op; "),
        ("chip,phase,isl\nH100,decode,1\n", r"columns are missing \(inference: osl; "),
        ("a,b\n1,2\n", "training: chip, n_chips, seq; "),
        ("chip,n_chips,seq,category,op\nH100,8,4096,gemm,matmul\n", "mixes the columns of training and kernels"),
        ("chip,chip,n_chips,seq\nH100,H100,8,4096\n", "twice"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(PerfcoreError, match=said):
        validate(path)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.csv", "No such file"), (tmp_path, "directory")):
        with pytest.raises(PerfcoreError, match=said):
            validate(path)
    junk = tmp_path / "junk.csv"
    junk.write_bytes(b"\xff\xfe\x00chip")
    with pytest.raises(PerfcoreError, match="not a CSV table"):
        validate(junk)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.text(max_size=12), max_size=6))
def test_junk_in_cells_is_skipped_with_a_reason(changes: dict[str, str]) -> None:
    try:
        answer(case(**changes).question)
    except (SkippedError, PerfcoreError) as reason:
        if not str(reason):
            raise


def test_the_published_runs_are_all_predicted() -> None:
    """98 % of the rows that count, at least; runs out of memory have no time to predict."""
    rows = [row for row in published() if row.text("metric") != "oom"]
    done = 0
    for number, row in enumerate(rows, 1):
        try:
            done += answer(case_of(row, number).question).time_s > 0
        except SkippedError:
            continue
    assert done >= 0.98 * len(rows)


def test_published_files_hold_the_needed_columns() -> None:
    from perfcore.reader import SPECS

    for path in sorted((SPECS / "measurements").glob("*.csv")):
        rows = read_rows(path, (*NEEDED, "row_id", "source_id", "source_ref"))
        assert len({row.text("source_id") for row in rows}) == 1
        assert len({row.text("row_id") for row in rows}) == len(rows)
        assert all(row.text("source_ref") for row in rows)
