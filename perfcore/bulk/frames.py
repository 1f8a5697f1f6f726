"""Questions in a DataFrame: answers with the same index, nullable types, and why a row has none."""

from typing import TYPE_CHECKING, Any

from perfcore.bulk.answers import answered
from perfcore.bulk.cells import written
from perfcore.bulk.kinds import KINDS, NUMBER, TEXT, WHOLE, YES_NO
from perfcore.bulk.tables import kind_asked
from perfcore.errors import PerfcoreError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["answer_frame"]

TYPES = {TEXT: "string", WHOLE: "Int64", NUMBER: "Float64", YES_NO: "boolean"}
ERROR = "error"


def answer_frame(frame: "DataFrame", kind: str | None = None) -> "DataFrame":
    """Answer every question of a DataFrame.

    Parameters
    ----------
    frame
        A question a row; its columns are the options of ``perfcore train``, ``infer`` or ``match``, with ``_`` for
        ``-``. What is missing is not given.
    kind
        What is asked: train, infer or match. Without it the columns say.

    Returns
    -------
    DataFrame
        The main figures of each answer, with the index of ``frame`` and nullable types; ``error`` says why a row has
        no answer.

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
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise PerfcoreError(f"frame: found a {type(frame).__name__}; allowed: a pandas DataFrame")
    columns = [str(name).strip() for name in frame.columns]
    asked = kind_asked("frame", columns, kind)
    known = [place for place, name in enumerate(columns) if name in KINDS[asked].columns]
    names = [columns[place] for place in known]
    cells = zip(*([_cell(value) for value in frame.iloc[:, place].tolist()] for place in known), strict=True)
    answers = [answered(asked, names, row) for row in cells]
    data = {
        name: pd.array([answer.values.get(name) for answer in answers], dtype=TYPES[how])  # type: ignore[call-overload]
        for name, how in KINDS[asked].results.items()
    }
    said = ["; ".join(f"{one.column}: {one.wrong}" for one in answer.wrong) or None for answer in answers]
    data[ERROR] = pd.array(said, dtype="string")
    return pd.DataFrame(data, index=frame.index)


def _cell(value: Any) -> str:
    """Return a value as the text that a table would hold."""
    import pandas as pd

    if isinstance(value, str):
        return value
    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else written(value)
