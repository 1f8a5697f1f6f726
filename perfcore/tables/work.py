"""A run over a table as tasks: the same work serial, in threads, in processes, or on a Dask cluster."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.tables.parts import Summary

Task = tuple[Any, ...]
Work = Callable[..., Any]
# A worker that dies is blamed on the tasks it had; so many deaths in a row are no accident.
RETRIES = 10
_ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss)://)?[^\s:/]+:[0-9]{1,5}")


class UnfinishedError(PerfcoreError):
    """What stopped a run that can go on from where it stopped."""


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def serial(work: Work, tasks: Iterable[Task]) -> Iterator[Summary]:
    """Do one task after the other."""
    for task in tasks:
        yield work(*task)


def in_threads(work: Work, tasks: Iterable[Task], workers: int) -> Iterator[Summary]:
    """Do tasks in threads; results come in the order of the tasks."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        yield from _windowed(pool, work, tasks, workers + 1)


def in_processes(work: Work, tasks: Iterable[Task], workers: int) -> Iterator[Summary]:
    """Do tasks in processes started afresh, so that no lock of this one is inherited."""
    import multiprocessing
    import signal
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # An interrupt is for this process alone: it lets the others finish what they are at.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), signal.signal, quiet) as pool:
        try:
            yield from _windowed(pool, work, tasks, workers + 1)
        except BrokenProcessPool:
            raise UnfinishedError("a worker process died; run again with --resume") from None


def _windowed(pool: Executor, work: Work, tasks: Iterable[Task], window: int) -> Iterator[Summary]:
    """Keep a few tasks in flight, so that memory does not grow with the table."""
    flying: deque[Future[Summary]] = deque()
    try:
        for task in tasks:
            flying.append(pool.submit(work, *task))
            if len(flying) > window:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def on_cluster(work: Work, tasks: Iterable[Task], scheduler: str) -> Iterator[Summary]:
    """Do tasks on a Dask cluster; one whose worker dies is done again by another."""
    client = _client(scheduler)
    try:
        yield from _flown(client, work, tasks)
    except OSError as problem:
        raise UnfinishedError(
            f"--scheduler {scheduler}: the cluster was lost: {problem}; run again with --resume"
        ) from None
    finally:
        client.close()


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise PerfcoreError("--scheduler: needs the extra dask; pip install 'perfcore[dask]'") from None
    connect: Any = Client
    if not _ADDRESS.fullmatch(scheduler):
        raise PerfcoreError(f"--scheduler: found {scheduler[:60]!r}; allowed: tcp://HOST:PORT")
    try:
        return connect(scheduler, timeout=5, set_as_default=False)
    except (OSError, ValueError) as problem:
        said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise PerfcoreError(f"--scheduler {scheduler}: no scheduler answers there: {said}") from None


def _flown(client: Any, work: Work, tasks: Iterable[Task]) -> Iterator[Summary]:
    window = 2 * max(1, sum(client.nthreads().values())) + 2
    flying: deque[Any] = deque()
    for task in tasks:
        flying.append(client.submit(work, *task, pure=False, retries=RETRIES))
        if len(flying) > window:
            yield flying.popleft().result()
    while flying:
        yield flying.popleft().result()
