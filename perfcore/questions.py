"""One training question: a model, a chip in a system under a software, a plan; and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from perfcore.formulas.footprint import Footprint, peak_footprint
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.step import Step, step_time
from perfcore.formulas.storage import Storage
from perfcore.formulas.transformer import attention_flop_per_token, matmul_flop_per_token
from perfcore.machine import Setting, machine_of, rate_of

__all__ = ["RECOMPUTE", "Answer", "Question", "answer", "plan_of"]

# Shares of a layer's forward pass done again: projections, MLP, attention, memory-bound kernels, communication.
RECOMPUTE: Mapping[str, tuple[float, float, float, float, float]] = {
    "none": (0.0, 0.0, 0.0, 0.0, 0.0),
    "selective": (0.0, 0.0, 1.0, 0.0, 0.0),
    "full": (1.0, 1.0, 1.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class Question:
    """What is asked: ``chips`` are packages; the degrees of ``plan`` count the devices a framework sees."""

    model: Model
    setting: Setting
    chips: int
    plan: Plan
    work: Work
    tensor_overlap: float | None = None  # where a run says so: instead of the software's
    gradient_bytes: float | None = None
    embedding_layers: float | None = None

    @property
    def dealt(self) -> float:
        """Return how many layers embedding and head each count for."""
        given = self.embedding_layers
        return self.setting.software.embedding_layers if given is None else given

    def soft(self) -> Software:
        """Return the record of the software, with what the run says."""
        setting = self.setting
        fused = setting.attention_kernel != "unfused"
        soft = setting.software.record(fused, setting.precision.fused_experts)
        if self.tensor_overlap is not None:
            soft = soft._replace(tensor_overlap=self.tensor_overlap)
        if self.gradient_bytes is not None:
            soft = soft._replace(gradient_bytes=self.gradient_bytes)
        return soft

    def storage(self) -> Storage:
        """Return the bytes that are kept."""
        setting, plan = self.setting, self.plan
        half = setting.precision.name == "fp16"
        kept = setting.software.storage(setting.precision.bits, half, int(plan.shard), int(plan.pp))
        unfused = float(setting.attention_kernel == "unfused")
        return kept._replace(embedding_layers=self.dealt, attention_unfused=unfused)

    def machine(self) -> Machine:
        """Return the record of the chip in its system."""
        return machine_of(self.setting, self.chips)


@dataclass(frozen=True)
class Answer:
    """Time and memory of one plan."""

    step: Step
    low_s: float  # over the ends of numbers given as intervals
    high_s: float
    memory: Footprint
    fits: bool
    flop_per_chip: float  # of the model, a step
    again_share: float  # recomputed FLOP over those of the model
    peak_flop_s: float

    @property
    def time_s(self) -> float:
        """Return the time of a step [s]."""
        return self.step.time_s

    @property
    def mfu(self) -> float:
        """Return the model FLOP utilisation."""
        return self.flop_per_chip / (self.time_s * self.peak_flop_s)


def plan_of(
    tp: float = 1,
    pp: float = 1,
    vp: float = 1,
    cp: float = 1,
    dp: float = 1,
    ep: float = 1,
    micro_batch: float = 1,
    micro_batches: float = 1,
    shard: float = 1,
    shard_group: float | None = None,
    sequence_parallel: bool | None = None,
    schedule: float = 0,
    recompute: tuple[float, float, float, float, float] = RECOMPUTE["none"],
) -> Plan:
    """Make a plan of plain numbers.

    >>> plan_of(tp=8, dp=4).sequence_parallel, plan_of(dp=4, cp=2).shard_group
    (1.0, 8.0)
    """
    group = dp * cp if shard_group is None else shard_group
    parallel = tp > 1 if sequence_parallel is None else sequence_parallel
    counts = (tp, pp, vp, cp, dp, ep, micro_batch, micro_batches, shard, group, parallel, schedule, *recompute)
    return Plan(*map(float, counts))


def answer(question: Question) -> Answer:
    """Predict one plan.

    Raises
    ------
    PerfcoreError
        If the chip lacks the format or a number that is needed.
    """
    q = question
    soft, dealt = q.soft(), q.dealt
    machine = q.machine()
    step = step_time(q.model, q.plan, q.work, dealt, machine, soft)
    ends = [step.time_s]
    for end in ("low", "high"):
        other = machine_of(q.setting.at(end), q.chips)
        if other != machine:
            ends.append(step_time(q.model, q.plan, q.work, dealt, other, soft).time_s)
    memory = peak_footprint(q.model, q.plan, q.work, q.storage())
    flop = flop_per_step(q.model, q.work) / q.chips
    return Answer(
        step,
        min(ends),
        max(ends),
        memory,
        memory.total <= machine.memory_bytes,
        flop,
        recomputed_share(q.model, q.work, q.plan),
        rate_of(q.setting.chip, q.setting.precision.format),
    )


def flop_per_step(model: Model, work: Work) -> float:
    """Return the FLOP of a model in one step: forward and backward, causal attention counted half, nothing twice."""
    per_token = matmul_flop_per_token(model) + attention_flop_per_token(model, work.seq, 1.0)
    return per_token * work.seq * work.global_batch


def recomputed_share(model: Model, work: Work, plan: Plan) -> float:
    """Return the FLOP done again over those of the model."""
    attention = attention_flop_per_token(model, work.seq, 1.0)
    matmul = matmul_flop_per_token(model)
    logits = 6.0 * model.hidden * model.vocab
    mlp_share = plan.recompute_mlp
    again = plan.recompute_attention * attention + (matmul - logits) * (
        mlp_share * 2.0 / 3.0 + plan.recompute_projections / 3.0
    )
    return again / 3.0 / (matmul + attention)
