"""Each kind of computation on its own: what it gives, how it spells itself out, and what it says of a slip.

Numbers are of data sheets and of the law's text, as the tests of chips and rules type them.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import inf
from typing import Any

import pytest

from perfcore import claims
from perfcore.claim_formulas import evaluated, function_of, solutions
from perfcore.claim_kinds import compute, weakest_of
from perfcore.claim_values import Band, Found, Range, band_of, difference, outcome_of, spoken
from perfcore.errors import PerfcoreError

LAW_DAY = date(2024, 1, 1)


def quantity(chip: str, **keys: Any) -> Found:
    return compute({"kind": "quantity", "chip": chip, **keys})


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"metric": "tpp"}, (4992, 4992)),  # 624 x 8
        ({"metric": "performance_density"}, (4992 / 826, 4992 / 826)),
        ({"path": "memory.capacity_gb"}, (80, 80)),
        ({"path": "die.1.area_mm2"}, (826, 826)),
        ({"path": "link.2.bandwidth_gb_s"}, (64, 64)),  # PCIe 4.0 x16
        ({"link": "NVLink"}, (600, 600)),  # 12 x 50
        ({"link": "PCIe"}, (64, 64)),
    ],
)
def test_a_quantity_of_the_a100(keys: dict[str, str], value: tuple[float, float]) -> None:
    assert quantity("a100", **keys).value == pytest.approx(value)


@pytest.mark.parametrize(
    "keys", [{"path": "die.3.area_mm2"}, {"path": "die.0.area_mm2"}, {"path": "memory.colour"}, {"link": "BLink"}]
)
def test_what_is_not_there_is_unknown(keys: dict[str, str]) -> None:
    found = quantity("a100", **keys)
    assert found.value is None
    assert "is not known" in found.reason
    assert found.steps[0].endswith("unknown")


def test_a_link_given_as_an_interval_or_not_at_all() -> None:
    """The rate of the Groq part's host interface is not in its file."""
    assert quantity("groq_lp30", link="host").value is None
    assert quantity("groq_lp30", link="chip-to-chip").value == Range(112, 112)


def test_a_quantity_is_spelled_out_with_its_mark() -> None:
    assert quantity("h20", metric="tpp").steps == (
        "total processing performance of NVIDIA H20 SXM 96 GB: 2,368 [press]",
    )
    assert quantity("h800", link="NVLink").steps == ("links NVLink of NVIDIA H800 SXM 80 GB: 400 [datasheet]",)
    assert quantity("mi300a", link="Infinity").mark == "recalled"


def test_the_extreme_of_several_chips() -> None:
    """376 and 280 TFLOPS of the 910B2 and the 910B4; 294.9 to 313 of the 910B3."""
    names = ["huawei_ascend_910b2_64gb", "huawei_ascend_910b3_64gb", "huawei_ascend_910b4_32gb"]
    several = {"kind": "quantity", "chips": names, "path": "peak_dense_tflops.bf16"}
    assert compute({**several, "of": "lowest"}).value == Range(280, 280)
    assert compute({**several, "of": "highest"}).value == Range(376, 376)
    assert compute({**several, "of": "lowest", "chips": names[:2]}).value == pytest.approx((294.9, 313))
    assert compute({**several, "of": "lowest"}).steps[-1] == "lowest of them: 280"
    unknown = compute({**several, "of": "lowest", "chips": [names[0], "h100"], "path": "peak_dense_tflops.fp6"})
    assert unknown.value is None
    assert "910B2" in unknown.reason


def test_a_metric_that_is_none_is_refused() -> None:
    for name in ("tops_per_watt", "datacenter"):
        with pytest.raises(PerfcoreError, match="metric: found"):
            quantity("a100", metric=name)


# --- the law


def test_status_and_heading() -> None:
    asked = {"chip": "l4", "on": LAW_DAY}
    status, heading = compute({"kind": "status", **asked}), compute({"kind": "heading", **asked})
    assert (status.value, heading.value) == ("controlled", "3A090.a")  # 1,936 at 6.58
    assert status.steps[-1] == "NVIDIA L4 PCIe 24 GB on 2024-01-01: controlled (3A090.a.2)"
    assert "performance density: 6.5874" in status.steps
    assert compute({"kind": "heading", **asked, "chip": "h20"}).value == "none"


def test_what_is_open_says_what_would_settle_it() -> None:
    """The Max 1450's I/O is not known, and in 2022 it decided."""
    asked = {"chip": "intel_gpu_max_1450_oam_128gb", "on": date(2022, 12, 1)}
    status, heading = compute({"kind": "status", **asked}), compute({"kind": "heading", **asked})
    assert (status.value, heading.value) == (None, None)
    assert status.reason == "open: io_bandwidth_gb_s would settle it"
    assert heading.reason == "open: io_bandwidth_gb_s would settle it: 3A090.a or none"


def test_facts_change_the_answer() -> None:
    asked = {"kind": "status", "chip": "rtx_4080", "on": LAW_DAY}
    assert compute(asked).value == "excluded"
    assert compute({**asked, "facts": {"datacenter": True}}).value == "controlled"


def test_a_paragraph_with_its_tests() -> None:
    found = compute({"kind": "paragraph", "chip": "h20", "on": LAW_DAY, "paragraph": "3A090.b.2"})
    assert found.value is False
    assert found.steps == (
        "tpp at least 1,600: 2,368, met",
        "performance density at least 3.2: 2.9091, not met",
        "performance density below 5.92: 2.9091, met",
        "3A090.b.2 (2023-11-17): not met",
    )
    assert "tpp of 2,400 in place of 2,368 makes it controlled (3A090.b.1)" in found.flips


def test_a_line_that_has_to_be_passed_is_said_so() -> None:
    """On the 826 mm2 of an A800 b.2 ends at 3.2 x 826 = 2,643.2, but b.1 (density 1.6) holds down to 2,400 itself."""
    found = compute({"kind": "status", "chip": "a800", "on": LAW_DAY})
    assert found.value == "controlled"
    tpp = [line for line in found.flips if line.startswith("tpp ")]
    assert tpp == ["tpp below 2,400 in place of 4,992 makes it not controlled"]


def test_a_paragraph_that_is_open_says_why() -> None:
    letters = {"kind": "paragraph", "on": date(2022, 9, 1), "rule": "us_letters", "chip": "a100"}
    found = compute({**letters, "paragraph": "letters of August 2022", "facts": {"addressee": "nvidia"}})
    assert found.value is None
    assert found.reason.startswith("the numbers of the letters are not known")
    without = compute({**letters, "on": date(2025, 5, 1), "paragraph": "letters of April 2025"})
    assert without.reason == "open: not known well enough: addressee, destination"


def test_the_paragraphs_of_a_rule() -> None:
    asked = {"kind": "paragraphs", "chip": "a800", "on": LAW_DAY}
    assert compute(asked).value == ("3A090.a.1", "3A090.a.2")  # 4,992 at 6.04
    assert "3A090.b.1: not met" in compute(asked).steps
    assert compute({**asked, "rule": "us_supercomputer"}).value == ()
    opened = compute({**asked, "chip": "mi355x"})
    assert opened.value is None
    assert opened.reason


def test_the_tests_of_a_bill() -> None:
    asked = {"kind": "tests", "on": LAW_DAY, "rule": "us_bill_house_democrats"}
    named = {**asked, "paragraph": "House Democrats' bill covered circuit"}
    assert compute({**named, "chip": "h20"}).value == ("performance_density",)
    assert compute({**named, "chip": "groq_lp30"}).value is None  # neither area nor all of I/O is known
    assert "dram_bandwidth_gb_s" in str(compute({**named, "chip": "h200"}).value)


def test_a_paragraph_that_is_not_there_is_a_slip() -> None:
    with pytest.raises(PerfcoreError, match=r"found '3A090.b'; those in force on 2024-01-01: '3A090.a.1'"):
        compute({"kind": "paragraph", "chip": "h20", "on": LAW_DAY, "paragraph": "3A090.b"})
    with pytest.raises(PerfcoreError, match="there is no rule 'us_eccn_3a091'"):
        compute({"kind": "paragraphs", "chip": "h20", "on": LAW_DAY, "rule": "us_eccn_3a091"})


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"on": LAW_DAY, "metric": "tpp"}, 4800),
        ({"on": LAW_DAY, "metric": "tpp", "paragraph": "3A090.a.2"}, 1600),
        ({"on": LAW_DAY, "metric": "performance_density"}, None),  # never alone
        ({"on": date(2022, 1, 1), "metric": "tpp"}, None),  # not yet
        ({"on": LAW_DAY, "metric": "io_bandwidth_gb_s"}, None),  # no longer
        ({"metric": "tpp"}, 4800),
        ({"rule": "us_bill_house_democrats", "metric": "tpp"}, 2400),
        ({"rule": "us_bill_house_democrats", "metric": "performance_density"}, 1.6),
    ],
)
def test_a_threshold(keys: dict[str, Any], value: float | None) -> None:
    found = compute({"kind": "threshold", "rule": "us_eccn_3a090", **keys})
    assert found.value == (None if value is None else Range(value, value))
    assert found.value is not None or found.reason


def test_thresholds_are_listed_with_what_stands_beside_them() -> None:
    found = compute({"kind": "threshold", "rule": "us_eccn_3a090", "on": LAW_DAY, "metric": "tpp"})
    assert "3A090.a.1: tpp at least 4,800, alone" in found.steps
    assert "3A090.a.2: tpp at least 1,600, with other tests" in found.steps


# --- formulas


def test_a_formula_is_spelled_out() -> None:
    arguments = {"above": {"kind": "quantity", "chip": "h20", "metric": "tpp"}, "below": {"low": 2, "high": 4}}
    found = compute({"kind": "formula", "formula": "arithmetic.ratio", "arguments": arguments})
    assert found.value == Range(592, 1184)
    assert found.steps[0] == "  total processing performance of NVIDIA H20 SXM 96 GB: 2,368 [press]"
    assert found.steps[-1] == "arithmetic.ratio(above = 2,368, below = 2 to 4) = 592 to 1,184"
    assert found.mark == "press"


def test_a_formula_of_an_unknown_is_unknown() -> None:
    arguments = {"above": {"kind": "quantity", "chip": "mi355x", "metric": "performance_density"}, "below": 2}
    found = compute({"kind": "formula", "formula": "arithmetic.ratio", "arguments": arguments})
    assert found.value is None
    assert "is not known" in found.reason


def test_the_weakest_mark_of_some() -> None:
    assert weakest_of(["datasheet", None, "recalled", "press"]) == "recalled"
    assert weakest_of([None]) is None


def test_a_formula_that_is_private_is_not_there() -> None:
    with pytest.raises(PerfcoreError, match="which is not there"):
        function_of("transformer._all_parameters", ["model", "experts"])
    with pytest.raises(PerfcoreError, match="did you mean ratio"):
        function_of("arithmetic.ration", ["above", "below"])
    with pytest.raises(PerfcoreError, match=r"those of arithmetic are: difference, geometric_mean"):
        function_of("arithmetic.xyz", ["above", "below"])


def test_a_formula_has_no_number_where_it_divides_by_zero_or_leaves_the_reals() -> None:
    zero = Range(0, 1)
    assert evaluated("arithmetic.ratio", {"above": Range(1, 1), "below": zero}) is None
    assert evaluated("arithmetic.geometric_mean", {"one": Range(-1, 1), "other": Range(1, 1)}) is None


def test_what_each_argument_would_have_to_be() -> None:
    """6 over 2 is 3; 8 to 9 takes 16 above, or 0.75 below. At 3 nothing has to change, and no argument is negative."""
    arguments = {"above": Range(6, 6), "below": Range(2, 2)}
    assert solutions("arithmetic.ratio", arguments, Band(8, 9)) == pytest.approx({"above": 16, "below": 0.75})
    assert solutions("arithmetic.ratio", arguments, Band(1, 2)) == pytest.approx({"above": 4, "below": 3})
    assert solutions("arithmetic.ratio", arguments, Band(2, 4)) == {}
    assert solutions("arithmetic.ratio", arguments, Band(8e6, 9e6)) == {}  # beyond a thousand times
    assert solutions("arithmetic.difference", {"more": Range(0, 0), "less": Range(2, 2)}, Band(1, 2)) == {}


# --- claimed and computed


@pytest.mark.parametrize(
    ("band", "value", "inside"),
    [
        (Band(1, 2), (1, 2), True),
        (Band(1, 2, True), (1, 2), None),
        (Band(1, 2, True), (1, 1), False),
        (Band(1, 2, high_open=True), (2, 3), False),
        (Band(1, 2, high_open=True), (1.5, 2), None),
        (Band(1, 2), (0.5, 1), None),
        (Band(1, 2), (2, inf), None),
        (Band(1, 2), (2.1, inf), False),
        (Band(1, 2), (0, 0.9), False),
        (Band(2, inf, True), (2.0001, inf), True),
    ],
)
def test_a_band(band: Band, value: tuple[float, float], inside: bool | None) -> None:
    assert band.holds(Range(*value)) is inside


@pytest.mark.parametrize(
    ("said", "band"),
    [
        ({"value": {"more_than": 12}}, Band(12, inf, True)),
        ({"value": {"below": 1}}, Band(-inf, 1, False, True)),
        ({"value": {"at_least": 1, "at_most": 2}}, Band(1, 2)),
        ({"value": 10, "tolerance_absolute": Decimal("0.5")}, Band(9.5, 10.5)),
        ({"value": 10, "tolerance": Decimal("0.1")}, Band(9, 11)),
    ],
)
def test_what_a_claim_allows(said: dict[str, Any], band: Band) -> None:
    assert band_of(said) == pytest.approx(band)


def test_a_line_belongs_to_what_lies_above_it() -> None:
    """4,700 give or take 100 reaches 4,800, and 4,800 is on the other side of the line."""
    claim = {"value": 4700, "tolerance_absolute": 100}
    assert outcome_of(Found(Range(4800, 4800)), claim, (4800.0,)) == "fails"
    assert outcome_of(Found(Range(4800, 4800)), claim) == "holds"


def test_words_and_answers_are_compared_as_they_are() -> None:
    assert outcome_of(Found(("a", "b")), {"value": ["b", "a"]}) == "holds"
    assert outcome_of(Found(("a",)), {"value": ["b", "a"]}) == "fails"
    assert outcome_of(Found("controlled"), {"value": "excluded"}) == "fails"
    assert outcome_of(Found(False), {"value": False}) == "holds"
    assert outcome_of(Found(None), {"value": 3}) == "undetermined"


def test_the_difference_is_of_two_numbers() -> None:
    assert difference(Found(Range(4, 4)), {"value": 5}) == 0.25
    for found, value in ((Range(3, 4), 5), (Range(0, 0), 5), (Range(4, 4), {"below": 3}), (True, True)):
        assert difference(Found(found), {"value": value}) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Range(1234.5678, 1234.5678), "1,234.6"),
        (Range(1, inf), "1 or more"),
        (Range(1, 2), "1 to 2"),
        ({"more_than": 2}, "more than 2"),
        ({"below": 2}, "below 2"),
        ([], "none"),
        (None, "unknown"),
        (False, "no"),
        (Decimal("2664000"), "2,664,000"),
        ("case by case", "case by case"),
    ],
)
def test_a_value_in_words(value: Any, words: str) -> None:
    assert spoken(value) == words


# --- claims


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("h20_sxm_96gb_tpp_2368", "NVIDIA H20 SXM 96 GB: total processing performance 2,368"),
        ("a100_sxm_40gb_nvlink_600", "NVIDIA A100 SXM 40 GB: NVLink 600"),
        ("h20_sxm_96gb_not_controlled_2024_01", "NVIDIA H20 SXM 96 GB on 2024-01-01: not controlled"),
        ("l4_pcie_24gb_controlled_2024_01", "NVIDIA L4 PCIe 24 GB on 2024-01-01: controlled"),
        ("h200_sxm_141gb_tariff", "NVIDIA H200 SXM 141 GB on 2026-02-01: box 1, met"),
        (
            "rtx_5090_d_v2_24gb_letter",
            "NVIDIA GeForce RTX 5090 D V2 24 GB on 2025-09-01: letters of April 2025, not met",
        ),
    ],
)
def test_a_claim_without_words_gets_some(name: str, words: str) -> None:
    assert claims.load(name).words == words


def test_the_json_of_a_claim_whole() -> None:
    """Every key; the numbers are those of the H800's claim."""
    judged = claims.judge(claims.load("h800_nvlink_300")).to_dict()
    assert judged["claimed"] == 300
    assert (judged["tolerance"], judged["tolerance_absolute"]) == (0.05, None)
    assert (judged["computed"], judged["mark"], judged["recorded"]) == (400.0, "datasheet", "fails")
    assert judged["says"] == "computed 400; claimed 300 ± 5 %"
    assert judged["would_hold"] == ["a computed value of 285 to 315"]
    assert judged["same_source"] is False
    assert [source["id"] for source in judged["sources"]] == ["csis_overview_zh", "toms_h800_2023"]
    assert judged["source"] == judged["sources"][0]
    assert judged["file"] == "links"


def test_dates_and_intervals_in_json() -> None:
    limit = claims.judge(claims.load("tpp_limit_lowered_to_1600")).to_dict()
    assert limit["computation"]["on"] == "2024-01-01"
    assert limit["same_source"] is None
    assert claims.judge(claims.load("h100_sxm_80gb_nvlink_900")).to_dict()["same_source"] is not None
    groq = claims.judge(claims.load("groq_lp30_io_112")).to_dict()
    assert groq["computed"] == {"low": 112.0, "high": None}
    hbm = claims.judge(claims.load("hbm_130_times_faster")).to_dict()
    assert hbm["computed"] == pytest.approx({"low": 30.667, "high": 130.86}, rel=1e-4)
    assert hbm["computation"]["arguments"]["below"] == {"low": 25.6, "high": 38.4}


def test_what_would_make_it_hold_names_the_band() -> None:
    """A TPP of 4,793 may not be 4,800 or more."""
    claim = claims.load("a100_sxm_80gb_tpp_4992")
    near = replace(claim, document={**claim.document, "value": 4793})
    assert claims.judge(near).would_hold[0] == "a computed value of 4,745.1 to 4,800, the upper end not included"
    assert claims.judge(claims.load("b30a_over_12_h20")).would_hold[0] == "a computed value more than 12"
    assert claims.judge(claim).would_hold == ()
    assert claims.judge(claims.load("epoch_wall_at_1e31")).would_hold == ()


def test_a_tolerance_in_words() -> None:
    assert claims.judge(claims.load("mi325x_clears_by_81")).claimed == "81 ± 0.5"
    assert claims.judge(claims.load("a800_exactly_4800")).claimed == "4,800"
    assert claims.judge(claims.load("epoch_wall_at_1e31")).claimed == ""


def test_a_number_from_memory_is_called_so() -> None:
    assert "a number from memory" in claims.judge(claims.load("mi300a_apu_128gb_area_1017")).says


# --- speeds


RUN: dict[str, Any] = {
    "kind": "training",
    "model": "gpt3_175b",
    "chip": "a100",
    "chips": 1024,
    "options": {"tp": 8, "pp": 8, "vp": 12, "cp": 1, "dp": 16, "ep": 1, "micro_batch": 1, "shard": 1}
    | {"recompute": "none", "sequence_parallel": 1, "seq": 2048, "global_batch": 1536, "tokens": Decimal("3e11")},
}


def test_a_training_run_in_every_quantity() -> None:
    """Time, days and chip hours say the same: steps of 1,536 x 2,048 tokens; a rate falls as they rise."""
    found = {
        q: compute({**RUN, "quantity": q}).value for q in ("step_time_s", "days", "chip_hours", "tokens_per_s", "mfu")
    }
    step, days, hours, rate, mfu = (value for value in found.values() if isinstance(value, Range))
    steps = 95_368  # 3e11 / 3,145,728, rounded up
    assert days.low == pytest.approx(steps * step.low / 86_400)
    assert hours.high == pytest.approx(days.high * 24 * 1024)
    assert rate.high == pytest.approx(3_145_728 / step.low)
    assert rate.low == pytest.approx(3_145_728 / step.high)
    assert mfu.high / mfu.low == pytest.approx(step.high / step.low)


def test_a_training_run_as_a_point() -> None:
    whole = compute({**RUN, "quantity": "step_time_s"}).value
    alone = compute({**RUN, "quantity": "step_time_s", "point": True}).value
    assert isinstance(whole, Range)
    assert isinstance(alone, Range)
    assert whole.low < alone.low == alone.high < whole.high


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": "profit"}, "quantity: found 'profit'; allowed: step_time_s"),
        (
            {"quantity": "days", "options": {k: v for k, v in RUN["options"].items() if k != "tokens"}},
            "tokens are missing",
        ),
        ({"quantity": "mfu", "chips": Decimal("0.5")}, "chips: found Decimal"),
        ({"kind": "serving", "quantity": "mfu"}, "quantity: found 'mfu'; allowed: time_to_first_token_s"),
    ],
)
def test_a_slip_in_a_run_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PerfcoreError, match=said):
        compute({**RUN, **changes})


def test_serving_in_every_quantity() -> None:
    options = {"batch": 8, "input": 1024, "output": 128, "tp": 4, "pp": 1, "dp": 1, "precision": "bf16"}
    asked = {"kind": "serving", "model": "llama3_70b", "chip": "h100", "chips": 4, "options": options}
    rate = compute({**asked, "quantity": "tokens_per_s_per_chip"})
    time = compute({**asked, "quantity": "time_per_token_s", "point": True})
    assert isinstance(rate.value, Range)
    assert isinstance(time.value, Range)
    assert rate.value.low < rate.value.high
    assert time.value.is_point
    assert "tp=4 pp=1 dp=1" in time.steps[1]


# --- designs


def test_a_design_with_changes() -> None:
    """103 cores x 4 lanes x 256 x 2 x 1.41 GHz x 16 bits = 4,759."""
    found = compute({"kind": "design", "quantity": "tpp", "changes": {"cores": 103}})
    assert found.value == pytest.approx((4759, 4759), abs=1)
    assert compute({"kind": "design", "quantity": "decode_time_saved"}).value == Range(0, 0)
    assert compute({"kind": "design", "quantity": "prefill_time_saved"}).value == Range(0, 0)


def test_a_slip_in_a_design_is_named() -> None:
    with pytest.raises(PerfcoreError, match="quantity: found 'beauty'; allowed: applicable_die_area_mm2"):
        compute({"kind": "design", "quantity": "beauty"})
    with pytest.raises(PerfcoreError, match="changes: found 'coers'; did you mean cores"):
        compute({"kind": "design", "quantity": "tpp", "changes": {"coers": 3}})
