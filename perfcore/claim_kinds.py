"""The kinds of computation a claim may name, and how each is done: chips and law here, speeds when they are asked for."""

from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from math import inf
from typing import Any

from perfcore import chips, rules
from perfcore.claim_formulas import evaluated, function_of, solutions
from perfcore.claim_values import Band, Found, Range, range_of, spoken
from perfcore.display import number
from perfcore.errors import PerfcoreError
from perfcore.items import Item
from perfcore.outcome import governing
from perfcore.quantity import Interval, interval_of
from perfcore.readings import metrics_of
from perfcore.regions import DENSITY, density
from perfcore.rules import THE_RULE, Paragraph, Version
from perfcore.terms import FACTS
from perfcore.verdict import Verdict, check, with_facts

Computation = Mapping[str, Any]
# The rules whose lines a published TPP or density must not cross to be called the same.
LINES = (THE_RULE, "us_review_policy_china")


def compute(computation: Computation) -> Found:
    """Do a computation.

    >>> compute({"kind": "quantity", "chip": "h20", "metric": "tpp"}).value
    Range(low=2368.0, high=2368.0)

    Raises
    ------
    PerfcoreError
        If a chip, rule, formula or key it names is not there.
    """
    return _KINDS[computation["kind"]](computation)


def _not_computed(computation: Computation) -> Found:
    return Found(None, (), f"cannot be recomputed: {computation['needs']}")


def _quantity(computation: Computation) -> Found:
    if "chip" in computation:
        return _of_one(chips.load(computation["chip"]), computation)
    each = [_of_one(chips.load(name), computation) for name in computation["chips"]]
    steps = tuple(step for found in each for step in found.steps)
    known = [found.value for found in each if isinstance(found.value, Range)]
    if len(known) < len(each):
        return Found(None, steps, next(found.reason for found in each if found.value is None))
    least = computation["of"] == "lowest"
    pick = min if least else max
    value = Range(pick(one.low for one in known), pick(one.high for one in known))
    return Found(value, (*steps, f"{computation['of']} of them: {spoken(value)}"))


def _of_one(item: Item, computation: Computation) -> Found:
    key, value = _looked_up(item, computation)
    if value is None:
        return Found(None, (f"{key} of {item.name}: unknown",), f"{key} of {item.name} is not known")
    return Found(value, (f"{key} of {item.name}: {spoken(value)}",))


def _looked_up(item: Item, computation: Computation) -> tuple[str, Range | None]:
    if "metric" in computation:
        name = computation["metric"]
        if FACTS[name].kind != "number" if name in FACTS else True:
            raise PerfcoreError(f"metric: found {name!r}; allowed: a number of {', '.join(_numbers())}")
        values = metrics_of(item)
        return FACTS[name].label, range_of(density(values) if name == DENSITY else values[name])
    if "link" in computation:
        return f"links {computation['link']}", _links(item, computation["link"])
    return computation["path"], _at_path(item, computation["path"])


def _numbers() -> list[str]:
    return [name for name, term in FACTS.items() if term.kind == "number"]


def _links(item: Item, name: str) -> Range | None:
    """Add up the links whose name starts so, both directions [GB/s]."""
    links = [link for link in item.document.get("link", ()) if link.get("name", "").startswith(name)]
    if not links or any("bandwidth_gb_s" not in link for link in links):
        return None
    each = [(interval_of(link["bandwidth_gb_s"]), link.get("count", 1)) for link in links]
    return Range(sum(float(i.low) * n for i, n in each), sum(float(i.high or i.low) * n for i, n in each))


def _at_path(item: Item, path: str) -> Range | None:
    """Return the number at a path of a file, such as ``memory.capacity_gb`` or ``die.1.area_mm2``."""
    value: Any = item.document
    for part in path.split("."):
        places = value if isinstance(value, list) else []
        if part.isdigit() and 0 < int(part) <= len(places):
            value = places[int(part) - 1]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return None
    return range_of(interval_of(value))


def _answer(computation: Computation) -> Verdict:
    return check(computation["chip"], computation["on"], facts=computation.get("facts", {}))


def _undecided(answer: Verdict) -> str:
    inputs = [entry["input"] for entry in answer.settle]
    return f"open: {', '.join(inputs)} would settle it" if inputs else "open: what is known does not settle it"


def _flips(answer: Verdict) -> tuple[str, ...]:
    said = []
    for flip in answer.flips:
        ends = f"{flip['input']} of {number(flip['to'])} in place of {number(flip['from'])}"
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


def _findings(computation: Computation) -> tuple[Verdict, list[Any]]:
    answer, rule_id = _answer(computation), computation.get("rule", THE_RULE)
    found = [finding for finding in answer.findings if finding.rule == rule_id]
    rules.load(rule_id)  # a rule that is not there is a slip, one not yet in force is not
    return answer, found


def _finding(computation: Computation) -> tuple[Verdict, Any]:
    answer, found = _findings(computation)
    name = computation["paragraph"]
    for finding in found:
        if finding.paragraph == name:
            return answer, finding
    known = ", ".join(repr(finding.paragraph) for finding in found) or "none"
    raise PerfcoreError(f"paragraph: found {name!r}; those in force on {computation['on']}: {known}")


def _paragraph(computation: Computation) -> Found:
    answer, finding = _finding(computation)
    steps = tuple(
        f"{test.metric.replace('_', ' ')} {spoken_test(test.test, test.threshold)}: "
        f"{_shown(test.value)}, {_yes(test.met)}"
        for test in finding.tests
    )
    steps += (f"{finding.paragraph} ({finding.version}): {_yes(finding.met)}",)
    if finding.met is None:
        return Found(None, steps, finding.open_because or _open_tests(finding))
    return Found(bool(finding.met), steps, flips=_flips(answer))


def _open_tests(finding: Any) -> str:
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
    steps = tuple(f"{t.metric} {spoken_test(t.test, t.threshold)}: {_shown(t.value)}, {_yes(t.met)}" for t in finding.tests)
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
        return Found(None, (), f"{rule_id} is not in force on {computation['on']}")
    steps, enough = [], []
    for paragraph in version.paragraphs:
        if name not in (None, paragraph.id):
            continue
        for limit, alone in _limits(paragraph, metric):
            steps.append(f"{paragraph.id}: {metric} {number(float(limit))}, {'alone' if alone else 'with other tests'}")
            enough += [float(limit)] if alone or name else []
    if not enough:
        return Found(None, tuple(steps), f"no line of {rule_id} on {metric} stands alone")
    return Found(Range(min(enough), min(enough)), tuple(steps))


def _limits(paragraph: Paragraph, metric: str) -> list[tuple[Fraction, bool]]:
    """Return the lines from which on a metric may be met, and whether another number is tested beside it."""
    found = []
    for bounds in paragraph.alternatives:
        others = {b.metric for b in bounds if isinstance(b.threshold, Fraction) and b.metric != metric}
        for bound in bounds:
            if bound.metric == metric and isinstance(bound.threshold, Fraction) and bound.test in ("at_least", "more_than"):
                found.append((bound.threshold, not others))
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


def _formula(computation: Computation) -> Found:
    arguments, steps = {}, []
    for name, value in computation["arguments"].items():
        found = _argument(value)
        steps += [f"  {step}" for step in found.steps]
        if not isinstance(found.value, Range):
            return Found(None, tuple(steps), found.reason or f"{name} is not a number")
        arguments[name] = found.value
    value = evaluated(computation["formula"], arguments)
    given = ", ".join(f"{name} = {spoken(one)}" for name, one in arguments.items())
    said = f"{computation['formula']}({given}) = {spoken(value)}"
    return Found(value, (*steps, said), "" if value else "no number for what was given")


def _argument(value: Any) -> Found:
    if isinstance(value, Mapping) and "kind" in value:
        return compute(value)
    exact = value if isinstance(value, Mapping) else {"low": value, "high": value}
    return Found(Range(float(exact["low"]), float(exact["high"])))


def needed_arguments(computation: Computation, band: Band) -> tuple[str, ...]:
    """Say which value of each argument of a formula would bring it into a band, the others as they are."""
    if computation["kind"] != "formula":
        return ()
    arguments = {name: _argument(value).value for name, value in computation["arguments"].items()}
    known = {name: one for name, one in arguments.items() if isinstance(one, Range)}
    if len(known) < len(arguments):
        return ()
    found = solutions(computation["formula"], known, band)
    return tuple(f"{name} = {number(value, 4)} in place of {spoken(known[name])}" for name, value in found.items())


def _speed(computation: Computation) -> Found:
    from perfcore import claim_speeds  # numpy is imported with it

    return claim_speeds.SPEEDS[computation["kind"]](computation)


def names_of(computation: Computation) -> None:
    """Look up the formulas a computation names, so that a slip is found without doing it."""
    if computation["kind"] == "formula":
        function_of(computation["formula"], computation["arguments"])
        for value in computation["arguments"].values():
            if isinstance(value, Mapping) and "kind" in value:
                names_of(value)


_KINDS: dict[str, Callable[[Computation], Found]] = {
    "not_computed": _not_computed,
    "quantity": _quantity,
    "status": _status,
    "heading": _heading,
    "paragraph": _paragraph,
    "paragraphs": _paragraphs,
    "tests": _tests,
    "threshold": _threshold,
    "formula": _formula,
    "training": _speed,
    "serving": _speed,
}
