"""The cells of a measurement table, read strictly: a number, nothing, or a reason to skip the row."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from perfcore.errors import PerfcoreError

__all__ = ["Row", "SkippedError", "read_rows"]

LARGEST_TABLE = 200_000_000
SMALLEST, LARGEST = 1e-15, 1e15  # beyond them no cell means what its column says, and products overflow


class SkippedError(Exception):
    """Why a row cannot be predicted."""


class Row:
    """One row: numbers and texts by column; an empty cell or a missing column is None."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self.cells = cells

    def text(self, column: str) -> str:
        """Return a cell as text, empty where there is none.

        >>> Row({"chip": " H100 "}).text("chip")
        'H100'
        """
        return (self.cells.get(column) or "").strip()

    def number(self, column: str) -> float | None:
        """Return a cell as a number.

        >>> Row({"TP": "8"}).number("TP"), Row({}).number("TP")
        (8.0, None)

        Raises
        ------
        SkippedError
            If it is text, not finite or negative.
        """
        said = self.text(column)
        if not said or said.lower() in ("nan", "none", "null", "n/a", "na"):
            return None
        try:
            value = float(said)
        except ValueError:
            raise SkippedError(f"{column}: found {said[:40]!r}; allowed: a number") from None
        if not math.isfinite(value) or value < 0 or "_" in said:
            raise SkippedError(f"{column}: found {said[:40]!r}; allowed: a number of 0 or more")
        if value and not SMALLEST <= value <= LARGEST:
            raise SkippedError(f"{column}: found {said[:40]!r}; allowed: 0, or {SMALLEST:g} to {LARGEST:g}")
        return value

    def needed(self, column: str) -> float:
        """Return a number that must be there and above 0.

        Raises
        ------
        SkippedError
            If it is missing or 0.
        """
        value = self.number(column)
        if value is None:
            raise SkippedError(f"{column} is not given")
        if value == 0:
            raise SkippedError(f"{column}: found 0; allowed: a number above 0")
        return value

    def or_else(self, column: str, default: float) -> float:
        """Return a number, or a default where there is none or 0."""
        return self.number(column) or default


def read_rows(path: Path, needed: tuple[str, ...]) -> list[Row]:
    """Read a CSV table with a header.

    Raises
    ------
    PerfcoreError
        If it cannot be read, is empty, or lacks a column without which no row can be predicted.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST_TABLE:
            raise PerfcoreError(f"{path}: found {path.stat().st_size:,} bytes; allowed: at most {LARGEST_TABLE:,}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            header = [name.strip() for name in reader.fieldnames or []]
            rows = [Row({(k or "").strip(): v for k, v in cells.items() if isinstance(v, str)}) for cells in reader]
    except OSError as problem:
        raise PerfcoreError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise PerfcoreError(f"{path}: this is not a CSV table in UTF-8: {problem}") from None
    if not rows:
        raise PerfcoreError(f"{path}: the table has no rows; give a header and at least one measurement")
    missing = [column for column in needed if column not in header]
    doubled = sorted({column for column in header if header.count(column) > 1})
    if doubled:
        raise PerfcoreError(f"{path}: the column {doubled[0]} is there twice; keep one")
    if missing:
        raise PerfcoreError(f"{path}: the columns {', '.join(missing)} are missing; docs/training.md lists them")
    return rows
