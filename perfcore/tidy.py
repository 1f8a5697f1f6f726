"""Rows of an answer as a DataFrame of nullable columns."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

__all__ = ["to_frame"]

ENDS = ("low", "high")


def to_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a DataFrame: Float64, Int64, boolean and string columns, NA for what is not there.

    Pairs and intervals become two columns, ``_low`` and ``_high``; a list of texts is joined by ``; ``, a table within
    a row becomes a column for each of its keys.

    >>> found = to_frame([{"chips": 8, "ratio": 0.5, "ends": (1.0, 2.0)}, {"chips": None, "ratio": 1}])
    >>> found.dtypes.astype(str).to_dict()
    {'chips': 'Int64', 'ratio': 'Float64', 'ends_low': 'Float64', 'ends_high': 'Float64'}
    """
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    return pd.DataFrame({name: _column([row.get(name) for row in flat]) for name in names})


def _flat(row: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}_")
        elif isinstance(value, list | tuple) and len(value) == 2 and not any(isinstance(end, str) for end in value):
            yield from zip((f"{name}_{end}" for end in ENDS), value, strict=True)
        elif isinstance(value, list | tuple):
            yield name, "; ".join(map(str, value))
        else:
            yield name, value


def _column(cells: list[Any]) -> Any:
    """Return the cells as the narrowest nullable type that holds them all."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if not kinds <= {bool, int, float, str}:
        return cells
    if kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int}:
        dtype = "Int64"
    elif kinds <= {int, float}:
        dtype = "Float64"
    elif kinds == {str}:
        dtype = "string"
    else:
        return pd.Series(cells, dtype=object)
    return pd.array([pd.NA if cell is None else cell for cell in cells], dtype=dtype)
