"""Every legal way to serve a model on some ranks, and the best of them."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from perfcore.counts import divisors
from perfcore.formulas.records import Model, Plan
from perfcore.formulas.serving import total_s
from perfcore.questions import plan_of
from perfcore.serving_questions import ServingQuestion

__all__ = ["Loaded", "SearchedPlans", "legal_plans", "search"]


@dataclass(frozen=True)
class Loaded:
    """A plan at work: the question with its sequences, and its rate."""

    question: ServingQuestion
    step_s: float  # mean step of continuous batching, or of decode alone
    token_s: float  # time per token of a sequence, its prompt's share included
    capacity: float  # sequences that fit on a data-parallel rank
    batch: float  # sequences of all ranks together; the question holds those of the busiest

    @property
    def tokens_per_s(self) -> float:
        """Return the output tokens of all ranks in a second."""
        return self.batch / self.token_s


@dataclass(frozen=True)
class SearchedPlans:
    """What a search found: plans that fit, the fastest first; the most sequences that any plan holds."""

    found: tuple[Loaded, ...]
    evaluated: int
    seconds: float
    most: float  # sequences of all ranks together, over all plans
    least_weights: float  # bytes of the weights of a rank, over all plans


def legal_plans(model: Model, ranks: int, given: Mapping[str, int]) -> Iterator[Plan]:
    """Yield every legal plan that agrees with what is given.

    Tensor-parallel ranks divide the heads, stages are no more than the layers, and an expert group is made of whole
    tensor-parallel groups; without expert parallelism experts are cut like an MLP.

    >>> from perfcore import models
    >>> [int(plan.tp) for plan in legal_plans(models.load("llama3_8b").record, 4, {"pp": 1})]
    [1, 2, 4]
    """
    for tp in _wanted(divisors(ranks), given.get("tp")):
        if model.heads % tp or (model.expert_ffn or model.ffn) % tp:
            continue
        for pp in _wanted(divisors(ranks // tp), given.get("pp")):
            dp = ranks // (tp * pp)
            if pp > model.layers or given.get("dp", dp) != dp:
                continue
            for ep in _wanted(_expert_ranks(model, tp, dp), given.get("ep")):
                yield plan_of(tp=tp, pp=pp, dp=dp, ep=ep)


def _wanted(possible: list[int], given: int | None) -> list[int]:
    return possible if given is None else [value for value in possible if value == given]


def _expert_ranks(model: Model, tp: int, dp: int) -> list[int]:
    """Return the expert-parallel degrees: one, or whole tensor-parallel groups that share the experts evenly."""
    if not model.experts:
        return [1]
    groups = [tp * k for k in divisors(dp) if tp * k > 1 and model.experts % (tp * k) == 0]
    return [1, *groups]


def evaluated(question: ServingQuestion, static: bool) -> Loaded:
    """Return a plan at work."""
    step_s = total_s(question.decode() if static else question.continuous())
    token_s = question.batch_s() / question.output if static else step_s
    batch = question.sequences * question.plan.dp
    return Loaded(question, step_s, token_s, question.capacity(), batch)


def search(
    base: ServingQuestion,
    batch: int | None,
    limit_s: float | None,
    static: bool,
    given: Mapping[str, int],
) -> SearchedPlans:
    """Evaluate every legal plan; ``batch`` is of all ranks together, as many as fit where it is None.

    ``limit_s`` is the longest time per token that is wanted, where the batch is not given.
    """
    start = time.perf_counter()
    ranks = base.chips * base.setting.devices
    found, count, most, least = [], 0, 0.0, float("inf")
    for plan in legal_plans(base.model, ranks, given):
        count += 1
        asked = replace(base, plan=plan)
        fits = asked.capacity()
        most = max(most, fits * plan.dp)
        least = min(least, asked.weight_bytes())
        chosen = _loaded(asked, batch, fits, limit_s, static)
        if chosen is not None:
            found.append(chosen)
    found.sort(key=lambda one: -one.tokens_per_s)
    return SearchedPlans(tuple(found), count, time.perf_counter() - start, most, least)


def _loaded(
    asked: ServingQuestion, batch: int | None, fits: float, limit_s: float | None, static: bool
) -> Loaded | None:
    """Return a plan at work under its load; None where that does not fit or there is less than a sequence a rank."""
    if batch is not None:
        each = float(math.ceil(batch / asked.plan.dp))  # where replicas share unevenly, all wait for the busiest
        if batch < asked.plan.dp or each > fits:
            return None
        return replace(evaluated(asked.with_sequences(each), static), batch=float(batch))
    most = int(min(fits, asked.engine.most_sequences))
    if most < 1:
        return None
    best = evaluated(asked.with_sequences(float(most)), static)
    if limit_s is None or best.step_s <= limit_s:
        return best
    return _within(asked, most, limit_s, static)


def _within(asked: ServingQuestion, most: int, limit_s: float, static: bool) -> Loaded | None:
    """Return the largest batch whose step is short enough, by halving: a step never gets shorter with more of them."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        inside = evaluated(asked.with_sequences(float(middle)), static).step_s <= limit_s
        low, high = (middle, high) if inside else (low, middle)
    return evaluated(asked.with_sequences(float(low)), static) if low else None
