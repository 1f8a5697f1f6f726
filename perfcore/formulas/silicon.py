"""Yield of dies, dies of a wafer and what a good die costs.

Plain functions of floats. They check nothing: inputs are checked where they enter (``perfcore.silicon``).
"""

import math


def mean_defects(area_mm2: float, defects_per_cm2: float) -> float:
    """Defects expected on one die. [count]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    defects_per_cm2
        Density of the defects that kill a die. [1/cm2]

    References
    ----------
    .. [1] C. Stapper, F. Armstrong and K. Saji, "Integrated circuit yield statistics", Proc. IEEE 71 (1983) (recalled).

    Examples
    --------
    >>> mean_defects(800.0, 0.25)
    2.0
    """
    return area_mm2 / 100.0 * defects_per_cm2


def poisson_yield(area_mm2: float, defects_per_cm2: float) -> float:
    """Yield where defects fall independently of each other: exp(-x) at x defects a die. [share]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    defects_per_cm2
        Density of the defects that kill a die. [1/cm2]

    References
    ----------
    .. [1] As ``mean_defects``.

    Examples
    --------
    One defect a die leaves 1/e:

    >>> round(poisson_yield(100.0, 1.0), 4)
    0.3679
    """
    return math.exp(-mean_defects(area_mm2, defects_per_cm2))


def murphy_yield(area_mm2: float, defects_per_cm2: float) -> float:
    """Yield where the density of defects varies over wafers as a triangle: ((1 - exp(-x)) / x)^2. [share]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    defects_per_cm2
        Mean density of the defects that kill a die. [1/cm2]

    References
    ----------
    .. [1] B. Murphy, "Cost-size optima of monolithic integrated circuits", Proc. IEEE 52 (1964) (recalled).

    Examples
    --------
    (1 - 1/e)^2 at one defect a die; 1 without defects:

    >>> round(murphy_yield(100.0, 1.0), 4), murphy_yield(100.0, 0.0)
    (0.3996, 1.0)
    """
    defects = mean_defects(area_mm2, defects_per_cm2)
    if defects <= 0.0:
        return 1.0
    root = -math.expm1(-defects) / defects
    return root * root


def seeds_yield(area_mm2: float, defects_per_cm2: float) -> float:
    """Yield where the density of defects varies as an exponential: 1 / (1 + x). [share]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    defects_per_cm2
        Mean density of the defects that kill a die. [1/cm2]

    References
    ----------
    .. [1] R. Seeds, "Yield and cost analysis of bipolar LSI", IEDM (1967) (recalled).

    Examples
    --------
    >>> seeds_yield(100.0, 1.0)
    0.5
    """
    return 1.0 / (1.0 + mean_defects(area_mm2, defects_per_cm2))


def negative_binomial_yield(area_mm2: float, defects_per_cm2: float, clustering: float) -> float:
    """Yield where defects cluster: (1 + x / clustering)^-clustering; Seeds at 1, Poisson at infinity. [share]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    defects_per_cm2
        Mean density of the defects that kill a die. [1/cm2]
    clustering
        The smaller, the more defects cluster; above 0. 3 is what the ttm-cas model takes. [1]

    References
    ----------
    .. [1] C. Stapper, F. Armstrong and K. Saji, "Integrated circuit yield statistics", Proc. IEEE 71 (1983) (recalled).
    .. [2] PrincetonUniversity/ttm-cas, clustering of 3.

    Examples
    --------
    (1 + 1)^-3 at 3 defects a die:

    >>> round(negative_binomial_yield(300.0, 1.0, 3.0), 4), round(negative_binomial_yield(100.0, 1.0, 1.0), 4)
    (0.125, 0.5)
    """
    return math.exp(-clustering * math.log1p(mean_defects(area_mm2, defects_per_cm2) / clustering))


def poisson_defects_per_cm2(area_mm2: float, die_yield: float) -> float:
    """Density of defects that gives a yield by Poisson's model. [1/cm2]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    die_yield
        Share of dies that work, above 0. [share]

    References
    ----------
    .. [1] ``poisson_yield``, solved for the density.

    Examples
    --------
    >>> round(poisson_defects_per_cm2(100.0, math.exp(-1.0)), 12)
    1.0
    """
    return -math.log(die_yield) / (area_mm2 / 100.0)


def murphy_defects_per_cm2(area_mm2: float, die_yield: float) -> float:
    """Density of defects that gives a yield by Murphy's model. [1/cm2]

    Newton's method on ``1 - exp(-x) - root * x``, which is concave: from above the solution it falls to it.

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    die_yield
        Share of dies that work, above 0 and at most 1. [share]

    References
    ----------
    .. [1] ``murphy_yield``, solved for the density.

    Examples
    --------
    >>> round(murphy_defects_per_cm2(100.0, murphy_yield(100.0, 0.3)), 9), murphy_defects_per_cm2(100.0, 1.0)
    (0.3, 0.0)
    """
    if die_yield >= 1.0:
        return 0.0
    root = math.sqrt(die_yield)
    defects = 1.0 / root
    for _ in range(60):
        slope = math.exp(-defects) - root
        below = -math.expm1(-defects) - root * defects
        if slope < 0.0 and below < 0.0:
            defects = defects - below / slope
    return defects / (area_mm2 / 100.0)


def seeds_defects_per_cm2(area_mm2: float, die_yield: float) -> float:
    """Density of defects that gives a yield by Seeds' model. [1/cm2]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    die_yield
        Share of dies that work, above 0. [share]

    References
    ----------
    .. [1] ``seeds_yield``, solved for the density.

    Examples
    --------
    >>> seeds_defects_per_cm2(100.0, 0.5)
    1.0
    """
    return (1.0 / die_yield - 1.0) / (area_mm2 / 100.0)


def negative_binomial_defects_per_cm2(area_mm2: float, die_yield: float, clustering: float) -> float:
    """Density of defects that gives a yield by the negative binomial model. [1/cm2]

    Parameters
    ----------
    area_mm2
        Area of the die. [mm2]
    die_yield
        Share of dies that work, above 0. [share]
    clustering
        As in ``negative_binomial_yield``. [1]

    References
    ----------
    .. [1] ``negative_binomial_yield``, solved for the density.

    Examples
    --------
    >>> round(negative_binomial_defects_per_cm2(300.0, 0.125, 3.0), 9)
    1.0
    """
    return clustering * math.expm1(-math.log(die_yield) / clustering) / (area_mm2 / 100.0)


def gross_dies(wafer_diameter_mm: float, area_mm2: float) -> float:
    r"""Whole dies of a wafer, working or not: area of the wafer over that of a die, less the edge. [count]

    .. math:: \frac{\pi (d/2)^2}{A} - \frac{\pi d}{\sqrt{2 A}}

    Parameters
    ----------
    wafer_diameter_mm
        Diameter of the wafer. [mm]
    area_mm2
        Area of the die, saw lines included. [mm2]

    References
    ----------
    .. [1] D. de Vries, "Investigation of gross die per wafer formulas", IEEE Trans. Semicond. Manuf. 18 (2005)
       (recalled).

    Examples
    --------
    The wafer holds pi x 10,000 / 50 = 628.3 dies by area; the edge takes pi x 200 / 10 = 62.8 of them:

    >>> round(gross_dies(200.0, 50.0), 1)
    565.5
    """
    radius = wafer_diameter_mm / 2.0
    by_area = math.pi * radius * radius / area_mm2
    return max(0.0, by_area - math.pi * wafer_diameter_mm / math.sqrt(2.0 * area_mm2))


def raw_silicon_usd_mm2(wafer_cost_usd: float, wafer_diameter_mm: float) -> float:
    """Cost of processed silicon, edge and bad dies not counted. [USD/mm2]

    Parameters
    ----------
    wafer_cost_usd
        Cost of one processed wafer. [USD]
    wafer_diameter_mm
        Diameter of the wafer. [mm]

    References
    ----------
    .. [1] Cost over area.

    Examples
    --------
    A wafer of 300 mm has 70,685.8 mm2:

    >>> round(raw_silicon_usd_mm2(7068.58, 300.0), 6)
    0.1
    """
    radius = wafer_diameter_mm / 2.0
    return wafer_cost_usd / (math.pi * radius * radius)
