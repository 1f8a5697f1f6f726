"""How many of one chip equal N of another for the training of a model: naively by peak, and really."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from perfcore import models
from perfcore.clusters import Cluster, Point, Progress, Reliability
from perfcore.counts import whole
from perfcore.errors import PerfcoreError
from perfcore.formulas.reliability import mtti_s
from perfcore.intervals import interval
from perfcore.machine import number, rate_of
from perfcore.questions import Question, answer, plan_of
from perfcore.spoken import binding, plan_words, sensitivities
from perfcore.training import setting_of, wanted_of, work_of

__all__ = ["Match", "match"]

MOST_CHIPS = 10_000_000
ALL = 2000  # numbers of chips that are all tried for the ceiling; of more, this many spread evenly
SHOWN = 24  # points of the curve
# Llama 3 on 16,384 H100: 419 unexpected interruptions in 54 days; a short save, and a restart of five minutes.
FAILURES, SAVE_S, RESTART_S = 419 * 1000 / (2048 * 54), 30.0, 300.0
PARTS = ("tp", "pp", "vp", "cp", "ep", "micro_batch", "recompute", "shard", "sequence_parallel")


@dataclass(frozen=True)
class Match:
    """The answer to a matching question; ``to_dict`` is the JSON of ``perfcore match``."""

    target: dict[str, Any]
    with_chip: str
    naive_chips: int
    naive_chips_by_bandwidth: int | None
    chips: int | None
    chips_interval: tuple[int | None, int | None]
    ratio: float | None
    ceiling: float
    ceiling_chips: int
    binding: str
    fixed_plan_chips: int | None
    fixed_plan_ceiling: float
    power_ratio: float | None
    power_mw: float | None
    energy_ratio: float | None
    cost_ratio: float | None
    plan: dict[str, Any] | None
    figures: dict[str, Any] | None
    curve: list[dict[str, Any]]
    sensitivities: list[dict[str, Any]]
    configs_tried: int
    assumptions: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found["chips_interval"] = list(self.chips_interval)
        return {("with" if name == "with_chip" else name): value for name, value in found.items()}

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in self.to_dict().items())
        return f"<table>{rows}</table>"


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


def match(
    target: str,
    with_chip: str,
    model: str,
    *,
    global_batch: int | None = None,
    seq: int | None = None,
    precision: str | None = None,
    with_precision: str | None = None,
    system: str | None = None,
    with_system: str | None = None,
    software: str | None = None,
    with_software: str | None = None,
    link_gb_s: float | None = None,
    local_steps: int = 1,
    failures: float = FAILURES,
    save_s: float = SAVE_S,
    restart_s: float = RESTART_S,
    critical_batch: float | None = None,
    max_chips: int = MOST_CHIPS,
    prices: Mapping[str, float] | None = None,
    progress: Progress = None,
    **given: float | str | None,
) -> Match:
    """Find how many of ``with_chip`` train a model as fast as a cluster given as ``chip:count``.

    Both sides run their best plan of those that agree with ``given`` (tp, pp ...), failures counted. ``link_gb_s``
    caps the substitute's chip link [GB/s, both directions]; ``local_steps`` averages its gradients every so many steps;
    ``critical_batch`` [tokens] lets both sides take larger batches, whose tokens are worth less; ``prices`` [USD] by
    chip give the cost.

    Raises
    ------
    PerfcoreError
        If something is unknown, contradictory or impossible.
    """
    chip, count = _target(target)
    said: list[str] = []
    known = models.load(model)
    work = work_of(known, global_batch, seq, said)
    kept = Reliability(
        *(_at_least_0(n, v) for n, v in (("failures", failures), ("save", save_s), ("restart", restart_s)))
    )
    batches = () if critical_batch is None else tuple(work.global_batch * 2.0**k for k in range(6))
    if critical_batch is not None and not 0 < critical_batch < math.inf:
        raise PerfcoreError(f"--critical-batch: found {critical_batch!r}; allowed: tokens above 0")
    wanted = wanted_of(given)
    sides = []
    for name, joined, used, form in (
        (chip, system, software, precision),
        (with_chip, with_system, with_software, with_precision or precision),
    ):
        words: list[str] = []
        setting = setting_of(name, joined, used, form, words)
        said += [f"{setting.chip.id}: {sentence}" for sentence in words]
        base = Question(known.record, setting, 1, plan_of(), work)
        sides.append(Cluster(base, kept, wanted, batches, critical_batch, progress))
    sides[1].base = _changed(sides[1].base, link_gb_s, local_steps, said)
    said += _failure_words(kept)
    point = _best_up_to(sides[0], count, said)
    asked = Asked(sides[0], point, sides[1], whole("--max-chips", max_chips, most=MOST_CHIPS), prices or {}, said)
    return _matched(asked, count)


def _target(text: str) -> tuple[str, int]:
    """Return chip and count of a text such as ``h100:1024``."""
    name, colon, count = text.rpartition(":")
    if not colon or not name or not count.strip().replace("_", "").replace(",", "").isdigit():
        raise PerfcoreError(f"{text!r}: found no chip with a number; allowed: CHIP:N, such as h100:1024")
    return name, whole("the number of chips", int(count.replace(",", "").replace("_", "")), most=MOST_CHIPS)


def _at_least_0(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise PerfcoreError(f"--{name}: found {value!r}; allowed: a number of 0 or more")
    return float(value)


def _changed(base: Question, link_gb_s: float | None, local_steps: int, said: list[str]) -> Question:
    """Return the substitute with a capped link, or with gradients averaged every so many steps."""
    if link_gb_s is not None:
        if not (isinstance(link_gb_s, int | float) and 0 < link_gb_s < math.inf):
            raise PerfcoreError(f"--link-gb-s: found {link_gb_s!r}; allowed: GB/s above 0, both directions together")
        capped = min(base.setting.system.scale_up_bytes_s, link_gb_s * 1e9 / 2.0)
        system = replace(base.setting.system, scale_up_bytes_s=capped)
        base = replace(base, setting=replace(base.setting, system=system))
        said.append(f"chip link capped at {link_gb_s:g} GB/s, both directions together")
    steps = whole("--local-steps", local_steps)
    if steps > 1:
        base = replace(base, gradient_bytes=base.soft().gradient_bytes / steps)
        said.append(
            f"gradients averaged every {steps} steps: their traffic is cut by that, and what it costs in learning is not "
            "counted"
        )
    return base


def _failure_words(kept: Reliability) -> list[str]:
    rate = kept.failures_per_1000_node_days
    if rate == 0.0:
        return ["failures: none"]
    said = f"failures: {rate:.3g} per 1,000 server-days on both sides, {kept.save_s:g} s to save, {kept.restart_s:g} s to restart"
    return [said + (", as Llama 3 had on H100" if rate == FAILURES else "")]


def _best_up_to(side: Cluster, count: int, said: list[str]) -> Point:
    """Return the target at its count, or at the nearest number below it to which a plan can deal the work."""
    point = side.at(count)
    if point is not None:
        return point
    for chips in reversed([n for n in side.counts if n < count][-400:]):
        point = side.at(chips)
        if point is not None:
            said.append(f"target: no plan deals the work to {count}; {chips} of them work")
            return point
    raise PerfcoreError(
        f"{side.base.setting.chip.id}:{count}: the model does not fit on the target, or no plan deals the work to it; see "
        "perfcore train"
    )


def _matched(asked: Asked, count: int) -> Match:
    other, target = asked.other, asked.target
    top = other.best(ALL)
    if top is None:
        raise PerfcoreError(
            f"--with: the model fits on no number of {other.base.setting.chip.id}: one layer needs more memory than it has, "
            "or no plan agrees with what is given"
        )
    found = other.at(count) if asked.same else other.smallest(asked.useful, asked.most)
    fixed, fixed_top = _fixed(asked)
    ceiling = top.useful_tokens_per_s / asked.useful
    shown = found or top
    chips = None if found is None else count if asked.same else found.chips
    return Match(
        target=_target_words(asked, count),
        with_chip=other.base.setting.chip.id,
        naive_chips=_naive(asked, count, _peak),
        naive_chips_by_bandwidth=_naive(asked, count, _bandwidth),
        chips=chips,
        chips_interval=_interval(asked, chips),
        ratio=None if chips is None else chips / count,
        ceiling=1.0 if asked.same and ceiling < 1.0 else ceiling,
        ceiling_chips=top.chips,
        binding=_binds(asked, shown),
        fixed_plan_chips=count if asked.same else fixed,
        fixed_plan_ceiling=fixed_top,
        power_ratio=_ratio(asked, chips, count, "tdp_w"),
        power_mw=_power_mw(other, chips),
        energy_ratio=_energy(asked, chips, count, shown),
        cost_ratio=_cost(asked, chips, count),
        plan=None if found is None else plan_words(found.question),
        figures=None if found is None else _figures(found, asked),
        curve=_curve(asked, top, shown),
        sensitivities=tornado(asked, shown),
        configs_tried=len(other.found) + len(target.found),
        assumptions=asked.said,
    )


def _target_words(asked: Asked, count: int) -> dict[str, Any]:
    point, base = asked.point, asked.target.base
    return {
        "chip": base.setting.chip.id,
        "chips": count,
        "precision": base.setting.precision.name,
        **_figures(point, asked),
        "plan": plan_words(point.question),
        "power_mw": _power_mw(asked.target, count),
    }


def _figures(point: Point, asked: Asked) -> dict[str, Any]:
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


def _peak(side: Cluster) -> float | None:
    return rate_of(side.base.setting.chip, side.base.setting.precision.format)


def _bandwidth(side: Cluster) -> float | None:
    return number(side.base.setting.chip, "memory", "bandwidth_gb_s", "mid")


def _naive(asked: Asked, count: int, of: Callable[[Cluster], float | None]) -> int:
    """Return the chips that have as much of something together, exactly."""
    mine, theirs = of(asked.target), of(asked.other)
    if mine is None or theirs is None:
        return 0
    return math.ceil(Fraction(repr(mine)) * count / Fraction(repr(theirs)))


def _fixed(asked: Asked) -> tuple[int | None, float]:
    """Return the chips it takes with the target's own plan, only the replicas being more, and that plan's ceiling."""
    words = plan_words(asked.point.question)
    given = wanted_of({name: words[name] for name in PARTS if not isinstance(words[name], bool)})
    given["sequence_parallel"] = float(words["sequence_parallel"])
    side = Cluster(asked.other.base, asked.other.reliability, {**given, **asked.other.given}, asked.other.batches)
    top = side.best(ALL)
    found = side.smallest(asked.useful, asked.most)
    ceiling = 0.0 if top is None else top.useful_tokens_per_s / asked.useful
    return (None if found is None else found.chips), ceiling


def _interval(asked: Asked, chips: int | None) -> tuple[int | None, int | None]:
    """Return the chips at both ends of what the predictions of both sides leave open, independent of each other.

    A chip against itself leaves nothing open: what is wrong of one side is wrong of the other.
    """
    if asked.same:
        return chips, chips
    width = math.hypot(*(_log_width(question) for question in (asked.point.question, _sample(asked))))
    if asked.target.base.setting.chip.id == asked.other.base.setting.chip.id:
        width = 0.0
    ends = [asked.other.smallest(asked.useful * math.exp(sign * width), asked.most) for sign in (-1.0, 1.0)]
    low, high = (None if end is None else end.chips for end in ends)
    return low, high


def _sample(asked: Asked) -> Question:
    top = asked.other.best(ALL)
    assert top is not None
    return top.question


def _log_width(question: Question) -> float:
    found = answer(question)
    low, high, _ = interval(question, found)
    return 0.5 * math.log(high / low)


def _binds(asked: Asked, point: Point) -> str:
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


def _tdp(side: Cluster) -> float | None:
    return number(side.base.setting.chip, "power", "tdp_w", "mid")


def _ratio(asked: Asked, chips: int | None, count: int, key: str) -> float | None:
    mine, theirs = _tdp(asked.target), _tdp(asked.other)
    if chips is None or mine is None or theirs is None or key != "tdp_w":
        return None
    return chips * theirs / (count * mine)


def _power_mw(side: Cluster, chips: int | None) -> float | None:
    tdp = _tdp(side)
    return None if chips is None or tdp is None else chips * tdp / 1e6


def _energy(asked: Asked, chips: int | None, count: int, point: Point) -> float | None:
    """Return energy for the same tokens over that of the target: power over speed."""
    power = _ratio(asked, chips, count, "tdp_w")
    return None if power is None else power * asked.useful / point.useful_tokens_per_s


def _cost(asked: Asked, chips: int | None, count: int) -> float | None:
    """Return the price of the chips over that of the target's, where both prices are given."""
    price = {
        side.base.setting.chip.id: asked.prices.get(side.base.setting.chip.id) for side in (asked.target, asked.other)
    }
    mine, theirs = price[asked.target.base.setting.chip.id], price[asked.other.base.setting.chip.id]
    if chips is None or mine is None or theirs is None:
        return None
    return chips * theirs / (count * mine)


def _curve(asked: Asked, top: Point, shown: Point) -> list[dict[str, Any]]:
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
            "binding": _binds(asked, point),
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

    known = efficiency.for_chip(point.question.setting.chip.id)
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
