"""Rows of plain decimals, decided by the cell they lie in: exact, and many times faster than the general engine."""

import re
from collections.abc import Callable, Sequence
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from perfcore.answer_cells import Answers
from perfcore.rows import ENDS, INPUTS, UNKNOWN_CELLS, YES_NO
from perfcore.schema import MOST_DIGITS, SMALLEST_NUMBER

EXACT = Context(prec=MOST_DIGITS + 10)
# Numbers of so few digits are never too large, and their products fit the context.
PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,18})?")
AREA = "applicable_die_area_mm2"
COLUMNS = ("tpp", AREA, "io_bandwidth_gb_s", "bits_x_tops_2022", "dram_bandwidth_gb_s", "datacenter")


class PlainAnswer(NamedTuple):
    """What the output says of a row."""

    tpp: str
    density: str
    status: str
    paragraphs: tuple[str, ...]


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


def decider(columns: Sequence[str], answers: Answers | None) -> Callable[[list[str]], PlainAnswer] | None:
    """Return a function that decides the rows of a table, or None for a table of another form.

    It raises ``ValueError`` for a row that is for the general engine.
    """
    known = [name for name in columns if name in INPUTS]
    if answers is None or any(name.endswith(ENDS) or name not in COLUMNS for name in known):
        return None
    places = [columns.index(name) if name in known else None for name in COLUMNS]
    width = len(columns)
    cuts = [tuple(_decimal(cut) for cut in several) for several in answers.cuts]
    outcomes = {code: answers.outcome(code) for code in set(answers.codes)}

    def decide(cells: list[str]) -> PlainAnswer:
        if len(cells) != width:
            raise ValueError("cells")
        *numbers, fact = (None if place is None else cells[place] for place in places)
        found = [None if cell is None else plain(cell) for cell in numbers]
        known_fact = None if fact is None else yes_no(fact)
        tpp, area = found[0], found[1]
        code = answers.code(_levels(cuts, found), known_fact)
        per_area = quotient(tpp, area) if tpp is not None and area else ""
        return PlainAnswer("" if tpp is None else written(tpp), per_area, *outcomes[code])

    return decide


def _levels(cuts: list[tuple[Decimal, ...]], numbers: list[Decimal | None]) -> tuple[int, ...]:
    tpp, area, io, bits, dram = numbers
    density = len(cuts[1]) + 1 if cuts[1] else 0
    if area and cuts[1]:
        if tpp is None:
            raise ValueError("a region")
        density = sum(tpp >= EXACT.multiply(cut, area) for cut in cuts[1])
    several = ((cuts[2], io), (cuts[3], tpp if bits is None else bits), (cuts[4], dram))
    return (_level(cuts[0], tpp), density, *(_level(each, number) for each, number in several))


def _level(cuts: tuple[Decimal, ...], number: Decimal | None) -> int:
    """Return the level of a number, as ``Answers`` counts them."""
    if number is None:
        return len(cuts) + 1 if cuts else 0
    return sum(number >= cut for cut in cuts)


def _decimal(cut: Fraction) -> Decimal:
    """Return a threshold as the decimal that the law writes."""
    return EXACT.divide(Decimal(cut.numerator), Decimal(cut.denominator))
