"""The rows of a table of designs: cells in, exact values out, and every cell that cannot be read."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from perfcore.answer_cells import A_CHIP
from perfcore.items import tpp_of
from perfcore.quantity import UNKNOWN, ZERO, Interval, Value, common, point
from perfcore.regions import DENSITY, completed
from perfcore.schema import number_problem
from perfcore.terms import FORMATS

NUMBERS = ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
RATES = {f"peak_dense_{name}_tflops": name for name in FORMATS}
ENDS = ("_low", "_high")
INPUTS = frozenset(
    [*(name + end for name in (*NUMBERS, *RATES) for end in ("", *ENDS)), "datacenter"],
)
RESULTS = ("tpp", DENSITY, "status", "paragraphs")
YES_NO = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}
UNKNOWN_CELLS = ("", "nan", "na", "n/a", "<na>", "none", "null")


class RowError(NamedTuple):
    """A cell that cannot be read."""

    column: str
    found: str
    wrong: str


def misspelt(columns: Iterable[str]) -> list[str]:
    """Return a remark for each column that looks like a known one and is not read.

    >>> misspelt(["design", "TPP", "performance_density"])
    ["column 'TPP' is not read; did you mean tpp?", "column 'performance_density' is not read, but computed"]
    """
    from difflib import get_close_matches

    names = list(columns)
    said = []
    for name in names:
        near = get_close_matches(name.lower().replace(" ", "_"), sorted(INPUTS), n=1, cutoff=0.7)
        if name not in INPUTS and name not in RESULTS and near and near[0] not in names:
            said.append(f"column {name!r} is not read; did you mean {near[0]}?")
    if DENSITY in names and not any(name.startswith("applicable_die_area_mm2") for name in names):
        said.append(f"column {DENSITY!r} is not read, but computed")
    return said


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
    return completed({**values, **A_CHIP}), []


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
    if cell.lower() in UNKNOWN_CELLS:
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
    if cell.lower() in (*UNKNOWN_CELLS, "unknown"):
        return None
    if cell.lower() not in YES_NO:
        wrong.append(RowError("datacenter", cell[:60], "allowed: true, false, or an empty cell for unknown"))
        return None
    return frozenset({YES_NO[cell.lower()]})
