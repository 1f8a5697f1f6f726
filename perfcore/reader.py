"""TOML in: found, read safely, and every problem named with its line."""

import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from perfcore.errors import PerfcoreError

LARGEST_FILE = 1_000_000
_HERE = Path(__file__).resolve().parent
# A checkout (also an editable install of one) has specs/ beside the package, a wheel has it inside.
SPECS = _HERE / "_specs" if (_HERE / "_specs").is_dir() else _HERE.parent / "specs"

_LONG_LINE = 2000
_LONG_KEY = re.compile(r"(?:[\w-]{1,80}[ \t]{0,9}\.[ \t]{0,9}){20}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00(?::00(?::00(?:\.0+)?)?)?)?")
_HEADER = re.compile(r"^[ \t]*(\[\[?)([^\[\]#]+)\]")
_ASSIGNED = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=""")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; decimals stay exact.

    Raises
    ------
    PerfcoreError
        If the file is missing, empty, too large, not text or not TOML.
    """
    text = read_text(path)
    if any(len(line) > _LONG_LINE and _LONG_KEY.search(line) for line in text.splitlines()):
        raise PerfcoreError(f"{path}: found a dotted key of more than 20 parts; no spec file has one")
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, MemoryError, ValueError) as problem:
        raise PerfcoreError(f"{path}: this is not TOML: {_brief(problem)}{_other_format(text)}") from None


def read_text(path: Path, wanted: str = "a TOML file") -> str:
    """Return the text of a file that is there, not empty, not too large, and UTF-8.

    Raises
    ------
    PerfcoreError
        If it is anything else; ``wanted`` says what was expected.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise PerfcoreError(f"{path}: this is a folder; give {wanted}")
        if size > LARGEST_FILE:
            raise PerfcoreError(f"{path}: found {size:,} bytes; allowed: a spec file of at most {LARGEST_FILE:,}")
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)  # a device has no size to look at first
        if len(raw) > LARGEST_FILE:
            raise PerfcoreError(f"{path}: found more than {LARGEST_FILE:,} bytes; allowed: a spec file of at most that")
    except OSError as problem:
        raise PerfcoreError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except PerfcoreError:
        raise
    except ValueError:  # a zero byte, or half a character of UTF-16
        raise PerfcoreError(f"{str(path)[:60]!r} is a name that no file can have; give {wanted}") from None
    if not raw.strip():
        raise PerfcoreError(f"{path}: the file is empty; specs/README.md shows what a file holds")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PerfcoreError(f"{path}: this is not text in UTF-8; give {wanted}") from None


def is_file(name: str) -> bool:
    """Tell whether a name is that of a file; one that no file can have is none.

    >>> is_file("x" * 5000)
    False
    """
    try:
        return Path(name).is_file()
    except OSError:
        return False


def _brief(problem: Exception) -> str:
    return str(problem).split("\n")[0][:160] or type(problem).__name__


def _other_format(text: str) -> str:
    start = text.lstrip()
    if start.startswith("{"):
        return "; it looks like JSON: write it as TOML (specs/README.md)"
    if start.startswith("---") or re.match(r"[A-Za-z_][\w ]*:(\s|$)", start):
        return "; it looks like YAML: write it as TOML (specs/README.md)"
    return ""


def parse_date(text: str, where: str) -> date:
    """Read a date written YYYY-MM-DD.

    >>> parse_date("2024-02-29", "--on")
    datetime.date(2024, 2, 29)

    Raises
    ------
    PerfcoreError
        If it is anything else.
    """
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise PerfcoreError(
            f"{where}: found {text[:40]!r}; allowed: a date as YYYY-MM-DD, such as 2024-01-01"
        ) from None


def as_date(day: object, where: str) -> date:
    """Return a day given as text, as a date, or as a datetime, Timestamp or datetime64 at midnight.

    >>> from datetime import datetime
    >>> as_date("2024-01-01", "on") == as_date(date(2024, 1, 1), "on") == as_date(datetime(2024, 1, 1), "on")
    True

    Raises
    ------
    PerfcoreError
        If it is anything else, such as a time within the day, or one of a time zone.
    """
    if isinstance(day, str):
        return parse_date(day, where)
    if type(day) is date:
        return day
    # pandas and numpy are not imported for their types: each says its time in full as text.
    midnight = _MIDNIGHT.fullmatch(str(day)) if isinstance(day, date) or type(day).__name__ == "datetime64" else None
    if midnight is None:
        raise PerfcoreError(f"{where}: found {day!r}; allowed: YYYY-MM-DD, a date, or midnight without a time zone")
    return parse_date(midnight[1], where)


def key_lines(text: str) -> dict[str, int]:
    """Find the line of each key and table of a TOML text, by path (``die.2.area_mm2``).

    For messages only: a key inside an inline table is found by its parent.

    >>> key_lines("name = 'x'\\n[[die]]\\ncount = 1\\n[[die]]\\narea_mm2 = 3\\n")["die.2.area_mm2"]
    5
    """
    lines: dict[str, int] = {}
    seen: dict[str, int] = {}
    table, quote = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        header, assigned = _HEADER.match(line), _ASSIGNED.match(line)
        if header:
            table = _table_path(header[1], header[2].strip(), seen)
            lines.setdefault(table, number)
        elif assigned:
            key = ".".join(part.strip().strip("\"'") for part in assigned[1].split("."))
            lines.setdefault(f"{table}.{key}" if table else key, number)
        quote = next((q for q in ('"""', "'''") if line.count(q) % 2), "")
    return lines


def _table_path(brackets: str, name: str, seen: dict[str, int]) -> str:
    """Give an array's table the number of its place, and put a sub-table under the last of its array."""
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    path = ""
    for place, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if brackets == "[[" and place == len(parts) - 1:
            seen[path] = seen.get(path, 0) + 1
        if path in seen:
            path = f"{path}.{seen[path]}"
    return path


def line_of(path: str, lines: dict[str, int]) -> int | None:
    """Return the line of a path, or of the nearest thing above it.

    >>> line_of("die.1.area_mm2.low", {"die.1.area_mm2": 7})
    7
    """
    while path:
        if path in lines:
            return lines[path]
        path = path.rpartition(".")[0]
    return None


def report(path: Path, problems: list[tuple[str, str]]) -> PerfcoreError:
    """Make one error of all the problems of a file, each a (key path, what is wrong)."""
    try:
        lines = key_lines(path.read_text("utf-8-sig"))
    except OSError:
        lines = {}
    said = []
    for key, wrong in problems:
        line = line_of(key, lines)
        said.append(f"{path}:{line}: {key}: {wrong}" if line else f"{path}: {key}: {wrong}")
    return PerfcoreError(said)
