"""Every benchmark of speed in one command: figures as JSON, and the page made of them.

    python benchmarks/run.py            writes docs/benchmarks.json and docs/benchmarks.md; about five minutes
    python benchmarks/run.py --quick    small sizes, to see that all of it runs; prints, writes nothing
    python benchmarks/run.py --only loops,parquet

A figure is worth something beside the reference that was measured with it, not by itself: each part measures both in
the same run, turn by turn, and what else the machine did between the parts is written down. Nothing here is a test. Run
it on a machine that does nothing else. Needs the extra parquet; dask and polars are left out where they are absent.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import batch
import cluster
import design
import growth
import scale
import search
import start

from perfcore import __version__
from perfcore.measure.cpu import other_load
from perfcore.measure.host import look

DOCS = Path(__file__).resolve().parents[1] / "docs"
PACKAGES = ("numpy", "numba", "pandas", "polars", "pyarrow", "distributed")


class Sizes(NamedTuple):
    """How much is measured."""

    rows: int  # of the columns read by the loops; tables have a quarter
    turns: int
    sweep: str  # the grid of the whole command
    powers: range  # of ten, of what grows
    most_table: int
    most_csv: int
    cluster_rows: int


FULL = Sizes(20_000_000, 15, "billion", range(3, 10), 10**7, 10**6, 4_000_000)
QUICK = Sizes(1_000_000, 3, "small", range(3, 7), 10**5, 10**4, 100_000)
THREADS = [1, 2, 4]


def parts(sizes: Sizes, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what is measured, by name."""
    grown = [10**power for power in sizes.powers]
    return {
        "loops": lambda: scale.loops(sizes.rows, sizes.turns, THREADS),
        "methods": lambda: scale.methods(sizes.rows // 4, sizes.turns, THREADS),
        "parquet": lambda: scale.end_to_end(sizes.rows // 4, 3, THREADS, folder),
        "csv": lambda: batch.measured(sizes.most_csv // 5),
        "plans": search.measured,
        "designs": lambda: design.measured(threads=THREADS),
        "growth": lambda: [
            *growth.tables([size for size in grown if size <= sizes.most_table], sizes.most_csv, folder),
            *({"kind": kind, **growth.grown(kind, size)} for kind in ("columns", "designs") for size in grown),
        ],
        "sweep": lambda: growth.sweep(sizes.sweep),
        "dask": lambda: cluster.measured(folder, sizes.cluster_rows, "full", 3),
        "start": start.measured,
    }


def machine() -> dict[str, Any]:
    """Return what the figures are of."""
    packages: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    used = {"python": platform.python_version(), "perfcore": __version__, "packages": packages}
    return {"processor": look().name, "cores": os.cpu_count(), **used}


def measured(sizes: Sizes, wanted: list[str]) -> dict[str, Any]:
    """Measure what is wanted, and before each part how busy the machine is with something else."""
    on, cores = datetime.now(UTC).date().isoformat(), look().cores
    result: dict[str, Any] = {"on": on, "machine": machine(), "sizes": {**sizes._asdict(), "powers": [*sizes.powers]}}
    beside, first = {}, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in parts(sizes, Path(folder)).items():
            if name in wanted:
                beside[name] = other_load(cores)
                begun = time.perf_counter()
                result[name] = measure()
                print(f"{name}: {time.perf_counter() - begun:.0f} s, beside it {beside[name]}", file=sys.stderr)
    beside["after"] = other_load(cores)
    return {**result, "busy_beside": beside, "seconds": round(time.perf_counter() - first)}


def write(result: Mapping[str, Any]) -> None:
    """Write the figures, then the page made of them."""
    sys.path.insert(0, str(DOCS))
    import benchmarks_page

    text = json.dumps(result, indent=1) + "\n"
    page = benchmarks_page.page(json.loads(text))
    (DOCS / "benchmarks.json").write_text(text, encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(page, encoding="utf-8")


def main() -> None:
    names = list(parts(QUICK, Path()))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; prints and writes nothing")
    parser.add_argument("--only", metavar="PARTS", help=f"some of {','.join(names)}; prints and writes nothing")
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else names
    if unknown := [name for name in wanted if name not in names]:
        parser.error(f"--only: found {unknown[0]!r}; allowed: {', '.join(names)}")
    result = measured(QUICK if given.quick else FULL, wanted)
    if given.quick or given.only:
        print(json.dumps(result, indent=1))
    else:
        write(result)


if __name__ == "__main__":
    main()
