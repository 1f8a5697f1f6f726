"""Tables of designs: CSV or Parquet in, verdicts out, exact on every row.

Rows stream: memory does not grow with the table. The work is done in parts that are each written whole, so that a run
that is interrupted can go on; the output appears whole or not at all. A row that cannot be read goes into a side file
and the run goes on.
"""

from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from perfcore.reader import as_date
from perfcore.rows import misspelt
from perfcore.tables import csv_parts, parts
from perfcore.tables.parquet_join import join
from perfcore.tables.runs import (
    PARQUET,
    BatchResult,
    Progress,
    assembled,
    carried_out,
    join_csv,
    kept,
    no_parquet,
    paths_of,
)

__all__ = ["BatchResult", "check_table", "columns_of"]

Remark = Callable[[str], None] | None


def check_table(
    source: str | Path,
    target: str | Path,
    on: date | str,
    progress: Progress = None,
    remark: Remark = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    part_rows: int | None = None,
) -> BatchResult:
    """Check every row of a table and write the verdicts to another.

    Parameters
    ----------
    source, target
        The table read and the table written (replaced if it is there, only once all rows are done): both CSV, or both
        Parquet.
    on
        The day whose rules apply.
    progress
        Called now and then with the number of rows done.
    remark
        Called with what looks wrong about the columns, before the first row.
    workers
        Processes (CSV) or threads (Parquet) that share the work; without it one process, or a thread for each core.
    scheduler
        Address of a Dask scheduler whose workers see the same files.
    resume
        Go on with the parts that an interrupted run left.
    part_rows
        Rows of a part; of Parquet at least a row group.

    Returns
    -------
    BatchResult
        Counts, and the side file of the rows that could not be read.

    Raises
    ------
    PerfcoreError
        If the table cannot be read or written, or has no column perfcore knows.
    """
    source, target, side = paths_of(source, target, workers)
    how = partial(carried_out, workers=workers, scheduler=scheduler, progress=progress)
    run = _parquet if source.suffix.lower() in PARQUET else _csv
    return run(source, target, side, as_date(on, "on"), remark, how, resume, part_rows)


def _csv(
    source: Path, target: Path, side: Path, on: date, remark: Remark, how: Any, resume: bool, part_rows: int | None
) -> BatchResult:
    folder, size = parts.folder_of(target), part_rows or csv_parts.ROWS
    with csv_parts.reading(source) as rows:
        columns = csv_parts.header(source, rows)
        _say(remark, columns)
        manifest = parts.manifest_of(source, {"kind": "csv", "on": on.isoformat(), "part_rows": size})
        with kept(folder, manifest, resume, target):
            table = csv_parts.Table(columns, on, folder.resolve())
            tasks = csv_parts.tasks(table, rows, lambda number: parts.finished(folder, number) is None, size)
            how(csv_parts.write_part, tasks, folder)
            return assembled(folder, target, side, partial(join_csv, csv_parts.head(columns)))


def _parquet(
    source: Path, target: Path, side: Path, on: date, remark: Remark, how: Any, resume: bool, part_rows: int | None
) -> BatchResult:
    parquet_parts = _parquet_parts(source)
    folder = parts.folder_of(target)
    layout = parquet_parts.layout_of(source, part_rows)
    _say(remark, layout.columns)
    options = {"kind": "parquet", "on": on.isoformat(), "parts": [len(groups) for _, groups in layout.parts]}
    with kept(folder, parts.manifest_of(source, options), resume, target):
        table = parquet_parts.Table(str(source.resolve()), on, folder.resolve(), layout.columns, layout.rows)
        wanted = (place for place in range(len(layout.parts)) if parts.finished(folder, place) is None)
        how(parquet_parts.write_part, ((table, place, *layout.parts[place]) for place in wanted), folder, threads=True)
        return assembled(folder, target, side, join)


def columns_of(source: Path) -> tuple[str, ...]:
    """Return the names of the columns of a table, CSV or Parquet.

    Raises
    ------
    PerfcoreError
        If it cannot be read, or has none.
    """
    if source.suffix.lower() not in PARQUET:
        with csv_parts.reading(source) as rows:
            return csv_parts.names(source, rows)
    return tuple(_parquet_parts(source).names(source)[0].names)


def _parquet_parts(source: Path) -> Any:
    try:
        from perfcore.tables import parquet_parts
    except ImportError:
        raise no_parquet(source) from None
    return parquet_parts


def _say(remark: Remark, columns: Iterable[str]) -> None:
    for said in misspelt(columns) if remark else ():
        if remark:
            remark(said)
