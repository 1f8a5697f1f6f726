"""What a chip achieves in a system: its datasheet, the efficiencies of its generation, the network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from perfcore import efficiency
from perfcore.chips import Item
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Machine
from perfcore.precisions import Precision
from perfcore.quantity import interval_of
from perfcore.reader import SPECS
from perfcore.software import SoftwareFile
from perfcore.systems import System

__all__ = ["Setting", "efficiency_words", "machine_of", "rate_of"]

TERA = 1e12
GIGA = 1e9
AXES = {"torus_2d": 2.0, "torus_3d": 3.0}
END = {"low": lambda i: i.low, "mid": lambda i: (i.low + i.high) / 2, "high": lambda i: i.high}


class Runs(Protocol):
    """What of a training software or a serving engine decides how fast a chip is."""

    @property
    def constants(self) -> Mapping[str, float]: ...

    @property
    def gemm_factor(self) -> float: ...

    @property
    def starts_kernels(self) -> bool: ...


class Placed(Protocol):
    """A chip in a system under a software, in one number format: of training or of serving."""

    @property
    def chip(self) -> Item: ...

    @property
    def system(self) -> System: ...

    @property
    def software(self) -> Runs: ...

    @property
    def precision(self) -> Precision: ...

    @property
    def attention_kernel(self) -> str: ...

    @property
    def mode(self) -> str: ...

    @property
    def end(self) -> str: ...

    @property
    def devices(self) -> int: ...


@dataclass(frozen=True)
class Setting:
    """A chip in a system under a software, in one number format.

    ``mode`` says which efficiencies: ``fitted`` or ``neutral``; ``end`` which end of a number given as an interval.
    """

    chip: Item
    system: System
    software: SoftwareFile
    precision: Precision
    attention_kernel: str
    mode: str = "fitted"
    end: str = "mid"

    @property
    def devices(self) -> int:
        """Return how many devices of one package a framework counts as ranks."""
        return int(self.chip.document.get("devices", 1))

    def at(self, end: str) -> "Setting":
        """Return the same with another end of the intervals."""
        return replace(self, end=end)


def number(chip: Item, table: str, key: str, end: str) -> float | None:
    """Return a number of a chip's file, None where it is not given."""
    value: Any = chip.document.get(table, {}).get(key)
    if value is None:
        return None
    found = interval_of(value)
    return float(END[end](found))


def rate_of(chip: Item, form: str, end: str = "mid", strict: bool = False) -> float:
    """Return the dense peak of a format [FLOP/s]; fp16 and bf16 stand in for each other, unless it is to be strict.

    Raises
    ------
    PerfcoreError
        If the chip has no such format.
    """
    other = {"fp16": "bf16", "bf16": "fp16"}.get(form, form)
    for key in (form,) if strict else (form, other):
        rate = number(chip, "peak_dense_tflops", key, end)
        if rate is not None:
            return rate * TERA
    has = ", ".join(chip.document.get("peak_dense_tflops", {})) or "none in its file"
    raise PerfcoreError(f"--precision: {chip.name} has no {form} rate; it has {has}")


def wide_format(chip: Item, form: str) -> str:
    """Return the format of logits and attention: 16 bit, or that of the products where a chip has none."""
    rates = chip.document.get("peak_dense_tflops", {})
    return "bf16" if "bf16" in rates or "fp16" in rates else form


def _memory(chip: Item, key: str, end: str) -> float:
    value = number(chip, "memory", key, end)
    if value is None and key == "bandwidth_gb_s":
        given = chip.document.get("dram_bandwidth_gb_s")
        value = None if given is None else float(END[end](interval_of(given)))
    if value is None:
        raise PerfcoreError(f"{chip.name}: memory.{key} is not given; a prediction needs it: add it to the chip file")
    return value * GIGA


def used_domain(system: System, chips: float) -> float:
    """Return the chips of a domain that a job uses: the most that divide it evenly, if that is half of it or more."""
    whole = int(min(chips, system.domain_chips))
    even = max(d for d in range(1, whole + 1) if int(chips) % d == 0)
    return float(even if 2 * even >= whole else whole)


def known_id(chip: Item) -> str:
    """Return the id by which a chip's efficiencies are known: none for a user's own file, whatever it is called."""
    return chip.id if chip.path.is_relative_to(SPECS) else ""


def efficiency_words(chip: Item, bits: int) -> list[str]:
    """Return what was taken from elsewhere for the efficiencies that products of ``bits`` and attention use."""
    used = {"gemm_16bit", f"gemm_{bits}bit", "attention"}
    known = efficiency_of(chip)
    said = [s for s in known.assumptions if s.split(" ")[0] in used or not s.startswith("gemm")]
    if "multiprocessors" not in chip.document:
        said.append("multiprocessors are not given: matrix products are taken not to be dealt in waves")
    return said


def efficiency_of(chip: Item, mode: str = "fitted") -> efficiency.Efficiency:
    """Return what kernels of a chip reach; of a measured one, the share of its products that was measured."""
    known = efficiency.for_chip(known_id(chip), mode)
    measured = chip.document.get("measured", {}).get("gemm_share")
    if measured is None or known_id(chip):
        return known
    share = float(measured)
    if share > 1.0:
        raise PerfcoreError(
            f"{chip.path}: measured.gemm_share: found {share:g}; allowed: a share of the peak, at most 1"
        )
    words = f"products reach {share:.2f} of the peak, as measured; attention {known.attention:.2f}, as elsewhere"
    return replace(known, gemm_16bit=share, gemm_8bit=share, gemm_4bit=share, assumptions=(words,))


def attention_speed(generation: str, kernel: str) -> float:
    """Return the speed of an attention kernel over that of the generation's best; 1.0 where none is fused.

    >>> attention_speed("nvidia_hopper", "flash_3")
    1.0
    """
    return 1.0 if kernel == "unfused" else float(getattr(efficiency.attention_kernels(generation), kernel))


def _multiprocessors(chip: Item, share: float) -> float:
    """Return the units that tiles are spread over: 0 of a systolic array, below 0 of a CPU, which needs no tiles."""
    if chip.document.get("measured", {}).get("kind") == "cpu":
        return -1.0
    return float(chip.document.get("multiprocessors", 0.0)) * share


def machine_of(setting: Placed, chips: float) -> Machine:
    """Return what one rank of a job on ``chips`` packages achieves.

    Raises
    ------
    PerfcoreError
        If the chip lacks the format, or its file a number that is needed.
    """
    chip, system, precision, end = setting.chip, setting.system, setting.precision, setting.end
    known = efficiency_of(chip, setting.mode)
    shared = efficiency.shared(setting.mode)
    constants = setting.software.constants
    slower = setting.software.gemm_factor
    share = 1.0 / setting.devices
    wide_rate = rate_of(chip, wide_format(chip, precision.format), end)
    of_bits = {16: known.gemm_16bit, 8: known.gemm_8bit, 4: known.gemm_4bit}[precision.bits]
    kernel = attention_speed(known.generation, setting.attention_kernel)
    return Machine(
        gemm_flop_s=rate_of(chip, precision.format, end) * of_bits * slower * share,
        wide_gemm_flop_s=wide_rate * known.gemm_16bit * slower * share,
        attention_flop_s=wide_rate * known.attention * kernel * share,
        element_bytes=precision.element_bytes,
        cast_bytes=precision.cast_bytes,
        memory_bytes_s=_memory(chip, "bandwidth_gb_s", end) * share,
        memory_efficiency=shared.memory_efficiency,
        memory_bytes=_memory(chip, "capacity_gb", "low") * share,
        multiprocessors=_multiprocessors(chip, share),
        kernel_s=shared.kernel_s if setting.software.starts_kernels else 0.0,
        domain=used_domain(system, chips) * setting.devices,
        link_bytes_s=system.scale_up_bytes_s * shared.link_efficiency * constants["link_factor"] * share,
        link_latency_s=system.scale_up_latency_s,
        torus_axes=AXES.get(system.scale_up_topology, 0.0),
        network_bytes_s=system.scale_out_bytes_s * shared.network_efficiency * constants["link_factor"] * share,
        network_latency_s=system.scale_out_latency_s,
    )
