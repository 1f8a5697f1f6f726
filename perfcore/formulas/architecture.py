"""A chip from its architecture: areas of its blocks, peak rates, bandwidths.

The areas are those of the LLMCompass cost model: transistors over the density of the node, SRAM from its cell and the
share of a macro that is cells, interfaces as measured on die photographs.
Plain functions of floats; they check nothing.
"""

import math
from typing import NamedTuple

REGISTER_ELEMENTS = 32.0  # vector elements that one register file serves


class Architecture(NamedTuple):
    """What a designer chooses; a key of a grid file of the same name means the same."""

    array_rows: float  # of a systolic array of 16-bit multiply-accumulate cells
    array_columns: float
    lanes: float  # of a core: an array, a vector unit and a register file each
    vector_width: float  # elements of a lane's vector unit
    cores: float  # at work
    spare_cores: float  # on the die and switched off
    clock_ghz: float
    l1_kb: float  # of a core
    l2_mb: float
    hbm_stacks: float
    spare_stacks: float  # whose interfaces are on the die and unused
    links: float  # to other chips
    pcie_lanes: float


class Blocks(NamedTuple):
    """Areas of the blocks of one node and what its interfaces carry."""

    array_cell_mm2: float
    vector_mm2: float  # arithmetic of one vector element
    control_mm2: float  # of one vector element
    register_file_mm2: float  # of 32 vector elements
    crossbar_mm2: float  # of a core
    sram_cell_mm2: float
    cells_4kb: float  # share of an SRAM macro of 4 kB that is cells,
    cells_8kb: float
    cells_16kb: float
    cells_32kb: float
    cells_64kb: float
    cells_128kb: float
    cells_256kb: float
    cells_512kb: float  # and of 512 kB, the largest; larger memories are built of several
    hbm_phy_mm2: float  # of a stack
    hbm_controller_mm2: float
    link_phy_mm2: float
    link_controller_mm2: float
    pcie_lane_mm2: float
    fp32_per_element: float  # units of a vector element
    fp64_per_element: float
    hbm_stack_gb_s: float
    hbm_stack_gb: float
    link_gb_s: float  # both directions together
    pcie_lane_gb_s: float


class Areas(NamedTuple):
    """Areas of the parts of a die [mm2]."""

    cores: float
    crossbar: float
    l2: float
    hbm_phy: float
    hbm_controller: float
    link_phy: float
    link_controller: float
    pcie: float


def logic_mm2(transistors: float, density_mtr_mm2: float) -> float:
    """Return the area of logic [mm2] from its transistors and the density of a node [10^6/mm2].

    Examples
    --------
    >>> logic_mm2(192.6e6, 96.3)
    2.0
    """
    return transistors / (density_mtr_mm2 * 1e6)


def multiplier_transistors(fp64_transistors: float, fraction_bits: float) -> float:
    """Return the transistors of a floating-point unit from those of one for 64 bits, whose fraction has 52 [count].

    A multiplier grows with the square of its fraction.

    References
    ----------
    .. [1] H. Zhang et al., "LLMCompass", ISCA 2024, cost model (constants as in workarounds.md, section B).

    Examples
    --------
    >>> round(multiplier_transistors(685300.0, 10.0))
    25344
    """
    share = fraction_bits / 52.0
    return fp64_transistors * share * share


def register_file_mm2(entries: float, bits: float, ports: float, scale: float) -> float:
    """Return the area of a register file [mm2]: a fit to files at 90 nm, times the density there over that of the node.

    References
    ----------
    .. [1] P. Raghavan et al., "EMPIRE: empirical power/area/timing models for register files", 2009 (recalled; the
       coefficients are those of LLMCompass).

    Examples
    --------
    A lane of the A100: 16,384 registers of 32 bits with four ports.

    >>> round(register_file_mm2(16384.0, 32.0, 4.0, 1.6 / 96.3), 3)
    0.391
    """
    um2 = 3.29e4 - 1.09e3 * entries - 8.83e2 * bits - 5.55e3 * ports + 53.5 * entries * bits
    um2 += 0.015 * entries * entries + 0.0108 * bits * bits + 0.586 * ports * ports
    um2 += 142.0 * entries * ports + 368.0 * bits * ports
    return um2 * 1e-6 * scale


def cell_share(kb: float, b: Blocks) -> float:
    """Return the share of a memory's area that is cells, by the macro it is built of: the next power of two [share].

    References
    ----------
    .. [1] CACTI, as tabulated by LLMCompass for 4 kB to 512 kB.
    """
    if kb <= 16.0:
        return b.cells_4kb if kb <= 4.0 else (b.cells_8kb if kb <= 8.0 else b.cells_16kb)
    if kb <= 64.0:
        return b.cells_32kb if kb <= 32.0 else b.cells_64kb
    if kb <= 128.0:
        return b.cells_128kb
    return b.cells_256kb if kb <= 256.0 else b.cells_512kb


def sram_mm2(kb: float, b: Blocks) -> float:
    """Return the area of an SRAM of ``kb`` times 1,024 bytes [mm2]."""
    return kb * 1024.0 * 8.0 * b.sram_cell_mm2 / cell_share(kb, b)


def lanes_mm2(a: Architecture, b: Blocks) -> float:
    """Return the area of the lanes of one core [mm2]: arrays and vector units, with their control and registers."""
    lane = a.vector_width * (b.control_mm2 + b.vector_mm2 + b.register_file_mm2 / REGISTER_ELEMENTS)
    lane += a.array_rows * a.array_columns * b.array_cell_mm2
    return a.lanes * lane


def core_mm2(a: Architecture, b: Blocks) -> float:
    """Return the area of one core [mm2]: its lanes and its first-level cache."""
    return lanes_mm2(a, b) + sram_mm2(a.l1_kb, b)


def areas(a: Architecture, b: Blocks) -> Areas:
    """Return the areas of the parts of a die [mm2]; what is spare counts, since it is on it."""
    made = a.cores + a.spare_cores
    stacks = a.hbm_stacks + a.spare_stacks
    return Areas(
        made * core_mm2(a, b),
        made * b.crossbar_mm2,
        sram_mm2(1024.0 * a.l2_mb, b),
        stacks * b.hbm_phy_mm2,
        stacks * b.hbm_controller_mm2,
        a.links * b.link_phy_mm2,
        a.links * b.link_controller_mm2,
        a.pcie_lanes * b.pcie_lane_mm2,
    )


def logic_area_mm2(a: Architecture, b: Blocks) -> float:
    """Return the area of all logic of a design [mm2], the sum of ``areas``.

    Interfaces between dies, pads, power and test structures are not counted beyond what the blocks hold.
    """
    p = areas(a, b)
    return p.cores + p.crossbar + p.l2 + p.hbm_phy + p.hbm_controller + p.link_phy + p.link_controller + p.pcie


def array_tflops(a: Architecture) -> float:
    """Return the dense 16-bit peak of the systolic arrays, a multiply-accumulate counted as 2 [10^12/s].

    Examples
    --------
    The A100: 108 cores of four arrays of 16 x 16 at 1.41 GHz.

    >>> a = Architecture(16.0, 16.0, 4.0, 32.0, 108.0, 20.0, 1.41, 192.0, 40.0, 5.0, 1.0, 12.0, 16.0)
    >>> round(array_tflops(a), 1)
    311.9
    """
    return a.array_rows * a.array_columns * a.lanes * a.cores * 2.0 * a.clock_ghz / 1000.0


def vector_tflops(a: Architecture, per_element: float) -> float:
    """Return the peak of the vector units from the units of an element [10^12/s].

    Examples
    --------
    The A100 has 64 units for 32 bits a core:

    >>> a = Architecture(16.0, 16.0, 4.0, 32.0, 108.0, 20.0, 1.41, 192.0, 40.0, 5.0, 1.0, 12.0, 16.0)
    >>> round(vector_tflops(a, 0.5), 1)
    19.5
    """
    return a.vector_width * per_element * a.lanes * a.cores * 2.0 * a.clock_ghz / 1000.0


def design_tpp(a: Architecture, b: Blocks) -> float:
    """Return the highest of bit length times rate over the formats of a design [bit x TOPS].

    References
    ----------
    .. [1] 15 CFR 774 supplement no. 1, technical notes to 3A090.
    """
    array = 16.0 * array_tflops(a)
    single = 32.0 * vector_tflops(a, b.fp32_per_element)
    double = 64.0 * vector_tflops(a, b.fp64_per_element)
    return max(array, max(single, double))


def hbm_bandwidth_gb_s(a: Architecture, b: Blocks) -> float:
    """Return the bandwidth of all memory stacks [GB/s]."""
    return a.hbm_stacks * b.hbm_stack_gb_s


def design_io_gb_s(a: Architecture, b: Blocks) -> float:
    """Return the rate of all links and of PCIe, both directions together [GB/s]."""
    return a.links * b.link_gb_s + a.pcie_lanes * b.pcie_lane_gb_s


def with_cores(a: Architecture, cores: float) -> Architecture:
    """Return the same architecture with another number of cores (``_replace`` does not compile)."""
    return Architecture(
        a.array_rows,
        a.array_columns,
        a.lanes,
        a.vector_width,
        cores,
        a.spare_cores,
        a.clock_ghz,
        a.l1_kb,
        a.l2_mb,
        a.hbm_stacks,
        a.spare_stacks,
        a.links,
        a.pcie_lanes,
    )


def cores_below_tpp(a: Architecture, b: Blocks, limit: float) -> float:
    """Return the most cores whose TPP stays below a limit; 0 where one core reaches it. [count]

    Examples
    --------
    46.2 TPP a core of the A100 at 1.41 GHz:

    >>> a = Architecture(16.0, 16.0, 4.0, 32.0, 1.0, 0.0, 1.41, 192.0, 40.0, 5.0, 1.0, 12.0, 0.0)
    >>> cores_below_tpp(a, Blocks(*[0.0] * 25), 4800.0), cores_below_tpp(a, Blocks(*[0.0] * 25), 46.0)
    (103.0, 0.0)
    """
    one = design_tpp(with_cores(a, 1.0), b)
    return max(0.0, math.ceil(limit / one) - 1.0)


def cores_within_mm2(a: Architecture, b: Blocks, limit: float) -> float:
    """Return the most cores, besides the spare ones, whose die stays within an area; 0 where none does. [count]"""
    p = areas(a, b)
    rest = p.l2 + p.hbm_phy + p.hbm_controller + p.link_phy + p.link_controller + p.pcie
    return max(0.0, math.floor((limit - rest) / (core_mm2(a, b) + b.crossbar_mm2)) - a.spare_cores)
