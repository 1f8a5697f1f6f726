"""What each paragraph of each rule in force says of an item."""

from datetime import date
from fractions import Fraction
from typing import Any

from perfcore import changes
from perfcore.outcome import governing, is_under, layer_met
from perfcore.quantity import Interval, Value, plain
from perfcore.readings import Values
from perfcore.regions import DENSITY, density, met
from perfcore.result import Finding, Test
from perfcore.rules import THE_RULE, Bound, Paragraph, Rule, Version


def findings_of(rules: tuple[Rule, ...], on: date, classification: Version | None, values: Values) -> list[Finding]:
    """Return a finding for every paragraph in force on a day, 3A090 first."""
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
    is_met = layer_met(paragraph, classification, values, _notes(rule, version, paragraph))
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
        source=dict(version.source),
        outcome=outcome,
        conditions=paragraph.conditions if is_met is not False else (),
        compliance=compliance.isoformat() if compliance else None,
    )


def _says_something(test: Test) -> bool:
    """Whether a test belongs in a finding; that the item is of the kind a paragraph speaks of goes without saying."""
    return test.met is not True or test.metric not in changes.KIND


def _notes(rule: Rule, version: Version, paragraph: Paragraph) -> tuple[Paragraph, ...]:
    """Return the notes that may take an item out of a paragraph.

    Not for ECCN 3A090: there ``met`` speaks of the words, and the status says what a note takes out.
    """
    if rule.id == THE_RULE:
        return ()
    return tuple(p for p in version.paragraphs if any(is_under(paragraph.id, heading) for heading in p.excludes))


def _applies(paragraph: Paragraph, classification: Version | None, values: Values) -> bool:
    """Whether a paragraph speaks of an item so classified and of its destination, as far as they are known."""
    words = [bound for bound in paragraph.bounds if isinstance(bound.threshold, tuple)]
    speaks = [
        governing(classification, values) <= set(bound.threshold)  # type: ignore[arg-type]
        for bound in words
        if bound.metric == "classified"
    ]
    others = [met(bound, values) for bound in words if bound.metric != "classified"]
    return bool(speaks) and all(speaks) and False not in others


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


def beside(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """List what the other rules and layers say where they say something."""
    others = [f for f in findings if not (f.rule == THE_RULE and f.layer in ("classification", "exclusion"))]
    return [
        {"layer": f.layer, "rule": f.rule, "paragraph": f.paragraph, "met": f.met, "outcome": f.outcome}
        for f in others
        if f.met is not False or f.outcome
    ]
