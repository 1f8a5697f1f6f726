"""What tables of any kind share once their columns are floats: the law of a day, and what exact arithmetic decides."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.answer_cells import Answers, answers_of, code_of
from perfcore.outcome import classify
from perfcore.quantity import Interval
from perfcore.regions import density
from perfcore.rows import RowError, read_row
from perfcore.rules import THE_RULE, Version, load
from perfcore.tables.designs import AGAIN, Decided

# Below so many rows the scalar engine is done before the compiled loops are loaded.
FEW_ROWS = 10_000
# From the places of some rows to the known columns and their cells as text.
Cells = Callable[[NDArray[np.intp]], tuple[list[str], list[list[str]]]]


@lru_cache(maxsize=8)
def law_on(on: date, compiled: bool) -> tuple[Version | None, Answers, Any]:
    """Return the version of a day, its answers, and those laid out for the compiled loops where they are wanted."""
    version = load(THE_RULE).in_force(on)
    answers = answers_of(version)
    assert answers is not None, "a shipped version of 3A090 has a form that tables do not know"
    if not compiled:
        return version, answers, None
    from perfcore.kernels.classify import law_of

    return version, answers, law_of(answers)


def undecided(rows: int) -> Decided:
    """Return answers that leave every row to exact arithmetic."""
    nothing = np.full(rows, np.nan)
    return Decided(np.full(rows, AGAIN, dtype=np.uint8), (nothing, nothing), (nothing, nothing))


def exact_rows(
    version: Version | None, answers: Answers, decided: Decided, cells: Cells
) -> tuple[Decided, list[tuple[int, RowError]]]:
    """Decide the rows left over as the scalar engine does; return them filled in, and the errors of those unread."""
    rows = np.flatnonzero(decided.codes == AGAIN)
    if not len(rows):
        return decided, []
    codes = decided.codes.copy()
    ends = [end.copy() for end in (*decided.tpp, *decided.density)]
    wrong: list[tuple[int, RowError]] = []
    columns, several = cells(rows)
    for row, texts in zip(rows.tolist(), several, strict=True):
        values, errors = read_row(columns, texts)
        wrong += [(row, error) for error in errors]
        if errors:
            continue
        codes[row] = code_of(answers.paragraphs, classify(version, values))
        tpp, dense = values["tpp"], density(values)
        assert isinstance(tpp, Interval)
        for place, end in enumerate((tpp.low, tpp.high, dense.low, dense.high)):
            ends[place][row] = np.inf if end is None else float(end)
    return Decided(codes, (ends[0], ends[1]), (ends[2], ends[3])), wrong


def sets_of(answers: Answers) -> list[str]:
    """Return every set of paragraphs, as a table writes it, by its bits."""
    return [";".join(answers.outcome(bits)[1]) for bits in range(1 << len(answers.paragraphs))]
