"""Time of attention of single new tokens over a KV cache, as one kernel."""

from perfcore.formulas.gemm import soft_max

# Fitted to InferSim's kernels of the H20: the only chip whose decode attention is published shape by shape.
CACHE_SHARE = 0.8  # of the datasheet bandwidth, reading a cache of 16 bit
NARROW_SHARE = 0.65  # of that, reading one of 8 bit, which has to be widened
GROUP_SHARE = 0.5  # of the dense 16-bit peak, where many query heads share a key
LATENT_SHARE = 0.75  # the same of MLA, all of whose heads share one latent
SPLIT_S = 20e-6  # start: the cache is split over the chip and the parts are merged, timed without a graph


def cache_bytes(sequences: float, keys: float, kv_heads: float, width: float, element_bytes: float) -> float:
    """Return the bytes of KV cache that one layer reads [bytes]; ``width`` is of key and value of a head together.

    Every key is read once for all the query heads that share it [1]_. MLA has one head, of the latent and rotary part.

    References
    ----------
    .. [1] J. Ainslie et al., "GQA", arXiv:2305.13245 (2023), section 2.2.

    Examples
    --------
    >>> cache_bytes(2.0, 1000.0, 8.0, 256.0, 2.0)
    8192000.0
    """
    return sequences * keys * kv_heads * width * element_bytes


def score_flop(sequences: float, keys: float, heads: float, width: float) -> float:
    """Return the FLOP of scores and values of one new token each [FLOP]; ``width`` of key and value of a head together.

    Of MLA with its maps absorbed, key and value are the latent: ``width`` is twice the latent and once the rotary part
    [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 (2024), section 2.1.2.

    Examples
    --------
    >>> score_flop(1.0, 1000.0, 128.0, 2.0 * 512.0 + 64.0)
    278528000.0
    """
    return 2.0 * sequences * keys * heads * width


def decode_attention_time_s(
    moved_bytes: float, element_bytes: float, flop: float, latent: float, flop_s: float, memory_bytes_s: float
) -> float:
    """Return the time of decode attention [s]: reading the cache or multiplying, and a start.

    ``flop_s`` is the dense 16-bit peak, ``memory_bytes_s`` the datasheet bandwidth; ``latent`` = 1.0 for MLA.

    Examples
    --------
    8 GB at 0.8 of 4 TB/s are 2.5 ms; in 8 bit half the bytes at 0.65 of that rate, 1.92 ms.

    >>> round(decode_attention_time_s(8e9, 2.0, 0.0, 0.0, 148e12, 4e12) * 1e3, 2)
    2.52
    >>> round(decode_attention_time_s(4e9, 1.0, 0.0, 0.0, 148e12, 4e12) * 1e3, 2)
    1.94
    """
    rate = CACHE_SHARE * memory_bytes_s * (NARROW_SHARE if element_bytes < 2.0 else 1.0)
    compute = (LATENT_SHARE if latent == 1.0 else GROUP_SHARE) * flop_s
    return soft_max(moved_bytes / rate, flop / compute) + SPLIT_S
