"""Serving of a model on N chips: time to the first token, time per token, throughput, memory; the plan searched."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perfcore import models
from perfcore.counts import MOST, whole
from perfcore.formulas.records import Machine
from perfcore.formulas.serving import serving_step, total_s
from perfcore.formulas.serving_layer import Served, Tokens
from perfcore.machine import efficiency_words
from perfcore.models import ModelFile
from perfcore.questions import plan_of
from perfcore.serving_inputs import (
    DEGREES,
    chunk_of,
    degrees_of,
    lengths_of,
    limit_of,
    refusal,
    setting_of,
)
from perfcore.serving_intervals import evidence_of, ratios
from perfcore.serving_plans import Loaded, SearchedPlans, search
from perfcore.serving_questions import ServingQuestion

__all__ = ["Inference", "infer"]

GIGA = 1e9
ALTERNATIVES = 5
MOST_CHIPS = 1_000_000
INPUTS = {
    "compute": ("gemm_flop_s", "wide_gemm_flop_s", "attention_flop_s"),
    "memory bandwidth": ("memory_bytes_s",),
    "links inside a domain": ("link_bytes_s",),
    "network": ("network_bytes_s",),
    "latencies": ("link_latency_s", "network_latency_s", "kernel_s"),
}
HOST = ("layer_s", "sequence_s", "step_s", "expert_s", "exchange_s", "host_layer_s", "host_reduce_s")
CHANGE = 0.01


@dataclass(frozen=True)
class Inference:
    """The answer to a serving question; ``to_dict`` is the JSON of ``perfcore infer``."""

    question: ServingQuestion = field(repr=False)
    model: str
    chip: str
    chips: int
    system: str
    engine: str
    precision: str
    kv_bits: int
    batch: float  # sequences that decode at once, on all chips
    batch_per_replica: float
    input: int
    output: int
    prefix: int
    batching: str
    plan: dict[str, int]
    time_to_first_token_s: float
    time_to_first_token_interval_s: tuple[float, float]
    time_to_first_token_loaded_s: float
    time_per_token_s: float
    time_per_token_interval_s: tuple[float, float]
    decode_step_s: float
    request_s: float
    tokens_per_s: float
    tokens_per_s_per_chip: float
    tokens_per_s_per_chip_interval: tuple[float, float]
    tokens_per_s_per_request: float
    prefill_tokens_per_s_per_chip: float
    weights_gb_per_chip: float
    kv_cache_gb_per_chip: float
    memory_capacity_gb: float
    kv_cache_bytes_per_token: float
    largest_batch: float
    binding: str
    breakdown_s: dict[str, float]
    roofline_step_s: float
    sensitivities: dict[str, float]
    configs_evaluated: int
    search_s: float
    alternatives: list[dict[str, Any]]
    evidence: str
    assumptions: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        names = [name for name in self.__dataclass_fields__ if name != "question"]
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def _repr_html_(self) -> str:
        from perfcore.notebook import inference_html

        return inference_html(self)


def infer(
    model: str,
    chip: str,
    chips: int,
    *,
    batch: int | None = None,
    input: int | None = None,  # noqa: A002, as on the command line
    output: int | None = None,
    prefix: int = 0,
    system: str | None = None,
    engine: str | None = None,
    precision: str | None = None,
    kv_bits: int | None = None,
    chunk: int | None = None,
    static: bool = False,
    time_per_token: float | None = None,
    **given: int | None,
) -> Inference:
    """Predict the serving of a model, searching whatever of the plan is not given.

    ``batch`` counts the sequences that decode at once on all chips; where it is not given, as many as memory and
    engine admit, or as answer within ``time_per_token`` [s]. ``input`` tokens come in, ``prefix`` of them from the
    cache, and ``output`` go out. ``given`` may hold tp, pp, dp and ep. ``static`` serves batch by batch instead of
    continuously; ``chunk`` is the most tokens of a step.

    Raises
    ------
    PerfcoreError
        If something is unknown, contradictory or does not fit, with the nearest that does.

    Examples
    --------
    >>> found = infer("llama3_8b", "h100", 1, batch=16, input=512, output=128)
    >>> found.plan["tp"], 0.001 < found.time_per_token_s < 0.1
    (1, True)
    """
    said: list[str] = []
    known = models.load(model)
    said += [f"model: {sentence}" for sentence in known.assumptions]
    setting = setting_of(chip, system, engine, precision, kv_bits, said)
    count = whole("--chips", chips, most=MOST_CHIPS)
    prompt, new, kept = lengths_of(known, input, output, prefix, said)
    wanted = degrees_of(given)
    base = ServingQuestion(
        known.record, setting, count, plan_of(), 1.0, float(prompt - kept), float(new), float(kept), chunk_of(chunk)
    )
    load = None if batch is None else whole("--batch", batch, most=MOST)
    found = search(base, load, limit_of(time_per_token, load), static, wanted)
    if not found.found:
        raise refusal(base, found, load, wanted, time_per_token)
    return _result(known, base, found, static, said)


def _result(known: ModelFile, base: ServingQuestion, found: SearchedPlans, static: bool, said: list[str]) -> Inference:
    best = found.found[0]
    asked = best.question
    devices = asked.setting.devices
    changes = sensitivities(asked, static)
    step = asked.decode() if static else asked.continuous()
    return Inference(
        question=asked,
        model=known.id,
        **_asked_words(best, static),
        **_speeds(best, static),
        **_memory(asked),
        largest_batch=best.capacity * asked.plan.dp,
        binding=max(changes, key=lambda name: abs(changes[name])),
        breakdown_s=dict(zip(step._fields, step, strict=True)),
        roofline_step_s=_roofline_s(asked, static),
        sensitivities=changes,
        configs_evaluated=found.evaluated,
        search_s=found.seconds,
        alternatives=[_brief(one) for one in found.found[1 : 1 + ALTERNATIVES]],
        evidence=evidence_of(asked.setting),
        assumptions=said
        + efficiency_words(asked.setting.chip, asked.setting.precision.bits)
        + ([f"{devices} devices a chip"] if devices > 1 else [])
        + _limit_words(asked),
    )


def _limit_words(asked: ServingQuestion) -> list[str]:
    """Say where a batch was given that the engine does not run at once by itself."""
    usual = asked.engine.most_sequences
    if asked.sequences <= usual:
        return []
    return [f"{asked.sequences:g} sequences at once on a replica; the engine's own limit is {usual:g}"]


def _asked_words(best: Loaded, static: bool) -> dict[str, Any]:
    """Return what was asked, and the plan."""
    asked = best.question
    setting, plan = asked.setting, asked.plan
    return {
        "chip": setting.chip.id,
        "chips": asked.chips,
        "system": setting.system.id,
        "engine": setting.software.id,
        "precision": setting.precision.name,
        "kv_bits": setting.kv_bits,
        "batch": best.batch,
        "batch_per_replica": asked.sequences,
        "input": int(asked.prefix + asked.prompt),
        "output": int(asked.output),
        "prefix": int(asked.prefix),
        "batching": "static" if static else "continuous",
        "plan": {name: int(getattr(plan, name)) for name in DEGREES},
    }


def _speeds(best: Loaded, static: bool) -> dict[str, Any]:
    """Return times and rates, each with its interval."""
    asked = best.question
    low, high = ratios(evidence_of(asked.setting), asked.model.experts)
    step_of = ServingQuestion.decode if static else ServingQuestion.continuous
    first, token = total_s(asked.prefill()), best.step_s
    first_spread, spread = _spread(asked, ServingQuestion.prefill), _spread(asked, step_of)
    request = asked.batch_s() if static else _loaded_s(asked) + asked.output * token
    each = best.tokens_per_s / asked.chips
    return {
        "time_to_first_token_s": first,
        "time_to_first_token_interval_s": (first * low * first_spread[0], first * high * first_spread[1]),
        "time_to_first_token_loaded_s": total_s(asked.prefill(asked.sequences)) if static else _loaded_s(asked),
        "time_per_token_s": token,
        "time_per_token_interval_s": (token * low * spread[0], token * high * spread[1]),
        "decode_step_s": total_s(asked.decode()),
        "request_s": request,
        "tokens_per_s": best.tokens_per_s,
        "tokens_per_s_per_chip": each,
        "tokens_per_s_per_chip_interval": (each / (high * spread[1]), each / (low * spread[0])),
        "tokens_per_s_per_request": 1.0 / token,
        "prefill_tokens_per_s_per_chip": asked.prompt * asked.plan.dp / first / asked.chips,
    }


def _memory(asked: ServingQuestion) -> dict[str, Any]:
    """Return the memory of a chip."""
    gb = asked.setting.devices / GIGA
    return {
        "weights_gb_per_chip": asked.weight_bytes() * gb,
        "kv_cache_gb_per_chip": asked.kv_bytes() * gb,
        "memory_capacity_gb": asked.machine.memory_bytes * gb,
        "kv_cache_bytes_per_token": _kv_bytes_per_token(asked),
    }


def _loaded_s(asked: ServingQuestion) -> float:
    """Return the time to the first token beside decoding sequences: half a step of waiting, then chunk by chunk."""
    stages = asked.plan.pp
    room = max(1.0, asked.engine.chunk_tokens - asked.sequences / stages)
    chunks = math.ceil(asked.prompt / room)
    context = asked.prefix + asked.prompt + 0.5 * asked.output
    part = asked.prompt / chunks
    step = Tokens(asked.sequences, context, part * stages, part, asked.prefix + 0.5 * (asked.prompt - part))
    formats = asked.setting.formats()
    mixed = total_s(serving_step(asked.model, asked.plan, step, formats, asked.machine, asked.engine))
    return 0.5 * total_s(asked.continuous()) + mixed * (chunks + stages - 1.0) / stages


def _kv_bytes_per_token(asked: ServingQuestion) -> float:
    """Return the bytes of KV cache that one more token takes in all ranks of a replica together."""
    from perfcore.formulas.serving import kv_bytes_per_token

    ranks = asked.plan.tp * asked.plan.pp
    return kv_bytes_per_token(asked.model, asked.plan, asked.setting.formats()) * ranks


def _roofline_s(asked: ServingQuestion, static: bool) -> float:
    """Return the least time of a step by the datasheet [s]."""
    context = asked.prefix + asked.prompt + 0.5 * asked.output
    prompt = 0.0 if static else asked.sequences * asked.prompt / asked.output
    return asked.roofline_s(Tokens(asked.sequences, context, prompt, asked.prompt, asked.prefix))


def _spread(asked: ServingQuestion, part: Callable[[ServingQuestion], Served]) -> tuple[float, float]:
    """Return by what a time changes over the ends of numbers that the chip's file gives as intervals."""
    low, now, high = (total_s(part(asked.at(end))) for end in ("low", asked.setting.end, "high"))
    return min(1.0, low / now, high / now), max(1.0, low / now, high / now)


def sensitivities(asked: ServingQuestion, static: bool) -> dict[str, float]:
    """Return by how many percent one percent more of each input changes the step."""
    machine, engine, formats = asked.machine, asked.engine, asked.setting.formats()
    whole_prompt = asked.prefix + asked.prompt
    context = whole_prompt + (asked.output if engine.whole_context == 1.0 else 0.5 * asked.output)
    prompt = 0.0 if static else asked.sequences * asked.prompt / asked.output
    tokens = Tokens(asked.sequences, context, prompt, asked.prompt, asked.prefix)

    def seconds(other: Machine, layer: float) -> float:
        used = engine._replace(**{one: getattr(engine, one) * layer for one in HOST})
        return total_s(serving_step(asked.model, asked.plan, tokens, formats, other, used))

    now = seconds(machine, 1.0)
    found = {}
    for name, fields in INPUTS.items():
        changed = machine._replace(**{one: getattr(machine, one) * (1.0 + CHANGE) for one in fields})
        found[name] = (seconds(changed, 1.0) / now - 1.0) * 100.0
    found["host and launches"] = (seconds(machine, 1.0 + CHANGE) / now - 1.0) * 100.0
    return found


def _brief(one: Loaded) -> dict[str, Any]:
    plan = one.question.plan
    return {
        "plan": {name: int(getattr(plan, name)) for name in DEGREES},
        "batch": one.batch,
        "time_per_token_s": one.step_s,
        "tokens_per_s_per_chip": one.tokens_per_s / one.question.chips,
    }
