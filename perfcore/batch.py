"""Tables of designs: CSV in, verdicts out, exact on every row.

Rows stream: memory does not grow with the table. The output appears whole or not at all; a row that cannot be read
goes into a side file and the run goes on.
"""

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from perfcore.errors import PerfcoreError, suggestion
from perfcore.outcome import Outcome, classify, of_rules
from perfcore.quantity import Interval, Value
from perfcore.reader import as_date
from perfcore.regions import DENSITY, density
from perfcore.rows import ENDS, INPUTS, NUMBERS, RESULTS, misspelt, read_row
from perfcore.rules import THE_RULE, Version, shipped
from perfcore.schema import MOST_DIGITS

ERRORS = ("row", "line", "column", "found", "error")
_EXACT = Context(prec=MOST_DIGITS + 10)


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
    progress: Callable[[int], None] | None = None,
    remark: Callable[[str], None] | None = None,
) -> BatchResult:
    """Check every row of a CSV table and write the verdicts to another.

    Parameters
    ----------
    source, target
        The table read and the table written (replaced if it is there, only once all rows are done).
    on
        The day whose rules apply.
    progress
        Called now and then with the number of rows done.
    remark
        Called with what looks wrong about the columns, before the first row.

    Returns
    -------
    BatchResult
        Counts, and the side file of the rows that could not be read.

    Raises
    ------
    PerfcoreError
        If the table cannot be read or written, or has no column perfcore knows.
    """
    source, target = Path(source), Path(target)
    side = target.with_name(f"{target.stem}.errors.csv")
    _refuse(source, target, side)
    version = of_rules(shipped(), THE_RULE).in_force(as_date(on, "on"))
    # The table of verdicts is put in place first, so that a side file never stands without it.
    with _reading(source) as rows, _replacing(side) as bad, _replacing(target) as out:
        columns = _header(source, rows)
        if remark:
            for said in misspelt(columns):
                remark(said)
        result = _run(rows, columns, version, (csv.writer(out), csv.writer(bad)), progress)
    if not result[1] and _is_ours(side):
        side.unlink()  # what an earlier run left there is no longer so
    return BatchResult(*result, output=target, error_file=side if result[1] else None)


def _refuse(source: Path, target: Path, side: Path) -> None:
    """Refuse to write over the input, or over anything that is not a plain file."""
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


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a CSV table; a NUL byte, bad quoting or wrong encoding is one line, not a traceback."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield csv.reader(file, strict=True)
    except OSError as problem:
        raise PerfcoreError(f"{problem.filename or path}: {problem.strerror or problem}") from None
    except UnicodeDecodeError:
        raise PerfcoreError(f"{path}: this is not text in UTF-8; give a CSV table") from None
    except csv.Error as problem:
        raise PerfcoreError(f"{path}: this is not a CSV table: {problem}") from None


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Write beside a file and put it in place at the end; whatever goes wrong, no half file is left."""
    path = path.resolve()  # through a symlink, to what it points at
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as problem:
        raise PerfcoreError(f"{path}: cannot be written: {problem.strerror}") from None
    try:
        with open(handle, "w", newline="", encoding="utf-8") as file:
            yield file
            wanted = file.tell() > 0
        if wanted:
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
    except OSError as problem:
        raise PerfcoreError(f"{path}: cannot be written: {problem.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _header(path: Path, rows: Iterator[list[str]]) -> list[str]:
    columns = [name.strip() for name in next(rows, [])]
    if not columns:
        raise PerfcoreError(f"{path}: the table is empty; its first line names the columns")
    known = [name for name in columns if name in INPUTS]
    doubled = sorted({name for name in known if columns.count(name) > 1})
    if doubled:
        raise PerfcoreError(f"{path}:1: column {doubled[0]!r} stands twice")
    if not known:
        near = "".join(suggestion(name, INPUTS) for name in columns)
        raise PerfcoreError(
            f"{path}:1: no column perfcore knows{near}; the columns are {', '.join(NUMBERS)}, datacenter, "
            "peak_dense_<format>_tflops"
        )
    return columns


def _run(
    rows: Any,
    columns: list[str],
    version: Version | None,
    writers: tuple[Any, Any],
    progress: Callable[[int], None] | None,
) -> tuple[int, int, dict[str, int]]:
    out, bad = writers
    others = [place for place, name in enumerate(columns) if name not in INPUTS and name not in RESULTS]
    spans = any(name.endswith(ENDS) for name in columns if name in INPUTS)
    more = [f"{name}{end}" for name in ("tpp", DENSITY) for end in ENDS] if spans else []
    out.writerow([*(columns[place] for place in others), *RESULTS, *more])
    done = errors = 0
    counts: dict[str, int] = {}
    for cells in rows:
        if not cells:
            continue
        done += 1
        values, wrong = read_row(columns, cells)
        if wrong:
            if not errors:
                bad.writerow(ERRORS)
            errors += 1
            bad.writerows([done, rows.line_num, *error] for error in wrong)
        else:
            answer = classify(version, values)
            counts[answer.status] = counts.get(answer.status, 0) + 1
            out.writerow([*(cells[place] for place in others), *_result(values, answer, bool(more))])
        if progress and done % 1000 == 0:
            progress(done)
    return done, errors, counts


def _result(values: Mapping[str, Value], answer: Outcome, spans: bool) -> list[str]:
    tpp, dense = values["tpp"], density(values)
    assert isinstance(tpp, Interval)
    cells = [_written(tpp), _written(dense), answer.status, ";".join(answer.certain)]
    if spans:
        cells += [_end(end) for interval in (tpp, dense) for end in (interval.low, interval.high)]
    return cells


def _written(interval: Interval) -> str:
    return _end(interval.low) if interval.is_point else ""


def _end(number: Fraction | None) -> str:
    """Write a number as the decimal it is, or as near as a float can where it is none of moderate length."""
    if number is None:
        return ""
    if number.denominator == 1:
        return str(number.numerator)
    decimal = _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
    exact_ = not _EXACT.flags[Inexact]
    _EXACT.clear_flags()
    return format(decimal.normalize(_EXACT), "f") if exact_ else repr(float(number))
