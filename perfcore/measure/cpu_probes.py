"""What is timed on a CPU: arithmetic, clock, streams through every level of memory, latency, matrix products."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy

from perfcore.measure import cpu_kernels as kernels
from perfcore.measure.host import Host
from perfcore.measure.rounds import Probe
from perfcore.measure.team import Team

GIGA = 1e9
TERA = 1e12
MIB = 2**20
FACTOR, ADDEND = 0.999, 1e-3  # keep the chains of multiply-adds near 1
SCALE = 0.5
OVER_CACHE = 4  # STREAM asks for arrays of four times the last cache
UNKNOWN_CACHE = 32 * MIB
SHARE_OF_MEMORY = 0.25
GEMM_S = 0.15  # what one matrix product of the figure should last
GEMM_SIDES = (512, 8192)
ROWS, ROW = 64, 512  # a matrix within the second level of any cache
CALL_S = 0.002
# Arrays that each moves, as STREAM counts: without the lines that are fetched only to be written.
STREAMS = {"read": 1, "copy": 2, "triad": 3}
# Steps of a walk (rounds of a small ring, part of one of a large), and how often the ring is streamed through first.
RING_STEPS = {"l1": (400_000, 1), "l2": (200_000, 2)}
OTHER_STEPS = (20_000, 8)
SETTLE_S = (
    0.1  # threads of a BLAS go on spinning for a while after a product, and would share the cores with what follows
)


class Loops(NamedTuple):
    """The compiled loops for the vectors of this CPU."""

    width: int
    side_by_side: int
    fma: dict[str, Any]
    dots: dict[str, Any]
    read: Any
    copy: Any
    triad: Any
    bypass: Any
    clock: Any


def loops() -> Loops:
    """Build the loops; they are compiled when first called."""
    kernels.check_compiler()
    flags = kernels.features()
    width, side_by_side = kernels.vector_bytes(flags), kernels.chains(flags)
    return Loops(
        width=width,
        side_by_side=side_by_side,
        fma={f"fp{bits}": kernels.fma_kernel(bits, width, side_by_side) for bits in (64, 32)},
        dots={
            form: kernels.dot_kernel(operation, side_by_side)
            for form, (flag, operation, _) in kernels.DOT_PRODUCTS.items()
            if flag in flags
        },
        read=kernels.read_kernel(width),
        copy=kernels.write_kernel(False, width, False),
        triad=kernels.write_kernel(True, width, False),
        bypass=kernels.write_kernel(True, width, True) if width > 16 else None,
        clock=kernels.clock_kernel(),
    )


def arithmetic(made: Loops, team: Team, suffix: str) -> Iterator[Probe]:
    """Yield the multiply-add peaks of a team, and the clock of one core."""
    members = len(team.cores)
    for form, run in made.fma.items():
        flop = kernels.fma_flop(1, int(form[2:]), made.width, made.side_by_side) * members
        work = _on(team, partial(_multiply_add, run))
        yield Probe(f"fma_{form}{suffix}", "TFLOP/s", flop / TERA, work)
    for form, run in made.dots.items():
        flop = kernels.fma_flop(1, kernels.DOT_PRODUCTS[form][2], 64, made.side_by_side) * members
        said = f"{kernels.DOT_PRODUCTS[form][1]}: products of {form} added to 32 bits"
        yield Probe(f"dot_{form}{suffix}", "TFLOP/s", flop / TERA, _on(team, run), note=said)


def _multiply_add(run: Any, turns: int) -> Any:
    return run(turns, FACTOR, ADDEND)


def clock(made: Loops, team: Team, name: str = "clock") -> Probe:
    """Return the clock of the slowest core of a team, from a chain of one-cycle instructions."""
    run = _on(team, lambda turns: made.clock(turns, 1, 3, 5))
    return Probe(name, "GHz", kernels.CLOCK_STEPS / GIGA, run)


def _on(team: Team, run: Callable[[int], Any]) -> Callable[[int], float]:
    return lambda turns: team.timed(lambda member: run(turns))


def working_sets(host: Host, members: int) -> dict[str, int]:
    """Return the bytes each member streams through, by level: in the middle between the level below and this one.

    Half of the first level; above, the geometric mean of the two sizes, a shared level divided among its members.

    >>> from perfcore.measure.host import Cache, Host
    >>> caches = (Cache(1, 48 * 1024, 1, 2), Cache(2, 2**20, 1, 2), Cache(3, 2**25, 2, 1))
    >>> host = Host("a", "b", (0, 1), (0, 1), caches, None, None, frozenset())
    >>> {name: size // 1024 for name, size in working_sets(host, 1).items()}
    {'l1': 24, 'l2': 221, 'l3': 5792}
    """
    found = {}
    below = 0
    for cache in host.caches:
        share = cache.size // max(1, min(cache.shared_by, math.ceil(members / cache.instances)))
        if share >= 2 * below:
            found[f"l{cache.level}"] = int(math.sqrt(below * share)) if below else share // 2
            below = share
    return found


def dram_bytes(host: Host, members: int) -> int:
    """Return the bytes of one array of a member in main memory: beyond the caches, within a quarter of free memory."""
    last = host.caches[-1] if host.caches else None
    cached = last.size * min(last.instances, members) if last else UNKNOWN_CACHE
    wanted = max(OVER_CACHE * cached, 64 * MIB) // members
    return wanted if host.available is None else min(wanted, int(SHARE_OF_MEMORY * host.available) // (6 * members))


def streams(made: Loops, host: Host, team: Team, suffix: str) -> Iterator[Probe]:
    """Yield read, copy and triad of every level of memory for a team."""
    members = len(team.cores)
    for level, size in working_sets(host, members).items():
        for what, arrays in STREAMS.items():
            held = team.each(partial(_held, arrays, size, made))
            yield _stream(made, team, f"{level}_{what}{suffix}", what, held)
    held = team.each(partial(_held, 3, 3 * dram_bytes(host, members), made))
    for what in STREAMS:
        yield _stream(made, team, f"dram_{what}{suffix}", what, held)
    if made.bypass is not None:
        yield _stream(made, team, f"dram_triad_nt{suffix}", "bypass", held)


def _held(arrays: int, size: int, made: Loops, _: int = 0) -> tuple[list[Any], int]:
    held, count = kernels.buffers(arrays, size // arrays)
    kernels.check_streams(held, count, made.width)
    return held, count


def _stream(made: Loops, team: Team, name: str, what: str, held: list[Any]) -> Probe:
    addresses = [[array.ctypes.data for array in arrays] + [0, 0] for arrays, _ in held]
    count = held[0][1]
    loop = getattr(made, what)

    def work(member: int, turns: int) -> Any:
        to, first, second = addresses[member][:3]
        return loop(to, count, turns) if what == "read" else loop(to, first, second, SCALE, count, turns)

    moved = STREAMS.get(what, 3) * 8 * count * len(team.cores)
    note = f"{moved / MIB:.3g} MiB in all, as STREAM counts"
    # The arrays live as long as what uses their addresses.
    run = lambda turns, kept=held: team.timed(lambda member: work(member, turns))  # noqa: E731
    return Probe(name, "GB/s", moved / GIGA, run, note=note)


def latencies(made: Loops, host: Host, team: Team) -> Iterator[Probe]:
    """Yield the time of one load that waits for the last, by level, on one core.

    A large ring is streamed through before each walk, and walked at most once: some caches keep what streams through
    them but not what is picked at random.
    """
    sizes = working_sets(host, 1) | {"dram": dram_bytes(host, 1)}
    for level, size in sizes.items():
        following = kernels.ring(size)
        steps, passes = RING_STEPS.get(level, OTHER_STEPS)
        walk = _walk(made, team, following, steps, 1 if level == "dram" else passes)
        yield Probe(f"{level}_latency", "ns", steps, walk, is_rate=False, sample_s=0)


def _walk(made: Loops, team: Team, following: Any, steps: int, passes: int) -> Callable[[int], float]:
    count = (following.size - 8) // 128 * 128
    first = following.ctypes.data + -following.ctypes.data % kernels.ALIGN

    def walk(_: int) -> float:
        team.each(lambda member: made.read(first, count, passes))
        return team.timed(lambda member: kernels.chase(following, steps))

    return walk


def products(rates: dict[str, float]) -> Iterator[Probe]:
    """Yield matrix products of NumPy's BLAS on all its threads; the peaks ``rates`` [TFLOP/s] say how large."""
    for form, kind in (("fp64", numpy.float64), ("fp32", numpy.float32)):
        side = gemm_side(rates[form])
        a, b = (numpy.random.default_rng(seed).random((side, side), dtype=kind) for seed in (1, 2))
        out = numpy.empty((side, side), dtype=kind)
        run = _settled(_repeated(partial(numpy.matmul, a, b, out=out)))
        note = f"{side} x {side} x {side}"
        yield Probe(f"gemm_{form}", "TFLOP/s", 2 * side**3 / TERA, run, sample_s=0, note=note)


def gemm_side(rate: float) -> int:
    """Return the side of a square product that lasts about GEMM_S at a rate [TFLOP/s], in steps of 256.

    >>> gemm_side(0.1), gemm_side(1e-6), gemm_side(50.0)
    (2048, 512, 8192)
    """
    side = round(math.cbrt(rate * TERA * GEMM_S / 2) / 256) * 256
    return max(GEMM_SIDES[0], min(GEMM_SIDES[1], side))


def starts() -> Iterator[Probe]:
    """Yield what it costs to call NumPy at all, and what bounds its loops besides memory, in cache on one core.

    Of rows of ROW numbers: the exponential, the sum of each row, and subtracting a number from each row.
    """
    small, square = numpy.zeros(8, dtype=numpy.float32), numpy.ones((8, 8), dtype=numpy.float32)
    product = numpy.empty_like(square)
    rows = numpy.tile(numpy.linspace(-1, 0, ROW, dtype=numpy.float32), (ROWS, 1))
    out, column = numpy.empty_like(rows), numpy.zeros((ROWS, 1), dtype=numpy.float32)
    calls = {"numpy_call": partial(numpy.add, small, small, out=small)}
    calls["numpy_matmul_call"] = partial(numpy.matmul, square, square, out=product)
    for name, call in calls.items():
        yield Probe(name, "ns a call", 1, _repeated(call), is_rate=False, sample_s=CALL_S)
    loops_in_cache = {
        "exp_fp32_one_core": (2, partial(numpy.exp, rows, out=out)),
        "row_sum_fp32_one_core": (1, partial(numpy.sum, rows, axis=-1, keepdims=True, out=column)),
        "row_subtract_fp32_one_core": (2, partial(numpy.subtract, rows, column, out=out)),
    }
    for name, (arrays, call) in loops_in_cache.items():
        note = f"NumPy, {ROWS} x {ROW}"
        yield Probe(name, "GB/s", arrays * rows.nbytes / GIGA, _repeated(call), sample_s=CALL_S, note=note)


def _repeated(call: Callable[[], Any]) -> Callable[[int], float]:
    def run(turns: int) -> float:
        start = time.perf_counter()
        for _ in range(turns):
            call()
        return time.perf_counter() - start

    return run


def _settled(run: Callable[[int], float]) -> Callable[[int], float]:
    def timed(turns: int) -> float:
        seconds = run(turns)
        time.sleep(SETTLE_S)
        return seconds

    return timed
