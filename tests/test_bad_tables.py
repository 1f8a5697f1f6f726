"""Tables that cannot be read or written, and runs that end early: one line, the input untouched, no half output."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcore import answer_table, check_table
from perfcore.errors import PerfcoreError

ON = "2024-01-01"
ROWS = 24_000
LASTS = 0.5  # about what a run of so many rows takes [s]


def a_table(folder: Path, rows: int = 3) -> Path:
    lines = [f"d{n},{4790 + n % 20},{400 + n % 7}\n" for n in range(rows)]
    (folder / "in.csv").write_text("design,tpp,applicable_die_area_mm2\n" + "".join(lines))
    return folder / "in.csv"


def a_parquet(folder: Path, rows: int = 3) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    columns = {"design": list(range(rows)), "tpp": [4790.0 + n % 20 for n in range(rows)]}
    pq.write_table(pa.table(columns), folder / "in.parquet", row_group_size=2000)
    return folder / "in.parquet"


def batch(*arguments: object) -> Any:
    command = [sys.executable, "-m", "perfcore", "batch", *map(str, arguments), "--on", ON]
    return subprocess.run(command, capture_output=True, text=True, check=False)


SMALL_PARTS = """
import sys
from perfcore.tables import csv_parts
csv_parts.ROWS = 1000
if sys.argv[2].endswith(".parquet"):
    from perfcore.tables import parquet_parts
    parquet_parts.PART_ROWS = 4000
from perfcore.cli import main
if sys.argv.pop() == "say when ready":
    print("ready", file=sys.stderr, flush=True)
main("perfcore")
"""


def small_parts(*arguments: object, ready: str = "") -> list[str]:
    """Return a command of which a part is 1000 rows of CSV or 4000 of Parquet."""
    return [sys.executable, "-c", SMALL_PARTS, "batch", *map(str, arguments), "--on", ON, ready]


def one_line(said: Any, words: str) -> None:
    assert said.returncode == 2, said.stderr
    assert said.stderr.count("\n") == 1, said.stderr
    assert words in said.stderr


def in_one_line(call: Callable[[], object]) -> str:
    with pytest.raises(PerfcoreError) as mistake:
        call()
    assert len(mistake.value.lines) == 1
    return str(mistake.value)


# ---------------------------------------------------------------------------------------------------------------------
# What is read


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbftpp,design\n4800,a\n")
    result = check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON)
    assert (result.rows, result.counts) == (1, {"controlled": 1})
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "design,tpp,performance_density,status,paragraphs",
        "a,4800,,controlled,3A090.a.1",
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp500", "shift-jis"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes("design,tpp\n設計,4800\n".encode(encoding, "replace"))
    said = in_one_line(lambda: check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON))
    assert "not text in UTF-8" in said or "no column perfcore knows" in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("español,1,1\n".encode("latin-1"), "not text in UTF-8"),
        (b'"a quote that is open,1,1\n', "not a CSV table: unexpected end of data"),
        (b'"' + b"x" * 200_000 + b'",1,1\n', "not a CSV table: field larger than"),
    ],
)
def test_what_is_wrong_at_the_end_of_a_long_table(tmp_path: Path, last: bytes, said: str) -> None:
    """The parts done before are of a table that will never be read: nothing is kept, and nothing is promised."""
    source = a_table(tmp_path, 2100)
    with source.open("ab") as file:
        file.write(last)
    command = small_parts(source, tmp_path / "out.csv")
    one_line(subprocess.run(command, capture_output=True, text=True, check=False), said)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_columns_and_no_row(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("design,tpp\n")
    result = check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON)
    assert (result.rows, result.errors, result.counts) == (0, 0, {})
    assert (tmp_path / "out.csv").read_text() == "design,tpp,performance_density,status,paragraphs\n"


@pytest.mark.parametrize("text", ["", "\n", "\n\ntpp\n4800\n", "\ufeff", "   \n", ",,,\n1,2,3,4\n"])
def test_no_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    said = in_one_line(lambda: check_table(tmp_path / "in.csv", tmp_path / "out.csv", ON))
    assert "the table is empty" in said or "no column perfcore knows" in said


def test_a_parquet_table_without_columns(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({}), tmp_path / "in.parquet")
    said = in_one_line(lambda: check_table(tmp_path / "in.parquet", tmp_path / "out.parquet", ON))
    assert "no column perfcore knows" in said


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
@pytest.mark.parametrize("kind", ["absent", "a folder", "not for us"])
def test_no_input(tmp_path: Path, name: str, kind: str) -> None:
    if name == "in.parquet":
        pytest.importorskip("pyarrow")
    if kind == "a folder":
        (tmp_path / name).mkdir()
    if kind == "not for us":
        (tmp_path / name).symlink_to(name)  # a link to itself
    said = in_one_line(lambda: check_table(tmp_path / name, tmp_path / name.replace("in", "out"), ON))
    assert name in said
    assert {path.name for path in tmp_path.iterdir()} <= {name}


# ---------------------------------------------------------------------------------------------------------------------
# What is written


@pytest.mark.parametrize("make", [a_table, a_parquet])
@pytest.mark.parametrize("how", ["itself", "symlink", "hard link", "another way round", "side file"])
def test_the_output_is_the_input(tmp_path: Path, make: Callable[[Path], Path], how: str) -> None:
    source = make(tmp_path)
    target = tmp_path / f"out{source.suffix}"
    if how == "symlink":
        target.symlink_to(source)
    if how == "hard link":
        target.hardlink_to(source)
    if how == "another way round":
        (tmp_path / "folder").symlink_to(tmp_path)
        target = tmp_path / "folder" / source.name
    if how == "itself":
        target = source
    if how == "side file":
        if source.suffix == ".parquet":
            pytest.skip("a side file is CSV")
        source = source.rename(tmp_path / "out.errors.csv")
    before, names = source.read_bytes(), sorted(tmp_path.iterdir())
    assert "is the input; give another name" in in_one_line(lambda: check_table(source, target, ON))
    assert source.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == names


@pytest.mark.parametrize("make", [a_table, a_parquet])
def test_an_input_that_is_replaced_while_it_is_read(tmp_path: Path, make: Callable[..., Path]) -> None:
    """Parts of Parquet are read one after the other by name, so the rows of two tables would stand in one output."""
    source = make(tmp_path, 6000)
    target = source.with_stem("out")
    (tmp_path / "other").mkdir()
    other, told = make(tmp_path / "other", 6000), iter(range(10))

    def replaced(_: int) -> None:
        if next(told) == 0:
            os.replace(other, source)

    said = in_one_line(lambda: check_table(source, target, ON, replaced, part_rows=2000, workers=1))
    assert said == f"{source}: changed while it was read; nothing is written, start again"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["other", source.name])


def test_questions_that_are_replaced_while_they_are_read(tmp_path: Path) -> None:
    source = tmp_path / "asked.csv"
    source.write_text("model,chip,chips,batch\n" + "llama3_8b,h100,1,1\n" * 3)

    def appended(_: int) -> None:
        with source.open("a") as file:
            file.write("llama3_8b,h100,1,2\n")

    assert "changed while it was read" in in_one_line(
        lambda: answer_table(source, tmp_path / "out.csv", None, appended)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["asked.csv"]


def test_a_folder_with_a_manifest_and_more_is_not_ours(tmp_path: Path) -> None:
    """manifest.json is a name that others use too; what else stands beside it was deleted."""
    folder = tmp_path / "out.csv.parts"
    folder.mkdir()
    for name in ("manifest.json", "thesis.txt"):
        (folder / name).write_text("{}")
    assert "is in the way" in in_one_line(lambda: check_table(a_table(tmp_path), tmp_path / "out.csv", ON))
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "thesis.txt"]


def test_an_input_among_the_parts_of_the_output(tmp_path: Path) -> None:
    folder = tmp_path / "out.csv.parts"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    source = a_table(tmp_path).rename(folder / "00000000.csv")
    said = in_one_line(lambda: check_table(source, tmp_path / "out.csv", ON))
    assert said == f"{source}: stands in {folder}, where the parts of the output go; give another output"
    assert source.exists()


@pytest.mark.parametrize("name", ["manifest.json", "00000000.json"])
@pytest.mark.parametrize("text", ["[]", "null", "1", "{}", '{"files": []}', '{"files": {}}', '{"rows', ""])
def test_what_a_run_never_wrote_among_its_parts(tmp_path: Path, name: str, text: str) -> None:
    """A manifest of another kind is refused; a part without its record is made again."""
    source, target = a_table(tmp_path, 40), tmp_path / "out.csv"
    check_table(source, tmp_path / "calm.csv", ON, part_rows=10)

    def stopped(rows: int) -> None:
        if rows == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_table(source, target, ON, stopped, part_rows=10)
    (tmp_path / "out.csv.parts" / name).write_text(text)
    if name == "manifest.json":
        assert "start again without --resume" in in_one_line(
            lambda: check_table(source, target, ON, part_rows=10, resume=True)
        )
        return
    check_table(source, target, ON, part_rows=10, resume=True)
    assert target.read_bytes() == (tmp_path / "calm.csv").read_bytes()


@pytest.mark.parametrize("make", [a_table, a_parquet])
def test_a_folder_that_cannot_be_written(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """/proc takes no file from anybody, root either."""
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc")
    source = make(tmp_path)
    one_line(batch(source, f"/proc/out{source.suffix}"), "cannot be written")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["mkdir", "open", "replace", "fsync"])
def test_a_disk_that_says_no(tmp_path: Path, code: int, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call fails, it is one line, what was there stands, and --resume gets there once the disk says yes."""
    source, target = a_table(tmp_path, 50), tmp_path / "out.csv"
    target.write_text("an earlier run\n")
    real = getattr(os, call)

    def failing(*arguments: Any, **options: Any) -> Any:
        if call in ("mkdir", "open") and str(tmp_path) not in str(arguments[0]):
            return real(*arguments, **options)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        assert f"cannot be written: {os.strerror(code)}" in in_one_line(lambda: check_table(source, target, ON))
    assert target.read_text() == "an earlier run\n"
    check_table(source, target, ON, resume=True)
    assert target.read_text().count("\n") == 51
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


# ---------------------------------------------------------------------------------------------------------------------
# Runs that end early


@pytest.mark.parametrize(
    ("make", "more", "sign"),
    [
        *((a_table, (), sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)),
        *((a_table, ("--workers", "2"), sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)),
        *((a_parquet, (), sign) for sign in (signal.SIGINT, signal.SIGKILL)),
    ],
)
def test_ended_at_any_moment(tmp_path: Path, make: Any, more: tuple[str, ...], sign: int) -> None:
    """Ended again and again at random moments, then let be: the bytes of a run left alone, and never a half file.

    An interrupt goes to all processes of the run, as Ctrl-C does; the others to the first alone.
    """
    source = make(tmp_path, ROWS)
    target, calm = tmp_path / f"out{source.suffix}", tmp_path / f"calm{source.suffix}"
    check_table(source, calm, ON, part_rows=1000 if make is a_table else 4000)
    before, whole, rng = source.read_bytes(), calm.read_bytes(), random.Random(sign)
    for turn in range(2):
        command = small_parts(source, target, *more, *(["--resume"] if turn else []), ready="say when ready")
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert run.stderr is not None
        run.stderr.readline()
        time.sleep(0.01 + rng.random() * LASTS)
        (os.killpg if sign == signal.SIGINT else os.kill)(run.pid, sign)
        said = run.communicate(timeout=60)[1]  # all processes have ended, or it would not come back
        assert sign != signal.SIGINT or "Traceback" not in said
        assert run.returncode in (0, -sign, 130)
        assert source.read_bytes() == before
        assert not target.exists() or target.read_bytes() == whole
        assert {path.name for path in tmp_path.iterdir()} <= {
            source.name,
            calm.name,
            target.name,
            f"{target.name}.parts",
        }
        target.unlink(missing_ok=True)
    end = subprocess.run(small_parts(source, target, *more, "--resume"), capture_output=True, text=True, check=False)
    assert end.returncode == 0, end.stderr
    assert target.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name, calm.name])


def test_an_interrupt_while_worker_processes_start(tmp_path: Path) -> None:
    """They start about a tenth of a second after the run, and import for another tenth; Ctrl-C goes to them too."""
    source, command = a_table(tmp_path, ROWS), (tmp_path / "out.csv", "--workers", "2")
    for wait_s in (0.05, 0.1, 0.15, 0.2, 0.25):
        started = small_parts(source, *command, ready="say when ready")
        run = subprocess.Popen(started, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert run.stderr is not None
        run.stderr.readline()
        time.sleep(wait_s)
        os.killpg(run.pid, signal.SIGINT)
        said = run.communicate(timeout=60)[1]
        assert run.returncode in (0, 130)
        assert "Traceback" not in said


LOST = """
import os, signal, sys
from perfcore import answer_table, check_table
from perfcore.errors import PerfcoreError
def kill(rows):
    if rows > 3000:
        os.kill(int(sys.argv[4]), signal.SIGKILL)
try:
    check_table(sys.argv[1], sys.argv[2], "2024-01-01", kill, scheduler=sys.argv[3], part_rows=500)
except PerfcoreError as mistake:
    print(*mistake.lines, sep="\\n")
"""


@contextmanager
def ended_at_the_end(command: list[Any], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is killed where the test leaves it, also by a failure: nothing waits for it."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_scheduler_that_goes_away(tmp_path: Path) -> None:
    """What is done is kept, and goes on without the cluster; Dask's own log does not hide the one line."""
    pytest.importorskip("distributed")
    source, target, said = a_table(tmp_path, ROWS), tmp_path / "out.csv", tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_"]
    scheduler = [f"{dask[-1]}scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [f"{dask[-1]}worker", "--no-dashboard", "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1"]
    with ended_at_the_end([*dask[:-1], *scheduler, "--scheduler-file", said], tmp_path) as first:
        deadline = time.monotonic() + 60
        while not (said.exists() and said.read_text().endswith("}")) and time.monotonic() < deadline:
            time.sleep(0.05)
        address = json.loads(said.read_text())["address"]
        with ended_at_the_end([*dask[:-1], *worker, address], tmp_path):
            command = [sys.executable, "-c", LOST, source, target, address, str(first.pid)]
            run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.stdout.count("\n") == 1
    assert "the cluster was lost" in run.stdout
    assert "; run again" in run.stdout
    assert "Traceback" not in run.stderr
    assert not target.exists()
    check_table(source, target, ON, part_rows=500, resume=True)
    check_table(source, tmp_path / "calm.csv", ON)
    assert target.read_bytes() == (tmp_path / "calm.csv").read_bytes()


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.csv"),
            "x.csv: cannot be written: No space left on device",
        ),
        (
            OSError("in <TCP>: Stream is closed"),
            "the cluster was lost: in <TCP>: Stream is closed; run again",
        ),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the cluster was lost"),
        (TimeoutError(), "the cluster was lost: TimeoutError"),
        (CancelledError("lost\nmore"), "the cluster was lost: lost; run again"),
    ],
)
def test_a_cluster_and_a_disk_are_told_apart(
    tmp_path: Path, problem: BaseException, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perfcore.tables import work

    class Client:
        def close(self) -> None:
            pass

    def flown(*_: Any) -> Any:
        raise problem
        yield

    monkeypatch.setattr(work, "_client", lambda scheduler: Client())
    monkeypatch.setattr(work, "_flown", flown)
    source = a_table(tmp_path)
    found = in_one_line(lambda: check_table(source, tmp_path / "out.csv", ON, scheduler="tcp://127.0.0.1:9"))
    assert said in found


# ---------------------------------------------------------------------------------------------------------------------
# Fuzzing

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fuzzed(folder: Path, name: str, raw: bytes) -> None:
    """Read or refuse in one line; the input stays, and of an output all or nothing."""
    (folder / name).write_bytes(raw)
    target = folder / name.replace("in", "out")
    for path in (target, folder / "out.errors.csv"):
        path.unlink(missing_ok=True)
    result, said = None, tuple[str, ...]()
    try:
        result = check_table(folder / name, target, ON)
    except PerfcoreError as mistake:
        said = mistake.lines
    if result is None:
        assert len(said) == 1
        assert said[0].startswith(str(folder))
        assert [path.name for path in folder.iterdir()] == [name]
    else:
        assert sum(result.counts.values()) + result.errors == result.rows
        assert {path.name for path in folder.iterdir()} <= {name, target.name, "out.errors.csv"}
    assert (folder / name).read_bytes() == raw


GOOD = b'\xef\xbb\xbfdesign,tpp,tpp_low,datacenter\r\n"a, b",4800,,true\r\n\xc3\xa9,,1600.5,0\r\n'


@FUZZ
@given(cuts=st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 8), st.binary(max_size=4)), max_size=6))
def test_bytes_of_text(tmp_path: Path, cuts: list[tuple[int, int, bytes]]) -> None:
    raw = GOOD
    for at, cut, put in cuts:
        raw = raw[:at] + put + raw[at + cut :]
    fuzzed(tmp_path, "in.csv", raw)


@FUZZ
@given(raw=st.binary(max_size=300))
@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_any_bytes(tmp_path: Path, name: str, raw: bytes) -> None:
    if name == "in.parquet":
        pytest.importorskip("pyarrow")
        raw = b"PAR1" + raw + len(raw).to_bytes(4, "little") + b"PAR1"
    fuzzed(tmp_path, name, raw)


@FUZZ
@given(data=st.data())
def test_parquet_with_other_bytes_and_cuts(tmp_path: Path, data: st.DataObject) -> None:
    pytest.importorskip("pyarrow")
    source = tmp_path / "in.parquet"
    if not (tmp_path.parent / "good.parquet").exists():
        a_parquet(tmp_path, 1200).rename(tmp_path.parent / "good.parquet")
    raw = bytearray((tmp_path.parent / "good.parquet").read_bytes())
    # The footer is at the end, and most of what can go wrong is there.
    places = st.integers(0, len(raw) - 1) | st.integers(max(0, len(raw) - 900), len(raw) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        raw[place] = byte
    fuzzed(tmp_path, source.name, bytes(raw[: data.draw(st.just(len(raw)) | places)]))
