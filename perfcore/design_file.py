"""A design as a chip file, and as a row of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from perfcore import processes
from perfcore.architectures import Parts
from perfcore.design_search import area_of_dies, rates_of
from perfcore.formulas.architecture import (
    Architecture,
    Areas,
    Blocks,
    areas,
    design_io_gb_s,
    design_tpp,
    hbm_bandwidth_gb_s,
    logic_area_mm2,
)
from perfcore.formulas.architecture_time import Load, decode_s, design_machine, prefill_s, training_layer_s
from perfcore.formulas.packaging import tested_die_cost_usd
from perfcore.formulas.silicon import gross_dies, negative_binomial_yield
from perfcore.items import Item, item_of

__all__ = ["Design", "Kind", "document_of", "item_of_design", "text_of"]


@dataclass(frozen=True)
class Kind:
    """What all designs of a search share: node and interfaces, the exposure field, whether for datacenters."""

    parts: Parts
    blocks: Blocks
    reticle_mm2: float
    datacenter: bool


@dataclass(frozen=True)
class Design:
    """A design with what follows from it."""

    architecture: Architecture
    kind: Kind
    region: str

    @property
    def area_mm2(self) -> float:
        """Return the area of all its logic [mm2]."""
        return logic_area_mm2(self.architecture, self.kind.blocks)

    @property
    def tpp(self) -> float:
        """Return its TPP."""
        return design_tpp(self.architecture, self.kind.blocks)

    def areas(self) -> Areas:
        """Return the areas of its parts [mm2]."""
        return areas(self.architecture, self.kind.blocks)

    def silicon_cost_usd(self) -> float | None:
        """Return what its good logic dies cost [USD]; None where nothing is known of wafers of the node.

        Without memory, packaging and tests; every die is taken to need all of its area.
        """
        name = self.kind.parts.of("node").get("process")
        if name is None:
            return None
        made = processes.load(name)
        dies, each = area_of_dies(self.area_mm2, self.kind.reticle_mm2)
        good = negative_binomial_yield(each, made.number("defects_per_cm2"), made.number("clustering"))
        gross = gross_dies(made.number("wafer_diameter_mm"), each)
        return dies * tested_die_cost_usd(made.number("wafer_cost_usd"), gross, 0.0, good, 1.0)

    def times(self, load: Load) -> dict[str, float]:
        """Return its prefill time, time of a decode step and time of a training layer [s]."""
        machine = design_machine(self.architecture, self.kind.blocks, load.reach)
        return {
            "prefill_s": prefill_s(load, machine),
            "decode_s": decode_s(load, machine),
            "training_layer_s": training_layer_s(load, machine),
        }

    def to_dict(self, load: Load) -> dict[str, Any]:
        """Return a design as JSON holds it."""
        a, b = self.architecture, self.kind.blocks
        dies, each = area_of_dies(self.area_mm2, self.kind.reticle_mm2)
        return {
            "region": self.region,
            **a._asdict(),
            "tpp": self.tpp,
            "applicable_die_area_mm2": self.area_mm2,
            "performance_density": self.tpp / self.area_mm2,
            "dies": dies,
            "die_area_mm2": each,
            "areas_mm2": self.areas()._asdict(),
            "peak_dense_tflops": rates_of(a, b),
            "dram_bandwidth_gb_s": hbm_bandwidth_gb_s(a, b),
            "io_bandwidth_gb_s": design_io_gb_s(a, b),
            "capacity_gb": a.hbm_stacks * b.hbm_stack_gb,
            "silicon_cost_usd": self.silicon_cost_usd(),
            **self.times(load),
        }


def document_of(design: Design, name: str = "A design of perfcore") -> dict[str, Any]:
    """Return the chip file of a design as a document, its numbers as the decimals that print them."""
    a, kind = design.architecture, design.kind
    dies, each = area_of_dies(design.area_mm2, kind.reticle_mm2)
    links: list[dict[str, Any]] = []
    if a.links > 0.0:
        links.append(_link(kind.parts.of("link")["name"], a.links, kind.blocks.link_gb_s))
    if a.pcie_lanes > 0.0:
        links.append(_link(kind.parts.of("pcie")["name"] + ", a lane", a.pcie_lanes, kind.blocks.pcie_lane_gb_s))
    die: dict[str, Any] = {"role": "compute", "count": dies, "area_mm2": _decimal(each), "transistor": "finfet"}
    if "process" in kind.parts.of("node"):
        die["process"] = kind.parts.of("node")["process"]
    return {
        "name": name,
        "datacenter": kind.datacenter,
        "multiprocessors": int(a.cores),
        "peak_dense_tflops": {form: _decimal(rate) for form, rate in rates_of(a, kind.blocks).items()},
        "memory": {
            "type": kind.parts.of("hbm")["type"],
            "stacks": int(a.hbm_stacks),
            "bandwidth_gb_s": _decimal(hbm_bandwidth_gb_s(a, kind.blocks)),
            "capacity_gb": _decimal(a.hbm_stacks * kind.blocks.hbm_stack_gb),
        },
        "clock": {"boost_mhz": _decimal(round(a.clock_ghz * 1000.0, 6))},
        "die": [die],
        "link": links,
    }


def _link(name: str, count: float, rate: float) -> dict[str, Any]:
    return {"name": name, "count": int(count), "bandwidth_gb_s": _decimal(rate)}


def _decimal(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def item_of_design(design: Design) -> Item:
    """Return a design as the engine of verdicts reads one."""
    return item_of(document_of(design), Path("design.toml"))


def text_of(design: Design, day: date) -> str:
    """Return the chip file of a design as TOML; ``perfcore check`` reads it."""
    a = design.architecture
    said = ", ".join(f"{name} {value:g}" for name, value in a._asdict().items())
    lines = [
        f"# Found by perfcore design under the rules of {day}; {design.kind.parts.node}, {said}.",
        "# Areas and peaks follow from the architecture by docs/design.md; nothing here was measured.",
    ]
    tables: list[str] = []
    for key, value in document_of(design).items():
        if isinstance(value, Mapping):
            tables += ["", f"[{key}]", *(f"{name} = {_value(number)}" for name, number in value.items())]
        elif isinstance(value, list):
            for entry in value:
                tables += ["", f"[[{key}]]", *(f"{name} = {_value(number)}" for name, number in entry.items())]
        else:
            lines.append(f"{key} = {_value(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else str(value)
