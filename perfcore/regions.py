"""From what is known of an item to the points a rule has to be tried at.

Comparisons with fixed thresholds cut the values an item may have into cells, on each of which every comparison has
one answer. One sample in each cell therefore decides the whole region exactly, intervals and unknowns included. The
one derived quantity, performance density, is cut within each cell of TPP: over a connected cell of TPP and an
interval of areas it takes every value between its ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from perfcore.formulas import analog_bits_x_tops_2022, performance_density
from perfcore.quantity import UNKNOWN, ZERO, Interval, Value, common, exactly, plain, point, scaled, total
from perfcore.rules import Bound
from perfcore.terms import FACTS

DENSITY = "performance_density"
AREA = "applicable_die_area_mm2"
# Any number above 0: what performance density may be where the law leaves it undefined.
ABOVE_ZERO = Interval(ZERO, None, low_open=True)

World = dict[str, Any]
Values = Mapping[str, Value]


def cells(domain: Interval, cuts: Iterable[Fraction]) -> list[Interval]:
    """Cut a domain at some numbers into points and open stretches, in order.

    >>> [(str(c.low), str(c.high)) for c in cells(Interval(Fraction(1), Fraction(3)), [Fraction(2)])]
    [('1', '2'), ('2', '2'), ('2', '3')]
    """
    if domain.is_point:
        return [domain]
    parts = []
    low, low_open = domain.low, domain.low_open
    for cut in sorted(set(cuts)):
        if cut not in domain:
            continue
        if cut > low:
            parts.append(Interval(low, cut, low_open, True))
        parts.append(Interval(cut, cut))
        low, low_open = cut, True
    if domain.high is None or low < domain.high:
        parts.append(Interval(low, domain.high, low_open, domain.high_open))
    return parts


def sample(cell: Interval) -> Fraction:
    """Return a number of a cell.

    >>> sample(Interval(Fraction(1), Fraction(2), True, True)), sample(UNKNOWN)
    (Fraction(3, 2), Fraction(1, 1))
    """
    if cell.high is None:
        return cell.low + 1
    return cell.low if cell.low == cell.high else (cell.low + cell.high) / 2


def density_range(tpp: Interval, area: Interval) -> Interval:
    """Return the performance densities that a cell of TPP and an interval of areas allow.

    An area of 0 is a package without a non-planar die: the density is undefined there, so it may be anything.

    >>> density_range(Interval(Fraction(2400), Fraction(4800), False, True), Interval(Fraction(600), Fraction(800)))
    Interval(low=Fraction(3, 1), high=Fraction(8, 1), low_open=False, high_open=True)
    """
    if area.low == 0 and not area.low_open:
        return ABOVE_ZERO
    if tpp.is_point and area.is_point:
        return point(exactly(performance_density, tpp.low, area.low))
    low, low_open = ZERO, tpp.low > 0 or tpp.low_open
    if area.high is not None:
        low = exactly(performance_density, tpp.low, area.high)
        low_open = tpp.low_open or (area.high_open and tpp.low > 0)
    if tpp.high == 0:
        return Interval(ZERO, ZERO)
    if tpp.high is None or area.low == 0:
        return Interval(low, None, low_open)
    high = exactly(performance_density, tpp.high, area.low)
    return Interval(low, high, low_open, tpp.high_open or area.low_open)


def density(values: Values) -> Interval:
    """Return performance density as far as it is known; unknown where it is undefined."""
    tpp, area = values.get("tpp", UNKNOWN), values.get(AREA, UNKNOWN)
    assert isinstance(tpp, Interval)
    assert isinstance(area, Interval)
    given = values.get(DENSITY)
    if area.low == 0 or tpp.is_unknown:
        return given if isinstance(given, Interval) else UNKNOWN
    return _possible(density_range(tpp, area), given) or UNKNOWN


def is_impossible(values: Values) -> bool:
    """Whether TPP, area and a stated performance density contradict each other."""
    tpp, area = values.get("tpp", UNKNOWN), values.get(AREA, UNKNOWN)
    assert isinstance(tpp, Interval)
    assert isinstance(area, Interval)
    return _possible(density_range(tpp, area), values.get(DENSITY)) is None


def _possible(spread: Interval, given: Value) -> Interval | None:
    """Narrow what TPP and area allow to what is stated of the density itself."""
    return common(spread, given) if isinstance(given, Interval) else spread


def completed(values: Mapping[str, Value]) -> dict[str, Value]:
    """Fill in the measures that follow from others."""
    full = dict(values)
    names = ("bits_x_tops_2022", "analog_tops", "dram_bandwidth_gb_s", "io_bandwidth_gb_s")
    digital, analog, dram, io = (full.get(name, UNKNOWN) for name in names)
    assert isinstance(analog, Interval)
    if digital == UNKNOWN:
        digital = full.get("tpp", UNKNOWN)
    assert isinstance(digital, Interval)
    counted = scaled(analog, exactly(analog_bits_x_tops_2022, 1))
    full["bits_x_tops_2022"] = digital
    full["analog_bits_x_tops_2022"] = counted
    full["total_bits_x_tops_2022"] = total([digital, counted])
    assert isinstance(dram, Interval)
    assert isinstance(io, Interval)
    full["dram_plus_io_gb_s"] = total([dram, io])
    return full


def with_input(values: Values, name: str, value: Value) -> dict[str, Value]:
    """Return the values with one input replaced, and what follows from it.

    A density stated for the old TPP and area no longer holds.
    """
    kept = {key: known for key, known in values.items() if key != DENSITY or name not in ("tpp", AREA)}
    return completed({**kept, name: value})


def worlds(values: Values, tests: Mapping[str, tuple[Bound, ...]]) -> list[World]:
    """Return one point for each cell that the bounds cut the region of the values into."""
    found: list[World] = list(_tpp_worlds(values, tests))
    for name, bounds in tests.items():
        if name in ("tpp", DENSITY, "classified"):
            continue
        choices = _choices(values.get(name), name, bounds)
        if len(choices) == 1:
            for world in found:
                world[name] = choices[0]
        else:
            found = [world | {name: choice} for world in found for choice in choices]
    return found


def _tpp_worlds(values: Values, tests: Mapping[str, tuple[Bound, ...]]) -> Iterator[World]:
    if "tpp" not in tests and DENSITY not in tests:
        yield {}
        return
    tpp, area = values.get("tpp", UNKNOWN), values.get(AREA, UNKNOWN)
    assert isinstance(tpp, Interval)
    assert isinstance(area, Interval)
    for cell in cells(tpp, _cuts(tests.get("tpp", ()))):
        if DENSITY not in tests:
            yield {"tpp": sample(cell)}
            continue
        spread = _possible(density_range(cell, area), values.get(DENSITY))
        for part in cells(spread, _cuts(tests[DENSITY])) if spread else ():
            yield {"tpp": sample(cell), DENSITY: sample(part)}


def _cuts(bounds: Iterable[Bound]) -> list[Fraction]:
    return [bound.threshold for bound in bounds if isinstance(bound.threshold, Fraction)]


def _choices(value: Value, name: str, bounds: tuple[Bound, ...]) -> list[Any]:
    """Return the values of one fact that a rule can tell apart."""
    if FACTS[name].kind == "number":
        domain = value if isinstance(value, Interval) else UNKNOWN
        if domain.is_point:
            return [domain.low]
        return [sample(cell) for cell in cells(domain, _cuts(bounds))]
    if isinstance(value, frozenset):
        return list(value)
    if FACTS[name].kind == "yes_no":
        return [True, False]
    named = {word for bound in bounds if isinstance(bound.threshold, tuple) for word in bound.threshold}
    return [*sorted(named), "(another)"]


def met(bound: Bound, values: Values) -> bool | None:
    """Whether one bound is met: certainly, certainly not, or None if that is open."""
    answers = {bound.holds(world[bound.metric]) for world in worlds(values, {bound.metric: (bound,)})}
    return answers.pop() if len(answers) == 1 else None


def is_known(value: Value) -> bool:
    """Whether a value is a single number or word."""
    return value.is_point if isinstance(value, Interval) else plain(value) is not None
