"""What is run on a GPU: streams, caches, products and starts of kernels, each at several sizes, the smallest first."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from perfcore.measure.gpu_backends import GpuBackend, GpuFacts, Job
from perfcore.terms import FORMATS

GB = 1e9
KERNELS = ("read", "copy", "triad")
# Times the level 2 cache, so that little of an array is left in it from the call before; and bytes at least, for caches
# behind that one which no library tells of (256 MB in an MI300X).
DRAM_OF_L2, DRAM_LEAST = (24, 48, 96), (1.0 * GB, 2.0 * GB, 4.0 * GB)
DRAM_MOST = 8.0 * GB  # bytes; more shows nothing new and needs 64-bit indices
L2_SHARES = (0.125, 0.25, 0.5)  # of the cache: half of it still hits when each half of the chip keeps its own copy
MEMORY_SHARE = 0.4  # of the device's memory that one job may take
# Square powers of two, the same in no tile's multiple, and two products of a 70-billion-parameter model.
PRODUCTS = (
    (2048, 2048, 2048),
    (4096, 4096, 4096),
    (4112, 4112, 4112),
    (8000, 8000, 8000),
    (8192, 8192, 8192),
    (8192, 8192, 28672),
    (8192, 28672, 8192),
    (16384, 16384, 16384),
)
QUICK_PRODUCTS = (PRODUCTS[1], PRODUCTS[4])
# Bytes of two operands' elements, and of the result's.
ELEMENT = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
RESULT = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 2, "int8": 4}
MATERIAL = 3  # while 8-bit operands are made, wider ones stand beside them


class Trial(NamedTuple):
    """One size of one figure."""

    figure: str
    size: str
    footprint_bytes: float
    flop: float
    kind: str  # stream, gemm, least, least_graphed
    detail: tuple[str, float, float, float]

    def build(self, backend: GpuBackend) -> Job:
        """Put the data in place."""
        word, a, b, c = self.detail
        if self.kind == "stream":
            return backend.stream(word, a)
        if self.kind == "gemm":
            return backend.gemm(word, int(a), int(b), int(c))
        return backend.least()


def ladders(facts: GpuFacts, formats: Mapping[str, str], quick: bool = False) -> list[list[Trial]]:
    """Return the sizes of each figure, the smallest first; formats that the device lacks are left out."""
    rooms = partial(_fitting, memory_bytes=facts.memory_bytes)
    wanted = [max(facts.l2_bytes * times, least) for times, least in zip(DRAM_OF_L2, DRAM_LEAST, strict=True)]
    dram = sorted({min(size, DRAM_MOST) for size in (wanted[1:2] if quick else wanted)})
    found = [rooms([_stream("dram", kernel, size) for size in dram]) for kernel in KERNELS]
    if facts.l2_bytes:
        found += [[_stream("l2", kernel, facts.l2_bytes * share) for share in L2_SHARES] for kernel in KERNELS]
    shapes = QUICK_PRODUCTS if quick else PRODUCTS
    found += [rooms([_gemm(form, *shape) for shape in shapes]) for form in FORMATS if formats.get(form) == ""]
    return [*found, [_least("launch")], [_least("launch_graph")]]


def _fitting(trials: list[Trial], memory_bytes: float) -> list[Trial]:
    """Return the trials that leave room; the smallest always, so that its failure is seen and said."""
    return trials[:1] + [trial for trial in trials[1:] if trial.footprint_bytes <= MEMORY_SHARE * memory_bytes]


def _stream(level: str, kernel: str, size: float) -> Trial:
    said = f"{size / GB:.3g} GB" if size >= GB else f"{size / 1e6:.3g} MB"
    return Trial(f"{level}_{kernel}", said, size, 0.0, "stream", (kernel, size, 0.0, 0.0))


def _gemm(form: str, m: int, n: int, k: int) -> Trial:
    room = MATERIAL * ELEMENT[form] * (m * k + n * k) + RESULT[form] * m * n
    return Trial(f"gemm_{form}", f"{m} x {n} x {k}", float(room), 2.0 * m * n * k, "gemm", (form, m, n, k))


def _least(name: str) -> Trial:
    return Trial(name, "", 0.0, 0.0, "least_graphed" if name.endswith("graph") else "least", ("", 0.0, 0.0, 0.0))
