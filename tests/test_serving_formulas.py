"""The formulas of serving on cases worked by hand, from printed figures, and by a small oracle written from papers.

Shapes are typed here from the model cards; no expected value comes from the code under test.
"""

import itertools
import math
import random

import pytest

from perfcore.formulas import gemm, serving, serving_layer
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan
from perfcore.formulas.serving_layer import Served, Tokens

ONE = Plan(*[1.0] * 8, 0.0, 1.0, *[0.0] * 7)
HALF, BYTE = Formats(2.0, 1.0, 2.0), Formats(1.0, 1.0, 1.0)
# A systolic array that reads and sends for nothing: 1 FLOP/s, so that a time is a number of FLOP.
COUNTER = Machine(
    gemm_flop_s=1.0,
    wide_gemm_flop_s=1.0,
    attention_flop_s=1.0,
    element_bytes=2.0,
    cast_bytes=0.0,
    memory_bytes_s=math.inf,
    memory_efficiency=1.0,
    memory_bytes=80e9,
    multiprocessors=0.0,
    kernel_s=0.0,
    domain=8.0,
    link_bytes_s=math.inf,
    link_latency_s=0.0,
    torus_axes=0.0,
    network_bytes_s=math.inf,
    network_latency_s=0.0,
)
# It computes and sends for nothing: 1 byte/s of memory, so that a time is a number of bytes.
READER = COUNTER._replace(
    gemm_flop_s=math.inf, wide_gemm_flop_s=math.inf, attention_flop_s=math.inf, memory_bytes_s=1.0
)
# Near an A100 SXM: 312 TFLOP/s, 2,039 GB/s, 108 multiprocessors, 300 GB/s a direction.
A100 = Machine(
    234e12, 234e12, 180e12, 2.0, 0.0, 2039e9, 0.9, 80e9, 108.0, 2e-6, 8.0, 240e9, 6e-6, 0.0, 25e9, 20e-6
)  # fmt: skip
FREE = Engine(
    stream_efficiency=1.0,
    layer_s=0.0,
    sequence_s=0.0,
    kv_efficiency=1.0,
    expert_factor=1.0,
    expert_s=0.0,
    step_s=0.0,
    exchange_s=0.0,
    host_layer_s=0.0,
    host_reduce_s=0.0,
    repeated_kv_bytes_s=0.0,
    splits_depth=0.0,
    fitted_tiles=0.0,
    whole_context=0.0,
    chunk_tokens=1e9,
    most_sequences=4096.0,
    memory_share=1.0,
)
USUAL = FREE._replace(
    stream_efficiency=0.8, layer_s=30e-6, sequence_s=5e-6, expert_factor=2.6, expert_s=0.3e-6, step_s=1e-3,
    exchange_s=40e-6, chunk_tokens=8192.0, memory_share=0.9,
)  # fmt: skip
CLOSE = 1e-12


def dense(layers: int, hidden: int, heads: int, kv_heads: int, ffn: int, vocab: int, **more: float) -> Model:
    """Return a dense model with a gated MLP, heads of hidden / heads elements, no biases."""
    empty = dict.fromkeys(Model._fields, 0.0)
    size = hidden / heads
    shape = {
        "layers": layers, "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "head_dim": size, "v_head_dim": size,
        "ffn": ffn, "ffn_matrices": 3, "vocab": vocab, "dense_layers": layers,
    }  # fmt: skip
    return Model(**{**empty, **{name: float(value) for name, value in {**shape, **more}.items()}})


LLAMA2_70B = dense(80, 8192, 64, 8, 28672, 32000)
LLAMA3_8B = dense(32, 4096, 32, 8, 14336, 128256)
LLAMA3_405B = dense(126, 16384, 128, 8, 53248, 128256)
QWEN25_72B = dense(80, 8192, 64, 8, 29568, 152064)
MISTRAL_7B = dense(32, 4096, 32, 8, 14336, 32000)
GEMMA3_27B = dense(
    62, 5376, 32, 16, 21504, 262144, head_dim=128, v_head_dim=128, tied_embeddings=1, window=1024, window_layers=52
)
MIXTRAL = dense(32, 4096, 32, 8, 0, 32000, experts=8, top_k=2, expert_ffn=14336, dense_layers=0)
DEEPSEEK_V3 = dense(
    61, 7168, 128, 128, 18432, 129280, head_dim=192, v_head_dim=128, q_lora_rank=1536, kv_lora_rank=512,
    rope_head_dim=64, experts=256, top_k=8, top_groups=4, expert_ffn=2048, shared_ffn=2048, dense_layers=3,
    leading_dense_layers=3, mtp_layers=1,
)  # fmt: skip
MODELS = (LLAMA3_8B, MISTRAL_7B, GEMMA3_27B, MIXTRAL, DEEPSEEK_V3)


def plan(**parts: float) -> Plan:
    return ONE._replace(**parts)


def decode(sequences: float, context: float) -> Tokens:
    return Tokens(sequences, context, 0.0, 0.0, 0.0)


def prefill(length: float, prompts: float = 1.0, prefix: float = 0.0) -> Tokens:
    return Tokens(0.0, 0.0, prompts * length, length, prefix)


def seconds(model: Model, step: Tokens, machine: Machine, engine: Engine = FREE, **parts: float) -> float:
    """Return the time of a step in 16 bit."""
    return serving.total_s(serving.serving_step(model, plan(**parts), step, HALF, machine, engine))


# --- memory ----------------------------------------------------------------------------------------------------------

# DeepSeek-AI, "Insights into DeepSeek-V3", arXiv:2505.09343, table 1: KV cache a token in BF16, KB of 1,000 bytes.
TABLE_1 = {"DeepSeek-V3": (DEEPSEEK_V3, 70.272), "Qwen-2.5": (QWEN25_72B, 327.680), "LLaMA": (LLAMA3_405B, 516.096)}


@pytest.mark.parametrize("name", TABLE_1)
def test_kv_bytes_a_token_as_deepseek_prints_them(name: str) -> None:
    model, printed = TABLE_1[name]
    assert serving.kv_bytes_per_token(model, ONE, HALF) == pytest.approx(printed * 1000, rel=CLOSE)


@pytest.mark.parametrize(
    ("model", "by_hand"),
    [
        (LLAMA2_70B, 2 * 80 * 8 * 128 * 2),
        (LLAMA3_8B, 2 * 32 * 8 * 128 * 2),
        (MISTRAL_7B, 131072),
        (DEEPSEEK_V3, 61 * 576 * 2),
        (MIXTRAL, 131072),
    ],
)
def test_kv_bytes_a_token_by_hand(model: Model, by_hand: int) -> None:
    assert serving.kv_bytes_per_token(model, ONE, HALF) == by_hand
    assert serving.kv_bytes_per_token(model, ONE, BYTE) == by_hand / 2
    assert serving.kv_bytes_per_sequence(model, ONE, 1000.0, HALF) == 1000 * by_hand


def test_kv_heads_are_cut_until_one_is_left_and_latents_never() -> None:
    """8 heads over 8 ranks are one each; 16 ranks keep each head twice. MLA's 576 elements are on every rank."""
    one = 2 * 80 * 128 * 2
    for tp, heads in ((1, 8), (2, 4), (8, 1), (16, 1)):
        assert serving.kv_bytes_per_token(LLAMA2_70B, plan(tp=tp), HALF) == heads * one
        assert serving.kv_bytes_per_token(DEEPSEEK_V3, plan(tp=tp), HALF) == 61 * 576 * 2
    assert serving.kv_bytes_per_token(LLAMA2_70B, plan(pp=4.0), HALF) == 8 * one / 4


def test_a_window_keeps_its_tokens_alone() -> None:
    """Gemma 3 27B at 32,768 tokens: 10 layers keep them all, 52 keep 1,024; 2 x 16 x 128 elements of 2 bytes each."""
    kept = 10 * 32768 + 52 * 1024
    assert serving.kv_bytes_per_sequence(GEMMA3_27B, ONE, 32768.0, HALF) == pytest.approx(kept * 8192, rel=CLOSE)
    assert serving.kv_bytes_per_sequence(GEMMA3_27B, ONE, 1000.0, HALF) == pytest.approx(62 * 1000 * 8192, rel=CLOSE)


# Parameters as the model cards and papers print them.
@pytest.mark.parametrize(
    ("model", "billion"),
    [
        (LLAMA2_70B, 68.98),
        (LLAMA3_8B, 8.03),
        (LLAMA3_405B, 405.85),
        (MISTRAL_7B, 7.24),
        (MIXTRAL, 46.7),
        (DEEPSEEK_V3, 671.0),
        (GEMMA3_27B, 27.0),
    ],
)
def test_weights_are_the_published_parameters(model: Model, billion: float) -> None:
    assert serving.weight_bytes(model, ONE, HALF) == pytest.approx(2e9 * billion, rel=2e-3)


def test_embedding_and_head_stay_in_16_bit() -> None:
    """Llama 3 8B: 2 x 128,256 x 4,096 = 1.051e9 of 8.030e9 parameters keep 2 bytes; nvfp4 stores 0.5625 of the rest."""
    ends = 2 * 128256 * 4096
    assert serving.weight_bytes(LLAMA3_8B, ONE, BYTE) == pytest.approx(8030261248 - ends + 2 * ends, rel=CLOSE)
    packed = Formats(0.5625, 0.74, 2.0)
    assert serving.weight_bytes(LLAMA3_8B, ONE, packed) == pytest.approx((8030261248 - ends) * 0.5625 + 2 * ends)


def test_a_tied_matrix_is_kept_once_on_one_stage_and_twice_on_two() -> None:
    tied = LLAMA3_8B._replace(tied_embeddings=1.0)
    one = 128256 * 4096
    both, single = (serving.weight_bytes(model, ONE, HALF) for model in (LLAMA3_8B, tied))
    assert both - single == 2 * one
    assert serving.weight_bytes(tied, plan(pp=2.0), HALF) == serving.weight_bytes(LLAMA3_8B, plan(pp=2.0), HALF)


def test_a_tied_matrix_in_eight_bits() -> None:
    """One matrix of 16 bit on one stage; on the last of two it is beside 16 layers and the final norm."""
    tied, ends = LLAMA3_8B._replace(tied_embeddings=1.0), 128256 * 4096
    layers = 8030261248 - 2 * ends - 4096
    assert serving.weight_bytes(tied, ONE, BYTE) == layers + 4096 + 2 * ends
    assert serving.weight_bytes(tied, plan(pp=2.0), BYTE) == layers / 2 + 4096 + 2 * ends


def test_learned_positions_stay_in_16_bit() -> None:
    positions = LLAMA3_8B._replace(learned_positions=2048.0)
    more = serving.weight_bytes(positions, ONE, BYTE) - serving.weight_bytes(LLAMA3_8B, ONE, BYTE)
    assert more == 2 * 2048 * 4096


def test_weights_of_ranks() -> None:
    """Llama 3 8B on 8 ranks: matrices cut in 8, 65 norms of 4,096 on each; on 4 stages 8 layers and one end each."""
    norms = 65 * 4096
    whole = 8030261248
    assert serving.weight_bytes(LLAMA3_8B, plan(tp=8.0), HALF) == 2 * ((whole - norms) / 8 + norms)
    layer = (whole - 2 * 128256 * 4096 - 4096) / 32
    last = 8 * layer + 128256 * 4096 + 4096
    assert serving.weight_bytes(LLAMA3_8B, plan(pp=4.0), HALF) == 2 * last


@pytest.mark.parametrize(("tp", "ep"), [(1, 32), (4, 32), (8, 8), (8, 1), (1, 1), (16, 64)])
def test_experts_are_spread(tp: int, ep: int) -> None:
    """DeepSeek-V3 from its paper (arXiv:2412.19437, section 4.2): 58 MoE layers of 256 experts of 3 x 7168 x 2048."""
    experts = 58 * 256 * 3 * 7168 * 2048 / max(tp, ep)
    latent = 7168 * (1536 + 512 + 64)  # on every rank
    heads = 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * 7168
    shared = 3 * 7168 * 2048
    norms = 2 * 7168
    layers = 61 * (latent + heads / tp + norms) + 3 * 3 * 7168 * 18432 / tp + 58 * (shared / tp + 7168 * 256)
    ends = 2 * 129280 * 7168 / tp
    by_hand = layers + experts + ends + 7168
    assert serving.weight_bytes(DEEPSEEK_V3, plan(tp=tp, ep=ep), HALF) == pytest.approx(2 * by_hand, rel=1e-9)


def test_as_many_sequences_as_fit() -> None:
    """Llama 3 8B in 80 GB, 95 % of it usable: 76e9 - 16.06e9 bytes for 131,072 a token; none where weights do not."""
    engine = FREE._replace(memory_share=0.95)
    free = 76e9 - 2 * 8030261248
    for length in (128, 2048, 8192):
        most = serving.most_sequences(LLAMA3_8B, ONE, length, HALF, COUNTER, engine)
        assert most == free // (131072 * length)
    assert serving.most_sequences(LLAMA2_70B, ONE, 128.0, HALF, COUNTER, engine) == 0.0
    assert serving.most_sequences(LLAMA3_8B, ONE, 1e9, HALF, COUNTER, engine) == 0.0


def test_the_fullest_stage_decides_what_fits() -> None:
    """61 layers on 4 stages: 16, 16, 16 and 13. What is cached on the fullest rank is that of 16 layers."""
    model = dense(61, 4096, 32, 8, 14336, 32000)
    held = serving.kv_bytes_per_sequence(model, plan(pp=4.0), 1000.0, HALF)
    assert held == 16 * 2 * 8 * 128 * 2 * 1000


# --- attention of a decode step --------------------------------------------------------------------------------------


def fourth(a: float, b: float) -> float:
    return (a**4 + b**4) ** 0.25


def attention(
    model: Model, machine: Machine, engine: Engine, sequences: float, context: float, **parts: float
) -> float:
    return serving_layer.decode_attention_s(model, plan(**parts), sequences, context, HALF, machine, engine)


def test_one_layer_of_grouped_queries() -> None:
    """16 sequences of 4,096 tokens, 8 KV heads of 128: 268 MB, 165 us of an A100 at 0.8; or 2.1 GFLOP."""
    moved = 16 * 4096 * 2 * 8 * 128 * 2
    read, compute = moved / (0.8 * 2039e9), 2 * 16 * 4096 * 64 * 256 / (0.65 * 234e12)
    assert read == pytest.approx(164.6e-6, rel=1e-3)
    found = attention(LLAMA2_70B, A100, USUAL, 16.0, 4096.0)
    assert found == pytest.approx(fourth(read, compute) + 3e-6, rel=CLOSE)
    eight = attention(LLAMA2_70B, A100._replace(kernel_s=0.0), USUAL, 16.0, 4096.0, tp=8.0)
    assert eight == pytest.approx(fourth(read, compute) / 8, rel=CLOSE)


def test_a_cache_read_at_a_lower_rate() -> None:
    whole = attention(LLAMA2_70B, READER, FREE, 3.0, 100.0)
    assert whole == 3 * 100 * 2 * 8 * 128 * 2
    assert attention(LLAMA2_70B, READER, FREE._replace(kv_efficiency=0.5), 3.0, 100.0) == 2 * whole


def test_a_group_that_reads_again_for_each_head() -> None:
    """8 heads share a KV head: 8 times the bytes at the rate of the L2 cache, where that takes longer."""
    moved = 3 * 100 * 2 * 8 * 128 * 2
    for rate, expected in ((4.0, 8 * moved / 4.0), (16.0, moved)):
        engine = FREE._replace(repeated_kv_bytes_s=rate)
        assert attention(LLAMA2_70B, READER, engine, 3.0, 100.0) == expected
    # one head each: nothing to read again
    mha = LLAMA2_70B._replace(kv_heads=64.0)
    assert attention(mha, READER, FREE._replace(repeated_kv_bytes_s=0.01), 3.0, 100.0) == 8 * moved
    # on 16 ranks 4 heads share each of the copies
    sixteen = attention(LLAMA2_70B, READER, FREE._replace(repeated_kv_bytes_s=1.0), 3.0, 100.0, tp=16.0)
    assert sixteen == 4 * moved / 8


def test_latent_attention() -> None:
    """MLA: 576 elements a token, read once for all heads; 512 + 64 for scores and 512 for values, a head and key."""
    read = attention(DEEPSEEK_V3, READER, FREE, 3.0, 100.0)
    assert read == 3 * 100 * 576 * 2
    compute = attention(DEEPSEEK_V3, COUNTER, FREE, 3.0, 100.0)
    assert compute == pytest.approx(2 * 3 * 100 * 128 * (512 + 64 + 512) / 0.85, rel=CLOSE)
    assert attention(DEEPSEEK_V3, COUNTER, FREE, 3.0, 100.0, tp=8.0) == pytest.approx(compute / 8, rel=CLOSE)
    assert attention(DEEPSEEK_V3, READER, FREE, 3.0, 100.0, tp=8.0) == read


def test_windows_are_a_mean_over_layers() -> None:
    full, near = 3 * 4096 * 8192, 3 * 1024 * 8192
    assert attention(GEMMA3_27B, READER, FREE, 3.0, 4096.0) == pytest.approx((10 * full + 52 * near) / 62, rel=CLOSE)


# --- products with weights -------------------------------------------------------------------------------------------

# Tile shapes and what each costs more than the best, from the recipe; a GPU's library takes the quickest.
TILES = {
    (256, 128): 1.0, (128, 256): 1.0, (128, 128): 1.06, (64, 64): 1.35,
    (64, 256): 1.10, (64, 128): 1.15, (32, 128): 1.30, (16, 128): 1.60,
}  # fmt: skip


def quickest(m: int, n: int, k: int, batch: int, units: int) -> float:
    """Return the FLOP of the quickest way, written again."""
    ways = [8 * 2 * m * n * k * batch] if m <= 4 else []
    for (rows, columns), more in TILES.items():
        tiles = batch * -(-m // rows) * -(-n // columns)
        ways.append(more * -(-tiles // units) * 2 * rows * columns * (k + 110) * units)
    return min(ways)


def test_few_rows_take_the_quickest_tile() -> None:
    chance = random.Random(5)
    for _ in range(500):
        m = chance.choice((1, 2, 4, 5, 8, 16, 17, 32, 33, 64, 100, 128, 129, 500, 4096))
        n, k = chance.randint(1, 300) * 64, chance.randint(1, 200) * 64
        batch, units = chance.choice((1, 1, 1, 8, 31)), chance.choice((78, 108, 132, 148))
        found = gemm.few_rows_flop(float(m), float(n), float(k), float(batch), float(units))
        assert found == pytest.approx(quickest(m, n, k, batch, units), rel=1e-9)
        assert found >= 2 * m * n * k * batch


def test_five_rows_are_never_quicker_than_four() -> None:
    """4 rows of 8,192 x 8,192 on 64 units: a vector kernel would take 64 n k, 64 tiles of 16 x 128 in one wave less."""
    four, five = (gemm.few_rows_flop(m, 8192.0, 8192.0, 1.0, 64.0) for m in (4.0, 5.0))
    assert four == five == pytest.approx(1.6 * 64 * 2 * 16 * 128 * (8192 + 110), rel=CLOSE)
    assert four < 64 * 8192 * 8192


def test_an_array_pads_rows_to_eight() -> None:
    for rows, padded in ((1, 8), (8, 8), (9, 16), (121, 128), (128, 128), (129, 256)):
        assert gemm.few_rows_flop(float(rows), 129.0, 128.0, 2.0, 0.0) == 2 * 2 * padded * 256 * 128


def test_one_token_reads_every_weight_once() -> None:
    """Llama 2 70B at batch 1: all but the embedding, 2 bytes each, and activations of some MB: 137.5 GB."""
    step = serving.serving_step(LLAMA2_70B, ONE, decode(1.0, 0.0), HALF, READER, FREE)
    matrices = 80 * (8192 * (8192 + 2 * 1024) + 8192**2 + 3 * 8192 * 28672) + 8192 * 32000
    # what tokens bring and take: input and output of the four products of a layer, and of the head; 8 bytes a logit
    tokens = 80 * 2 * ((8192 + 10240) + (8192 + 8192) + (8192 + 2 * 28672) + (28672 + 8192)) + 2 * (8192 + 32000)
    assert step.weights_s == 2 * matrices + tokens + 8 * 32000
    assert step.attention_s == step.reduce_s == step.exchange_s == step.overhead_s == 0.0


def test_packed_weights_are_read_slower() -> None:
    """int4 with a 16-bit scale for 32 of them is 0.5625 bytes; at 0.74 of the rate that is 0.76."""
    packed = Formats(0.5625, 0.74, 2.0)
    moved = 0.5625 / 0.74 * 4096 * 14336 + 2 * (2 * 4096 + 2 * 14336)
    found = serving_layer.product_s(2.0, 14336.0, 4096.0, 1.0, 0.0, math.inf, 2.0, packed, READER, FREE)
    assert found == pytest.approx(moved, rel=CLOSE)


def test_tiles_that_are_compiled_for_the_shape() -> None:
    """DeepGEMM on 78 units, 64 rows by 7,680: 64 x 112 tiles are 69, one wave, where 128 x 128 wastes half its rows."""
    fitted = FREE._replace(fitted_tiles=1.0)
    h20 = COUNTER._replace(multiprocessors=78.0)
    found = serving_layer.product_s(64.0, 7680.0, 4096.0, 1.0, 0.0, 1.0, 2.0, HALF, h20, fitted)
    ways = []
    for rows, columns in itertools.product((64, 128, 256), range(16, 257, 16)):
        if rows * columns <= 256 * 128:
            waves = -(-(-(-7680 // columns) * -(-64 // rows)) // 78)
            ways.append(waves * rows * columns * (1 + 15 * (1 / rows + 1 / columns - 3 / 256)))
    assert found == pytest.approx(2 * (4096 + 110) * 78 * min(ways), rel=1e-9)
    few = serving_layer.product_s(4.0, 7680.0, 4096.0, 1.0, 0.0, 1.0, 2.0, HALF, h20, fitted)
    assert few == 8 * 2 * 4 * 7680 * 4096


def test_uneven_loads_fill_half_of_their_last_tile() -> None:
    """96 rows on average: 2 tiles of 64, 1.25 of 128; 0.93 of the rate; 32 experts dealt over 78 units together."""
    fitted, h20 = FREE._replace(fitted_tiles=1.0), COUNTER._replace(multiprocessors=78.0)
    model = MIXTRAL._replace(hidden=1024.0, experts=32.0, top_k=4.0, expert_ffn=1024.0)
    found = serving_layer.expert_products_s(model, ONE, 768.0, HALF, h20, fitted)

    def way(n: int, k: int, m: float, experts: int, uneven: bool) -> float:
        ways = []
        for rows, columns in itertools.product((64, 128, 256), range(16, 257, 16)):
            if rows * columns <= 256 * 128:
                high = max(1.0, m / rows + 0.5) if uneven else math.ceil(m / rows)
                waves = math.ceil(experts * high * -(-n // columns) / 78)
                ways.append(waves * rows * columns * (1 + 15 * (1 / rows + 1 / columns - 3 / 256)))
        return 2 * (k + 110) * 78 * min(ways)

    grouped = way(2048, 1024, 96.0, 32, True) + way(1024, 1024, 96.0, 32, True)
    router = way(32, 1024, 768.0, 1, False)
    assert found == pytest.approx(router + grouped / 0.93, rel=1e-9)


def test_nothing_to_multiply_takes_no_time() -> None:
    for rows, outputs, batch in itertools.product((0.0, 1.0), repeat=3):
        found = serving_layer.product_s(rows, outputs, 1.0, batch, 0.0, 1.0, 2.0, HALF, A100, FREE)
        assert (found == 0.0) == (rows * outputs * batch == 0.0)


# --- prefill ---------------------------------------------------------------------------------------------------------

# Every side a multiple of 128, so that an array pads nothing.
ROUND = dense(8, 4096, 32, 8, 14336, 131072)


def test_prefill_is_two_flop_a_weight_and_token() -> None:
    """Kaplan et al. 2020: 2 N a token; logits of the last token alone, whose row an array pads to 8."""
    layer = 4096 * (4096 + 2 * 1024) + 4096**2 + 3 * 4096 * 14336
    step = serving.serving_step(ROUND, ONE, prefill(2048.0), HALF, COUNTER, FREE)
    assert step.weights_s == 8 * 2 * layer * 2048 + 2 * 8 * 4096 * 131072
    # causal attention: each query sees half of the prompt; 4 d a head, key and token; short ones run slower by 256
    causal = 4 * 2048 * 1024 * 32 * 128 * (2048 + 256) / 2048
    assert step.attention_s == pytest.approx(8 * causal, rel=CLOSE)


def test_prompts_side_by_side_do_not_see_each_other() -> None:
    one, four = (serving.serving_step(ROUND, ONE, prefill(1024.0, n), HALF, COUNTER, FREE) for n in (1.0, 4.0))
    assert four.attention_s == pytest.approx(4 * one.attention_s, rel=CLOSE)


def test_a_cached_prefix_is_seen_but_not_computed() -> None:
    """1,024 tokens after 3,072: each sees 3,072 and half of its own; the products are those of 1,024."""
    step = serving.serving_step(ROUND, ONE, prefill(1024.0, 1.0, 3072.0), HALF, COUNTER, FREE)
    alone = serving.serving_step(ROUND, ONE, prefill(1024.0), HALF, COUNTER, FREE)
    seen = 3072 + 512
    assert step.attention_s == pytest.approx(8 * 4 * 1024 * seen * 4096 * (2 * seen + 256) / (2 * seen), rel=CLOSE)
    assert step.weights_s == alone.weights_s
    whole = serving.serving_step(ROUND, ONE, prefill(4096.0), HALF, COUNTER, FREE)
    assert serving.total_s(step) < serving.total_s(whole)


def test_a_window_limits_what_a_prompt_sees() -> None:
    """Half of 8,192 in one layer of two, 1,024 in the other."""
    windowed = ROUND._replace(window=1024.0, window_layers=4.0)
    step = serving.serving_step(windowed, ONE, prefill(8192.0), HALF, COUNTER, FREE)
    full, near = (4 * 8192 * seen * 4096 * (2 * seen + 256) / (2 * seen) for seen in (4096, 1024))
    assert step.attention_s == pytest.approx(4 * full + 4 * near, rel=CLOSE)


def test_absorbed_latent_maps_cost_what_unabsorbed_ones_do() -> None:
    """Maps of 512 to 128 keys and 128 values a head, for queries and outputs: as many FLOP as for keys and values."""
    tokens = 1024.0
    found = serving_layer.attention_products_s(DEEPSEEK_V3, ONE, tokens, HALF, COUNTER, FREE)
    maps = 7168 * 2112 + 1536 * 128 * 192 + 128 * 512 * (128 + 128) + 128 * 128 * 7168
    # an array pads 2,112 columns to 17 x 128
    assert found == 2 * tokens * (maps + 7168 * (17 * 128 - 2112))


def test_latent_maps_are_read_in_16_bit() -> None:
    """Absorbed matrices stay in 16 bit (their scales do not commute), the other three are of one byte."""
    machine = READER._replace(element_bytes=1.0)
    found = serving_layer.attention_products_s(DEEPSEEK_V3, ONE, 1.0, BYTE, machine, FREE)
    stored = 7168 * 2112 + 1536 * 128 * 192 + 128 * 128 * 7168 + 2 * 128 * 512 * 256
    assert found == pytest.approx(stored, rel=5e-3)
    assert found > stored


# --- experts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("experts", "top_k", "tokens"), [(8, 2, 1), (8, 2, 5), (128, 8, 16), (256, 8, 64), (256, 8, 7)]
)
def test_distinct_experts_as_chance_has_it(experts: int, top_k: int, tokens: int) -> None:
    """The mean over 2,000 draws of top_k different experts for each token."""
    chance, draws = random.Random(1), 2000
    reached = sum(
        len({one for _ in range(tokens) for one in chance.sample(range(experts), top_k)}) for _ in range(draws)
    )
    found = serving_layer.distinct_experts(float(experts), float(top_k), float(tokens))
    assert found == pytest.approx(reached / draws, rel=0.01)


def test_all_experts_of_a_model_that_uses_all() -> None:
    assert serving_layer.distinct_experts(8.0, 8.0, 1.0) == 8.0
    assert serving_layer.distinct_experts(8.0, 2.0, 1e9) == 8.0


@pytest.mark.parametrize(("tp", "dp", "ep"), [(1, 1, 1), (8, 1, 1), (8, 1, 8), (1, 32, 32), (4, 8, 32), (4, 8, 16)])
def test_no_routed_token_is_lost(tp: int, dp: int, ep: int) -> None:
    """All ranks of an expert group together compute each of its tokens top_k times, 10 % more on the busiest."""
    tokens = 40.0  # of a data-parallel rank
    own = serving_layer.routed(DEEPSEEK_V3, plan(tp=tp, dp=dp, ep=ep), tokens)
    group = tokens * ep / tp if ep > 1 else tokens
    ranks, more = (ep, 1.1) if ep > 1 else (1, 1.0)
    assert own.chosen * own.rows * ranks == pytest.approx(group * 8 * more, rel=CLOSE)
    assert own.chosen <= 256 / ep
    assert own.width == (2048 if ep > 1 else 2048 / tp)


def test_chosen_experts_alone_are_read() -> None:
    """Mixtral, one token: 2 experts of 3 x 4096 x 14336 and a router of 8 x 4096, beside what the token brings."""
    read = serving_layer.expert_products_s(MIXTRAL, ONE, 1.0, HALF, READER, FREE)
    stored = 2 * (2 * 3 * 4096 * 14336 + 8 * 4096)
    assert stored < read < 1.001 * stored
    many = serving_layer.expert_products_s(MIXTRAL, ONE, 64.0, HALF, READER, FREE)
    assert many > 2 * 8 * 3 * 4096 * 14336


@pytest.mark.parametrize("tp", [1, 4])
def test_shared_experts_are_an_mlp_beside(tp: int) -> None:
    """DeepSeek-V3's is 3 x 7168 x 2048, cut by tensor-parallel ranks; 3 tokens in and out of both products."""
    both, routed = (
        serving_layer.expert_products_s(model, plan(tp=tp), 3.0, HALF, READER, FREE)
        for model in (DEEPSEEK_V3, DEEPSEEK_V3._replace(shared_ffn=0.0))
    )
    width = 2048 / tp
    assert both - routed == pytest.approx(
        2 * 3 * 7168 * width + 3 * 2 * ((7168 + 2 * width) + (width + 7168)), rel=1e-9
    )


def test_the_work_of_experts() -> None:
    """1,024 tokens to 2 of 8 experts: 256 rows each, at 0.85 of the rate; the router's 8 columns pad to 128."""
    found = serving_layer.expert_products_s(MIXTRAL, ONE, 1024.0, HALF, COUNTER, FREE)
    assert found == pytest.approx(2 * 1024 * (2 * 3 * 4096 * 14336 / 0.85 + 4096 * 128), rel=CLOSE)


# --- memory-bound kernels and logits ----------------------------------------------------------------------------------


def test_bytes_of_memory_bound_kernels() -> None:
    """The recipe, T (24 h + 6 widths of queries, keys and values + 6 f), cut by ranks but for the hidden state."""
    step = serving.serving_step(LLAMA3_8B, ONE, decode(16.0, 100.0), HALF, READER, FREE)
    assert step.elementwise_s == 32 * 16 * (24 * 4096 + 6 * (32 + 16) * 128 + 6 * 14336)
    four = serving.serving_step(LLAMA3_8B, plan(tp=4.0), decode(16.0, 100.0), HALF, READER, FREE)
    assert four.elementwise_s == 32 * 16 * (24 * 4096 + 6 * (8 + 4) * 128 + 6 * 14336 / 4)


def test_bytes_of_sorting_tokens_to_experts() -> None:
    """16 tokens to 2 experts each: 12 h + 6 f_e bytes a copy, 2.6 times; no dense MLP beside them."""
    engine = FREE._replace(expert_factor=2.6)
    step = serving.serving_step(MIXTRAL, ONE, decode(16.0, 100.0), HALF, READER, engine)
    copies = 2.6 * 16 * 2 * (12 * 4096 + 6 * 14336)
    assert step.elementwise_s == pytest.approx(32 * (16 * (24 * 4096 + 6 * 48 * 128) + copies), rel=CLOSE)
    # 8 ranks with whole experts: 110 % of the mean on the busiest; the shared expert's width counts as an MLP's
    layers = DEEPSEEK_V3._replace(dense_layers=0.0)
    step = serving.serving_step(layers, plan(tp=8.0, ep=8.0), decode(16.0, 100.0), HALF, READER, engine)
    copies = 2.6 * 1.1 * 16 * 8 / 8 * (12 * 7168 + 6 * 2048)
    others = 24 * 7168 + 6 * (16 * 192 + 16 * (192 + 128)) + 6 * 2048 / 8
    assert step.elementwise_s == pytest.approx(61 * (16 * others + copies), rel=CLOSE)


@pytest.mark.parametrize("tp", [1, 4])
def test_logits_and_their_choice(tp: int) -> None:
    """16 rows by a part of the vocabulary: 2 bytes a weight, rows in and logits out, 8 bytes a logit to choose."""
    found = serving.head_s(LLAMA3_8B, plan(tp=tp), 16.0, BYTE, READER, FREE)
    part = 128256 / tp
    assert found == 2 * 4096 * part + 16 * 2 * (4096 + part) + 8 * 16 * part
    assert serving.head_s(LLAMA3_8B, plan(tp=tp), 0.0, BYTE, READER, FREE) == 0.0


@pytest.mark.parametrize(
    ("model", "step", "starts"),
    [
        (LLAMA3_8B, decode(16.0, 100.0), 32 * (4 + 1.5) + 1),  # QKV, output, gate and up, down; attention; head
        (LLAMA3_8B, prefill(100.0), 32 * (4 + 1) + 1),
        (LLAMA3_8B, Tokens(16.0, 100.0, 100.0, 50.0, 0.0), 32 * (4 + 1.5 + 1) + 1),
        (MIXTRAL, decode(16.0, 100.0), 32 * (2 + 3 + 1.5) + 1),  # router, two grouped products
        # MLA: down, queries, two absorbed, output; 3 dense layers, 58 with router, experts and the shared one
        (DEEPSEEK_V3, decode(16.0, 100.0), 61 * (5 + 1.5) + 3 * 2 + 58 * 5 + 1),
    ],
)
def test_kernels_are_started(model: Model, step: Tokens, starts: float) -> None:
    machine = READER._replace(memory_bytes_s=math.inf, kernel_s=1.0)
    assert seconds(model, step, machine) == starts


# --- between ranks ---------------------------------------------------------------------------------------------------

SENDER = READER._replace(memory_bytes_s=math.inf, link_bytes_s=1e9, network_bytes_s=1e8)


def test_two_all_reduces_a_layer() -> None:
    """Each passes 2 x 3/4 of T x h elements of 2 bytes on, and starts twice (reduce-scatter and all-gather)."""
    machine = SENDER._replace(link_latency_s=1e-5)
    step = serving.serving_step(LLAMA3_8B, plan(tp=4.0), decode(64.0, 100.0), HALF, machine, FREE)
    once = 2 * (1e-5 + 0.75 * 2 * 64 * 4096 / 1e9)
    assert step.reduce_s == pytest.approx(32 * 2 * once, rel=CLOSE)
    assert serving.total_s(step) == pytest.approx(step.reduce_s, rel=CLOSE)
    assert seconds(LLAMA3_8B, decode(64.0, 100.0), machine) == 0.0


def test_small_messages_are_all_latency() -> None:
    machine = SENDER._replace(link_latency_s=1e-5)
    small, twice = (seconds(LLAMA3_8B, decode(n, 100.0), machine, tp=8.0) for n in (1e-3, 2e-3))
    assert small == pytest.approx(32 * 2 * 2e-5, rel=1e-3)
    assert twice == pytest.approx(small, rel=1e-3)


def test_experts_exchange_twice_a_layer() -> None:
    """16 tokens on each of 8 ranks, 8 experts each: 7/8 leave, 1.5 bytes an element each way, 10 % on the busiest."""
    engine = FREE._replace(exchange_s=4e-5)
    step = serving.serving_step(
        DEEPSEEK_V3, plan(dp=8.0, ep=8.0), decode(16.0, 100.0), HALF, SENDER._replace(link_latency_s=1e-5), engine
    )
    one = 1e-5 + 16 * 7168 * 1.5 * 8 * 7 / 8 * 1.1 / 1e9 + 4e-5
    assert step.exchange_s == pytest.approx(58 * 2 * one, rel=CLOSE)
    assert step.reduce_s == 0.0


def test_expert_parallel_layers_reduce_once() -> None:
    """Attention of 61 layers and the MLP of the 3 dense ones; experts' results come back by their own exchange."""
    step = serving.serving_step(DEEPSEEK_V3, plan(tp=8.0, ep=8.0), decode(16.0, 100.0), HALF, SENDER, FREE)
    one = 2 * 7 / 8 * 2 * 16 * 7168 / 1e9
    assert step.reduce_s == pytest.approx((58 + 3 * 2) * one, rel=CLOSE)


def test_stages_pass_tokens_on() -> None:
    """4 stages in one domain: each hands 16 / 4 tokens of 4,096 x 2 bytes on; across domains by the network."""
    inside = serving.serving_step(LLAMA3_8B, plan(pp=4.0), decode(16.0, 100.0), HALF, SENDER, FREE)
    assert inside.exchange_s == pytest.approx(4 * 2 * 4 * 4096 / 1e9, rel=CLOSE)
    across = serving.serving_step(LLAMA3_8B, plan(pp=4.0, tp=8.0), decode(16.0, 100.0), HALF, SENDER, FREE)
    assert across.exchange_s == pytest.approx(4 * 2 * 4 * 4096 / 1e8, rel=CLOSE)


# --- DeepSeek's own bound --------------------------------------------------------------------------------------------

# "Insights into DeepSeek-V3", arXiv:2505.09343, section 2.3.2: 32 tokens a device, 8 routed experts and the shared one,
# a hidden size of 7K, 1 byte an element out and 2 back, 61 layers, two micro-batches that take turns.
DEEPSEEK_BOUND = (32.0, 9.0, 7000.0, 1.0, 2.0, 61.0, 2.0)


@pytest.mark.parametrize(
    ("bytes_s", "layer_us", "milliseconds", "tokens_s"), [(50e9, 120.96, 14.76, 67.0), (900e9, 6.72, 0.82, 1200.0)]
)
def test_the_bounds_deepseek_prints(bytes_s: float, layer_us: float, milliseconds: float, tokens_s: float) -> None:
    found = serving.exchange_bound_s(*DEEPSEEK_BOUND, bytes_s)
    assert found == pytest.approx(2 * 61 * layer_us * 1e-6, rel=1e-6)
    assert round(found * 1e3, 2) == milliseconds
    assert 1 / found == pytest.approx(tokens_s, rel=0.02)


def test_the_model_comes_to_the_same_bound() -> None:
    """On very many ranks without starts or imbalance each of 9 copies crosses the network, 1.5 bytes each way."""
    wide = DEEPSEEK_V3._replace(hidden=7000.0, top_k=9.0, experts=9e6, top_groups=0.0)
    machine = SENDER._replace(network_bytes_s=50e9, link_bytes_s=math.inf, domain=1.0)
    ranks = 9e5
    step = serving.serving_step(
        wide._replace(dense_layers=0.0), plan(dp=ranks, ep=ranks), decode(32.0, 1.0), HALF, machine, FREE
    )
    bound = serving.exchange_bound_s(*DEEPSEEK_BOUND[:-1], 1.0, 50e9)
    assert step.exchange_s == pytest.approx(1.1 * bound, rel=1e-4)


# --- the whole step --------------------------------------------------------------------------------------------------


def test_host_times() -> None:
    """A step of 8 sequences: 1 ms + 8 x 5 us + 32 layers x 30 us; experts at work cost 0.3 us each."""
    machine = READER._replace(memory_bytes_s=math.inf)
    step = serving.serving_step(LLAMA3_8B, ONE, decode(8.0, 100.0), HALF, machine, USUAL)
    assert step.overhead_s == pytest.approx(1e-3 + 40e-6 + 32 * 30e-6, rel=CLOSE)
    assert serving.total_s(step) == pytest.approx(step.overhead_s, rel=CLOSE)
    moe = serving.serving_step(MIXTRAL, ONE, decode(8.0, 100.0), HALF, machine, USUAL)
    chosen = 8 * (1 - 0.75**8)
    assert moe.overhead_s == pytest.approx(step.overhead_s + 32 * chosen * 0.3e-6, rel=CLOSE)


def test_a_host_that_is_slower_than_the_layer() -> None:
    """200 us a layer, 120 more with tensor parallelism: a smooth maximum with what the chip is busy."""
    engine = FREE._replace(host_layer_s=200e-6, host_reduce_s=120e-6)
    machine = READER._replace(memory_bytes_s=1e12)
    busy = seconds(ROUND._replace(vocab=1.0), decode(1.0, 100.0), machine) / 8
    waiting = seconds(ROUND._replace(vocab=1.0), decode(1.0, 100.0), machine, engine) / 8
    assert waiting == pytest.approx(fourth(busy, 200e-6), rel=1e-3)
    idle = READER._replace(memory_bytes_s=math.inf)
    assert seconds(ROUND, decode(1.0, 1.0), idle, engine, tp=2.0) == pytest.approx(8 * 320e-6, rel=CLOSE)


def test_the_parts_are_the_whole() -> None:
    for model, (tp, pp, ep) in itertools.product(MODELS, ((1, 1, 1), (4, 2, 1), (2, 1, 8))):
        how = plan(tp=tp, pp=pp, dp=8.0, ep=ep if model.experts else 1)
        step = serving.serving_step(model, how, Tokens(8.0, 500.0, 300.0, 100.0, 50.0), HALF, A100, USUAL)
        assert all(part >= 0.0 for part in step)
        assert serving.total_s(step) == pytest.approx(sum(step), rel=CLOSE)
        assert serving.add(step, step, 2.0) == pytest.approx(Served(*(3 * part for part in step)))


def test_mean_context_and_continuous_batching() -> None:
    """64 sequences of 900 + 100 cached in, 300 out: 64 decode at 1,150, and 192 prompt tokens come in with them."""
    found = serving.continuous_step(LLAMA3_8B, ONE, 64.0, 900.0, 100.0, 300.0, HALF, A100, USUAL)
    step = Tokens(64.0, 1150.0, 192.0, 900.0, 100.0)
    assert found == serving.serving_step(LLAMA3_8B, ONE, step, HALF, A100, USUAL)
    buckets = USUAL._replace(whole_context=1.0)
    whole = serving.continuous_step(LLAMA3_8B, ONE, 64.0, 900.0, 100.0, 300.0, HALF, A100, buckets)
    assert whole.attention_s > found.attention_s


@pytest.mark.parametrize("model", MODELS)
def test_replicas_do_not_slow_each_other(model: Model) -> None:
    """Two replicas with twice the batch: each has the same step."""
    step = decode(16.0, 1000.0)
    assert seconds(model, step, A100, USUAL, dp=2.0) == seconds(model, step, A100, USUAL)


def even(model: Model) -> Model:
    """Return a model without logits whose layers come out even on four stages."""
    layers = model.layers - model.layers % 4
    dense = layers if model.dense_layers == model.layers else model.dense_layers
    return model._replace(layers=layers, dense_layers=dense, vocab=0.0)


NO_HOPS = A100._replace(link_latency_s=0.0, link_bytes_s=math.inf, network_latency_s=0.0, network_bytes_s=math.inf)
NO_QUEUES = USUAL._replace(sequence_s=0.0, step_s=0.0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stages", [2.0, 4.0])
def test_stages_take_turns(model: Model, stages: float) -> None:
    """So many times the batch: each part passes all layers like the batch on one stage, but for hand-overs."""
    one = seconds(even(model), decode(16.0, 1000.0), NO_HOPS, NO_QUEUES)
    many = seconds(even(model), decode(16.0 * stages, 1000.0), NO_HOPS, NO_QUEUES, pp=stages)
    assert many == pytest.approx(one, rel=CLOSE)


def test_stages_wait_for_the_fullest() -> None:
    """80 layers on 64 stages: some have two, so that 64 parts take 128 layers' time; one sequence alone takes 80."""
    model = LLAMA2_70B._replace(vocab=0.0)
    one = seconds(model, decode(16.0, 1000.0), NO_HOPS, NO_QUEUES)
    many = seconds(model, decode(16.0 * 64, 1000.0), NO_HOPS, NO_QUEUES, pp=64.0)
    assert many == pytest.approx(one * 128 / 80, rel=CLOSE)
    alone = seconds(model, decode(1.0, 1000.0), NO_HOPS, NO_QUEUES)
    assert seconds(model, decode(1.0, 1000.0), NO_HOPS, NO_QUEUES, pp=64.0) == pytest.approx(alone, rel=CLOSE)


def test_stages_wait_for_the_one_with_the_logits() -> None:
    """8 parts of a batch each pass the last of 8 stages, with 10 of 80 layers and all the logits."""
    bare = seconds(LLAMA2_70B._replace(vocab=0.0), decode(16.0, 1000.0), NO_HOPS, NO_QUEUES)
    logits = seconds(LLAMA2_70B, decode(16.0, 1000.0), NO_HOPS, NO_QUEUES) - bare
    many = seconds(LLAMA2_70B, decode(16.0 * 8, 1000.0), NO_HOPS, NO_QUEUES, pp=8.0)
    assert many == pytest.approx(bare + 8 * logits, rel=1e-9)


def test_parts_of_a_prompt_wait_for_the_fullest_stage() -> None:
    """Four prompts on 3 stages of 80 layers: 80 for the first, and 27 for each that follows."""
    model = LLAMA2_70B._replace(vocab=0.0)
    first = serving.prefill_step(model, plan(), 1.0, 512.0, 0.0, HALF, NO_HOPS, NO_QUEUES)
    all_four = serving.prefill_step(model, plan(pp=3.0), 4.0, 512.0, 0.0, HALF, NO_HOPS, NO_QUEUES)
    parts = serving.prefill_step(model, plan(), 4.0 / 3.0, 512.0, 0.0, HALF, NO_HOPS, NO_QUEUES)
    assert serving.total_s(first) < serving.total_s(all_four)
    assert serving.total_s(all_four) == pytest.approx(serving.total_s(parts) * (80 + 2 * 27) / 80, rel=CLOSE)


@pytest.mark.parametrize("model", MODELS)
def test_one_sequence_is_not_split_over_stages(model: Model) -> None:
    """A token passes the layers one after the other, wherever they are: stages make nothing faster for one sequence."""
    one = seconds(model, decode(1.0, 4000.0), A100, USUAL)
    assert seconds(model, decode(1.0, 4000.0), A100, USUAL, pp=8.0) >= one


@pytest.mark.parametrize("chunk", [1.0, 16.0, 64.0, 512.0, 8192.0])
def test_each_chunk_reads_the_weights(chunk: float) -> None:
    """2,048 tokens in chunks of 16 are 128 passes, each of which reads 15 GB: 0.94 s at 2,039 GB/s."""
    least = 2048 / chunk * 2 * (8030261248 - 2 * 128256 * 4096) / 2039e9
    assert seconds(LLAMA3_8B, prefill(2048.0), A100, FREE._replace(chunk_tokens=chunk)) >= least


def test_a_step_of_many_tokens_is_several_passes() -> None:
    """64 sequences and 4,032 prompt tokens in passes of 1,024: four with 16 and 1,008 each, the host's work too."""
    engine = USUAL._replace(chunk_tokens=1024.0)
    found = serving.serving_step(LLAMA3_8B, ONE, Tokens(64.0, 500.0, 4032.0, 63.0, 0.0), HALF, A100, engine)
    one = serving.serving_step(LLAMA3_8B, ONE, Tokens(16.0, 500.0, 1008.0, 63.0, 0.0), HALF, A100, USUAL)
    assert found == pytest.approx([4 * part for part in one], rel=CLOSE)


def fill(prompts: float, length: float, engine: Engine, **parts: float) -> float:
    lengths = (prompts, length, 0.0)
    return serving.total_s(serving.prefill_step(LLAMA3_8B, plan(**parts), *lengths, HALF, A100, engine))


def test_a_pipeline_fills() -> None:
    """One prompt passes 4 stages like one; of 8 prompts 4 parts follow one another: 7 times a stage's part."""
    engine = USUAL._replace(chunk_tokens=1e9)
    hand_over = 4 * (6e-6 + 2 * 1024 * 4096 / 240e9)
    one = fill(1.0, 1024.0, engine)
    assert fill(1.0, 1024.0, engine, pp=4.0) == pytest.approx(one + hand_over, rel=CLOSE)
    two = fill(2.0, 1024.0, engine) + 4 * (6e-6 + 2 * 2048 * 4096 / 240e9)
    assert fill(8.0, 1024.0, engine, pp=4.0) == pytest.approx(two * 7 / 4, rel=CLOSE)


def test_chunks_of_one_prompt_fill_a_pipeline() -> None:
    """8,192 tokens in chunks of 1,024: 8 chunks on 4 stages take 11 times a stage's chunk, on one stage 8 times 4."""
    engine = USUAL._replace(chunk_tokens=1024.0)
    alone, staged = fill(1.0, 8192.0, engine), fill(1.0, 8192.0, engine, pp=4.0)
    hand_over = 4 * (6e-6 + 2 * 1024 * 4096 / 240e9)
    assert staged == pytest.approx((alone / 8 + hand_over) * 11 / 4, rel=CLOSE)


def test_limits() -> None:
    """Without bytes the FLOP are left, without FLOP the bytes; without either nothing."""
    nothing = COUNTER._replace(gemm_flop_s=math.inf, wide_gemm_flop_s=math.inf, attention_flop_s=math.inf)
    for model in MODELS:
        for step in (decode(1.0, 1000.0), decode(64.0, 1000.0), prefill(512.0)):
            assert seconds(model, step, nothing) == 0.0
            assert seconds(model, step, COUNTER) > 0.0
            assert seconds(model, step, READER) > 0.0
            assert seconds(model, step, A100) >= 2e-6 * model.layers
            low = seconds(model, step, A100._replace(kernel_s=0.0))
            halved = A100._replace(
                gemm_flop_s=117e12, wide_gemm_flop_s=117e12, attention_flop_s=90e12, memory_bytes_s=2039e9 / 2,
                kernel_s=0.0,
            )  # fmt: skip
            assert seconds(model, step, halved) == pytest.approx(2 * low, rel=CLOSE)


def test_batch_one_is_bound_by_bandwidth() -> None:
    """Llama 3 8B on an A100: 15.0 GB of weights but the embedding at 2,039 GB/s are 7.4 ms, whatever the peak."""
    least = 2 * (8030261248 - 128256 * 4096) / 2039e9
    quick = A100._replace(kernel_s=0.0)
    assert seconds(LLAMA3_8B, decode(1.0, 1.0), quick) == pytest.approx(least, rel=0.01)
    twice = quick._replace(gemm_flop_s=468e12, wide_gemm_flop_s=468e12)
    assert seconds(LLAMA3_8B, decode(1.0, 1.0), twice) == pytest.approx(least, rel=0.01)


# --- the roofline ----------------------------------------------------------------------------------------------------


def roofline(model: Model, step: Tokens, peak: float, memory: float, **parts: float) -> float:
    return serving.roofline_step_s(model, plan(**parts), step, HALF, peak, memory)


def test_roofline_of_a_dense_decode_step() -> None:
    """Llama 3 8B: all weights but the embedding, and 131,072 bytes a token of the cache; or 2 FLOP a weight."""
    weights = 2 * (8030261248 - 128256 * 4096)
    assert roofline(LLAMA3_8B, decode(16.0, 1000.0), math.inf, 1.0) == weights + 16 * 1000 * 131072
    matrices = 8030261248 - 128256 * 4096 - 65 * 4096
    flop = 16 * 2 * matrices + 16 * 1000 * 32 * 4 * 32 * 128
    assert roofline(LLAMA3_8B, decode(16.0, 1000.0), 1.0, math.inf) == pytest.approx(flop, rel=CLOSE)


def test_roofline_reads_a_tied_embedding_as_the_head() -> None:
    """Without a second matrix the one there is must be read for the logits."""
    tied = LLAMA3_8B._replace(tied_embeddings=1.0)
    weights = 2 * (8030261248 - 128256 * 4096)
    assert roofline(tied, decode(1.0, 0.0), math.inf, 1.0) == pytest.approx(weights, rel=CLOSE)


def test_roofline_of_prefill_counts_the_logits_of_the_last_token_alone() -> None:
    matrices = 8030261248 - 2 * 128256 * 4096 - 65 * 4096
    flop = 1000 * 2 * matrices + 2 * 128256 * 4096 + 1000 * 500 * 32 * 4 * 32 * 128
    assert roofline(LLAMA3_8B, prefill(1000.0), 1.0, math.inf) == pytest.approx(flop, rel=CLOSE)


def test_roofline_of_windows() -> None:
    """8,192 tokens: of Gemma 3 27B's 62 layers 52 see 1,024 at most, and the first 1,024 tokens of them fewer."""
    near = 1024 - 1024**2 / (2 * 8192)
    keys = 8192 * (10 * 4096 + 52 * near)
    layer = 5376 * 128 * (32 + 2 * 16) + 32 * 128 * 5376 + 3 * 5376 * 21504
    flop = 8192 * 2 * 62 * layer + 2 * 5376 * 262144 + keys * 4 * 32 * 128
    found = roofline(GEMMA3_27B, prefill(8192.0), 1.0, math.inf)
    assert found <= flop * (1 + CLOSE)
    assert found == pytest.approx(flop, rel=0.01)


def test_roofline_of_a_window_after_a_prefix() -> None:
    """2,000 tokens after 300 with a window of 1,024: the first 724 see 300 to 1,024, the others 1,024."""
    windowed = ROUND._replace(window=1024.0, window_layers=8.0)
    near = (724 * (300 + 362) + 1276 * 1024) / 2000
    found = roofline(windowed, prefill(2000.0, 1.0, 300.0), 1.0, math.inf)
    full = roofline(ROUND, prefill(2000.0, 1.0, 300.0), 1.0, math.inf)
    assert full - found == pytest.approx(2000 * (300 + 1000 - near) * 8 * 4 * 4096, rel=1e-9)
    after = roofline(windowed, prefill(2000.0, 1.0, 5000.0), 1.0, math.inf)
    assert after - found == pytest.approx(2000 * (1024 - near) * 8 * 4 * 4096, rel=1e-9)


def test_roofline_of_experts() -> None:
    """Mixtral at batch 1 reads 2 experts of 8; at batch 64 all of them."""
    expert = 32 * 2 * 3 * 4096 * 14336
    one, many = (roofline(MIXTRAL, decode(n, 0.0), math.inf, 1.0) for n in (1.0, 64.0))
    assert many - one == pytest.approx(6 * expert, rel=1e-6)


@pytest.mark.parametrize(("tp", "dp", "ep"), [(1, 1, 1), (8, 1, 1), (8, 1, 8), (1, 32, 32), (4, 8, 32)])
def test_roofline_of_a_rank_of_deepseek(tp: int, dp: int, ep: int) -> None:
    """Of 256 experts those that the 4 tokens of each replica in the group choose; latents on every rank."""
    tokens = 4.0 * ep / tp if ep > 1 else 4.0
    chosen = 1 - (1 - 8 / 256) ** tokens
    experts = chosen * 58 * 256 * 3 * 7168 * 2048 / max(tp, ep)
    heads = 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * 7168
    attention = 61 * (7168 * 2112 + heads / tp + 2 * 7168)
    layers = attention + 3 * 3 * 7168 * 18432 / tp + 58 * (3 * 7168 * 2048 / tp + 7168 * 256)
    weights = 2 * (layers + experts + 129280 * 7168 / tp + 7168)
    found = roofline(DEEPSEEK_V3, decode(4.0, 1000.0), math.inf, 1.0, tp=tp, dp=dp, ep=ep)
    assert found == pytest.approx(weights + 4 * 1000 * 576 * 2 * 61, rel=1e-9)


def test_the_roofline_is_the_greater_bound_and_is_shared_by_ranks() -> None:
    """The greater of the two bounds, and as many ranks as many times less."""
    step = decode(16.0, 1000.0)
    memory, compute = roofline(LLAMA3_8B, step, math.inf, 2e12), roofline(LLAMA3_8B, step, 1e15, math.inf)
    assert roofline(LLAMA3_8B, step, 1e15, 2e12) == max(memory, compute)
    assert roofline(LLAMA3_8B, step, 1e15, math.inf, tp=4.0) == pytest.approx(compute / 4, rel=CLOSE)


def test_depth_is_split_over_idle_multiprocessors() -> None:
    """16 rows by 1,280 columns are 10 tiles of 16 x 128; 78 units take 7 parts of each, K / 7 and the fill of 110."""
    split = gemm.split_flop(16.0, 1280.0, 8192.0, 1.0, 78.0)
    assert split == pytest.approx(1.6 * 78 * 2 * 16 * 128 * (8192 / 7 + 110), rel=CLOSE)
    assert split < gemm.few_rows_flop(16.0, 1280.0, 8192.0, 1.0, 78.0)
    wide = (16.0, 28672.0, 8192.0, 1.0, 78.0)  # 224 tiles: no unit stands idle
    assert gemm.split_flop(*wide) == gemm.few_rows_flop(*wide)
    assert gemm.split_flop(16.0, 1280.0, 8192.0, 1.0, 0.0) == gemm.few_rows_flop(16.0, 1280.0, 8192.0, 1.0, 0.0)
