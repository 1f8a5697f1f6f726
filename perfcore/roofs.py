"""The roofs over a chip: dense peaks by format, levels of memory, links; each with the source of its number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perfcore import formulas, systems
from perfcore.chips import Item
from perfcore.evidence import entry_for
from perfcore.quantity import Interval, interval_of, plain, quotient
from perfcore.swaps import Memory
from perfcore.systems import System

__all__ = ["Level", "Peak", "levels", "peaks", "ridges"]

GIGA, TERA = 1e9, 1e12


@dataclass(frozen=True)
class Peak:
    """The dense peak of a number format [10^12/s], a number or ``{low, high}``, and where it stands."""

    format: str
    peak_dense_tflops: Any
    source: dict[str, Any]


@dataclass(frozen=True)
class Level:
    """A roof that slopes: a cache, DRAM, the chip's link or the network.

    A link's bandwidth is that of one chip in one direction. ``bandwidth_gb_s`` is a number or ``{low, high}``.
    """

    level: str
    name: str
    bandwidth_gb_s: Any
    capacity_gb: Any
    unit: str
    source: dict[str, Any]


def peaks(item: Item) -> list[Peak]:
    """Return the peaks of a chip, the fastest first."""
    found = [
        Peak(form, plain(rate), _source(item, f"peak_dense_tflops.{form}")) for form, rate in (item.rates or {}).items()
    ]
    return sorted(found, key=lambda peak: -middle(peak.peak_dense_tflops))


def middle(value: Any) -> float:
    """Return a number, or the middle of an interval.

    >>> middle(3.0), middle({"low": 1.0, "high": 2.0})
    (3.0, 1.5)
    """
    return (value["low"] + value["high"]) / 2 if isinstance(value, Mapping) else float(value)


def ridges(item: Item, memory: Memory) -> dict[str, Any]:
    """Return the ridge point of each format [FLOP/B]; nothing where the bandwidth of the memory is not known."""
    if memory.bandwidth_gb_s is None:
        return {}
    bandwidth = _interval(memory.bandwidth_gb_s)
    return {form: _ridge(rate, bandwidth) for form, rate in (item.rates or {}).items()}


def _ridge(rate: Interval, bandwidth: Interval) -> Any:
    if rate.is_point and bandwidth.is_point:
        return formulas.ridge_flop_per_byte(float(rate.low) * TERA, float(bandwidth.low) * GIGA)
    ends = quotient(rate, bandwidth)
    assert ends.high is not None  # both are above 0 and end
    scale = TERA / GIGA
    return {"low": float(ends.low) * scale, "high": float(ends.high) * scale}


def _interval(value: Any) -> Interval:
    return interval_of(dict(value) if isinstance(value, Mapping) else value)


def levels(item: Item, memory: Memory, system: System, named: bool) -> tuple[list[Level], list[str]]:
    """Return the levels of a chip from the nearest to the farthest, and what is missing or was taken from elsewhere.

    ``named`` says that the user named the system: else a chip whose file has no link gets no roof for one.
    """
    found = [*_caches(item), *_dram(item, memory)]
    said = []
    if memory.bandwidth_gb_s is None:
        said.append(f"no DRAM roof: the file of {item.name} gives no memory.bandwidth_gb_s")
    if item.document.get("cache") is None:
        said.append(f"no cache roof: the file of {item.name} has no [[cache]]")
    if not named and _stands_alone(item, system):
        said.append(f"no roofs of links and network: no system is known for {item.name}, and its file has no [[link]]")
        return found, said
    said += [f"system: {sentence}" for sentence in system.assumptions]
    return [*found, *_links(item, system)], said


def _stands_alone(item: Item, system: System) -> bool:
    return system.id == systems.GENERIC and not item.document.get("link")


def _caches(item: Item) -> list[Level]:
    found = []
    for place, cache in enumerate(item.document.get("cache", ()), 1):
        if "bandwidth_gb_s" in cache:
            size = None if "capacity_mb" not in cache else middle(plain(interval_of(cache["capacity_mb"]))) / 1e3
            rate = plain(interval_of(cache["bandwidth_gb_s"]))
            source = _source(item, f"cache.{place}.bandwidth_gb_s")
            found.append(Level("cache", cache["name"], rate, size, "GB/s", source))
    return found


def _dram(item: Item, memory: Memory) -> list[Level]:
    if memory.bandwidth_gb_s is None:
        return []
    if memory.part is not None:
        source = {"mark": "derived", "source": memory.part, "locator": f"{memory.stacks} x bandwidth_gb_s"}
    elif "bandwidth_gb_s" in item.document.get("memory", {}):
        source = _source(item, "memory.bandwidth_gb_s")
    else:
        source = _source(item, "dram_bandwidth_gb_s")
    return [Level("DRAM", memory.type or "DRAM", memory.bandwidth_gb_s, memory.capacity_gb, "GB/s", source)]


def _links(item: Item, system: System) -> list[Level]:
    up, out = system.document.get("scale_up", {}), system.document.get("scale_out", {})
    own = system.id == systems.GENERIC and bool(item.document.get("link"))
    link = _source(item, "link") if own else _source(system, "scale_up.per_direction_gb_s")
    unit = "GB/s, one direction"
    name = "own links" if own else up.get("name", "link")
    return [
        Level("chip link", name, system.scale_up_bytes_s / GIGA, None, unit, link),
        Level(
            "network",
            out.get("name", "network"),
            system.scale_out_bytes_s / GIGA,
            None,
            unit,
            _source(system, "scale_out.per_direction_gb_s"),
        ),
    ]


def _source(cited: Item | System, path: str) -> dict[str, Any]:
    """Return where a number of a file comes from; nulls in a user's own file that does not say."""
    entry = entry_for(cited, path)
    if entry is None and path == "link":
        entry = entry_for(cited, "link.1.bandwidth_gb_s")
    entry = entry or {}
    return {key: entry.get(key) for key in ("mark", "source", "locator")}
