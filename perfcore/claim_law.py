"""What the law says of a chip on a day, as a claim may put it: status, heading, paragraphs, the lines of a rule."""

from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any, cast

from perfcore import chips, rules
from perfcore.claim_values import Found, Range
from perfcore.display import number
from perfcore.errors import PerfcoreError
from perfcore.outcome import governing
from perfcore.readings import metrics_of
from perfcore.result import Finding, Test, Verdict
from perfcore.rules import THE_RULE, Bound, Paragraph, Version
from perfcore.terms import FACTS
from perfcore.verdict import check, with_facts

Computation = Mapping[str, Any]
# The rules whose lines a published TPP or density must not cross to be called the same.
LINES = (THE_RULE, "us_review_policy_china")
# The tests that are met from a number on.
FROM = ("at_least", "more_than")


def _answer(computation: Computation) -> Verdict:
    return check(computation["chip"], computation["on"], facts=computation.get("facts", {}))


def _undecided(answer: Verdict) -> str:
    inputs = [entry["input"] for entry in answer.settle]
    return f"open: {', '.join(inputs)} would settle it" if inputs else "open: what is known does not settle it"


def _flips(answer: Verdict) -> tuple[str, ...]:
    said = []
    for flip in answer.flips:
        side = {"more_than": "above", "below": "below"}.get(flip["test"], "of")
        ends = f"{flip['input']} {side} {number(flip['to'])} in place of {number(flip['from'])}"
        under = f" ({', '.join(flip['paragraphs'])})" if flip["paragraphs"] else ""
        said.append(f"{ends} makes it {flip['status'].replace('_', ' ')}{under}")
    return tuple(said)


def _status(computation: Computation) -> Found:
    answer = _answer(computation)
    met = ", ".join(answer.paragraphs) or "no paragraph certainly met"
    said = answer.status.replace("_", " ")
    steps = (*_metric_steps(answer), f"{answer.name} on {answer.on}: {said} ({met})")
    if answer.status == "undetermined":
        return Found(None, steps, _undecided(answer), _flips(answer))
    return Found(answer.status, steps, flips=_flips(answer))


def _metric_steps(answer: Verdict) -> tuple[str, ...]:
    return tuple(f"{FACTS[name].label}: {number(value, 5)}" for name, value in answer.metrics.items())


def _heading(computation: Computation) -> Found:
    """Under which heading of ECCN 3A090 the item is classified."""
    answer = _answer(computation)
    item = with_facts(chips.load(computation["chip"]), computation.get("facts", {}))
    headings = governing(_in_force(THE_RULE, computation["on"]), metrics_of(item))
    steps = (*_metric_steps(answer), f"{answer.name} on {answer.on}: {' or '.join(sorted(headings))}")
    if len(headings) > 1:
        return Found(None, steps, f"{_undecided(answer)}: {' or '.join(sorted(headings))}", _flips(answer))
    return Found(next(iter(headings)), steps, flips=_flips(answer))


def _findings(computation: Computation) -> tuple[Verdict, list[Finding]]:
    answer, rule_id = _answer(computation), computation.get("rule", THE_RULE)
    found = [finding for finding in answer.findings if finding.rule == rule_id]
    rules.load(rule_id)  # a rule that is not there is a slip, one not yet in force is not
    return answer, found


def _finding(computation: Computation) -> tuple[Verdict, Finding]:
    answer, found = _findings(computation)
    name = computation["paragraph"]
    for finding in found:
        if finding.paragraph == name:
            return answer, finding
    known = ", ".join(repr(finding.paragraph) for finding in found) or "none"
    raise PerfcoreError(f"paragraph: found {name!r}; those in force on {computation['on']}: {known}")


def _paragraph(computation: Computation) -> Found:
    answer, finding = _finding(computation)
    steps = tuple(map(_test_words, finding.tests))
    steps += (f"{finding.paragraph} ({finding.version}): {_yes(finding.met)}",)
    if finding.met is None:
        return Found(None, steps, finding.open_because or _open_tests(finding))
    return Found(bool(finding.met), steps, flips=_flips(answer))


def _test_words(test: Test) -> str:
    name = test.metric.replace("_", " ")
    return f"{name} {spoken_test(test.test, test.threshold)}: {_shown(test.value)}, {_yes(test.met)}"


def _open_tests(finding: Finding) -> str:
    unknown = [test.metric for test in finding.tests if test.met is None]
    return f"open: not known well enough: {', '.join(unknown) or 'what it tests'}"


def spoken_test(test: str, threshold: Any) -> str:
    """Show one comparison of a paragraph."""
    said = ", ".join(map(str, threshold)) if isinstance(threshold, list | tuple) else _shown(threshold)
    return f"{test.replace('_', ' ')} {said}"


def _shown(value: Any) -> str:
    return number(value, 5) if not isinstance(value, list) else ", ".join(map(str, value))


def _yes(met: bool | None) -> str:
    return "open" if met is None else "met" if met else "not met"


def _paragraphs(computation: Computation) -> Found:
    answer, found = _findings(computation)
    steps = tuple(f"{finding.paragraph}: {_yes(finding.met)}" for finding in found)
    if any(finding.met is None for finding in found):
        return Found(None, steps, _undecided(answer))
    return Found(tuple(sorted(finding.paragraph for finding in found if finding.met)), steps, flips=_flips(answer))


def _tests(computation: Computation) -> Found:
    """Which tests of a paragraph are met, where each alone is enough."""
    _, finding = _finding(computation)
    steps = tuple(map(_test_words, finding.tests))
    if any(test.met is None for test in finding.tests):
        return Found(None, steps, _open_tests(finding))
    return Found(tuple(sorted(test.metric for test in finding.tests if test.met)), steps)


def _in_force(rule_id: str, on: date) -> Version | None:
    return rules.load(rule_id).in_force(on)


def _threshold(computation: Computation) -> Found:
    """Return a line of a rule: of one paragraph, or the lowest that is enough by itself."""
    rule_id, metric, name = computation["rule"], computation["metric"], computation.get("paragraph")
    version = _in_force(rule_id, computation.get("on", date.max))
    if version is None:
        return Found(None, (), f"{rule_id} is not in force on {computation.get('on', 'that day')}")
    steps, enough = [], []
    for paragraph in version.paragraphs:
        if name not in (None, paragraph.id):
            continue
        for bound, alone in _limits(paragraph, metric):
            limit, beside = float(cast(Fraction, bound.threshold)), "alone" if alone else "with other tests"
            steps.append(f"{paragraph.id}: {metric} {spoken_test(bound.test, limit)}, {beside}")
            enough += [limit] if name or (alone and bound.test in FROM) else []
    if not enough:
        return Found(None, tuple(steps), f"no line of {rule_id} on {metric} stands alone")
    return Found(Range(min(enough), min(enough)), tuple(steps))


def _limits(paragraph: Paragraph, metric: str) -> list[tuple[Bound, bool]]:
    """Return the tests of a metric against a number, and whether no other number is tested beside it."""
    found = []
    for bounds in paragraph.alternatives:
        others = {b.metric for b in bounds if isinstance(b.threshold, Fraction) and b.metric != metric}
        here = (bound for bound in bounds if bound.metric == metric and isinstance(bound.threshold, Fraction))
        found += [(bound, not others) for bound in here]
    return found


@cache
def lines_on(metric: str) -> tuple[float, ...]:
    """Return every line of the classification and the review policy on a metric.

    >>> lines_on("performance_density")
    (1.6, 3.2, 5.92)
    """
    found = {
        float(bound.threshold)
        for rule_id in LINES
        for version in rules.load(rule_id).versions
        for bound in version.tests.get(metric, ())
        if isinstance(bound.threshold, Fraction)
    }
    return tuple(sorted(found))


LAW: dict[str, Callable[[Computation], Found]] = {
    "status": _status,
    "heading": _heading,
    "paragraph": _paragraph,
    "paragraphs": _paragraphs,
    "tests": _tests,
    "threshold": _threshold,
}
