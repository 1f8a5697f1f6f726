"""Claims of speed: what training and serving predict, with their 80 % intervals."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from perfcore.claim_values import Found, Range, spoken
from perfcore.counts import MOST, whole
from perfcore.errors import PerfcoreError

Computation = Mapping[str, Any]
# What a claim may ask of a training step, and whether it grows with the time of the step (1) or falls (-1).
TRAINING = {"step_time_s": 1, "days": 1, "chip_hours": 1, "tokens_per_s": -1, "tokens_per_s_per_chip": -1, "mfu": -1}
# What it may ask of serving, and where its interval stands.
SERVING = {
    "time_to_first_token_s": "time_to_first_token_interval_s",
    "time_per_token_s": "time_per_token_interval_s",
    "tokens_per_s_per_chip": "tokens_per_s_per_chip_interval",
}


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the exact numbers of a file into those that training and serving take.

    >>> from decimal import Decimal
    >>> plain({"tp": 8, "tokens": Decimal("1.5"), "precision": "fp8"})
    {'tp': 8, 'tokens': 1.5, 'precision': 'fp8'}
    """
    return {k: v if isinstance(v, str | bool | int) else float(Fraction(v)) for k, v in options.items()}


def _asked(computation: Computation, allowed: Mapping[str, Any]) -> tuple[str, int]:
    name = computation["quantity"]
    if name not in allowed:
        raise PerfcoreError(f"quantity: found {name!r}; allowed: {', '.join(allowed)}")
    return name, whole("chips", computation["chips"], most=MOST)


def _training(computation: Computation) -> Found:
    from perfcore.training import train

    name, count = _asked(computation, TRAINING)
    found = train(computation["model"], computation["chip"], count, **plain(computation.get("options", {})))
    if found.days is None and name in ("days", "chip_hours"):
        raise PerfcoreError(f"quantity {name}: tokens are missing; give options.tokens")
    value = found.days * 24 * count if name == "chip_hours" and found.days else getattr(found, name)
    fast, slow = (end / found.step_time_s for end in found.step_time_interval_s)
    span = Range(value * fast, value * slow) if TRAINING[name] > 0 else Range(value / slow, value / fast)
    plan = " ".join(f"{key}={part}" for key, part in found.plan.items())
    steps = (
        f"{name} of {found.model} on {count:,} x {found.chip}: {value:.4g}, 80 % interval {spoken(span)}",
        f"  {plan}; {found.precision}, {found.system}, {found.software}",
    )
    return _shown(value, span, computation, steps)


def _serving(computation: Computation) -> Found:
    from perfcore.inference import infer

    name, count = _asked(computation, SERVING)
    found = infer(computation["model"], computation["chip"], count, **plain(computation.get("options", {})))
    value, span = getattr(found, name), Range(*getattr(found, SERVING[name]))
    plan = " ".join(f"{key}={part}" for key, part in found.plan.items())
    steps = (
        f"{name} of {found.model} on {count:,} x {found.chip}: {value:.4g}, 80 % interval {spoken(span)}",
        f"  {plan}; batch {found.batch:g}, input {found.input}, output {found.output}; {found.precision}",
        f"  {found.system}, {found.engine}",
    )
    return _shown(value, span, computation, steps)


def _shown(value: float, span: Range, computation: Computation, steps: tuple[str, ...]) -> Found:
    """Return the interval, or the prediction alone where it is put beside another with the same errors."""
    return Found(Range(value, value) if computation.get("point") else span, steps)


SPEEDS: dict[str, Callable[[Computation], Found]] = {"training": _training, "serving": _serving}
