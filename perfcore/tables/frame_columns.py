"""Columns of a pandas DataFrame to floats, and single rows of it to the cells that the general reader takes.

pyarrow is not needed; columns that it backs are read through pandas.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from perfcore.errors import PerfcoreError
from perfcore.rows import UNKNOWN_CELLS, YES_NO, exact
from perfcore.tables.designs import Designs, Floats, Rows

# Up to here a float holds every whole number.
WHOLE = 2**53
# Kinds of dtype (numpy's letters) that hold no number: complex, days, spans of time.
NO_NUMBERS = "cMm"


class Column(NamedTuple):
    """A column as floats, NaN for nothing; its cells as text where floats may lose digits; rows that hold no number."""

    numbers: Floats
    texts: list[str] | None = None
    wrong: Rows | None = None

    def cell(self, row: int) -> str:
        """Return a cell as the decimal that is meant, empty for nothing."""
        if self.texts is not None:
            return self.texts[row]
        number = float(self.numbers[row])
        return "" if number != number else repr(number)


class Frame(NamedTuple):
    """The known columns of a frame, read."""

    columns: dict[str, Column]
    rows: int

    def designs(self, start: int, stop: int) -> Designs:
        """Return a stretch of the rows as the compiled loops take them."""
        numbers = {name: c.numbers[start:stop] for name, c in self.columns.items() if name != "datacenter"}
        wrong: Rows | None = None
        for column in self.columns.values():
            if column.wrong is not None:
                bad = column.wrong[start:stop]
                wrong = bad if wrong is None else wrong | bad
        fact = np.full(stop - start, -1, dtype=np.int8)
        if "datacenter" in self.columns:
            told = self.columns["datacenter"].numbers[start:stop]
            fact = np.where(np.isnan(told), -1, told).astype(np.int8)
        wide = frozenset(name for name in numbers if self.columns[name].texts is not None)
        return Designs(numbers, fact, wrong, wide)

    def cells(self, start: int, rows: NDArray[np.intp]) -> tuple[list[str], list[list[str]]]:
        """Return the names of the columns and, of some rows of a stretch, their cells as text."""
        places = (rows + start).tolist()
        return list(self.columns), [[column.cell(place) for column in self.columns.values()] for place in places]


def read_frame(frame: pd.DataFrame) -> Frame:
    """Read the columns of a frame, all of which are known.

    Raises
    ------
    PerfcoreError
        If a column is of a type that holds no number.
    """
    columns = {name: (_facts if name == "datacenter" else numbers_of)(str(name), frame[name]) for name in frame.columns}
    return Frame(columns, len(frame))


def numbers_of(name: str, series: Any) -> Column:
    """Read a column of numbers; a float of any size means the shortest decimal that prints it."""
    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    kind, size = _kind(name, series), getattr(series.dtype, "itemsize", 8)
    if kind == "f" and size <= 8:
        floats = series.to_numpy(dtype=f"f{size}", na_value=np.nan)
        return Column(np.ascontiguousarray(floats) if size == 8 else _as_printed(floats))
    if kind in "iu":
        whole = np.ascontiguousarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        if not (np.abs(whole) >= WHOLE).any():
            return Column(whole)
    texts = [text_of(cell) for cell in series.astype(object)]
    places, each = pd.factorize(np.array(texts, dtype=object))
    read = [_number(text) for text in each]
    wrong = np.array([bad for _, bad in read], dtype=np.bool_)[places]
    return Column(np.array([number for number, _ in read])[places], texts, wrong if wrong.any() else None)


def _kind(name: str, series: Any) -> str:
    """Return numpy's letter for the type of a column, and refuse those that hold no number."""
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if kind in NO_NUMBERS or isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype | pd.DatetimeTZDtype):
        said = "allowed: numbers, text, yes or no"
        more = "; give an interval as two columns, _low and _high" if isinstance(dtype, pd.IntervalDtype) else ""
        raise PerfcoreError(f"check_frame: column {name!r} holds {dtype}; {said}{more}")
    return str(kind)


def _as_printed(floats: Any) -> Floats:
    """Read short floats as the decimals that print them."""
    each, places = np.unique(floats, return_inverse=True)
    read: Floats = each.astype(str).astype(np.float64)[places]
    return read


def text_of(cell: Any) -> str:
    """Return a cell as text, empty where it says nothing.

    >>> text_of(" 4800.10 "), text_of(0.1), text_of(None), text_of(np.float32(0.1))
    ('4800.10', '0.1', '', '0.1')
    """
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return ""
    try:
        return str(cell).strip()
    except ValueError:  # Python prints no whole number of more than 4300 digits
        return "a number of thousands of digits"


def _number(text: str) -> tuple[float, bool]:
    try:
        number = exact(text)
    except ValueError:
        return np.nan, True
    return (np.nan if number is None else float(number)), False


def _facts(name: str, series: Any) -> Column:
    """Read ``datacenter``: 1 yes, 0 no, NaN unknown."""
    if _kind(name, series) == "b":
        known = series.to_numpy(dtype=np.bool_, na_value=False)
        return Column(np.where(series.isna().to_numpy(), np.nan, known))
    texts = [text_of(cell) for cell in series.astype(object)]
    places, each = pd.factorize(np.array(texts, dtype=object))
    words = [text.lower() for text in each]
    numbers = np.array([YES_NO.get(word, np.nan) for word in words], dtype=np.float64)[places]
    wrong = np.array([word not in (*YES_NO, *UNKNOWN_CELLS, "unknown") for word in words], dtype=np.bool_)[places]
    return Column(numbers, texts, wrong if wrong.any() else None)
