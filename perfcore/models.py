"""The catalogue of language models, by name; a user's own model files; config.json files of Hugging Face."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfcore.chips import normal, spoken_names
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Model
from perfcore.model_checks import model_problems
from perfcore.reader import SPECS, is_file, read_toml, report
from perfcore.schema import MODEL, problems_of

__all__ = ["ModelFile", "find", "ids", "load", "model_of"]

FOLDER = "models"
_ENDINGS = (".toml", ".json", ".yaml", ".yml", ".csv", ".txt")


@dataclass(frozen=True)
class ModelFile:
    """A language model: the record formulas read, and what its file says beside.

    ``seq`` and ``global_batch`` are those of its own training; None where the file does not say. ``assumptions``
    names each default that was taken.
    """

    id: str
    name: str
    record: Model = field(repr=False)
    seq: float | None
    global_batch: float | None
    max_seq: float | None
    parameters_billion: float | None
    active_parameters_billion: float | None
    tokens_trillion: float | None
    document: Mapping[str, Any] = field(repr=False)
    path: Path = field(repr=False)
    assumptions: tuple[str, ...] = field(repr=False)

    def _repr_html_(self) -> str:
        from perfcore.notebook import model_html

        return model_html(self)


@cache
def _heads() -> dict[str, list[str]]:
    """Return the id of each file of the catalogue and the names it goes by."""
    folder = SPECS / FOLDER
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return {n.removesuffix(".toml"): spoken_names(folder / n) for n in names if n.endswith(".toml")}


def pointed(name: str) -> str:
    """Return a name without case, spaces and punctuation but for a point between digits.

    >>> pointed("OPT-1.3B"), pointed("opt_13b")
    ('opt1.3b', 'opt13b')
    """
    return re.sub(r"[^a-z0-9.]|(?<!\d)\.|\.(?!\d)", "", name.lower())


@cache
def _names(key: Callable[[str], str]) -> dict[str, list[str]]:
    """Map each name, as ``key`` writes it, to the ids that carry it."""
    names: dict[str, list[str]] = {}
    for model_id, spoken in _heads().items():
        for name in {key(n) for n in (model_id, *spoken)}:
            names.setdefault(name, []).append(model_id)
    return names


def ids() -> tuple[str, ...]:
    """Return the ids of the catalogue's models.

    >>> "llama3_405b" in ids()
    True
    """
    return tuple(_heads())


def find(name: str) -> str:
    """Return the id a name stands for.

    >>> find("GPT-3 175B"), find("llama3.1-405b")
    ('gpt3_175b', 'llama3_405b')

    Raises
    ------
    PerfcoreError
        If no model has that name, or several have.
    """
    found = _names(pointed).get(pointed(name)) or _names(normal).get(normal(name), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise PerfcoreError(f"{name!r} stands for several models: {', '.join(found)}; say which")
    spoken = {normal(n): n for model_id, names in _heads().items() for n in (*names, model_id)}
    from difflib import get_close_matches

    near = [spoken[n] for n in get_close_matches(normal(name), spoken, n=3, cutoff=0.6)]
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    said = f"{name[:60]!r} is no model of the catalogue and no file{hint}"
    raise PerfcoreError(f"{said} (perfcore models lists them; a config.json of Hugging Face will do too)")


def load(name_or_path: str | Path) -> ModelFile:
    """Load a model by any of its names, from a model file, or from a config.json of Hugging Face.

    >>> load("llama 2 70b").record.kv_heads
    8.0

    Raises
    ------
    PerfcoreError
        If there is no such name or file, or the file describes no model that can be read; all its problems at once.
    """
    text = str(name_or_path)
    if not isinstance(name_or_path, Path) and not _is_path(text):
        return _of_catalogue(SPECS / FOLDER / f"{find(text)}.toml")
    path = Path(text)
    if text.lower().endswith(".json"):
        from perfcore import huggingface

        document, assumptions = huggingface.read(path)
        return model_of(document, path, assumptions)
    return model_of(read_toml(path), path)


@cache
def _of_catalogue(path: Path) -> ModelFile:
    return model_of(read_toml(path), path)


def _is_path(text: str) -> bool:
    if text.lower().endswith(_ENDINGS) or "/" in text or "\\" in text:
        return True
    return normal(text) not in _names(normal) and is_file(text)


def model_of(document: Mapping[str, Any], path: Path, assumptions: tuple[str, ...] = ()) -> ModelFile:
    """Check a document and freeze it, defaults filled in; ``assumptions`` are those made in reading it.

    Raises
    ------
    PerfcoreError
        With every problem of the document, by line.
    """
    problems = problems_of(document, MODEL) or model_problems(document)
    if problems:
        raise report(path, problems)
    defaults, said = _defaults(document)
    # A config.json is always called that: its folder carries the name of the model.
    model_id = path.resolve().parent.name if path.name == "config.json" else path.stem
    return ModelFile(
        id=model_id,
        name=document.get("name", model_id),
        record=Model(*(float(document.get(key, defaults.get(key, 0))) for key in Model._fields)),
        **{key: _number(document, key) for key in _BESIDE},
        document=MappingProxyType(dict(document)),
        path=path,
        assumptions=(*assumptions, *said),
    )


_BESIDE = ("seq", "global_batch", "max_seq", "parameters_billion", "active_parameters_billion", "tokens_trillion")


def _number(document: Mapping[str, Any], key: str) -> float | None:
    return float(document[key]) if key in document else None


def _defaults(document: Mapping[str, Any]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the values of what a document leaves out, and a sentence on each that is not simply none."""
    given = dict(document)
    reasons = {
        "kv_heads": (given["heads"], "one for each query head"),
        "head_dim": (given["hidden"] // given["heads"], "hidden / heads"),
        "v_head_dim": (given.get("head_dim", given["hidden"] // given["heads"]), "that of queries and keys"),
        "dense_layers": (given["layers"], "no experts are given"),
        "tied_embeddings": (0, "two matrices"),
        "biases": (0, "none"),
    }
    if given.get("experts"):
        reasons["dense_layers"] = (given.get("leading_dense_layers", 0), "those that stand first")
    taken = {key: value for key, (value, _) in reasons.items() if key not in given}
    # What any dense model leaves out, and what follows from another key, is no assumption.
    unsaid = {"v_head_dim"} if not given.get("kv_lora_rank") else set()
    unsaid |= set() if given.get("experts") else {"dense_layers"}
    said = (f"{key} is not given: {value:g}, {reasons[key][1]}" for key, value in taken.items() if key not in unsaid)
    return taken, tuple(said)
