"""Columns of designs to codes of answers: the compiled loops, and which rows exact arithmetic has to decide."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.answer_cells import STATUSES
from perfcore.kernels import ready
from perfcore.kernels.classify import (
    AGAIN,
    LEAST,
    LIMITS,
    MOST,
    NEAR,
    WORD_LIMITS,
    Law,
    by_density,
    by_rates,
    by_region,
    divide,
    look_up,
    mark,
)
from perfcore.outcome import UNDETERMINED
from perfcore.terms import FORMATS

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Rows = NDArray[np.bool_]

AREA = "applicable_die_area_mm2"
__all__ = ["AGAIN", "AREA", "REGION", "Decided", "Designs", "decide"]

REGION = ("tpp", AREA, "io_bandwidth_gb_s", "bits_x_tops_2022", "dram_bandwidth_gb_s")
# The axes of ``Law.cuts`` that are columns, by the name of the column.
_CUT_BY = {"tpp": 0, "io_bandwidth_gb_s": 2, "bits_x_tops_2022": 3, "dram_bandwidth_gb_s": 4}


class Designs(NamedTuple):
    """Columns of one stretch of a table.

    ``numbers`` holds what columns there are, by name with ``_low`` and ``_high`` for intervals, NaN where nothing is
    known. ``fact`` is ``datacenter``: -1 unknown, 0 no, 1 yes. ``wrong`` marks rows with a cell that cannot be read.
    ``wide`` names columns whose numbers may have more digits than a float; of the others a float is the number.
    """

    numbers: Mapping[str, Floats]
    fact: NDArray[np.int8]
    wrong: Rows | None = None
    wide: frozenset[str] = frozenset()


class Decided(NamedTuple):
    """The code of each row, ``AGAIN`` where exact arithmetic has to decide; the ends of TPP and of density."""

    codes: Bytes
    tpp: tuple[Floats, Floats]
    density: tuple[Floats, Floats]


def decide(designs: Designs, law: Law) -> Decided:
    """Decide what the compiled loops can.

    >>> from perfcore.answer_cells import answers_of
    >>> from perfcore.kernels.classify import law_of
    >>> from perfcore.rules import load
    >>> law = law_of(answers_of(load("us_eccn_3a090").versions[1]))
    >>> one = {"tpp": np.array([4800.0, 4800.0]), AREA: np.array([10000.0, 4800 / 5.92])}
    >>> codes = decide(Designs(one, np.array([1, 1], dtype=np.int8)), law).codes
    >>> law.answers.outcome(int(codes[0])), int(codes[1])
    (('controlled', ('3A090.a.1',)), 255)
    """
    plain = all(name in REGION for name in designs.numbers)
    if plain and law.fast:
        codes, tpp, area = _complete_rows(designs, law)
        again = np.flatnonzero(codes == AGAIN)
        if len(again):
            low, high, wrong = _region(designs, again)
            codes[again] = _regions(low, high, designs.fact[again], law, wrong)
        density = np.empty(len(codes))
        ready(divide, tpp, area, density)
        ends = (tpp, tpp), (density, density)
    else:
        low, high, wrong = _region(designs, np.arange(len(designs.fact)))
        codes = _regions(low, high, designs.fact, law, wrong)
        ends = (low[0], high[0]), _densities((low[0], high[0]), (low[1], high[1]))
    _exact_rows(designs, law, codes)
    return Decided(codes, *ends)


def _column(designs: Designs, name: str) -> Floats:
    found = designs.numbers.get(name)
    return np.full(len(designs.fact), np.nan) if found is None else found


def _complete_rows(designs: Designs, law: Law) -> tuple[Bytes, Floats, Floats]:
    """Run the loop without branches over the columns that the law reads, then look at what it does not read."""
    codes = np.empty(len(designs.fact), dtype=np.uint8)
    tpp, area = _column(designs, "tpp"), _column(designs, AREA)
    if len(law.fast) == 3:
        tpp_cuts, density_cuts, cells = law.fast
        ready(by_density, tpp, area, designs.fact, tpp_cuts, density_cuts, WORD_LIMITS, codes)
        read: tuple[str, ...] = ("tpp", AREA)
    else:
        cuts, cells = law.fast
        io = _column(designs, "io_bandwidth_gb_s")
        bits = designs.numbers.get("bits_x_tops_2022", tpp)
        ready(by_rates, io, bits, tpp, cuts, LIMITS, codes)
        read = ("tpp", "io_bandwidth_gb_s", "bits_x_tops_2022")
    table = np.full(256, AGAIN, dtype=np.uint8)
    table[: len(cells)] = cells
    ready(look_up, table, codes)
    for name, numbers in designs.numbers.items():
        if name not in read:
            ready(mark, numbers, LIMITS, codes)
    return codes, tpp, area


def unusable(numbers: Floats) -> Rows:
    """Return which numbers no quantity can have: negative, infinite, too large or too small (not NaN, not 0)."""
    found: Rows = (numbers > MOST) | ((numbers < LEAST) & (numbers != 0))
    return found


def _regions(low: Floats, high: Floats, fact: NDArray[np.int8], law: Law, wrong: Rows) -> Bytes:
    """Run the loop over regions."""
    codes = np.empty(len(fact), dtype=np.uint8)
    answers = law.answers
    shape: tuple[Any, ...] = (len(answers.facts), len(answers.paragraphs), STATUSES.index(UNDETERMINED), NEAR)
    ready(by_region, low, high, np.ascontiguousarray(fact), law.cuts, law.starts, law.sizes, law.codes, *shape, codes)
    codes[wrong] = AGAIN
    return codes


def _region(designs: Designs, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Rows]:
    """Return the least and the greatest that some rows allow of each quantity, and the rows to be read exactly."""
    wrong = np.zeros(len(rows), dtype=np.bool_)
    low, high = np.zeros((len(REGION), len(rows))), np.full((len(REGION), len(rows)), np.inf)
    for place, name in enumerate(REGION):
        low[place], high[place] = _ends(designs, name, rows, wrong)
    _with_rates(designs, rows, low[0], high[0], wrong)
    unknown = (low[3] == 0) & np.isinf(high[3])  # bits x TOPS equals TPP where it is not given
    low[3], high[3] = np.where(unknown, low[0], low[3]), np.where(unknown, high[0], high[3])
    return low, high, wrong


def _ends(designs: Designs, name: str, rows: NDArray[np.intp], wrong: Rows) -> tuple[Floats, Floats]:
    """Return the ends of one quantity: the cell, or the interval from the _low and _high cells; both must agree."""
    given = [designs.numbers.get(name + end) for end in ("", "_low", "_high")]
    value, low, high = (np.full(len(rows), np.nan) if each is None else each[rows] for each in given)
    for each in (value, low, high):
        wrong |= unusable(each)
    spans = ~(np.isnan(low) & np.isnan(high))
    low, high = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)
    known = ~np.isnan(value)
    wrong |= spans & ((low > high) | (known & ((value < low) | (value > high))))
    return np.where(known, value, low) + 0.0, np.where(known, value, high) + 0.0


def _with_rates(designs: Designs, rows: NDArray[np.intp], low: Floats, high: Floats, wrong: Rows) -> None:
    """Narrow TPP to the highest over the formats of the table; where both are given, only plain numbers compare."""
    formats = [(name, bits) for name, bits in FORMATS.items() if _has_rate(designs, name)]
    if not formats:
        return
    ends = [_ends(designs, f"peak_dense_{name}_tflops", rows, wrong) for name, _ in formats]
    least = np.max([each[0] * bits for each, (_, bits) in zip(ends, formats, strict=True)], axis=0)
    most = np.max([each[1] * bits for each, (_, bits) in zip(ends, formats, strict=True)], axis=0)
    given = ~((low == 0) & np.isinf(high))
    plain = _is_plain(low) & _is_plain(high)
    for each in ends:
        plain &= _is_plain(each[0]) & _is_plain(each[1])
    wrong |= given & ~plain
    np.maximum(low, least, out=low)
    np.minimum(high, most, out=high)
    wrong |= low > high


def _has_rate(designs: Designs, name: str) -> bool:
    return any(f"peak_dense_{name}_tflops{end}" in designs.numbers for end in ("", "_low", "_high"))


def _is_plain(numbers: Floats) -> Rows:
    """Return which numbers a float holds to the last digit, and their products with a bit length too."""
    found: Rows = np.isinf(numbers) | ((numbers < 2.0**36) & (numbers * 16 == np.rint(numbers * 16)))
    return found


def _densities(tpp: tuple[Floats, Floats], area: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Return the ends of performance density, NaN where it is undefined or unknown."""
    with np.errstate(all="ignore"):
        known = (area[0] > 0) & ~((tpp[0] == 0) & np.isinf(tpp[1]))
        return np.where(known, tpp[0] / area[1], np.nan), np.where(known, tpp[1] / area[0], np.nan)


def _exact_rows(designs: Designs, law: Law, codes: Bytes) -> None:
    """Leave to exact arithmetic what cannot be read, and what a float cannot tell from a threshold."""
    if designs.wrong is not None:
        codes[designs.wrong] = AGAIN
    for name in designs.numbers:
        rate = name.startswith("peak_dense_")
        if not rate and name not in designs.wide:
            continue
        base = "tpp" if rate else name.removesuffix("_low").removesuffix("_high")
        axes = [_CUT_BY[base]] if base in _CUT_BY else []
        axes += [_CUT_BY["bits_x_tops_2022"]] if base == "tpp" else []
        bits = FORMATS[name.split("_")[2]] if rate else 1
        for axis in axes:
            for cut in law.cuts[law.starts[axis] : law.starts[axis + 1]]:
                codes[np.abs(designs.numbers[name] * bits - cut) <= NEAR * cut] = AGAIN
