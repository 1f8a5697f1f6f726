"""What a chip brings to a single kernel: datasheet rates, efficiencies of its generation, links of its system."""

from dataclasses import dataclass, replace
from functools import lru_cache

from perfcore import chips, efficiency, software, systems
from perfcore.cells import SkippedError
from perfcore.efficiency import Efficiency, Shared
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Machine
from perfcore.machine import Setting, known_id, machine_of, rate_of
from perfcore.precisions import find as find_precision

__all__ = ["Bed", "Format", "bed", "format_of"]

BITS = {"fp64": 64, "fp32": 32, "tf32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp6": 6, "fp4": 4, "int4": 4}
FOUR_BIT = 0.56  # bytes of an element with its scales, as in specs/precisions.toml


@dataclass(frozen=True)
class Format:
    """A number format of a table."""

    name: str  # the key of the chip's peak
    bits: int

    @property
    def element_bytes(self) -> float:
        """Return the bytes of an element."""
        return FOUR_BIT if self.bits == 4 else self.bits / 8


def format_of(text: str) -> Format:
    """Return the format that a cell names first.

    >>> format_of("fp8-e4m3").name, format_of("bf16/kv fp8").bits
    ('fp8', 16)

    Raises
    ------
    SkippedError
        If it names none.
    """
    said = text.strip().lower()
    for name, bits in BITS.items():
        if said.startswith(name):
            return Format(name, bits)
    raise SkippedError(f"dtype: found {text[:40]!r}; allowed: {', '.join(BITS)}")


@dataclass(frozen=True)
class Bed:
    """A chip in its system, ``n_chips`` of it in ``n_nodes`` servers; the rates of ``machine`` are of one device."""

    chip: chips.Item
    devices: float  # of one package
    known: Efficiency
    shared: Shared
    machine: Machine
    link_peak_bytes_s: float  # of one device, datasheet
    assumptions: tuple[str, ...]

    def peak_flop_s(self, form: Format) -> float:
        """Return the dense datasheet peak of one device [FLOP/s].

        Raises
        ------
        PerfcoreError
            If the chip has no such format.
        """
        return rate_of(self.chip, form.name) / self.devices

    def half(self) -> "Bed":
        """Return one of the two devices of a chip whose file counts it as one."""
        machine = self.machine
        rates = {"memory_bytes_s": machine.memory_bytes_s / 2.0, "multiprocessors": machine.multiprocessors / 2.0}
        return replace(self, devices=2.0 * self.devices, machine=machine._replace(**rates))

    def product_share(self, form: Format) -> tuple[float, float]:
        """Return the share of the peak that a large matrix product reaches, and its relative width."""
        known = self.known
        if form.bits == 8:
            return known.gemm_8bit, known.gemm_8bit_width
        if form.bits < 8:
            return known.gemm_4bit, known.gemm_4bit_width
        return known.gemm_16bit, known.gemm_16bit_width


@lru_cache(maxsize=4096)
def bed(chip: str, n_chips: float, n_nodes: float) -> Bed:
    """Return a chip as a table names it in its default system, as its kernels run; ``n_nodes`` 0: not given.

    Raises
    ------
    PerfcoreError
        If there is no such chip, or its file lacks a number that is needed.
    """
    item = chips.load(chip)
    if item.kind not in ("chip", "part"):
        raise PerfcoreError(f"{item.id} is a {item.kind}, which is not a chip; name a chip")
    system = systems.default_for(item)
    used = software.load(software.default_for(item.document.get("vendor", "")), "neutral")
    setting = Setting(item, system, used, find_precision("bf16"), "flash_3", "neutral")
    machine = machine_of(setting, n_chips)
    shared = efficiency.shared("neutral")
    devices = float(setting.devices)
    if n_nodes > 0:
        machine = machine._replace(domain=max(1.0, min(machine.domain, n_chips / n_nodes * devices)))
    part = _mesh_part(system, n_chips)
    machine = machine._replace(kernel_s=shared.kernel_s, link_bytes_s=machine.link_bytes_s * part)
    link = system.scale_up_bytes_s / devices * part
    said = (f"joined as in {system.name}", *system.assumptions) if n_chips > 1 else ()
    return Bed(item, devices, efficiency.for_chip(known_id(item), "neutral"), shared, machine, link, said)


def _mesh_part(system: systems.System, n_chips: float) -> float:
    """Return the part of a chip's links that a group uses: in a full mesh those to its members only."""
    if system.scale_up_topology != "full_mesh" or not 1 < n_chips < system.domain_chips:
        return 1.0
    return (n_chips - 1.0) / (system.domain_chips - 1.0)
