"""Every bound of every 3A090 paragraph: at the threshold, and one unit in the last place below and above.

The expected answer is the operator of the law, typed here: "or more" is >=, "less than" <, "greater than" >.
"""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conftest import item, judged
from perfcore.outcome import classify, is_met
from perfcore.quantity import Interval, point
from perfcore.readings import metrics_of
from perfcore.rules import Bound, load, shipped

RULE = load("us_eccn_3a090")
# (effective date, paragraph, metric, operator, threshold), typed from the law
LAW = [
    ("2022-10-21", "3A090.a", "io_bandwidth_gb_s", ">=", "600"),
    ("2022-10-21", "3A090.a", "bits_x_tops_2022", ">=", "4800"),
    ("2022-10-21", "3A090.a", "analog_bits_x_tops_2022", ">=", "4800"),
    ("2022-10-21", "3A090.a", "total_bits_x_tops_2022", ">=", "4800"),
    *[
        (day, paragraph, metric, operator, threshold)
        for day in ("2023-11-17", "2024-04-04", "2024-12-02")
        for paragraph, metric, operator, threshold in [
            ("3A090.a.1", "tpp", ">=", "4800"),
            ("3A090.a.2", "tpp", ">=", "1600"),
            ("3A090.a.2", "performance_density", ">=", "5.92"),
            ("3A090.b.1", "tpp", ">=", "2400"),
            ("3A090.b.1", "tpp", "<", "4800"),
            ("3A090.b.1", "performance_density", ">=", "1.6"),
            ("3A090.b.1", "performance_density", "<", "5.92"),
            ("3A090.b.2", "tpp", ">=", "1600"),
            ("3A090.b.2", "performance_density", ">=", "3.2"),
            ("3A090.b.2", "performance_density", "<", "5.92"),
            ("Note 2 to 3A090", "tpp", "<", "4800"),
        ]
    ],
    ("2024-12-02", "3A090.c", "hbm_bandwidth_density_gb_s_mm2", ">", "2"),
]
OPERATORS: dict[str, Any] = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b, ">": lambda a, b: a > b}
NAMES = {">=": "at_least", "<": "below", ">": "more_than"}
INSIDE = {
    "io_bandwidth_gb_s": 700, "bits_x_tops_2022": 5000, "analog_bits_x_tops_2022": 0, "total_bits_x_tops_2022": 0,
    "performance_density": 4, "datacenter": False, "digital_processing_units": True,
    "dominant_function_processing": False, "hbm_bandwidth_density_gb_s_mm2": 7,
}  # fmt: skip


def test_the_files_hold_these_bounds_and_no_others() -> None:
    held = {
        (v.effective.isoformat(), p.id, b.metric, b.test, b.threshold)
        for v in RULE.versions
        for p in v.paragraphs
        for b in p.bounds
        if isinstance(b.threshold, Fraction)
    }
    assert held == {(day, p, m, NAMES[op], Fraction(t)) for day, p, m, op, t in LAW}


@pytest.mark.parametrize(("day", "paragraph_id", "metric", "operator", "threshold"), LAW)
def test_at_and_beside_each_bound(day: str, paragraph_id: str, metric: str, operator: str, threshold: str) -> None:
    version = RULE.in_force(date.fromisoformat(day))
    assert version is not None
    paragraph = next(p for p in version.paragraphs if p.id == paragraph_id)
    inside = {**INSIDE, "tpp": 4000}
    if paragraph_id == "3A090.a.1":
        inside["tpp"] = 5000
    if metric in ("analog_bits_x_tops_2022", "total_bits_x_tops_2022"):
        inside["bits_x_tops_2022"] = 0
    if paragraph_id == "3A090.a.2" and metric != "performance_density":
        inside["performance_density"] = 6
    exact = Fraction(threshold)
    near = float(threshold)
    for value in (exact, Fraction(nextafter(near, 0)), Fraction(nextafter(near, inf)), exact - Fraction(1, 10**30)):
        world = {**inside, metric: value}
        assert is_met(paragraph, world) == OPERATORS[operator](value, exact), value


@given(threshold=st.sampled_from(["1600", "2400", "4800"]), step=st.integers(-3, 3), digits=st.integers(1, 20))
def test_tpp_in_a_file_is_never_rounded(threshold: str, step: int, digits: int) -> None:
    tpp = Decimal(threshold) + step * Decimal(10) ** -digits
    values = metrics_of(item(tpp=tpp))
    bound = Bound("tpp", "at_least", Fraction(threshold))
    known = values["tpp"]
    assert isinstance(known, Interval)
    assert bound.holds(known.low) == (step >= 0)


@given(
    density=st.sampled_from(["5.92", "3.2", "1.6"]),
    tenths=st.integers(2000, 9000),
    step=st.sampled_from([-1, 0, 1]),
)
def test_density_on_a_line_is_decided_exactly(density: str, tenths: int, step: int) -> None:
    """TPP = density x area in decimals: floats put up to four in ten of these on the wrong side."""
    mm2 = Decimal(tenths) / 10
    tpp = Decimal(density) * mm2 + step * Decimal("1e-20")
    assume(1600 <= tpp < 4800)
    answer = judged(item(tpp=tpp, applicable_die_area_mm2=mm2, datacenter=True), "2024-01-01")
    on_or_above = step >= 0
    expected = {
        "5.92": ({"3A090.a.2"}, {"3A090.b.2"} | ({"3A090.b.1"} if tpp >= 2400 else set())),
        "3.2": ({"3A090.b.2"} | ({"3A090.b.1"} if tpp >= 2400 else set()), {"3A090.b.1"} if tpp >= 2400 else set()),
        "1.6": ({"3A090.b.1"} if tpp >= 2400 else set(), set()),
    }[density]
    assert set(answer.paragraphs) == expected[0 if on_or_above else 1]


@pytest.mark.parametrize("rule", shipped(), ids=lambda rule: rule.id)
def test_each_effective_date_and_the_day_before(rule: Any) -> None:
    for place, version in enumerate(rule.versions):
        if version.effective == date.min:
            assert rule.layer == "proposal"
            continue
        before = rule.versions[place - 1] if place else None
        assert rule.in_force(version.effective) is version
        last = version.effective - timedelta(days=1)
        assert rule.in_force(last) is (before if before and (before.until is None or before.until >= last) else None)


def test_dates_of_the_law() -> None:
    days = [(v.effective.isoformat(), v.source["title"]) for v in RULE.versions]
    assert days == [
        ("2022-10-21", "87 FR 62186"),
        ("2023-11-17", "88 FR 73458"),
        ("2024-04-04", "89 FR 23876"),
        ("2024-12-02", "89 FR 96790"),
    ]
    assert RULE.versions[-1].compliance == date(2024, 12, 31)
    assert load("us_review_policy_china").versions[-1].effective == date(2026, 1, 15)


@pytest.mark.parametrize("on", ["0001-01-01", "2022-10-20"])
def test_before_the_first_rule_nothing_is_controlled(on: str) -> None:
    assert judged(item(note="?", memory={"type": "HBM3"}), on).status == "not_controlled"


def test_after_the_last_rule_there_is_an_answer() -> None:
    assert judged(item(tpp=4800), "9999-12-31").status == "controlled"


def test_note_2_moves_with_its_words() -> None:
    """From 2 December 2024 the note names .a and .b, so it takes no memory out."""
    version = RULE.in_force(date(2024, 12, 2))
    values = {
        **metrics_of(item(tpp=1000, datacenter=False)),
        "dominant_function_processing": frozenset({False}),
        "hbm_bandwidth_density_gb_s_mm2": point(3),
    }
    assert classify(version, values).status == "controlled"
