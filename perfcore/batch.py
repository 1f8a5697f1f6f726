"""Tables of designs: CSV or Parquet in, verdicts out, exact on every row.

Rows stream: memory does not grow with the table. The work is done in parts that are each written whole, so that a run
that is interrupted can go on; the output appears whole or not at all. A row that cannot be read goes into a side file
and the run goes on.
"""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import IO, Any

from perfcore.errors import PerfcoreError
from perfcore.reader import as_date
from perfcore.rows import misspelt
from perfcore.tables import csv_parts, lock, parts, work
from perfcore.tables.csv_parts import ERRORS
from perfcore.tables.parts import Summary
from perfcore.tables.work import UnfinishedError

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".txt", "")
Progress = Callable[[int], None] | None
Remark = Callable[[str], None] | None


@dataclass(frozen=True)
class BatchResult:
    """How a run over a table ended; ``counts`` is the number of rows by status."""

    rows: int
    errors: int
    counts: Mapping[str, int]
    output: Path
    error_file: Path | None


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
    source, target = Path(source), Path(target).resolve() if Path(target).is_symlink() else Path(target)
    if not target.name:
        raise PerfcoreError(f"{target}: the output would not be a plain file; give another name")
    side = target.with_name(f"{target.stem}.errors.csv")
    _refuse(source, target, side)
    if workers is not None and workers < 1:
        raise PerfcoreError(f"--workers: found {workers}; allowed: 1 or more")
    how = partial(_done, workers=workers, scheduler=scheduler, progress=progress)
    run = _parquet if source.suffix.lower() in PARQUET else _csv
    return run(source, target, side, as_date(on, "on"), remark, how, resume, part_rows)


def _refuse(source: Path, target: Path, side: Path) -> None:
    """Refuse to write over the input, or over anything that is not a plain file; and kinds that do not go together."""
    for path, other in ((source, target), (target, source)):
        kinds = PARQUET if other.suffix.lower() in PARQUET else TEXT
        if path.suffix.lower() not in kinds:
            raise PerfcoreError(
                f"{path}: found a file ending in {path.suffix or 'nothing'} beside {other}; "
                "allowed: .csv in and .csv out, or .parquet in and .parquet out"
            )
    for path, what in ((target, "the output"), (side, "the side file of row errors")):
        if path.exists() and source.exists() and path.samefile(source):
            raise PerfcoreError(f"{path}: {what} is the input; give another name")
        if path.exists() and not path.is_file():
            raise PerfcoreError(f"{path}: {what} would not be a plain file; give another name")
        if not path.parent.is_dir():
            raise PerfcoreError(f"{path}: there is no folder {path.parent}; make it, or give another name")
    if side.exists() and not _is_ours(side):
        raise PerfcoreError(f"{side}: is in the way of the side file of row errors; move it, or give another output")


def _is_ours(side: Path) -> bool:
    """Whether a file is a side file of an earlier run."""
    try:
        with side.open(encoding="utf-8") as file:
            return file.readline(200).strip() == ",".join(ERRORS)
    except (OSError, UnicodeDecodeError):
        return False


def _csv(
    source: Path, target: Path, side: Path, on: date, remark: Remark, how: Any, resume: bool, part_rows: int | None
) -> BatchResult:
    folder, size = parts.folder_of(target), part_rows or csv_parts.ROWS
    with csv_parts.reading(source) as rows:
        columns = csv_parts.header(source, rows)
        _say(remark, columns)
        manifest = parts.manifest_of(source, {"kind": "csv", "on": on.isoformat(), "part_rows": size})
        with _kept(folder, manifest, resume, target):
            table = csv_parts.Table(columns, on, folder.resolve())
            tasks = csv_parts.tasks(table, rows, lambda number: parts.finished(folder, number) is None, size)
            how(csv_parts.write_part, tasks, folder)
            return _assembled(folder, target, side, partial(_join_csv, csv_parts.head(columns)))


def _parquet(
    source: Path, target: Path, side: Path, on: date, remark: Remark, how: Any, resume: bool, part_rows: int | None
) -> BatchResult:
    try:
        from perfcore.tables import parquet_join, parquet_parts
    except ImportError:
        raise PerfcoreError(f"{source}: Parquet needs the extra parquet; pip install 'perfcore[parquet]'") from None
    folder = parts.folder_of(target)
    layout = parquet_parts.layout_of(source, part_rows)
    _say(remark, layout.columns)
    options = {"kind": "parquet", "on": on.isoformat(), "parts": [len(groups) for _, groups in layout.parts]}
    with _kept(folder, parts.manifest_of(source, options), resume, target):
        table = parquet_parts.Table(str(source.resolve()), on, folder.resolve(), layout.columns, layout.rows)
        wanted = (place for place in range(len(layout.parts)) if parts.finished(folder, place) is None)
        how(parquet_parts.write_part, ((table, place, *layout.parts[place]) for place in wanted), folder, threads=True)
        return _assembled(folder, target, side, parquet_join.join)


def _say(remark: Remark, columns: Iterable[str]) -> None:
    for said in misspelt(columns) if remark else ():
        if remark:
            remark(said)


@contextmanager
def _kept(folder: Path, manifest: Mapping[str, Any], resume: bool, target: Path) -> Iterator[None]:
    """Keep the parts where a run can go on with them; delete them where it is done or its input is wrong."""
    parts.checked_place(folder)
    keep = True  # until it is known that what stands there is of this run
    try:
        with lock.held(folder):
            try:
                parts.opened(folder, manifest, resume)
                keep = False
                yield
            except PerfcoreError as problem:
                keep = keep or isinstance(problem, UnfinishedError)
                raise
            except BaseException:
                keep = True
                raise
            finally:
                if not keep or not parts.count_finished(folder):
                    parts.discard(folder)
    except OSError as problem:
        raise PerfcoreError(f"{problem.filename or target}: cannot be written: {problem.strerror or problem}") from None


def _done(
    one: work.Work,
    tasks: Iterable[work.Task],
    folder: Path,
    *,
    workers: int | None,
    scheduler: str | None,
    progress: Progress,
    threads: bool = False,
) -> None:
    """Do the tasks of a run."""
    before = sum(summary.rows for summary in _summaries(folder))
    if scheduler is not None:
        results = work.on_cluster(one, tasks, scheduler)
    elif threads:
        results = work.in_threads(one, tasks, workers or work.cores())
    elif (workers or 1) > 1:
        results = work.in_processes(one, tasks, workers or 1)
    else:
        results = work.serial(partial(one, progress=progress), tasks)
    for summary in results:
        before += summary.rows
        if progress:
            progress(before)


def _summaries(folder: Path) -> Iterator[Summary]:
    number = 0
    while (summary := parts.finished(folder, number)) is not None:
        yield summary
        number += 1


def _assembled(folder: Path, target: Path, side: Path, join: Callable[[list[Path], IO[bytes]], None]) -> BatchResult:
    """Put the parts together and in place."""
    done = list(_summaries(folder))
    counts: dict[str, int] = {}
    for summary in done:
        for status, count in summary.counts.items():
            counts[status] = counts.get(status, 0) + count
    errors = sum(summary.errors for summary in done)
    ending = ".parquet" if target.suffix.lower() in PARQUET else ".csv"
    # The table of verdicts is put in place first, so that a side file never stands without it.
    with _replacing(side) as bad, _replacing(target) as out:
        join([parts.part_file(folder, number, ending) for number in range(len(done))], out)
        several = [parts.part_file(folder, number, ".errors.csv") for number in range(len(done))]
        if errors:
            _join_csv(_line(ERRORS), [path for path in several if path.exists()], bad)
    if not errors and _is_ours(side):
        side.unlink()  # what an earlier run left there is no longer so
    rows = sum(summary.rows for summary in done)
    return BatchResult(rows, errors, counts, target, side if errors else None)


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _join_csv(head: str, several: list[Path], out: IO[bytes]) -> None:
    out.write(head.encode())
    for path in several:
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write beside a file and put it in place at the end; whatever goes wrong, no half file is left."""
    path = path.resolve()  # through a symlink, to what it points at
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as problem:
        raise PerfcoreError(f"{path}: cannot be written: {problem.strerror}") from None
    try:
        with open(handle, "wb") as file:
            yield file
            wanted = file.tell() > 0
        if wanted:
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
    except OSError as problem:
        raise UnfinishedError(f"{path}: cannot be written: {problem.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
