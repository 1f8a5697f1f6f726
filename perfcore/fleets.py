"""Two kinds of chips in one training run: each takes a part of the batch, and the step waits for the slower."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from perfcore.clusters import Cluster, Point
from perfcore.formulas.records import Work
from perfcore.spoken import plan_words

__all__ = ["beside"]

PARTS = 16  # the batch is dealt in sixteenths


def splits(batch: float) -> Iterator[tuple[float, float]]:
    """Yield how a batch is dealt to two fleets, in whole sequences.

    >>> list(splits(4.0))
    [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]
    """
    parts = min(PARTS, int(batch))
    for k in range(1, parts):
        first = float(round(batch * k / parts))
        yield first, batch - first


def with_batch(side: Cluster, batch: float, extra_nodes: float) -> Cluster:
    """Return a fleet with a part of the batch, beside servers of another kind that fail too."""
    base = replace(side.base, work=Work(side.base.work.seq, batch))
    return Cluster(base, side.reliability, side.given, (), None, side.progress, extra_nodes)


def beside(
    other: Cluster, extra: Cluster, extra_chips: int, useful_tokens_per_s: float, most: int
) -> dict[str, Any] | None:
    """Return the fewest chips of ``other`` that reach a speed beside ``extra_chips`` of another kind; None if none do.

    Gradients are summed once over both fleets, at the rate of the slower network; each fleet's own plan counts that
    traffic already, the bridge between them is not counted.
    """
    batch = other.base.work.global_batch
    best: dict[str, Any] | None = None
    nodes = max(1.0, extra_chips / extra.node)
    for mine, theirs in splits(batch):
        wanted = useful_tokens_per_s * mine / batch
        limit = most if best is None else min(most, best["chips"] - 1)
        fleet = with_batch(other, mine, nodes)
        found = fleet.smallest(wanted, limit)
        if found is None:
            continue
        second = with_batch(extra, theirs, max(1.0, found.chips / other.node)).at(extra_chips)
        if second is None or second.useful_tokens_per_s < useful_tokens_per_s * theirs / batch:
            continue
        best = _words(found, second, mine, theirs)
    return best


def _words(mine: Point, theirs: Point, first: float, second: float) -> dict[str, Any]:
    return {
        "chips": mine.chips,
        "sequences": first,
        "plan": plan_words(mine.question),
        "step_time_s": max(mine.step_s, theirs.step_s),
        "beside": {
            "chip": theirs.question.setting.chip.id,
            "chips": theirs.chips,
            "sequences": second,
            "plan": plan_words(theirs.question),
        },
    }
