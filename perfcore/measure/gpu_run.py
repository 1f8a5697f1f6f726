"""Runs sizes of figures on a GPU: a first call of each, then samples, with the device's state after each."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from perfcore.measure.gpu_backends import Batch, GpuBackend, GpuError, Job
from perfcore.measure.gpu_sizes import Trial
from perfcore.measure.nvml import Monitor, Reading, Unknown

SAMPLES = 3  # of one size in one round
MOST_CALLS = 1000  # of one graph
SUSTAIN_S = 1.5  # longer than the second over which drivers average power
LONGEST_CALL_S = 1.0  # a size of which one call would take longer is left out
SHORT = ("l2", "launch")  # a call takes microseconds: many are timed together from the start
SHORT_CALLS = 100

Say = Callable[[str], None]


@dataclass
class Series:
    """One size of one figure, and what was seen of it: seconds of a call, and the device's state after each."""

    trial: Trial
    calls: int  # of a sample
    work: float  # bytes or FLOP of a call
    graphed: bool
    seconds: list[float] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """Return the unit of the figure."""
        return unit_of(self.trial.figure)

    def values(self) -> list[float]:
        """Return the samples in the figure's unit."""
        scale = {"GB/s": 1e9, "TFLOP/s": 1e12}.get(self.unit)
        return [self.work / one / scale if scale else one * 1e6 for one in self.seconds]


def unit_of(figure: str) -> str:
    """Return the unit of a figure by its name.

    >>> unit_of("gemm_bf16"), unit_of("l2_read"), unit_of("launch")
    ('TFLOP/s', 'GB/s', 'us')
    """
    return "TFLOP/s" if figure.startswith("gemm") else "us" if figure.startswith("launch") else "GB/s"


def survey(
    backend: GpuBackend, each: Sequence[Sequence[Trial]], sample_s: float, say: Say
) -> tuple[list[Series], dict[str, str]]:
    """Run every size once: what runs is kept, with how many calls make a sample."""
    plan: list[Series] = []
    skipped: dict[str, str] = {}
    for ladder in each:
        name = ladder[0].figure
        say(f"trying {name}")
        kept = _climb(backend, ladder, sample_s, skipped)
        if kept:
            skipped.pop(name, None)
        plan += kept
    return plan, skipped


def _climb(backend: GpuBackend, ladder: Sequence[Trial], sample_s: float, skipped: dict[str, str]) -> list[Series]:
    kept: list[Series] = []
    flop_s = math.inf
    for trial in ladder:
        if trial.flop / flop_s > LONGEST_CALL_S:
            skipped[sized(trial)] = f"a call would take {trial.flop / flop_s:.1f} s"
            continue
        try:
            series, once = _first(backend, trial, sample_s)
            kept.append(series)
            flop_s = trial.flop / once or math.inf
        except GpuError as problem:
            if problem.ends_all:
                raise
            skipped[trial.figure] = skipped[sized(trial)] = str(problem)
            if problem.kind == "unsupported" and not kept:
                break
        backend.release()
    return kept


def sized(trial: Trial) -> str:
    """Return a figure with its size, in words."""
    return f"{trial.figure} at {trial.size}" if trial.size else trial.figure


def _first(backend: GpuBackend, trial: Trial, sample_s: float) -> tuple[Series, float]:
    """Time a first call, after a warm-up, to know how many make a sample."""
    job = trial.build(backend)
    calls = SHORT_CALLS if trial.figure.startswith(SHORT) else 1
    batch = _batch(backend, trial, job, calls)
    backend.timed(batch)
    once = backend.timed(batch) / calls
    if not (math.isfinite(once) and once > 0):
        raise GpuError("failed", f"{sized(trial)}: the events say {once} s")
    many = min(MOST_CALLS, max(calls, math.ceil(sample_s / once)))
    work = job.flop if unit_of(trial.figure) == "TFLOP/s" else job.moved_bytes
    return Series(trial, many, work, batch.graphed), once


def _batch(backend: GpuBackend, trial: Trial, job: Job, calls: int) -> Batch:
    if trial.kind != "least":
        return backend.batch(job, calls)

    def loop() -> None:
        for _ in range(calls):
            job.run()

    return Batch(loop, calls, False)


def sample(backend: GpuBackend, series: Series, monitor: Monitor | Unknown, skipped: dict[str, str]) -> None:
    """Add a round's samples to a size.

    One that fails makes no figure: it is not run again, and what it has so far is dropped.
    """
    if sized(series.trial) in skipped:
        return
    try:
        _samples(backend, series, monitor)
    except GpuError as problem:
        if problem.ends_all:
            raise
        series.seconds.clear()
        series.readings.clear()
        skipped[sized(series.trial)] = str(problem)
    backend.release()


def _samples(backend: GpuBackend, series: Series, monitor: Monitor | Unknown) -> None:
    batch = _batch(backend, series.trial, series.trial.build(backend), series.calls)
    backend.timed(batch)
    for _ in range(SAMPLES):
        series.seconds.append(backend.timed(batch) / series.calls)
        series.readings.append(reading_of(monitor))


def sustain(backend: GpuBackend, series: Series, monitor: Monitor | Unknown) -> dict[str, Any]:
    """Run one size for a while without a pause: the rate of the last part, and the state of the device under it.

    A driver's power is the mean over a second, so the samples of interleaved rounds cannot tell it by kernel.
    """
    seconds = _last_sample_s(backend, series)
    state = {key: value for key, value in reading_of(monitor)._asdict().items() if value is not None}
    backend.release()
    last = Series(series.trial, series.calls, series.work, series.graphed, [seconds / series.calls])
    return {"size": series.trial.size, "value": last.values()[0]} | state


def _last_sample_s(backend: GpuBackend, series: Series) -> float:
    batch = _batch(backend, series.trial, series.trial.build(backend), series.calls)
    total = seconds = backend.timed(batch)
    while total < SUSTAIN_S:
        seconds = backend.timed(batch)
        total += seconds
    return seconds


def reading_of(monitor: Monitor | Unknown) -> Reading:
    """Return the state of the device, empty where it is not known.

    Raises
    ------
    GpuError
        If the driver says that the device is lost.
    """
    found = monitor if isinstance(monitor, Unknown) else monitor.reading()
    if not isinstance(found, Unknown):
        return found
    if found.kind == "lost":
        raise GpuError("lost", f"{found.text}; nothing was kept")
    return Reading()


def best(plan: Sequence[Series], figure: str) -> Series | None:
    """Return the size that a figure stands for: of DRAM the largest, where caches help least, else the best median."""
    ran = [series for series in plan if series.trial.figure == figure and series.seconds]
    if figure.startswith("dram"):
        return max(ran, key=lambda series: series.work, default=None)
    # Of products and caches the most work in a second, of starts the least time: both are the least time per work.
    return min(ran, key=lambda series: median(series.seconds) / (series.work or 1.0), default=None)
