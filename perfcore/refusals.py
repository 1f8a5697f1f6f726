"""What to say when no plan is legal or none fits: which part is wrong, what would do, on how many chips it would go."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Plan
from perfcore.plans import MODES, Table, legal_plans
from perfcore.questions import RECOMPUTE, Question
from perfcore.searching import Found, search

__all__ = ["impossible", "too_big"]

GIGA = 1e9
NEAR = 64  # every number of chips this near is tried, beyond it powers of two
TRIED = 16  # numbers of chips between one that does not do and its double that does
WHY = {
    "tp": "tp divides the {heads:.0f} heads and an MLP {ffn:.0f} wide, shares {kv_heads:.0f} KV heads evenly and stays "
    "within the {domain} ranks that the fast link joins",
    "pp": "the {layers:.0f} layers leave no stage empty",
    "vp": "vp divides the layers of a stage, and pp the micro-batches of a step",
    "cp": "2 cp divides the sequence of {seq:.0f}",
    "dp": "dp divides the batch of {global_batch:.0f}",
    "ep": "ep divides the {experts:.0f} experts of the model and tp x cp x dp",
    "micro_batch": "the micro-batch divides the sequences of a data-parallel rank",
    "shard": "weights and gradients are sharded (2, 3) only without a pipeline",
    "sequence_parallel": "with tp above 1, experts need it",
    "recompute": "none, selective or full",
}
COLUMNS = {name: column for column, name in enumerate(Plan._fields)}


def impossible(base: Question, ranks: int, wanted: Mapping[str, float]) -> PerfcoreError:
    """Say why no plan is legal: a line for each part that never goes, or the parts that do not go together."""
    every = _table(base, ranks, {})
    wrong = [name for name in wanted if not len(_table(base, ranks, {name: wanted[name]}))]
    if not len(every):
        return PerfcoreError(_no_plan(base, ranks, wanted))
    if wrong:
        return PerfcoreError([_one(base, ranks, name, wanted[name], _values(every, name)) for name in wrong])
    without = {name: _table(base, ranks, {n: v for n, v in wanted.items() if n != name}) for name in wanted}
    changes = [f"{_label(name)} {_listed(_values(table, name))}" for name, table in without.items() if len(table)]
    if not changes:
        return PerfcoreError(_no_plan(base, ranks, wanted))
    reasons = "; ".join(_why(base, name) for name, table in without.items() if len(table))
    return PerfcoreError(
        f"{_said(wanted)}: not together on {ranks} ranks; allowed: {', or '.join(changes)} ({reasons})"
    )


def _one(base: Question, ranks: int, name: str, value: float, allowed: list[int]) -> str:
    return f"{_label(name)}: found {value:.0f}; allowed on {ranks} ranks: {_listed(allowed)} ({_why(base, name)})"


def _no_plan(base: Question, ranks: int, wanted: Mapping[str, float]) -> str:
    model, devices = base.model, base.setting.devices
    near = next((n for n in _nearby(base.chips) if len(_table(base, n * devices, wanted))), None)
    hint = "no number of chips near does; change the batch or the plan"
    if near is not None:
        hint = f"{'nearest' if abs(near - base.chips) <= NEAR else 'one'} that can: {near}"
    said = f" with {_said(wanted)}" if wanted else ""
    return (
        f"--chips: found {base.chips}; no plan deals {model.layers:.0f} layers, {model.heads:.0f} heads, a batch of "
        f"{base.work.global_batch:.0f} and a sequence of {base.work.seq:.0f} to {ranks} ranks{said}; {hint}"
    )


def _table(base: Question, ranks: int, wanted: Mapping[str, float]) -> Table:
    return legal_plans(base.model, base.work, ranks, _domain(base), wanted)


def _domain(base: Question) -> int:
    return base.setting.system.domain_chips * base.setting.devices


def _values(table: Table, name: str) -> list[int]:
    if name == "recompute":
        return list(range(len(MODES)))
    return sorted({int(value) for value in table.plans[:, COLUMNS[name]]})


def _listed(values: Iterable[int]) -> str:
    """Return numbers in words.

    >>> _listed([1]), _listed([1, 2, 4])
    ('1', '1, 2 or 4')
    """
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last


def _label(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _said(wanted: Mapping[str, float]) -> str:
    words = {n: MODES[int(value)] if n == "recompute" else f"{value:.0f}" for n, value in wanted.items()}
    return ", ".join(f"{_label(name)} {word}" for name, word in words.items())


def _why(base: Question, name: str) -> str:
    if name == "ep" and base.model.experts == 0:
        return "the model has no experts"
    return WHY[name].format(**base.model._asdict(), **base.work._asdict(), domain=_domain(base))


def _nearby(chips: int) -> list[int]:
    """Return numbers of chips, the nearest first, the smaller of two."""
    around = {max(1, chips + step) for step in range(-NEAR, NEAR + 1)} | {2**k for k in range(20)}
    return sorted(around - {chips}, key=lambda n: (abs(n - chips), n))


def too_big(
    base: Question, found: Found, wanted: Mapping[str, float], progress: Callable[[str], None] | None
) -> PerfcoreError:
    """Say how much memory the smallest plan needs, and on how many chips the model would fit."""
    devices = base.setting.devices
    least, has = (float(b) * devices / GIGA for b in (found.memory.min(), base.machine().memory_bytes))
    said = (
        f"--chips: found {base.chips}; the model does not fit: the smallest of {len(found.table):,} legal plans needs "
        f"{least:,.1f} GB a chip, {base.setting.chip.name} has {has:,.0f}"
    )

    def fits(chips: int, parts: Mapping[str, float]) -> bool:
        return search(replace(base, chips=chips), chips * devices, parts, progress).best is not None

    for name in ("recompute", "shard", "micro_batch"):
        if name in wanted:
            other = search(base, base.chips * devices, {n: v for n, v in wanted.items() if n != name}, progress)
            if other.best is not None:
                value = other.table.plans[other.best]
                word = _mode_of(value) if name == "recompute" else f"{value[COLUMNS[name]]:.0f}"
                return PerfcoreError(f"{said}; fits with {_label(name)} {word}")
    free = {name: value for name, value in wanted.items() if name != "dp"}
    enough, hint = _enough(base, lambda n: fits(n, wanted)), ""
    if enough is None and free != wanted:
        enough, hint = _enough(base, lambda n: fits(n, free)), " with another --dp"
    if enough is None:
        return PerfcoreError(f"{said}; more chips do not help; free the plan, shard or recompute more")
    return PerfcoreError(f"{said}; fits on: {enough}{hint}")


def _mode_of(row: Iterable[float]) -> str:
    """Return the word for what a row of plans does again."""
    shares = tuple(float(x) for x in row)[12:]
    return next((name for name, known in RECOMPUTE.items() if known == shares), "full")


def _enough(base: Question, fits: Callable[[int], bool]) -> int | None:
    """Return a number of chips at which a model fits; of those tried below it, in even steps, none does."""
    low = base.chips
    for high in _larger(base):
        if fits(high):
            domain = base.setting.system.domain_chips
            step = max(1, (high - low) // TRIED)
            step = -(-step // domain) * domain if low >= domain else step
            return next((n for n in range(low - low % step + step, high, step) if fits(n)), high)
        low = high
    return None


def _larger(base: Question) -> Iterator[int]:
    """Yield doublings of the chips asked for and powers of two, as far as there is work for them."""
    most = base.work.global_batch * base.model.layers * base.model.heads / base.setting.devices
    sizes = {base.chips * 2**k for k in range(1, 12)} | {2**k for k in range(1, 18)}
    yield from sorted(n for n in sizes if base.chips < n <= min(most, base.chips * 2048))
