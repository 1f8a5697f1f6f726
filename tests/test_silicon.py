"""Silicon, packages and the areas of the law: published figures, values by hand, identities, mistakes.

The figures are those of the research notes on workarounds, sections A3 to A10, worked there without this code; where
they are not what this code gives, the test says why.
"""

import math
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore import chips, formulas, processes
from perfcore.boundaries import REGIONS, datacenter_chip, highest_tpp, least_area, version_on
from perfcore.chiplets import YIELDS, Assembly
from perfcore.errors import PerfcoreError
from perfcore.foundry import carried
from perfcore.items import Item, item_of
from perfcore.silicon import (
    envelope,
    foundry_gate,
    multi_patterning,
    packages,
    padding,
    region_table,
    split,
    stacks_allowed,
)
from perfcore.verdict import check

DAY = date(2024, 1, 1)
AREAS = st.floats(1.0, 50_000.0)
DEFECTS = st.floats(0.0, 5.0)


def design(**numbers: float) -> Item:
    from decimal import Decimal

    return item_of(
        {"name": "design", "datacenter": True, **{k: Decimal(str(v)) for k, v in numbers.items()}}, Path("design.toml")
    )


# Yield (A4): Poisson, Murphy and negative binomial of 814 mm2, alpha 3, two digits.
@pytest.mark.parametrize(
    ("defects", "poisson", "murphy", "binomial"),
    [
        # The notes print 0.68 for Murphy: (1 - e^-0.407) / 0.407 = 0.82152, squared 0.6749.
        (0.05, 0.67, 0.675, 0.68),
        (0.10, 0.44, 0.47, 0.49),
        (0.15, 0.30, 0.33, 0.36),
        (0.20, 0.20, 0.24, 0.27),
        (0.30, 0.09, 0.14, 0.17),
    ],
)
def test_yields_of_a_die_of_814_mm2(defects: float, poisson: float, murphy: float, binomial: float) -> None:
    assert formulas.poisson_yield(814, defects) == pytest.approx(poisson, abs=0.0051)
    assert formulas.murphy_yield(814, defects) == pytest.approx(murphy, abs=0.0051)
    assert formulas.negative_binomial_yield(814, defects, 3) == pytest.approx(binomial, abs=0.0051)


def test_gross_dies_of_a_wafer() -> None:
    assert formulas.gross_dies(300, 814) == pytest.approx(63.5, abs=0.05)  # A4
    assert formulas.gross_dies(300, 665) == pytest.approx(80.5, abs=0.05)  # A4, Ascend 910C
    assert formulas.gross_dies(300, 60_000) == 0  # a die that leaves no whole one


@pytest.mark.parametrize(("process", "usd"), [("n16", 0.056), ("n10", 0.085), ("n7", 0.132), ("n5", 0.240)])
def test_raw_silicon_by_node(process: str, usd: float) -> None:
    """A4: ttm-cas wafer costs over the area of 300 mm."""
    cost = processes.load(process).number("wafer_cost_usd")
    assert formulas.raw_silicon_usd_mm2(cost, 300) == pytest.approx(usd, abs=0.0005)


@pytest.mark.parametrize(("made", "binomial", "murphy"), [(0.20, 0.32, 0.29), (0.30, 0.22, 0.20), (0.40, 0.16, 0.15)])
def test_defects_that_reported_yields_imply(made: float, binomial: float, murphy: float) -> None:
    """A4: SMIC, dies of 665 mm2."""
    assert formulas.negative_binomial_defects_per_cm2(665, made, 3) == pytest.approx(binomial, abs=0.0051)
    assert formulas.murphy_defects_per_cm2(665, made) == pytest.approx(murphy, abs=0.0051)
    assert made in [reported.die_yield for reported in processes.load("smic n+2").reported]


@pytest.mark.parametrize(("made", "thousands"), [(0.20, 6.0), (0.30, 9.1), (0.50, 15.1)])
def test_ascend_910c_of_a_thousand_wafers(made: float, thousands: float) -> None:
    dies = formulas.good_dies(1000, formulas.gross_dies(300, 665), made)
    assert formulas.packages_of_dies(dies, 2, 0.75) / 1000 == pytest.approx(thousands, abs=0.05)  # A4


@pytest.mark.parametrize(("defects", "gain"), [(0.10, 1.40), (0.15, 1.60), (0.22, 1.86), (0.32, 2.21)])
def test_gain_of_splitting_814_mm2_in_two(defects: float, gain: float) -> None:
    """A3, which counts yield alone; the wafer's edge adds about a tenth."""
    answer = split("h100", 2, defects_per_cm2=defects)
    assert answer.yield_ratio == pytest.approx(gain, abs=0.0051)
    assert answer.silicon_cost_ratio is not None
    edge = formulas.gross_dies(300, 407) / 2 / formulas.gross_dies(300, 814)
    assert answer.silicon_cost_ratio == pytest.approx(gain * edge, rel=0.005)
    assert edge == pytest.approx(1.107, abs=0.001)  # (173.67 - 33.03) / 2 over 86.84 - 23.36


def test_splitting_leaves_the_density_and_catches_small_chips() -> None:
    """A design of TPP 3,000 on 814 mm2 is 3A090.b.1 (PD 3.69); half of it is under 1,600 and outside."""
    one = split(design(tpp=3000, applicable_die_area_mm2=814), 2)
    assert one.status_one_package == "controlled 3A090.b.1 3A090.b.2"
    assert one.status_apart == "not_controlled"
    # H100: a quarter of its 15,831 is 3,958 at the same 19.4 TPP/mm2, still 3A090.a.2
    assert split("h100", 4).status_apart == "controlled 3A090.a.2"


def test_bonding_and_tests_cost() -> None:
    """By hand: 60 % good, half of the bad found, so 0.6 / 0.8 of the dies bonded are good; 0.9 of the bonds hold."""
    assert formulas.package_yield(2, 0.6, 0.5, 0.9) == pytest.approx(0.675**2)
    # 100 dies for 8,000, a test of 20 each, 80 pass: 125; two and 50 of assembly over 0.5: 600
    assert formulas.tested_die_cost_usd(8000, 100, 20, 0.6, 0.5) == pytest.approx(125)
    assert formulas.package_cost_usd(2, 125, 50, 0.5) == pytest.approx(600)
    worse = split("h100", 2, assembly=Assembly(bond_yield=0.9, test_coverage=0.9, die_test_usd=5, assembly_cost_usd=99))
    assert worse.parts.package_cost_usd > split("h100", 2).parts.package_cost_usd


# The region table (A3). For 750 mm2 the notes print 4,440, but 4,440 / 750 is 5.92, which paragraph .a.2 includes.
TABLE = [(500, 1599, 2959), (750, 2399, 4439), (858, 2399, 4799), (1716, 2745, 4799), (2574, 4118, 4799)]
TABLE += [(2999, 4798, 4799), (3000, 4799, 4799), (4000, 4799, 4799)]


@pytest.mark.parametrize(("area", "outside", "at_most_b"), TABLE)
def test_the_region_table(area: int, outside: int, at_most_b: int) -> None:
    (row,) = region_table([area], on="2024-01-01")
    assert (row.outside, row.at_most_b) == (outside, at_most_b)


@pytest.mark.parametrize(("area", "outside", "at_most_b"), TABLE)
def test_the_region_table_to_the_last_tpp(area: int, outside: int, at_most_b: int) -> None:
    """The verdict itself: the number printed is in the region and the next is not."""
    for tpp, b_too in ((outside, False), (at_most_b, True)):
        headings = []
        for each in (tpp, tpp + 1):
            verdict = check(design(tpp=each, applicable_die_area_mm2=area), on=DAY)
            bad = "3A090.a" if b_too else "3A090"
            headings.append(any(paragraph.startswith(bad) for paragraph in verdict.paragraphs))
        assert headings == [False, True], tpp


def test_boundary_areas_are_exact() -> None:
    """A3: 4,799 / 5.92, 2,399 / 3.2, 2,400 / 1.6 and 4,799 / 1.6; the area has to be passed."""
    version = version_on(DAY)

    def needed(tpp: int, region: str) -> tuple[Fraction, bool]:
        area = least_area(version, datacenter_chip(tpp=tpp), REGIONS[region])
        assert area is not None
        return area

    assert needed(4799, "at_most_3A090.b") == (Fraction(479900, 592), False)
    assert needed(2399, "outside") == (Fraction(23990, 32), False)
    assert needed(2400, "outside") == (Fraction(1500), False)
    assert needed(4799, "outside") == (Fraction(47990, 16), False)
    assert needed(1599, "outside") == (Fraction(0), True)
    assert least_area(version, datacenter_chip(tpp=4800), REGIONS["at_most_3A090.b"]) is None


def test_earlier_rules_have_other_tables() -> None:
    (before,) = region_table([858], on="2022-10-01")
    assert before.outside is None  # no rule yet
    (slow,) = region_table([858], on="2023-01-01", io_bandwidth_gb_s=400)
    assert slow.outside is None  # October 2022: any TPP below 600 GB/s
    (fast,) = region_table([858], on="2023-01-01", io_bandwidth_gb_s=600)
    assert fast.outside == 4799


@given(area=st.integers(1, 6000), more=st.integers(0, 3000))
def test_more_area_never_lowers_the_highest_tpp(area: int, more: int) -> None:
    version = version_on(DAY)
    for allowed in REGIONS.values():
        small, large = (
            highest_tpp(version, datacenter_chip(applicable_die_area_mm2=a), allowed) for a in (area, area + more)
        )
        assert small is not None
        assert large is not None
        assert (small.whole_tpp or 0) <= (large.whole_tpp or 0)


# Padding (A4).
def test_padding_of_a_large_die_to_leave_3a090() -> None:
    answer = padding(design(tpp=4799, applicable_die_area_mm2=814), "outside", on=DAY, process=["n5", "n16"])
    assert answer.padding_area_mm2 == pytest.approx(2185.375)  # 4,799 / 1.6 - 814
    assert answer.inclusive is False
    assert [cost.padding_cost_usd for cost in answer.costs] == pytest.approx([525, 123], abs=0.6)
    assert answer.if_added_area_does_not_count == "controlled 3A090.b.1 3A090.b.2"  # PD 5.8956
    assert "legal question" in answer.caveat
    assert answer.costs[0].reticle_fields == 4  # 2,999.4 / 858


def test_padding_of_an_h20_like_die() -> None:
    answer = padding(design(tpp=2399, applicable_die_area_mm2=400), on=DAY, process=["n5", "n16"])
    assert answer.padding_area_mm2 == pytest.approx(349.6875)  # 2,399 / 3.2 - 400
    assert [cost.padding_cost_usd for cost in answer.costs] == pytest.approx([84, 20], abs=0.5)


@pytest.mark.parametrize("chip", ["h100", "h20", "a100", "l40s", "910c", "mi308x", "b30a"])
@pytest.mark.parametrize("region", REGIONS)
def test_a_padded_chip_is_where_it_was_meant_to_be(chip: str, region: str) -> None:
    answer = padding(chip, region, on=DAY)
    if answer.area_needed_mm2 is None:
        assert not answer.costs
        return
    facts = {"applicable_die_area_mm2": answer.area_needed_mm2 * 1.000001}
    verdict = check(chip, on=DAY, facts=facts)
    assert not [p for p in verdict.paragraphs if region == "outside" or p.startswith("3A090.a")]


@given(tpp=st.integers(1, 4799), area=st.integers(1, 3000))
def test_padding_costs_nothing_or_more_and_less_for_larger_dies(tpp: int, area: int) -> None:
    small, large = (
        padding(design(tpp=tpp, applicable_die_area_mm2=a), on=DAY, process="n5").costs[0] for a in (area, area + 100)
    )
    assert small.padding_cost_usd >= large.padding_cost_usd >= 0


def test_padding_with_an_uncertain_area_is_an_interval() -> None:
    uncertain = item_of(
        {"datacenter": True, "tpp": 2399, "applicable_die_area_mm2": {"low": 600, "high": 700}}, Path("design.toml")
    )
    answer = padding(uncertain, on=DAY, process="n5")
    assert answer.padding_area_mm2 == {"low": pytest.approx(49.6875), "high": pytest.approx(149.6875)}
    assert answer.to_dict()["costs"][0]["padding_cost_usd"]["low"] == pytest.approx(49.6875 * 0.2403, rel=1e-3)


def test_a_reading_may_be_asked_for() -> None:
    """An I/O die of 200 mm2 beside one of 814: with compute dies only, 200 more are missing."""
    document = {
        "datacenter": True,
        "tpp": 4799,
        "die": [
            {"role": "compute", "area_mm2": 814, "transistor": "finfet"},
            {"role": "io", "area_mm2": 200, "transistor": "finfet"},
        ],
    }
    item = item_of(document, Path("design.toml"))
    all_dies, compute = (padding(item, on=DAY, reading=r) for r in ("", "area_of_compute_dies_only"))
    assert compute.padding_area_mm2 - all_dies.padding_area_mm2 == pytest.approx(200)


# The foundry's gate (A7).
@pytest.mark.parametrize(
    ("process", "area"), [("n16", 1038), ("n10", 571), ("n7", 312), ("n5", 217)]
)  # 30 billion over the density of the process
def test_area_at_thirty_billion_by_node(process: str, area: int) -> None:
    density = processes.load(process).number("transistor_density_mtr_mm2")
    assert formulas.area_of_transistors_mm2(30, density) == pytest.approx(area, abs=0.6)


def test_area_at_thirty_billion_by_what_chips_reach() -> None:
    """54.2 billion on 826 mm2 and 80 billion on 814: 65.6 and 98.3 million on one mm2."""
    reached = {r.chip: r.transistor_density_mtr_mm2 for n in ("n7", "n5") for r in processes.load(n).realised}
    assert reached["nvidia_a100_sxm_40gb"] == 65.6
    assert reached["nvidia_h100_pcie_80gb"] == 98.3
    assert formulas.area_of_transistors_mm2(30, 65.6) == pytest.approx(457, abs=0.5)
    assert formulas.area_of_transistors_mm2(30, 98.3) == pytest.approx(305, abs=0.5)


@pytest.mark.parametrize(
    ("year", "hbm", "limit", "open_to"),
    [
        *((2026, True, 30, 30), (2026, False, 30, 30), (2027, True, 30, 30), (2027, False, 35, 35)),
        *((2028, False, 30, 35), (2029, False, 40, 40), (2031, False, 40, 40), (2031, True, 30, 30)),
    ],
)
def test_the_gate_by_year(year: int, hbm: bool, limit: int, open_to: int) -> None:
    """90 FR 5298, Note 1.b to 1.d: 30 billion; without HBM 35 in 2027 and 40 from 2029; 2028 is not named."""
    gate = foundry_gate(300.0, "n7", hbm, year)
    assert (gate.limit_billion, gate.open_to_billion) == (limit, open_to)


def test_nominal_and_reached_density_disagree() -> None:
    gate = foundry_gate(400.0, "n7", True, 2026)  # 38.5 billion on paper, 26.2 at the density of the A100
    by = {count.basis: (count.transistors_billion, count.overcome) for count in gate.counts}
    assert by["nominal"] == (pytest.approx(38.52), "no")
    assert by["nvidia_a100_sxm_40gb"] == (pytest.approx(26.24), "yes")
    assert gate.differs
    assert gate.overcome == "open"
    assert foundry_gate("a100", "n7", None, 2026).overcome == "no"  # 54.2 billion by its file


def test_the_limit_itself_is_not_below_it(tmp_path: Path) -> None:
    """60 million on one mm2: 500 mm2 are 30 billion, which "fewer than 30 billion" leaves out; 499 are 29.94."""
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nproduct = "logic"\nnode_nm = 7\ntransistor_density_mtr_mm2 = 60\n')
    assert [foundry_gate(area, path, True, 2026).overcome for area in (499.0, 500.0)] == ["yes", "no"]


@pytest.mark.parametrize(("chip", "tpp"), [("a100", 2763), ("mi325x", 4102), ("b200", 5192), ("h100", 5937)])
def test_tpp_that_thirty_billion_transistors_carry(chip: str, tpp: int) -> None:
    assert carried(30, (chip,))[0].tpp == pytest.approx(tpp, abs=1)
    # The notes take 15 PF of FP4 for the B300 (TPP 60,000); its file has 13.5.
    assert formulas.tpp_of_transistors(30, 60_000 / 208) == pytest.approx(8654, abs=1)


# HBM (A6) and supply.
@pytest.mark.parametrize(
    ("gb_s", "mm2", "density"),
    [(256, 92, 2.8), (307, 92, 3.3), (410, 110, 3.7), (460, 110, 4.2), (819, 121, 6.8), (1180, 121, 9.8)],
)
def test_hbm_density_by_generation(gb_s: float, mm2: float, density: float) -> None:
    assert formulas.hbm_bandwidth_density_gb_s_mm2(gb_s, mm2) == pytest.approx(density, abs=0.06)
    assert formulas.hbm_area_at_density_mm2(gb_s, gb_s / mm2) == pytest.approx(mm2)


def test_every_hbm_part_is_caught_and_only_slow_hbm2_may_go_by_exception() -> None:
    for part in chips.ids("memory"):
        answer = stacks_allowed(part, "2026-02-01")
        generation = chips.load(part).document["generation"]
        if generation.startswith(("HBM3", "HBM4", "HBM2E")):
            assert answer.paragraphs == ("3A090.c",), part
            assert not answer.exceptions, part
    assert stacks_allowed("skhynix_hbm2_4hi_2_0gbps", "2026-02-01").exceptions


def test_stacks_below_the_bandwidth_limits() -> None:
    """819.2 GB/s a stack: 7 stay below 6,500 (5,734), 8 do not (6,554); 1 below 1,400, 5 below 4,100 (4,096)."""
    most = {limit.rule: limit.most_stacks_below for limit in stacks_allowed("skhynix_hbm3_8hi", "2026-02-01").limits}
    assert most["us_review_policy_china"] == 7
    assert most["us_letters"] == 1
    assert most["us_bill_house_democrats"] == 5


def test_supply_as_published() -> None:
    # SemiAnalysis: 13 million stacks make 1.6 million 910C; 2.9 million dies make 1.45, at 75 % 1.09
    assert packages(9e9, 13e6, None, 2, 8).packages == 1.625e6
    assert packages(9e9, 13e6, None, 2, 8).binding == ("memory stacks",)
    assert packages(2.9e6, dies_per_package=2).packages == pytest.approx(1.45e6)
    assert packages(2.9e6, dies_per_package=2, package_yield=0.75).packages == pytest.approx(1.09e6, rel=0.003)
    # CSIS: 2 million dies, less than 1 million packages: 0.75
    assert packages(2e6, dies_per_package=2, package_yield=0.75).packages == pytest.approx(0.75e6)
    # Heim: 3 million dies (2.9) are about a million H100 at 0.8 of one each
    assert packages(2.9e6, dies_per_package=2).packages * 0.8 == pytest.approx(1.16e6)
    assert packages(2.9e6, dies_per_package=2, package_yield=0.75).packages * 0.8 == pytest.approx(0.87e6, rel=0.003)


def test_which_supply_binds() -> None:
    assert packages(100, 100, 10, 1, 1).binding == ("packaging lines",)
    assert packages(10, 10, 10, 1, 1).binding == ("dies", "memory stacks", "packaging lines")
    assert packages(0).packages == 0


def test_multi_patterning_multiplies() -> None:
    """By hand: 2 masks of 10 % and 5 %: cost 1.21, yield 0.9025; against one EUV exposure of 20 % and 2 %."""
    answer = multi_patterning(2, 1.1, 0.95, euv_exposures=1, cost_factor_per_euv_exposure=1.2)
    assert answer.wafer_cost_ratio == pytest.approx(1.21 / 1.2)
    assert answer.yield_ratio == pytest.approx(0.9025)
    assert answer.cost_per_good_die_ratio == pytest.approx(1.21 / 1.2 / 0.9025)
    assert multi_patterning(0, 1.1, 0.9).cost_per_good_die_ratio == 1


# The supercomputer (A10). The notes count the A100 by FP32, the H100 by 34 TFLOPS of FP64 vector units and 67 of FP32.
@pytest.mark.parametrize(
    ("petaflops", "tflops", "count"),
    [(200, 19.5, 10_257), (100, 34, 2942), (200, 67, 2986), (100, 40, 2500), (200, 44, 4546), (100, 1, 100_000)],
)
def test_chips_of_a_supercomputer(petaflops: float, tflops: float, count: int) -> None:
    assert formulas.chips_at_petaflops(petaflops, tflops) == count


def test_envelope_of_a_rack_system() -> None:
    """GB200 NVL72: 40 TFLOPS of FP64 by the chip's file, 72 in 50.6 ft3: 35 racks, 1,771 ft3; 822 racks would fit."""
    answer = envelope("gb200")
    reach = answer.reaches[0]
    assert (reach.chips, reach.racks, reach.volume_ft3, reach.within_envelope) == (2500, 35, pytest.approx(1771), True)
    assert answer.chips_in_envelope == 822 * 72
    assert answer.asked_for == ()
    assert answer.volume_limit_ft3 == 41_600  # 15 CFR 772.1


def test_envelope_names_what_is_missing() -> None:
    answer = envelope("h20")
    assert {r.number_format: r.chips for r in answer.reaches} == {"fp64": 100_000, "fp32": 4546}
    assert answer.asked_for == ("chips_per_rack", "rack_volume_ft3", "rack_kw")
    assert answer.reaches[0].volume_ft3 is None
    given_ = envelope("h20", chips_per_rack=8, rack_volume_ft3=100, rack_kw=8)
    fp64, fp32 = given_.reaches
    assert (fp64.racks, fp64.within_envelope) == (12_500, False)  # 1.25 million ft3
    assert (fp32.racks, fp32.volume_ft3, fp32.rack_kw, fp32.within_envelope) == (569, 56_900, 4552, False)


# Identities.
@given(area=AREAS, defects=DEFECTS, more=st.floats(0, 100), clustering=st.floats(0.1, 100))
def test_yields_lie_between_0_and_1_and_fall(area: float, defects: float, more: float, clustering: float) -> None:
    for formula in YIELDS.values():
        now = formula(area, defects, clustering)
        assert 0 <= now <= 1
        assert formula(area + more, defects, clustering) <= now * (1 + 1e-12)
        assert formula(area, defects + more, clustering) <= now * (1 + 1e-12)


@given(area=st.floats(1.0, 900.0), defects=st.floats(0.001, 2.0), clustering=st.floats(0.5, 50))
def test_models_in_their_order_and_inverse_of_inverse(area: float, defects: float, clustering: float) -> None:
    """Poisson is the lowest; Seeds is clustering 1; the negative binomial nears Poisson where nothing clusters."""
    poisson, murphy = formulas.poisson_yield(area, defects), formulas.murphy_yield(area, defects)
    seeds, binomial = formulas.seeds_yield(area, defects), formulas.negative_binomial_yield(area, defects, clustering)
    assert poisson <= murphy * (1 + 1e-12)
    assert poisson <= binomial * (1 + 1e-12)
    assert formulas.negative_binomial_yield(area, defects, 1.0) == pytest.approx(seeds)
    assert formulas.negative_binomial_yield(area, defects, 1e9) == pytest.approx(poisson, rel=1e-6)
    back = (
        formulas.poisson_defects_per_cm2(area, poisson),
        formulas.murphy_defects_per_cm2(area, murphy),
        formulas.seeds_defects_per_cm2(area, seeds),
        formulas.negative_binomial_defects_per_cm2(area, binomial, clustering),
    )
    assert back == pytest.approx([defects] * 4, rel=1e-6)


@given(area=st.floats(1.0, 50_000.0), more=st.floats(0.0, 100.0))
def test_dies_of_a_wafer_never_exceed_its_area(area: float, more: float) -> None:
    count = formulas.gross_dies(300, area)
    assert 0 <= count <= math.pi * 150**2 / area
    assert formulas.gross_dies(300, area + more) <= count + 1e-9


@given(k=st.integers(2, 16), defects=st.floats(0.0, 1.0))
def test_smaller_dies_yield_no_less(k: int, defects: float) -> None:
    answer = split("h100", k, defects_per_cm2=defects)
    assert answer.yield_ratio is not None
    assert answer.yield_ratio >= 1 - 1e-12


# A user's mistakes: one line each.
MISTAKES = [
    (lambda: split("h100", 0), "k: found 0"),
    (lambda: split("h100", 1.5), "k: found 1.5"),
    (lambda: split("h100", 2, defects_per_cm2=-0.1), "defects_per_cm2: found -0.1"),
    (lambda: split("h100", 2, defects_per_cm2=math.nan), "defects_per_cm2: found not a number"),
    (lambda: split("h100", 2, model="poisson", defects_per_cm2=1e9), "no die of 407 mm2 works"),
    (lambda: split("h100", 2, model="murphey"), "did you mean murphy"),
    (lambda: split("h100", 2, process="n55"), "n55"),
    (lambda: split("h100", 2, process="cxmt g4"), "no process for logic"),
    (lambda: split("h100", 2, process="smic 7nm"), "defects_per_cm2 is not in its file"),
    (lambda: split(design(tpp=1, applicable_die_area_mm2=2000), 2), "the reticle allows 858"),
    (lambda: split("h100", 2, interface_mm2=-1), "interface_mm2: found -1"),
    (lambda: split("h100", 2, assembly=Assembly(bond_yield=-0.2)), "bond_yield: found -0.2"),
    (lambda: split("h100", 2, assembly=Assembly(bond_yield=1.2)), "above 0 and at most 1"),
    (lambda: split("skhynix_hbm3_8hi", 2), "applicable_die_area_mm2 is not known"),
    (lambda: region_table([0]), "applicable_die_area_mm2: found 0"),
    (lambda: region_table([math.inf]), "found infinity"),
    (lambda: region_table([500], on="2024-13-01"), "2024-13-01"),
    (lambda: padding("h20", "inside"), "region: found 'inside'"),
    (lambda: padding("h20", reading="area_of_compute_die_only"), "did you mean area_of_compute_dies_only"),
    (lambda: padding("skhynix_hbm3_8hi"), "found a memory file"),
    (lambda: padding(design(tpp=4799, applicable_die_area_mm2=70_700), process="n5"), "a wafer of tsmc_n5"),
    (lambda: padding(design(tpp=100), process="n5"), "applicable_die_area_mm2 is not known"),
    (lambda: foundry_gate(0.0, "n7", True, 2026), "applicable_die_area_mm2: found 0"),
    (lambda: foundry_gate(400.0, "n7", None, 2026), "high_bandwidth_memory: found nothing"),
    (lambda: foundry_gate(400.0, "n7", True, 2020), "give 2025 or later"),
    (lambda: packages(-1), "dies: found -1"),
    (lambda: packages(1, dies_per_package=0), "dies_per_package: found 0"),
    (lambda: packages(1, memory_stacks=5), "stacks_per_package: found None"),
    (lambda: packages(1, package_yield=-0.5), "package_yield: found -0.5"),
    (lambda: packages("many"), "dies: found 'many'"),
    (lambda: multi_patterning(-1, 1.1, 0.9), "extra_masks: found -1"),
    (lambda: multi_patterning(1, 0, 0.9), "cost_factor_per_mask: found 0"),
    (lambda: multi_patterning(1e9, 1.02, 0.99), "extra_masks: found 1e+09"),
    (lambda: multi_patterning(1e9, 1, 0.5), "extra_masks: found 1e+09"),
    (lambda: padding("h20", process=5), "process: found 5"),  # type: ignore[arg-type]
    (lambda: foundry_gate(400.0, "n7", True, 20_000), "year: found 20000"),
    (lambda: envelope("h100", chips_per_rack=0), "chips_per_rack: found 0"),
    (lambda: envelope("910c"), "no fp64 or fp32 rate is known"),
    (lambda: envelope("h100", on="2020-01-01"), "takes effect"),
    (lambda: stacks_allowed("h100", "2026-01-01"), "give a memory part"),
]


@pytest.mark.parametrize(("ask", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_one_line(ask: object, said: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        ask()  # type: ignore[operator]
    assert said in str(caught.value)
    assert len(caught.value.lines) == 1
    assert "\n" not in str(caught.value)


def test_planar_padding_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "planar.toml"
    path.write_text(
        'name = "28"\nproduct = "logic"\nnon_planar = false\nwafer_cost_usd = 3000\nwafer_diameter_mm = 300\n'
    )
    with pytest.raises(PerfcoreError, match="planar area does not count"):
        padding("a30", on=DAY, process=path)


def test_a_reported_yield_above_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nnode_nm = 7\n[[reported_yield]]\nmade = "x"\narea_mm2 = 1\ndie_yield = 1.2\n')
    with pytest.raises(PerfcoreError, match=r"found 1\.2; allowed: a share above 0 and at most 1"):
        processes.load(path)
