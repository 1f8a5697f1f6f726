"""What a user asks of serving, checked: chip, lengths, plan; and what is said where nothing can be served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfcore import chips as catalogue
from perfcore import engines, systems
from perfcore.counts import MOST, whole
from perfcore.errors import PerfcoreError, suggestion
from perfcore.machine import rate_of
from perfcore.models import ModelFile
from perfcore.precisions import find_exactly
from perfcore.serving_plans import SearchedPlans
from perfcore.serving_questions import ServingQuestion, ServingSetting

__all__ = ["DEGREES", "chunk_of", "degrees_of", "lengths_of", "limit_of", "refusal", "setting_of"]

GIGA = 1e9
USUAL_TOKENS = 1024  # of prompt and of output, taken and said where they are not given
LONGEST_S = 1e6  # for a token
DEGREES = ("tp", "pp", "dp", "ep")


def chunk_of(chunk: int | None) -> float | None:
    """Return the most tokens of a step, where given."""
    return None if chunk is None else float(whole("--chunk", chunk, most=MOST))


def limit_of(time_per_token: float | None, batch: int | None) -> float | None:
    """Return the longest time per token that is wanted [s], where given."""
    if time_per_token is None:
        return None
    real = isinstance(time_per_token, int | float) and not isinstance(time_per_token, bool)
    if real and time_per_token > LONGEST_S:  # a whole number may be too long to print
        raise PerfcoreError(f"--time-per-token: found more than {LONGEST_S:g} s; allowed: seconds above 0 up to that")
    if not (real and time_per_token > 0):
        raise PerfcoreError(f"--time-per-token: found {time_per_token!r}; allowed: seconds above 0")
    if batch is not None:
        raise PerfcoreError("--time-per-token: it finds the batch, so it cannot stand beside --batch; give one of them")
    return float(time_per_token)


def lengths_of(known: ModelFile, prompt: Any, output: Any, prefix: Any, said: list[str]) -> tuple[int, int, int]:
    """Return the tokens of prompt, output and cached prefix."""
    given = [
        None if value is None else whole(label, value, most=MOST)
        for label, value in (("--input", prompt), ("--output", output))
    ]
    usual = _usual_tokens(known.max_seq, given)
    said += [f"{label}: {usual} tokens" for label, one in zip(("input", "output"), given, strict=True) if one is None]
    counts = [usual if one is None else one for one in given]
    kept = whole("--prefix", prefix, 0, MOST)
    if kept >= counts[0]:
        raise PerfcoreError(f"--prefix: found {kept}; allowed: less than the {counts[0]} tokens of --input")
    if known.max_seq is not None and sum(counts) > known.max_seq:
        most = f"{known.name} takes at most {known.max_seq:.0f} tokens"
        raise PerfcoreError(f"--input and --output: found {sum(counts)} tokens together; {most}; give less")
    return counts[0], counts[1], kept


def _usual_tokens(longest: float | None, given: list[int | None]) -> int:
    """Return the tokens taken for what is not given: as usual, or what a model of short contexts leaves for it."""
    missing = given.count(None)
    left = 0 if longest is None else int(longest) - sum(one or 0 for one in given)
    return min(USUAL_TOKENS, left // missing) if missing and left >= missing else USUAL_TOKENS


def setting_of(
    chip: str,
    system: str | None,
    engine: str | None,
    precision: str | None,
    kv_bits: int | None,
    said: list[str],
) -> ServingSetting:
    """Return the chip in its system under an engine, what is taken where nothing is given being said."""
    for label, name in (("--system", system), ("--engine", engine), ("--precision", precision)):
        if name is not None and not isinstance(name, str | Path):
            raise PerfcoreError(f"{label}: found {name!r}; allowed: a name")
    item = catalogue.load(chip)
    if item.kind not in ("chip", "part"):
        raise PerfcoreError(f"--chip: {item.name} is a {item.kind}; name a chip")
    joined = systems.load(system) if system else systems.default_for(item)
    if not system:
        said.append(f"system: {joined.name}, the default of {item.name}")
    said += [f"system: {sentence}" for sentence in joined.assumptions]
    used = engines.load(engine or engines.default_for(str(item.document.get("vendor", ""))))
    if not engine:
        said.append(f"engine: {used.name}")
    form = find_exactly(precision or usual_precision(item), serving=True)
    if not precision:
        said.append(f"precision: {form.name}")
    rate_of(item, form.format, strict=form.format not in ("bf16", "fp16"))
    if kv_bits not in (None, 4, 8, 16):
        raise PerfcoreError(f"--kv-bits: found {kv_bits!r}; allowed: 4, 8 or 16")
    eight = bool(used.structure["kv_follows_weights"]) and form.format in ("fp8", "fp4")
    if kv_bits is None:
        said.append(f"KV cache: {8 if eight else 16} bit")
    return ServingSetting(item, joined, used, form, kv_bits or (8 if eight else 16))


def usual_precision(item: catalogue.Item) -> str:
    """Return the number format taken where none is given: bf16, or the widest that a chip's file has."""
    has = item.document.get("peak_dense_tflops", {})
    return next((form for form in ("bf16", "fp16", "fp32", "fp8", "int8") if form in has), "bf16")


def degrees_of(given: Mapping[str, int | None]) -> dict[str, int]:
    """Return the given degrees of a plan."""
    unknown = [name for name in given if name not in DEGREES]
    if unknown:
        hint = suggestion(unknown[0], DEGREES)
        raise PerfcoreError(f"{unknown[0]}: not a part of a plan{hint}; allowed: {', '.join(DEGREES)}")
    return {name: whole(f"--{name}", value) for name, value in given.items() if value is not None}


def refusal(
    base: ServingQuestion, found: SearchedPlans, batch: int | None, wanted: Mapping[str, int], limit: float | None
) -> PerfcoreError:
    """Say why nothing can be served: no legal plan, too little memory, too large a batch, or too short a time."""
    plan = ", ".join(f"{name} {value}" for name, value in wanted.items())
    ranks = base.chips * base.setting.devices
    if not found.evaluated:
        experts = f"ep divide the {base.model.experts:.0f} experts in whole tensor-parallel groups"
        return PerfcoreError(
            f"no plan with {plan} on {ranks} ranks: tp must divide the {base.model.heads:.0f} heads, tp x pp x dp make "
            f"up the ranks, and {experts if base.model.experts else 'ep be 1, since the model has no experts'}"
        )
    capacity = base.machine.memory_bytes * base.setting.devices / GIGA
    if found.most < 1:
        least = found.least_weights * base.setting.devices / GIGA
        return PerfcoreError(
            f"{base.setting.chip.name}: the weights and one request of {base.length:.0f} tokens do not fit; weights "
            f"take {least:,.1f} of {capacity:,.0f} GB a chip at least: take more chips or a smaller --precision"
        )
    if batch is not None and batch > found.most:
        return PerfcoreError(
            f"--batch: {batch} sequences of {base.length:.0f} tokens do not fit; the largest batch that does is "
            f"{found.most:,.0f}: take that, more chips{'' if base.setting.kv_bits <= 8 else ', or --kv-bits 8'}"
        )
    if batch is not None:
        return PerfcoreError(f"--batch: found {batch}; every plan has more replicas than that: take more, or give --dp")
    return PerfcoreError(f"--time-per-token: no plan answers within {limit:g} s, with one sequence a replica either")
