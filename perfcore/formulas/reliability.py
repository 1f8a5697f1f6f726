"""Failures of large runs: time between interruptions, how often to save, and the share of time that is useful.

Plain functions of floats. They check nothing: inputs are checked where they enter.
"""

import math


def failures_per_1000_node_days(interruptions: float, nodes: float, days: float) -> float:
    """Failure rate of nodes, from the interruptions of one run. [1 per 1,000 node-days]

    Parameters
    ----------
    interruptions
        Interruptions counted. [count]
    nodes
        Servers of the run. [count]
    days
        How long it was watched. [day]

    References
    ----------
    .. [1] Meta, "Revisiting Reliability in Large-Scale Machine Learning Research Clusters", arXiv 2410.21680.

    Examples
    --------
    >>> failures_per_1000_node_days(65.0, 1000.0, 10.0)
    6.5
    """
    return interruptions * 1000.0 / (nodes * days)


def mtti_s(nodes: float, failures_per_1000_node_days: float) -> float:
    """Mean time to interruption of a run that any failing node interrupts. [s]

    Linear in the nodes: for large runs. Of 128 servers it says 28.8 h at Meta's rate of 6.5, where 7.9 h were measured.

    Parameters
    ----------
    nodes
        Servers of the run. [count]
    failures_per_1000_node_days
        Failure rate, above 0. [1 per 1,000 node-days]

    References
    ----------
    .. [1] As ``failures_per_1000_node_days``.

    Examples
    --------
    1,000 nodes at 24 failures per 1,000 node-days fail once an hour:

    >>> mtti_s(1000.0, 24.0)
    3600.0
    """
    return 86400.0 * 1000.0 / (nodes * failures_per_1000_node_days)


def young_interval_s(save_s: float, mtti_s: float) -> float:
    """Time of work between two checkpoints by Young's formula: sqrt(2 save mtti). [s]

    Parameters
    ----------
    save_s
        Time a checkpoint stops the work for. [s]
    mtti_s
        Mean time to interruption. [s]

    References
    ----------
    .. [1] J. Young, "A first order approximation to the optimum checkpoint interval", CACM 17 (1974) (recalled).

    Examples
    --------
    >>> young_interval_s(50.0, 10000.0)
    1000.0
    """
    return math.sqrt(2.0 * save_s * mtti_s)


def daly_interval_s(save_s: float, mtti_s: float) -> float:
    r"""Time of work between two checkpoints by Daly's formula of higher order. [s]

    .. math:: \sqrt{2 s M} \left(1 + \tfrac13 \sqrt{\tfrac{s}{2M}} + \tfrac19 \tfrac{s}{2M}\right) - s

    and ``mtti_s`` where a checkpoint takes twice that or more.

    Parameters
    ----------
    save_s
        Time a checkpoint stops the work for. [s]
    mtti_s
        Mean time to interruption. [s]

    References
    ----------
    .. [1] J. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future Generation
       Computer Systems 22 (2006) (recalled).

    Examples
    --------
    With s = 2, M = 100 the root s/2M is 0.1: 20 x (1 + 0.0333 + 0.0011) - 2:

    >>> round(daly_interval_s(2.0, 100.0), 4)
    18.6889
    """
    if save_s >= 2.0 * mtti_s:
        return mtti_s
    small = math.sqrt(save_s / (2.0 * mtti_s))
    return young_interval_s(save_s, mtti_s) * (1.0 + small / 3.0 + small * small / 9.0) - save_s


def availability_interval_s(save_s: float, restart_s: float, mtti_s: float) -> float:
    r"""Time between two checkpoints that makes availability largest. [s]

    .. math:: s + \sqrt{2 (M + r) s + s^2}

    Parameters
    ----------
    save_s
        Time a checkpoint stops the work for. [s]
    restart_s
        Time from an interruption until the work goes on. [s]
    mtti_s
        Mean time to interruption. [s]

    References
    ----------
    .. [1] NVIDIA, arXiv 2410.18124.

    Examples
    --------
    1 + sqrt(2 x 12 x 1 + 1):

    >>> availability_interval_s(1.0, 2.0, 10.0)
    6.0
    """
    return save_s + math.sqrt(2.0 * (mtti_s + restart_s) * save_s + save_s * save_s)


def goodput(interval_s: float, save_s: float, restart_s: float, mtti_s: float) -> float:
    r"""Share of time that ends in work kept, with a checkpoint after each interval. [share]

    .. math:: \frac{T / (T + s)}{1 + (r + (T + s)/2) / M}

    What is lost is the time of saving, that of restarting, and on average half an interval done again.

    Parameters
    ----------
    interval_s
        Time of work between two checkpoints. [s]
    save_s
        Time a checkpoint stops the work for. [s]
    restart_s
        Time from an interruption until the work goes on. [s]
    mtti_s
        Mean time to interruption, above 0. [s]

    References
    ----------
    .. [1] NVIDIA, arXiv 2410.18124.

    Examples
    --------
    90 of 100 s are work, and 20 + 50 s are lost for every 700 s: 0.9 / 1.1:

    >>> round(goodput(90.0, 10.0, 20.0, 700.0), 4)
    0.8182
    """
    cycle = interval_s + save_s
    if cycle == 0.0:  # saving costs nothing and is done all the time
        return 1.0 / (1.0 + restart_s / mtti_s)
    return interval_s / cycle / (1.0 + (restart_s + cycle / 2.0) / mtti_s)


def best_goodput(nodes: float, failures_per_1000_node_days: float, save_s: float, restart_s: float) -> float:
    """Share of time that ends in work kept, at the interval that makes availability largest. [share]

    Parameters
    ----------
    nodes
        Servers of the run. [count]
    failures_per_1000_node_days
        Failure rate, above 0. [1 per 1,000 node-days]
    save_s
        Time a checkpoint stops the work for. [s]
    restart_s
        Time from an interruption until the work goes on. [s]

    References
    ----------
    .. [1] ``mtti_s``, ``availability_interval_s`` and ``goodput``.

    Examples
    --------
    One interruption in 10 s; the interval is 6 s, 6/7 of the time work, and 5.5 s are lost for every 10:

    >>> round(best_goodput(8640.0, 1000.0, 1.0, 2.0), 4) == round(6 / 7 / 1.55, 4)
    True
    """
    mtti = mtti_s(nodes, failures_per_1000_node_days)
    return goodput(availability_interval_s(save_s, restart_s, mtti), save_s, restart_s, mtti)
