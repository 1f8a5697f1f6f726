"""One run at a time writes an output; what a killed run leaves is taken over by one run."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore import check_table
from perfcore.errors import PerfcoreError
from perfcore.tables import lock, parts

ON = "2024-01-01"
# Writes its parts, then stands still in the middle of the table until it is told to go on.
STANDING = """
import sys
from pathlib import Path
from perfcore import check_table
def still(rows):
    if rows > 2000 and not Path(sys.argv[3]).exists():
        Path(sys.argv[3]).touch()
        sys.stdin.readline()
check_table(sys.argv[1], sys.argv[2], "2024-01-01", still, part_rows=1000)
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text("design,tpp\n" + "".join(f"d{n},{4790 + n % 20}\n" for n in range(5000)))
    return tmp_path / "in.csv"


@pytest.fixture
def standing(table: Path) -> Iterator[Any]:
    """A run that has done two parts of five and waits."""
    out, mark = table.with_name("out.csv"), table.with_name("mark")
    run = subprocess.Popen([sys.executable, "-c", STANDING, table, out, mark], stdin=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    yield run
    run.kill()
    run.communicate()


def batch(*arguments: object) -> Any:
    command = [sys.executable, "-m", "perfcore", "batch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("more", [(), ("--resume",)])
def test_a_second_run_on_one_output_is_refused_in_one_line(table: Path, standing: Any, more: tuple[str, ...]) -> None:
    said = batch(table, table.with_name("out.csv"), "--on", ON, *more)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert f"another run (process {standing.pid} on " in said.stderr
    assert "wait for it, or give another output" in said.stderr
    standing.communicate("go on\n", timeout=60)  # the first run is none the worse
    assert standing.returncode == 0
    check_table(table, table.with_name("calm.csv"), ON)
    assert table.with_name("out.csv").read_bytes() == table.with_name("calm.csv").read_bytes()
    assert sorted(path.name for path in table.parent.iterdir()) == ["calm.csv", "in.csv", "mark", "out.csv"]


@pytest.mark.parametrize("resume", [False, True])
def test_a_killed_run_does_not_stand_in_the_way(table: Path, standing: Any, resume: bool) -> None:
    os.kill(standing.pid, signal.SIGKILL)
    standing.wait()
    folder = table.with_name("out.csv.parts")
    assert (folder / lock.LOCK).read_text().startswith(f"process {standing.pid} on ")
    assert parts.count_finished(folder) == 2
    rows: list[int] = []
    check_table(table, table.with_name("out.csv"), ON, rows.append, part_rows=1000, resume=resume)
    assert (min(rows) > 2000) == resume
    check_table(table, table.with_name("calm.csv"), ON)
    assert table.with_name("out.csv").read_bytes() == table.with_name("calm.csv").read_bytes()
    assert not folder.exists()


def test_many_at_once_and_one_wins_at_a_time(tmp_path: Path) -> None:
    """Whoever has the folder finds it empty but for the lock; nobody else comes in while it is held."""
    inside: list[int] = []
    seen: list[int] = []
    wrong: list[object] = []

    def one() -> None:
        for _ in range(50):
            try:
                with lock.held(tmp_path / "parts"):
                    inside.append(1)
                    seen.append(len(inside))
                    (tmp_path / "parts" / "part").touch()
                    time.sleep(0.0005)
                    inside.pop()
                    parts.discard(tmp_path / "parts")
            except lock.LockedError:
                time.sleep(0.0005)
            except BaseException as problem:
                wrong.append(problem)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) > 4
    assert set(seen) == {1}
    assert not (tmp_path / "parts").exists()


class NoLocks:
    """A file system that has no locks."""

    LOCK_EX = LOCK_NB = 0

    @staticmethod
    def flock(handle: int, how: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize("module", [None, NoLocks])
def test_without_locks_the_file_alone_is_the_lock(table: Path, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", module)
    out, folder = table.with_name("out.csv"), table.with_name("out.csv.parts")
    with lock.held(folder), pytest.raises(PerfcoreError, match=f"process {os.getpid()} on .* may be writing") as said:
        check_table(table, out, ON)
    assert len(said.value.lines) == 1
    check_table(table, out, ON)  # the lock went with its holder
    assert not folder.exists()
    folder.mkdir()  # and one that a killed run left is deleted by hand, as the line says
    (folder / lock.LOCK).write_text("process 1 on elsewhere")
    with pytest.raises(PerfcoreError, match="locks do not work here; if none is, delete"):
        check_table(table, out, ON, resume=True)
    (folder / lock.LOCK).unlink()
    check_table(table, out, ON, resume=True)


@pytest.mark.parametrize("left", [(), (lock.LOCK,), (lock.LOCK, "00000000.csv", ".manifest.json.abc.tmp")])
@pytest.mark.parametrize("resume", [False, True])
def test_what_a_kill_at_the_start_or_the_end_leaves(table: Path, left: tuple[str, ...], resume: bool) -> None:
    folder = table.with_name("out.csv.parts")
    folder.mkdir()
    for name in left:
        (folder / name).write_text("cut sho")
    check_table(table, table.with_name("out.csv"), ON, resume=resume)
    assert table.with_name("out.csv").read_text().count("\n") == 5001
    assert not folder.exists()
