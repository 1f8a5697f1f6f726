"""The loop of a design search: index to parameters, area, TPP, region, time; counts, the best, bins of a front.

No row is made: a design is the digits of its index, and only its place in the counts is kept. Thresholds come as
arguments. A design whose rounded numbers lie too near to a threshold is handed back undecided.
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
    logic_area_mm2,
    with_cores,
)
from perfcore.formulas.architecture_time import Load, fits, score
from perfcore.kernels import compiled

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
OUTER = 9  # digits that change a design's speed; those behind them only move its area
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


def _step(sizes: Whole, digits: Whole) -> int:
    """Go on to the next index; return the foremost axis that changed."""
    axis = len(sizes) - 1
    while axis > 0 and digits[axis] + 1 == sizes[axis]:
        digits[axis] = 0
        axis -= 1
    digits[axis] += 1
    return axis


def _design(flat: Floats, starts: Whole, digits: Whole, bounds: Bounds, b: Blocks) -> Architecture:
    """Return the design of some digits; columns of 0 are as many as rows, cores of 0 as many as there is room for."""
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


def _met(tests: Floats, values: Floats, tolerance: Floats, boxes: int) -> int:
    """Return which boxes of the law hold a design, a bit each; -1 where rounding may decide.

    A row of ``tests`` is the box, the metric, the comparison (at least, more than, below, at most) and the threshold.
    """
    mask = (1 << boxes) - 1
    near = False
    for k in range(tests.shape[0]):
        metric = int(tests[k, 1])
        value, threshold = values[metric], tests[k, 3]
        if tolerance[metric] > 0.0 and abs(value - threshold) <= tolerance[metric] * threshold:
            near = True
        kind = tests[k, 2]
        if kind == 0.0:
            holds = value >= threshold
        elif kind == 1.0:
            holds = value > threshold
        elif kind == 2.0:
            holds = value < threshold
        else:
            holds = value <= threshold
        if not holds:
            mask &= ~(1 << int(tests[k, 0]))
    return -1 if near else mask


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
    place = min(bins - 1, int(area / area_limit * bins))
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


def _left_out(area: float, tpp: float, bounds: Bounds) -> int:
    """Return why a design is not looked at: too large, no core, out of the user's bounds; -1 where it is."""
    if tpp <= 0.0:
        return NO_CORE
    if area > bounds.area_limit:
        return TOO_LARGE
    if tpp < bounds.min_tpp or tpp >= bounds.max_tpp or area < bounds.min_area or area > bounds.max_area:
        return OUT_OF_BOUNDS
    return -1


def _explore(
    flat: Floats,
    starts: Whole,
    sizes: Whole,
    first: int,
    last: int,
    bounds: Bounds,
    b: Blocks,
    load: Load,
    tests: Floats,
    boxes: int,
    region_of: Whole,
    tolerance: Floats,
    found: Found,
) -> int:
    """Search the designs from ``first`` up to ``last``; return how many are left to exact arithmetic."""
    digits, values = np.empty(len(sizes), np.int64), np.empty(4)
    regions, undecided, changed, cores, time_s = found.bin_score.shape[0], 0, 0, -1.0, 0.0
    _digits(first, sizes, digits)
    for index in range(first, last):
        if index > first:
            changed = min(changed, _step(sizes, digits))
        a = _design(flat, starts, digits, bounds, b)
        area, tpp = logic_area_mm2(a, b), design_tpp(a, b)
        reason = _left_out(area, tpp, bounds)
        if reason >= 0:
            found.counts[regions + reason] += 1
            continue
        values[0], values[1] = tpp, tpp / area
        values[2], values[3] = design_io_gb_s(a, b), hbm_bandwidth_gb_s(a, b)
        mask = _met(tests, values, tolerance, boxes)
        if mask < 0:
            found.near[undecided] = index
            undecided += 1
            continue
        region = region_of[mask]
        found.counts[region] += 1
        if not fits(a, b, load):
            found.counts[regions + UNFIT] += 1
            continue
        if changed < OUTER or a.cores != cores:
            time_s, cores, changed = score(a, b, load), a.cores, OUTER
        _note(found, region, time_s, area, index, bounds.area_limit)
    return undecided


for _function in (_digits, _step, _design, _met, _better, _note, _left_out):
    register_jitable(_function)
explore = compiled(_explore)
note = _note  # in Python, for the few that are decided exactly
