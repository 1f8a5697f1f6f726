"""What if a chip had other memory: its file with N stacks of a part of the catalogue in place of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from perfcore import chips
from perfcore.chips import Item
from perfcore.errors import PerfcoreError
from perfcore.quantity import interval_of, plain, scaled

__all__ = ["Memory", "memory_of", "read_swap", "swapped"]

MOST_STACKS = 64
GENERATIONS = "hbm2, hbm2e, hbm3, hbm3e, hbm4"


@dataclass(frozen=True)
class Memory:
    """DRAM of a package: numbers, intervals ``{low, high}`` or None where unknown; ``part`` of a what-if."""

    type: str | None
    stacks: int | None
    bandwidth_gb_s: Any
    capacity_gb: Any
    part: str | None = None


@dataclass(frozen=True)
class Swap:
    """A part of ``specs/memory`` and how many stacks of it; None: as many as the chip has."""

    text: str
    part: Item
    stacks: int | None


def read_swap(text: str) -> Swap:
    """Read ``PART`` or ``PART:STACKS``; a generation stands for the part that goes by its name.

    >>> swap = read_swap("hbm3e:6")
    >>> swap.part.id, swap.stacks
    ('micron_hbm3e_8hi', 6)

    Raises
    ------
    PerfcoreError
        If there is no such part, or the number of stacks is none.
    """
    allowed = "a part of the catalogue and a number of stacks, such as hbm3e:6"
    if not isinstance(text, str):
        raise PerfcoreError(f"--memory: found {text!r}; allowed: {allowed}")
    name, colon, count = text.partition(":")
    if colon and not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_STACKS):
        said = f"--memory: found {count[:20]!r} stacks in {text[:40]!r}"
        raise PerfcoreError(f"{said}; allowed: a whole number from 1 to {MOST_STACKS}, as in hbm3e:6")
    if not name.strip():
        raise PerfcoreError(f"--memory: found {text[:40]!r}; allowed: {allowed}")
    try:
        part = chips.load(name, "memory")
    except PerfcoreError as wrong:
        raise PerfcoreError(f"--memory: {wrong}; generations are {GENERATIONS}") from None
    if part.kind != "memory":
        raise PerfcoreError(f"--memory: {name} is a {part.kind}; allowed: {allowed}")
    if "bandwidth_gb_s" not in part.document:
        raise PerfcoreError(f"--memory: {part.name} has no bandwidth_gb_s in its file; name another part")
    return Swap(text, part, int(count) if colon else None)


def memory_of(item: Item) -> Memory:
    """Return what a chip's file says of its memory."""
    table = item.document.get("memory", {})
    given = table.get("bandwidth_gb_s", item.document.get("dram_bandwidth_gb_s"))
    return Memory(
        type=table.get("type"),
        stacks=table.get("stacks"),
        bandwidth_gb_s=None if given is None else plain(interval_of(given)),
        capacity_gb=None if "capacity_gb" not in table else plain(interval_of(table["capacity_gb"])),
    )


def swapped(item: Item, swap: Swap) -> tuple[Item, Memory, list[str]]:
    """Return a chip with other memory, that memory, and what was assumed of it.

    Raises
    ------
    PerfcoreError
        If no number of stacks is given and the chip's file has none.
    """
    stacks = swap.stacks or item.document.get("memory", {}).get("stacks")
    if stacks is None:
        said = f"--memory: found {swap.text!r}, and {item.name} does not say how many stacks it has"
        raise PerfcoreError(f"{said}; give a number, as in {swap.text}:6")
    part = swap.part.document
    table: dict[str, Any] = {"type": part.get("generation", swap.part.name), "stacks": stacks}
    for key in ("bandwidth_gb_s", "capacity_gb"):
        if key in part:
            table[key] = _times(part[key], stacks)
    rest = {key: value for key, value in item.document.items() if key != "dram_bandwidth_gb_s"}
    new = replace(item, document=MappingProxyType({**rest, "memory": table, "evidence": _without_memory(rest)}))
    memory = replace(memory_of(new), part=swap.part.id)
    return new, memory, [_said(swap.part, stacks)]


def _without_memory(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the evidence of a file for all but its memory."""
    return [
        {**entry, "keys": [key for key in entry["keys"] if key.partition(".")[0] != "memory"]}
        for entry in document.get("evidence", ())
    ]


def _times(value: Any, stacks: int) -> Any:
    """Return a number of one stack for all of them, as a spec file writes it."""
    total = scaled(interval_of(value), stacks)
    assert total.high is not None  # a checked number has both ends
    return total.low if total.is_point else {"low": total.low, "high": total.high}


def _said(part: Item, stacks: int) -> str:
    """Say which part was taken and how fast products run its kind."""
    kind = part.document.get("generation", "")
    basis = part.document.get("basis", "rated")
    one = float(interval_of(part.document["bandwidth_gb_s"]).low)
    said = f"memory: {stacks} stacks of {part.name} ({part.id}), {one:g} GB/s each, {basis}"
    run = _as_operated(kind)
    if basis == "as operated" or not run:
        return said
    low, high = float(min(run)), float(max(run))
    return f"{said}; products run {kind} at {low:g}{f' to {high:g}' if high > low else ''} GB/s a stack"


def _as_operated(generation: str) -> list[Fraction]:
    """Return the rates at which products of the catalogue run a generation [GB/s a stack]."""
    parts = [chips.load(name).document for name in chips.ids("memory") if name.startswith("as_operated")]
    same = [part for part in parts if part.get("generation") == generation and "bandwidth_gb_s" in part]
    return [interval_of(part["bandwidth_gb_s"]).low for part in same]
