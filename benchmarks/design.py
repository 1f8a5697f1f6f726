"""Designs a second of the fused search, beside numpy and plain Python in the same run: ``python benchmarks/design.py``.

All three go over the same designs and must count the same regions. numpy makes blocks of rows; neither numpy nor the
Python loop is given more threads than one, so the fused loop is timed on one and on all.
"""

import argparse
import os
import time
from datetime import date
from typing import Any

import numpy as np

from perfcore import architectures
from perfcore.boundaries import version_on
from perfcore.design_file import Design, Kind, item_of_design
from perfcore.design_grid import AXES, Grid, load
from perfcore.design_loads import Task, load_of
from perfcore.design_ranges import Limits, Ranges, explored
from perfcore.design_regions import METRICS, REGIONS, TESTS, Boxes, boxes_of
from perfcore.design_search import design_of, search
from perfcore.formulas.architecture import (
    Blocks,
    design_io_gb_s,
    design_tpp,
    hbm_bandwidth_gb_s,
    logic_area_mm2,
)
from perfcore.formulas.architecture_time import Load, score

BLOCK = 65_536


def in_python(grid: Grid, count: int, limits: Limits, b: Blocks, task: Load, boxes: Boxes) -> dict[str, int]:
    """Return the counts of the first designs, by the formulas one at a time."""
    counts = dict.fromkeys(REGIONS, 0)
    regions, best = boxes.regions(), {}
    for index in range(count):
        a = design_of(grid, index, limits, b)
        area, tpp = logic_area_mm2(a, b), design_tpp(a, b)
        if area > limits.area_limit:
            continue
        values = dict(zip(METRICS, (tpp, tpp / area, design_io_gb_s(a, b), hbm_bandwidth_gb_s(a, b)), strict=True))
        region = REGIONS[regions[boxes.mask(values)]]  # type: ignore[arg-type]
        counts[region] += 1
        time_s = score(a, b, task)
        if time_s < best.get(region, np.inf):
            best[region] = time_s
    return counts


def in_numpy(grid: Grid, count: int, limits: Limits, b: Blocks, boxes: Boxes) -> dict[str, int]:
    """Return the same for the objective TPP, in blocks of arrays."""
    counts = np.zeros(len(REGIONS), np.int64)
    regions, sizes = np.array(boxes.regions()), [len(axis) for axis in grid.values]
    axes = [np.array(axis) for axis in grid.values]
    best = np.full(len(REGIONS), np.inf)
    shares = np.vectorize(lambda kb: _cell_share(kb, b))(axes[list(AXES).index("l1_kb")])
    for first in range(0, count, BLOCK):
        digits = np.unravel_index(np.arange(first, min(first + BLOCK, count)), sizes)
        v = {name: axis[digit] for name, axis, digit in zip(AXES, axes, digits, strict=True)}
        v["l1_share"] = shares[digits[list(AXES).index("l1_kb")]]
        area, tpp, io, memory = _measures(v, b)
        mask = np.zeros(len(area), np.int64)
        values = (tpp, tpp / area, io, memory)
        for number, box in enumerate(boxes.boxes):
            inside = np.ones(len(area), bool)
            for place, bound in box.bounds:
                compare = (np.greater_equal, np.greater, np.less, np.less_equal)[TESTS.index(bound.test)]
                inside &= compare(values[place], float(bound.threshold))  # type: ignore[arg-type]
            mask |= inside.astype(np.int64) << number
        fits = area <= limits.area_limit
        code = regions[mask]
        counts += np.bincount(code[fits], minlength=len(REGIONS))
        np.minimum.at(best, code[fits], -tpp[fits])
    return dict(zip(REGIONS, counts.tolist(), strict=True))


def _cell_share(kb: float, b: Blocks) -> float:
    from perfcore.formulas.architecture import cell_share

    return cell_share(kb, b)


def _measures(v: dict[str, Any], b: Blocks) -> tuple[Any, ...]:
    columns = np.where(v["array_columns"] > 0, v["array_columns"], v["array_rows"])
    cells = v["array_rows"] * columns
    lane = v["vector_width"] * (b.control_mm2 + b.vector_mm2 + b.register_file_mm2 / 32) + cells * b.array_cell_mm2
    core = v["lanes"] * lane + v["l1_kb"] * 8192 * b.sram_cell_mm2 / v["l1_share"]
    area = (v["cores"] + v["spare_cores"]) * (core + b.crossbar_mm2)
    area += v["l2_mb"] * 1024 * 8192 * b.sram_cell_mm2 / b.cells_512kb
    area += (v["hbm_stacks"] + v["spare_stacks"]) * (b.hbm_phy_mm2 + b.hbm_controller_mm2)
    area += v["links"] * (b.link_phy_mm2 + b.link_controller_mm2) + v["pcie_lanes"] * b.pcie_lane_mm2
    each = v["lanes"] * v["cores"] * 2 * v["clock_ghz"] / 1000
    vector = v["vector_width"] * each
    tpp = np.maximum(16 * cells * each, vector * max(32 * b.fp32_per_element, 64 * b.fp64_per_element))
    io = v["links"] * b.link_gb_s + v["pcie_lanes"] * b.pcie_lane_gb_s
    return area, tpp, io, v["hbm_stacks"] * b.hbm_stack_gb_s


def main() -> None:
    """Print designs a second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", default="full")
    parser.add_argument("--python", type=int, default=144 * 100, help="designs of the plain Python loop")
    parser.add_argument("--numpy", type=int, default=144 * 10_000, help="designs of the numpy blocks")
    given = parser.parse_args()
    parts, reference = architectures.reference()
    b = architectures.blocks_of(parts)
    kind = Kind(parts, b, architectures.reticle_mm2(), True)
    boxes = boxes_of(version_on(date(2024, 1, 1)), item_of_design(Design(reference, kind, "")))
    grid, limits = load(given.grid), Limits(float("inf"), 1, architectures.reticle_mm2())
    rates = {}
    for objective in ("tpp", "decode", "request", "training"):
        task = load_of(Task(objective=objective, ignore_capacity=True), 8.92e-6, [])
        search(Ranges(_first(grid), limits, b, task, boxes), threads=1)  # compiles, or loads
        for threads in (1, os.cpu_count() or 1):
            found = search(Ranges(grid, limits, b, task, boxes), threads=threads)
            rates[objective, threads] = found.designs / found.seconds
            print(
                f"fused, {objective:8} {threads} threads: {_rate(found.designs, found.seconds)}, {found.seconds:.3f} s"
            )
    task = load_of(Task(ignore_capacity=True), 8.92e-6, [])
    start = time.perf_counter()
    slow = in_python(grid, given.python, limits, b, task, boxes)
    python = given.python / (time.perf_counter() - start)
    start = time.perf_counter()
    blocks = in_numpy(grid, given.numpy, limits, b, boxes)
    numpy = given.numpy / (time.perf_counter() - start)
    print(f"plain Python, decode: {_rate(python, 1.0)}; numpy in blocks, tpp: {_rate(numpy, 1.0)}")
    print(f"fused over plain Python, decode, 1 thread: {rates['decode', 1] / python:,.0f} x")
    print(f"fused over numpy, tpp, 1 thread: {rates['tpp', 1] / numpy:,.1f} x")
    _agree(grid, given.python, slow, limits, b, boxes)
    _agree(grid, given.numpy, blocks, limits, b, boxes)


def _first(grid: Grid) -> Grid:
    return Grid("one", tuple(axis[:1] for axis in grid.values))


def _agree(grid: Grid, count: int, counts: dict[str, int], limits: Limits, b: Blocks, boxes: Boxes) -> None:
    """Count the first designs by the fused loop and compare."""
    task = load_of(Task(objective="tpp"), 8.92e-6, [])
    _, found, left = explored(Ranges(grid, limits, b, task, boxes), 0, count)
    own = dict(zip(REGIONS, found.counts[: len(REGIONS)].tolist(), strict=True))
    print(f"the first {count:,}: {'the same counts' if own == counts and not left else f'{own} and {counts}'}")


def _rate(designs: float, seconds: float) -> str:
    return f"{designs / seconds / 1e6:.3g} million designs/s"


if __name__ == "__main__":
    main()
