"""Parquet tables of questions: rows in, parts of answers out.

Answers take so much longer than reading that a part is some rows, not whole row groups.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from perfcore import __version__
from perfcore.bulk.answers import answered, prepared
from perfcore.bulk.csv_parts import ANSWERED
from perfcore.bulk.kinds import KINDS, NUMBER, TEXT, WHOLE, YES_NO, carried
from perfcore.tables.csv_parts import stored
from perfcore.tables.parquet_columns import checked_type, picked, texts_of
from perfcore.tables.parquet_parts import broken, names, opened
from perfcore.tables.parts import Summary, finish, part_file, whole

TYPES = {TEXT: pa.string(), WHOLE: pa.int64(), NUMBER: pa.float64(), YES_NO: pa.bool_()}


class Table(NamedTuple):
    """What every part of a table needs: what is asked, its file and columns, and the folder of the parts."""

    kind: str
    source: str
    columns: tuple[str, ...]
    folder: Path


def columns_of(source: Path) -> tuple[str, ...]:
    """Return the columns of a file."""
    return tuple(names(source)[0].names)


def rows_of(source: Path, kind: str) -> int:
    """Return how many questions a file has; a column of a type that holds no cells is refused."""
    schema, metadata = names(source)
    for name in schema.names:
        if name in KINDS[kind].columns:
            checked_type(str(source), name, schema.field(name).type)
    return int(metadata.num_rows)


def tasks(table: Table, rows: int, size: int, wanted: Callable[[int], bool]) -> Iterator[tuple[Table, int, int, int]]:
    """Cut a table into parts of so many rows; of none, one part without rows."""
    for number, start in enumerate(range(0, max(rows, 1), size)):
        if wanted(number):
            yield table, number, start, min(size, rows - start)


def write_part(
    table: Table, number: int, start: int, count: int, progress: Callable[[int], None] | None = None
) -> Summary:
    """Answer the questions of a part and write it; a row without an answer goes into a file of its own."""
    prepared(table.kind, count)
    part, known = _rows(table, start, count)
    columns = [name for name in table.columns if name in KINDS[table.kind].columns]
    made: list[dict[str, Any]] = []
    wrong: list[list[Any]] = []
    good: list[bool] = []
    for row, cells in enumerate(known, start + 1):
        answer = answered(table.kind, columns, cells)
        wrong += [[row, "", *error] for error in answer.wrong]
        good.append(not answer.wrong)
        made += [answer.values] if good[-1] else []
        if progress:
            progress(row)
    files = {".parquet": _stored(table, number, _answered(part, good), made)}
    if wrong:
        files[".errors.csv"] = stored(table.folder, number, ".errors.csv", wrong)
    summary = Summary(count, good.count(False), {ANSWERED: len(made)} if made else {})
    finish(table.folder, number, summary, files)
    return summary


def _rows(table: Table, start: int, count: int) -> tuple[Any, list[list[str]]]:
    """Read some rows: those carried over as they are, and the cells of the known columns as text."""
    try:
        with opened(table.source) as file:
            groups: list[int] = []
            first = before = 0
            for place in range(file.metadata.num_row_groups):
                size = file.metadata.row_group(place).num_rows
                if before < start + count and before + size > start:
                    first = before if not groups else first
                    groups.append(place)
                before += size
            part = file.read_row_groups(groups, use_threads=False).slice(start - first, count).combine_chunks()
    except (OSError, pa.ArrowException) as problem:
        raise broken(table.source, problem) from None
    known = part.select([name for name in table.columns if name in KINDS[table.kind].columns])
    return part, texts_of(known)


def _answered(part: Any, good: list[bool]) -> Any:
    """Return the rows that have an answer."""
    if all(good):
        return part
    marked = np.array(good)
    return pa.Table.from_arrays([picked(each.combine_chunks(), marked) for each in part.columns], schema=part.schema)


def _stored(table: Table, number: int, part: Any, made: list[dict[str, Any]]) -> int:
    """Write the answers of a part behind what is carried over; return the size."""
    kept = part.select([table.columns[place] for place in carried(table.kind, table.columns)])
    results = KINDS[table.kind].results
    arrays = [pa.array([values[name] for values in made], TYPES[how]) for name, how in results.items()]
    fields = [*kept.schema, *(pa.field(name, TYPES[how]) for name, how in results.items())]
    said = {"version": __version__, "for": table.kind}
    schema = pa.schema(fields, metadata={"perfcore": json.dumps(said)})
    path = part_file(table.folder, number, ".parquet")
    with whole(path) as out, pq.ParquetWriter(out, schema, compression="lz4") as writer:
        if len(made):
            writer.write_table(pa.Table.from_arrays([*kept.columns, *arrays], schema=schema))
    return path.stat().st_size
