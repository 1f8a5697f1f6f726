"""Time of one matrix multiplication on a GPU (tiles, waves, fill of K) or a systolic array (padding)."""

import math

FILL = 110.0  # elements of K that filling and draining a tile's pipeline costs
MEMORY_SHARE = 0.9  # of the datasheet bandwidth that a GEMM streams at
ARRAY = 128.0  # side of a systolic array
SMOOTH = 4.0  # exponent of the soft maximum of compute and memory time


def soft_max(a: float, b: float) -> float:
    """Return a smooth maximum: the fourth root of the sum of fourth powers.

    >>> soft_max(3.0, 0.0), round(soft_max(1.0, 1.0), 3)
    (3.0, 1.189)
    """
    large = max(a, b)
    if large <= 0.0:
        return 0.0
    ratio = min(a, b) / large
    square = ratio * ratio
    return large * math.sqrt(math.sqrt(1.0 + square * square))


def tile_flop(m: float, n: float, k: float, batch: float, tile_m: float, tile_n: float, units: float) -> float:
    """Return the FLOP that the busiest of ``units`` multiprocessors computes, in whole tiles and with the fill of K.

    >>> tile_flop(256.0, 128.0, 890.0, 1.0, 256.0, 128.0, 108.0) == 2 * 256 * 128 * 1000
    True
    """
    tiles = batch * math.ceil(m / tile_m) * math.ceil(n / tile_n)
    return math.ceil(tiles / units) * 2.0 * tile_m * tile_n * (k + FILL)


def compute_flop(m: float, n: float, k: float, batch: float, units: float) -> float:
    """Return the FLOP a whole chip could do in the time the best tiling takes: useful FLOP plus waste [FLOP].

    Tiles of 256 x 128, 128 x 256, 128 x 128 and 64 x 64; smaller ones feed the tensor cores less well. Without
    multiprocessors (0) the sides are padded to the array.

    >>> compute_flop(100.0, 128.0, 128.0, 1.0, 0.0) == 2 * 128**3
    True
    """
    if units == 0.0:
        rows, columns, depth = math.ceil(m / ARRAY), math.ceil(n / ARRAY), math.ceil(k / ARRAY)
        return 2.0 * batch * rows * columns * depth * ARRAY * ARRAY * ARRAY
    tall = tile_flop(m, n, k, batch, 256.0, 128.0, units)
    wide = tile_flop(m, n, k, batch, 128.0, 256.0, units)
    square = 1.06 * tile_flop(m, n, k, batch, 128.0, 128.0, units)
    small = 1.35 * tile_flop(m, n, k, batch, 64.0, 64.0, units)
    return units * min(min(tall, wide), min(square, small))


def gemm_bytes(m: float, n: float, k: float, batch: float, element_bytes: float) -> float:
    """Return the bytes a GEMM must move: both operands once, and the 16-bit result.

    >>> gemm_bytes(2.0, 3.0, 5.0, 1.0, 2.0) == 2 * (10 + 15) + 2 * 6
    True
    """
    return batch * (element_bytes * (m * k + k * n) + 2.0 * m * n)


def gemm_time_s(
    m: float,
    n: float,
    k: float,
    batch: float,
    flop_s: float,
    element_bytes: float,
    memory_bytes_s: float,
    multiprocessors: float,
    kernel_s: float,
) -> float:
    """Return the time of ``batch`` multiplications of (m, k) by (k, n) [s].

    A smooth maximum of compute and memory time, plus the start of the kernel. ``flop_s`` is the rate a large, well-shaped
    GEMM reaches.

    >>> round(gemm_time_s(8192.0, 8192.0, 8192.0, 1.0, 250e12, 2.0, 2e12, 108.0, 2e-6) * 1e3, 2)
    4.58
    """
    compute_s = compute_flop(m, n, k, batch, multiprocessors) / flop_s
    memory_s = gemm_bytes(m, n, k, batch, element_bytes) / (MEMORY_SHARE * memory_bytes_s)
    return soft_max(compute_s, memory_s) + kernel_s
