"""Threads on cores of their own that start a loop together."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Team:
    """One thread for each core given, kept on it where the system can do that.

    Memory that a member touches first lies near its core.
    """

    def __init__(self, cores: Sequence[int]) -> None:
        self.cores = tuple(cores)
        self._members = [ThreadPoolExecutor(1) for _ in self.cores]
        self.pinned = all(self.each(lambda member: _pin(self.cores[member])))

    def each(self, work: Callable[[int], Any]) -> list[Any]:
        """Do ``work(member)`` on every member at once, and return what each returns."""
        futures = [pool.submit(work, member) for member, pool in enumerate(self._members)]
        return [future.result() for future in futures]

    def timed(self, work: Callable[[int], Any]) -> float:
        """Return the seconds from the first start to the last end of ``work(member)``."""
        gate = threading.Barrier(len(self.cores))

        def one(member: int) -> tuple[float, float]:
            gate.wait()
            start = time.perf_counter()
            work(member)
            return start, time.perf_counter()

        spans = self.each(one)
        return float(max(end for _, end in spans) - min(start for start, _ in spans))

    def close(self) -> None:
        """End the threads."""
        for pool in self._members:
            pool.shutdown(wait=True)


def _pin(core: int) -> bool:
    if not hasattr(os, "sched_setaffinity"):
        return False
    try:
        os.sched_setaffinity(0, {core})  # 0 is the thread that asks
    except OSError:
        return False
    return True
