"""Tables of designs: CSV in, verdicts out, exact on every row.

Rows stream: memory does not grow with the table. The output appears whole or not at all; a row that cannot be read
goes into a side file and the run goes on.
"""

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from perfcore.chips import tpp_of
from perfcore.errors import PerfcoreError, suggestion
from perfcore.outcome import Outcome, classify, of_rules
from perfcore.quantity import UNKNOWN, ZERO, Interval, Value, common, point
from perfcore.readings import completed
from perfcore.regions import DENSITY, density
from perfcore.rules import THE_RULE, Version, shipped
from perfcore.schema import MOST_DIGITS, number_problem
from perfcore.terms import FORMATS

NUMBERS = ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
RATES = {f"peak_dense_{name}_tflops": name for name in FORMATS}
ENDS = ("_low", "_high")
INPUTS = frozenset(
    [*(name + end for name in (*NUMBERS, *RATES) for end in ("", *ENDS)), "datacenter"],
)
RESULTS = ("tpp", DENSITY, "status", "paragraphs")
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_UNKNOWN_CELLS = ("", "nan", "na", "n/a", "<na>", "none", "null")


_EXACT = Context(prec=MOST_DIGITS + 10)
# A table lists chips: processors, all of whose formats are digital.
_A_CHIP: dict[str, Value] = {
    "digital_processing_units": frozenset({True}),
    "dominant_function_processing": frozenset({True}),
    "analog_tops": point(0),
}


class RowError(NamedTuple):
    """A cell that cannot be read."""

    column: str
    found: str
    wrong: str


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
    on: date,
    progress: Callable[[int], None] | None = None,
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
    if source.resolve() == target.resolve():
        raise PerfcoreError(f"{target}: the output is the input; give another name")
    version = of_rules(shipped(), THE_RULE).in_force(on)
    side = target.with_name(f"{target.stem}.errors.csv")
    with _reading(source) as rows, _replacing(target) as out, _replacing(side) as bad:
        columns = _header(source, rows)
        result = _run(rows, columns, version, (csv.writer(out), csv.writer(bad)), progress)
    if not result[1]:
        side.unlink(missing_ok=True)  # what an earlier run left there is no longer so
    return BatchResult(*result, output=target, error_file=side if result[1] else None)


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
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise PerfcoreError(f"{path}:1: column {doubled[0]!r} stands twice")
    if not known:
        near = "".join(suggestion(name, INPUTS) for name in columns)
        raise PerfcoreError(
            f"{path}:1: no column perfcore knows{near}; the columns are {', '.join(NUMBERS)}, datacenter, "
            "peak_dense_<format>_tflops"
        )
    return columns


def misspelt(columns: Iterable[str]) -> list[str]:
    """Return a remark for each column that looks like a known one and is not.

    >>> misspelt(["design", "aplicable_die_area_mm2"])
    ["column 'aplicable_die_area_mm2' is not used; did you mean applicable_die_area_mm2?"]
    """
    from difflib import get_close_matches

    strange = [name for name in columns if name not in INPUTS and name not in RESULTS]
    near = {name: get_close_matches(name, INPUTS, n=1, cutoff=0.85) for name in strange}
    return [f"column {name!r} is not used; did you mean {found[0]}?" for name, found in near.items() if found]


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
                bad.writerow(["row", "line", "column", "found", "error"])
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


def read_row(columns: list[str], cells: list[str]) -> tuple[dict[str, Value], list[RowError]]:
    """Read the cells of a row into values, with every cell that is wrong."""
    if len(cells) != len(columns):
        return {}, [RowError("", str(len(cells)), f"cells; the table has {len(columns)} columns")]
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name in INPUTS}
    wrong: list[RowError] = []
    values: dict[str, Value] = {name: _number(name, row, wrong) for name in NUMBERS}
    values["tpp"] = _tpp(row, values["tpp"], wrong)
    values["datacenter"] = _datacenter(row.get("datacenter", ""), wrong)
    if wrong:
        return {}, wrong
    return completed(values | _A_CHIP), []


def _number(name: str, row: Mapping[str, str], wrong: list[RowError]) -> Interval:
    """Read a quantity: the cell, or an interval from the _low and _high cells; both must agree."""
    if name not in row and name + ENDS[0] not in row and name + ENDS[1] not in row:
        return UNKNOWN
    ends = []
    for column in (name, name + ENDS[0], name + ENDS[1]):
        try:
            ends.append(exact(row.get(column, "")))
        except ValueError as problem:
            wrong.append(RowError(column, row[column][:60], str(problem)))
            return UNKNOWN
    value, low, high = ends
    if low is high is None:
        return UNKNOWN if value is None else point(value)
    spread = Interval(ZERO if low is None else low, high)
    if high is not None and spread.low > high:
        wrong.append(RowError(name + ENDS[0], row[name + ENDS[0]], f"above {name}_high; allowed: low at most high"))
        return UNKNOWN
    if value is None:
        return spread
    if value not in spread:
        wrong.append(RowError(name, row[name], f"outside {name}_low to {name}_high"))
    return point(value)


@lru_cache(maxsize=65536)
def exact(cell: str) -> Fraction | None:
    """Read a cell as the decimal that is written; None where it says nothing.

    >>> exact("4799.99"), exact("nan")
    (Fraction(479999, 100), None)

    Raises
    ------
    ValueError
        If it is negative, infinite or no number.
    """
    if cell.lower() in _UNKNOWN_CELLS:
        return None
    try:
        if "_" in cell or not cell.isascii():
            raise InvalidOperation
        number = Decimal(cell)
    except InvalidOperation:
        raise ValueError("not a number; allowed: a decimal of 0 or more, or an empty cell for unknown") from None
    problem = number_problem(number, zero=True)
    if problem is not None and not number.is_nan():
        raise ValueError(f"{problem.strip(' ()')}; allowed: a decimal of 0 or more, or an empty cell for unknown")
    return None if number.is_nan() else Fraction(number)


def _tpp(row: Mapping[str, str], given: Value, wrong: list[RowError]) -> Interval:
    """Return TPP as given, or the highest over the formats of the row; both must agree."""
    assert isinstance(given, Interval)
    names = _formats(tuple(row))
    if not names:
        return given
    computed = tpp_of({name: _number(column, row, wrong) for column, name in names.items()}, FORMATS)
    both = common(given, computed)
    if both is None:
        wrong.append(
            RowError("tpp", row.get("tpp", ""), f"disagrees with the formats, which give {float(computed.low):g}")
        )
        return UNKNOWN
    return both


@lru_cache(maxsize=8)
def _formats(columns: tuple[str, ...]) -> dict[str, str]:
    """Return the format of each rate that a table has a column for."""
    return {rate: name for rate, name in RATES.items() if any(rate + end in columns for end in ("", *ENDS))}


def _datacenter(cell: str, wrong: list[RowError]) -> frozenset[bool] | None:
    if cell.lower() in (*_UNKNOWN_CELLS, "unknown"):
        return None
    if cell.lower() not in _YES_NO:
        wrong.append(RowError("datacenter", cell[:60], "allowed: true, false, or an empty cell for unknown"))
        return None
    return frozenset({_YES_NO[cell.lower()]})
