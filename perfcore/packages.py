"""Packages that a supply allows and which part of it binds; extra masks of multi-patterning against EUV."""

from dataclasses import dataclass
from typing import Any

from perfcore import formulas
from perfcore.answers import json_of
from perfcore.errors import PerfcoreError
from perfcore.given import number, share, whole


@dataclass(frozen=True)
class Packages:
    """Working packages, what each supply alone allows (None: not given, so not a limit), and what binds."""

    packages: float
    binding: tuple[str, ...]
    by_dies: float | None
    by_stacks: float | None
    by_lines: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html("Packages that the supply allows", self.to_dict())


@dataclass(frozen=True)
class Patterning:
    """A wafer with extra masks over the same wafer by EUV: ``cost_per_good_die_ratio`` above 1 says it costs more."""

    wafer_cost_ratio: float
    yield_ratio: float
    cost_per_good_die_ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html("Extra masks against EUV", self.to_dict())


def packages(
    dies: float,
    memory_stacks: float | None = None,
    packages_by_lines: float | None = None,
    dies_per_package: int = 1,
    stacks_per_package: int | None = None,
    package_yield: float = 1.0,
    memory_package_yield: float = 1.0,
) -> Packages:
    """Return the working packages that dies, memory stacks and packaging lines allow, and which of them binds.

    Parameters
    ----------
    dies
        Working dies at hand.
    memory_stacks, stacks_per_package
        Stacks at hand, and of one package; both or neither.
    packages_by_lines
        Packages that the packaging lines can make.
    dies_per_package
        Dies of one package.
    package_yield
        Share of packages that work.
    memory_package_yield
        Share of stacks that end in a working package; 1 where failed packages cost no stack.

    Raises
    ------
    PerfcoreError
        If something given is wrong.

    Examples
    --------
    13 million stacks, 8 a package; 2.9 million dies, 2 a package:

    >>> answer = packages(2.9e6, memory_stacks=13e6, dies_per_package=2, stacks_per_package=8)
    >>> answer.packages, answer.by_stacks, answer.binding
    (1450000.0, 1625000.0, ('dies',))
    """
    each = whole("dies_per_package", dies_per_package)
    good = share("package_yield", package_yield)
    by_dies = formulas.packages_of_dies(number("dies", dies, zero=True), each, good)
    by_stacks = _by_stacks(memory_stacks, stacks_per_package, memory_package_yield)
    by_lines = None if packages_by_lines is None else number("packages_by_lines", packages_by_lines, zero=True)
    limits = {"dies": by_dies, "memory stacks": by_stacks, "packaging lines": by_lines}
    infinity = float("inf")
    stacks, lines = (infinity if limit is None else limit for limit in (by_stacks, by_lines))
    possible = formulas.packages_possible(by_dies, stacks, lines)
    binding = tuple(name for name, limit in limits.items() if limit == possible)
    return Packages(possible, binding, by_dies, by_stacks, by_lines)


def _by_stacks(memory_stacks: float | None, stacks_per_package: int | None, kept: float) -> float | None:
    if memory_stacks is None and stacks_per_package is None:
        return None
    stacks = number("memory_stacks", memory_stacks, zero=True)
    each = whole("stacks_per_package", stacks_per_package)
    return formulas.packages_of_stacks(stacks, each, share("memory_package_yield", kept))


def multi_patterning(
    extra_masks: float,
    cost_factor_per_mask: float,
    yield_per_mask: float,
    euv_exposures: float = 0.0,
    cost_factor_per_euv_exposure: float = 1.0,
    yield_per_euv_exposure: float = 1.0,
) -> Patterning:
    """Compare extra masks of multi-patterning with the EUV exposures they stand for.

    Both multiply: a wafer costs ``factor ** masks`` times as much, and ``yield ** masks`` of its dies stay good. Every
    number is the user's; no published one was found.

    Raises
    ------
    PerfcoreError
        If something given is wrong.

    Examples
    --------
    Ten extra masks, each 2 % of the cost of the wafer and 1 % of the dies:

    >>> round(multi_patterning(10, 1.02, 0.99).cost_per_good_die_ratio, 3)
    1.348
    """
    masks = number("extra_masks", extra_masks, zero=True)
    factor, kept = number("cost_factor_per_mask", cost_factor_per_mask), share("yield_per_mask", yield_per_mask)
    euv = number("euv_exposures", euv_exposures, zero=True)
    euv_factor = number("cost_factor_per_euv_exposure", cost_factor_per_euv_exposure)
    euv_kept = share("yield_per_euv_exposure", yield_per_euv_exposure)
    try:
        by_euv = formulas.patterned_wafer_cost_usd(1.0, euv, euv_factor)
        cost = formulas.patterned_wafer_cost_usd(1.0, masks, factor) / by_euv
        good = formulas.patterned_yield(1.0, masks, kept) / formulas.patterned_yield(1.0, euv, euv_kept)
        return Patterning(cost, good, cost / good)
    except (OverflowError, ZeroDivisionError):
        said = f"extra_masks: found {masks:g}, and {euv:g} euv_exposures"
        raise PerfcoreError(f"{said}; allowed: so many that cost and yield are numbers; give fewer") from None
