"""Time of collectives that rings do not describe: short messages, reduction in the switch, tokens sent one by one."""

from perfcore.formulas.collectives import all_reduce_time_s
from perfcore.formulas.records import Machine

HOP_S = 2.5e-6  # of one step of a ring whose messages carry their own flags
FLAGGED_SHARE = 0.08  # of the achieved link rate that such messages reach
SWITCH_SHARE = 0.78  # of the achieved link rate at which a switch takes in and gives back a tensor it reduces


def short_all_reduce_time_s(total_bytes: float, ranks: float, machine: Machine) -> float:
    """Return the time of an all-reduce within a domain, short messages flagged word by word [s].

    The ring passes 2 (ranks - 1) messages on. With a flag in each word a step needs no synchronisation, at a small part
    of the rate; the faster of this and of ``collectives.all_reduce_time_s`` is taken, as NCCL does.

    Examples
    --------
    Two ranks, 8 bytes: two hops. A long message: the ring.

    >>> chip = Machine(*[0.0] * 10, 8.0, 231e9, 22e-6, 0.0, 10.0, 0.0)
    >>> round(short_all_reduce_time_s(8.0, 2.0, chip) * 1e6, 2)
    5.0
    >>> short_all_reduce_time_s(1e9, 2.0, chip) == all_reduce_time_s(1e9, 2.0, 1.0, chip)
    True
    """
    if ranks <= 1.0:
        return 0.0
    passed = 2.0 * (ranks - 1.0) / ranks * total_bytes
    flagged = 2.0 * (ranks - 1.0) * HOP_S + passed / (FLAGGED_SHARE * machine.link_bytes_s)
    return min(flagged, all_reduce_time_s(total_bytes, ranks, 1.0, machine))


def switch_all_reduce_time_s(total_bytes: float, machine: Machine) -> float:
    """Return the time of an all-reduce that the switch adds up [s]: each rank sends and gets the tensor once.

    Examples
    --------
    >>> chip = Machine(*[0.0] * 10, 8.0, 100.0, 1.0, 0.0, 10.0, 0.0)
    >>> switch_all_reduce_time_s(780.0, chip)
    12.0
    """
    return 2.0 * machine.link_latency_s + total_bytes / (SWITCH_SHARE * machine.link_bytes_s)


def direct_exchange_time_s(token_bytes: float, top_k: float, ranks: float, machine: Machine) -> float:
    """Return the time to send each token straight to each of its ``top_k`` experts [s], as low-latency kernels do.

    Copies for ranks of other domains take the network, those for ranks nearby the fast link, at the same time. With a
    domain of one chip all of them take the network.

    Examples
    --------
    100 bytes to 2 experts on 4 ranks in two domains: half of the 200 bytes by the network, a quarter by the link.

    >>> chip = Machine(*[0.0] * 10, 2.0, 100.0, 0.0, 0.0, 10.0, 1.0)
    >>> direct_exchange_time_s(100.0, 2.0, 4.0, chip)
    11.0
    """
    near = min(ranks, max(1.0, machine.domain))
    sent = token_bytes * top_k
    far_s = sent * (ranks - near) / ranks / machine.network_bytes_s
    near_s = sent * (near - 1.0) / ranks / machine.link_bytes_s
    start = machine.network_latency_s if ranks > near else machine.link_latency_s
    return start + max(far_s, near_s)
