"""How many of one chip equal N of another for the training of a model: naively by peak, and really."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from perfcore import models
from perfcore.clusters import Cluster, Point, Progress, Reliability
from perfcore.counts import whole
from perfcore.errors import PerfcoreError
from perfcore.fleets import beside as fleet_beside
from perfcore.formulas.records import Work
from perfcore.links import capped, link_rates, link_sweep
from perfcore.match_inputs import MOST_CHIPS, batches_of, link_cap, link_caps, number_of, prices_of, target_of
from perfcore.matching import (
    ALL,
    Asked,
    bandwidth,
    binds,
    chips_interval,
    cost_ratio,
    curve,
    energy_ratio,
    fewer,
    figures,
    fixed_plan,
    naive,
    peak,
    power_mw,
    power_ratio,
    target_words,
    tornado,
)
from perfcore.models import ModelFile
from perfcore.questions import Question, plan_of
from perfcore.spoken import plan_words
from perfcore.training import setting_of, wanted_of, work_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Match", "match"]

# Llama 3 on 16,384 H100: 419 unexpected interruptions in 54 days; a short save, and a restart of five minutes.
FAILURES, SAVE_S, RESTART_S = 419 * 1000 / (2048 * 54), 30.0, 300.0


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
    fewer: dict[str, Any] | None
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
    links: list[dict[str, Any]] = field(default_factory=list)
    mixed: dict[str, Any] | None = None
    link_rates: dict[str, Any] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found["chips_interval"] = list(self.chips_interval)
        return {("with" if name == "with_chip" else name): value for name, value in found.items()}

    def to_frame(self) -> "pd.DataFrame":
        """Return the curve as a pandas DataFrame: what each number of chips reaches."""
        from perfcore.tidy import to_frame

        return to_frame(self.curve)

    def _repr_html_(self) -> str:
        from perfcore.notebook import match_html

        return match_html(self)


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
    batch_slack: float = 0.0,
    max_chips: int = MOST_CHIPS,
    prices: Mapping[str, float] | None = None,
    beside: str | None = None,
    links: tuple[float, ...] = (),
    progress: Progress = None,
    **given: float | str | None,
) -> Match:
    """Find how many of ``with_chip`` train a model as fast as a cluster given as ``chip:count``.

    Both sides run their best plan of those that agree with ``given`` (tp, pp ...), failures counted. ``link_gb_s``
    caps the substitute's chip link [GB/s, both directions]; ``local_steps`` averages its gradients every so many steps;
    ``critical_batch`` [tokens] lets both sides take larger batches, whose tokens are worth less; ``batch_slack`` lets
    them take batches larger by up to that share, whose tokens are worth as much; ``prices`` [USD] by chip give the
    cost. ``beside``, a ``chip:count`` too, takes a part of the batch beside the substitute; ``links`` are caps of the
    substitute's chip link whose cost is wanted.

    Raises
    ------
    PerfcoreError
        If something is unknown, contradictory or impossible.
    """
    chip, count = target_of(target)
    said: list[str] = []
    known = models.load(model)
    work = work_of(known, global_batch, seq, said)
    kept = Reliability(number_of("failures", failures), number_of("save-s", save_s), number_of("restart-s", restart_s))
    batches = batches_of(work, critical_batch, batch_slack)
    shared = _Shared(known, work, kept, wanted_of(given), batches, critical_batch, progress, said)
    first = _side(shared, chip, system, software, precision)
    second = _side(shared, with_chip, with_system, with_software, with_precision or precision)
    second.base = _changed(second.base, link_gb_s, local_steps, said)
    second.given = _unsharded(second.given, local_steps)
    said += _failure_words(kept)
    point = _best_up_to(first, count, said)
    priced = prices_of(prices or {}, (first.base.setting.chip.id, second.base.setting.chip.id))
    caps, third = link_caps(links), None if beside is None else target_of(beside)
    if third is not None and (critical_batch is not None or batch_slack > 0.0):
        raise PerfcoreError(
            "--beside: found --critical-batch or --batch-slack with it; a mixed fleet shares the batch as given: leave "
            "them out"
        )
    asked = Asked(first, point, second, whole("--max-chips", max_chips, most=MOST_CHIPS), priced, said)
    return _beside_and_links(asked, _matched(asked, count), caps, third, precision)


def _beside_and_links(
    asked: Asked, found: Match, caps: tuple[float, ...], third: tuple[str, int] | None, precision: str | None
) -> Match:
    """Add what capped links cost, and the mixed fleet, where they are asked for."""
    if caps:
        shown = asked.point.chips if asked.same else found.chips or found.ceiling_chips
        found = replace(found, links=link_sweep(asked.other, shown, caps))
    return found if third is None else replace(found, mixed=_mixed(asked, *third, precision))


class _Shared(NamedTuple):
    """What both sides of a question share."""

    known: ModelFile
    work: Work
    kept: Reliability
    wanted: Mapping[str, float]
    batches: tuple[float, ...]
    critical_batch: float | None
    progress: Progress
    said: list[str]


def _side(shared: _Shared, chip: str, system: str | None, software: str | None, precision: str | None) -> Cluster:
    """Return one side of the question."""
    words: list[str] = []
    setting = setting_of(chip, system, software, precision, words)
    shared.said.extend(f"{setting.chip.id}: {sentence}" for sentence in words)
    base = Question(shared.known.record, setting, 1, plan_of(), shared.work)
    return Cluster(base, shared.kept, shared.wanted, shared.batches, shared.critical_batch, shared.progress)


def _mixed(asked: Asked, chip: str, count: int, precision: str | None) -> dict[str, Any] | None:
    """Return the substitute's chips beside another fleet."""
    words: list[str] = []
    setting = setting_of(chip, None, None, precision, words)
    asked.said.extend(f"{setting.chip.id}: {sentence}" for sentence in words)
    base = replace(asked.other.base, setting=setting, gradient_bytes=None)
    extra = Cluster(base, asked.other.reliability, asked.target.given)
    found = fleet_beside(asked.other, extra, count, asked.useful, asked.most)
    if found is None:
        asked.said.append(
            f"beside {count} x {setting.chip.id}: no number of {asked.other.base.setting.chip.id} reaches the target; "
            "in no sixteenths of the batch do both fleets have a plan that is fast enough"
        )
    return found


def _changed(base: Question, link_gb_s: float | None, local_steps: int, said: list[str]) -> Question:
    """Return the substitute with a capped link, or with gradients averaged every so many steps."""
    if link_gb_s is not None:
        base = replace(base, setting=capped(base.setting, link_cap("--link-gb-s", link_gb_s)))
        said.append(f"chip link capped at {link_gb_s:g} GB/s, both directions together")
    steps = whole("--local-steps", local_steps)
    if steps > 1:
        base = replace(base, gradient_bytes=base.soft().gradient_bytes / steps)
        said.append(
            f"gradients averaged every {steps} steps: their traffic is cut by that, and each replica keeps all of its "
            "own optimizer; its cost in learning is not counted"
        )
    return base


def _unsharded(given: Mapping[str, float], local_steps: int) -> Mapping[str, float]:
    """Return the plan asked for, of replicas that differ from step to step: each keeps all of its own optimizer."""
    if local_steps == 1:
        return given
    if given.get("shard", 0.0) != 0.0:
        raise PerfcoreError(
            f"--local-steps: found shard {given['shard']:g}; allowed: 0; replicas that differ share no optimizer"
        )
    return {**given, "shard": 0.0}


def _failure_words(kept: Reliability) -> list[str]:
    rate = kept.failures_per_1000_node_days
    if rate == 0.0:
        return ["failures: none"]
    whose = ", as Llama 3 had on H100" if rate == FAILURES else ""
    costs = f"{kept.save_s:g} s to save, {kept.restart_s:g} s to restart"
    return [f"failures: {rate:.3g} per 1,000 server-days on both sides{whose}; {costs}"]


def _best_up_to(side: Cluster, count: int, said: list[str]) -> Point:
    """Return the target at its count, or at the nearest number below it to which a plan can deal the work.

    Less than half of the chips at work is no target: the batch is too small for them.
    """
    point = side.at(count)
    if point is not None:
        return point
    for chips in reversed([n for n in side.counts if n < count][-400:]):
        point = side.at(chips)
        if point is not None and 2 * chips < count:
            raise PerfcoreError(
                f"{side.base.setting.chip.id}:{count}: a step has work for {chips} of them at most; give a larger "
                "--global-batch, or fewer chips"
            )
        if point is not None:
            said.append(f"target: no plan deals the work to {count}; {chips} of them work")
            return point
    raise PerfcoreError(
        f"{side.base.setting.chip.id}:{count}: the model does not fit on the target, or no plan deals the work to it; "
        "see perfcore train"
    )


def _matched(asked: Asked, count: int) -> Match:
    other, target = asked.other, asked.target
    top = other.best(ALL)
    if top is None:
        raise PerfcoreError(
            f"--with: the model fits on no number of {other.base.setting.chip.id}: one layer needs more memory than it "
            "has, or no plan agrees with what is given"
        )
    found = asked.point if asked.same else other.smallest(asked.useful, asked.most)
    fixed, fixed_top = fixed_plan(asked)
    ceiling = top.useful_tokens_per_s / asked.useful
    if found is None and ceiling >= 1.0:
        asked.said.append(f"chips: none up to {asked.most} (--max-chips); the ceiling and the curve go beyond that")
    shown = found or top
    chips = None if found is None else count if asked.same else found.chips
    return Match(
        target=target_words(asked, count),
        with_chip=other.base.setting.chip.id,
        naive_chips=naive(asked, count, peak),
        naive_chips_by_bandwidth=naive(asked, count, bandwidth),
        chips=chips,
        chips_interval=chips_interval(asked, chips),
        ratio=None if chips is None else chips / count,
        fewer=None if found is None or asked.same else fewer(asked, found.chips),
        ceiling=1.0 if asked.same and ceiling < 1.0 else ceiling,
        ceiling_chips=top.chips,
        binding=binds(asked, shown),
        fixed_plan_chips=count if asked.same else fixed,
        fixed_plan_ceiling=fixed_top,
        power_ratio=power_ratio(asked, chips, count),
        power_mw=power_mw(other, chips),
        energy_ratio=energy_ratio(asked, chips, count, shown),
        cost_ratio=cost_ratio(asked, chips, count),
        plan=None if found is None else plan_words(found.question),
        figures=None if found is None else figures(found, asked),
        curve=curve(asked, top, shown),
        sensitivities=tornado(asked, shown),
        configs_tried=len(other.found) + len(target.found),
        link_rates={
            side.base.setting.chip.id: link_rates(side.base.setting.chip).to_dict() for side in (target, other)
        },
        assumptions=asked.said,
    )
