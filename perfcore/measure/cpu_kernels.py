"""The loops that are timed, written as vectors of the width the CPU has; compiled by numba, the lock released.

Loops in Python would be vectorised by LLVM, but at 32 bytes where it holds that safer; and a store that bypasses the
caches cannot be asked for. So the vector loops are built instruction by instruction.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy
from llvmlite import binding, ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.extending import intrinsic as _intrinsic

from perfcore.errors import PerfcoreError

cgutils: Any = _cgutils  # numba gives these no types, or wrong ones
intrinsic: Any = _intrinsic

STEPS = 8  # dependent steps of a chain in one turn of the loop
UNROLL = 4  # vectors of each stream in one turn of the loop
READ_UNROLL = 16  # as many sums at once, so that no addition waits for another
ALIGN = 64
CLOCK_STEPS = 64  # dependent one-cycle instructions in one turn of `clock_chain`
# Instructions that multiply narrow factors and add to 32 bits: flag of the CPU, operation, bits of a factor.
DOT_PRODUCTS = {"int8": ("avx512vnni", "vpdpbusd", 8), "bf16": ("avx512bf16", "vdpbf16ps", 16)}


def features() -> frozenset[str]:
    """Return what the CPU can do, in the words of LLVM, as far as numba compiles for it; nothing where that is unknown.

    ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` narrow that: an instruction beyond them would end the program.
    """
    told: Any = numba.config
    if told.CPU_FEATURES is not None:
        return frozenset(word[1:] for word in told.CPU_FEATURES.split(",") if word.startswith("+"))
    if told.CPU_NAME is not None:
        return frozenset()
    try:
        return frozenset(name for name, there in binding.get_host_cpu_features().items() if there)
    except RuntimeError:
        return frozenset()


def vector_bytes(flags: frozenset[str]) -> int:
    """Return the widest vector that floating-point arithmetic has, 16 bytes where nothing says more.

    >>> vector_bytes(frozenset({"avx", "avx512f"})), vector_bytes(frozenset({"avx"})), vector_bytes(frozenset())
    (64, 32, 16)
    """
    return 64 if "avx512f" in flags else 32 if "avx" in flags else 16


def chains(flags: frozenset[str]) -> int:
    """Return how many independent chains fit the registers: 16 of them with AVX, else 32."""
    return 24 if "avx512f" in flags or "neon" in flags else 12


def check_compiler() -> None:
    """Refuse to time loops that Python would interpret.

    Raises
    ------
    PerfcoreError
        If numba is told not to compile.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise PerfcoreError("NUMBA_DISABLE_JIT is set; measuring needs compiled loops: unset it")


def _vector(bits: int, lanes: int) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType() if bits == 64 else ir.FloatType(), lanes)


def _splat(builder: Any, vector: Any, scalar: Any) -> Any:
    filled = ir.Constant(vector, ir.Undefined)
    for lane in range(vector.count):
        filled = builder.insert_element(filled, scalar, ir.Constant(ir.IntType(32), lane))
    return filled


def _total(builder: Any, vectors: list[Any]) -> Any:
    """Add up all lanes, so that nothing computed is left out as unused."""
    whole = vectors[0]
    for one in vectors[1:]:
        whole = builder.fadd(whole, one)
    lanes = [builder.extract_element(whole, ir.Constant(ir.IntType(32), k)) for k in range(whole.type.count)]
    total = lanes[0]
    for one in lanes[1:]:
        total = builder.fadd(total, one)
    return total if isinstance(total.type, ir.DoubleType) else builder.fpext(total, ir.DoubleType())


def _chained(builder: Any, turns: Any, starts: list[Any], step: Callable[[Any], Any]) -> list[Any]:
    """Run chains side by side: each turn takes every chain STEPS steps further."""
    kept = [cgutils.alloca_once_value(builder, start) for start in starts]
    with cgutils.for_range(builder, turns):
        values = [builder.load(place) for place in kept]
        for _ in range(STEPS):
            values = [step(value) for value in values]
        for place, value in zip(kept, values, strict=True):
            builder.store(value, place)
    return [builder.load(place) for place in kept]


def fma_kernel(bits: int, width: int, side_by_side: int) -> Any:
    """Return a loop ``run(turns, factor, addend)`` of ``x = x * factor + addend`` and nothing else.

    It does ``fma_flop(turns, bits, width, side_by_side)`` operations and returns the sum of all x, which start at 1.
    """
    vector = _vector(bits, 8 * width // bits)
    name = f"llvm.fmuladd.v{vector.count}f{bits}"

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(typing: Any, turns: Any, factor: Any, addend: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
            scalars = [
                value if bits == 64 else builder.fptrunc(value, ir.FloatType())
                for value in (*arguments[1:], ir.Constant(ir.DoubleType(), 1.0))
            ]
            by, plus, one = (_splat(builder, vector, scalar) for scalar in scalars)
            ends = _chained(builder, arguments[0], [one] * side_by_side, lambda x: builder.call(fused, [x, by, plus]))
            return _total(builder, ends)

        return types.float64(types.int64, types.float64, types.float64), code

    return numba.njit(nogil=True)(lambda turns, factor, addend: loop(turns, factor, addend))


def fma_flop(turns: int, bits: int, width: int, side_by_side: int) -> int:
    """Return the operations of ``fma_kernel``, a multiplication and an addition counted as 2.

    >>> fma_flop(1, 64, 64, 1) == 2 * 8 * STEPS
    True
    """
    return 2 * turns * STEPS * side_by_side * (8 * width // bits)


def dot_kernel(operation: str, side_by_side: int) -> Any:
    """Return a loop ``run(turns)`` of an instruction that multiplies narrow factors and adds, on 64-byte registers.

    One instruction multiplies ``512 / bits`` pairs: as many operations as ``fma_flop`` with ``bits`` and 64 bytes.
    """
    vector = ir.VectorType(ir.IntType(32), 16)

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(typing: Any, turns: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            ones = _splat(builder, vector, ir.Constant(ir.IntType(32), 0x01010101))
            kind = ir.FunctionType(vector, [vector] * 3)
            text = f"{operation} $3, $2, $0"
            starts = [_splat(builder, vector, ir.Constant(ir.IntType(32), k)) for k in range(side_by_side)]
            ends = _chained(
                builder, arguments[0], starts, lambda x: builder.asm(kind, text, "=v,0,v,v", [x, ones, ones], False)
            )
            whole = ends[0]
            for one in ends[1:]:
                whole = builder.add(whole, one)
            return builder.sext(builder.extract_element(whole, ir.Constant(ir.IntType(32), 0)), ir.IntType(64))

        return types.int64(types.int64), code

    binding.initialize_native_asmparser()
    return numba.njit(nogil=True)(lambda turns: loop(turns))


def _pointers(builder: Any, addresses: Any, vector: Any, at: Any, unroll: int) -> list[list[Any]]:
    """Return, for each stream, pointers to the vectors of one turn that starts at element ``at``."""
    found = []
    for address in addresses:
        first = builder.gep(builder.inttoptr(address, ir.DoubleType().as_pointer()), [at])
        first = builder.bitcast(first, vector.as_pointer())
        found.append([builder.gep(first, [ir.Constant(ir.IntType(64), k)]) for k in range(unroll)])
    return found


def read_kernel(width: int) -> Any:
    """Return a loop ``run(a, count, repeats)`` that sums ``count`` doubles at address ``a``, ``repeats`` times."""
    vector = _vector(64, width // 8)

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(typing: Any, a: Any, count: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            zero = ir.Constant(vector, [0.0] * vector.count)
            sums = [cgutils.alloca_once_value(builder, zero) for _ in range(READ_UNROLL)]
            for place in sums:
                builder.store(zero, place)
            bounds = (ir.Constant(ir.IntType(64), 0), arguments[1], ir.Constant(ir.IntType(64), _block(width)))
            with cgutils.for_range_slice(builder, *bounds, inc=True) as (at, _):
                (pointers,) = _pointers(builder, arguments[:1], vector, at, READ_UNROLL)
                for place, pointer in zip(sums, pointers, strict=True):
                    builder.store(builder.fadd(builder.load(place), builder.load(pointer, align=width)), place)
            return _total(builder, [builder.load(place) for place in sums])

        return types.float64(types.int64, types.int64), code

    def run(a: Any, count: Any, repeats: Any) -> Any:
        total = 0.0
        for _ in range(repeats):
            total += loop(a, count)
        return total

    return numba.njit(nogil=True)(run)


def write_kernel(triad: bool, width: int, bypass: bool) -> Any:
    """Return a loop ``run(a, b, c, scale, count, repeats)`` of ``a = b`` or of ``a = b + scale * c``.

    ``a``, ``b`` and ``c`` are addresses of ``count`` doubles; with ``bypass`` the stores go past the caches.
    """
    vector = _vector(64, width // 8)

    @intrinsic  # type: ignore[untyped-decorator]
    def loop(typing: Any, a: Any, b: Any, c: Any, scale: Any, count: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            by = _splat(builder, vector, arguments[3])
            step = ir.Constant(ir.IntType(64), UNROLL * vector.count)
            bounds = (ir.Constant(ir.IntType(64), 0), arguments[4], step)
            with cgutils.for_range_slice(builder, *bounds, inc=True) as (at, _):
                to, first, second = _pointers(builder, arguments[:3], vector, at, UNROLL)
                for k in range(UNROLL):
                    value = builder.load(first[k], align=width)
                    if triad:
                        value = _fused(builder, vector, by, builder.load(second[k], align=width), value)
                    _store(builder, value, to[k], width, bypass)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3, types.float64, types.int64), code

    def run(a: Any, b: Any, c: Any, scale: Any, count: Any, repeats: Any) -> None:
        for _ in range(repeats):
            loop(a, b, c, scale, count)

    return numba.njit(nogil=True)(run)


def _fused(builder: Any, vector: Any, by: Any, value: Any, plus: Any) -> Any:
    kind = ir.FunctionType(vector, [vector] * 3)
    name = f"llvm.fmuladd.v{vector.count}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [by, value, plus])


def _store(builder: Any, value: Any, to: Any, width: int, bypass: bool) -> None:
    stored = builder.store(value, to, align=width)
    if bypass:
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


def _block(width: int) -> int:
    return READ_UNROLL * width // 8


def buffers(how_many: int, size: int, offset: int = 128) -> tuple[list[Any], int]:
    """Return arrays of about ``size`` bytes, written once so that they have memory, and the doubles of each.

    They start on lines of the cache, a little apart within a page so that a store does not look like an earlier load.
    """
    count = max(size // 1024, 1) * 128
    made = []
    for k in range(how_many):
        raw = numpy.ones(count + (ALIGN + how_many * offset) // 8)
        skip = (-raw.ctypes.data % ALIGN + k * offset) // 8
        made.append(raw[skip : skip + count])
    return made, count


def check_streams(arrays: list[Any], count: int, width: int) -> None:
    """Guard the vector loops, which take whole blocks of aligned memory.

    Raises
    ------
    ValueError
        If an array is not aligned, or not of whole blocks.
    """
    if (
        any(array.ctypes.data % width for array in arrays)
        or count % _block(width)
        or any(a.size < count for a in arrays)
    ):
        raise ValueError("a stream is not aligned, or is no whole number of blocks")


@numba.njit(nogil=True)
def chase(following: Any, steps: Any) -> Any:
    """Follow a chain of indices; each load waits for the one before."""
    place = following[0]
    for _ in range(steps):
        place = following[place]
    return place


def ring(size: int, seed: int = 0) -> Any:
    """Return indices that lead through all lines of ``size`` bytes in random order and back, one index a line."""
    lines = max(size // 64, 2)
    order = numpy.random.default_rng(seed).permutation(lines).astype(numpy.uint64)
    order = numpy.roll(order, -int(numpy.flatnonzero(order == 0)[0]))
    following = numpy.zeros(lines * 8, dtype=numpy.uint64)
    following[order * numpy.uint64(8)] = numpy.roll(order, -1) * numpy.uint64(8)
    return following


def _clock_source() -> str:
    """Write the chain out: in a loop of one step the counting would hide in the shadow of the step, or not."""
    steps = "\n".join("        x = x + b\n        x = x ^ c" for _ in range(CLOCK_STEPS // 2))
    return f"def clock_chain(turns, x, b, c):\n    for _ in range(turns):\n{steps}\n    return x\n"


def clock_kernel() -> Any:
    """Return a loop ``run(turns, x, b, c)`` of CLOCK_STEPS dependent additions and exclusive-ors, one cycle each.

    No compiler can shorten it, and they take one cycle on every CPU of the last twenty years.
    """
    made: dict[str, Any] = {}
    exec(_clock_source(), made)
    return numba.njit(nogil=True)(made["clock_chain"])
