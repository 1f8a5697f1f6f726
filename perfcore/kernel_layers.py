"""Predicted times of the operations of one transformer layer, from rows of a kernel table that name the model."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from perfcore import models
from perfcore.cells import Row, SkippedError
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Model
from perfcore.kernel_beds import Bed, Format, format_of
from perfcore.kernel_exchanges import all_reduce
from perfcore.kernel_times import Timed, product_of, row_kernel

__all__ = ["layer_operation"]

SAID = re.compile(r"(.+?) one layer, (prefill|decode), TP(\d{1,6}), batch (\d{1,9}), (?:seq|kv) (\d{1,9}): (\w+)$")


@dataclass(frozen=True)
class Layer:
    """A layer of a model on one rank."""

    model: Model
    ranks: float
    batch: float
    queries: float  # of each sequence: all its tokens, or the new one
    keys: float

    @property
    def tokens(self) -> float:
        """Return the tokens that are computed."""
        return self.batch * self.queries


def layer_operation(row: Row, bed: Bed) -> Timed:
    """Return an operation of a layer: a projection, a part of unfused attention, a norm, an all-reduce.

    Raises
    ------
    SkippedError
        If the row does not name a model of the catalogue, its layout and one of these.
    """
    said = SAID.match(row.text("op"))
    if said is None:
        raise SkippedError("op: allowed of a layer: 'MODEL one layer, prefill, TP4, batch 8, seq 2048: qkv_proj'")
    name, phase, tp, batch, length, operation = said.groups()
    try:
        model = models.load(name).record
    except PerfcoreError as problem:
        raise SkippedError(str(problem)) from None
    keys = float(length)
    layer = Layer(model, float(tp), float(batch), keys if phase == "prefill" else 1.0, keys)
    if min(layer.ranks, layer.batch, keys) < 1 or model.heads % layer.ranks:
        raise SkippedError(f"TP{tp}, batch {batch}, {length} tokens: no layer of {name} is cut like this")
    if operation not in OPERATIONS:
        raise SkippedError(f"op: found {operation[:40]!r}; allowed of a layer: {', '.join(OPERATIONS)}")
    return OPERATIONS[operation](layer, format_of(row.text("dtype")), bed)


def _weights(layer: Layer, outputs: float, inputs: float, form: Format, bed: Bed) -> Timed:
    return product_of(layer.tokens, outputs, inputs, 1.0, form, bed, uneven=False)


def _qkv(layer: Layer, form: Format, bed: Bed) -> Timed:
    model = layer.model
    width = (model.heads + 2.0 * model.kv_heads) * model.head_dim / layer.ranks
    return _weights(layer, width, model.hidden, form, bed)


def _output(layer: Layer, form: Format, bed: Bed) -> Timed:
    model = layer.model
    return _weights(layer, model.hidden, model.heads * model.v_head_dim / layer.ranks, form, bed)


def _up(layer: Layer, form: Format, bed: Bed) -> Timed:
    return _weights(layer, layer.model.ffn / layer.ranks, layer.model.hidden, form, bed)


def _down(layer: Layer, form: Format, bed: Bed) -> Timed:
    return _weights(layer, layer.model.hidden, layer.model.ffn / layer.ranks, form, bed)


def _scores(layer: Layer, form: Format, bed: Bed) -> Timed:
    model = layer.model
    batch = layer.batch * model.heads / layer.ranks
    return product_of(layer.queries, layer.keys, model.head_dim, batch, form, bed, uneven=False)


def _values(layer: Layer, form: Format, bed: Bed) -> Timed:
    model = layer.model
    batch = layer.batch * model.heads / layer.ranks
    return product_of(layer.queries, model.v_head_dim, layer.keys, batch, form, bed, uneven=False)


def _softmax(layer: Layer, form: Format, bed: Bed) -> Timed:
    scores = layer.tokens * layer.keys * layer.model.heads / layer.ranks
    return row_kernel(scores, form.element_bytes, bed)


def _norm(layer: Layer, form: Format, bed: Bed) -> Timed:
    return row_kernel(layer.tokens * layer.model.hidden, form.element_bytes, bed)


def _activation(layer: Layer, form: Format, bed: Bed) -> Timed:
    return row_kernel(layer.tokens * layer.model.ffn / layer.ranks, form.element_bytes, bed)


def _reduce(layer: Layer, form: Format, bed: Bed) -> Timed:
    if layer.ranks < 2:
        raise SkippedError("an all-reduce on one rank is nothing")
    return all_reduce(layer.tokens * layer.model.hidden * form.element_bytes, layer.ranks, bed)


OPERATIONS: dict[str, Callable[[Layer, Format, Bed], Timed]] = {
    "qkv_proj": _qkv,
    "Wo_proj": _output,
    "W1_proj": _up,
    "W2_proj": _down,
    "q_mul_k": _scores,
    "a_mul_v": _values,
    "softmax": _softmax,
    "layernorm_mha": _norm,
    "layernorm_ffn": _norm,
    "gelu": _activation,
    "allreduce_mha": _reduce,
    "allreduce_ffn": _reduce,
}
