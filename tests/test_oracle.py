"""The oracle against the worked cases of shared/reference/regulation.md, section 12.

Expected values are typed from that table; each case names its row.  Rows 14-15 (analog units),
28 (a letter), 48 (no status) and 54-70 (memory, fabs, licences) are not 3A090 statuses of chips
given by these inputs.
"""

import random
from datetime import date
from fractions import Fraction

import oracle
import pytest
from oracle import Design, Interval, decide

EARLY, R1 = date(2022, 10, 20), date(2022, 10, 21)
LAST, R2 = date(2023, 11, 16), date(2023, 11, 17)
Y2023, Y2024, Y2025 = date(2023, 6, 1), date(2024, 1, 1), date(2025, 2, 1)
NONE: tuple[str, ...] = ()
A, A1, A2, B1, B2 = "3A090.a", "3A090.a.1", "3A090.a.2", "3A090.b.1", "3A090.b.2"
Number = str | tuple[str, str] | None


def interval(text: Number) -> Interval | None:
    if text is None:
        return None
    low, high = (text, text) if isinstance(text, str) else text
    return Fraction(low), Fraction(high)


def chip(
    tpp: Number = None,
    area: Number = None,
    *,
    io: Number = None,
    dram: Number = None,
    bits: Number = None,
    dc: bool | None = None,
) -> Design:
    return Design(interval(tpp), interval(area), interval(io), interval(dram), interval(bits), dc)


WORKED = [
    # row, design, date, status, paragraphs
    ("1", chip(bits="4800", io="600"), R1, "controlled", (A,)),  # row 1
    ("2", chip(bits="4799.99", io="600"), R1, "not_controlled", NONE),  # row 2
    ("3", chip(bits="9999", io="599.9"), R1, "not_controlled", NONE),  # row 3
    ("4", chip(bits="9999", io="600"), date(2022, 11, 1), "controlled", (A,)),  # row 4
    ("5", chip("4992", "826", io="664"), EARLY, "not_controlled", NONE),  # row 5
    ("6", chip("4992", io="664"), date(2022, 12, 1), "controlled", (A,)),  # row 6
    ("7", chip("4992", io="464"), date(2022, 12, 1), "not_controlled", NONE),  # row 7
    ("8", chip("15832", io="528"), Y2023, "not_controlled", NONE),  # row 8
    ("9", chip("15832", io="1028"), Y2023, "controlled", (A,)),  # row 9
    ("10", chip("6128", io="864"), Y2023, "controlled", (A,)),  # row 10
    ("11 announced", chip("16384", io="640"), date(2022, 11, 1), "controlled", (A,)),  # row 11
    ("11 cut", chip("16384", io="576"), date(2022, 11, 1), "not_controlled", NONE),  # row 11
    ("12", chip("6920", io="664"), date(2023, 7, 1), "controlled", (A,)),  # row 12
    ("12 China", chip("6920", io="589"), date(2023, 7, 1), "not_controlled", NONE),  # row 12
    ("13", chip("9999", io="64", dram="2000"), date(2023, 1, 1), "not_controlled", NONE),  # row 13
    ("16 last", chip("4992", "826", io="464"), LAST, "not_controlled", NONE),  # row 16
    ("16 first", chip("4992", "826", io="464"), R2, "controlled", (A1, A2)),  # row 16
    ("17", chip("4992", "826", io="464"), date(2023, 10, 25), "not_controlled", NONE),  # row 17
    ("18", chip("4800", "10000"), Y2024, "controlled", (A1,)),  # row 18
    ("19", chip("4799.99", "900", dc=True), Y2024, "controlled", (B1, B2)),  # row 19
    ("20 811", chip("4799", "811", dc=True), Y2024, "controlled", (B1, B2)),  # row 20
    ("20 810", chip("4799", "810", dc=True), Y2024, "controlled", (A2,)),  # row 20
    ("21", chip("1600", "10000/37", dc=True), Y2024, "controlled", (A2,)),  # row 21
    ("22", chip("1599.9", "100"), Y2024, "not_controlled", NONE),  # row 22
    ("23", chip("2400", "1500", dc=True), Y2024, "controlled", (B1,)),  # row 23
    ("24", chip("2400", "1501", dc=True), Y2024, "not_controlled", NONE),  # row 24
    ("25 749", chip("2399", "749", dc=True), Y2024, "controlled", (B2,)),  # row 25
    ("25 1200", chip("2399", "1200", dc=True), Y2024, "not_controlled", NONE),  # row 25
    ("26 500", chip("1600", "500", dc=True), Y2024, "controlled", (B2,)),  # row 26
    ("26 501", chip("1600", "501", dc=True), Y2024, "not_controlled", NONE),  # row 26
    ("27", chip("2368", "814"), Y2024, "not_controlled", NONE),  # row 27
    ("29", chip("1912", "608.5"), Y2024, "not_controlled", NONE),  # row 29
    ("30", chip("1544", "294.5"), Y2024, "not_controlled", NONE),  # row 30
    ("31", chip(("1936", "1940"), "294.5", dc=True), Y2024, "controlled", (A2,)),  # row 31
    ("31 before", chip(("1936", "1940")), LAST, "not_controlled", NONE),  # row 31
    ("32", chip("5864", "608.5", dc=True), R2, "controlled", (A1, A2)),  # row 32, AD102 area
    ("33", chip("2896", "608.5", dc=True), R2, "controlled", (B1, B2)),  # row 33
    ("34", chip(("2640", "2644"), "826", dc=True), R2, "controlled", (B1,)),  # row 34
    ("35", chip("2000", "628.4"), R2, "not_controlled", NONE),  # row 35
    ("36", chip("2395", "628.4", dc=True), R2, "controlled", (B2,)),  # row 36
    ("37 724", chip("2896", "724", dc=True), R2, "controlled", (B1, B2)),  # row 37
    ("37 790", chip("2896", "790", dc=True), R2, "controlled", (B1, B2)),  # row 37
    ("37 either", chip("2896", ("724", "790"), dc=True), R2, "controlled", (B1, B2)),  # row 37
    ("38", chip("6128", "1448"), R2, "controlled", (A1, B2)),  # row 38
    ("38 one GCD", chip("3064", "724", dc=True), R2, "controlled", (B1, B2)),  # row 38
    ("39", chip("6920", "826", io="589"), R2, "controlled", (A1, A2)),  # row 39
    ("40", chip("5285", "608.5", dc=False), R2, "controlled", (A1, A2)),  # row 40
    ("41", chip("4707", "608.5", dc=False), Y2024, "excluded", (A2,)),  # row 41
    ("41 marketed", chip("4707", "608.5", dc=True), Y2024, "controlled", (A2,)),  # row 41
    ("42", chip("4750", "750", dc=False), Y2025, "excluded", (A2,)),  # row 42
    ("42 DC", chip("4750", "750", dc=True), Y2025, "controlled", (A2,)),  # row 42
    ("43", chip("6704", "750", dc=False), Y2025, "controlled", (A1, A2)),  # row 43
    ("44", chip("2400", "600", dc=True), Y2024, "controlled", (B1, B2)),  # row 44
    ("45", chip("2480", "900", dc=True), Y2024, "controlled", (B1,)),  # row 45
    ("46", chip("29360"), date(2024, 10, 1), "controlled", (A1,)),  # row 46, area not given
    ("47 DC", chip("5120", dc=True), Y2024, "controlled", (A1,)),  # row 47
    ("47 not DC", chip("5120", dc=False), Y2024, "controlled", (A1,)),  # row 47
    ("49 2000", chip("2000", "0"), Y2024, "undetermined", NONE),  # row 49
    ("49 2000 DC", chip("2000", "0", dc=True), Y2024, "undetermined", NONE),  # row 49
    ("49 5000", chip("5000", "0"), Y2024, "controlled", (A1,)),  # row 49
    ("50", chip("3000", "300", dc=True), Y2024, "controlled", (A2,)),  # row 50
    ("51", chip("3000", "700", dc=True), Y2024, "controlled", (B1, B2)),  # row 51
    ("52 each", chip("1500"), Y2024, "not_controlled", NONE),  # row 52, judged per package
    ("53", chip("6000"), Y2024, "controlled", (A1,)),  # row 53
]


@pytest.mark.parametrize(
    ("design", "on", "status", "paragraphs"),
    [case[1:] for case in WORKED],
    ids=[f"row {case[0]}" for case in WORKED],
)
def test_worked_case(design: Design, on: date, status: str, paragraphs: tuple[str, ...]) -> None:
    assert decide(design, on) == (status, paragraphs)


UNKNOWNS_AND_INTERVALS = [
    # DESIGN.md A4: "PD between 4 and 7 at TPP 3000 is certainly controlled", the paragraph open
    (chip("3000", ("3000/7", "750"), dc=True), Y2024, "controlled", NONE),
    (chip("3000", ("3000/7", "750"), dc=False), Y2024, "excluded", NONE),
    (chip("3000", ("3000/7", "750")), Y2024, "undetermined", NONE),
    # both quantities spread: every point of the rectangle has 1.6 <= PD, none is free
    (chip(("2400", "9000"), ("1", "1500"), dc=True), Y2024, "controlled", NONE),
    (chip(("2399.999", "9000"), ("1", "1500"), dc=True), Y2024, "undetermined", NONE),
    (chip(("2400", "9000"), ("1", "1500.001"), dc=True), Y2024, "undetermined", NONE),
    # an interval is closed: its end on a threshold counts
    (chip(("4799", "4800"), "900", dc=False), Y2024, "undetermined", (B2,)),
    (chip(("4800", "9999"), None, dc=False), Y2024, "controlled", (A1,)),
    (chip("1600", ("500", "501"), dc=True), Y2024, "undetermined", NONE),
    (chip("1600", ("10000/37", "500"), dc=True), Y2024, "controlled", NONE),
    # a density of exactly 5.92 is .a.2, never .b
    (chip("2960", "500", dc=True), Y2024, "controlled", (A2,)),
    # nothing known, and little known
    (chip(), EARLY, "not_controlled", NONE),
    (chip(), R1, "undetermined", NONE),
    (chip(), Y2024, "undetermined", NONE),
    (chip(("0", "1599.999")), Y2024, "not_controlled", NONE),
    (chip(None, "100", dc=True), Y2024, "undetermined", NONE),
    (chip("2000", dc=False), Y2024, "undetermined", NONE),
    # the fact of Note 2 unknown: what is met stays listed
    (chip("2896", "724"), Y2024, "undetermined", (B1, B2)),
    # no non-planar die: certain, or possible (an interval that includes 0)
    (chip("3000", ("0", "10"), dc=True), Y2024, "undetermined", NONE),
    (chip("1599", "0"), Y2024, "not_controlled", NONE),
    (chip("0", "0"), Y2024, "not_controlled", NONE),
    (chip("0", "100", dc=True), Y2024, "not_controlled", NONE),
    # 2022: bits x TOPS is TPP where not given, unknown where TPP is; either factor settles "none"
    (chip(io="700"), R1, "undetermined", NONE),
    (chip("4800"), R1, "undetermined", NONE),
    (chip("4799"), R1, "not_controlled", NONE),
    (chip(io="599"), R1, "not_controlled", NONE),
    (chip("4799", io="600", bits="4800"), R1, "controlled", (A,)),
    (chip("9999", io="600", bits="4799"), R1, "not_controlled", NONE),
    (chip("9999", io="600", bits="4799"), Y2024, "controlled", (A1,)),
    (chip(("4800", "5000"), io=("600", "700")), R1, "controlled", (A,)),
    (chip(("4800", "5000"), io=("599", "600")), R1, "undetermined", NONE),
    (chip("4800", io="600", dc=False), R1, "controlled", (A,)),  # no Note 2 in 2022
]


@pytest.mark.parametrize(("design", "on", "status", "paragraphs"), UNKNOWNS_AND_INTERVALS)
def test_unknowns_and_intervals(design: Design, on: date, status: str, paragraphs: tuple[str, ...]) -> None:
    assert decide(design, on) == (status, paragraphs)


@pytest.mark.parametrize("on", [date(2024, 4, 4), date(2024, 12, 2), date(2026, 1, 15)])
def test_later_versions_change_nothing(on: date) -> None:
    rng = random.Random(on.toordinal())
    for _ in range(200):
        design = oracle.random_design(rng)
        assert decide(design, on) == decide(design, R2)


def some(rng: random.Random, spread: Interval | None, limits: tuple[Fraction, ...]) -> Fraction:
    """Any value of an interval, its ends and the limits inside it not left out."""
    low, high = spread or (Fraction(0), Fraction(rng.choice((10, 2000, 20000))))
    inside = [value for value in (low, high, *limits) if low <= value <= high]
    within = low + (high - low) * Fraction(rng.randint(1, 999), 1000)
    return rng.choice((within, rng.choice(inside)))


@pytest.mark.parametrize("on", [R1, R2])
def test_every_point_of_a_region_agrees_with_its_verdict(on: date) -> None:
    """Points drawn at random, not at the corners, never contradict a verdict on their region."""
    rng = random.Random(3090)
    for _ in range(1000):
        design = oracle.random_design(rng)
        status, paragraphs = decide(design, on)
        for _ in range(20):
            tpp = some(rng, design.tpp, oracle.TPP_LIMITS)
            area = some(rng, design.applicable_die_area_mm2, tuple(tpp / limit for limit in oracle.PD_LIMITS))
            io = some(rng, design.io_bandwidth_gb_s, (oracle.IO_LIMIT,))
            bits = some(rng, design.bits_x_tops_2022 or design.tpp, (oracle.BITS_LIMIT,))
            fact = rng.choice((True, False)) if design.datacenter is None else design.datacenter
            if on == R1:
                here, met = oracle.law_2022(io, bits)
            elif area > 0:
                here, met = oracle.law_2023(tpp, area, fact)
            else:
                continue
            assert status in (here, "undetermined"), design
            assert met.issuperset(paragraphs), design


def test_random_designs_cover_what_matters() -> None:
    rng = random.Random(1)
    designs = [oracle.random_design(rng) for _ in range(3000)]
    rows = [row for row in map(oracle.as_row, designs) if row is not None]
    assert len(rows) > 2000
    for on in (R1, R2):
        counts = [decide(design, on)[0] for design in designs]
        assert min(counts.count("controlled"), counts.count("not_controlled")) > 300
    assert [decide(design, R2)[0] for design in designs].count("excluded") > 100
    written = {name for row in rows for name, cell in row.items() if cell}
    assert {"tpp_low", "applicable_die_area_mm2_high", "bits_x_tops_2022_low"} <= written
    on_592 = [
        d
        for d in designs
        if d.tpp
        and d.applicable_die_area_mm2
        and oracle.as_row(d)
        and d.tpp[0] == d.tpp[1] == d.applicable_die_area_mm2[1] * Fraction("5.92") > 0
    ]
    assert len(on_592) > 50


def test_as_row() -> None:
    design = chip(("1600", "2400.05"), "0", io="600.125", dc=False)
    assert oracle.as_row(design) == {
        "tpp": "", "tpp_low": "1600", "tpp_high": "2400.05", "applicable_die_area_mm2": "0",
        "io_bandwidth_gb_s": "600.125", "dram_bandwidth_gb_s": "", "datacenter": "false",
    }  # fmt: skip
    assert (oracle.as_row(chip(bits="4800", dc=True)) or {})["bits_x_tops_2022"] == "4800"
    assert (oracle.as_row(chip()) or {})["datacenter"] == ""
    assert oracle.as_row(chip("1600", "10000/37")) is None


def test_as_row_writes_the_very_number() -> None:
    rng = random.Random(2)
    for _ in range(500):
        design = oracle.random_design(rng)
        row = oracle.as_row(design) or {}
        for name in oracle.QUANTITIES if row else ():
            spread = getattr(design, name)
            cells = (row.get(f"{name}_low"), row.get(f"{name}_high"))
            low, high = cells if None not in cells else (row.get(name),) * 2
            assert spread == ((Fraction(low), Fraction(high)) if low and high else None)


def test_a_design_is_checked() -> None:
    with pytest.raises(ValueError, match="tpp"):
        Design(tpp=(Fraction(2), Fraction(1)))
    with pytest.raises(ValueError, match="io_bandwidth"):
        Design(io_bandwidth_gb_s=(Fraction(-1), Fraction(1)))
