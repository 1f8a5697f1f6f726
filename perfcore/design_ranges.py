"""A range of a grid of designs, searched by the fused loop: on this machine or on another, to the same bytes."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfcore.design_grid import Grid
from perfcore.design_regions import METRICS, REGIONS, Boxes
from perfcore.formulas.architecture import Blocks
from perfcore.formulas.architecture_time import Load

__all__ = ["BINS", "LEFT_OUT", "LOTS", "Limits", "Ranges", "explored", "merge", "nothing", "ranges"]

BINS = 96  # of area, from nothing to the limit
CHUNK = 1_048_576  # designs: each chunk begins with no best
MOST_CHUNKS = 512
AREA_AXES = 4  # the last of the grid: spare parts and caches
LEFT_OUT = ("too_large", "no_core", "out_of_bounds", "does_not_fit")
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
class Ranges:
    """What is searched, the same for every range: it goes to other processes and machines as it is."""

    grid: Grid
    limits: Limits
    blocks: Blocks
    load: Load
    boxes: Boxes

    @property
    def group(self) -> int:
        """Return the designs of a group, which differ in area alone; 1 where cores fill an area that caches leave."""
        if self.grid.fills and not np.isfinite(self.limits.tpp_limit):
            return 1
        return math.prod(len(axis) for axis in self.grid.values[-AREA_AXES:])


# What deals ranges out, such as threads or a cluster; answers come in the order of the ranges.
Deal = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]


def ranges(asked: Ranges) -> Iterator[tuple[Ranges, int, int]]:
    """Cut a grid into ranges of whole groups."""
    size = -(-max(CHUNK, -(-len(asked.grid) // MOST_CHUNKS)) // asked.group) * asked.group
    for first in range(0, len(asked.grid), size):
        yield asked, first, min(first + size, len(asked.grid))


def explored(asked: Ranges, first: int, last: int) -> tuple[int, Any, list[int]]:
    """Search a range; return its designs, what was found, and the designs left to exact arithmetic."""
    from perfcore.kernels.design import explore

    found = nothing(last - first)
    law, bounds = _law(asked.boxes, asked.blocks), _bounds(asked.limits)
    left = explore(_axes(asked.grid), first, last, bounds, asked.blocks, asked.load, law, asked.group, found)
    near = found.near[:left].tolist()
    return last - first, found._replace(near=found.near[:0].copy()), near


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


def nothing(designs: int) -> Any:
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


def merge(whole: Any, part: Any) -> None:
    """Put what one chunk found to the rest: faster goes before smaller, smaller before first."""
    whole.counts[:] += part.counts
    for names in (("best_score", "best_area", "best_index"), ("bin_score", "bin_area", "bin_index")):
        old, new = ([getattr(one, name) for name in names] for one in (whole, part))
        same, smaller = new[0] == old[0], (new[1] < old[1]) | ((new[1] == old[1]) & (new[2] < old[2]))
        better = (new[0] < old[0]) | (same & smaller)
        for kept, other in zip(old, new, strict=True):
            kept[better] = other[better]
