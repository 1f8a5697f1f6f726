"""What holds of the time of every legal plan, on models, chips and software of the catalogue."""

import math
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore import chips, models, software, systems
from perfcore.formulas.layer_time import mean_layer
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.step import Step, costs_of, step_time, tokens_per_micro_batch
from perfcore.machine import Setting, machine_of, rate_of
from perfcore.plans import Table, legal_plans
from perfcore.precisions import find as find_precision
from perfcore.questions import flop_per_step

MODELS = ("gpt2_small", "llama3_8b", "gpt3_175b", "mixtral_8x7b", "deepseek_v3", "gpt_oss_20b", "gemma3_4b")
# Chip, software, number format: every kind of machine and software the formulas distinguish.
SETTINGS = (
    ("a100", "megatron_2021", "fp16"),
    ("a100", "deepspeed_zero3_2021", "fp16"),
    ("a100", "zero_bubble_2023", "bf16"),
    ("h100", "torchtitan_2024", "bf16"),
    ("h100", "megatron_bridge_2025", "fp8"),
    ("v100", "fsdp_2023", "fp16"),
    ("gb200", "megatron_bridge_2026", "nvfp4"),
    ("tpu v5e", "xla_maxtext", "bf16"),
    ("ascend 910b", "mindspeed_2024", "bf16"),
)
RATES = ("gemm_flop_s", "wide_gemm_flop_s", "attention_flop_s", "memory_bytes_s", "link_bytes_s", "network_bytes_s")
BATCH = 512.0
LITTLE = 1e-12


class Case(NamedTuple):
    """What the formulas are given, and the datasheet peak of the chip."""

    model: Model
    plan: Plan
    work: Work
    dealt: float
    machine: Machine
    soft: Software
    peak_flop_s: float

    def step(self, **machine: float) -> Step:
        """Return the step with numbers of the machine changed."""
        other = self.machine._replace(**machine)
        return step_time(self.model, self.plan, self.work, self.dealt, other, self.soft)

    def repeated(self, times: float) -> "Case":
        """Return the case with so many times as many micro-batches of the same size."""
        plan = self.plan._replace(micro_batches=self.plan.micro_batches * times)
        return self._replace(plan=plan, work=Work(self.work.seq, self.work.global_batch * times))


@cache
def setting(chip: str, era: str, form: str) -> Setting:
    item, used = chips.load(chip), software.load(era)
    return Setting(item, systems.default_for(item), used, find_precision(form), used.attention_kernel)


@cache
def plans(name: str, number: int, seq: float, domain: int) -> Table:
    return legal_plans(models.load(name).record, Work(seq, BATCH), number, domain, {})


@st.composite
def cases(draw: Any) -> Case:
    """Draw a legal plan of a model on some chips."""
    name, kind = draw(st.sampled_from(MODELS)), draw(st.sampled_from(SETTINGS))
    number, seq = draw(st.sampled_from((1, 8, 64, 512))), draw(st.sampled_from((2048.0, 8192.0)))
    where = setting(*kind)
    table = plans(name, number, seq, where.system.domain_chips * where.devices)
    row = draw(st.integers(0, len(table) - 1))
    return Case(
        models.load(name).record,
        table.plan(row),
        Work(seq, BATCH),
        float(table.dealt[row]),
        machine_of(where, number),
        where.software.record(where.attention_kernel != "unfused", where.precision.fused_experts),
        rate_of(where.chip, where.precision.format) / where.devices,
    )


def ranks(plan: Plan) -> float:
    return plan.tp * plan.pp * plan.cp * plan.dp


@given(cases())
def test_the_parts_of_a_step_add_up(case: Case) -> None:
    whole, *parts = case.step()
    assert math.fsum(parts) == pytest.approx(whole, rel=LITTLE)
    assert all(part >= -LITTLE * whole for part in parts)


@given(cases())
def test_a_step_is_finite_and_not_faster_than_the_chip(case: Case) -> None:
    """The model's own FLOP, a causal mask counted half, nothing recomputed, at the datasheet rate."""
    time_s = case.step().time_s
    assert math.isfinite(time_s)
    assert time_s > flop_per_step(case.model, case.work) / ranks(case.plan) / case.peak_flop_s > 0


@settings(max_examples=400)
@given(cases(), st.sampled_from(RATES), st.floats(1.0, 1e4))
def test_a_faster_machine_is_never_slower(case: Case, rate: str, faster: float) -> None:
    after = case.step(**{rate: getattr(case.machine, rate) * faster}).time_s
    assert after <= case.step().time_s * (1 + LITTLE)


@given(cases(), st.sampled_from(("kernel_s", "link_latency_s", "network_latency_s")), st.floats(0.0, 1.0))
def test_a_shorter_delay_is_never_slower(case: Case, delay: str, share: float) -> None:
    after = case.step(**{delay: getattr(case.machine, delay) * share}).time_s
    assert after <= case.step().time_s * (1 + LITTLE)


@given(cases())
def test_on_a_perfect_network_only_compute_is_left(case: Case) -> None:
    free = dict.fromkeys(("link_bytes_s", "network_bytes_s"), math.inf)
    free |= dict.fromkeys(("link_latency_s", "network_latency_s"), 0.0)
    found, slow = case.step(**free), case.step()
    traffic = (found.tensor_s, found.context_s, found.expert_s, found.shard_s, found.pipeline_s, found.data_s)
    assert traffic == (0.0,) * 6
    assert found.time_s <= slow.time_s
    assert (found.optimizer_s, found.fixed_s) == (slow.optimizer_s, slow.fixed_s)
    if case.plan.pp == 1:  # else another stage may be the slowest
        for part in ("gemm_s", "attention_s", "elementwise_s"):
            assert getattr(found, part) == pytest.approx(getattr(slow, part), rel=LITTLE)


@given(cases())
def test_twice_the_batch_takes_at_most_twice_the_time(case: Case) -> None:
    """And the busy part, micro-batches and steady hops, exactly twice."""
    once, twice = case.step(), case.repeated(2.0).step()
    assert twice.time_s <= 2 * once.time_s * (1 + LITTLE)
    for part in ("gemm_s", "attention_s", "elementwise_s", "head_s", "recompute_s", "tensor_s", "expert_s", "shard_s"):
        assert getattr(twice, part) == pytest.approx(2 * getattr(once, part), rel=1e-9, abs=1e-15)
    for part in ("bubble_s", "optimizer_s", "data_s"):
        assert getattr(twice, part) == pytest.approx(getattr(once, part), rel=1e-9)
    assert once.pipeline_s <= twice.pipeline_s <= 2 * once.pipeline_s


@given(cases())
def test_many_micro_batches_cost_a_stage_each(case: Case) -> None:
    """The bubble, the gradients and the optimizer vanish; a micro-batch takes its stage and its steady hops."""
    many = case.repeated(2.0**40)
    found, m = many.step(), many.plan.micro_batches
    tokens = tokens_per_micro_batch(case.plan, case.work)
    layer = mean_layer(case.model, case.plan, case.work, tokens, case.machine, case.soft)
    costs = costs_of(layer, case.model, case.plan, case.work, case.dealt, case.machine, case.soft)
    middle = costs.full_layers * costs.layer_s + costs.embedding_s
    last = costs.last_layers * costs.layer_s + costs.head_s + (costs.embedding_s if case.plan.pp == 1 else 0.0)
    hops = 2 * case.plan.vp * costs.hop_s * (1 - case.soft.pipeline_overlap)
    assert found.time_s / m == pytest.approx((max(middle, last) + hops) * (1 + costs.straggler), rel=1e-9)


@given(cases(), st.sampled_from((1.0, 2.0)))
def test_zero_bubble_schedules_are_never_slower(case: Case, schedule: float) -> None:
    """With one chunk a rank: interleaving is another way to the same end."""
    plain = case._replace(plan=case.plan._replace(vp=1.0))
    zero = plain._replace(plan=plain.plan._replace(schedule=schedule))
    twice = plain._replace(plan=plain.plan._replace(schedule=2.0))
    assert twice.step().time_s <= zero.step().time_s <= plain.step().time_s
    assert twice.step().bubble_s == 0.0


@given(cases())
def test_recomputation_costs_time(case: Case) -> None:
    shares = ((0.0,) * 5, (0.0, 0.0, 1.0, 0.0, 0.0), (1.0,) * 5)
    none, selective, full = (case._replace(plan=Plan(*case.plan[:12], *share)).step() for share in shares)
    assert none.recompute_s == 0.0
    assert none.time_s < selective.time_s < full.time_s


@pytest.fixture(scope="module")
def compiled() -> Any:
    """Return the step as the search compiles it."""
    import numba

    from perfcore import kernels

    assert kernels.__name__  # importing it registers the formulas
    return numba.njit(step_time)


def test_compiled_steps_are_the_same_to_the_last_bit(compiled: Any) -> None:
    @settings(max_examples=300)
    @given(cases())
    def check(case: Case) -> None:
        assert tuple(compiled(*case[:6])) == tuple(step_time(*case[:6]))

    check()
