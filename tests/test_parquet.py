"""Parquet tables: the answers of ``check``, in any number of workers, killed and resumed, and what is no table."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perfcore
from perfcore import check_table
from perfcore.errors import PerfcoreError
from perfcore.verdict import METRICS

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ON = date(2024, 1, 1)
NUMBERS = ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
ENDS = ("", "_low", "_high")


def written(tmp_path: Path, columns: dict[str, Any], name: str = "in.parquet", **options: Any) -> Path:
    pq.write_table(pa.table(columns), tmp_path / name, **options)
    return tmp_path / name


def verdicts(tmp_path: Path, columns: dict[str, Any], on: date = ON, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of the output, as Python reads them."""
    source, target = written(tmp_path, columns), tmp_path / "out.parquet"
    check_table(source, target, on, **options)
    rows: list[dict[str, Any]] = pq.read_table(target).to_pylist()
    return rows


def test_the_rows_of_the_contract(tmp_path: Path) -> None:
    rows = verdicts(
        tmp_path,
        {
            "design": ["a", "b", "c", "d"],
            "tpp": [4800.0, 2368.0, None, 4707.0],
            "applicable_die_area_mm2": [10000.0, 400.0, 400.0, 608.5],
            "io_bandwidth_gb_s": [0.0, None, None, 64.0],
            "datacenter": [True, True, None, False],
        },
    )
    assert [tuple(row.values()) for row in rows] == [
        ("a", 4800.0, 0.48, "controlled", "3A090.a.1"),
        ("b", 2368.0, 5.92, "controlled", "3A090.a.2"),
        ("c", None, None, "undetermined", ""),
        ("d", 4707.0, pytest.approx(4707 / 608.5), "excluded", "3A090.a.2"),
    ]
    assert list(rows[0]) == ["design", "tpp", "performance_density", "status", "paragraphs"]


def as_table(designs: list[oracle.Design], spans: bool) -> dict[str, Any]:
    """Lay designs out as columns of floats."""
    columns: dict[str, Any] = {"design": list(range(len(designs)))}
    for name in NUMBERS:
        given_ = [getattr(design, name) for design in designs]
        columns[name] = [float(s[0]) if s and s[0] == s[1] else None for s in given_]
        for end, place in (("_low", 0), ("_high", 1)):
            if spans:
                columns[name + end] = [float(s[place]) if s and s[0] != s[1] else None for s in given_]
    columns["datacenter"] = [design.datacenter for design in designs]
    return {
        name: pa.array(cells, pa.int64() if name == "design" else pa.bool_() if name == "datacenter" else pa.float64())
        for name, cells in columns.items()
    }


def as_floats(design: oracle.Design) -> oracle.Design:
    """Move each end to the decimal that its nearest float prints."""
    ends = {
        name: None if (span := getattr(design, name)) is None else tuple(Fraction(repr(float(end))) for end in span)
        for name in NUMBERS
    }
    return oracle.Design(**ends, datacenter=design.datacenter)


@pytest.mark.parametrize("on", ["2022-10-20", "2022-12-01", "2023-11-17", "2026-02-01"])
@pytest.mark.parametrize("spans", [False, True])
def test_random_designs_agree_with_the_oracle(
    tmp_path: Path, on: str, spans: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One design in three of 100,000 in eight lots stands exactly on a threshold; the compiled loops are used."""
    from perfcore.tables import parquet_parts

    monkeypatch.setattr(parquet_parts, "FEW_ROWS", 0)
    rng, designs = random.Random(on), []
    while len(designs) < 12_500:
        design = as_floats(oracle.random_design(rng))
        if spans or all((s := getattr(design, name)) is None or s[0] == s[1] for name in NUMBERS):
            designs.append(design)
    rows = verdicts(tmp_path, as_table(designs, spans), date.fromisoformat(on))
    found = [(row["status"], tuple(filter(None, row["paragraphs"].split(";")))) for row in rows]
    assert found == [oracle.decide(design, date.fromisoformat(on)) for design in designs]


@pytest.mark.parametrize("on", ["2022-12-01", "2024-01-01", "2026-02-01"])
def test_every_chip_as_check_says(tmp_path: Path, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from perfcore.tables import parquet_parts

    monkeypatch.setattr(parquet_parts, "FEW_ROWS", 0)
    columns: dict[str, list[Any]] = {}
    expected = []
    for chip in perfcore.chips.ids("chip"):
        try:
            verdict = perfcore.check(chip, on=on)
        except PerfcoreError:  # a part of a package
            continue
        if verdict.metrics["performance_density"] is not None and verdict.metrics["tpp"] is None:
            continue
        expected.append((chip, verdict.status, ";".join(verdict.paragraphs)))
        columns.setdefault("chip", []).append(chip)
        columns.setdefault("datacenter", []).append(verdict.facts["datacenter"])
        for name in (*(m for m in METRICS if m != "performance_density"), "bits_x_tops_2022"):
            value = verdict.metrics.get(name)
            low, high = (value["low"], value["high"]) if isinstance(value, dict) else (None, None)
            columns.setdefault(name, []).append(None if isinstance(value, dict) else value)
            columns.setdefault(name + "_low", []).append(low)
            columns.setdefault(name + "_high", []).append(high)
    typed = {
        name: pa.array(cells, pa.string() if name == "chip" else pa.bool_() if name == "datacenter" else pa.float64())
        for name, cells in columns.items()
    }
    rows = verdicts(tmp_path, typed, date.fromisoformat(on))
    assert len(rows) > 100
    assert [(row["chip"], row["status"], row["paragraphs"]) for row in rows] == expected


FLOATS = st.none() | st.sampled_from(
    [0.0, -0.0, float("nan"), -1.0, float("inf"), 1600.0, 2400.0, 4800.0, 2368.0, 400.0, 1e-13, 1e30, 600.0, 0.1]
)
TEXTS = st.none() | st.sampled_from(
    ["", "4800", " 2368.0 ", "4799.99999999999999999999", "nan", "-1", "many", "1,000", "400", "1e3"]
)
TRUTHS = st.none() | st.sampled_from(["true", "No", "maybe", "1", ""])


@given(
    rows=st.lists(st.tuples(FLOATS, TEXTS, FLOATS, FLOATS, FLOATS, TRUTHS), max_size=12),
    on=st.sampled_from([date(2022, 12, 1), date(2024, 1, 1)]),
    compiled=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parquet_says_what_csv_says(tmp_path: Path, rows: list[Any], on: date, compiled: bool) -> None:
    """Nulls, intervals, texts and wrong cells: the same verdicts and row errors as from a CSV table."""
    from perfcore.tables import parquet_parts

    names = [
        "tpp",
        "applicable_die_area_mm2",
        "io_bandwidth_gb_s_low",
        "io_bandwidth_gb_s_high",
        "tpp_high",
        "datacenter",
    ]
    kinds = [pa.float64(), pa.string(), *[pa.float64()] * 3, pa.string()]
    columns = {"id": pa.array(range(len(rows)), pa.int64())}
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        columns[name] = pa.array([row[place] for row in rows], kind)
    text = [",".join(["id", *names])]
    for number, row in enumerate(rows):
        cells = ("" if c is None else f'"{c}"' if isinstance(c, str) else repr(c) for c in row)
        text.append(",".join([str(number), *cells]))
    (tmp_path / "in.csv").write_text("\n".join(text) + "\n")
    few = parquet_parts.FEW_ROWS
    parquet_parts.FEW_ROWS = 0 if compiled else few
    try:
        found = verdicts(tmp_path, columns, on)
    finally:
        parquet_parts.FEW_ROWS = few
    check_table(tmp_path / "in.csv", tmp_path / "out_csv.csv", on)
    import csv

    with (tmp_path / "out_csv.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    same = ("status", "paragraphs")
    assert [(str(r["id"]), *(r[k] for k in same)) for r in found] == [
        (r["id"], *(r[k] for k in same)) for r in expected
    ]
    for mine, theirs in zip(found, expected, strict=True):
        for name in ("tpp", "performance_density", "tpp_low", "tpp_high", "performance_density_low"):
            number = float(theirs[name]) if theirs[name] else None
            assert mine[name] == (number if number is None else pytest.approx(number, rel=1e-15))
    assert errors(tmp_path / "out.errors.csv") == errors(tmp_path / "out_csv.errors.csv")


def errors(path: Path) -> list[tuple[str, ...]]:
    """Return row, column and what is wrong of each row error."""
    if not path.exists():
        return []
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return [(line[0], line[2], line[-1]) for line in lines]


@pytest.mark.parametrize(
    ("kind", "cells", "paragraphs"),
    [
        (pa.float32(), [2368.0], "3A090.a.2"),
        (pa.int64(), [2368], "3A090.a.2"),
        (pa.int64(), [9007199254740993], "3A090.a.1;3A090.a.2"),
        (pa.uint16(), [2367], "3A090.b.2"),
        (pa.string(), ["2368.000"], "3A090.a.2"),
        (pa.string_view(), ["2368.000"], "3A090.a.2"),
        (pa.dictionary(pa.int8(), pa.string()), ["2367.9999999999999999"], "3A090.b.2"),
        (pa.decimal128(38, 20), ["2367.99999999999999999999"], "3A090.b.2"),
        (pa.null(), [None], ""),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_kinds_of_columns(
    tmp_path: Path, kind: Any, cells: Any, paragraphs: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2368 over 400 is exactly 5.92: a hair less is not, and whether a hair is there shows in all its digits."""
    from decimal import Decimal

    from perfcore.tables import parquet_parts

    monkeypatch.setattr(parquet_parts, "FEW_ROWS", 0 if compiled else 10)
    if pa.types.is_decimal(kind):
        cells = [Decimal(cell) for cell in cells]
    rows = verdicts(tmp_path, {"tpp": pa.array(cells, kind), "applicable_die_area_mm2": pa.array([400.0])})
    assert [row["paragraphs"] for row in rows] == [paragraphs]


def test_a_float32_is_the_decimal_that_it_prints(tmp_path: Path) -> None:
    rows = verdicts(
        tmp_path,
        {"tpp": pa.array([1776.0], pa.float32()), "applicable_die_area_mm2": pa.array([300.0], pa.float32())}
        | {"io_bandwidth_gb_s": pa.array([599.9], pa.float32()), "datacenter": [True]},
    )
    assert (rows[0]["performance_density"], rows[0]["status"]) == (5.92, "controlled")


def test_row_errors_and_their_numbers(tmp_path: Path) -> None:
    tpp = [4800.0] * 25
    tpp[3] = tpp[17] = -1.0
    source, target = written(tmp_path, {"id": range(25), "tpp": tpp}, row_group_size=4), tmp_path / "out.parquet"
    result = check_table(source, target, ON, part_rows=8)
    assert (result.rows, result.errors, result.counts) == (25, 2, {"controlled": 23})
    assert result.error_file == tmp_path / "out.errors.csv"
    assert [line.split(",")[:4] for line in result.error_file.read_text().splitlines()[1:]] == [
        ["4", "", "tpp", "-1"],
        ["18", "", "tpp", "-1"],
    ]
    assert pq.read_table(target)["id"].to_pylist() == [n for n in range(25) if n not in (3, 17)]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view(), pa.list_(pa.string_view())])
@pytest.mark.parametrize("wrong", [(), (0, 1), (1, 3), (0, 1, 2, 3, 4)])
def test_columns_of_views_lose_their_wrong_rows_too(tmp_path: Path, kind: Any, wrong: tuple[int, ...]) -> None:
    """Arrow has no filter for views; what is carried over is what was given, in its type."""
    cells = [None, "a", "b", None, "one that is longer than what a view holds itself"]
    of = {"binary_view": lambda cell: cell.encode(), "string_view": str}
    given = [None if cell is None else of.get(str(kind), lambda cell: [cell])(cell) for cell in cells]
    tpp = [-1.0 if row in wrong else 4800.0 for row in range(5)]
    said = {"name": pa.array(given, kind), "tpp": tpp}
    left = [cell for row, cell in enumerate(given) if row not in wrong]
    assert [row["name"] for row in verdicts(tmp_path, said)] == left
    assert pq.read_schema(tmp_path / "out.parquet").field("name").type == kind

    chips = ["no such chip" if row in wrong else "h100" for row in range(5)]
    asked = {"name": said["name"], "model": ["llama3_8b"] * 5, "chip": pa.array(chips, pa.string_view())}
    asked |= {"chips": [1] * 5, "batch": [1] * 5}
    perfcore.answer_table(written(tmp_path, asked, "asked.parquet"), tmp_path / "answers.parquet")
    assert pq.read_table(tmp_path / "answers.parquet")["name"].to_pylist() == left


def a_big_table(tmp_path: Path, rows: int = 60_000, group: int = 2000) -> Path:
    rng = random.Random(5)
    columns = {
        "design": [f"d{n}" for n in range(rows)],
        "tpp": [rng.choice([None, -1.0, 1600.0, 4800.0, rng.randint(1000, 60000) / 10]) for _ in range(rows)],
        "applicable_die_area_mm2": [rng.choice([0.0, None, rng.randint(1000, 9000) / 10]) for _ in range(rows)],
        "datacenter": [rng.choice([True, False, None]) for _ in range(rows)],
    }
    return written(tmp_path, columns, row_group_size=group)


def test_serial_and_threads_are_the_same_to_the_bit(tmp_path: Path) -> None:
    source = a_big_table(tmp_path)
    results = [
        check_table(source, tmp_path / f"out{workers}.parquet", ON, workers=workers, part_rows=5000)
        for workers in (1, 2, 5)
    ]
    one = (tmp_path / "out1.parquet").read_bytes()
    assert all((tmp_path / f"out{workers}.parquet").read_bytes() == one for workers in (2, 5))
    assert len({(r.rows, r.errors, tuple(sorted(r.counts.items()))) for r in results}) == 1
    side = [(tmp_path / f"out{workers}.errors.csv").read_bytes() for workers in (1, 2, 5)]
    assert side[0] == side[1] == side[2]


def test_a_joined_file_is_a_file(tmp_path: Path) -> None:
    """Every page, statistic and count of the joined file, against the parts written as one table."""
    source, target = a_big_table(tmp_path), tmp_path / "out.parquet"
    check_table(source, target, ON, part_rows=5000)
    whole = pq.ParquetFile(target)
    assert whole.metadata.num_row_groups == 15
    assert sum(whole.metadata.row_group(n).num_rows for n in range(15)) == whole.metadata.num_rows
    check_table(source, tmp_path / "one.parquet", ON, part_rows=10**9)
    one = pq.read_table(tmp_path / "one.parquet")
    assert pq.read_table(target).equals(one)
    assert (
        pq.read_table(target, columns=["status"], filters=[("tpp", "=", 4800.0)]).num_rows
        == one.filter(pa.compute.equal(one["tpp"], 4800.0)).num_rows
    )
    assert b"us_eccn_3a090" in whole.schema_arrow.metadata[b"perfcore"]


KILLED = """
import os, sys
from perfcore import check_table
from perfcore.tables import parts
import perfcore.tables.parquet_parts, perfcore.tables.csv_parts
left = int(sys.argv[3])
def dying(*args, whole=parts.whole):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    return whole(*args)
for module in (parts, perfcore.tables.parquet_parts, perfcore.tables.csv_parts):
    module.whole = dying
check_table(sys.argv[1], sys.argv[2], "2024-01-01", part_rows=5000, workers=1)
"""


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_killed_and_resumed_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    source = a_big_table(tmp_path, 20_000)
    if ending == "csv":
        from pyarrow import csv

        csv.write_csv(pq.read_table(source), tmp_path / "in.csv")
        source = tmp_path / "in.csv"
    check_table(source, tmp_path / f"calm.{ending}", ON, part_rows=5000)
    calm = (tmp_path / f"calm.{ending}").read_bytes(), (tmp_path / "calm.errors.csv").read_bytes()
    rng = random.Random(1)
    for _ in range(3):
        target = tmp_path / f"out.{ending}"
        target.unlink(missing_ok=True)
        for _ in range(2):  # killed, resumed and killed again
            killed = subprocess.run(
                [sys.executable, "-c", KILLED, str(source), str(target), str(rng.randint(2, 11))],
                check=False,
                capture_output=True,
            )
            assert killed.returncode == -9, killed.stderr
            assert not target.exists()
        check_table(source, target, ON, part_rows=5000, resume=True)
        assert (target.read_bytes(), (tmp_path / "out.errors.csv").read_bytes()) == calm
        assert not (tmp_path / f"out.{ending}.parts").exists()


def test_resume_does_not_do_again_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perfcore.tables import parquet_parts

    source, target = a_big_table(tmp_path, 20_000), tmp_path / "out.parquet"
    done: list[int] = []
    write = parquet_parts.write_part

    def failing(table: Any, number: int, first: int, groups: Any) -> Any:
        if number == 2 and len(done) == 2:
            raise OSError(28, "No space left on device")
        done.append(number)
        return write(table, number, first, groups)

    monkeypatch.setattr(parquet_parts, "write_part", failing)
    with pytest.raises(PerfcoreError, match="No space left on device"):
        check_table(source, target, ON, part_rows=5000, workers=1)
    assert not target.exists()
    done.append(-1)
    check_table(source, target, ON, part_rows=5000, workers=1, resume=True)
    assert sorted(n for n in done if n >= 0) == sorted({n for n in done if n >= 0})
    check_table(source, tmp_path / "calm.parquet", ON, part_rows=5000)
    assert target.read_bytes() == (tmp_path / "calm.parquet").read_bytes()


def test_parts_of_another_input_are_refused(tmp_path: Path) -> None:
    source, target = a_big_table(tmp_path, 20_000), tmp_path / "out.parquet"
    subprocess.run([sys.executable, "-c", KILLED, str(source), str(target), "7"], check=False, capture_output=True)
    assert (tmp_path / "out.parquet.parts").is_dir()
    with pytest.raises(PerfcoreError, match="other options; start again without --resume"):
        check_table(source, target, date(2026, 2, 1), part_rows=5000, resume=True)
    os.utime(source, (1, 1))
    with pytest.raises(PerfcoreError, match="another input; start again without --resume"):
        check_table(source, target, ON, part_rows=5000, resume=True)
    assert (tmp_path / "out.parquet.parts").is_dir()
    check_table(source, target, ON, part_rows=5000)
    assert not (tmp_path / "out.parquet.parts").exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    source = written(tmp_path, {"tpp": [1.0]})
    (tmp_path / "out.parquet.parts").mkdir()
    (tmp_path / "out.parquet.parts" / "diary.txt").write_text("dear diary")
    with pytest.raises(PerfcoreError, match="is in the way"):
        check_table(source, tmp_path / "out.parquet", ON)
    assert (tmp_path / "out.parquet.parts" / "diary.txt").exists()


def test_an_interrupt_keeps_whole_parts_and_says_so(tmp_path: Path) -> None:
    source, target = a_big_table(tmp_path, 60_000, 500), tmp_path / "out.parquet"
    code = (  # a part takes a while, so that on a busy machine too the signal comes before the last one
        "import sys, time; from perfcore.tables import parquet_parts as p; p.PART_ROWS, write = 500, p.write_part\n"
        "p.write_part = lambda *job: (time.sleep(0.1), write(*job))[1]\n"
        "sys.argv = ['perfcore', 'batch', *sys.argv[1:], '--workers', '1']\n"
        "from perfcore.cli import main; main('perfcore')"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(source), str(target)], stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "out.parquet.parts"
    for _ in range(2000):
        if len(list(folder.glob("*.parquet"))) > 3 or run.poll() is not None:
            break
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert "finished parts are kept" in said
    assert "Traceback" not in said
    assert not target.exists()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, -4])
def test_a_file_cut_short_is_one_line(tmp_path: Path, keep: float) -> None:
    source = a_big_table(tmp_path, 5000)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(PerfcoreError, match="not a whole Parquet file") as mistake:
        check_table(source, tmp_path / "out.parquet", ON)
    assert len(mistake.value.lines) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_bytes_that_are_wrong_are_one_line_or_no_harm(tmp_path: Path) -> None:
    data = a_big_table(tmp_path, 5000).read_bytes()
    rng = random.Random(3)
    for _ in range(40):
        spoilt = bytearray(data)
        for _ in range(20):
            spoilt[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "in.parquet").write_bytes(spoilt)
        said = ""
        try:
            check_table(tmp_path / "in.parquet", tmp_path / "out.parquet", ON)
        except PerfcoreError as mistake:
            said = str(mistake)
        assert "\n" not in said
        assert {path.name for path in tmp_path.iterdir()} <= {"in.parquet", "out.parquet", "out.errors.csv"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"design": ["a"]}, "no column perfcore knows"),
        ({"tppp": [1.0]}, "did you mean tpp"),
        ({"tpp": [[1.0]]}, "column 'tpp' holds list"),
        ({"tpp": [date(2024, 1, 1)]}, "allowed: float, double, integer"),
        ({" tpp": [1.0], "io_bandwidth_gb_s": [1.0]}, "starts or ends with a space"),
    ],
)
def test_columns_that_cannot_be_read(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(PerfcoreError, match=said):
        verdicts(tmp_path, columns)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_a_column_that_stands_twice(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["tpp", "tpp"])
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(PerfcoreError, match="stands twice"):
        check_table(tmp_path / "in.parquet", tmp_path / "out.parquet", ON)


@pytest.mark.parametrize("groups", [0, 1])
def test_a_table_without_rows(tmp_path: Path, groups: int) -> None:
    schema = pa.schema([("design", pa.string()), ("tpp", pa.float64())])
    with pq.ParquetWriter(tmp_path / "in.parquet", schema) as writer:
        if groups:
            writer.write_table(schema.empty_table())
    result = check_table(tmp_path / "in.parquet", tmp_path / "out.parquet", ON)
    assert (result.rows, result.counts) == (0, {})
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_the_output_may_not_be_the_input(tmp_path: Path) -> None:
    source = written(tmp_path, {"tpp": [1.0]})
    before = source.read_bytes()
    (tmp_path / "link.parquet").symlink_to(source)
    for target in (source, tmp_path / "link.parquet"):
        with pytest.raises(PerfcoreError, match="is the input"):
            check_table(source, target, ON)
    assert source.read_bytes() == before


def test_kinds_do_not_mix(tmp_path: Path) -> None:
    source = written(tmp_path, {"tpp": [1.0]})
    with pytest.raises(PerfcoreError, match=r"allowed: .csv in and .csv out, or .parquet in and .parquet out"):
        check_table(source, tmp_path / "out.csv", ON)


def test_rates_by_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 TFLOP/s of fp16 are a TPP of 4800; of tf32, 19 bits, 250 are 4750."""
    from perfcore.tables import parquet_parts

    for few in (0, 100):
        monkeypatch.setattr(parquet_parts, "FEW_ROWS", few)
        rows = verdicts(
            tmp_path,
            {
                "tpp": pa.array([4800.0, 4800.0, 4801.0, None, None], pa.float64()),
                "peak_dense_fp16_tflops": [300.0, 300.0, 300.0, 100.0, 100.0],
                "peak_dense_tf32_tflops": pa.array([None, 250.0, 250.0, 250.0, None], pa.float64()),
            },
        )
        assert [row["tpp"] for row in rows] == [4800.0, 4800.0, 4750.0, None]
        assert errors(tmp_path / "out.errors.csv")[0][:2] == ("3", "tpp")
