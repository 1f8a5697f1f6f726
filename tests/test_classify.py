"""The compiled loops: every answer is the law's (tests/oracle.py), and what they cannot tell they leave alone."""

import random
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from itertools import product

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.answer_cells import STATUSES, answers_of
from perfcore.kernels.classify import AGAIN, law_of
from perfcore.outcome import classify
from perfcore.quantity import UNKNOWN, Interval, Value
from perfcore.regions import completed
from perfcore.rules import Bound, Paragraph, Version, load
from perfcore.tables.designs import AREA, REGION, Decided, Designs, decide

DAYS = ["2022-10-20", "2022-12-01", "2023-11-17", "2026-02-01"]
RULE = load("us_eccn_3a090")


def decided(designs: Iterable[oracle.Design], on: str) -> Decided:
    """Run designs through the loops as columns of floats."""
    several = list(designs)
    numbers = {}
    for name in oracle.QUANTITIES:
        spans = [getattr(design, name) for design in several]
        for end, place in (("_low", 0), ("_high", 1)):
            numbers[name + end] = np.array([np.nan if s is None or s[0] == s[1] else float(s[place]) for s in spans])
        numbers[name] = np.array([float(s[0]) if s is not None and s[0] == s[1] else np.nan for s in spans])
    used = {name: column for name, column in numbers.items() if not np.isnan(column).all()}
    fact = np.array([-1 if d.datacenter is None else int(d.datacenter) for d in several], dtype=np.int8)
    answers = answers_of(RULE.in_force(date.fromisoformat(on)))
    assert answers is not None
    return decide(Designs(used, fact), law_of(answers))


def as_floats(design: oracle.Design) -> oracle.Design:
    """Move each end to the decimal that its nearest float prints."""
    ends = {
        name: None if (span := getattr(design, name)) is None else tuple(Fraction(repr(float(end))) for end in span)
        for name in oracle.QUANTITIES
    }
    return oracle.Design(**ends, datacenter=design.datacenter)


def mistakes(designs: list[oracle.Design], on: str) -> tuple[int, int]:
    """Return how many answers are not the law's, and how many rows are left to exact arithmetic."""
    answers = answers_of(RULE.in_force(date.fromisoformat(on)))
    assert answers is not None
    codes = decided(designs, on).codes
    pairs = zip(codes, designs, strict=True)
    wrong = sum(c != AGAIN and answers.outcome(int(c)) != oracle.decide(d, date.fromisoformat(on)) for c, d in pairs)
    return wrong, int((codes == AGAIN).sum())


@pytest.mark.parametrize("on", DAYS)
@pytest.mark.parametrize("spans", [False, True])
def test_random_designs(on: str, spans: bool) -> None:
    rng = random.Random(on)
    designs = []
    while len(designs) < 3000:
        design = as_floats(oracle.random_design(rng))
        points = all((s := getattr(design, name)) is None or s[0] == s[1] for name in oracle.QUANTITIES)
        if spans or points:
            designs.append(design)
    wrong, left = mistakes(designs, on)
    assert wrong == 0
    assert left < len(designs) / 4  # one design in three stands on a threshold


def test_designs_a_hair_from_a_line_are_never_misjudged() -> None:
    rng = random.Random(2)
    designs = []
    for cut in oracle.PD_LIMITS:
        for tenths in rng.sample(range(1000, 9000), 700):
            area = Fraction(tenths, 10)
            tpp = float(cut * area)
            for nudged in (tpp, np.nextafter(tpp, 0), np.nextafter(tpp, np.inf)):
                designs.append(oracle.Design(oracle.point(Fraction(repr(float(nudged)))), oracle.point(area)))
    wrong, left = mistakes(designs, "2024-01-01")
    assert wrong == 0
    assert left == len(designs)


def test_the_margin_of_complete_rows_is_eight_units_and_what_lies_outside_is_right() -> None:
    """Units of the last place around float(threshold) x area; four of them are proven enough (docs/batch.md)."""
    rng, offsets = random.Random(4), range(-14, 15)
    designs, near = [], []
    for _ in range(150):
        # Areas of all magnitudes, some just above a power of 2, where a unit is relatively largest.
        area = rng.choice([rng.uniform(1, 2), 1 + rng.random() * 1e-15, rng.randint(1000, 9000) / 10]) * 2.0**9
        line = np.float64(rng.choice([1.6, 3.2, 5.92]) * area).view(np.int64)
        for offset in offsets:
            tpp = float((line + offset).view(np.float64))
            designs.append(oracle.Design(oracle.point(Fraction(repr(tpp))), oracle.point(Fraction(repr(area)))))
            near.append(abs(offset))
    left = decided(designs, "2024-01-01").codes == AGAIN
    # At 8 units the loop for intervals looks again, and its own margin, a relative 8 x 2^-52, may end just before.
    assert left[np.array(near) < 8].all()
    assert not left[np.array(near) > 8].any()
    assert mistakes(designs, "2024-01-01")[0] == 0


@pytest.mark.parametrize("threshold", [1600.0, 2400.0, 4800.0])
def test_tpp_on_its_thresholds_needs_no_exact_arithmetic(threshold: float) -> None:
    """A float is the shortest decimal that prints it, so one ulp below the threshold is below it."""
    around = [float(np.nextafter(threshold, 0)), threshold, float(np.nextafter(threshold, np.inf))]
    designs = [
        oracle.Design(oracle.point(Fraction(repr(x))), oracle.point(Fraction(300)), datacenter=True) for x in around
    ]
    assert mistakes(designs, "2024-01-01") == (0, 0)


@pytest.mark.parametrize("bad", [-1.0, -1e-300, np.inf, -np.inf, 1e-13, 1e-320, 1e31])
@pytest.mark.parametrize("name", REGION)
@pytest.mark.parametrize("on", DAYS)
def test_what_no_quantity_can_be_is_left_to_the_reader_of_rows(bad: float, name: str, on: str) -> None:
    numbers = {each: np.array([3000.0, 3000.0]) for each in REGION}
    numbers[name][1] = bad
    answers = answers_of(RULE.in_force(date.fromisoformat(on)))
    assert answers is not None
    codes = decide(Designs(numbers, np.array([1, 1], dtype=np.int8)), law_of(answers)).codes
    assert codes[0] != AGAIN
    assert codes[1] == AGAIN


def test_minus_zero_is_no_non_planar_die() -> None:
    answers = answers_of(RULE.in_force(date(2024, 1, 1)))
    assert answers is not None
    numbers = {"tpp": np.array([3000.0, 3000.0]), AREA: np.array([0.0, -0.0])}
    codes = decide(Designs(numbers, np.array([1, 1], dtype=np.int8)), law_of(answers)).codes
    assert [answers.outcome(int(code))[0] for code in codes] == ["undetermined", "undetermined"]


def test_digits_that_a_float_drops_are_left_to_exact_arithmetic() -> None:
    answers = answers_of(RULE.in_force(date(2024, 1, 1)))
    assert answers is not None
    numbers = {"tpp": np.array([4800.0, 4801.0]), AREA: np.array([9000.0, 9000.0])}
    fact = np.array([1, 1], dtype=np.int8)
    codes = decide(Designs(numbers, fact, wide=frozenset({"tpp"})), law_of(answers)).codes
    assert list(codes == AGAIN) == [True, False]


def a_version(**tests: tuple[Bound, ...]) -> Version:
    """Make a rule of one paragraph for each name, each all of its bounds."""
    paragraphs = tuple(Paragraph(name, "classification", (bounds,), bounds) for name, bounds in tests.items())
    return Version(date(2030, 1, 1), paragraphs, {})


METRICS = ("tpp", "performance_density", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
bounds = st.builds(
    Bound,
    st.sampled_from(METRICS),
    st.sampled_from(["at_least", "below"]),
    st.sampled_from([Fraction(1), Fraction(2), Fraction(3), Fraction(7, 2), Fraction(4)]),
)
versions = st.dictionaries(
    st.sampled_from(["3A090.a", "3A090.b"]), st.lists(bounds, min_size=1, max_size=3).map(tuple), min_size=1
).map(lambda tests: a_version(**tests))
ends = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 3.25, 4.0, 5.0])


@given(version=versions, rows=st.lists(st.tuples(*[st.tuples(ends, ends)] * 5), min_size=1, max_size=8))
def test_any_rule_of_boxes(version: Version, rows: list[tuple[tuple[float, float], ...]]) -> None:
    """Thresholds are arguments: rules that perfcore does not ship are decided as the scalar engine decides them."""
    answers = answers_of(version)
    assert answers is not None
    names = ("tpp", AREA, "io_bandwidth_gb_s", "bits_x_tops_2022", "dram_bandwidth_gb_s")
    numbers = {}
    for (place, name), (end, pick) in product(enumerate(names), (("_low", min), ("_high", max))):
        numbers[name + end] = np.array([pick(row[place]) for row in rows])
    found = decide(Designs(numbers, np.full(len(rows), -1, dtype=np.int8)), law_of(answers))
    for code, row in zip(found.codes, rows, strict=True):
        values: dict[str, Value] = {"analog_tops": Interval(Fraction(0), Fraction(0)), "datacenter": None}
        for name, span in zip(names, row, strict=True):
            values[name] = Interval(Fraction(min(span)), Fraction(max(span)))
        expected = classify(version, completed(values))
        assert code == AGAIN or answers.outcome(int(code)) == (expected.status, expected.certain)


def test_a_rule_of_another_form_is_left_to_the_scalar_engine() -> None:
    assert answers_of(a_version(a=(Bound("tpp", "more_than", Fraction(1)),))) is None
    assert answers_of(a_version(a=(Bound("dram_plus_io_gb_s", "at_least", Fraction(1)),))) is None


@pytest.mark.parametrize("version", [None, *RULE.versions], ids=lambda v: str(v and v.effective))
def test_the_answer_for_nothing_known(version: Version | None) -> None:
    answers = answers_of(version)
    assert answers is not None
    levels = tuple(size - 1 for size in answers.sizes)
    known = completed(dict.fromkeys(("tpp", AREA, "io_bandwidth_gb_s", "dram_bandwidth_gb_s"), UNKNOWN))
    known |= {"analog_tops": Interval(Fraction(0), Fraction(0)), "digital_processing_units": frozenset({True})}
    known |= {"dominant_function_processing": frozenset({True}), "datacenter": None}
    expected = classify(version, completed(known))
    assert answers.outcome(answers.code(levels, None)) == (expected.status, expected.certain)
    assert expected.status in STATUSES
