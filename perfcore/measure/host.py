"""What the machine says of itself: CPU, cores allowed, caches, memory, load. Any of it may be missing: then unknown."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KIB = 1024
_SIZES = {"": 1, "K": KIB, "M": KIB**2, "G": KIB**3}
# What one clock tick of /proc/stat counts: user nice system idle iowait irq softirq steal.
_IDLE = (3, 4)
_COUNTED = 8


@dataclass(frozen=True)
class Cache:
    """One level of cache: bytes of one instance, the cores that share it, and how many the allowed cores reach."""

    level: int
    size: int
    shared_by: int
    instances: int


@dataclass(frozen=True)
class Host:
    """A machine as this process sees it; None or empty is unknown.

    ``cores`` are the logical cores the process may run on, ``one_a_core`` the first of each physical core among them,
    cut to what a quota of the container allows. ``memory`` and ``available`` are bytes.
    """

    name: str
    vendor: str
    cores: tuple[int, ...]
    one_a_core: tuple[int, ...]
    caches: tuple[Cache, ...]
    memory: int | None
    available: int | None
    flags: frozenset[str]

    def cache(self, level: int) -> Cache | None:
        """Return a level of cache, None where it is unknown."""
        return next((cache for cache in self.caches if cache.level == level), None)

    def to_dict(self) -> dict[str, Any]:
        """Return what a measurement keeps of the machine."""
        return {
            "name": self.name,
            "vendor": self.vendor,
            "cores": len(self.cores),
            "memory_gb": None if self.memory is None else self.memory / 1e9,
            "caches": [{"name": f"L{c.level}", "size": c.size, "instances": c.instances} for c in self.caches],
        }


def look(root: Path = Path("/"), allowed: tuple[int, ...] | None = None) -> Host:
    """Look at the machine; ``root`` and ``allowed`` stand in for it in tests."""
    described = _cpuinfo(root)
    cores = allowed or allowed_cores()
    apart = _one_a_core(root, cores)
    quota = _quota(root)
    memory, available = _memory(root)
    return Host(
        name=described.get("model name") or platform.processor() or platform.machine() or "unknown CPU",
        vendor=_vendor(described.get("vendor_id", "")),
        cores=cores,
        one_a_core=apart if quota is None else apart[: max(1, int(quota))],
        caches=_caches(root, cores),
        memory=memory,
        available=available,
        flags=frozenset((described.get("flags") or described.get("Features") or "").split()),
    )


def allowed_cores() -> tuple[int, ...]:
    """Return the logical cores this process may run on, as far as the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _cpuinfo(root: Path) -> dict[str, str]:
    """Return the lines of the first core."""
    first = _text(root / "proc/cpuinfo").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _vendor(said: str) -> str:
    return {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}.get(said, said or "unknown")


def _one_a_core(root: Path, cores: tuple[int, ...]) -> tuple[int, ...]:
    first = []
    for core in cores:
        siblings = core_list(_text(root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
        if core == min([one for one in siblings if one in cores], default=core):
            first.append(core)
    return tuple(first)


def core_list(text: str) -> tuple[int, ...]:
    """Read a list of cores as the kernel writes it.

    >>> core_list("0-2,5"), core_list("")
    ((0, 1, 2, 5), ())
    """
    found: list[int] = []
    for part in re.findall(r"\d+(?:-\d+)?", text):
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return tuple(found)


def _quota(root: Path) -> float | None:
    """Return how many cores' worth of time a container allows, None for no limit."""
    quota, _, period = _text(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if not quota:
        quota = _text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        return int(quota) / int(period)
    return None


def _memory(root: Path) -> tuple[int | None, int | None]:
    """Return all memory and what is free, in bytes: of the container where it has less."""
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE))
    total = int(found["MemTotal"]) * KIB if "MemTotal" in found else None
    free = int(found["MemAvailable"]) * KIB if "MemAvailable" in found else None
    limit = _text(root / "sys/fs/cgroup/memory.max")
    if limit.isdigit() and (total is None or int(limit) < total):
        used = _text(root / "sys/fs/cgroup/memory.current")
        left = int(limit) - int(used) if used.isdigit() else int(limit)
        return int(limit), left if free is None else min(free, left)
    return total, free


def _caches(root: Path, cores: tuple[int, ...]) -> tuple[Cache, ...]:
    """Return the levels that hold data, from what each allowed core says of its caches."""
    found: dict[int, dict[tuple[int, ...], int]] = {}
    for core in cores:
        for index in sorted((root / f"sys/devices/system/cpu/cpu{core}/cache").glob("index*")):
            level, size = _text(index / "level"), cache_bytes(_text(index / "size"))
            if level.isdigit() and size and _text(index / "type") in ("Data", "Unified"):
                sharing = core_list(_text(index / "shared_cpu_list")) or (core,)
                found.setdefault(int(level), {})[sharing] = size
    return tuple(
        Cache(level, max(kept.values()), max(len(set(sharing) & set(cores)) for sharing in kept), len(kept))
        for level, kept in sorted(found.items())
    )


def cache_bytes(text: str) -> int | None:
    """Read the size of a cache as the kernel writes it.

    >>> cache_bytes("48K"), cache_bytes("32M"), cache_bytes("?")
    (49152, 33554432, None)
    """
    read = re.fullmatch(r"(\d+)([KMG]?)", text)
    return int(read[1]) * _SIZES[read[2]] if read else None


def ticks(cores: tuple[int, ...], root: Path = Path("/")) -> tuple[int, int] | None:
    """Return the busy and all clock ticks of some cores since the start of the machine, None where unknown.

    Time that the host of a virtual machine takes away (steal) is busy time.
    """
    busy = whole = 0
    for line in _text(root / "proc/stat").splitlines():
        read = re.fullmatch(r"cpu(\d+) +([\d ]+)", line)
        if read and int(read[1]) in cores:
            spent = [int(one) for one in read[2].split()][:_COUNTED]
            whole += sum(spent)
            busy += sum(one for place, one in enumerate(spent) if place not in _IDLE)
    return (busy, whole) if whole else None


def load_between(start: tuple[int, int] | None, end: tuple[int, int] | None, own: float = 0.0) -> float | None:
    """Return the share of the cores that was busy between two counts, less ``own`` ticks; None where unknown.

    >>> load_between((100, 1000), (150, 1200)), load_between((100, 1000), (150, 1200), own=60.0)
    (0.25, 0.0)
    """
    if start is None or end is None or end[1] <= start[1]:
        return None
    return max(0.0, (end[0] - start[0] - own) / (end[1] - start[1]))
