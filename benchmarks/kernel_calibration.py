"""Efficiencies from kernels alone: fits ``gemm_time_s`` and the collectives to measured tables, beside plain baselines.

Run in an environment that has perfcore installed: ``python benchmarks/kernel_calibration.py DATA_DIR``. DATA_DIR holds
``microbench.csv`` and ``kernels/``. No training step time is read. One number is fitted to a table: the share of the
datasheet peak (or of the link), such that half of the shapes come out too fast and half too slow. The last column of a
part is what ``specs/efficiency`` holds.
"""

import csv
import math
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from perfcore.formulas.gemm import MEMORY_SHARE, gemm_bytes, gemm_time_s

KERNEL_S = 2e-6
SMALL, WORK = 1024.0, 1e11  # a shape of training: no side below, no less FLOP


class Shape(NamedTuple):
    """One measured matrix product."""

    m: float
    n: float
    k: float
    batch: float
    time_s: float
    layout: str

    @property
    def flop(self) -> float:
        return 2.0 * self.batch * self.m * self.n * self.k


class Chip(NamedTuple):
    """What the GEMM formula needs to know of a chip: datasheet rates."""

    flop_s: float
    memory_bytes_s: float
    multiprocessors: float
    element_bytes: float = 2.0


A100, A100_PCIE = Chip(312e12, 2.039e12, 108.0), Chip(312e12, 1.935e12, 108.0)
H20 = Chip(296e12, 4.0e12, 78.0, 1.0)
# Name, generation in specs/efficiency, file, reader, chip.
TABLES = (
    ("Vidur A100", "nvidia_ampere", "vidur_gemm_a100.csv", A100),
    ("SimuMax A100 PCIe", "nvidia_ampere", "simumax_gemm_a100_pcie.csv", A100_PCIE),
    ("LLMCompass A100", "nvidia_ampere", "llmcompass_matmul_A100.csv", A100),
    ("Vidur A40", "nvidia_ampere_ga10x", "vidur_gemm_a40.csv", Chip(149.7e12, 696e9, 84.0)),
    ("Vidur H100", "nvidia_hopper", "vidur_gemm_h100.csv", Chip(989.4e12, 3.35e12, 132.0)),
    ("SimuMax B200 (its machine)", "nvidia_blackwell", "simumax_gemm_b200.csv", Chip(2250e12, 8e12, 148.0)),
    ("LLMCompass MI210", "amd_cdna2", "llmcompass_matmul_MI210.csv", Chip(181e12, 1.6384e12, 104.0)),
)


def read_shapes(path: Path) -> list[Shape]:
    """Read one of the three forms the tables come in."""
    if path.name.startswith("llmcompass"):
        lines = [line.replace("ms", "").replace("Tflops", "").split(",") for line in path.read_text().splitlines()]
        return [
            Shape(float(m), float(n), float(k), 1.0, float(ms) / 1e3, "") for m, n, k, ms, *_ in filter(any, lines)
        ]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Shape(
            float(r["M"]), float(r["N"]), float(r["K"]), float(r.get("b", 1)), float(r["time_s"]), r.get("layout", "")
        )
        for r in rows
    ]


def modelled(shape: Shape, chip: Chip, share: float) -> float:
    return gemm_time_s(
        shape.m,
        shape.n,
        shape.k,
        shape.batch,
        share * chip.flop_s,
        chip.element_bytes,
        chip.memory_bytes_s,
        chip.multiprocessors,
        KERNEL_S,
    )


def roofline(shape: Shape, chip: Chip, share: float) -> float:
    """The plain baseline: one share of the peak for every shape, or memory."""
    moved = gemm_bytes(shape.m, shape.n, shape.k, shape.batch, chip.element_bytes)
    return max(shape.flop / (share * chip.flop_s), moved / (MEMORY_SHARE * chip.memory_bytes_s))


def fit(shapes: list[Shape], time_of: Callable[[float, Shape], float]) -> float:
    """Return the share at which the median of modelled over measured time is 1, by bisection."""
    low, high = 0.02, 2.0
    for _ in range(24):
        middle = math.sqrt(low * high)
        if median(time_of(middle, shape) / shape.time_s for shape in shapes) > 1.0:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
