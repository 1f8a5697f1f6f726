"""Questions in a DataFrame: answers with the same index, nullable types, and why a row has none."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from perfcore.bulk.answers import Answer, answered, prepared
from perfcore.bulk.cells import written
from perfcore.bulk.kinds import KINDS, NUMBER, TEXT, WHOLE, YES_NO, misspelt
from perfcore.bulk.tables import kind_asked
from perfcore.errors import PerfcoreError
from perfcore.rows import RowError

__all__ = ["answer_frame"]

TYPES = {TEXT: "string", WHOLE: "Int64", NUMBER: "Float64", YES_NO: "boolean"}
WHERE = "answer_frame"
ERROR = "error"


def answer_frame(frame: pd.DataFrame, kind: str | None = None) -> pd.DataFrame:
    """Answer every question of a DataFrame; the answers are those of the functions and of ``perfcore batch``.

    Parameters
    ----------
    frame
        A question a row; its columns are the options of ``perfcore train``, ``infer`` or ``match``, with ``_`` for
        ``-``. NA, NaN, None and empty text are not given.
    kind
        What is asked: train, infer or match. Without it the columns say.

    Returns
    -------
    DataFrame
        The index and the other columns of the frame, then the main figures of each answer (docs/batch.md) in nullable
        types, NA in a row without an answer, and ``error`` (string): why a row has none, else NA.

    Raises
    ------
    PerfcoreError
        If it is no DataFrame, or its columns are those of no kind of question or of several.

    Examples
    --------
    >>> import pandas as pd
    >>> asked = pd.DataFrame({"model": "llama3_8b", "chip": ["h100", "h2o"], "chips": 1, "batch": 16})
    >>> answer_frame(asked)["error"].isna().tolist()
    [True, False]
    """
    asked = _checked(frame, kind)
    results = KINDS[asked].results
    answers = _answers(frame, asked)
    data = {
        name: pd.array([answer.values.get(name) for answer in answers], dtype=TYPES[how])
        for name, how in results.items()
    }
    said = ["; ".join(map(_said, answer.wrong)) or None for answer in answers]
    data[ERROR] = pd.array(said, dtype="string")
    kept = frame.loc[:, [name not in data for name in frame.columns]]
    found = pd.concat([kept, pd.DataFrame(data, index=frame.index)], axis=1)
    found.columns.name = frame.columns.name
    found.attrs.update(frame.attrs)
    return found


def _said(error: RowError) -> str:
    """Return why a row has no answer, with what was found where the words of the command do not say it."""
    found = f"found {error.found!r}: " if error.wrong.startswith("allowed: ") else ""
    return f"{error.column}: {found}{error.wrong}".removeprefix(": ")


def _checked(frame: Any, kind: str | None) -> str:
    """Return the kind of questions; refuse what is no table of them, and warn of columns that look misspelt."""
    if not isinstance(frame, pd.DataFrame):
        found = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
        raise PerfcoreError(f"{WHERE}: found a {found}; allowed: a pandas DataFrame, one question a row")
    if frame.columns.nlevels > 1:
        raise PerfcoreError(f"{WHERE}: found columns of {frame.columns.nlevels} levels; allowed: one level of names")
    names = [name for name in frame.columns if isinstance(name, str)]
    asked = kind_asked(WHERE, names, kind)
    for said in misspelt(asked, names):
        warnings.warn(f"{WHERE}: {said}", stacklevel=3)
    return asked


def _answers(frame: pd.DataFrame, kind: str) -> list[Answer]:
    prepared(kind, len(frame))
    names = [name for name in frame.columns if name in KINDS[kind].columns]
    rows = zip(*(map(_cell, _values(frame[name])) for name in names), strict=True)
    return [answered(kind, names, list(row)) for row in rows]


def _values(series: Any) -> list[Any]:
    """Return the values of a column; a short float means the decimal that prints it, as in Parquet."""
    size = getattr(series.dtype, "itemsize", 8)
    if getattr(series.dtype, "kind", "O") == "f" and size < 8:
        return list(series.to_numpy(dtype=f"f{size}", na_value=np.nan))
    return list(series.tolist())


def _cell(value: Any) -> str:
    """Return a value as the text that a table would hold."""
    if isinstance(value, str):
        return value
    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else written(value)
