"""Training memory: tables of papers, parameter counts, schedules drawn by hand, and what must never grow."""

import inspect
from typing import Any

import numba
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba.extending import register_jitable

from perfcore.formulas import activations, footprint, states
from perfcore.formulas.records import Model, Plan, Work
from perfcore.formulas.storage import (
    DEEPSPEED_BF16,
    DEEPSPEED_FP16,
    FSDP2,
    GIB,
    MEGATRON_2022,
    MEGATRON_CORE,
    Storage,
)


def model(**given_: float) -> Model:
    """A small GPT, with what is given changed."""
    heads, hidden = given_.get("heads", 4.0), given_.get("hidden", 64.0)
    layers = given_.get("layers", 4.0)
    values = {
        "layers": layers, "hidden": hidden, "heads": heads, "kv_heads": heads, "head_dim": hidden / heads,
        "v_head_dim": hidden / heads, "ffn": 4 * hidden, "ffn_matrices": 2.0, "vocab": 1000.0, "tied_embeddings": 1.0,
        "learned_positions": 0.0, "biases": 1.0, "dense_layers": layers, "leading_dense_layers": layers,
    }  # fmt: skip
    return Model(**{name: given_.get(name, values.get(name, 0.0)) for name in Model._fields})


def plan(**given_: float) -> Plan:
    """One chip, one micro-batch of one sequence, with what is given changed."""
    ones = ("tp", "pp", "vp", "cp", "dp", "ep", "micro_batch", "micro_batches", "shard_group")
    return Plan(**{name: float(given_.get(name, 1.0 if name in ones else 0.0)) for name in Plan._fields})


def recomputed(of: Plan, share: float) -> Plan:
    return of._replace(**{name: share for name in Plan._fields if name.startswith("recompute")})


# Korthikanti et al. 2022, table 2, for the 22B model of its table 3: s 2048, b 4, h 6144, a 64, t 8.
S, B, H, A, T = 2048, 4, 6144, 64, 8
GPT_22B = model(hidden=float(H), heads=float(A), layers=48.0)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (plan(micro_batch=B), S * B * H * (34 + 5 * A * S / H)),  # no parallelism
        (plan(micro_batch=B, tp=T), S * B * H * (10 + 24 / T + 5 * A * S / (H * T))),  # tensor parallel
        (plan(micro_batch=B, tp=T, sequence_parallel=1), S * B * H / T * (34 + 5 * A * S / H)),
        (plan(micro_batch=B, tp=T, recompute_attention=1), S * B * H * (10 + 24 / T)),  # selective
        (plan(micro_batch=B, tp=T, sequence_parallel=1, recompute_attention=1), S * B * H / T * 34),
        (recomputed(plan(micro_batch=B, tp=T), 1.0), S * B * H * 2),  # full
    ],
)
def test_activations_are_those_of_korthikanti_table_2(of: Plan, expected: float) -> None:
    kept = activations.activation_bytes_per_layer(GPT_22B, of, Work(float(S), 4.0), MEGATRON_2022, 1.0)
    assert kept == pytest.approx(expected, rel=1e-12)


# Rajbhandari et al. 2020, figure 1: 7.5 billion parameters, K = 12, 64 ranks; 10^9 bytes, one decimal.
@pytest.mark.parametrize(("shard", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_states_are_those_of_zero_figure_1(shard: int, gigabytes: float) -> None:
    zero = MEGATRON_2022._replace(gradient_bytes=2.0)
    assert sum(states.state_bytes(7.5e9, plan(shard=shard), 64.0, zero)) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_states_with_32_bit_gradients() -> None:
    assert states.state_bytes(10.0, plan(), 4.0, MEGATRON_2022) == (20, 40, 120)  # 18 bytes
    assert states.state_bytes(10.0, plan(shard=1), 4.0, MEGATRON_2022) == (20, 40, 30)  # 6 + 12/4
    assert sum(states.state_bytes(10.0, plan(shard=3), 4.0, FSDP2)) == 40  # 16/4


# Published counts: GPT-2 small and Llama-3-8B as their checkpoints count; Mixtral-8x7B 46 702 792 704.
def gated(**given_: float) -> Model:
    return model(ffn_matrices=3.0, biases=0.0, tied_embeddings=0.0, **given_)


GPT_2 = model(layers=12.0, hidden=768.0, heads=12.0, vocab=50257.0, learned_positions=1024.0)
LLAMA_3_8B = gated(layers=32.0, hidden=4096.0, heads=32.0, kv_heads=8.0, ffn=14336.0, vocab=128256.0)
MIXTRAL = gated(
    layers=32.0, hidden=4096.0, heads=32.0, kv_heads=8.0, vocab=32000.0, experts=8.0, top_k=2.0, expert_ffn=14336.0,
    dense_layers=0.0, leading_dense_layers=0.0,
)  # fmt: skip
DEEPSEEK_V3 = gated(
    layers=61.0, hidden=7168.0, heads=128.0, kv_heads=128.0, head_dim=192.0, v_head_dim=128.0, ffn=18432.0,
    vocab=129280.0, q_lora_rank=1536.0, kv_lora_rank=512.0, rope_head_dim=64.0, experts=256.0, top_k=8.0,
    expert_ffn=2048.0, shared_ffn=2048.0, dense_layers=3.0, leading_dense_layers=3.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("of", "parameters", "within"),
    [
        (GPT_2, 124_439_808, 0),
        (LLAMA_3_8B, 8_030_261_248, 0),
        (MIXTRAL, 46_702_792_704, 0),
        (DEEPSEEK_V3, 671e9, 1e-3),  # "671B"
    ],
)
def test_parameters_of_published_models(of: Model, parameters: float, within: float) -> None:
    held = states.stage_parameters(of, plan(), 0.0, 0.0)
    assert held.dense + held.experts == pytest.approx(parameters, rel=within, abs=0.5)


def test_stages_together_hold_the_model_and_one_copy_of_the_tied_embedding_more() -> None:
    total = sum(states.stage_parameters(GPT_2, plan(pp=4), float(i), 0.0).dense for i in range(4))
    assert total == 124_439_808 + 50257 * 768


def test_experts_are_cut_over_expert_ranks_and_their_states_over_the_others() -> None:
    held = states.stage_parameters(MIXTRAL, plan(dp=8, ep=4), 0.0, 0.0)
    assert held.experts == 32 * 8 / 4 * 3 * 4096 * 14336
    assert states.expert_shard_group(plan(tp=2, cp=2, dp=8, ep=4, shard_group=16)) == 8  # 32 ranks / 4
    assert states.expert_shard_group(plan(dp=8, ep=8, shard_group=8)) == 1


@pytest.mark.parametrize(
    ("layers", "pp", "counted", "expected"),
    [
        (80, 4, 0, [20, 20, 20, 20]),
        (30, 4, 0, [8, 8, 8, 6]),  # an uneven deal: the last stage owns what is left
        (22, 8, 1, [2, 3, 3, 3, 3, 3, 3, 2]),  # Qi et al. 2023: one layer fewer on first and last
        (70, 12, 1, [5] + 10 * [6] + [5]),  # BLOOM-176B: 70 layers, embedding and head count as one each
        (12, 1, 1, [12]),
    ],
)
def test_layers_of_stages(layers: int, pp: int, counted: int, expected: list[int]) -> None:
    assert [states.stage_layers(float(layers), float(pp), float(i), float(counted)) for i in range(pp)] == expected


def test_leading_dense_layers_stand_on_the_first_stage() -> None:
    assert states.stage_dense_layers(DEEPSEEK_V3, plan(pp=16), 0.0, 4.0) == 3
    assert states.stage_dense_layers(DEEPSEEK_V3, plan(pp=16), 1.0, 4.0) == 0
    every_second = MIXTRAL._replace(dense_layers=16.0)
    assert states.stage_dense_layers(every_second, plan(pp=4), 2.0, 8.0) == 4


def peak_of_interleaved(pp: int, vp: int, stage: int, micro_batches: int) -> float:
    """Run Megatron's order of passes on one rank and count chunks whose backward pass has not come."""
    passes = micro_batches * vp
    warm_up = min(passes, (pp - stage - 1) * 2 + (vp - 1) * pp if vp > 1 else pp - stage - 1)
    order = warm_up * "F" + (passes - warm_up) * "FB" + warm_up * "B"
    held = peak = 0
    for one in order:
        held += 1 if one == "F" else -1
        peak = max(peak, held)
    return peak / vp


@pytest.mark.parametrize(("pp", "vp"), [(1, 1), (4, 1), (2, 2), (4, 3), (8, 2)])
def test_micro_batches_in_flight_are_those_of_the_schedule(pp: int, vp: int) -> None:
    for count in (pp, 2 * pp, 4 * pp):
        for stage in range(pp):
            of = plan(pp=pp, vp=vp, micro_batches=count)
            expected = peak_of_interleaved(pp, vp, stage, count)
            assert activations.micro_batches_in_flight(of, float(stage)) == pytest.approx(expected)


def test_zero_bubble_schedules_hold_p_and_2p() -> None:
    assert activations.micro_batches_in_flight(plan(pp=8, micro_batches=24, schedule=1), 3.0) == 8
    assert activations.micro_batches_in_flight(plan(pp=8, micro_batches=24, schedule=2), 3.0) == 16
    assert activations.micro_batches_in_flight(plan(pp=8, micro_batches=9, schedule=2), 3.0) == 9


def test_a_gated_layer_by_hand() -> None:
    # T 8, h 64, 4 query and 2 key-value heads of 16, f 96, flash: norms 2 x 64 x 4; QKV 2 x (64 + 64), output 2 x 64,
    # log-sum-exp 4 x 4; fc1 2 x 192, fc2 input 2 x 96.
    of = gated(kv_heads=2.0, ffn=96.0)
    kept = activations.activation_bytes_per_layer(of, plan(), Work(8.0, 1.0), MEGATRON_CORE, 1.0)
    assert kept == 8 * (512 + 256 + 128 + 16 + 384 + 192)


def test_a_layer_of_experts_by_hand() -> None:
    # T 8, h 64, 2 of 8 experts of 32, shared 16, flash: norms 512, QKV 384, output 128, 4 heads 16; per expert copy
    # 128, fc1 128, fc2 input 64; scores 4 x 8; shared 2 x 32 + 2 x 16.
    of = gated(experts=8.0, top_k=2.0, expert_ffn=32.0, shared_ffn=16.0, dense_layers=0.0, leading_dense_layers=0.0)
    kept = activations.activation_bytes_per_layer(of, plan(), Work(8.0, 1.0), MEGATRON_CORE, 0.0)
    assert kept == 8 * (512 + 384 + 128 + 16 + 2 * (128 + 128 + 64) + 32 + 96)


# Measured peaks, GiB. SimuMax b200_release_v1.2_summary: allocated. Qi et al. 2023 table 4: two digits.
LLAMA_70B_12 = gated(layers=12.0, hidden=8192.0, heads=64.0, kv_heads=8.0, ffn=28672.0, vocab=128256.0)
V3_4 = DEEPSEEK_V3._replace(layers=4.0, dense_layers=1.0, leading_dense_layers=1.0)
GPT_1_5B = model(layers=22.0, hidden=2304.0, heads=24.0, vocab=50304.0)
ZERO_BUBBLE = MEGATRON_2022._replace(embedding_layers=1.0)


@pytest.mark.parametrize(
    ("of", "how", "seq", "storage", "gibibytes", "within"),
    [
        (LLAMA_70B_12, plan(pp=2, dp=4, shard=1, shard_group=4, micro_batches=8), 4096, MEGATRON_CORE, 66.55, 0.01),
        (
            LLAMA_70B_12,
            plan(tp=2, cp=4, shard=1, shard_group=4, micro_batches=4, sequence_parallel=1),
            131072, MEGATRON_CORE, 112.67, 0.01,
        ),
        (V3_4, plan(dp=8, ep=8, shard=1, shard_group=8, micro_batches=8), 4096, MEGATRON_CORE, 104.3, 0.01),
        (V3_4, plan(pp=2, dp=4, ep=4, shard=1, shard_group=4, micro_batches=8), 4096, MEGATRON_CORE, 114.0, 0.01),
        (GPT_1_5B, plan(pp=8, micro_batch=6, micro_batches=24, schedule=2), 1024, ZERO_BUBBLE, 59, 0.05),
        (GPT_1_5B, plan(pp=8, micro_batch=6, micro_batches=24), 1024, ZERO_BUBBLE, 30, 0.08),
    ],
)  # fmt: skip
def test_measured_peaks(of: Model, how: Plan, seq: int, storage: Storage, gibibytes: float, within: float) -> None:
    peak = footprint.memory_bytes(of, how, Work(float(seq), 1.0), storage)
    assert peak / GIB == pytest.approx(gibibytes, rel=within)


def test_parts_sum_to_the_total_and_the_fullest_stage_is_named() -> None:
    peak = footprint.peak_footprint(
        GPT_1_5B, plan(pp=8, micro_batch=6, micro_batches=24), Work(1024.0, 1.0), ZERO_BUBBLE
    )
    assert sum(peak[:6]) == pytest.approx(peak.total)
    assert peak.stage == 1  # three layers for seven micro-batches, not two for eight


# Two layers of ``test_a_gated_layer_by_hand``, vocabulary 1000, 8 tokens. A layer has Q 64 x 64, K and V 64 x 32 each,
# output 64 x 64, MLP 3 x 64 x 96 and norms 2 x 64: 30 848 parameters; the chip 2 of them, 2 x 64 000 and a norm of 64.
LAYER, CHIP = 30_848, 2 * 30_848 + 2 * 64_000 + 64
TWO_LAYERS = gated(layers=2.0, kv_heads=2.0, ffn=96.0)
KEPT = 8 * 1488


@pytest.mark.parametrize(
    ("of", "how", "storage", "expected"),
    [
        # Peak at the loss: 18 bytes a parameter, two layers, logits, gradients of head and of its input, spare ones.
        (TWO_LAYERS, {}, MEGATRON_CORE, 18 * CHIP + 2 * KEPT + 8_000 * 4 + 2 * (64_000 + 8 * 64) + 2 * LAYER),
        # Sequence parallel: the input of the head is gathered; what is not norms or their inputs is cut in two.
        (
            TWO_LAYERS, {"tp": 2, "sequence_parallel": 1}, MEGATRON_CORE,
            18 * (2 * (LAYER / 2 + 64) + 64_000 + 64) + KEPT + 4_000 * 4 + 2 * (32_000 + 2 * 8 * 64) + LAYER + 128,
        ),
        # A further prediction of a token: one layer, 2 x 64 x 64 parameters and one set of logits more.
        (
            TWO_LAYERS._replace(mtp_layers=1.0), {}, MEGATRON_CORE,
            18 * (CHIP + LAYER + 8192) + 3 * KEPT + 2 * 8_000 * 4 + 2 * (64_000 + 8 * 64) + 2 * LAYER,
        ),
        # Stage 3 on two ranks: 16 / 2 bytes; two layers gathered and one's gradient; the head gathered, its gradient.
        (
            TWO_LAYERS, {"shard": 3, "shard_group": 2, "dp": 2}, FSDP2,
            8 * CHIP + 2 * KEPT + 8_000 * 14 + 2 * (2 * 64_000 + 8 * 64) + 6 * LAYER,
        ),
    ],
)  # fmt: skip
def test_a_chip_by_hand(of: Model, how: dict[str, float], storage: Storage, expected: float) -> None:
    assert footprint.memory_bytes(of, plan(**how), Work(8.0, 1.0), storage) == expected


def test_full_recomputation_by_hand() -> None:
    # A vocabulary of 1: the peak is in a layer. Inputs of two layers 2 x 8 x 64 x 2, what one layer makes again,
    # gradients inside its MLP 2 x 8 x (192 + 2 x 64), spare gradients.
    of, how = TWO_LAYERS._replace(vocab=1.0), recomputed(plan(), 1.0)
    expected = 18 * (2 * LAYER + 3 * 64) + 2 * 1024 + (KEPT - 1024) + 16 * 320 + 2 * LAYER
    assert footprint.memory_bytes(of, how, Work(8.0, 1.0), MEGATRON_CORE) == expected


def test_unfused_attention_holds_gradients_of_scores() -> None:
    # Two gradients of 2 bytes for 256 x 256 scores of 4 heads, when the MLP has freed its 2 x 256 values a token.
    of = model(vocab=1.0)
    peak = footprint.peak_footprint(of, plan(), Work(256.0, 1.0), MEGATRON_2022)
    assert peak.workspace == 4 * 256 * 256 * 4 - 256 * 2 * 256 * 2


POWERS = st.sampled_from([1.0, 2.0, 4.0, 8.0])
SHARES = st.sampled_from([0.0, 0.5, 1.0])
MODELS = st.sampled_from([GPT_22B, LLAMA_3_8B, MIXTRAL, DEEPSEEK_V3, GPT_1_5B])
STORAGES = st.sampled_from([MEGATRON_2022, MEGATRON_CORE, ZERO_BUBBLE, DEEPSPEED_FP16, DEEPSPEED_BF16, FSDP2])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    tp, pp, cp, dp = (draw(POWERS) for _ in range(4))
    shares = [draw(SHARES) for _ in range(5)]
    ep = draw(POWERS.filter(lambda ep: ep <= cp * dp))
    return Plan(
        tp, pp, draw(st.sampled_from([1.0, 2.0])), cp, dp, ep, draw(POWERS), pp * draw(POWERS),
        draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])), cp * dp, draw(st.sampled_from([0.0, 1.0])),
        draw(st.sampled_from([0.0, 1.0, 2.0])), *shares,
    )  # fmt: skip


WORK = Work(2048.0, 64.0)


@given(MODELS, plans(), STORAGES)
def test_more_tensor_parallel_never_needs_more(of: Model, how: Plan, storage: Storage) -> None:
    before = footprint.memory_bytes(of, how, WORK, storage)
    assert footprint.memory_bytes(of, how._replace(tp=how.tp * 2), WORK, storage) <= before


@given(MODELS, plans(), STORAGES)
def test_full_recomputation_never_needs_more(of: Model, how: Plan, storage: Storage) -> None:
    none, full = (footprint.memory_bytes(of, recomputed(how, share), WORK, storage) for share in (0.0, 1.0))
    assert full <= footprint.memory_bytes(of, how, WORK, storage) * (1 + 1e-12) <= none * (1 + 1e-11)


@given(MODELS, plans(), STORAGES)
def test_more_sharding_never_needs_more(of: Model, how: Plan, storage: Storage) -> None:
    # Stage 3 gathers layers and may need more than stage 2 where a stage has few: not asserted.
    needs = [footprint.memory_bytes(of, how._replace(shard=stage), WORK, storage) for stage in (0.0, 1.0, 2.0)]
    assert needs == sorted(needs, reverse=True)
    assume(how.shard_group > 1)
    half = how._replace(shard_group=how.shard_group / 2)
    assert footprint.memory_bytes(of, how, WORK, storage) <= footprint.memory_bytes(of, half, WORK, storage)


@given(MODELS, plans(), STORAGES)
def test_larger_micro_batches_need_more(of: Model, how: Plan, storage: Storage) -> None:
    more = how._replace(micro_batch=how.micro_batch * 2)
    assert footprint.memory_bytes(of, more, WORK, storage) > footprint.memory_bytes(of, how, WORK, storage)


@pytest.fixture(scope="module")
def compiled() -> Any:
    for module in (activations, states, footprint):
        for _, function in inspect.getmembers(module, inspect.isfunction):
            register_jitable(function)
    return numba.njit(footprint.memory_bytes)


@pytest.mark.filterwarnings("ignore")
def test_compiled_memory_is_the_same_to_the_last_bit(compiled: Any) -> None:
    @settings(max_examples=200)
    @given(MODELS, plans(), STORAGES)
    def check(of: Model, how: Plan, storage: Storage) -> None:
        assert compiled(of, how, WORK, storage) == footprint.memory_bytes(of, how, WORK, storage)

    check()
