"""Rows of a table of training measurements, turned into questions: what was run, and how long a step took."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from perfcore import chips, software, systems
from perfcore.cells import Row, SkippedError
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Model, Work
from perfcore.machine import Setting, rate_of
from perfcore.precisions import Precision
from perfcore.precisions import find as find_precision
from perfcore.questions import RECOMPUTE, Question, flop_per_step, plan_of
from perfcore.software import SoftwareFile
from perfcore.systems import System
from perfcore.table_models import model_of_row

__all__ = ["NEEDED", "Case", "case_of"]

NEEDED = ("chip", "n_chips", "seq")
GIGABIT = 1e9 / 8
SLICES = re.compile(r"(\d+) slices?(?:\(s\))? of (\d+)")
GROUP = re.compile(r"shard group (\d+)")
USUAL_TOKENS = 8192  # of a micro-batch, at most, where a run without a pipeline does not say
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
        _plan(row, model, work, ranks, setting, said),
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


def _plan(row: Row, model: Model, work: Work, ranks: float, setting: Setting, said: list[str]):  # type: ignore[no-untyped-def]
    tp, pp, cp, ep = (row.or_else(name, 1.0) for name in ("TP", "PP", "CP", "EP"))
    dp = ranks / (tp * pp * cp)
    if dp < 1 or abs(dp - round(dp)) > 1e-9:
        raise SkippedError(f"TP x PP x CP = {tp * pp * cp:g} does not divide the {ranks:g} ranks")
    used = setting.software
    micro_batch = _micro_batch(row, work, dp, pp, said)
    micro_batches = float(max(1, round(work.global_batch / (micro_batch * dp))))
    if used.id == "xla_maxtext":
        micro_batches = 1.0  # the batch of a device is one micro-batch
    if used.id == "torchtitan_2024":
        micro_batches = max(1.0, pp)  # the local batch is cut into as many as there are stages
    mode = row.text("shard_mode").lower()
    shard = _shard(mode)
    group = GROUP.search(mode)
    spread = float(group[1]) if group else dp * cp
    if "hsdp" in mode:
        spread = setting.system.chips_per_node / tp
    if shard == 3 and SLICES.search(row.text("chip_note")):
        spread = min(spread, setting.system.domain_chips / tp)
    name = row.text("framework")
    return plan_of(
        tp=tp,
        pp=pp,
        vp=_chunks(row, model, pp, used, said),
        cp=cp,
        dp=dp,
        ep=ep,
        micro_batch=work.global_batch / (dp * micro_batches),
        micro_batches=micro_batches,
        shard=shard,
        shard_group=spread,
        sequence_parallel=bool(row.or_else("seq_parallel", 0.0)) if row.text("seq_parallel") else tp > 1,
        schedule=1.0 if "ZB-1p" in name else 2.0 if "ZB-2p" in name else 0.0,
        recompute=_recompute(row, model, used, said),
    )


def _micro_batch(row: Row, work: Work, dp: float, pp: float, said: list[str]) -> float:
    """Return the sequences of a micro-batch; where they are not given, as many as hold the usual number of tokens."""
    given = row.number("mbs")
    if given:
        return given
    steps, share = row.number("grad_accum"), work.global_batch / dp
    if steps:
        return share / steps
    most = int(min(share, USUAL_TOKENS / work.seq)) if pp == 1 else 1
    taken = next((float(n) for n in range(most, 1, -1) if share % n == 0), 1.0)
    said.append(f"mbs not given: {taken:g}")
    return taken


def _shard(mode: str) -> float:
    if "zero-3" in mode or "fsdp" in mode or "full" in mode:
        return 3.0
    if "zero-2" in mode:
        return 2.0
    return 1.0 if "zero-1" in mode or mode.startswith("distributed") else 0.0


def _chunks(row: Row, model: Model, pp: float, used: SoftwareFile, said: list[str]) -> float:
    """Return the virtual stages; where a run does not say, what its software usually takes."""
    if pp <= 1:
        return 1.0
    text = row.text("VP")
    most = float(math.ceil(model.layers / pp))
    if text.startswith(">"):
        return 2.0
    if text:
        return min(most, row.needed("VP"))
    usual = float(used.structure["interleaving"])
    if usual == 1.0:
        return 1.0
    chunks = most if usual == 0.0 else max(1.0, float(round(model.layers / pp / usual)))
    said.append(f"VP not given: {chunks:.0f}, as {used.name} usually runs")
    return chunks


def _recompute(row: Row, model: Model, used: SoftwareFile, said: list[str]) -> tuple[float, float, float, float, float]:
    """Return what is done again, from the words of the frameworks."""
    text = row.text("recompute").lower()
    inputs = (model.ffn_matrices - 1.0) / model.ffn_matrices  # of the MLP's products, those before the activation
    if text.startswith("full"):
        return RECOMPUTE["full"]
    if "selective(norm" in text:
        return (0.0, 0.0, 0.0, 0.6, 0.0)
    if text.startswith("selective"):
        return (0.5, 0.5, 0.0, 1.0, 0.5) if used.id == "torchtitan_2024" else RECOMPUTE["selective"]
    if used.id == "xla_maxtext":
        return _xla_recompute(text, inputs, said)
    if "recipe" in text or not text:
        said.append("recompute not stated: none")
    return RECOMPUTE["none"]


def _xla_recompute(text: str, inputs: float, said: list[str]) -> tuple[float, float, float, float, float]:
    """Return what MaxText does again; a projection is a quarter of a layer's attention products."""
    if "context, qkv kept" in text:
        return (0.25, inputs, 0.0, 1.0, 0.0)
    if "qkv_proj_offloaded" in text:
        return (0.25, inputs, 1.0, 1.0, 0.0)
    if "query_proj=remat" in text:
        return (0.75, inputs, 1.0, 1.0, 0.0)
    if text == "minimal":
        return (0.0, 0.0, 1.0, 1.0, 0.0)
    if not text:
        said.append("recompute not stated: MLP inputs, attention and memory-bound kernels, as its recipes do")
    return (0.0, inputs, 1.0, 1.0, 0.0)


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
