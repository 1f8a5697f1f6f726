"""What each paragraph of each rule in force says of an item."""

from datetime import date
from fractions import Fraction
from typing import Any

from perfcore import changes
from perfcore.formulas import margin
from perfcore.outcome import governing, layer_met, notes_to
from perfcore.quantity import Interval, Value, exactly, plain
from perfcore.readings import Values
from perfcore.regions import DENSITY, density, met
from perfcore.result import Finding, Test
from perfcore.rules import THE_RULE, Bound, Paragraph, Rule, Version

# Findings already made: by rule, its version, and the version of 3A090 the item is classified under.
Seen = dict[tuple[str, date, date | None], list[Finding]]


def findings_of(
    rules: tuple[Rule, ...], kind: str, on: date, classification: Version | None, values: Values, seen: Seen
) -> list[Finding]:
    """Return a finding for every paragraph in force on a day that is about such items, 3A090 first."""
    found = []
    for rule in rules:
        version = rule.in_force(on) if kind in rule.subject else None
        if version is None:
            continue
        key = (rule.id, version.effective, classification.effective if classification else None)
        if key not in seen:
            governs = governing(classification, values)
            seen[key] = [_finding(rule, version, p, classification, values, governs) for p in version.paragraphs]
        found += seen[key]
    return found


def _finding(
    rule: Rule,
    version: Version,
    paragraph: Paragraph,
    classification: Version | None,
    values: Values,
    governs: frozenset[str],
) -> Finding:
    # In ECCN 3A090 `met` speaks of the words, and the status says what a note takes out.
    notes = () if rule.id == THE_RULE else notes_to(paragraph, version)
    is_met = layer_met(paragraph, classification, values, notes)
    applies = _applies(paragraph, values, governs)
    outcome = paragraph.outcome if is_met is not False else (paragraph.otherwise if applies else "")
    compliance = paragraph.compliance or version.compliance
    return Finding(
        layer=paragraph.layer,
        rule=rule.id,
        version="undated" if version.effective == date.min else version.effective.isoformat(),
        paragraph=paragraph.id,
        met=is_met,
        tests=tuple(t for b in paragraph.bounds if _says_something(t := _test(b, values, governs))),
        source=dict(version.source),
        outcome=outcome,
        open_because=paragraph.open_because if is_met is None and _may_be_silent(paragraph, values) else "",
        status=version.status,
        conditions=paragraph.conditions if is_met is not False else (),
        compliance=compliance.isoformat() if compliance else None,
    )


def _may_be_silent(paragraph: Paragraph, values: Values) -> bool:
    """Whether the text, and not a fact that is not given, is what leaves a paragraph open."""
    return all(met(bound, values) for bound in paragraph.open_if)


def _says_something(test: Test) -> bool:
    """Whether a test belongs in a finding; that the item is of the kind a paragraph speaks of goes without saying."""
    return test.met is not True or test.metric not in changes.KIND


def _applies(paragraph: Paragraph, values: Values, governs: frozenset[str]) -> bool:
    """Whether some alternative of a paragraph speaks of an item so classified and of its destination."""
    return any(_speaks(bounds, values, governs) for bounds in paragraph.alternatives)


def _speaks(bounds: tuple[Bound, ...], values: Values, governs: frozenset[str]) -> bool:
    words = [bound for bound in bounds if isinstance(bound.threshold, tuple)]
    classes = {_all_hold(bound, governs) for bound in words if bound.metric == "classified"}
    others = {met(bound, values) for bound in words if bound.metric != "classified"}
    return classes == {True} and False not in others


def _all_hold(bound: Bound, governs: frozenset[str]) -> bool | None:
    answers = {bound.holds(word) for word in governs}
    return answers.pop() if len(answers) == 1 else None


def _test(bound: Bound, values: Values, governs: frozenset[str]) -> Test:
    if bound.metric == "classified":
        return Test("classified", bound.test, _threshold(bound), plain(governs), _all_hold(bound, governs), None)
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
    limit = bound.threshold
    ends = [None if end is None else sign * float(exactly(margin, end, limit)) for end in (value.low, value.high)]
    if value.is_point:
        return ends[0]
    low, high = ends if sign > 0 else ends[::-1]
    return {"low": low, "high": high}


def beside(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """List what the other rules and layers say where they say something."""
    others = [f for f in findings if not (f.rule == THE_RULE and f.layer in ("classification", "exclusion"))]
    return [
        {
            "layer": f.layer,
            "rule": f.rule,
            "version": f.version,
            "paragraph": f.paragraph,
            "met": f.met,
            "outcome": f.outcome,
            "rule_status": f.status,
        }
        for f in others
        if f.met is not False or f.outcome
    ]
