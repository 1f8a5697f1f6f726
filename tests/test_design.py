"""The design space: areas and times against printed values, the search against a naive loop, every mistake one line.

"The note" is the project's note on workarounds, section B, whose numbers were computed from the published constants of
LLMCompass; 826 mm2, 108 multiprocessors and 1.41 GHz are of the A100's datasheet and white paper.
"""

import itertools
import json
import subprocess
import sys
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import architectures, check
from perfcore.design import design_space
from perfcore.design_file import Design, Kind, text_of
from perfcore.design_grid import AXES, Grid, from_file
from perfcore.design_grid import load as load_grid
from perfcore.design_loads import Task, load_of
from perfcore.design_ranges import BINS, Limits, Ranges, explored
from perfcore.design_regions import REGIONS, boxes_of
from perfcore.design_search import design_of, exact_region, front, search
from perfcore.errors import PerfcoreError
from perfcore.formulas.architecture import (
    Architecture,
    areas,
    core_mm2,
    design_tpp,
    logic_area_mm2,
    sram_mm2,
)
from perfcore.formulas.architecture_time import decode_s, design_machine, prefill_s
from perfcore.reader import SPECS, read_toml

PARTS, A100 = architectures.reference()
BLOCKS = architectures.blocks_of(PARTS)
KIND = Kind(PARTS, BLOCKS, 858.0, True)
GA100 = A100._replace(cores=128, spare_cores=0, hbm_stacks=6, spare_stacks=0)
# The design under the limit of the note: 103 cores and eight stacks, no spare parts.
CAPPED = A100._replace(cores=103, spare_cores=0, hbm_stacks=8, spare_stacks=0)


# --- areas and rates


def test_the_die_of_the_a100() -> None:
    """The note: 826.8 mm2 (826 printed), made of 525, 59, 114, 63, 34, 23 and 9."""
    assert logic_area_mm2(GA100, BLOCKS) == pytest.approx(826.8, abs=0.05)
    assert logic_area_mm2(A100, BLOCKS) == pytest.approx(826, rel=0.01)
    assert [round(part) for part in areas(GA100, BLOCKS)] == [525, 59, 114, 63, 34, 23, 9, 0]


def test_the_blocks_of_a_core() -> None:
    """The note: a core 4.10 mm2 (control 1.32, registers 1.57, L1 .51, arithmetic .44, array .27), crossbar .46."""
    lanes = 4 * 32
    assert core_mm2(A100, BLOCKS) == pytest.approx(4.10, abs=0.005)
    assert lanes * BLOCKS.control_mm2 == pytest.approx(1.32, abs=0.005)
    assert 4 * BLOCKS.register_file_mm2 == pytest.approx(1.57, abs=0.006)
    assert sram_mm2(192.0, BLOCKS) == pytest.approx(0.51, abs=0.005)
    assert lanes * BLOCKS.vector_mm2 == pytest.approx(0.44, abs=0.006)
    assert 4 * 256 * BLOCKS.array_cell_mm2 == pytest.approx(0.27, abs=0.005)
    assert BLOCKS.crossbar_mm2 == pytest.approx(0.46, abs=0.005)


def test_the_blocks_beside_the_cores() -> None:
    """The note: an HBM2E stack 16.2 mm2, a link 2.66, L2 2.37 a MB, an L1 of 1 MB 2.37."""
    assert BLOCKS.hbm_phy_mm2 + BLOCKS.hbm_controller_mm2 == pytest.approx(16.2, abs=0.05)
    assert BLOCKS.link_phy_mm2 + BLOCKS.link_controller_mm2 == pytest.approx(2.66, abs=0.005)
    assert sram_mm2(48 * 1024.0, BLOCKS) / 48 == pytest.approx(2.37, abs=0.005)
    assert sram_mm2(1024.0, BLOCKS) == pytest.approx(2.37, abs=0.005)


@pytest.mark.parametrize(("cores", "tpp"), [(108, 4990), (103, 4759), (51, 2356), (34, 1571)])
def test_tpp_of_cores(cores: int, tpp: int) -> None:
    """46.2 TPP a core at 1.41 GHz: 4 arrays x 256 cells x 2 x 1.41 x 16 bit."""
    assert round(design_tpp(A100._replace(cores=cores), BLOCKS)) == tpp


def test_density_of_the_a100() -> None:
    """4,990 over 826 is 6.04."""
    assert round(design_tpp(A100, BLOCKS) / logic_area_mm2(A100, BLOCKS), 2) == 6.04


def test_the_widest_format_counts() -> None:
    """Arrays of 4 x 4 do 16 x 16 bit a lane; 32 vector elements with half a unit of 32 bits do 512."""
    small = A100._replace(array_rows=4, array_columns=4)
    assert design_tpp(small, BLOCKS) == pytest.approx(16 * 32 * 4 * 108 * 2 * 1.41 / 1000)


def test_cache_as_padding_moves_a_design() -> None:
    """The note: 4,759 TPP at 745 mm2 is 6.39 and under .a; 80 MB of L2 make 821 mm2, 5.80 and .b."""
    padded = CAPPED._replace(l2_mb=80)
    boxes = _boxes()
    for one, area, density, region in ((CAPPED, 745, 6.39, "3A090.a"), (padded, 821, 5.80, "3A090.b")):
        assert round(logic_area_mm2(one, BLOCKS)) == area
        assert round(design_tpp(one, BLOCKS) / logic_area_mm2(one, BLOCKS), 2) == density
        assert exact_region(one, BLOCKS, boxes, 858.0) == region


def test_every_number_of_the_blocks_is_cited() -> None:
    sources = read_toml(SPECS / "sources.toml")
    document = read_toml(SPECS / "architecture" / "blocks.toml")
    cited = tuple(key for entry in document["evidence"] for key in entry["keys"])
    assert all(entry["source"] in sources for entry in document["evidence"])
    for path in _numbers({k: v for k, v in document.items() if k not in ("evidence", "conflict")}):
        assert any(path == key or path.startswith(key + ".") for key in cited), path


def _numbers(table: dict[str, object], start: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{start}{key}.")
        elif not isinstance(value, str):
            found.append(start + key)
    return found


# --- times


def _changes(design: Architecture, overheads: str) -> tuple[float, float]:
    """Return prefill and decode time of GPT-3 on four chips over those of the A100-like design."""
    load = load_of(Task(model="gpt3_175b", overheads=overheads, ignore_capacity=True), 8.92e-6, [])
    own, other = (design_machine(one, BLOCKS, load.reach) for one in (design, A100))
    return prefill_s(load, own) / prefill_s(load, other), decode_s(load, own) / decode_s(load, other)


def test_decode_gain_without_overheads() -> None:
    """The note: the roofline's bound on decode from 2.0 to 3.2 TB/s is 36 % less time."""
    assert 1 - _changes(CAPPED, "none")[1] == pytest.approx(0.36, abs=0.02)


def test_decode_gain_with_overheads() -> None:
    """The note: 26.1 % with the 273 us a layer of LLMCompass, beside the paper's 27 %; prefill is 2 % worse."""
    prefill, decode = _changes(CAPPED, "llmcompass")
    assert 1 - decode == pytest.approx(0.261, abs=0.01)
    assert 1 / prefill - 1 == pytest.approx(-0.02, abs=0.005)


def test_the_loophole_of_2022() -> None:
    """The note: 128 cores and 8 links are 848 mm2, prefill 12 % and decode 36 % faster; the cap alone costs 2.9 %."""
    wide = A100._replace(cores=128, spare_cores=0, hbm_stacks=8, spare_stacks=0, links=8)
    assert round(logic_area_mm2(wide, BLOCKS)) == 848
    prefill, decode = _changes(wide, "llmcompass")
    assert 1 / prefill - 1 == pytest.approx(0.12, abs=0.03)
    assert 1 / decode - 1 == pytest.approx(0.36, abs=0.01)
    prefill, decode = _changes(A100._replace(links=8), "llmcompass")
    assert prefill - 1 == pytest.approx(0.029, abs=0.01)
    assert decode - 1 < 0.005
    assert exact_region(wide, BLOCKS, _boxes("2023-01-01"), 858.0) == "not_controlled"


def test_the_shape_of_the_h20_falls_out_of_the_search() -> None:
    """The note: below 2,400 and outside, 758 mm2 at 3.15: prefill twice as slow, decode no slower."""
    found = design_space("2024-01-01", objective="prefill", max_tpp=2400, grid="published")
    best = found.best["not_controlled"]
    shown, reference = found.shown(best), found.shown(found.reference)
    assert 740 < best.area_mm2 < 815
    assert 3.0 < shown["performance_density"] < 3.2
    assert 1.6 < shown["prefill_s"] / reference["prefill_s"] < 2.4
    assert shown["decode_s"] <= reference["decode_s"]


def test_an_answer_is_prefill_and_a_decode_step_for_each_token() -> None:
    from perfcore.formulas.architecture_time import score

    load = load_of(Task(objective="request", output=100), 8.92e-6, [])
    machine = design_machine(A100, BLOCKS, load.reach)
    assert score(A100, BLOCKS, load) == pytest.approx(prefill_s(load, machine) + 100 * decode_s(load, machine))
    assert load.decode.context == 2048 + 50


# --- regions


def _boxes(on: str = "2024-01-01"):  # type: ignore[no-untyped-def]
    from datetime import date

    from perfcore.boundaries import version_on
    from perfcore.design_file import item_of_design

    return boxes_of(version_on(date.fromisoformat(on)), item_of_design(Design(A100, KIND, "")))


def _law(tpp: Fraction, area: Fraction) -> str:
    """The rule of November 2023 written out, as in 88 FR 73458."""
    density = tpp / area
    if tpp >= 4800 or (tpp >= 1600 and density >= Fraction("5.92")):
        return "3A090.a"
    if (tpp >= 2400 and Fraction("1.6") <= density) or (tpp >= 1600 and density >= Fraction("3.2")):
        return "3A090.b"
    return "not_controlled"


@settings(max_examples=300)
@given(tpp=st.integers(1, 6000), tenths=st.integers(1, 40000))
def test_regions_are_those_of_the_law(tpp: int, tenths: int) -> None:
    area = Fraction(tenths, 10)
    assert BOXES_2024.region_at(Fraction(tpp), area, Fraction(600), Fraction(2000)) == _law(Fraction(tpp), area)


BOXES_2024 = _boxes()


@pytest.mark.parametrize(
    ("limit", "fit", "a", "b", "free"),
    [(4800.0, 1501, 1404, 97, 0), (2400.0, 1865, 722, 1092, 51), (1600.0, 2173, 0, 0, 2173)],
)
def test_counts_of_the_published_grid(limit: float, fit: int, a: int, b: int, free: int) -> None:
    """The note: 2,880 designs for each TPP limit, an exposure field of 860 mm2."""
    found = design_space("2024-01-01", grid="published", reticle_mm2=860, max_tpp=limit, objective="tpp")
    assert found.runs[0][1].designs == 2880
    assert [found.counts[name] for name in ("3A090.a", "3A090.b", "not_controlled")] == [a, b, free]
    assert 2880 - found.left_out["too_large"] == fit


def test_the_table_of_regions() -> None:
    """The note, section A3; at 750 mm2 it prints 4,440, whose density is 5.92 exactly and so under .a."""
    rows = design_space("2024-01-01", objective="tpp").table()
    assert [(row["area_mm2"], row["outside"], row["at_most_3A090.b"]) for row in rows] == [
        (500, 1599, 2959),
        (750, 2399, 4439),
        (858, 2399, 4799),
        (1716, 2745, 4799),
        (2574, 4118, 4799),
        (3003, 4799, 4799),
    ]


def test_cores_fill_up_to_each_threshold_of_the_rule() -> None:
    limits = [limit for limit, _ in design_space("2024-01-01", objective="tpp").runs]
    assert limits == [4800, 2400, 1600, float("inf")]


def test_before_any_rule_nothing_is_controlled() -> None:
    found = design_space("2020-01-01", objective="tpp")
    assert set(found.best) == {"not_controlled"}
    assert all(row["outside"] is None for row in found.table())


def test_note_2_takes_out_what_is_not_for_datacenters() -> None:
    found = design_space("2024-01-01", objective="tpp", datacenter=False)
    assert found.counts["excluded"] > 0
    assert found.best["excluded"].tpp < 4800
    assert found.counts["3A090.b"] == 0
    assert {row["outside"] for row in found.table()} == {4799}


# --- the search


def _grid(**axes: tuple[float, ...]) -> Grid:
    usual = {
        "clock_ghz": (1.41,),
        "array_rows": (16.0,),
        "array_columns": (0.0,),
        "lanes": (4.0,),
        "vector_width": (32.0,),
        "cores": (0.0,),
        "hbm_stacks": (5.0,),
        "links": (12.0,),
        "pcie_lanes": (0.0,),
        "spare_cores": (0.0,),
        "spare_stacks": (0.0,),
        "l1_kb": (192.0,),
        "l2_mb": (48.0,),
    }
    return Grid("test", tuple({**usual, **axes}[name] for name in AXES))


SMALL = _grid(
    clock_ghz=(1.0, 1.41),
    array_rows=(8.0, 16.0, 32.0),
    lanes=(1.0, 4.0),
    cores=(20.0, 51.0, 103.0, 140.0),
    hbm_stacks=(1.0, 5.0, 8.0),
    links=(8.0, 12.0),
    spare_cores=(0.0, 7.0),
    l1_kb=(128.0, 1000.0),
    l2_mb=(16.0, 80.0),
)


def _naive(grid: Grid, limits: Limits, load) -> list[tuple[str, float, float, int]]:  # type: ignore[no-untyped-def]
    """Go through a grid by itertools, with formulas written anew: region, score, area, index of what is looked at."""
    from perfcore.formulas.architecture_time import score

    rows = []
    for index, values in enumerate(itertools.product(*grid.values)):
        v = dict(zip(AXES, values, strict=True))
        v["array_columns"] = v["array_columns"] or v["array_rows"]
        made = v["cores"] + v["spare_cores"]
        l1_share = {128.0: 0.704, 192.0: 0.526, 256.0: 0.526, 1000.0: 0.602}[v["l1_kb"]]
        density = 96.3e6
        lane = 32 * 996200 + 16 * 177690 + 16 * 685300 * (23 / 52) ** 2 + 8 * 685300
        lane += v["array_rows"] ** 2 * 685300 * (10 / 52) ** 2
        d, w, p = 16384, 32, 4
        file = 3.29e4 - 1.09e3 * d - 8.83e2 * w - 5.55e3 * p + 53.5 * d * w + 0.015 * d * d + 0.0108 * w * w
        file += 0.586 * p * p + 142 * d * p + 368 * w * p
        core = v["lanes"] * (lane / density + file * 1e-6 * 1.6 / 96.3)
        core += v["l1_kb"] * 8192 * 1.7e-7 / l1_share + 44.3e6 / density
        area = made * core + v["l2_mb"] * 1024 * 8192 * 1.7e-7 / 0.602
        area += v["hbm_stacks"] * (10.45 + 552.7e6 / density) + v["links"] * (1.888 + 74.6e6 / density)
        a = Architecture(**v)
        tflops = v["array_rows"] ** 2 * v["lanes"] * v["cores"] * 2 * v["clock_ghz"] / 1000
        tpp = 16 * tflops
        if area > limits.area_limit or not limits.min_tpp <= tpp < limits.max_tpp:
            continue
        region = _law(Fraction(tpp), Fraction(area))
        if load.needed_bytes <= load.engine.memory_share * 16e9 * v["hbm_stacks"]:
            rows.append((region, score(a, BLOCKS, load), area, index))
        else:
            rows.append((region, float("inf"), area, index))
    return rows


@pytest.mark.parametrize("objective", ["decode", "prefill", "request", "training", "tpp"])
def test_the_search_equals_the_naive_loop(objective: str) -> None:
    load = load_of(Task(objective=objective), 8.92e-6, [])
    limits = Limits(float("inf"), 1, 858.0, min_tpp=300.0, max_tpp=9000.0)
    found = search(Ranges(SMALL, limits, BLOCKS, load, _boxes()), threads=2)
    rows = _naive(SMALL, limits, load)
    for region in REGIONS:
        own = [row for row in rows if row[0] == region]
        assert found.counts[region] == len(own)
        usable = [row for row in own if row[1] < float("inf")]
        if not usable:
            assert region not in found.best
            continue
        best = found.best[region]
        least = min(row[1] for row in usable)
        assert best.score == pytest.approx(least, rel=1e-12)
        assert best.area == pytest.approx(
            min(row[2] for row in usable if row[1] <= least + 1e-9 * abs(least)), rel=1e-9
        )
        _front_is_right(front(found.bins[region]), usable)
    unfit = sum(row[1] == float("inf") for row in rows)
    assert found.left_out["does_not_fit"] == unfit
    assert sum(found.counts.values()) + found.left_out["too_large"] + found.left_out["out_of_bounds"] == len(SMALL)


def _front_is_right(points, usable) -> None:  # type: ignore[no-untyped-def]
    """No design of the grid beats a point of the front, and no bin holds a better one than the front reaches."""
    slack = 1 + 1e-9
    for point in points:
        close = 1e-9 * abs(point.score)
        assert not any(row[1] < point.score - close and row[2] <= point.area for row in usable)
        assert not any(row[1] <= point.score - close and row[2] < point.area / slack for row in usable)
    width = 858.0 / BINS
    for _, least, area, _ in usable:
        reached = min(point.score for point in points if point.area <= (area // width + 1) * width * slack)
        assert reached <= least + 1e-9 * abs(least)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_chunks_change_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    load = load_of(Task(objective="tpp"), 8.92e-6, [])  # many designs have the same TPP, of several areas
    limits = Limits(float("inf"), 1, 858.0)
    once = search(Ranges(SMALL, limits, BLOCKS, load, _boxes()), threads=1)
    monkeypatch.setattr("perfcore.design_ranges.CHUNK", 97)
    again = search(Ranges(SMALL, limits, BLOCKS, load, _boxes()), threads=threads)
    assert (once.counts, once.left_out, once.best, once.bins) == (again.counts, again.left_out, again.best, again.bins)


@pytest.mark.parametrize("place", [0, 131_071, 253_439])
def test_a_group_of_the_billion_equals_the_naive_loop(place: int) -> None:
    """1,021,870,080 designs, as the file lists the steps of its axes; caches and spare cores go fastest."""
    grid, limits = load_grid("billion"), Limits(float("inf"), 1, 858.0)
    assert len(grid) == 3 * 4 * 64 * 7 * 11 * 9 * 64 * 5 * 6
    asked = Ranges(grid, limits, BLOCKS, load_of(Task(), 8.92e-6, []), _boxes())
    assert asked.group == 7 * 9 * 64
    first = place * asked.group % len(grid)
    designs, found, near = explored(asked, first, first + asked.group)
    counted = dict.fromkeys([*REGIONS, "too_large"], 0)
    for index in range(first, first + asked.group):
        a = design_of(grid, index, limits, BLOCKS)
        area = logic_area_mm2(a, BLOCKS)
        counted["too_large" if area > 858 else _law(Fraction(design_tpp(a, BLOCKS)), Fraction(area))] += 1
    assert (designs, near) == (asked.group, [])
    assert found.counts[: len(REGIONS) + 1].tolist() == list(counted.values())


def test_cores_fill_up_to_a_limit_or_the_exposure_field() -> None:
    grid = _grid()
    below = design_of(grid, 0, Limits(4800.0, 1, 858.0), BLOCKS)
    full = design_of(grid, 0, Limits(float("inf"), 1, 858.0), BLOCKS)
    assert below.cores == 103
    exact = _grid(clock_ghz=(1.25,), array_rows=(8.0,), lanes=(1.0,), vector_width=(8.0,))  # 2.56 TPP a core
    assert design_of(exact, 0, Limits(4800.0, 9, 858.0), BLOCKS).cores == 1874
    assert logic_area_mm2(full, BLOCKS) <= 858 < logic_area_mm2(full._replace(cores=full.cores + 1), BLOCKS)


# 64 cells x 1.25 GHz: 2.56 TPP a core, so that 1,875 cores are 4,800 exactly, 625 are 1,600 and 937.5 would be 2,400.
EXACT = _grid(
    clock_ghz=(1.25,),
    array_rows=(8.0,),
    lanes=(1.0,),
    vector_width=(8.0,),
    cores=(624.0, 625.0, 626.0, 1874.0, 1875.0, 1876.0),
    links=(11.0, 12.0, 13.0),
)


@pytest.mark.parametrize("on", ["2023-01-01", "2024-01-01"])
def test_designs_on_a_threshold_are_decided_exactly(on: str, tmp_path: Path) -> None:
    load = load_of(Task(objective="tpp"), 8.92e-6, [])
    limits = Limits(float("inf"), 4, 858.0)
    found = search(Ranges(EXACT, limits, BLOCKS, load, _boxes(on)))
    assert found.near >= 3
    counted = dict.fromkeys(REGIONS, 0)
    for index in range(len(EXACT)):
        a = design_of(EXACT, index, limits, BLOCKS)
        path = tmp_path / f"{index}.toml"
        path.write_text(text_of(Design(a, KIND, ""), _day(on)))
        verdict = check(path, on=on)
        counted[verdict.paragraphs[0][:7] if verdict.status == "controlled" else verdict.status] += 1
    assert found.counts == counted


def test_designs_on_a_line_of_density_are_decided_exactly(tmp_path: Path) -> None:
    """2.56 TPP on 0.8 mm2 a core is a density of 3.2; floats print some of these areas a digit off the line."""
    nothing = BLOCKS._make(0.0 for _ in BLOCKS)._replace(fp32_per_element=0.01, fp64_per_element=0.01)
    blocks = nothing._replace(
        crossbar_mm2=0.8, cells_512kb=1.0, cells_256kb=1.0, hbm_stack_gb_s=400.0, hbm_stack_gb=16.0, link_gb_s=50.0
    )
    kind = Kind(PARTS, blocks, 5000.0, True)
    grid = _grid(clock_ghz=(1.25,), array_rows=(8.0,), lanes=(1.0,), cores=tuple(range(630, 900)), links=(1.0,))
    load, limits = load_of(Task(objective="tpp"), 8.92e-6, []), Limits(float("inf"), 1, 5000.0)
    found = search(Ranges(grid, limits, blocks, load, _boxes()))
    assert found.near == len(grid)
    counted = dict.fromkeys(REGIONS, 0)
    path = tmp_path / "design.toml"
    for index in range(len(grid)):
        path.write_text(text_of(Design(design_of(grid, index, limits, blocks), kind, ""), _day("2024-01-01")))
        verdict = check(path, on="2024-01-01")
        counted[verdict.paragraphs[0][:7] if verdict.status == "controlled" else verdict.status] += 1
    assert found.counts == counted
    assert counted["3A090.b"] > 50
    assert counted["not_controlled"] > 5


def _day(on: str):  # type: ignore[no-untyped-def]
    from datetime import date

    return date.fromisoformat(on)


@settings(max_examples=60, deadline=None)
@given(
    cores=st.integers(1, 400),
    clock=st.integers(100, 2500),
    l2=st.integers(1, 200),
    l1=st.sampled_from([64, 192, 1024]),
    links=st.integers(1, 24),
)
def test_a_design_file_is_in_the_region_of_its_design(cores: int, clock: int, l2: int, l1: int, links: int) -> None:
    from perfcore.design_file import item_of_design

    a = A100._replace(cores=cores, clock_ghz=clock / 1000, l2_mb=l2, l1_kb=l1, links=links)
    for on in ("2023-01-01", "2024-01-01"):
        region = exact_region(a, BLOCKS, _boxes(on), 858.0)
        verdict = check(item_of_design(Design(a, KIND, region)), on=on)
        said = verdict.paragraphs[0][:7] if verdict.status == "controlled" else verdict.status
        assert said == region


def test_a_package_of_several_dies_keeps_its_area() -> None:
    """Two exposure fields: two dies of half the area each, together as large as the design."""
    a = A100._replace(cores=200)
    document = tomllib.loads(text_of(Design(a, KIND, ""), _day("2024-01-01")), parse_float=Decimal)
    die = document["die"][0]
    assert die["count"] == 2
    assert float(2 * die["area_mm2"]) == pytest.approx(logic_area_mm2(a, BLOCKS), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(l2=st.integers(1, 100), more=st.integers(1, 50), node=st.sampled_from(["7nm", "5nm"]))
def test_padding_never_lowers_cost(l2: int, more: int, node: str) -> None:
    """Of one die; cut into two at an exposure field, both yield better than one."""
    parts = architectures.parts_of(node)
    kind = Kind(parts, architectures.blocks_of(parts), 5000.0, True)
    small, large = (Design(A100._replace(l2_mb=mb), kind, "").silicon_cost_usd() for mb in (l2, l2 + more))
    assert small is not None
    assert large is not None
    assert small < large


def test_a_denser_node_makes_a_smaller_die() -> None:
    sizes = [
        logic_area_mm2(GA100, architectures.blocks_of(architectures.parts_of(node))) for node in ("7nm", "6nm", "5nm")
    ]
    assert sizes == sorted(sizes, reverse=True)


# --- the answer and the command line


def _run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perfcore", "design", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_the_page_shows_what_the_command_prints() -> None:
    """docs/design.md: the first example, shortened; every line of it but the one with a time is printed."""
    page = (SPECS.parent / "docs" / "design.md").read_text(encoding="utf-8")
    asked, *shown = page.split("```text\n$ perfcore design ")[1].split("```")[0].splitlines()
    ran = _run(*asked.removesuffix("(shortened)").split())
    printed = ran.stdout.splitlines()
    assert len(shown) > 30
    assert [line for line in shown if line and line not in printed and "  grid  " not in line] == []


def test_json_and_design_file(tmp_path: Path) -> None:
    out = tmp_path / "best.toml"
    ran = _run("--on", "2024-01-01", "--reticles", "1", "--objective", "decode", "--sweep", "--json", "-o", str(out))
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["rule_version"] == "2023-11-17"
    assert set(document["counts"]) == set(REGIONS)
    assert document["best"]["not_controlled"]["region"] == "not_controlled"
    assert [one["on"] for one in document["sweep"]][:2] == ["2022-10-21", "2023-11-17"]
    verdict = check(out, on="2024-01-01")
    assert verdict.status == "not_controlled"
    assert float(verdict.metrics["tpp"]) == pytest.approx(document["best"]["not_controlled"]["tpp"])


def test_words_say_what_json_says() -> None:
    ran = _run("--on", "2024-01-01", "--grid", "published", "--reticle-mm2", "860", "--max-tpp", "4800")
    assert ran.returncode == 0, ran.stderr
    assert "1,404" in ran.stdout
    assert "Not legal advice" in ran.stdout


def test_the_sweep_shows_what_each_rule_left_open() -> None:
    """In 2022 a chip below 600 GB/s of I/O had no limit of TPP; from November 2023 it has."""
    found = design_space("2024-01-01", objective="prefill", sweep=True)
    best = {one["on"]: one["best"] for one in found.sweep}
    assert best["2022-10-21"]["tpp"] > 20000
    assert best["2022-10-21"]["io_bandwidth_gb_s"] < 600
    assert best["2023-11-17"]["tpp"] < 2400


def test_the_sweep_searches_alike_versions_once() -> None:
    """The versions since November 2023 set the same numbers: two searches answer all four, as one a day would."""
    lines: list[str] = []
    found = design_space("2024-01-01", grid="published", sweep=True, progress=lines.append)
    assert {line.split(":")[0] for line in lines if line.startswith("rules of")} == {"rules of 2022-10-21"}
    for row in found.sweep:
        alone = design_space(row["on"], grid="published").to_dict()
        assert (row["counts"], row["pareto"]) == (alone["counts"], alone["pareto"])
        assert row["best"] == {k: v for k, v in alone["best"]["not_controlled"].items() if k != "paragraphs"}


def test_progress_counts_designs() -> None:
    lines: list[str] = []
    design_space("2024-01-01", grid="full", max_tpp=4800.0, progress=lines.append)
    counted = [int(line.split(" of ")[0].replace(",", "")) for line in lines if " of 16,588,800 designs" in line]
    assert counted == sorted(set(counted))
    assert counted[-1] == 16_588_800
    assert lines[-1] == ""


WRONG = [
    (("--objective", "fastest"), "--objective"),
    (("--model", "gpt5"), "gpt5"),
    (("--node", "3nm"), "--node"),
    (("--hbm", "hbm9"), "--hbm"),
    (("--min-tpp", "4800", "--max-tpp", "1600"), "--min-tpp and --max-tpp"),
    (("--min-area", "900"), "--min-area"),
    (("--max-area", "-1"), "--max-area"),
    (("--max-tpp", "nan"), "--max-tpp"),
    (("--reticles", "0"), "--reticles"),
    (("--reticles", "1000"), "--reticles"),
    (("--reticle-mm2", "inf"), "--reticle-mm2"),
    (("--tp", "3"), "--tp"),
    (("--batch", "0"), "--batch"),
    (("--overheads", "some"), "--overheads"),
    (("--grid", "huge"), "--grid"),
    (("--scheduler", "nowhere"), "--scheduler"),
    (("--grid", "nowhere.toml"), "nowhere.toml"),
    (("--on", "2024-13-01"), "--on"),
    (("--plot", "map.gif"), "--plot"),
    (("--max-tpp", "1", "-o", "x.toml"), "-o"),
]


@pytest.mark.parametrize(
    ("given", "said"), WRONG, ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_one_line(given: tuple[str, ...], said: str, tmp_path: Path) -> None:
    day = () if given[0] == "--on" else ("--on", "2024-01-01")
    ran = _run(*day, *given, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    lines = [line for line in ran.stderr.splitlines() if "compiling" not in line]
    assert len(lines) == 1
    assert said in lines[0]


GRID = """\
array = [16]
lanes = [4]
cores = "fill"
clock_ghz = [1.41]
l1_kb = [192]
l2_mb = [48]
hbm_stacks = [5]
links = [12]
"""
WRONG_GRIDS = [
    ("cache = [1]\n", "cache: not a parameter"),
    ("array_rows = [8]\n", "stands beside array"),
    ("spare_cores = [1.5]\n", "whole numbers"),
    ("spare_cores = [-1]\n", "whole numbers"),
    ('pcie_lanes = "fill"\n', "whole numbers"),
    ("pcie_lanes = []\n", "found 0 values"),
    ("pcie_lanes = [4, 4]\n", "twice"),
    ("pcie_lanes = { from = 8, to = 4, step = 1 }\n", "from at most to"),
    ("pcie_lanes = { from = 0, to = 8 }\n", "step"),
    ("vector_width = { from = 1, to = 4000, step = 0.0001 }\n", "values"),
    ("vector_width = [nan]\n", "whole numbers"),
]


@pytest.mark.parametrize(("line", "said"), WRONG_GRIDS)
def test_a_wrong_grid_says_what_is_wrong(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(GRID + line)
    with pytest.raises(PerfcoreError, match=said):
        from_file(path, "grid")


def test_a_grid_that_lacks_a_parameter(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace("links = [12]\n", ""))
    with pytest.raises(PerfcoreError, match="links: is missing"):
        from_file(path, "grid")


def test_a_grid_of_ten_to_the_eighteenth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    thousand = "{ from = 1, to = 1000, step = 1 }"
    keys = ("lanes", "cores", "l1_kb", "l2_mb", "links", "spare_cores")
    path.write_text("array = [16]\nclock_ghz = [1]\nhbm_stacks = [5]\n" + "".join(f"{k} = {thousand}\n" for k in keys))
    with pytest.raises(PerfcoreError, match=r"found 1e\+18 designs"):
        from_file(path, "grid")


def test_what_is_larger_than_the_exposure_field_is_counted_with_its_reason() -> None:
    found = design_space("2024-01-01", objective="tpp", reticle_mm2=50, max_tpp=4800)
    assert found.best == {}
    assert found.left_out["too_large"] == len(load_grid("small"))


def test_what_does_not_hold_the_model_is_not_the_best() -> None:
    """GPT-3 is 350 GB, 87.5 a chip on four: of six stacks of 16 GB 0.9 may be filled, 86.4."""
    found = design_space("2024-01-01", model="gpt3_175b", tp=4)
    assert found.left_out["does_not_fit"] > 0
    assert all(best.architecture.hbm_stacks >= 7 for best in found.best.values())
    assert design_space("2024-01-01", model="gpt3_175b", tp=4, ignore_capacity=True).left_out["does_not_fit"] == 0


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_map_is_drawn_and_does_not_change(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from perfcore.plots.regions import save_regions

    found = design_space("2024-01-01", objective="prefill")
    paths = [tmp_path / f"{name}{suffix}" for name in ("a", "b")]
    for path in paths:
        save_regions(found, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size > 10_000


def test_the_map_covers_the_plane_once() -> None:
    """The parts tile the axes: their areas, straight lines between the corners, add up to that of the whole."""
    from perfcore.plots.regions import SPANS, regions

    parts = regions(_boxes(), Fraction(600), Fraction(2000))
    whole = (SPANS[1] - SPANS[0]) * (SPANS[3] - SPANS[2])
    assert sum(_shoelace(corners) for _, corners in parts) == pytest.approx(whole)
    for region, corners in parts:
        x = sum(corner[0] for corner in corners) / len(corners)
        assert SPANS[0] < x < SPANS[1]
        assert region in REGIONS


def _shoelace(corners: tuple[tuple[float, float], ...]) -> float:
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2
