"""One run at a time on the parts of an output.

A file in the folder of the parts says which process has it, and that process holds a lock of the system on it, which
goes with the process however it ends: what a killed run leaves can be taken over. Where the system or the file system
has no such locks, the file alone is the lock, and one that a killed run left has to be deleted by hand.
"""

import contextlib
import errno
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

LOCK = ".perfcore.lock"
# A folder may go while it is looked at; so many times in a row is no accident.
TRIES = 100
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class LockedError(PerfcoreError):
    """Another run has the parts of the output."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder if it is not there, and hold it for this process; an empty one goes at the end.

    Raises
    ------
    LockedError
        If another run has it, or may have it.
    OSError
        If the folder cannot be made or written.
    """
    path, handle = folder / LOCK, _taken(folder)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        mine = _is_still(path, handle)
        if fcntl is None:  # such a system may delete no file that is open
            os.close(handle)
        with contextlib.suppress(OSError):
            if mine:  # deleted while it is held, so that nobody takes a file that is about to go
                path.unlink()
            folder.rmdir()
        if fcntl is not None:
            os.close(handle)


def _taken(folder: Path) -> int:
    """Open the file of the lock and take it, or refuse."""
    for left in reversed(range(TRIES)):
        try:
            folder.mkdir(exist_ok=True)
            handle, is_new = _opened(folder / LOCK)
        except (FileExistsError, FileNotFoundError):  # another run has just deleted the folder, or the file
            if not left:
                raise
            continue
        try:
            _claim(folder, handle, is_new)
            if _is_still(folder / LOCK, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise LockedError(f"{folder}: other runs keep making and deleting it; give another output")


def _opened(path: Path) -> tuple[int, bool]:
    """Make the file or open it; say whether it was made."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(path, os.O_RDWR), False


def _claim(folder: Path, handle: int, is_new: bool) -> None:
    """Lock the file for this process; refuse where another has it, or where nothing but the file can say so."""
    who = os.read(handle, 200).decode(errors="replace")
    os.lseek(handle, 0, os.SEEK_SET)
    who = f"another run ({who})" if who.isprintable() and who else "another run"
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{folder}: {who} is writing this output; wait for it, or give another output") from None
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        else:
            return
    if not is_new:
        raise LockedError(
            f"{folder}: {who} may be writing this output, and locks do not work here; "
            f"if none is, delete {folder / LOCK} and start again, with --resume to go on"
        )


def _is_still(path: Path, handle: int) -> bool:
    """Whether the file that was opened is the one that stands there now."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
