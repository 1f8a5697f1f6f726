"""Rows of a table of training measurements, turned into questions: what was run, and how long a step took."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from perfcore import chips, software, systems
from perfcore.cells import Row, SkippedError
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Work
from perfcore.machine import Setting, rate_of
from perfcore.measured_plans import SLICES, plan_of_row
from perfcore.precisions import Precision
from perfcore.precisions import find as find_precision
from perfcore.questions import Question, flop_per_step
from perfcore.software import SoftwareFile
from perfcore.systems import System
from perfcore.table_models import model_of_row

__all__ = ["NEEDED", "Case", "case_of"]

NEEDED = ("chip", "n_chips", "seq")
GIGABIT = 1e9 / 8
CONTRADICTION = 1.25  # a row whose step time and rate differ by more contradicts itself


@dataclass(frozen=True)
class Case:
    """A measured run: the question it answers and what was measured."""

    row_id: str
    source: str
    chip: str
    quantity: str  # step_time_s or tokens_per_s_per_chip
    measured: float
    measured_s: float
    question: Question
    assumptions: tuple[str, ...]

    def in_quantity(self, time_s: float) -> float:
        """Return a step time in the quantity that was measured."""
        if self.quantity == "step_time_s":
            return time_s
        work = self.question.work
        return work.global_batch * work.seq / (time_s * self.question.chips)


def case_of(row: Row, number: int, mode: str = "fitted") -> Case:
    """Return the measured run of a row.

    Raises
    ------
    SkippedError
        If something that decides the time is missing, unknown or contradictory.
    """
    said: list[str] = []
    if row.text("mode").lower().startswith(("lora", "fwd")):
        raise SkippedError(f"mode {row.text('mode')}: only full training steps are predicted")
    question = _question(row, mode, said)
    seconds = _seconds(row, question)
    metric = row.text("metric")
    by_rate = "tokens" in metric or (not row.text("step_time_s") and bool(row.text("tokens_per_s_per_chip")))
    _check(question, seconds)
    case = Case(
        row.text("row_id") or f"row {number}",
        row.text("source_id") or "this table",
        row.text("chip"),
        "tokens_per_s_per_chip" if by_rate else "step_time_s",
        seconds,
        seconds,
        question,
        tuple(said),
    )
    return replace(case, measured=case.in_quantity(seconds))


def _question(row: Row, mode: str, said: list[str]) -> Question:
    chip = _looked_up(chips.load, row.text("chip"))
    used = _software(row, chip.document.get("vendor", ""), said)
    precision = _looked_up(find_precision, row.text("precision") or "bf16")
    precision = _as_framework_does(precision, row, used)
    model = model_of_row(row, said)
    system = _system(row, chip, said)
    setting = Setting(chip, system, _loaded(used, mode), precision, _attention_kernel(row, used), mode)
    count = row.needed("n_chips")
    ranks = count * setting.devices
    work = Work(row.needed("seq"), _global_batch(row, ranks))
    return Question(
        model,
        setting,
        int(count),
        plan_of_row(row, model, work, ranks, setting, said),
        work,
        tensor_overlap=_tensor_overlap(row, used),
        gradient_bytes=2.0 if precision.bits == 16 and _reduces_in_half(row, used) else None,
    )


T = TypeVar("T")


def _check(question: Question, seconds: float) -> None:
    """Refuse a run that cannot have been, naming the columns.

    Raises
    ------
    SkippedError
        If degrees do not divide what they cut, or the time implies more than the peak of the chips.
    """
    model, plan, work = question.model, question.plan, question.work
    wrong = [
        (model.heads % plan.tp != 0, f"TP {plan.tp:g} does not divide the {model.heads:g} heads"),
        (plan.pp > model.layers, f"PP {plan.pp:g} is more than the {model.layers:g} layers"),
        (model.experts % plan.ep != 0, f"EP {plan.ep:g} does not divide the {model.experts:g} experts"),
        (model.top_k > model.experts, f"moe_topk {model.top_k:g} is more than the {model.experts:g} experts"),
        (work.global_batch < 0.99 * plan.dp, f"gbs_seqs {work.global_batch:g} is less than {plan.dp:g} DP ranks"),
        (any(n != int(n) for n in (model.layers, model.heads, work.seq)), "layers, heads and seq are whole numbers"),
    ]
    said = [reason for holds, reason in wrong if holds]
    if said:
        raise SkippedError("; ".join(said))
    setting = question.setting
    peak = rate_of(setting.chip, setting.precision.format) * question.chips
    utilisation = flop_per_step(model, work) / (seconds * peak)
    if utilisation > 1.0:
        raise SkippedError(f"the time implies {utilisation:.0%} of the peak of the chips")


def _looked_up(find: Callable[[str], T], name: str) -> T:
    try:
        return find(name)
    except PerfcoreError as problem:
        raise SkippedError(str(problem)) from None


def _loaded(used: SoftwareFile, mode: str) -> SoftwareFile:
    return software.load(used.id, mode)


def _software(row: Row, vendor: str, said: list[str]) -> SoftwareFile:
    known = software.for_framework(row.text("framework"))
    if known is None:
        known = software.default_for(vendor)
        said.append(f"framework {row.text('framework') or 'not given'}: taken as {known}")
    return software.load(known)


def _as_framework_does(precision: Precision, row: Row, used: SoftwareFile) -> Precision:
    """Name the recipe a framework means by plain fp8."""
    text = row.text("precision").lower()
    if precision.name == "fp8" and used.id == "xla_maxtext":
        return find_precision("fp8_xla")
    if precision.name == "fp8" and ("torchao" in text or used.id == "torchtitan_2024"):
        return find_precision("fp8_rowwise" if "rowwise" in text else "fp8_tensorwise")
    if precision.name == "fp8" and used.id.startswith("megatron_bridge"):
        return find_precision("fp8_current")
    return precision


def _system(row: Row, chip: chips.Item, said: list[str]) -> System:
    """Return the chip's default system with the links that the row states."""
    found = systems.default_for(chip)
    link, network = row.number("intra_link_GBps_bidir"), row.number("inter_net_Gbps_per_chip")
    node = row.number("chips_per_node")
    changes: dict[str, object] = {}
    if link:
        changes["scale_up_bytes_s"] = link / 2 * 1e9
    if network:
        changes["scale_out_bytes_s"] = network * GIGABIT
    if node and found.domain_chips == found.chips_per_node and found.scale_up_topology in ("switch", "full_mesh"):
        changes["domain_chips"] = int(node)
    slices = SLICES.search(row.text("chip_note"))
    if slices:
        changes["domain_chips"] = int(slices[2])
    if not (link and network):
        said.append(f"network not stated in full: {found.name}")
    return replace(found, **changes)  # type: ignore[arg-type]


def _attention_kernel(row: Row, used: SoftwareFile) -> str:
    text = row.text("attention_impl").lower()
    if used.id == "xla_maxtext":
        return used.attention_kernel
    if "unfused" in text or "standard" in text or "dot product" in text or "none (" in text:
        return "unfused"
    if "triton" in text or "flashattention-1" in text:
        return "flash_1"
    return used.attention_kernel if not text or "flash" not in text else max(used.attention_kernel, "flash_2")


def _tensor_overlap(row: Row, used: SoftwareFile) -> float | None:
    if used.structure["tensor_overlap"] == 0 and "async" in row.text("comm_overlap").lower():
        return 0.4
    return None


def _reduces_in_half(row: Row, used: SoftwareFile) -> bool:
    sharded = "fsdp" in used.id or used.id in ("torchtitan_2024", "xla_maxtext")
    return "PURE" in row.text("framework") or (sharded and not row.text("precision").startswith("amp"))


def _global_batch(row: Row, ranks: float) -> float:
    """Return the sequences of a step, or what micro-batch, accumulation and data-parallel ranks make of them."""
    given = row.number("gbs_seqs")
    if given:
        return given
    micro_batch, steps = row.number("mbs"), row.number("grad_accum")
    if micro_batch and steps:
        cut = row.or_else("TP", 1.0) * row.or_else("PP", 1.0) * row.or_else("CP", 1.0)
        return micro_batch * steps * ranks / cut
    raise SkippedError("gbs_seqs (sequences a step) is not given")


def _seconds(row: Row, question: Question) -> float:
    """Return the measured time of a step [s]."""
    if "hours" in row.text("metric") or "hours" in row.text("unit"):
        raise SkippedError("a whole run's chip-hours, restarts included, are not a step time")
    if row.text("metric") == "oom":
        raise SkippedError("the run was out of memory; nothing was timed")
    time_s, rate = row.number("step_time_s"), row.number("tokens_per_s_per_chip")
    work = question.work
    tokens = work.global_batch * work.seq
    if time_s and rate and not 1 / CONTRADICTION < time_s * rate * question.chips / tokens < CONTRADICTION:
        raise SkippedError("step time and tokens/s contradict each other")
    if time_s:
        return time_s
    if rate:
        return tokens / (rate * question.chips)
    tflops = row.number("tflops_per_chip")
    convention = row.number("ref_gflop_per_token_full")
    if tflops:
        flop = tokens * convention * 1e9 if convention else flop_per_step(question.model, work)
        return flop / (tflops * 1e12 * question.chips)
    raise SkippedError("none of step_time_s, tokens_per_s_per_chip and tflops_per_chip is given")
