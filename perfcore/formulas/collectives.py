"""Time of collective operations over the fast links of a domain and the network between domains.

Rings, as in R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH",
International Journal of High Performance Computing Applications 19(1), 2005: n ranks pass (n - 1)/n of a tensor on.
"""

import math

from perfcore.formulas.records import Machine


def inside(ranks: float, stride: float, domain: float) -> float:
    """Return how many ranks of a group share a domain, its members ``stride`` chips apart.

    Examples
    --------
    >>> inside(16.0, 1.0, 8.0), inside(16.0, 8.0, 8.0), inside(4.0, 2.0, 8.0)
    (8.0, 1.0, 4.0)
    """
    return float(max(1.0, min(ranks, math.floor(domain / stride))))


def link_rate(ranks: float, machine: Machine) -> float:
    """Return the rate at which a group of ``ranks`` uses the fast links [bytes/s].

    On a torus a group that fits on one axis uses the links of that axis alone.

    Examples
    --------
    A slice of 16 x 16: 16 ranks fill one axis, 17 need both.

    >>> torus = Machine(*[0.0] * 10, 256.0, 100.0, 0.0, 2.0, 0.0, 0.0)
    >>> link_rate(16.0, torus), link_rate(17.0, torus), link_rate(16.0, torus._replace(torus_axes=0.0))
    (50.0, 100.0, 100.0)
    """
    if machine.torus_axes <= 1.0:
        return machine.link_bytes_s
    side = math.pow(machine.domain, 1.0 / machine.torus_axes)
    axes = min(machine.torus_axes, math.ceil(math.log2(ranks) / math.log2(side) - 1e-9))
    return machine.link_bytes_s * axes / machine.torus_axes


def gather_time_s(total_bytes: float, ranks: float, stride: float, machine: Machine) -> float:
    """Return the time of an all-gather or a reduce-scatter of ``total_bytes`` (the full tensor) [s].

    A ring [1]_: each rank passes (ranks - 1)/ranks of the tensor on. Across domains the ranks that share one also share
    all their network ports, and the fast link inside the domain is the other bound; starting it takes half a network
    latency more for each doubling of the domains.

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, sections 4.1 and 4.2.

    Examples
    --------
    800 bytes over 8 ranks: 700 at 100 bytes/s in one domain. Two domains of 4: 700 at 4 ports of 10 bytes/s.

    >>> chip = Machine(*[0.0] * 10, 8.0, 100.0, 0.0, 0.0, 10.0, 0.0)
    >>> gather_time_s(800.0, 8.0, 1.0, chip), gather_time_s(800.0, 8.0, 1.0, chip._replace(domain=4.0))
    (7.0, 17.5)
    """
    if ranks <= 1.0 or total_bytes == 0.0:  # a dense model has no expert gradients to reduce
        return 0.0
    moved = (ranks - 1.0) / ranks * total_bytes
    if ranks * stride <= machine.domain:
        return machine.link_latency_s + moved / link_rate(ranks, machine)
    near = inside(ranks, stride, machine.domain)
    hops = 1.0 + 0.5 * math.log2(ranks / near)
    rate = min(machine.link_bytes_s, near * machine.network_bytes_s)
    return machine.network_latency_s * hops + moved / rate


def all_reduce_time_s(total_bytes: float, ranks: float, stride: float, machine: Machine) -> float:
    """Return the time of an all-reduce [s]: a reduce-scatter and an all-gather [1]_.

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, section 4.5 (Rabenseifner's algorithm).

    Examples
    --------
    >>> all_reduce_time_s(800.0, 8.0, 1.0, Machine(*[0.0] * 10, 8.0, 100.0, 0.0, 0.0, 10.0, 0.0))
    14.0
    """
    return 2.0 * gather_time_s(total_bytes, ranks, stride, machine)


def distinct_domains(picks: float, domains: float) -> float:
    r"""Return how many domains a token is sent to on average, when it picks ``picks`` experts spread over them evenly.

    :math:`n (1 - (1 - 1/n)^k)`: each of n domains is missed by all k picks with probability :math:`(1 - 1/n)^k`.

    Examples
    --------
    Two picks among two domains: the same one in half of the cases.

    >>> distinct_domains(1.0, 8.0), distinct_domains(2.0, 2.0), round(distinct_domains(8.0, 8.0), 2)
    (1.0, 1.5, 5.25)
    """
    return domains * (1.0 - math.pow(1.0 - 1.0 / domains, picks))


def expert_exchange_time_s(
    token_bytes: float, top_k: float, groups: float, ranks: float, stride: float, once: float, machine: Machine
) -> float:
    """Return the time of one dispatch (or one combine) of MoE tokens over ``ranks`` ranks [s].

    ``token_bytes`` are those of the rank's tokens once; each goes to ``top_k`` experts. Over the network a token is
    sent once to each domain it needs and spread inside by the fast link; with ``once`` = 1.0 also once to each rank.
    ``groups`` above 0 is the most domains a token may reach, as in DeepSeek-V3 [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), sections 2.1.2 (node-limited routing) and 3.2.2.

    Examples
    --------
    100 bytes to 2 experts on 4 ranks: 3/4 of them leave the rank.

    >>> chip = Machine(*[0.0] * 10, 4.0, 100.0, 0.0, 0.0, 10.0, 0.0)
    >>> expert_exchange_time_s(100.0, 2.0, 0.0, 4.0, 1.0, 0.0, chip)
    1.5

    In two domains of 2, a token needs 1.5 of them on average, half of which are others:

    >>> expert_exchange_time_s(100.0, 2.0, 0.0, 4.0, 1.0, 0.0, chip._replace(domain=2.0))
    7.5
    """
    if ranks <= 1.0:
        return 0.0
    copies = distinct_domains(top_k, ranks) if once == 1.0 else top_k
    routed = token_bytes * copies * (ranks - 1.0) / ranks
    if ranks * stride <= machine.domain:
        return machine.link_latency_s + routed / link_rate(ranks, machine)
    near = inside(ranks, stride, machine.domain)
    domains = math.ceil(ranks / near)
    reached = distinct_domains(top_k, domains)
    if groups > 0.0:
        reached = min(reached, groups)
    sent = token_bytes * reached * (domains - 1.0) / domains
    return machine.network_latency_s + max(sent / machine.network_bytes_s, routed / machine.link_bytes_s)


def point_to_point_time_s(sent_bytes: float, near: float, machine: Machine) -> float:
    """Return the time to pass ``sent_bytes`` to the next stage [s]; ``near`` = 1.0 if it is in the same domain.

    Examples
    --------
    >>> chip = Machine(*[0.0] * 10, 8.0, 100.0, 1.0, 0.0, 10.0, 2.0)
    >>> point_to_point_time_s(100.0, 1.0, chip), point_to_point_time_s(100.0, 0.0, chip)
    (2.0, 12.0)
    """
    if near == 1.0:
        return machine.link_latency_s + sent_bytes / machine.link_bytes_s
    return machine.network_latency_s + sent_bytes / machine.network_bytes_s
