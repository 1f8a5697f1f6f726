"""DataFrames of designs: what is asked, and what must come out, worked out by hand from the law.

From 17 November 2023: 3A090.a.1 at TPP 4800 or more; a.2 at 1600 or more with a density of 5.92 or more; b.1 at 2400 to
below 4800 with 1.6 to below 5.92; b.2 at 1600 or more with 3.2 to below 5.92. Note 2 takes out what is not for
datacenters and below TPP 4800. Until then: 600 GB/s of I/O or more, and 4800 bits x TOPS or more (3A090.a).
"""

import math
import random
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_parquet import as_floats, as_table

import perfcore
from perfcore import check_frame
from perfcore.errors import PerfcoreError

ON = "2024-01-01"
STATUSES = ["controlled", "excluded", "not_controlled", "undetermined"]
AREA = "applicable_die_area_mm2"
BY_HAND = [
    # TPP, area, datacenter, status, paragraphs, density
    (4800, 10000, True, "controlled", "3A090.a.1", 0.48),  # exactly on the threshold
    (4799.99, 10000, True, "not_controlled", "", 0.479999),
    (4440, 750, True, "controlled", "3A090.a.2", 5.92),  # 5.92 x 750 = 4440 exactly
    (4439.99, 750, True, "controlled", "3A090.b.1;3A090.b.2", 4439.99 / 750),
    (4440, 750, False, "excluded", "3A090.a.2", 5.92),  # Note 2
    (4440, 750, None, "undetermined", "3A090.a.2", 5.92),
    (1776, 300.00000000000006, True, "controlled", "3A090.b.2", 5.92),  # a bit less, in the 17th digit
    (1600, 500, True, "controlled", "3A090.b.2", 3.2),
    (1599.9999, 100, True, "not_controlled", "", 15.999999),
    (2400, 1500, True, "controlled", "3A090.b.1", 1.6),
    (3000, None, True, "undetermined", "", None),  # any density
    (3000, 0, True, "undetermined", "", None),  # no die is non-planar: undefined
    (1000, 0, True, "not_controlled", "", None),
    (5000, 0, None, "controlled", "3A090.a.1", None),
    (None, 700, True, "undetermined", "", None),
]


def by_hand(dtype: Any) -> pd.DataFrame:
    columns = {"tpp": [r[0] for r in BY_HAND], AREA: [r[1] for r in BY_HAND], "datacenter": [r[2] for r in BY_HAND]}
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    return frame.astype({"tpp": dtype, AREA: dtype}) if dtype is not None else frame


def compiled(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(perfcore.frames, "FEW_ROWS", few)


def importable(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


BACKED = [
    pytest.param(t, marks=pytest.mark.skipif(not importable("pyarrow"), reason="needs pyarrow"))
    for t in ("double[pyarrow]", "string[pyarrow]")
]


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("dtype", ["float64", "Float64", "string", "category", None, *BACKED])
def test_worked_out_by_hand_in_any_type(dtype: Any, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(monkeypatch, few)
    frame = by_hand(dtype)
    before = frame.copy(deep=True)
    found = check_frame(frame, on=ON)
    assert found["status"].tolist() == [row[3] for row in BY_HAND]
    assert found["paragraphs"].tolist() == [row[4] for row in BY_HAND]
    for row, density in zip(BY_HAND, found["performance_density"], strict=True):
        assert density is pd.NA if row[5] is None else math.isclose(density, row[5], rel_tol=1e-15)
    assert found["error"].isna().all()
    pd.testing.assert_frame_equal(frame, before)  # the input is left alone


def test_types_of_results() -> None:
    found = check_frame(by_hand("float64"), on=ON)
    assert list(found.columns) == [AREA, "datacenter", "tpp", "performance_density", "status", "paragraphs", "error"]
    kinds = {name: str(found[name].dtype) for name in found.columns[2:]}
    assert kinds == {
        "tpp": "Float64",
        "performance_density": "Float64",
        "status": "category",
        "paragraphs": "string",
        "error": "string",
    }
    assert found["status"].cat.categories.tolist() == STATUSES


def test_a_float_quotient_would_err() -> None:
    """Of areas of two decimals, TPP = 5.92 x area is on the threshold; a float division puts some below it."""
    hundredths = range(60_000, 80_000, 7)
    area = [k / 100 for k in hundredths]
    tpp = [float(Fraction(592, 100) * Fraction(k, 100)) for k in hundredths]  # at most four decimals: exact as printed
    assert any(t / a < 5.92 for t, a in zip(tpp, area, strict=True))
    found = check_frame(pd.DataFrame({"tpp": tpp, AREA: area, "datacenter": True}), on=ON)
    assert set(found["paragraphs"]) == {"3A090.a.2"}


CELLS = [
    # a cell of TPP beside an area of 10,000 mm2, and what comes of it
    (Decimal("4799.9999999999999999999999"), "not_controlled"),  # as a float it is 4800
    (Decimal("4800.0"), "controlled"),
    ("4799.99999999999999999999", "not_controlled"),
    (" 4800 ", "controlled"),
    ("4.8e3", "controlled"),
    (np.float32(4799.5), "not_controlled"),
    (np.int64(4800), "controlled"),
    (Fraction(4800), "controlled"),
    (pd.NA, "undetermined"),
    (None, "undetermined"),
    (float("nan"), "undetermined"),
    (pd.NaT, "undetermined"),
    ("", "undetermined"),
    ("nan", "undetermined"),
    (Decimal("sNaN"), "undetermined"),
    (-0.0, "not_controlled"),
]
WRONG = [
    (-1.0, "found '-1.0': negative"),
    (float("inf"), "found 'inf': infinite"),
    ("1,000", "found '1,000': not a number"),
    ("4800 TOPS", "not a number"),
    (True, "found 'True': not a number"),
    ([4800], "found '[4800]': not a number"),
    (10**5000, "not a number"),
    (10**300, "outside"),
    (complex(4800), "not a number"),
]


@pytest.mark.parametrize("few", [0, 10_000])
def test_cells_of_an_object_column(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(monkeypatch, few)
    cells = [cell for cell, _ in (*CELLS, *WRONG)]
    frame = pd.DataFrame({"tpp": pd.Series(cells, dtype=object), AREA: 10_000.0, "datacenter": True})
    found = check_frame(frame, on=ON)
    assert found["status"].tolist()[: len(CELLS)] == [status for _, status in CELLS]
    for (cell, said), error in zip(WRONG, found["error"].tolist()[len(CELLS) :], strict=True):
        assert error.startswith("tpp: found"), cell
        assert said in error
    wrong = found[found["error"].notna()]
    assert wrong[["tpp", "performance_density", "status", "paragraphs"]].isna().all(axis=None)


def test_infinite_and_negative_floats() -> None:
    frame = pd.DataFrame({"tpp": [4800.0, -1.0, np.inf, 4800.0], AREA: [700.0, 700.0, 700.0, -3.0]})
    found = check_frame(frame, on=ON)
    assert found["error"].notna().tolist() == [False, True, True, True]
    assert found["error"][3].startswith("applicable_die_area_mm2: found '-3.0': negative")


def test_a_float32_is_the_decimal_that_it_prints() -> None:
    """4440 / 750.1 is below 5.92; 750.1 as a float32, read as a float64, is 750.0999755859375."""
    for dtype in ("float32", "Float32"):
        frame = pd.DataFrame({"tpp": 4440.592, AREA: pd.Series([750.1], dtype=dtype), "datacenter": True})
        assert check_frame(frame, on=ON)["paragraphs"].tolist() == ["3A090.a.2"]  # 5.92 x 750.1 = 4440.592


def test_whole_numbers_beyond_floats() -> None:
    """2**53 + 1 has no float; Int64 keeps NA."""
    frame = pd.DataFrame({"tpp": pd.Series([2**53 + 1, 4800, None], dtype="Int64"), AREA: 700})
    assert check_frame(frame, on=ON)["status"].tolist() == ["controlled", "controlled", "undetermined"]


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        ([True, False], "bool", ["controlled", "excluded"]),
        ([True, False, None], "boolean", ["controlled", "excluded", "undetermined"]),
        ([1, 0], "int64", ["controlled", "excluded"]),
        ([1.0, 0.0, np.nan], "float64", ["controlled", "excluded", "undetermined"]),
        (["Yes", "no", "unknown", ""], "object", ["controlled", "excluded", "undetermined", "undetermined"]),
    ],
)
def test_datacenter(cells: list[Any], dtype: str, expected: list[str]) -> None:
    frame = pd.DataFrame({"tpp": 4000.0, AREA: 600.0, "datacenter": pd.Series(cells, dtype=dtype)})
    assert check_frame(frame, on=ON)["status"].tolist() == expected


def test_datacenter_that_is_neither() -> None:
    found = check_frame(pd.DataFrame({"tpp": 4000.0, "datacenter": ["maybe", 2]}), on=ON)
    assert found["error"].str.startswith("datacenter: found").all()


def test_intervals() -> None:
    """3000 over 428.5 to 750 mm2 has a density of 4 to 7.001: certainly controlled, the paragraph open."""
    frame = pd.DataFrame(
        {"tpp": [3000.0, 3000.0, 5000.0], f"{AREA}_low": [428.5, 700.0, None], f"{AREA}_high": [750.0, 600.0, 700]}
    )
    found = check_frame(frame, on=ON, facts={"datacenter": True})
    assert found["status"].tolist()[::2] == ["controlled", "controlled"]
    assert found["paragraphs"].tolist()[::2] == ["", "3A090.a.1"]
    assert found["performance_density"].isna().all()
    assert found["performance_density_low"].tolist()[0] == 4.0
    assert found["performance_density_low"].isna().tolist() == [False, True, True]  # the third area may be 0
    assert found["performance_density_high"][0] == pytest.approx(3000 / 428.5, rel=1e-15)
    assert found["performance_density_high"].isna().tolist() == [False, True, True]  # nothing bounds the third
    assert found["tpp_low"].tolist()[::2] == found["tpp_high"].tolist()[::2] == [3000.0, 5000.0]
    assert found["error"][1].startswith("applicable_die_area_mm2_low: found '700.0': above")
    assert pd.isna(found["status"][1])


def test_rates() -> None:
    """300 x 16 = 4800; 600 x 8 = 4800; 4800 given beside 100 x 16 is a contradiction."""
    rates = {"peak_dense_fp16_tflops": [300.0, 100.0, 299.9], "peak_dense_int8_tflops": [None, 600.0, None]}
    found = check_frame(pd.DataFrame({**rates, AREA: 2000.0}), on=ON)
    # A format that is empty is unknown, as in perfcore batch: TPP is then that of the others or more.
    assert found["tpp"].tolist()[1] == 4800.0
    assert found["status"].tolist()[:2] == ["controlled", "controlled"]
    plain = pd.DataFrame({"peak_dense_fp16_tflops": [300.0, 299.9], AREA: 2000.0})
    assert check_frame(plain, on=ON)["status"].tolist()[0] == "controlled"
    assert check_frame(plain, on=ON)["tpp"].tolist() == [4800.0, 4798.4]
    both = check_frame(plain.assign(tpp=[4800, 4800]), on=ON)
    assert both["error"].isna().tolist() == [True, False]
    assert both["error"][1].startswith("tpp: found '4800.0': disagrees with the formats, which give 4798.4")


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["a", "a", "b"], name="design"),
        pd.MultiIndex.from_tuples([("x", 1), ("x", 1), ("y", 2)], names=["family", "n"]),
        pd.DatetimeIndex(["2024-01-01"] * 3),
        pd.CategoricalIndex(["u", "v", "u"]),
        pd.RangeIndex(10, 4, -2),
    ],
    ids=lambda index: type(index).__name__,
)
def test_index_and_other_columns_are_carried_over(index: pd.Index) -> None:
    frame = pd.DataFrame({"tpp": [1.0, -1.0, 5000.0], "maker": ["A", None, "C"], 7: [1, 2, 3], "day": pd.Timestamp(ON)})
    frame = frame.set_axis(index).astype({"maker": "category"})
    frame.insert(0, "maker", [1, 2, 3], allow_duplicates=True)
    found = check_frame(frame, on=ON)
    assert found.index.identical(index)
    others = found.iloc[:, : found.columns.get_loc("tpp")]
    pd.testing.assert_frame_equal(others, frame.drop(columns="tpp"))
    assert found["error"].notna().tolist() == [False, True, False]
    assert check_frame(frame.iloc[:0], on=ON).shape == (0, len(found.columns))


def test_checked_again_it_says_the_same() -> None:
    once = check_frame(by_hand("float64"), on=ON)
    pd.testing.assert_frame_equal(check_frame(once, on=ON), once)


def test_without_a_day_there_are_columns_for_every_version() -> None:
    """An I/O of 600 and 4800 bits x TOPS are controlled from 2022, and as a.1 from 2023."""
    frame = pd.DataFrame({"tpp": [4800.0, 4800.0, -1], AREA: 9000.0, "io_bandwidth_gb_s": [600.0, 599.0, 600]})
    found = check_frame(frame)
    days = ["2022-10-21", "2023-11-17", "2024-04-04", "2024-12-02"]
    expected = [AREA, "io_bandwidth_gb_s", "tpp", "performance_density"]
    expected += [f"{name}_{day}" for day in days for name in ("status", "paragraphs")]
    assert list(found.columns) == [*expected, "error"]
    assert found["status_2022-10-21"].tolist()[:2] == ["controlled", "not_controlled"]
    assert found["paragraphs_2022-10-21"].tolist()[:2] == ["3A090.a", ""]
    assert all(found[f"paragraphs_{day}"].tolist()[:2] == ["3A090.a.1"] * 2 for day in days[1:])
    assert found.iloc[2].drop([AREA, "io_bandwidth_gb_s", "error"]).isna().all()
    for day in days:
        one = check_frame(frame, on=day)
        assert one["status"].equals(found[f"status_{day}"])
        assert one["paragraphs"].equals(found[f"paragraphs_{day}"])


MIDNIGHT = [
    datetime(2024, 1, 1),
    pd.Timestamp(ON),
    np.datetime64(ON),
    np.datetime64(ON, "h"),
    np.datetime64(ON, "ns"),
    pd.Series(pd.to_datetime([ON])).to_numpy()[0],
    pd.Series(pd.to_datetime([ON])).iloc[0],
    np.str_(ON),
]
NO_DAY = [
    datetime(2024, 1, 1, 12),
    datetime(2024, 1, 1, tzinfo=UTC),  # which day it is hangs on where one stands
    pd.Timestamp("2024-01-01 00:00:00.000000001"),
    pd.NaT,
    np.datetime64("2024-01"),
    np.datetime64("2024-01-01T23:59"),
    np.datetime64("NaT", "D"),
    20240101,
    time(0),
]


@pytest.mark.parametrize("day", MIDNIGHT, ids=repr)
def test_a_day_of_pandas_or_numpy(day: Any) -> None:
    """ECCN 3A090 of 17 November 2023 is that of 1 January 2024; the H20 stands below it, the A800 within."""
    assert perfcore.check("h20", on=day).to_dict() == perfcore.check("h20", on=ON).to_dict()
    assert perfcore.check("a800", on=day).on == date(2024, 1, 1)
    found = check_frame(pd.DataFrame({"tpp": [4800.0]}), on=day)
    assert found["paragraphs"].tolist() == ["3A090.a.1"]
    rule = perfcore.rules.load("us_eccn_3a090")
    assert rule.in_force(day) == rule.in_force(date(2024, 1, 1))


@pytest.mark.parametrize("day", NO_DAY, ids=repr)
def test_a_time_that_is_no_day(day: Any) -> None:
    with pytest.raises(PerfcoreError, match=r"^on: found .*; allowed: YYYY-MM-DD, a date, or midnight"):
        perfcore.check("h20", on=day)
    with pytest.raises(PerfcoreError, match=r"^on: found "):
        perfcore.rules.load("us_eccn_3a090").in_force(day)


def test_before_the_first_version_nothing_is_controlled() -> None:
    found = check_frame(by_hand("float64"), on="2022-10-20")
    assert set(found["status"]) == {"not_controlled"}
    assert set(found["paragraphs"]) == {""}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("on", ["2022-12-01", ON])
def test_random_designs_agree_with_the_oracle(on: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime

    compiled(monkeypatch, 0)
    designs = [as_floats(oracle.random_design(random.Random(1000 * seed + n))) for n in range(300)]
    found = check_frame(pd.DataFrame(as_table(designs, spans=True)), on=on)
    for design, status, paragraphs in zip(designs, found["status"], found["paragraphs"], strict=True):
        expected = oracle.decide(design, datetime.date.fromisoformat(on))
        assert (status, tuple(filter(None, paragraphs.split(";")))) == expected, design


@given(
    st.lists(
        st.tuples(*[st.one_of(st.none(), st.floats(), st.sampled_from(["", "x", "4800", "-1", "1,0", "NaN"]))] * 2),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_frames_say_what_csv_says(rows: list[tuple[Any, Any]], loops: bool) -> None:
    """The cells of a frame, written as text, give in ``perfcore batch`` the same verdicts and errors."""
    import tempfile

    frame = pd.DataFrame(
        {"tpp": pd.Series([r[0] for r in rows], dtype=object), AREA: pd.Series([r[1] for r in rows], dtype=object)}
    )
    few, perfcore.frames.FEW_ROWS = perfcore.frames.FEW_ROWS, 0 if loops else 10_000
    try:
        found = check_frame(frame, on=ON)
    finally:
        perfcore.frames.FEW_ROWS = few
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.csv")
        lines = [",".join(["" if c is None else f'"{c}"' for c in (n, *row)]) for n, row in enumerate(rows)]
        source.write_text("\n".join([f"n,tpp,{AREA}", *lines]))
        result = perfcore.check_table(source, Path(folder, "out.csv"), ON)
        written = pd.read_csv(result.output, keep_default_na=False).set_index("n")
    good = found[found["error"].isna()]
    assert result.errors == len(found) - len(good)
    assert written["status"].tolist() == good["status"].tolist()
    assert written["paragraphs"].tolist() == good["paragraphs"].tolist()


def test_large_frames_are_decided_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.concat([by_hand("float64")] * 10, ignore_index=True)
    frame.loc[[17, 99], "tpp"] = -1.0
    whole = check_frame(frame, on=ON)
    monkeypatch.setattr(perfcore.frames, "STRETCH", 7)
    pd.testing.assert_frame_equal(check_frame(frame, on=ON), whole)
    assert np.flatnonzero(whole["error"].notna()).tolist() == [17, 99]


def test_facts_speak_of_all_rows() -> None:
    frame = pd.DataFrame({"tpp": [4000.0, 4000.0], AREA: [600.0, None], "datacenter": [False, None]})
    assert check_frame(frame, on=ON, facts={"datacenter": True})["status"].tolist() == ["controlled", "undetermined"]
    area = {"low": 500, "high": Decimal("675.67")}
    found = check_frame(frame, on=ON, facts={"datacenter": True, AREA: area})
    assert found["paragraphs"].tolist() == ["3A090.a.2"] * 2  # 4000 / 675.67 = 5.9200...
    assert found["performance_density_high"].tolist() == [8.0, 8.0]
    assert found[AREA].tolist()[0] == 600.0  # what the frame holds is carried over as it is
    assert check_frame(frame, on=ON, facts={"tpp": Decimal("4799.9999999999999999999")})["tpp"].tolist() == [4800.0] * 2
    assert check_frame(frame, on=ON, facts={"datacenter": np.bool_(False), AREA: np.int64(600)})["status"].tolist() == [
        "excluded",
        "excluded",
    ]
    rates = pd.DataFrame({"peak_dense_fp16_tflops": [100.0], AREA: [600.0]})
    assert check_frame(rates, on=ON, facts={"tpp": 5000})["status"].tolist() == ["controlled"]


class NotAFrame:
    """Something else."""


@pytest.mark.parametrize(
    ("frame", "options", "said"),
    [
        (NotAFrame(), {}, "allowed: a pandas DataFrame"),
        ([{"tpp": 1}], {}, "found a builtins.list"),
        (pd.Series([1.0], name="tpp"), {}, "found a pandas.Series"),
        (pd.DataFrame(), {}, "no column perfcore knows"),
        (pd.DataFrame({"design": [1], 3: [2]}), {}, "no column perfcore knows"),
        (pd.DataFrame([[1.0, 2.0]], columns=["tpp", "tpp"]), {}, "column 'tpp' stands twice"),
        (pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("tpp", "x")])), {}, "columns of 2 levels"),
        (pd.DataFrame({"tpp": [1 + 2j]}), {}, "column 'tpp' holds complex128"),
        (pd.DataFrame({"tpp": pd.to_datetime([ON])}), {}, "column 'tpp' holds datetime64"),
        (pd.DataFrame({"tpp": pd.to_timedelta([1])}), {}, "holds timedelta64"),
        (pd.DataFrame({AREA: pd.arrays.IntervalArray.from_breaks([1.0, 2.0])}), {}, "as two columns, _low and _high"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": "2024-13-01"}, "2024-13-01"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": ON, "facts": {"colour": 1}}, "facts: found 'colour'; allowed: tpp"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": ON, "facts": {"datacenter": "maybe"}}, "facts: datacenter: found"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": ON, "facts": {AREA: -1}}, "negative"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": ON, "facts": ["datacenter"]}, "facts: found a list; allowed: names and"),
        (pd.DataFrame({"tpp": [1.0]}), {"on": ON, "facts": {AREA: float("nan")}}, "not a number"),
    ],
)
def test_mistakes_are_one_line(frame: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        check_frame(frame, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_column_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="column 'TPP' is not read; did you mean tpp") as seen:
        check_frame(pd.DataFrame({"TPP": [5000.0], AREA: [700.0]}), on=ON)
    assert seen[0].filename == __file__


def test_pyarrow_is_not_needed() -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'pyarrow': raise ImportError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import pandas as pd, perfcore\n"
        "f = pd.DataFrame({'tpp': [4800, None, '1,000'], 'applicable_die_area_mm2': 700.0})\n"
        "f = perfcore.check_frame(f, on='2024-01-01')\n"
        "print(f['status'].tolist(), f['paragraphs'].dtype, f['error'].notna().tolist())"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.split("\n")[0] == "['controlled', 'undetermined', nan] string [False, False, True]", run.stderr


def test_no_warning_from_pandas_or_numpy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_frame(by_hand("float64").assign(error="x", status=1), on=ON)


@pytest.mark.parametrize("on", ["2022-12-01", ON, "2026-02-01"])
def test_the_catalogue_as_check_says(on: str) -> None:
    """``check``, ``chips_frame``, and ``check_frame`` of what it returns, of every chip."""
    found = perfcore.chips_frame(on)
    again = check_frame(found, on=on)
    assert list(found.index) == list(perfcore.chips.ids())
    assert again.index.identical(found.index)
    for chip, row in found.iterrows():
        verdict = perfcore.check(chip, on=on)
        expected = (verdict.status, ";".join(verdict.paragraphs))
        assert (row["status"], row["paragraphs"]) == expected, chip
        assert tuple(again.loc[chip, ["status", "paragraphs"]]) == expected, chip


def test_chips_of_the_frame_are_typed_from_their_files() -> None:
    """H20: 148 dense FP16 TFLOPS x 16, 814 mm2, and the weakest of its marks in specs/chips."""
    found = perfcore.chips_frame()
    h20 = found.loc["nvidia_h20_sxm_96gb"]
    assert (h20["name"], h20["vendor"], h20["tpp"], h20["applicable_die_area_mm2"]) == (
        "NVIDIA H20 SXM 96 GB",
        "NVIDIA",
        2368.0,
        814.0,
    )
    assert h20["status_2022-10-21"] == h20["status_2023-11-17"] == "not_controlled"
    assert str(found["launched"].dtype).startswith("datetime64")
    assert {str(found[name].dtype) for name in ("tpp", "performance_density", "io_bandwidth_gb_s_low")} == {"Float64"}
    assert found["weakest_mark"].cat.ordered
    assert found["weakest_mark"].cat.categories[0] == "datasheet"
    spread = found[found["applicable_die_area_mm2_low"].notna()]
    assert len(spread)
    assert spread["applicable_die_area_mm2"].isna().all()


def test_a_timeline_as_a_frame() -> None:
    timeline = perfcore.check("a800")
    found = timeline.to_frame()
    assert found.index.tolist() == [pd.Timestamp(v.on) for v in timeline.verdicts]
    assert found.loc["2023-11-17", ["status", "paragraphs"]].tolist() == ["controlled", "3A090.a.1;3A090.a.2"]
    assert found.loc["2022-10-21", ["status", "paragraphs", "version"]].tolist() == ["not_controlled", "", "2022-10-21"]


def test_rows_of_a_validation_as_a_frame(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(
        "row_id,model,chip,n_chips,precision,gbs_seqs,seq,step_time_s\n"
        "one,llama3_8b,H100-SXM-80GB,8,bf16,128,8192,12\ntwo,llama3_8b,no such chip,8,bf16,128,8192,12\n"
    )
    result = perfcore.validate(table)
    found = result.to_frame()
    assert found["row_id"].tolist() == ["one", "two"]
    assert found["skipped"].isna().tolist() == [True, False]
    assert str(found["predicted"].dtype) == "Float64"
    assert found["predicted_interval_low"][0] < found["predicted"][0] < found["predicted_interval_high"][0]
    assert pd.isna(found["predicted"][1])


def test_claims_as_a_frame() -> None:
    several = [perfcore.claims.judge(perfcore.claims.load(name)) for name in perfcore.claims.ids()[:5]]
    found = perfcore.claims.to_frame(several)
    assert found.index.tolist() == list(perfcore.claims.ids()[:5])
    assert set(found["outcome"]) <= {"holds", "fails", "undetermined", "not_computed"}
    assert found["source_title"].notna().all()
