"""Tables: exact on every row, row errors aside, nothing half written."""

import csv
import random
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore import check_table
from perfcore.errors import PerfcoreError
from perfcore.rows import exact

ON = date(2024, 1, 1)


def run(tmp_path: Path, text: str, on: date = ON) -> tuple[Any, list[dict[str, str]], list[dict[str, str]]]:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(text)
    result = check_table(source, target, on)
    errors = read(result.error_file) if result.error_file else []
    return result, read(target), errors


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_rows_of_the_contract(tmp_path: Path) -> None:
    table = "design,tpp,applicable_die_area_mm2,io_bandwidth_gb_s,datacenter\n"
    table += "a,4800,10000,0,true\nb,2368,400,,true\nc,,400,,\nd,4707,608.5,64,false\n"
    _, rows, _ = run(tmp_path, table)
    assert [tuple(row.values()) for row in rows] == [
        ("a", "4800", "0.48", "controlled", "3A090.a.1"),
        ("b", "2368", "5.92", "controlled", "3A090.a.2"),  # 2368 / 400 is exactly 5.92
        ("c", "", "", "undetermined", ""),
        ("d", "4707", repr(4707 / 608.5), "excluded", "3A090.a.2"),
    ]
    assert list(rows[0]) == ["design", "tpp", "performance_density", "status", "paragraphs"]


@pytest.mark.parametrize(
    ("column", "cell", "unknown"),
    [
        ("datacenter", "NaN", True),
        ("datacenter", "TRUE", False),
        ("applicable_die_area_mm2", "nan", True),
        ("applicable_die_area_mm2", "0", True),
        ("applicable_die_area_mm2", "", True),
        ("applicable_die_area_mm2", " 500 ", False),
    ],
)
def test_cells(tmp_path: Path, column: str, cell: str, unknown: bool) -> None:
    cells = {"tpp": "1700", "applicable_die_area_mm2": "500", "datacenter": "true", column: cell}
    _, rows, errors = run(tmp_path, ",".join(cells) + "\n" + ",".join(cells.values()) + "\n")
    assert not errors
    assert (rows[0]["status"] == "undetermined") == unknown


@pytest.mark.parametrize(
    "column",
    [
        "tpp",
        "applicable_die_area_mm2",
        "io_bandwidth_gb_s",
        "dram_bandwidth_gb_s",
        "bits_x_tops_2022",
        "datacenter",
        "peak_dense_fp16_tflops",
    ],
)
@pytest.mark.parametrize("cell", ["-1", "inf", "-inf", "many", "1e99", "1_000", "0x10", "1,5"])
def test_row_errors_go_aside_and_the_run_goes_on(tmp_path: Path, column: str, cell: str) -> None:
    table = f'design,{column}\ngood,\nbad,"{cell}"\ngood too,\n'
    result, rows, errors = run(tmp_path, table)
    assert [row["design"] for row in rows] == ["good", "good too"]
    assert [(e["row"], e["line"], e["column"], e["found"]) for e in errors] == [("2", "3", column, cell)]
    assert (result.rows, result.errors) == (3, 1)
    assert result.error_file == tmp_path / "out.errors.csv"


def test_formats_and_tpp_must_agree(tmp_path: Path) -> None:
    table = "tpp,peak_dense_fp16_tflops,peak_dense_int8_tflops\n4800,300,\n4800,300,600\n4800,301,\n,100,250\n,100,\n"
    _, rows, errors = run(tmp_path, table)
    # An empty cell is an unknown rate, so TPP is only bounded below; with TPP given it is that.
    assert [row["tpp"] for row in rows] == ["4800", "4800", "2000", ""]
    assert [e["row"] for e in errors] == ["3"]
    assert "disagrees" in errors[0]["error"]


def test_intervals(tmp_path: Path) -> None:
    table = "id,tpp,tpp_low,tpp_high,applicable_die_area_mm2,datacenter\n"
    table += "a,,2640,2644,826,true\nb,2642,2640,2644,826,true\nc,,2644,2640,826,true\n"
    table += "d,9,2640,2644,826,true\ne,,2640,,826,true\n"
    _, rows, errors = run(tmp_path, table)
    assert [(r["id"], r["status"], r["paragraphs"]) for r in rows] == [
        ("a", "controlled", "3A090.b.1"),
        ("b", "controlled", "3A090.b.1"),
        ("e", "controlled", ""),
    ]
    assert rows[0]["tpp"] == ""
    assert (rows[0]["tpp_low"], rows[0]["tpp_high"]) == ("2640", "2644")
    assert [e["row"] for e in errors] == ["3", "4"]


def test_the_2022_measure_equals_tpp_where_it_is_not_given(tmp_path: Path) -> None:
    table = "tpp,bits_x_tops_2022,io_bandwidth_gb_s\n4800,,600\n4800,4799,600\n1,4800,600\n"
    _, rows, _ = run(tmp_path, table, date(2022, 12, 1))
    assert [row["status"] for row in rows] == ["controlled", "not_controlled", "controlled"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no column perfcore knows"),
        ("tpp,tpp\n1,2\n", "stands twice"),
        ("tppp\n1\n", "did you mean tpp"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PerfcoreError, match=said):
        run(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_binary_junk(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"tpp\n\xff\xfe\x00\x01")
    with pytest.raises(PerfcoreError):
        check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON)
    assert not (tmp_path / "out.csv").exists()


def test_a_ragged_row_is_a_row_error(tmp_path: Path) -> None:
    _, rows, errors = run(tmp_path, "design,tpp\na,4800\nb\nc,1,2\nd,1\n")
    assert [row["design"] for row in rows] == ["a", "d"]
    assert [e["row"] for e in errors] == ["2", "3"]


def test_the_output_may_not_be_the_input(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("tpp\n1\n")
    with pytest.raises(PerfcoreError, match="the output is the input"):
        check_table(tmp_path / "in.csv", tmp_path / "in.csv", ON)
    assert (tmp_path / "in.csv").read_text() == "tpp\n1\n"


@pytest.mark.parametrize("target", [".", "/", "folder"])
def test_the_output_is_a_plain_file(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("tpp\n1\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(PerfcoreError, match="would not be a plain file"):
        check_table("in.csv", target, ON)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "in.csv"]


def test_an_interrupt_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("tpp\n" + "1\n" * 2500)
    (tmp_path / "out.csv").write_text("an earlier run\n")

    def interrupt(rows: int) -> None:
        if rows >= 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON, interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "an earlier run\n"


def test_a_clean_run_drops_the_errors_of_an_earlier_one(tmp_path: Path) -> None:
    run(tmp_path, "tpp\n-1\n")
    assert (tmp_path / "out.errors.csv").exists()
    run(tmp_path, "tpp\n1\n")
    assert not (tmp_path / "out.errors.csv").exists()


def test_a_number_is_written_as_the_decimal_it_is(tmp_path: Path) -> None:
    _, rows, _ = run(tmp_path, "tpp,datacenter\n4799.99999999999999999999,true\n4800.10,true\n")
    assert [row["tpp"] for row in rows] == ["4799.99999999999999999999", "4800.1"]
    assert [row["status"] for row in rows] == ["undetermined", "controlled"]


@given(number=st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=6))
def test_a_cell_means_the_decimal_as_written(number: Any) -> None:
    from fractions import Fraction

    assert exact(str(number)) == Fraction(number)


COLUMNS = [
    f"{name}{end}"
    for name in ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
    for end in ("", "_low", "_high")
] + ["datacenter"]


@pytest.mark.parametrize("on", ["2022-10-20", "2022-12-01", "2023-11-17", "2026-02-01"])
def test_three_thousand_random_designs_agree_with_the_oracle(tmp_path: Path, on: str) -> None:
    rng = random.Random(on)
    rows, expected = [], []
    while len(rows) < 3000:
        design = oracle.random_design(rng)
        row = oracle.as_row(design)
        if row is not None:
            rows.append({"design": str(len(rows)), **row})
            expected.append(oracle.decide(design, date.fromisoformat(on)))
    source = tmp_path / "designs.csv"
    with source.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["design", *COLUMNS], restval="")
        writer.writeheader()
        writer.writerows(rows)
    check_table(source, tmp_path / "verdicts.csv", date.fromisoformat(on))
    found = [
        (row["status"], tuple(filter(None, row["paragraphs"].split(";")))) for row in read(tmp_path / "verdicts.csv")
    ]
    assert found == expected


PLAIN_CELLS = st.sampled_from(
    [
        "5.92",
        "0",
        "0.0",
        "1600",
        "2400.00",
        "4800",
        "4799.999999999999999",
        "2368",
        "400",
        "608.5",
        "00400",
        "4.8e3",
        "+400",
        "1e-13",
        "0.0000000000001",
        "123456789012345.123456789012345678",
        "NaN",
        "-0",
        "-1",
        "0.1",
        "1.6",
        "inf",
    ]
)


@given(
    rows=st.lists(
        st.tuples(*[PLAIN_CELLS | st.just("") | st.just(" 5.92 ")] * 5, st.sampled_from(["true", "0", "", "maybe"])),
        min_size=1,
        max_size=20,
    ),
    on=st.sampled_from([date(2020, 1, 1), date(2022, 12, 1), date(2024, 1, 1), date(2026, 2, 1)]),
)
def test_plain_rows_are_decided_as_the_general_engine_decides_them(rows: list[tuple[str, ...]], on: date) -> None:
    from unittest.mock import patch

    from perfcore.tables import csv_parts

    columns = (
        "tpp",
        "applicable_die_area_mm2",
        "io_bandwidth_gb_s",
        "dram_bandwidth_gb_s",
        "bits_x_tops_2022",
        "datacenter",
    )
    table = csv_parts.Table(columns, on, Path())
    several, lines = [list(row) for row in rows], list(range(2, len(rows) + 2))
    quick = csv_parts._verdicts(table, 1, several, lines, None)
    with patch.object(csv_parts, "decider", lambda columns, answers: None):
        general = csv_parts._verdicts(table, 1, several, lines, None)
    assert quick == general


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes("design,tpp\nprocesador español,1\n".encode(encoding))
    with pytest.raises(PerfcoreError, match=r"not text in UTF-8|NUL") as mistake:
        check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON)
    assert len(mistake.value.lines) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_thousand_separators_are_row_errors(tmp_path: Path) -> None:
    _, rows, errors = run(tmp_path, 'design,tpp\na,"4,800"\nb,4.800.000\nc,4 800\nd,4800\n')
    assert [row["design"] for row in rows] == ["d"]
    assert [error["found"] for error in errors] == ["4,800", "4.800.000", "4 800"]


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_a_disk_that_is_full(tmp_path: Path, name: str) -> None:
    """A limit on the size of files stands for a full disk."""
    import subprocess

    if name == "in.csv":
        (tmp_path / name).write_text("design,tpp\n" + "a design of mine,4800\n" * 20_000)
    else:
        pytest.importorskip("pyarrow")
        code = "import pyarrow as pa, pyarrow.parquet as pq, random, sys\n"
        code += "pq.write_table(pa.table({'tpp': [random.random() for _ in range(50_000)]}), sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    code += "sys.dont_write_bytecode = True; sys.argv[0] = 'perfcore'; from perfcore.cli import main; main('perfcore')"
    before = (tmp_path / name).read_bytes()
    target = tmp_path / name.replace("in", "out")
    command = [sys.executable, "-c", code, "batch", str(tmp_path / name), str(target)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2, said.stderr
    assert said.stderr.count("\n") == 1
    assert "cannot be written" in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_a_table_of_text_needs_neither_numpy_nor_pyarrow(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "in.csv").write_text("tpp\n" + "4800\n" * 30_000)
    code = "import sys; from perfcore import check_table; check_table(*sys.argv[1:], '2024-01-01')\n"
    code += "print([m for m in ('numpy', 'numba', 'pandas', 'pyarrow', 'distributed') if m in sys.modules])"
    command = [sys.executable, "-c", code, str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_threads_do_not_see_each_others_rounding() -> None:
    """A worker of a cluster has several threads: 1/3 written by one must not take 0.125/8 of another for rounded."""
    import threading

    from perfcore.tables.plain_rows import quotient

    cases = {(Decimal(1), Decimal(3)): "0.3333333333333333", (Decimal(2), Decimal(7)): "0.2857142857142857"}
    cases[Decimal("0.123456789012345678"), Decimal(8)] = "0.01543209862654320975"
    wrong: list[str] = []

    def divide() -> None:
        for _ in range(20_000):
            wrong.extend(found for pair, said in cases.items() if (found := quotient(*pair)) != said)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=divide) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
