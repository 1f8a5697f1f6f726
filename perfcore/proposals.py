"""A rule against the whole catalogue: what it would catch that ECCN 3A090 does not, and the reverse."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from perfcore import chips
from perfcore.errors import PerfcoreError
from perfcore.formulas import margin
from perfcore.items import Item
from perfcore.outcome import CONTROLLED, UNDETERMINED, classify, layer_met, notes_to
from perfcore.quantity import Interval, exactly
from perfcore.reader import as_date
from perfcore.readings import Values, metrics_of
from perfcore.regions import DENSITY, density
from perfcore.rules import THE_RULE, Bound, Rule, Version, load


@dataclass(frozen=True)
class Nearest:
    """The real chips nearest to one line of a rule, on either side; None where none is known."""

    metric: str
    test: str
    threshold: float
    below: tuple[str, float] | None
    above: tuple[str, float] | None


@dataclass(frozen=True)
class Comparison:
    """What a rule catches of the catalogue, beside what ECCN 3A090 controls on the same day."""

    rule: str
    on: date
    newly_caught: tuple[str, ...]
    released: tuple[str, ...]
    both: tuple[str, ...]
    neither: tuple[str, ...]
    open: tuple[str, ...]
    nearest: tuple[Nearest, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a comparison."""
        lists = ("newly_caught", "released", "both", "neither", "open")
        nearest = [{**vars(n), "below": _named(n.below), "above": _named(n.above)} for n in self.nearest]
        return {
            "rule": self.rule,
            "on": self.on.isoformat(),
            **{name: list(getattr(self, name)) for name in lists},
            "nearest": nearest,
        }

    def _repr_html_(self) -> str:
        from perfcore.notebook import comparison_html

        return comparison_html(self)


def _named(pair: tuple[str, float] | None) -> dict[str, Any] | None:
    return {"chip": pair[0], "margin": pair[1]} if pair else None


def against_catalogue(rule: Rule, on: date | str) -> Comparison:
    """Compare a rule with ECCN 3A090, chip by chip.

    A chip is caught if some paragraph of the rule is certainly met, open if none is but some may be, or if its status
    under ECCN 3A090 is undetermined.
    """
    on = as_date(on, "on")
    version, today = rule.in_force(on), load(THE_RULE).in_force(on)
    if "chip" not in rule.subject:
        raise PerfcoreError(f"{rule.id}: speaks of {', '.join(rule.subject)}; the catalogue is of chips")
    if version is None or not version.paragraphs:
        raise PerfcoreError(f"{rule.id}: no paragraph of it is in force on {on}; give another day with --on")
    groups: dict[str, list[str]] = {name: [] for name in ("newly_caught", "released", "both", "neither", "open")}
    known: list[tuple[Item, Values]] = []
    for item in map(chips.load, chips.ids()):
        values = metrics_of(item)
        known.append((item, values))
        groups[_group(version, today, values)].append(item.id)
    bounds = [b for p in version.paragraphs for b in p.bounds if isinstance(b.threshold, Fraction)]
    nearest = tuple(_nearest(bound, known) for bound in dict.fromkeys(bounds) if bound.threshold)
    return Comparison(rule.id, on, **{name: tuple(ids) for name, ids in groups.items()}, nearest=nearest)


def _group(version: Version, today: Version | None, values: Values) -> str:
    said = [p for p in version.paragraphs if p.layer != "exclusion"]
    answers = [layer_met(p, today, values, notes_to(p, version)) for p in said]
    status = classify(today, values).status
    caught = True if True in answers else (None if None in answers else False)
    if caught is None or status == UNDETERMINED:
        return "open"
    controlled = status == CONTROLLED
    return {(True, False): "newly_caught", (False, True): "released", (True, True): "both"}.get(
        (caught, controlled), "neither"
    )


def _nearest(bound: Bound, known: Iterable[tuple[Item, Values]]) -> Nearest:
    """Find the chips nearest to a line by relative distance, among those whose value is known exactly."""
    assert isinstance(bound.threshold, Fraction)
    distances = []
    for item, values in known:
        value = density(values) if bound.metric == DENSITY else values.get(bound.metric)
        if isinstance(value, Interval) and value.is_point:
            distances.append((float(exactly(margin, value.low, bound.threshold)), item.id))
    under = max((d for d in distances if d[0] < 0), default=None)
    over = min((d for d in distances if d[0] >= 0), default=None)
    return Nearest(
        bound.metric,
        bound.test,
        float(bound.threshold),
        (under[1], under[0]) if under else None,
        (over[1], over[0]) if over else None,
    )
