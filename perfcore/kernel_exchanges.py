"""Predicted times of collectives, links and the exchange of experts' tokens, from rows of a kernel table."""

import re
from dataclasses import replace

from perfcore.cells import Row, SkippedError
from perfcore.formulas.collectives import (
    all_reduce_time_s,
    distinct_domains,
    expert_exchange_time_s,
    gather_time_s,
    link_rate,
)
from perfcore.formulas.messages import direct_exchange_time_s, short_all_reduce_time_s, switch_all_reduce_time_s
from perfcore.kernel_beds import Bed, format_of
from perfcore.kernel_times import NOMINAL_BYTES, Timed, size_of

__all__ = ["all_reduce", "collective", "expert_exchange", "link"]

SHAPE = re.compile(r"(\d+) tokens.*?hidden (\d+).*?top-(\d+)(?:.*?top-(\d+) groups)?")
SCALED = 1.0 + 4.0 / 128.0  # bytes of an 8-bit element with a 32-bit scale for each 128
IN_SWITCH_BYTES, IN_SWITCH_RANKS = 2.0 * 1024.0 * 1024.0, 4.0  # NCCL reduces in the switch above both


def all_reduce(total: float, ranks: float, bed: Bed, *, in_switch: bool = False) -> Timed:
    """Return an all-reduce of ``total`` bytes."""
    machine = bed.machine
    passed = 2.0 * (ranks - 1.0) / ranks * total
    if ranks > machine.domain:
        time_s, start_s = all_reduce_time_s(total, ranks, 1.0, machine), all_reduce_time_s(1e-9, ranks, 1.0, machine)
        return Timed(time_s, start_s, passed / _peak(ranks, bed), bed.shared.widths["network_efficiency"], passed)
    if in_switch:
        time_s, start_s = switch_all_reduce_time_s(total, machine), switch_all_reduce_time_s(0.0, machine)
    elif machine.torus_axes > 0.0:
        time_s, start_s = all_reduce_time_s(total, ranks, 1.0, machine), 2.0 * machine.link_latency_s
    else:
        time_s = short_all_reduce_time_s(total, ranks, machine)
        start_s = min(time_s, 2.0 * machine.link_latency_s)
    return Timed(time_s, start_s, passed / _peak(ranks, bed), bed.shared.widths["link_efficiency"], passed)


def _peak(ranks: float, bed: Bed) -> float:
    """Return the datasheet rate at which a ring passes bytes on."""
    machine = bed.machine
    near = min(ranks, machine.domain)
    inside = bed.link_peak_bytes_s * link_rate(near, machine) / machine.link_bytes_s if near > 1 else 0.0
    if ranks <= machine.domain:
        return inside
    outside = near * machine.network_bytes_s / bed.shared.network_efficiency
    return min(inside, outside) if inside else outside


def collective(row: Row, bed: Bed) -> Timed:
    """Return an all-reduce, all-gather or reduce-scatter of ``message_bytes``: the whole tensor."""
    op, notes = row.text("op").lower(), row.text("notes")
    total, ranks = size_of(row, "message_bytes"), size_of(row, "n_chips") * bed.devices
    if ranks < 2:
        raise SkippedError("n_chips: a collective needs two chips")
    if "achieved" in row.text("unit") and not row.text("time_us"):
        raise SkippedError("unit: an achieved rate, and the table does not say what it counts")
    if op.startswith(("all_reduce", "allreduce", "psum")):
        allowed = "NVLS" in notes and "NVLS_ENABLE=0" not in notes
        in_switch = allowed and total >= IN_SWITCH_BYTES and ranks > IN_SWITCH_RANKS
        return _said(row, all_reduce(total, ranks, bed, in_switch=in_switch), bed)
    if op.startswith(("all_gather", "allgather", "reduce_scatter")):
        machine = bed.machine
        start_s = machine.link_latency_s if ranks <= machine.domain else machine.network_latency_s
        passed = (ranks - 1.0) / ranks * total
        key = "link_efficiency" if ranks <= machine.domain else "network_efficiency"
        time_s = gather_time_s(total, ranks, 1.0, machine)
        return _said(row, Timed(time_s, start_s, passed / _peak(ranks, bed), bed.shared.widths[key], passed), bed)
    raise SkippedError(f"op: found {row.text('op')[:60]!r}; allowed: all_reduce, all_gather, reduce_scatter")


def _said(row: Row, timed: Timed, bed: Bed) -> Timed:
    said = bed.assumptions
    if not row.text("time_us"):
        said = (*said, "the rate counts what a ring passes on (bus bandwidth)")
    return replace(timed, assumptions=said)


def link(row: Row, bed: Bed) -> Timed:
    """Return the rate of one chip's links, in one direction unless both are said."""
    directions = 2.0 if "bidirectional" in row.text("op").lower() else 1.0
    time_s = NOMINAL_BYTES / (directions * bed.devices * bed.machine.link_bytes_s)
    ideal_s = NOMINAL_BYTES / (directions * bed.devices * bed.link_peak_bytes_s)
    return Timed(time_s, 0.0, ideal_s, bed.shared.widths["link_efficiency"], NOMINAL_BYTES, bed.assumptions)


def expert_exchange(row: Row, bed: Bed) -> Timed:
    """Return a dispatch (or a combine) of tokens to experts that are spread over all ranks evenly."""
    shape = SHAPE.search(row.text("notes"))
    if shape is None:
        raise SkippedError("notes: 'N tokens, hidden N, top-N' is needed for tokens to experts")
    tokens, hidden, top_k = (float(shape[i]) for i in (1, 2, 3))
    ranks, groups = size_of(row, "n_chips") * bed.devices, float(shape[4] or 0)
    if not all(1 <= n <= 1e9 for n in (tokens, hidden, top_k)) or ranks < 2:
        raise SkippedError("tokens, hidden and top: allowed: 1 to 1e9, on two chips or more")
    size = format_of(row.text("dtype")).element_bytes
    token_bytes = tokens * hidden * (SCALED if size == 1.0 else size)
    if "low-latency" in row.text("op"):
        return _direct(row, token_bytes, top_k, ranks, bed)
    return _deduplicated(row, token_bytes, top_k, groups, ranks, bed)


def _direct(row: Row, token_bytes: float, top_k: float, ranks: float, bed: Bed) -> Timed:
    alone = "RDMA only" in row.text("unit")
    machine = bed.machine._replace(domain=1.0) if alone else bed.machine
    start_s = machine.network_latency_s if ranks > machine.domain else machine.link_latency_s
    time_s = direct_exchange_time_s(token_bytes, top_k, ranks, machine)
    return _exchange(time_s, start_s, token_bytes * top_k, ranks > machine.domain, bed)


def _deduplicated(row: Row, token_bytes: float, top_k: float, groups: float, ranks: float, bed: Bed) -> Timed:
    machine = bed.machine
    far = ranks > machine.domain
    time_s = expert_exchange_time_s(token_bytes, top_k, groups, ranks, 1.0, 1.0, machine)
    start_s = machine.network_latency_s if far else machine.link_latency_s
    counted = distinct_domains(top_k, ranks)
    if "RDMA" in row.text("unit"):
        counted = distinct_domains(top_k, max(1.0, ranks / machine.domain))
        counted = min(counted, groups) if groups > 0 else counted
    return _exchange(time_s, start_s, token_bytes * counted, far, bed)


def _exchange(time_s: float, start_s: float, counted: float, far: bool, bed: Bed) -> Timed:
    shared = bed.shared
    key = "network_efficiency" if far else "link_efficiency"
    share = shared.network_efficiency if far else shared.link_efficiency
    said = (*bed.assumptions, "tokens are spread over the experts evenly")
    return Timed(time_s, start_s, (time_s - start_s) * share, shared.widths[key], counted, said)
