"""The search of a grid: chunks over threads by the fused loop, and what rounding leaves open decided exactly."""

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from perfcore.design_grid import Grid
from perfcore.design_regions import METRICS, REGIONS, Boxes
from perfcore.formulas.architecture import (
    Architecture,
    Blocks,
    array_tflops,
    cores_below_tpp,
    cores_within_mm2,
    hbm_bandwidth_gb_s,
    logic_area_mm2,
    vector_tflops,
)
from perfcore.formulas.architecture_time import Load, fits, score

__all__ = ["LEFT_OUT", "Limits", "Point", "Searched", "area_of_dies", "dies_of", "exact_region", "rates_of", "search"]

BINS = 96  # of area, from nothing to the limit
CHUNK = 1_048_576  # designs: each chunk begins with no best
AREA_AXES = 4  # the last of the grid: spare parts and caches
LEFT_OUT = ("too_large", "no_core", "out_of_bounds", "does_not_fit")
FORMAT_BITS = {"fp16": 16, "fp32": 32, "fp64": 64}
LOTS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Limits:
    """What a search leaves out: TPP that cores fill up to, exposure fields, and the user's own bounds."""

    tpp_limit: float
    reticles: int
    reticle_mm2: float
    min_tpp: float = 0.0
    max_tpp: float = np.inf
    min_area: float = 0.0
    max_area: float = np.inf

    @property
    def area_limit(self) -> float:
        """Return the area of all exposure fields [mm2]."""
        return self.reticles * self.reticle_mm2


@dataclass(frozen=True)
class Point:
    """A design that was found: where it stands in the grid, and what it was found by."""

    index: int
    architecture: Architecture
    region: str
    score: float
    area: float


@dataclass
class Searched:
    """Counts, the best of each region, and the fronts of area against the objective."""

    designs: int
    counts: dict[str, int]
    left_out: dict[str, int]
    best: dict[str, Point]
    bins: dict[str, list[Point]]
    near: int
    seconds: float
    threads: int = 1


def design_of(grid: Grid, index: int, limits: Limits, b: Blocks) -> Architecture:
    """Return the design of an index, its cores counted where the grid says to fill."""
    found = grid.design(index)
    if found["array_columns"] == 0.0:
        found["array_columns"] = found["array_rows"]
    a = Architecture(**found)
    if a.cores > 0.0:
        return a
    room = np.isfinite(limits.tpp_limit)
    cores = cores_below_tpp(a, b, limits.tpp_limit) if room else cores_within_mm2(a, b, limits.area_limit)
    return a._replace(cores=cores)


def rates_of(a: Architecture, b: Blocks) -> dict[str, float]:
    """Return the peak of each format of a design [10^12/s]."""
    return {
        "fp16": array_tflops(a),
        "fp32": vector_tflops(a, b.fp32_per_element),
        "fp64": vector_tflops(a, b.fp64_per_element),
    }


def dies_of(area: float, reticle_mm2: float) -> int:
    """Return how many dies a logic area takes, at one exposure field each.

    >>> dies_of(858.0, 858.0), dies_of(900.0, 858.0)
    (1, 2)
    """
    return max(1, -int(-area // reticle_mm2))


def area_of_dies(area: float, reticle_mm2: float) -> tuple[int, float]:
    """Return the dies of a design and the area of each [mm2]."""
    dies = dies_of(area, reticle_mm2)
    return dies, area / dies


def exact_region(a: Architecture, b: Blocks, boxes: Boxes, reticle_mm2: float) -> str:
    """Return the region of a design by the decimals that its file would print, as ``perfcore check`` reads them."""
    dies, each = area_of_dies(logic_area_mm2(a, b), reticle_mm2)
    tpp = max(FORMAT_BITS[name] * Fraction(repr(rate)) for name, rate in rates_of(a, b).items())
    io = Fraction(repr(b.link_gb_s)) * int(a.links) + Fraction(repr(b.pcie_lane_gb_s)) * int(a.pcie_lanes)
    memory = Fraction(repr(hbm_bandwidth_gb_s(a, b)))
    return boxes.region_at(tpp, dies * Fraction(repr(each)), io, memory)


def search(
    grid: Grid,
    limits: Limits,
    b: Blocks,
    load: Load,
    boxes: Boxes,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Searched:
    """Search a whole grid. The answer does not depend on the number of threads or chunks."""
    explore = _loop(progress)
    several = threads or os.cpu_count() or 1
    inner = _inner(grid, limits)
    shared = (_bounds(limits), b, load, _law(boxes, b), inner)
    if progress:
        explore(_axes(grid), 0, 0, *shared, _nothing(1))
    size = -(-max(CHUNK, -(-len(grid) // (several * 256))) // inner) * inner

    def part(first: int) -> Any:
        last = min(first + size, len(grid))
        found = _nothing(last - first)
        left = explore(_axes(grid), first, last, *shared, found)
        return found, found.near[:left].copy()

    start = time.perf_counter()
    whole = _nothing(1)
    near = []
    with ThreadPoolExecutor(several) as pool:
        for found, left in pool.map(part, range(0, len(grid), size)):
            _merge(whole, found)
            near += left.tolist()
    _settle(whole, near, grid, limits, b, load, boxes)
    seconds = time.perf_counter() - start
    return _searched(whole, grid, limits, b, len(near), seconds, several)


def _inner(grid: Grid, limits: Limits) -> int:
    """Return the designs of a group, which differ in area alone; 1 where cores fill an area that caches leave."""
    if grid.fills and not np.isfinite(limits.tpp_limit):
        return 1
    return math.prod(len(axis) for axis in grid.values[-AREA_AXES:])


def _axes(grid: Grid) -> Any:
    """Return the grid as the loop reads it, with room of its own for what the loop keeps by."""
    from perfcore.kernels.design import Axes

    flat = np.array([value for axis in grid.values for value in axis])
    sizes = np.array([len(axis) for axis in grid.values], np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
    return Axes(flat, starts, sizes, np.empty(sizes[-1]))


def _law(boxes: Boxes, b: Blocks) -> Any:
    """Return the boxes of the law as the loop reads them."""
    from perfcore.kernels.design import Law

    densities = np.array([float(threshold) for threshold in boxes.thresholds("performance_density")])
    tests, regions = np.array(boxes.tests()).reshape(-1, 4), np.array(boxes.regions(), np.int64)
    return Law(tests, len(boxes.boxes), regions, densities, _tolerance(b))


def _loop(progress: Callable[[str], None] | None) -> Callable[..., int]:
    """Return the compiled loop, saying where it has to be compiled first."""
    if progress:
        progress("loading the search")
    from perfcore import kernels

    if progress and kernels.is_cold():
        progress("compiling the search; once for each version, some ten seconds")
    from perfcore.kernels import design as loops

    loop: Callable[..., int] = loops.explore
    return loop


def _bounds(limits: Limits) -> Any:
    from perfcore.kernels.design import Bounds

    least, most = (limits.min_tpp, limits.min_area), (limits.max_tpp, limits.max_area)
    return Bounds(limits.tpp_limit, limits.area_limit, least[0], most[0], least[1], most[1])


def _tolerance(b: Blocks) -> Any:
    """Return how near to a threshold a metric may be rounded to the wrong side; 0 for sums of whole numbers."""
    from perfcore.kernels.design import NEAR

    io_exact = b.link_gb_s.is_integer() and b.pcie_lane_gb_s.is_integer()
    exact = {"io_bandwidth_gb_s": io_exact, "dram_bandwidth_gb_s": b.hbm_stack_gb_s.is_integer()}
    return np.array([0.0 if exact.get(name, False) else NEAR for name in METRICS])


def _nothing(designs: int) -> Any:
    """Return counts and bests of nothing, with room for that many open ones."""
    from perfcore.kernels.design import Found

    several = len(REGIONS)
    return Found(
        np.zeros(several + len(LEFT_OUT), np.int64),
        np.full(several, np.inf),
        np.full(several, np.inf),
        np.full(several, LOTS),
        np.full((several, BINS), np.inf),
        np.full((several, BINS), np.inf),
        np.full((several, BINS), LOTS),
        np.empty(designs, np.int64),
    )


def _merge(whole: Any, part: Any) -> None:
    """Put what one chunk found to the rest: faster goes before smaller, smaller before first."""
    whole.counts[:] += part.counts
    for names in (("best_score", "best_area", "best_index"), ("bin_score", "bin_area", "bin_index")):
        old, new = ([getattr(one, name) for name in names] for one in (whole, part))
        same, smaller = new[0] == old[0], (new[1] < old[1]) | ((new[1] == old[1]) & (new[2] < old[2]))
        better = (new[0] < old[0]) | (same & smaller)
        for kept, other in zip(old, new, strict=True):
            kept[better] = other[better]


def _settle(whole: Any, near: list[int], grid: Grid, limits: Limits, b: Blocks, load: Load, boxes: Boxes) -> None:
    """Decide the designs that rounding leaves open, and put them where they belong."""
    from perfcore.kernels.design import UNFIT, note

    for index in near:
        a = design_of(grid, index, limits, b)
        region = REGIONS.index(exact_region(a, b, boxes, limits.reticle_mm2))
        whole.counts[region] += 1
        if not fits(a, b, load):
            whole.counts[len(REGIONS) + UNFIT] += 1
            continue
        note(whole, region, score(a, b, load), logic_area_mm2(a, b), index, limits.area_limit)


def _searched(whole: Any, grid: Grid, limits: Limits, b: Blocks, near: int, seconds: float, threads: int) -> Searched:
    def point(region: int, index: int, score_of: float, area: float) -> Point:
        return Point(int(index), design_of(grid, int(index), limits, b), REGIONS[region], float(score_of), float(area))

    several = len(REGIONS)
    best = {
        name: point(r, whole.best_index[r], whole.best_score[r], whole.best_area[r])
        for r, name in enumerate(REGIONS)
        if whole.best_index[r] < LOTS
    }
    bins = {
        name: [
            point(r, whole.bin_index[r, k], whole.bin_score[r, k], whole.bin_area[r, k])
            for k in range(BINS)
            if whole.bin_index[r, k] < LOTS
        ]
        for r, name in enumerate(REGIONS)
    }
    counts = dict(zip(REGIONS, map(int, whole.counts[:several]), strict=True))
    left = dict(zip(LEFT_OUT, map(int, whole.counts[several:]), strict=True))
    return Searched(len(grid), counts, left, best, bins, near, seconds, threads)


def front(points: list[Point]) -> list[Point]:
    """Return the points that no other beats in both area and score, the smallest first."""
    kept: list[Point] = []
    for one in sorted(points, key=lambda p: (p.area, p.score, p.index)):
        if not kept or one.score < kept[-1].score:
            kept.append(one)
    return kept
