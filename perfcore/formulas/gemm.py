"""Time of one matrix multiplication on a GPU (tiles, waves, fill of K) or a systolic array (padding)."""

import math

FILL = 110.0  # elements of K that filling and draining a tile's pipeline costs
MEMORY_SHARE = 0.9  # of the datasheet bandwidth that a GEMM streams at
ARRAY = 128.0  # side of a systolic array
LOWEST_TILE = 8.0 / 5.0  # time of a tile of 16 x 128 over that of its FLOP at the full rate
MOST_PARTS = 8.0  # K is split into
VECTOR_ROWS, VECTOR_COST = 4.0, 8.0  # rows of a vector kernel at most; its time over that of full tensor cores


def soft_max(a: float, b: float) -> float:
    r"""Return a smooth maximum of two times [s]: :math:`(a^4 + b^4)^{1/4}`.

    Two bounds that are equal cost 19 % more than either; one that is half of the other, 1.5 %.

    Examples
    --------
    >>> soft_max(3.0, 0.0), round(soft_max(1.0, 1.0), 3), round(soft_max(2.0, 1.0), 3)
    (3.0, 1.189, 2.031)
    """
    large = max(a, b)
    if large <= 0.0:
        return 0.0
    ratio = min(a, b) / large
    square = ratio * ratio
    return large * math.sqrt(math.sqrt(1.0 + square * square))


def tile_flop(m: float, n: float, k: float, batch: float, tile_m: float, tile_n: float, units: float) -> float:
    """Return the FLOP that the busiest of ``units`` multiprocessors computes, in whole tiles and with the fill of K.

    The tiles of all ``batch`` products are dealt together; a last wave that is not full takes as long as a full one
    [1]_.

    References
    ----------
    .. [1] NVIDIA, "Matrix multiplication background user's guide", sections on tile and wave quantization (recalled).

    Examples
    --------
    >>> tile_flop(256.0, 128.0, 890.0, 1.0, 256.0, 128.0, 108.0) == 2 * 256 * 128 * 1000
    True

    109 tiles on 108 units take two waves:

    >>> tile_flop(109 * 256.0, 128.0, 890.0, 1.0, 256.0, 128.0, 108.0) == 2 * 2 * 256 * 128 * 1000
    True
    """
    tiles = batch * math.ceil(m / tile_m) * math.ceil(n / tile_n)
    return math.ceil(tiles / units) * 2.0 * tile_m * tile_n * (k + FILL)


def compute_flop(m: float, n: float, k: float, batch: float, units: float) -> float:
    """Return the FLOP a whole chip could do in the time the best tiling takes: useful FLOP plus waste [FLOP].

    Tiles of 256 x 128, 128 x 256, 128 x 128 and 64 x 64; smaller ones feed the tensor cores less well. Without
    multiprocessors (0) the sides are padded to the array; below 0 nothing is (a processor of vector units).

    Examples
    --------
    >>> compute_flop(100.0, 128.0, 128.0, 1.0, 0.0) == 2 * 128**3
    True

    One row on 100 units is one small tile:

    >>> round(compute_flop(1.0, 64.0, 890.0, 1.0, 100.0) / (100 * 2 * 64 * 64 * 1000), 6)
    1.35
    """
    if units < 0.0:
        return 2.0 * batch * m * n * k
    if units == 0.0:
        rows, columns, depth = math.ceil(m / ARRAY), math.ceil(n / ARRAY), math.ceil(k / ARRAY)
        return 2.0 * batch * rows * columns * depth * ARRAY * ARRAY * ARRAY
    tall = tile_flop(m, n, k, batch, 256.0, 128.0, units)
    wide = tile_flop(m, n, k, batch, 128.0, 256.0, units)
    square = 1.06 * tile_flop(m, n, k, batch, 128.0, 128.0, units)
    small = 1.35 * tile_flop(m, n, k, batch, 64.0, 64.0, units)
    return units * min(min(tall, wide), min(square, small))


def few_rows_flop(m: float, n: float, k: float, batch: float, units: float) -> float:
    """Return ``compute_flop`` of a library that also has tiles of few rows, and a vector kernel up to four [FLOP].

    Serving multiplies few tokens at a time. Tiles of 64, 32 and 16 rows feed the tensor cores less well the smaller
    they are; the vector kernel runs at an eighth of their rate. An array pads rows to 8 only.

    Examples
    --------
    16 rows on 100 units are 100 tiles of 16 x 128:

    >>> round(few_rows_flop(16.0, 12800.0, 890.0, 1.0, 100.0) / (100 * 2 * 16 * 128 * 1000), 6)
    1.6
    >>> few_rows_flop(1.0, 64.0, 1000.0, 1.0, 100.0) == 8 * 2 * 64 * 1000
    True
    >>> few_rows_flop(5.0, 128.0, 128.0, 1.0, 0.0) == 2 * 8 * 128 * 128
    True
    """
    if units <= 0.0:
        if m >= ARRAY or units < 0.0:
            return compute_flop(m, n, k, batch, units)
        return 2.0 * batch * math.ceil(m / 8.0) * 8.0 * math.ceil(n / ARRAY) * ARRAY * math.ceil(k / ARRAY) * ARRAY
    wide = 1.10 * tile_flop(m, n, k, batch, 64.0, 256.0, units)
    even = 1.15 * tile_flop(m, n, k, batch, 64.0, 128.0, units)
    low = 1.30 * tile_flop(m, n, k, batch, 32.0, 128.0, units)
    lowest = LOWEST_TILE * tile_flop(m, n, k, batch, 16.0, 128.0, units)
    tiled = min(compute_flop(m, n, k, batch, units), units * min(min(wide, even), min(low, lowest)))
    return min(tiled, VECTOR_COST * 2.0 * batch * m * n * k) if m <= VECTOR_ROWS else tiled


def split_flop(m: float, n: float, k: float, batch: float, units: float) -> float:
    """Return what ``few_rows_flop`` does where a library may split K over up to 8 units that would stand idle [FLOP].

    Only tiles of 32 and 16 rows are split; adding the parts up costs no time of its own.

    Examples
    --------
    One tile of 16 x 128 on 100 units, split over 8: K / 8 and the fill.

    >>> split_flop(16.0, 128.0, 8000.0, 1.0, 100.0) == 1.6 * 100 * 2 * 16 * 128 * (1000 + FILL)
    True
    >>> split_flop(1024.0, 8192.0, 8192.0, 1.0, 100.0) == few_rows_flop(1024.0, 8192.0, 8192.0, 1.0, 100.0)
    True
    """
    whole = few_rows_flop(m, n, k, batch, units)
    if units <= 0.0:
        return whole
    columns = batch * math.ceil(n / 128.0)
    low = 1.30 * _split_tile_flop(columns * math.ceil(m / 32.0), k, 32.0, units)
    lowest = LOWEST_TILE * _split_tile_flop(columns * math.ceil(m / 16.0), k, 16.0, units)
    return min(whole, units * min(low, lowest))


def _split_tile_flop(tiles: float, k: float, rows: float, units: float) -> float:
    """Return the FLOP of the busiest unit, K cut into as many parts as idle units allow."""
    parts = min(max(1.0, math.floor(units / tiles)), MOST_PARTS)
    return math.ceil(tiles * parts / units) * 2.0 * rows * 128.0 * (k / parts + FILL)


def gemm_bytes(m: float, n: float, k: float, batch: float, element_bytes: float) -> float:
    """Return the bytes a GEMM must move: both operands once, and the 16-bit result [bytes].

    Examples
    --------
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

    A smooth maximum of compute and memory time, plus the start of the kernel: a roofline [1]_ with the waste of tiles.
    ``flop_s`` is the rate a large, well-shaped GEMM reaches [FLOP/s], ``memory_bytes_s`` that of the datasheet. K is
    never split over units, so products of few rows and few columns come out slower than libraries run them.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the ACM 52(4), 2009.

    Examples
    --------
    2 x 8192^3 FLOP at 250 TFLOP/s are 4.40 ms; 19 waves of 108 tiles for 18.96 and 110 more of K make it 4.47:

    >>> round(gemm_time_s(8192.0, 8192.0, 8192.0, 1.0, 250e12, 2.0, 2e12, 108.0, 2e-6) * 1e3, 2)
    4.47

    One row by 9000 x 9000 weights reads 162 MB at 1.8 TB/s, if nothing but the memory counts:

    >>> round(gemm_time_s(1.0, 9000.0, 9000.0, 1.0, 1e18, 2.0, 2e12, 108.0, 0.0) * 1e6, 1)
    90.0
    """
    compute_s = compute_flop(m, n, k, batch, multiprocessors) / flop_s
    memory_s = gemm_bytes(m, n, k, batch, element_bytes) / (MEMORY_SHARE * memory_bytes_s)
    return soft_max(compute_s, memory_s) + kernel_s
