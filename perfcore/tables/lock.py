"""One run at a time on the parts of an output.

A file in the folder of the parts says which process on which host has it, and that process holds a lock of the system
on it, which goes with the process however it ends. So what a killed run leaves is taken over, by one run alone.
"""

import contextlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfcore.errors import PerfcoreError

try:
    import fcntl
except ImportError:  # a system without locks of this kind
    fcntl = None  # type: ignore[assignment]

LOCK = "lock.json"
# A folder may go while it is looked at; so many times in a row is no accident.
TRIES = 20


class LockedError(PerfcoreError):
    """Another run has the parts of the output."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there, and hold it for this process.

    Raises
    ------
    LockedError
        If another run has it, or one on another host may.
    OSError
        If the folder cannot be made or written.
    """
    path, handle = folder / LOCK, _taken(folder)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"process": os.getpid(), "host": platform.node()}).encode())
        yield
    finally:
        if fcntl is not None:  # deleted while it is held, so that nobody takes a file that is about to go
            _delete(path, handle)
        os.close(handle)
        if fcntl is None:
            path.unlink(missing_ok=True)


def _taken(folder: Path) -> int:
    """Open the file of the lock and take it, or refuse."""
    for _ in range(TRIES):
        folder.mkdir(exist_ok=True)
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another run has just deleted the folder
            continue
        try:
            _claim(folder, handle)
            if _is_still(folder / LOCK, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise LockedError(f"{folder}: another run keeps making and deleting it; give another output")


def _claim(folder: Path, handle: int) -> None:
    """Lock the file for this process; refuse where another process has it, or may have it."""
    said = os.read(handle, 1000)
    os.lseek(handle, 0, os.SEEK_SET)
    sure = fcntl is not None
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _name(_holder(said))
            raise LockedError(f"{folder}: {who} is writing this output; wait for it, or give another output") from None
        except OSError:
            sure = False  # a file system without locks
    holder = _holder(said)
    if said and not _is_gone(holder, sure):
        raise LockedError(
            f"{folder}: {_name(holder)} may be writing this output; "
            f"if it is not, delete {folder / LOCK} and start again, with --resume to go on"
        )


def _is_gone(holder: dict[str, object], sure: bool) -> bool:
    """Whether the process that wrote a lock is no more; ``sure`` says that it would still hold it."""
    process = holder.get("process")
    if holder.get("host") != platform.node() or not isinstance(process, int) or fcntl is None:
        return False
    try:
        return sure or os.kill(process, 0) is not None
    except OSError as problem:
        return isinstance(problem, ProcessLookupError)


def _holder(said: bytes) -> dict[str, object]:
    try:
        found = json.loads(said or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _name(holder: dict[str, object]) -> str:
    known = "process" in holder and "host" in holder
    return f"another run (process {holder['process']} on {holder['host']})" if known else "another run"


def _is_still(path: Path, handle: int) -> bool:
    """Whether the file that was opened is the one that stands there now."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _delete(path: Path, handle: int) -> None:
    with contextlib.suppress(OSError):
        if _is_still(path, handle):
            path.unlink()
