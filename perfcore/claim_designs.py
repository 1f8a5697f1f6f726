"""Claims on designs: what a change of the A100-like reference does to area, TPP and the times of serving."""

from collections.abc import Callable, Mapping
from typing import Any

from perfcore import architectures
from perfcore.claim_values import Found, Range, spoken
from perfcore.design_loads import Task, load_of
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas.architecture import Architecture, Blocks, design_tpp, logic_area_mm2
from perfcore.formulas.architecture_time import Load, decode_s, design_machine, prefill_s

Computation = Mapping[str, Any]
# GPT-3 on four chips joined as LLMCompass has them, with its times of starting kernels.
TASK = Task(model="gpt3_175b", overheads="llmcompass", ignore_capacity=True)
LINK_LATENCY_S = 8.92e-6


def computed(computation: Computation) -> Found:
    """Return a quantity of the reference design with some parameters changed.

    >>> computed({"quantity": "tpp", "changes": {"cores": 103}}).steps
    ('tpp of the reference with cores = 103: 4,758.9',)

    Raises
    ------
    PerfcoreError
        If the quantity or a parameter is not there.
    """
    name, changes = computation["quantity"], computation.get("changes", {})
    if name not in QUANTITIES:
        raise PerfcoreError(f"quantity: found {name!r}; allowed: {', '.join(QUANTITIES)}")
    parts, reference = architectures.reference()
    for key in changes:
        if key not in Architecture._fields:
            hint = suggestion(key, Architecture._fields) or f"; allowed: {', '.join(Architecture._fields)}"
            raise PerfcoreError(f"changes: found {key!r}{hint}")
    design = reference._replace(**{key: float(value) for key, value in changes.items()})
    value = QUANTITIES[name](design, reference, architectures.blocks_of(parts))
    given = ", ".join(f"{key} = {spoken(number)}" for key, number in changes.items()) or "nothing changed"
    return Found(Range(value, value), (f"{name} of the reference with {given}: {spoken(Range(value, value))}",))


def _times(design: Architecture, blocks: Blocks, time: Callable[[Load, Any], float]) -> float:
    load = load_of(TASK, LINK_LATENCY_S, [])
    return time(load, design_machine(design, blocks, load.reach))


QUANTITIES: dict[str, Callable[[Architecture, Architecture, Blocks], float]] = {
    "applicable_die_area_mm2": lambda design, reference, blocks: logic_area_mm2(design, blocks),
    "tpp": lambda design, reference, blocks: design_tpp(design, blocks),
    "decode_time_saved": lambda design, reference, blocks: (
        1.0 - _times(design, blocks, decode_s) / _times(reference, blocks, decode_s)
    ),
    "prefill_time_saved": lambda design, reference, blocks: (
        1.0 - _times(design, blocks, prefill_s) / _times(reference, blocks, prefill_s)
    ),
}
