"""Measures the CPU: looks, times, looks again, and says whether it is a result."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.measure.cpu_probes import Loops, arithmetic, clock, latencies, loops, products, starts, streams
from perfcore.measure.figures import Figure, Measurement, judged
from perfcore.measure.host import Host, allowed_cores, load_between, look, ticks
from perfcore.measure.rounds import Probe, Progress, figures_of, take
from perfcore.measure.team import Team

__all__ = ["measure"]

ROUNDS, QUICK_ROUNDS = 21, 7
LOAD_S = 0.5
BLAS_SETTINGS = ("OPENBLAS_", "MKL_", "OMP_", "BLIS_", "VECLIB_")
TWO = "two_cores"  # the clock loop on two cores at once
STEADY_S = 0.25  # before the first sample the clock may still be rising


def measure(
    threads: int | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    also: Sequence[Probe] = (),
    only: bool = False,
) -> Measurement:
    """Measure the machine this runs on, with ``threads`` cores (all that are allowed by default).

    What is timed ``also`` is timed in the same rounds and found among the figures; with ``only``, that and the clock.

    Raises
    ------
    PerfcoreError
        If more threads are asked for than there are cores, or numba is told not to compile.
    """
    say = progress or (lambda said: None)
    host = look()
    cores = used_cores(host, threads)
    say("looking at the load of the machine")
    before = other_load(host.cores)
    start, own = ticks(host.cores), time.process_time()
    figures, doubling = _timed(host, cores, QUICK_ROUNDS if quick else ROUNDS, also, only, say)
    during = load_between(start, ticks(host.cores), (time.process_time() - own) * _ticks_a_second())
    after = other_load(host.cores)
    conditions = {
        "date": date.today().isoformat(),
        "threads": len(cores),
        "cores_before": len(host.cores),
        "cores_after": len(allowed_cores()),
        "load_before": before,
        "load_during": during,
        "load_after": after,
        "second_core": doubling,
        **_clocks(figures),
        "blas": _blas(),
    }
    device = host.to_dict() | {
        "caches": look(allowed=cores).to_dict()["caches"],
        "threads": len(cores),
        "vector_flags": sorted(_telling(host.flags)),
    }
    known = {name: value for name, value in conditions.items() if value is not None}
    return judged(Measurement("cpu", device, known, figures))


def used_cores(host: Host, threads: int | None) -> tuple[int, ...]:
    """Return the cores to measure: one logical core of each physical one, or as many as asked for.

    Raises
    ------
    PerfcoreError
        If that is none, or more than may be used.
    """
    if threads is None:
        return host.one_a_core
    if not 1 <= threads <= len(host.cores):
        raise PerfcoreError(
            f"--threads: found {threads}; allowed: 1 to {len(host.cores)}, the cores this process may use"
        )
    others = tuple(core for core in host.cores if core not in host.one_a_core)
    return (*host.one_a_core, *others)[:threads]


def other_load(cores: tuple[int, ...]) -> float | None:
    """Return the share of the cores that is busy while this process sleeps."""
    start = ticks(cores)
    time.sleep(LOAD_S)
    return load_between(start, ticks(cores))


def _ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def _timed(
    host: Host, cores: tuple[int, ...], rounds: int, also: Sequence[Probe], only: bool, say: Progress
) -> tuple[tuple[Figure, ...], float | None]:
    pair = cores[:1] if len(cores) == 1 else (cores[0], cores[-1])
    with closing(Team(cores[:1])) as one, _several(pair, one) as two, _several(cores, one) as team:
        say("compiling the loops")
        made = loops()
        probes = [*_clock_probes(made, one, two), *([] if only else _probes(made, host, one, team, say)), *also]
        samples = take(probes, rounds, say)
    figures = figures_of(probes, samples)
    alone, together = (next((f for f in figures if f.name == name), None) for name in ("clock", TWO))
    doubling = 2 * together.median / alone.median if alone and together else None
    return tuple(figure for figure in figures if figure.name != TWO), doubling


@contextmanager
def _several(cores: tuple[int, ...], one: Team) -> Iterator[Team]:
    """Give a team on some cores: that of the first where it is the only one."""
    if len(cores) == 1:
        yield one
        return
    with closing(Team(cores)) as team:
        yield team


def _clock_probes(made: Loops, one: Team, two: Team) -> Iterator[Probe]:
    """Yield the clock of the first core, once it is steady, and of the slower of two that run together."""
    turn = clock(made, one)
    until = time.perf_counter() + STEADY_S
    while time.perf_counter() < until:
        turn.run(100_000)
    yield turn
    if len(two.cores) > 1:
        yield clock(made, two, TWO)


def _probes(made: Loops, host: Host, one: Team, team: Team, say: Progress) -> Iterator[Probe]:
    together = list(arithmetic(made, team, ""))
    yield from together
    if len(team.cores) > 1:
        yield from arithmetic(made, one, "_one_core")
    say("touching memory")
    yield from streams(made, host, team, "")
    if len(team.cores) > 1:
        yield from streams(made, host, one, "_one_core")
    yield from latencies(made, host, one)
    yield from starts()
    yield from products({name: _peak(together, f"fma_{name}") for name in ("fp64", "fp32")})


def _peak(probes: list[Probe], name: str) -> float:
    """Return a first guess of a rate, to choose sizes by."""
    probe = next(one for one in probes if one.name == name)
    probe.run(1)
    return probe.amount * 20_000 / max(probe.run(20_000), 1e-9)


def _clocks(figures: tuple[Figure, ...]) -> dict[str, float]:
    """Return the clock of the first and of the last third of the rounds [MHz].

    The best sample of each: what else runs on the core lowers a sample, and is told as load.
    """
    samples = next((one.samples for one in figures if one.name == "clock"), ())
    third = math.ceil(len(samples) / 3)
    if not third:
        return {}
    first, last = (max(part) * 1e3 for part in (samples[:third], samples[-third:]))
    return {"clock_start_mhz": first, "clock_end_mhz": last}


def _telling(flags: frozenset[str]) -> set[str]:
    wanted = ("avx", "fma", "amx", "sse4_2", "asimd", "sve", "i8mm", "bf16")
    return {flag for flag in flags if flag.startswith(wanted)}


def _blas() -> dict[str, Any]:
    """Return what NumPy multiplies matrices with, and the settings that change it."""
    import numpy

    built: Any = numpy.show_config(mode="dicts")
    found = built.get("Build Dependencies", {}).get("blas", {})
    settings = {name: value for name, value in os.environ.items() if name.startswith(BLAS_SETTINGS)}
    return {"name": found.get("name"), "version": found.get("version"), "settings": dict(sorted(settings.items()))}
