"""One question of a table answered, as the command answers it, in the columns of its kind."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perfcore.bulk.cells import read
from perfcore.bulk.kinds import KINDS, TEXT
from perfcore.errors import PerfcoreError
from perfcore.inference import infer
from perfcore.rows import RowError
from perfcore.searching import load_loops
from perfcore.stacking import match
from perfcore.training import train

__all__ = ["Answer", "answered", "prepared"]

MANY = 64  # questions worth the second that it takes to load compiled code, where the plan leaves little to search

_OPTION = re.compile(r"--([a-z-]+): ")


class Answer(NamedTuple):
    """The answer to a row by column, None where a column has nothing to say; or why there is none."""

    values: dict[str, Any]
    wrong: list[RowError]


def prepared(kind: str, questions: int) -> None:
    """Load what many questions are answered sooner with; the answers are the same."""
    if kind == "train" and questions >= MANY:
        load_loops()


def answered(kind: str, columns: Sequence[str], cells: Sequence[str]) -> Answer:
    """Answer a row of a table.

    >>> row = answered("infer", ("model", "chip", "chips", "batch"), ("llama3_8b", "h100", "1", "16"))
    >>> row.values["tp"], row.values["batch"], row.wrong
    (1, 16.0, [])
    """
    given, wrong = read(kind, columns, cells)
    if wrong:
        return Answer({}, wrong)
    try:
        found = _ASKED[kind](dict(given))
    except PerfcoreError as problem:
        return Answer({}, [_reason(kind, problem, columns, cells)])
    return Answer({name: found.get(name) for name in KINDS[kind].results}, [])


def _reason(kind: str, problem: PerfcoreError, columns: Sequence[str], cells: Sequence[str]) -> RowError:
    """Return a mistake on one line, with the cell that it speaks of where that is plain."""
    said = "; ".join(problem.lines)
    known = KINDS[kind].columns
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name in known}
    option = _OPTION.match(said)
    column = option[1].replace("-", "_") if option else ""
    if column not in row:
        texts = [name for name, cell in row.items() if cell and known[name] == TEXT]
        column = next((name for name in texts if said.startswith((f"{row[name][:60]!r} ", f"{row[name]}:"))), "")
    return RowError(column, row.get(column, "")[:60], said)


def _train(given: dict[str, Any]) -> dict[str, Any]:
    found = train(given.pop("model"), given.pop("chip"), given.pop("chips"), **given).to_dict()
    return {**found, **found["plan"], **_ends("step_time_s", found["step_time_interval_s"])}


def _infer(given: dict[str, Any]) -> dict[str, Any]:
    found = infer(given.pop("model"), given.pop("chip"), given.pop("chips"), **given).to_dict()
    ends = {
        name: found[f"{name.removesuffix('_s')}_interval{'_s' if name.endswith('_s') else ''}"]
        for name in ("time_to_first_token_s", "time_per_token_s", "tokens_per_s_per_chip")
    }
    return {**found, **found["plan"], **{k: v for name, pair in ends.items() for k, v in _ends(name, pair).items()}}


def _match(given: dict[str, Any]) -> dict[str, Any]:
    if "price" in given:
        given["prices"] = given.pop("price")
    found = match(given.pop("target"), given.pop("with"), given.pop("model"), **given).to_dict()
    target = {f"target_{name}": value for name, value in found["target"].items()}
    mixed = None if found["mixed"] is None else found["mixed"]["chips"]
    shown = {**(found["figures"] or {}), **(found["plan"] or {})}
    return {**target, **shown, **found, **_ends("chips", found["chips_interval"]), "mixed_chips": mixed}


def _ends(name: str, pair: Sequence[Any]) -> Mapping[str, Any]:
    return {f"{name}_low": pair[0], f"{name}_high": pair[1]}


_ASKED = {"train": _train, "infer": _infer, "match": _match}
