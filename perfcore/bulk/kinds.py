"""The kinds of tables of questions: their columns, told apart by them, and the columns of their answers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from perfcore.errors import PerfcoreError, suggestion
from perfcore.rows import INPUTS

__all__ = ["DESIGNS", "KINDS", "NAMES", "Kind", "kind_of", "misspelt"]

TEXT, WHOLE, NUMBER, YES_NO, PRICES = "text", "whole", "number", "yes_no", "prices"
DESIGNS = "designs"
Words = Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of question: ``columns`` are the options of its command, ``results`` what is told of an answer.

    Both say how a cell is read or written. ``part_rows`` is about what a core answers in some seconds, so that an
    interrupted run has little to do again.
    """

    name: str
    needed: tuple[str, ...]
    columns: Words
    results: Words
    part_rows: int


def _all(how: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), how)


_PLAN = {
    **_all(WHOLE, "tp pp vp cp dp ep micro_batch micro_batches"),
    "recompute": TEXT,
    "shard": WHOLE,
    **_all(YES_NO, "sequence_parallel embedding_counts_as_layer"),
}
_TRAIN = Kind(
    "train",
    ("model", "chip", "chips"),
    {
        **_all(TEXT, "model chip system software precision recompute"),
        **_all(WHOLE, "chips global_batch seq micro_batch tp pp vp cp dp ep shard"),
        "tokens": NUMBER,
    },
    {
        **_all(TEXT, "model chip"),
        "chips": WHOLE,
        **_all(TEXT, "system software precision"),
        **_all(WHOLE, "seq global_batch"),
        **_PLAN,
        **_all(NUMBER, "step_time_s step_time_s_low step_time_s_high tokens_per_s tokens_per_s_per_chip"),
        **_all(NUMBER, "model_tflops_per_chip mfu hfu memory_gb_per_chip memory_capacity_gb"),
        "fits": YES_NO,
        **_all(TEXT, "binding evidence"),
        "configs_evaluated": WHOLE,
        "days": NUMBER,
    },
    64,
)
_INFER = Kind(
    "infer",
    ("model", "chip", "chips"),
    {
        **_all(TEXT, "model chip system engine precision"),
        **_all(WHOLE, "chips batch input output prefix kv_bits chunk tp pp dp ep"),
        "time_per_token": NUMBER,
        "static": YES_NO,
    },
    {
        **_all(TEXT, "model chip"),
        "chips": WHOLE,
        **_all(TEXT, "system engine precision"),
        "kv_bits": WHOLE,
        **_all(NUMBER, "batch batch_per_replica"),
        **_all(WHOLE, "input output prefix"),
        "batching": TEXT,
        **_all(WHOLE, "tp pp dp ep"),
        **_all(NUMBER, "time_to_first_token_s time_to_first_token_s_low time_to_first_token_s_high"),
        **_all(NUMBER, "time_to_first_token_loaded_s time_per_token_s time_per_token_s_low time_per_token_s_high"),
        **_all(NUMBER, "decode_step_s request_s tokens_per_s tokens_per_s_per_chip tokens_per_s_per_chip_low"),
        **_all(NUMBER, "tokens_per_s_per_chip_high tokens_per_s_per_request prefill_tokens_per_s_per_chip"),
        **_all(NUMBER, "weights_gb_per_chip kv_cache_gb_per_chip memory_capacity_gb largest_batch roofline_step_s"),
        **_all(TEXT, "binding evidence"),
        "configs_evaluated": WHOLE,
    },
    256,
)
_MATCH = Kind(
    "match",
    ("target", "with", "model"),
    {
        **_all(TEXT, "target with model precision with_precision system with_system software with_software beside"),
        **_all(WHOLE, "global_batch seq local_steps max_chips tp pp"),
        **_all(NUMBER, "link_gb_s failures save_s restart_s critical_batch batch_slack"),
        "price": PRICES,
    },
    {
        "with": TEXT,
        **_all(WHOLE, "naive_chips naive_chips_by_bandwidth chips chips_low chips_high"),
        **_all(NUMBER, "ratio ceiling"),
        "ceiling_chips": WHOLE,
        "binding": TEXT,
        "fixed_plan_chips": WHOLE,
        **_all(NUMBER, "fixed_plan_ceiling power_ratio power_mw energy_ratio cost_ratio"),
        "mixed_chips": WHOLE,
        **_all(NUMBER, "target_step_time_s target_useful_tokens_per_s target_mfu target_goodput"),
        **_all(NUMBER, "step_time_s useful_tokens_per_s mfu goodput memory_gb_per_chip"),
        **_PLAN,
        "configs_tried": WHOLE,
    },
    16,
)
NOT_READ = {"match": {"links": "it asks for several answers; give link_gb_s, one a row"}}
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (_TRAIN, _INFER, _MATCH)}
NAMES = (DESIGNS, *KINDS)


def kind_of(where: object, columns: Collection[str], named: str | None = None) -> str:
    """Return what the rows of a table are: designs, or questions for a command; ``named`` if the user says it.

    A table of no kind is one of designs, whose reader says which columns there are.

    >>> kind_of("t.csv", ("model", "chip", "chips")), kind_of("t.csv", ("model", "chip", "chips", "batch"))
    ('train', 'infer')

    Raises
    ------
    PerfcoreError
        If it has the columns of several kinds, or not all that one needs.
    """
    if named is not None:
        return _named(where, columns, named)
    found = [kind.name for kind in KINDS.values() if not _missing(kind, columns)]
    if {"train", "infer"} <= set(found):
        own = [name for name in ("train", "infer") if _own(name, columns)]
        found = [*(own or ["train"]), *(name for name in found if name == "match")]
    found += [DESIGNS] if any(name in INPUTS for name in columns) else []
    if len(found) > 1:
        raise PerfcoreError(
            f"{where}: the table has the columns of {' and of '.join(found)}; say with --for which is meant, or give "
            "each a table of its own"
        )
    if not found:
        _nearly(where, columns)
    return found[0] if found else DESIGNS


def _nearly(where: object, columns: Collection[str]) -> None:
    """Refuse a table that lacks a column of a question, or spells those that it needs otherwise."""
    for name, kind in KINDS.items():
        missing, taken = _missing(kind, columns), [column.lower() for column in columns]
        if missing and all(column in taken for column in kind.needed):
            raise PerfcoreError(f"{where}: columns are missing for {name}: {', '.join(missing)}{_spelt(name, columns)}")
    lacks = {name: _missing(kind, columns) for name, kind in KINDS.items()}
    near = {name: missing[0] for name, missing in lacks.items() if len(missing) == 1}
    if near:
        said = "; ".join(f"{name}: {column}" for name, column in near.items())
        hint = _spelt(next(iter(near)), columns) or "; docs/batch.md lists them"
        raise PerfcoreError(f"{where}: columns are missing ({said}){hint}")


def _spelt(name: str, columns: Collection[str]) -> str:
    said = misspelt(name, columns)
    return f"; {said[0]}" if said else ""


def _named(where: object, columns: Collection[str], named: str) -> str:
    if named not in NAMES:
        raise PerfcoreError(f"--for: found {named!r}; allowed: {', '.join(NAMES)}{suggestion(named, NAMES)}")
    missing = _missing(KINDS[named], columns) if named in KINDS else []
    if missing:
        hint = _spelt(named, columns) or "; docs/batch.md lists them"
        raise PerfcoreError(f"{where}: columns are missing for {named}: {', '.join(missing)}{hint}")
    return named


def _missing(kind: Kind, columns: Collection[str]) -> list[str]:
    return [column for column in kind.needed if column not in columns]


def _own(name: str, columns: Collection[str]) -> bool:
    """Tell whether a table has a column that train has and infer has not, or the other way round."""
    other = KINDS["infer" if name == "train" else "train"]
    return any(column in KINDS[name].columns and column not in other.columns for column in columns)


def checked(where: object, kind: str, columns: Collection[str]) -> None:
    """Refuse a table in which a known column stands twice."""
    names = list(columns)
    doubled = [name for name in names if name in KINDS[kind].columns and names.count(name) > 1]
    if doubled:
        raise PerfcoreError(f"{where}: column {doubled[0]!r} stands twice")


def misspelt(kind: str, columns: Iterable[str]) -> list[str]:
    """Return a remark for each column that looks like a known one and is not read.

    >>> misspelt("train", ["model", "chip", "chips", "Global Batch"])
    ["column 'Global Batch' is not read; did you mean global_batch?"]
    """
    from difflib import get_close_matches

    names, known, told = list(columns), KINDS[kind].columns, KINDS[kind].results
    others = NOT_READ.get(kind, {})
    said = [f"column {name!r} is not read: {why}" for name, why in others.items() if name in names]
    for name in names:
        near = get_close_matches(name.lower().replace(" ", "_").replace("-", "_"), sorted(known), n=1, cutoff=0.7)
        if name not in {*known, *told, *others} and near and near[0] not in names:
            said.append(f"column {name!r} is not read; did you mean {near[0]}?")
    return said


def carried(kind: str, columns: Iterable[str]) -> list[int]:
    """Return the places of the columns that go into the output as they are: all but those that the answer gives."""
    return [place for place, name in enumerate(columns) if name not in KINDS[kind].results]
