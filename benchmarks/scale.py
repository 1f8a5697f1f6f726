"""How fast tables are checked: compiled loops beside memory, numpy and pandas; Parquet and CSV beside plain copies.

    python benchmarks/scale.py [--quick] [-o FILE.json]

Every speed stands beside a reference measured in the same run, turn by turn, since the memory of a shared machine is
not the same from one hour to the next. The reference of the loops reads the same columns, adds them and writes a byte a
row. Times are the best of several; the load before and after is written down. Needs the extra parquet.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
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
                    "memory_per_s": round(rows / least["memory"]),
                    "share_of_memory": round(least["memory"] / least["law"], 3),
                }
            )
    return found


def methods(rows: int, turns: int) -> list[dict[str, Any]]:
    """The same question by other means, and what rows on thresholds cost."""
    law = law_on("2026-02-01")
    columns = designs(rows, "random")
    few = min(rows, 20_000)
    calls: dict[str, Callable[[], Any]] = {
        "perfcore, columns to codes and densities": lambda: decide(as_designs(columns), law),
        "numpy, whole arrays, not exact on thresholds": lambda: whole_arrays(columns, law),
    }
    least = best_of(calls, turns)
    found = [{"method": name, "designs_per_s": round(rows / seconds)} for name, seconds in least.items()]
    seconds = best_of({"pandas": lambda: row_by_row(columns, law, few)}, 1)["pandas"]
    found.append({"method": "pandas, apply, not exact on thresholds", "designs_per_s": round(few / seconds)})
    for kind in ("one decimal", "on thresholds"):
        left = float((decide(as_designs(designs(few, kind)), law).codes == 255).mean())
        found.append({"method": f"rows left to exact arithmetic: {kind}", "share": round(left, 5)})
    return found


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


ONE = """
import sys, time
start = time.perf_counter()
from perfcore import check_table
check_table(sys.argv[1], sys.argv[2], "2026-02-01")
seconds = time.perf_counter() - start
# Of this process alone: what getrusage says starts from the process that began it.
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(seconds, peak[0] if peak else 0)
"""


def growth(sizes: list[int], folder: Path) -> list[dict[str, Any]]:
    """What a table costs from a fresh process, by its size: time and the largest memory."""
    found = []
    for ending in ("parquet", "csv"):
        for rows in sizes:
            if ending == "csv" and rows > 1_000_000:
                continue
            source = folder / f"growth.{ending}"
            write_table(folder / "growth.parquet", rows)
            if ending == "csv":
                from pyarrow import csv

                csv.write_csv(pq.read_table(folder / "growth.parquet"), source)
            command = [sys.executable, "-c", ONE, str(source), str(folder / f"grown.{ending}")]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            size = source.stat().st_size
            found.append(
                {
                    "format": ending,
                    "rows": rows,
                    "input_mb": round(size / 1e6, 1),
                    "seconds": round(float(said[0]), 3),
                    "rows_per_s": round(rows / float(said[0])),
                    "memory_mb": round(int(said[1]) / 1024),
                }
            )
    return found


def shown(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    for row in rows:
        cells = (f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}" for key, value in row.items())
        print("  " + ", ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small tables, a minute in all")
    parser.add_argument("--largest", type=int, default=0, help="rows of the largest table of the growth part")
    parser.add_argument("-o", dest="output", type=Path)
    given = parser.parse_args()
    rows, turns = (4_000_000, 5) if given.quick else (20_000_000, 15)
    threads = [count for count in (1, 2, 4, 8) if count <= (os.cpu_count() or 1)]
    sizes = [10**power for power in range(3, 7 if given.quick else 8)]
    sizes += [given.largest] if given.largest else []
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
            "loops": loops(rows, turns, threads),
            "methods": methods(rows // 4, turns),
            "parquet": end_to_end(rows // 4, 3, threads, folder),
            "growth": growth(sizes, folder),
        }
    result |= {"load_before": before, "load_after": os.getloadavg()}
    for part in ("loops", "methods", "parquet", "growth"):
        shown(part, result[part])  # type: ignore[arg-type]
    print(f"\nload before {before[0]:.1f}, after {os.getloadavg()[0]:.1f}")
    if given.output:
        given.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
