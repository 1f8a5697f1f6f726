"""The collectives of a layer as operations: what a rank sends over its links, and the time that takes."""

import math

from perfcore.formulas.collectives import all_reduce_time_s, distinct_domains, expert_exchange_time_s, inside
from perfcore.formulas.operations import Operation
from perfcore.formulas.products import IMBALANCE, routed_tokens
from perfcore.formulas.records import Engine, Machine, Model, Plan
from perfcore.formulas.serving_layer import DISPATCH_BYTES
from perfcore.formulas.traffic import tensor_pairs


def all_reduce_bytes(model: Model, plan: Plan, tokens: float, moe: float, domain: float) -> float:
    """Return what a rank sends for the all-reduces of one layer in one pass, in 16 bit [bytes].

    A ring sends (t - 1)/t of the tensor twice. Across domains, ranks that share one share what is sent too.

    References
    ----------
    .. [1] R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, section 4.5.

    Examples
    --------
    Two of a tensor of 100 x 8192 values on 8 ranks:

    >>> llama = Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 10, 80, 0, 0, 0, 0)
    >>> all_reduce_bytes(llama, Plan(8, *[1] * 16), 100.0, 0.0, 8.0) == 2 * 2 * 7 / 8 * 2 * 100 * 8192
    True
    """
    shared = inside(plan.tp, 1.0, domain) if plan.tp > domain else 1.0
    return tensor_pairs(plan, moe) * 2.0 * (plan.tp - 1.0) / plan.tp * 2.0 * tokens * model.hidden / shared


def all_reduce(model: Model, plan: Plan, tokens: float, moe: float, machine: Machine) -> Operation:
    """Return the all-reduces of one layer in one pass; its bytes are those a rank sends."""
    each = all_reduce_time_s(2.0 * tokens * model.hidden, plan.tp, 1.0, machine)
    sent = all_reduce_bytes(model, plan, tokens, moe, machine.domain)
    return Operation(0.0, sent, tensor_pairs(plan, moe) * each)


def exchange_bytes(model: Model, plan: Plan, tokens: float, element_bytes: float, once: float, domain: float) -> float:
    """Return what a rank sends to bring its tokens to experts and back [bytes].

    ``element_bytes`` is the mean of both ways. Over the network a token is sent once to each domain it needs; with
    ``once`` = 1.0 also once to each rank inside a domain.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 3.2.2.
    """
    own = 2.0 * element_bytes * routed_tokens(model, plan, tokens) * model.hidden
    if plan.ep <= domain:
        copies = distinct_domains(model.top_k, plan.ep) if once == 1.0 else model.top_k
        return own * copies * (plan.ep - 1.0) / plan.ep
    domains = math.ceil(plan.ep / inside(plan.ep, 1.0, domain))
    reached = distinct_domains(model.top_k, domains)
    if model.top_groups > 0.0:
        reached = min(reached, model.top_groups)
    return own * reached * (domains - 1.0) / domains


def exchange(model: Model, plan: Plan, tokens: float, machine: Machine, engine: Engine) -> Operation:
    """Return dispatch and combine of a MoE layer in serving; its bytes are those a rank sends."""
    sent = DISPATCH_BYTES * routed_tokens(model, plan, tokens) * model.hidden * IMBALANCE
    each = expert_exchange_time_s(sent, model.top_k, model.top_groups, plan.ep, 1.0, 0.0, machine)
    start_s = engine.exchange_s if plan.ep > 1.0 else 0.0
    moved = exchange_bytes(model, plan, tokens, DISPATCH_BYTES, 0.0, machine.domain)
    return Operation(0.0, moved, 2.0 * (each + start_s))
