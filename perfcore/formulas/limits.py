"""What a design needs to stay on one side of a limit: area, transistors, chips.

Plain functions that work on floats and, but for the rounding up, unchanged on ``Fraction``. The limits themselves are
arguments: they stand in ``specs/rules/``.
"""

import math


def padding_area_mm2(tpp: float, performance_density: float, applicable_die_area_mm2: float) -> float:
    """Logic area to add until a TPP has a given performance density; 0 where there is enough. [mm2]

    Parameters
    ----------
    tpp
        Total processing performance. [bit x TOPS]
    performance_density
        The density sought, above 0. [TPP/mm2]
    applicable_die_area_mm2
        Area of the logic dies on a non-planar process that are there already. [mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note 4, solved for the area.

    Examples
    --------
    >>> padding_area_mm2(2400.0, 3.2, 400.0), padding_area_mm2(2400.0, 3.2, 800.0)
    (350.0, 0.0)
    """
    return max(0.0, tpp / performance_density - applicable_die_area_mm2)


def padding_cost_usd(padding_area_mm2: float, raw_silicon_usd_mm2: float) -> float:
    """Cost of added area as raw silicon: dark area works with defects in it. [USD]

    Parameters
    ----------
    padding_area_mm2
        Area added. [mm2]
    raw_silicon_usd_mm2
        Cost of processed silicon. [USD/mm2]

    References
    ----------
    .. [1] Proportion; package, stitching and bonding are not in it.

    Examples
    --------
    >>> padding_cost_usd(350.0, 0.25)
    87.5
    """
    return padding_area_mm2 * raw_silicon_usd_mm2


def tpp_at_density(performance_density: float, applicable_die_area_mm2: float) -> float:
    """TPP at which an area has a given performance density. [bit x TOPS]

    Parameters
    ----------
    performance_density
        The density. [TPP/mm2]
    applicable_die_area_mm2
        Area of the logic dies on a non-planar process. [mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note 4, solved for the TPP.

    Examples
    --------
    >>> tpp_at_density(3.2, 750.0)
    2400.0
    """
    return performance_density * applicable_die_area_mm2


def transistors_of_area_billion(area_mm2: float, transistor_density_mtr_mm2: float) -> float:
    """Transistors of an area. [10^9]

    Parameters
    ----------
    area_mm2
        Area of the dies. [mm2]
    transistor_density_mtr_mm2
        Transistors of one mm2. [10^6/mm2]

    References
    ----------
    .. [1] 90 FR 5298 (16 January 2025) counts "approximated" transistors; that it is density times area is recalled.

    Examples
    --------
    >>> transistors_of_area_billion(500.0, 60.0)
    30.0
    """
    return area_mm2 * transistor_density_mtr_mm2 / 1000.0


def area_of_transistors_mm2(transistors_billion: float, transistor_density_mtr_mm2: float) -> float:
    """Area that holds a number of transistors. [mm2]

    Parameters
    ----------
    transistors_billion
        Transistors. [10^9]
    transistor_density_mtr_mm2
        Transistors of one mm2, above 0. [10^6/mm2]

    References
    ----------
    .. [1] As ``transistors_of_area_billion``.

    Examples
    --------
    >>> area_of_transistors_mm2(30.0, 60.0)
    500.0
    """
    return transistors_billion * 1000.0 / transistor_density_mtr_mm2


def tpp_of_transistors(transistors_billion: float, tpp_per_billion: float) -> float:
    """TPP that a number of transistors carries. [bit x TOPS]

    Parameters
    ----------
    transistors_billion
        Transistors. [10^9]
    tpp_per_billion
        TPP of a billion transistors of some chip. [bit x TOPS]

    References
    ----------
    .. [1] Proportion.

    Examples
    --------
    >>> tpp_of_transistors(30.0, 160.0)
    4800.0
    """
    return transistors_billion * tpp_per_billion


def hbm_area_at_density_mm2(bandwidth_gb_s: float, hbm_bandwidth_density_gb_s_mm2: float) -> float:
    """Area of an HBM package or stack at which a bandwidth has a given density. [mm2]

    Parameters
    ----------
    bandwidth_gb_s
        Bandwidth of the package or stack. [GB/s]
    hbm_bandwidth_density_gb_s_mm2
        The density sought, above 0. [GB/s/mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note to 3A090.c, solved for the area.

    Examples
    --------
    >>> hbm_area_at_density_mm2(220.0, 2.0)
    110.0
    """
    return bandwidth_gb_s / hbm_bandwidth_density_gb_s_mm2


def chips_at_petaflops(petaflops: float, peak_dense_tops: float) -> float:
    """Fewest chips that together reach a peak. [count]

    Parameters
    ----------
    petaflops
        The peak to reach. [10^15/s]
    peak_dense_tops
        Peak of one chip at the format counted, above 0. [10^12/s]

    References
    ----------
    .. [1] 15 CFR 772.1, "supercomputer", counts peaks; the sum over chips is this project's.

    Examples
    --------
    >>> chips_at_petaflops(100.0, 30.0)
    3334.0
    """
    return float(math.ceil(petaflops * 1000.0 / peak_dense_tops))


def volume_of_racks_ft3(racks: float, rack_volume_ft3: float) -> float:
    """Volume of some equal racks standing side by side, no aisle counted. [ft3]

    Parameters
    ----------
    racks
        Racks. [count]
    rack_volume_ft3
        Outer volume of one. [ft3]

    References
    ----------
    .. [1] Proportion; how an envelope is drawn around aisles is not settled by the text read here.

    Examples
    --------
    >>> volume_of_racks_ft3(10.0, 56.0)
    560.0
    """
    return racks * rack_volume_ft3
