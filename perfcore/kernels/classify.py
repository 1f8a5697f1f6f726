"""Fused loops that find the cell of each design, and with it what the law says of it.

Three of them, each for the rows that the one before leaves ``AGAIN``: complete rows (no branches, at the speed of
memory), then intervals and unknowns, then, outside this module, exact arithmetic for what stands within rounding of a
threshold of performance density or cannot be read. TPP and bandwidths need no such margin: a float means the shortest
decimal that prints it, and such decimals are ordered as the floats are.

Thresholds and answers come in as arrays; nothing of the law stands here.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.answer_cells import AXES, FACTS, Answers
from perfcore.kernels import compiled
from perfcore.schema import LARGEST_NUMBER, SMALLEST_NUMBER

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Facts = NDArray[np.int8]
Words = NDArray[np.uint64]

AGAIN = 255
# Rounding of three factors and a quotient stays below four times this over two; see docs/batch.md.
NEAR = 8 * float(np.finfo(np.float64).eps)
LEAST, MOST = float(SMALLEST_NUMBER), float(LARGEST_NUMBER)
MOST_CUTS = 3
# Of the loop for complete rows: units of the last place around threshold x area that are decided again, rows of a
# block, the bit of a cell that says there is no area.
NEAR_UNITS = 8
BLOCK = 512
NO_AREA = 64


# What a quantity can be: from and to; and as words the first and how many follow.
LIMITS = np.array([LEAST, MOST])
WORD_LIMITS = np.array([LIMITS.view(np.uint64)[0], np.diff(LIMITS.view(np.uint64))[0]])


class Law(NamedTuple):
    """The answers of a version as arrays: of each cell, of each axis, and in the cells of the two fast loops."""

    answers: Answers
    cuts: Floats
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    codes: Bytes
    reads: tuple[str, ...]
    fast: tuple[Any, ...]


def law_of(answers: Answers) -> Law:
    """Lay the answers of a version out for the loops."""
    cuts = [np.array([float(cut) for cut in several]) for several in answers.cuts]
    starts = np.concatenate([[0], np.cumsum([len(several) for several in cuts])])
    reads = tuple(axis for axis, several in zip(AXES, answers.cuts, strict=True) if several)
    codes = np.array(answers.codes, dtype=np.uint8)
    fast: tuple[Any, ...] = ()
    if max(len(several) for several in cuts) <= MOST_CUTS:
        if set(reads) <= {AXES[0], AXES[1]}:
            fast = (words_of(_padded(cuts[0])), np.array(_padded(cuts[1])), _cells_of_density(answers))
        elif set(reads) <= {AXES[2], AXES[3]} and len(answers.facts) == 1:
            fast = (np.array([_padded(cuts[2]), _padded(cuts[3])]), _cells_of_rates(answers))
    return Law(answers, np.concatenate(cuts), starts, np.array(answers.sizes), codes, reads, fast)


def _padded(cuts: Floats) -> list[float]:
    """Fill up to ``MOST_CUTS`` with what no number reaches."""
    return [*cuts, *[np.inf] * (MOST_CUTS - len(cuts))]


def words_of(numbers: list[float]) -> Words:
    """Return the bits of numbers as whole numbers."""
    return np.array(numbers, dtype=np.float64).view(np.uint64)


def _cells_of_density(answers: Answers) -> Bytes:
    """Return the answer by cuts above TPP, cuts above density and fact, as ``_by_density`` writes them."""
    found = np.full((2, MOST_CUTS + 1, MOST_CUTS + 1, len(FACTS) + 1), AGAIN, dtype=np.uint8)
    tpp_cuts, density_cuts = len(answers.cuts[0]), len(answers.cuts[1])
    for step in range(tpp_cuts + 1):
        above = MOST_CUTS - step
        for fact_place, fact in enumerate(FACTS):
            for level in range(density_cuts + 1):
                found[0, above, MOST_CUTS - level, fact_place] = answers.code((step, level, 0, 0, 0), fact)
            unknown = density_cuts + 1 if density_cuts else 0
            found[1, above, :, fact_place] = answers.code((step, unknown, 0, 0, 0), fact)
    return found.ravel()


def _cells_of_rates(answers: Answers) -> Bytes:
    """Return the answer by level of I/O bandwidth and of bits x TOPS, the last level of each unknown."""
    wide = MOST_CUTS + 2
    found = np.full((wide, wide), AGAIN, dtype=np.uint8)
    sizes = answers.sizes[2:4]
    for io in range(sizes[0]):
        for bits in range(sizes[1]):
            place = tuple(
                wide - 1 if size > 1 and at == size - 1 else at for at, size in zip((io, bits), sizes, strict=True)
            )
            found[place] = answers.code((0, 0, io, bits, 0), None)
    return found.ravel()


def _by_density(
    tpp: Floats, area: Floats, fact: Facts, tpp_cuts: Words, density_cuts: Floats, limits: Words, out: Bytes
) -> None:
    """Write the cell of each row: cuts above TPP, cuts above density, fact (-1 unknown, 0 no, 1 yes).

    In blocks that stay in the cache: the steps go into a buffer first, so that what is written to memory is written in
    whole vectors. Written 8 bytes at a time it would hold up the reading.
    """
    rows = out.shape[0]
    # As whole numbers, positive floats are in the same order and a unit of the last place is 1.
    words = tpp.view(np.uint64), area.view(np.uint64)
    buffer = np.empty(BLOCK, dtype=np.uint8)
    for first in range(0, rows, BLOCK):
        last = min(first + BLOCK, rows)
        steps = buffer[: last - first]
        steps_of(words[0][first:last], words[1][first:last], area[first:last], tpp_cuts, density_cuts, limits, steps)
        with_facts(steps, fact[first:last], out[first:last])


def _steps(
    tpp: Words, area_word: Words, area: Floats, tpp_cuts: Words, density_cuts: Floats, limits: Words, out: Bytes
) -> None:
    """Write the cell of each row but for its fact, without a comparison where a subtraction's sign says the same.

    Vectors of comparisons are what a processor makes fewest of. TPP is compared with threshold x area, so nothing is
    divided. Of three sorted cuts the second sign is the 2 and the odd number of signs the 1 of how many are above.
    """
    t0, t1, t2 = tpp_cuts[0], tpp_cuts[1], tpp_cuts[2]
    d0, d1, d2 = density_cuts[0], density_cuts[1], density_cuts[2]
    least, span = limits[0], limits[1]
    word, byte, real = np.uint64, np.uint8, np.float64
    for i in range(out.shape[0]):
        x, a = tpp[i], area[i]
        # NEAR_UNITS or fewer units from a cut the difference lies between 0 and twice as many.
        shifted = x + word(NEAR_UNITS)
        p0 = shifted - real(d0 * a).view(word)
        p1 = shifted - real(d1 * a).view(word)
        p2 = shifted - real(d2 * a).view(word)
        q0, q1, q2 = x - t0, x - t1, x - t2
        cell = q1 >> word(63)
        cell = cell << word(1) | (q0 ^ q1 ^ q2) >> word(63)
        cell = cell << word(1) | p1 >> word(63)
        cell = (cell << word(1) | (p0 ^ p1 ^ p2) >> word(63)) << word(2)
        no_area = (not a > 0.0) and (not a < 0.0)  # 0 or unknown
        cell = cell | word(NO_AREA) if no_area else cell
        beyond = max(x - least, word(0) if no_area else area_word[i] - least) > span
        near = min(min(p0, p1), p2) <= word(2 * NEAR_UNITS) and not no_area
        out[i] = byte(cell) | (byte(0) - byte(beyond | near))


def _with_facts(steps: Bytes, fact: Facts, out: Bytes) -> None:
    """Add what is known of ``datacenter`` to the cells."""
    byte = np.uint8
    for i in range(out.shape[0]):
        out[i] = (steps[i] + byte(fact[i]) + byte(1)) | (byte(0) - byte(steps[i] == byte(AGAIN)))


def _by_rates(io: Floats, bits: Floats, tpp: Floats, cuts: Floats, limits: Floats, out: Bytes) -> None:
    """Write the cell of each row: level of I/O bandwidth, level of bits x TOPS, which is TPP where it is unknown."""
    i0, i1, i2 = cuts[0, 0], cuts[0, 1], cuts[0, 2]
    b0, b1, b2 = cuts[1, 0], cuts[1, 1], cuts[1, 2]
    least, most = limits[0], limits[1]
    byte = np.uint8
    for i in range(io.shape[0]):
        x, y, z = io[i], bits[i], tpp[i]
        y = y if y == y else z
        first = byte(x >= i0) + byte(x >= i1) + byte(x >= i2) + byte(x != x) * byte(4)
        second = byte(y >= b0) + byte(y >= b1) + byte(y >= b2) + byte(y != y) * byte(4)
        wrong = byte(x > most) | (byte(x < least) & byte(x != 0.0))
        wrong |= byte(y > most) | (byte(y < least) & byte(y != 0.0))
        wrong |= byte(z > most) | (byte(z < least) & byte(z != 0.0))
        out[i] = byte(first * byte(5) + second) | (byte(0) - wrong)


def _look_up(table: Bytes, codes: Bytes) -> None:
    """Put the answer of each cell in its place."""
    for i in range(codes.shape[0]):
        codes[i] = table[codes[i]]


def _mark(numbers: Floats, limits: Floats, codes: Bytes) -> None:
    """Mark the rows whose number no quantity can have."""
    least, most = limits[0], limits[1]
    byte = np.uint8
    for i in range(codes.shape[0]):
        x = numbers[i]
        codes[i] |= byte(0) - (byte(x > most) | (byte(x < least) & byte(x != 0.0)))


def _divide(tpp: Floats, area: Floats, out: Floats) -> None:
    """Write performance density, NaN where it is undefined or unknown."""
    for i in range(out.shape[0]):
        out[i] = tpp[i] / area[i] if area[i] > 0.0 else np.nan


def _level(cuts: Floats, number: float) -> int:
    found = 0
    for i in range(cuts.shape[0]):
        found += number >= cuts[i]
    return found


def _spread(cuts: Floats, low: float, high: float) -> tuple[int, int]:
    """Return the levels between two ends; one level where an axis has no cuts."""
    if cuts.shape[0] == 0:
        return 0, 0
    return level_of(cuts, low), level_of(cuts, high)


def _near(cuts: Floats, number: float, near: float) -> bool:
    found = False
    for i in range(cuts.shape[0]):
        found |= abs(number - cuts[i]) <= near * cuts[i]
    return found


def _densities(
    t: Floats, d: Floats, step: int, tpp: tuple[float, float], area: tuple[float, float], near: float
) -> tuple[int, int]:
    """Return the levels of density on one level of TPP, or -1 where an end stands at a threshold."""
    if d.shape[0] == 0:
        return 0, 0
    if area[0] == 0.0:  # undefined or unknown: any density above 0
        return 0, d.shape[0]
    first = tpp[0] if step == 0 else max(tpp[0], t[step - 1])
    last = tpp[1] if step == t.shape[0] else min(tpp[1], t[step])
    low = first / area[1]
    high = last / area[0]
    if near_any(d, low, near) or near_any(d, high, near):
        return -1, -1
    return level_of(d, low), level_of(d, high)


def _by_region(
    low: Floats,
    high: Floats,
    fact: Facts,
    cuts: Floats,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    codes: Bytes,
    facts: int,
    paragraphs: int,
    undecided: int,
    near: float,
    out: Bytes,
) -> None:
    """Write the answer of each row that is a region: what all cells it reaches share.

    ``low`` and ``high`` are rows of TPP, area, I/O, bits x TOPS, DRAM; infinite where nothing bounds them above.
    """
    t, d = cuts[starts[0] : starts[1]], cuts[starts[1] : starts[2]]
    for i in range(fact.shape[0]):
        io = spread(cuts[starts[2] : starts[3]], low[2, i], high[2, i])
        bits = spread(cuts[starts[3] : starts[4]], low[3, i], high[3, i])
        dram = spread(cuts[starts[4] : starts[5]], low[4, i], high[4, i])
        tpp = spread(t, low[0, i], high[0, i])
        first_fact, last_fact = (0, 0) if facts == 1 else ((1, 2) if fact[i] < 0 else (fact[i] + 1, fact[i] + 1))
        seen, shared, certain = np.int64(0), np.int64(-1), True
        for step in range(tpp[0], tpp[1] + 1):
            density = densities(t, d, step, (low[0, i], high[0, i]), (low[1, i], high[1, i]), near)
            certain = certain and density[0] >= 0
            for level in range(density[0], density[1] + 1 if certain else density[0]):
                for x in range(io[0], io[1] + 1):
                    for y in range(bits[0], bits[1] + 1):
                        for z in range(dram[0], dram[1] + 1):
                            place = (((step * sizes[1] + level) * sizes[2] + x) * sizes[3] + y) * sizes[4] + z
                            for f in range(first_fact, last_fact + 1):
                                code = np.int64(codes[place * facts + f])
                                seen |= np.int64(1) << (code >> paragraphs)
                                shared &= code
        if certain:
            status = 0
            while status < undecided and seen != 1 << status:
                status += 1
            out[i] = (status << paragraphs) | (shared & ((1 << paragraphs) - 1))
        else:
            out[i] = AGAIN


level_of: Any = compiled(_level)
near_any: Any = compiled(_near)
spread: Any = compiled(_spread)
densities: Any = compiled(_densities)
steps_of: Any = compiled(_steps)
with_facts: Any = compiled(_with_facts)
by_density = compiled(_by_density)
by_rates = compiled(_by_rates)
by_region = compiled(_by_region)
look_up = compiled(_look_up)
mark = compiled(_mark)
divide = compiled(_divide)
