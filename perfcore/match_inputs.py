"""What a user gives to a matching question, checked."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from perfcore import chips as catalogue
from perfcore.counts import whole
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Work

__all__ = ["MOST_CHIPS", "batches_of", "link_cap", "link_caps", "number_of", "prices_of", "target_of"]

MOST_CHIPS = 10_000_000
# Of a failure rate or a time: beyond them intervals between failures, and what follows, are no numbers any more.
LEAST_NUMBER, MOST_NUMBER = 1e-9, 1e12
MOST_USD = 1e12


def target_of(text: Any) -> tuple[str, int]:
    """Return chip and count of a text such as ``h100:1024``.

    >>> target_of("h100:16,384")
    ('h100', 16384)

    Raises
    ------
    PerfcoreError
        If the text is none of a chip with a number.
    """
    name, colon, count = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    digits = count.strip().replace("_", "").replace(",", "")
    if not colon or not name or not digits.isdecimal():
        raise PerfcoreError(f"{text!r}: found no chip with a number; allowed: CHIP:N, such as h100:1024")
    return name, whole("the number of chips", int(digits[:400]), most=MOST_CHIPS)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number: no text, no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_of(name: str, value: Any) -> float:
    """Return a rate or a time that is not negative."""
    if not is_number(value) or not (value == 0 or LEAST_NUMBER <= value <= MOST_NUMBER):
        allowed = f"0, or a number from {LEAST_NUMBER:g} to {MOST_NUMBER:g}"
        raise PerfcoreError(f"--{name}: found {value!r}; allowed: {allowed}")
    return float(value)


def link_cap(label: str, value: Any) -> float:
    """Return a cap of a chip link [GB/s]."""
    if not is_number(value) or not 0 < value < 1e9:
        raise PerfcoreError(f"{label}: found {value!r}; allowed: GB/s above 0, both directions together")
    return float(value)


def link_caps(values: Any) -> tuple[float, ...]:
    """Return caps of a chip link [GB/s]."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise PerfcoreError(f"--links: found {values!r}; allowed: several numbers, such as (900, 400)")
    return tuple(link_cap("--links", value) for value in values)


def batches_of(work: Work, critical_batch: Any, batch_slack: Any) -> tuple[float, ...]:
    """Return the batches to try: none but the model's own, some a little larger, or up to 32 times it.

    ``batch_slack`` is the share by which a batch may be larger, tried in sixteenths of the batch; with
    ``critical_batch`` every doubling is tried too.

    >>> batches_of(Work(8192.0, 2048.0), None, 0.125)
    (2048.0, 2176.0, 2304.0)
    """
    if not is_number(batch_slack) or not 0 <= batch_slack <= 1:
        raise PerfcoreError(f"--batch-slack: found {batch_slack!r}; allowed: a share from 0 to 1")
    own = work.global_batch
    larger = [float(round(own * (16 + k) / 16)) for k in range(int(16 * batch_slack + 1e-9) + 1)]
    if critical_batch is None:
        return tuple(sorted(set(larger))) if len(larger) > 1 else ()
    if not is_number(critical_batch) or not 1 <= critical_batch < math.inf:
        raise PerfcoreError(f"--critical-batch: found {critical_batch!r}; allowed: tokens, 1 or more")
    return tuple(sorted({*larger, *(own * 2.0**k for k in range(6))}))


def prices_of(given: Any, needed: tuple[str, ...]) -> Mapping[str, float]:
    """Return prices by chip id; those of both sides where there are any."""
    if not isinstance(given, Mapping):
        raise PerfcoreError(f"prices: found {given!r}; allowed: USD by chip, such as {{'h20': 12000}}")
    found = {}
    for name, price in given.items():
        if not is_number(price) or not 0 < price < MOST_USD:
            raise PerfcoreError(f"--price: found {price!r} for {name}; allowed: CHIP=USD, such as h20=12000")
        found[catalogue.load(name).id] = float(price)
    missing = [chip for chip in needed if chip not in found]
    if found and missing:
        raise PerfcoreError(f"--price: {missing[0]} has none; a cost ratio needs the price of both sides")
    return found
