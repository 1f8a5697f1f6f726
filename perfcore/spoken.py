"""A plan and where its time goes, in words and numbers for people."""

from typing import Any

from perfcore.formulas.records import Machine
from perfcore.formulas.step import Step, step_time
from perfcore.questions import RECOMPUTE, Answer, Question

__all__ = ["LABELS", "binding", "breakdown", "plan_words", "sensitivities"]

LABELS = {
    "gemm_s": "matrix products",
    "attention_s": "attention",
    "elementwise_s": "memory-bound kernels",
    "head_s": "embedding, logits and loss",
    "recompute_s": "recomputed",
    "tensor_s": "tensor-parallel traffic",
    "context_s": "context-parallel traffic",
    "expert_s": "expert traffic",
    "shard_s": "sharded weights",
    "pipeline_s": "traffic between stages",
    "bubble_s": "pipeline bubble",
    "data_s": "gradient reduction",
    "optimizer_s": "optimizer",
    "launch_s": "kernel launches",
    "straggler_s": "stragglers",
    "fixed_s": "fixed",
}
# What binds: the kinds of time that the same remedy would shorten.
BINDING = {
    "compute": ("gemm_s", "attention_s", "recompute_s"),
    "memory bandwidth": ("elementwise_s", "head_s", "optimizer_s"),
    "links inside a domain": ("tensor_s", "context_s"),
    "experts' exchange": ("expert_s",),
    "network": ("shard_s", "data_s", "pipeline_s"),
    "pipeline bubble": ("bubble_s",),
    "host": ("launch_s", "fixed_s", "straggler_s"),
}
INPUTS = {
    "gemm rate": ("gemm_flop_s", "wide_gemm_flop_s"),
    "attention rate": ("attention_flop_s",),
    "memory bandwidth": ("memory_bytes_s",),
    "link bandwidth": ("link_bytes_s",),
    "network bandwidth": ("network_bytes_s",),
    "latencies": ("link_latency_s", "network_latency_s"),
}
CHANGE = 0.01


def plan_words(question: Question) -> dict[str, Any]:
    """Return a plan as it is given on the command line."""
    plan = question.plan
    shares = plan[12:]
    mode = next((name for name, known in RECOMPUTE.items() if known == shares), "other")
    whole = {name: int(getattr(plan, name)) for name in ("tp", "pp", "vp", "cp", "dp", "ep", "micro_batch")}
    return {
        **whole,
        "micro_batches": int(plan.micro_batches),
        "recompute": mode,
        "shard": int(plan.shard),
        "sequence_parallel": bool(plan.sequence_parallel),
        "embedding_counts_as_layer": bool(question.dealt),
    }


def breakdown(step: Step) -> dict[str, float]:
    """Return where the time goes [s]; the parts add up to the step."""
    return {name.removesuffix("_s"): float(value) for name, value in step._asdict().items() if name != "time_s"}


def binding(found: Answer) -> str:
    """Return what takes the most of the time that one remedy would shorten."""
    parts = found.step._asdict()
    sums = {kind: sum(parts[name] for name in names) for kind, names in BINDING.items()}
    return max(sums, key=lambda kind: sums[kind])


def sensitivities(question: Question, time_s: float) -> dict[str, float]:
    """Return by how many percent the step time moves when an input of the machine rises by one percent."""
    machine, soft = question.machine(), question.soft()
    found = {}
    for name, fields in INPUTS.items():
        changed = Machine(*machine)._replace(**{field: getattr(machine, field) * (1 + CHANGE) for field in fields})
        other = step_time(question.model, question.plan, question.work, question.dealt, changed, soft).time_s
        found[name] = round((other / time_s - 1.0) / CHANGE, 4)
    return found
