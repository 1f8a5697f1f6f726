"""Serving engines by era: how they run a model, and their constants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from perfcore.chips import normal
from perfcore.engine_schema import ENGINE, ENGINE_CONSTANTS, ENGINE_STRUCTURE
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas.records import Engine
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import problems_of
from perfcore.software import named_in

__all__ = ["EngineFile", "default_for", "find", "for_framework", "ids", "load", "neutral"]

FOLDER = SPECS / "engines"
DEFAULT = "default"
MICRO, GIGA = 1e-6, 1e9


@dataclass(frozen=True)
class EngineFile:
    """A serving engine of some years: its file, its structure and its constants (fitted where they are)."""

    id: str
    name: str
    structure: Mapping[str, Any] = field(repr=False)
    constants: Mapping[str, float] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    gemm_factor: float = 1.0

    @property
    def attention_kernel(self) -> str:
        """Return its kernel of attention over prompts."""
        return str(self.structure["attention_version"])

    @property
    def starts_kernels(self) -> bool:
        """Tell whether each kernel is started by itself, by a graph or the host; compiled programs run through."""
        return not self.structure["compiled"]

    @property
    def reduce_s(self) -> float:
        """Return the time to start an all-reduce [s]."""
        return float(self.structure["all_reduce_us"]) * MICRO

    def record(self, chunk_tokens: float | None = None, bits: int = 16) -> Engine:
        """Return the record the formulas read; ``chunk_tokens`` instead of the engine's own, products in ``bits``.

        The time of an expert that was fitted in one format only is the neutral one in others.
        """
        s, c = self.structure, self.constants
        fitted_in = int(s["expert_bits"])
        expert_us = c["expert_us"] if fitted_in in (0, bits) else neutral()["expert_us"]
        return Engine(
            stream_efficiency=c["stream_efficiency"],
            layer_s=c["layer_us"] * MICRO,
            sequence_s=c["sequence_us"] * MICRO,
            kv_efficiency=c["kv_efficiency"],
            expert_factor=c["expert_factor"],
            expert_s=expert_us * MICRO,
            step_s=float(s["step_us"]) * MICRO,
            exchange_s=float(s["exchange_us"]) * MICRO,
            host_layer_s=float(s["host_layer_us"]) * MICRO,
            host_reduce_s=float(s["host_reduce_us"]) * MICRO,
            repeated_kv_bytes_s=float(s["repeated_kv_gb_s"]) * GIGA,
            splits_depth=float(s["splits_depth"]),
            fitted_tiles=float(s["fitted_tiles"]),
            whole_context=float(s["whole_context"]),
            chunk_tokens=float(chunk_tokens or s["chunk_tokens"]),
            most_sequences=float(s["most_sequences"]),
            memory_share=float(s["memory_share"]),
        )


@cache
def ids() -> tuple[str, ...]:
    """Return the ids of the catalogue's engines.

    >>> "trtllm_2025" in ids()
    True
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _document(engine_id: str) -> Mapping[str, Any]:
    path = FOLDER / f"{engine_id}.toml"
    document = read_toml(path)
    problems = problems_of(document, ENGINE)
    needed = {"structure": ENGINE_STRUCTURE} | ({"neutral": ENGINE_CONSTANTS} if engine_id == DEFAULT else {})
    for table, keys in needed.items():
        problems += [(f"{table}.{key}", "is missing; give it") for key in keys if key not in document.get(table, {})]
    if problems:
        raise report(path, problems)
    return document


def neutral() -> Mapping[str, float]:
    """Return the constants taken for an engine before any of its speeds is known.

    >>> neutral()["kv_efficiency"]
    1.0
    """
    return _floats(_document(DEFAULT)["neutral"])


@cache
def load(name: str, mode: str = "fitted") -> EngineFile:
    """Load an engine by its id, with its fitted constants or the neutral ones.

    >>> load("neuronx_2024").structure["whole_context"]
    True

    Raises
    ------
    PerfcoreError
        If there is none of that name, or its file is wrong.
    """
    engine_id = find(name)
    document = _document(engine_id)
    constants = dict(neutral()) | {"link_factor": 1.0} | _floats(document.get("neutral", {}))
    if mode == "fitted":
        constants |= _floats(document.get("fitted", {}))
    return EngineFile(engine_id, document["name"], document["structure"], constants, document)


def _floats(table: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in table.items()}


def find(name: str) -> str:
    """Return the id a name stands for.

    >>> find("gpt-fast 2023")
    'gpt_fast_2023'

    Raises
    ------
    PerfcoreError
        If no engine has that name.
    """
    by_name = {normal(engine_id): engine_id for engine_id in ids()}
    if normal(name) in by_name:
        return by_name[normal(name)]
    raise PerfcoreError(f"--engine: found {name!r}{suggestion(name, ids())}; allowed: {', '.join(ids())}")


def for_framework(framework: str) -> str | None:
    """Return the engine a framework's name in a table stands for, by the longest known name it starts with or holds.

    >>> for_framework("TensorRT-LLM v0.6.1 (IFB)"), for_framework("my own")
    ('trtllm_2023', None)
    """
    return named_in(FOLDER, framework)


@cache
def default_for(vendor: str) -> str:
    """Return the engine taken for a vendor's chips where none is named: the newest that is known.

    >>> default_for("AMD"), default_for("Biren")
    ('vllm_rocm_2025', 'default')
    """
    return next((i for i in ids() if vendor in _document(i).get("default_for", ())), DEFAULT)
