"""What a version of ECCN 3A090 says in each cell that its thresholds cut the measures of a chip into.

The cells are found and decided by the same engine as one chip is; tables of designs then only have to find the cell of
a row. An answer is a whole number: the place of the status, and a bit for each paragraph certainly met.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from perfcore.outcome import CONTROLLED, EXCLUDED, NOT_CONTROLLED, UNDETERMINED, Outcome, classify
from perfcore.quantity import UNKNOWN, ZERO, Interval, Value, point
from perfcore.regions import ABOVE_ZERO, AREA, DENSITY, cells, completed, sample
from perfcore.rules import Bound, Version

STATUSES = (CONTROLLED, EXCLUDED, NOT_CONTROLLED, UNDETERMINED)
AXES = ("tpp", DENSITY, "io_bandwidth_gb_s", "bits_x_tops_2022", "dram_bandwidth_gb_s")
FACTS = (None, False, True)
# Of a processor all of whose units are digital these are the same quantity.
_ALSO_TESTED_AS = {"bits_x_tops_2022": ("total_bits_x_tops_2022",)}
# Bits for so many paragraphs fit into a byte, with the status and one number left to say "not decided".
_MOST_PARAGRAPHS = 5

# A table lists chips: processors, all of whose formats are digital.
A_CHIP: Mapping[str, Value] = {
    "digital_processing_units": frozenset({True}),
    "dominant_function_processing": frozenset({True}),
    "analog_tops": point(0),
}


class Answers(NamedTuple):
    """The answers of a version by cell.

    ``cuts`` are the thresholds of each of ``AXES``, in order. A measure lies on the level that is the number of its
    cuts at or below it; one level more says that it is unknown. An axis without cuts has one level. ``codes`` has the
    levels of the axes in order, ``facts`` (what is known of ``datacenter``) last.
    """

    paragraphs: tuple[str, ...]
    cuts: tuple[tuple[Fraction, ...], ...]
    facts: tuple[bool | None, ...]
    codes: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many levels each axis has."""
        return tuple(len(cuts) + 2 if cuts else 1 for cuts in self.cuts)

    def code(self, levels: tuple[int, ...], fact: bool | None) -> int:
        """Return the answer of a cell."""
        place = 0
        for level, size in zip(levels, self.sizes, strict=True):
            place = place * size + level
        return self.codes[place * len(self.facts) + (FACTS.index(fact) if len(self.facts) > 1 else 0)]

    def outcome(self, code: int) -> tuple[str, tuple[str, ...]]:
        """Return status and paragraphs of an answer."""
        met = tuple(p for place, p in enumerate(self.paragraphs) if code >> place & 1)
        return STATUSES[code >> len(self.paragraphs)], met


def answers_of(version: Version | None) -> Answers | None:
    """Return the answers of a version, or None where its tests are of another form than these tables know."""
    tests = version.tests if version else {}
    paragraphs = tuple(sorted(p.id for p in version.paragraphs if p.layer == "classification")) if version else ()
    on_axes = [bound for axis in AXES for bound in _bounds(tests, axis)]
    if (
        "dram_plus_io_gb_s" in tests
        or len(paragraphs) > _MOST_PARAGRAPHS
        or any(bound.test not in ("at_least", "below") for bound in on_axes)
    ):
        return None
    cuts = tuple(
        tuple(sorted({b.threshold for b in _bounds(tests, axis) if isinstance(b.threshold, Fraction)})) for axis in AXES
    )
    facts = FACTS if "datacenter" in tests else (None,)
    codes = tuple(
        code_of(paragraphs, classify(version, _values(measures, fact))) for measures, fact in _cells(cuts, facts)
    )
    return Answers(paragraphs, cuts, facts, codes)


def _bounds(tests: Mapping[str, tuple[Bound, ...]], axis: str) -> list[Bound]:
    return [bound for name in (axis, *_ALSO_TESTED_AS.get(axis, ())) for bound in tests.get(name, ())]


def _cells(
    cuts: tuple[tuple[Fraction, ...], ...], facts: tuple[bool | None, ...]
) -> Iterator[tuple[tuple[Fraction | None, ...], bool | None]]:
    """Give a sample of each cell, None for unknown, in the order of ``Answers.codes``."""
    for measures in product(*(_samples(several) for several in cuts)):
        for fact in facts:
            yield measures, fact


def _samples(cuts: tuple[Fraction, ...]) -> list[Fraction | None]:
    """Return a number of each level, and None for the level of the unknown."""
    if not cuts:
        return [None]
    inner = [sample(cell) for cell in cells(Interval(cuts[0], None), cuts) if not cell.is_point]
    return [sample(Interval(ZERO, cuts[0])), *inner, None]


def _values(measures: tuple[Fraction | None, ...], fact: bool | None) -> dict[str, Value]:
    """Return what is known of an item of a cell: its measures, with performance density as if it were stated."""
    known = {axis: UNKNOWN if m is None else point(m) for axis, m in zip(AXES, measures, strict=True)}
    if known[DENSITY].is_unknown:
        del known[DENSITY]
    if known["bits_x_tops_2022"].is_unknown:
        known["bits_x_tops_2022"] = ABOVE_ZERO  # unknown, and not to be taken for TPP
    datacenter = None if fact is None else frozenset({fact})
    return completed({**known, AREA: UNKNOWN, "datacenter": datacenter, **A_CHIP})


def code_of(paragraphs: tuple[str, ...], outcome: Outcome) -> int:
    """Write an outcome as a number."""
    met = sum(1 << place for place, paragraph in enumerate(paragraphs) if paragraph in outcome.certain)
    return STATUSES.index(outcome.status) << len(paragraphs) | met
