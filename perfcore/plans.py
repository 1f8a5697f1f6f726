"""Every legal way to cut a training run over some ranks, as a table of plans."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfcore.counts import divisors
from perfcore.formulas.records import Model, Plan, Work
from perfcore.questions import RECOMPUTE

__all__ = ["Table", "legal_plans"]

Floats = NDArray[np.float64]
MODES = tuple(RECOMPUTE)


@dataclass(frozen=True)
class Table:
    """Plans, a row each (columns as the record ``Plan``), and how the layers of each are dealt to stages."""

    plans: Floats
    dealt: Floats

    def __len__(self) -> int:
        return len(self.plans)

    def plan(self, row: int) -> Plan:
        """Return a row as a record."""
        return Plan(*map(float, self.plans[row]))


def legal_plans(model: Model, work: Work, ranks: int, domain: int, given: Mapping[str, float]) -> Table:
    """Return every legal plan that agrees with what is given, in a fixed order.

    Degrees divide evenly: heads over tp (inside a domain), the batch over dp and the micro-batch, layers over stages
    and chunks (embedding and head may count as one layer each), the sequence over cp, experts over ep. Interleaving
    needs whole rounds of micro-batches. Weights and gradients are sharded (2, 3) only without a pipeline.
    """
    heads: list[tuple[int, ...]] = []  # of a plan, what its cut decides; ``tails`` are the choices left to each
    tails: dict[tuple[tuple[int, ...], ...], list[tuple[float, ...]]] = {}
    for tp, cp, pp, dp in _degrees(model, work, ranks, domain, given):
        choices = (
            tuple(_expert_degrees(model, tp * cp * dp, given)),
            tuple(_wanted(range(len(MODES)), given.get("recompute"))),
            tuple(_shards(pp, dp * cp, given)),
            tuple(_parallels(model, tp, given)),
        )
        if choices not in tails:
            tails[choices] = [_tail(*one) for one in itertools.product(*choices)]
        tail = list(tails).index(choices)
        share = int(work.global_batch) // dp
        chunks = [_chunks(int(model.layers), pp, whole, given) for whole in (False, True)]
        for micro_batch in _wanted(divisors(share), given.get("micro_batch")):
            counts = share // micro_batch
            for vp, deal in chunks[counts % pp == 0]:
                heads.append((tail, deal, tp, pp, vp, cp, dp, micro_batch, counts, dp * cp))
    return _joined(heads, list(tails.values()))


TAIL = ("ep", "shard", "sequence_parallel", "schedule", *Plan._fields[12:])
HEAD = ("tp", "pp", "vp", "cp", "dp", "micro_batch", "micro_batches", "shard_group")


def _tail(ep: int, mode: int, shard: int, parallel: int) -> tuple[float, ...]:
    return (ep, shard, parallel, 0, *RECOMPUTE[MODES[mode]])


def _joined(heads: list[tuple[int, ...]], tails: list[list[tuple[float, ...]]]) -> Table:
    """Return the table of every head with every tail of its choices, in the order of the heads."""
    head = np.array(heads, dtype=np.int64).reshape(len(heads), 2 + len(HEAD))
    sizes = np.array([len(some) for some in tails], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    each = sizes[head[:, 0]]
    rows = np.repeat(np.arange(len(heads)), each)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each) + np.repeat(starts[head[:, 0]], each)
    tail = np.array([one for some in tails for one in some], dtype=np.float64).reshape(-1, len(TAIL))
    table = np.empty((len(rows), len(Plan._fields)))
    table[:, [Plan._fields.index(name) for name in HEAD]] = head[rows, 2:]
    table[:, [Plan._fields.index(name) for name in TAIL]] = tail[places]
    return Table(table, head[rows, 1].astype(np.float64))


def _wanted(values: "list[int] | range", wanted: float | None) -> list[int]:
    return [value for value in values if wanted is None or value == wanted]


def _degrees(
    model: Model, work: Work, ranks: int, domain: int, given: Mapping[str, float]
) -> list[tuple[int, int, int, int]]:
    """Return tp, cp, pp and dp."""
    every, found = divisors(ranks), []
    cuts = [cp for cp in every if cp == 1 or work.seq % (2 * cp) == 0]
    stages = [pp for pp in every if pp <= model.layers]
    for tp in _wanted(every, given.get("tp")):
        if tp > domain or model.heads % tp or not _kv_cut(model, tp) or model.ffn % tp:
            continue
        for cp in _wanted(cuts, given.get("cp")):
            if ranks % (tp * cp):
                continue
            for pp in _wanted(stages, given.get("pp")):
                dp, rest = divmod(ranks, tp * cp * pp)
                if not rest and work.global_batch % dp == 0 and given.get("dp", dp) == dp:
                    found.append((tp, cp, pp, dp))
    return found


def _kv_cut(model: Model, tp: int) -> bool:
    return model.kv_heads % tp == 0 or tp % model.kv_heads == 0


def _chunks(layers: int, pp: int, whole: bool, given: Mapping[str, float]) -> list[tuple[int, int]]:
    """Return vp with how layers are dealt: 0 evenly, 1 with embedding and head counted as a layer each.

    ``whole`` says that the micro-batches are whole rounds of the stages.
    """
    if pp == 1:
        return [(1, 0)] if given.get("vp", 1) == 1 else []
    found = []
    for deal in (0, 1):
        slots = layers + 2 * deal
        stage = -(-slots // pp)
        even = slots % pp == 0
        if (deal and (not even or layers % pp == 0)) or layers + deal - stage * (pp - 1) < 1:
            continue
        options = divisors(stage) if even and whole else [1]
        found += [(vp, deal) for vp in _wanted(options, given.get("vp"))]
    return found


def _expert_degrees(model: Model, ranks: int, given: Mapping[str, float]) -> list[int]:
    if model.experts == 0:
        return _wanted([1], given.get("ep"))
    return _wanted([ep for ep in divisors(int(model.experts)) if ranks % ep == 0], given.get("ep"))


def _shards(pp: int, ranks: int, given: Mapping[str, float]) -> list[int]:
    if ranks == 1:
        return [0] if given.get("shard", 0) in (0, 1, 2, 3) else []
    return _wanted([0, 1, 2, 3] if pp == 1 else [0, 1], given.get("shard"))


def _parallels(model: Model, tp: int, given: Mapping[str, float]) -> list[int]:
    if tp == 1:
        return [0]
    return _wanted([1] if model.experts else [0, 1], given.get("sequence_parallel"))
