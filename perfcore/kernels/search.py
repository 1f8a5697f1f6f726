"""The two loops of a plan search: what each plan costs, and how long its step takes."""

import numpy as np
from numpy.typing import NDArray

from perfcore.formulas.footprint import memory_bytes
from perfcore.formulas.layer_time import mean_layer
from perfcore.formulas.pipeline import Costs, step_seconds
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.step import costs_of, tokens_per_micro_batch
from perfcore.formulas.storage import Storage
from perfcore.kernels import compiled

Floats = NDArray[np.float64]
COSTS = Costs._fields


def _fill(
    model: Model,
    work: Work,
    machine: Machine,
    soft: Software,
    storage: Storage,
    plans: Floats,
    dealt: Floats,
    costs: Floats,
    memory: Floats,
) -> None:
    """Write the costs (11 rows, as ``Costs``) and the memory of each plan (a row of ``plans``, as ``Plan``)."""
    for i in range(plans.shape[0]):
        p = plans[i]
        plan = Plan(
            p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16]
        )
        layer = mean_layer(model, plan, work, tokens_per_micro_batch(plan, work), machine, soft)
        c = costs_of(layer, model, plan, work, dealt[i], machine, soft)
        costs[0, i], costs[1, i], costs[2, i], costs[3, i] = c.full_layers, c.last_layers, c.layer_s, c.weight_s
        costs[4, i], costs[5, i], costs[6, i], costs[7, i] = c.embedding_s, c.head_s, c.hop_s, c.reduce_s
        costs[8, i], costs[9, i], costs[10, i] = c.gather_s, c.optimizer_s, c.straggler
        kept = Storage(
            storage.weight_bytes,
            storage.gradient_bytes,
            storage.optimizer_bytes,
            storage.element_bytes,
            storage.gemm_input_bytes,
            storage.logit_bytes,
            storage.spare_gradient_bytes,
            storage.attention_unfused,
            storage.dropout,
            storage.routed_output_kept,
            storage.stage_output_kept,
            dealt[i],
            storage.process_bytes,
        )
        memory[i] = memory_bytes(model, plan, work, kept)


def _times(
    pp: Floats,
    vp: Floats,
    micro_batches: Floats,
    memory: Floats,
    costs: Floats,
    capacity: float,
    pipeline_overlap: float,
    data_overlap: float,
    out: Floats,
) -> None:
    """Write the step time of each plan, infinite where its memory is above ``capacity``."""
    for i in range(pp.shape[0]):
        c = Costs(
            costs[0, i],
            costs[1, i],
            costs[2, i],
            costs[3, i],
            costs[4, i],
            costs[5, i],
            costs[6, i],
            costs[7, i],
            costs[8, i],
            costs[9, i],
            costs[10, i],
        )
        time_s = step_seconds(pp[i], vp[i], micro_batches[i], 0.0, pipeline_overlap, data_overlap, c)
        out[i] = time_s if memory[i] <= capacity else np.inf


fill = compiled(_fill)
times = compiled(_times)
