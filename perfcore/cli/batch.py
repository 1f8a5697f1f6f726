"""``perfcore batch``."""

import sys
from pathlib import Path

import click

from perfcore.batch import check_table
from perfcore.cli.common import print_json
from perfcore.errors import PerfcoreError
from perfcore.reader import parse_date
from perfcore.verdict import NOTICE

EPILOG = """\b
Columns read: tpp or peak_dense_<format>_tflops, applicable_die_area_mm2,
io_bandwidth_gb_s, dram_bandwidth_gb_s, datacenter, bits_x_tops_2022 (absent:
equals tpp); an interval as <name>_low and <name>_high. A missing column, an
empty cell or NaN is unknown; an area of 0 says no die is non-planar.
Other columns are carried over; tpp, performance_density, status and paragraphs
follow. Rows that cannot be read go to OUT with .errors.csv as its ending.

\b
Example:
  perfcore batch designs.csv verdicts.csv --on 2024-01-01
"""


@click.command("batch", epilog=EPILOG)
@click.argument("source", metavar="IN.csv", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.csv", type=click.Path(path_type=Path))
@click.option("--on", "on", metavar="DATE", help="The day, YYYY-MM-DD. Without it: today.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
def command(source: Path, target: Path, on: str | None, as_json: bool) -> None:
    """Check every row of a CSV table of designs, exactly, and write a table of verdicts."""
    from datetime import date

    for path in (source, target):
        if path.suffix.lower() not in (".csv", ".txt", ""):
            raise PerfcoreError(f"{path}: found a file ending in {path.suffix}; allowed: .csv")
    day = parse_date(on, "--on") if on is not None else date.today()
    progress = _progress if sys.stderr.isatty() else None
    result = check_table(
        source, target, day, progress, lambda said: click.echo(f"perfcore: {source}:1: {said}", err=True)
    )
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    said = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(result.counts.items()))
    if as_json:
        errors = str(result.error_file) if result.error_file else None
        counts = {"rows": result.rows, "row_errors": result.errors, "counts": dict(result.counts)}
        print_json({"on": day.isoformat(), **counts, "output": str(target), "errors": errors, "notice": NOTICE})
        return
    click.echo(
        f"{result.rows:,} rows under the rules of {day}: {said or 'none decided'}; written to {target}",
        err=True,
    )
    if result.error_file:
        click.echo(f"{result.errors:,} rows could not be read; see {result.error_file}", err=True)
    click.echo(NOTICE, err=True)


def _progress(rows: int) -> None:
    click.echo(f"\r{rows:,} rows", nl=False, err=True)
