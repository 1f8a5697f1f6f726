"""How fast tables are checked: compiled loops beside memory; numpy, pandas and polars; Parquet beside a plain copy.

Parts of ``benchmarks/run.py``. Every speed stands beside a reference measured in the same run, turn by turn, since the
memory of a shared machine is not the same from one hour to the next. The reference of the loops reads the same columns,
adds them and writes a byte a row. Times are the best of several.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from perfcore import check_table
from perfcore.answer_cells import answers_of
from perfcore.kernels.classify import LIMITS, WORD_LIMITS, by_density, by_rates, law_of
from perfcore.rules import THE_RULE, load
from perfcore.tables.designs import AREA, Designs, decide

CHUNK = 262_144


@numba.njit(nogil=True, error_model="numpy")
def read_three(a: Any, b: Any, fact: Any, out: Any) -> None:
    for i in range(a.shape[0]):
        out[i] = np.uint8(a[i] + b[i] > 3.0) + np.uint8(fact[i])


@numba.njit(nogil=True, error_model="numpy")
def read_rates(a: Any, b: Any, c: Any, out: Any) -> None:
    for i in range(a.shape[0]):
        out[i] = np.uint8(a[i] + b[i] + c[i] > 3.0)


def designs(rows: int, kind: str) -> dict[str, Any]:
    """Make columns: random floats, decimals of one digit, or every row on a threshold of performance density."""
    rng = np.random.default_rng(1)
    area = rng.uniform(100, 900, rows) if kind == "random" else rng.integers(1000, 9000, rows) / 10
    tpp = rng.uniform(100, 9000, rows) if kind == "random" else rng.integers(1000, 90000, rows) / 10
    if kind == "on thresholds":
        tpp = np.round(area * rng.choice([1.6, 3.2, 5.92], rows), 3)
    made = {"tpp": tpp, AREA: area, "io_bandwidth_gb_s": rng.uniform(10, 1000, rows)}
    made["dram_bandwidth_gb_s"] = rng.uniform(100, 8000, rows)
    return made | {"fact": rng.integers(-1, 2, rows).astype(np.int8)}


def law_on(day: str) -> Any:
    answers = answers_of(load(THE_RULE).in_force(date.fromisoformat(day)))
    assert answers is not None
    return law_of(answers)


def whole_arrays(columns: dict[str, Any], law: Any) -> Any:
    """Say the same with numpy, a whole column at a time."""
    tpp, density = columns["tpp"], columns["tpp"] / columns[AREA]
    cuts, starts = law.cuts, law.starts
    step = sum((tpp >= cut).astype(np.int64) for cut in cuts[starts[0] : starts[1]])
    level = sum((density >= cut).astype(np.int64) for cut in cuts[starts[1] : starts[2]])
    return law.codes[(step * law.sizes[1] + level) * 3 + columns["fact"] + 1]


def row_by_row(columns: dict[str, Any], law: Any, rows: int) -> Any:
    """Say the same with pandas, a row at a time."""
    t, d = law.cuts[law.starts[0] : law.starts[1]].tolist(), law.cuts[law.starts[1] : law.starts[2]].tolist()
    codes, wide = law.codes.tolist(), int(law.sizes[1])

    def one(row: Any) -> int:
        step = sum(row["tpp"] >= cut for cut in t)
        level = sum(row["tpp"] / row[AREA] >= cut for cut in d)
        found: int = codes[(step * wide + level) * 3 + int(row["fact"]) + 1]
        return found

    return pd.DataFrame({name: column[:rows] for name, column in columns.items()}).apply(one, axis=1)


def best_of(several: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Time several calls turn by turn and return the least of each [s]."""
    for call in several.values():
        call()
    found = dict.fromkeys(several, float("inf"))
    for _ in range(turns):
        for name, call in several.items():
            start = time.perf_counter()
            call()
            found[name] = min(found[name], time.perf_counter() - start)
    return found


def in_chunks(loop: Any, columns: list[Any], extra: tuple[Any, ...], out: Any, threads: int) -> Callable[[], None]:
    rows = len(out)
    starts = list(range(0, rows, CHUNK)) if threads > 1 else [0]
    size = CHUNK if threads > 1 else rows

    def one(start: int) -> None:
        loop(*(column[start : start + size] for column in columns), *extra, out[start : start + size])

    def run() -> None:
        if threads == 1:
            one(0)
        else:
            list(pool.map(one, starts))

    pool = ThreadPoolExecutor(threads)
    return run


def loops(rows: int, turns: int, threads: list[int]) -> list[dict[str, Any]]:
    """The branch-free loops against reading and writing the same bytes."""
    columns = designs(rows, "random")
    out = np.empty(rows, dtype=np.uint8)
    now, then = law_on("2026-02-01"), law_on("2022-12-01")
    tpp, area, io, fact = columns["tpp"], columns[AREA], columns["io_bandwidth_gb_s"], columns["fact"]
    cases = {
        "rules since 2023 (tpp, area, datacenter: 18 B a row)": (
            (by_density, [tpp, area, fact], (now.fast[0], now.fast[1], WORD_LIMITS)),
            (read_three, [tpp, area, fact], ()),
        ),
        "rules of 2022 (tpp, io, bits: 25 B a row)": (
            (by_rates, [io, tpp, tpp.copy()], (then.fast[0], LIMITS)),
            (read_rates, [io, tpp, tpp.copy()], ()),
        ),
    }
    found = []
    for name, (law, memory) in cases.items():
        for count in threads:
            calls = {"law": in_chunks(*law, out, count), "memory": in_chunks(*memory, out, count)}
            least = best_of(calls, turns)
            found.append(
                {
                    "case": name,
                    "threads": count,
                    "designs_per_s": round(rows / least["law"]),
                    "reading_per_s": round(rows / least["memory"]),
                    "share_of_reading": round(least["memory"] / least["law"], 3),
                }
            )
    return found


def in_polars(columns: dict[str, Any], law: Any) -> Callable[[], Any] | None:
    """Say the same with polars, whole columns on all cores; None where it is not installed."""
    try:
        import polars as pl
    except ImportError:
        return None
    t, d = law.cuts[law.starts[0] : law.starts[1]].tolist(), law.cuts[law.starts[1] : law.starts[2]].tolist()
    frame, codes, wide = pl.DataFrame(columns), pl.Series("code", law.codes), int(law.sizes[1])
    density = pl.col("tpp") / pl.col(AREA)
    step = pl.sum_horizontal([(pl.col("tpp") >= cut).cast(pl.UInt32) for cut in t])
    level = pl.sum_horizontal([(density >= cut).cast(pl.UInt32) for cut in d])
    place = (step * wide + level) * 3 + (pl.col("fact") + 1).cast(pl.UInt32)
    return lambda: frame.lazy().select(pl.lit(codes).gather(place)).collect()


def decided(columns: dict[str, Any], law: Any, threads: int) -> Callable[[], None]:
    """Return a call of perfcore on columns, in threads over stretches of them."""
    rows = len(columns["tpp"])
    pool = ThreadPoolExecutor(threads)
    size = rows if threads == 1 else CHUNK

    def one(start: int) -> None:
        decide(as_designs({name: column[start : start + size] for name, column in columns.items()}), law)

    return lambda: [None for _ in pool.map(one, range(0, rows, size))] and None


def methods(rows: int, turns: int, threads: list[int]) -> dict[str, Any]:
    """The same question by other means, on the same columns."""
    law = law_on("2026-02-01")
    columns = designs(rows, "random")
    few = min(rows, 20_000)
    calls: dict[str, Callable[[], Any]] = {
        f"perfcore, {count} thread{'' if count == 1 else 's'}": decided(columns, law, count) for count in threads
    }
    calls["numpy, whole arrays"] = lambda: whole_arrays(columns, law)
    polars = in_polars(columns, law)
    if polars is not None:
        calls["polars, whole columns, all cores"] = polars
    least = best_of(calls, turns)
    rates = {name: rows / seconds for name, seconds in least.items()}
    rates["pandas, apply"] = few / best_of({"pandas": lambda: row_by_row(columns, law, few)}, 1)["pandas"]
    own = next(iter(rates.values()))
    found = [
        {"method": name, "designs_per_s": round(rate), "perfcore_is_times_as_fast": round(own / rate, 2)}
        for name, rate in rates.items()
    ]
    _agree(columns, law, few, polars)
    return {
        "rows": rows,
        "methods": found,
        "absent": [] if polars is not None else ["polars"],
        "left_to_exact_arithmetic": {
            kind: _left(few, kind, law) for kind in ("random", "one decimal", "on thresholds")
        },
    }


def _left(rows: int, kind: str, law: Any) -> float:
    """Return the share of rows that the loops leave to exact arithmetic."""
    return round(float((decide(as_designs(designs(rows, kind)), law).codes == 255).mean()), 5)


def _agree(columns: dict[str, Any], law: Any, few: int, polars: Callable[[], Any] | None) -> None:
    """Hold the methods against each other: all say the same of random designs, none of which is on a threshold."""
    own, by_numpy = decide(as_designs(columns), law).codes, whole_arrays(columns, law)
    settled = own != 255
    assert settled.mean() > 0.999
    assert np.array_equal(own[settled], by_numpy[settled]), "numpy disagrees"
    assert np.array_equal(row_by_row(columns, law, few).to_numpy()[settled[:few]], own[:few][settled[:few]])
    assert polars is None or np.array_equal(polars().to_numpy().ravel()[settled], own[settled]), "polars disagrees"


def as_designs(columns: dict[str, Any]) -> Designs:
    return Designs({name: column for name, column in columns.items() if name != "fact"}, columns["fact"])


def write_table(path: Path, rows: int, kind: str = "random", group: int = 1_000_000) -> None:
    """Write a Parquet table group by group."""
    schema = pa.schema(
        [
            ("design", pa.int64()),
            *((name, pa.float64()) for name in ("tpp", AREA, "io_bandwidth_gb_s", "dram_bandwidth_gb_s")),
            ("datacenter", pa.bool_()),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, group):
            size = min(group, rows - start)
            columns = designs(size, kind)
            fact = columns.pop("fact")
            arrays = [pa.array(np.arange(start, start + size)), *(pa.array(column) for column in columns.values())]
            arrays.append(pa.array(fact > 0, mask=fact < 0))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=group)


def copy_table(source: Path, target: Path) -> None:
    """Read and write a table, as pyarrow does it by itself."""
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, file.schema_arrow) as writer:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group))


def end_to_end(rows: int, turns: int, threads: list[int], folder: Path) -> list[dict[str, Any]]:
    """Parquet in, Parquet out, beside a plain copy."""
    found = []
    source = folder / "in.parquet"
    for kind in ("random", "one decimal"):
        write_table(source, rows, kind)
        calls: dict[str, Callable[[], Any]] = {"copy": lambda: copy_table(source, folder / "copy.parquet")}
        for count in threads:
            calls[f"{count}"] = lambda count=count: check_table(
                source, folder / "out.parquet", "2026-02-01", workers=count
            )
        least = best_of(calls, turns)
        for count in threads:
            found.append(
                {
                    "table": kind,
                    "rows": rows,
                    "threads": count,
                    "rows_per_s": round(rows / least[f"{count}"]),
                    "times_plain_copy": round(least[f"{count}"] / least["copy"], 2),
                    "copy_rows_per_s": round(rows / least["copy"]),
                }
            )
    return found
