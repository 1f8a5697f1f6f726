"""What work costs as it grows, each size in a process of its own: time, and the largest memory.

Parts of ``benchmarks/run.py``; one size is ``python benchmarks/growth.py columns 1000000``. Tables are files, read and
written; columns are made from the index of each row, range by range, and classified, so that a billion rows need no
file; designs are ranges of a grid. The time of a table is that of a fresh process with all it imports; those of
columns and designs start when the compiled loops are loaded.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RANGE = 1_048_576


def one_table(source: str) -> dict[str, Any]:
    """Check a table from the start of the process on."""
    start = time.perf_counter()
    from perfcore import check_table

    path = Path(source)
    found = check_table(path, path.with_name(f"grown{path.suffix}"), "2026-02-01")
    return {"work": found.rows, "seconds": time.perf_counter() - start}


def one_columns(rows: int) -> dict[str, Any]:
    """Classify rows that are made from their numbers."""
    import numba
    import numpy as np
    from scale import AREA, Designs, decide, law_on

    law, names = law_on("2026-02-01"), ("tpp", AREA, "io_bandwidth_gb_s", "dram_bandwidth_gb_s")
    top = (9000.0, 900.0, 1000.0, 8000.0)

    @numba.njit(nogil=True)
    def made(first: int, place: int, most: float, out: Any) -> None:
        """Write numbers from 100 up that follow from the row and the column alone (splitmix64)."""
        for i in range(out.shape[0]):
            z = np.uint64((first + i) * 4 + place) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            out[i] = 100.0 + (most - 100.0) * np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53

    def one(first: int, last: int) -> Any:
        size = min(RANGE, last - first)
        columns = {name: np.empty(size) for name in names}
        for place, (most, column) in enumerate(zip(top, columns.values(), strict=True)):
            made(first, place, most, column)
        fact = (columns["io_bandwidth_gb_s"].view(np.uint64) % 3).astype(np.int8) - np.int8(1)
        return np.bincount(decide(Designs(columns, fact), law).codes, minlength=256)

    one(0, 1000)  # compiles, or loads
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = sum(pool.map(lambda first: one(first, rows), range(0, rows, RANGE)))
    assert int(counts.sum()) == rows
    return {"work": rows, "seconds": time.perf_counter() - start}


def one_designs(most: int) -> dict[str, Any]:
    """Search about so many designs of the grid of a billion."""
    import design

    from perfcore.design_grid import Grid
    from perfcore.design_loads import Task, load_of

    grid, limits, b, boxes = design.asked("billion")
    axes, left = [], most
    for axis in reversed(grid.values):
        axes.append(axis[: max(1, left)])
        left = max(1, left // len(axes[-1]))
    part = grid if most >= 10**9 else Grid("part", tuple(reversed(axes)))
    task = load_of(Task(ignore_capacity=True), 8.92e-6, [])
    design.search(design.Ranges(design._first(grid), limits, b, task, boxes), threads=1)  # compiles, or loads
    found = design.search(design.Ranges(part, limits, b, task, boxes))
    return {"work": found.designs, "seconds": found.seconds}


KINDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "table": one_table,
    "columns": lambda rows: one_columns(int(rows)),
    "designs": lambda rows: one_designs(int(rows)),
}


def peak_mb() -> int | None:
    """Return the largest memory of this process; what getrusage says would start from the process that began it."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peak = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")]
    return round(int(peak[0]) / 1024) if peak else None


def grown(kind: str, asked: object) -> dict[str, Any]:
    """Run one size in a process of its own."""
    command = [sys.executable, __file__, kind, str(asked)]
    said: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return {**said, "per_s": round(said["work"] / said["seconds"]), "seconds": round(said["seconds"], 4)}


def tables(sizes: list[int], most_csv: int, folder: Path) -> list[dict[str, Any]]:
    """Tables of each size, Parquet and CSV."""
    import pyarrow.parquet as pq
    from pyarrow import csv
    from scale import write_table

    found = []
    for rows in sizes:
        source = folder / "growth.parquet"
        write_table(source, rows)
        for path in (source, source.with_suffix(".csv")):
            if path.suffix == ".csv":
                if rows > most_csv:
                    continue
                csv.write_csv(pq.read_table(source), path)
            row = grown("table", path)
            found.append({"kind": f"table, {path.suffix[1:]}", **row, "input_mb": round(path.stat().st_size / 1e6, 1)})
    return found


def sweep(grid: str) -> dict[str, Any]:
    """Time a whole command: counts, best designs and fronts of a grid under every version of the rule."""
    command = ["perfcore", "design", "--on", "2026-02-01", "--grid", grid, "--sweep", "--json"]
    start = time.perf_counter()
    said = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, check=True).stdout
    return {"grid": grid, "seconds": round(time.perf_counter() - start, 2), "answer_mb": round(len(said) / 1e6, 2)}


if __name__ == "__main__":
    print(json.dumps({**KINDS[sys.argv[1]](sys.argv[2]), "memory_mb": peak_mb()}))
