"""The roofline of chips: roofs, ridge points, a model's operations under them, and other memory as a what-if."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfcore import chips as catalogue
from perfcore import models, systems
from perfcore.chips import Item
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Formats
from perfcore.formulas.serving import kv_bytes_per_sequence, weight_bytes
from perfcore.machine import rate_of
from perfcore.models import ModelFile
from perfcore.operation_rows import PHASES, Load
from perfcore.placements import operation_dicts
from perfcore.precisions import Precision, find_exactly, names
from perfcore.questions import plan_of
from perfcore.roofs import Level, Peak, levels, middle, peaks, ridges
from perfcore.swaps import Memory, Swap, memory_of, read_swap, swapped
from perfcore.systems import System
from perfcore.terms import FORMATS

__all__ = ["Roofline", "Rooflines", "roofline"]

USUAL_SEQ, USUAL_BATCH = 4096, 16  # taken, and said, where they are not given
MOST = 10**7
GIGA = 1e9
FILLED = 0.9  # of a chip's memory by weights and cache, when the number of chips is chosen
LARGEST_GROUP = 64  # ranks that are tried when it is


@dataclass(frozen=True)
class Roofline:
    """The roofline of one chip, or of it with other memory (``what_if``).

    ``ridge_flop_per_byte`` and the rates hold numbers, or ``{low, high}`` where the file of the chip has an interval.
    """

    chip: str
    name: str
    what_if: str | None
    precision: str
    memory: Memory
    ridge_flop_per_byte: dict[str, Any]
    peaks: list[Peak]
    roofs: list[Level]
    group: dict[str, Any] | None
    phases: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    assumptions: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return one result of the JSON document."""
        return asdict(self)

    def _repr_html_(self) -> str:
        from perfcore.notebook import rooflines_html

        return rooflines_html(Rooflines([self], "" if self.operations else None))


@dataclass(frozen=True)
class Rooflines:
    """The answer of ``perfcore roofline``, one result for each chip and each memory it is given."""

    results: list[Roofline]
    model: str | None = None
    notice: str = field(
        default="Times are sums of kernels, without gaps between them; docs/roofline.md says what is left out."
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {"model": self.model, "results": [one.to_dict() for one in self.results], "notice": self.notice}

    def _repr_html_(self) -> str:
        from perfcore.notebook import rooflines_html

        return rooflines_html(self)


def roofline(
    *chips: str | Path,
    model: str | Path | None = None,
    memory: Sequence[str] = (),
    system: str | Path | None = None,
    tp: int | None = None,
    chips_in_group: int | None = None,
    batch: int | None = None,
    seq: int | None = None,
    precision: str | None = None,
) -> Rooflines:
    """Return the rooflines of chips, each as it is and with each ``memory`` (such as ``hbm3e:6``) in place of its own.

    With a ``model``, its operations in prefill of a prompt of ``seq`` tokens, in a decode step of ``batch`` sequences
    with ``seq`` tokens each, and in a training step of ``batch`` sequences, cut over ``tp`` ranks or as many chips.

    >>> h20 = roofline("h20").results[0]
    >>> h20.ridge_flop_per_byte["bf16"], [roof.level for roof in h20.roofs]
    (37.0, ['DRAM', 'chip link', 'network'])

    Raises
    ------
    PerfcoreError
        If something is unknown, contradictory or impossible.
    """
    items = list({item.path: item for item in map(_chip, chips)}.values())  # a chip that is named twice is one
    if not items:
        raise PerfcoreError("found no chip; name at least one, such as h20")
    texts: list[Any] = list(memory) if isinstance(memory, list | tuple) else [memory]
    swaps: list[Swap | None] = [None, *map(read_swap, texts)]
    joined = systems.load(system) if system is not None else None
    known = models.load(model) if model is not None else None
    _unused(known, {"--tp": tp, "--chips": chips_in_group, "--batch": batch, "--input": seq})
    tp = _ranks(items, tp, chips_in_group)
    variants = [_variant(item, swap, joined, precision) for item in items for swap in swaps]
    load, said = (None, []) if known is None else _load(known, variants, tp, batch, seq)
    return Rooflines([_result(variant, load, said) for variant in variants], known.id if known else None)


@dataclass(frozen=True)
class _Variant:
    """A chip with its own memory or another."""

    item: Item
    text: str | None
    memory: Memory
    system: System
    named: bool
    precision: Precision | None
    said: list[str]


def _chip(name: str | Path) -> Item:
    item = catalogue.load(name)
    if item.kind not in ("chip", "part"):
        raise PerfcoreError(f"{name}: {item.name} is a {item.kind}; name a chip (other memory for one is --memory)")
    if not item.rates and "memory" not in item.document and "cache" not in item.document:
        wanted = "peak_dense_tflops, memory or cache"
        raise PerfcoreError(f"{name}: {item.name} has no roof; its file gives none of {wanted}")
    return item


def _unused(known: ModelFile | None, given: Mapping[str, int | None]) -> None:
    """A number that is given is right whether a model is or not, and says nothing without one."""
    for label, value in given.items():
        if value is not None:
            _whole(label, value)
            if known is None:
                raise PerfcoreError(f"{label}: says how a model runs; name one with --model")


def _ranks(items: list[Item], tp: int | None, chips: int | None) -> int | None:
    """Return the ranks a model is cut over, where they or the chips they are on are given."""
    if chips is None:
        return tp
    devices = {int(item.document.get("devices", 1)) for item in items}
    if len(devices) > 1:
        raise PerfcoreError("--chips: the chips hold different numbers of devices; give --tp instead")
    ranks = chips * devices.pop()
    if tp is not None and tp != ranks:
        raise PerfcoreError(f"--tp: found {tp}, and --chips {chips} makes {ranks} ranks; give one of the two")
    return ranks


def _whole(label: str, value: Any) -> int:
    """Return a whole number that a user gave."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise PerfcoreError(f"{label}: found {value!r}; allowed: a whole number from 1 to {MOST:,}")
    return value


def _variant(item: Item, swap: Swap | None, system: System | None, precision: str | None) -> _Variant:
    said: list[str] = []
    joined = system or systems.default_for(item)
    if system is None:
        said.append(f"system: {joined.name}, the default of {item.name}")
    kind = _precision(item, precision)
    memory = memory_of(item)
    if swap is not None:
        item, memory, words = swapped(item, swap)
        said += words
    return _Variant(item, swap.text if swap else None, memory, joined, system is not None, kind, said)


def _precision(item: Item, given: str | None) -> Precision | None:
    """Return the recipe of the operations: 16 bit where none is given, else the widest there is; None without any."""
    has = item.rates or {}
    if given is None:
        form = next((form for form in ("bf16", "fp16", *FORMATS) if form in has and form in names()), None)
        return find_exactly(form) if form else None
    if not isinstance(given, str):
        raise PerfcoreError(f"--precision: found {given!r}; allowed: a name")
    kind = find_exactly(given)
    rate_of(item, kind.format, strict=True)
    return kind


def _load(
    known: ModelFile, variants: list[_Variant], tp: int | None, batch: int | None, seq: int | None
) -> tuple[Load, list[str]]:
    """Return what the operations work on, the same for every chip, and what was taken for what is not given."""
    said = [f"model: {sentence}" for sentence in known.assumptions]
    length = seq if seq is not None else int(min(USUAL_SEQ, known.max_seq or USUAL_SEQ))
    if known.max_seq is not None and length > known.max_seq:
        raise PerfcoreError(
            f"--input: found {length}; {known.name} takes at most {known.max_seq:.0f} tokens; give that or less"
        )
    if seq is None:
        said.append(f"input: {length:,} tokens of a prompt, in the cache of each sequence, and of a training sequence")
    count = batch if batch is not None else USUAL_BATCH
    if batch is None:
        said.append(f"batch: {count} sequences decode at once, and make a training step")
    heads = int(known.record.heads)
    if tp is not None and heads % tp:
        raise PerfcoreError(f"--tp: found {tp}; {known.name} has {heads} heads; give a divisor of that")
    if tp is None:
        tp = _smallest_group(known, variants, count, length)
        said.append(
            f"tp: {tp} rank{'s' if tp > 1 else ''}, the least power of two that holds weights and cache on every chip"
        )
    ep = math.gcd(tp, int(known.record.experts)) if known.record.experts else 1
    return Load(known.record, count, length, tp, ep), said


def _smallest_group(known: ModelFile, variants: list[_Variant], batch: int, seq: int) -> int:
    """Return the least power of two of ranks whose memory holds weights and cache; where none does, the largest."""
    room = [_room(variant) for variant in variants if variant.memory.capacity_gb is not None]
    sizes = [n for n in (1, 2, 4, 8, 16, 32, LARGEST_GROUP) if int(known.record.heads) % n == 0]
    widest = max((v.precision.element_bytes for v in variants if v.precision is not None), default=2.0)
    formats = Formats(widest, 1.0, 2.0)
    for ranks in sizes:
        ep = math.gcd(ranks, int(known.record.experts)) if known.record.experts else 1
        plan = plan_of(tp=ranks, ep=ep)
        held = weight_bytes(known.record, plan, formats)
        held += batch * kv_bytes_per_sequence(known.record, plan, float(seq), formats)
        if held <= FILLED * min(room, default=math.inf):
            return ranks
    return sizes[-1]


def _room(variant: _Variant) -> float:
    """Return the memory of one rank [bytes]."""
    capacity = variant.memory.capacity_gb
    low = capacity["low"] if isinstance(capacity, Mapping) else capacity
    return float(low) * GIGA / int(variant.item.document.get("devices", 1))


def _result(variant: _Variant, load: Load | None, said_of_load: list[str]) -> Roofline:
    item, memory = variant.item, variant.memory
    found, missing = levels(item, memory, variant.system, variant.named)
    operations, said = ([], []) if load is None else _operations(variant, load)
    joined = any(roof.level in ("chip link", "network") for roof in found) or (load is not None and load.tp > 1)
    own = [sentence for sentence in variant.said if joined or not sentence.startswith("system:")]
    return Roofline(
        chip=item.id,
        name=item.name,
        what_if=variant.text,
        precision=variant.precision.name if variant.precision else "",
        memory=memory,
        ridge_flop_per_byte=ridges(item, memory),
        peaks=peaks(item),
        roofs=found,
        group=None if load is None else _group(item, load),
        phases=[_phase(phase, operations) for phase in PHASES if operations],
        operations=operations,
        assumptions=[*own, *missing, *said_of_load, *said],
    )


def _group(item: Item, load: Load) -> dict[str, Any]:
    """Return how the model is cut and what it is given."""
    chips = load.tp / int(item.document.get("devices", 1))
    return {"tp": load.tp, "ep": load.ep, "chips": chips, "batch": load.batch, "input": load.seq}


def _phase(phase: str, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the operations of a phase add up to on one rank."""
    own = [one for one in operations if one["phase"] == phase]
    times = [middle(one["time_s"]) for one in own]
    by_bound: dict[str, float] = {}
    for one in own:
        by_bound[one["bound"]] = by_bound.get(one["bound"], 0.0) + one["share_of_phase"]
    return {
        "phase": phase,
        "time_s": sum(times),
        "roofline_time_s": sum(middle(one["roofline_time_s"]) for one in own),
        "flop": sum(one["flop"] for one in own),
        "bytes": sum(one["bytes"] for one in own if one["over"] == "DRAM"),
        "share_by_bound": dict(sorted(by_bound.items(), key=lambda pair: -pair[1])),
    }


def _operations(variant: _Variant, load: Load) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the operations on a chip; none, and why, where its file lacks what their times need."""
    item = variant.item
    if variant.memory.bandwidth_gb_s is None:
        return [], [f"no operations: the file of {item.name} gives no memory.bandwidth_gb_s"]
    if variant.precision is None:
        rate_of(item, "bf16")  # raises, and says what the chip has
    assert variant.precision is not None
    return operation_dicts(_sized(item), variant.system, variant.precision, load)


def _sized(item: Item) -> Item:
    """Return a chip with a capacity, which times do not depend on but the record of a machine holds."""
    if "capacity_gb" in item.document.get("memory", {}):
        return item
    memory = {**item.document.get("memory", {}), "capacity_gb": 1}
    return replace(item, document=MappingProxyType({**item.document, "memory": memory}))
