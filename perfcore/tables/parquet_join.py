"""Parquet files end to end into one, without reading their columns again.

A Parquet file is its row groups, one after the other, and a footer that says where they stand. Joining copies the row
groups and writes a footer in which every place is moved by as much as its file was. The footer is Thrift in its compact
protocol, read and written here as a tree: only the fields that are places are touched, all others go through unread.
The field numbers are those of parquet.thrift of the Apache Parquet format.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from perfcore.errors import PerfcoreError

MAGIC = b"PAR1"
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
# FileMetaData, RowGroup, ColumnChunk and ColumnMetaData: fields that are numbers of rows or places in the file.
NUM_ROWS, ROW_GROUPS = 3, 4
COLUMNS, ROW_GROUP_OFFSET, ORDINAL = 1, 5, 7
CHUNK_OFFSET, META_DATA, OFFSET_INDEX, COLUMN_INDEX = 2, 3, 4, 6
PAGE_PLACES = (9, 10, 11, 14)


class Field(NamedTuple):
    """A field of a Thrift struct: its type and its value."""

    kind: int
    value: Any


Struct = dict[int, Field]


class Reader:
    """Reads Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """Read one byte."""
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        """Read a whole number of 7 bits a byte."""
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    def number(self) -> int:
        """Read a signed number."""
        coded = self.varint()
        return (coded >> 1) ^ -(coded & 1)

    def take(self, size: int) -> bytes:
        """Read some bytes."""
        self.at += size
        return self.data[self.at - size : self.at]

    def struct(self) -> Struct:
        """Read fields up to the stop."""
        found: Struct = {}
        last = 0
        while (head := self.byte()) != 0:
            kind = head & 0x0F
            last = last + (head >> 4) if head >> 4 else self.number()
            found[last] = Field(kind, kind if kind in (TRUE, FALSE) else self.value(kind))
        return found

    def value(self, kind: int) -> Any:
        """Read a value of a type."""
        if kind in (I16, I32, I64):
            return self.number()
        if kind == STRUCT:
            return self.struct()
        if kind == BINARY:
            return self.take(self.varint())
        if kind in (LIST, SET):
            head = self.byte()
            size = head >> 4 if head >> 4 < 15 else self.varint()
            return head & 0x0F, [self.value(head & 0x0F) for _ in range(size)]
        if kind in (TRUE, FALSE, BYTE):
            return self.byte()
        if kind == DOUBLE:
            return self.take(8)
        raise PerfcoreError(f"a footer of Parquet holds type {kind}, which perfcore does not copy")


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _number(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def written(kind: int, value: Any) -> bytes:
    """Write a value of a type.

    >>> Reader(written(I64, -300)).value(I64)
    -300
    """
    if kind in (I16, I32, I64):
        return _number(value)
    if kind == STRUCT:
        return _struct(value)
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind in (LIST, SET):
        inner, several = value
        size = len(several)
        head = bytes([size << 4 | inner]) if size < 15 else bytes([0xF0 | inner]) + _varint(size)
        return head + b"".join(written(inner, each) for each in several)
    return bytes([value]) if kind in (TRUE, FALSE, BYTE) else bytes(value)


def _struct(fields: Struct) -> bytes:
    found = bytearray()
    last = 0
    for number, (kind, value) in sorted(fields.items()):
        step = number - last
        found += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _number(number)
        found += b"" if kind in (TRUE, FALSE) else written(kind, value)
        last = number
    return bytes(found + b"\0")


def footer(path: Path) -> tuple[Struct, int]:
    """Read the footer of a Parquet file, and where it starts."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(size - 8)
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or length + 12 > size:
            raise PerfcoreError(f"{path}: this is not a whole Parquet file; start again without --resume")
        file.seek(size - 8 - length)
        return Reader(file.read(length)).struct(), size - 8 - length


def _moved(fields: Struct, places: Iterable[int], by: int) -> Struct:
    """Return a struct with some of its places moved (0 says that there is none)."""
    moved = {n: Field(fields[n].kind, fields[n].value + by) for n in places if n in fields and fields[n].value}
    return {**fields, **moved}


def _row_group(group: Struct, by: int, ordinal: int) -> Struct:
    kind, chunks = group[COLUMNS].value
    columns = []
    for chunk in chunks:
        moved = _moved(chunk, (CHUNK_OFFSET, OFFSET_INDEX, COLUMN_INDEX), by)
        moved[META_DATA] = Field(STRUCT, _moved(chunk[META_DATA].value, PAGE_PLACES, by))
        columns.append(moved)
    found = {**_moved(group, (ROW_GROUP_OFFSET,), by), COLUMNS: Field(LIST, (kind, columns))}
    if ORDINAL in found:
        found[ORDINAL] = Field(I16, ordinal)
        if ordinal >= 2**15:
            del found[ORDINAL]
    return found


def join(several: list[Path], out: IO[bytes]) -> None:
    """Write Parquet files of the same columns end to end as one."""
    out.write(MAGIC)
    at, rows = len(MAGIC), 0
    groups: list[Struct] = []
    whole: Struct = {}
    for path in several:
        fields, end = footer(path)
        whole = whole or fields
        rows += fields[NUM_ROWS].value
        by = at - len(MAGIC)
        for group in fields[ROW_GROUPS].value[1]:
            groups.append(_row_group(group, by, len(groups)))
        with path.open("rb") as file:
            file.seek(len(MAGIC))
            _copied(file, out, end - len(MAGIC))
        at += end - len(MAGIC)
    whole = {**whole, NUM_ROWS: Field(I64, rows), ROW_GROUPS: Field(LIST, (STRUCT, groups))}
    written_footer = _struct(whole)
    out.write(written_footer + len(written_footer).to_bytes(4, "little") + MAGIC)


def _copied(file: IO[bytes], out: IO[bytes], size: int) -> None:
    """Copy so many bytes."""
    while size > 0:
        data = file.read(min(size, 1 << 22))
        if not data:
            raise PerfcoreError("a part ends early; start again without --resume")
        out.write(data)
        size -= len(data)
