"""The table of legal plans against a brute force from the rules: every number tried, none skipped by a divisor."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.formulas.records import Model, Plan, Work
from perfcore.plans import divisors, legal_plans

# Shares of a layer's forward pass done again, as the record Plan explains them.
MODES = ((0.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0, 1.0))


def model(layers: int, heads: int, kv_heads: int, ffn: int, experts: int = 0) -> Model:
    """A model of which only what the rules read is chosen."""
    values = dict.fromkeys(Model._fields, 1.0)
    shape = {"layers": layers, "heads": heads, "kv_heads": kv_heads, "ffn": ffn, "experts": experts}
    return Model(**(values | {name: float(value) for name, value in shape.items()}))


DENSE = model(layers=8, heads=8, kv_heads=4, ffn=96)
ODD = model(layers=7, heads=12, kv_heads=12, ffn=60)
MOE = model(layers=6, heads=16, kv_heads=8, ffn=64, experts=16)
MQA = model(layers=10, heads=8, kv_heads=1, ffn=20)
MODELS = {"dense": DENSE, "odd": ODD, "moe": MOE, "mqa": MQA}


@cache
def degrees(ranks: int) -> list[tuple[int, int, int, int]]:
    """Every tp, cp, pp, dp whose product is the ranks, found by trying all."""
    numbers = range(1, ranks + 1)
    return [
        (tp, cp, pp, dp)
        for tp, cp, pp in itertools.product(numbers, repeat=3)
        if tp * cp * pp <= ranks
        for dp in numbers
        if tp * cp * pp * dp == ranks
    ]


def stages(layers: int, pp: int, counted: int) -> list[int] | None:
    """Deal the layers like cards, embedding and head as a card each where counted; None if a stage gets no layer."""
    cards = [0] * counted + [1] * layers + [0] * counted
    hand = 1
    while hand * pp < len(cards):
        hand += 1
    hands = [sum(cards[i * hand : (i + 1) * hand]) for i in range(pp)]
    return [hand, *hands] if all(hands) else None


def chunkings(layers: int, pp: int, micro_batches: int) -> Iterator[tuple[int, int]]:
    """Virtual stages, and whether embedding and head count as layers."""
    if pp == 1:
        yield 1, 0
        return
    for counted in (0, 1):
        dealt = stages(layers, pp, counted)
        if dealt is None:
            continue
        even = dealt[0] * pp == layers + 2 * counted
        if counted and (not even or layers % pp == 0):
            continue  # counting them is there to make an uneven deal even
        yield 1, counted
        for vp in range(2, dealt[0] + 1):
            if even and dealt[0] % vp == 0 and micro_batches % pp == 0:
                yield vp, counted


def heads_fit(of: Model, tp: int, domain: int) -> bool:
    whole_kv = of.kv_heads % tp == 0 or tp % of.kv_heads == 0
    return tp <= domain and of.heads % tp == 0 and of.ffn % tp == 0 and whole_kv


def brute_force(of: Model, work: Work, ranks: int, domain: int) -> Iterator[tuple[float, ...]]:
    """Yield every legal plan as the record's numbers, and how its layers are dealt."""
    for tp, cp, pp, dp in degrees(ranks):
        if not heads_fit(of, tp, domain) or work.global_batch % dp or (cp > 1 and work.seq % (2 * cp)):
            continue
        share = int(work.global_batch) // dp
        eps = [ep for ep in range(1, int(of.experts) + 1) if of.experts % ep == 0 and (tp * cp * dp) % ep == 0]
        shards = [0] if dp * cp == 1 else [0, 1, 2, 3] if pp == 1 else [0, 1]
        parallels = [0] if tp == 1 else [1] if of.experts else [0, 1]
        for micro_batch in range(1, share + 1):
            if share % micro_batch:
                continue
            count = share // micro_batch
            for (vp, counted), ep, shard, parallel, mode in itertools.product(
                list(chunkings(int(of.layers), pp, count)), eps or [1], shards, parallels, MODES
            ):
                yield (tp, pp, vp, cp, dp, ep, micro_batch, count, shard, dp * cp, parallel, 0, *mode, counted)


Rows = list[tuple[float, ...]]


def rows(of: Model, work: Work, ranks: int, domain: int, wanted: Mapping[str, float] | None = None) -> Rows:
    table = legal_plans(of, work, ranks, domain, wanted or {})
    assert table.plans.shape == (len(table), len(Plan._fields))
    assert table.dealt.shape == (len(table),)
    return [(*plan, dealt) for plan, dealt in zip(table.plans.tolist(), table.dealt.tolist(), strict=True)]


@pytest.mark.parametrize("ranks", range(1, 17))
@pytest.mark.parametrize("name", MODELS)
def test_the_table_holds_every_legal_plan_once(name: str, ranks: int) -> None:
    work = Work(seq=48.0, global_batch=24.0)
    found = rows(MODELS[name], work, ranks, domain=8)
    assert len(set(found)) == len(found)
    assert set(found) == set(brute_force(MODELS[name], work, ranks, 8))


@settings(max_examples=60)
@given(
    st.integers(1, 9), st.sampled_from([1, 2, 3, 4, 6, 8, 12]), st.sampled_from([1, 2, 3, 4, 12]),
    st.sampled_from([7, 12, 16, 24, 48]), st.sampled_from([0, 0, 1, 2, 6, 8]), st.integers(1, 16), st.integers(1, 16),
    st.integers(1, 18), st.sampled_from([1, 2, 4, 8, 72]),
)  # fmt: skip
def test_any_small_model(
    layers: int, heads: int, kv_heads: int, ffn: int, experts: int, seq: int, batch: int, ranks: int, domain: int
) -> None:
    of, work = model(layers, heads, kv_heads, ffn, experts), Work(float(seq), float(batch))
    found = rows(of, work, ranks, domain)
    assert sorted(found) == sorted(set(brute_force(of, work, ranks, domain)))


# Counted by hand. One layer on one chip, batch 1: the three ways to recompute.
# Two ranks, 1 head, 1 layer, batch 2, odd sequence: only dp = 2 (micro-batch 1), shards 0 to 3, three recomputes: 12.
# Two ranks, 2 heads, 2 layers, batch 1, odd sequence: tp = 2 with or without sequence parallelism: 2 x 3; pp = 2: 3.
@pytest.mark.parametrize(
    ("of", "seq", "batch", "ranks", "count"),
    [(model(1, 1, 1, 4), 7, 1, 1, 3), (model(1, 1, 1, 4), 7, 2, 2, 12), (model(2, 2, 2, 4), 7, 1, 2, 9)],
)
def test_counts_by_hand(of: Model, seq: int, batch: int, ranks: int, count: int) -> None:
    assert len(rows(of, Work(seq, batch), ranks, 8)) == count


def agrees(row: tuple[float, ...], name: str, value: float) -> bool:
    """Whether a plan is what was asked for; one rank has nothing to shard, and no sequence to share without tp."""
    plan = Plan(*row[:-1])
    if name == "recompute":
        return plan[12:] == MODES[int(value)]
    if (name == "shard" and plan.shard_group == 1) or (name == "sequence_parallel" and plan.tp == 1):
        return True
    return bool(getattr(plan, name) == value)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "wanted",
    [
        {"tp": 2}, {"pp": 4}, {"vp": 2}, {"cp": 2}, {"dp": 4}, {"ep": 4}, {"micro_batch": 3}, {"recompute": 1},
        {"shard": 2}, {"sequence_parallel": 1}, {"sequence_parallel": 0}, {"tp": 4, "pp": 2, "vp": 1, "shard": 1},
        {"ep": 1, "dp": 1}, {"vp": 1},
    ],
    ids=str,
)  # fmt: skip
def test_given_parts_restrict(name: str, wanted: dict[str, float]) -> None:
    work = Work(48.0, 24.0)
    every = rows(MODELS[name], work, 8, 8)
    expected = [row for row in every if all(agrees(row, part, value) for part, value in wanted.items())]
    assert rows(MODELS[name], work, 8, 8, wanted) == expected


@pytest.mark.parametrize(
    ("of", "ranks", "wanted"),
    [
        (DENSE, 8, {"tp": 3}),  # does not divide the ranks
        (ODD, 5, {"tp": 5}),  # nor the 12 heads
        (DENSE, 16, {"tp": 16}),  # larger than the domain of 8
        (model(4, 8, 3, 96), 2, {"tp": 2}),  # 3 KV heads over 2
        (model(4, 8, 8, 9), 2, {"tp": 2}),  # an MLP 9 wide over 2
        (ODD, 8, {"pp": 8}),  # more stages than layers
        (ODD, 5, {"pp": 5}),  # 2 2 2 1 0
        (DENSE, 7, {}),  # 7 divides neither heads nor batch, and 1 layer a stage needs 8 layers: 2 2 2 2 0 0 0
        (DENSE, 5, {"dp": 5}),  # 24 sequences over 5
        (DENSE, 4, {"micro_batch": 25}),
        (DENSE, 4, {"pp": 1, "vp": 2}),
        (DENSE, 4, {"ep": 2}),  # no experts
        (MOE, 3, {"ep": 2}),  # 3 ranks
        (MOE, 9, {"ep": 3}),  # 16 experts over 3
        (DENSE, 5, {"cp": 5}),  # 48 tokens are not 10 parts
        (DENSE, 4, {"pp": 4, "dp": 1, "shard": 3, "cp": 2}),
        (DENSE, 4, {"pp": 2, "dp": 2, "shard": 2}),  # weights or gradients sharded in a pipeline
        (DENSE, 49, {}),  # 7 may be no degree, 49 neither
    ],
    ids=str,
)
def test_impossible_requests_give_an_empty_table(of: Model, ranks: int, wanted: dict[str, float]) -> None:
    assert rows(of, Work(48.0, 24.0), ranks, 8, wanted) == []


def test_the_order_does_not_depend_on_the_run() -> None:
    code = (
        "import hashlib; from test_plans import *\n"
        "for of in MODELS.values():\n"
        "    t = legal_plans(of, Work(48.0, 24.0), 12, 8, {})\n"
        "    print(hashlib.sha256(t.plans.tobytes() + t.dealt.tobytes()).hexdigest())"
    )
    here = os.path.dirname(__file__)
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=here, capture_output=True,
            text=True, check=True,
        ).stdout
        for seed in ("0", "1", "27")
    }  # fmt: skip
    assert len(printed) == 1


def test_a_row_is_a_plan() -> None:
    table = legal_plans(DENSE, Work(48.0, 24.0), 4, 8, {"tp": 2, "pp": 2, "micro_batch": 3, "recompute": 2})
    first = table.plan(0)
    assert first == Plan(2, 2, 1, 1, 1, 1, 3, 8, 0, 1, 0, 0, *MODES[2])
    assert all(isinstance(value, float) for value in first)


@given(st.integers(1, 5000))
def test_divisors(number: int) -> None:
    assert divisors(number) == [d for d in range(1, number + 1) if number % d == 0]


def test_columns_are_floats() -> None:
    table = legal_plans(DENSE, Work(48.0, 24.0), 8, 8, {})
    assert table.plans.dtype == table.dealt.dtype == np.float64
