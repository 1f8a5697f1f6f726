"""What a measurement is: figures with all their samples, the conditions, and whether it is a result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# What (p90 - p10) / median may be, by unit: the memory of a machine is shared with more neighbours than its cores are.
SPREAD_ALLOWED = {"TFLOP/s": 0.10, "GHz": 0.05, "GB/s": 0.25, "ns": 0.25}
LOAD_ALLOWED = 0.10  # share of the allowed cores (or of the GPU) that other programs use
CLOCK_CHANGE_ALLOWED = 0.03
DOUBLING_NEEDED = 1.7  # of what two threads on two cores do over one thread


@dataclass(frozen=True)
class Figure:
    """One measured figure: the best sample, the spread, and every sample in the order it was taken.

    ``name`` is ``fma_fp64``, ``gemm_fp32``, ``dram_triad``, ``l2_read`` ...; one core alone ends in ``_one_core``.
    ``low`` and ``high`` are the 10th and the 90th percentile.
    """

    name: str
    value: float
    unit: str
    low: float
    median: float
    high: float
    samples: tuple[float, ...]
    note: str = ""

    @property
    def spread(self) -> float:
        """Return (p90 - p10) / median."""
        return (self.high - self.low) / self.median if self.median else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return asdict(self) | {"samples": list(self.samples), "spread": self.spread}


@dataclass(frozen=True)
class Measurement:
    """All figures of one device in one run.

    ``device``: what it is (``name``, ``vendor``, ``memory_gb``, ``caches`` ...). ``conditions``: ``date``,
    ``load_before``, ``load_during``, ``load_after``, ``clock_start_mhz``, ``clock_end_mhz``, ``cores_before``,
    ``cores_after``, ``second_core`` ...; what is not known is left out. ``refused``: why it is not a result, one line
    each.
    """

    kind: str
    device: Mapping[str, Any]
    conditions: Mapping[str, Any]
    figures: tuple[Figure, ...]
    refused: tuple[str, ...] = field(default=())

    def figure(self, name: str) -> Figure | None:
        """Return a figure by name, None where it was not measured."""
        return next((one for one in self.figures if one.name == name), None)

    def value(self, name: str) -> float | None:
        """Return the value of a figure, None where it was not measured."""
        found = self.figure(name)
        return None if found is None else found.value

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "kind": self.kind,
            "device": dict(self.device),
            "conditions": dict(self.conditions),
            "figures": [one.to_dict() for one in self.figures],
            "refused": list(self.refused),
        }

    def _repr_html_(self) -> str:
        from perfcore.notebook import measurement_html

        return measurement_html(self)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted samples, linear between them.

    >>> quantile([1.0, 2.0, 3.0], 0.5), quantile([0.0, 10.0], 0.1), quantile([4.0], 0.9)
    (2.0, 1.0, 4.0)
    """
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def rate_figure(name: str, unit: str, samples: Sequence[float], note: str = "") -> Figure:
    """Make a figure of which more is better: its value is the largest sample.

    >>> one = rate_figure("dram_triad", "GB/s", [20.0, 25.0, 24.0])
    >>> one.value, one.median, round(one.spread, 3)
    (25.0, 24.0, 0.167)
    """
    return _figure(name, unit, samples, note, max)


def time_figure(name: str, unit: str, samples: Sequence[float], note: str = "") -> Figure:
    """Make a figure of which less is better, such as a latency: its value is the smallest sample."""
    return _figure(name, unit, samples, note, min)


def _figure(name: str, unit: str, samples: Sequence[float], note: str, best: Any) -> Figure:
    ordered = sorted(samples)
    low, median, high = (quantile(ordered, share) for share in (0.1, 0.5, 0.9))
    return Figure(name, best(ordered), unit, low, median, high, tuple(samples), note)


def judged(measurement: Measurement) -> Measurement:
    """Return the measurement with the reasons why it is not a result; none where it is one."""
    return replace(measurement, refused=(*measurement.refused, *_reasons(measurement)))


def _reasons(measurement: Measurement) -> tuple[str, ...]:
    conditions = measurement.conditions
    found = [
        _load(conditions),
        _clock(conditions),
        _cores(conditions),
        _second_core(conditions),
        _spread(measurement.figures),
    ]
    return tuple(reason for reason in found if reason)


def _load(conditions: Mapping[str, Any]) -> str:
    shares = [
        conditions[key] for key in ("load_before", "load_during", "load_after") if conditions.get(key) is not None
    ]
    if not shares or max(shares) <= LOAD_ALLOWED:
        return ""
    return (
        f"load: other programs use {max(shares):.0%} of the device; allowed: {LOAD_ALLOWED:.0%}; "
        "end them, or measure later"
    )


def _clock(conditions: Mapping[str, Any]) -> str:
    start, end = conditions.get("clock_start_mhz"), conditions.get("clock_end_mhz")
    if not start or not end or abs(end / start - 1) <= CLOCK_CHANGE_ALLOWED:
        return ""
    return (
        f"clock: {start:,.0f} MHz at the start and {end:,.0f} at the end; allowed: a change of "
        f"{CLOCK_CHANGE_ALLOWED:.0%}; fix the clock or let the device cool, and measure again"
    )


def _cores(conditions: Mapping[str, Any]) -> str:
    before, after = conditions.get("cores_before"), conditions.get("cores_after")
    if before is None or after is None or before == after:
        return ""
    return f"cores: {before} allowed at the start and {after} at the end; allowed: the same ones; measure again"


def _second_core(conditions: Mapping[str, Any]) -> str:
    """Two threads on two real cores do twice the work of one; where the system gives one core only, the same."""
    ratio = conditions.get("second_core")
    if ratio is None or ratio >= DOUBLING_NEEDED:
        return ""
    return (
        f"cores: two threads did {ratio:.2f} times the work of one; allowed: {DOUBLING_NEEDED} and more; "
        "a core is taken by others: measure again, or with --threads 1"
    )


def _spread(figures: Sequence[Figure]) -> str:
    over = [one for one in figures if one.spread > SPREAD_ALLOWED.get(one.unit, math.inf)]
    if not over:
        return ""
    worst = max(over, key=lambda one: one.spread / SPREAD_ALLOWED[one.unit])
    others = f" (and of {len(over) - 1} more figures)" if len(over) > 1 else ""
    return (
        f"spread: samples of {worst.name} lie {worst.spread:.0%} of their median apart{others}; allowed: "
        f"{SPREAD_ALLOWED[worst.unit]:.0%}; end other programs and measure again"
    )
