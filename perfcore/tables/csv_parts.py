"""CSV tables: parts of rows in, parts of verdicts out, exact on every row."""

import csv
import gc
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal, Inexact
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.answer_cells import Answers, answers_of
from perfcore.errors import PerfcoreError, suggestion
from perfcore.outcome import Outcome, classify
from perfcore.quantity import Interval, Value
from perfcore.regions import DENSITY, density
from perfcore.rows import ENDS, INPUTS, NUMBERS, RESULTS, read_row
from perfcore.rules import THE_RULE, Version, load
from perfcore.tables.parts import Summary, finish, part_file, whole
from perfcore.tables.plain_rows import EXACT, decider

ERRORS = ("row", "line", "column", "found", "error")
ROWS = 100_000


class Table(NamedTuple):
    """What every part of a table needs: its columns, the day, and the folder of the parts."""

    columns: tuple[str, ...]
    on: date
    folder: Path


@contextmanager
def reading(path: Path) -> Iterator[Any]:
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


def header(path: Path, rows: Iterator[list[str]]) -> tuple[str, ...]:
    """Read the names of the columns of a table of designs."""
    columns = names(path, rows)
    checked(f"{path}:1", list(columns))
    return columns


def names(path: Path, rows: Iterator[list[str]]) -> tuple[str, ...]:
    """Read the names of the columns of any table."""
    columns = tuple(name.strip() for name in next(rows, []))
    if not columns:
        raise PerfcoreError(f"{path}: the table is empty; its first line names the columns")
    return columns


def checked(where: str, columns: list[str]) -> None:
    """Refuse columns of which one stands twice or none is known."""
    known = [name for name in columns if name in INPUTS]
    doubled = sorted({name for name in known if columns.count(name) > 1})
    if doubled:
        raise PerfcoreError(f"{where}: column {doubled[0]!r} stands twice")
    if not known:
        near = "".join(suggestion(name, INPUTS) for name in columns) + separated(columns)
        raise PerfcoreError(
            f"{where}: no column perfcore knows{near}; the columns are {', '.join(NUMBERS)}, datacenter, "
            "peak_dense_<format>_tflops; docs/batch.md says which make a question"
        )


def separated(columns: Sequence[str]) -> str:
    """Return a hint where the columns of a table are separated by something else than commas.

    >>> separated(["tpp;datacenter"]), separated(["tpp"])
    ('; its first line looks separated by ;, not by commas', '')
    """
    mark = next((mark for mark in (";", "\t", "|") if len(columns) == 1 and mark in columns[0]), "")
    shown = {"\t": "tabs"}.get(mark, mark)
    return f"; its first line looks separated by {shown}, not by commas" if mark else ""


def head(columns: tuple[str, ...]) -> str:
    """Return the first line of the table of verdicts."""
    more = [f"{name}{end}" for name in ("tpp", DENSITY) for end in ENDS] if _spans(columns) else []
    return line_text([[*(columns[place] for place in carried(columns)), *RESULTS, *more]])


def carried(columns: tuple[str, ...]) -> list[int]:
    """Return the places of the columns that go into the output as they are."""
    return [place for place, name in enumerate(columns) if name not in INPUTS and name not in RESULTS]


def _spans(columns: tuple[str, ...]) -> bool:
    return any(name.endswith(ENDS) for name in columns if name in INPUTS)


def tasks(
    table: Any, rows: Any, wanted: Callable[[int], bool], size: int = ROWS
) -> Iterator[tuple[Any, int, int, list[list[str]], list[int]]]:
    """Read the rows of a table into tasks; those of parts that are not wanted are read over."""
    number, first = 0, 1
    several: list[list[str]] = []
    lines: list[int] = []
    for cells in rows:
        if not cells:
            continue
        several.append(cells)
        lines.append(rows.line_num)
        if len(several) == size:
            if wanted(number):
                yield table, number, first, several, lines
            number, first = number + 1, first + size
            several, lines = [], []
    if (several or number == 0) and wanted(number):
        yield table, number, first, several, lines


def write_part(
    table: Table,
    number: int,
    first: int,
    several: list[list[str]],
    lines: list[int],
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Check the rows of a part and write it; a row that cannot be read goes into a file of its own."""
    with _rows_alone():
        made, wrong, counts = _verdicts(table, first, several, lines, progress)
    files = {".csv": stored(table.folder, number, ".csv", made)}
    if wrong:
        files[".errors.csv"] = stored(table.folder, number, ".errors.csv", wrong)
    summary = Summary(len(several), len({each[0] for each in wrong}), counts)
    finish(table.folder, number, summary, files)
    return summary


@contextmanager
def _rows_alone() -> Iterator[None]:
    """Look for no cycles of garbage among the cells of a part, which have none: that takes a fifth of the time."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def stored(folder: Path, number: int, ending: str, rows: list[list[Any]]) -> int:
    """Write rows as a file of a part; return its size."""
    with whole(part_file(folder, number, ending)) as file:
        return file.write(line_text(rows).encode("utf-8", "surrogatepass"))


def _verdicts(
    table: Table, first: int, several: list[list[str]], lines: list[int], progress: Callable[[int], None] | None
) -> tuple[list[list[str]], list[list[Any]], Mapping[str, int]]:
    version, answers = _law(table.on)
    columns = list(table.columns)
    places, spans = carried(table.columns), _spans(table.columns)
    quick = decider(columns, answers)
    made: list[list[str]] = []
    wrong: list[list[Any]] = []
    counts: dict[str, int] = {}
    for row, (cells, line) in enumerate(zip(several, lines, strict=True), first):
        try:
            result = quick(cells) if quick is not None else []
        except ValueError:
            result = []
        if not result:
            values, errors = read_row(columns, cells)
            wrong += [[row, line, *error] for error in errors]
            result = [] if errors else _result(values, classify(version, values), spans)
        if result:
            counts[result[2]] = counts.get(result[2], 0) + 1
            made.append([*(cells[place] for place in places), *result])
        if progress and row % 1000 == 0:
            progress(row)
    return made, wrong, counts


@lru_cache(maxsize=8)
def _law(on: date) -> tuple[Version | None, Answers | None]:
    version = load(THE_RULE).in_force(on)
    return version, answers_of(version)


def line_text(rows: list[list[Any]]) -> str:
    """Return rows as the lines of a CSV table."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


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
    decimal = EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
    exact_ = not EXACT.flags[Inexact]
    EXACT.clear_flags()
    return format(decimal.normalize(EXACT), "f") if exact_ else repr(float(number))
