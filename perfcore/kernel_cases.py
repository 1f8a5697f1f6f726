"""Predictions of the rows of a table of kernel measurements."""

import math
from collections.abc import Callable

from perfcore.cells import Row, SkippedError
from perfcore.kernel_beds import Bed, bed
from perfcore.kernel_exchanges import collective, expert_exchange, link
from perfcore.kernel_layers import layer_operation
from perfcore.kernel_times import Timed, attention, elementwise, product, stream
from perfcore.predictions import Prediction

__all__ = ["predict"]

KERNELS: dict[str, Callable[[Row, Bed], Timed]] = {
    "gemm": product,
    "grouped_gemm": product,
    "attention": attention,
    "elementwise": elementwise,
    "hbm_bw": stream,
    "collective": collective,
    "p2p": link,
    "moe_all2all": expert_exchange,
    "layer_op": layer_operation,
}
NOT_PREDICTED = {
    "l2_bw": "bandwidth of a cache: chip files hold no caches that a prediction could rest on",
    "latency": "latency of caches and memory: no formula of perfcore needs it",
}
# What a rate is printed in: the start of the unit, the quantity it becomes, its scale.
RATES = (("TFLOP/s", "tflops", 1e12), ("GB/s", "gb_s", 1e9), ("G elements/s", "gelements_s", 1e9))
EIGHTY_PERCENT = 1.2816  # sigmas on each side
SHAPE_WIDTH = 0.10  # relative one-sigma of what a kernel's shape adds to the widths of specs/efficiency
FASTEST = 3.0  # times the datasheet roofline; caches and switches pass it by less


def predict(row: Row, number: int, mode: str) -> Prediction:
    """Predict a row, in either ``mode`` with neutral efficiencies: those fitted to steps hold more than kernels.

    Raises
    ------
    SkippedError, PerfcoreError
        If something that decides the time is missing, unknown or contradictory.
    """
    category = row.text("category")
    if category not in KERNELS:
        reason = NOT_PREDICTED.get(category, f"allowed: {', '.join(KERNELS)}")
        raise SkippedError(f"category {category[:40]!r}: {reason}")
    chips = _chips(row)
    on = bed(row.text("chip"), chips, row.number("n_nodes") or 0.0)
    timed = KERNELS[category](row, on)
    quantity, measured, measured_s = _measured(row, timed)
    if timed.ideal_s > FASTEST * measured_s:
        raise SkippedError(f"the time implies {timed.ideal_s / measured_s:.0%} of the datasheet's rates")
    low, high = sorted(_in_quantity(end, quantity, timed) for end in _ends(timed, on.shared.widths["kernel_s"]))
    return Prediction(
        number=number,
        row_id=row.text("row_id") or f"row {number}",
        source=row.text("source_id") or "this table",
        chip=row.text("chip"),
        quantity=quantity,
        measured=measured,
        predicted=_in_quantity(timed.time_s, quantity, timed),
        predicted_interval=(low, high),
        time_error=timed.time_s / measured_s - 1.0,
        baseline_ratio=timed.ideal_s / measured_s,
        baseline_group=(row.text("chip"), category, row.text("dtype")),
        evidence=on.known.mark,
        groups={"category": category, "dtype": row.text("dtype") or "not given"},
        assumptions=timed.assumptions,
    )


def _chips(row: Row) -> float:
    chips = row.or_else("n_chips", 1.0)
    if chips < 1 or chips != int(chips):
        raise SkippedError(f"n_chips: found {row.text('n_chips')[:40]!r}; allowed: a whole number")
    return chips


def _measured(row: Row, timed: Timed) -> tuple[str, float, float]:
    """Return the quantity, its value and the time [s] that was measured."""
    time_us = row.number("time_us")
    if time_us:
        return "time_us", time_us, time_us / 1e6
    value = row.needed("value")
    for unit, quantity, scale in RATES:
        if row.text("unit").startswith(unit):
            return quantity, value, timed.amount / (value * scale)
    raise SkippedError(
        f"unit: found {row.text('unit')[:40]!r}; allowed without time_us: {', '.join(u for u, *_ in RATES)}"
    )


def _in_quantity(time_s: float, quantity: str, timed: Timed) -> float:
    if quantity == "time_us":
        return time_s * 1e6
    scale = next(scale for _, name, scale in RATES if name == quantity)
    return timed.amount / (time_s * scale)


def _ends(timed: Timed, start_width: float) -> tuple[float, float]:
    """Return the 80 % interval of the time [s]: the widths of rate, start and shape, as if independent."""
    rest_s = timed.time_s - timed.start_s
    sigma = math.hypot(timed.width * rest_s / timed.time_s, start_width * timed.start_s / timed.time_s, SHAPE_WIDTH)
    factor = math.exp(EIGHTY_PERCENT * sigma)
    return timed.time_s / factor, timed.time_s * factor
