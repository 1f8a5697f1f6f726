"""The search: every legal plan's time and memory by the fused kernels, and the best that fits."""

import itertools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.formulas.records import Plan, Software
from perfcore.formulas.storage import Storage
from perfcore.machine import machine_of
from perfcore.plans import Table, legal_plans
from perfcore.questions import Question

__all__ = ["Found", "fastest", "load_loops", "search"]

Floats = NDArray[np.float64]
SMALL = 64  # plans that plain Python answers sooner than compiled code is loaded; loaded, that is always sooner
CHUNK = 32_768
STORAGES = tuple(itertools.product((0.0, 1.0), (1.0, 2.0)))  # least of shard and 1, of pp and 2: what is kept differs
KEPT = 16_384  # searches remembered, about 3 kB each


@dataclass(frozen=True)
class Found:
    """Every legal plan with its time (infinite where it does not fit) and memory."""

    table: Table
    raw: Floats  # time of every plan, whether it fits or not
    times: Floats
    memory: Floats
    seconds: float

    @property
    def best(self) -> int | None:
        """Return the row of the fastest plan that fits; the first of equals."""
        if not len(self.times):
            return None
        row = int(np.argmin(self.times))
        return row if np.isfinite(self.times[row]) else None

    @property
    def order(self) -> list[int]:
        """Return the rows that fit, the fastest first, one of each time and memory."""
        rows = np.argsort(self.times, kind="stable")
        rows = rows[np.isfinite(self.times[rows])][:2000]
        seen: set[tuple[float, float]] = set()
        distinct = []
        for row in rows:
            key = (float(self.times[row]), float(self.memory[row]))
            if key not in seen:
                seen.add(key)
                distinct.append(int(row))
        return distinct

    @property
    def front(self) -> list[int]:
        """Return the rows that no other beats in both time and memory, the fastest first."""
        rows = np.lexsort((self.memory, self.times))
        rows = rows[np.isfinite(self.times[rows])]
        least = np.minimum.accumulate(self.memory[rows])
        better = np.concatenate(([True], self.memory[rows][1:] < least[:-1])) if len(rows) else np.array([], bool)
        return [int(row) for row in rows[better]]

    def question(self, base: Question, row: int) -> Question:
        """Return a question with the plan of a row."""
        return replace(base, plan=self.table.plan(row), embedding_layers=float(self.table.dealt[row]))


def search(
    base: Question,
    ranks: int,
    given: Mapping[str, float],
    progress: Callable[[str], None] | None = None,
    threads: int = 1,
) -> Found:
    """Evaluate every legal plan that agrees with what is given.

    The answer does not depend on the number of threads: each writes its own rows.
    """
    domain = base.setting.system.domain_chips * base.setting.devices
    table = legal_plans(base.model, base.work, ranks, domain, given)
    count = len(table)
    if count == 0:
        nothing = np.empty(0)
        return Found(table, nothing, nothing, nothing, 0.0)
    loaded = load_loops.cache_info().currsize > 0
    evaluate = _in_python if count <= SMALL and not loaded else _compiled(progress)
    start = time.perf_counter()
    raw, memory = np.empty(count), np.empty(count)
    chunks = [slice(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: evaluate(base, table, part, raw, memory), chunks))
    else:
        for part in chunks:
            evaluate(base, table, part, raw, memory)
    capacity = base.machine().memory_bytes
    times = np.where(memory <= capacity, raw, np.inf)
    return Found(table, raw, times, memory, time.perf_counter() - start)


@dataclass(frozen=True)
class _Searched:
    """A search, equal to another where every number that it reads is equal."""

    numbers: tuple[Any, ...]
    base: Question = field(compare=False)
    ranks: int
    given: tuple[tuple[str, float], ...]


def fastest(base: Question, ranks: int, given: Mapping[str, float]) -> tuple[Question, float] | None:
    """Return the fastest plan that fits as a question, and its time [s]; None where there is none.

    The last searches are remembered: questions of matching that share a chip, a model and a batch ask for many again.
    """
    kept = tuple(_storage(base, shard, stages) for shard, stages in STORAGES)
    domain = base.setting.system.domain_chips * base.setting.devices
    numbers = (base.model, base.work, domain, base.machine(), base.soft(), kept)
    found = _fastest(_Searched(numbers, base, ranks, tuple(sorted(given.items()))))
    if found is None:
        return None
    plan, dealt, step_s = found
    return replace(base, plan=plan, embedding_layers=dealt), step_s


@lru_cache(maxsize=KEPT)
def _fastest(asked: _Searched) -> tuple[Plan, float, float] | None:
    found = search(asked.base, asked.ranks, dict(asked.given))
    if found.best is None:
        return None
    return found.table.plan(found.best), float(found.table.dealt[found.best]), float(found.times[found.best])


def _in_python(base: Question, table: Table, part: slice, raw: Floats, memory: Floats) -> None:
    from perfcore.formulas.footprint import memory_bytes
    from perfcore.formulas.step import step_time

    machine, soft = base.machine(), base.soft()
    for row in range(part.start, part.stop):
        plan, dealt = table.plan(row), float(table.dealt[row])
        raw[row] = step_time(base.model, plan, base.work, dealt, machine, soft).time_s
        kept = replace(base, plan=plan, embedding_layers=dealt).storage()
        memory[row] = memory_bytes(base.model, plan, base.work, kept)


def _compiled(progress: Callable[[str], None] | None) -> Callable[..., None]:
    if progress:
        progress("loading the search")
    from perfcore import kernels

    if progress and kernels.is_cold():
        progress("compiling the search; once for each version, a few seconds")
    loops = load_loops()
    if progress:
        progress("")

    def evaluate(base: Question, table: Table, part: slice, raw: Floats, memory: Floats) -> None:
        machine, soft = machine_of(base.setting, base.chips), base.soft()
        plans, dealt = table.plans[part], table.dealt[part]
        costs = np.empty((len(loops.COSTS), len(plans)))
        _fill_by_storage(loops, base, plans, dealt, machine, soft, costs, memory[part])
        overlaps = (soft.pipeline_overlap, soft.data_overlap)
        pp, vp, counts = (np.ascontiguousarray(plans[:, k]) for k in _columns("pp", "vp", "micro_batches"))
        loops.times(pp, vp, counts, memory[part], costs, np.inf, overlaps[0], overlaps[1], raw[part])

    return evaluate


def _columns(*names: str) -> tuple[int, ...]:
    return tuple(Plan._fields.index(name) for name in names)


def _fill_by_storage(
    loops: Any,
    base: Question,
    plans: Floats,
    dealt: Floats,
    machine: Any,
    soft: Software,
    costs: Floats,
    memory: Floats,
) -> None:
    """Fill costs and memory; what a software keeps may depend on sharding and the pipeline, so a group at a time."""
    shard_column, pp_column = _columns("shard", "pp")
    shards, pipes = np.minimum(plans[:, shard_column], 1.0), np.minimum(plans[:, pp_column], 2.0)
    for shard, stages in STORAGES:
        rows = np.flatnonzero((shards == shard) & (pipes == stages))
        if not len(rows):
            continue
        kept = _storage(base, shard, stages)
        some, mine = np.empty((len(costs), len(rows))), np.empty(len(rows))
        loops.fill(base.model, base.work, machine, soft, kept, plans[rows], dealt[rows], some, mine)
        costs[:, rows], memory[rows] = some, mine


def _storage(base: Question, shard: float, stages: float) -> Storage:
    plan = base.plan._replace(shard=shard, pp=stages)
    return replace(base, plan=plan, embedding_layers=0.0).storage()


@cache
def load_loops() -> Any:
    """Load or compile the loops, and run them once on nothing, so that this is not counted as searching."""
    from perfcore import kernels
    from perfcore.formulas.records import Machine, Model, Work
    from perfcore.kernels import search as loops

    one = np.ones(0)
    records = [kind(*(1.0,) * len(kind._fields)) for kind in (Model, Work, Machine, Software, Storage)]
    plans = np.ones((0, len(Plan._fields)))
    kernels.ready(loops.fill, *records, plans, one, np.ones((len(loops.COSTS), 0)), one.copy())
    kernels.ready(loops.times, one, one, one, one.copy(), np.ones((len(loops.COSTS), 0)), np.inf, 1.0, 1.0, one.copy())
    return loops
