"""What published training runs and clusters imply, without a model of the step."""

import math


def dense_training_flop(parameters: float, tokens: float) -> float:
    """Operations of training by the rule of six, attention left out.

    Parameters
    ----------
    parameters
        Parameters a token makes use of. [count]
    tokens
        Tokens trained on. [token]

    References
    ----------
    .. [1] J. Kaplan et al., arXiv:2001.08361 (2020), section 2.1: 2 N forward and 4 N backward for a token.

    Examples
    --------
    >>> dense_training_flop(2.0, 3.0)
    36.0
    """
    return 6.0 * parameters * tokens


def training_tflops_per_chip(parameters: float, tokens: float, chip_hours: float) -> float:
    """Rate of a chip in a training run of so many chip hours, by the rule of six. [10^12/s]

    Parameters
    ----------
    parameters
        Parameters a token makes use of. [count]
    tokens
        Tokens trained on. [token]
    chip_hours
        Hours of one chip. [h]

    Examples
    --------
    6 x 10^9 x 6 x 10^11 operations in 1,000 hours:

    >>> training_tflops_per_chip(1e9, 6e11, 1000.0)
    1000.0
    """
    return dense_training_flop(parameters, tokens) / (chip_hours * 3600.0) / 1e12


def elapsed_days(chip_hours: float, chips: float) -> float:
    """Days that some chip hours take on some chips.

    >>> elapsed_days(48_000.0, 1000.0)
    2.0
    """
    return chip_hours / chips / 24.0


def peak_implied_tflops(parameters: float, tokens_per_s: float, chips: float, mfu: float) -> float:
    """Peak of a chip that a published throughput and utilisation imply, by the rule of six. [10^12/s]

    Parameters
    ----------
    parameters
        Parameters a token makes use of. [count]
    tokens_per_s
        Throughput of all chips. [token/s]
    chips
        Chips of the run. [count]
    mfu
        Utilisation reported. [share]

    Examples
    --------
    >>> peak_implied_tflops(1e9, 1e6, 10.0, 0.5)
    1200.0
    """
    return dense_training_flop(parameters, tokens_per_s) / chips / mfu / 1e12


def mfu_by_six(parameters: float, tokens_per_s: float, chips: float, peak_tflops: float) -> float:
    """Utilisation that a throughput comes to by the rule of six.

    Parameters
    ----------
    parameters
        Parameters a token makes use of. [count]
    tokens_per_s
        Throughput of all chips. [token/s]
    chips
        Chips of the run. [count]
    peak_tflops
        Peak of one chip. [10^12/s]

    Examples
    --------
    >>> mfu_by_six(1e9, 1e6, 10.0, 1200.0)
    0.5
    """
    return dense_training_flop(parameters, tokens_per_s) / chips / (peak_tflops * 1e12)


def bubble_share(pp: float, vp: float, micro_batches: float) -> float:
    """Idle time of an interleaved pipeline over its ideal time.

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), section 2.2.2.

    Examples
    --------
    >>> bubble_share(5.0, 2.0, 8.0)
    0.25
    """
    return (pp - 1.0) / (vp * micro_batches)


def mfu_with_bubble(mfu: float, bubble_share_before: float, bubble_share_after: float) -> float:
    """Utilisation where nothing changes but the bubble of the pipeline.

    >>> mfu_with_bubble(0.5, 0.0, 0.25)
    0.4
    """
    return mfu * (1.0 + bubble_share_before) / (1.0 + bubble_share_after)


def exchange_bound_tokens_per_s(
    tokens: float, experts_per_token: float, hidden: float, bytes_per_value: float, layers: float, bytes_s: float
) -> float:
    r"""Tokens a second of one request when nothing but the exchange of experts takes time. [token/s]

    .. math:: T = 2 \times L \times \frac{b\,n\,k\,h}{W}

    Each of two half batches waits for its own exchange (the factor 2).

    Parameters
    ----------
    tokens
        Tokens of a device and half batch. [token]
    experts_per_token
        Copies of each token that are sent: routed and shared experts. [count]
    hidden
        Width of the model. [count]
    bytes_per_value
        Of dispatch and combine together. [B]
    layers
        Layers. [count]
    bytes_s
        Rate of the links in one direction. [B/s]

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2505.09343 (2025), section 2.3.2 (from memory).

    Examples
    --------
    3 B x 1 x 1 x 10 = 30 B a layer over 600 B/s, twice:

    >>> exchange_bound_tokens_per_s(1.0, 1.0, 10.0, 3.0, 1.0, 600.0)
    10.0
    """
    layer_s = bytes_per_value * tokens * experts_per_token * hidden / bytes_s
    return 1.0 / (2.0 * layers * layer_s)


def bubble_per_chip(tp: float, pp: float, vp: float, sequences: float) -> float:
    r"""Share of the work that the pipeline idles, for each chip of a plan held while chips are added.

    The bubble is :math:`(p - 1)/(v m)` of the work with :math:`m` micro-batches of one sequence a replica; with
    replicas of :math:`t p` chips and a batch that stays, :math:`m` falls as one over the chips.

    Parameters
    ----------
    tp, pp, vp
        Tensor-parallel ranks, pipeline stages, model chunks of a stage. [count]
    sequences
        Sequences of an optimizer step. [count]

    References
    ----------
    .. [1] D. Narayanan et al., arXiv:2104.04473 (2021), section 2.2.2, which asks for whole rounds of micro-batches;
       this lets one micro-batch be interleaved.

    Examples
    --------
    Two stages, one chunk, 8 sequences on 4 chips: two replicas, 4 micro-batches each, a bubble of 1/4:

    >>> 4 * bubble_per_chip(1.0, 2.0, 1.0, 8.0)
    0.25
    """
    return (pp - 1.0) / (vp * sequences * tp * pp)


def chips_with_bubble(flop_s: float, chip_flop_s: float, bubble_per_chip: float) -> float:
    """Chips that reach a rate when each adds to the bubble of all; infinite where no number does.

    Parameters
    ----------
    flop_s
        The rate to reach. [FLOP/s]
    chip_flop_s
        Rate of one chip without a bubble. [FLOP/s]
    bubble_per_chip
        Share of the work that the pipeline idles, for each chip. [1]

    References
    ----------
    .. [1] N f / (1 + k N) = R, solved for N.

    Examples
    --------
    100 chips of rate 2 with a bubble of 100 % of the work give 100:

    >>> chips_with_bubble(100.0, 2.0, 0.01), chips_with_bubble(200.0, 2.0, 0.01)
    (100.0, inf)
    """
    left = chip_flop_s - flop_s * bubble_per_chip
    return flop_s / left if left > 0.0 else math.inf


def most_with_bubble(flop_s: float, chip_flop_s: float, bubble_per_chip: float) -> float:
    """Ratio of a rate that no number of chips passes: the limit of N f / (1 + k N) over it.

    >>> most_with_bubble(100.0, 2.0, 0.01)
    2.0
    """
    return chip_flop_s / bubble_per_chip / flop_s
