"""Time of a step from the costs of a micro-batch: pipeline schedule, gradient reduction, stragglers.

``step_seconds`` is what the search evaluates for every legal plan; everything it reads is prepared once per question.
"""

import math
from typing import NamedTuple

DATA_WINDOW = 0.8  # share of one micro-batch's compute that the gradient reduction may hide behind
DATA_FLOOR = 0.05  # share of it that never hides: the first and the last bucket
FIXED_S = 40e-3  # host work of a step: next batch, norm of the gradients, loss, launching the optimizer (fitted)


class Costs(NamedTuple):
    """What a plan costs, as far as it does not depend on how the pipeline is run; times in seconds.

    Those of a layer, of embedding and head and of a hop are for one micro-batch, the others for a step.
    """

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

    Examples
    --------
    8 layers and the embedding, or 6 layers and the head; one stage holds all three.

    >>> costs = Costs(8.0, 6.0, 1.0, 0.3, 0.1, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> stage_seconds(4.0, costs), stage_seconds(1.0, costs)
    (8.5, 8.6)
    """
    alone = costs.embedding_s if pp == 1.0 else 0.0
    last = costs.last_layers * costs.layer_s + costs.head_s + alone
    return max(costs.full_layers * costs.layer_s + costs.embedding_s, last)


def bubble_seconds(pp: float, vp: float, micro_batches: float, schedule: float, costs: Costs) -> float:
    r"""Return the idle time of the pipeline [s].

    1F1B: :math:`p - 1` times a stage, which is (p - 1)/m of the ideal time; interleaved: 1/v of it [1]_, with whole
    rounds of p micro-batches. ZB-1p: :math:`(p - 1)(t_f + t_b - t_w)` with the gradients of inputs in :math:`t_b` and
    those of weights in :math:`t_w`, in the memory of 1F1B; ZB-2p: none, in twice that memory [2]_.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), sections 2.2.1 and 2.2.2.
    .. [2] P. Qi et al., "Zero bubble pipeline parallelism", arXiv:2401.10241 (2023), section 2.

    Examples
    --------
    Stages of 8 s, 2 s of them weight gradients: 3 stages, half of that, 3 x (6 - 2) and none.

    >>> costs = Costs(8.0, 8.0, 1.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> [bubble_seconds(4.0, v, 8.0, s, costs) for v, s in ((1.0, 0.0), (2.0, 0.0), (1.0, 1.0), (1.0, 2.0))]
    [24.0, 12.0, 12.0, 0.0]
    """
    stage_s = costs.full_layers * costs.layer_s
    weight_s = costs.full_layers * costs.weight_s
    if schedule == 2.0:
        return 0.0
    if schedule == 1.0:
        return (pp - 1.0) * max(0.0, stage_s - 2.0 * weight_s)
    ragged = math.ceil(micro_batches / pp) * pp - micro_batches if vp > 1.0 else 0.0
    return ((pp - 1.0) / vp + ragged * (vp - 1.0) / vp) * stage_s


def exposed_data_seconds(data_overlap: float, window_s: float, costs: Costs) -> float:
    """Return the part of reducing gradients and gathering weights that no compute hides [s].

    The reduction runs behind the last backward pass (two thirds of a micro-batch), the gathering behind the first
    forward pass (a third). All but the first and the last bucket can hide [1]_.

    References
    ----------
    .. [1] S. Li et al., "PyTorch distributed", arXiv:2006.15704 (2020), section 3.2 (buckets and overlap).

    Examples
    --------
    Behind a micro-batch of 10 s hide 5.33 s of a reduction of 20 s and 2.67 s of gathering for 4 s.

    >>> costs = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 20.0, 4.0, 0.0, 0.0)
    >>> round(exposed_data_seconds(1.0, 10.0, costs), 3), exposed_data_seconds(0.0, 10.0, costs)
    (16.0, 24.0)
    """
    window = data_overlap * DATA_WINDOW * window_s
    floor = DATA_FLOOR if data_overlap > 0.0 else 1.0
    reduce_s = max(floor * costs.reduce_s, costs.reduce_s - window * 2.0 / 3.0)
    return reduce_s + max(floor * costs.gather_s, costs.gather_s - window / 3.0)


def hop_seconds(pp: float, vp: float, micro_batches: float, pipeline_overlap: float, costs: Costs) -> float:
    """Return the exposed time of passing activations between stages [s], both ways, for every chunk.

    A share of the hops of every micro-batch is hidden, none of those that fill and drain the pipeline. Interleaving
    hops v times as often [1]_.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), section 2.2.2.

    Examples
    --------
    Hops of 1 s on 4 stages, 8 micro-batches: 2 x 8 + 2 x 3 of them, or all of the steady state hidden.

    >>> costs = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    >>> [hop_seconds(4.0, v, 8.0, hidden, costs) for v, hidden in ((1.0, 0.0), (1.0, 1.0), (2.0, 0.0))]
    [22.0, 6.0, 38.0]
    """
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
    """Return the time of one optimizer step [s]: micro-batches, bubble and hops, gradients, optimizer, fixed work.

    Examples
    --------
    8 micro-batches of 8 s, a bubble of 3 x 8 s, 1 s for the optimizer, and the fixed work:

    >>> costs = Costs(8.0, 8.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    >>> step_seconds(4.0, 1.0, 8.0, 0.0, 0.0, 0.0, costs) - FIXED_S
    89.0
    """
    stage_s = stage_seconds(pp, costs)
    running = micro_batches * stage_s + bubble_seconds(pp, vp, micro_batches, schedule, costs)
    running += hop_seconds(pp, vp, micro_batches, pipeline_overlap, costs)
    data_s = exposed_data_seconds(data_overlap, stage_s, costs)
    return running * (1.0 + costs.straggler) + data_s + costs.optimizer_s + FIXED_S
