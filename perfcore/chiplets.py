"""One large die against several small ones: yield, cost, and what the law sees of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from perfcore import chips, formulas, processes
from perfcore.answers import json_of
from perfcore.boundaries import version_on
from perfcore.errors import PerfcoreError, suggestion
from perfcore.given import number, share, whole
from perfcore.items import Item
from perfcore.outcome import classify
from perfcore.processes import Process
from perfcore.quantity import Interval, scaled
from perfcore.reader import as_date
from perfcore.readings import Values, metrics_of
from perfcore.regions import AREA, completed

# What falls by the number of packages when dies leave a common package.
SHARED_OUT = ("tpp", "bits_x_tops_2022", AREA, "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "transistors_billion")
# Yield by area, density of defects and clustering.
YIELDS: Mapping[str, Callable[[float, float, float], float]] = {
    "poisson": lambda area, defects, _: formulas.poisson_yield(area, defects),
    "murphy": lambda area, defects, _: formulas.murphy_yield(area, defects),
    "seeds": lambda area, defects, _: formulas.seeds_yield(area, defects),
    "negative_binomial": formulas.negative_binomial_yield,
}


@dataclass(frozen=True)
class Dies:
    """Dies of one size: how many a wafer holds, how many work by each model, and what a package of them costs."""

    dies_per_package: int
    area_mm2: float
    gross_dies: float
    die_yield: Mapping[str, float]
    die_cost_usd: float
    package_yield: float
    package_cost_usd: float


@dataclass(frozen=True)
class Split:
    """One die against ``k``: ``one`` is None where it is larger than the reticle, and the ratios with it.

    ``yield_ratio`` and ``silicon_cost_ratio`` are of one die over ``k``: above 1, splitting helps. The status is that
    of the one chip, of the dies in one package, and of each in a package of its own.
    """

    chip: str
    k: int
    process: str
    model: str
    defects_per_cm2: float
    one: Dies | None
    parts: Dies
    yield_ratio: float | None
    silicon_cost_ratio: float | None
    package_cost_ratio: float | None
    on: date
    status_one_package: str
    status_apart: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import answer_html

        return answer_html(f"{self.chip} as {self.k} dies", self.to_dict())


@dataclass(frozen=True)
class Assembly:
    """What joining dies costs: bonds that hold, what a test finds before and costs, and all that is not a die."""

    bond_yield: float = 1.0
    test_coverage: float = 1.0
    die_test_usd: float = 0.0
    assembly_cost_usd: float = 0.0


KNOWN_GOOD = Assembly()
SUMMED = (
    "TPP is summed over a package, so dies in one package count as one chip; in packages of their own TPP falls and "
    "performance density stays."
)


def split(
    chip: str | Path | Item,
    k: int,
    process: str | Path = "tsmc_n5",
    model: str = "negative_binomial",
    defects_per_cm2: float | None = None,
    interface_mm2: float = 0.0,
    assembly: Assembly = KNOWN_GOOD,
    on: date | str = "2024-01-01",
) -> Split:
    """Compare one die of a chip's whole logic area with ``k`` equal ones.

    Parameters
    ----------
    chip
        A name of the catalogue, a path to a TOML file, or an ``Item``; its applicable die area is split.
    k
        Number of dies, 2 or more.
    process
        What they are made on.
    model
        ``poisson``, ``murphy``, ``seeds`` or ``negative_binomial``.
    defects_per_cm2
        In place of that of the process. [1/cm2]
    interface_mm2
        Area that each of the ``k`` dies needs more, for links to the others. [mm2]
    assembly
        What joining them costs; without it, nothing, and dies known good.
    on
        The day whose rule is taken.

    Raises
    ------
    PerfcoreError
        If something given is wrong, or a part is larger than the reticle or the wafer.

    Examples
    --------
    >>> round(split("h100", 2, defects_per_cm2=0.10).yield_ratio, 2)
    1.4
    """
    item = chip if isinstance(chip, Item) else chips.load(chip)
    area, made = _area_of(item), processes.load(process)
    count = whole("k", k, least=2)
    if model not in YIELDS:
        raise PerfcoreError(f"model: found {model!r}; allowed: {', '.join(YIELDS)}{suggestion(model, YIELDS)}")
    density = made.number("defects_per_cm2") if defects_per_cm2 is None else defects_per_cm2
    density = number("defects_per_cm2", density, zero=True)
    checked = _checked(assembly)
    each = area / count + number("interface_mm2", interface_mm2, zero=True)
    parts = _dies(made, count, each, model, density, checked)
    one = None if area > made.number("reticle_mm2") else _dies(made, 1, area, model, density, checked)
    day = as_date(on, "on")
    together, apart = _statuses(metrics_of(item), count, day)
    return Split(
        chip=item.id,
        k=count,
        process=made.id,
        model=model,
        defects_per_cm2=density,
        one=one,
        parts=parts,
        yield_ratio=None if one is None else parts.die_yield[model] / one.die_yield[model],
        silicon_cost_ratio=None if one is None else one.die_cost_usd / (count * parts.die_cost_usd),
        package_cost_ratio=None if one is None else one.package_cost_usd / parts.package_cost_usd,
        on=day,
        status_one_package=together,
        status_apart=apart,
        notes=tuple(_notes(one is None, item, area, made)),
    )


def _area_of(item: Item) -> float:
    area = metrics_of(item)[AREA] if item.kind == "chip" else None
    if not isinstance(area, Interval) or area.high is None or area.high == 0:
        raise PerfcoreError(f"{item.id}: its applicable_die_area_mm2 is not known or 0; give it in the file")
    return float((area.low + area.high) / 2)


def _checked(assembly: Assembly) -> Assembly:
    return Assembly(
        share("bond_yield", assembly.bond_yield),
        share("test_coverage", assembly.test_coverage, zero=True),
        number("die_test_usd", assembly.die_test_usd, zero=True),
        number("assembly_cost_usd", assembly.assembly_cost_usd, zero=True),
    )


def _dies(made: Process, count: int, area: float, model: str, density: float, assembly: Assembly) -> Dies:
    reticle = made.number("reticle_mm2")
    if area > reticle:
        raise PerfcoreError(f"area_mm2: found {area:g} for one die; the reticle allows {reticle:g}; split it further")
    gross = formulas.gross_dies(made.number("wafer_diameter_mm"), area)
    if gross < 1:
        raise PerfcoreError(f"area_mm2: found {area:g}; a wafer of {made.id} does not hold one such die")
    clustering = made.numbers["clustering"].value if "clustering" in made.numbers else 1.0
    yields = {name: formula(area, density, clustering) for name, formula in YIELDS.items()}
    good, found = yields[model], assembly.test_coverage
    if good <= 0:
        raise PerfcoreError(f"defects_per_cm2: found {density:g}; no die of {area:g} mm2 works; give fewer defects")
    # A die alone is packaged too: it is bonded once, and a bad one that passed its test is lost with its package.
    cost = formulas.tested_die_cost_usd(made.number("wafer_cost_usd"), gross, assembly.die_test_usd, good, found)
    works = formulas.package_yield(count, good, found, assembly.bond_yield)
    if works <= 0:
        raise PerfcoreError(
            f"test_coverage: found {found:g}; no package of {count} dies works; test more or bond fewer"
        )
    whole_cost = formulas.package_cost_usd(count, cost, assembly.assembly_cost_usd, works)
    return Dies(count, area, gross, yields, cost, works, whole_cost)


def _statuses(values: Values, count: int, on: date) -> tuple[str, str]:
    """Return the status of the dies in one package, and of one in a package of its own."""
    version = version_on(on)
    less = {n: scaled(v, Fraction(1, count)) for n in SHARED_OUT if isinstance(v := values[n], Interval)}
    apart = completed({**values, **less})
    both = classify(version, values), classify(version, apart)
    together, alone = (" ".join((outcome.status, *outcome.certain)) for outcome in both)
    return together, alone


def _notes(too_large: bool, item: Item, area: float, made: Process) -> list[str]:
    notes = [SUMMED]
    if not metrics_of(item)[AREA].is_point:  # type: ignore[union-attr]
        notes.append(f"The area is only known as an interval; its middle, {area:g} mm2, is taken.")
    if too_large:
        notes.append(f"One die of {area:g} mm2 is larger than the reticle ({made.number('reticle_mm2'):g} mm2).")
    if "clustering" not in made.numbers:
        notes.append(f"{made.name}: no clustering is known; 1 is taken (Seeds).")
    return notes
