"""The space of designs under a rule: what is controlled, what is not, and the best of each; by date."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

from perfcore import architectures, design_grid
from perfcore.boundaries import REGIONS as REGIONS_BY_NAME
from perfcore.boundaries import datacenter_chip, highest_tpp, version_on
from perfcore.counts import whole
from perfcore.design_file import Design, Kind, item_of_design
from perfcore.design_loads import Task, load_of
from perfcore.design_ranges import LEFT_OUT, Deal, Limits, Ranges
from perfcore.design_regions import REGIONS, Boxes, boxes_of
from perfcore.design_search import Point, Searched, exact_region, front, search
from perfcore.errors import PerfcoreError
from perfcore.formulas.architecture import design_io_gb_s
from perfcore.formulas.architecture_time import Load, score
from perfcore.outcome import NOT_CONTROLLED
from perfcore.reader import as_date
from perfcore.rules import THE_RULE, effective_dates, shipped
from perfcore.tables.work import on_cluster
from perfcore.verdict import check

__all__ = ["DesignSpace", "design_space"]

AREAS = (500, 750)  # of the table of regions, before whole exposure fields [mm2]
FIELDS = (1.0, 2.0, 3.0, 3.5)
MOST_RETICLES = 64
MICRO = 1e-6


@dataclass(frozen=True)
class Ask:
    """A question of the design space, checked."""

    day: date
    task: Task
    kind: Kind
    load: Load = field(repr=False)
    grid: design_grid.Grid = field(repr=False)
    limits: Limits
    threads: int | None = None
    deal: Deal | None = field(default=None, repr=False)

    def score(self, design: Design) -> float:
        """Return what the search makes the least of, of one design."""
        return score(design.architecture, design.kind.blocks, self.load)


@dataclass(frozen=True)
class DesignSpace:
    """The answer; ``to_dict`` is the JSON of ``perfcore design``."""

    ask: Ask = field(repr=False)
    version: Any = field(repr=False)
    boxes: Boxes = field(repr=False)
    runs: tuple[tuple[float, Searched], ...] = field(repr=False)
    best: Mapping[str, Design] = field(repr=False)
    fronts: Mapping[str, tuple[Design, ...]] = field(repr=False)
    reference: Design = field(repr=False)
    sweep: tuple[Mapping[str, Any], ...]
    assumptions: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many designs lie in each region."""
        return {name: sum(run.counts[name] for _, run in self.runs) for name in REGIONS}

    @property
    def left_out(self) -> dict[str, int]:
        """Return how many designs were not looked at, or cannot hold the model, by reason."""
        return {name: sum(run.left_out[name] for _, run in self.runs) for name in LEFT_OUT}

    def change(self, design: Design) -> float:
        """Return by how much a design takes more or less than the reference: time, or TPP."""
        return self.ask.score(design) / self.ask.score(self.reference) - 1.0

    def shown(self, design: Design) -> dict[str, Any]:
        """Return a design as JSON holds it, with its change against the reference."""
        return {**design.to_dict(self.ask.load), "change": self.change(design)}

    def margins(self, design: Design) -> list[dict[str, Any]]:
        """Return what each paragraph says of a design, with margins, by the exact engine."""
        verdict = check(item_of_design(design), on=self.ask.day)
        return [
            {"paragraph": f.paragraph, "met": f.met, "tests": [vars(test) for test in f.tests]}
            for f in verdict.findings
            if f.rule == THE_RULE and f.layer == "classification" and any(t.metric in _MEASURES for t in f.tests)
        ]

    def _repr_html_(self) -> str:
        from perfcore.notebook import designs_html

        return designs_html(self)

    def table(self) -> list[dict[str, Any]]:
        """Return the highest whole TPP by logic area: wholly outside 3A090, and at most 3A090.b; null for no limit.

        Where a rule reads I/O bandwidth, at that of the reference design.
        """
        io = design_io_gb_s(self.reference.architecture, self.reference.kind.blocks)
        field_mm2 = self.ask.limits.reticle_mm2
        rows = []
        for area in sorted({*map(float, AREAS), *(fields * field_mm2 for fields in FIELDS)}):
            known = {"applicable_die_area_mm2": area, "io_bandwidth_gb_s": io, "datacenter": self.ask.kind.datacenter}
            values = datacenter_chip(**known)
            row: dict[str, Any] = {"area_mm2": area}
            for name, allowed in REGIONS_BY_NAME.items():
                highest = highest_tpp(self.version, values, allowed)
                row[name] = highest.whole_tpp if highest else 0
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        a = self.ask
        seconds = sum(run.seconds for _, run in self.runs)
        designs = sum(run.designs for _, run in self.runs)
        return {
            "on": a.day.isoformat(),
            "rule_version": None if self.version is None else self.version.effective.isoformat(),
            **{kind: getattr(a.kind.parts, kind) for kind in architectures.KINDS},
            "reticles": a.limits.reticles,
            "reticle_mm2": a.limits.reticle_mm2,
            **vars(a.task),
            "grid": a.grid.name,
            "designs": designs,
            "counts": self.counts,
            "left_out": self.left_out,
            "by_tpp_limit": [
                {"tpp_limit": _finite(limit), "designs": run.designs, "counts": run.counts, "left_out": run.left_out}
                for limit, run in self.runs
            ],
            "best": {
                name: {**self.shown(design), "paragraphs": self.margins(design)} for name, design in self.best.items()
            },
            "reference": self.shown(self.reference),
            "pareto": {name: [self.shown(one) for one in several] for name, several in self.fronts.items()},
            "regions_by_area": self.table(),
            "sweep": [dict(one) for one in self.sweep],
            "decided_exactly": sum(run.near for _, run in self.runs),
            "search_s": seconds,
            "designs_per_s": designs / seconds if seconds > 0 else None,
            "assumptions": list(self.assumptions),
        }


_MEASURES = ("tpp", "performance_density", "bits_x_tops_2022", "io_bandwidth_gb_s")


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def design_space(
    on: date | str,
    *,
    objective: str = "decode",
    model: str = "llama3_70b",
    batch: int = 8,
    input: int = 2048,  # noqa: A002, as on the command line
    output: int = 1024,
    tp: int = 4,
    overheads: str = "neutral",
    ignore_capacity: bool = False,
    reticles: int = 1,
    reticle_mm2: float | None = None,
    node: str = "7nm",
    hbm: str = "hbm2e",
    link: str = "nvlink3",
    pcie: str = "pcie4",
    min_tpp: float | None = None,
    max_tpp: float | None = None,
    min_area: float | None = None,
    max_area: float | None = None,
    grid: str = "small",
    datacenter: bool = True,
    sweep: bool = False,
    threads: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> DesignSpace:
    """Explore the designs of a grid under the rules of a day.

    ``sweep`` does the same for every version of the rule; ``scheduler``, the address of a Dask scheduler, has ranges of
    the grid searched by its workers.

    Raises
    ------
    PerfcoreError
        If an input is wrong, bounds contradict each other, or no design can lie within them.
    """
    said: list[str] = []
    task = Task(objective, model, batch, input, output, tp, overheads, ignore_capacity)
    parts = architectures.parts_of(node, hbm, link, pcie)
    limits = _limits(reticles, reticle_mm2, (min_tpp, max_tpp), (min_area, max_area))
    load = load_of(task, float(parts.of("link")["latency_us"]) * MICRO, said)
    kind = Kind(parts, architectures.blocks_of(parts), limits.reticle_mm2, datacenter)
    day = as_date(on, "--on")
    deal = None if scheduler is None else partial(on_cluster, scheduler=scheduler)
    ask = Ask(day, task, kind, load, design_grid.load(str(grid)), limits, threads, deal)
    said.append("caches: they take area, and no time is saved by them; nor do dies of one package wait for each other")
    found = _explored(ask, progress)
    return replace(found, sweep=_swept(ask, found, progress) if sweep else (), assumptions=tuple(said))


def _limits(reticles: Any, reticle_mm2: float | None, tpp: tuple[Any, Any], area: tuple[Any, Any]) -> Limits:
    fields = whole("--reticles", reticles, most=MOST_RETICLES)
    field_mm2 = _above_zero("--reticle-mm2", architectures.reticle_mm2() if reticle_mm2 is None else reticle_mm2)
    ends = []
    for name, (low, high) in (("tpp", tpp), ("area", area)):
        least = 0.0 if low is None else _above_zero(f"--min-{name}", low)
        most = math.inf if high is None else _above_zero(f"--max-{name}", high)
        if least >= most:
            raise PerfcoreError(
                f"--min-{name} and --max-{name}: found {least:g} and {most:g}; no design lies between them: "
                f"give a --min-{name} below --max-{name}"
            )
        ends += [least, most]
    if ends[2] > fields * field_mm2:
        raise PerfcoreError(
            f"--min-area: found {ends[2]:g} mm2, and {fields} exposure fields of {field_mm2:g} mm2 hold "
            f"{fields * field_mm2:g}; give less, or more --reticles"
        )
    return Limits(ends[1], fields, field_mm2, *ends)


def _above_zero(label: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise PerfcoreError(f"{label}: found {value!r}; allowed: a number above 0")
    return float(value)


def _dates() -> tuple[date, ...]:
    """Return the days on which a version of ECCN 3A090 takes effect."""
    return effective_dates(tuple(rule for rule in shipped() if rule.id == THE_RULE))


def _boxes(ask: Ask, day: date) -> tuple[Any, Boxes]:
    version = version_on(day)
    _, reference = architectures.reference()
    sample = Design(reference, ask.kind, NOT_CONTROLLED)
    return version, boxes_of(version, item_of_design(sample))


def _tpp_limits(ask: Ask, boxes: Boxes) -> list[float]:
    """Return the TPP that cores fill up to: the user's, or each of the rule's and then the room there is."""
    if math.isfinite(ask.limits.max_tpp) or not ask.grid.fills:
        return [ask.limits.max_tpp]
    return [*(float(threshold) for threshold in reversed(boxes.thresholds("tpp"))), math.inf]


def _explored(ask: Ask, progress: Callable[[str], None] | None) -> DesignSpace:
    version, boxes = _boxes(ask, ask.day)
    runs = []
    for limit in _tpp_limits(ask, boxes):
        asked = Ranges(ask.grid, replace(ask.limits, tpp_limit=limit), ask.kind.blocks, ask.load, boxes)
        runs.append((limit, search(asked, ask.deal, ask.threads, progress)))
    if progress:
        progress("")
    points = {name: [one for _, run in runs for one in run.bins[name]] for name in REGIONS}
    fronts = {name: tuple(_design(ask, one) for one in front(several)) for name, several in points.items() if several}
    best = {name: _best(ask, [run.best[name] for _, run in runs if name in run.best]) for name in fronts}
    parts, architecture = architectures.reference()
    kind = Kind(parts, architectures.blocks_of(parts), ask.limits.reticle_mm2, ask.kind.datacenter)
    reference = _reference(architecture, kind, boxes)
    return DesignSpace(ask, version, boxes, tuple(runs), best, fronts, reference, (), ())


def _reference(architecture: Any, kind: Kind, boxes: Boxes) -> Design:
    return Design(architecture, kind, exact_region(architecture, kind.blocks, boxes, kind.reticle_mm2))


def _design(ask: Ask, point: Point) -> Design:
    return Design(point.architecture, ask.kind, point.region)


def _best(ask: Ask, points: list[Point]) -> Design:
    return _design(ask, min(points, key=lambda p: (p.score, p.area, p.index)))


def _swept(ask: Ask, found: DesignSpace, progress: Callable[[str], None] | None) -> tuple[dict[str, Any], ...]:
    """Return what each version of the rule leaves; versions whose words bind these designs alike are searched once."""
    known = {found.boxes: found}
    rows = []
    for day in _dates():
        version, boxes = _boxes(ask, day)
        if boxes not in known:
            said = progress and partial(_dated, progress, day)
            known[boxes] = _explored(replace(ask, day=day), said)
        rows.append(_of_date(known[boxes], version, day))
    return tuple(rows)


def _dated(progress: Callable[[str], None], day: date, said: str) -> None:
    progress(said and f"rules of {day}: {said}")


def _of_date(found: DesignSpace, version: Any, day: date) -> dict[str, Any]:
    """Return what a version of the rule leaves: counts, the best design outside it, and the front of each region."""
    best = found.best.get(NOT_CONTROLLED)
    row: dict[str, Any] = {"on": day.isoformat(), "summary": version.summary if version else ""}
    row |= {"counts": found.counts, "best": None if best is None else found.shown(best)}
    return row | {"pareto": {name: [found.shown(one) for one in several] for name, several in found.fronts.items()}}
