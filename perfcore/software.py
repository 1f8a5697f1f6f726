"""Training software by era: what it overlaps, fuses and keeps, and its three constants."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from perfcore import efficiency
from perfcore.chips import normal
from perfcore.engine_schema import SOFTWARE
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas.records import Software
from perfcore.formulas.storage import (
    DEEPSPEED_BF16,
    DEEPSPEED_FP16,
    DEEPSPEED_FP16_UNSHARDED,
    FSDP2,
    FSDP2_PIPELINE,
    FSDP_2023,
    MEGATRON_2022,
    MEGATRON_CORE,
    Storage,
)
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import problems_of

__all__ = ["SoftwareFile", "default_for", "find", "for_framework", "ids", "load"]

FOLDER = SPECS / "software"
STORAGE = {
    "megatron_2022": MEGATRON_2022,
    "megatron_core": MEGATRON_CORE,
    "fsdp2": FSDP2,
    "fsdp_2023": FSDP_2023,
    "deepspeed": DEEPSPEED_FP16,
}
KERNELS = ("unfused", "flash_1", "flash_2", "flash_3")


@dataclass(frozen=True)
class SoftwareFile:
    """A training framework of some years: its file, its structure and its constants (fitted where they are)."""

    id: str
    name: str
    structure: Mapping[str, Any] = field(repr=False)
    constants: Mapping[str, float] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)

    @property
    def attention_kernel(self) -> str:
        """Return the attention kernel its runs used where they do not say."""
        return str(self.structure["attention_version"])

    @property
    def embedding_layers(self) -> float:
        """Return how many layers embedding and head each count for."""
        return float(self.structure["embedding_layers"])

    @property
    def gemm_factor(self) -> float:
        """Return the GEMM rate of its site over that of the chip elsewhere; 1.0 for software that runs anywhere."""
        return efficiency.site(self.document["measured_site"]).gemm_factor if "measured_site" in self.document else 1.0

    @property
    def starts_kernels(self) -> bool:
        """Tell whether each kernel is started by itself; compiled programs run through."""
        return bool(self.structure["launch_us"] != 0)

    def record(self, fused_attention: bool, fused_experts: bool) -> Software:
        """Return the record the formulas read."""
        s, c = self.structure, self.constants
        return Software(
            overlap=c["overlap"],
            elementwise_factor=c["elementwise_factor"],
            attention_factor=c["attention_factor"],
            fused_attention=float(fused_attention),
            tensor_overlap=float(s["tensor_overlap"]),
            data_overlap=float(s["data_overlap"]),
            gradient_bytes=float(s["gradient_bytes"]),
            pipeline_overlap=float(s["pipeline_overlap"]),
            logit_bytes=float(s["logit_bytes"]),
            fused_experts=float(fused_experts and s["fused_experts"]),
            deduplicated=float(s["deduplicated"]),
            expert_factor=1.0 if fused_experts and s["fused_experts"] else float(s["expert_factor"]),
            launch_s=float(s["launch_us"]) * 1e-6,
            single_network_port=float(s["single_network_port"]),
            straggler=float(s["straggler"]),
            slice_straggler=float(s["slice_straggler"]),
        )

    def storage(self, bits: int, half: bool, shard: int, pp: int) -> Storage:
        """Return the bytes it keeps; ``half`` says fp16, which DeepSpeed keeps otherwise than bf16."""
        chosen = STORAGE[self.document["storage"]]
        if chosen is DEEPSPEED_FP16:
            chosen = (DEEPSPEED_FP16 if shard else DEEPSPEED_FP16_UNSHARDED) if half else DEEPSPEED_BF16
        if chosen is FSDP2 and pp > 1:
            chosen = FSDP2_PIPELINE
        unfused = float(self.attention_kernel == "unfused")
        return chosen._replace(
            embedding_layers=self.embedding_layers,
            gemm_input_bytes=1.0 if bits <= 8 else chosen.gemm_input_bytes,
            attention_unfused=unfused,
        )


@cache
def ids() -> tuple[str, ...]:
    """Return the ids of the catalogue's software.

    >>> "megatron_2021" in ids()
    True
    """
    return tuple(sorted(name.removesuffix(".toml") for name in os.listdir(FOLDER) if name.endswith(".toml")))


@cache
def load(name: str, mode: str = "fitted") -> SoftwareFile:
    """Load a software by its id, with its fitted constants or the neutral ones.

    >>> load("megatron_2021").attention_kernel
    'unfused'

    Raises
    ------
    PerfcoreError
        If there is none of that name.
    """
    path = FOLDER / f"{find(name)}.toml"
    document = read_toml(path)
    problems = problems_of(document, SOFTWARE)
    problems += [(table, "is missing") for table in ("structure", "neutral") if table not in document]
    if problems:
        raise report(path, problems)
    constants = {"link_factor": 1.0} | _floats(document["neutral"])
    if mode == "fitted":
        constants |= _floats(document.get("fitted", {}))
    return SoftwareFile(path.stem, document["name"], document["structure"], constants, document)


def _floats(table: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in table.items()}


def find(name: str) -> str:
    """Return the id a name stands for.

    >>> find("Megatron 2021")
    'megatron_2021'

    Raises
    ------
    PerfcoreError
        If no software has that name.
    """
    by_name = {normal(software_id): software_id for software_id in ids()}
    if normal(name) in by_name:
        return by_name[normal(name)]
    known = ", ".join(ids())
    raise PerfcoreError(f"--software: found {name!r}{suggestion(name, ids())}; allowed: {known}")


@cache
def _prefixes(folder: Path) -> list[tuple[str, str]]:
    """Return how the names of frameworks start and the software that is, the longest first."""
    documents = {path.stem: read_toml(path) for path in sorted(folder.glob("*.toml"))}
    pairs = [(start.lower(), stem) for stem in documents for start in documents[stem].get("frameworks", ())]
    return sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0]))


def named_in(folder: Path, framework: str) -> str | None:
    """Return the file of a folder that a framework's name in a table stands for."""
    text = framework.strip().lower()
    starting = next((stem for start, stem in _prefixes(folder) if text.startswith(start)), None)
    return starting or next((stem for name, stem in _prefixes(folder) if name in text), None)


@cache
def _document(software_id: str) -> Mapping[str, Any]:
    return read_toml(Path(FOLDER) / f"{software_id}.toml")


def for_framework(framework: str) -> str | None:
    """Return the software a framework's name in a table stands for, by the longest known name it starts with or holds.

    >>> for_framework("Megatron-Bridge 26.02.01"), for_framework("own fork of torchtitan"), for_framework("my own")
    ('megatron_bridge_2025', 'torchtitan_2024', None)
    """
    return named_in(FOLDER, framework)


@cache
def default_for(vendor: str) -> str:
    """Return the software taken for a vendor's chips where none is named: the newest that is known.

    >>> default_for("Google"), default_for("Biren")
    ('xla_maxtext', 'megatron_bridge_2026')
    """
    for software_id in ids():
        if vendor in _document(software_id).get("default_for", ()):
            return software_id
    return default_for("NVIDIA")
