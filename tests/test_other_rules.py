"""The lines beside 3A090: every bound typed from its source, and the worked cases that concern them."""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from conftest import exact, item, judged
from perfcore import check
from perfcore.items import item_of
from perfcore.outcome import layer_met
from perfcore.quantity import point
from perfcore.readings import metrics_of
from perfcore.rules import load, shipped
from perfcore.terms import FACTS
from perfcore.verdict import with_facts

OPERATORS = {">=": "at_least", ">": "more_than", "<": "below", "<=": "at_most"}
BOX_1 = [
    ("tpp", ">", "14000"),
    ("tpp", "<", "17500"),
    ("dram_bandwidth_gb_s", ">", "4500"),
    ("dram_bandwidth_gb_s", "<", "5000"),
]
BOX_2 = [
    ("tpp", ">", "20800"),
    ("tpp", "<", "21100"),
    ("dram_bandwidth_gb_s", ">", "5800"),
    ("dram_bandwidth_gb_s", "<", "6200"),
]
LINES = [("tpp", ">=", n) for n in ("4800", "2400", "1600")] + [
    ("performance_density", ">=", n) for n in ("1.6", "3.2")
]


def bands(dram: str, io: str, both: str) -> list[tuple[str, str, str]]:
    return [("dram_bandwidth_gb_s", ">=", dram), ("io_bandwidth_gb_s", ">=", io), ("dram_plus_io_gb_s", ">=", both)]


SUPERCOMPUTER = [("volume_ft3", "<=", "41600"), ("fp64_petaflops", ">=", "100"), ("fp32_petaflops", ">=", "200")]
ADVANCED = [("node_nm", "<=", "16"), ("nand_layers", ">=", "128")]
FOUNDRY = [
    ("applicable_die_area_mm2", ">", "0"),
    ("transistors_billion", "<", "30"), ("transistors_billion", "<", "35"), ("transistors_billion", "<", "40"),
    ("transistors_billion", ">=", "30"),
    ("completion_year", ">=", "2027"), ("completion_year", "<=", "2027"),
    ("completion_year", ">=", "2028"), ("completion_year", "<=", "2028"), ("completion_year", ">=", "2029"),
]  # fmt: skip
QUARTERS = [
    "633000000",
    "949500000",
    "1266000000",
    "1582500000",
    "1899000000",
    "2690250000",
    "3481500000",
    "4272750000",
    "5064000000",
]
# rule -> effective date -> bounds, typed from the sources each rule file cites
LAW: dict[str, dict[str, list[tuple[str, str, str]]]] = {
    "us_licence_exception_nac_aca": {"2023-11-17": [("tpp", ">=", "4800")], "2024-04-04": [("tpp", ">=", "4800")], "2025-01-13": [("tpp", ">=", "4800")]},
    "us_licence_exception_hbm": {"2024-12-02": [("hbm_bandwidth_density_gb_s_mm2", "<", "3.3")]},
    "us_review_policy_china": {
        "2024-04-04": [],
        "2026-01-15": [(metric, op, n) for metric, n in (("tpp", "21000"), ("dram_bandwidth_gb_s", "6500")) for op in ("<", ">=")],
    },
    "us_eccn_4a090": {
        "2022-10-21": [("total_bits_x_tops_2022", ">=", "4800"), ("total_bits_x_tops_2022", "<=", "4800")],
        "2023-11-17": [],
    },
    "us_eccn_3a991_p": {"2022-10-21": [("tops", ">=", "8"), ("io_bandwidth_gb_s", ">=", "150")]},
    "us_supercomputer": dict.fromkeys(("2022-10-21", "2023-11-17"), SUPERCOMPUTER),
    "us_advanced_node": {
        "2022-10-07": [*ADVANCED, ("dram_half_pitch_nm", "<=", "18")],
        "2024-12-02": [*ADVANCED, ("dram_cell_area_um2", "<", "0.0019"), ("dram_density_gb_mm2", ">", "0.288")],
        "2025-01-16": [*ADVANCED, ("dram_cell_area_um2", "<", "0.0026"), ("dram_density_gb_mm2", ">", "0.20"), ("tsv_per_die", ">", "3000")],
    },
    "us_foundry_presumption": dict.fromkeys(("2025-01-16", "2026-04-07", "2026-12-31", "2027-01-01"), FOUNDRY),
    "us_ai_diffusion": {
        "2025-01-13": [
            *[("aggregate_tpp", "<=", n) for n in ("790000000", "26900000", *QUARTERS)],
            ("aggregate_tpp", ">=", "253000000"),
        ]
    },
    "us_eccn_4e091": {"2025-01-13": [("training_operations", ">=", "1e26")]},
    "us_letters": {"2022-08-26": [], "2022-10-21": [], "2023-10-23": [], "2025-04-09": bands("1400", "1100", "1700")},
    "us_tariff_section_232": {"2026-01-15": [*BOX_1, *BOX_2]},
    "us_bill_safe_chips": {"0001-01-01": [*LINES, *bands("4100", "1100", "5000")]},
    "us_bill_ai_overwatch": {"0001-01-01": [*LINES, *bands("1400", "1100", "1700"), ("tpp", ">=", "21000"), ("performance_density", ">=", "21")]},
    "us_bill_house_democrats": {"0001-01-01": [("tpp", ">=", "2400"), ("performance_density", ">=", "1.6"), *bands("4100", "1100", "5100")]},
    "jp_advanced_ic_chips": {"2025-05-28": []},
    "eu_advanced_computing": {"2025-09-08": []},
}  # fmt: skip


@pytest.mark.parametrize("rule", [rule for rule in shipped() if rule.id != "us_eccn_3a090"], ids=lambda rule: rule.id)
def test_each_file_holds_the_bounds_of_its_source_and_no_others(rule: Any) -> None:
    held = {
        version.effective.isoformat(): {
            (b.metric, b.test, b.threshold)
            for p in version.paragraphs
            for b in p.bounds
            if FACTS[b.metric].kind == "number"
        }
        for version in rule.versions
    }
    typed = {day: {(m, OPERATORS[op], Fraction(n)) for m, op, n in bounds} for day, bounds in LAW[rule.id].items()}
    assert held == typed


def met(rule_id: str, paragraph_id: str, chip: Any, on: str) -> bool | None:
    day = date.fromisoformat(on)
    version = load(rule_id).in_force(day)
    assert version is not None
    paragraph = next(p for p in version.paragraphs if p.id == paragraph_id)
    return layer_met(paragraph, load("us_eccn_3a090").in_force(day), metrics_of(chip))


def system(**keys: Any) -> Any:
    return item_of(exact({"name": "a system", **keys}), Path("a.toml"), "system")


def process(**keys: Any) -> Any:
    return item_of(exact({"name": "a process", **keys}), Path("a.toml"), "process")


@pytest.mark.parametrize(
    ("keys", "is_met"),
    [
        ({"fp64_petaflops": 100, "volume_ft3": 41600}, True),  # row 69: both bounds reached
        ({"fp64_petaflops": 99.999, "volume_ft3": 41600, "fp32_petaflops": 199.9}, False),
        ({"fp64_petaflops": 1, "fp32_petaflops": 200, "volume_ft3": 41600}, True),
        ({"fp64_petaflops": 100, "volume_ft3": 41600.1}, False),
        ({"fp64_petaflops": 100}, None),
    ],
)
def test_row_69_supercomputer(keys: dict[str, Any], is_met: bool | None) -> None:
    """15 CFR 772.1: 100 or more 64-bit or 200 or more 32-bit petaflops in 41,600 cubic feet or less."""
    assert met("us_supercomputer", "772.1 supercomputer", system(**keys), "2022-10-21") is is_met


def test_row_58_dram() -> None:
    """Cell 0.0022 um2, 0.19 Gbit/mm2: outside the definition of December 2024, inside that of January 2025."""
    part = process(product="dram", dram_cell_area_um2=0.0022, dram_density_gb_mm2=0.19)
    assert met("us_advanced_node", "advanced-node DRAM", part, "2024-12-31") is False
    assert met("us_advanced_node", "advanced-node DRAM", part, "2025-01-16") is True


@pytest.mark.parametrize(
    ("keys", "paragraph", "is_met"),
    [
        ({"product": "logic", "node_nm": 16, "non_planar": False}, "advanced-node logic", True),
        ({"product": "logic", "node_nm": 16.1, "non_planar": False}, "advanced-node logic", False),
        ({"product": "logic", "node_nm": 22, "non_planar": True}, "advanced-node logic", True),
        ({"product": "logic", "node_nm": 22}, "advanced-node logic", None),
        ({"product": "nand", "nand_layers": 128}, "advanced-node NAND", True),
        ({"product": "nand", "nand_layers": 127}, "advanced-node NAND", False),
        ({"product": "dram", "dram_half_pitch_nm": 18}, "advanced-node DRAM", True),
        ({"product": "dram", "dram_half_pitch_nm": 18.1}, "advanced-node DRAM", False),
    ],
)
def test_advanced_node_of_2022(keys: dict[str, Any], paragraph: str, is_met: bool | None) -> None:
    assert met("us_advanced_node", paragraph, process(**keys), "2022-10-07") is is_met


FOUNDRY_FACTS = {
    "exporter": "front_end_fabricator",
    "packager": "front_end_fabricator",
    "packaged_in_macau_or_d5": False,
}


def foundry_chip(billion: float, hbm: bool, year: int) -> Any:
    die = [{"area_mm2": 500, "transistor": "finfet", "transistors_billion": billion}]
    chip = item(die=die, memory={"type": "HBM3" if hbm else "GDDR6"})
    return with_facts(chip, {**FOUNDRY_FACTS, "completion_year": year})


@pytest.mark.parametrize(("billion", "overcome"), [(29.9, True), (30, False)])
def test_row_59_foundry(billion: float, overcome: bool) -> None:
    """Note 1.b (a): below 30 billion transistors."""
    chip = foundry_chip(billion, True, 2026)
    assert met("us_foundry_presumption", "Note 1 to 3A090.a", chip, "2026-11-22") is True
    assert met("us_foundry_presumption", "Note 1.b, 1.c", chip, "2026-11-22") is overcome


@pytest.mark.parametrize(
    ("hbm", "billion", "year", "overcome"),
    [
        (False, 34, 2026, False),  # row 60: relief has not begun
        (False, 34, 2027, True),
        (False, 34, 2028, None),  # 2028 is named in neither clause
        (False, 34, 2029, True),
        (False, 35, 2027, False),
        (False, 35, 2028, False),
        (False, 39.9, 2029, True),
        (False, 40, 2030, False),
        (True, 34, 2027, False),  # row 61: only without HBM
    ],
)
def test_rows_60_and_61_foundry(hbm: bool, billion: float, year: int, overcome: bool | None) -> None:
    chip = foundry_chip(billion, hbm, year)
    assert met("us_foundry_presumption", "Note 1.b, no HBM", chip, "2026-11-22") is overcome


@pytest.mark.parametrize(
    ("designer", "on", "overcome"),
    [
        ("authorized", "2026-12-30", True),
        ("authorized", "2026-12-31", None),  # "prior to" and "after" 31 December 2026: the day is in neither
        ("approved", "2026-12-31", True),
        ("authorized", "2027-01-01", True),
        ("other", "2027-01-01", False),
    ],
)
def test_the_day_that_stands_in_neither_clause(designer: str, on: str, overcome: bool | None) -> None:
    chip = with_facts(item(tpp=1000, applicable_die_area_mm2=500), {**FOUNDRY_FACTS, "designer": designer})
    assert met("us_foundry_presumption", "Note 1.a", chip, on) is overcome


@pytest.mark.parametrize(
    "facts",
    [
        {"exporter": "other"},
        {"packager": "other"},
        {"packaged_in_macau_or_d5": True},
    ],
)
def test_what_the_text_leaves_open_is_open_only_for_whom_it_speaks_of(facts: dict[str, Any]) -> None:
    chip = with_facts(foundry_chip(34, False, 2028), {"designer": "authorized", **facts})
    assert met("us_foundry_presumption", "Note 1.b, no HBM", chip, "2026-12-31") is False
    assert met("us_foundry_presumption", "Note 1.c, no HBM", chip, "2026-12-31") is False
    if "exporter" in facts:
        assert met("us_foundry_presumption", "Note 1.a", chip, "2026-12-31") is False


def review(name: str, on: str, **facts: Any) -> list[tuple[bool | None, str]]:
    also = check(name, on=on, facts=facts).also
    return [(entry["met"], entry["outcome"]) for entry in also if entry["layer"] == "review_policy"]


def test_review_before_2026_and_of_other_items() -> None:
    """89 FR 23876 (reported): denial for datacenter items of 3A090.a, case by case for the others."""
    denial, case_by_case = [(True, "presumption of denial")], [(True, "application reviewed case by case")]
    assert review("h200", "2025-06-01", destination="cn") == denial
    assert review("a30", "2026-02-01", destination="cn", exported_from_us=False) == case_by_case
    assert review("5090", "2026-02-01", destination="cn", exported_from_us=False) == case_by_case
    assert review("b200", "2026-02-01", destination="cn", exported_from_us=True) == denial
    assert review("h200", "2026-02-01", destination="gb", exported_from_us=True) == []


def test_letters_reach_the_companies_and_countries_they_name() -> None:
    def letters(name: str, on: str, **facts: Any) -> list[bool | None]:
        return [f.met for f in check(name, on=on, facts=facts).findings if f.rule == "us_letters"]

    assert letters("h20", "2025-05-01", destination="ru", addressee="nvidia") == [False, True]
    assert letters("h20", "2025-05-01", destination="gb", addressee="nvidia") == [False, False]
    assert letters("a100", "2022-10-20", addressee="intel") == [False]
    assert letters("a100", "2022-10-20", addressee="nvidia") == [None]
    assert letters("h800", "2023-11-01", addressee="nvidia") == [None]
    assert letters("h800", "2023-11-17", addressee="nvidia") == []


def test_no_vias_can_be_said() -> None:
    part = process(product="dram", dram_cell_area_um2=0.003, dram_density_gb_mm2=0.19, tsv_per_die=0)
    assert met("us_advanced_node", "advanced-node DRAM", part, "2025-02-01") is False


def test_the_presumption_binds_nobody_else() -> None:
    chip = with_facts(foundry_chip(50, True, 2026), {"exporter": "other"})
    assert met("us_foundry_presumption", "Note 1 to 3A090.a", chip, "2026-11-22") is False


LETTER = {"addressee": "nvidia", "destination": "cn"}


@pytest.mark.parametrize(
    ("dram", "io", "is_met"),
    [
        (1400, 0, True),
        (1399.9, 300, False),
        (1344, 128, False),
        (100, 1100, True),
        (600, 1099, False),
        (601, 1099, True),
    ],
)
def test_letters_of_april_2025(dram: float, io: float, is_met: bool) -> None:
    """Reported: 1,400 GB/s of DRAM, or 1,100 of I/O, or 1,700 together, each "or more"."""
    link = [{"bandwidth_gb_s": io}] if io else []
    chip = with_facts(item(tpp=100, memory={"bandwidth_gb_s": dram}, link=link), LETTER)
    assert met("us_letters", "letters of April 2025", chip, "2025-04-10") is is_met


def test_row_28_h20_meets_the_letter_by_dram_and_sum_not_by_io() -> None:
    finding = next(f for f in check("h20", on="2025-04-10", facts=LETTER).findings if f.rule == "us_letters")
    assert finding.paragraph == "letters of April 2025"
    assert finding.met is True
    assert {t.metric: t.met for t in finding.tests if t.margin is not None} == {
        "dram_bandwidth_gb_s": True,
        "io_bandwidth_gb_s": False,
        "dram_plus_io_gb_s": True,
    }
    assert check("h20", on="2025-04-10").status == "not_controlled"


def test_row_70_the_6000d_is_open_against_the_letter() -> None:
    """1,398 or 1,568 GB/s, as the memory speed is sourced or not."""
    finding = next(f for f in check("rtx 6000d", on="2025-08-01", facts=LETTER).findings if f.rule == "us_letters")
    assert finding.met is None


@pytest.mark.parametrize(
    ("tpp", "dram", "box"),
    [
        (15832, 4800, "box 1"),  # row 62, H200
        (20919, 6000, "box 2"),  # row 63, MI325X
        (21000, 6000, "box 2"),  # row 64: denied, still in the box
        (20919, 5300, None),  # row 65, MI300X
        (36000, 8000, None),  # row 66, B200
        (14000, 4800, None),
        (15832, 5000, None),
        (15832, 3350, None),  # H100
    ],
)
def test_tariff_boxes(tpp: float, dram: float, box: str | None) -> None:
    chip = item(tpp=tpp, memory={"bandwidth_gb_s": dram})
    found = [b for b in ("box 1", "box 2") if met("us_tariff_section_232", b, chip, "2026-02-01")]
    assert found == ([box] if box else [])


@pytest.mark.parametrize(
    ("bits", "io", "is_met"), [(4800, 600, None), (4801, 600, True), (4800, 599, False), (4799, 900, False)]
)
def test_4a090_of_2022_at_exactly_4800(bits: float, io: float, is_met: bool | None) -> None:
    """3A090.a says "4800 or more"; 4A090, as recalled, "exceeds"."""
    chip = item(tpp=bits, link=[{"bandwidth_gb_s": io}])
    assert met("us_eccn_4a090", "4A090", chip, "2022-12-01") is is_met


def test_4a090_follows_the_circuit_and_never_the_card() -> None:
    """Row 52: a card of four packages of TPP 1,500 contains none that meets 3A090."""
    card = item(tpp=1500, applicable_die_area_mm2=300, datacenter=True, packages_per_board=4)
    assert met("us_eccn_4a090", "4A090.a", card, "2024-01-01") is False
    assert met("us_eccn_4a090", "4A090.b", item(tpp=2500, applicable_die_area_mm2=600, datacenter=True), "2024-01-01")


@pytest.mark.parametrize(("keys", "is_met"), [({"fp16": 8}, True), ({"fp16": 7.99}, False)])
def test_3a991_p_counts_tops_without_bits(keys: dict[str, float], is_met: bool) -> None:
    assert met("us_eccn_3a991_p", "3A991.p", item(peak_dense_tflops=keys, link=[]), "2024-01-01") is is_met


def test_3a991_p_is_for_what_3a090_does_not_reach() -> None:
    assert met("us_eccn_3a991_p", "3A991.p", item(tpp=5000, peak_dense_tflops={"fp16": 312.5}), "2024-01-01") is False
    paragraphs = {e["paragraph"]: e["met"] for e in check("4090d", on="2024-01-01").also}
    assert paragraphs["3A991.p"] is True  # excluded by Note 2
    assert "4A090.a" not in paragraphs


@pytest.mark.parametrize(
    ("bill", "paragraph", "keys", "is_met"),
    [
        ("us_bill_safe_chips", "S. 3374 covered circuit", {"memory": {"bandwidth_gb_s": 4100}}, True),
        ("us_bill_safe_chips", "S. 3374 covered circuit", {"memory": {"bandwidth_gb_s": 4099}}, False),
        ("us_bill_ai_overwatch", "H.R. 6875 covered circuit", {"memory": {"bandwidth_gb_s": 1400}}, True),
        ("us_bill_ai_overwatch", "H.R. 6875 restricted circuit", {"launched": date(2026, 1, 2)}, True),
        ("us_bill_ai_overwatch", "H.R. 6875 restricted circuit", {"launched": date(2026, 1, 1)}, False),
        (
            "us_bill_house_democrats",
            "House Democrats' bill covered circuit",
            {"link": [{"bandwidth_gb_s": 1100}]},
            True,
        ),
    ],
)
def test_bills(bill: str, paragraph: str, keys: dict[str, Any], is_met: bool) -> None:
    base = {
        "tpp": 100,
        "applicable_die_area_mm2": 500,
        "link": [],
        "memory": {"bandwidth_gb_s": 1},
        "launched": date(2024, 1, 1),
    }
    assert met(bill, paragraph, item(**{**base, **keys}), "2026-02-01") is is_met


def test_rules_whose_numbers_are_unknown_stay_open() -> None:
    found = {f.rule: (f.met, f.open_because) for f in check("a2", on="2026-02-01").findings}
    for rule in ("jp_advanced_ic_chips", "eu_advanced_computing"):
        assert found[rule][0] is None
        assert "not known" in found[rule][1]


def test_a_system_hears_of_its_own_rules_alone() -> None:
    answer = judged(system(fp64_petaflops=100, volume_ft3=41600), "2024-01-01")
    assert {finding.rule for finding in answer.findings} == {"us_supercomputer"}


@pytest.mark.parametrize(
    ("rule", "paragraph", "values", "is_met"),
    [
        ("us_ai_diffusion", "country allocation", {"aggregate_tpp": 790_000_000}, True),
        ("us_ai_diffusion", "country allocation", {"aggregate_tpp": 790_000_001}, False),
        ("us_ai_diffusion", "740.29 LPP", {"aggregate_tpp": 26_900_000}, True),
        ("us_ai_diffusion", "740.29 LPP", {"aggregate_tpp": 26_900_001}, False),
        ("us_ai_diffusion", "NVEU per company and country, cumulative", {"aggregate_tpp": 633_000_001}, None),
        ("us_ai_diffusion", "UVEU shares", {}, None),
        ("us_eccn_4e091", "4E091.a", {"training_operations": 10**26}, True),
        ("us_eccn_4e091", "4E091.a", {"training_operations": 10**26 - 1}, False),
    ],
)
def test_quotas_and_model_weights(rule: str, paragraph: str, values: dict[str, int], is_met: bool | None) -> None:
    """90 FR 4544: of transactions and models, through the evaluation of the rule."""
    version = load(rule).in_force(date(2025, 6, 1))
    assert version is not None
    found = next(p for p in version.paragraphs if p.id == paragraph)
    assert layer_met(found, None, {name: point(number) for name, number in values.items()}) is is_met


@pytest.mark.parametrize(("quarter", "is_met"), [("2025-q1", False), ("2025-q2", True), ("2027-q4", True)])
def test_quarterly_ceilings(quarter: str, is_met: bool) -> None:
    """633,000,000 in the first quarter of 2025, 949,500,000 in the second."""
    version = load("us_ai_diffusion").in_force(date(2025, 6, 1))
    assert version is not None
    ceilings = next(p for p in version.paragraphs if p.id.startswith("NVEU"))
    values = {"aggregate_tpp": point(700_000_000), "quarter": frozenset({quarter})}
    assert layer_met(ceilings, None, values) is is_met
