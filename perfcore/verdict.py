"""Chip and date in, findings out: the answer, its margins, what would flip it, and what it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from perfcore import changes, evidence
from perfcore.chips import Item, load
from perfcore.display import html_table
from perfcore.errors import PerfcoreError
from perfcore.outcome import Outcome, classify, governing, layer_met, of_rules
from perfcore.quantity import Interval, Value, plain
from perfcore.reader import parse_date
from perfcore.readings import READINGS, Values, metrics_of, read_as
from perfcore.regions import DENSITY, density, met
from perfcore.rules import THE_RULE, Bound, Paragraph, Rule, Version, effective_dates, shipped, with_own
from perfcore.schema import SETTABLE_FACTS, check_value

METRICS = (
    "tpp",
    "performance_density",
    "applicable_die_area_mm2",
    "io_bandwidth_gb_s",
    "dram_bandwidth_gb_s",
)
OTHER_METRICS = ("bits_x_tops_2022", "transistors_billion", "hbm_bandwidth_density_gb_s_mm2")
NOTICE = (
    "Analysis, not legal advice. 'Not controlled' speaks of ECCN 3A090 alone: other entries, end uses, parties, "
    "letters and foreign law may still require a licence."
)


@dataclass(frozen=True)
class Test:
    """One comparison of a paragraph with what is known of the item."""

    metric: str
    test: str
    threshold: Any
    value: Any
    met: bool | None
    margin: Any


@dataclass(frozen=True)
class Finding:
    """What one paragraph of one rule says."""

    layer: str
    rule: str
    version: str
    paragraph: str
    met: bool | None
    tests: tuple[Test, ...]
    source: Mapping[str, str]
    outcome: str = ""
    conditions: tuple[str, ...] = ()
    compliance: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a finding."""
        return {
            **vars(self),
            "tests": [vars(test) for test in self.tests],
            "source": dict(self.source),
            "conditions": list(self.conditions),
        }


@dataclass(frozen=True)
class Verdict:
    """The answer for one item on one day; ``to_dict()`` is the JSON of ``perfcore check``."""

    chip: str
    name: str
    on: date
    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    status: str
    paragraphs: tuple[str, ...]
    possible_paragraphs: tuple[str, ...]
    rule_version: Mapping[str, Any] | None
    findings: tuple[Finding, ...]
    also: tuple[Mapping[str, Any], ...]
    flags: tuple[Mapping[str, Any], ...]
    readings: tuple[Mapping[str, Any], ...]
    settle: tuple[Mapping[str, Any], ...]
    flips: tuple[Mapping[str, Any], ...]
    rests_on: Mapping[str, Mapping[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a verdict."""
        lists = ("paragraphs", "possible_paragraphs", "also", "flags", "readings", "settle", "flips")
        return {
            **vars(self),
            "on": self.on.isoformat(),
            "metrics": dict(self.metrics),
            "facts": dict(self.facts),
            "rule_version": None if self.rule_version is None else dict(self.rule_version),
            "rests_on": {name: dict(support) for name, support in self.rests_on.items()},
            "findings": [finding.to_dict() for finding in self.findings],
            **{key: [_thawed(entry) for entry in getattr(self, key)] for key in lists},
        }

    def _repr_html_(self) -> str:
        return html_table(("date", "chip", "status", "paragraphs"), [_row(self)])


@dataclass(frozen=True)
class Timeline:
    """The same item under every version of the rules, oldest first."""

    verdicts: tuple[Verdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a timeline."""
        return {"results": [verdict.to_dict() for verdict in self.verdicts]}

    def _repr_html_(self) -> str:
        return html_table(("date", "chip", "status", "paragraphs"), [_row(verdict) for verdict in self.verdicts])


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (verdict.on.isoformat(), verdict.name, verdict.status, ", ".join(verdict.paragraphs))


def _thawed(entry: Any) -> Any:
    return dict(entry) if isinstance(entry, Mapping) else entry


def check(
    chip: str | Path | Item,
    on: date | str | None = None,
    rules: tuple[str | Path, ...] = (),
    facts: Mapping[str, Any] | None = None,
) -> Any:
    """Check a chip, memory part or design against the rules of a day, or of every version.

    Parameters
    ----------
    chip
        A name of the catalogue, a path to a TOML file, or an ``Item``.
    on
        The day, as a date or YYYY-MM-DD; without it, every day on which a rule version takes effect.
    rules
        Paths of the user's own rule files.
    facts
        Facts a rule reads that the file does not carry, or that replace what it says.

    Returns
    -------
    Verdict or Timeline
        A verdict for a day, a timeline without one.

    Raises
    ------
    PerfcoreError
        If a name, file, date or fact is wrong.

    Examples
    --------
    >>> check("a800", on="2023-11-16").status, check("a800", on="2023-11-17").paragraphs
    ('not_controlled', ('3A090.a.1', '3A090.a.2'))
    """
    item = with_facts(chip if isinstance(chip, Item) else load(chip), facts or {})
    in_play = with_own(tuple(Path(path) for path in rules)) if rules else shipped()
    if on is None:
        return Timeline(tuple(verdict(item, day, in_play) for day in effective_dates(in_play)))
    return verdict(item, parse_date(on, "on") if isinstance(on, str) else on, in_play)


def with_facts(item: Item, facts: Mapping[str, Any]) -> Item:
    """Return an item with some facts given beside its file.

    Raises
    ------
    PerfcoreError
        If a fact is unknown, computed, or not of its kind.
    """
    lines = []
    for name, value in facts.items():
        if name not in SETTABLE_FACTS:
            from perfcore.errors import suggestion

            hint = suggestion(name, SETTABLE_FACTS) or f"; the facts are: {', '.join(SETTABLE_FACTS)}"
            lines.append(f"fact {name}: not a fact that can be given{hint}")
            continue
        exact = Decimal(repr(value)) if isinstance(value, float) else value
        lines += [f"fact {where}: {wrong}" for where, wrong in check_value(name, name, exact)]
    if lines:
        raise PerfcoreError(lines)
    return replace(item, facts={**item.facts, **facts}) if facts else item


def verdict(item: Item, on: date, rules: tuple[Rule, ...]) -> Verdict:
    """Decide one item on one day."""
    values = metrics_of(item)
    version = of_rules(rules, THE_RULE).in_force(on)
    now = classify(version, values)
    findings = tuple(_findings(rules, on, version, values))
    readings = tuple(_readings(item, version, values, now))
    return Verdict(
        chip=item.id,
        name=item.name,
        on=on,
        metrics=MappingProxyType(_metrics(item, values)),
        facts=MappingProxyType({"datacenter": plain(values["datacenter"])}),
        status=now.status,
        paragraphs=now.certain,
        possible_paragraphs=now.possible,
        rule_version=_version(version),
        findings=findings,
        also=tuple(_also(findings)),
        flags=tuple({k: v for k, v in r.items() if k != "changes_status"} for r in readings if r["changes_status"]),
        readings=readings,
        settle=tuple(_settle(version, values, now)),
        flips=tuple(_flip(flip) for flip in changes.flips(version, values, now)),
        rests_on=MappingProxyType(_rests_on(item)),
    )


def _metrics(item: Item, values: Values) -> dict[str, Any]:
    known = {**values, DENSITY: density(values)}
    shown = {name: plain(known[name]) for name in METRICS}
    return shown | {name: plain(known[name]) for name in OTHER_METRICS if plain(known[name]) is not None}


def _version(version: Version | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "rule": THE_RULE,
        "effective": version.effective.isoformat(),
        "published": version.published.isoformat() if version.published else None,
        "compliance": version.compliance.isoformat() if version.compliance else None,
        "summary": version.summary,
        "source": dict(version.source),
    }


def _findings(rules: tuple[Rule, ...], on: date, classification: Version | None, values: Values) -> list[Finding]:
    found = []
    for rule in rules:
        version = rule.in_force(on)
        if version is None:
            continue
        for paragraph in version.paragraphs:
            found.append(_finding(rule, version, paragraph, classification, values))
    return found


def _finding(
    rule: Rule, version: Version, paragraph: Paragraph, classification: Version | None, values: Values
) -> Finding:
    is_met = layer_met(paragraph, classification, values)
    applies = _applies(paragraph, classification, values)
    outcome = paragraph.outcome if is_met is not False else (paragraph.otherwise if applies else "")
    compliance = paragraph.compliance or version.compliance
    return Finding(
        layer=paragraph.layer,
        rule=rule.id,
        version="undated" if version.effective == date.min else version.effective.isoformat(),
        paragraph=paragraph.id,
        met=is_met,
        tests=tuple(t for b in paragraph.bounds if _says_something(t := _test(b, classification, values))),
        source=MappingProxyType(dict(version.source)),
        outcome=outcome,
        conditions=paragraph.conditions if is_met is not False else (),
        compliance=compliance.isoformat() if compliance else None,
    )


def _says_something(test: Test) -> bool:
    """Whether a test belongs in a finding; that the item is of the kind a paragraph speaks of goes without saying."""
    return test.met is not True or test.metric not in changes.KIND


def _applies(paragraph: Paragraph, classification: Version | None, values: Values) -> bool:
    """Whether a paragraph speaks of an item classified as this one certainly is."""
    wanted = {
        word
        for b in paragraph.bounds
        if b.metric == "classified" and isinstance(b.threshold, tuple)
        for word in b.threshold
    }
    return bool(wanted) and governing(classification, values) <= wanted


def _test(bound: Bound, classification: Version | None, values: Values) -> Test:
    if bound.metric == "classified":
        value: Value = governing(classification, values)
        answers = {bound.holds(word) for word in governing(classification, values)}
        return Test(
            "classified",
            bound.test,
            _threshold(bound),
            plain(value),
            answers.pop() if len(answers) == 1 else None,
            None,
        )
    value = density(values) if bound.metric == DENSITY else values.get(bound.metric)
    return Test(bound.metric, bound.test, _threshold(bound), plain(value), met(bound, values), _margin(bound, value))


def _threshold(bound: Bound) -> Any:
    if isinstance(bound.threshold, Fraction):
        number = float(bound.threshold)
        return int(number) if number.is_integer() else number
    if isinstance(bound.threshold, tuple):
        return bound.threshold[0] if len(bound.threshold) == 1 else list(bound.threshold)
    return bound.threshold


def _margin(bound: Bound, value: Value) -> Any:
    """Relative distance to the threshold, positive on the met side."""
    if (
        not isinstance(value, Interval)
        or not isinstance(bound.threshold, Fraction)
        or not bound.threshold
        or value.is_unknown
    ):
        return None
    sign = 1 if bound.test in ("at_least", "more_than") else -1
    ends = [None if end is None else sign * float(end / bound.threshold - 1) for end in (value.low, value.high)]
    if value.is_point:
        return ends[0]
    low, high = ends if sign > 0 else ends[::-1]
    return {"low": low, "high": high}


def _also(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """List what the other rules and layers say where they say something."""
    others = [f for f in findings if not (f.rule == THE_RULE and f.layer in ("classification", "exclusion"))]
    return [
        {"layer": f.layer, "rule": f.rule, "paragraph": f.paragraph, "met": f.met, "outcome": f.outcome}
        for f in others
        if f.met is not False or f.outcome
    ]


def _readings(item: Item, version: Version | None, values: Values, now: Outcome) -> list[dict[str, Any]]:
    found = []
    for reading in READINGS:
        other = read_as(reading, item, values)
        if other is None or version is None:
            continue
        then = classify(version, other)
        found.append(
            {
                "reading": reading.id,
                "status": then.status,
                "paragraphs": list(then.certain),
                "says": reading.says,
                "metrics": _changed(values, other),
                "changes_status": then.status != now.status,
            }
        )
    return found


def _changed(values: Values, other: Values) -> dict[str, Any]:
    names = [name for name in (*METRICS, "bits_x_tops_2022") if name != DENSITY and values[name] != other[name]]
    changed = {name: plain(other[name]) for name in names}
    return changed | ({DENSITY: plain(density(other))} if density(other) != density(values) else {})


def _settle(version: Version | None, values: Values, now: Outcome) -> list[dict[str, Any]]:
    found = []
    for settled in changes.settling(version, values, now):
        found.append(
            {
                "input": settled.input,
                "known": plain(settled.known),
                "decides": [_stretch(part, then) for part, then in settled.stretches],
            }
        )
    area = values["applicable_die_area_mm2"]
    if found and isinstance(area, Interval) and area.high == 0:
        why = "no die is non-planar, so performance density is undefined; no text of BIS settles it"
        found.append({"input": DENSITY, "known": None, "decides": [], "why": why})
    return found


def _stretch(part: Any, then: Outcome) -> dict[str, Any]:
    answer = {"status": then.status, "paragraphs": list(then.certain)}
    if not isinstance(part, Interval):
        return {"value": part, **answer}
    ends: dict[str, float] = {}
    if part.low > 0:
        ends["more_than" if part.low_open else "at_least"] = float(part.low)
    if part.high is not None:
        ends["below" if part.high_open else "at_most"] = float(part.high)
    return {**ends, **answer}


def _flip(flip: changes.Flip) -> dict[str, Any]:
    def number(value: Any) -> Any:
        return float(value) if isinstance(value, Fraction) else value

    return {
        "input": flip.input,
        "from": number(flip.present),
        "to": number(flip.to),
        "inclusive": flip.inclusive,
        "change": flip.change,
        "status": flip.outcome.status,
        "paragraphs": list(flip.outcome.certain),
    }


def _rests_on(item: Item) -> dict[str, dict[str, str]]:
    found = {}
    for metric in (*METRICS, *OTHER_METRICS, "datacenter"):
        support = evidence.support(item, metric)
        if metric in item.facts and metric != "datacenter":
            found[metric] = {"mark": "given", "source": "fact", "locator": "", "note": ""}
        elif support is not None:
            found[metric] = support._asdict()
    return found
