"""The files under ``specs/architecture``: blocks of a chip by node and interface, the reference design."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from perfcore import processes
from perfcore.errors import PerfcoreError, suggestion
from perfcore.formulas.architecture import Architecture, Blocks, logic_mm2, multiplier_transistors, register_file_mm2
from perfcore.reader import SPECS, read_toml

__all__ = ["KINDS", "Parts", "blocks_of", "named", "overhead_us", "parts_of", "reference", "reticle_mm2"]

FOLDER = SPECS / "architecture"
KINDS = ("node", "hbm", "link", "pcie")
DENSITY = "transistor_density_mtr_mm2"
# Kernels of a transformer layer: the six products, softmax, two norms and the activation.
KERNELS_OF_A_LAYER = {"matmul_us": 6, "softmax_us": 1, "layernorm_us": 2, "gelu_us": 1}


@dataclass(frozen=True)
class Parts:
    """The node and the interfaces a design is built with, by their names in ``blocks.toml``."""

    node: str
    hbm: str
    link: str
    pcie: str

    def of(self, kind: str) -> Mapping[str, Any]:
        """Return the table of its node or of one of its interfaces."""
        table: Mapping[str, Any] = _document()[kind][getattr(self, kind)]
        return table


@cache
def _document() -> Mapping[str, Any]:
    return read_toml(FOLDER / "blocks.toml")


def named(kind: str) -> tuple[str, ...]:
    """Return the names of nodes or of a kind of interface.

    >>> named("node"), named("hbm")
    (('7nm', '6nm', '5nm'), ('hbm2e', 'hbm3'))
    """
    return tuple(_document()[kind])


def parts_of(node: str = "7nm", hbm: str = "hbm2e", link: str = "nvlink3", pcie: str = "pcie4") -> Parts:
    """Return the parts of some names.

    >>> parts_of("5 nm").node
    '5nm'

    Raises
    ------
    PerfcoreError
        If one of them is not known.
    """
    given = dict(zip(KINDS, (node, hbm, link, pcie), strict=True))
    return Parts(**{kind: _one_of(kind, name) for kind, name in given.items()})


def _one_of(kind: str, name: str) -> str:
    wanted = str(name).lower().replace(" ", "")
    allowed = named(kind)
    if wanted not in allowed:
        hint = suggestion(wanted, allowed)
        raise PerfcoreError(f"--{kind}: found {str(name)[:40]!r}{hint}; allowed: {', '.join(allowed)}")
    return wanted


@cache
def blocks_of(parts: Parts) -> Blocks:
    """Return the areas of the blocks at a node.

    The four lanes of a core of the A100 take 3.59 mm2, and 192 kB beside them 0.51:

    >>> from perfcore.formulas.architecture import core_mm2
    >>> round(core_mm2(reference()[1], blocks_of(parts_of())), 2)
    4.1
    """
    logic, vector, sram = (_floats(_document()[table]) for table in ("logic", "vector", "sram"))
    node, hbm, link, pcie = (_floats(parts.of(kind)) for kind in KINDS)
    density = density_of(parts)
    fp64 = logic["fp64_unit_transistors"]
    fp32 = multiplier_transistors(fp64, logic["fp32_fraction_bits"])
    fp16 = multiplier_transistors(fp64, logic["fp16_fraction_bits"])
    element = vector["fp64_units"] * fp64 + vector["fp32_units"] * fp32
    element += vector["int32_units"] * logic["int32_unit_transistors"]
    return Blocks(
        logic_mm2(fp16, density),
        logic_mm2(element, density),
        logic_mm2(logic["control_transistors"], density),
        _registers_mm2(density),
        logic_mm2(logic["crossbar_transistors"], density),
        node["sram_cell_mm2"],
        sram["cells_4kb"],
        sram["cells_8kb"],
        sram["cells_16kb"],
        sram["cells_32kb"],
        sram["cells_64kb"],
        sram["cells_128kb"],
        sram["cells_256kb"],
        sram["cells_512kb"],
        hbm["phy_mm2"],
        logic_mm2(hbm["controller_transistors"], density),
        link["phy_mm2"],
        logic_mm2(link["controller_transistors"], density),
        pcie["phy_mm2"] + logic_mm2(pcie["controller_transistors"], density),
        vector["fp32_units"],
        vector["fp64_units"],
        hbm["bandwidth_gb_s"],
        hbm["capacity_gb"],
        link["bandwidth_gb_s"],
        pcie["bandwidth_gb_s"],
    )


def _registers_mm2(density: float) -> float:
    files = _floats(_document()["registers"])
    return register_file_mm2(files["entries"], files["bits"], files["ports"], files["fitted_density_mtr_mm2"] / density)


def density_of(parts: Parts) -> float:
    """Return the density of logic at a node [10^6/mm2]: of its process, or of the table itself."""
    node = parts.of("node")
    if "process" in node:
        return processes.load(str(node["process"])).number(DENSITY)
    return float(node[DENSITY])


def _floats(table: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in table.items() if not isinstance(value, str)}


@cache
def reference() -> tuple[Parts, Architecture]:
    """Return the A100-like design that others are compared with."""
    document = read_toml(FOLDER / "ga100.toml")
    return parts_of(*(document[kind] for kind in KINDS)), architecture_of(document["architecture"].items())


def architecture_of(pairs: Iterable[tuple[str, Any]]) -> Architecture:
    """Return an architecture from its parameters by name."""
    return Architecture(**{name: float(value) for name, value in pairs})


def overhead_us() -> float:
    """Return what starting the kernels of one layer takes by LLMCompass [us].

    >>> overhead_us()
    273.0
    """
    starts = _floats(_document()["overhead"])
    return sum(count * starts[name] for name, count in KERNELS_OF_A_LAYER.items())


def reticle_mm2() -> float:
    """Return the area of one exposure field [mm2].

    >>> reticle_mm2()
    858.0
    """
    return float(_document()["reticle"]["area_mm2"])
