"""A run over a table: what it may write over, its parts kept or dropped, the output put in place whole."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from perfcore.counts import cores
from perfcore.errors import PerfcoreError
from perfcore.tables import lock, parts, work
from perfcore.tables.csv_parts import ERRORS
from perfcore.tables.parts import Summary
from perfcore.tables.work import UnfinishedError

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".txt", "")
Progress = Callable[[int], None] | None


@dataclass(frozen=True)
class BatchResult:
    """How a run over a table ended; ``counts`` is the number of rows by status, ``asked`` the kind of its rows."""

    rows: int
    errors: int
    counts: Mapping[str, int]
    output: Path
    error_file: Path | None
    asked: str = "designs"

    def _repr_html_(self) -> str:
        from perfcore.notebook import batch_html

        return batch_html(self)


def no_parquet(source: Path) -> PerfcoreError:
    """Return what says that Parquet cannot be read here."""
    return PerfcoreError(f"{source}: Parquet needs the extra parquet; pip install 'perfcore[parquet]'")


def paths_of(source: str | Path, target: str | Path, workers: int | None) -> tuple[Path, Path, Path]:
    """Return input, output and side file of a run; what cannot be written, and workers that are none, are refused."""
    source, target = Path(source), Path(target).resolve() if Path(target).is_symlink() else Path(target)
    if not target.name:
        raise PerfcoreError(f"{target}: the output would not be a plain file; give another name")
    side = target.with_name(f"{target.stem}.errors.csv")
    _refuse(source, target, side)
    if workers is not None and workers < 1:
        raise PerfcoreError(f"--workers: found {workers}; allowed: 1 or more")
    return source, target, side


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
    folder = parts.folder_of(target)
    if Path(os.path.realpath(folder)) in Path(os.path.realpath(source)).parents:
        raise PerfcoreError(f"{source}: stands in {folder}, where the parts of the output go; give another output")
    if side.exists() and not _is_ours(side):
        raise PerfcoreError(f"{side}: is in the way of the side file of row errors; move it, or give another output")


def _is_ours(side: Path) -> bool:
    """Whether a file is a side file of an earlier run."""
    try:
        with side.open(encoding="utf-8") as file:
            return file.readline(200).strip() == ",".join(ERRORS)
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def kept(folder: Path, manifest: Mapping[str, Any], resume: bool, target: Path) -> Iterator[None]:
    """Hold the folder of the parts; keep them where a run can go on, delete them where it is done or cannot."""
    try:
        parts.checked_place(folder)
        with lock.held(folder):
            parts.opened(folder, manifest, resume)
            with _kept(folder):
                yield
    except OSError as problem:
        raise PerfcoreError(f"{problem.filename or target}: cannot be written: {problem.strerror or problem}") from None


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    keep = False
    try:
        yield
    except PerfcoreError as problem:
        keep = isinstance(problem, UnfinishedError)
        raise
    except (UnicodeDecodeError, csv.Error):  # the input is no table, and will be none the next time
        raise
    except BaseException:
        keep = True
        raise
    finally:
        if not keep or not parts.count_finished(folder):
            parts.discard(folder)


def carried_out(
    one: work.Work,
    tasks: Iterable[work.Task],
    folder: Path,
    *,
    workers: int | None,
    scheduler: str | None,
    progress: Progress,
    threads: bool = False,
) -> None:
    """Do the tasks of a run, of one and the same input."""
    before = sum(summary.rows for summary in _summaries(folder))
    if scheduler is not None:
        results = work.on_cluster(one, tasks, scheduler)
    elif threads:
        results = work.in_threads(one, tasks, workers or cores())
    elif (workers or 1) > 1:
        results = work.in_processes(one, tasks, workers or 1)
    else:
        results = work.serial(partial(one, progress=progress), tasks)
    for summary in results:
        before += summary.rows
        if progress:
            progress(before)
    parts.unchanged(folder)


def _summaries(folder: Path) -> Iterator[Summary]:
    number = 0
    while (summary := parts.finished(folder, number)) is not None:
        yield summary
        number += 1


def assembled(folder: Path, target: Path, side: Path, join: Callable[[list[Path], IO[bytes]], None]) -> BatchResult:
    """Put the parts together and in place."""
    done = list(_summaries(folder))
    counts: dict[str, int] = {}
    for summary in done:
        for status, count in summary.counts.items():
            counts[status] = counts.get(status, 0) + count
    errors = sum(summary.errors for summary in done)
    ending = ".parquet" if target.suffix.lower() in PARQUET else ".csv"
    # The table of verdicts is put in place first, so that a side file never stands without it.
    with _replacing(side, folder) as bad, _replacing(target, folder) as out:
        join([parts.part_file(folder, number, ending) for number in range(len(done))], out)
        several = [parts.part_file(folder, number, ".errors.csv") for number in range(len(done))]
        if errors:
            join_csv(_line(ERRORS), [path for path in several if path.exists()], bad)
    if not errors and _is_ours(side):
        side.unlink()  # what an earlier run left there is no longer so
    rows = sum(summary.rows for summary in done)
    return BatchResult(rows, errors, counts, target, side if errors else None)


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


def join_csv(head: str, several: list[Path], out: IO[bytes]) -> None:
    """Write the first line of a table, then its parts."""
    out.write(head.encode())
    for path in several:
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)


@contextmanager
def _replacing(path: Path, folder: Path) -> Iterator[IO[bytes]]:
    """Write in the folder of the parts and put the file in place at the end; no half file is left, killed or not."""
    try:
        handle, name = tempfile.mkstemp(prefix=".joined.", suffix=".tmp", dir=folder)
    except OSError as problem:
        raise UnfinishedError(f"{path}: cannot be written: {problem.strerror}") from None
    try:
        with open(handle, "wb") as file:
            yield file
            wanted = file.tell() > 0
            file.flush()
            os.fsync(file.fileno())
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
