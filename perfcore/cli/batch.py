"""``perfcore batch``."""

import sys
from datetime import date
from pathlib import Path

import click

from perfcore.batch import BatchResult, check_table
from perfcore.cli.common import print_json
from perfcore.reader import parse_date
from perfcore.tables.lock import LockedError
from perfcore.tables.parts import count_finished, folder_of
from perfcore.verdict import NOTICE

EPILOG = """\b
Columns read: tpp or peak_dense_<format>_tflops, applicable_die_area_mm2,
io_bandwidth_gb_s, dram_bandwidth_gb_s, datacenter, bits_x_tops_2022 (absent:
equals tpp); an interval as <name>_low and <name>_high. A missing column, an
empty cell, null or NaN is unknown; an area of 0 says no die is non-planar.
Other columns are carried over; tpp, performance_density, status and paragraphs
follow. Rows that cannot be read go to OUT with .errors.csv as its ending.
IN and OUT are both CSV, or both Parquet (extra parquet).

\b
Examples:
  perfcore batch designs.csv verdicts.csv --on 2024-01-01
  perfcore batch designs.parquet verdicts.parquet --on 2026-02-01 --resume
  perfcore batch designs.parquet verdicts.parquet --scheduler tcp://10.0.0.5:8786
"""


@click.command("batch", epilog=EPILOG)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--on", "on", metavar="DATE", help="The day, YYYY-MM-DD. Without it: today.")
@click.option("--workers", type=int, metavar="N", help="Processes (CSV; default 1) or threads (Parquet; one a core).")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler; its workers must see the same files.")
@click.option("--resume", is_flag=True, help="Go on with the parts that an interrupted run left in OUT.parts.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
def command(
    source: Path,
    target: Path,
    on: str | None,
    workers: int | None,
    scheduler: str | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Check every row of a table of designs, exactly, and write a table of verdicts."""
    day = parse_date(on, "--on") if on is not None else date.today()
    try:
        result = check_table(
            source,
            target,
            day,
            _progress if sys.stderr.isatty() else None,
            lambda said: click.echo(f"perfcore: {source}: {said}", err=True),
            workers=workers,
            scheduler=scheduler,
            resume=resume,
        )
    finally:
        _after(target)
    _report(result, day, as_json)


def _after(target: Path) -> None:
    """Clear the line of progress, and say how to go on with parts that are left."""
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    kept = count_finished(folder_of(target)) if target.name else 0
    problem = sys.exc_info()[1]
    if kept and problem is not None and not isinstance(problem, LockedError):
        click.echo(f"perfcore: {kept:,} finished parts are kept in {folder_of(target)}; --resume goes on", err=True)


def _report(result: BatchResult, day: date, as_json: bool) -> None:
    if as_json:
        errors = str(result.error_file) if result.error_file else None
        counts = {"rows": result.rows, "row_errors": result.errors, "counts": dict(result.counts)}
        print_json({"on": day.isoformat(), **counts, "output": str(result.output), "errors": errors, "notice": NOTICE})
        return
    click.echo("\n".join(ended(result, f" under the rules of {day}")), err=True)
    click.echo(NOTICE, err=True)


def ended(result: BatchResult, rules: str = "") -> list[str]:
    """Return how a run ended, in lines; ``rules`` says under which."""
    counts = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(result.counts.items()))
    lines = [f"{result.rows:,} rows{rules}: {counts or 'none decided'}; written to {result.output}"]
    if result.error_file:
        lines.append(f"{result.errors:,} rows could not be read; see {result.error_file}")
    return lines


def _progress(rows: int) -> None:
    click.echo(f"\r{rows:,} rows", nl=False, err=True)
