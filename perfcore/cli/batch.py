"""``perfcore batch``."""

import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import click

from perfcore.batch import BatchResult, check_table, columns_of
from perfcore.bulk.kinds import DESIGNS, KINDS, NAMES, kind_of
from perfcore.cli.common import print_json
from perfcore.errors import PerfcoreError
from perfcore.reader import parse_date
from perfcore.tables.lock import LockedError
from perfcore.tables.parts import count_finished, folder_of
from perfcore.verdict import NOTICE

DISCLAIMER = "A model, not a measurement; docs/training.md, inference.md and match.md say what it leaves out."
EPILOG = """\b
Designs: tpp or peak_dense_<format>_tflops, applicable_die_area_mm2,
io_bandwidth_gb_s, dram_bandwidth_gb_s, datacenter, bits_x_tops_2022 (absent:
equals tpp); an interval as <name>_low and <name>_high. A missing column, an
empty cell, null or NaN is unknown; an area of 0 says no die is non-planar.
Other columns are carried over; tpp, performance_density, status and
paragraphs follow.

\b
Questions: model, chip, chips for train; with batch, input or output for
infer; target, with, model for match; and any other option of the command,
with _ for -. An empty cell is not given. The main figures of each answer
follow, with the names of its JSON.

\b
Rows that have no answer go to OUT with .errors.csv as its ending, each with
its reason. IN and OUT are both CSV, or both Parquet (extra parquet).

\b
Examples:
  perfcore batch designs.csv verdicts.csv --on 2024-01-01
  perfcore batch designs.parquet verdicts.parquet --on 2026-02-01 --resume
  perfcore batch designs.parquet verdicts.parquet \\
      --scheduler tcp://10.0.0.5:8786
  perfcore batch questions.csv answers.csv --workers 2
"""


@click.command("batch", epilog=EPILOG)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--for", "kind", metavar="KIND", help="designs, train, infer or match. Without it the columns say.")
@click.option("--on", "on", metavar="DATE", help="The day, YYYY-MM-DD, of designs. Without it: today.")
@click.option("--workers", type=int, metavar="N", help="Processes (default 1); threads for designs in Parquet.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler; its workers must see the same files.")
@click.option("--resume", is_flag=True, help="Go on with the parts that an interrupted run left in OUT.parts.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON document.")
def command(source: Path, target: Path, kind: str | None, on: str | None, as_json: bool, **options: Any) -> None:
    """Check a table of designs, exactly; or answer a table of questions for train, infer or match.

    A row of IN is a row of OUT.
    """
    asked = _asked(source, kind)
    day = parse_date(on, "--on") if on is not None else date.today()
    if asked != DESIGNS and on is not None:
        raise PerfcoreError(f"--on: a day says which rules apply to designs; {source} asks for {asked}: leave it out")
    progress = _progress if sys.stderr.isatty() else None
    try:
        if asked == DESIGNS:
            result = check_table(source, target, day, progress, partial(_remark, source), **options)
        else:
            _remark(source, f"questions for {asked}, told by its columns" if kind is None else f"questions for {asked}")
            from perfcore.bulk.tables import answer_table

            result = answer_table(source, target, asked, progress, partial(_remark, source), **options)
    finally:
        _after(target)
    _report(result, day, as_json)


def _asked(source: Path, kind: str | None) -> str:
    """Return what a table asks for; one that can be read only once, such as a pipe, is of designs if nothing is said.

    What is wrong with a table is said by who reads it.
    """
    if kind is None and not source.is_file():
        return DESIGNS
    if kind is not None and (kind not in NAMES or not source.is_file()):
        return kind_of(source, KINDS[kind].needed if kind in KINDS else (), kind)
    return kind_of(source, columns_of(source), kind)


def _remark(source: Path, said: str) -> None:
    click.echo(f"perfcore: {source}: {said}", err=True)


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
        files = {"output": str(result.output), "errors": errors}
        of_designs = {"on": day.isoformat(), **counts, **files, "notice": NOTICE}
        print_json({"for": result.asked, **(of_designs if result.asked == DESIGNS else {**counts, **files})})
        return
    click.echo("\n".join(ended(result, f" under the rules of {day}")), err=True)
    click.echo(notice(result), err=True)


def ended(result: BatchResult, rules: str = "") -> list[str]:
    """Return how a run ended, in lines; ``rules`` says under which."""
    counts = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(result.counts.items()))
    designs = result.asked == DESIGNS
    of = f"{result.rows:,} rows{rules}" if designs else f"{_counted(result.rows, 'question')} for {result.asked}"
    none = "none decided" if designs else "none answered"
    lines = [f"{of}: {counts or none}; written to {result.output}"]
    if result.error_file:
        wrong = "read" if designs else "answered"
        lines.append(f"{_counted(result.errors, 'row')} could not be {wrong}; see {result.error_file}")
    return lines


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def notice(result: BatchResult) -> str:
    """Return what the answers of a table are not."""
    return NOTICE if result.asked == DESIGNS else DISCLAIMER


def _progress(rows: int) -> None:
    click.echo(f"\r{rows:,} rows", nl=False, err=True)
