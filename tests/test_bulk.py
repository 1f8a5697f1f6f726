"""Tables of questions: each answer is that of train, infer or match; what has none goes aside; no half file."""

import csv
import json
import math
import random
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import perfcore
from perfcore import chips, models, searching
from perfcore.bulk import answers
from perfcore.bulk.kinds import KINDS, kind_of, misspelt
from perfcore.errors import PerfcoreError

TRAIN = ("model", "chip", "chips")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(folder: Path, text: str, **options: Any) -> tuple[Any, list[dict[str, str]], list[dict[str, str]]]:
    source, target = folder / "in.csv", folder / "out.csv"
    source.write_text(text)
    result = perfcore.answer_table(source, target, **options)
    return result, read(target), read(result.error_file) if result.error_file else []


def table(rows: list[dict[str, Any]]) -> str:
    """Write questions as a CSV table with a column for each option that one of them gives."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(columns), *(",".join(str(row.get(name, "")) for name in columns) for row in rows)]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# Known beforehand


def test_memory_of_serving_is_what_one_counts_by_hand(tmp_path: Path) -> None:
    """Llama 3 8B has 8.03e9 parameters of 2 bytes; 32 layers x 8 heads x 128 x 2 (K, V) x 2 bytes a token of cache."""
    _, rows, _ = run(tmp_path, "id,model,chip,chips,batch,input,output\nx,llama3_8b,h100,1,16,512,128\n")
    assert float(rows[0]["weights_gb_per_chip"]) == pytest.approx(2 * 8.03, rel=1e-3)
    assert float(rows[0]["kv_cache_gb_per_chip"]) == pytest.approx(32 * 8 * 128 * 2 * 2 * 16 * (512 + 128) / 1e9)
    assert rows[0]["id"] == "x"
    assert rows[0]["chip"] == "nvidia_h100_sxm_80gb"


def test_rates_and_days_follow_from_the_step(tmp_path: Path) -> None:
    text = "model,chip,chips,global_batch,seq,tokens,tp,pp\nllama3_8b,h100,8,64,4096,1e9,1,1\n"
    _, rows, _ = run(tmp_path, text)
    step = float(rows[0]["step_time_s"])
    assert float(rows[0]["tokens_per_s"]) == pytest.approx(64 * 4096 / step)
    assert float(rows[0]["days"]) == pytest.approx(math.ceil(1e9 / (64 * 4096)) * step / 86400)
    assert (rows[0]["tp"], rows[0]["pp"], rows[0]["tokens"]) == ("1", "1", "1e9")
    assert int(rows[0]["dp"]) * int(rows[0]["cp"]) == 8
    assert float(rows[0]["step_time_s_low"]) < step < float(rows[0]["step_time_s_high"])


def test_the_naive_number_is_the_ratio_of_peaks(tmp_path: Path) -> None:
    """989.4 and 148 dense TFLOP/s in bf16, as the datasheets of H100 SXM and H20 say: 8 are 53.5, so 54."""
    _, rows, _ = run(tmp_path, "target,with,model,global_batch,tp\nh100:8,h20,llama3_8b,16,1\n")
    assert rows[0]["naive_chips"] == str(math.ceil(8 * 989.4 / 148))
    assert float(rows[0]["power_ratio"]) == pytest.approx(int(rows[0]["chips"]) * 400 / (8 * 700))
    assert rows[0]["target"] == "h100:8"
    assert rows[0]["with"] == "nvidia_h20_sxm_96gb"


# ---------------------------------------------------------------------------------------------------------------------
# The same as one at a time

ARGUMENTS = {"train": ("model",), "infer": ("model",), "match": ("target",)}
OF_THE_COMMAND_LINE = "words that click refuses before perfcore sees them"
QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "train": [
        {"model": "llama3_8b", "chip": "h100", "chips": 8},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "tokens": 1e12},
        {"model": "llama3_8b", "chip": "h20", "chips": 8},
        {"model": "llama3_8b", "chip": "a100", "chips": 64, "precision": "fp16", "recompute": "full"},
        {"model": "llama3_70b", "chip": "h100", "chips": 64, "tp": 8, "pp": 4, "global_batch": 128, "seq": 4096},
        {"model": "GPT-3 175B", "chip": "a100", "chips": 1024, "tp": 8, "pp": 8, "dp": 16, "global_batch": 1536},
        {"model": "mixtral_8x7b", "chip": "h800", "chips": 64, "ep": 8, "global_batch": 256},
        {"model": "llama3_8b", "chip": "mi250x", "chips": 8, "micro_batch": 1, "shard": 1},
        {"model": "llama3_405b", "chip": "h100", "chips": 16384, "tp": 8, "pp": 16, "vp": 8, "cp": 1, "dp": 128,
         "recompute": "none", "global_batch": 2048, "seq": 8192},  # a whole plan that does not fit is evaluated
        {"model": "llama3_8b", "chip": "h1000", "chips": 8},  # a typo
        {"model": "llama4_8b_of_mine", "chip": "h100", "chips": 8},
        {"model": "llama3_8b", "chip": "h100", "chips": 0},
        {"model": "llama3_8b", "chip": "h100", "chips": -8},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "tp": 3},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "tp": 8, "pp": 2},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "recompute": "some"},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "shard": 4},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "precision": "fp3"},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "software": "megatronn"},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "system": "dgx z"},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "seq": 10**8},
        {"model": "llama3_70b", "chip": "h100", "chips": 1},  # does not fit
        {"model": "llama3_70b", "chip": "h100", "chips": 8, "tp": 8, "shard": 0},
        {"model": "llama3_8b", "chip": "h100", "chips": 7, "global_batch": 8},
    ],
    "infer": [
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "batch": 16, "input": 512, "output": 128},
        {"model": "llama3_70b", "chip": "h20", "chips": 8, "precision": "fp8", "input": 2048, "output": 256},
        {"model": "deepseek_v3", "chip": "h800", "chips": 32, "batch": 128, "input": 4096, "output": 512},
        {"model": "llama3_70b", "chip": "h100", "chips": 8, "time_per_token": 0.03},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "static": "yes", "batch": 4},
        {"model": "llama3_8b", "chip": "h100", "chips": 2, "tp": 2, "kv_bits": 8, "prefix": 128, "chunk": 2048},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "engine": "vllm_2024", "batch": 8},
        {"model": "llama3_70b", "chip": "h100", "chips": 1},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "batch": 10**6},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "batch": 2, "dp": 8},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "kv_bits": 5},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "time_per_token": 1e-9},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "input": 0},
        {"model": "llama3_8b", "chip": "h100", "chips": 8, "tp": 5},
        {"model": "llama3_8b", "chip": "h100", "chips": 1, "engine": "none_known"},
    ],
    "match": [
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 4},
        {"target": "h100:16", "with": "h20", "model": "llama3_8b", "global_batch": 4},
        {"target": "h100:16", "with": "h100", "model": "llama3_8b", "global_batch": 4},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 4, "failures": 0},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 4, "failures": 50, "save_s": 60},
        {"target": "a100:64", "with": "a800", "model": "llama3_8b", "global_batch": 8, "tp": 2, "pp": 2},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "link_gb_s": 100},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "link_gb_s": 200},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "with_precision": "fp8"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1,
         "with_software": "megatron_2021"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1,
         "with_system": "nvidia_dgx_a100"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 2},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "seq": 2048},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "local_steps": 8},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "batch_slack": 0.25},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "max_chips": 8},
        {"target": "h100:64", "with": "v100", "model": "llama3_8b", "global_batch": 8, "tp": 1, "precision": "fp16"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "beside": "a100:8"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1,
         "price": "h100=30000;h20=12000.5"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 8, "tp": 1, "price": "h100=30000"},
        {"target": "h100:0", "with": "h20", "model": "llama3_8b"},
        {"target": "h100", "with": "h20", "model": "llama3_8b"},
        {"target": "h100:8", "with": "h2o", "model": "llama3_8b"},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "failures": -1.0},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "failures": 1e-300},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "critical_batch": 5e-324},
        {"target": "h100:8", "with": "h20", "model": "llama3_8b", "global_batch": 4, "local_steps": 0},
        {"target": "h100:1024", "with": "h20", "model": "llama3_8b", "global_batch": 1, "tp": 1},
    ],
}  # fmt: skip


def one_at_a_time(kind: str, row: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """Return the JSON of ``perfcore <kind>`` for a row, or why it says no: nothing remembered, all read anew."""
    searching._fastest.cache_clear()
    searching.load_loops.cache_clear()
    chips._of_catalogue.cache_clear()
    models._of_catalogue.cache_clear()
    words = []
    for name, value in row.items():
        if name in ARGUMENTS[kind]:
            words.insert(0, str(value))
        elif name == "static":
            words.append("--static")
        else:
            each = value.split(";") if name == "price" else [value]
            words += [word for one in each for word in (f"--{name.replace('_', '-')}", str(one))]
    done = CliRunner().invoke(import_module(f"perfcore.cli.{kind}").command, [*words, "--json"])
    if done.exit_code == 0:
        return json.loads(done.stdout), None
    said = "; ".join(done.exception.lines) if isinstance(done.exception, PerfcoreError) else OF_THE_COMMAND_LINE
    return None, said


def in_json(kind: str, document: dict[str, Any], column: str) -> Any:
    """Return what the JSON of a command says of a column."""
    ends = {"_low": 0, "_high": 1}
    for end, place in ends.items():
        for name in (
            f"{column.removesuffix(end)}_interval",
            f"{column.removesuffix(end).removesuffix('_s')}_interval_s",
        ):
            if column.endswith(end) and name in document:
                return document[name][place]
    if column.startswith("target_"):
        return document["target"][column.removeprefix("target_")]
    if column in document:
        return document[column]
    if kind == "match" and column == "mixed_chips":
        return None if document["mixed"] is None else document["mixed"]["chips"]
    for inner in ("plan", "figures"):
        if document.get(inner) is not None and column in document[inner]:
            return document[inner][column]
    assert document["plan"] is None, column
    return None


def same(cell: str, value: Any) -> bool:
    """Tell whether a cell is a value, to the last bit of a float."""
    if value is None:
        return cell == ""
    if isinstance(value, bool):
        return cell == ("true" if value else "false")
    if isinstance(value, float):
        return float(cell) == value and not cell.endswith(".0")
    return cell == str(value)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_every_answer_is_that_of_the_command(kind: str, tmp_path: Path) -> None:
    questions = QUESTIONS[kind]
    result, rows, errors = run(tmp_path, table([{"id": str(n), **row} for n, row in enumerate(questions, 1)]))
    answers = {int(row["id"]): row for row in rows}
    reasons = {int(row["row"]): row["error"] for row in errors}
    assert sorted([*answers, *reasons]) == list(range(1, len(questions) + 1))
    assert (result.rows, result.errors) == (len(questions), len(reasons))
    for number, row in enumerate(questions, 1):
        document, reason = one_at_a_time(kind, row)
        assert (number in reasons) == (document is None), row
        if document is None:
            assert reason in (reasons[number], OF_THE_COMMAND_LINE), row
            continue
        for column in KINDS[kind].results:
            assert same(answers[number][column], in_json(kind, document, column)), (row, column)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_columns_are_the_options_of_the_command(kind: str) -> None:
    import click

    command = import_module(f"perfcore.cli.{kind}").command
    names = {click_name(one) for one in command.params if isinstance(one, click.Option)}
    names |= {one.name for one in command.params if isinstance(one, click.Argument)}
    assert set(KINDS[kind].columns) == names - {"json", "plot", "links"}  # links gives a list of answers


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_page_names_every_column(kind: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "batch.md").read_text()
    asked, told = (line for line in page.splitlines() if line.startswith(f"| `{kind}` |"))
    plan = {*KINDS["train"].results} & {"tp", "pp", "vp", "cp", "dp", "ep", "recompute", "shard", "sequence_parallel"}
    plan |= {"micro_batch", "micro_batches", "embedding_counts_as_layer"} if kind == "match" else set()
    for name in KINDS[kind].columns:
        assert f"`{name}`" in asked, name
    for name in KINDS[kind].results:
        ends = name.endswith(("_low", "_high"))
        assert f"`{name}`" in told or ends or (kind == "match" and name in plan), name


def click_name(option: Any) -> str:
    return str(option.opts[0].removeprefix("--").replace("-", "_"))


# ---------------------------------------------------------------------------------------------------------------------
# Which kind a table is


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (TRAIN, "train"),
        ((*TRAIN, "note", "tp", "precision"), "train"),
        ((*TRAIN, "seq", "tokens"), "train"),
        ((*TRAIN, "batch"), "infer"),
        ((*TRAIN, "input", "dp"), "infer"),
        ((*TRAIN, "time_per_token"), "infer"),
        (("target", "with", "model"), "match"),
        (("target", "with", "model", "global_batch", "chip"), "match"),
        (("design", "tpp"), "designs"),
        (("chip", "tpp", "datacenter"), "designs"),
        (("chip", "model"), None),
        (("nothing", "known"), "designs"),  # whose message names the columns
        ((*TRAIN, "tpp"), None),
        ((*TRAIN, "batch", "global_batch"), None),
        ((*TRAIN, "target", "with"), None),
    ],
)
def test_kinds_are_told_by_their_columns(columns: tuple[str, ...], kind: str | None) -> None:
    if kind is None:
        with pytest.raises(PerfcoreError, match=r"--for|missing"):
            kind_of("t.csv", columns)
    else:
        assert kind_of("t.csv", columns) == kind


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("Model", "Chip", "Chips"), "missing for train: model, chip, chips; column 'Model' is not read; did you mean"),
        (("model", "chip", "chps"), r"train: chips; infer: chips\); column 'chps' is not read; did you mean chips\?"),
        (("target", "model"), r"match: with\); docs/batch.md lists them"),
    ],
)
def test_columns_that_are_nearly_those_of_a_question(columns: tuple[str, ...], said: str) -> None:
    with pytest.raises(PerfcoreError, match=said):
        kind_of("t.csv", columns)


def test_a_column_that_match_cannot_read_is_remarked_once() -> None:
    assert misspelt("match", ("target", "with", "model", "links")) == [
        "column 'links' is not read: it asks for several answers; give link_gb_s, one a row"
    ]
    assert misspelt("train", ("model", "chip", "chips", "links")) == []


def test_a_kind_that_is_named_needs_its_columns() -> None:
    assert kind_of("t.csv", (*TRAIN, "tpp"), "train") == "train"
    assert kind_of("t.csv", TRAIN, "infer") == "infer"
    with pytest.raises(PerfcoreError, match=r"t\.csv: columns are missing for match: target, with"):
        kind_of("t.csv", TRAIN, "match")
    with pytest.raises(PerfcoreError, match="allowed: designs, train, infer, match"):
        kind_of("t.csv", TRAIN, "training")


# ---------------------------------------------------------------------------------------------------------------------
# Cells and tables that are wrong


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("chips", "16,384", "allowed: a whole number"),
        ("chips", "1_000", "allowed: a whole number"),
        ("chips", "8.5", "allowed: a whole number"),
        ("chips", "many", "allowed: a whole number"),
        ("chips", "inf", "allowed: a whole number"),
        ("chips", "", "is not given"),
        ("chips", "NaN", "is not given"),
        ("model", " ", "is not given"),
        ("chips", "1e99", "allowed: a whole number"),
        ("chips", "0", "allowed: a whole number from 1"),
        ("chips", "-1", "allowed: a whole number from 1"),
        ("tokens", "1 000", "allowed: a number"),
        ("tokens", "-1", "allowed: a number above 0"),
        ("tokens", "1e999", "allowed: a number"),
        ("tp", "2.5", "allowed: a whole number"),
        ("model", "llama3_8bb", "did you mean"),
        ("chip", "no_such.toml", "No such file"),
        ("chip", "x" * 5000, "is nothing of the catalogue and no file"),
        ("model", "x" * 5000, "is no model of the catalogue and no file"),
    ],
)
def test_wrong_cells_go_aside(column: str, cell: str, said: str, tmp_path: Path) -> None:
    good = {"id": "good", "model": "llama3_8b", "chip": "h100", "chips": "8", "tp": "1", "pp": "1", "tokens": ""}
    bad = {**good, "id": "bad", column: f'"{cell}"'}
    result, rows, errors = run(tmp_path, table([good, bad, {**good, "id": "also good"}]))
    assert [row["id"] for row in rows] == ["good", "also good"]
    assert [(e["row"], e["line"], e["column"], e["found"]) for e in errors] == [("2", "3", column, cell.strip()[:60])]
    assert said in errors[0]["error"]
    assert "\n" not in errors[0]["error"]
    assert (result.rows, result.errors, result.counts) == (3, 1, {"answered": 2})


WORDS = (
    "",
    "x" * 300,
    "h100",
    "h20",
    "dgx h100",
    "/",
    "..",
    "none",
    "fp8",
    "int4",
    "h100:8",
    "a:0",
    "\ud800",
    "é",
    "hbm3",
)
DIGITS = ("", "0", "1", "-1", "2", "3", "64", "1e6", "1e12", "999999999999", "1e-300", "5e-324", "1e300", "0.5", "true")


@pytest.mark.parametrize("kind", ["train", "infer"])
def test_whatever_a_row_holds_it_is_an_answer_or_a_reason(kind: str) -> None:
    """Cells at random in one to three columns of a question that has an answer (a fixed seed)."""
    draw = random.Random(7)
    texts = {name for name, how in KINDS[kind].columns.items() if how == "text"}
    good = {"model": "llama3_8b", "chip": "h100", "chips": "8", "tp": "1", "pp": "1"}
    answered = 0
    for _ in range(600):
        row = dict(good)
        for name in draw.sample(sorted(KINDS[kind].columns), draw.randint(1, 3)):
            row[name] = draw.choice(WORDS if name in texts else DIGITS)
        values, wrong = answers.answered(kind, list(row), list(row.values()))
        assert bool(values) != bool(wrong), row
        assert all("\n" not in each.wrong for each in wrong), row
        assert all(math.isfinite(value) for value in values.values() if isinstance(value, float)), row
        answered += bool(values)
    assert 60 < answered < 540


@pytest.mark.parametrize("column", ["model", "chip", "system"])
@pytest.mark.parametrize("cell", ["x\0.toml", "a/\0", "\ud800.toml", "\ud800/y.json"])
def test_names_that_no_file_can_have(column: str, cell: str) -> None:
    """Of a whole table such a cell was the end."""
    row = {"model": "llama3_8b", "chip": "h100", "system": "", "chips": "8", column: cell}
    values, wrong = answers.answered("train", list(row), list(row.values()))
    assert not values
    assert wrong == [
        (column, cell, f"{cell!r} is a name that no file can have; give {wrong[0].wrong.split('; give ')[1]}")
    ]


def test_numbers_mean_the_decimal_that_is_written(tmp_path: Path) -> None:
    """As pandas writes whole numbers beside empty cells, and as designs may be written."""
    text = "id,model,chip,chips,tp,pp\na,llama3_8b,h100,8.0,1,1\nb,llama3_8b,h100,0.8e1,1.0, 1 \n"
    text += "c,llama3_8b,h100,8,NaN,nan\n"
    _, rows, errors = run(tmp_path, text)
    assert errors == []
    assert rows[0]["step_time_s"] == rows[1]["step_time_s"]
    assert [row["chips"] for row in rows] == ["8", "8", "8"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("model,chip,chips,chips\na,b,1,2\n", "column 'chips' stands twice"),
        ("model,chip\na,b\n", "columns are missing"),
        ("model,chip,chips,tpp\na,b,1,2\n", "--for"),
        ("model,chip,chips,batch,global_batch\na,b,1,2,3\n", "--for"),
        ("design,tpp\na,1\n", "check_table"),
        ("a,b\n1,2\n", "no column perfcore knows"),
    ],
)
def test_tables_that_cannot_be_answered(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError, match=said):
        run(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_table_without_rows_and_one_with_ragged_rows(tmp_path: Path) -> None:
    result, rows, _ = run(tmp_path, "model,chip,chips\n")
    assert (result.rows, rows) == (0, [])
    text = (
        "model,chip,chips,tp,pp\nllama3_8b,h100,8,1,1\nllama3_8b,h100\nllama3_8b,h100,8,1,1,1\n\nllama3_8b,h20,8,1,1\n"
    )
    _, rows, errors = run(tmp_path, text)
    assert [row["chip"] for row in rows] == ["nvidia_h100_sxm_80gb", "nvidia_h20_sxm_96gb"]
    assert [(e["row"], e["line"], e["found"]) for e in errors] == [("2", "3", "2"), ("3", "4", "6")]


def test_the_output_may_not_be_the_input(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("model,chip,chips\nllama3_8b,h100,8\n")
    with pytest.raises(PerfcoreError, match="the output is the input"):
        perfcore.answer_table(path, path)
    assert path.read_text() == "model,chip,chips\nllama3_8b,h100,8\n"


def test_columns_that_look_like_known_ones_are_remarked(tmp_path: Path) -> None:
    said: list[str] = []
    run(tmp_path, "model,chip,chips,Global Batch,note\nllama3_8b,h100,8,64,x\n", remark=said.append)
    assert said == ["column 'Global Batch' is not read; did you mean global_batch?"]


def test_an_answer_can_be_asked_again(tmp_path: Path) -> None:
    """The columns of a plan are those of the answer: the table that comes out is one of the plans that were found."""
    run(tmp_path, "model,chip,chips,global_batch\nllama3_8b,h100,8,64\n")
    first = read(tmp_path / "out.csv")
    (tmp_path / "in.csv").write_text((tmp_path / "out.csv").read_text())
    perfcore.answer_table(tmp_path / "in.csv", tmp_path / "again.csv")
    again = read(tmp_path / "again.csv")
    assert list(again[0]) == list(first[0])
    assert again[0]["step_time_s"] == first[0]["step_time_s"]


# ---------------------------------------------------------------------------------------------------------------------
# However the work is shared out

SMALL = table([row for row in QUESTIONS["train"] if "tp" in row or row["chips"] in (0, 8)] * 2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("alone")
    run(folder, SMALL)
    return (folder / "out.csv").read_bytes(), (folder / "out.errors.csv").read_bytes()


@pytest.mark.parametrize("options", [{"part_rows": 1}, {"part_rows": 7}, {"part_rows": 9, "workers": 2}])
def test_same_bytes_however_it_is_shared_out(
    options: dict[str, Any], alone: tuple[bytes, bytes], tmp_path: Path
) -> None:
    run(tmp_path, SMALL, **options)
    assert ((tmp_path / "out.csv").read_bytes(), (tmp_path / "out.errors.csv").read_bytes()) == alone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv", "out.errors.csv"]


def test_an_interrupted_run_goes_on(alone: tuple[bytes, bytes], tmp_path: Path) -> None:
    def interrupt(rows: int) -> None:
        if rows >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, SMALL, part_rows=6, progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv.parts"]
    with pytest.raises(PerfcoreError, match="other options"):
        perfcore.answer_table(tmp_path / "in.csv", tmp_path / "out.csv", resume=True, part_rows=5)
    seen: list[int] = []
    perfcore.answer_table(tmp_path / "in.csv", tmp_path / "out.csv", resume=True, part_rows=6, progress=seen.append)
    assert min(seen) > 12
    assert ((tmp_path / "out.csv").read_bytes(), (tmp_path / "out.errors.csv").read_bytes()) == alone


def test_a_chip_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """What is named by a path may change; what is remembered must not hide that."""
    chip = tmp_path / "mine.toml"
    lines = 'name = "Mine"\n[peak_dense_tflops]\nbf16 = {}\n[memory]\nbandwidth_gb_s = 3000\ncapacity_gb = 80\n'
    answers = []
    for rate in (400, 900, 400):
        chip.write_text(lines.format(rate))
        _, rows, errors = run(tmp_path, f"model,chip,chips,tp,pp\nllama3_8b,{chip},8,1,1\n")
        assert errors == []
        answers.append(float(rows[0]["step_time_s"]))
    assert answers[0] == answers[2] > 1.5 * answers[1]


# ---------------------------------------------------------------------------------------------------------------------
# Parquet, Dask, DataFrames


def test_parquet_gives_the_same_answers(alone: tuple[bytes, bytes], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    (tmp_path / "in.csv").write_text(SMALL)
    questions = pd.read_csv(tmp_path / "in.csv", dtype={"chips": "Int64", "tp": "Int32", "global_batch": "float64"})
    questions["model"] = questions["model"].astype("category")
    questions.to_parquet(tmp_path / "in.parquet", index=False)
    for options in ({}, {"workers": 2, "part_rows": 5}):
        result = perfcore.answer_table(tmp_path / "in.parquet", tmp_path / "out.parquet", **options)
        answers = pd.read_parquet(tmp_path / "out.parquet")
        (tmp_path / "as.csv").write_bytes(alone[0])
        expected = read(tmp_path / "as.csv")
        assert len(answers) == len(expected) == result.counts["answered"]
        for column in KINDS["train"].results:
            for value, cell in zip(answers[column].tolist(), (row[column] for row in expected), strict=True):
                assert same(cell, None if pd.isna(value) else value), column
        reasons = [(e["row"], e["error"]) for e in read(tmp_path / "out.errors.csv")]
        (tmp_path / "as.csv").write_bytes(alone[1])
        assert reasons == [(e["row"], e["error"]) for e in read(tmp_path / "as.csv")]


def test_parquet_columns_have_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = {"id": [7, 8], "target": ["h100:8", "h100:64"], "with": ["h20", "v100"], "model": ["llama3_8b"] * 2}
    extra = {"global_batch": [8, 8], "tp": [1, 1], "precision": ["fp16", "fp16"]}
    pq.write_table(pa.table({**rows, **extra}), tmp_path / "in.parquet")
    perfcore.answer_table(tmp_path / "in.parquet", tmp_path / "out.parquet")
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.field("id").type == schema.field("chips").type == pa.int64()
    assert schema.field("ceiling").type == pa.float64()
    assert schema.field("sequence_parallel").type == pa.bool_()
    assert schema.field("binding").type == pa.string()
    assert pq.read_table(tmp_path / "out.parquet")["chips"].to_pylist()[0] > 8


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_gives_the_same_bytes(alone: tuple[bytes, bytes], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    place = {"host": "127.0.0.1", "protocol": "tcp", "dashboard_address": None}
    with (
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **place) as cluster,
    ):
        run(tmp_path, SMALL, scheduler=cluster.scheduler_address, part_rows=9)
    assert (tmp_path / "out.csv").read_bytes() == alone[0]


def test_frames() -> None:
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {
            "model": ["llama3_8b", "llama3_8b", "llama3_8b"],
            "chip": pd.Categorical(["h100", "h20", "h2o"]),
            "chips": [8, 8, 8],
            "tp": [1.0, np.nan, 2.0],
            "pp": pd.array([1, 1, None], "Int64"),
            "note": ["x", "y", "z"],
        },
        index=["first", "second", "third"],
    )
    answers = perfcore.answer_frame(frame)
    assert list(answers.index) == ["first", "second", "third"]
    assert list(answers.columns) == ["note", *KINDS["train"].results, "error"]
    assert answers["note"].tolist() == ["x", "y", "z"]
    kinds = {"text": "string", "whole": "Int64", "number": "Float64", "yes_no": "boolean"}
    for column, kind in KINDS["train"].results.items():
        assert answers[column].dtype == kinds[kind]
    assert answers["error"].dtype == "string"
    assert answers.loc["first", "step_time_s"] == perfcore.train("llama3_8b", "h100", 8, tp=1, pp=1).step_time_s
    assert answers.loc["second", "tp"] == perfcore.train("llama3_8b", "h20", 8, pp=1).plan["tp"]
    assert answers["error"].isna().tolist() == [True, True, False]
    assert "h2o" in answers.loc["third", "error"]
    assert answers.drop(columns=["error", "note"]).loc["third"].isna().all()


def test_a_frame_says_what_it_found() -> None:
    import pandas as pd

    asked = {"model": "llama3_8b", "chip": "h100", "chips": ["8.5", "x", -1], "tp": 1}
    assert perfcore.answer_frame(pd.DataFrame(asked))["error"].tolist() == [
        "chips: found '8.5': allowed: a whole number, or an empty cell",
        "chips: found 'x': allowed: a whole number, without separators, or an empty cell",
        "chips: --chips: found -1; allowed: a whole number from 1 to 10,000,000",
    ]


def test_frames_of_objects_say_what_those_of_numbers_say() -> None:
    import numpy as np
    import pandas as pd

    asked = {"model": ["llama3_8b"] * 3, "chip": ["h100"] * 3, "tp": [1] * 3, "pp": [1] * 3, "tokens": [2.5e9] * 3}
    plain = perfcore.answer_frame(pd.DataFrame({**asked, "chips": [8] * 3}))
    mixed = {"chips": [np.int64(8), "8", np.float64(8.0)], "tokens": [np.float64(2.5e9), "2.5e9", 2_500_000_000]}
    objects = perfcore.answer_frame(pd.DataFrame({**asked, **mixed}, dtype=object))
    assert objects["error"].isna().all()
    assert objects["days"].tolist() == plain["days"].tolist()


@pytest.mark.parametrize("kind", ["float32", "Float32", "float[pyarrow]"])
def test_short_floats_of_a_frame_are_the_decimals_that_print_them(kind: str, tmp_path: Path) -> None:
    """123,456,790 tokens are 333,667 steps of 370; a float of 4 bytes that prints so is 123,456,792 as one of 8."""
    pytest.importorskip("pyarrow")
    import pandas as pd

    asked = pd.DataFrame({"model": ["llama3_8b"] * 2, "chip": ["h100"] * 2, "global_batch": [10] * 2, "seq": [37] * 2})
    asked = asked.assign(
        tp=8, pp=1, chips=pd.Series([8, 8], dtype=kind), tokens=pd.Series([123456790.0, None], dtype=kind)
    )
    assert float(asked["tokens"].iloc[0]) == 123456792
    found = perfcore.answer_frame(asked)
    step_s = found["step_time_s"].iloc[0]
    assert found["days"].iloc[0] == pytest.approx(333_667 * step_s / 86_400, rel=1e-7)
    assert found["days"].isna().tolist() == [False, True]
    asked.to_parquet(tmp_path / "in.parquet")
    perfcore.answer_table(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert found["days"].iloc[0] == pd.read_parquet(tmp_path / "out.parquet")["days"].iloc[0]


def test_a_frame_warns_of_columns_that_look_misspelt() -> None:
    import pandas as pd

    with pytest.warns(UserWarning, match="did you mean global_batch") as warned:
        perfcore.answer_frame(pd.DataFrame({"model": ["llama3_8b"], "chip": "h2o", "chips": 8, "globalbatch": 64}))
    assert warned[0].filename == __file__


def test_frames_that_cannot_be_answered() -> None:
    import pandas as pd

    with pytest.raises(PerfcoreError, match="columns are missing"):
        perfcore.answer_frame(pd.DataFrame({"model": ["llama3_8b"], "chip": ["h100"]}))
    with pytest.raises(PerfcoreError, match="check_frame"):
        perfcore.answer_frame(pd.DataFrame({"tpp": [1.0]}))
    with pytest.raises(PerfcoreError, match="stands twice"):
        perfcore.answer_frame(pd.DataFrame([["a", "b", 1, 2]], columns=["model", "chip", "chips", "chips"]))
    with pytest.raises(PerfcoreError, match=r"found a builtins\.list; allowed: a pandas DataFrame"):
        perfcore.answer_frame([1, 2])
    with pytest.raises(PerfcoreError, match="2 levels"):
        perfcore.answer_frame(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("chips", "a")])))
    assert len(perfcore.answer_frame(pd.DataFrame({name: [] for name in TRAIN}))) == 0


# ---------------------------------------------------------------------------------------------------------------------
# The command


def command(*words: str) -> Any:
    from perfcore.cli.batch import command as batch

    return CliRunner().invoke(batch, list(words))


def test_the_command_says_what_it_takes_a_table_for(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("model,chip,chips,tp,pp\nllama3_8b,h100,8,1,1\nllama3_8b,h2o,8,1,1\n")
    done = command(str(tmp_path / "q.csv"), str(tmp_path / "a.csv"))
    assert done.exit_code == 0, done.output
    assert "questions for train" in done.output
    assert "1 row could not be answered" in done.output
    assert len(read(tmp_path / "a.csv")) == 1


def test_a_notebook_says_how_a_run_ended(tmp_path: Path) -> None:
    result, _, _ = run(tmp_path, "model,chip,chips,tp,pp\nllama3_8b,h100,8,1,1\nllama3_8b,h2o,8,1,1\n")
    shown = result._repr_html_()
    assert "2 questions for train: 1 answered" in shown
    assert "1 row could not be answered" in shown
    assert "A model, not a measurement" in shown


def test_a_day_is_for_designs_alone(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("model,chip,chips\nllama3_8b,h100,8\n")
    done = command(str(tmp_path / "q.csv"), str(tmp_path / "a.csv"), "--on", "2024-01-01")
    assert isinstance(done.exception, PerfcoreError)
    assert "--on" in str(done.exception)
    assert not (tmp_path / "a.csv").exists()


def test_named_designs_are_checked_whatever_their_columns(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("model,chip,chips,tpp\na,b,1,100\n")
    with pytest.raises(PerfcoreError, match="--for"):
        raise command(str(tmp_path / "q.csv"), str(tmp_path / "a.csv")).exception
    done = command(str(tmp_path / "q.csv"), str(tmp_path / "a.csv"), "--for", "designs", "--on", "2024-01-01")
    assert done.exit_code == 0, done.output
    assert read(tmp_path / "a.csv")[0]["model"] == "a"
