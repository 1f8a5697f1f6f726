"""The roofline of a GPU: streams, caches and products at several sizes, in interleaved rounds, by device events."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from perfcore.measure import nvml
from perfcore.measure.figures import LOAD_ALLOWED, Figure, Measurement, judged, rate_figure, time_figure
from perfcore.measure.gpu_backends import GpuBackend, GpuError, GpuFacts, choose
from perfcore.measure.gpu_match import match
from perfcore.measure.gpu_run import Say, Series, best, reading_of, sample, survey, sustain
from perfcore.measure.gpu_sizes import ladders
from perfcore.measure.nvml import Monitor, Unknown

ROUNDS, QUICK_ROUNDS = 5, 3
SAMPLE_S, QUICK_SAMPLE_S = 0.1, 0.02  # so long that power and clock settle within the warm-up
LIMIT_S = 240.0  # no round is begun after it
SETTLE_S, SETTLE_TRIES = 1.2, 3  # until a driver's load no longer shows what ran before
SLICE = 0.85  # of the driver's memory: a device with less is a part of it
REFERENCE = "dram_copy"  # its clock is compared between first and last round: it draws little power


def measure(
    backend: GpuBackend | None = None,
    quick: bool = False,
    progress: Say | None = None,
    device: int = 0,
    monitor: Monitor | Unknown | None = None,
    limit_s: float = LIMIT_S,
) -> Measurement:
    """Measure a GPU; the figures that could not be measured stand in ``conditions["skipped"]`` with the reason.

    Parameters
    ----------
    backend, monitor
        Found where not given: torch, else cupy; NVML. ``Unknown`` says why there is no monitor.
    limit_s
        No round is begun after so many seconds [s].

    Raises
    ------
    GpuError
        Without library, driver or device, when the device is lost, or when nothing could be measured. Nothing is kept.
    """
    say = progress or (lambda _: None)
    backend = choose(device) if backend is None else backend
    facts = backend.facts()
    if monitor is None:
        monitor = _no_nvml(facts) or nvml.open_device(device, facts.uuid)
    before = _settled(monitor)
    formats = backend.formats()
    begun = time.monotonic()
    plan, skipped = survey(backend, ladders(facts, formats, quick), QUICK_SAMPLE_S if quick else SAMPLE_S, say)
    skipped |= {f"gemm_{form}": why for form, why in formats.items() if why}
    rounds = 0
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        if number and time.monotonic() - begun > limit_s:
            break
        say(f"round {number + 1}: {len(plan)} kernels")
        for series in plan if number % 2 == 0 else plan[::-1]:
            sample(backend, series, monitor, skipped)
        rounds += 1
    figures = _figures(plan)
    if not figures:
        raise GpuError("failed", f"nothing could be measured: {next(iter(skipped.values()), 'no kernel ran')}")
    sustained = {} if quick else _sustained(backend, plan, monitor, say)
    conditions = _conditions(plan, monitor, before, rounds) | {
        "backend": backend.name,
        "rounds": rounds,
        "sustained": sustained,
        "skipped": skipped,
        "seconds": round(time.monotonic() - begun, 1),
    }
    return judged(Measurement("gpu", _device(facts, monitor), conditions, figures))


def _no_nvml(facts: GpuFacts) -> Unknown | None:
    if facts.vendor == "NVIDIA":
        return None
    return Unknown("no_library", f"NVML speaks of NVIDIA GPUs only; clocks, power and load of {facts.name} are unknown")


def _sustained(backend: GpuBackend, plan: Sequence[Series], monitor: Monitor | Unknown, say: Say) -> dict[str, Any]:
    """Return what each product and the copy reach when nothing else runs for a while."""
    names = dict.fromkeys(series.trial.figure for series in plan)
    found = {}
    for name in names:
        chosen = best(plan, name)
        if chosen is None or not name.startswith(("gemm_", REFERENCE)):
            continue
        say(f"sustained: {name}")
        try:
            found[name] = sustain(backend, chosen, monitor)
        except GpuError as problem:
            if problem.ends_all:
                raise
            found[name] = {"skipped": str(problem)}
    return found


def _settled(monitor: Monitor | Unknown) -> dict[str, Any]:
    """Return the state of the device once what ran before no longer counts as load: others' work keeps it up."""
    found = _state(monitor)
    for _ in range(SETTLE_TRIES):
        if (found.get("load") or 0.0) <= LOAD_ALLOWED:
            break
        time.sleep(SETTLE_S)
        found = _state(monitor)
    return found


def _state(monitor: Monitor | Unknown) -> dict[str, Any]:
    """Return load, other processes and clocks of a device that this program leaves alone at the moment."""
    if isinstance(monitor, Unknown):
        return {"unknown": monitor.text}
    use, reading = monitor.use(), reading_of(monitor)
    if isinstance(use, Unknown):
        return {"unknown": use.text} | reading._asdict()
    return {"load": use.share, "processes": list(use.processes), "used_bytes": use.used_bytes} | reading._asdict()


def _figures(plan: Sequence[Series]) -> tuple[Figure, ...]:
    names = dict.fromkeys(series.trial.figure for series in plan)
    return tuple(_figure(plan, chosen) for name in names if (chosen := best(plan, name)) is not None)


def _figure(plan: Sequence[Series], chosen: Series) -> Figure:
    """Make the figure of its size; the other sizes stand in the conditions."""
    name = chosen.trial.figure
    sizes = sum(one.trial.figure == name and bool(one.seconds) for one in plan)
    which = "largest" if name.startswith("dram") else "best"
    notes = [f"at {chosen.trial.size}, the {which} of {sizes}"] if chosen.trial.size else []
    notes += [] if chosen.graphed else ["calls started one by one"]
    make = time_figure if chosen.unit == "us" else rate_figure
    return make(name, chosen.unit, chosen.values(), "; ".join(notes))


def _conditions(
    plan: Sequence[Series], monitor: Monitor | Unknown, before: dict[str, Any], rounds: int
) -> dict[str, Any]:
    """Return what held before, during and after; what is not known is left out."""
    after = _settled(monitor)
    start, end = _reference_clocks(plan, rounds)
    known = {
        "date": datetime.now(UTC).date().isoformat(),
        "load_before": before.get("load"),
        "load_after": after.get("load"),
        "clock_start_mhz": start,
        "clock_end_mhz": end,
        "nvml": before.get("unknown"),
    }
    return {key: value for key, value in known.items() if value is not None} | {
        "before": before,
        "after": after,
        "sizes": [_row(series) for series in plan if series.seconds],
    }


def _reference_clocks(plan: Sequence[Series], rounds: int) -> tuple[float | None, float | None]:
    """Return the clock under the copy in the first and in the last round."""
    chosen = best(plan, REFERENCE)
    seen = [one.sm_mhz for one in chosen.readings if one.sm_mhz is not None] if chosen else []
    if not seen:
        return None, None
    share = max(1, len(seen) // rounds)
    return median(seen[:share]), median(seen[-share:])


def _row(series: Series) -> dict[str, Any]:
    """Return one size of one figure: its median and best, and what clocks and temperature were right after it."""
    values = series.values()
    found: dict[str, Any] = {
        "figure": series.trial.figure,
        "size": series.trial.size,
        "median": median(values),
        "best": min(values) if series.unit == "us" else max(values),
        "samples": len(values),
        "calls": series.calls,
        "graphed": series.graphed,
    }
    for key in ("sm_mhz", "memory_mhz", "temperature_c"):
        seen = [value for one in series.readings if (value := getattr(one, key)) is not None]
        found |= {key: median(seen)} if seen else {}
    return found | {"slowed_by": sorted({word for one in series.readings for word in one.slowed_by})}


def _device(facts: GpuFacts, monitor: Monitor | Unknown) -> dict[str, Any]:
    """Return what the device is, by the library, the driver and the catalogue; what is not known is left out."""
    driver = {} if isinstance(monitor, Unknown) else monitor.facts()
    name, memory_gb = facts.name, facts.memory_bytes / 1e9
    whole_gb = float(driver.get("memory_gb", 0.0))
    # The driver's memory is nearer to what is sold; of a slice (MIG) the library alone tells.
    if memory_gb > SLICE * whole_gb > 0.0:
        name, memory_gb = str(driver.get("name", name)), whole_gb
    found = match(name, memory_gb * 1e9, facts.multiprocessors)
    known = {
        "name": name,
        "vendor": facts.vendor,
        "memory_gb": memory_gb,
        "multiprocessors": int(facts.multiprocessors),
        "caches": [{"name": "L2", "size": facts.l2_bytes, "instances": 1}] if facts.l2_bytes else None,
        "capability": facts.capability,
        "runtime": facts.runtime,
        "catalogue": found.chip,
        "catalogue_by": found.said,
    }
    rest = {key: value for key, value in driver.items() if key not in ("name", "memory_gb", "uuid")}
    return {key: value for key, value in known.items() if value} | rest
