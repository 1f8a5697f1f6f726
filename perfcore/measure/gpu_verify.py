"""Predicted against measured time on the GPU: triads, products of many shapes and a transformer layer."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from perfcore import efficiency
from perfcore.chips import load
from perfcore.errors import PerfcoreError
from perfcore.formulas.gemm import MEMORY_SHARE, compute_flop, gemm_time_s
from perfcore.measure.figures import Measurement
from perfcore.measure.gpu_backends import GpuBackend, GpuError, Job
from perfcore.measure.gpu_match import middle

TRIADS = (0.5e9, 1.5e9, 5e9)  # bytes; none is a size that was measured
# m, n, k: square, tall, of few columns, of small batches, and of the layers of 8- and 70-billion-parameter models.
SHAPES = (
    (1024, 1024, 1024),
    (3072, 3072, 3072),
    (6144, 6144, 6144),
    (10240, 10240, 10240),
    (65536, 1024, 1024),
    (32768, 256, 4096),
    (4096, 128, 8192),
    (1, 8192, 8192),
    (16, 28672, 8192),
    (64, 8192, 28672),
    (512, 10240, 8192),
    (4096, 14336, 4096),
    (2048, 8192, 28672),
)
LAYER = (4096, 4096, 32, 11008)  # tokens, hidden, heads, ffn
QUICK = 4  # so many of the shapes, spread over them
SIXTEEN_BIT = ("bf16", "fp16")
CALLS, SAMPLES = 20, 5
CACHES = 2  # times the level 2 cache that copies of the operands fill, so that each call reads from DRAM


class Rates(NamedTuple):
    """What the predictions rest on: rates that were measured."""

    form: str
    flop_s: float  # of a product without waste of tiles
    triad_bytes_s: float  # of kernels that write too
    read_bytes_s: float
    kernel_s: float
    multiprocessors: float
    l2_bytes: float


@dataclass(frozen=True)
class Checked:
    """One kernel: predicted and measured time [s]."""

    name: str
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Return predicted / measured - 1."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True)
class Verified:
    """All kernels, and the reasons for those that did not run."""

    rows: tuple[Checked, ...]
    skipped: dict[str, str]

    @property
    def median_abs(self) -> float:
        """Return the median size of the errors."""
        return median(abs(row.error) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        rows = [asdict(row) | {"error": row.error} for row in self.rows]
        return {"rows": rows, "skipped": self.skipped, "median_abs": self.median_abs}


def rates_of(measurement: Measurement) -> Rates:
    """Return the rates of a measurement: medians, of the 16-bit format that was measured.

    Raises
    ------
    PerfcoreError
        If it holds no 16-bit product or no triad.
    """
    found = {one.name: one.median for one in measurement.figures}
    form = next((form for form in SIXTEEN_BIT if f"gemm_{form}" in found), None)
    if form is None or "dram_triad" not in found:
        raise PerfcoreError("verify: the measurement holds no 16-bit product or no triad; measure again, not by hand")
    units = float(measurement.device.get("multiprocessors", 0))
    kernel_s = found.get("launch_graph", found.get("launch", 0.0)) / 1e6
    return Rates(
        form=form,
        flop_s=found[f"gemm_{form}"] * 1e12 * _waste(measurement, f"gemm_{form}", units),
        triad_bytes_s=found["dram_triad"] * 1e9,
        read_bytes_s=found.get("dram_read", found["dram_triad"]) * 1e9,
        kernel_s=kernel_s,
        multiprocessors=units,
        l2_bytes=float(measurement.device.get("l2_mb", 0.0)) * 1e6,
    )


def _waste(measurement: Measurement, figure: str, units: float) -> float:
    """Return what the tiles of the best size compute over what they need to, 1 where that size is not known."""
    rows = [row for row in measurement.conditions.get("sizes", ()) if row["figure"] == figure]
    if not rows or not units:
        return 1.0
    m, n, k = (float(side) for side in max(rows, key=lambda row: row["median"])["size"].split(" x "))
    return compute_flop(m, n, k, 1.0, units) / (2.0 * m * n * k)


def rates_of_file(path: Path, backend: GpuBackend) -> Rates:
    """Return the rates of a chip file, measured or not; the start of a kernel is that of the neutral efficiencies.

    Raises
    ------
    PerfcoreError
        If it gives no 16-bit peak or no memory bandwidth.
    """
    chip, facts = load(path), backend.facts()
    peaks = chip.rates or {}
    form = next((form for form in SIXTEEN_BIT if form in peaks), None)
    bandwidth = chip.parts.get("dram_bandwidth_gb_s")
    if form is None or bandwidth is None:
        raise PerfcoreError(f"{path}: found no 16-bit rate or no memory.bandwidth_gb_s; both are needed to verify")
    return Rates(
        form=form,
        flop_s=middle(peaks[form]) * 1e12,
        triad_bytes_s=middle(bandwidth) * 1e9,
        read_bytes_s=middle(bandwidth) * 1e9,
        kernel_s=efficiency.shared("neutral").kernel_s,
        multiprocessors=float(chip.document.get("multiprocessors", facts.multiprocessors)),
        l2_bytes=facts.l2_bytes,
    )


def product_s(rates: Rates, m: float, n: float, k: float, batch: float = 1.0) -> float:
    """Return the predicted time of 16-bit products [s]; the formula takes a datasheet's bandwidth, of which a share."""
    sheet_bytes_s = rates.read_bytes_s / MEMORY_SHARE
    return gemm_time_s(m, n, k, batch, rates.flop_s, 2.0, sheet_bytes_s, rates.multiprocessors, rates.kernel_s)


def layer_s(rates: Rates, tokens: float, hidden: float, heads: float, ffn: float) -> float:
    """Return the predicted time of the layer that backends run [s]: 6 products and 8 memory-bound kernels.

    Query, key and value in one product, scores written to memory, gate and up in one product.
    """
    head = hidden / heads
    products = (
        (tokens, 3 * hidden, hidden, 1.0),
        (tokens, tokens, head, heads),
        (tokens, head, tokens, heads),
        (tokens, hidden, hidden, 1.0),
        (tokens, 2 * ffn, hidden, 1.0),
        (tokens, hidden, ffn, 1.0),
    )
    # Two normalisations and a transposition read and write, two additions read twice; softmax; silu, and its product.
    elements = tokens * (3 * 2 * hidden + 2 * 3 * hidden + 2 * heads * tokens + (2 + 3) * ffn)
    streams_s = 2.0 * elements / rates.triad_bytes_s + 8 * rates.kernel_s
    return sum(product_s(rates, *one) for one in products) + streams_s


def verify(backend: GpuBackend, source: Measurement | Path | str, quick: bool = False) -> Verified:
    """Predict kernels from measured rates, run them, and compare.

    Raises
    ------
    PerfcoreError
        If the source lacks a rate, the device is lost, or no kernel ran.
    """
    rates = rates_of(source) if isinstance(source, Measurement) else rates_of_file(Path(source), backend)
    rows: list[Checked] = []
    skipped: dict[str, str] = {}
    for name, predicted_s, build in _cases(backend, rates, quick):
        try:
            rows.append(Checked(name, predicted_s, _measured_s(backend, build)))
        except GpuError as problem:
            if problem.ends_all:
                raise
            skipped[name] = str(problem)
        backend.release()
    if not rows:
        raise GpuError("failed", f"verify: no kernel ran: {next(iter(skipped.values()))}")
    return Verified(tuple(rows), skipped)


def _cases(backend: GpuBackend, rates: Rates, quick: bool) -> Iterable[tuple[str, float, Any]]:
    for size in TRIADS[:1] if quick else TRIADS:
        yield (
            f"triad of {size / 1e9:g} GB",
            size / rates.triad_bytes_s + rates.kernel_s,
            lambda size=size: backend.stream("triad", size),
        )
    for m, n, k in SHAPES[:: len(SHAPES) // QUICK] if quick else SHAPES:
        copies = 1 + int(CACHES * rates.l2_bytes // (2.0 * (m * k + n * k)))
        yield (
            f"{rates.form} {m} x {n} x {k}",
            product_s(rates, m, n, k),
            lambda m=m, n=n, k=k, copies=copies: backend.gemm(rates.form, m, n, k, copies),
        )
    tokens, hidden, heads, ffn = LAYER
    yield (
        f"layer of {tokens} tokens, {hidden} wide",
        layer_s(rates, tokens, hidden, heads, ffn),
        lambda: backend.layer(*LAYER),
    )


def _measured_s(backend: GpuBackend, build: Any) -> float:
    job: Job = build()
    batch = backend.batch(job, CALLS)
    backend.timed(batch)
    return median(backend.timed(batch) for _ in range(SAMPLES)) / CALLS
