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
    rows, dealt = [], []
    for tp, cp, pp, dp in _degrees(model, work, ranks, domain, given):
        share = int(work.global_batch) // dp
        for micro_batch in _wanted(divisors(share), given.get("micro_batch")):
            counts = share // micro_batch
            for (vp, deal), ep, mode, shard, parallel in itertools.product(
                _chunks(int(model.layers), pp, counts, given),
                _expert_degrees(model, tp * cp * dp, given),
                _wanted(range(len(MODES)), given.get("recompute")),
                _shards(pp, dp * cp, given),
                _parallels(model, tp, given),
            ):
                group = dp * cp
                kept = RECOMPUTE[MODES[mode]]
                row = (tp, pp, vp, cp, dp, ep, micro_batch, counts, shard, group, parallel, 0, *kept)
                rows.append(row)
                dealt.append(deal)
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(Plan._fields))
    return Table(table, np.array(dealt, dtype=np.float64))


def _wanted(values: "list[int] | range", wanted: float | None) -> list[int]:
    return [value for value in values if wanted is None or value == wanted]


def _degrees(
    model: Model, work: Work, ranks: int, domain: int, given: Mapping[str, float]
) -> list[tuple[int, int, int, int]]:
    """Return tp, cp, pp and dp."""
    found = []
    for tp in _wanted(divisors(ranks), given.get("tp")):
        if tp > domain or model.heads % tp or not _kv_cut(model, tp) or model.ffn % tp:
            continue
        for cp in _wanted(divisors(ranks // tp), given.get("cp")):
            if cp > 1 and work.seq % (2 * cp):
                continue
            for pp in _wanted(divisors(ranks // (tp * cp)), given.get("pp")):
                dp = ranks // (tp * cp * pp)
                if pp <= model.layers and work.global_batch % dp == 0 and given.get("dp", dp) == dp:
                    found.append((tp, cp, pp, dp))
    return found


def _kv_cut(model: Model, tp: int) -> bool:
    return model.kv_heads % tp == 0 or tp % model.kv_heads == 0


def _chunks(layers: int, pp: int, micro_batches: int, given: Mapping[str, float]) -> list[tuple[int, int]]:
    """Return vp with how layers are dealt: 0 evenly, 1 with embedding and head counted as a layer each."""
    if pp == 1:
        return [(1, 0)] if given.get("vp", 1) == 1 else []
    found = []
    for deal in (0, 1):
        slots = layers + 2 * deal
        stage = -(-slots // pp)
        even = slots % pp == 0
        if (deal and (not even or layers % pp == 0)) or layers + deal - stage * (pp - 1) < 1:
            continue
        options = divisors(stage) if even and micro_batches % pp == 0 else [1]
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
