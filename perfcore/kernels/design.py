"""The loop of a design search: index to parameters, area, TPP, region, time; counts, the best, bins of a front.

No row is made: a design is the digits of its index, and only its place in the counts is kept. Thresholds come as
arguments. Designs that differ in nothing but area (caches, spare parts) are a group, of one speed, TPP and bandwidth:
the law leaves a few areas of a group at which its region changes. A design whose rounded numbers lie too near to a
threshold is handed back undecided.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from perfcore.formulas.architecture import (
    Architecture,
    Blocks,
    cores_below_tpp,
    cores_within_mm2,
    design_io_gb_s,
    design_tpp,
    hbm_bandwidth_gb_s,
    lanes_mm2,
    sram_mm2,
    with_cores,
)
from perfcore.formulas.architecture_time import Load, fits, score
from perfcore.kernels import compiled

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
DENSITY = 1  # place of performance density among the metrics
NEAR = 16.0 * 2.0**-52  # relative distance to a threshold below which rounding may decide
TOO_LARGE, NO_CORE, OUT_OF_BOUNDS, UNFIT = 0, 1, 2, 3  # counts behind those of the regions


class Bounds(NamedTuple):
    """What a search leaves out, and how cores are counted where the grid says to fill."""

    tpp_limit: float  # cores fill up to below it
    area_limit: float  # of all logic: so many exposure fields
    min_tpp: float
    max_tpp: float  # not reached
    min_area: float
    max_area: float


class Law(NamedTuple):
    """What the law says: rows of ``tests`` (box, metric, comparison, threshold), and the region of each set of boxes.

    ``densities`` are the thresholds of performance density, from the lowest; ``tolerance`` is by metric.
    """

    tests: Floats
    boxes: int
    region_of: Whole
    densities: Floats
    tolerance: Floats


class Axes(NamedTuple):
    """The grid: values of all axes one after the other, where each starts, how many it has; room for areas of L2."""

    flat: Floats
    starts: Whole
    sizes: Whole
    caches: Floats


class Bands(NamedTuple):
    """Regions of a group by area: band 0 is the densest.

    A design of at most ``certain[k]`` mm2 is denser than the k-th highest threshold, one of more than ``doubtful[k]``
    is not; between them, or where not ``decided``, rounding may decide.
    """

    tpp: float
    decided: bool
    certain: Floats
    doubtful: Floats
    region: Whole


class Found(NamedTuple):
    """What a search writes: counts, and the best by region and by bin of area, with area and index."""

    counts: Whole
    best_score: Floats
    best_area: Floats
    best_index: Whole
    bin_score: Floats
    bin_area: Floats
    bin_index: Whole
    near: Whole


def _digits(index: int, sizes: Whole, digits: Whole) -> None:
    """Write the digits of an index, the last axis the fastest."""
    for axis in range(len(sizes) - 1, -1, -1):
        digits[axis] = index % sizes[axis]
        index //= sizes[axis]


def _design(axes: Axes, digits: Whole, bounds: Bounds, b: Blocks) -> Architecture:
    """Return the design of some digits; columns of 0 are as many as rows, cores of 0 as many as there is room for."""
    flat, starts = axes.flat, axes.starts
    clock, rows = flat[starts[0] + digits[0]], flat[starts[1] + digits[1]]
    columns = flat[starts[2] + digits[2]]
    a = Architecture(
        rows,
        columns if columns > 0.0 else rows,
        flat[starts[3] + digits[3]],
        flat[starts[4] + digits[4]],
        flat[starts[5] + digits[5]],
        flat[starts[9] + digits[9]],
        clock,
        flat[starts[11] + digits[11]],
        flat[starts[12] + digits[12]],
        flat[starts[6] + digits[6]],
        flat[starts[10] + digits[10]],
        flat[starts[7] + digits[7]],
        flat[starts[8] + digits[8]],
    )
    if a.cores > 0.0:
        return a
    if bounds.tpp_limit < np.inf:
        return with_cores(a, cores_below_tpp(a, b, bounds.tpp_limit))
    return with_cores(a, cores_within_mm2(a, b, bounds.area_limit))


def _met(law: Law, values: Floats) -> int:
    """Return which boxes of the law hold a design, a bit each; -1 where rounding may decide, density apart."""
    mask = (1 << law.boxes) - 1
    near = False
    for k in range(law.tests.shape[0]):
        metric = int(law.tests[k, 1])
        value, threshold = values[metric], law.tests[k, 3]
        slack = law.tolerance[metric]
        if metric != DENSITY and slack > 0.0 and abs(value - threshold) <= slack * threshold:
            near = True
        kind = law.tests[k, 2]
        if kind == 0.0:
            holds = value >= threshold
        elif kind == 1.0:
            holds = value > threshold
        elif kind == 2.0:
            holds = value < threshold
        else:
            holds = value <= threshold
        if not holds:
            mask &= ~(1 << int(law.tests[k, 0]))
    return -1 if near else mask


def _cut(law: Law, values: Floats, certain: Floats, doubtful: Floats, region: Whole) -> bool:
    """Write where the region of a group changes with area, and the region of each band; tell whether that is certain.

    ``values`` are the metrics of the group, density apart.
    """
    count = len(law.densities)
    slack = law.tolerance[DENSITY]
    for k in range(count):
        threshold = law.densities[count - 1 - k]
        certain[k] = values[0] / threshold * (1.0 - slack)
        doubtful[k] = values[0] / threshold * (1.0 + slack)
    for band in range(count + 1):
        if count == 0:
            values[DENSITY] = 1.0
        elif band == 0:
            values[DENSITY] = 2.0 * law.densities[count - 1]
        else:
            above = law.densities[count - band]
            below = law.densities[count - band - 1] if band < count else 0.0
            values[DENSITY] = 0.5 * (above + below)
        mask = _met(law, values)
        if mask < 0:
            return False
        region[band] = law.region_of[mask]
    return True


def _better(score: float, area: float, index: int, score0: float, area0: float, index0: int) -> bool:
    """Tell whether a design goes before another: faster, then smaller, then first."""
    if score != score0:
        return bool(score < score0)
    return bool(area < area0) or (area == area0 and index < index0)


def _note(found: Found, region: int, score: float, area: float, index: int, area_limit: float) -> None:
    """Keep a design where it is the best of its region or of its bin of area."""
    if _better(score, area, index, found.best_score[region], found.best_area[region], found.best_index[region]):
        found.best_score[region], found.best_area[region], found.best_index[region] = score, area, index
    bins = found.bin_score.shape[1]
    place = min(bins - 1, int(area * (bins / area_limit)))
    if _better(
        score,
        area,
        index,
        found.bin_score[region, place],
        found.bin_area[region, place],
        found.bin_index[region, place],
    ):
        found.bin_score[region, place] = score
        found.bin_area[region, place] = area
        found.bin_index[region, place] = index


def _group(
    axes: Axes,
    digits: Whole,
    start: int,
    inner: int,
    a: Architecture,
    b: Blocks,
    load: Load,
    bounds: Bounds,
    bands: Bands,
    found: Found,
    undecided: int,
) -> int:
    """Go through the designs of a group, which differ in spare parts and caches; return how many are undecided."""
    regions = found.bin_score.shape[0]
    within = bounds.min_tpp <= bands.tpp < bounds.max_tpp
    holds, known, time_s = fits(a, b, load), False, 0.0
    per_mm2 = found.bin_score.shape[1] / bounds.area_limit
    index = start
    for place in range(inner // axes.sizes[12] if inner > 1 else 1):
        if inner > 1:
            _digits(place, axes.sizes[9:12], digits[9:12])
        base = _without_l2(axes, digits, a, b)
        for last in range(axes.sizes[12] if inner > 1 else 1):
            area = base + axes.caches[last if inner > 1 else digits[12]]
            if area > bounds.area_limit:
                found.counts[regions + TOO_LARGE] += 1
            elif not within or area < bounds.min_area or area > bounds.max_area:
                found.counts[regions + OUT_OF_BOUNDS] += 1
            else:
                band, near = 0, not bands.decided
                for k in range(len(bands.certain)):
                    band += area > bands.doubtful[k]
                    near |= (area > bands.certain[k]) & (area <= bands.doubtful[k])
                own = bands.region[band]
                if near:
                    found.near[undecided] = index
                    undecided += 1
                elif not holds:
                    found.counts[own] += 1
                    found.counts[regions + UNFIT] += 1
                else:
                    found.counts[own] += 1
                    if not known:
                        time_s, known = score(a, b, load), True
                    bin_of = min(found.bin_score.shape[1] - 1, int(area * per_mm2))
                    if time_s <= found.best_score[own] or time_s <= found.bin_score[own, bin_of]:
                        _note(found, own, time_s, area, index, bounds.area_limit)
            index += 1
    return undecided


def _without_l2(axes: Axes, digits: Whole, a: Architecture, b: Blocks) -> float:
    """Return the area of a design but for its second-level cache [mm2], spare parts and L1 by their digits."""
    made = a.cores + axes.flat[axes.starts[9] + digits[9]]
    stacks = a.hbm_stacks + axes.flat[axes.starts[10] + digits[10]]
    l1 = sram_mm2(axes.flat[axes.starts[11] + digits[11]], b)
    area = made * (lanes_mm2(a, b) + b.crossbar_mm2 + l1) + stacks * (b.hbm_phy_mm2 + b.hbm_controller_mm2)
    return float(area) + a.links * (b.link_phy_mm2 + b.link_controller_mm2) + a.pcie_lanes * b.pcie_lane_mm2


def _explore(
    axes: Axes, first: int, last: int, bounds: Bounds, b: Blocks, load: Load, law: Law, inner: int, found: Found
) -> int:
    """Search the designs from ``first`` up to ``last``; return how many are left to exact arithmetic.

    Both are multiples of ``inner``, the designs of a group: the product of the last four axes, or 1 where cores fill an
    area, so that those axes change the speed too.
    """
    digits, values = np.empty(len(axes.sizes), np.int64), np.empty(4)
    count = len(law.densities)
    certain, doubtful, region = np.empty(count), np.empty(count), np.empty(count + 1, np.int64)
    undecided = 0
    for place in range(axes.sizes[12]):
        axes.caches[place] = sram_mm2(1024.0 * axes.flat[axes.starts[12] + place], b)
    for start in range(first, last, inner):
        _digits(start, axes.sizes, digits)
        a = _design(axes, digits, bounds, b)
        tpp = design_tpp(a, b)
        if tpp <= 0.0:
            found.counts[found.bin_score.shape[0] + NO_CORE] += inner
            continue
        values[0], values[2], values[3] = tpp, design_io_gb_s(a, b), hbm_bandwidth_gb_s(a, b)
        decided = _cut(law, values, certain, doubtful, region)
        bands = Bands(tpp, decided, certain, doubtful, region)
        undecided = _group(axes, digits, start, inner, a, b, load, bounds, bands, found, undecided)
    return undecided


for _function in (_digits, _design, _met, _cut, _better, _note, _without_l2, _group):
    register_jitable(_function)
explore = compiled(_explore)
note = _note  # in Python, for the few that are decided exactly
