"""A config.json of Hugging Face read as a model file: nothing is guessed, every default is named."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.huggingface.config import Config
from perfcore.huggingface.layouts import LAYOUTS
from perfcore.reader import read_text
from perfcore.schema import shown

WANTED = "the config.json of a language model"
NO_TRAINING = "seq and global_batch are not in a config.json: give them where they are needed"


def read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a config.json: the keys of a model file it gives, and the defaults that were taken.

    Raises
    ------
    PerfcoreError
        If it is not JSON, of an unknown architecture, or lacks a key; all its problems at once.
    """
    outer = _document(path)
    model_class = _model_class(path, outer)
    layout = LAYOUTS[model_class]
    inner = outer.get("text_config") or outer
    if not isinstance(inner, dict):
        raise PerfcoreError(f"{path}: text_config: found {shown(inner)}; allowed: an object")
    # Outside a nested text_config only what both levels may say: whether the embeddings are tied.
    shared = {key: outer[key] for key in ("tie_word_embeddings",) if key in outer}
    config = Config({**shared, **inner}, model_class, layout.defaults)
    found = layout.read(config)
    if config.problems:
        raise PerfcoreError([f"{path}: {problem}" for problem in dict.fromkeys(config.problems)])
    document = {key: value for key, value in found.items() if value is not None}
    if not document.get("biases") and any(config.flag(key) for key in ("attention_bias", "mlp_bias")):
        config.assume("biases of single linear layers are left out (under 0.1 % of the parameters)")
    if layout.note:
        config.assume(layout.note)
    name = outer.get("_name_or_path")
    if isinstance(name, str) and name.strip(" /.") and name.isprintable():
        document["name"] = name.strip()[:100]
    return document, (*config.assumptions, NO_TRAINING)


def _document(path: Path) -> dict[str, Any]:
    text = read_text(path, WANTED)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as problem:
        said = str(problem).split("\n")[0][:120]
        raise PerfcoreError(f"{path}: this is not JSON: {said}; give {WANTED}") from None
    if not isinstance(document, dict):
        raise PerfcoreError(f"{path}: found {shown(document)}; allowed: {WANTED}, an object")
    return document


def _model_class(path: Path, document: Mapping[str, Any]) -> str:
    named = document.get("architectures")
    if not named:
        said = "architectures is missing or empty; it names the model class, such as LlamaForCausalLM"
        raise PerfcoreError(f"{path}: {said}")
    if not isinstance(named, list) or not isinstance(named[0], str):
        raise PerfcoreError(f"{path}: architectures: found {shown(named)}; allowed: a list of model class names")
    known = f"; known are: {', '.join(sorted(LAYOUTS))}; any other can be written as a model file (specs/README.md)"
    if named[0] not in LAYOUTS:
        raise PerfcoreError(f"{path}: architectures: found {shown(named[0])}, which is not known{known}")
    return named[0]
