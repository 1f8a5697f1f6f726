"""Rules as data: a provision, its versions by effective date, its paragraphs as comparisons."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS, as_date, read_toml, report
from perfcore.rule_schema import rule_problems

THE_RULE = "us_eccn_3a090"


@dataclass(frozen=True)
class Bound:
    """One comparison: a term, how it is compared, and with what."""

    metric: str
    test: str
    threshold: Fraction | bool | tuple[str, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value known exactly meets it."""
        match self.test:
            case "at_least":
                return bool(value >= self.threshold)
            case "more_than":
                return bool(value > self.threshold)
            case "below":
                return bool(value < self.threshold)
            case "at_most":
                return bool(value <= self.threshold)
            case "one_of":
                return isinstance(self.threshold, tuple) and value in self.threshold
            case _:
                return bool(value == self.threshold)


def by_metric(bounds: Iterable[Bound]) -> dict[str, tuple[Bound, ...]]:
    """Group bounds by the term they test, each bound once."""
    found: dict[str, dict[Bound, None]] = {}
    for bound in bounds:
        found.setdefault(bound.metric, {})[bound] = None
    return {metric: tuple(several) for metric, several in found.items()}


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: any of some alternatives, each of which is all of its bounds.

    ``common`` are the bounds of every alternative. Where they and all of ``open_if`` hold, the text itself does not say
    whether the paragraph is met; with a reason alone it says so of every item (a rule whose numbers are not known).
    """

    id: str
    layer: str
    alternatives: tuple[tuple[Bound, ...], ...]
    common: tuple[Bound, ...] = ()
    text: str = ""
    labels: tuple[str, ...] = ("",)
    open_if: tuple[Bound, ...] = ()
    open_because: str = ""
    excludes: tuple[str, ...] = ()
    licence: str = ""
    outcome: str = ""
    otherwise: str = ""
    conditions: tuple[str, ...] = ()
    compliance: date | None = None

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """Every bound once, in the order of the text."""
        several = (*self.alternatives, self.common, self.open_if)
        return tuple(dict.fromkeys(bound for bounds in several for bound in bounds))


@dataclass(frozen=True)
class Version:
    """The words of a rule from one effective date on, until the next version or ``until`` (its last day)."""

    effective: date
    paragraphs: tuple[Paragraph, ...]
    source: Mapping[str, str]
    published: date | None = None
    compliance: date | None = None
    until: date | None = None
    status: str = "in force"
    summary: str = ""

    @cached_property
    def tests(self) -> Mapping[str, tuple[Bound, ...]]:
        """Every bound of every paragraph once, by the term it tests."""
        return by_metric(bound for paragraph in self.paragraphs for bound in paragraph.bounds)


@dataclass(frozen=True)
class Rule:
    """A provision with all its versions, oldest first."""

    id: str
    name: str
    layer: str
    versions: tuple[Version, ...]
    authority: str = ""
    note: str = ""
    subject: tuple[str, ...] = ("chip", "memory")
    path: Path = field(default=Path(), repr=False)

    def in_force(self, on: date | str) -> Version | None:
        """Return the version of a date, or None where the rule says nothing yet or no longer."""
        on, latest = as_date(on, "on"), None
        for version in self.versions:
            if version.effective <= on:
                latest = version
        if latest is None or (latest.until is not None and on > latest.until):
            return None
        return latest

    def _repr_html_(self) -> str:
        from perfcore.notebook import rule_html

        return rule_html(self)


@cache
def ids() -> tuple[str, ...]:
    """Return the ids of the rules perfcore ships.

    >>> "us_eccn_3a090" in ids()
    True
    """
    return tuple(path.stem for path in sorted((SPECS / "rules").glob("*.toml")))


@cache
def load(rule_id: str) -> Rule:
    """Load a rule of the catalogue.

    >>> load("us_eccn_3a090").in_force(date(2023, 11, 16)).effective
    datetime.date(2022, 10, 21)

    Raises
    ------
    PerfcoreError
        If there is no such rule.
    """
    if rule_id not in ids():
        hint = suggestion(rule_id, ids()) or f"; the rules are: {', '.join(ids())}"
        raise PerfcoreError(f"there is no rule {rule_id!r}{hint}")
    return from_file(SPECS / "rules" / f"{rule_id}.toml")


@cache
def shipped() -> tuple[Rule, ...]:
    """Return every rule perfcore ships, 3A090 first."""
    return tuple(load(rule_id) for rule_id in sorted(ids(), key=lambda rule_id: (rule_id != THE_RULE, rule_id)))


def with_own(paths: tuple[Path, ...]) -> tuple[Rule, ...]:
    """Return the shipped rules and a user's own."""
    rules = list(shipped())
    for path in paths:
        own = from_file(path)
        if own.id in {rule.id for rule in rules}:
            raise PerfcoreError(f"{path}: there is a rule {own.id!r} already; give the file another name")
        rules.append(own)
    return tuple(rules)


def effective_dates(rules: tuple[Rule, ...], kind: str = "chip") -> tuple[date, ...]:
    """Return every day on which some version of a rule about such items takes effect, in order."""
    about = [rule for rule in rules if kind in rule.subject]
    return tuple(sorted({v.effective for rule in about for v in rule.versions if v.effective > date.min}))


def from_file(path: Path) -> Rule:
    """Load a rule file, a user's or the catalogue's.

    Raises
    ------
    PerfcoreError
        With every problem of the file, by line.
    """
    document = read_toml(path)
    problems = rule_problems(document)
    if problems:
        raise report(path, problems)
    versions: dict[date, Version] = {}
    for entry in document["version"]:
        version = _version(entry, document.get("layer", "classification"), versions)
        versions[version.effective] = version
    return Rule(
        id=path.stem,
        name=document["name"],
        layer=document.get("layer", "classification"),
        versions=tuple(versions.values()),
        authority=document.get("authority", ""),
        note=document.get("note", ""),
        subject=tuple(document.get("subject", ("chip", "memory"))),
        path=path,
    )


def _version(entry: Mapping[str, Any], layer: str, earlier: Mapping[date, Version]) -> Version:
    if "same_as" in entry:
        paragraphs = earlier[entry["same_as"]].paragraphs
    else:
        paragraphs = tuple(_paragraph(p, layer) for p in entry.get("paragraph", ()))
    return Version(
        # A proposal has no date; it is then read as if it were in force on any day.
        effective=entry.get("effective", date.min),
        paragraphs=paragraphs,
        source=entry["source"],
        published=entry.get("published"),
        compliance=entry.get("compliance"),
        until=entry.get("until"),
        status=entry.get("status", "in force" if layer != "proposal" else "proposed"),
        summary=entry.get("summary", ""),
    )


def _paragraph(entry: Mapping[str, Any], layer: str) -> Paragraph:
    common = _bounds(entry.get("all_of", {}))
    several = entry.get("any_of") or [{}]
    return Paragraph(
        id=entry["id"],
        layer=entry.get("layer", layer),
        alternatives=tuple(common + _bounds(alternative) for alternative in several),
        common=common,
        labels=tuple(alternative.get("label", "") for alternative in several),
        open_if=_bounds(entry.get("open_if", {})),
        open_because=entry.get("open_because", ""),
        text=entry.get("text", ""),
        excludes=tuple(entry.get("excludes", ())),
        licence=entry.get("licence", ""),
        outcome=entry.get("outcome", ""),
        otherwise=entry.get("otherwise", ""),
        conditions=tuple(entry.get("conditions", ())),
        compliance=entry.get("compliance"),
    )


def _bounds(tests: Mapping[str, Any]) -> tuple[Bound, ...]:
    bounds = []
    for metric, wanted in tests.items():
        if metric == "label":
            continue
        if isinstance(wanted, dict):
            bounds += [Bound(metric, test, Fraction(number)) for test, number in wanted.items()]
        elif isinstance(wanted, bool):
            bounds.append(Bound(metric, "is", wanted))
        else:
            words = [wanted] if isinstance(wanted, str) else wanted
            # What is known of an item is in lower case, but for the paragraphs of the law.
            bounds.append(Bound(metric, "one_of", tuple(w if metric == "classified" else w.lower() for w in words)))
    return tuple(bounds)
