"""The loops that are timed compute what they say: values by hand, on vectors of any width the compiler is given."""

from typing import Any

import numba
import numpy
import pytest

from perfcore.errors import PerfcoreError
from perfcore.measure import cpu_kernels as kernels
from perfcore.measure.cpu_cases import LAYERS
from perfcore.measure.cpu_probes import dram_bytes, working_sets
from perfcore.measure.host import Cache, Host
from perfcore.measure.layer import Layer
from perfcore.measure.team import Team

COMPILED = not numba.config.DISABLE_JIT  # type: ignore[attr-defined]
needs_compiler = pytest.mark.skipif(not COMPILED, reason="the loops exist compiled only")
WIDTHS = sorted({16, 32, kernels.vector_bytes(kernels.features())})  # wider than the CPU has, LLVM splits


@needs_compiler
@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("width", WIDTHS)
def test_multiply_adds_are_counted_right(bits: int, width: int) -> None:
    """X = 1 doubled at each step is 2^steps in every lane; left as it is, the sum is the number of lanes."""
    run = kernels.fma_kernel(bits, width, 3)
    lanes = 3 * 8 * width // bits
    assert run(1, 1.0, 0.0) == lanes
    assert run(1, 2.0, 0.0) == lanes * 2**kernels.STEPS
    assert run(2, 1.0, 1.0) == lanes * (1 + 2 * kernels.STEPS)
    assert kernels.fma_flop(2, bits, width, 3) == 2 * lanes * 2 * kernels.STEPS


@needs_compiler
@pytest.mark.parametrize("form", kernels.DOT_PRODUCTS)
def test_narrow_products_are_counted_right(form: str) -> None:
    flag, operation, _ = kernels.DOT_PRODUCTS[form]
    if flag not in kernels.features():
        pytest.skip(f"the CPU has no {operation}")
    run = kernels.dot_kernel(operation, 2)
    if form == "int8":  # bytes of 1: each step adds 4 products of 1 to a lane; chains start at 0 and 1
        assert run(3) == 2 * 3 * kernels.STEPS * 4 + 1
    else:
        assert run(3) == run(3)  # bfloat16 of bytes 01 01 is 2.4e-38, whose products vanish: it runs


@needs_compiler
@pytest.mark.parametrize("width", WIDTHS)
def test_streams_are_right(width: int) -> None:
    (a, b, c), count = kernels.buffers(3, 8 * 1024)
    kernels.check_streams([a, b, c], count, width)
    b[:], c[:] = numpy.arange(count), 2.0
    addresses = [array.ctypes.data for array in (a, b, c)]
    kernels.write_kernel(False, width, False)(*addresses, 0.0, count, 1)
    assert (a == b).all()
    for bypass in (False, True):
        a[:] = 0
        kernels.write_kernel(True, width, bypass)(*addresses, 3.0, count, 2)
        assert (a == numpy.arange(count) + 6.0).all(), bypass
    assert kernels.read_kernel(width)(b.ctypes.data, count, 2) == count * (count - 1)


def test_streams_that_do_not_fit_the_vectors_are_refused() -> None:
    (a,), count = kernels.buffers(1, 4096)
    with pytest.raises(ValueError, match="not aligned"):
        kernels.check_streams([a[1:]], count - 128, 16)
    with pytest.raises(ValueError, match="no whole number of blocks"):
        kernels.check_streams([a], count - 1, 16)


@needs_compiler
def test_the_clock_loop_takes_all_its_steps() -> None:
    x = 7
    for _ in range(3 * kernels.CLOCK_STEPS // 2):
        x = (x + 5) ^ 9
    assert kernels.clock_kernel()(3, 7, 5, 9) == x


@pytest.mark.parametrize("lines", [2, 3, 100])
def test_a_ring_leads_through_every_line_once(lines: int) -> None:
    following = kernels.ring(64 * lines)
    seen, place = [], 0
    for _ in range(lines):
        seen.append(place)
        place = int(following[place])
    assert place == 0
    assert sorted(seen) == [8 * line for line in range(lines)]


@needs_compiler
def test_a_walk_follows_the_ring() -> None:
    following = kernels.ring(64 * 5)
    assert kernels.chase(following, 5) == following[0]  # five steps on from the first is the first again


def test_interpreted_loops_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(PerfcoreError, match="NUMBA_DISABLE_JIT is set"):
        kernels.check_compiler()


def test_a_compiler_held_back_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CPU_NAME", "generic")
    monkeypatch.setattr(numba.config, "CPU_FEATURES", None)
    assert kernels.features() == frozenset()
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "+avx,-avx512f")
    assert kernels.vector_bytes(kernels.features()) == 32


def a_host(*caches: Cache, available: int | None = None) -> Host:
    return Host("x", "y", (0, 1), (0, 1), caches, None, available, frozenset())


def test_arrays_in_memory_are_four_times_the_cache_or_what_there_is() -> None:
    mib = 2**20
    assert dram_bytes(a_host(Cache(3, 32 * mib, 2, 1)), 2) == 64 * mib  # each of two members, half of 4 x 32
    assert dram_bytes(a_host(Cache(3, 32 * mib, 1, 2)), 2) == 128 * mib  # two such caches
    assert dram_bytes(a_host(), 1) == 128 * mib
    assert dram_bytes(a_host(available=48 * mib), 1) == 2 * mib  # a quarter, for six arrays


def test_a_shared_cache_is_divided() -> None:
    """Two members on one L3 of 32 MiB: 16 each, between that and 1 MiB the mean is 4 MiB."""
    caches = (Cache(1, 2**15, 1, 2), Cache(2, 2**20, 1, 2), Cache(3, 2**25, 2, 1))
    assert working_sets(a_host(*caches), 2) == {"l1": 2**14, "l2": int((2**35) ** 0.5), "l3": 2**22}
    assert working_sets(a_host(), 2) == {}


def test_a_team_works_together_and_reports() -> None:
    team = Team((0,))
    try:
        assert team.each(lambda member: member + 10) == [10]
        assert team.timed(lambda member: None) >= 0.0
    finally:
        team.close()


def naive(layer: Layer) -> Any:
    """The layer as formulas say it, in float64."""
    x, size = layer.x.astype(float), layer.hidden // layer.heads

    def norm(v: Any) -> Any:
        return v / numpy.sqrt((v**2).mean(-1, keepdims=True) + 1e-6)

    q, k, v = numpy.split(norm(x) @ layer.qkv, 3, axis=1)
    heads = []
    for head in range(layer.heads):
        cut = slice(head * size, (head + 1) * size)
        scores = numpy.exp(q[:, cut] @ k[:, cut].T)
        heads.append(scores / scores.sum(-1, keepdims=True) @ v[:, cut])
    x = x + numpy.concatenate(heads, axis=1) @ layer.out
    inner = norm(x) @ layer.up
    return x + (inner / (1 + numpy.exp(-inner))) @ layer.down


def test_the_layer_that_is_timed_is_a_transformer_layer() -> None:
    layer = Layer(12, 16, 2, 24)
    assert layer.forward() == pytest.approx(naive(layer), rel=2e-3, abs=2e-3)


def test_the_checked_layers_are_whole_heads() -> None:
    assert all(hidden % heads == 0 for _, hidden, heads, _ in LAYERS)
