"""What N chips of a kind do for the training of a model at their best plan, failures counted, over every N."""

import bisect
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

from perfcore.counts import cores, divisors
from perfcore.formulas.records import Work
from perfcore.formulas.reliability import best_goodput
from perfcore.questions import Question, flop_per_step
from perfcore.searching import fastest

__all__ = ["Cluster", "Point", "Reliability"]

Progress = Callable[[str], None] | None
MOST_STAGES = 256


@dataclass(frozen=True)
class Reliability:
    """Failures of servers, and what saving and restarting cost; a rate of 0 counts no failures."""

    failures_per_1000_node_days: float
    save_s: float
    restart_s: float

    def goodput(self, nodes: float) -> float:
        """Return the share of time that ends in work kept."""
        if self.failures_per_1000_node_days == 0.0:
            return 1.0
        return best_goodput(nodes, self.failures_per_1000_node_days, self.save_s, self.restart_s)


@dataclass(frozen=True)
class Point:
    """N chips at their best plan."""

    chips: int
    question: Question
    step_s: float
    goodput: float
    statistical: float  # worth of a token in this batch over one in the model's own

    @property
    def useful_tokens_per_s(self) -> float:
        """Return the tokens a second that count, as many of the model's own batch would."""
        work = self.question.work
        return work.global_batch * work.seq / self.step_s * self.goodput * self.statistical


@dataclass
class Cluster:
    """A chip in its system with the work to do; ``given`` are parts of the plan, ``batches`` global batches to try.

    ``critical_batch`` [tokens] says from which batch on more of it is worth less.
    """

    base: Question
    reliability: Reliability
    given: Mapping[str, float] = field(default_factory=dict)
    batches: tuple[float, ...] = ()
    critical_batch: float | None = None
    progress: Progress = None
    extra_nodes: float = 0.0  # servers of other chips that fail too
    found: dict[int, Point | None] = field(default_factory=dict)

    @property
    def node(self) -> int:
        """Return the chips of a server."""
        return self.base.setting.system.chips_per_node

    def at(self, chips: int) -> Point | None:
        """Return N chips at their best plan; None where no plan is legal or none fits."""
        if chips not in self.found:
            points = [self._best(chips, batch) for batch in self.batches or (self.base.work.global_batch,)]
            real = [point for point in points if point is not None]
            self.found[chips] = max(real, key=lambda point: point.useful_tokens_per_s) if real else None
            if self.progress:
                self.progress(f"{self.base.setting.chip.id}: {len(self.found)} numbers of chips tried")
        return self.found[chips]

    def _best(self, chips: int, batch: float) -> Point | None:
        work = Work(self.base.work.seq, batch)
        base = replace(self.base, chips=chips, work=work)
        found = fastest(base, chips * base.setting.devices, self.given)
        if found is None:
            return None
        question, step_s = found
        kept = self.reliability.goodput(self.nodes(chips))
        return Point(chips, question, step_s, kept, self._worth(batch))

    def nodes(self, chips: int) -> float:
        """Return the servers that may fail."""
        return max(1.0, chips / self.node) + self.extra_nodes

    def _worth(self, batch: float) -> float:
        """Return the worth of a token in a batch over one in the model's own: 1 + B0/Bc over 1 + B/Bc."""
        if self.critical_batch is None:
            return 1.0
        own, mine = (b * self.base.work.seq / self.critical_batch for b in (self.base.work.global_batch, batch))
        return (1.0 + own) / (1.0 + mine)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Return every number of chips that some plan deals the work to, whole servers from one server on."""
        model, seq = self.base.model, int(self.base.work.seq)
        devices, domain = self.base.setting.devices, self.base.setting.system.domain_chips
        wide = [n for n in divisors(int(model.heads)) if n <= domain * devices and model.ffn % n == 0]
        cut = [n for n in divisors(seq) if n == 1 or (n <= 64 and seq % (2 * n) == 0)]
        stages = range(1, min(int(model.layers), MOST_STAGES) + 1)
        wide, cut = _only(wide, self.given.get("tp")), _only(cut, self.given.get("cp"))
        deep = _only(list(stages), self.given.get("pp"))
        copies = {n for batch in self.batches or (self.base.work.global_batch,) for n in divisors(int(batch))}
        inner = {t * c * p for t in wide for c in cut for p in deep}
        ranks = {i * d for i in inner for d in copies if i * d % devices == 0}
        chips = {n // devices for n in ranks}
        return tuple(sorted(n for n in chips if n <= self.node or n % self.node == 0))

    def least(self, useful_tokens_per_s: float) -> int:
        """Return a number of chips below which the work cannot go that fast: at the rate of large products alone."""
        machine = self.base.machine()
        rate = max(machine.gemm_flop_s, machine.wide_gemm_flop_s, machine.attention_flop_s) * self.base.setting.devices
        work = self.base.work
        per_token = flop_per_step(self.base.model, work) / (work.global_batch * work.seq)
        return math.ceil(useful_tokens_per_s * per_token / rate * (1.0 - 1e-9))

    def smallest(self, useful_tokens_per_s: float, most: int) -> Point | None:
        """Return the smallest number of chips, up to ``most``, that does so many useful tokens a second.

        Every number that a plan deals the work to is tried from ``least`` on, since more chips may do less.
        """
        start = bisect.bisect_left(self.counts, self.least(useful_tokens_per_s))
        for chips in self.counts[start : bisect.bisect_right(self.counts, most)]:
            point = self.at(chips)
            if point is not None and point.useful_tokens_per_s >= useful_tokens_per_s * (1.0 - 1e-12):
                return point
        return None

    def spread(self, low: int, high: int, most: int) -> list[int]:
        """Return up to ``most`` of the numbers from ``low`` to ``high``, evenly on a logarithmic scale."""
        inside = [n for n in self.counts if low <= n <= high]
        if len(inside) <= most:
            return inside
        wanted = [low * (high / low) ** (k / (most - 1)) for k in range(most)]
        return sorted({min(inside, key=lambda n: abs(math.log(n / w))) for w in wanted} | {inside[0], inside[-1]})

    def best(self, tried: int) -> Point | None:
        """Return the point that no number of chips passes: all of them are tried, or ``tried`` of very many."""
        if self.counts:
            chosen = self.spread(self.counts[0], self.counts[-1], tried)
            self.at(chosen[0])  # the loops are loaded once, before the threads that run them
            with ThreadPoolExecutor(cores()) as pool:
                list(pool.map(self.at, chosen))
        return self._top()

    def _top(self) -> Point | None:
        real = [point for point in self.found.values() if point is not None]
        return max(real, key=lambda point: (point.useful_tokens_per_s, -point.chips)) if real else None


def _only(values: list[int], wanted: float | None) -> list[int]:
    return [value for value in values if wanted is None or value == wanted]
