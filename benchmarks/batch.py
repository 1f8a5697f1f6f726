"""How fast ``perfcore batch`` checks a CSV table, beside reading and writing the same table and doing nothing.

Run with the Python of an environment that has perfcore installed: ``python benchmarks/batch.py [ROWS]``.
"""

import csv
import json
import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from perfcore import check_table

COLUMNS = ["design", "tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "datacenter"]


def write_designs(path: Path, rows: int) -> None:
    rng = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(rows):
            area, io, dram = rng.randint(1000, 9000) / 10, rng.randint(10, 1000), rng.randint(100, 8000)
            writer.writerow([row, rng.randint(100, 9000), area, io, dram, rng.choice(["true", "false", ""])])


def copy(source: Path, target: Path) -> None:
    with source.open(newline="") as read, target.open("w", newline="") as written:
        csv.writer(written).writerows(csv.reader(read))


def measured(rows: int) -> dict[str, float]:
    """Time a copy and a check of the same table."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "designs.csv", Path(folder) / "verdicts.csv"
        write_designs(source, rows)
        start = time.perf_counter()
        copy(source, target)
        copied = time.perf_counter() - start
        start = time.perf_counter()
        check_table(source, target, date(2024, 1, 1))
        checked = time.perf_counter() - start
    return {"rows": rows, "rows_per_s": round(rows / checked), "times_plain_copy": round(checked / copied, 1)}


def main() -> None:
    print(json.dumps(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))


if __name__ == "__main__":
    main()
