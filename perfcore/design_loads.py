"""What a design is judged by: a model of the catalogue, its load, and how near kernels come to the peak rates."""

from dataclasses import dataclass
from typing import Any

from perfcore import architectures, efficiency, engines, models, software
from perfcore.counts import MOST, whole
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas.architecture_time import DECODE, PREFILL, REQUEST, TPP, TRAINING, Load, Reach
from perfcore.formulas.records import Formats, Work
from perfcore.formulas.serving import kv_bytes_per_sequence, weight_bytes
from perfcore.formulas.serving_layer import Tokens
from perfcore.models import ModelFile
from perfcore.questions import plan_of

__all__ = ["OBJECTIVES", "OVERHEADS", "Task", "load_of", "objective_of"]

OBJECTIVES = {"prefill": PREFILL, "decode": DECODE, "request": REQUEST, "training": TRAINING, "tpp": TPP}
OVERHEADS = ("neutral", "llmcompass", "none")
MICRO = 1e-6
UNKNOWN_DESIGN = "a design"  # of no known generation: means over all of them


@dataclass(frozen=True)
class Task:
    """What a user asks of a design: objective, model, load, tensor-parallel chips, and the kernel overheads taken."""

    objective: str = "decode"
    model: str = "llama3_70b"
    batch: int = 8
    input: int = 2048
    output: int = 1024
    tp: int = 4
    overheads: str = "neutral"
    ignore_capacity: bool = False


def objective_of(name: str) -> float:
    """Return the number of an objective.

    >>> objective_of("prefill")
    0.0

    Raises
    ------
    PerfcoreError
        If it is none.
    """
    if name not in OBJECTIVES:
        said = f"{suggestion(str(name), OBJECTIVES)}; allowed: {', '.join(OBJECTIVES)}"
        raise PerfcoreError(f"--objective: found {str(name)[:40]!r}{said}")
    return OBJECTIVES[name]


def load_of(task: Task, link_latency_s: float, said: list[str]) -> Load:
    """Return a task as the record the formulas read; what is assumed is added to ``said``.

    Raises
    ------
    PerfcoreError
        If a name or number of it is not allowed.
    """
    objective = objective_of(task.objective)
    if task.overheads not in OVERHEADS:
        raise PerfcoreError(f"--overheads: found {task.overheads[:40]!r}; allowed: {', '.join(OVERHEADS)}")
    known = models.load(task.model)
    batch, prompt, output, tp = _counts(task, known)
    m = known.record
    plan = plan_of(tp=tp)
    formats = Formats(2.0, 1.0, 2.0)
    held = weight_bytes(m, plan, formats) + batch * kv_bytes_per_sequence(m, plan, float(prompt + output), formats)
    context = prompt + 0.5 * output
    training = software.load(software.default_for("NVIDIA"), "neutral")
    if known.max_seq is not None and prompt + output > known.max_seq:
        said.append(f"load: {prompt + output} tokens a sequence, though {known.name} takes {known.max_seq:.0f}")
    needed = 0.0 if task.ignore_capacity or task.objective in ("tpp", "training") else held
    if needed:
        said.append(f"memory: {needed / 1e9:,.1f} GB of weights and KV cache a chip must fit; 16-bit weights and cache")
    else:
        said.append("memory: whether it holds the model is not looked at")
    return Load(
        objective,
        float(output),
        m,
        plan,
        Tokens(0.0, 0.0, float(batch * prompt), float(prompt), 0.0),
        Tokens(float(batch), context, 0.0, 0.0, 0.0),
        Work(float(known.seq or prompt), 1.0),
        formats,
        _engine(task.overheads),
        training.record(fused_attention=True, fused_experts=True),
        _reach(task.overheads, link_latency_s, float(tp), said),
        needed,
    )


def _counts(task: Task, known: ModelFile) -> tuple[int, int, int, int]:
    batch, prompt, output = (
        whole(f"--{name}", getattr(task, name), most=MOST) for name in ("batch", "input", "output")
    )
    tp = whole("--tp", task.tp, most=1024)
    heads = int(known.record.heads)
    if heads % tp:
        raise PerfcoreError(f"--tp: found {tp}; allowed: a divisor of the {heads} heads of {known.name}")
    return batch, prompt, output, tp


def _engine(overheads: str) -> Any:
    """Return the neutral serving engine, with the overheads asked for, and no chunks: a prompt runs in one piece."""
    layer_s = {"neutral": None, "llmcompass": architectures.overhead_us() * MICRO, "none": 0.0}[overheads]
    engine = engines.load("default", "neutral").record(float(MOST))
    if layer_s is None:
        return engine
    return engine._replace(layer_s=layer_s, sequence_s=0.0, step_s=0.0, host_layer_s=0.0, host_reduce_s=0.0)


def _reach(overheads: str, link_latency_s: float, tp: float, said: list[str]) -> Reach:
    shares, shared = efficiency.for_chip(UNKNOWN_DESIGN, "neutral"), efficiency.shared("neutral")
    said.append(
        f"rates: products reach {shares.gemm_16bit:.2f}, attention {shares.attention:.2f} of the array peak, links "
        f"{shared.link_efficiency:.2f} of theirs (means over known generations)"
    )
    said.append(
        {
            "neutral": f"overheads: {shared.kernel_s * 1e6:.1f} us a kernel, and those of an engine nobody measured",
            "llmcompass": f"overheads: {architectures.overhead_us():.0f} us a layer, as LLMCompass measures the A100",
            "none": "overheads: none, neither of kernels nor of links",
        }[overheads]
    )
    latency = {"neutral": shared.link_latency_s, "llmcompass": 0.5 * link_latency_s, "none": 0.0}[overheads]
    kernel = shared.kernel_s if overheads == "neutral" else 0.0
    return Reach(
        shares.gemm_16bit, shares.attention, shared.memory_efficiency, shared.link_efficiency, kernel, latency, tp
    )
