"""Parquet tables: parts of row groups in, parts of verdicts out."""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from perfcore import __version__
from perfcore.answer_cells import STATUSES
from perfcore.errors import PerfcoreError
from perfcore.regions import DENSITY
from perfcore.rows import INPUTS, RESULTS
from perfcore.rules import THE_RULE
from perfcore.tables.csv_parts import carried, checked, stored
from perfcore.tables.decisions import FEW_ROWS, exact_rows, law_on, sets_of, undecided
from perfcore.tables.designs import Decided, Floats, decide
from perfcore.tables.parquet_columns import cells_of, checked_type, designs_of, picked, spans
from perfcore.tables.parts import Summary, finish, part_file, rules_hash, whole

# Rows of a part and of a batch within it: so many that calls cost nothing beside the work, so few that the columns of
# a batch stay in the cache of a core.
PART_ROWS = 1_000_000
BATCH_ROWS = 131_072
BUFFER = 1 << 20
# A row group of the output is written when it is so large, however few its rows.
MOST_BYTES = 64 << 20


class Table(NamedTuple):
    """What every part of a table needs: its file and columns, the day, and the folder of the parts."""

    source: str
    on: date
    folder: Path
    columns: tuple[str, ...]
    rows: int


class Layout(NamedTuple):
    """The columns and rows of a file, and its parts: the first row and the row groups of each."""

    columns: tuple[str, ...]
    rows: int
    parts: tuple[tuple[int, tuple[int, ...]], ...]


def opened(path: str | Path) -> Any:
    """Open a Parquet file; what is none, or cut short, is one line."""
    try:
        return pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except OSError as problem:
        if isinstance(problem, FileNotFoundError | PermissionError | IsADirectoryError):
            raise PerfcoreError(f"{path}: {problem.strerror or problem}") from None
        raise broken(path, problem) from None
    except (pa.ArrowException, ValueError) as problem:
        raise broken(path, problem) from None


def broken(path: str | Path, problem: Exception) -> PerfcoreError:
    """Say in one line that a file cannot be read."""
    said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    return PerfcoreError(f"{path}: this is not a whole Parquet file: {said}")


def names(source: Path) -> tuple[Any, Any]:
    """Return the schema of any table, each column once, and the metadata of its file."""
    if not source.is_file():
        raise PerfcoreError(f"{source}: No such file or directory" if not source.exists() else f"{source}: not a file")
    with opened(source) as file:
        schema, metadata = file.schema_arrow, file.metadata
    columns = [name.strip() for name in schema.names]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise PerfcoreError(f"{source}: column {twice[0]!r} stands twice")
    if columns != schema.names:
        raise PerfcoreError(f"{source}: a name of a column starts or ends with a space; take it away")
    return schema, metadata


def layout_of(source: Path, part_rows: int | None = None) -> Layout:
    """Read the columns of a file and cut it into parts: whole row groups, about ``part_rows`` rows each."""
    schema, metadata = names(source)
    columns = schema.names
    checked(str(source), columns)
    for name in columns:
        if name in INPUTS:
            checked_type(str(source), name, schema.field(name).type)
    sizes = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
    return Layout(tuple(columns), metadata.num_rows, tuple(_cut(sizes, part_rows or PART_ROWS)))


def _cut(sizes: list[int], part_rows: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Give the first row and the row groups of each part."""
    first, held = 1, 0
    groups: list[int] = []
    for place, size in enumerate(sizes):
        if groups and held + size > part_rows:
            yield first, tuple(groups)
            first, held, groups = first + held, 0, []
        groups.append(place)
        held += size
    yield first, tuple(groups)


def schema_of(table: Table) -> Any:
    """Return the columns of the output: those carried over, then the results."""
    with opened(table.source) as file:
        given = file.schema_arrow
    fields = [given.field(table.columns[place]) for place in carried(table.columns)]
    coded = pa.dictionary(pa.int8(), pa.string())
    fields += [pa.field("tpp", pa.float64()), pa.field(DENSITY, pa.float64())]
    fields += [pa.field("status", coded), pa.field("paragraphs", coded)]
    if spans(table.columns):
        fields += [pa.field(f"{name}{end}", pa.float64()) for name in ("tpp", DENSITY) for end in ("_low", "_high")]
    said = {"version": __version__, "rule": THE_RULE, "rules": rules_hash(), "on": table.on.isoformat()}
    return pa.schema(fields, metadata={"perfcore": json.dumps(said)})


def write_part(table: Table, number: int, first: int, groups: tuple[int, ...]) -> Summary:
    """Check the rows of a part and write it; a row that cannot be read goes into a file of its own."""
    schema = schema_of(table)
    coded = [f.name for f in schema if not pa.types.is_floating(f.type)]
    wrong: list[list[Any]] = []
    counts = np.zeros(len(STATUSES), dtype=np.int64)
    rows = 0
    path = part_file(table.folder, number, ".parquet")
    with (
        whole(path) as out,
        pq.ParquetWriter(out, schema, compression="lz4", use_dictionary=coded, write_statistics=True) as writer,
    ):
        held: list[Any] = []
        for batch in _batches(table, groups):
            made, errors, found = _verdicts(table, schema, batch, first + rows)
            held.append(made)
            rows, counts = rows + batch.num_rows, counts + found
            wrong += errors
            if sum(each.num_rows for each in held) >= PART_ROWS or sum(each.nbytes for each in held) >= MOST_BYTES:
                writer.write_table(pa.Table.from_batches(held, schema))
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held, schema))
    files = {".parquet": path.stat().st_size}
    if wrong:
        files[".errors.csv"] = stored(table.folder, number, ".errors.csv", wrong)
    by_status = {status: int(count) for status, count in zip(STATUSES, counts, strict=True) if count}
    summary = Summary(rows, len({each[0] for each in wrong}), by_status)
    finish(table.folder, number, summary, files)
    return summary


def _batches(table: Table, groups: tuple[int, ...]) -> Iterator[Any]:
    """Read row groups batch by batch: only the columns that are carried over or known."""
    wanted = [name for name in table.columns if name not in RESULTS or name in INPUTS]
    if not groups:
        return
    try:
        with opened(table.source) as file:
            yield from file.iter_batches(BATCH_ROWS, row_groups=list(groups), columns=wanted, use_threads=False)
    except (OSError, pa.ArrowException) as problem:
        raise broken(table.source, problem) from None


def _verdicts(table: Table, schema: Any, batch: Any, first: int) -> tuple[Any, list[list[Any]], Any]:
    """Return the output of a batch, its row errors, and its rows by status."""
    version, answers, law = law_on(table.on, table.rows >= FEW_ROWS)
    decided, unread = exact_rows(version, answers, _decided(batch, law), partial(cells_of, batch))
    wrong: list[list[Any]] = [[first + row, "", *error] for row, error in unread]
    good = np.ones(batch.num_rows, dtype=np.bool_)
    good[[row - first for row, *_ in wrong]] = False
    codes = decided.codes[good]
    width = len(answers.paragraphs)
    status, met = (codes >> width).astype(np.int8), (codes & ((1 << width) - 1)).astype(np.int8)
    columns = [batch.column(table.columns[place]) for place in carried(table.columns)]
    arrays = [picked(column, good) for column in columns] if wrong else columns
    tpp, dense = (_points(ends, good) for ends in (decided.tpp, decided.density))
    arrays += [tpp, dense, _coded(status, STATUSES), _coded(met, sets_of(answers))]
    if spans(table.columns):
        for low, high in (decided.tpp, decided.density):
            arrays += [_numbers(np.nan_to_num(low[good], nan=0.0)), _numbers(high[good])]
    return pa.record_batch(arrays, schema=schema), wrong, np.bincount(status, minlength=len(STATUSES))


def _decided(batch: Any, law: Any) -> Decided:
    return undecided(batch.num_rows) if law is None else decide(designs_of(batch), law)


def _points(ends: tuple[Floats, Floats], good: Any) -> Any:
    """Return the numbers that are known, null elsewhere."""
    low, high = ends
    return _numbers(low[good] if low is high else np.where(low == high, low, np.nan)[good])


def _numbers(numbers: Floats) -> Any:
    return pa.array(np.where(np.isinf(numbers), np.nan, numbers), from_pandas=True)


def _coded(places: Any, words: Iterable[str]) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(list(words), pa.string()))
