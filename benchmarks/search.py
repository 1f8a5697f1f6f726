"""How fast the plan search is, beside plain Python and what the machine allows: Llama 3.1 405B on 16,384 H100.

Run with the Python of an environment that has perfcore installed: ``python benchmarks/search.py [--json]``. Everything
is measured in one run on the same plans, on one core, the best of several. ``limit`` is a loop that reads the columns
the kernel ``times`` reads and writes the one it writes, and does nothing but add them up; a share of about 1 says that
the kernel waits for memory. ``large`` is the same with 30 copies of the plans, more than caches hold. ``fill`` makes
what ``times`` reads, and the memory of each plan; ``search`` is all of it with the table. Plain Python is step_time and
memory_bytes of each plan.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from perfcore import chips, kernels, models, precisions, software, systems
from perfcore.formulas.footprint import memory_bytes
from perfcore.formulas.records import Plan, Work
from perfcore.formulas.step import Step, step_time
from perfcore.kernels import search as loops
from perfcore.machine import Setting
from perfcore.plans import Table, legal_plans
from perfcore.questions import Question, plan_of
from perfcore.searching import _fill_by_storage, search

CHIPS = 16384
REPEATS = 7
SAMPLE = 2000
COPIES = 30
COMMAND = (
    f"train llama3_405b --chip h100 --chips {CHIPS} --global-batch 2048 --seq 8192 --precision bf16 --json".split()
)
TARGETS = {
    "times_plans_per_s": (100e6, "at least"),
    "times_over_python": (1000, "at least"),
    "breakdown_us_per_plan": (1.0, "at most"),
    "command_warm_s": (1.5, "at most"),
}


def asked() -> Question:
    chip = chips.load("h100")
    used = software.load(software.default_for("NVIDIA"))
    setting = Setting(chip, systems.default_for(chip), used, precisions.find("bf16"), used.attention_kernel)
    return Question(models.load("llama3_405b").record, setting, CHIPS, plan_of(), Work(8192.0, 2048.0))


def best(run: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the shortest of several runs [s]; the first, which may compile, does not count."""
    run()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return min(spent)


@kernels.compiled
def read_and_write(pp: Any, vp: Any, count: Any, memory: Any, costs: Any, capacity: float, out: Any) -> None:
    """Read the 14 columns of the search, write its one (1F1B does not ask for weight_s, row 3)."""
    for i in range(pp.shape[0]):
        total = pp[i] + vp[i] + count[i] + costs[0, i] + costs[1, i] + costs[2, i] + costs[4, i]
        total += costs[5, i] + costs[6, i] + costs[7, i] + costs[8, i] + costs[9, i] + costs[10, i]
        out[i] = total if memory[i] <= capacity else np.inf


@kernels.compiled
def breakdowns(model: Any, work: Any, machine: Any, soft: Any, plans: Any, dealt: Any, out: Any) -> None:
    """Write every part of the step of each plan."""
    for i in range(plans.shape[0]):
        p = plans[i]
        plan = Plan(
            p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16]
        )
        s = step_time(model, plan, work, dealt[i], machine, soft)
        row = out[i]
        row[0], row[1], row[2], row[3], row[4] = s.time_s, s.gemm_s, s.attention_s, s.elementwise_s, s.head_s
        row[5], row[6], row[7], row[8], row[9] = s.recompute_s, s.tensor_s, s.context_s, s.expert_s, s.shard_s
        row[10], row[11], row[12], row[13] = s.pipeline_s, s.bubble_s, s.data_s, s.optimizer_s
        row[14], row[15], row[16] = s.launch_s, s.straggler_s, s.fixed_s


def of_loops(base: Question, table: Table) -> dict[str, float]:
    """Measure the compiled loops [s for the table]."""
    machine, soft = base.machine(), base.soft()
    count = len(table)
    costs, memory, out = np.empty((len(loops.COSTS), count)), np.empty(count), np.empty(count)
    pp, vp, batches = (np.ascontiguousarray(table.plans[:, k]) for k in (1, 2, 7))
    parts, parts_of = np.empty((count, len(Step._fields))), (base.model, base.work, machine, soft)
    overlaps = (soft.pipeline_overlap, soft.data_overlap)

    def fill() -> None:
        _fill_by_storage(loops, base, table.plans, table.dealt, machine, soft, costs, memory)

    fill()
    columns = (pp, vp, batches, memory)
    large = [*(np.tile(column, COPIES) for column in columns), np.tile(costs, (1, COPIES))]
    large_out = np.empty(count * COPIES)
    spent = {
        "table": best(lambda: legal_plans(base.model, base.work, CHIPS, base.setting.system.domain_chips, {}), 3),
        "fill": best(fill),
        "times": best(lambda: loops.times(*columns, costs, np.inf, *overlaps, out), 200),
        "limit": best(lambda: read_and_write(*columns, costs, np.inf, out), 200),
        "times_large": best(lambda: loops.times(*large, np.inf, *overlaps, large_out)),
        "limit_large": best(lambda: read_and_write(*large, np.inf, large_out)),
        "breakdown": best(lambda: breakdowns(*parts_of, table.plans, table.dealt, parts)),
        "search": best(lambda: search(base, CHIPS, {})),
    }
    assert np.array_equal(parts[:, 0], search(base, CHIPS, {}).raw), "the loops disagree"
    return spent


def of_python(base: Question, table: Table) -> float:
    """Measure plain Python on every n-th plan [s a plan]."""
    rows = range(0, len(table), max(1, len(table) // SAMPLE))
    plans = [(table.plan(row), float(table.dealt[row])) for row in rows]
    machine, soft, storage = base.machine(), base.soft(), base.storage()

    def run() -> None:
        for plan, dealt in plans:
            step_time(base.model, plan, base.work, dealt, machine, soft)
            memory_bytes(base.model, plan, base.work, storage)

    return best(run, 3) / len(plans)


def of_command() -> dict[str, float]:
    """Measure the whole command with compiled code in the cache and with none [s]."""
    with tempfile.TemporaryDirectory() as folder:
        place = {**os.environ, "PERFCORE_CACHE_DIR": folder}

        def run() -> None:
            subprocess.run([sys.executable, "-m", "perfcore", *COMMAND], env=place, capture_output=True, check=True)

        start = time.perf_counter()
        run()
        cold = time.perf_counter() - start
        return {"command_cold_s": cold, "command_warm_s": best(run, 5)}


def measured() -> dict[str, float]:
    """Measure the loops, plain Python and the command in one run, to four digits."""
    base = asked()
    table = legal_plans(base.model, base.work, CHIPS, base.setting.system.domain_chips, {})
    count = len(table)
    spent, plain = of_loops(base, table), of_python(base, table)
    found = {
        "plans": count,
        "times_plans_per_s": count / spent["times"],
        "times_over_python": plain * count / spent["times"],
        "limit_plans_per_s": count / spent["limit"],
        "times_share_of_limit": spent["limit"] / spent["times"],
        "times_large_plans_per_s": COPIES * count / spent["times_large"],
        "times_large_share_of_limit": spent["limit_large"] / spent["times_large"],
        "fill_plans_per_s": count / spent["fill"],
        "fill_over_python": plain * count / spent["fill"],
        "table_plans_per_s": count / spent["table"],
        "search_plans_per_s": count / spent["search"],
        "search_over_python": plain * count / spent["search"],
        "python_plans_per_s": 1.0 / plain,
        "breakdown_us_per_plan": spent["breakdown"] / count * 1e6,
        **of_command(),
    }
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def main() -> None:
    found = measured()
    if "--json" in sys.argv[1:]:
        print(json.dumps({**found, "targets": {name: value for name, (value, _) in TARGETS.items()}}, indent=2))
        return
    for name, value in found.items():
        target, sense = TARGETS.get(name, (None, ""))
        met = target is not None and (value >= target if sense == "at least" else value <= target)
        beside = "" if target is None else f"   {sense} {target:,.4g}: {'met' if met else 'MISSED'}"
        print(f"{name:28} {value:>16,.4g}{beside}")


if __name__ == "__main__":
    main()
