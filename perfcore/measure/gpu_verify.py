"""Predicted against measured time on the GPU: triads, products of many shapes and a transformer layer."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from perfcore.chips import load
from perfcore.errors import PerfcoreError
from perfcore.formulas.gemm import compute_flop, few_rows_flop, gemm_bytes, soft_max
from perfcore.measure.chip_file import figures_in
from perfcore.measure.figures import Measurement
from perfcore.measure.gpu_backends import GpuBackend, GpuError, GpuFacts, Job
from perfcore.measure.verify import Checked, Verification

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
SAMPLE_S, SAMPLES = 0.01, 5  # so long that the start of a graph, some 10 us, does not count
LEAST_CALLS, MOST_CALLS = 10, 1000
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


def rates_of(measurement: Measurement, facts: GpuFacts) -> Rates:
    """Return the rates of a measurement: medians, of the 16-bit format that was measured.

    Raises
    ------
    PerfcoreError
        If it holds no 16-bit product or no triad.
    """
    figures = {one.name: (one.median, one.note) for one in measurement.figures}
    return _rates(figures, facts, "the measurement")


def rates_of_file(path: Path, facts: GpuFacts) -> Rates:
    """Return the rates of a chip file that ``perfcore measure gpu`` wrote.

    Raises
    ------
    PerfcoreError
        If it holds no figures of a GPU, or not those that are needed.
    """
    chip = load(path)
    best = figures_in(chip, "gpu")
    figures = {}
    for row in chip.document["measured"]["figure"]:
        median_or_best = row.get("median", best[row["name"]])
        if isinstance(median_or_best, dict):
            raise PerfcoreError(f"{path}: measured.figure {row['name']}: median: found an interval; give one number")
        figures[row["name"]] = (float(median_or_best), str(row.get("note", "")))
    return _rates(figures, facts, str(path))


def _rates(figures: Mapping[str, tuple[float, str]], facts: GpuFacts, whose: str) -> Rates:
    form = next((form for form in SIXTEEN_BIT if f"gemm_{form}" in figures), None)
    if form is None or "dram_triad" not in figures:
        raise PerfcoreError(f"{whose}: found no 16-bit product or no triad among its figures; measure again to verify")
    product, note = figures[f"gemm_{form}"]
    triad = figures["dram_triad"][0]
    return Rates(
        form=form,
        flop_s=product * 1e12 * _waste(note, facts.multiprocessors),
        triad_bytes_s=triad * 1e9,
        read_bytes_s=figures.get("dram_read", (triad, ""))[0] * 1e9,
        kernel_s=figures.get("launch_graph", figures.get("launch", (0.0, "")))[0] / 1e6,
        multiprocessors=facts.multiprocessors,
        l2_bytes=facts.l2_bytes,
    )


def _waste(note: str, units: float) -> float:
    """Return what the tiles of the size in a figure's note compute over what they need to, 1 where there is none.

    >>> _waste("at 128 x 128 x 110, the best of 8", 1.0), _waste("", 132.0)
    (2.12, 1.0)
    """
    found = re.match(r"at (\d+) x (\d+) x (\d+)", note)
    if found is None or not units:
        return 1.0
    m, n, k = (float(side) for side in found.groups())
    return compute_flop(m, n, k, 1.0, units) / (2.0 * m * n * k)


def product_s(rates: Rates, m: float, n: float, k: float, batch: float = 1.0) -> float:
    """Return the predicted time of 16-bit products [s]: ``gemm_time_s`` with tiles of few rows, at measured rates."""
    flop = few_rows_flop(min(m, n), max(m, n), k, batch, rates.multiprocessors)
    memory_s = gemm_bytes(m, n, k, batch, 2.0) / rates.read_bytes_s
    return soft_max(flop / rates.flop_s, memory_s) + rates.kernel_s


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


def verify(backend: GpuBackend, source: Measurement | Path | str, quick: bool = False) -> Verification:
    """Predict kernels from measured rates, run them, and compare.

    Raises
    ------
    PerfcoreError
        If the source lacks a rate, the device is lost, or no kernel ran.
    """
    facts = backend.facts()
    rates = rates_of(source, facts) if isinstance(source, Measurement) else rates_of_file(Path(source), facts)
    rows: list[Checked] = []
    skipped: dict[str, str] = {}
    for name, kind, predicted_s, build in _cases(backend, rates, quick):
        try:
            rows.append(Checked(name, kind, predicted_s, _measured_s(backend, build, predicted_s)))
        except GpuError as problem:
            if problem.ends_all:
                raise
            skipped[name] = str(problem)
        backend.release()
    if not rows:
        raise GpuError("failed", f"verify: no kernel ran: {next(iter(skipped.values()))}")
    return Verification(tuple(rows), skipped)


def _cases(backend: GpuBackend, rates: Rates, quick: bool) -> Iterable[tuple[str, str, float, Callable[[], Job]]]:
    for size in TRIADS[:1] if quick else TRIADS:
        yield (
            f"triad of {size / 1e9:g} GB",
            "triad",
            size / rates.triad_bytes_s + rates.kernel_s,
            partial(backend.stream, "triad", size),
        )
    for m, n, k in SHAPES[:: len(SHAPES) // QUICK] if quick else SHAPES:
        copies = 1 + int(CACHES * rates.l2_bytes // (2.0 * (m * k + n * k)))
        yield (
            f"{rates.form} {m} x {n} x {k}",
            "gemm",
            product_s(rates, m, n, k),
            partial(backend.gemm, rates.form, m, n, k, copies),
        )
    tokens, hidden, heads, ffn = LAYER
    yield (
        f"layer of {tokens} tokens, {hidden} wide",
        "layer",
        layer_s(rates, tokens, hidden, heads, ffn),
        partial(backend.layer, *LAYER),
    )


def _measured_s(backend: GpuBackend, build: Callable[[], Job], predicted_s: float) -> float:
    calls = max(LEAST_CALLS, min(MOST_CALLS, math.ceil(SAMPLE_S / predicted_s)))
    batch = backend.batch(build(), calls)
    backend.timed(batch)
    return median(backend.timed(batch) for _ in range(SAMPLES)) / calls
