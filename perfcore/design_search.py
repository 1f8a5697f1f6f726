"""The search of a grid: ranges over threads or a cluster, and what rounding leaves open decided exactly."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from perfcore.counts import cores
from perfcore.design_grid import Grid
from perfcore.design_ranges import BINS, LEFT_OUT, LOTS, Deal, Limits, Ranges, explored, merge, nothing, ranges
from perfcore.design_regions import REGIONS, Boxes
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
from perfcore.formulas.architecture_time import fits, score

__all__ = ["Point", "Searched", "area_of_dies", "dies_of", "exact_region", "rates_of", "search"]

FORMAT_BITS = {"fp16": 16, "fp32": 32, "fp64": 64}


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
    asked: Ranges, deal: Deal | None = None, threads: int | None = None, progress: Callable[[str], None] | None = None
) -> Searched:
    """Search a whole grid. The answer does not depend on the number of threads or ranges, nor on who deals them out.

    ``deal`` takes a function and what to call it with, and returns the answers in order; without it threads of this
    process do the work.
    """
    several = threads or cores()
    if deal is None:
        _load(asked, progress)
    start = time.perf_counter()
    whole, near, done = nothing(1), [], 0
    for designs, found, left in (deal or partial(_in_threads, several))(explored, ranges(asked)):
        merge(whole, found)
        near += left
        done += designs
        if progress:
            progress(f"{done:,} of {len(asked.grid):,} designs, {time.perf_counter() - start:.0f} s")
    _settle(whole, near, asked)
    return _searched(whole, asked, len(near), time.perf_counter() - start, several)


def _in_threads(several: int, work: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    with ThreadPoolExecutor(several) as pool:
        yield from pool.map(lambda task: work(*task), tasks)


def _load(asked: Ranges, progress: Callable[[str], None] | None) -> None:
    """Load the compiled loop, saying where it has to be compiled first."""
    if progress:
        progress("loading the search")
    from perfcore import kernels

    if progress and kernels.is_cold():
        progress("compiling the search; once for each version, some ten seconds")
    explored(asked, 0, 0)


def _settle(whole: Any, near: list[int], asked: Ranges) -> None:
    """Decide the designs that rounding leaves open, and put them where they belong."""
    from perfcore.kernels.design import UNFIT, note

    limits, b, load = asked.limits, asked.blocks, asked.load
    for index in near:
        a = design_of(asked.grid, index, limits, b)
        region = REGIONS.index(exact_region(a, b, asked.boxes, limits.reticle_mm2))
        whole.counts[region] += 1
        if not fits(a, b, load):
            whole.counts[len(REGIONS) + UNFIT] += 1
            continue
        note(whole, region, score(a, b, load), logic_area_mm2(a, b), index, limits.area_limit)


def _searched(whole: Any, asked: Ranges, near: int, seconds: float, threads: int) -> Searched:
    def point(region: int, index: int, score_of: float, area: float) -> Point:
        design = design_of(asked.grid, int(index), asked.limits, asked.blocks)
        return Point(int(index), design, REGIONS[region], float(score_of), float(area))

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
    return Searched(len(asked.grid), counts, left, best, bins, near, seconds, threads)


def front(points: list[Point]) -> list[Point]:
    """Return the points that no other beats in both area and score, the smallest first."""
    kept: list[Point] = []
    for one in sorted(points, key=lambda p: (p.area, p.score, p.index)):
        if not kept or one.score < kept[-1].score:
            kept.append(one)
    return kept
