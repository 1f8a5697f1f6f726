"""What the numbers of a file rest on: source, locator, and how sure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

from perfcore.items import Item, tpp_of
from perfcore.reader import SPECS, read_toml
from perfcore.terms import FORMATS, weakest

# What the dies of a package add up to, and from which key.
_OF_DIES = {"applicable_die_area_mm2": "area_mm2", "transistors_billion": "transistors_billion"}


class Cited(Protocol):
    """Anything read from a file with evidence."""

    @property
    def document(self) -> Mapping[str, Any]:
        """What the file holds."""


class Support(NamedTuple):
    """The weakest mark a metric rests on, and the evidence that carries it."""

    mark: str
    source: str
    locator: str
    note: str


@cache
def sources() -> Mapping[str, Any]:
    """Return every document of ``specs/sources.toml`` by its id."""
    return read_toml(SPECS / "sources.toml")


def entry_for(item: Cited, path: str) -> Mapping[str, Any] | None:
    """Return the piece of evidence whose key is the longest that covers a path."""
    best: Mapping[str, Any] | None = None
    length = -1
    for entry in item.document.get("evidence", ()):
        for key in entry.get("keys", ()):
            if covers(key, path) and len(key) > length:
                best, length = entry, len(key)
    return best


def covers(key: str, path: str) -> bool:
    """Whether evidence for a key speaks of a path; ``die`` and ``die.area_mm2`` mean every die.

    >>> covers("die", "die.2.area_mm2"), covers("die.1", "die.2.area_mm2"), covers("die.area_mm2", "die.2.area_mm2")
    (True, False, True)
    """
    every = ".".join(part for part in path.split(".") if not part.isdigit())
    return any(whole == key or whole.startswith(key + ".") for whole in (path, every))


def leaves(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each number of a file (intervals whole) with its path, and the datacenter fact."""
    for key, value in document.items():
        here = f"{path}.{key}" if path else key
        if key in ("evidence", "conflict", "aliases", "used_in", "default_for", "variants"):
            continue
        if isinstance(value, list):
            for place, entry in enumerate(value, 1):
                yield from leaves(entry, f"{here}.{place}")
        elif isinstance(value, dict) and set(value) != {"low", "high"}:
            yield from leaves(value, here)
        elif key not in ("count", "packages_per_board", "parts") and (
            key == "datacenter" or not isinstance(value, str | bool)
        ):
            yield here, value


def paths_of(item: Item, metric: str) -> list[str]:
    """Return the paths a metric of an item is made of."""
    if metric in item.given:
        return [metric]
    document = item.document
    if metric in ("tpp", "bits_x_tops_2022"):
        return [f"peak_dense_tflops.{name}" for name in _deciding_formats(item)]
    if metric in _OF_DIES:
        dies = enumerate(document.get("die", ()), 1)
        key = _OF_DIES[metric]
        return [f"die.{place}.{key}" for place, die in dies if key in die and die.get("transistor") != "planar"]
    if metric == "io_bandwidth_gb_s":
        return [
            f"link.{n}.bandwidth_gb_s" for n, link in enumerate(document.get("link", ()), 1) if "bandwidth_gb_s" in link
        ]
    if metric == "performance_density":
        parts = [part for part in ("tpp", "applicable_die_area_mm2") if part not in item.facts]
        return [path for part in parts for path in paths_of(item, part)]
    if metric == "dram_bandwidth_gb_s":
        return ["memory.bandwidth_gb_s"] if item.kind == "chip" else ["bandwidth_gb_s"]
    if metric == "hbm_bandwidth_density_gb_s_mm2":
        return ["bandwidth_gb_s", "area_mm2"]
    return [metric] if metric in document else []


def _deciding_formats(item: Item) -> list[str]:
    """Return the formats whose product is, or may be, the highest."""
    each = {name: tpp_of({name: rate}, FORMATS) for name, rate in (item.rates or {}).items()}
    if not each:
        return []
    best = max(interval.low for interval in each.values())
    return [name for name, interval in each.items() if interval.high is None or interval.high >= best]


def support(item: Item, metric: str) -> Support | None:
    """Return what a metric rests on: the weakest mark among the numbers that make it up."""
    entries = [entry for path in paths_of(item, metric) if (entry := entry_for(item, path)) is not None]
    marked = [entry for entry in entries if "mark" in entry]
    if not marked:
        return None
    mark = weakest([entry["mark"] for entry in marked])
    entry = next(entry for entry in marked if entry["mark"] == mark)
    return Support(mark, entry.get("source", ""), entry.get("locator", ""), entry.get("note", ""))
