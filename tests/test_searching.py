"""The plan search against plain loops: same winner, same numbers to the last bit, whatever threads, path or cache."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore import chips, models, precisions, searching, software, systems
from perfcore.formulas.footprint import memory_bytes
from perfcore.formulas.pipeline import Costs, step_seconds
from perfcore.formulas.records import Plan, Work
from perfcore.formulas.step import step_time
from perfcore.machine import Setting
from perfcore.plans import Table, legal_plans
from perfcore.questions import Question
from perfcore.refusals import impossible
from perfcore.searching import SMALL, Found, fastest, search

FIRST = Plan(*(1.0,) * 8, 0.0, 1.0, *(0.0,) * 7)


def question(
    model: str, chip: str, count: int, batch: int, seq: int, form: str = "bf16", era: str = "", devices: int = 1
) -> Question:
    item = chips.load(chip)
    if devices > 1:
        item = replace(item, document={**item.document, "devices": devices})
    used = software.load(era or software.default_for(item.document["vendor"]))
    setting = Setting(item, systems.default_for(item), used, precisions.find(form), used.attention_kernel)
    return Question(models.load(model).record, setting, count, FIRST, Work(float(seq), float(batch)))


def ranks(base: Question) -> int:
    return base.chips * base.setting.devices


# Dense, MoE (also with MLA), two devices a package, systolic arrays, software that stores otherwise by sharding and
# pipeline (DeepSpeed in fp16, FSDP2), 8 bit, most plans too big, all of them too big.
CASES: dict[str, tuple[Any, ...]] = {
    "dense": ("llama3_8b", "h100", 8, 16, 4096),
    "odd count": ("llama3_8b", "h100", 12, 24, 2048),
    "moe": ("mixtral_8x7b", "a100", 16, 8, 4096),
    "mla": ("deepseek_v2_lite", "mi300x", 8, 16, 4096, "fp8"),
    "two devices": ("llama3_70b", "mi250x", 16, 8, 4096, "bf16", "", 2),
    "systolic": ("gemma_2b", "tpu v5p", 8, 16, 4096),
    "deepspeed": ("gpt3_6.7b", "v100", 8, 16, 2048, "fp16", "megatron_deepspeed_2022"),
    "fsdp2": ("llama3_8b", "h100", 8, 8, 8192, "fp8", "torchtitan_2024"),
    "counted": ("llama3_405b", "h200", 128, 8, 8192),
    "tight": ("llama3_70b", "h100", 24, 12, 8192),
    "too big": ("llama3_70b", "h100", 8, 8, 8192),
}


@cache
def loops(name: str) -> tuple[Table, list[float], list[float]]:
    """Time and memory of each legal plan: no arrays, no compiled code, no code of the search."""
    base = question(*CASES[name])
    setting, machine = base.setting, base.machine()
    table = legal_plans(base.model, base.work, ranks(base), setting.system.domain_chips * setting.devices, {})
    times, memory = [], []
    for numbers, dealt in zip(table.plans.tolist(), table.dealt.tolist(), strict=True):
        plan = Plan(*numbers)
        kept = setting.software.storage(
            setting.precision.bits, setting.precision.name == "fp16", int(plan.shard), int(plan.pp)
        )._replace(embedding_layers=dealt, attention_unfused=float(setting.attention_kernel == "unfused"))
        times.append(step_time(base.model, plan, base.work, dealt, machine, base.soft()).time_s)
        memory.append(memory_bytes(base.model, plan, base.work, kept))
    return table, times, memory


@cache
def searched(name: str, threads: int = 1) -> Found:
    base = question(*CASES[name])
    return search(base, ranks(base), {}, threads=threads)


@pytest.mark.parametrize("name", CASES)
def test_the_winner_is_that_of_plain_loops(name: str) -> None:
    table, times, memory = loops(name)
    capacity = question(*CASES[name]).machine().memory_bytes
    best, row = math.inf, None
    for i in range(len(table)):
        if memory[i] <= capacity and times[i] < best:
            best, row = times[i], i
    assert searched(name).best == row
    assert (row is None) == (name == "too big")


@pytest.mark.parametrize("name", CASES)
def test_times_and_memory_are_those_of_plain_loops_to_the_last_bit(name: str) -> None:
    """0 ulp: the compiled formulas add, multiply, divide and take roots and base-2 logarithms as Python does."""
    table, times, memory = loops(name)
    found = searched(name)
    assert len(table) > SMALL, "or this compares plain Python with itself"
    assert found.raw.tolist() == times
    assert found.memory.tolist() == memory
    assert np.array_equal(found.table.plans, table.plans)


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_never_chosen(name: str) -> None:
    found, capacity = searched(name), question(*CASES[name]).machine().memory_bytes
    assert np.array_equal(np.isinf(found.times), found.memory > capacity)
    fits = found.memory <= capacity
    assert np.array_equal(found.times[fits], found.raw[fits])
    assert all(found.memory[row] <= capacity for row in (*found.order, *found.front))


def test_a_plan_that_fills_the_chip_to_the_last_byte_fits() -> None:
    base, found = question(*CASES["dense"]), searched("dense")
    row = next(row for row in found.front if float(found.memory[row]) / 1e9 * 1e9 == found.memory[row])
    chip = base.setting.chip
    gigabytes = float(found.memory[row]) / 1e9
    memory = {**chip.document["memory"], "capacity_gb": gigabytes}
    smaller = replace(chip, document={**chip.document, "memory": memory})
    full = search(replace(base, setting=replace(base.setting, chip=smaller)), 8, {})
    assert full.best == row


def test_the_cases_are_what_they_are_named() -> None:
    fitting = {name: float(np.isfinite(searched(name).times).mean()) for name in CASES}
    assert fitting["too big"] == 0.0
    assert 0.0 < fitting["tight"] < 0.2
    assert fitting["systolic"] == 1.0
    assert question(*CASES["two devices"]).setting.devices == 2
    assert loops("counted")[0].dealt.any()
    assert loops("moe")[0].plans[:, 5].max() > 1


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("name", ["dense", "moe", "tight"])
def test_threads_change_nothing(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = searched(name)
    monkeypatch.setattr(searching, "CHUNK", 100)  # many chunks, the last one short
    base = question(*CASES[name])
    for count in (1, threads):
        several = search(base, ranks(base), {}, threads=count)
        assert several.raw.tobytes() == one.raw.tobytes()
        assert several.memory.tobytes() == one.memory.tobytes()
        assert (several.best, several.order, several.front) == (one.best, one.order, one.front)


@pytest.mark.parametrize("name", ["dense", "moe", "too big"])
def test_few_plans_are_answered_in_python_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = question(*CASES[name])
    monkeypatch.setattr(searching, "SMALL", len(searched(name).table))
    searching.load_loops.cache_clear()  # as in a process that has just started
    monkeypatch.setattr(searching, "_compiled", lambda progress: pytest.fail("compiled code was asked for"))
    small = search(base, ranks(base), {})
    assert small.raw.tobytes() == searched(name).raw.tobytes()
    assert small.memory.tobytes() == searched(name).memory.tobytes()
    assert small.best == searched(name).best


def test_few_plans_are_answered_by_loops_that_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    base = question("gpt3_1.3b", "a100", 1, 2, 2048)
    searching.load_loops.cache_clear()
    plain = search(base, 1, {})
    searching.load_loops()
    monkeypatch.setattr(searching, "_in_python", lambda *_: pytest.fail("plain Python was asked for"))
    loaded = search(base, 1, {})
    assert len(plain.table) == 6  # micro-batch 1 or 2, three ways to recompute
    assert (loaded.raw.tobytes(), loaded.memory.tobytes()) == (plain.raw.tobytes(), plain.memory.tobytes())


def test_few_plans_need_no_numba() -> None:
    code = (
        "import sys; from perfcore.training import train\n"
        "found = train('gpt3_1.3b', 'a100', 1, global_batch=2)\n"
        "print(found.configs_evaluated, 'numba' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["6", "False"]  # micro-batch 1 or 2, three ways to recompute


# Ties, order and front on tables of made-up figures.


def found_of(figures: list[tuple[float, float]], capacity: float) -> Found:
    times = np.array([time_s if held <= capacity else math.inf for time_s, held in figures])
    raw, memory = (np.array([pair[k] for pair in figures], dtype=float) for k in (0, 1))
    table = Table(np.ones((len(figures), len(Plan._fields))), np.zeros(len(figures)))
    return Found(table, raw, times, memory, 0.0)


pairs = st.lists(st.tuples(st.integers(1, 9).map(float), st.integers(1, 9).map(float)), max_size=30)


@given(pairs)
def test_best_order_and_front_of_any_figures(figures: list[tuple[float, float]]) -> None:
    found = found_of(figures, 7.0)
    fit = [row for row, (_, held) in enumerate(figures) if held <= 7.0]
    assert found.best == (min(fit, key=lambda row: (figures[row][0], row)) if fit else None)
    first_of_each = [row for row in fit if figures.index(figures[row]) == row]
    assert found.order == sorted(first_of_each, key=lambda row: (figures[row][0], row))
    front = []
    for row in first_of_each:
        time_s, held = figures[row]
        beaten = any(figures[o][0] <= time_s and figures[o][1] <= held and figures[o] != figures[row] for o in fit)
        if not beaten:
            front.append(row)
    assert found.front == sorted(front, key=lambda row: figures[row][0])


def test_of_equals_the_lowest_row_wins() -> None:
    found = found_of([(2.0, 1.0), (1.0, 5.0), (1.0, 3.0), (1.0, 5.0), (0.5, 9.0)], 7.0)
    assert found.best == 1
    assert found.order == [1, 2, 0]  # row 3 equals row 1 in both
    assert found.front == [2, 0]


def test_nothing_to_choose_from() -> None:
    for figures in ([], [(1.0, 9.0)]):
        found = found_of(figures, 7.0)
        assert (found.best, found.order, found.front) == (None, [], [])


@pytest.mark.parametrize("name", ["dense", "moe", "mla", "tight"])
def test_the_front_is_that_of_plain_loops(name: str) -> None:
    _, times, memory = loops(name)
    capacity = question(*CASES[name]).machine().memory_bytes
    least, front = math.inf, []
    for time_s, held in sorted({pair for pair in zip(times, memory, strict=True) if pair[1] <= capacity}):
        if held < least:
            least = held
            front.append((time_s, held))
    found = searched(name)
    assert [(float(found.raw[row]), float(found.memory[row])) for row in found.front] == front


@pytest.mark.parametrize("name", ["dense", "moe", "mla", "tight"])
def test_order_rises_and_repeats_nothing(name: str) -> None:
    found = searched(name)
    keys = [(float(found.times[row]), float(found.memory[row])) for row in found.order]
    assert [time_s for time_s, _ in keys] == sorted(time_s for time_s, _ in keys)
    assert len(set(keys)) == len(keys)
    assert found.order[0] == found.best


def test_refusals_count_devices() -> None:
    """Four packages of two devices share the fast link: tp goes up to 8; 17 packages are 34 ranks."""
    base = question(*CASES["two devices"])
    said = str(impossible(base, 32, {"tp": 16}))
    assert "allowed on 32 ranks: 1, 2, 4 or 8" in said
    assert "8 ranks that the fast link joins" in said
    odd = replace(base, chips=19)
    assert "found 19" in str(impossible(odd, 38, {}))
    near = int(str(impossible(odd, 38, {})).split("nearest that can: ")[1])
    assert len(search(replace(base, chips=near), 2 * near, {}).table)
    assert all(not len(search(replace(base, chips=n), 2 * n, {}).table) for n in range(near + 1, 19))


def test_no_legal_plan_is_nothing_found() -> None:
    base = question("llama3_8b", "h100", 8, 8, 4096)
    found = search(base, 8, {"tp": 3})
    assert (len(found.table), found.best, found.order, found.front, found.seconds) == (0, None, [], [], 0.0)


def test_the_search_says_when_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from perfcore import kernels

    said: list[str] = []
    monkeypatch.setattr(kernels, "is_cold", lambda: True)
    search(question(*CASES["dense"]), 8, {}, said.append)
    assert said == ["loading the search", "compiling the search; once for each version, a few seconds", ""]


# The cache of compiled code, each time in a fresh process.

SEARCH = """
from perfcore import kernels
import test_searching as t
base = t.question(*t.CASES["dense"])
found = t.search(base, 8, {})
print(kernels.CACHED, kernels.is_cold(), found.best, found.raw[found.best].hex())
"""
# The smaller of the two loops alone, which compiles in less time: one plan, whose costs are 1, 2, ... 11.
TIMES = """
from perfcore import kernels
from perfcore.kernels import search as loops
import numpy as np
cold, one, out = kernels.is_cold(), np.ones(1), np.zeros(1)
kernels.ready(loops.times, 4 * one, 2 * one, 8 * one, one, np.arange(1.0, 12.0).reshape(11, 1), 1.0, 0.5, 0.5, out)
print(cold, kernels.is_cold(), float(out[0]).hex())
"""
ANSWER = step_seconds(4.0, 2.0, 8.0, 0.0, 0.5, 0.5, Costs(*range(1, 12))).hex()


def run(code: str, cache_dir: Path) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PERFCORE_CACHE_DIR": str(cache_dir)},
        cwd=os.path.dirname(__file__), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.split()


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """Below a file no folder can be made, not even by root."""
    file = tmp_path / "a_file"
    file.write_text("")
    found = searched("dense")
    assert found.best is not None
    said = ["False", "True", str(found.best), float(found.raw[found.best]).hex()]
    assert run(SEARCH, file / "below") == said


def test_the_cache_is_cold_once(tmp_path: Path) -> None:
    assert run(TIMES, tmp_path) == ["True", "False", ANSWER]
    assert run(TIMES, tmp_path) == ["False", "False", ANSWER]


@pytest.mark.parametrize(("kind", "damage"), [("nbi", b""), ("nbi", b"no pickle"), ("nbc", b""), ("nbc", b"\x80\x05k")])
def test_a_broken_cache_is_made_anew(kind: str, damage: bytes, tmp_path: Path) -> None:
    run(TIMES, tmp_path)
    files = list(tmp_path.rglob(f"*.{kind}"))
    assert len(files) == 1
    whole = files[0].stat().st_size
    files[0].write_bytes(damage)
    assert run(TIMES, tmp_path) == ["False", "False", ANSWER]
    assert [path.stat().st_size > whole / 2 for path in tmp_path.rglob(f"*.{kind}")] == [True]


def test_a_full_disk_is_done_without(tmp_path: Path) -> None:
    """Files can be made but hold nothing."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    assert run(full + TIMES, tmp_path) == ["True", "True", ANSWER]


def test_a_user_without_a_home_is_served(tmp_path: Path) -> None:
    homeless = """
import os, pathlib
def none(): raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = none
if os.environ.pop("NO_DIR", ""): del os.environ["PERFCORE_CACHE_DIR"]; os.environ.pop("XDG_CACHE_HOME", None)
"""
    assert run(homeless + TIMES, tmp_path) == ["True", "False", ANSWER]
    assert run("import os; os.environ['NO_DIR'] = '1'" + homeless + TIMES, tmp_path) == ["True", "True", ANSWER]


def test_an_error_of_the_loop_itself_is_not_hidden() -> None:
    from perfcore import kernels

    def wrong() -> None:
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_forget", lambda: None)
        with pytest.raises(ZeroDivisionError):
            kernels.ready(wrong)


def others() -> dict[str, tuple[Question, Question, dict[str, float]]]:
    """Questions that differ in one thing alone, and what is given of the second one's plan."""
    first = question("llama3_8b", "h100", 16, 16, 4096)
    half = question("gpt3_6.7b", "v100", 8, 16, 2048, "fp16", "megatron_deepspeed_2022")
    setting = first.setting
    return {
        "model": (first, replace(first, model=first.model._replace(vocab=2.0 * first.model.vocab)), {}),
        "batch": (first, replace(first, work=first.work._replace(global_batch=32.0)), {}),
        "sequence": (first, replace(first, work=first.work._replace(seq=8192.0)), {}),
        "chips": (first, replace(first, chips=8), {}),
        "chip": (first, replace(first, setting=replace(setting, chip=chips.load("h20"))), {}),
        "system": (first, replace(first, setting=replace(setting, system=systems.load("dgx a100"))), {}),
        "8 bit": (first, replace(first, setting=replace(setting, precision=precisions.find("fp8"))), {}),
        "stored": (half, replace(half, setting=replace(half.setting, precision=precisions.find("bf16"))), {}),
        "end": (first, replace(first, setting=replace(setting, chip=_wide(setting.chip), end="low")), {}),
        "local steps": (first, replace(first, gradient_bytes=0.1), {}),
        "overlap": (first, replace(first, tensor_overlap=0.0), {"tp": 4.0}),
        "given": (first, first, {"tp": 8.0}),
    }


def _wide(chip: chips.Item) -> chips.Item:
    memory = {**chip.document["memory"], "bandwidth_gb_s": {"low": 2000, "high": 4000}}
    return replace(chip, document={**chip.document, "memory": memory})


@pytest.mark.parametrize("name", others())
def test_what_is_remembered_is_of_the_same_question(name: str) -> None:
    first, second, given_too = others()[name]
    searching._fastest.cache_clear()
    before = fastest(first, ranks(first), {})
    for _ in range(2):  # found anew, then remembered
        found = search(second, ranks(second), given_too)
        assert found.best is not None
        expected = (found.question(second, found.best), float(found.times[found.best]))
        assert fastest(second, ranks(second), given_too) == expected
    assert before is not None
    assert before[1] != expected[1]
    assert (searching._fastest.cache_info().misses, searching._fastest.cache_info().hits) == (2, 1)


def test_that_no_plan_fits_is_remembered_too() -> None:
    base = question(*CASES["too big"])
    searching._fastest.cache_clear()
    assert fastest(base, ranks(base), {}) is fastest(base, ranks(base), {}) is None
    assert searching._fastest.cache_info().misses == 1
