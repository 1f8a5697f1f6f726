"""Where the operations of a model sit under the roofs of a chip: what bounds each, and how long it takes."""

from dataclasses import dataclass, replace
from typing import Any

from perfcore import engines
from perfcore import software as eras
from perfcore.chips import Item
from perfcore.formulas import attainable_flop_s, roofline_time_s
from perfcore.formulas.operations import Operation, times
from perfcore.machine import Setting, efficiency_words, machine_of, rate_of, wide_format
from perfcore.operation_rows import PHASES, Bench, Load, rows_of
from perfcore.precisions import Precision
from perfcore.questions import plan_of
from perfcore.serving_questions import ServingSetting
from perfcore.systems import System

__all__ = ["Placed", "operation_dicts", "placed"]

TERA = 1e12
ENDS = ("mid", "low", "high")


@dataclass(frozen=True)
class Placed:
    """One operation of a phase, all its layers together, on one rank; its bytes cross what ``over`` says."""

    name: str
    phase: str
    layers: int
    over: str
    operation: Operation
    start_s: float  # of its time, starting kernels and collectives
    peak_flop_s: float
    bytes_s: float  # datasheet bandwidth of what the bytes cross

    @property
    def intensity(self) -> float:
        """Return its FLOP for each byte."""
        return self.operation.flop / self.operation.bytes

    @property
    def attainable_flop_s(self) -> float:
        """Return the rate the roofline allows; 0 where nothing is computed."""
        return attainable_flop_s(self.intensity, self.peak_flop_s, self.bytes_s)

    @property
    def roofline_time_s(self) -> float:
        """Return the least time by the datasheet [s]."""
        return roofline_time_s(self.operation.flop, self.operation.bytes, self.peak_flop_s, self.bytes_s)

    @property
    def bound(self) -> str:
        """Say what limits it: memory, compute, link, network; start-up where that takes most of its time."""
        if self.start_s > 0.5 * self.operation.time_s:
            return "start-up"
        if self.over != "DRAM":
            return "network" if self.over == "network" else "link"
        compute_s = self.operation.flop / self.peak_flop_s
        return "compute" if compute_s >= self.operation.bytes / self.bytes_s else "memory"


def placed(
    item: Item, system: System, precision: Precision, load: Load, end: str = "mid"
) -> tuple[list[Placed], list[str]]:
    """Return the operations of each phase on a chip, and whose kernels they are.

    Raises
    ------
    PerfcoreError
        If the chip lacks the format, or its file a number that is needed.
    """
    vendor = str(item.document.get("vendor", ""))
    engine = engines.load(engines.default_for(vendor))
    soft = eras.load(eras.default_for(vendor))
    kv_bits = 8 if engine.structure["kv_follows_weights"] and precision.bits <= 8 else 16
    serving = ServingSetting(item, system, engine, precision, kv_bits, end=end)
    training = Setting(item, system, soft, precision, soft.attention_kernel, end=end)
    chips, share = max(1.0, load.tp / serving.devices), 1.0 / serving.devices
    bench = Bench(
        load=load,
        plan=plan_of(tp=load.tp, ep=load.ep, shard=0, sequence_parallel=False),
        machine=serving.machine(chips, load.tp),
        peak_flop_s=rate_of(item, precision.format, end) * share,
        wide_flop_s=rate_of(item, wide_format(item, precision.format), end) * share,
        formats=serving.formats(),
        engine=engine.record(None, precision.bits),
        soft=soft.record(True, precision.fused_experts),
    )
    trained = replace(
        bench,
        plan=plan_of(tp=load.tp, ep=load.ep, shard=0, sequence_parallel=load.tp > 1),
        machine=machine_of(training, chips),
    )
    found = [one for phase in PHASES for one in _phase(phase, trained if phase == "training" else bench, system, share)]
    kernels = [f"prefill and decode: kernels of {engine.name}", f"training: kernels of {soft.name}"]
    return found, [*kernels, *efficiency_words(item, precision.bits)]


def _phase(phase: str, bench: Bench, system: System, share: float) -> list[Placed]:
    """Place the operations of a phase; how much of each is start-up is its time less that on instant kernels."""
    instant = bench.machine._replace(kernel_s=0.0, link_latency_s=0.0, network_latency_s=0.0)
    free = replace(bench, machine=instant, engine=bench.engine._replace(exchange_s=0.0))
    found = []
    for row, instant_row in zip(rows_of(phase, bench), rows_of(phase, free), strict=True):
        over, rate = _crossed(row.ranks, bench, system, share)
        found.append(
            Placed(
                name=row.name,
                phase=phase,
                layers=int(row.layers),
                over=over,
                operation=times(row.operation, row.layers),
                start_s=row.layers * (row.operation.time_s - instant_row.operation.time_s),
                peak_flop_s=bench.wide_flop_s if row.wide else bench.peak_flop_s,
                bytes_s=rate,
            )
        )
    return found


def _crossed(ranks: float, bench: Bench, system: System, share: float) -> tuple[str, float]:
    """Return what the bytes of an operation cross, and its datasheet bandwidth for one rank [B/s]."""
    if ranks == 0.0:
        return "DRAM", bench.machine.memory_bytes_s
    if ranks > bench.machine.domain:
        return "network", system.scale_out_bytes_s * share
    if bench.machine.link_bytes_s > system.scale_up_bytes_s * share:  # ranks of one package talk within it
        return "package", bench.machine.link_bytes_s
    return "chip link", system.scale_up_bytes_s * share


def operation_dicts(
    item: Item, system: System, precision: Precision, load: Load
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the operations as JSON holds them; what numbers given as intervals leave open is ``{low, high}``."""
    (mids, said), (lows, _), (highs, _) = (placed(item, system, precision, load, end) for end in ENDS)
    totals = {phase: sum(one.operation.time_s for one in mids if one.phase == phase) for phase in PHASES}
    every = zip(mids, lows, highs, strict=True)
    return [_dict(mid, low, high, totals) for mid, low, high in every], said


def _dict(mid: Placed, low: Placed, high: Placed, totals: dict[str, float]) -> dict[str, Any]:
    """Return one operation; ``low`` and ``high`` are the same at the ends of what the chip's file leaves open."""
    bounds = list(dict.fromkeys((low.bound, high.bound)))
    return {
        "name": mid.name,
        "phase": mid.phase,
        "layers": mid.layers,
        "flop": mid.operation.flop,
        "bytes": mid.operation.bytes,
        "over": mid.over,
        "intensity": mid.intensity,
        "attainable_tflops": pair(low.attainable_flop_s / TERA, high.attainable_flop_s / TERA),
        "achieved_tflops": mid.operation.flop / mid.operation.time_s / TERA,
        "bound": mid.bound if len(bounds) == 1 else " or ".join(bounds),
        "time_s": pair(high.operation.time_s, low.operation.time_s),
        "roofline_time_s": pair(high.roofline_time_s, low.roofline_time_s),
        "share_of_phase": mid.operation.time_s / totals[mid.phase],
    }


def pair(low: Any, high: Any) -> Any:
    """Return a number, or ``{low, high}`` where the ends differ.

    >>> pair(1.0, 1.0), pair(2.0, 1.0)
    (1.0, {'low': 1.0, 'high': 2.0})
    """
    return low if low == high else {"low": min(low, high), "high": max(low, high)}
