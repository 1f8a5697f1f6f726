"""Both sides of a matching question, and what is said of them: speeds, power, what binds, the curve over N."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from perfcore.clusters import Cluster, Point
from perfcore.formulas.reliability import mtti_s
from perfcore.intervals import interval
from perfcore.machine import efficiency_of, number, rate_of
from perfcore.questions import Question, answer
from perfcore.spoken import binding, plan_words, sensitivities
from perfcore.training import wanted_of

__all__ = ["Asked"]

ALL = 5000  # numbers of chips that are all tried for the ceiling; of more, this many spread evenly
SHOWN = 24  # points of the curve
PARTS = ("tp", "pp", "vp", "cp", "ep", "micro_batch", "recompute", "shard", "sequence_parallel")


@dataclass(frozen=True)
class Asked:
    """Both sides of a question, and what both share."""

    target: Cluster
    point: Point
    other: Cluster
    most: int
    prices: Mapping[str, float]
    said: list[str]

    @property
    def useful(self) -> float:
        """Return the useful tokens a second of the target."""
        return self.point.useful_tokens_per_s

    @property
    def same(self) -> bool:
        """Tell whether both sides are the same in all that counts: then N of one are N of the other."""
        a, b = self.target, self.other
        return (a.base, a.reliability, a.batches, dict(a.given)) == (b.base, b.reliability, b.batches, dict(b.given))


def target_words(asked: Asked, count: int) -> dict[str, Any]:
    """Return the target in words and numbers."""
    point, base = asked.point, asked.target.base
    return {
        "chip": base.setting.chip.id,
        "chips": count,
        "precision": base.setting.precision.name,
        **figures(point, asked),
        "plan": plan_words(point.question),
        "power_mw": power_mw(asked.target, count),
    }


def figures(point: Point, asked: Asked) -> dict[str, Any]:
    """Return what a number of chips does."""
    found = answer(point.question)
    cluster = asked.target if point is asked.point else asked.other
    rate = cluster.reliability.failures_per_1000_node_days
    nodes = max(1.0, point.chips / cluster.node)
    return {
        "step_time_s": point.step_s,
        "global_batch": int(point.question.work.global_batch),
        "useful_tokens_per_s": point.useful_tokens_per_s,
        "mfu": found.mfu,
        "goodput": point.goodput,
        "hours_between_interruptions": mtti_s(nodes, rate) / 3600.0 if rate else None,
        "memory_gb_per_chip": found.memory.total * point.question.setting.devices / 1e9,
    }


def peak(side: Cluster) -> float | None:
    """Return the peak of a chip [FLOP/s]."""
    return rate_of(side.base.setting.chip, side.base.setting.precision.format)


def bandwidth(side: Cluster) -> float | None:
    """Return the memory bandwidth of a chip [GB/s]."""
    return number(side.base.setting.chip, "memory", "bandwidth_gb_s", "mid")


def naive(asked: Asked, count: int, of: Callable[[Cluster], float | None]) -> int:
    """Return the chips that have as much of something together, exactly."""
    mine, theirs = of(asked.target), of(asked.other)
    if mine is None or theirs is None:
        return 0
    return math.ceil(Fraction(repr(mine)) * count / Fraction(repr(theirs)))


def fixed_plan(asked: Asked) -> tuple[int | None, float]:
    """Return the chips it takes with the target's own plan, only the replicas being more, and that plan's ceiling."""
    words = plan_words(asked.point.question)
    given = wanted_of({name: words[name] for name in PARTS if not isinstance(words[name], bool)})
    given["sequence_parallel"] = float(words["sequence_parallel"])
    other = asked.other
    side = Cluster(
        other.base, other.reliability, {**given, **other.given}, other.batches, other.critical_batch, other.progress
    )
    top = side.best(ALL)
    found = side.smallest(asked.useful, asked.most)
    ceiling = 0.0 if top is None else top.useful_tokens_per_s / asked.useful
    return (None if found is None else found.chips), ceiling


def chips_interval(asked: Asked, chips: int | None) -> tuple[int | None, int | None]:
    """Return the chips at both ends of what the predictions of both sides leave open, independent of each other.

    A chip against itself, in one format with one software, leaves nothing open: what is wrong of one side is wrong of
    the other.
    """
    if asked.same:
        return chips, chips
    width = math.hypot(*(_log_width(question) for question in (asked.point.question, _sample(asked))))
    if _errors(asked.target) == _errors(asked.other):
        width = 0.0
    ends = [asked.other.smallest(asked.useful * math.exp(sign * width), asked.most) for sign in (-1.0, 1.0)]
    low, high = (None if end is None else end.chips for end in ends)
    return low, high


def _errors(side: Cluster) -> tuple[str, str, str]:
    """Return what the error of a side's predictions belongs to."""
    setting = side.base.setting
    return setting.chip.id, setting.precision.name, setting.software.id


def _sample(asked: Asked) -> Question:
    top = asked.other.best(ALL)
    assert top is not None
    return top.question


def _log_width(question: Question) -> float:
    found = answer(question)
    low, high, _ = interval(question, found)
    return 0.5 * math.log(high / low)


def binds(asked: Asked, point: Point) -> str:
    """Return what keeps N chips from doing N times as much as one: what takes the most time beside the products."""
    lost = 1.0 - point.goodput
    found = answer(point.question)
    kind = binding(found)
    share = 1.0 - found.mfu
    if lost > 0.5 * share and lost > 0.1:
        return "failures"
    work = point.question.work
    if point.chips == asked.other.counts[-1] or work.global_batch <= point.question.plan.dp:
        return "batch"
    return kind


def fewer(asked: Asked, chips: int) -> dict[str, Any] | None:
    """Return the best that a smaller number of chips does: numbers to which plans deal the work lie far apart."""
    points = [point for n, point in asked.other.found.items() if point is not None and n < chips]
    if not points:
        return None
    best = max(points, key=lambda point: (point.useful_tokens_per_s, -point.chips))
    return {"chips": best.chips, "ratio": best.useful_tokens_per_s / asked.useful}


def _tdp(side: Cluster) -> float | None:
    return number(side.base.setting.chip, "power", "tdp_w", "mid")


def power_ratio(asked: Asked, chips: int | None, count: int) -> float | None:
    """Return the power of the chips over that of the target."""
    mine, theirs = _tdp(asked.target), _tdp(asked.other)
    if chips is None or mine is None or theirs is None:
        return None
    return chips * theirs / (count * mine)


def power_mw(side: Cluster, chips: int | None) -> float | None:
    """Return the thermal design power of so many chips [MW]."""
    tdp = _tdp(side)
    return None if chips is None or tdp is None else chips * tdp / 1e6


def energy_ratio(asked: Asked, chips: int | None, count: int, point: Point) -> float | None:
    """Return energy for the same tokens over that of the target: power over speed."""
    power = power_ratio(asked, chips, count)
    return None if power is None else power * asked.useful / point.useful_tokens_per_s


def cost_ratio(asked: Asked, chips: int | None, count: int) -> float | None:
    """Return the price of the chips over that of the target's, where both prices are given."""
    price = {
        side.base.setting.chip.id: asked.prices.get(side.base.setting.chip.id) for side in (asked.target, asked.other)
    }
    mine, theirs = price[asked.target.base.setting.chip.id], price[asked.other.base.setting.chip.id]
    if chips is None or mine is None or theirs is None:
        return None
    return chips * theirs / (count * mine)


def curve(asked: Asked, top: Point, shown: Point) -> list[dict[str, Any]]:
    """Return points that no smaller number of chips passes, thinned, with what binds at each."""
    rising: list[Point] = []
    for chips in sorted(asked.other.found):
        point = asked.other.found[chips]
        if point is not None and (not rising or point.useful_tokens_per_s > rising[-1].useful_tokens_per_s):
            rising.append(point)
    beyond = [p for n, p in sorted(asked.other.found.items()) if p is not None and n > top.chips]
    chosen = [*_thinned(rising, SHOWN), *_thinned(beyond, SHOWN // 4)]
    if shown not in chosen:
        chosen.append(shown)
    return [
        {
            "chips": point.chips,
            "ratio": point.useful_tokens_per_s / asked.useful,
            "useful_tokens_per_s": point.useful_tokens_per_s,
            "mfu": answer(point.question).mfu,
            "goodput": point.goodput,
            "binding": binds(asked, point),
            "plan": plan_words(point.question),
        }
        for point in sorted(chosen, key=lambda point: point.chips)
    ]


def _thinned(points: list[Point], most: int) -> list[Point]:
    if len(points) <= most:
        return points
    low, high = math.log(points[0].chips), math.log(points[-1].chips)
    wanted = [low + (high - low) * k / (most - 1) for k in range(most)]
    places = {min(range(len(points)), key=lambda i: abs(math.log(points[i].chips) - w)) for w in wanted}
    return [points[i] for i in sorted(places | {len(points) - 1})]


def tornado(asked: Asked, point: Point) -> list[dict[str, Any]]:
    """Return how the substitute's throughput moves over the uncertainty of each input, the largest first.

    Widths are one sigma of the efficiencies, and a factor of two for the failure rate; the plan is kept.
    """
    from perfcore import efficiency

    known = efficiency_of(point.question.setting.chip)
    shared = efficiency.shared()
    bits = point.question.setting.precision.bits
    sizes = {
        "gemm rate": getattr(known, f"gemm_{bits}bit_width"),
        "attention rate": known.attention_width,
        "memory bandwidth": shared.widths["memory_efficiency"],
        "link bandwidth": shared.widths["link_efficiency"],
        "network bandwidth": shared.widths["network_efficiency"],
        "latencies": shared.widths["network_latency_s"],
    }
    slopes = sensitivities(point.question, point.step_s)
    found = []
    for name, width in sizes.items():
        low, high = sorted(math.exp(-slopes[name] * sign * width) for sign in (-1.0, 1.0))
        found.append({"input": name, "width": width, "throughput_low": low, "throughput_high": high})
    kept = asked.other.reliability
    nodes = max(1.0, point.chips / asked.other.node)
    ends = [
        replace(kept, failures_per_1000_node_days=kept.failures_per_1000_node_days * f).goodput(nodes) / point.goodput
        for f in (2.0, 0.5)
    ]
    found.append({"input": "failures", "width": 2.0, "throughput_low": ends[0], "throughput_high": ends[1]})
    return sorted(found, key=lambda one: one["throughput_low"] - one["throughput_high"])
