"""What the page shows of the catalogue and of a user's own designs: each item under each version of ECCN 3A090."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from perfcore import chips
from perfcore.errors import PerfcoreError
from perfcore.items import Item
from perfcore.outcome import Outcome, classify
from perfcore.quantity import Interval
from perfcore.readings import Values, metrics_of
from perfcore.regions import DENSITY, density
from perfcore.rules import THE_RULE, Rule, Version, load
from perfcore.verdict import read_otherwise

__all__ = ["STATUSES", "Contested", "Entry", "catalogue", "entry_of", "middle", "own_designs", "the_rule", "versions"]

# The words of a status, and a sign that does without colour.
STATUSES = {
    "controlled": ("controlled", "■"),
    "excluded": ("excluded", "◆"),
    "not_controlled": ("not controlled", "○"),
    "undetermined": ("open", "△"),
}


class Contested(NamedTuple):
    """A contested reading of the rule, as ``perfcore check`` flags it, and the answer it would give instead."""

    reading: str
    says: str
    outcome: Outcome


@dataclass(frozen=True)
class Entry:
    """An item, what is known of it, and what each version of ECCN 3A090 says of it, oldest first.

    ``contested`` holds for each version the readings that would change its answer.
    """

    item: Item
    values: Values
    outcomes: tuple[Outcome, ...]
    contested: tuple[tuple[Contested, ...], ...]
    own: bool = False

    @property
    def anchor(self) -> str:
        """Return its name within the page."""
        return f"{'own' if self.own else 'chip'}-{chips.normal(self.item.id)}"

    def value(self, metric: str) -> Interval:
        """Return what is known of a number."""
        known = density(self.values) if metric == DENSITY else self.values[metric]
        assert isinstance(known, Interval)
        return known


def the_rule() -> Rule:
    """Return ECCN 3A090."""
    return load(THE_RULE)


def versions() -> tuple[Version, ...]:
    """Return the versions of ECCN 3A090, oldest first."""
    return the_rule().versions


def entry_of(item: Item, own: bool = False) -> Entry:
    """Decide an item under every version."""
    values = metrics_of(item)
    outcomes = tuple(classify(version, values) for version in versions())
    contested = tuple(
        tuple(
            Contested(reading.id, reading.says, then)
            for reading, _, then in read_otherwise(item, version, values)
            if then.status != now.status
        )
        for version, now in zip(versions(), outcomes, strict=True)
    )
    return Entry(item, values, outcomes, contested, own)


@cache
def catalogue(kind: str = "chip") -> tuple[Entry, ...]:
    """Return every chip, or memory part, of the catalogue."""
    return tuple(entry_of(chips.load(item_id, kind)) for item_id in chips.ids(kind))


def own_designs(paths: Iterable[str | Path]) -> tuple[Entry, ...]:
    """Return a user's own files, all their mistakes named at once.

    Raises
    ------
    PerfcoreError
        If a file is not that of a chip or memory part, or names are twice the same.
    """
    found: list[Entry] = []
    lines: list[str] = []
    for path in paths:
        try:
            item = chips.from_file(Path(path))
            if item.kind not in ("chip", "memory"):
                raise PerfcoreError(f"{path}: this is a {item.kind}; the page takes chips and memory parts")
            entry = entry_of(item, own=True)
            if entry.anchor in {other.anchor for other in found}:
                raise PerfcoreError(f"{path}: another file goes by the name {item.id!r} too; rename one")
            found.append(entry)
        except PerfcoreError as mistake:
            lines += mistake.lines
    if lines:
        raise PerfcoreError(lines)
    return tuple(found)


def middle(interval: Interval) -> float | None:
    """Return the middle of what is known, on a logarithmic scale; None where an end is open."""
    if interval.high is None or interval.low <= 0:
        return None
    return math.sqrt(interval.low * interval.high)
