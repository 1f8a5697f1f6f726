"""Packages that a supply of dies, memory stacks and packaging lines allows.

Plain functions of floats. They check nothing: inputs are checked where they enter (``perfcore.silicon``).
"""


def good_dies(wafers: float, gross_dies: float, die_yield: float) -> float:
    """Working dies of some wafers. [count]

    Parameters
    ----------
    wafers
        Wafers. [count]
    gross_dies
        Whole dies of one wafer. [count]
    die_yield
        Share of dies that work. [share]

    References
    ----------
    .. [1] Definition.

    Examples
    --------
    >>> good_dies(1000.0, 80.0, 0.25)
    20000.0
    """
    return wafers * gross_dies * die_yield


def packages_of_dies(dies: float, dies_per_package: float, package_yield: float) -> float:
    """Working packages that a supply of dies allows. [count]

    Parameters
    ----------
    dies
        Working dies at hand. [count]
    dies_per_package
        Dies of one package, above 0. [count]
    package_yield
        Share of packages that work. [share]

    References
    ----------
    .. [1] Definition.

    Examples
    --------
    >>> packages_of_dies(2000000.0, 2.0, 0.75)
    750000.0
    """
    return dies / dies_per_package * package_yield


def packages_of_stacks(memory_stacks: float, stacks_per_package: float, memory_package_yield: float) -> float:
    """Working packages that a supply of memory stacks allows. [count]

    Parameters
    ----------
    memory_stacks
        Stacks at hand. [count]
    stacks_per_package
        Stacks of one package, above 0. [count]
    memory_package_yield
        Share of stacks that end in a working package; 1 where failed packages cost no stack. [share]

    References
    ----------
    .. [1] Definition.

    Examples
    --------
    >>> packages_of_stacks(13000000.0, 8.0, 1.0)
    1625000.0
    """
    return memory_stacks / stacks_per_package * memory_package_yield


def packages_possible(packages_by_dies: float, packages_by_stacks: float, packages_by_lines: float) -> float:
    """Packages that dies, memory stacks and packaging lines together allow: the fewest of the three. [count]

    Parameters
    ----------
    packages_by_dies, packages_by_stacks, packages_by_lines
        What each alone allows. [count]

    References
    ----------
    .. [1] Definition.

    Examples
    --------
    >>> packages_possible(1450000.0, 1625000.0, 2000000.0)
    1450000.0
    """
    return min(packages_by_dies, packages_by_stacks, packages_by_lines)
