"""The kernels that predictions are checked with on a CPU: triads, matrix products and a transformer layer, in NumPy."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from perfcore.chips import from_file
from perfcore.measure.chip_file import figures_in
from perfcore.measure.cpu import measure
from perfcore.measure.cpu_kernels import buffers
from perfcore.measure.cpu_probes import dram_bytes
from perfcore.measure.figures import Measurement
from perfcore.measure.host import Host, look
from perfcore.measure.layer import Layer
from perfcore.measure.rounds import Probe, Progress
from perfcore.measure.verify import Case, Machine, Verification, machine_of, rates_of, verification_of

KIB = 1024
# Bytes of the three arrays of a triad: within the levels, and between them. The last is main memory.
TRIADS = (36 * KIB, 150 * KIB, 500 * KIB, 1500 * KIB, 3000 * KIB, 12_000 * KIB)
SCALE = numpy.array(0.5)  # a number would be made an array at each call
# Rows, columns, inner size.
SINGLE = ((384, 384, 384), (768, 768, 768), (1536, 1536, 1536), (64, 4096, 4096), (2048, 2048, 64), (4096, 128, 1024))
DOUBLE = (
    (256, 256, 256),
    (1000, 1000, 1000),
    (128, 3000, 700),
    (3000, 100, 1500),
    (1024, 1024, 2048),
    (32, 2048, 2048),
)
PRODUCTS = {4: (*SINGLE, (1, 4096, 4096)), 8: DOUBLE}  # by bytes of a number
LAYERS = ((256, 512, 8, 2048), (512, 1024, 16, 4096))
SAMPLE_S = 0.01
SETTLE_S = 0.05


def cases(host: Host) -> list[Case]:
    """Return all kernels."""
    return [*_triads(host), *_products(), *_layers()]


def verify(
    source: Path | None = None,
    threads: int | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> tuple[Verification, Measurement]:
    """Predict kernels and time them: from the figures of a file, or from those measured in the same rounds.

    Raises
    ------
    PerfcoreError
        If the file is no measurement of a CPU, or lacks a figure; and what ``measure`` raises.
    """
    host = look()
    rates = None if source is None else figures_in(from_file(source), "cpu")
    if rates is not None:
        machine_of(rates, host, str(source))
    checked = cases(host)
    measurement = measure(threads, quick, progress, also=[probe_of(case) for case in checked], only=rates is not None)
    machine = machine_of(rates_of(measurement) if rates is None else rates, host)
    timed = {figure.name: figure for figure in measurement.figures}
    return verification_of(checked, machine, timed), measurement


def probe_of(case: Case) -> Probe:
    """Return the probe that times a case."""

    def run(turns: int) -> float:
        start = time.perf_counter()
        for _ in range(turns):
            case.run()
        seconds = time.perf_counter() - start
        if case.kind != "triad":
            time.sleep(SETTLE_S)  # see SETTLE_S of cpu_probes
        return seconds

    return Probe(case.name, "ns a call", 1, run, is_rate=False, sample_s=SAMPLE_S)


def _triads(host: Host) -> Iterator[Case]:
    for size in (*TRIADS, 3 * dram_bytes(host, 1)):
        (a, b, c), _ = buffers(3, size // 3)
        yield Case(f"triad {size // KIB:,} KiB", "triad", partial(_triad, a, b, c), partial(_triad_s, 8 * a.size))


def _triad(a: Any, b: Any, c: Any) -> None:
    numpy.multiply(c, SCALE, out=a)
    numpy.add(a, b, out=a)


def _triad_s(array_bytes: int, machine: Machine) -> float:
    """Return the time of both passes: each reads two lines and writes one, as a copy that fetches what it writes."""
    return 2 * machine.elementwise_s("copy", 2 * array_bytes, 3 * array_bytes)


def _products() -> Iterator[Case]:
    random = numpy.random.default_rng(0)
    for size, shapes in PRODUCTS.items():
        for m, n, k in shapes:
            a, b = (random.random(shape).astype(f"f{size}") for shape in ((m, k), (k, n)))
            run = partial(numpy.matmul, a, b, out=numpy.empty((m, n), dtype=a.dtype))
            yield Case(f"gemm fp{8 * size} {m} x {n} x {k}", "gemm", run, partial(_gemm_s, (m, n, k, size)))


def _gemm_s(shape: tuple[int, int, int, int], machine: Machine) -> float:
    return machine.gemm_s(*shape)


def _layers() -> Iterator[Case]:
    for tokens, hidden, heads, ffn in LAYERS:
        layer = Layer(tokens, hidden, heads, ffn)
        yield Case(f"layer {tokens} tokens x {hidden}", "layer", layer.forward, layer.predicted_s)
