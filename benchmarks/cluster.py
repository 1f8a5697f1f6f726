"""What Dask costs: the same job serial, in threads or processes, and on a LocalCluster of loopback; same bytes.

Part of ``benchmarks/run.py``. The cluster is there before the clock starts; each run connects to it, which is counted.
"""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch import write_designs
from growth import RANGE
from scale import write_table

from perfcore import check_table
from perfcore.design import design_space

ON = "2024-01-01"


def timed(call: Callable[[], Any], turns: int) -> float:
    """Return the shortest of several runs [s]."""
    spent = []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return min(spent)


def tables(folder: Path, rows: int, addresses: dict[int, str], turns: int) -> list[dict[str, Any]]:
    """A CSV and a Parquet table; by the number of workers, without and with Dask."""
    found = []
    write_designs(folder / "in.csv", rows // 10)
    write_table(folder / "in.parquet", rows, group=max(1, rows // 10))
    for kind, size in (("csv", rows // 10), ("parquet", rows)):
        source, part = folder / f"in.{kind}", max(1, size // 10)
        seconds: dict[tuple[str, int], float] = {}
        kept: set[bytes] = set()
        for workers, address in addresses.items():
            for how, options in (("alone", {"workers": workers}), ("dask", {"scheduler": address})):
                target = folder / f"out.{kind}"

                def run(target: Path = target, options: Any = options, source: Path = source, part: int = part) -> None:
                    check_table(source, target, ON, part_rows=part, **options)

                run()  # loads what the workers need
                seconds[how, workers] = timed(run, turns)
                kept.add(target.read_bytes())
        assert len(kept) == 1, "Dask gave other bytes"
        found += [row(f"table, {kind}", size, 10, workers, seconds) for workers in addresses]
    return found


def designs(grid: str, addresses: dict[int, str], turns: int) -> list[dict[str, Any]]:
    """Search a grid of designs."""
    seconds: dict[tuple[str, int], float] = {}
    count = 0
    for workers, address in addresses.items():
        for how, options in (("alone", {"threads": workers}), ("dask", {"scheduler": address})):

            def run(options: Any = options) -> None:
                nonlocal count
                count = design_space(ON, grid=grid, **options).to_dict()["designs"]

            run()
            seconds[how, workers] = timed(run, turns)
    return [row("designs", count, -(-count // RANGE), workers, seconds) for workers in addresses]


def row(job: str, size: int, tasks: int, workers: int, seconds: dict[tuple[str, int], float]) -> dict[str, Any]:
    """Return one line: the job alone and on Dask with as many workers."""
    alone, dask = seconds["alone", workers], seconds["dask", workers]
    found = {"job": job, "work": size, "tasks": tasks, "workers": workers}
    found |= {"alone_s": round(alone, 3), "dask_s": round(dask, 3), "dask_over_alone": round(dask / alone, 2)}
    return {**found, "overhead_ms_per_task": round(1000 * (dask - alone) / tasks, 1)}


def measured(folder: Path, rows: int, grid: str, turns: int) -> list[dict[str, Any]] | None:
    """Return what Dask costs, or None where it is not installed."""
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
    try:
        from distributed import LocalCluster
    except ImportError:
        return None
    made: dict[int, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for count in (1, 2):
                options = {"n_workers": count, "threads_per_worker": 1, "processes": True, "protocol": "tcp"}
                made[count] = LocalCluster(**options, host="127.0.0.1", dashboard_address=None)
            addresses = {count: each.scheduler_address for count, each in made.items()}
            return [*tables(folder, rows, addresses, turns), *designs(grid, addresses, turns)]
        finally:
            for each in made.values():
                each.close()
