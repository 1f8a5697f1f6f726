"""Times of kernels on a CPU with up to three levels of cache: streams, and matrix products of a BLAS."""


def share_kept(working_set: float, cache_bytes: float) -> float:
    """Return the share of a set that a cache keeps while the set is gone through again and again.

    All of a set that fits and none of one twice as large; a straight line between, since no cache replaces by strict
    order of use [1]_.

    References
    ----------
    .. [1] J. L. Hennessy, D. A. Patterson, "Computer Architecture", appendix B on replacement (recalled); the line is
       an estimate.

    Examples
    --------
    >>> share_kept(1.0, 4.0), share_kept(6.0, 4.0), share_kept(8.0, 4.0), share_kept(1.0, 0.0)
    (1.0, 0.5, 0.0, 0.0)
    """
    if cache_bytes <= 0.0:
        return 0.0
    return max(0.0, min(1.0, 2.0 - working_set / cache_bytes))


def stream_time_s(
    moved_bytes: float,
    working_set: float,
    l1_bytes: float,
    l1_bytes_s: float,
    l2_bytes: float,
    l2_bytes_s: float,
    l3_bytes: float,
    l3_bytes_s: float,
    dram_bytes_s: float,
) -> float:
    """Return the time of moving bytes of a set that is gone through again and again [s].

    Each level moves what it keeps and the levels nearer to the core do not, at its own rate [1]_. A level that is not
    there has 0 bytes.

    References
    ----------
    .. [1] A. Ilic, F. Pratas, L. Sousa, "Cache-aware roofline model", IEEE Computer Architecture Letters 13(1), 2014
       (recalled).

    Examples
    --------
    A set in the first level, and one of 6 bytes where 4 are the last cache: half from it, half from main memory.

    >>> stream_time_s(10.0, 1.0, 2.0, 10.0, 4.0, 5.0, 0.0, 0.0, 1.0)
    1.0
    >>> stream_time_s(10.0, 6.0, 2.0, 10.0, 4.0, 5.0, 0.0, 0.0, 1.0)
    6.0
    """
    near = share_kept(working_set, l1_bytes)
    middle = max(near, share_kept(working_set, l2_bytes))
    far = max(middle, share_kept(working_set, l3_bytes))
    time_s = (1.0 - far) / dram_bytes_s
    if near > 0.0:
        time_s += near / l1_bytes_s
    if middle > near:
        time_s += (middle - near) / l2_bytes_s
    if far > middle:
        time_s += (far - middle) / l3_bytes_s
    return moved_bytes * time_s


def blas_gemm_bytes(m: float, n: float, k: float, element_bytes: float) -> float:
    """Return the bytes a BLAS moves around its inner loop, for (m, k) by (k, n) [B].

    Both operands are read and written once more, packed in the order the inner loop reads them [1]_; the result is
    read and written.

    References
    ----------
    .. [1] K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.

    Examples
    --------
    >>> blas_gemm_bytes(2.0, 3.0, 5.0, 8.0) == 8 * (2 * (10 + 15) + 2 * 6)
    True
    """
    return 2.0 * element_bytes * (m * k + k * n + m * n)


def blas_gemm_time_s(flop: float, flop_s: float, packing_s: float, call_s: float) -> float:
    """Return the time of a matrix product of a BLAS on a CPU [s]: inner loop, then packing, then the call.

    The same cores pack and multiply, one after the other, so that the times add up. ``flop_s`` is the rate of a large
    square product.

    Examples
    --------
    >>> blas_gemm_time_s(100.0, 50.0, 0.5, 0.25)
    2.75
    """
    return flop / flop_s + packing_s + call_s
