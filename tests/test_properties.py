"""What holds for every design: intervals and unknowns never say more, or less, than their points."""

import json
import random
from datetime import date
from fractions import Fraction
from itertools import product
from typing import Any

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import item, judged
from perfcore.changes import flips, settling
from perfcore.outcome import Outcome, classify
from perfcore.quantity import UNKNOWN, Interval, Value, point
from perfcore.regions import completed
from perfcore.rules import load
from perfcore.verdict import Verdict

RULE = load("us_eccn_3a090")
DAYS = [
    date(2022, 10, 20),
    date(2022, 12, 1),
    date(2023, 11, 16),
    date(2023, 11, 17),
    date(2024, 12, 31),
    date(2026, 2, 1),
]
NAMES = ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "bits_x_tops_2022")
CHIP = frozenset({True})

near = st.sampled_from([1600, 2400, 4800, 270, 500, 600, 750, 810, 1500])
numbers = st.one_of(
    near.map(Fraction),
    st.tuples(near, st.integers(-30, 30)).map(lambda t: Fraction(t[0]) + Fraction(t[1], 10)),
    st.fractions(1, 12000, max_denominator=100),
)
intervals = st.tuples(numbers, numbers).map(lambda pair: Interval(min(pair), max(pair)))
quantities = st.one_of(numbers.map(point), intervals, st.just(UNKNOWN))
datacenters = st.sampled_from([frozenset({True}), frozenset({False}), None])
designs = st.fixed_dictionaries({**dict.fromkeys(NAMES[:4], quantities), "datacenter": datacenters})
days = st.sampled_from(DAYS)


def values(design: dict[str, Value]) -> dict[str, Value]:
    fixed = {"digital_processing_units": CHIP, "dominant_function_processing": CHIP, "analog_tops": point(0)}
    return completed({"bits_x_tops_2022": UNKNOWN, **design, **fixed})


def answer(design: dict[str, Value], on: date) -> Outcome:
    return classify(RULE.in_force(on), values(design))


def a_point(value: Value, share: Fraction) -> Value:
    """Pick a point of what is known."""
    if isinstance(value, Interval):
        high = value.high if value.high is not None else value.low + 9000
        return point(value.low + share * (high - value.low))
    return value if value is not None else frozenset({share < Fraction(1, 2)})


shares = st.fractions(0, 1, max_denominator=1000)


@given(design=designs, on=days, picks=st.lists(shares, min_size=5, max_size=5))
def test_the_answer_for_a_region_holds_at_each_of_its_points(
    design: dict[str, Value], on: date, picks: list[Fraction]
) -> None:
    whole = answer(design, on)
    one = answer({name: a_point(value, pick) for (name, value), pick in zip(design.items(), picks, strict=True)}, on)
    if whole.status != "undetermined":
        assert one.status in (whole.status, "undetermined")  # a point may still be all-planar
        assert one.status == whole.status or one.certain == whole.certain
    assert set(whole.certain) <= set(one.certain)
    assert set(one.certain) <= {*whole.certain, *whole.possible}


@given(design=designs, on=days, name=st.sampled_from([*NAMES[:4], "datacenter"]))
def test_knowing_less_is_never_more_certain(design: dict[str, Value], on: date, name: str) -> None:
    less = answer({**design, name: None if name == "datacenter" else UNKNOWN}, on)
    known = answer(design, on)
    assert less.status in (known.status, "undetermined")
    assert set(less.certain) <= set(known.certain)


@given(design=designs, on=days)
def test_settle_says_what_would_then_be_answered(design: dict[str, Value], on: date) -> None:
    """Over each stretch the status and the paragraphs are those of the design with its input held there."""
    whole = answer(design, on)
    open_ = settling(RULE.in_force(on), values(design), whole)
    assert bool(open_) == (whole.status == "undetermined")
    for settled in open_:
        for part, then in settled.stretches:
            held = part if isinstance(part, Interval) else frozenset({part})
            now = answer({**design, settled.input: held}, on)
            assert (now.status, now.certain) == (then.status, then.certain)
            assert now.status != "undetermined"


@given(design=designs, on=days)
def test_undetermined_means_that_two_answers_are_possible(design: dict[str, Value], on: date) -> None:
    """Where nothing is undefined, two completions of an undetermined design have different answers."""
    area = design["applicable_die_area_mm2"]
    assert isinstance(area, Interval)
    if answer(design, on).status != "undetermined" or area.low == 0:
        return
    ends = {name: ENDS[name] if value in (UNKNOWN, None) else corners(value) for name, value in design.items()}
    points = [dict(zip(ends, picked, strict=True)) for picked in product(*ends.values())]
    assert len({answer(one, on).status for one in points}) > 1


TELLING = [Fraction(n) for n in (1, 599, 600, 1599, 1600, 2399, 2400, 4799, 4800, 99999)]
ENDS: dict[str, list[Value]] = {
    "tpp": [point(n) for n in TELLING],
    "io_bandwidth_gb_s": [point(n) for n in (1, 600)],
    "dram_bandwidth_gb_s": [point(1)],
    "datacenter": [frozenset({True}), frozenset({False})],
}


def corners(value: Value) -> list[Value]:
    """Return points of a value at which answers may differ: its ends and the thresholds inside it."""
    if not isinstance(value, Interval) or value.high is None:
        return [value]
    inside = [n for n in TELLING if n in value]
    return [point(n) for n in {value.low, value.high, *inside}]


@given(design=designs, on=days)
def test_a_flip_flips_and_nothing_nearer_does(design: dict[str, Value], on: date) -> None:
    now = answer(design, on)
    for flip in flips(RULE.in_force(on), values(design), now):
        if not isinstance(flip.to, Fraction):
            continue
        up = flip.test in ("at_least", "more_than")
        assert flip.to >= flip.present if up else flip.to <= flip.present
        step = Fraction(1, 10**9)
        to = flip.to if flip.inclusive else flip.to + (step if up else -step)
        assert answer({**design, flip.input: point(to)}, on).status == flip.outcome.status != now.status
        before = flip.to + (-step if up else step) if flip.inclusive else flip.to
        if (before > flip.present) == up and before > 0:
            assert answer({**design, flip.input: point(before)}, on).status in (now.status, "undetermined")


@given(
    design=designs,
    on=days,
    other=numbers,
    name=st.sampled_from(["tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s"]),
)
def test_no_flip_is_missed(design: dict[str, Value], on: date, other: Fraction, name: str) -> None:
    """Where another value of one input gives another answer, a flip lies between it and the present value."""
    now, present = answer(design, on), design[name]
    if now.status == "undetermined" or not isinstance(present, Interval) or not present.is_point:
        return
    if answer({**design, name: point(other)}, on).status in (now.status, "undetermined"):
        return
    found = flips(RULE.in_force(on), values(design), now)
    names = (name, "bits_x_tops_2022") if name == "tpp" else (name,)  # the measure of 2022 follows TPP
    ends = sorted((present.low, other))
    assert any(flip.input in names and ends[0] <= flip.to <= ends[1] for flip in found)


@given(tpp=numbers, area=numbers, dies=st.sampled_from([1, 2, 4, 5, 8, 10]), on=days)
def test_splitting_a_package_into_dies_changes_nothing(tpp: Fraction, area: Fraction, dies: int, on: date) -> None:
    """The law aggregates over the package: k dies of 1/k the area are one die of the area."""
    from decimal import Decimal

    mm2 = Decimal(round(area * 1000)) / 1000
    rate = Decimal(round(tpp * 1000)) / 1000 / 16
    whole = item(peak_dense_tflops={"fp16": rate}, datacenter=True, die=[{"area_mm2": mm2, "transistor": "gaa"}])
    split = item(
        peak_dense_tflops={"fp16": rate},
        datacenter=True,
        die=[{"area_mm2": mm2 / dies, "count": dies, "transistor": "gaa"}],
    )
    one, other = judged(whole, on.isoformat()), judged(split, on.isoformat())
    assert (one.status, one.paragraphs, one.metrics["tpp"]) == (other.status, other.paragraphs, other.metrics["tpp"])


def test_density_between_4_and_7_at_tpp_3000_is_certainly_controlled() -> None:
    mm2 = {"low": 3000 / 7, "high": 750}
    decided = judged(item(tpp=3000, applicable_die_area_mm2=mm2, datacenter=True), "2024-01-01")
    assert (decided.status, decided.paragraphs) == ("controlled", ())
    assert set(decided.possible_paragraphs) == {"3A090.a.2", "3A090.b.1", "3A090.b.2"}


def test_tpp_and_density_move_together() -> None:
    """Along 3.2 x area the density stays above 3.2: deciding test by test would leave b.2 open."""
    chip = item(tpp={"low": 2400, "high": 4000}, applicable_die_area_mm2=750, datacenter=True)
    assert judged(chip, "2024-01-01").paragraphs == ("3A090.b.1", "3A090.b.2")


@pytest.mark.parametrize(("missing", "status"), [("tpp", "undetermined"), ("applicable_die_area_mm2", "undetermined")])
def test_a_missing_input_is_never_not_controlled(missing: str, status: str) -> None:
    keys = {"tpp": 3000, "applicable_die_area_mm2": 3000, "datacenter": True}
    del keys[missing]
    unknown = judged(item(**keys, note="x"), "2024-01-01")
    assert unknown.status == status
    assert missing in [settled["input"] for settled in unknown.settle]


def test_unknown_datacenter_below_4800() -> None:
    open_ = judged(item(tpp=4707, applicable_die_area_mm2=608.5), "2024-01-01")
    assert (open_.status, open_.paragraphs) == ("undetermined", ("3A090.a.2",))
    assert open_.settle[0]["input"] == "datacenter"
    assert {d["value"]: d["status"] for d in open_.settle[0]["decides"]} == {True: "controlled", False: "excluded"}


def from_oracle(design: oracle.Design) -> dict[str, Value]:
    def known(pair: Any) -> Interval:
        return UNKNOWN if pair is None else Interval(*pair)

    found: dict[str, Value] = {name: known(getattr(design, name)) for name in NAMES}
    return {**found, "datacenter": None if design.datacenter is None else frozenset({design.datacenter})}


@pytest.mark.parametrize("seed", range(5))
def test_agreement_with_an_oracle_written_from_the_law(seed: int) -> None:
    """100,000 random designs in five lots, a third of them on a threshold."""
    rng = random.Random(seed)
    for _ in range(20_000):
        design, on = oracle.random_design(rng), rng.choice(DAYS)
        decided = answer(from_oracle(design), on)
        assert (decided.status, decided.certain) == oracle.decide(design, on), (design, on)


@pytest.mark.parametrize("on", ["2022-12-01", "2024-01-01", "2026-02-01"])
def test_json_round_trip(on: str) -> None:
    verdict: Verdict = judged(item(tpp={"low": 2000, "high": 5000}, datacenter=True), on)
    document = verdict.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
