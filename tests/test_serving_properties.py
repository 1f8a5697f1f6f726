"""What holds of every way to serve, on models, chips and engines of the catalogue: bounds, order, the compiled form."""

import math
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perfcore import chips, engines, models, systems
from perfcore.formulas import serving
from perfcore.formulas.records import Plan
from perfcore.formulas.serving import serving_step, total_s
from perfcore.formulas.serving_layer import Tokens
from perfcore.precisions import find_exactly
from perfcore.questions import plan_of
from perfcore.serving_plans import legal_plans
from perfcore.serving_questions import ServingQuestion, ServingSetting

MODELS = ("gpt2_small", "gemma_2b", "llama3_8b", "falcon_40b", "gpt3_175b", "gemma3_27b", "mixtral_8x7b", "deepseek_v3")
# Chip, engine, number format: every kind of machine and engine the formulas distinguish.
SETTINGS = (
    ("a100", "trtllm_2023", "fp16"),
    ("a100", "gpt_fast_2023", "int4_weights"),
    ("h100", "trtllm_2025", "fp8"),
    ("h20", "sglang_2025", "fp8"),
    ("h20", "vllm_2025", "bf16"),
    ("b200", "trtllm_2025", "nvfp4"),
    ("mi300x", "vllm_rocm_2025", "fp8"),
    ("tpu v6e", "vllm_tpu_2025", "bf16"),
    ("inferentia2", "neuronx_2024", "int8_weights"),
)
LITTLE = 1e-12
RATES = ("gemm_flop_s", "wide_gemm_flop_s", "attention_flop_s", "memory_bytes_s", "link_bytes_s", "network_bytes_s")
STARTS = ("kernel_s", "link_latency_s", "network_latency_s")


@cache
def setting(chip: str, engine: str, form: str) -> ServingSetting:
    item = chips.load(chip)
    return ServingSetting(item, systems.default_for(item), engines.load(engine), find_exactly(form, serving=True), 16)


@cache
def plans(name: str, ranks: int) -> tuple[Plan, ...]:
    return tuple(legal_plans(models.load(name).record, ranks, {}))


@st.composite
def questions(draw: Any) -> ServingQuestion:
    """Draw a legal plan of a model on some chips under a load."""
    name, where = draw(st.sampled_from(MODELS)), setting(*draw(st.sampled_from(SETTINGS)))
    number = draw(st.sampled_from((1, 8, 64)))
    legal = plans(name, number * where.devices)
    plan = legal[draw(st.integers(0, len(legal) - 1))]
    lengths = [float(draw(st.sampled_from(sizes))) for sizes in ((1, 100, 1000, 20000), (1, 100, 2000), (0, 0, 5000))]
    sequences = float(draw(st.sampled_from((1, 2, 4, 5, 8, 17, 64, 300, 3000))))
    return ServingQuestion(models.load(name).record, where, number, plan, sequences, *lengths)


def loads(asked: ServingQuestion) -> list[Tokens]:
    """Return the steps of a question: decode alone, prefill alone, both together."""
    context = asked.prefix + asked.prompt + asked.output / 2
    decode = Tokens(asked.sequences, context, 0.0, 0.0, 0.0)
    prompts = asked.sequences * asked.prompt
    return [
        decode,
        Tokens(0.0, 0.0, prompts, asked.prompt, asked.prefix),
        Tokens(asked.sequences, context, prompts / asked.output, asked.prompt, asked.prefix),
    ]


def time_of(asked: ServingQuestion, step: Tokens, **machine: float) -> float:
    used = asked.machine._replace(**machine)
    return total_s(serving_step(asked.model, asked.plan, step, asked.setting.formats(), used, asked.engine))


@given(questions())
def test_no_step_is_faster_than_the_datasheet(asked: ServingQuestion) -> None:
    for step in loads(asked):
        assert time_of(asked, step) >= asked.roofline_s(step) * (1 - LITTLE)


FORMS = ("bf16", "fp8", "nvfp4", "int8_weights", "int4_weights")
LOADS = (("llama3_8b", 1.0, 2000.0), ("gemma3_4b", 64.0, 9000.0), ("mixtral_8x7b", 7.0, 128.0))


@cache
def every_chip() -> list[str]:
    found = []
    for name in chips.ids():
        document = chips.load(name).document
        memory = document.get("memory", {})
        if "bandwidth_gb_s" in memory and "capacity_gb" in memory and document.get("peak_dense_tflops"):
            found.append(name)
    return found


@pytest.mark.parametrize("engine", engines.ids())
def test_no_chip_is_faster_than_its_datasheet_under_any_engine(engine: str) -> None:
    served = 0
    for name in every_chip():
        item = chips.load(name)
        rates = item.document["peak_dense_tflops"]
        for form in FORMS:
            used = find_exactly(form, serving=True)
            if used.format not in rates:
                continue
            where = ServingSetting(item, systems.default_for(item), engines.load(engine), used, 16)
            model, sequences, prompt = LOADS[served % len(LOADS)]
            asked = ServingQuestion(models.load(model).record, where, 1, plan_of(), sequences, prompt, 100.0)
            for step in loads(asked):
                assert asked.roofline_s(step) <= time_of(asked, step), (name, form, model)
            served += 1
    assert served > 200


@given(questions())
def test_parts_add_up_and_are_finite(asked: ServingQuestion) -> None:
    for found in (asked.prefill(), asked.decode(), asked.continuous()):
        assert all(part >= 0.0 and math.isfinite(part) for part in found)
        assert total_s(found) == pytest.approx(sum(found), rel=LITTLE)


@given(questions(), st.sampled_from(RATES), st.sampled_from((1.01, 1.5, 10.0)))
def test_a_faster_chip_is_never_slower(asked: ServingQuestion, rate: str, times: float) -> None:
    machine = asked.machine
    for step in loads(asked):
        assert time_of(asked, step, **{rate: getattr(machine, rate) * times}) <= time_of(asked, step) * (1 + LITTLE)


@given(questions(), st.sampled_from(STARTS))
def test_a_slower_start_is_never_faster(asked: ServingQuestion, start: str) -> None:
    for step in loads(asked):
        later = time_of(asked, step, **{start: getattr(asked.machine, start) * 2 + 1e-6})
        assert later >= time_of(asked, step) * (1 - LITTLE)


@given(questions())
def test_all_rates_twice_and_no_starts_are_half_the_time(asked: ServingQuestion) -> None:
    """Of what the chips do; what the host does stays."""
    none = dict.fromkeys(STARTS, 0.0)
    doubled = {rate: 2 * getattr(asked.machine, rate) for rate in RATES}
    host = dict.fromkeys(("exchange_s", "host_layer_s", "layer_s", "expert_s"), 0.0)
    engine = asked.engine._replace(**host, repeated_kv_bytes_s=0.0)
    for step in loads(asked):
        found = [
            serving_step(asked.model, asked.plan, step, asked.setting.formats(), machine, engine)
            for machine in (asked.machine._replace(**none), asked.machine._replace(**none, **doubled))
        ]
        once, twice = (total_s(one) - one.overhead_s for one in found)
        assert twice == pytest.approx(once / 2, rel=1e-9)
        assert found[0].overhead_s == found[1].overhead_s


@given(questions(), st.sampled_from((1.0, 3.0, 100.0)))
def test_more_sequences_are_never_quicker(asked: ServingQuestion, more: float) -> None:
    """Tiles are whole, so a step may stay as long; it may not get shorter."""
    larger = asked.with_sequences(asked.sequences + more)
    for one, other in zip(loads(asked), loads(larger), strict=True):
        assert time_of(larger, other) >= time_of(asked, one) * (1 - LITTLE)


@pytest.mark.parametrize("chip", ["mi308x", "h20", "a100", "tpu v6e"])
@pytest.mark.parametrize("model", ["llama3_70b", "mixtral_8x7b"])
def test_a_few_sequences_more_are_never_quicker(chip: str, model: str) -> None:
    """Where vector kernels give way to tiles, on chips of much bandwidth and little arithmetic."""
    where = setting(chip, "vllm_2025", "bf16")
    asked = ServingQuestion(models.load(model).record, where, 1, plan_of(), 1.0, 1000.0, 1000.0)
    times = [total_s(asked.with_sequences(float(number)).decode()) for number in range(1, 70)]
    assert times == sorted(times)


@given(questions(), st.sampled_from((1.0, 100.0, 30000.0)))
def test_longer_contexts_are_never_quicker(asked: ServingQuestion, more: float) -> None:
    for step in loads(asked):
        longer = step._replace(context=step.context + more, prefix=step.prefix + more)
        assert time_of(asked, longer) >= time_of(asked, step) * (1 - LITTLE)


@given(questions())
def test_a_cached_prefix_saves_time_and_whole_is_no_more(asked: ServingQuestion) -> None:
    """2,000 tokens of which 1,500 are cached are quicker than all, and slower than 500 alone."""
    formats, machine, engine = asked.setting.formats(), asked.machine, asked.engine

    def first(prompt: float, prefix: float) -> float:
        lengths = (1.0, prompt, prefix)
        return total_s(serving.prefill_step(asked.model, asked.plan, *lengths, formats, machine, engine))

    assert first(500.0, 0.0) <= first(500.0, 1500.0) * (1 + LITTLE)
    assert first(500.0, 1500.0) <= first(2000.0, 0.0) * (1 + LITTLE)


@given(questions())
def test_what_fits_fits(asked: ServingQuestion) -> None:
    """Weights and cache of the most sequences are within the share of the memory, one sequence more is not."""
    most = asked.capacity()
    room = asked.engine.memory_share * asked.machine.memory_bytes
    if most:
        assert asked.weight_bytes() + asked.with_sequences(most).kv_bytes() <= room * (1 + LITTLE)
    assert asked.weight_bytes() + asked.with_sequences(most + 1).kv_bytes() > room * (1 - LITTLE)


@given(questions())
def test_replicas_are_independent(asked: ServingQuestion) -> None:
    assume(asked.plan.ep == 1.0)
    other = asked.plan._replace(dp=2 * asked.plan.dp)
    for step in loads(asked):
        args = (asked.setting.formats(), asked.machine, asked.engine)
        assert serving_step(asked.model, other, step, *args) == serving_step(asked.model, asked.plan, step, *args)


@given(questions())
def test_a_prompt_is_not_quicker_for_being_passed_on(asked: ServingQuestion) -> None:
    """More stages never bring the first token of a short prompt sooner than the same ranks without stages."""
    alone = asked.plan._replace(pp=1.0)
    lengths = (1.0, 200.0, 0.0)
    args = (asked.setting.formats(), asked.machine, asked.engine)
    one, staged = (total_s(serving.prefill_step(asked.model, how, *lengths, *args)) for how in (alone, asked.plan))
    assert staged >= one * (1 - LITTLE)


@pytest.fixture(scope="module")
def compiled() -> Any:
    """Return step and prefill as numba compiles them, the formulas they call registered."""
    import numba

    from perfcore import kernels
    from perfcore.formulas import decode_attention, gemm, products, roofline, serving_layer, tiles

    for module in (gemm, tiles, roofline, products, decode_attention, serving_layer, serving):
        kernels._register(module)
    return numba.njit(serving.serving_step), numba.njit(serving.prefill_step)


def test_compiled_steps_are_the_same(compiled: Any) -> None:
    """One source for Python and numba: the same to 1e-12."""
    step_of, prefill_of = compiled

    @given(questions())
    def check(asked: ServingQuestion) -> None:
        given_ = (asked.setting.formats(), asked.machine, asked.engine)
        for step in loads(asked):
            found = step_of(asked.model, asked.plan, step, *given_)
            assert tuple(found) == pytest.approx(
                tuple(serving_step(asked.model, asked.plan, step, *given_)), rel=LITTLE, abs=0
            )
        lengths = (asked.sequences, asked.prompt, asked.prefix)
        found = prefill_of(asked.model, asked.plan, *lengths, *given_)
        plain = serving.prefill_step(asked.model, asked.plan, *lengths, *given_)
        assert tuple(found) == pytest.approx(tuple(plain), rel=LITTLE, abs=0)

    check()
