"""The same bytes from processes and from a Dask cluster, and nothing lost with a worker that is killed."""

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from perfcore import check_table
from perfcore.errors import PerfcoreError

ON = date(2024, 1, 1)


def a_csv(tmp_path: Path, rows: int = 6000) -> Path:
    rng = random.Random(4)
    lines = ["design,tpp,applicable_die_area_mm2,datacenter"]
    for row in range(rows):
        tpp, area = rng.choice(["", "-1", "1600", "2368", str(rng.randint(1000, 9000))]), rng.choice(["0", "400", ""])
        lines.append(f"d{row},{tpp},{area},{rng.choice(['true', 'false', ''])}")
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "in.csv"


def both(path: Path) -> tuple[bytes, bytes]:
    """Return a table of verdicts and its side file."""
    return path.read_bytes(), path.with_name(f"{path.stem}.errors.csv").read_bytes()


def test_processes(tmp_path: Path) -> None:
    source = a_csv(tmp_path)
    check_table(source, tmp_path / "one.csv", ON)
    result = check_table(source, tmp_path / "two.csv", ON, workers=2, part_rows=700)
    assert result.rows == 6000
    assert both(tmp_path / "two.csv") == both(tmp_path / "one.csv")


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(tmp_path: Path, workers: int) -> None:
    with pytest.raises(PerfcoreError, match="allowed: 1 or more"):
        check_table(a_csv(tmp_path, 5), tmp_path / "out.csv", ON, workers=workers)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start a scheduler and two workers on loopback."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address=None,
        ) as made:
            yield made


@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_bytes(tmp_path: Path, cluster: Any) -> None:
    source = a_csv(tmp_path)
    check_table(source, tmp_path / "one.csv", ON)
    check_table(source, tmp_path / "two.csv", ON, scheduler=cluster.scheduler_address, part_rows=700)
    assert both(tmp_path / "two.csv") == both(tmp_path / "one.csv")


@pytest.mark.filterwarnings("default")
def test_parquet_on_a_cluster(tmp_path: Path, cluster: Any) -> None:
    pytest.importorskip("pyarrow")
    from test_parquet import a_big_table

    source = a_big_table(tmp_path, 20_000)
    check_table(source, tmp_path / "one.parquet", ON, part_rows=5000, workers=1)
    check_table(source, tmp_path / "two.parquet", ON, part_rows=5000, scheduler=cluster.scheduler_address)
    assert both(tmp_path / "two.parquet") == both(tmp_path / "one.parquet")


@pytest.mark.filterwarnings("default")
def test_a_killed_worker_loses_nothing(tmp_path: Path, cluster: Any) -> None:
    from distributed import Client

    source = a_csv(tmp_path, 40_000)
    check_table(source, tmp_path / "one.csv", ON)
    with Client(cluster.scheduler_address) as client:
        workers = client.run(os.getpid)
        killed: list[int] = []

        def kill(rows: int) -> None:
            if not killed and rows > 4000:
                killed.append(next(iter(workers.values())))
                os.kill(killed[0], signal.SIGKILL)

        result = check_table(
            source, tmp_path / "two.csv", ON, kill, scheduler=cluster.scheduler_address, part_rows=1000
        )
        assert killed
        deadline = time.monotonic() + 30  # the nanny starts another
        while len(client.scheduler_info()["workers"]) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert killed[0] not in client.run(os.getpid).values()
    assert result.rows == 40_000
    assert both(tmp_path / "two.csv") == both(tmp_path / "one.csv")


@pytest.mark.filterwarnings("default")
def test_designs_on_a_cluster_with_a_killed_worker(cluster: Any) -> None:
    from distributed import Client

    from perfcore.design import design_space

    asked: dict[str, Any] = {"grid": "full", "objective": "request", "max_tpp": 4800.0}
    alone = design_space("2024-01-01", threads=1, **asked).to_dict()
    killed: list[int] = []

    with Client(cluster.scheduler_address) as client:

        def kill(said: str) -> None:
            if not killed and "of 16,588,800 designs" in said:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        found = design_space("2024-01-01", scheduler=cluster.scheduler_address, progress=kill, **asked).to_dict()
    assert killed
    timed = ("search_s", "designs_per_s")
    assert {key: value for key, value in found.items() if key not in timed} == {
        key: value for key, value in alone.items() if key not in timed
    }


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "tcp://", "ftp://127.0.0.1:9", ""])
def test_a_scheduler_that_is_not_there(tmp_path: Path, address: str) -> None:
    pytest.importorskip("distributed")
    source = a_csv(tmp_path, 5)
    command = [sys.executable, "-m", "perfcore", "batch", str(source), str(tmp_path / "out.csv")]
    said = subprocess.run([*command, "--scheduler", address], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert (
        "no scheduler answers there" if ":9" in address and "ftp" not in address else "allowed: tcp://"
    ) in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
