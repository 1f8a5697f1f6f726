"""Time of a matrix product whose tiles are fitted to its shape: few rows, odd widths, experts with uneven loads.

``gemm.gemm_time_s`` has four tiles, enough for the products of training. Libraries have many more, and with few rows
it counts which one fits.
"""

import math

from perfcore.formulas.gemm import FILL, few_rows_flop, gemm_bytes

TILE_COST = 15.0  # rows and columns whose operands, to be read again and again, cost as much as a product of full tiles
LARGEST_SIDES = 3.0 / 256.0  # 1/rows + 1/columns of the largest tile, 256 x 128
LEAST_ROWS = 64.0  # of a tile: what a warp group multiplies at once
GROUPED_RATE = 0.93  # of experts over a plain product, beside uneven loads and tiles that are not full
STREAM_SHARE = 0.8  # of the datasheet bandwidth at which a product of few rows reads its weights


def cubic_max(a: float, b: float) -> float:
    r"""Return a smooth maximum of two times [s]: :math:`(a^3 + b^3)^{1/3}`.

    Softer than ``gemm.soft_max``: where a product of some hundred rows computes about as long as it reads, it waits
    for both more than the products of training do. Equal bounds cost 26 % more than either.

    Examples
    --------
    >>> cubic_max(3.0, 0.0), round(cubic_max(1.0, 1.0), 3), cubic_max(0.0, 0.0)
    (3.0, 1.26, 0.0)
    """
    large = max(a, b)
    if large <= 0.0:
        return 0.0
    return large * math.pow(1.0 + math.pow(min(a, b) / large, 3.0), 1.0 / 3.0)


def tile_slowdown(rows: float, columns: float) -> float:
    r"""Return the time of an FLOP in a tile over that in one of 256 x 128: :math:`1 + c (1/r + 1/s - 3/256)`.

    A tile of r x s reads r + s operands for r s multiplications; the smaller it is, the more it waits for them.

    Examples
    --------
    >>> tile_slowdown(256.0, 128.0), round(tile_slowdown(128.0, 128.0), 3), round(tile_slowdown(64.0, 64.0), 3)
    (1.0, 1.059, 1.293)
    """
    return 1.0 + TILE_COST * (1.0 / rows + 1.0 / columns - LARGEST_SIDES)


def row_tiles(m: float, rows: float, uneven: float) -> float:
    """Return how many tiles of ``rows`` cover ``m`` rows; with ``uneven`` loads of mean ``m``, how many on average.

    A load of any size fills half of its last tile on average.

    Examples
    --------
    >>> row_tiles(128.0, 128.0, 0.0), row_tiles(128.0, 128.0, 1.0), row_tiles(3.0, 64.0, 1.0)
    (1.0, 1.5, 1.0)
    """
    return max(1.0, m / rows + 0.5) if uneven == 1.0 else float(math.ceil(m / rows))


def tiled_flop(m: float, n: float, k: float, batch: float, uneven: float, units: float) -> float:
    """Return the FLOP a whole chip could do in the time the best tiling takes: useful FLOP plus waste [FLOP].

    Tiles of 64, 128 or 256 rows and any multiple of 16 columns up to 256, in waves over ``units`` multiprocessors; the
    last wave takes as long as a full one [1]_. The fill of K costs each tile as in ``gemm``. Without multiprocessors
    (0) the sides are padded to a systolic array.

    References
    ----------
    .. [1] NVIDIA, "Matrix multiplication background user's guide", sections on tile and wave quantization (recalled).

    Examples
    --------
    One row by 8000 columns on 100 units: 100 tiles of 64 x 80, the narrowest that make one wave.

    >>> waste = tiled_flop(1.0, 8000.0, 890.0, 1.0, 0.0, 100.0) / (100 * 2 * 64 * 80 * 1000)
    >>> round(waste, 4) == round(tile_slowdown(64.0, 80.0), 4)
    True
    """
    if units <= 0.0:
        return few_rows_flop(m, n, k, batch, units)
    best = math.inf
    rows = LEAST_ROWS
    while rows <= 256.0:
        high = batch * row_tiles(m, rows, uneven)
        columns = 16.0
        while columns <= 256.0 and rows * columns <= 32768.0:
            waves = math.ceil(high * math.ceil(n / columns) / units)
            best = min(best, waves * rows * columns * tile_slowdown(rows, columns))
            columns += 16.0
        rows *= 2.0
    return 2.0 * (k + FILL) * units * best


def product_time_s(
    m: float,
    n: float,
    k: float,
    batch: float,
    uneven: float,
    flop_s: float,
    element_bytes: float,
    memory_bytes_s: float,
    units: float,
    kernel_s: float,
) -> float:
    """Return the time of ``batch`` products of (m, k) by (k, n) [s]: a smooth maximum of tiles and memory, and a start.

    With ``uneven`` = 1.0 the products are experts with ``m`` tokens each on average.

    Examples
    --------
    4096 x 4096 weights of 16 bit at 0.8 of 2 TB/s take 21 us, 2 us to start:

    >>> round(product_time_s(1.0, 4096.0, 4096.0, 1.0, 0.0, 1e18, 2.0, 2e12, 108.0, 2e-6) * 1e6, 1)
    23.0
    """
    compute_s = tiled_flop(m, n, k, batch, uneven, units) / flop_s
    memory_s = gemm_bytes(m, n, k, batch, element_bytes) / (STREAM_SHARE * memory_bytes_s)
    return cubic_max(compute_s, memory_s) + kernel_s
