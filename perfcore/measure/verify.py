"""Holds predictions against the clock: kernels of NumPy that were not timed for the figures they are predicted from."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from perfcore.errors import PerfcoreError
from perfcore.formulas.processor import blas_gemm_bytes, blas_gemm_time_s, stream_time_s
from perfcore.measure.figures import Figure, Measurement
from perfcore.measure.host import Host

__all__ = ["Checked", "Machine", "Verification", "verification_of"]

GIGA = 1e9
TERA = 1e12
TARGET = 0.10
NEEDED = (
    *("dram_read", "dram_copy", "dram_triad", "gemm_fp64", "gemm_fp32", "numpy_call", "numpy_matmul_call"),
    *("exp_fp32_one_core", "row_sum_fp32_one_core", "row_subtract_fp32_one_core"),
)


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
    """All kernels of one run, how far off the predictions are, and why some did not run."""

    rows: tuple[Checked, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def median_abs(self) -> float:
        """Return the median of the absolute errors."""
        return statistics.median(abs(row.error) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        errors = [abs(row.error) for row in self.rows]
        kinds = dict.fromkeys(row.kind for row in self.rows)
        return {
            "rows": [row.to_dict() for row in self.rows],
            "skipped": dict(self.skipped),
            "n": len(errors),
            "median_abs": self.median_abs,
            "mean_abs": statistics.mean(errors),
            "max_abs": max(errors),
            "bias": statistics.mean(row.error for row in self.rows),
            "target": TARGET,
            "median_by_kind": {k: statistics.median(abs(r.error) for r in self.rows if r.kind == k) for k in kinds},
        }

    def _repr_html_(self) -> str:
        from perfcore.notebook import measurement_html

        return measurement_html(None, self)


class Machine(NamedTuple):
    """Rates by the name of a figure, in the figure's unit, and the bytes of the caches that one core and all reach."""

    rates: Mapping[str, float]
    near: tuple[float, float, float]
    whole: tuple[float, float, float]

    def stream_s(self, what: str, moved_bytes: float, working_set: float, one_core: bool) -> float:
        """Return the time of ``read``, ``copy`` or ``triad`` over a set [s]."""
        suffix = "_one_core" if one_core and f"dram_{what}_one_core" in self.rates else ""
        sizes = self.near if one_core else self.whole
        rates = [self.rates.get(f"l{level}_{what}{suffix}", 0.0) * GIGA for level in (1, 2, 3)]
        # A level whose rate is not known is as if it were not there.
        (l1, at1), (l2, at2), (l3, at3) = (
            (size if rate else 0.0, rate) for size, rate in zip(sizes, rates, strict=True)
        )
        dram = self.rates[f"dram_{what}{suffix}"] * GIGA
        return stream_time_s(moved_bytes, working_set, l1, at1, l2, at2, l3, at3, dram)

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


def machine_of(rates: Mapping[str, float], host: Host, whose: str = "the measurement") -> Machine:
    """Return the machine that predictions are made for.

    Raises
    ------
    PerfcoreError
        If a figure that they need is missing.
    """
    missing = [name for name in NEEDED if name not in rates and name.replace("_one_core", "") not in rates]
    if missing:
        raise PerfcoreError(f"{whose}: holds no figure {missing[0]}; measure again without taking figures out")
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
