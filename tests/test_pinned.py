"""What mutation testing found unpinned: each test holds a behaviour that a changed operator or constant would break.

Expected values are worked by hand from the definitions of interval arithmetic, the text of ECCN 3A090 (15 CFR part
774, supplement no. 1) or the documented form of the files.
"""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from conftest import item, judged
from perfcore import check
from perfcore.changes import Flip, Settling, flips, inputs_of, settling
from perfcore.errors import PerfcoreError
from perfcore.outcome import Outcome, at, classify, governing, is_under, layer_met
from perfcore.quantity import UNKNOWN, Interval, Value, common, highest, plain, point, quotient, scaled, total
from perfcore.readings import completed, metrics_of
from perfcore.regions import cells, density, density_range, is_impossible, is_known, met, sample, with_input, worlds
from perfcore.result import Finding
from perfcore.rows import RowError, exact, misspelt, read_row
from perfcore.rules import (
    Bound,
    Paragraph,
    Rule,
    Version,
    by_metric,
    effective_dates,
    from_file,
    load,
    shipped,
    with_own,
)

RULE = load("us_eccn_3a090")
TODAY = RULE.in_force(date(2024, 1, 1))
AREA, DENSITY = "applicable_die_area_mm2", "performance_density"
DC: dict[str, Any] = {"datacenter": True}


def span(low: float, high: float | None, *, low_open: bool = False, high_open: bool = False) -> Interval:
    return Interval(Fraction(low), None if high is None else Fraction(high), low_open, high_open)


# Quantities: interval arithmetic


def test_what_is_unknown() -> None:
    """Only 0 and upward says nothing."""
    assert [each.is_unknown for each in (UNKNOWN, span(1, None), span(0, 5), point(0))] == [True, False, False, False]


@pytest.mark.parametrize(
    ("interval", "inside"),
    [
        (span(1, 3), [1, 2, 3]),
        (span(1, 3, low_open=True), [2, 3]),
        (span(1, 3, high_open=True), [1, 2]),
        (span(1, None, low_open=True), [2, 3, 4]),
        (span(1, None), [1, 2, 3, 4]),
    ],
)
def test_what_an_interval_holds(interval: Interval, inside: list[int]) -> None:
    assert [n for n in range(5) if n in interval] == inside


def test_sums_products_and_maxima_of_intervals() -> None:
    """An end that is not bounded leaves the result unbounded there, and only there."""
    assert total([span(1, 2), span(3, 5)]) == span(4, 7)
    assert total([span(1, None), span(3, 5)]) == span(4, None)
    assert total([]) == point(0)
    assert scaled(span(1, 2), 8) == span(8, 16)
    assert scaled(span(1, None), 8) == span(8, None)
    assert highest([span(1, 4), span(2, 3)]) == span(2, 4)
    assert highest([span(1, None), span(2, 3)]) == span(2, None)


@pytest.mark.parametrize(
    ("above", "below", "ratio"),
    [
        (span(8, 16), span(1, 2), span(4, 16)),
        (span(8, 16), span(1, None), span(0, 16)),  # by anything large: down to 0
        (span(8, None), span(1, 2), span(4, None)),
        (span(8, 16), span(0, 2), span(4, None)),  # by anything small: without bound
    ],
)
def test_quotients(above: Interval, below: Interval, ratio: Interval) -> None:
    assert quotient(above, below) == ratio


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (span(1, 4, high_open=True), span(0, 9), span(1, 4, high_open=True)),
        (span(1, 4, low_open=True), span(0, 9), span(1, 4, low_open=True)),
        (span(1, 4, low_open=True, high_open=True), span(2, 3), span(2, 3)),  # an open end that is cut off is gone
        (span(1, 4, low_open=True), span(1, 4), span(1, 4, low_open=True)),
        (span(1, 4, high_open=True), span(1, 4), span(1, 4, high_open=True)),
        (span(1, 2), span(3, 4), None),
        (span(1, 2), span(2, 3), point(2)),
        (span(1, 2), span(2, 3, low_open=True), None),
        (span(1, 2, high_open=True), span(2, 3), None),
        (span(1, None), span(2, None), span(2, None)),
        (span(1, None), span(0, 2), span(1, 2)),
        (span(1, None, low_open=True), span(0, None), span(1, None, low_open=True)),
    ],
)
def test_what_two_intervals_share(one: Interval, other: Interval, both: Interval | None) -> None:
    """In either order."""
    assert common(one, other) == common(other, one) == both


def test_values_as_json_holds_them() -> None:
    assert plain(span(1, 2)) == {"low": 1.0, "high": 2.0}
    assert plain(span(0, 2)) == {"low": 0.0, "high": 2.0}
    assert plain(UNKNOWN) is None
    assert plain(frozenset({True, False})) is None
    assert plain(frozenset({"cn"})) == "cn"


# Regions: cells, samples and densities


@pytest.mark.parametrize(
    ("domain", "cuts", "parts"),
    [
        (span(1, 3), [], [span(1, 3)]),
        (span(1, 3), [0, 9], [span(1, 3)]),  # a cut outside cuts nothing, and does not end the cutting
        (span(1, 3), [0, 2, 9], [span(1, 2, high_open=True), point(2), span(2, 3, low_open=True)]),
        (span(1, 3), [1, 3], [point(1), span(1, 3, low_open=True, high_open=True), point(3)]),
        (span(1, 3, low_open=True), [1], [span(1, 3, low_open=True)]),
        (span(1, 3, high_open=True), [1, 3], [point(1), span(1, 3, low_open=True, high_open=True)]),
        (span(1, 3, low_open=True), [2], [
            span(1, 2, low_open=True, high_open=True), point(2), span(2, 3, low_open=True)]),
        (UNKNOWN, [0], [point(0), span(0, None, low_open=True)]),
        (point(2), [2], [point(2)]),
    ],
)  # fmt: skip
def test_cells(domain: Interval, cuts: list[int], parts: list[Interval]) -> None:
    """Points at the cuts and open stretches between them, none empty, none left out."""
    assert cells(domain, map(Fraction, cuts)) == parts


def test_samples_lie_in_their_cell() -> None:
    for cell in (point(0), span(1, 3), span(1, 2, low_open=True, high_open=True), span(5, None, low_open=True)):
        assert sample(cell) in cell
    assert sample(span(1, 3, low_open=True)) == 2


@pytest.mark.parametrize(
    ("tpp", "area", "range_"),
    [
        (point(8), point(4), point(2)),
        (span(8, 16), span(2, 4), span(2, 8)),
        (span(8, 16, low_open=True), span(2, 4), span(2, 8, low_open=True)),
        (span(8, 16, high_open=True), span(2, 4), span(2, 8, high_open=True)),
        (span(8, 16), span(2, 4, high_open=True), span(2, 8, low_open=True)),
        (span(8, 16), span(2, 4, low_open=True), span(2, 8, high_open=True)),
        (span(0, 16), span(2, 4, high_open=True), span(0, 8)),  # a TPP of 0 is a density of 0 on any area
        (span(8, None), span(2, 4), span(2, None)),
        (span(8, 16), span(2, None), span(0, 8, low_open=True)),  # ever larger areas come near 0, never to it
        (span(0, 16), span(2, None), span(0, 8)),
        (span(0, 16, low_open=True), span(2, None), span(0, 8, low_open=True)),
        (span(1, 16), span(2, None), span(0, 8, low_open=True)),
        (span(8, 16), span(0, 4, low_open=True), span(2, None)),
        (span(8, 16), span(1, 4), span(2, 16)),
        (point(1), span(2, 4), span(0.25, 0.5)),
        (point(0), span(2, 4), point(0)),
        (point(0), span(2, None), point(0)),
        (point(0), span(0, None, low_open=True), point(0)),
        (point(8), span(0, 4), span(0, None, low_open=True)),  # area 0: undefined, so any number above 0
    ],
)
def test_density_ranges(tpp: Interval, area: Interval, range_: Interval) -> None:
    """Technical note 4: TPP over area; the ends of the quotient of two intervals, worked by hand."""
    assert density_range(tpp, area) == range_


def test_density_as_far_as_it_is_known() -> None:
    stated = span(3, 4)
    assert density({"tpp": point(8), AREA: point(4)}) == point(2)
    assert density({"tpp": point(8), AREA: span(1, 4), DENSITY: stated}) == stated
    assert density({"tpp": UNKNOWN, AREA: point(4), DENSITY: stated}) == stated
    assert density({"tpp": point(8), AREA: UNKNOWN, DENSITY: stated}) == stated
    assert density({"tpp": point(8), AREA: UNKNOWN}) == UNKNOWN
    assert density({"tpp": UNKNOWN, AREA: point(4)}) == UNKNOWN
    assert density({"tpp": point(8), AREA: point(1)}) == point(8)
    assert density({"tpp": point(8), AREA: point(1), DENSITY: point(9)}) == UNKNOWN  # a contradiction says nothing


def test_contradictions() -> None:
    """8 on 1 to 4 is a density of 2 to 8."""
    region = {"tpp": point(8), AREA: span(1, 4)}
    assert not is_impossible(region)
    assert not is_impossible({**region, DENSITY: point(2)})
    assert is_impossible({**region, DENSITY: point(9)})


def test_a_stated_density_holds_only_with_its_tpp_and_area() -> None:
    values: dict[str, Value] = {"tpp": point(8), DENSITY: point(2), "datacenter": None}
    changed = with_input(values, "tpp", point(9))
    assert (changed["tpp"], changed["datacenter"], DENSITY in changed) == (point(9), None, False)
    changed = with_input(values, AREA, point(9))
    assert (changed["tpp"], changed[AREA], DENSITY in changed) == (point(8), point(9), False)
    assert with_input(values, "datacenter", frozenset({True}))[DENSITY] == point(2)


def test_one_comparison_over_a_region() -> None:
    """Every stretch of an interval counts, not the first alone."""
    bound = Bound("tpp", "at_least", Fraction(4800))
    answers = [met(bound, {"tpp": span(*ends)}) for ends in ((4800, 5000), (4000, 4799), (4000, 4800), (4800, None))]
    assert answers == [True, False, None, True]
    io = Bound("io_bandwidth_gb_s", "at_least", Fraction(600))
    assert [met(io, {"io_bandwidth_gb_s": span(*e)}) for e in ((600, 900), (1, 599), (1, 600))] == [True, False, None]
    fact = Bound("datacenter", "is", True)
    assert [met(fact, {"datacenter": v}) for v in (frozenset({True}), frozenset({False}), None)] == [True, False, None]
    place = Bound("destination", "one_of", ("cn", "mo"))
    assert [met(place, {"destination": v}) for v in (frozenset({"mo"}), frozenset({"fr"}), None)] == [True, False, None]
    dense = Bound(DENSITY, "at_least", Fraction(2))
    assert met(dense, {"tpp": point(8), AREA: span(2, 4)}) is True
    assert met(dense, {"tpp": point(8), AREA: span(2, 5)}) is None


def test_points_of_a_region() -> None:
    """One for each cell: below, at and above 600, with and without the other fact."""
    tests = by_metric([Bound("io_bandwidth_gb_s", "at_least", Fraction(600)), Bound("datacenter", "is", True)])
    found = worlds({"io_bandwidth_gb_s": span(500, 700)}, tests)
    assert len(found) == 6
    assert {(w["io_bandwidth_gb_s"], w["datacenter"]) for w in found} == {
        (n, fact) for n in (550, 600, 650) for fact in (True, False)
    }
    assert worlds({"datacenter": frozenset({True})}, by_metric([Bound("datacenter", "is", True)])) == [
        {"datacenter": True}
    ]


def test_what_is_known() -> None:
    known = (point(1), span(1, 2), UNKNOWN, frozenset({"cn"}), frozenset({True, False}), None)
    assert [is_known(value) for value in known] == [True, False, False, True, False, False]


# Rules


@pytest.mark.parametrize(
    ("test", "threshold", "answers"),
    [
        ("at_least", Fraction(2), [False, True, True]),
        ("more_than", Fraction(2), [False, False, True]),
        ("below", Fraction(2), [True, False, False]),
        ("at_most", Fraction(2), [True, True, False]),
        ("is", Fraction(2), [False, True, False]),
    ],
)
def test_bounds(test: str, threshold: Fraction, answers: list[bool]) -> None:
    assert [Bound("tpp", test, threshold).holds(Fraction(n)) for n in (1, 2, 3)] == answers


PLAIN = 'name = "r"\n[[version]]\neffective = 2020-01-01\nsource = { title = "x" }\n[[version.paragraph]]\n'
OWN = """
name = "A rule of one's own"
layer = "review_policy"
note = "a note"
[[version]]
effective = 2020-01-01
published = 2019-12-01
compliance = 2020-03-01
status = "superseded"
summary = "a summary"
source = { title = "x" }
[[version.paragraph]]
id = "P.1"
licence = "NAC"
text = "words"
outcome = "reviewed"
otherwise = "denied"
conditions = ["a", "b"]
compliance = 2020-02-01
all_of = { classified = ["3A090.a"], destination = "CN" }
any_of = [ { label = "one", tpp = { at_least = 4800.5, below = 9000 } }, { datacenter = false } ]
[[version.paragraph]]
id = "P.2"
layer = "exclusion"
excludes = ["P.1"]
all_of = { classified = ["3A090.b"], tpp = { at_least = 1 } }
[[version]]
effective = 2021-01-01
same_as = 2020-01-01
until = 2021-12-31
source = { title = "y" }
"""


def own(tmp_path: Path, text: str = OWN, name: str = "own.toml") -> Rule:
    path = tmp_path / name
    path.write_text(text)
    return from_file(path)


def test_what_a_rule_file_says_is_kept(tmp_path: Path) -> None:
    """Every key of docs/rules.md lands in its field; ``all_of`` stands in every alternative, and a label is no test."""
    rule = own(tmp_path)
    assert (rule.id, rule.name, rule.layer, rule.note) == ("own", "A rule of one's own", "review_policy", "a note")
    first, second = rule.versions
    assert (first.published, first.compliance, first.until) == (date(2019, 12, 1), date(2020, 3, 1), None)
    assert (first.status, first.summary, second.status) == ("superseded", "a summary", "in force")
    assert second.paragraphs is first.paragraphs
    paragraph = first.paragraphs[0]
    assert (paragraph.licence, paragraph.text, paragraph.outcome, paragraph.otherwise) == (
        "NAC", "words", "reviewed", "denied",
    )  # fmt: skip
    assert (paragraph.conditions, paragraph.compliance) == (("a", "b"), date(2020, 2, 1))
    both = (Bound("classified", "one_of", ("3A090.a",)), Bound("destination", "one_of", ("cn",)))
    between = (Bound("tpp", "at_least", Fraction("4800.5")), Bound("tpp", "below", Fraction(9000)))
    assert paragraph.alternatives == ((*both, *between), (*both, Bound("datacenter", "is", False)))
    assert paragraph.bounds == (*both, *between, Bound("datacenter", "is", False))
    assert paragraph.labels == ("one", "")
    assert first.paragraphs[1].excludes == ("P.1",)


def test_what_a_rule_does_not_say(tmp_path: Path) -> None:
    """Texts are empty, days are None, and a paragraph takes the layer of its rule, by default classification."""
    bare = own(tmp_path, PLAIN + 'id = "P"\nall_of = { tpp = { at_least = 1 } }\n')
    version = bare.versions[0]
    assert (bare.layer, bare.note, bare.authority, version.status, version.summary) == (
        "classification", "", "", "in force", "",
    )  # fmt: skip
    assert (version.published, version.compliance, version.until) == (None, None, None)
    paragraph = version.paragraphs[0]
    assert (paragraph.layer, paragraph.compliance, paragraph.labels) == ("classification", None, ("",))
    made = Version(date(2020, 1, 1), (Paragraph("P", "proposal", ()),), {})
    assert (made.published, made.compliance, made.until, made.paragraphs[0].compliance) == (None, None, None, None)


def test_days_of_a_rule(tmp_path: Path) -> None:
    """In force from the effective day to the day before the next version, or to the last day stated."""
    rule = own(tmp_path)
    days = [date(2019, 12, 31), date(2020, 1, 1), date(2020, 12, 31), date(2021, 1, 1), date(2021, 12, 31)]
    found = [rule.in_force(day) for day in (*days, date(2022, 1, 1))]
    first, second = rule.versions
    assert found == [None, first, first, second, second, None]


def test_order_of_the_rules(tmp_path: Path) -> None:
    """3A090 first, then by id, then the user's own; a bill without a day adds none to the timeline."""
    ids = [rule.id for rule in shipped()]
    assert ids == ["us_eccn_3a090", *sorted(ids[1:])]
    own(tmp_path)
    rules = with_own((tmp_path / "own.toml",))
    assert [rule.id for rule in rules] == [*ids, "own"]
    days = {*effective_dates(shipped()), date(2020, 1, 1), date(2021, 1, 1)}
    assert effective_dates(rules) == tuple(sorted(days))
    bill = PLAIN.replace("effective = 2020-01-01", "").replace("[[version]]", 'layer = "proposal"\n[[version]]')
    own(tmp_path, bill + 'id = "P"\nall_of = { tpp = { at_least = 1 } }\n', "bill.toml")
    assert effective_dates(with_own((tmp_path / "bill.toml",))) == effective_dates(shipped())


def test_a_name_like_no_rule_lists_the_rules() -> None:
    with pytest.raises(PerfcoreError, match=r"the rules are: .*us_eccn_3a090"):
        load("zzz")


# Outcomes


def test_a_governs_b() -> None:
    """3A090.b speaks of items 'not specified by 3A090.a': the words of both met, .a is the heading."""
    assert TODAY is not None
    world = {"tpp": Fraction(6128), DENSITY: Fraction(4), "datacenter": True, "dominant_function_processing": True}
    world |= {"digital_processing_units": True, "hbm_bandwidth_density_gb_s_mm2": Fraction(0)}
    assert at(TODAY, world) == ("controlled", frozenset({"3A090.a.1", "3A090.b.2"}), "3A090.a")
    assert at(TODAY, {**world, "tpp": Fraction(3000)})[2] == "3A090.b"
    assert at(TODAY, {**world, "tpp": Fraction(3000), "datacenter": False})[::2] == ("excluded", "none")
    assert at(TODAY, {**world, "tpp": Fraction(100)}) == ("not_controlled", frozenset(), "none")
    assert not is_under("3A090.ab", "3A090.a")


def test_before_the_rule_nothing_is_classified() -> None:
    values = metrics_of(item(tpp=5000, **DC))
    assert classify(None, values) == Outcome("not_controlled", (), ())
    assert governing(None, values) == {"none"}
    policy = load("us_review_policy_china").versions[0].paragraphs[0]
    assert layer_met(policy, None, values) is False
    assert inputs_of(None, values) == ()
    assert flips(None, values, classify(None, values)) == ()
    assert settling(None, values, Outcome("undetermined", (), ())) == ()


def test_headings_that_may_govern() -> None:
    """TPP 4,000 to 5,000 on 900 mm2, a density of 4.4 to 5.6: .b.2 all along, .b.1 below 4,800, .a.1 from there on."""
    values = metrics_of(item(tpp={"low": 4000, "high": 5000}, applicable_die_area_mm2=900, **DC))
    assert governing(TODAY, values) == {"3A090.a", "3A090.b"}
    assert classify(TODAY, values) == Outcome("controlled", ("3A090.b.2",), ("3A090.a.1", "3A090.b.1"))


# Flips and settling


def nearest(keys: dict[str, Any], on: date = date(2024, 1, 1)) -> dict[str, Flip]:
    values, version = metrics_of(item(**keys)), RULE.in_force(on)
    return {flip.input: flip for flip in flips(version, values, classify(version, values))}


def test_flips_of_a_point() -> None:
    """2,000 on 1,000 mm2 is a density of 2; b.2 needs 3.2: at 625 mm2, or at a TPP of 2,400 (b.1, density 2.4)."""
    found = nearest({"tpp": 2000, "applicable_die_area_mm2": 1000, **DC})
    assert list(found) == ["tpp", AREA]  # +20 % before -37.5 %
    up, down = found["tpp"], found[AREA]
    assert (up.present, up.to, up.inclusive, up.change) == (2000, 2400, True, 0.2)
    assert (down.present, down.to, down.inclusive, down.change) == (1000, 625, True, -0.375)
    assert (up.outcome.status, up.outcome.certain) == ("controlled", ("3A090.b.1",))


def test_flips_of_an_interval_start_from_its_ends() -> None:
    """1,000 to 1,200 on 100 mm2: 1,600 (density 16, a.2) is a third above 1,200."""
    up = nearest({"tpp": {"low": 1000, "high": 1200}, "applicable_die_area_mm2": 100, **DC})["tpp"]
    assert (up.present, up.to, up.inclusive, up.change) == (1200, 1600, True, 1 / 3)
    down = nearest({"tpp": {"low": 5000, "high": 6000}, "applicable_die_area_mm2": 5000, **DC})["tpp"]
    assert (down.present, down.to, down.inclusive, down.change) == (5000, 4800, False, -0.04)


def test_flips_both_ways() -> None:
    """2,100 on 700 mm2, not for datacenters, is not met; b.2 begins at 2,240 (3.2 x 700); nothing flips downwards."""
    values = metrics_of(item(tpp=2100, applicable_die_area_mm2=700, datacenter=False))
    found = flips(TODAY, values, classify(TODAY, values))
    assert [(f.input, f.to, f.outcome.status) for f in found if f.input == "tpp"] == [("tpp", 2240, "excluded")]
    excluded = metrics_of(item(tpp=4000, applicable_die_area_mm2=900, datacenter=False))
    both = [f for f in flips(TODAY, excluded, classify(TODAY, excluded)) if f.input == "tpp"]
    # Note 2 ends at 4,800; below 3.2 x 900 = 2,880 b.2 ends but b.1 holds down to 2,400
    assert [(f.to, f.inclusive, f.outcome.status) for f in both] == [
        (4800, True, "controlled"), (2400, False, "not_controlled"),
    ]  # fmt: skip


def test_flip_of_a_fact() -> None:
    """Note 2: the same chip not designed or marketed for datacenters is excluded below 4,800."""
    fact = nearest({"tpp": 4000, "applicable_die_area_mm2": 900, **DC})["datacenter"]
    assert (fact.present, fact.to, fact.inclusive, fact.change) == (True, False, True, None)
    assert fact.outcome.status == "excluded"
    assert "datacenter" not in nearest({"tpp": 5000, "applicable_die_area_mm2": 900, **DC})
    either = {**metrics_of(item(tpp=1000)), "datacenter": frozenset({True, False})}
    assert "datacenter" not in [flip.input for flip in flips(TODAY, either, classify(TODAY, either))]


def test_what_is_left_out_of_the_values_is_unknown() -> None:
    """Without an area, a TPP of 5,000 flips below 1,600 only (a.2 may hold there): 3A090 says nothing less."""
    chip: dict[str, Value] = dict.fromkeys(("digital_processing_units", "datacenter"), frozenset({True}))
    values = {**chip, "tpp": point(5000), "hbm_bandwidth_density_gb_s_mm2": point(0)}
    found = flips(TODAY, values, classify(TODAY, values))
    assert [(flip.input, flip.to, flip.inclusive) for flip in found] == [("tpp", 1600, False)]


def test_a_value_on_a_threshold_flips_only_where_it_turns(tmp_path: Path) -> None:
    """More than 100 and below 200: from 100 the only flip is upwards, by any amount; 200 is no way down."""
    tests = 'id = "3A090.a"\nall_of = { tpp = { more_than = 100, below = 200 } }\n'
    version = own(tmp_path, PLAIN + tests).versions[0]
    values: dict[str, Value] = {"tpp": point(100)}
    found = flips(version, values, classify(version, values))
    assert [(flip.to, flip.test, flip.inclusive, flip.change) for flip in found] == [(100, "more_than", False, 0)]


def test_on_a_line_the_way_out_is_named() -> None:
    """2,400 on 750 mm2 is a density of 3.2, and controlled; with any less TPP neither holds, with more both do."""
    tpp = nearest({"tpp": 2400, "applicable_die_area_mm2": 750, **DC})["tpp"]
    assert (tpp.to, tpp.test, tpp.inclusive, tpp.change) == (2400, "below", False, 0)
    area = nearest({"tpp": 1600, "applicable_die_area_mm2": 500, **DC})[AREA]  # 3.2 again, and b.1 needs 2,400
    assert (area.to, area.test, area.inclusive, area.change) == (500, "more_than", False, 0)


def test_a_change_from_nothing_is_no_relative_change() -> None:
    """A chip without links has 0 GB/s, from which no share leads to 600."""
    found = nearest({"tpp": 5000, "link": []}, date(2023, 1, 1))
    assert "io_bandwidth_gb_s" not in found


def test_the_kind_of_an_item_hides_no_flip(tmp_path: Path) -> None:
    """What the item is does not flip; what comes after it in the terms, here where it is exported from, does."""
    tests = "all_of = { digital_processing_units = true, exported_from_us = true, tpp = { at_least = 100 } }\n"
    version = own(tmp_path, PLAIN + 'id = "3A090.a"\n' + tests).versions[0]
    yes = frozenset({True})
    values: dict[str, Value] = {"tpp": point(200), "digital_processing_units": yes, "exported_from_us": yes}
    found = flips(version, values, classify(version, values))
    assert [flip.input for flip in found] == ["tpp", "exported_from_us"]


def test_a_place_is_not_flipped(tmp_path: Path) -> None:
    """Flips are of numbers and of yes-or-no facts."""
    tests = 'id = "3A090.a"\nall_of = { destination = "cn", tpp = { at_least = 100 } }\n'
    version = own(tmp_path, PLAIN + tests).versions[0]
    values: dict[str, Value] = {"tpp": point(200), "destination": frozenset({"cn"})}
    assert [flip.input for flip in flips(version, values, classify(version, values))] == ["tpp"]


def test_thresholds_below_one(tmp_path: Path) -> None:
    """From 2 down to one half, which is enough no longer; the paragraph is named like one of 3A090 to be decided."""
    version = own(tmp_path, PLAIN + 'id = "3A090.a"\nall_of = { tpp = { at_least = 0.5 } }\n').versions[0]
    values: dict[str, Value] = {"tpp": point(2)}
    found = flips(version, values, classify(version, values))
    assert [(flip.to, flip.inclusive, flip.outcome.status) for flip in found] == [(0.5, False, "not_controlled")]
    open_: dict[str, Value] = {"tpp": span(0, 2)}
    stretches = settling(version, open_, classify(version, open_))[0].stretches
    assert [part for part, _ in stretches] == [
        span(0, 0.5, low_open=True, high_open=True),
        span(0.5, 2),
    ]


def settled(keys: dict[str, Any]) -> dict[str, Settling]:
    values = metrics_of(item(**keys))
    return {each.input: each for each in settling(TODAY, values, classify(TODAY, values))}


def test_what_settles_an_unknown_area() -> None:
    """TPP 3,000: b.1 holds from 1.6 to 5.92, a.2 from 5.92 on; so to 1,875 mm2 it is controlled, beyond it is not."""
    found = settled({"tpp": 3000, **DC})
    assert list(found) == [AREA]
    edge, b2, a2 = Fraction(1875), Fraction(3000) / Fraction("3.2"), Fraction(3000) / Fraction("5.92")
    assert [(part, then.status, then.certain) for part, then in found[AREA].stretches] == [
        (Interval(Fraction(0), a2, True, False), "controlled", ("3A090.a.2",)),
        (Interval(a2, b2, True, False), "controlled", ("3A090.b.1", "3A090.b.2")),
        (Interval(b2, edge, True, False), "controlled", ("3A090.b.1",)),
        (Interval(edge, None, True, False), "not_controlled", ()),
    ]


def test_what_settles_comes_first() -> None:
    """With TPP and area unknown no area decides alone; a TPP of 4,800 or more, or below 1,600, does."""
    found = settled({"io_bandwidth_gb_s": 600, **DC})
    assert list(found) == ["tpp", AREA]
    assert found[AREA].stretches == ()
    low, high = (part for part, _ in found["tpp"].stretches)
    assert (low.high, low.high_open, high.low, high.low_open) == (1600, True, 4800, False)


def test_a_known_area_is_not_asked_for() -> None:
    """On 900 mm2 TPP alone is open: 5.92 x 900 = 5,328, 3.2 x 900 = 2,880, 1.6 x 900 = 1,440."""
    found = settled({"applicable_die_area_mm2": 900, **DC})
    assert list(found) == ["tpp"]
    assert [(part.low, then.certain) for part, then in found["tpp"].stretches] == [
        (0, ()),
        (2400, ("3A090.b.1",)),
        (2880, ("3A090.b.1", "3A090.b.2")),
        (4800, ("3A090.a.1", "3A090.b.2")),
        (5328, ("3A090.a.1", "3A090.a.2")),
    ]


def test_an_all_planar_package_has_no_area_to_settle() -> None:
    """Technical note 4 leaves its density undefined: the area is named, but no area of it decides."""
    found = settled({"tpp": 2000, "die": [{"area_mm2": 400, "transistor": "planar"}], **DC})
    assert found[AREA].stretches == ()
    assert found[AREA].known == point(0)


def test_what_an_item_is_is_never_asked_for() -> None:
    """Whether it is a processor at all settles nothing: that is no fact to be found out of a design."""
    asked = {each.input for each in settling(TODAY, {}, classify(TODAY, {}))}
    assert {"tpp", AREA, "datacenter"} <= asked
    assert not asked & {"digital_processing_units", "dominant_function_processing"}


def test_a_known_zero_does_not_settle() -> None:
    """Analog units of 700 x 8 = 5,600 and no digital ones: in 2022 the I/O alone is open."""
    values = completed({**metrics_of(item(analog_tops=700)), "bits_x_tops_2022": point(0)})
    version = RULE.in_force(date(2023, 1, 1))
    assert [each.input for each in settling(version, values, classify(version, values))] == ["io_bandwidth_gb_s"]


def test_an_area_settles_at_a_threshold_of_tpp(tmp_path: Path) -> None:
    """TPP 1,000 to 3,000; the paragraph speaks of TPP below 2,000 at a density of 2: never from 1,000 mm2 on."""
    text = PLAIN + 'id = "3A090.a"\nall_of = { tpp = { below = 2000 }, performance_density = { at_least = 2 } }\n'
    version = own(tmp_path, text).versions[0]
    values = metrics_of(item(tpp={"low": 1000, "high": 3000}))
    found = {each.input: each for each in settling(version, values, classify(version, values))}
    assert [(part, then.status) for part, then in found[AREA].stretches] == [
        (Interval(Fraction(1000), None, False, False), "not_controlled")
    ]


# Readings


def read(name: str, on: str = "2024-01-01", **keys: Any) -> dict[str, Any] | None:
    """Return the metrics a contested reading changes, or None where it changes none."""
    found = {entry["reading"]: entry["metrics"] for entry in judged(item(**keys), on).readings}
    return found.get(name)


def test_vector_units_are_added() -> None:
    """FP32 is theirs where the file does not say: 100 x 16 + 50 x 32 = 3,200."""
    name = "tensor_plus_vector_units"
    assert read(name, peak_dense_tflops={"fp16": 100, "fp32": 50}) == {"tpp": 3200, "bits_x_tops_2022": 3200}
    said = read(name, peak_dense_tflops={"fp16": 100, "fp32": 50}, vector_peak_dense_tflops={"fp16": 25}) or {}
    assert said["tpp"] == 2000
    assert read(name, peak_dense_tflops={"fp16": 100}) is None
    assert read(name, peak_dense_tflops={"fp32": 100}) is None
    assert read(name, tpp=1600) is None


def test_formats_read_otherwise() -> None:
    """TF32 at 19 or 32 bits, 6-bit rates left out, accumulators of 32 (fp64: 64) bits in 2022."""
    assert (read("tf32_as_32_bits", peak_dense_tflops={"tf32": 100}) or {})["tpp"] == 3200
    assert read("tf32_as_32_bits", peak_dense_tflops={"fp16": 100}) is None
    assert (read("fp6_not_counted", peak_dense_tflops={"fp6": 500, "fp16": 100}) or {})["tpp"] == 1600
    assert read("fp6_not_counted", peak_dense_tflops={"fp6": 500}) is None
    assert read("fp6_not_counted", peak_dense_tflops={"fp16": 100}) is None
    assert read("outputs_counted_in_2022", peak_dense_tflops={"int8": 100}) == {"bits_x_tops_2022": 3200}
    assert read("outputs_counted_in_2022", peak_dense_tflops={"fp64": 100}) is None
    assert read("outputs_counted_in_2022", peak_dense_tflops={"int8": 100}, bits_x_tops_2022=800) is None


def test_a_reading_of_2022_leaves_a_stated_density() -> None:
    """8 bits on 50 to 100 TOPS, 32 with outputs; TPP and the density of 4 are as stated."""
    rates = {"int8": {"low": 50, "high": 100}}
    changed = read("outputs_counted_in_2022", peak_dense_tflops=rates, performance_density=4)
    assert changed == {"bits_x_tops_2022": {"low": 1600, "high": 3200}}


def test_a_firmware_cap_left_out() -> None:
    keys: dict[str, Any] = {"peak_dense_tflops": {"fp16": 100}, "uncapped_peak_dense_tflops": {"fp16": 200}}
    assert (read("without_firmware_cap", **keys) or {})["tpp"] == 3200
    assert read("without_firmware_cap", peak_dense_tflops={"fp16": 100}) is None


def test_a_board_adds_its_packages() -> None:
    """Two packages: every sum doubles, the density stays."""
    keys: dict[str, Any] = {"tpp": 1500, "applicable_die_area_mm2": 300, "link": [{"bandwidth_gb_s": 100}]}
    changed = read("board_aggregation", **keys, packages_per_board=2) or {}
    assert (changed["tpp"], changed[AREA], changed["io_bandwidth_gb_s"], DENSITY in changed) == (3000, 600, 200, False)
    assert read("board_aggregation", **keys, packages_per_board=1) is None
    assert read("board_aggregation", **keys) is None


def dies(**roles: int) -> list[dict[str, Any]]:
    return [{"role": role, "area_mm2": mm2, "transistor": "finfet"} for role, mm2 in roles.items()]


def test_compute_dies_only() -> None:
    """3,000 on 300 of 700 mm2 is a density of 10."""
    name = "area_of_compute_dies_only"
    assert read(name, tpp=3000, die=dies(compute=300, io=400)) == {AREA: 300, DENSITY: 10}
    assert read(name, tpp=3000, die=dies(compute=300)) is None
    assert read(name, tpp=3000, die=dies(io=400)) is None
    assert read(name, tpp=3000) is None


def test_a_reading_of_the_area_leaves_the_2022_measure() -> None:
    chip = item(tpp=3000, die=dies(compute=300, io=400))
    readings = check(chip, on="2024-01-01", facts={"bits_x_tops_2022": 1000}).readings
    assert [entry["metrics"] for entry in readings] == [{AREA: 300, DENSITY: 10}]


def test_a_given_metric_is_not_read_anew() -> None:
    """A TPP the user states stands under every reading but that of the board."""
    chip = item(peak_dense_tflops={"tf32": 100}, packages_per_board=2)
    found = {entry["reading"] for entry in check(chip, on="2024-01-01", facts={"tpp": 1700}).readings}
    assert "tf32_as_32_bits" not in found
    assert "board_aggregation" in found
    assert check("hbm2 1.6 gbps", on="2025-01-01").readings == ()


def test_the_2022_measure_follows_tpp_and_analog_units() -> None:
    """a.3 and a.4 of 2022: analog TOPS times 8, and the sum."""
    values = metrics_of(item(tpp=2000, analog_tops=350))
    names = ("bits_x_tops_2022", "analog_bits_x_tops_2022", "total_bits_x_tops_2022")
    assert [values[name] for name in names] == [point(2000), point(2800), point(4800)]
    assert completed({**values, "bits_x_tops_2022": point(7)})["bits_x_tops_2022"] == point(7)
    assert metrics_of(item(tpp=2000))["analog_tops"] == point(0)
    assert metrics_of(item(datacenter=True, peak_dense_tflops={"fp16": 1}))["io_bandwidth_gb_s"] == UNKNOWN


def test_parts_narrow_what_is_stated() -> None:
    keys: dict[str, Any] = {"tpp": {"low": 1500, "high": 2000}, "peak_dense_tflops": {"fp16": 100}}
    assert metrics_of(item(**keys))["tpp"] == point(1600)


def test_a_stated_density_and_tpp_say_the_area() -> None:
    """2,000 at a density of 4 is 500 mm2, also in place of what the file says; two facts beside it stay."""
    chip = item(tpp=2000, applicable_die_area_mm2=400, **DC)
    replaced = check(chip, on="2024-01-01", facts={DENSITY: 4}).metrics
    assert (replaced[AREA], replaced[DENSITY]) == (500, 4)
    both = check(chip, on="2024-01-01", facts={DENSITY: {"low": 3, "high": 5}, AREA: {"low": 450, "high": 500}}).metrics
    assert both[AREA] == {"low": 450, "high": 500}
    stated = metrics_of(item(tpp=2000, performance_density=4))
    assert stated[AREA] == point(500)
    assert DENSITY not in metrics_of(chip)
    assert metrics_of(item(performance_density=4))[AREA] == UNKNOWN


# Findings


def findings(tmp_path: Path, text: str, on: str = "2024-01-01", **keys: Any) -> dict[str, Finding]:
    own(tmp_path, text)
    found = check(item(**keys), on=on, rules=tmp_path / "own.toml").findings
    return {each.paragraph: each for each in found if each.rule == "own"}


ONE = 'name = "r"\nlayer = "{}"\n[[version]]\n{}source = {{ title = "x" }}\n[[version.paragraph]]\nid = "P"\n{}'


def test_margins_are_positive_on_the_met_side(tmp_path: Path) -> None:
    """2,400 to 4,800 against at least 1,600: 50 % to 200 % above; against below 9,600: 50 % to 75 % under."""
    text = ONE.format("proposal", "", "all_of = { tpp = { at_least = 1600, below = 9600 }, datacenter = true }")
    found = findings(tmp_path, text, tpp={"low": 2400, "high": 4800}, **DC)["P"].tests
    assert [(t.metric, t.test, t.threshold, t.met, t.margin) for t in found] == [
        ("tpp", "at_least", 1600, True, {"low": 0.5, "high": 2.0}),
        ("tpp", "below", 9600, True, {"low": 0.5, "high": 0.75}),
        ("datacenter", "is", True, True, None),
    ]
    assert [type(t.threshold) for t in found] == [int, int, bool]  # 1600, not 1600.0, in JSON
    one = findings(tmp_path, text, tpp=2400)["P"].tests
    assert [t.margin for t in one] == [0.5, 0.75, None]
    assert [t.margin for t in findings(tmp_path, text, io_bandwidth_gb_s=1)["P"].tests] == [None, None, None]
    half = findings(
        tmp_path, text.replace("9600", "9600.5").replace("at_least", "more_than"), tpp={"low": 1, "high": 2}
    )
    assert [(t.threshold, t.met) for t in half["P"].tests[:2]] == [(1600, False), (9600.5, True)]
    assert half["P"].tests[0].margin["high"] == pytest.approx(2 / 1600 - 1)


def test_a_threshold_of_zero_has_no_margin(tmp_path: Path) -> None:
    text = ONE.format("proposal", "", "all_of = { tpp = { more_than = 0 } }")
    assert findings(tmp_path, text, tpp=5)["P"].tests[0].margin is None


def test_words_of_a_test(tmp_path: Path) -> None:
    """One word alone, several as a list; the kind of item goes without saying where it is the right one."""
    tests = 'all_of = { destination = ["cn", "mo"], classified = "3A090.a", digital_processing_units = true }'
    found = findings(tmp_path, ONE.format("review_policy", "effective = 2020-01-01\n", tests), tpp=5000, **DC)["P"]
    assert [(t.metric, t.threshold, t.value, t.met, t.margin) for t in found.tests] == [
        ("destination", ["cn", "mo"], None, None, None),
        ("classified", "3A090.a", "3A090.a", True, None),
    ]
    assert found.met is None
    verdict = check(
        item(tpp={"low": 4000, "high": 5000}, applicable_die_area_mm2=900, **DC),
        on="2024-01-01",
        rules=tmp_path / "own.toml",
    )
    open_ = next(each for each in verdict.findings if each.rule == "own").tests[1]
    assert (open_.value, open_.met) == (None, None)  # .b below a TPP of 4,800, .a from there on


def test_outcomes_of_a_finding(tmp_path: Path) -> None:
    """``outcome`` where it is or may be met, ``otherwise`` where it speaks of the item but is not, else nothing."""
    more = 'outcome = "yes"\notherwise = "no"\nconditions = ["c"]\n'
    tests = 'all_of = { classified = ["3A090.a"], destination = "cn", tpp = { below = 9000 } }'
    text = ONE.format("review_policy", "effective = 2020-01-01\ncompliance = 2020-02-02\n", more + tests)

    def said(tpp: int, **facts: Any) -> tuple[bool | None, str, tuple[str, ...]]:
        own(tmp_path, text)
        verdict = check(item(tpp=tpp, **DC), on="2024-01-01", rules=tmp_path / "own.toml", facts=facts)
        found = next(each for each in verdict.findings if each.rule == "own")
        listed = [entry["outcome"] for entry in verdict.also if entry["rule"] == "own"]
        assert listed == ([found.outcome] if found.outcome else [])
        assert (found.version, found.compliance) == ("2020-01-01", "2020-02-02")
        return found.met, found.outcome, found.conditions

    assert said(5000, destination="cn") == (True, "yes", ("c",))
    assert said(5000) == (None, "yes", ("c",))
    assert said(9000, destination="cn") == (False, "no", ())
    assert said(9000, destination="fr") == (False, "", ())
    assert said(9000) == (False, "no", ())
    assert said(1000, destination="cn") == (False, "", ())  # not classified under .a


def test_an_own_compliance_day_comes_first(tmp_path: Path) -> None:
    body = "compliance = 2021-01-01\nall_of = { tpp = { at_least = 1 } }"
    head = "effective = 2020-01-01\ncompliance = 2020-02-02\n"
    assert findings(tmp_path, ONE.format("review_policy", head, body), tpp=5)["P"].compliance == "2021-01-01"
    bare = ONE.format("review_policy", "effective = 2020-01-01\n", body.split("\n")[1])
    assert findings(tmp_path, bare, tpp=5)["P"].compliance is None


def test_what_stands_beside_a_classification(tmp_path: Path) -> None:
    """A rule's own findings are beside it where met, open, or with an outcome; those of 3A090 itself never are."""
    text = ONE.format("proposal", "", "all_of = { tpp = { at_least = 4800 } }")
    own(tmp_path, text)

    def beside(tpp: Any) -> list[tuple[str, bool | None]]:
        also = check(item(tpp=tpp, **DC), on="2024-01-01", rules=tmp_path / "own.toml").also
        assert not [entry for entry in also if entry["rule"] == "us_eccn_3a090"]
        return [(entry["paragraph"], entry["met"]) for entry in also if entry["rule"] == "own"]

    assert beside(4800) == [("P", True)]
    assert beside({"low": 4000, "high": 5000}) == [("P", None)]
    assert beside(4799) == []


# Rows of a table


def test_columns_that_look_like_known_ones() -> None:
    assert misspelt(["tpp", "TPP"]) == []  # the known one is there too
    assert misspelt(["Applicable die area mm2"]) == [
        "column 'Applicable die area mm2' is not read; did you mean applicable_die_area_mm2?"
    ]
    assert misspelt(["performance_density", "applicable_die_area_mm2_low"]) == []
    assert misspelt(["design", "status", "paragraphs", "colour"]) == []


@pytest.mark.parametrize(
    ("cells_", "value"),
    [
        ({"tpp": "5"}, point(5)),
        ({"tpp_low": "5"}, span(5, None)),
        ({"tpp_high": "5"}, span(0, 5)),
        ({"tpp_low": "5", "tpp_high": "6"}, span(5, 6)),
        ({"tpp_low": "5", "tpp_high": "5"}, point(5)),
        ({"tpp": "5", "tpp_low": "5", "tpp_high": "6"}, point(5)),
        ({"tpp": "", "tpp_low": "", "tpp_high": ""}, UNKNOWN),
        ({"datacenter": "true"}, UNKNOWN),
        ({"tpp": "0"}, point(0)),
        ({"peak_dense_fp16_tflops": "100"}, point(1600)),
        ({"peak_dense_fp16_tflops_low": "100", "peak_dense_fp16_tflops_high": "200"}, span(1600, 3200)),
        ({"peak_dense_fp16_tflops_high": "200"}, span(0, 3200)),
    ],
)
def test_cells_of_a_number(cells_: dict[str, str], value: Interval) -> None:
    values, wrong = read_row(list(cells_), list(cells_.values()))
    assert (values["tpp"], wrong) == (value, [])


@pytest.mark.parametrize(
    ("cell", "value"),
    [*((yes, True) for yes in ("true", "YES", "1", "1.0")), *((no, False) for no in ("False", "no", "0", "0.0"))],
)
def test_yes_and_no(cell: str, value: bool) -> None:
    assert read_row(["datacenter"], [cell])[0]["datacenter"] == frozenset({value})


def test_a_row_is_a_chip_of_digital_units() -> None:
    values, _ = read_row(["tpp"], ["5"])
    assert values["digital_processing_units"] == values["dominant_function_processing"] == frozenset({True})
    assert values["analog_tops"] == point(0)
    assert read_row(["datacenter"], ["unknown"])[0]["datacenter"] is None


@pytest.mark.parametrize(
    ("columns", "row", "errors"),
    [
        (["tpp"], ["1", "2"], [RowError("", "2", "cells; the table has 1 columns")]),
        (["datacenter"], ["x" * 99], [
            RowError("datacenter", "x" * 60, "allowed: true, false, or an empty cell for unknown")]),
        (["tpp_low", "tpp_high"], ["6", "5"], [RowError("tpp_low", "6", "above tpp_high; allowed: low at most high")]),
        (["tpp", "tpp_low"], ["5", "6"], [RowError("tpp", "5", "outside tpp_low to tpp_high")]),
        (["tpp", "tpp_high"], ["6", "5"], [RowError("tpp", "6", "outside tpp_low to tpp_high")]),
        (["tpp", "peak_dense_fp16_tflops"], ["5", "100"], [
            RowError("tpp", "5", "disagrees with the formats, which give 1600")]),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_read(columns: list[str], row: list[str], errors: list[RowError]) -> None:
    """The column, what was found in it (at most 60 characters), what is wrong; and no values."""
    assert read_row(columns, row) == ({}, errors)


def test_a_long_cell_is_cut() -> None:
    _, wrong = read_row(["tpp", "io_bandwidth_gb_s"], ["y" * 99, "-1"])
    assert [(each.column, each.found) for each in wrong] == [("tpp", "y" * 60), ("io_bandwidth_gb_s", "-1")]


@pytest.mark.parametrize("cell", ["-1", "inf", "1e999999", "1_0", "\uff11", "abc"])
def test_cells_that_are_no_number(cell: str) -> None:
    with pytest.raises(ValueError, match="allowed: a decimal of 0 or more"):
        exact(cell)


@pytest.mark.parametrize(("cell", "number"), [("0", 0), ("NaN", None), ("-nan", None), ("N/A", None), ("1e3", 1000)])
def test_cells_that_are_a_number_or_unknown(cell: str, number: int | None) -> None:
    assert exact(cell) == number
