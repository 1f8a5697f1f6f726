"""CSV tables of questions: parts of rows in, parts of answers out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.bulk.answers import answered, prepared
from perfcore.bulk.cells import written
from perfcore.bulk.kinds import KINDS, carried
from perfcore.tables.csv_parts import line_text, stored
from perfcore.tables.parts import Summary, finish

ANSWERED = "answered"


class Table(NamedTuple):
    """What every part of a table needs: what is asked, its columns, and the folder of the parts."""

    kind: str
    columns: tuple[str, ...]
    folder: Path


def head(kind: str, columns: tuple[str, ...]) -> str:
    """Return the first line of the table of answers."""
    return line_text([[*(columns[place] for place in carried(kind, columns)), *KINDS[kind].results]])


def write_part(
    table: Table,
    number: int,
    first: int,
    several: list[list[str]],
    lines: list[int],
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Answer the questions of a part and write it; a row without an answer goes into a file of its own."""
    prepared(table.kind, len(several))
    places = carried(table.kind, table.columns)
    made: list[list[str]] = []
    wrong: list[list[Any]] = []
    for row, (cells, line) in enumerate(zip(several, lines, strict=True), first):
        answer = answered(table.kind, table.columns, cells)
        wrong += [[row, line, *error] for error in answer.wrong]
        if not answer.wrong:
            made.append([*(cells[place] for place in places), *map(written, answer.values.values())])
        if progress:
            progress(row)
    files = {".csv": stored(table.folder, number, ".csv", made)}
    if wrong:
        files[".errors.csv"] = stored(table.folder, number, ".errors.csv", wrong)
    counts = {ANSWERED: len(made)} if made else {}
    summary = Summary(len(several), len({each[0] for each in wrong}), counts)
    finish(table.folder, number, summary, files)
    return summary
