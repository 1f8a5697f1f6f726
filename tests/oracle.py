"""An exact oracle for ECCN 3A090.a and .b of chips, written from the text of the law alone.

Source: 15 CFR part 774, supplement no. 1, ECCN 3A090, as it stood from 2022-10-21 (87 FR 62186)
and from 2023-11-17 (88 FR 73458).  The changes of 2024-04-04, 2024-12-02 and 2026-01-15 touch
nothing here.  3A090.c speaks of memory, so no chip meets it.  Nothing is shared with the engine
this oracle is compared with: no module, no data file, no method.

An unknown or an interval makes a design a region.  The law changes only across a few lines of the
plane of TPP and area: TPP = 1600, 2400, 4800 and TPP = c x area for c = 1.6, 3.2, 5.92.  They cut
the region into trapezoids; the law is evaluated at the corners, on the edges and inside of each.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise, product

Interval = tuple[Fraction, Fraction]
Outcome = tuple[str, frozenset[str]]

EFFECTIVE_2022 = date(2022, 10, 21)
EFFECTIVE_2023 = date(2023, 11, 17)
TPP_LIMITS = (Fraction(1600), Fraction(2400), Fraction(4800))
PD_LIMITS = (Fraction("1.6"), Fraction("3.2"), Fraction("5.92"))
IO_LIMIT = Fraction(600)
BITS_LIMIT = Fraction(4800)
QUANTITIES = (
    "tpp",
    "applicable_die_area_mm2",
    "io_bandwidth_gb_s",
    "dram_bandwidth_gb_s",
    "bits_x_tops_2022",
)


@dataclass(frozen=True)
class Design:
    """A chip: every quantity a closed interval (a point has equal ends) or None for unknown.

    `bits_x_tops_2022` None means the same quantity as `tpp`, whatever that is.  An area of 0 says
    that no die is non-planar.  `datacenter`: designed or marketed for datacenters (Note 2).
    """

    tpp: Interval | None = None
    applicable_die_area_mm2: Interval | None = None
    io_bandwidth_gb_s: Interval | None = None
    dram_bandwidth_gb_s: Interval | None = None
    bits_x_tops_2022: Interval | None = None
    datacenter: bool | None = None

    def __post_init__(self) -> None:
        for name in QUANTITIES:
            interval = getattr(self, name)
            if interval is not None and not 0 <= interval[0] <= interval[1]:
                raise ValueError(f"{name}: not an interval of numbers of 0 or more: {interval}")


def law_2022(io: Fraction, bits: Fraction) -> Outcome:
    """3A090.a of 2022-10-21: 600 Gbyte/s or more, and bits x TOPS of 4800 or more."""
    if io >= IO_LIMIT and bits >= BITS_LIMIT:
        return "controlled", frozenset({"3A090.a"})
    return "not_controlled", frozenset()


def law_2023(tpp: Fraction, area: Fraction, datacenter: bool) -> Outcome:
    """3A090.a.1, a.2, b.1, b.2 and Note 2 from 2023-11-17, for an area above 0.

    'Performance density' is TPP divided by area (technical note 4), so PD >= c is tested
    as TPP >= c x area.
    """

    def density_at_least(limit: str) -> bool:
        return tpp >= Fraction(limit) * area

    words = {
        "3A090.a.1": tpp >= 4800,
        "3A090.a.2": tpp >= 1600 and density_at_least("5.92"),
        "3A090.b.1": 2400 <= tpp < 4800 and density_at_least("1.6") and not density_at_least("5.92"),
        "3A090.b.2": tpp >= 1600 and density_at_least("3.2") and not density_at_least("5.92"),
    }
    met = frozenset(paragraph for paragraph, holds in words.items() if holds)
    if not met:
        return "not_controlled", met
    # Note 2: .a and .b do not apply to items that are not designed or marketed for use in
    # datacenters and do not have a TPP of 4800 or more.
    return ("excluded" if not datacenter and not tpp >= 4800 else "controlled"), met


def representatives(interval: Interval | None, critical: Iterable[Fraction]) -> list[Fraction]:
    """The ends, the critical values inside, and one value in each gap; None is 0 and upward."""
    low, high = interval or (Fraction(0), None)
    inside = {value for value in critical if low <= value and (high is None or value <= high)}
    marks = sorted(inside | {low} | (set() if high is None else {high}))
    beyond = [marks[-1] + 1] if high is None else []
    return marks + [(left + right) / 2 for left, right in pairwise(marks)] + beyond


def outcomes_2022(design: Design) -> Iterator[Outcome]:
    """The law of 2022 over the rectangle of I/O bandwidth and bits x TOPS."""
    bits = design.tpp if design.bits_x_tops_2022 is None else design.bits_x_tops_2022
    for point in product(representatives(design.io_bandwidth_gb_s, [IO_LIMIT]), representatives(bits, [BITS_LIMIT])):
        yield law_2022(*point)


def outcomes_2023(design: Design) -> Iterator[Outcome]:
    """The law of 2023 over the rectangle of TPP and area, for each possible Note 2 fact.

    At area 0 the law leaves 'performance density' undefined and does not say what follows
    (technical note 4), so it may be any positive number.  A positive TPP has every positive
    density over the areas above 0; so an area that can be 0, like an unknown one, is read as
    any area above 0.  (At TPP 0 no paragraph's words are met at any density.)
    """
    area = design.applicable_die_area_mm2
    if area is not None and area[0] == 0:
        area = None
    crossings = {limit * end for limit in PD_LIMITS for end in area or ()}
    facts = (True, False) if design.datacenter is None else (design.datacenter,)
    for tpp in representatives(design.tpp, crossings.union(TPP_LIMITS)):
        for size in representatives(area, [tpp / limit for limit in PD_LIMITS]):
            if size > 0:
                for fact in facts:
                    yield law_2023(tpp, size, fact)


def decide(design: Design, on: date) -> tuple[str, tuple[str, ...]]:
    """(status, sorted ids of the paragraphs whose words are met at every point of the region)."""
    if on < EFFECTIVE_2022:
        return "not_controlled", ()
    outcomes = set(outcomes_2022(design) if on < EFFECTIVE_2023 else outcomes_2023(design))
    statuses = {status for status, _ in outcomes}
    met = frozenset.intersection(*(paragraphs for _, paragraphs in outcomes))
    return (statuses.pop() if len(statuses) == 1 else "undetermined"), tuple(sorted(met))


def point(value: Fraction) -> Interval:
    """An interval of one value."""
    return value, value


def near(rng: random.Random, centre: Fraction) -> Fraction:
    """A decimal of 0 to 3 places: a hair from the centre, around it, or far away."""
    spread = rng.choice((0.0002, 0.01, 0.3, None))
    ratio = rng.uniform(0.05, 10) if spread is None else rng.uniform(1 - spread, 1 + spread)
    places = 10 ** rng.randint(0, 3)
    return Fraction(round(centre * Fraction(ratio) * places), places)


def random_interval(rng: random.Random, limits: tuple[Fraction, ...]) -> Interval | None:
    """Unknown (1 in 10), an interval (2 in 10, half of them ending on a limit) or a point."""
    kind = rng.randrange(10)
    if kind == 0:
        return None
    value = near(rng, rng.choice(limits))
    if kind > 2:
        return point(value)
    other = rng.choice(limits) if kind == 1 else near(rng, rng.choice(limits))
    return min(value, other), max(value, other)


def random_design(rng: random.Random) -> Design:
    """A design; one in three sits exactly on a threshold of the law of 2022 or of 2023."""
    exact = rng.choice(("tpp", "area", "density", "io", "bits")) if rng.randrange(3) == 0 else ""
    tpp = point(Fraction(0)) if rng.randrange(40) == 0 else random_interval(rng, TPP_LIMITS)
    if exact == "tpp":
        tpp = point(rng.choice(TPP_LIMITS))
    elif exact == "area":
        tpp = point(rng.choice((near(rng, rng.choice(TPP_LIMITS)), *TPP_LIMITS)))
    limits = tuple(end / c for end in tpp or TPP_LIMITS for c in PD_LIMITS if end > 0)
    area = random_interval(rng, limits or (Fraction(800),))
    if exact == "area":  # area = TPP / c, which for c = 5.92 is seldom a decimal ...
        area = point(rng.choice(limits))
    elif exact == "density":  # ... so also TPP = c x area, which always is one
        size = near(rng, Fraction(rng.choice((400, 800, 1500))))
        tpp, area = point(size * rng.choice(PD_LIMITS)), point(size)
    elif rng.randrange(15) == 0:
        area = (Fraction(0), rng.choice((Fraction(0), near(rng, Fraction(800)))))
    io = point(IO_LIMIT) if exact == "io" else random_interval(rng, (IO_LIMIT,))
    bits = None if rng.randrange(2) else random_interval(rng, (BITS_LIMIT,))
    bits = point(BITS_LIMIT) if exact == "bits" else bits
    return Design(
        tpp,
        area,
        io,
        random_interval(rng, (Fraction(3000),)),
        bits,
        rng.choice((True, True, False, False, None)),
    )


def decimal_text(value: Fraction) -> str | None:
    """The number written out in full as a decimal, or None where it has no finite expansion."""
    rest, places = value.denominator, 0
    while rest % 2 == 0 or rest % 5 == 0:
        rest //= 10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5
        places += 1
    if rest != 1:
        return None
    digits = str(int(value * 10**places)).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def as_row(design: Design) -> dict[str, str] | None:
    """The design as CSV cells, or None where a value has no finite decimal expansion.

    Unknown is an empty cell; an interval has an empty cell under its name and fills <name>_low
    and <name>_high.  The columns of bits_x_tops_2022 are there only when it is given.
    """
    fact = {True: "true", False: "false", None: ""}[design.datacenter]
    row: dict[str, str | None] = {"datacenter": fact}
    for name in QUANTITIES:
        interval = getattr(design, name)
        if interval is None and name == "bits_x_tops_2022":
            continue
        row[name] = ""
        if interval is not None and interval[0] == interval[1]:
            row[name] = decimal_text(interval[0])
        elif interval is not None:
            row[f"{name}_low"], row[f"{name}_high"] = map(decimal_text, interval)
    cells = {name: text for name, text in row.items() if text is not None}
    return cells if len(cells) == len(row) else None
