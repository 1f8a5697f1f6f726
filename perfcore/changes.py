"""What would change an answer: the nearest flip of a decided one, and what would settle an open one."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from perfcore.formulas import area_at_density_mm2, margin
from perfcore.outcome import UNDETERMINED, Outcome, classify, is_under
from perfcore.quantity import UNKNOWN, ZERO, Interval, Value, exactly
from perfcore.regions import ABOVE_ZERO, AREA, DENSITY, Values, cells, is_known, met, with_input
from perfcore.rules import Paragraph, Version
from perfcore.terms import FACTS

# Inputs that follow from others: what would change is said of the others.
_DERIVED = ("classified", DENSITY, "analog_bits_x_tops_2022", "total_bits_x_tops_2022")
# What an item is cannot be redesigned away.
KIND = ("digital_processing_units", "dominant_function_processing")


class Flip(NamedTuple):
    """The smallest change of one input, the others held, that gives another status.

    ``test`` says on which side of ``to`` the other status begins, in the words of a rule: for a number ``at_least``,
    ``more_than``, ``below`` or ``at_most``, for a yes-or-no fact ``is``. ``change`` is relative to the present value
    (None for a fact); it is 0 where the value stands on the line itself.
    """

    input: str
    present: Any
    to: Any
    test: str
    change: float | None
    outcome: Outcome

    @property
    def inclusive(self) -> bool:
        """Whether ``to`` itself is enough, or has to be passed."""
        return self.test not in ("more_than", "below")


def inputs_of(version: Version | None, values: Values) -> tuple[str, ...]:
    """Return the inputs the classification of such an item rests on, performance density through TPP and area."""
    if version is None:
        return ()
    words = [p for p in version.paragraphs if p.layer == "classification" and not _of_another_kind(p, values)]
    notes = [p for p in version.paragraphs if any(is_under(w.id, heading) for w in words for heading in p.excludes)]
    tested = {bound.metric for paragraph in (*words, *notes) for bound in paragraph.bounds}
    if DENSITY in tested:
        tested |= {"tpp", AREA}
    return tuple(name for name in FACTS if name in tested and name not in _DERIVED)


def _of_another_kind(paragraph: Paragraph, values: Values) -> bool:
    """Whether no alternative of a paragraph speaks of an item of this kind."""
    kinds = [[met(b, values) for b in bounds if b.metric in KIND] for bounds in paragraph.alternatives]
    return all(False in answers for answers in kinds)


def flips(version: Version | None, values: Values, now: Outcome) -> tuple[Flip, ...]:
    """Return the nearest flip by each input, the smallest relative change first."""
    if version is None or now.status == UNDETERMINED:
        return ()
    found: list[Flip] = []
    for name in inputs_of(version, values):
        value = values.get(name)
        if name in KIND or (not is_known(value) and not isinstance(value, Interval)):
            continue
        if isinstance(value, Interval):
            found += _number_flips(version, values, name, value, now)
        elif isinstance(value, frozenset) and FACTS[name].kind == "yes_no":
            other = classify(version, with_input(values, name, frozenset({True, False} - value)))
            if other.status not in (now.status, UNDETERMINED):
                present = next(iter(value))
                found.append(Flip(name, present, not present, "is", None, other))
    return tuple(sorted(found, key=lambda flip: 9.0 if flip.change is None else abs(flip.change)))


def _number_flips(version: Version, values: Values, name: str, value: Interval, now: Outcome) -> Iterator[Flip]:
    """Look from the present value outwards, both ways, for the first cell with another status."""
    if value.is_unknown or value.low == 0:
        return
    parts = cells(ABOVE_ZERO, _cuts(version, values, name))
    if value.high is not None:
        above = [part for part in parts if part.high is None or part.high > value.high]
        for part in above:
            then = classify(version, with_input(values, name, _beyond(part, value.high)))
            if then.status not in (now.status, UNDETERMINED):
                test = "more_than" if part.low_open else "at_least"
                yield Flip(name, value.high, part.low, test, _relative(part.low, value.high), then)
                break
    for part in reversed([part for part in parts if part.low < value.low]):
        then = classify(version, with_input(values, name, part))
        if then.status not in (now.status, UNDETERMINED) and part.high is not None:
            test = "below" if part.high_open else "at_most"
            yield Flip(name, value.low, part.high, test, _relative(part.high, value.low), then)
            break


def _beyond(part: Interval, present: Fraction) -> Interval:
    """Return the stretch of a cell that lies above the present value."""
    if part.low >= present:
        return part
    return Interval(present, part.high, True, part.high_open)


def _relative(to: Fraction, present: Fraction) -> float:
    return float(exactly(margin, to, present))


def _cuts(version: Version, values: Values, name: str) -> list[Fraction]:
    """Return the values of one input at which some comparison may turn, the other inputs held."""
    bounds = [b for p in version.paragraphs for b in p.bounds if isinstance(b.threshold, Fraction)]
    cuts = [b.threshold for b in bounds if b.metric == name and isinstance(b.threshold, Fraction)]
    densities = [b.threshold for b in bounds if b.metric == DENSITY and isinstance(b.threshold, Fraction)]
    if name == "tpp":
        cuts += [end * density for end in _ends(values.get(AREA)) for density in densities]
    elif name == AREA:
        at_tpp = [b.threshold for b in bounds if b.metric == "tpp" and isinstance(b.threshold, Fraction)]
        tpps = [*_ends(values.get("tpp")), *at_tpp]
        cuts += [exactly(area_at_density_mm2, tpp, density) for tpp in tpps for density in densities if density]
    elif name == "bits_x_tops_2022":
        sums = [
            b.threshold for b in bounds if b.metric == "total_bits_x_tops_2022" and isinstance(b.threshold, Fraction)
        ]
        analog = [ZERO, *_ends(values.get("analog_bits_x_tops_2022"))]
        cuts += [both - part for both in sums for part in analog]
    return [cut for cut in cuts if cut > 0]


def _ends(value: Value) -> list[Fraction]:
    if not isinstance(value, Interval):
        return []
    return [end for end in (value.low, value.high) if end]


class Settling(NamedTuple):
    """An input that is not known, and the stretches of it over which the answer would be certain."""

    input: str
    known: Value
    stretches: tuple[tuple[Any, Outcome], ...]


def settling(version: Version | None, values: Values, now: Outcome) -> tuple[Settling, ...]:
    """Return the inputs that would decide an undetermined answer, those that can alone first."""
    if version is None or now.status != UNDETERMINED:
        return ()
    found = []
    for name in inputs_of(version, values):
        value = values.get(name)
        if name in KIND or (is_known(value) and not _undefined(name, values)):
            continue
        stretches = tuple(_stretches(version, values, name, value))
        found.append(Settling(name, value, stretches))
    return tuple(sorted(found, key=lambda settled: not settled.stretches))


def _undefined(name: str, values: Values) -> bool:
    """Whether this is the area of a package without a non-planar die, whose density the law leaves open."""
    value = values.get(name)
    return name == AREA and isinstance(value, Interval) and value.high == 0


def _stretches(version: Version, values: Values, name: str, value: Value) -> Iterator[tuple[Any, Outcome]]:
    if FACTS[name].kind == "yes_no":
        for choice in (True, False):
            then = classify(version, with_input(values, name, frozenset({choice})))
            if then.status != UNDETERMINED:
                yield choice, then
        return
    domain = value if isinstance(value, Interval) else UNKNOWN
    if domain.high == 0:
        return
    if domain.low == 0:
        domain = Interval(ZERO, domain.high, True, domain.high_open)
    merged: list[tuple[Interval, Outcome]] = []
    for part in cells(domain, _cuts(version, values, name)):
        then = classify(version, with_input(values, name, part))
        if merged and merged[-1][1][:2] == then[:2]:
            before = merged.pop()[0]
            merged.append((Interval(before.low, part.high, before.low_open, part.high_open), then))
        else:
            merged.append((part, then))
    yield from ((part, then) for part, then in merged if then.status != UNDETERMINED)
