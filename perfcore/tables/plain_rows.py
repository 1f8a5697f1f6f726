"""Rows of plain decimals, decided by the cell they lie in: exact, and many times faster than the general engine."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from functools import lru_cache
from math import prod

from perfcore.answer_cells import FACTS, Answers
from perfcore.rows import ENDS, INPUTS, UNKNOWN_CELLS, YES_NO
from perfcore.schema import MOST_DIGITS, SMALLEST_NUMBER

EXACT = Context(prec=MOST_DIGITS + 10)
# Numbers of so few digits are never too large, and their products fit the context.
PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,18})?")
AREA = "applicable_die_area_mm2"
COLUMNS = ("tpp", AREA, "io_bandwidth_gb_s", "bits_x_tops_2022", "dram_bandwidth_gb_s", "datacenter")


@lru_cache(maxsize=65536)
def plain(cell: str) -> Decimal | None:
    """Read a cell that is a plain decimal or empty; anything else is for the general reader.

    >>> plain(" 4800.10"), plain("nan")
    (Decimal('4800.10'), None)

    Raises
    ------
    ValueError
        If it is anything else.
    """
    cell = cell.strip()
    if PLAIN.fullmatch(cell):
        number = Decimal(cell)
        if number and number < SMALLEST_NUMBER:
            raise ValueError(cell)
        return number
    if cell.lower() in UNKNOWN_CELLS:
        return None
    raise ValueError(cell)


@lru_cache(maxsize=64)
def yes_no(cell: str) -> bool | None:
    """Read a cell of ``datacenter``; what is neither is for the general reader."""
    cell = cell.strip().lower()
    if cell in (*UNKNOWN_CELLS, "unknown"):
        return None
    if cell not in YES_NO:
        raise ValueError(cell)
    return YES_NO[cell]


@lru_cache(maxsize=65536)
def written(number: Decimal) -> str:
    """Write a decimal without zeros that say nothing.

    >>> written(Decimal("4800.10")), written(Decimal("0.00"))
    ('4800.1', '0')
    """
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def quotient(above: Decimal, below: Decimal) -> str:
    """Write a quotient as the decimal it is, or as near as a float can where it is none of moderate length.

    >>> quotient(Decimal(2368), Decimal(400)), quotient(Decimal(1), Decimal(3))
    ('5.92', '0.3333333333333333')
    """
    found = EXACT.divide(above, below)
    if not EXACT.flags[Inexact]:
        return format(found.normalize(EXACT), "f")
    EXACT.clear_flags()
    top, under = above.as_integer_ratio(), below.as_integer_ratio()
    return repr((top[0] * under[1]) / (top[1] * under[0]))


def decider(columns: Sequence[str], answers: Answers | None) -> Callable[[list[str]], list[str]] | None:
    """Return a function that decides the rows of a table, or None for a table of another form.

    It gives TPP, performance density, status and paragraphs as cells, and raises ``ValueError`` for a row that is for
    the general engine.
    """
    known = [name for name in columns if name in INPUTS]
    if answers is None or any(name.endswith(ENDS) or name not in COLUMNS for name in known):
        return None
    width = len(columns)
    *places, fact_place = (columns.index(name) if name in known else width for name in COLUMNS)
    code_of = _codes(answers)
    met = {code: answers.outcome(code) for code in set(answers.codes)}
    said = {code: [status, ";".join(paragraphs)] for code, (status, paragraphs) in met.items()}

    def decide(cells: list[str]) -> list[str]:
        if len(cells) != width:
            raise ValueError("cells")
        padded = [*cells, ""]  # the cell of a column that is not there
        numbers = [plain(padded[place]) for place in places]
        tpp, area = numbers[0], numbers[1]
        code = code_of(numbers, yes_no(padded[fact_place]))
        per_area = quotient(tpp, area) if tpp is not None and area else ""
        return ["" if tpp is None else written(tpp), per_area, *said[code]]

    return decide


def _codes(answers: Answers) -> Callable[[list[Decimal | None], bool | None], int]:
    """Return ``Answers.code`` for a row of numbers, with all that the rows of a table share made once."""
    cuts = [tuple(_decimal(cut) for cut in several) for several in answers.cuts]
    strides = [prod(answers.sizes[axis + 1 :]) * len(answers.facts) for axis in range(len(cuts))]
    facts = {fact: FACTS.index(fact) if len(answers.facts) > 1 else 0 for fact in FACTS}
    # In the order of COLUMNS; density, the second of the cuts, is compared as TPP with threshold x area.
    axes = [(axis, each, strides[axis]) for axis, each in enumerate(cuts) if each and axis != 1]
    densities, stride, codes = cuts[1], strides[1], answers.codes

    def code_of(numbers: list[Decimal | None], fact: bool | None) -> int:
        tpp, area = numbers[0], numbers[1]
        if numbers[3] is None:
            numbers[3] = tpp
        place = facts[fact]
        for axis, several, step in axes:
            number = numbers[axis]
            place += step * (len(several) + 1 if number is None else bisect_right(several, number))
        if densities and area:
            if tpp is None:
                raise ValueError("a region")
            place += stride * sum([tpp >= EXACT.multiply(cut, area) for cut in densities])
        elif densities:
            place += stride * (len(densities) + 1)
        return codes[place]

    return code_of


def _decimal(cut: Fraction) -> Decimal:
    """Return a threshold as the decimal that the law writes."""
    return EXACT.divide(Decimal(cut.numerator), Decimal(cut.denominator))
