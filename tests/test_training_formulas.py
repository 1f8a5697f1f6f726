"""The formulas of training time on small cases worked by hand, or from formulas that are printed somewhere.

Nothing here calls the code under test for an expected value. Machines and models are as small as the case allows.
"""

import itertools
import math

import pytest

from perfcore import models
from perfcore.formulas import collectives, gemm, layer, layer_time, pipeline, step, traffic, transformer
from perfcore.formulas.records import Machine, Model, Plan, Software, Work

# A chip whose only cost is GEMM FLOP on a systolic array at 1 FLOP/s: a time is a number of FLOP.
COUNTER = Machine(
    gemm_flop_s=1.0,
    wide_gemm_flop_s=1.0,
    attention_flop_s=1.0,
    element_bytes=2.0,
    cast_bytes=0.0,
    memory_bytes_s=math.inf,
    memory_efficiency=1.0,
    memory_bytes=math.inf,
    multiprocessors=0.0,
    kernel_s=0.0,
    domain=8.0,
    link_bytes_s=math.inf,
    link_latency_s=0.0,
    torus_axes=0.0,
    network_bytes_s=math.inf,
    network_latency_s=0.0,
)
# A chip that computes in no time and moves 100 bytes/s on links, 10 on its network port; starts take 1 s and 2 s.
MOVER = COUNTER._replace(
    gemm_flop_s=math.inf,
    wide_gemm_flop_s=math.inf,
    attention_flop_s=math.inf,
    link_bytes_s=100.0,
    link_latency_s=1.0,
    network_bytes_s=10.0,
    network_latency_s=2.0,
)
PROMPT = MOVER._replace(link_latency_s=0.0, network_latency_s=0.0)
NOTHING_HIDDEN = Software(
    overlap=0.0,
    elementwise_factor=1.0,
    attention_factor=1.0,
    fused_attention=1.0,
    tensor_overlap=1.0,
    data_overlap=0.0,
    gradient_bytes=4.0,
    pipeline_overlap=0.0,
    logit_bytes=0.0,
    fused_experts=0.0,
    deduplicated=0.0,
    expert_factor=1.0,
    launch_s=0.0,
    single_network_port=0.0,
    straggler=0.0,
    slice_straggler=0.0,
)
# Every side a multiple of 128 x 8, so that neither padding nor tensor parallelism of 8 rounds anything.
GQA = models.load("llama3_8b").record._replace(layers=8.0, dense_layers=8.0, ffn=14336.0, vocab=131072.0)
GPT = models.load("gpt3_6.7b").record._replace(layers=8.0, dense_layers=8.0, vocab=51200.0)
MOE = models.load("mixtral_8x7b").record._replace(layers=8.0)
ONE = Plan(*[1.0] * 8, 0.0, 1.0, *[0.0] * 7)
NONE, SELECTIVE, FULL = (0.0,) * 5, (0.0, 0.0, 1.0, 0.0, 0.0), (1.0,) * 5
CLOSE = 1e-12


def plan(**parts: float) -> Plan:
    """Return a plan, one rank but for what is given; shards over all data-parallel ranks."""
    made = ONE._replace(**parts)
    return made if "shard_group" in parts else made._replace(shard_group=made.dp * made.cp)


def again(how: Plan, shares: tuple[float, ...]) -> Plan:
    return how._replace(**dict(zip(Plan._fields[12:], shares, strict=True)))


# --- matrix multiplication -------------------------------------------------------------------------------------------


def test_waves_on_108_units() -> None:
    """4096 x 4096: 16 x 32 tiles of 256 x 128 are 512, 4.74 waves of 108, so 5; K of 4096 fills like 4206."""
    tiles = (4096 / 256) * (4096 / 128)
    assert math.ceil(tiles / 108) == 5
    by_hand = 108 * 5 * 2 * 256 * 128 * (4096 + 110)
    # the other shapes are no better: 128 x 128 takes 10 waves of half the size at 1.06, 64 x 64 takes 38 at 1.35
    assert gemm.compute_flop(4096.0, 4096.0, 4096.0, 1.0, 108.0) == by_hand
    assert by_hand / (2 * 4096**3) == pytest.approx(540 / 512 * 4206 / 4096)


def test_the_tail_wave_makes_small_tiles_pay() -> None:
    """1408 x 1280 on 108 units: 55 or 60 large tiles fill one wave, as do 110 of 128 x 128 two; 440 of 64 x 64 five."""
    large, square, small = 2 * 256 * 128 * 1110, 2 * 1.06 * 2 * 128 * 128 * 1110, 5 * 1.35 * 2 * 64 * 64 * 1110
    assert small < large < square
    assert gemm.compute_flop(1408.0, 1280.0, 1000.0, 1.0, 108.0) == pytest.approx(108 * small, rel=CLOSE)


def test_a_batch_shares_waves() -> None:
    """12 products of 9 tiles are one full wave of 108; one more product takes another."""
    one = 108 * 2 * 256 * 128 * (64 + 110)
    assert gemm.compute_flop(768.0, 384.0, 64.0, 12.0, 108.0) == one
    thirteen = gemm.compute_flop(768.0, 384.0, 64.0, 13.0, 108.0)
    # 117 tiles: two waves of large ones, three of 128 x 128 (234), nine of 64 x 64 (936) at 1.35 of an eighth each
    assert thirteen == pytest.approx(one * min(2, 3 * 1.06 / 2, 9 * 1.35 / 8), rel=CLOSE)


def test_a_systolic_array_pads_every_side() -> None:
    assert gemm.compute_flop(129.0, 128.0, 1.0, 3.0, 0.0) == 3 * 2 * 256 * 128 * 128
    assert gemm.compute_flop(128.0, 128.0, 128.0, 0.5, 0.0) == 0.5 * 2 * 128**3


def test_one_row_is_bound_by_memory() -> None:
    """GEMV of 8192 x 8192 in 16 bit: 134,217,728 bytes of weights, 16,384 in, 16,384 out, at 0.9 x 2 TB/s."""
    by_hand = (2 * 8192**2 + 2 * 8192 + 2 * 8192) / (0.9 * 2e12)
    assert gemm.gemm_time_s(1.0, 8192.0, 8192.0, 1.0, math.inf, 2.0, 2e12, 108.0, 0.0) == pytest.approx(by_hand)
    # operands of 1 byte halve all but the result
    byte = (8192**2 + 8192 + 2 * 8192) / (0.9 * 2e12)
    assert gemm.gemm_time_s(1.0, 8192.0, 8192.0, 1.0, math.inf, 1.0, 2e12, 108.0, 0.0) == pytest.approx(byte)


def test_compute_and_memory_join_smoothly() -> None:
    """Equal bounds of 1 s: the fourth root of 2, and 5 s for the start."""
    flop, moved = 2 * 128**3, 2 * 3 * 128**2
    time_s = gemm.gemm_time_s(128.0, 128.0, 128.0, 1.0, float(flop), 2.0, moved / 0.9, 0.0, 5.0)
    assert time_s == pytest.approx(2**0.25 + 5, rel=CLOSE)
    assert gemm.soft_max(0.0, 0.0) == 0.0
    assert gemm.soft_max(3.0, 4.0) == pytest.approx((3**4 + 4**4) ** 0.25, rel=CLOSE)


# --- collectives -----------------------------------------------------------------------------------------------------


def test_a_ring_inside_a_domain() -> None:
    """Thakur et al. 2005: (n - 1)/n of the tensor. 7/8 of 1600 bytes at 100 bytes/s and 1 s to start."""
    assert collectives.gather_time_s(1600.0, 8.0, 1.0, MOVER) == 1 + 14
    assert collectives.all_reduce_time_s(1600.0, 8.0, 1.0, MOVER) == 2 * (1 + 14)
    assert collectives.gather_time_s(1600.0, 1.0, 1.0, MOVER) == 0.0
    assert collectives.gather_time_s(0.0, 8.0, 1.0, MOVER) == 0.0


@pytest.mark.parametrize(("ranks", "stride", "sharing"), [(16, 1, 8), (16, 2, 4), (16, 4, 2), (16, 8, 1), (4, 64, 1)])
def test_ranks_of_a_domain_share_its_ports(ranks: float, stride: float, sharing: int) -> None:
    """Across domains k ranks of the ring use k ports of 10 bytes/s each; starting takes 2 s x (1 + log2(domains)/2)."""
    hops = 1 + math.log2(ranks / sharing) / 2
    by_hand = 2 * hops + (ranks - 1) / ranks * 1600 / (10 * sharing)
    assert collectives.gather_time_s(1600.0, float(ranks), float(stride), MOVER) == pytest.approx(by_hand, rel=CLOSE)


def test_many_ports_are_no_faster_than_the_link() -> None:
    """8 ports of 50 bytes/s are 400, but every byte also passes a link of 100."""
    fast = MOVER._replace(network_bytes_s=50.0)
    assert collectives.gather_time_s(1600.0, 16.0, 1.0, fast) == pytest.approx(2 * 1.5 + 15 / 16 * 1600 / 100)


@pytest.mark.parametrize(("ranks", "axes"), [(2, 1), (4, 1), (5, 2), (16, 2), (17, 3), (64, 3)])
def test_a_group_on_a_torus_uses_the_axes_it_spans(ranks: float, axes: int) -> None:
    """A cube of 4 x 4 x 4: 4 ranks lie on an axis, 16 on a plane."""
    torus = MOVER._replace(domain=64.0, torus_axes=3.0)
    assert collectives.link_rate(float(ranks), torus) == pytest.approx(100 * axes / 3)


@pytest.mark.parametrize(("picks", "domains"), [(1, 4), (2, 2), (2, 3), (3, 4), (4, 5), (6, 3)])
def test_distinct_domains_by_counting_every_choice(picks: int, domains: int) -> None:
    choices = list(itertools.product(range(domains), repeat=picks))
    mean = sum(len(set(choice)) for choice in choices) / len(choices)
    assert collectives.distinct_domains(float(picks), float(domains)) == pytest.approx(mean, rel=CLOSE)


def test_expert_exchange_inside_a_domain() -> None:
    """800 bytes, 2 experts each, 8 ranks: 7/8 of 1600 bytes leave; sent once to a rank, 8 (1 - (7/8)^2) = 1.875."""
    assert collectives.expert_exchange_time_s(800.0, 2.0, 0.0, 8.0, 1.0, 0.0, MOVER) == 1 + 1400 / 100
    once = 1 + 800 * 1.875 * 7 / 8 / 100
    assert collectives.expert_exchange_time_s(800.0, 2.0, 0.0, 8.0, 1.0, 1.0, MOVER) == pytest.approx(once, rel=CLOSE)
    assert collectives.expert_exchange_time_s(800.0, 2.0, 0.0, 1.0, 1.0, 1.0, MOVER) == 0.0


def test_expert_exchange_across_domains() -> None:
    """32 ranks in 4 domains of 8, 8 experts: 4 (1 - (3/4)^8) domains are reached, 3/4 of them are others."""
    reached = 4 * (1 - 0.75**8)
    network = 800 * reached * 3 / 4 / 10
    assert network > 800 * 8 * 31 / 32 / 100  # the link is not the bound
    time_s = collectives.expert_exchange_time_s(800.0, 8.0, 0.0, 32.0, 1.0, 0.0, MOVER)
    assert time_s == pytest.approx(2 + network, rel=CLOSE)
    # DeepSeek-V3 limits a token to some groups (section 2.1.2): here 2 domains
    limited = collectives.expert_exchange_time_s(800.0, 8.0, 2.0, 32.0, 1.0, 0.0, MOVER)
    assert limited == pytest.approx(2 + 800 * 2 * 3 / 4 / 10, rel=CLOSE)
    # a slow link inside is the bound instead
    slow = collectives.expert_exchange_time_s(800.0, 8.0, 2.0, 32.0, 1.0, 0.0, MOVER._replace(link_bytes_s=20.0))
    assert slow == pytest.approx(2 + 800 * 8 * 31 / 32 / 20, rel=CLOSE)


# --- traffic of a layer ----------------------------------------------------------------------------------------------


def test_tensor_parallel_pairs() -> None:
    """Dense: an all-gather and a reduce-scatter around attention and around the MLP, each way; MoE: around attention.

    Korthikanti et al. 2022, section 4.2.2. 100 tokens x width 4096 x 2 bytes over 8 ranks: 7/8 pass.
    """
    one = 1 + 7 / 8 * 2 * 100 * 4096 / 100
    dense = traffic.tensor_traffic(GQA, plan(tp=8.0, sequence_parallel=1.0), 100.0, 0.0, MOVER)
    assert dense == pytest.approx((4 * one, 4 * one), rel=CLOSE)
    moe = traffic.tensor_traffic(MOE, plan(tp=8.0, sequence_parallel=1.0), 100.0, 1.0, MOVER)
    assert moe == pytest.approx((2 * one, 2 * one), rel=CLOSE)
    assert traffic.tensor_traffic(GQA, plan(tp=1.0), 100.0, 0.0, MOVER) == (0.0, 0.0)


def test_the_ring_of_context_parallelism() -> None:
    """8 KV heads x (128 + 128) x 2 bytes a token, passed on 3 times; twice that backward. tp cuts the heads."""
    block = 100 * 8 * 256 * 2
    inside = traffic.context_traffic(GQA, plan(cp=4.0, tp=2.0), 100.0, MOVER)
    assert inside == pytest.approx((3 * (1 + block / 2 / 100), 6 * (1 + block / 2 / 100)), rel=CLOSE)
    across = traffic.context_traffic(GQA, plan(cp=4.0, tp=8.0), 100.0, MOVER)
    assert across == pytest.approx((3 * (2 + block / 8 / 10), 6 * (2 + block / 8 / 10)), rel=CLOSE)
    assert traffic.context_traffic(GQA, plan(cp=1.0), 100.0, MOVER) == (0.0, 0.0)


def test_dispatch_and_combine() -> None:
    """Mixtral, 100 tokens x 4096 x 2 bytes, 10 % more on the busiest rank, 2 experts each, 7/8 leave; and back."""
    one = 1 + 1.1 * 100 * 4096 * 2 * 2 * 7 / 8 / 100
    found = traffic.expert_traffic(MOE, plan(ep=8.0, dp=8.0), 100.0, MOVER, NOTHING_HIDDEN)
    assert found == pytest.approx((2 * one, 2 * one), rel=CLOSE)
    cut = traffic.expert_traffic(MOE, plan(ep=8.0, tp=8.0), 100.0, MOVER, NOTHING_HIDDEN)
    eighth = 1 + 1.1 * 100 / 8 * 4096 * 2 * 2 * 7 / 8 / 100
    assert cut == pytest.approx((2 * eighth, 2 * eighth), rel=CLOSE)


def test_sharded_weights() -> None:
    """Rajbhandari et al. 2020, section 7: gathered for each pass, gradients scattered once, in 32 bit."""
    gather, scatter = 1 + 7 / 8 * 1600 / 100, 1 + 7 / 8 * 3200 / 100
    found = traffic.sharded_traffic(800.0, 0.0, plan(dp=8.0, shard=3.0), MOVER, NOTHING_HIDDEN)
    assert found == pytest.approx((gather, gather + scatter), rel=CLOSE)
    half = NOTHING_HIDDEN._replace(gradient_bytes=2.0)
    assert traffic.sharded_traffic(800.0, 0.0, plan(dp=8.0, shard=3.0), MOVER, half) == pytest.approx(
        (gather, 2 * gather)
    )
    assert traffic.sharded_traffic(800.0, 0.0, plan(dp=8.0, shard=2.0), MOVER, half) == (0.0, 0.0)


def test_hybrid_shards_are_summed_over_their_copies() -> None:
    """8 shards in a domain, 4 domains: an all-reduce of an eighth of the gradients over one port of 10 bytes/s each."""
    gather, scatter = 1 + 7 / 8 * 1600 / 100, 1 + 7 / 8 * 3200 / 100
    copies = 2 * (2 * (1 + math.log2(4) / 2) + 3 / 4 * 3200 / 8 / 10)
    found = traffic.sharded_traffic(800.0, 0.0, plan(dp=32.0, shard=3.0, shard_group=8.0), MOVER, NOTHING_HIDDEN)
    assert found == pytest.approx((gather, gather + scatter + copies), rel=CLOSE)


def test_sharded_experts_are_gathered_from_ranks_that_hold_the_same() -> None:
    """16 ranks, 4 groups of experts: 4 ranks 4 chips apart share one, 2 of them in a domain; all 16 share the rest.

    Rajbhandari et al. 2022 (DeepSpeed-MoE), arXiv 2201.05596: expert parallelism with data parallelism inside.
    """
    how = plan(dp=16.0, ep=4.0, shard=3.0)
    half = NOTHING_HIDDEN._replace(gradient_bytes=2.0)
    experts = 2 * (1 + math.log2(4 / 2) / 2) + 3 / 4 * 3200 / (2 * 10)
    found = traffic.sharded_traffic(0.0, 1600.0, how, MOVER, half)
    assert found == pytest.approx((experts, 2 * experts), rel=CLOSE)
    dense = 2 * (1 + math.log2(16 / 8) / 2) + 15 / 16 * 1600 / (8 * 10)
    found = traffic.sharded_traffic(800.0, 1600.0, how, MOVER, half)
    assert found == pytest.approx((dense + experts, 2 * (dense + experts)), rel=CLOSE)
    # where every rank holds other experts, theirs stay where they are
    alone = traffic.sharded_traffic(0.0, 1600.0, how._replace(ep=16.0), MOVER, half)
    assert alone == (0.0, 0.0)


def test_context_parallel_ranks_share_weights_too() -> None:
    """2 of context x 4 of data are 8 ranks; in shards of 4 there are 2 copies, of experts on 2 ranks 2 as well."""
    whole = traffic.sharded_traffic(800.0, 0.0, plan(dp=4.0, cp=2.0, shard=3.0), MOVER, NOTHING_HIDDEN)
    assert whole.forward_s == 1 + 7 / 8 * 1600 / 100
    half = NOTHING_HIDDEN._replace(gradient_bytes=2.0)
    how = plan(dp=4.0, cp=2.0, shard=3.0, shard_group=4.0)
    gather, copies = 1 + 3 / 4 * 1600 / 100, 2 * (1 + 1 / 2 * 400 / 100)
    assert traffic.sharded_traffic(800.0, 0.0, how, MOVER, half) == pytest.approx((gather, 2 * gather + copies))
    # 8 ranks hold 2 sets of experts: 4 ranks share one, in shards of 2, 2 chips apart, with 2 copies
    gather, copies = 1 + 1 / 2 * 1600 / 100, 2 * (1 + 1 / 2 * 800 / 100)
    spread = traffic.sharded_traffic(0.0, 800.0, how._replace(ep=2.0), MOVER, half)
    assert spread == pytest.approx((gather, 2 * gather + copies), rel=CLOSE)


def test_a_single_network_port() -> None:
    """A flat ring over 4 domains enters each by one port: 31/32 of 1600 bytes at 10 bytes/s, not at 80."""
    port = NOTHING_HIDDEN._replace(single_network_port=1.0, gradient_bytes=2.0)
    gather = 2 + 31 / 32 * 1600 / 10
    found = traffic.sharded_traffic(800.0, 0.0, plan(dp=32.0, shard=3.0), MOVER, port)
    assert found == pytest.approx((gather, 2 * gather), rel=CLOSE)
    cut = traffic.sharded_traffic(800.0, 0.0, plan(tp=4.0, dp=4.0, shard=3.0), MOVER, port)
    assert cut.forward_s == 2 + 3 / 4 * 1600 / 10  # 4 ranks in 2 domains, since 4 tensor-parallel ranks stand between
    inside = 1 + 7 / 8 * 1600 / 100  # and within a domain it needs none
    found = traffic.sharded_traffic(800.0, 0.0, plan(dp=8.0, shard=3.0), MOVER, port)
    assert found == pytest.approx((inside, 2 * inside), rel=CLOSE)


@pytest.mark.parametrize(
    ("traffic_s", "compute_s", "share", "window", "shown"),
    [
        (10, 100, 0.75, 0.5, 2.5),  # a quarter never hides
        (100, 100, 0.75, 0.5, 50),  # half of the compute is all there is to hide behind
        (100, 100, 1.0, 2.0, 0),
        (100, 100, 0.0, 1.0, 100),
        (0, 100, 0.5, 0.5, 0),
    ],
)
def test_exposed(traffic_s: float, compute_s: float, share: float, window: float, shown: float) -> None:
    assert traffic.exposed(float(traffic_s), float(compute_s), share, window) == shown


# --- kernels of a layer ----------------------------------------------------------------------------------------------


def layer_of(how: Plan, of: Model = GQA, seq: float = 4096.0, tokens: float = 4096.0) -> layer_time.LayerTime:
    return layer_time.mean_layer(of, how, Work(seq, 1.0), tokens, COUNTER, NOTHING_HIDDEN)


@pytest.mark.parametrize("tp", [1.0, 2.0, 4.0, 8.0])
def test_a_dense_layer_multiplies_six_times_its_weights(tp: float) -> None:
    """Llama-3 8B: q 4096^2, k and v 4096 x 1024 each, out 4096^2, MLP 3 x 4096 x 14336; 6 FLOP a weight and token."""
    weights = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    assert layer_of(plan(tp=tp)).gemm_s * tp == 6 * weights * 4096


def test_a_gpt_layer_is_96_b_s_h2_less_recomputation() -> None:
    """Narayanan et al. 2021, appendix: 24 B s h^2 forward in a layer; three times that with the backward pass."""
    assert layer_of(plan(), GPT, tokens=2048.0).gemm_s == 3 * 24 * 2048 * 4096**2


def test_a_moe_layer_multiplies_the_experts_it_chose() -> None:
    """Mixtral: 2 of 8 experts of 3 x 4096 x 14336 a token, 1.1 times the rows on the busiest rank, at 0.85 of the rate.

    Attention at the plain rate; a router of 4096 x 8, which the array pads to 128 columns (and K of 8 to 128).
    """
    attention = 2 * 4096**2 + 2 * 4096 * 1024
    rows = 131072 * 2 / 8 * 1.1  # rows of one expert, padded to 128 where they are a side
    padded = math.ceil(rows / 128) * 128
    experts = 8 * 3 * 4096 * 14336 * 6 * padded / 0.85
    router = 6 * 4096 * 128 * 131072
    found = layer_of(plan(), MOE, tokens=131072.0).gemm_s
    assert found == pytest.approx(6 * attention * 131072 + experts + router, rel=CLOSE)


@pytest.mark.parametrize(("tp", "dp", "ep"), [(1, 8, 8), (2, 4, 8), (8, 8, 8), (1, 8, 2), (4, 2, 4)])
def test_experts_do_the_same_work_however_they_are_spread(tp: int, dp: int, ep: int) -> None:
    """With whole tiles of rows the experts of all ranks together multiply what one rank alone would."""
    tokens = 8 * 128 * 10 * 64 / 2  # 1.1 x 2 tokens / 8 is a multiple of 128 in every case
    parallel = 1.0 if tp > 1 else 0.0
    how = plan(tp=float(tp), dp=float(dp), ep=float(ep), sequence_parallel=parallel)
    found = layer.expert_linear(MOE, how, tokens / dp, COUNTER).forward_s * tp * dp
    experts = 2 * 3 * 4096 * 14336 * tokens * 2 * 1.1 / 0.85
    assert found == pytest.approx(experts + 2 * 4096 * 128 * tokens, rel=1e-9)


def test_mla_projections() -> None:
    """DeepSeek-V3, section 2.1.1: down to 1536 + 512 + 64, up from 1536 to 128 x 192 and from 512 to 128 x 256, out."""
    deepseek = models.load("deepseek_v3").record
    weights = 7168 * (1536 + 512) + 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * 7168
    rotary = 7168 * 64
    found = layer.attention_linear(deepseek, plan(), 128.0, COUNTER)
    # 2112 columns are padded to 17 x 128 = 2176 where they are a side of the array
    assert found.forward_s == 2 * 128 * (weights + rotary + 7168 * 64)
    assert sum(found) == 3 * found.forward_s


def test_mla_without_a_query_latent() -> None:
    """DeepSeek-V2-Lite: queries from the width of 2048; 512 + 64 down, padded to 5 x 128; 16 heads of 192 and 128."""
    lite = models.load("deepseek_v2_lite").record
    weights = 2048 * 640 + 2048 * 16 * 192 + 512 * 16 * 256 + 16 * 128 * 2048
    assert layer.attention_linear(lite, plan(), 128.0, COUNTER).forward_s == 2 * 128 * weights


def test_the_speed_of_an_attention_kernel() -> None:
    """Half the speed of the generation's best takes twice as long."""
    soft = NOTHING_HIDDEN._replace(attention_factor=0.5)
    found = layer.attention_time(GQA, plan(), 4096.0, 4096.0, COUNTER, soft)
    best = layer.attention_time(GQA, plan(), 4096.0, 4096.0, COUNTER, NOTHING_HIDDEN)
    assert found == (2 * best.forward_s, 2 * best.data_s, 0.0)


@pytest.mark.parametrize(("seq", "window", "keys"), [(4096, 0, 2048), (4096, 1024, 1024), (4096, 3000, 2048)])
def test_keys_of_a_query(seq: float, window: float, keys: float) -> None:
    assert layer.seen_tokens(float(seq), float(window)) == keys


def test_causal_attention_counts_half_the_keys() -> None:
    """Dao 2023: 4 s^2 d a FLOP full, half of it causal; here 2 x 2 x T x s/2 x a d."""
    flop = 4 * 4096 * (4096 / 2) * 4096
    slower = 4096 / (4096 + 256)  # half rate at 256 keys
    forward = flop / slower
    assert layer_of(plan()).attention_s == pytest.approx(forward * (1 + 2.5 / 0.8), rel=CLOSE)
    assert layer_of(plan(tp=4.0)).attention_s * 4 == pytest.approx(forward * (1 + 2.5 / 0.8), rel=CLOSE)
    assert layer_of(plan(cp=4.0), tokens=1024.0).attention_s * 4 == pytest.approx(forward * (1 + 2.5 / 0.8), rel=CLOSE)


def test_small_heads_are_slower_and_windows_cheaper() -> None:
    slower, short = 4096 / (4096 + 256), 2 * 128 / (2 * 128 + 256)
    half = GQA._replace(head_dim=64.0, v_head_dim=64.0)
    flop = 4 * 4096 * 2048 * 2048
    assert layer_of(plan(), half).attention_s == pytest.approx(flop / slower / 0.6 * (1 + 2.5 / 0.8), rel=CLOSE)
    windowed = GQA._replace(window=128.0, window_layers=6.0)  # 6 of 8 layers
    mean = 0.25 * 4 * 4096 * 2048 * 4096 / slower + 0.75 * 4 * 4096 * 128 * 4096 / short
    assert layer_of(plan(), windowed).attention_s == pytest.approx(mean * (1 + 2.5 / 0.8), rel=CLOSE)


def test_unfused_attention_multiplies_every_score() -> None:
    """Two products of 2 s^2 d a forward, four backward, at 0.85 of the GEMM rate; a head of 100 is 12 times slower."""
    soft = NOTHING_HIDDEN._replace(fused_attention=0.0)
    found = layer.attention_time(GPT, plan(), 2048.0, 2048.0, COUNTER, soft)
    once = 4 * 2048 * 2048 * 4096 / 0.85
    assert found == pytest.approx((once, 2 * once, 0.0), rel=CLOSE)
    odd = GPT._replace(head_dim=100.0, v_head_dim=100.0)  # padded to 128 on the array
    assert layer.attention_time(odd, plan(), 2048.0, 2048.0, COUNTER, soft).forward_s == pytest.approx(12 * once)


@pytest.mark.parametrize(("tp", "sequences"), [(4.0, 1.0), (1.0, 3.0), (2.0, 0.5)])
def test_unfused_attention_of_some_heads_and_sequences(tp: float, sequences: float) -> None:
    """A quarter of the heads is a quarter of the work; half a sequence is what a context-parallel rank holds."""
    soft = NOTHING_HIDDEN._replace(fused_attention=0.0)
    reader = COUNTER._replace(memory_bytes_s=1e9)
    found = layer.attention_time(GPT, plan(tp=tp), 2048.0 * sequences, 2048.0, reader, soft)
    whole = layer.attention_time(GPT, plan(), 2048.0, 2048.0, reader, soft)
    assert found == pytest.approx([part * sequences / tp for part in whole], rel=CLOSE)


def test_unfused_attention_moves_its_scores() -> None:
    """9 bytes a score forward, 11 backward: 2048 x 2048 x 32 heads of them at 1 byte/s."""
    still = COUNTER._replace(wide_gemm_flop_s=math.inf)
    soft = NOTHING_HIDDEN._replace(fused_attention=0.0)
    slow = layer.attention_time(GPT, plan(), 2048.0, 2048.0, still._replace(memory_bytes_s=1.0), soft)
    operands = 32 * 2 * (2 * 2048 * 128 + 2048 * 2048) / 0.9  # one product: two operands and a result in 16 bit
    scores = 32 * 2048 * 2048
    assert slow.forward_s == pytest.approx(2 * operands + 9 * scores, rel=CLOSE)
    assert slow.data_s == pytest.approx(4 * operands + 11 * scores, rel=CLOSE)


@pytest.mark.parametrize(("tp", "parallel"), [(1.0, 0.0), (8.0, 0.0), (8.0, 1.0)])
def test_bytes_of_memory_bound_kernels(tp: float, parallel: float) -> None:
    """The counts of a gated layer and of a GPT layer; sequence parallelism alone cuts those of width h."""
    cut = tp if parallel else 1
    how = plan(tp=tp, sequence_parallel=parallel)
    gated = layer.elementwise_bytes(GQA, how, 10.0, 14336.0)
    heads = (32 / tp + max(1, 8 / tp)) * 128
    assert gated.forward_s == 10 * (20 * 4096 / cut + 4 * heads + 6 * 14336 / tp)
    assert gated.data_s == 10 * (32 * 4096 / cut + 4 * heads + 12 * 14336 / tp)
    plain = layer.elementwise_bytes(GPT, how, 10.0, 16384.0)
    assert plain.forward_s == 10 * (24 * 4096 / cut + 4 * 4096 / tp + 4 * 16384 / tp)
    assert plain.data_s == 10 * (36 * 4096 / cut + 6 * 4096 / tp + 8 * 16384 / tp)


def test_bytes_of_routing() -> None:
    """Permute and back, (4 + 8k) h + 2 k h + 2 h; the activation 6 and 10 bytes a routed element."""
    found = layer.routing_bytes(MOE, plan(), 10.0, NOTHING_HIDDEN)
    moved, active = 10 * ((4 + 16) * 4096 + 4 * 4096 + 2 * 4096), 10 * 2 * 14336 * 1.1
    assert found == pytest.approx((moved + 6 * active, moved + 10 * active, 0.0), rel=CLOSE)


def test_bytes_of_experts_with_biases() -> None:
    """GPT-OSS: 30 bytes more a routed element, 24 with fused experts, which sort 0.6 of the bytes. 4 ranks."""
    biased, how = MOE._replace(biases=1.0), plan(tp=4.0, sequence_parallel=1.0)
    moved, active = 2.5 * 4096 * (6 + 10 * 2), 2.5 * 2 * 14336 * 1.1
    apart = layer.routing_bytes(biased, how, 10.0, NOTHING_HIDDEN)
    assert apart == pytest.approx((moved + 36 * active, moved + 40 * active, 0.0), rel=CLOSE)
    fused = layer.routing_bytes(biased, how, 10.0, NOTHING_HIDDEN._replace(fused_experts=1.0))
    assert fused == pytest.approx((0.6 * moved + 30 * active, 0.6 * moved + 34 * active, 0.0), rel=CLOSE)


def test_whose_tokens_are_routed() -> None:
    """A tensor-parallel rank routes its own share, if it has one of its own."""
    alone, parallel = plan(tp=4.0), plan(tp=4.0, sequence_parallel=1.0)
    routed = [layer.routed_tokens(MOE, how, 8.0) for how in (alone, parallel, plan(tp=4.0, ep=2.0), plan())]
    assert routed == [8.0, 2.0, 2.0, 8.0]


def test_what_is_quantised_for_experts() -> None:
    """Two experts a token: input and inner width; gradients of width h, of gate and up. Shared ones of 1000."""
    how = plan(tp=2.0, sequence_parallel=1.0)
    found = layer.cast_elements(MOE, how, 10.0, 1000.0, 14336.0)
    shared = 4096 + 2048 + 4096 + 500, 4096 + (16 + 2 * 4) * 128 + 4096 + 2 * 500
    assert found.forward_s == 10 * shared[0] + 5 * 2 * (4096 + 14336)
    assert found.data_s == 10 * shared[1] + 5 * 2 * (4096 + 2 * 14336)
    without = layer.cast_elements(MOE, how, 10.0, 0.0, 0.0)
    assert without[:2] == (10 * (4096 + 2048), 10 * (4096 + 24 * 128))


@pytest.mark.parametrize("fused", [0.0, 1.0])
def test_time_of_memory_bound_kernels(fused: float) -> None:
    """At half of 100 bytes/s: counted bytes 1.5 times, 3 for an element cast, routing 2 times; gaps of 1 s."""
    soft = NOTHING_HIDDEN._replace(elementwise_factor=1.5, expert_factor=2.0, fused_experts=fused)
    slow = COUNTER._replace(memory_bytes_s=100.0, memory_efficiency=0.5, cast_bytes=3.0, kernel_s=1.0)
    found = layer.memory_bound(MOE, plan(), 10.0, 0.0, 14336.0, slow, soft)
    plain = layer.elementwise_bytes(MOE, plan(), 10.0, 0.0)
    routed = layer.routing_bytes(MOE, plan(), 10.0, soft)
    cast = layer.cast_elements(MOE, plan(), 10.0, 0.0, 0.0 if fused else 14336.0)
    forward = 1.5 * plain.forward_s + 3 * cast.forward_s + 2 * routed.forward_s
    backward = 1.5 * plain.data_s + 3 * cast.data_s + 2 * routed.data_s
    assert found == pytest.approx((forward / 50 + 7, backward / 50 + 12, 0.0), rel=CLOSE)
    dense = layer.memory_bound(MOE, plan(), 10.0, 1000.0, 0.0, slow, soft)
    plain = layer.elementwise_bytes(MOE, plan(), 10.0, 1000.0)
    cast = layer.cast_elements(MOE, plan(), 10.0, 1000.0, 0.0)
    assert dense.forward_s == pytest.approx((1.5 * plain.forward_s + 3 * cast.forward_s) / 50 + 7, rel=CLOSE)


def test_what_is_quantised() -> None:
    """Inputs forward: of QKV, output, gate and up together, down. Output gradients backward: of the same four."""
    found = layer.cast_elements(GQA, plan(), 10.0, 14336.0, 0.0)
    assert found.forward_s == 10 * (4096 + 4096 + 4096 + 14336)
    assert found.data_s == 10 * (4096 + (32 + 2 * 8) * 128 + 4096 + 2 * 14336)


def test_recomputation_adds_one_forward_pass_or_the_core_attention() -> None:
    """Korthikanti et al. 2022, section 5: full is a forward pass more; selective the scores and what follows them."""
    how = plan(tp=8.0, sequence_parallel=1.0)
    slow = COUNTER._replace(gemm_flop_s=1e12, attention_flop_s=1e12, memory_bytes_s=1e11)
    slow = slow._replace(link_bytes_s=1e9, network_bytes_s=1e8, kernel_s=1e-6)
    args = (Work(4096.0, 1.0), 4096.0, slow, NOTHING_HIDDEN)
    none, selective, full = (layer_time.mean_layer(GQA, again(how, s), *args) for s in (NONE, SELECTIVE, FULL))
    assert none.recompute_s == 0
    core = layer.attention_time(GQA, how, 4096.0, 4096.0, slow, NOTHING_HIDDEN).forward_s
    assert selective.recompute_s == core > 0
    # the forward pass, counted apart: kernels from their own functions, traffic unhidden
    forward = core + layer.attention_linear(GQA, how, 4096.0, slow).forward_s
    forward += layer.mlp_linear(GQA, how, 4096.0, 14336.0, slow).forward_s
    forward += layer.memory_bound(GQA, how, 4096.0, 14336.0, 0.0, slow, NOTHING_HIDDEN).forward_s
    forward += traffic.tensor_traffic(GQA, how, 4096.0, 0.0, slow).forward_s
    assert full.recompute_s == pytest.approx(forward, rel=CLOSE)
    assert full._replace(recompute_s=0.0) == none == selective._replace(recompute_s=0.0)


def test_full_recomputation_is_a_third_more_gemm_flop() -> None:
    """Narayanan et al. 2021: 96 against 72 B s h^2: 4/3."""
    found = layer_of(again(plan(), FULL), GPT, tokens=2048.0)
    forward_attention = found.attention_s / (1 + 2.5 / 0.8)
    assert found.recompute_s - forward_attention == pytest.approx(found.gemm_s / 3, rel=CLOSE)


def test_the_host_is_a_floor() -> None:
    """16 launches forward and 30 backward of 1 s each, on a chip that needs no time."""
    soft = NOTHING_HIDDEN._replace(launch_s=1.0)
    found = layer_time.mean_layer(GQA, plan(), Work(4096.0, 1.0), 4096.0, MOVER, soft)
    assert found.launch_s == pytest.approx(46)
    fused = soft._replace(fused_experts=1.0)
    moe = layer_time.mean_layer(MOE, plan(), Work(4096.0, 1.0), 4096.0, MOVER, fused)
    assert moe.launch_s == pytest.approx(30 + 55)
    # 16 experts of two launches each, which the host cannot run ahead of; twice as many backward
    apart = layer_time.mean_layer(MOE._replace(experts=16.0), plan(), Work(4096.0, 1.0), 4096.0, MOVER, soft)
    assert apart.launch_s == pytest.approx(32 + 64)
    cast = MOVER._replace(cast_bytes=1e-9)  # in 8 bit 8 launches an expert; 8 experts on 2 ranks
    eight = layer_time.mean_layer(MOE, plan(ep=2.0, dp=2.0), Work(4096.0, 1.0), 4096.0, cast, soft)
    assert eight.launch_s == pytest.approx(max(30, 32 + 2 * 0) + 64, rel=0.01)


def test_the_host_catches_up_while_the_chip_waits_for_traffic() -> None:
    """4 all-gathers of 2 s forward and 4 backward show: 16 - 8 s and 30 - 8 s are left of the floor."""
    soft = NOTHING_HIDDEN._replace(launch_s=1.0)
    slow = PROMPT._replace(link_bytes_s=4096.0)
    found = layer_time.mean_layer(GQA, plan(tp=2.0), Work(4096.0, 1.0), 2.0, slow, soft)
    assert (found.tensor_s, found.launch_s) == (16.0, 8.0 + 22.0)


def test_weights_are_gathered_while_the_chip_waits_for_the_host() -> None:
    """A floor of 16 s hides 0.7 x 16 s of a gathering, one of 30 s 0.7 x 30 s; a faster chip hides no less."""
    soft = NOTHING_HIDDEN._replace(launch_s=1.0, overlap=1.0, gradient_bytes=2.0)
    weights = 2 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096)
    slow = PROMPT._replace(link_bytes_s=weights / 2 / 20)  # half of the weights in 20 s
    found = layer_time.mean_layer(GQA, plan(dp=2.0, shard=3.0), Work(4096.0, 1.0), 4096.0, slow, soft)
    assert found.shard_s == pytest.approx(20 - 0.7 * 16 + 40 - 0.7 * 30, rel=CLOSE)
    assert found.launch_s == pytest.approx(46)


def test_what_hid_the_ring_hides_no_weights() -> None:
    """Attention of 100 s and no other kernel hides 0.9 of a ring of 10 s, and weights behind 0.7 of the other 91 s."""
    soft = NOTHING_HIDDEN._replace(overlap=1.0, gradient_bytes=2.0)
    how = plan(cp=2.0, shard=3.0)
    forward = 4 * 4096 * 2048 * 4096 / (4096 / (4096 + 256))
    weights = 2 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096)
    block = 2 * 4096 * 8 * 256
    attending = PROMPT._replace(attention_flop_s=forward / 100, link_bytes_s=block / 10)
    ring, gather = 10.0, weights / 2 / (block / 10)
    backward = 100 * 2.5 / 0.8
    found = layer_time.mean_layer(GQA, how, Work(4096.0, 1.0), 4096.0, attending, soft)
    assert found.context_s == pytest.approx(0.1 * 3 * ring)
    shown = gather - 0.7 * (100 - 0.9 * ring), 2 * gather - 0.7 * (backward - 0.9 * 2 * ring)
    assert min(shown) > 0
    assert found.shard_s == pytest.approx(sum(shown), rel=1e-9)


def test_a_layer_is_put_together() -> None:
    """Kernels and traffic of round numbers; half of what can hide does, of recomputed parts as of others."""
    soft = NOTHING_HIDDEN._replace(overlap=0.5, tensor_overlap=0.5)
    how = again(plan(shard=3.0), (0.1, 0.2, 0.3, 0.4, 0.5))
    kernels = [
        layer.Passes(*times) for times in ((10.0, 11.0, 12.0), (20.0, 21.0, 22.0), (5.0, 9.0, 0.0), (7.0, 8.0, 0.0))
    ]
    ways = [traffic.BothWays(*times) for times in ((4.0, 8.0), (6.0, 10.0), (2.0, 3.0), (50.0, 90.0))]
    projections, mlp, attention, memory = kernels
    made = layer_time.join(how, projections, mlp, attention, memory, tuple(ways), 0.0, 0.0, soft)
    ring = 6 - 0.9 * 5, 10 - 0.9 * 9  # 1.5 and 1.9 show
    repeated = 0.1 * 10 + 0.2 * 20 + 0.3 * 5 + 0.4 * 7 + 0.5 * (0.75 * 4 + ring[0] + 2)
    free = 42 - 4.5, 49 + 34 + repeated - 8.1
    shown = max(25, 50 - 0.7 * free[0]) + max(45, 90 - 0.7 * free[1])
    by_hand = (10 + 11 + 12 + 20 + 21 + 22, 5 + 9, 7 + 8, 0.75 * 12, sum(ring), 2 + 3, shown, repeated, 0.0, 12 + 22)
    assert made == pytest.approx(by_hand, rel=CLOSE)
    assert layer_time.total(made) == pytest.approx(sum(by_hand[:-1]), rel=CLOSE)


def test_the_host_floor_of_a_layer() -> None:
    """16 and 30 launches of 10 s, beside 42 s of kernels and 3 + 1.5 + 2 of traffic, 83 + 6 + 1.9 + 3 backward."""
    soft = NOTHING_HIDDEN._replace(overlap=0.5, tensor_overlap=0.5, launch_s=10.0)
    kernels = [
        layer.Passes(*times) for times in ((10.0, 11.0, 12.0), (20.0, 21.0, 22.0), (5.0, 9.0, 0.0), (7.0, 8.0, 0.0))
    ]
    ways = [traffic.BothWays(*times) for times in ((4.0, 8.0), (6.0, 10.0), (2.0, 3.0), (0.0, 0.0))]
    projections, mlp, attention, memory = kernels
    dense = layer_time.join(plan(), projections, mlp, attention, memory, tuple(ways), 0.0, 0.0, soft)
    assert dense.launch_s == pytest.approx(160 - 48.5 + 300 - 93.9, rel=CLOSE)
    moe = layer_time.join(plan(), projections, mlp, attention, memory, tuple(ways), 1.0, 40.0, soft)
    assert moe.launch_s == pytest.approx(400 - 20 + 800 - 43, rel=CLOSE)


def test_every_part_of_a_layer_is_mixed() -> None:
    a, b = layer_time.LayerTime(*map(float, range(1, 11))), layer_time.LayerTime(*map(float, range(20, 120, 10)))
    by_hand = [0.75 * x + 0.25 * y for x, y in zip(a, b, strict=True)]
    assert layer_time.mix(a, b, 0.25) == pytest.approx(by_hand, rel=CLOSE)
    assert layer_time.total(a) == 45


def test_traffic_of_a_dense_and_of_a_moe_layer() -> None:
    """Mixtral on 8 ranks: a dense layer has no dispatch and the weights of one MLP, a MoE layer its experts."""
    both = MOE._replace(ffn=8192.0)
    how = plan(dp=8.0, ep=2.0, shard=3.0)
    attention = 2 * 4096**2 + 2 * 4096 * 1024 + 2 * 4096  # and two norms
    tensor, context, expert, shard = layer_time.layer_traffic(both, how, 10.0, 0.0, MOVER, NOTHING_HIDDEN)
    assert tensor == context == expert == (0.0, 0.0)
    assert shard.forward_s == pytest.approx(1 + 7 / 8 * 2 * (attention + 3 * 4096 * 8192) / 100, rel=CLOSE)
    *_, expert, shard = layer_time.layer_traffic(both, how, 10.0, 1.0, MOVER, NOTHING_HIDDEN)
    assert expert.forward_s > 0
    common = 1 + 7 / 8 * 2 * (attention + 4096 * 8) / 100
    experts = 1 + 3 / 4 * 2 * 4 * 3 * 4096 * 14336 / 100  # 4 experts a rank, cut over 4 ranks
    assert shard.forward_s == pytest.approx(common + experts, rel=CLOSE)


def test_kernels_of_a_dense_and_of_a_moe_layer() -> None:
    """The MLP of a MoE layer's own kernels is the shared one; its experts are quantised, a dense layer has none."""
    both = MOE._replace(ffn=8192.0, shared_ffn=1024.0)
    slow = COUNTER._replace(memory_bytes_s=1e3, cast_bytes=3.0, gemm_flop_s=math.inf, wide_gemm_flop_s=math.inf)
    for moe, width, expert in ((0.0, 8192.0, 0.0), (1.0, 1024.0, 14336.0)):
        found = layer_time.layer_time(both, plan(), Work(128.0, 1.0), 128.0, moe, slow, NOTHING_HIDDEN)
        kernels = layer.memory_bound(both, plan(), 128.0, width, expert, slow, NOTHING_HIDDEN)
        assert found.elementwise_s == kernels.forward_s + kernels.data_s


def test_layers_of_two_kinds_are_mixed_by_their_number() -> None:
    """3 dense and 5 MoE layers of 8."""
    both = MOE._replace(dense_layers=3.0, ffn=14336.0)
    dense = layer_of(plan(), both._replace(dense_layers=8.0))
    moe = layer_of(plan(), both._replace(dense_layers=0.0))
    assert layer_of(plan(), both).gemm_s == pytest.approx((3 * dense.gemm_s + 5 * moe.gemm_s) / 8, rel=CLOSE)


# --- pipeline --------------------------------------------------------------------------------------------------------

EIGHT = pipeline.Costs(8.0, 8.0, 1.0, 1 / 3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("p", "m"), [(2, 4), (4, 8), (8, 8), (8, 64), (16, 128)])
@pytest.mark.parametrize("v", [1, 2, 4])
def test_bubble_fractions_as_printed(p: int, m: int, v: int) -> None:
    """Of arXiv 2104.04473: section 2.2.1 prints t_pb / t_id = (p - 1)/m, section 2.2.2 (1/v) (p - 1)/m."""
    ideal = m * 8.0
    bubble = pipeline.bubble_seconds(float(p), float(v), float(m), 0.0, EIGHT)
    assert bubble / ideal == pytest.approx((p - 1) / (v * m), rel=CLOSE)


def test_interleaving_runs_whole_rounds() -> None:
    """See arXiv 2104.04473, section 2.2.2: m must be a multiple of p; 6 on 4 stages leave 2 places empty."""
    assert pipeline.bubble_seconds(4.0, 2.0, 6.0, 0.0, EIGHT) == (3 / 2 + 2 / 2) * 8
    assert pipeline.bubble_seconds(4.0, 1.0, 6.0, 0.0, EIGHT) == 3 * 8


def test_a_single_stage_has_no_bubble() -> None:
    for schedule in (0.0, 1.0, 2.0):
        assert pipeline.bubble_seconds(1.0, 1.0, 8.0, schedule, EIGHT) == 0.0


def test_zb_1p_leaves_a_third_of_the_bubble() -> None:
    """See arXiv 2401.10241, section 2: ZB-H1, in the memory of 1F1B, idles (p - 1)(T_F + T_B - T_W).

    With T_F = T_B = T_W that is a third of the (p - 1)(T_F + T_B + T_W) of 1F1B. ZB-1p is the automatic schedule of
    the same memory.
    """
    assert pipeline.bubble_seconds(8.0, 1.0, 64.0, 1.0, EIGHT) == pytest.approx(7 * 8 / 3, rel=CLOSE)
    uneven = EIGHT._replace(weight_s=0.2)  # F + B = 0.8 of a layer, W = 0.2
    assert pipeline.bubble_seconds(8.0, 1.0, 64.0, 1.0, uneven) == pytest.approx(7 * 8 * 0.6, rel=CLOSE)


def test_a_zb_2p_pipeline_has_none() -> None:
    """See arXiv 2401.10241: twice the memory, no bubble."""
    assert pipeline.bubble_seconds(8.0, 1.0, 8.0, 2.0, EIGHT) == 0.0


def test_the_head_makes_an_uneven_last_stage_the_slowest() -> None:
    """30 layers on 4 stages are 8 8 8 6 (tests of the footprint); a head worth 2.5 layers weighs more than the two."""
    costs = pipeline.Costs(8.0, 6.0, 1.0, 0.0, 0.25, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert pipeline.stage_seconds(4.0, costs) == 8.5
    assert pipeline.stage_seconds(4.0, costs._replace(head_s=1.0)) == 8.25
    assert pipeline.stage_seconds(1.0, costs) == 6 + 2.5 + 0.25


def test_hops() -> None:
    """Each micro-batch passes one border at a time, the first one fills all p - 1: m and p - 1 hops, there and back."""
    costs = EIGHT._replace(hop_s=1.0)
    assert pipeline.hop_seconds(4.0, 1.0, 8.0, 0.0, costs) == 2 * (8 + 3)
    assert pipeline.hop_seconds(4.0, 2.0, 8.0, 0.0, costs) == 2 * (2 * 8 + 3)
    assert pipeline.hop_seconds(4.0, 2.0, 8.0, 1.0, costs) == 2 * 3
    assert pipeline.hop_seconds(4.0, 1.0, 8.0, 0.75, costs) == 2 * (2 + 3)


@pytest.mark.parametrize(
    ("reduce_s", "gather_s", "overlap", "shown"),
    [
        (3, 1, 0, 3 + 1),  # behind nothing
        (3, 1, 1, 0.05 * 4),  # all but the floor of 5 %
        (12, 6, 1, 12 - 15 * 0.8 * 2 / 3 + 6 - 15 * 0.8 / 3),  # more than the windows of 8 s and 4 s
        (12, 1, 1, 4 + 0.05),
        (12, 1, 0.5, 12 - 4 + 0.05),
    ],
)
def test_windows_of_the_gradient_reduction(reduce_s: float, gather_s: float, overlap: float, shown: float) -> None:
    """A micro-batch of 15 s."""
    costs = EIGHT._replace(reduce_s=float(reduce_s), gather_s=float(gather_s))
    assert pipeline.exposed_data_seconds(float(overlap), 15.0, costs) == pytest.approx(shown, rel=CLOSE)


def test_a_step_is_put_together() -> None:
    """4 stages of 8 s, 8 micro-batches: (64 + 24 of bubble + 22 of hops) x 1.1, 10 + 5 of data, 2, the fixed work."""
    costs = EIGHT._replace(hop_s=1.0, reduce_s=10.0, gather_s=5.0, optimizer_s=2.0, straggler=0.1)
    found = pipeline.step_seconds(4.0, 1.0, 8.0, 0.0, 0.0, 0.0, costs)
    assert found == pytest.approx((64 + 24 + 22) * 1.1 + 15 + 2 + pipeline.FIXED_S, rel=CLOSE)


# --- the step --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chips", "share"),
    [(8, 0.0), (12, 0.01 * math.log2(1.5) ** 0.5), (16, 0.01), (128, 0.02), (8 * 2**9, 0.03), (4, 0.0)],
)
def test_stragglers(chips: float, share: float) -> None:
    """0.01 x the root of the doublings of domains of 8."""
    soft = NOTHING_HIDDEN._replace(straggler=0.01)
    assert step.straggler_share(float(chips), MOVER, soft) == pytest.approx(share, rel=CLOSE)


def test_joined_slices() -> None:
    """1.5 % for each doubling of slices."""
    soft = NOTHING_HIDDEN._replace(slice_straggler=0.015)
    assert step.straggler_share(64.0, MOVER, soft) == pytest.approx(0.045, rel=CLOSE)


def test_the_optimizer_moves_40_bytes_a_parameter() -> None:
    """Gradient, master weight and two moments in 32 bit read, three written, the norm, the 16-bit copy."""
    slow = MOVER._replace(memory_bytes_s=100.0, memory_efficiency=0.5)
    assert step.optimizer_seconds(100.0, 0.0, plan(dp=4.0), slow) == 100 * 40 / 50
    assert step.optimizer_seconds(100.0, 0.0, plan(dp=4.0, shard=1.0), slow) == 100 * 40 / 50 / 4
    assert step.optimizer_seconds(0.0, 100.0, plan(dp=16.0, ep=8.0), slow) == 100 * 40 / 50
    # 8 expert-parallel ranks of 16 leave 2 copies of an expert
    assert step.optimizer_seconds(0.0, 100.0, plan(dp=16.0, ep=8.0, shard=1.0), slow) == 100 * 40 / 50 / 2


def test_logits_and_embedding_move_bytes() -> None:
    """24 bytes a logit, 12 a hidden element, at half of 100 bytes/s; a product on a chip that computes in no time."""
    slow = MOVER._replace(memory_bytes_s=100.0, memory_efficiency=0.5)
    soft = NOTHING_HIDDEN._replace(logit_bytes=24.0)
    tokens, width, vocab = 10, 4096, 131072 / 4
    products = [2 * (tokens * width + width * vocab + tokens * vocab) / 90] * 3
    by_hand = sum(products) + 24 * tokens * vocab / 50
    assert step.head_time(GQA, plan(tp=4.0), 10.0, slow, soft) == pytest.approx(by_hand, rel=CLOSE)
    assert step.embedding_time(GQA, 10.0, slow) == 12 * 10 * 4096 / 50


@pytest.mark.parametrize(
    ("pp", "dealt", "full", "last"), [(1, 0, 32, 33), (2, 0, 16, 17), (4, 0, 8, 9), (5, 0, 7, 5), (2, 1, 16, 17)]
)
def test_layers_of_the_stages(pp: float, dealt: float, full: int, last: int) -> None:
    """32 layers, one more for multi-token prediction; 5 stages are 7 7 7 7 4; with embedding and head dealt 16 16."""
    costs = step.costs_of(
        layer_time.LayerTime(*[1.0] * 10),
        GQA._replace(layers=32.0, dense_layers=32.0, mtp_layers=1.0),
        plan(pp=float(pp)),
        Work(4096.0, 1.0),
        float(dealt),
        COUNTER,
        NOTHING_HIDDEN,
    )
    assert (costs.full_layers, costs.last_layers) == (full, last)
    assert costs.head_s == 2 * 6 * 131072 * 4096 * 4096  # logits of the prediction too


def test_a_full_stage_is_one_in_the_middle() -> None:
    """30 layers and two for embedding and head on 4 stages are 7 8 8 7."""
    of = GQA._replace(layers=30.0, dense_layers=30.0)
    made = layer_time.LayerTime(*[1.0] * 10)
    costs = step.costs_of(made, of, plan(pp=4.0), Work(4096.0, 1.0), 1.0, COUNTER, NOTHING_HIDDEN)
    assert (costs.full_layers, costs.last_layers) == (8, 7)
    assert (costs.layer_s, costs.weight_s) == (9, 1)


@pytest.mark.parametrize(
    ("tp", "dp", "time_s"), [(2, 2, 1 + 2 * 5 * 4096 / 2 / 100), (2, 4, 2 + 2 * 5 * 4096 / 2 / 10)]
)
def test_a_hop_passes_the_activations_of_a_rank(tp: int, dp: int, time_s: float) -> None:
    """5 tokens x 4096 x 2 bytes, half of them on each rank; 8 chips are one domain, 16 are two."""
    how = plan(tp=float(tp), pp=2.0, dp=float(dp), micro_batches=4.0)
    work = Work(5.0, 4.0 * dp)
    made = layer_time.LayerTime(*[1.0] * 10)
    assert step.costs_of(made, GQA, how, work, 0.0, MOVER, NOTHING_HIDDEN).hop_s == time_s
    alone = step.costs_of(made, GQA, how._replace(pp=1.0), work, 0.0, MOVER, NOTHING_HIDDEN)
    assert alone.hop_s == 0.0


def test_parts_of_a_step_that_waits() -> None:
    """Two uneven stages on 4 chips of a domain of 2: every part from the costs, which are tested above."""
    soft = NOTHING_HIDDEN._replace(straggler=0.1, fused_attention=0.0)
    chip = COUNTER._replace(gemm_flop_s=1e12, wide_gemm_flop_s=1e15, memory_bytes_s=1e12, domain=2.0, link_bytes_s=1e9)
    chip = chip._replace(network_bytes_s=1e8)
    of, how, work = (
        GPT._replace(layers=7.0, dense_layers=7.0),
        plan(pp=2.0, dp=2.0, micro_batches=3.0),
        Work(2048.0, 6.0),
    )
    made = layer_time.mean_layer(of, how, work, 2048.0, chip, soft)
    costs = step.costs_of(made, of, how, work, 0.0, chip, soft)
    found = step.step_time(of, how, work, 0.0, chip, soft)
    one = layer_time.total(made)
    stage = 4 * one + costs.embedding_s  # 4 layers of 7; the head is quick
    assert found.gemm_s == pytest.approx(3 * 4 * made.gemm_s, rel=CLOSE)
    assert found.head_s == pytest.approx(3 * costs.embedding_s, rel=1e-6)
    assert found.bubble_s == pytest.approx(4 * one, rel=CLOSE)
    hops = 2 * 2048 * 4096 / 1e8 * 2 * (3 + 1)
    assert found.pipeline_s == pytest.approx(hops, rel=CLOSE)
    assert found.straggler_s == pytest.approx(0.1 * (3 * stage + 4 * one + hops), rel=CLOSE)
    assert found.data_s == pytest.approx(costs.reduce_s + costs.gather_s, rel=CLOSE)


def test_gradients_and_weights_over_data_parallel_ranks() -> None:
    """1600 parameters on 8 ranks: 4 bytes of gradient reduced, and again gathered, or 2 bytes of weight gathered."""
    reduce, gather = 1 + 7 / 8 * 1600 * 4 / 100, 1 + 7 / 8 * 1600 * 2 / 100
    assert step.data_traffic(1600.0, 0.0, plan(dp=8.0), MOVER, NOTHING_HIDDEN) == (reduce, reduce)
    assert step.data_traffic(1600.0, 0.0, plan(dp=8.0, shard=1.0), MOVER, NOTHING_HIDDEN) == (gather, reduce)
    assert step.data_traffic(1600.0, 0.0, plan(dp=8.0, shard=3.0), MOVER, NOTHING_HIDDEN) == (0.0, 0.0)
    assert step.data_traffic(1600.0, 0.0, plan(dp=4.0, cp=2.0), MOVER, NOTHING_HIDDEN) == (reduce, reduce)


def test_expert_gradients_have_a_group_of_their_own() -> None:
    """16 ranks, 8 of them hold different experts: 2 copies, 8 chips apart, one port of 10 bytes/s each."""
    reduce = 2 * 1.5 + 1 / 2 * 1600 * 4 / 10
    found = step.data_traffic(0.0, 1600.0, plan(dp=16.0, ep=8.0), MOVER, NOTHING_HIDDEN)
    assert found == pytest.approx((reduce, reduce), rel=CLOSE)


@pytest.mark.parametrize(("tp", "pp", "cp", "dp"), [*itertools.product((1, 2, 8), (1, 2, 4), (1, 2), (1, 4))])
@pytest.mark.parametrize("of", [GQA, GPT], ids=["llama", "gpt"])
def test_gemm_flop_of_a_plan_do_not_depend_on_the_plan(of: Model, tp: int, pp: int, cp: int, dp: int) -> None:
    """4 stages at most, each with as many layers; 16 sequences of 4096. 6 FLOP a weight of layers and head."""
    how = plan(tp=float(tp), pp=float(pp), cp=float(cp), dp=float(dp), micro_batches=16.0 / dp)
    work = Work(4096.0, 16.0)
    found = step.step_time(of, how, work, 0.0, COUNTER, NOTHING_HIDDEN)
    gated = 3 * 4096 * 14336 if of is GQA else 2 * 4096 * 16384
    keys = 1024 if of is GQA else 4096
    tokens = 16 * 4096
    layers = 8 * (2 * 4096**2 + 2 * 4096 * keys + gated)
    # the slowest stage is the last, with the head; every stage has as many layers
    assert found.gemm_s * tp * pp * cp * dp == pytest.approx(6 * layers * tokens, rel=CLOSE)
    assert found.head_s * tp * cp * dp == pytest.approx(6 * of.vocab * 4096 * tokens, rel=1e-9)
    assert found.tensor_s == found.context_s == found.shard_s == found.pipeline_s == found.data_s == 0


def test_a_step_of_one_chip_by_hand() -> None:
    """Llama layers at 1 FLOP/s: 8 layers, logits of 131,072, attention; no traffic."""
    found = step.step_time(GQA, ONE, Work(4096.0, 1.0), 0.0, COUNTER, NOTHING_HIDDEN)
    layers = 6 * 8 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336) * 4096
    attention = 8 * 4 * 4096 * 2048 * 4096 * (4096 + 256) / 4096 * (1 + 2.5 / 0.8)
    logits = 6 * 131072 * 4096 * 4096
    assert found.time_s == pytest.approx(layers + attention + logits + pipeline.FIXED_S, rel=CLOSE)


# --- published -------------------------------------------------------------------------------------------------------

# Narayanan et al. 2021, table 1: name, layers, width, heads, batch.
TABLE_1 = [
    ("1.7b", 24, 2304, 24, 512),
    ("3.6b", 30, 3072, 32, 512),
    ("7.5b", 36, 4096, 32, 512),
    ("18b", 40, 6144, 48, 1024),
    ("39b", 48, 8192, 64, 1536),
    ("76b", 60, 10240, 80, 1792),
    ("145b", 80, 12288, 96, 2304),
    ("310b", 96, 16384, 128, 2160),
    ("530b", 105, 20480, 128, 2520),
    ("1t", 128, 25600, 160, 3072),
]


@pytest.mark.parametrize(("name", "layers", "width", "heads", "batch"), TABLE_1, ids=[row[0] for row in TABLE_1])
def test_flop_of_the_ten_models_of_sc21(name: str, layers: int, width: int, heads: int, batch: int) -> None:
    """Equation 3 of arXiv 2104.04473: F = 96 B s l h^2 (1 + s/6h + V/16lh), recomputation of the layers included.

    Recomputation does the layers a fourth time, not the logits; attention is not halved by the mask.
    """
    seq, vocab = 2048, 51200
    printed = 96 * batch * seq * layers * width**2 * (1 + seq / (6 * width) + vocab / (16 * layers * width))
    file = models.load(f"megatron_{name}")
    record = file.record
    assert (record.layers, record.hidden, record.heads, file.global_batch) == (layers, width, heads, batch)
    logits = 6 * width * vocab
    tokens = batch * seq
    matmul = transformer.matmul_flop_per_token(record)
    attention = transformer.attention_flop_per_token(record, float(seq), 0.0)
    assert tokens * (4 / 3 * (matmul - logits + attention) + logits) == pytest.approx(printed, rel=0.01)


@pytest.mark.parametrize(("name", "layers", "width", "heads", "batch"), TABLE_1, ids=[row[0] for row in TABLE_1])
def test_time_of_the_ten_models_of_sc21_is_that_of_their_flop(
    name: str, layers: int, width: int, heads: int, batch: int
) -> None:
    """The same equation from the step on a chip of 1 FLOP/s: unfused attention, full recomputation, 8 tensor ranks.

    Attention runs at 0.85 of the rate and all of it is done again, and the array pads; so within 12 %, from above.
    """
    seq, vocab = 2048, 51200
    printed = 96 * batch * seq * layers * width**2 * (1 + seq / (6 * width) + vocab / (16 * layers * width))
    soft = NOTHING_HIDDEN._replace(fused_attention=0.0)
    how = again(plan(micro_batches=float(batch)), FULL)
    record = models.load(f"megatron_{name}").record
    found = step.step_time(record, how, Work(float(seq), float(batch)), 0.0, COUNTER, soft)
    assert heads == record.heads
    assert 1.0 <= found.time_s / printed < 1.12


# Qi et al. 2023, arXiv 2401.10241, table 4: samples per second and GPU of ZB-1p at the fewest and most micro-batches.
ZB_1P = [
    ("1.5b", 8, 6, (24, 12.9), (64, 14.2)),
    ("6.2b", 8, 3, (24, 3.88), (64, 4.20)),
    ("14.6b", 16, 1, (48, 1.61), (128, 1.76)),
    ("28.3b", 32, 1, (96, 0.87), (256, 0.96)),
]


@pytest.mark.parametrize(("name", "p", "samples", "few", "many"), ZB_1P, ids=[row[0] for row in ZB_1P])
def test_the_bubble_of_zb_1p_as_measured(
    name: str, p: int, samples: int, few: tuple[int, float], many: tuple[int, float]
) -> None:
    """Two lengths give the time of a micro-batch and of the bubble; as a share of p - 1 stages, 0.48 to 0.59.

    The schedule that needs twice the memory, (p - 1)(T_F + T_B - 2 T_W), would leave 0.12 to 0.34.
    """
    times = [m * samples / (p * rate) for m, rate in (few, many)]
    stage = (times[1] - times[0]) / (many[0] - few[0])
    measured = (times[0] - few[0] * stage) / stage / (p - 1)
    a100 = COUNTER._replace(gemm_flop_s=245e12, wide_gemm_flop_s=245e12, memory_bytes_s=2e12, memory_efficiency=0.7)
    a100 = a100._replace(multiprocessors=108.0, kernel_s=2.5e-6)
    record = models.load(f"zero_bubble_{name}").record
    soft, tokens = NOTHING_HIDDEN._replace(fused_attention=0.0), 1024.0 * samples
    one = layer_time.mean_layer(record, plan(pp=float(p)), Work(1024.0, 1.0), tokens, a100, soft)
    costs = EIGHT._replace(layer_s=layer_time.total(one), weight_s=one.weight_s)
    found = pipeline.bubble_seconds(float(p), 1.0, 64.0, 1.0, costs) / (p - 1) / (8 * costs.layer_s)
    assert found == pytest.approx(measured, abs=0.15)
