"""Holds predictions against the clock: kernels of NumPy that were not timed for the figures they are predicted from."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from perfcore.formulas.processor import blas_gemm_bytes, blas_gemm_time_s, stream_time_s
from perfcore.measure.figures import Figure, Measurement
from perfcore.measure.host import Host

__all__ = ["Checked", "Machine", "Verification", "verification_of"]

GIGA = 1e9
TERA = 1e12
TARGET = 0.10


@dataclass(frozen=True)
class Checked:
    """One kernel: its predicted and its measured time [s]."""

    name: str
    kind: str
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Return predicted / measured - 1."""
        return self.predicted_s / self.measured_s - 1

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "name": self.name,
            "kind": self.kind,
            "predicted_s": self.predicted_s,
            "measured_s": self.measured_s,
            "error": self.error,
        }


@dataclass(frozen=True)
class Verification:
    """All kernels of one run, and how far off the predictions are."""

    rows: tuple[Checked, ...]

    @property
    def median_abs(self) -> float:
        """Return the median of the absolute errors."""
        return statistics.median(abs(row.error) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        errors = [abs(row.error) for row in self.rows]
        kinds = dict.fromkeys(row.kind for row in self.rows)
        by_kind = {kind: statistics.median(abs(r.error) for r in self.rows if r.kind == kind) for kind in kinds}
        summary = {
            "n": len(errors),
            "median_abs": self.median_abs,
            "mean_abs": statistics.mean(errors),
            "max_abs": max(errors),
            "bias": statistics.mean(row.error for row in self.rows),
            "target": TARGET,
            "median_by_kind": by_kind,
        }
        return {"kernels": [row.to_dict() for row in self.rows], "summary": summary}


class Machine(NamedTuple):
    """Rates by the name of a figure, in the figure's unit, and the bytes of the caches that one core and all reach."""

    rates: Mapping[str, float]
    near: tuple[float, float, float]
    whole: tuple[float, float, float]

    def stream_s(self, what: str, moved_bytes: float, working_set: float, one_core: bool) -> float:
        """Return the time of ``read``, ``copy`` or ``triad`` over a set [s]."""
        suffix = "_one_core" if one_core and f"dram_{what}_one_core" in self.rates else ""
        sizes = self.near if one_core else self.whole
        levels: list[float] = []
        for place, size in enumerate(sizes, 1):
            rate = self.rates.get(f"l{place}_{what}{suffix}", 0.0)
            levels += (size, rate * GIGA) if rate else (0.0, 0.0)
        return stream_time_s(moved_bytes, working_set, *levels, self.rates[f"dram_{what}{suffix}"] * GIGA)

    def gemm_s(self, m: int, n: int, k: int, element_bytes: int) -> float:
        """Return the time of a product of NumPy's BLAS [s]: a vector times a matrix only reads."""
        working_set = element_bytes * (m * k + k * n + m * n)
        call_s = self.rates["numpy_matmul_call"] / GIGA
        if min(m, n) == 1:
            return self.stream_s("read", working_set, working_set, False) + call_s
        packing_s = self.stream_s("copy", blas_gemm_bytes(m, n, k, element_bytes), working_set, False)
        rate = self.rates[f"gemm_fp{8 * element_bytes}"] * TERA
        return blas_gemm_time_s(2.0 * m * n * k, rate, packing_s, call_s)

    def elementwise_s(self, what: str, moved_bytes: float, working_set: float) -> float:
        """Return the time of one call of NumPy that streams, on the one core NumPy uses for it [s]."""
        return self.stream_s(what, moved_bytes, working_set, True) + self.rates["numpy_call"] / GIGA

    def bound_s(self, ceiling: str, what: str, moved_bytes: float, working_set: float) -> float:
        """Return the time of a loop of NumPy that computing may bound, at the rate it reaches in cache [s]."""
        computing_s = moved_bytes / (self.rates[f"{ceiling}_fp32_one_core"] * GIGA)
        return max(computing_s, self.elementwise_s(what, moved_bytes, working_set))


def machine_of(rates: Mapping[str, float], host: Host) -> Machine:
    """Return the machine that predictions are made for."""
    caches = [host.cache(level) for level in (1, 2, 3)]
    near = [float(cache.size) if cache else 0.0 for cache in caches]
    whole = [float(cache.size * cache.instances) if cache else 0.0 for cache in caches]
    return Machine(rates, (near[0], near[1], near[2]), (whole[0], whole[1], whole[2]))


class Case(NamedTuple):
    """A kernel to check: how it is timed, once a turn, and how its time follows from the machine."""

    name: str
    kind: str
    run: Callable[[], Any]
    predicted_s: Callable[[Machine], float]


def verification_of(cases: Sequence[Case], machine: Machine, timed: Mapping[str, Figure]) -> Verification:
    """Join what was predicted and what was measured: the best samples of both, which disturbances touch least."""
    return Verification(
        tuple(Checked(case.name, case.kind, case.predicted_s(machine), timed[case.name].value / GIGA) for case in cases)
    )


def rates_of(measurement: Measurement) -> dict[str, float]:
    """Return the best of every figure by name."""
    return {figure.name: figure.value for figure in measurement.figures}
