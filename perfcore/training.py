"""Training throughput of a model on N chips: a given plan evaluated, or the best of every legal plan."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

from perfcore import chips as catalogue
from perfcore import efficiency, models, systems
from perfcore import software as eras
from perfcore.counts import MOST, whole
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Work
from perfcore.intervals import interval
from perfcore.machine import Setting, efficiency_words, known_id, rate_of
from perfcore.models import ModelFile
from perfcore.precisions import find_exactly
from perfcore.questions import RECOMPUTE, Answer, Question, answer, plan_of
from perfcore.refusals import impossible, too_big
from perfcore.searching import Found, search
from perfcore.spoken import binding, breakdown, plan_words, sensitivities

__all__ = ["Training", "train"]

ALTERNATIVES = 5
GIGA = 1e9
MOST_CHIPS = 10_000_000
USUAL_SEQ, USUAL_TOKENS = 4096.0, 2.0**22  # taken, and said, where neither model nor user gives them


@dataclass(frozen=True)
class Training:
    """The answer to a training question; ``to_dict`` is the JSON of ``perfcore train``."""

    question: Question = field(repr=False)
    model: str
    chip: str
    chips: int
    system: str
    precision: str
    seq: int
    global_batch: int
    plan: dict[str, Any]
    step_time_s: float
    step_time_interval_s: tuple[float, float]
    tokens_per_s: float
    tokens_per_s_per_chip: float
    model_tflops_per_chip: float
    mfu: float
    hfu: float
    memory_gb_per_chip: float
    memory_capacity_gb: float
    fits: bool
    binding: str
    breakdown_s: dict[str, float]
    memory_breakdown_gb: dict[str, float]
    sensitivities: dict[str, float]
    configs_evaluated: int
    search_s: float
    alternatives: list[dict[str, Any]]
    pareto: list[dict[str, Any]]
    software: str
    evidence: str
    days: float | None
    assumptions: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        names = [name for name in self.__dataclass_fields__ if name != "question"]
        return {name: _plain(getattr(self, name)) for name in names}

    def _repr_html_(self) -> str:
        from perfcore.notebook import training_html

        return training_html(self)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def train(
    model: str,
    chip: str,
    chips: int,
    *,
    system: str | None = None,
    software: str | None = None,
    global_batch: int | None = None,
    seq: int | None = None,
    precision: str | None = None,
    tokens: float | None = None,
    progress: Callable[[str], None] | None = None,
    **given: float | str | None,
) -> Training:
    """Predict the training of a model, searching whatever of the plan is not given.

    ``given`` may hold tp, pp, vp, cp, dp, ep, micro_batch, shard, sequence_parallel (numbers) and recompute (none,
    selective or full). ``progress`` is called with a line when the search must first compile.

    Raises
    ------
    PerfcoreError
        If something is unknown, contradictory or impossible, with the nearest that is possible.
    """
    said: list[str] = []
    known = models.load(model)
    said += [f"model: {sentence}" for sentence in known.assumptions]
    work = work_of(known, global_batch, seq, said)
    setting = setting_of(chip, system, software, precision, said)
    wanted = wanted_of(given)
    ranks = whole("--chips", chips, most=MOST_CHIPS) * setting.devices
    if setting.devices > 1:
        said.append(f"degrees of the plan count devices: {setting.devices} a chip, {ranks} in all")
    if tokens is not None and not (isinstance(tokens, Real) and 0 < tokens < math.inf):
        raise PerfcoreError(f"--tokens: found {tokens!r}; allowed: a number above 0")
    base = Question(known.record, setting, int(chips), plan_of(), work)
    found = search(base, ranks, wanted, progress)
    if not len(found.table):
        raise impossible(base, ranks, wanted)
    if found.best is None and not _whole_plan(wanted):
        raise too_big(base, found, wanted, progress)
    if found.best is None:
        found = replace(found, times=found.raw)
        said.append("the plan does not fit in memory; its time is that of a chip with enough")
    return _result(known, base, found, tokens, said)


def _whole_plan(wanted: Mapping[str, float]) -> bool:
    """Tell whether a plan was given, to be evaluated even where it does not fit, rather than parts of one."""
    return {"tp", "pp", "recompute"} <= set(wanted) and bool({"dp", "cp"} & set(wanted))


def work_of(known: ModelFile, global_batch: int | None, seq: int | None, said: list[str]) -> Work:
    """Return sequence and batch, the model's own where they are not given."""
    length = float(whole("--seq", seq, most=MOST)) if seq is not None else known.seq
    where = "of the model's own training"
    if length is None:
        length, where = min(USUAL_SEQ, known.max_seq or USUAL_SEQ), "as is usual, since the model's file states none"
    if known.max_seq is not None and length > known.max_seq:
        raise PerfcoreError(
            f"--seq: found {length:.0f}; {known.name} takes at most {known.max_seq:.0f} tokens; give that or less"
        )
    if seq is None:
        said.append(f"seq: {length:.0f} tokens, {where}")
    batch = float(whole("--global-batch", global_batch, most=MOST)) if global_batch is not None else known.global_batch
    where = "of the model's own training"
    if batch is None:
        batch, where = max(1.0, round(USUAL_TOKENS / length)), "4 million tokens, since the model's file states none"
    if global_batch is None:
        said.append(f"global batch: {batch:.0f} sequences, {where}")
    return Work(length, batch)


def setting_of(
    chip: str, system: str | None, software_name: str | None, precision: str | None, said: list[str]
) -> Setting:
    for label, name in (("--system", system), ("--software", software_name), ("--precision", precision)):
        if name is not None and not isinstance(name, str | Path):
            raise PerfcoreError(f"{label}: found {name!r}; allowed: a name")
    item = catalogue.load(chip)
    if item.kind not in ("chip", "part"):
        raise PerfcoreError(f"--chip: {item.name} is a {item.kind}; name a chip")
    joined = systems.load(system) if system else systems.default_for(item)
    if not system:
        said.append(f"system: {joined.name}, the default of {item.name}")
    said += [f"system: {sentence}" for sentence in joined.assumptions]
    used = eras.load(software_name or eras.default_for(str(item.document.get("vendor", ""))))
    if not software_name:
        own = item.document.get("vendor") in used.document.get("default_for", ())
        whose = "the vendor of the chip" if own else "NVIDIA, since none is known for the vendor of the chip"
        said.append(f"software: {used.name}, the newest known for {whose}")
    form = precision or _usual_precision(item)
    if not precision:
        said.append(f"precision: {form}")
    kind = find_exactly(form)
    rate_of(item, kind.format, strict=True)
    return Setting(item, joined, used, kind, used.attention_kernel)


def _usual_precision(item: catalogue.Item) -> str:
    has = item.document.get("peak_dense_tflops", {})
    return "fp16" if "fp16" in has and "bf16" not in has else "bf16"


NUMBERS = ("tp", "pp", "vp", "cp", "dp", "ep", "micro_batch", "shard", "sequence_parallel")
LIMITS = {"shard": (0, 3), "sequence_parallel": (0, 1)}


def wanted_of(given: Mapping[str, float | str | None]) -> dict[str, float]:
    """Return the given parts of a plan as numbers."""
    unknown = [name for name in given if name not in (*NUMBERS, "recompute")]
    if unknown:
        raise PerfcoreError(f"{unknown[0]}: not a part of a plan; allowed: {', '.join((*NUMBERS, 'recompute'))}")
    wanted: dict[str, float] = {}
    for name, value in given.items():
        if value is None:
            continue
        label = f"--{name.replace('_', '-')}"
        if name == "recompute":
            if value not in RECOMPUTE:
                raise PerfcoreError(f"{label}: found {value!r}; allowed: {', '.join(RECOMPUTE)}")
            wanted[name] = float(list(RECOMPUTE).index(str(value)))
            continue
        least, most = LIMITS.get(name, (1, None))
        wanted[name] = float(whole(label, value, least, most))
    return wanted


def _result(known: ModelFile, base: Question, found: Found, tokens: float | None, said: list[str]) -> Training:
    assert found.best is not None
    question = found.question(base, found.best)
    first = answer(question)
    low, high, kind = interval(question, first)
    work = base.work
    rate = work.global_batch * work.seq / first.time_s
    efficiency_said = _efficiency_words(question)
    steps = None if tokens is None else math.ceil(tokens / (work.global_batch * work.seq))
    return Training(
        question=question,
        model=known.id,
        chip=base.setting.chip.id,
        chips=base.chips,
        system=base.setting.system.id,
        precision=base.setting.precision.name,
        seq=int(work.seq),
        global_batch=int(work.global_batch),
        plan=plan_words(question),
        step_time_s=first.time_s,
        step_time_interval_s=(low, high),
        tokens_per_s=rate,
        tokens_per_s_per_chip=rate / base.chips,
        model_tflops_per_chip=first.flop_per_chip / first.time_s / 1e12,
        mfu=first.mfu,
        hfu=first.mfu * (1.0 + first.again_share),
        memory_gb_per_chip=first.memory.total * base.setting.devices / GIGA,
        memory_capacity_gb=question.machine().memory_bytes * base.setting.devices / GIGA,
        fits=first.fits,
        binding=binding(first),
        breakdown_s=breakdown(first.step),
        memory_breakdown_gb=_memory_parts(first, base.setting.devices),
        sensitivities=sensitivities(question, first.time_s),
        configs_evaluated=len(found.table),
        search_s=found.seconds,
        alternatives=_alternatives(base, found),
        pareto=_pareto(base, found),
        software=base.setting.software.id,
        evidence=kind,
        days=None if steps is None else steps * first.time_s / 86_400,
        assumptions=said + efficiency_said,
    )


def _efficiency_words(question: Question) -> list[str]:
    """Return what was taken from elsewhere for the efficiencies that the question uses."""
    setting = question.setting
    said = efficiency_words(setting.chip, setting.precision.bits)
    if setting.attention_kernel != "unfused":
        said += efficiency.attention_kernels(efficiency.for_chip(known_id(setting.chip)).generation).assumptions
    return said


def _memory_parts(first: Answer, devices: int) -> dict[str, float]:
    parts = first.memory._asdict()
    return {
        name: parts[name] * devices / GIGA
        for name in ("weights", "gradients", "optimizer", "activations", "logits", "workspace")
    }


def _alternatives(base: Question, found: Found) -> list[dict[str, Any]]:
    """Return the next-best plans that fit."""
    return [_brief(base, found, row) for row in found.order[1 : 1 + ALTERNATIVES]]


def _pareto(base: Question, found: Found) -> list[dict[str, Any]]:
    """Return the plans that no other beats in both time and memory."""
    return [_brief(base, found, row) for row in found.front]


def _brief(base: Question, found: Found, row: int) -> dict[str, Any]:
    question = found.question(base, row)
    return {
        "plan": plan_words(question),
        "step_time_s": float(found.times[row]),
        "memory_gb_per_chip": float(found.memory[row]) * base.setting.devices / GIGA,
    }
