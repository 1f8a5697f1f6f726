"""Time of a step from the costs of a micro-batch: pipeline schedule, gradient reduction, stragglers.

``step_seconds`` is what the search evaluates for every legal plan; everything it reads is prepared once per question.
"""

import math
from typing import NamedTuple

DATA_WINDOW = 0.8  # share of one micro-batch's compute that the gradient reduction may hide behind
DATA_FLOOR = 0.05  # share of it that never hides: the first and the last bucket
FIXED_S = 40e-3  # host work of a step: next batch, norm of the gradients, loss, launching the optimizer (fitted)


class Costs(NamedTuple):
    """What a plan costs, as far as it does not depend on how the pipeline is run."""

    full_layers: float  # layers of a full stage
    last_layers: float  # layers of the last stage, multi-token prediction included
    layer_s: float  # one layer, forward and backward, with its exposed communication
    weight_s: float  # of it the weight gradients, which a zero-bubble schedule may move
    embedding_s: float
    head_s: float
    hop_s: float  # passing activations to the next stage
    reduce_s: float  # gradients over the data-parallel ranks
    gather_s: float  # updated weights over them
    optimizer_s: float
    straggler: float  # share of time lost to the slowest chip


def stage_seconds(pp: float, costs: Costs) -> float:
    """Return the time of one micro-batch on the slowest stage [s]: the first, or the last with the head.

    >>> costs = Costs(8.0, 6.0, 1.0, 0.3, 0.1, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> stage_seconds(4.0, costs), stage_seconds(1.0, costs)
    (8.5, 8.6)
    """
    alone = costs.embedding_s if pp == 1.0 else 0.0
    last = costs.last_layers * costs.layer_s + costs.head_s + alone
    return max(costs.full_layers * costs.layer_s + costs.embedding_s, last)


def bubble_seconds(pp: float, vp: float, micro_batches: float, schedule: float, costs: Costs) -> float:
    r"""Return the idle time of the pipeline [s].

    1F1B: (p - 1) stages; interleaved: 1/v of it, and whole rounds of p micro-batches (Narayanan et al. 2021). ZB-1p hides
    twice the weight gradients in it, ZB-2p all (Qi et al. 2023, table 1).

    >>> costs = Costs(8.0, 8.0, 1.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> [bubble_seconds(4.0, v, 8.0, s, costs) for v, s in ((1.0, 0.0), (2.0, 0.0), (1.0, 1.0), (1.0, 2.0))]
    [24.0, 12.0, 6.0, 0.0]
    """
    stage_s = costs.full_layers * costs.layer_s
    weight_s = costs.full_layers * costs.weight_s
    if schedule == 2.0:
        return 0.0
    if schedule == 1.0:
        return (pp - 1.0) * max(0.0, stage_s - 3.0 * weight_s)
    ragged = math.ceil(micro_batches / pp) * pp - micro_batches if vp > 1.0 else 0.0
    return ((pp - 1.0) / vp + ragged * (vp - 1.0) / vp) * stage_s


def exposed_data_seconds(data_overlap: float, window_s: float, costs: Costs) -> float:
    """Return the part of reducing gradients and gathering weights that no compute hides [s].

    The reduction runs behind the last backward pass (two thirds of a micro-batch), the gathering behind the first
    forward pass (a third).
    """
    window = data_overlap * DATA_WINDOW * window_s
    floor = DATA_FLOOR if data_overlap > 0.0 else 1.0
    reduce_s = max(floor * costs.reduce_s, costs.reduce_s - window * 2.0 / 3.0)
    return reduce_s + max(floor * costs.gather_s, costs.gather_s - window / 3.0)


def hop_seconds(pp: float, vp: float, micro_batches: float, pipeline_overlap: float, costs: Costs) -> float:
    """Return the exposed time of passing activations between stages [s], both ways, for every chunk."""
    passing = 2.0 * vp * costs.hop_s
    return passing * (micro_batches * (1.0 - pipeline_overlap) + (pp - 1.0) / vp)


def step_seconds(
    pp: float,
    vp: float,
    micro_batches: float,
    schedule: float,
    pipeline_overlap: float,
    data_overlap: float,
    costs: Costs,
) -> float:
    """Return the time of one optimizer step [s]."""
    stage_s = stage_seconds(pp, costs)
    running = micro_batches * stage_s + bubble_seconds(pp, vp, micro_batches, schedule, costs)
    running += hop_seconds(pp, vp, micro_batches, pipeline_overlap, costs)
    data_s = exposed_data_seconds(data_overlap, stage_s, costs)
    return running * (1.0 + costs.straggler) + data_s + costs.optimizer_s + FIXED_S
