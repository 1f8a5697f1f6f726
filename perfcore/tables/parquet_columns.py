"""Columns of a Parquet table to floats, and single rows of it to the cells that the general reader takes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from perfcore.errors import PerfcoreError
from perfcore.rows import ENDS, INPUTS, UNKNOWN_CELLS, YES_NO, exact
from perfcore.tables.designs import Designs, Floats, Rows

# Up to here a float holds every whole number.
WHOLE = 2**53


def designs_of(batch: Any) -> Designs:
    """Read the columns of a record batch."""
    numbers: dict[str, Floats] = {}
    wide: set[str] = set()
    wrong: Rows | None = None
    fact = np.full(batch.num_rows, -1, dtype=np.int8)
    for name in batch.schema.names:
        if name not in INPUTS:
            continue
        if name == "datacenter":
            fact, bad = _facts(batch.column(name))
        else:
            numbers[name], bad, is_wide = numbers_of(batch.column(name))
            wide |= {name} if is_wide else set()
        if bad is not None:
            wrong = bad if wrong is None else wrong | bad
    return Designs(numbers, fact, wrong, frozenset(wide))


def checked_type(where: str, name: str, kind: Any) -> None:
    """Refuse a column whose type holds no number, text or yes and no."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    numeric = pa.types.is_integer(inner) or pa.types.is_decimal(inner)
    numeric = numeric or pa.types.is_float32(inner) or pa.types.is_float64(inner)
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner)
    if not (numeric or text or pa.types.is_boolean(inner) or pa.types.is_null(inner)):
        raise PerfcoreError(
            f"{where}: column {name!r} holds {kind}; allowed: float, double, integer, decimal, text, yes or no"
        )


def numbers_of(column: Any) -> tuple[Floats, Rows | None, bool]:
    """Return a column as floats, NaN for null; the rows that hold no number; and whether digits may be lost.

    A float32 means the shortest decimal that prints it, as a float does.
    """
    kind = column.type
    if pa.types.is_float64(kind):
        return _floats(column), None, False
    if pa.types.is_integer(kind):
        found = _floats(column.cast(pa.float64(), safe=False))
        return found, None, kind.bit_width == 64 and bool((np.abs(found) > WHOLE).any())
    if pa.types.is_float32(kind):
        return _floats(column.cast(pa.string()).cast(pa.float64())), None, False
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), None, False
    return _from_texts(column)


def _floats(column: Any) -> Floats:
    if column.null_count:
        column = pc.fill_null(column, np.nan)
    found: Floats = column.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(found)


def _from_texts(column: Any) -> tuple[Floats, Rows | None, bool]:
    """Read text and decimals, each different cell once."""
    coded = _coded(column)
    read = [_read(text) for text in coded.dictionary.to_pylist()]
    numbers = np.array([*(number for number, _ in read), np.nan])
    bad = np.array([*(wrong for _, wrong in read), False])
    places = _places(coded)
    return numbers[places], bad[places] if bad.any() else None, True


def _coded(column: Any) -> Any:
    """Return a column with each different text once, null for null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()).dictionary_encode()


def _places(coded: Any) -> NDArray[np.int64]:
    """Return the place of each row's text in the dictionary, the last but one for null."""
    found: NDArray[np.int64] = pc.fill_null(coded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return found


def _read(text: str | None) -> tuple[float, bool]:
    try:
        number = exact((text or "").strip())
    except ValueError:
        return float("nan"), True
    return (float("nan") if number is None else float(number)), False


def _facts(column: Any) -> tuple[NDArray[np.int8], Rows | None]:
    """Return ``datacenter`` as -1 unknown, 0 no, 1 yes."""
    if pa.types.is_boolean(column.type):
        found: NDArray[np.int8] = pc.fill_null(column.cast(pa.int8()), -1).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(found), None
    coded = _coded(column)
    words = [(text or "").strip().lower() for text in coded.dictionary.to_pylist()]
    facts = np.array([*(YES_NO.get(word, -1) for word in words), -1], dtype=np.int8)
    bad = np.array([*(word not in YES_NO and word not in (*UNKNOWN_CELLS, "unknown") for word in words), False])
    places = _places(coded)
    return facts[places], bad[places] if bad.any() else None


def cells_of(batch: Any, rows: Iterable[int]) -> tuple[list[str], list[list[str]]]:
    """Return the known columns and, of some rows, their cells as text: numbers as the shortest decimal."""
    names, places = [name for name in batch.schema.names if name in INPUTS], pa.array(rows, pa.int64())
    columns = [batch.column(name) for name in names]
    # Arrow takes no rows out of views of text.
    plain = [each.cast(pa.string()) if pa.types.is_string_view(each.type) else each for each in columns]
    return names, texts_of(pa.record_batch([each.take(places) for each in plain], names=names))


def picked(column: Any, good: Rows) -> Any:
    """Return the marked rows of a column; where Arrow has no filter for its type (views), stretch by stretch."""
    try:
        return column.filter(pa.array(good))
    except pa.ArrowNotImplementedError:
        ends = np.flatnonzero(np.diff(good, prepend=False, append=False)).tolist()
        stretches = [column.slice(first, last - first) for first, last in zip(ends[::2], ends[1::2], strict=True)]
        return pa.concat_arrays(stretches) if stretches else column.slice(0, 0)


def texts_of(batch: Any) -> list[list[str]]:
    """Return every row of a record batch as cells of text, empty for null."""
    texts = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        texts.append(["" if text is None else text for text in column.cast(pa.string()).to_pylist()])
    return [list(cells) for cells in zip(*texts, strict=True)]


def spans(columns: Iterable[str]) -> bool:
    """Whether a table has columns of intervals."""
    return any(name.endswith(ENDS) for name in columns if name in INPUTS)
