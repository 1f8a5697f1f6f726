"""The parts of a long run: each written whole, with a manifest of what they are parts of, so that a run can go on."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from perfcore import __version__
from perfcore.errors import PerfcoreError
from perfcore.rules import THE_RULE, load
from perfcore.tables.lock import LOCK

MANIFEST = "manifest.json"
ENDING = ".parts"
# What a run writes there. Names that start with a point are its lock, what it is writing, and what systems leave.
_OURS = re.compile(r"manifest\.json|[0-9]{8,}\.(?:json|csv|parquet|errors\.csv)|\..*")


class Summary(NamedTuple):
    """What one part holds: rows read, rows that could not be read, and rows by status."""

    rows: int
    errors: int
    counts: Mapping[str, int]


def folder_of(target: Path) -> Path:
    """Return the folder of the parts of an output.

    >>> folder_of(Path("verdicts.parquet")).name
    'verdicts.parquet.parts'
    """
    return target.with_name(target.name + ENDING)


def rules_hash() -> str:
    """Return the hash of the rule file that the answers come from."""
    return hashlib.sha256(load(THE_RULE).path.read_bytes()).hexdigest()


def manifest_of(source: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be the same for parts of two runs to fit together."""
    stat = source.stat()
    return {
        "perfcore": __version__,
        "rules": rules_hash(),
        "input": {"name": str(source.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns},
        "options": dict(options),
    }


def unchanged(folder: Path) -> None:
    """Refuse parts of an input that is no longer what it was when the run started: some may be of what stood before.

    What is no file, such as a pipe, has no such time; and of what is deleted no part can be of anything else.
    """
    given = json.loads((folder / MANIFEST).read_bytes())["input"]
    source = Path(given["name"])
    with contextlib.suppress(OSError):
        stat = source.stat()
        if source.is_file() and (stat.st_size, stat.st_mtime_ns) != (given["size"], given["mtime_ns"]):
            raise PerfcoreError(f"{source}: changed while it was read; nothing is written, start again")


def checked_place(folder: Path) -> None:
    """Refuse a folder that is in the way: one that holds anything else than parts of a run."""
    if folder.is_symlink() or (folder.exists() and not _is_ours(folder)):
        raise PerfcoreError(f"{folder}: is in the way of the parts of the output; move it, or give another output")


def opened(folder: Path, manifest: Mapping[str, Any], resume: bool) -> None:
    """Go on with the parts in the folder of a run, or empty it.

    Raises
    ------
    PerfcoreError
        If its parts are of another input, version or rule.
    """
    if resume and (folder / MANIFEST).exists():
        _same(folder, manifest)
        return
    _empty(folder)
    with whole(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2).encode())


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds parts of a run, or is that of a run killed at its start or its end."""
    if not folder.is_dir():
        return not folder.exists()  # another run has just deleted it
    held = [path.name for path in folder.iterdir()]
    return not held or (any((folder / name).is_file() for name in (MANIFEST, LOCK)) and all(map(_OURS.fullmatch, held)))


def _same(folder: Path, manifest: Mapping[str, Any]) -> None:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    found = found if isinstance(found, dict) else {}
    for key, value in manifest.items():
        if found.get(key) != value:
            what = {"perfcore": "another version of perfcore", "rules": "other rules", "input": "another input"}
            said = what.get(key, "other options")
            raise PerfcoreError(f"{folder}: holds parts made with {said}; start again without --resume")


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file beside its name and put it in place at the end; whatever goes wrong, no half file is left."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def part_file(folder: Path, number: int, ending: str) -> Path:
    """Return the path of a file of a part.

    >>> part_file(Path("x"), 7, ".csv").name
    '00000007.csv'
    """
    return folder / f"{number:08d}{ending}"


def finish(folder: Path, number: int, summary: Summary, files: Mapping[str, int]) -> None:
    """Write that a part is done; ``files`` are the sizes of its files by ending."""
    with whole(part_file(folder, number, ".json")) as file:
        file.write(json.dumps({**summary._asdict(), "files": dict(files)}).encode())


def finished(folder: Path, number: int) -> Summary | None:
    """Return what a part holds, or None where it is not there whole."""
    try:
        said = json.loads(part_file(folder, number, ".json").read_bytes())
        sizes = {ending: part_file(folder, number, ending).stat().st_size for ending in said["files"]}
        summary = Summary(said["rows"], said["errors"], said["counts"])
    except (OSError, ValueError, LookupError, TypeError):  # cut short, or nothing that a run has written
        return None
    return summary if sizes == said["files"] else None


def count_finished(folder: Path) -> int:
    """Return how many parts of a run are done."""
    return sum(1 for path in folder.glob("*.json") if path.name != MANIFEST) if folder.is_dir() else 0


def discard(folder: Path) -> None:
    """Delete the parts; what holds the folder deletes that."""
    with contextlib.suppress(OSError):
        _empty(folder)


def _empty(folder: Path) -> None:
    """Delete all but the lock, what says that it is ours last."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == MANIFEST):
        if path.name != LOCK:
            path.unlink(missing_ok=True)
