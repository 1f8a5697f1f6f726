"""Predicted times of single kernels, by what a row of a kernel table says it is."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from perfcore.cells import Row, SkippedError
from perfcore.formulas.collectives import distinct_domains
from perfcore.formulas.decode_attention import SPLIT_S, cache_bytes, decode_attention_time_s, score_flop
from perfcore.formulas.gemm import MEMORY_SHARE, gemm_bytes
from perfcore.formulas.layer import flash_time_s
from perfcore.formulas.records import Model, Plan
from perfcore.formulas.tiles import GROUPED_RATE, product_time_s
from perfcore.kernel_beds import Bed, Format, format_of

__all__ = ["Timed", "attention", "elementwise", "product", "row_kernel", "size_of", "stream"]

ATTENTION_ALONE = Model(*[0.0] * 25)
ONE_RANK = Plan(*[1.0] * 17)
NOMINAL_BYTES = 1e9  # of a stream whose size is not given: only its rate is compared
HALF = Format("bf16", 16)


@dataclass(frozen=True)
class Timed:
    """A kernel: its time, what of it is starting, and what the datasheet alone would make of it."""

    time_s: float
    start_s: float
    ideal_s: float  # at the datasheet rates: a roofline
    width: float  # relative one-sigma uncertainty of the rate
    amount: float  # FLOP, bytes or elements that a printed rate counts
    assumptions: tuple[str, ...] = ()


def size_of(row: Row, column: str) -> float:
    """Return a size, which is 1 or more.

    Raises
    ------
    SkippedError
        If it is missing or less.
    """
    value = row.needed(column)
    if value < 1:
        raise SkippedError(f"{column}: found {value:g}; allowed: 1 or more")
    return value


def product(row: Row, bed: Bed) -> Timed:
    """Return a matrix product, or as many as ``groups_or_batch`` says; a grouped one has loads that differ."""
    if not (row.text("M") and row.text("N") and row.text("K")):
        raise SkippedError("M, N, K: not given; the rate of no single shape cannot be predicted")
    m, n, k = (size_of(row, column) for column in ("M", "N", "K"))
    grouped = row.text("category") == "grouped_gemm"
    batch = size_of(row, "groups_or_batch") if grouped else max(1.0, row.or_else("groups_or_batch", 1.0))
    if "half chip" in row.text("unit") + row.text("chip_note"):
        bed = bed.half()
    return product_of(m, n, k, batch, format_of(row.text("dtype")), bed, uneven=grouped)


def product_of(m: float, n: float, k: float, batch: float, form: Format, bed: Bed, *, uneven: bool) -> Timed:
    """Return ``batch`` products of (m, k) by (k, n); ``uneven``: experts with ``m`` tokens each on average."""
    machine, peak = bed.machine, bed.peak_flop_s(form)
    share, width = bed.product_share(form)
    rate, flop = peak * share, 2.0 * batch * m * n * k
    said = [f"{form.name}: the share of the peak is that of 16 bit"] if form.bits > 16 else []
    if uneven:
        rate *= GROUPED_RATE
        chosen = distinct_domains(m * batch, batch)  # with few tokens some experts get none
        m, batch = m * batch / chosen, chosen
        said.append("tokens choose experts evenly and independently")
    size, memory, units = form.element_bytes, machine.memory_bytes_s, machine.multiprocessors
    time_s = product_time_s(m, n, k, batch, float(uneven), rate, size, memory, units, machine.kernel_s)
    ideal_s = max(flop / peak, gemm_bytes(m, n, k, batch, size) / memory)
    return Timed(time_s, machine.kernel_s, ideal_s, width, flop, tuple(said))


def attention(row: Row, bed: Bed) -> Timed:
    """Return attention: causal prefill, or decoding over a cache; MHA, GQA, or MLA with its maps absorbed."""
    kind = row.text("op").lower()
    batch = max(1.0, row.or_else("groups_or_batch", 1.0))
    keys, heads = size_of(row, "seq_or_kv"), size_of(row, "heads")
    if "prefill" in kind and "mla" not in kind:
        return _prefill(batch, keys, heads, size_of(row, "head_dim"), bed)
    if "decode" not in kind:
        raise SkippedError(f"op: found {row.text('op')[:60]!r}; of attention, 'mha prefill' and decoding are predicted")
    stored = format_of(row.text("dtype").partition("kv ")[2] or row.text("dtype") or "bf16").element_bytes
    if "mla" in kind:
        latent, rotary = _latent(row.text("head_dim"))
        moved = cache_bytes(batch, keys, 1.0, latent + rotary, stored)
        return _decode(moved, stored, score_flop(batch, keys, heads, 2.0 * latent + rotary), 1.0, bed)
    width = 2.0 * size_of(row, "head_dim")
    moved = cache_bytes(batch, keys, min(heads, size_of(row, "kv_heads")), width, stored)
    return _decode(moved, stored, score_flop(batch, keys, heads, width), 0.0, bed)


def _latent(text: str) -> tuple[float, float]:
    """Return the latent and rotary width of ``512-64``."""
    parts = text.split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1e6 for part in parts):
        raise SkippedError(f"head_dim: found {text[:40]!r}; allowed for mla: latent-rotary, such as 512-64")
    return float(parts[0]), float(parts[1])


def _prefill(batch: float, seq: float, heads: float, head_dim: float, bed: Bed) -> Timed:
    model = ATTENTION_ALONE._replace(heads=heads, head_dim=head_dim, v_head_dim=head_dim)
    start_s = bed.machine.kernel_s
    time_s = flash_time_s(model, ONE_RANK, batch * seq, seq / 2.0, bed.machine) + start_s
    flop = 2.0 * batch * seq * seq * heads * head_dim
    said = ("causal: half of the scores are computed", "the generation's best kernel")
    return Timed(time_s, start_s, flop / bed.peak_flop_s(HALF), bed.known.attention_width, flop, said)


def _decode(moved: float, stored: float, flop: float, latent: float, bed: Bed) -> Timed:
    peak, memory = bed.peak_flop_s(HALF), bed.machine.memory_bytes_s
    time_s = decode_attention_time_s(moved, stored, flop, latent, peak, memory)
    said = ("shares of the rates as on the H20",)
    return Timed(time_s, SPLIT_S, max(flop / peak, moved / memory), bed.shared.widths["memory_efficiency"], flop, said)


def elementwise(row: Row, bed: Bed) -> Timed:
    """Return a kernel that reads and writes each of M x N elements, or of as many as either says, once."""
    sides = [size_of(row, column) for column in ("M", "N") if row.text(column)]
    if not sides:
        raise SkippedError("M, N: not given; how many elements?")
    elements = math.prod(sides)
    return row_kernel(elements, format_of(row.text("dtype")).element_bytes, bed)


def row_kernel(elements: float, size: float, bed: Bed) -> Timed:
    """Return a kernel that reads and writes ``elements`` of ``size`` bytes once."""
    machine, moved = bed.machine, 2.0 * elements * size
    time_s = moved / (machine.memory_efficiency * machine.memory_bytes_s) + machine.kernel_s
    width = bed.shared.widths["memory_efficiency"]
    return Timed(time_s, machine.kernel_s, moved / machine.memory_bytes_s, width, elements)


def stream(row: Row, bed: Bed) -> Timed:
    """Return a stream through memory: of every device of a chip a copy of ``message_bytes``, or of no given size."""
    if "decode" in row.text("op").lower():
        raise SkippedError("weights read in whole decode steps: a measurement of inference, not of a kernel")
    machine, moved = bed.machine, row.number("message_bytes")
    rate = MEMORY_SHARE * machine.memory_bytes_s
    width = bed.shared.widths["memory_efficiency"]
    if not moved:
        time_s = NOMINAL_BYTES / (rate * bed.devices)
        return Timed(time_s, 0.0, MEMORY_SHARE * time_s, width, NOMINAL_BYTES)
    if "copy" not in row.text("op").lower():
        raise SkippedError(f"op: found {row.text('op')[:60]!r}; of streams of a given size, 'copy' is predicted")
    both = 2.0 * moved  # read and written
    said = ("bytes read and written both count",)
    start_s = machine.kernel_s
    return Timed(both / rate + start_s, start_s, both / machine.memory_bytes_s, width, both * bed.devices, said)


Kernel = Callable[[Row, Bed], Timed]
