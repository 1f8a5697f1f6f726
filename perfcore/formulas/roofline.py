"""The roofline: the rate a machine allows an operation, and the FLOP per byte of the operations of a transformer.

How bounds compose, here and in every time of perfcore:

- Within one kernel computing and moving overlap, so that its time is the larger of the two: ``roofline_time_s``, never
  their sum. The kernels calibrated against measurements take the smooth maximum of ``gemm.soft_max`` instead, which is
  at most 19 % above, and add the start of the kernel.
- Kernels that wait for each other's results run one after the other: their times add up.
- Each level of memory, and each link, is a bound of its own with its own bytes; a kernel is as slow as the slowest.

Bytes are those that must cross DRAM once if the caches hold what is used again. ``element_bytes`` is the size of an
operand, ``kv_bytes`` that of an element of the key-value cache; results of matrix products are of 16 bit.
"""

import math

from perfcore.formulas.gemm import gemm_bytes

# Of AdamW, per parameter: 3 for the first moment, 4 for the second, 2 to correct their bias, root, sum and quotient,
# 2 for the decay of the weight and 2 for the step.
ADAM_FLOP = 16.0
RMS_NORM_FLOP = 4.0  # per element: square and add, scale, weight


def ridge_flop_per_byte(flop_s: float, bytes_s: float) -> float:
    """Return the intensity from which on a machine is bound by computing instead of by memory [FLOP/B].

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
       architectures", Communications of the ACM 52(4), 2009, "ridge point".

    Examples
    --------
    H20, 148 TFLOP/s in 16 bit over 4 TB/s:

    >>> ridge_flop_per_byte(148e12, 4e12)
    37.0
    """
    return flop_s / bytes_s


def attainable_flop_s(flop_per_byte: float, flop_s: float, bytes_s: float) -> float:
    r"""Return the rate the roofline allows an operation of some intensity [FLOP/s]: :math:`\min(P, I B)`.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the ACM 52(4), 2009.

    Examples
    --------
    Left of the ridge and right of it:

    >>> attainable_flop_s(10.0, 148e12, 4e12), attainable_flop_s(100.0, 148e12, 4e12)
    (40000000000000.0, 148000000000000.0)
    """
    return min(flop_s, flop_per_byte * bytes_s)


def roofline_time_s(flop: float, moved_bytes: float, flop_s: float, bytes_s: float) -> float:
    """Return the least time of one kernel [s]: computing and moving overlap, the longer of the two remains.

    References
    ----------
    .. [1] S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the ACM 52(4), 2009.

    Examples
    --------
    >>> roofline_time_s(10.0, 6.0, 5.0, 2.0), roofline_time_s(20.0, 6.0, 5.0, 2.0)
    (3.0, 4.0)
    """
    return max(flop / flop_s, moved_bytes / bytes_s)


def gemm_intensity(m: float, n: float, k: float, element_bytes: float) -> float:
    """Return the intensity of a product of (m, k) by (k, n), each operand read once, 16-bit result [FLOP/B].

    References
    ----------
    .. [1] NVIDIA, "Matrix multiplication background user's guide", section 2 (recalled).

    Examples
    --------
    A square of side n in 16 bit: 2 n^3 over 6 n^2 bytes, a third of n.

    >>> gemm_intensity(3072.0, 3072.0, 3072.0, 2.0)
    1024.0
    """
    return 2.0 * m * n * k / gemm_bytes(m, n, k, 1.0, element_bytes)


def gemv_intensity(n: float, k: float, element_bytes: float) -> float:
    """Return the intensity of one row times a matrix (k, n) [FLOP/B]: about two over the bytes of a weight.

    References
    ----------
    .. [1] NVIDIA, "Matrix multiplication background user's guide", section 2 (recalled).

    Examples
    --------
    >>> round(gemv_intensity(8192.0, 8192.0, 2.0), 3), round(gemv_intensity(8192.0, 8192.0, 1.0), 3)
    (1.0, 1.999)
    """
    return gemm_intensity(1.0, n, k, element_bytes)


def attention_prefill_intensity(
    seq: float, heads: float, kv_heads: float, head_dim: float, element_bytes: float
) -> float:
    r"""Return the intensity of fused causal attention over a whole sequence [FLOP/B].

    :math:`2 \cdot 2 s \frac{s}{2} a d` FLOP over queries, keys, values and output once: the scores never leave the
    chip [1]_. That is :math:`s a / (e (a + k))` with a query heads, k key-value heads and e bytes an element.

    References
    ----------
    .. [1] T. Dao et al., "FlashAttention", arXiv:2205.14135 (2022), sections 2.1 and 3.1.

    Examples
    --------
    As many key-value heads as query heads, 16 bit: a quarter of the sequence. Eight query heads to one: 8/18.

    >>> attention_prefill_intensity(4096.0, 64.0, 64.0, 128.0, 2.0)
    1024.0
    >>> round(attention_prefill_intensity(4096.0, 64.0, 8.0, 128.0, 2.0), 1)
    1820.4
    """
    flop = 2.0 * seq * seq * heads * head_dim
    return flop / (2.0 * element_bytes * seq * (heads + kv_heads) * head_dim)


def attention_decode_intensity(
    seq: float, heads: float, kv_heads: float, head_dim: float, element_bytes: float, kv_bytes: float
) -> float:
    """Return the intensity of attention of one new token over ``seq`` cached ones [FLOP/B].

    The cache is read once for all query heads that share it, so that the intensity is about twice their number over
    the bytes of an element, whatever the batch: multi-head 1, grouped-query the group, multi-query all heads [1]_.

    References
    ----------
    .. [1] N. Shazeer, "Fast transformer decoding: one write-head is all you need", arXiv:1911.02150 (2019),
       sections 2.4.1 and 3.1.

    Examples
    --------
    Multi-head, grouped-query (8 heads a group) and multi-query, 16 bit:

    >>> [round(attention_decode_intensity(1e6, 64.0, kv, 128.0, 2.0, 2.0), 1) for kv in (64.0, 8.0, 1.0)]
    [1.0, 8.0, 64.0]
    """
    flop = 4.0 * seq * heads * head_dim
    return flop / (2.0 * seq * kv_heads * head_dim * kv_bytes + 2.0 * heads * head_dim * element_bytes)


def mla_decode_intensity(
    seq: float, heads: float, kv_lora_rank: float, rope_head_dim: float, element_bytes: float, kv_bytes: float
) -> float:
    """Return the intensity of absorbed multi-head latent attention of one new token over ``seq`` cached ones [FLOP/B].

    Every head multiplies the same latent, twice, and its rotary part once [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 (2024), section 2.1.2.

    Examples
    --------
    DeepSeek-V3: 2 x 128 heads x (2 x 512 + 64) FLOP over 576 values of 16 bit.

    >>> round(mla_decode_intensity(1e6, 128.0, 512.0, 64.0, 2.0, 2.0), 1)
    241.7
    """
    flop = 2.0 * seq * heads * (2.0 * kv_lora_rank + rope_head_dim)
    own = heads * (2.0 * kv_lora_rank + rope_head_dim) * element_bytes
    return flop / (seq * (kv_lora_rank + rope_head_dim) * kv_bytes + own)


def distinct_experts(experts: float, top_k: float, tokens: float) -> float:
    r"""Return how many of the experts a batch reaches if each token picks ``top_k`` of them evenly [experts].

    :math:`E (1 - (1 - k/E)^T)`: an expert is missed by each of T tokens with probability 1 - k/E.

    References
    ----------
    .. [1] W. Feller, "An Introduction to Probability Theory and Its Applications", volume 1, section II.5, occupancy
       (recalled).

    Examples
    --------
    One token reaches its own 8; of 8 experts, two tokens with 2 each reach 3.5 on average.

    >>> distinct_experts(256.0, 8.0, 1.0), distinct_experts(8.0, 2.0, 2.0)
    (8.0, 3.5)
    """
    missed = 1.0 - min(1.0, top_k / experts)
    return experts * (1.0 - math.pow(missed, tokens))


def moe_intensity(
    tokens: float,
    hidden: float,
    experts: float,
    top_k: float,
    expert_ffn: float,
    ffn_matrices: float,
    element_bytes: float,
) -> float:
    """Return the intensity of the routed experts of one layer for a batch of tokens [FLOP/B].

    Weights of the experts that are reached are read once. At first every token brings its own experts and the intensity
    stays that of a matrix-vector product; only when all are reached does it grow with the batch, as ``top_k`` over
    ``experts`` of that of a dense layer.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V3, arXiv:2412.19437 (2024), sections 2.1.2 and 3.4.2.

    Examples
    --------
    DeepSeek-V3 in 8 bit: one token 2, and 16 rows an expert from a batch of 512.

    >>> shape = 7168.0, 256.0, 8.0, 2048.0, 3.0, 1.0
    >>> round(moe_intensity(1.0, *shape), 2), round(moe_intensity(512.0, *shape), 1)
    (2.0, 31.6)
    """
    rows = tokens * top_k
    weights = distinct_experts(experts, top_k, tokens) * ffn_matrices * hidden * expert_ffn
    wide = (ffn_matrices - 1.0) * expert_ffn
    moved = element_bytes * (weights + rows * (hidden + expert_ffn)) + 2.0 * rows * (wide + hidden)
    return 2.0 * rows * ffn_matrices * hidden * expert_ffn / moved


def normalisation_intensity(element_bytes: float) -> float:
    """Return the intensity of a root-mean-square norm, each element read and written once [FLOP/B].

    References
    ----------
    .. [1] B. Zhang, R. Sennrich, "Root mean square layer normalization", arXiv:1910.07467 (2019), section 4.

    Examples
    --------
    4 FLOP for an element over 2 x 2 bytes:

    >>> normalisation_intensity(2.0)
    1.0
    """
    return RMS_NORM_FLOP / (2.0 * element_bytes)


def optimizer_intensity(optimizer_bytes: float) -> float:
    """Return the intensity of an AdamW update that moves ``optimizer_bytes`` a parameter [FLOP/B].

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", arXiv:1711.05101 (2017), algorithm 2.

    Examples
    --------
    40 bytes: 16-bit gradient, 32-bit weight and two moments read and written, a 16-bit copy, and the norm.

    >>> optimizer_intensity(40.0)
    0.4
    """
    return ADAM_FLOP / optimizer_bytes
