"""How chips are joined: the systems of the catalogue, a user's own, and what stands in for a chip of no system."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from perfcore import chips
from perfcore.chips import Item
from perfcore.errors import PerfcoreError
from perfcore.quantity import interval_of
from perfcore.reader import SPECS, report

__all__ = ["System", "default_for", "find", "ids", "load"]

# Its file holds what is taken for anything another file does not say.
GENERIC = "generic_server"
GB = 1e9
MICRO = 1e6
_DEFAULTS = re.compile(r"^default_for\s*=\s*\[([^\]]*)\]", re.MULTILINE)
# Tables of a system file, and what is filled in from the generic one, in words.
_FILLED = {
    ("scale_up", "latency_us"): "{0:g} us to start a collective within the domain",
    ("scale_out", "per_direction_gb_s"): "{0:g} GB/s per chip and direction between domains",
    ("scale_out", "latency_us"): "{0:g} us to start a collective between domains",
    ("host", "per_direction_gb_s"): "{0:g} GB/s per chip and direction to the host",
}


@dataclass(frozen=True)
class System:
    """How chips are joined, in SI units; bandwidths are of one chip in one direction.

    A domain is the chips that the fast links (``scale_up``) join: a server, a rack, a slice of a torus. A latency is
    the start-up time of one all-gather or reduce-scatter. ``assumptions`` says what the file leaves open and what
    was taken for it.
    """

    id: str
    name: str
    chips_per_node: int
    domain_chips: int
    scale_up_bytes_s: float
    scale_up_latency_s: float
    scale_up_topology: str
    scale_out_bytes_s: float
    scale_out_latency_s: float
    scale_out_topology: str
    host_bytes_s: float
    assumptions: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        from perfcore.notebook import system_html

        return system_html(self)


def ids() -> tuple[str, ...]:
    """Return the ids of the catalogue's systems.

    >>> "nvidia_dgx_h100" in ids()
    True
    """
    return chips.ids("system")


def find(name: str) -> str:
    """Return the id of the system a name stands for.

    >>> find("DGX H100")
    'nvidia_dgx_h100'

    Raises
    ------
    PerfcoreError
        If no system has that name.
    """
    return chips.find(name, "system")


def load(name_or_path: str | Path) -> System:
    """Load a system by any of its names, or from a TOML file.

    >>> load("dgx a100").scale_up_bytes_s
    300000000000.0

    Raises
    ------
    PerfcoreError
        If there is no such system, or the file does not say how chips are joined; all its problems at once.
    """
    item = chips.load(name_or_path, "system")
    if item.kind != "system":  # a user's file
        said = "specs/README.md shows what a system file holds"
        raise PerfcoreError(f"{name_or_path}: found a {item.kind}, which is not a system; {said}")
    return _system(item)


def _system(item: Item) -> System:
    """Read a system file; what it leaves open comes from the generic one, and is said."""
    document = item.document
    missing = []
    if "chips_per_node" not in document:
        missing.append(("chips_per_node", "is missing; say how many chips a server holds"))
    if "per_direction_gb_s" not in document.get("scale_up", {}):
        wrong = "is missing; give the GB/s of one chip in one direction over the links that join the domain"
        missing.append(("scale_up.per_direction_gb_s", wrong))
    if missing:
        raise report(item.path, missing)
    values, assumptions = _filled(document)
    up, out = document["scale_up"], document.get("scale_out", {})
    return System(
        id=item.id,
        name=item.name,
        chips_per_node=document["chips_per_node"],
        domain_chips=up.get("domain_chips", document["chips_per_node"]),
        scale_up_bytes_s=_number(up["per_direction_gb_s"]) * GB,
        scale_up_latency_s=values["scale_up", "latency_us"] / MICRO,
        scale_up_topology=up.get("topology", "switch"),
        scale_out_bytes_s=values["scale_out", "per_direction_gb_s"] * GB,
        scale_out_latency_s=values["scale_out", "latency_us"] / MICRO,
        scale_out_topology=out.get("topology", "fat_tree"),
        host_bytes_s=values["host", "per_direction_gb_s"] * GB,
        assumptions=tuple(assumptions),
        document=document,
    )


def _filled(document: Mapping[str, Any]) -> tuple[dict[tuple[str, str], float], list[str]]:
    """Return the numbers a file may leave open, and a sentence on those that it does."""
    values = {}
    open_ones = []
    for (table, key), words in _FILLED.items():
        stated = document.get(table, {}).get(key)
        number = _number(_generic().document[table][key] if stated is None else stated)
        values[table, key] = number
        if stated is None:
            open_ones.append(words.format(number))
    said = [f"the system does not say, so taken from {GENERIC}: {'; '.join(open_ones)}"] if open_ones else []
    return values, said


@cache
def _generic() -> Item:
    return chips.load(GENERIC)


def _number(value: Any) -> float:
    return float(interval_of(value).low)  # a checked system file has no intervals


def default_for(chip: str | Path | Item) -> System:
    """Return the system a chip is taken to stand in where none is named.

    >>> default_for("h100").id
    'nvidia_dgx_h100'

    A chip of no system, such as a user's own, gets servers of eight joined by its own links, and that is said.

    >>> default_for("br100").assumptions[0]
    'no system is known for biren_br100_oam_64gb: 8 chips joined by BLink, 256 GB/s per chip and direction'

    Raises
    ------
    PerfcoreError
        If there is no such chip.
    """
    item = chip if isinstance(chip, Item) else chips.load(chip)
    if item.kind not in ("chip", "part"):
        raise PerfcoreError(f"{item.id} is a {item.kind}, which is not a chip; name a chip")
    if item.id in _defaults() and item.path.is_relative_to(SPECS):
        return load(_defaults()[item.id])
    return _own_links(item)


@cache
def _defaults() -> Mapping[str, str]:
    """Map each chip to its default system, read by pattern: cheaper than parsing every file."""
    found = {}
    for system_id in chips.ids("system"):
        text = (SPECS / chips.FOLDERS["system"] / f"{system_id}.toml").read_text("utf-8")
        for chip_id in re.findall(r'"([^"]+)"', "".join(_DEFAULTS.findall(text))):
            found[chip_id] = system_id
    return found


def _own_links(item: Item) -> System:
    """Join a chip of no system by half (one direction) of the largest total of its links, or by PCIe."""
    generic = _system(_generic())
    rate, name = max(_joining(item), default=(generic.scale_up_bytes_s / GB, "a link that its file does not give"))
    joined = f"{generic.chips_per_node} chips joined by {name}, {rate:g} GB/s per chip and direction"
    said = f"no system is known for {item.id}: {joined}"
    return replace(generic, scale_up_bytes_s=rate * GB, assumptions=(said, *_filled({})[1]))


def _joining(item: Item) -> list[tuple[float, str]]:
    """Return what may join eight of a chip: one direction of each link, GB/s, and its name.

    PCIe, only where nothing else does; never a bridge, which joins two cards.
    """
    found = []
    for link in item.document.get("link", ()):
        rate = link.get("shipped_gb_s", link.get("bandwidth_gb_s"))
        if rate is not None and not link.get("to_volatile_memory") and "bridge" not in link.get("name", "").lower():
            found.append((_number(rate) * link.get("count", 1) / 2, link.get("name", "its link")))
    return [pair for pair in found if "pci" not in pair[1].lower()] or found
