"""Chiplets: cost of a tested die, yield and cost of a package of several, extra masks of multi-patterning.

Plain functions of floats. They check nothing: inputs are checked where they enter (``perfcore.silicon``).
"""

import math


def passing_share(die_yield: float, test_coverage: float) -> float:
    """Dies that pass a test before packaging: the good ones, and bad ones the test does not find. [share]

    Parameters
    ----------
    die_yield
        Share of dies that work. [share]
    test_coverage
        Share of bad dies that the test finds: 1 for known-good dies, 0 without a test. [share]

    References
    ----------
    .. [1] Definition.

    Examples
    --------
    Of 100 dies 60 work; the test finds 30 of the 40 others:

    >>> passing_share(0.6, 0.75)
    0.7
    """
    return die_yield + (1.0 - die_yield) * (1.0 - test_coverage)


def tested_die_cost_usd(
    wafer_cost_usd: float, gross_dies: float, die_test_usd: float, die_yield: float, test_coverage: float
) -> float:
    """Cost of one die that passed its test; with full coverage that of a known-good die. [USD]

    Parameters
    ----------
    wafer_cost_usd
        Cost of one processed wafer. [USD]
    gross_dies
        Whole dies of a wafer, above 0. [count]
    die_test_usd
        Cost of testing one die, good or bad. [USD]
    die_yield
        Share of dies that work. [share]
    test_coverage
        Share of bad dies that the test finds. [share]

    References
    ----------
    .. [1] Cost of all dies over those that pass.

    Examples
    --------
    A wafer of 9,000 USD with 100 dies, 10 USD a test, half of them good:

    >>> tested_die_cost_usd(9000.0, 100.0, 10.0, 0.5, 1.0)
    200.0
    """
    return (wafer_cost_usd / gross_dies + die_test_usd) / passing_share(die_yield, test_coverage)


def package_yield(dies_per_package: float, die_yield: float, test_coverage: float, bond_yield: float) -> float:
    """Packages that work: every die must be good and well bonded. [share]

    Parameters
    ----------
    dies_per_package
        Dies of one package. [count]
    die_yield
        Share of dies that work. [share]
    test_coverage
        Share of bad dies found before packaging. [share]
    bond_yield
        Share of dies that are joined without damage. [share]

    References
    ----------
    .. [1] Product over independent dies.

    Examples
    --------
    Known-good dies leave the bonds alone, 0.9^2; without a test the dies multiply too, (0.5 x 0.9)^2:

    >>> round(package_yield(2.0, 0.5, 1.0, 0.9), 4), round(package_yield(2.0, 0.5, 0.0, 0.9), 4)
    (0.81, 0.2025)
    """
    return math.pow(bond_yield * die_yield / passing_share(die_yield, test_coverage), dies_per_package)


def package_cost_usd(
    dies_per_package: float, die_cost_usd: float, assembly_cost_usd: float, package_yield: float
) -> float:
    """Cost of one working package. [USD]

    Parameters
    ----------
    dies_per_package
        Dies of one package. [count]
    die_cost_usd
        Cost of one die that is put in. [USD]
    assembly_cost_usd
        Substrate, interposer, memory and work of one package. [USD]
    package_yield
        Share of packages that work, above 0. [share]

    References
    ----------
    .. [1] Cost of all packages over those that work.

    Examples
    --------
    >>> package_cost_usd(2.0, 100.0, 50.0, 0.5)
    500.0
    """
    return (dies_per_package * die_cost_usd + assembly_cost_usd) / package_yield


def patterned_wafer_cost_usd(wafer_cost_usd: float, extra_masks: float, cost_factor_per_mask: float) -> float:
    """Cost of a wafer whose finest layers are exposed several times. [USD]

    Parameters
    ----------
    wafer_cost_usd
        Cost without the extra masks. [USD]
    extra_masks
        Masks added. [count]
    cost_factor_per_mask
        Cost of the wafer with one mask more over that without: 1.02 for 2 % a mask. [1]

    References
    ----------
    .. [1] Multiplicative model of this project; the inputs are the user's.

    Examples
    --------
    >>> round(patterned_wafer_cost_usd(1000.0, 2.0, 1.1), 6)
    1210.0
    """
    return wafer_cost_usd * math.pow(cost_factor_per_mask, extra_masks)


def patterned_yield(die_yield: float, extra_masks: float, yield_per_mask: float) -> float:
    """Yield after extra masks, each of which spoils some dies. [share]

    Parameters
    ----------
    die_yield
        Yield without the extra masks. [share]
    extra_masks
        Masks added. [count]
    yield_per_mask
        Share of dies that one extra mask leaves good. [share]

    References
    ----------
    .. [1] Multiplicative model of this project; the inputs are the user's.

    Examples
    --------
    >>> round(patterned_yield(0.8, 2.0, 0.9), 6)
    0.648
    """
    return die_yield * math.pow(yield_per_mask, extra_masks)
