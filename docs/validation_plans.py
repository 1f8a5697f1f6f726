"""How well plans are ranked, and memory: the parts of ``docs/validation.md`` that are not about step time."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import correlation, median
from typing import Any

from validation_rows import Run, runs

from perfcore.cells import Row
from perfcore.formulas.storage import GIB
from perfcore.measurements import case_of
from perfcore.questions import answer
from perfcore.validation import published

LEAST = 4  # plans of a group


@dataclass(frozen=True)
class Ranking:
    """A group of runs that differ in nothing but the plan."""

    source: str
    name: str
    chosen: str  # row of the plan predicted to be the fastest
    plans: int
    spearman: float
    regret: float  # time of the plan predicted to be the fastest over that of the fastest, less 1
    spread: float  # time of the slowest plan over that of the fastest


def rankings(one_batch: bool) -> list[Ranking]:
    """Return the groups of at least four plans of one model, sequence, chip, number of chips, precision and software.

    ``one_batch``: only plans of one batch are compared; else the batch is a part of the plan, and time is that of a
    sequence.
    """
    found: dict[tuple[Any, ...], dict[Any, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs():
        question = run.case.question
        setting, batch = question.setting, question.work.global_batch
        same = (run.case.source, run.case.chip, question.chips, setting.precision.name, setting.software.id)
        key = (*same, question.model, question.work.seq, batch if one_batch else None)
        found[key][question.plan, batch].append(run)
    return [_ranking(list(plans.values())) for plans in found.values() if len(plans) >= LEAST]


def _ranking(plans: list[list[Run]]) -> Ranking:
    first = plans[0][0]
    batches = [same[0].case.question.work.global_batch for same in plans]
    measured = [median(run.case.measured_s for run in same) / b for same, b in zip(plans, batches, strict=True)]
    # nine digits: a tie stays a tie whatever the last digits of a machine
    predicted = [
        float(f"{same[0].case.measured_s * (1.0 + same[0].fitted) / b:.9g}")
        for same, b in zip(plans, batches, strict=True)
    ]
    best = min(range(len(plans)), key=lambda i: predicted[i])
    name = f"{first.row.text('model')}, {first.case.question.chips} x {first.case.chip}"
    regret = measured[best] / min(measured) - 1.0
    order = correlation(_ranks(measured), _ranks(predicted))
    spread = max(measured) / min(measured)
    return Ranking(first.case.source, name, plans[best][0].id, len(plans), order, regret, spread)


def _ranks(values: list[float]) -> list[float]:
    """Return the place of each value, the mean of their places for equals."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


@dataclass(frozen=True)
class Memory:
    """Memory of a chip in a published run, predicted and (where it is printed) measured [GiB]."""

    id: str
    source: str
    predicted: float
    measured: float | None
    capacity: float
    ran: bool

    @property
    def fits(self) -> bool:
        """Tell whether the run is predicted to fit."""
        return self.predicted <= self.capacity


def memories() -> list[Memory]:
    """Return the memory of every published run; one that ran out of memory is asked as if it had been timed."""
    found = []
    for number, row in enumerate(published(), 1):
        ran = row.text("metric") != "oom"
        asked = row if ran else Row({**row.cells, "metric": "step_time", "step_time_s": "1e6"})
        question = case_of(asked, number).question
        predicted = answer(question).memory.total * question.setting.devices / GIB
        capacity = question.machine().memory_bytes * question.setting.devices / GIB
        measured = row.number("mem_GiB") if ran else None
        found.append(Memory(row.text("row_id"), row.text("source_id"), predicted, measured, capacity, ran))
    return found
