"""A run over a table as tasks: the same work serial, in threads, in processes, or on a Dask cluster."""

import logging
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
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
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _started) as pool:
        try:
            yield from _windowed(pool, work, tasks, workers + 1)
        except BrokenProcessPool:
            raise UnfinishedError("a worker process died; run again with --resume") from None


@contextmanager
def _deaf() -> Iterator[None]:
    """Hold an interrupt back: a worker process started meanwhile never hears one, which is for the first alone."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started() -> None:
    """Make a worker process deaf to interrupts where it is not born so, and let it end when the first process dies."""
    import multiprocessing
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _windowed(pool: Executor, work: Work, tasks: Iterable[Task], window: int) -> Iterator[Summary]:
    """Keep a few tasks in flight, so that memory does not grow with the table."""
    flying: deque[Future[Summary]] = deque()
    try:
        for task in tasks:
            with _deaf():
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
    levels = _quiet()
    try:
        yield from _flown(client, work, tasks)
    except (OSError, CancelledError) as problem:
        # What a worker says of its disk has a number; what Dask says of a connection has none, or is of these kinds.
        if getattr(problem, "errno", None) and not isinstance(problem, ConnectionError | TimeoutError):
            raise
        levels.clear()  # what is left of the connection goes on complaining
        said = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UnfinishedError(f"--scheduler {scheduler}: the cluster was lost: {said}; run again") from None
    finally:
        client.close()
        for logger, level in levels.items():
            logger.setLevel(level)


def _quiet() -> dict[logging.Logger, int]:
    """Have Dask say nothing of a connection that is lost, which one line says; return its loggers as they were."""
    names = ("distributed.client", "distributed.utils", "distributed.core", "distributed.batched")
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    return levels


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
