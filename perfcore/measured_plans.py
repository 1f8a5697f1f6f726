"""How a measured run was cut over its ranks, from the columns of a table and the words of frameworks."""

import math
import re

from perfcore.cells import Row, SkippedError
from perfcore.formulas.records import Model, Plan, Work
from perfcore.machine import Setting
from perfcore.questions import RECOMPUTE, plan_of
from perfcore.software import SoftwareFile

__all__ = ["SLICES", "plan_of_row"]

SLICES = re.compile(r"(\d+) slices?(?:\(s\))? of (\d+)")
GROUP = re.compile(r"shard group (\d+)")
USUAL_TOKENS = 8192  # of a micro-batch, at most, where a run without a pipeline does not say


def plan_of_row(row: Row, model: Model, work: Work, ranks: float, setting: Setting, said: list[str]) -> Plan:
    """Return the plan a row states; what it leaves open is taken as its software usually runs, and said.

    Raises
    ------
    SkippedError
        If its degrees do not make up the ranks.
    """
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
