"""Efficiencies from kernels alone: fits ``gemm_time_s`` and the collectives to measured tables, beside plain baselines.

Run in an environment that has perfcore installed: ``python benchmarks/kernel_calibration.py DATA_DIR``. DATA_DIR holds
``microbench.csv`` and ``kernels/``. No training step time is read. One number is fitted to a table of matrix products:
the share of the datasheet peak at which half of the measured time lies in shapes that come out too slow, over shapes of
the size training has. To a table of collectives two: a start-up time and a share of the link. Beside each stands what
``specs/efficiency`` holds.
"""

import csv
import math
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from perfcore import efficiency
from perfcore.formulas.collectives import all_reduce_time_s
from perfcore.formulas.gemm import MEMORY_SHARE, few_rows_flop, gemm_bytes, gemm_time_s, soft_max
from perfcore.formulas.layer import FILL_TOKENS
from perfcore.formulas.records import Machine
from perfcore.formulas.tiles import STREAM_SHARE, product_time_s

SHARED = efficiency.shared("neutral")
Time = Callable[["Shape", "Chip", float], float]
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
        """A multiply-add is 2."""
        return 2.0 * self.batch * self.m * self.n * self.k


class Chip(NamedTuple):
    """What the GEMM formula needs to know of a chip: datasheet rates."""

    flop_s: float
    memory_bytes_s: float
    multiprocessors: float
    element_bytes: float = 2.0


A100, A100_PCIE = Chip(312e12, 2.039e12, 108.0), Chip(312e12, 1.935e12, 108.0)
H20, TPU_V7 = Chip(296e12, 4.0e12, 78.0, 1.0), Chip(1153.5e12, 3.69e12, 0.0)  # of the TPU: one of its two devices
# Name, generation in specs/efficiency, file, chip.
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
        return [Shape(float(m), float(n), float(k), 1.0, float(ms) / 1e3, "") for m, n, k, ms, *_ in filter(any, lines)]
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
        SHARED.kernel_s,
    )


def roofline(shape: Shape, chip: Chip, share: float) -> float:
    """The plain baseline: one share of the peak for every shape, or memory."""
    moved = gemm_bytes(shape.m, shape.n, shape.k, shape.batch, chip.element_bytes)
    return max(shape.flop / (share * chip.flop_s), moved / (MEMORY_SHARE * chip.memory_bytes_s))


def fit(shapes: list[Shape], chip: Chip, time_of: Time) -> float:
    """Return the share at which the time-weighted median of modelled over measured time is 1, by bisection."""
    low, high = 0.02, 2.0
    for _ in range(24):
        middle = math.sqrt(low * high)
        slow = sum(s.time_s for s in shapes if time_of(s, chip, middle) > s.time_s)
        low, high = (middle, high) if 2.0 * slow > sum(s.time_s for s in shapes) else (low, middle)
    return math.sqrt(low * high)


def errors(shapes: list[Shape], chip: Chip, share: float, time_of: Time) -> str:
    off = [abs(time_of(s, chip, share) / s.time_s - 1.0) for s in shapes]
    return f"{fmean(off):6.1%} {median(off):6.1%} {max(off):5.0%}"


def of_training(shapes: list[Shape]) -> list[Shape]:
    return [s for s in shapes if min(s.m, s.n, s.k) >= SMALL and s.flop >= WORK]


def gemm_table(name: str, shapes: list[Shape], chip: Chip, held: float) -> float:
    """Print what both models make of a table; return the share."""
    large = of_training(shapes)
    share, plain = fit(large, chip, modelled), fit(large, chip, roofline)
    print(f"{name:28} {len(large):5} {share:6.3f} {held:6.2f} {errors(large, chip, share, modelled)}", end="  ")
    print(f"{plain:6.3f} {errors(large, chip, plain, roofline)}", end="  ")
    print(f"{len(shapes):5} {errors(shapes, chip, share, modelled)}  {errors(shapes, chip, plain, roofline)}")
    return share


def gemms(folder: Path, rows: list[dict[str, str]]) -> dict[str, float]:
    """Print every GEMM table; return the shares by table."""
    print(
        "Matrix products: share of the dense peak; mean, median, largest error; of gemm_time_s and of a constant share"
    )
    print(f"{'':28} {'of training size':>18} {'held':>6} {'':20} {'constant':>8} {'':20} all shapes, both")
    found = {}
    for name, generation, file, chip in TABLES:
        held = efficiency.for_generation(generation, "neutral").gemm_16bit
        if name.startswith("SimuMax B200"):
            held *= efficiency.site("simumax_b200").gemm_factor
        found[name] = gemm_table(name, read_shapes(folder / "kernels" / file), chip, held)
    h20 = efficiency.for_generation("nvidia_hopper_h20", "neutral").gemm_8bit
    found["H20"] = gemm_table("InferSim H20, FP8", listed(rows, "infersim", "H20"), H20, h20)
    tpu = efficiency.for_generation("google_tpu_v7", "neutral").gemm_16bit
    found["TPU v7"] = gemm_table("TPU v7, squares", listed(rows, "tpu-recipes-micro", "TPU-v7"), TPU_V7, tpu)
    return found


def listed(rows: list[dict[str, str]], source: str, chip: str) -> list[Shape]:
    """Return the GEMMs of a source in microbench.csv."""
    mine = [r for r in rows if r["source_id"] == source and r["chip"].startswith(chip) and r["category"] == "gemm"]
    return [Shape(float(r["M"]), float(r["N"]), float(r["K"]), 1.0, float(r["time_us"]) / 1e6, "") for r in mine]


def fitted_tiles(shape: Shape, chip: Chip, share: float) -> float:
    m, n, k, batch, rate = shape.m, shape.n, shape.k, shape.batch, share * chip.flop_s
    size, memory, units = chip.element_bytes, chip.memory_bytes_s, chip.multiprocessors
    return product_time_s(m, n, k, batch, float(shape.batch > 1.0), rate, size, memory, units, SHARED.kernel_s)


def few_rows(shape: Shape, chip: Chip, share: float) -> float:
    compute = few_rows_flop(shape.m, shape.n, shape.k, shape.batch, chip.multiprocessors) / (share * chip.flop_s)
    moved = gemm_bytes(shape.m, shape.n, shape.k, shape.batch, chip.element_bytes)
    return soft_max(compute, moved / (STREAM_SHARE * chip.memory_bytes_s)) + SHARED.kernel_s


def by_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    """Print what three forms make of products, by their rows, with the share that specs/efficiency holds."""
    print("\nProducts by rows M, all shapes: mean, median error and bias of fitted tiles, tiles of training, few rows")
    tables = [(name, g, read_shapes(folder / "kernels" / file), chip) for name, g, file, chip in TABLES]
    h20 = efficiency.for_generation("nvidia_hopper_h20", "neutral").gemm_8bit
    held = [(n, efficiency.for_generation(g, "neutral").gemm_16bit, s, c) for n, g, s, c in tables if "Vidur" in n]
    held.append(("InferSim H20, FP8", h20, listed(rows, "infersim", "H20"), H20))
    for name, share, shapes, chip in held:
        for least, most in ((1, 4), (5, 16), (17, 64), (65, 128), (129, 512), (513, 2048), (2049, 10**9)):
            some = [s for s in shapes if least <= s.m <= most]
            if some:
                figures = []
                for form in (fitted_tiles, modelled, few_rows):
                    off = [form(s, chip, share) / s.time_s - 1.0 for s in some]
                    size = [abs(x) for x in off]
                    figures.append(f"{fmean(size):6.1%} {median(size):6.1%} {fmean(off):+7.1%}")
                print(f"{name:20} {least:5} to {most:<10} {len(some):5}  " + "   ".join(figures))


def short_ones(folder: Path, rows: list[dict[str, str]], shares: dict[str, float]) -> None:
    """Print what the shortest shapes take beyond the modelled time without a start: the start of a kernel."""
    tables = {name: (read_shapes(folder / "kernels" / file), chip) for name, _, file, chip in TABLES if "Vidur" in name}
    tables["H20"] = (listed(rows, "infersim", "H20"), H20)
    print(f"\nShapes modelled below 20 us: measured less modelled time; held {SHARED.kernel_s * 1e6:g} us")
    for name, (shapes, chip) in tables.items():
        beyond = [(modelled(s, chip, shares[name]) - SHARED.kernel_s, s.time_s) for s in shapes]
        found = [(time_s - start) * 1e6 for start, time_s in beyond if start < 20e-6]
        print(f"{name:28} {len(found):5} " + (f"{median(found):5.1f} us" if found else ""))


def best_shapes(rows: list[dict[str, str]], shares: dict[str, float]) -> None:
    """Print the best shape found on each chip, and how a fit to a table compares with it."""
    peaks = {
        "A100 SXM": (312.0, ("Vidur A100", "LLMCompass A100")),
        "A100 PCIe": (312.0, ("SimuMax A100 PCIe",)),
        "H100 SXM": (989.4, ("Vidur H100",)),
    }
    best = {}
    print("\nMaximum achievable matmul (stas-mamf), TFLOP/s")
    for r in rows:
        if r["source_id"] == "stas-mamf":
            best[r["chip"].removeprefix("NVIDIA "), r["dtype"]] = float(r["value"])
            print(f"{r['chip']:20} {r['dtype']:9} {float(r['value']):8.1f}")
    ratios = []
    for chip, (peak, tables) in peaks.items():
        for table in tables:
            ratios.append(shares[table] / (best[chip, "bf16"] / peak))
            print(f"{table:20} share over that of the best shape {ratios[-1]:.3f}")
    print(f"median {median(ratios):.3f}")


def bare(chips: float, link_bytes_s: float, latency_s: float) -> Machine:
    """A machine of which only the fast links matter."""
    none = dict.fromkeys(Machine._fields, 0.0)
    return Machine(**(none | {"domain": chips, "link_bytes_s": link_bytes_s, "link_latency_s": latency_s}))


def collective(name: str, chips: float, peak: float, times: list[tuple[float, float]]) -> None:
    """Fit start and share of the link to all-reduces (bytes, seconds) by least relative error."""
    weights = [1.0] * len(times)
    start = slope = 0.0
    for _ in range(30):
        a = b = c = d = e = 0.0
        for (size, time_s), weight in zip(times, weights, strict=True):
            x, y = 2.0 / time_s, 2.0 * (chips - 1.0) / chips * size / peak / time_s
            a, b, c = a + weight * x * x, b + weight * x * y, c + weight * y * y
            d, e = d + weight * x, e + weight * y
        start, slope = (d * c - e * b) / (a * c - b * b), (a * e - b * d) / (a * c - b * b)
        machine = bare(chips, peak / slope, start)
        off = [abs(all_reduce_time_s(size, chips, 1.0, machine) / time_s - 1.0) for size, time_s in times]
        weights = [1.0 / max(error, 1e-3) for error in off]
    held = bare(chips, peak * SHARED.link_efficiency, SHARED.link_latency_s)
    with_held = [all_reduce_time_s(size, chips, 1.0, held) / time_s - 1.0 for size, time_s in times]
    print(f"{name:28} {chips:3.0f} {len(times):5} {start * 1e6:6.1f} us {1.0 / slope:6.3f} {fmean(off):6.1%}", end=" ")
    print(f"{max(off):5.0%}   held: {fmean(abs(x) for x in with_held):6.1%}, bias {fmean(with_held):+6.1%}")


def collectives(folder: Path, rows: list[dict[str, str]]) -> None:
    print("\nAll-reduces of 1 MB and more: chips, sizes, start of a gather, share of the link, mean and largest error")
    for chips in range(2, 9):
        lines = (folder / "kernels" / f"AR_GPU{chips}_1M_1024M_LUT").read_text().splitlines()[1:]
        times = [(float(line.split(",")[0]), float(line.split(",")[3]) / 1e9) for line in lines]
        collective("vTrain A100", float(chips), 300e9, times)
    links = {"A100-SXM-80GB": 300e9, "H100-SXM-80GB": 450e9, "H200-SXM-141GB": 450e9}
    groups: dict[tuple[str, str, float], list[tuple[float, float]]] = {}
    for r in rows:
        near = r["op"] == "all_reduce" and r["chip"] in links and float(r["n_nodes"] or 0) == 1.0
        if near and r["time_us"] and float(r["message_bytes"] or 0) >= 1e6:
            point = (float(r["message_bytes"]), float(r["time_us"]) / 1e6)
            groups.setdefault((r["source_id"], r["chip"], float(r["n_chips"])), []).append(point)
    for (source, chip, chips_of), times in groups.items():
        if len(times) >= 4:
            collective(f"{source} {chip}", chips_of, links[chip], times)


def attention(rows: list[dict[str, str]]) -> None:
    """Fit the length rule of ``perfcore.formulas.layer`` to the prefill attention of the H20."""
    mine = [r for r in rows if r["source_id"] == "infersim" and r["op"] == "mha prefill"]
    points = [(float(r["seq_or_kv"]), float(r["pct_of_spec"]) / 100.0) for r in mine]
    long = [share / (seq / (seq + FILL_TOKENS)) for seq, share in points if seq >= 4096.0]
    asymptote = median(long)
    print(f"\nFused attention on the H20: share {asymptote:.3f} from {len(long)} rows of 4,096 tokens and more", end="")
    held = efficiency.for_generation("nvidia_hopper_h20", "neutral").attention
    off = [abs(asymptote * seq / (seq + FILL_TOKENS) / share - 1.0) for seq, share in points]
    print(f", held {held}; error over all {len(off)}: mean {fmean(off):.1%}, largest {max(off):.0%}")


def memory(rows: list[dict[str, str]]) -> None:
    """Print what memory-bound kernels of a transformer reach on the A100, at their largest size."""
    print(f"\nMemory-bound kernels, A100 80 GB, share of 2,039 GB/s; held {SHARED.memory_efficiency}")
    for op in ("layernorm", "gelu", "softmax"):
        best = max(float(r["value"]) for r in rows if r["source_id"] == "llmcompass" and r["op"] == op)
        print(f"{op:28} {best * 4.0 / 2039.0:.3f}")  # 10^9 elements/s, two bytes read and two written
    read = next(float(r["value"]) for r in rows if r["source_id"] == "gpt-fast-bw")
    print(f"{'weights read in decoding':28} {read / 2039.0:.3f}")


def main() -> None:
    folder = Path(sys.argv[1])
    with (folder / "microbench.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shares = gemms(folder, rows)
    by_rows(folder, rows)
    short_ones(folder, rows, shares)
    best_shapes(rows, shares)
    collectives(folder, rows)
    attention(rows)
    memory(rows)


if __name__ == "__main__":
    main()
