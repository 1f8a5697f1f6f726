"""Tables of questions: CSV or Parquet in, answers out, in parts that are written whole as those of designs are."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from perfcore.bulk import csv_parts
from perfcore.bulk.kinds import DESIGNS, KINDS, checked, kind_of, misspelt
from perfcore.errors import PerfcoreError
from perfcore.reader import SPECS
from perfcore.rows import INPUTS
from perfcore.tables import csv_parts as csv_tables
from perfcore.tables import parts
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

__all__ = ["answer_table"]

Remark = Callable[[str], None] | None


def answer_table(
    source: str | Path,
    target: str | Path,
    kind: str | None = None,
    progress: Progress = None,
    remark: Remark = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    part_rows: int | None = None,
) -> BatchResult:
    """Answer every question of a table and write the answers to another.

    A row is a question for ``train``, ``infer`` or ``match``; its columns are the options of the command, with ``_``
    for ``-``, and an empty cell is an option that is not given. Each answer is that of the function of that name.

    Parameters
    ----------
    source, target
        The table read and the table written (replaced if it is there, only once all rows are done): both CSV, or both
        Parquet.
    kind
        What is asked: train, infer or match. Without it the columns say.
    progress
        Called now and then with the number of rows done.
    remark
        Called with what looks wrong about the columns, before the first row.
    workers
        Processes that share the work; one without it.
    scheduler
        Address of a Dask scheduler whose workers see the same files.
    resume
        Go on with the parts that an interrupted run left.
    part_rows
        Questions of a part.

    Returns
    -------
    BatchResult
        Counts, and the side file of the questions that cannot be answered, each with its reason.

    Raises
    ------
    PerfcoreError
        If the table cannot be read or written, or its columns are those of no kind of question or of several.
    """
    source, target, side = paths_of(source, target, workers)
    how = partial(carried_out, workers=workers, scheduler=scheduler, progress=progress)
    run = _parquet if source.suffix.lower() in PARQUET else _csv
    return run(source, target, side, kind, remark, how, resume, part_rows)


def kind_asked(where: object, columns: Sequence[str], named: str | None) -> str:
    """Return the kind of questions of a table; one of designs is refused."""
    kind = kind_of(where, columns, named)
    if kind == DESIGNS and any(name in INPUTS for name in columns):
        raise PerfcoreError(f"{where}: the columns are those of designs; check_table and check_frame check them")
    if kind == DESIGNS:
        needed = "; ".join(f"{name}: {', '.join(one.needed)}" for name, one in KINDS.items())
        raise PerfcoreError(
            f"{where}: no column perfcore knows{csv_tables.separated(columns)}; a question needs ({needed})"
        )
    checked(where, kind, columns)
    return kind


def _csv(
    source: Path,
    target: Path,
    side: Path,
    named: str | None,
    remark: Remark,
    how: Any,
    resume: bool,
    part_rows: int | None,
) -> BatchResult:
    folder = parts.folder_of(target)
    with csv_tables.reading(source) as rows:
        columns = csv_tables.names(source, rows)
        kind = kind_asked(f"{source}:1", columns, named)
        size = part_rows or KINDS[kind].part_rows
        _say(remark, kind, columns)
        with kept(folder, _manifest(source, f"{kind} csv", size), resume, target):
            table = csv_parts.Table(kind, columns, folder.resolve())
            tasks = csv_tables.tasks(table, rows, lambda number: parts.finished(folder, number) is None, size)
            how(csv_parts.write_part, tasks, folder)
            return replace(
                assembled(folder, target, side, partial(join_csv, csv_parts.head(kind, columns))), asked=kind
            )


def _parquet(
    source: Path,
    target: Path,
    side: Path,
    named: str | None,
    remark: Remark,
    how: Any,
    resume: bool,
    part_rows: int | None,
) -> BatchResult:
    try:
        from perfcore.bulk import parquet_parts
        from perfcore.tables import parquet_join
    except ImportError:
        raise no_parquet(source) from None
    folder = parts.folder_of(target)
    columns = parquet_parts.columns_of(source)
    kind = kind_asked(source, columns, named)
    rows = parquet_parts.rows_of(source, kind)
    size = part_rows or KINDS[kind].part_rows
    _say(remark, kind, columns)
    with kept(folder, _manifest(source, f"{kind} parquet", size), resume, target):
        table = parquet_parts.Table(kind, str(source.resolve()), columns, folder.resolve())
        tasks = parquet_parts.tasks(table, rows, size, lambda number: parts.finished(folder, number) is None)
        how(parquet_parts.write_part, tasks, folder)
        return replace(assembled(folder, target, side, parquet_join.join), asked=kind)


def _say(remark: Remark, kind: str, columns: Sequence[str]) -> None:
    for said in misspelt(kind, columns) if remark else ():
        if remark:
            remark(said)


def _manifest(source: Path, kind: str, size: int) -> dict[str, Any]:
    return parts.manifest_of(source, {"kind": kind, "part_rows": size, "catalogue": _catalogue_hash()})


def _catalogue_hash() -> str:
    """Return the hash of every file that answers come from."""
    digest = hashlib.sha256()
    for path in sorted(SPECS.rglob("*.toml")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
