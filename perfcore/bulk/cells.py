"""The cells of a question: text in, the arguments of its command out, and every cell that cannot be read."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from perfcore.bulk.kinds import KINDS, NUMBER, PRICES, TEXT, WHOLE, YES_NO
from perfcore.counts import LARGEST
from perfcore.rows import UNKNOWN_CELLS, RowError
from perfcore.rows import YES_NO as WORDS

__all__ = ["read", "written"]

NO_TEXT = tuple(word for word in UNKNOWN_CELLS if word != "none")  # which recompute may be


def read(kind: str, columns: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, Any], list[RowError]]:
    """Read a row into what is given, an empty cell as not given, with every cell that is wrong.

    >>> read("train", ("model", "chip", "chips", "tp"), ("llama3_8b", "h100", "8.0", ""))
    ({'model': 'llama3_8b', 'chip': 'h100', 'chips': 8}, [])
    """
    if len(cells) != len(columns):
        return {}, [RowError("", str(len(cells)), f"cells; the table has {len(columns)} columns")]
    given: dict[str, Any] = {}
    wrong: list[RowError] = []
    known = KINDS[kind].columns
    for name, said in zip(columns, cells, strict=True):
        if name not in known:
            continue
        cell = said.strip()
        try:
            value = _READERS[known[name]](cell)
        except ValueError as problem:
            wrong.append(RowError(name, cell[:60], str(problem)))
            continue
        if value is not None:
            given[name] = value
        elif name in KINDS[kind].needed:
            wrong.append(RowError(name, cell[:60], "is not given; a question needs it"))
    return given, wrong


def _text(cell: str) -> str | None:
    return None if cell.lower() in NO_TEXT else cell


def _decimal(cell: str, allowed: str) -> Decimal | None:
    """Read the decimal that is written."""
    if cell.lower() in UNKNOWN_CELLS:
        return None
    try:
        if "_" in cell or not cell.isascii():
            raise InvalidOperation
        number = Decimal(cell)
    except InvalidOperation:
        raise ValueError(f"allowed: {allowed}, without separators, or an empty cell") from None
    if not number.is_finite():
        raise ValueError(f"allowed: {allowed}, or an empty cell")
    return number


def _whole(cell: str) -> int | None:
    """Read a whole number, also one written as 8.0 or 1e5.

    >>> _whole("16384.0"), _whole("nan")
    (16384, None)
    """
    number = _decimal(cell, "a whole number")
    if number is None:
        return None
    if number and number.adjusted() > len(str(LARGEST)):  # before it is written out
        raise ValueError(f"allowed: a whole number of at most {LARGEST:,}")
    if number != number.to_integral_value():
        raise ValueError("allowed: a whole number, or an empty cell")
    return int(number)


def _number(cell: str) -> float | None:
    number = _decimal(cell, "a number")
    value = None if number is None else float(number)
    if value in (float("inf"), float("-inf")):
        raise ValueError("allowed: a number that a float can hold")
    return value


def _yes_no(cell: str) -> bool | None:
    if cell.lower() in UNKNOWN_CELLS:
        return None
    if cell.lower() not in WORDS:
        raise ValueError("allowed: true, false, or an empty cell")
    return WORDS[cell.lower()]


def _prices(cell: str) -> dict[str, float] | None:
    """Read prices joined by a semicolon.

    >>> _prices("h100=30000;h20=12000")
    {'h100': 30000.0, 'h20': 12000.0}
    """
    if cell.lower() in UNKNOWN_CELLS:
        return None
    found = {}
    for part in cell.split(";"):
        name, _, price = part.partition("=")
        try:
            found[name.strip()] = float(price)
        except ValueError:
            raise ValueError("allowed: CHIP=USD joined by ;, such as h100=30000;h20=12000") from None
    return found


_READERS: Mapping[str, Callable[[str], Any]] = {
    TEXT: _text,
    WHOLE: _whole,
    NUMBER: _number,
    YES_NO: _yes_no,
    PRICES: _prices,
}


def written(value: Any) -> str:
    """Write a value of an answer: a number as the shortest decimal that prints it.

    >>> written(16.0), written(0.1), written(True), written(None), written(54)
    ('16', '0.1', 'true', '', '54')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)
