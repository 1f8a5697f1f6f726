"""The forward pass of a small transformer layer in NumPy, and its time from the figures of the machine."""

from typing import Any

import numpy

from perfcore.measure.verify import Machine

SIZE = 4  # bytes of a float32
ONE = numpy.ones((), dtype=numpy.float32)  # a number would be made an array at each call


class Layer:
    """Root-mean-square norm, attention, norm and MLP with SiLU, in float32, all memory held before it starts."""

    def __init__(self, tokens: int, hidden: int, heads: int, ffn: int) -> None:
        self.tokens, self.hidden, self.heads, self.ffn = tokens, hidden, heads, ffn
        random = numpy.random.default_rng(0)

        def weight(rows: int, columns: int) -> Any:
            return random.standard_normal((rows, columns), dtype=numpy.float32) / numpy.float32(rows**0.5)

        self.x = weight(tokens, hidden)
        self.qkv, self.out = weight(hidden, 3 * hidden), weight(hidden, hidden)
        self.up, self.down = weight(hidden, ffn), weight(ffn, hidden)

        def empty(*shape: int) -> Any:
            return numpy.zeros(shape, dtype=numpy.float32)

        self.normed, self.square, self.mixed, self.added = (empty(tokens, hidden) for _ in range(4))
        self.projected, self.inner, self.gate = empty(tokens, 3 * hidden), empty(tokens, ffn), empty(tokens, ffn)
        self.scores, self.row = empty(heads, tokens, tokens), empty(heads, tokens, 1)
        self.values = empty(heads, tokens, hidden // heads)

    def forward(self) -> Any:
        """Return the output of the layer."""
        self._norm(self.x)
        numpy.matmul(self.normed, self.qkv, out=self.projected)
        self._attention()
        numpy.matmul(self.mixed, self.out, out=self.added)
        numpy.add(self.added, self.x, out=self.added)
        self._norm(self.added)
        numpy.matmul(self.normed, self.up, out=self.inner)
        self._silu()
        numpy.matmul(self.inner, self.down, out=self.square)
        numpy.add(self.added, self.square, out=self.added)
        return self.added

    def _silu(self) -> None:
        numpy.negative(self.inner, out=self.gate)
        numpy.exp(self.gate, out=self.gate)
        numpy.add(self.gate, ONE, out=self.gate)
        numpy.divide(self.inner, self.gate, out=self.inner)

    def _norm(self, x: Any) -> None:
        numpy.multiply(x, x, out=self.square)
        mean = numpy.mean(self.square, axis=-1, keepdims=True)
        numpy.divide(x, numpy.sqrt(mean + 1e-6), out=self.normed)

    def _attention(self) -> None:
        shape = (self.tokens, 3, self.heads, self.hidden // self.heads)
        q, k, v = self.projected.reshape(shape).transpose(1, 2, 0, 3)
        numpy.matmul(q, k.transpose(0, 2, 1), out=self.scores)
        numpy.max(self.scores, axis=-1, keepdims=True, out=self.row)
        numpy.subtract(self.scores, self.row, out=self.scores)
        numpy.exp(self.scores, out=self.scores)
        numpy.sum(self.scores, axis=-1, keepdims=True, out=self.row)
        numpy.divide(self.scores, self.row, out=self.scores)
        numpy.matmul(self.scores, v, out=self.values)
        self.mixed.reshape(self.tokens, self.heads, -1)[...] = self.values.transpose(1, 0, 2)

    def predicted_s(self, machine: Machine) -> float:
        """Return the sum over the operations [s]: none starts before the one before it has ended."""
        return self._products_s(machine) + self._attention_s(machine) + self._elementwise_s(machine)

    def _products_s(self, machine: Machine) -> float:
        shapes = (
            (3 * self.hidden, self.hidden),
            (self.hidden, self.hidden),
            (self.ffn, self.hidden),
            (self.hidden, self.ffn),
        )
        return sum(machine.gemm_s(self.tokens, n, k, SIZE) for n, k in shapes)

    def _attention_s(self, machine: Machine) -> float:
        """Return scores, softmax in five passes (three that write), and values; a product for each head."""
        size = self.hidden // self.heads
        scores = SIZE * self.scores.size
        products_s = machine.gemm_s(self.tokens, self.tokens, size, SIZE)
        products_s += machine.gemm_s(self.tokens, size, self.tokens, SIZE)
        softmax_s = 2 * machine.bound_s("row_sum", "read", scores, scores)
        softmax_s += 2 * machine.bound_s("row_subtract", "copy", 2 * scores, scores)
        softmax_s += machine.bound_s("exp", "copy", 2 * scores, scores)
        merged_s = machine.elementwise_s("copy", 2 * SIZE * self.mixed.size, 2 * SIZE * self.mixed.size)
        return self.heads * products_s + softmax_s + merged_s

    def _elementwise_s(self, machine: Machine) -> float:
        """Return two norms (square, mean, divide), two additions, and SiLU in four passes."""
        one, inner = SIZE * self.x.size, SIZE * self.inner.size
        norm_s = machine.elementwise_s("copy", 2 * one, 2 * one) + machine.bound_s("row_sum", "read", one, one)
        norm_s += machine.bound_s("row_subtract", "copy", 2 * one, 2 * one)
        add_s = machine.elementwise_s("triad", 3 * one, 3 * one)
        silu_s = machine.elementwise_s("copy", 2 * inner, 2 * inner) + machine.bound_s("exp", "copy", 2 * inner, inner)
        silu_s += machine.elementwise_s("copy", 2 * inner, inner) + machine.elementwise_s("copy", 2 * inner, 2 * inner)
        return 2 * norm_s + 2 * add_s + silu_s
