"""The human side of ``perfcore check``: a verdict, or a timeline, as text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from perfcore.cli.common import styled, styled_status
from perfcore.display import number, percent, text_table
from perfcore.result import Finding, Test, Verdict
from perfcore.rule_schema import LAYERS
from perfcore.terms import FACTS, WEAK_MARKS
from perfcore.verdict import METRICS, OTHER_METRICS

COMPARED = {"at_least": "or more", "more_than": "exceeded", "below": "less than", "at_most": "at most"}
_SIDES = {"at_least": "at least", "more_than": "above", "below": "below", "at_most": "at most"}
_JUST_BELOW = (("at_least", False), ("below", True))
MET = {True: "met", False: "no", None: "open"}


def verdict_lines(answer: Verdict, asked: str) -> list[str]:
    """Lay out one verdict."""
    return [line for part in _parts(answer, asked) for line in part]


def _parts(answer: Verdict, asked: str) -> Iterator[Iterator[str] | list[str]]:
    yield [_title(answer, asked), _status(answer)]
    yield _metric_lines(answer)
    if answer.rule_version is None:
        yield ["  No version of ECCN 3A090 is in force on this day."]
    elif "tpp" in answer.metrics:
        yield _paragraph_lines(answer)
    yield _flip_lines(answer)
    yield _settle_lines(answer)
    yield _flag_lines(answer)
    yield _also_lines(answer)
    if answer.rule_version is None or "tpp" not in answer.metrics:
        return
    source = answer.rule_version["source"]
    since = answer.rule_version["effective"]
    yield [f"  source: {source['title']}, {source.get('locator', '')} (in force since {since})"]
    if answer.rule_version["compliance"]:
        yield [f"  compliance date of this version: {answer.rule_version['compliance']}"]


def _title(answer: Verdict, asked: str) -> str:
    from perfcore.chips import normal

    meant = (
        "" if normal(asked) in (normal(answer.chip), normal(answer.name)) else f"  ({asked} is read as {answer.chip})"
    )
    if asked.endswith(".toml"):
        meant = f"  ({asked})"
    return styled(answer.name, bold=True) + meant


def _status(answer: Verdict) -> str:
    if "tpp" not in answer.metrics:
        return f"  on {answer.on}: ECCN 3A090 speaks of integrated circuits, not of this; what other rules say:"
    met = f": {', '.join(answer.paragraphs)}" if answer.paragraphs else ""
    possible = [p for p in answer.possible_paragraphs if p.startswith("3A090")]
    open_ = f"; open: {', '.join(possible)}" if possible else ""
    return f"  on {answer.on}: {styled_status(answer.status)} under ECCN 3A090{met}{open_}"


def _metric_lines(answer: Verdict) -> Iterator[str]:
    if "tpp" not in answer.metrics:
        stated = [(FACTS[n].label, number(v), FACTS[n].unit) for n, v in answer.metrics.items() if v is not None]
        if stated:
            yield text_table((), stated, right=[1], indent="    ")
        return
    names = [n for n in (*METRICS, *OTHER_METRICS) if answer.metrics.get(n) is not None or n in METRICS]
    if answer.metrics.get("hbm_bandwidth_density_gb_s_mm2") is not None:
        names = ["hbm_bandwidth_density_gb_s_mm2", "dram_bandwidth_gb_s"]
    if (
        answer.metrics.get("bits_x_tops_2022") == answer.metrics.get("tpp")
        or _tests(answer, "bits_x_tops_2022") is False
    ):
        names = [n for n in names if n != "bits_x_tops_2022"]
    rows = []
    for name in names:
        mark = answer.rests_on.get(name, {}).get("mark", "") if answer.metrics[name] is not None else ""
        shown = number(answer.metrics[name])
        if name == "performance_density" and answer.metrics["applicable_die_area_mm2"] == 0:
            shown = "undefined"
        rows.append((f"{FACTS[name].label}", shown, FACTS[name].unit, f"[{mark}]" if mark else ""))
    datacenter = {True: "yes", False: "no", None: "unknown"}[answer.facts["datacenter"]]
    mark = answer.rests_on.get("datacenter", {}).get("mark", "")
    if "hbm_bandwidth_density_gb_s_mm2" not in names:
        rows.append((FACTS["datacenter"].label, datacenter, "", f"[{mark}]" if mark else ""))
    yield text_table((), rows, right=[1], indent="    ")


def _tests(answer: Verdict, metric: str) -> bool:
    return any(test.metric == metric for finding in answer.findings for test in finding.tests)


def _paragraph_lines(answer: Verdict) -> list[str]:
    rows = []
    for finding in answer.findings:
        if finding.layer not in ("classification", "exclusion") or finding.rule != "us_eccn_3a090":
            continue
        if _of_another_kind(finding, "hbm_bandwidth_density_gb_s_mm2" in answer.metrics):
            continue
        for place, test in enumerate(finding.tests):
            first = (finding.paragraph, MET[finding.met]) if place == 0 else ("", "")
            rows.append((*first, _said(vars(test)), _value(test), MET[test.met], _margin(test.margin)))
    if not rows:
        return [f"  No paragraph of ECCN 3A090 in force on {answer.on} speaks of such an item."]
    head = ("paragraph", "", "test", "value", "", "margin")
    return ["", text_table(head, rows, right=[3, 5], indent="  ")]


def _value(test: Test) -> str:
    """Show a value with enough digits to tell it from the threshold."""
    value, threshold = test.value, test.threshold
    if not isinstance(value, float) or isinstance(threshold, bool) or not isinstance(threshold, int | float):
        return number(value)
    if value != threshold:
        return next((s for d in (6, 9, 12) if (s := number(value, d)) != number(threshold, d)), repr(value))
    on_it = test.met == (test.test in ("at_least", "at_most"))
    if on_it or test.met is None:
        return number(value)
    # Nearer than a float can show: the decision was exact.
    return f"just {'below' if (test.test, test.met) in _JUST_BELOW else 'above'} {number(threshold)}"


def _of_another_kind(finding: Finding, is_memory: bool) -> bool:
    """Whether the paragraph speaks of another kind of item (memory, or processors)."""
    kinds = ("digital_processing_units", "dominant_function_processing")
    if finding.layer == "exclusion":
        return is_memory
    return any(test.metric in kinds and test.met is False for test in finding.tests)


def _said(test: Mapping[str, Any]) -> str:
    """Say a test in the order of the law: the term, the number, how it is compared."""
    label = FACTS[test["metric"]].label
    if test["test"] in COMPARED:
        compared, threshold = COMPARED[test["test"]], number(test["threshold"])
        return (
            f"{label} {threshold} {compared}"
            if compared == "or more"
            else f"{label} {compared} {threshold}".replace("exceeded", "greater than")
        )
    wanted = test["threshold"]
    if isinstance(wanted, bool):
        return label if wanted else f"not {label}"
    return f"{label} {' or '.join(wanted) if isinstance(wanted, list) else wanted}"


def _margin(margin: Any) -> str:
    if isinstance(margin, dict):
        ends = [percent(margin[end]) or "..." for end in ("low", "high")]
        return " to ".join(ends)
    return percent(margin)


def _flip_lines(answer: Verdict) -> Iterator[str]:
    if not answer.flips:
        return
    yield "  what would flip it, one input at a time:"
    for flip in answer.flips:
        met = f" ({', '.join(flip['paragraphs'])})" if flip["paragraphs"] else ""
        gives = f"-> {flip['status'].replace('_', ' ')}{met}"
        label = FACTS[flip["input"]].label
        if flip["change"] is None:
            yield f"    {label}: {number(flip['to'])} instead of {number(flip['from'])}  {gives}"
            continue
        change = f"{number(flip['to'])} instead of {number(flip['from'])} ({percent(flip['change'])})"
        yield f"    {label}: {_SIDES[flip['test']]} {change}  {gives}"


def _settle_lines(answer: Verdict) -> Iterator[str]:
    if not answer.settle:
        return
    yield "  what would settle it:"
    for settled in answer.settle:
        label = FACTS[settled["input"]].label
        known = f" (known: {number(settled['known'])})" if settled["known"] is not None else ""
        if "why" in settled:
            yield f"    {label}: {settled['why']}"
        elif not settled["decides"]:
            yield f"    {label}{known}: not alone, together with the others"
        for stretch in settled["decides"]:
            met = f" ({', '.join(stretch['paragraphs'])})" if stretch["paragraphs"] else ""
            yield f"    {label}{known}: {_stretch(stretch)}  -> {stretch['status'].replace('_', ' ')}{met}"


def _stretch(stretch: Mapping[str, Any]) -> str:
    said = [f"{word} {number(stretch[key])}" for key, word in _SIDES.items() if key in stretch]
    return " and ".join(said) or number(stretch.get("value", "any value"))


def _flag_lines(answer: Verdict) -> Iterator[str]:
    others = [
        reading
        for reading in answer.readings
        if not reading["changes_status"] and tuple(reading["paragraphs"]) != answer.paragraphs
    ]
    yield from _readings_lines(answer, list(answer.flags), "the answer")
    yield from _readings_lines(answer, others, "the paragraphs, not the answer")


def _readings_lines(answer: Verdict, readings: list[Mapping[str, Any]], what: str) -> Iterator[str]:
    if not readings:
        return
    yield f"  contested readings that would change {what}:"
    for flag in readings:
        met = f" ({', '.join(flag['paragraphs'])})" if flag["paragraphs"] else ""
        said = [name for name in flag["metrics"] if name != "bits_x_tops_2022" or _tests(answer, name)]
        changed = ", ".join(f"{FACTS[name].label} {number(flag['metrics'][name])}" for name in said)
        yield f"    {flag['reading']}: {changed}  -> {flag['status'].replace('_', ' ')}{met}"
        yield f"      {flag['says']}"


def _also_lines(answer: Verdict) -> Iterator[str]:
    """Say what the other rules say: first what is certain, then, a line a rule, what is open and why."""
    if not answer.also:
        return
    yield "  beside the classification:"
    shown = [(other, _finding_of(answer, other)) for other in answer.also]
    shown.sort(key=lambda pair: LAYERS.index(pair[1].layer))  # the law first, bills last
    for other, finding in shown:
        if other["met"] is None:
            continue
        said = "met" if other["met"] else "not met"
        outcome = f": {other['outcome']}" if other["outcome"] else ""
        status = "" if finding.status in ("in force", "replaced", "proposed") else f" ({finding.status})"
        yield f"    {_layer(finding)}, {finding.paragraph} ({finding.rule}) {said}{outcome}{status}"
        for condition in finding.conditions:
            yield f"      if: {condition}"
    waiting: dict[str, list[Finding]] = {}
    for other, finding in shown:
        if other["met"] is None:
            waiting.setdefault(f"{_layer(finding)}, {finding.rule}", []).append(finding)
    for rule, findings in waiting.items():
        yield f"    {rule} open: {_why_open(findings)}"


def _finding_of(answer: Verdict, other: Mapping[str, Any]) -> Finding:
    return next(f for f in answer.findings if f.paragraph == other["paragraph"] and f.rule == other["rule"])


def _layer(finding: Finding) -> str:
    return finding.layer.replace("_", " ")


def _why_open(findings: list[Finding]) -> str:
    """Name the facts that a rule waits for, or what its text leaves open."""
    reasons = dict.fromkeys(f.open_because for f in findings if f.open_because)
    missing = dict.fromkeys(test.metric for f in findings for test in f.tests if test.met is None)
    outcomes = dict.fromkeys(f.outcome for f in findings if f.outcome)
    needs = [f"depends on {', '.join(missing)}"] if missing else []
    return "; ".join([*reasons, *needs, *outcomes])


def timeline_lines(answers: Sequence[Verdict], asked: str) -> list[str]:
    """Lay out one item under every version of the rules."""
    last = answers[-1]
    lines = [_title(last, asked), *_metric_lines(last), ""]
    rows = []
    for answer in answers:
        rows.append(
            (
                str(answer.on),
                answer.status.replace("_", " ") if "tpp" in answer.metrics else "-",
                ", ".join(answer.paragraphs),
                _beside(answer),
                _cited(answer),
            )
        )
    lines.append(text_table(("from", "status", "paragraphs met", "beside it", "took effect"), rows, indent="  "))
    flags: dict[str, list[str]] = {}
    for answer in answers:
        for flag in answer.flags:
            flags.setdefault(f"{flag['reading']}: {flag['status'].replace('_', ' ')}", []).append(str(answer.on))
    if flags:
        lines.append("  contested readings that would change the answer:")
        lines += [f"    {reading} from {', '.join(days)}" for reading, days in flags.items()]
    return lines


def _beside(answer: Verdict) -> str:
    """Say what is certain beside the classification, and count what waits for facts."""
    open_ = [f"{p} open" for p in answer.possible_paragraphs if p.startswith("3A090")]
    certain = [o["outcome"] or o["paragraph"] for o in answer.also if o["met"] is not None and o["layer"] != "proposal"]
    rules = {o["rule"] for o in answer.also if o["met"] is None}
    return "; ".join([*open_, *certain, *([f"rules left open: {len(rules)}"] if rules else [])])


def _cited(answer: Verdict) -> str:
    """Name what took effect that day."""
    new = [finding.source["title"] for finding in answer.findings if finding.version == answer.on.isoformat()]
    return ", ".join(dict.fromkeys(new))


def legend(answers: Iterable[Iterable[Verdict]]) -> str:
    """Say once what weak marks mean, if any answer rests on one."""
    marks = {s["mark"] for several in answers for v in several for s in v.rests_on.values()}
    weak = [mark for mark in WEAK_MARKS if mark in marks]
    if not weak:
        return "[...] says how sure the weakest number behind a metric is; 'perfcore chips ID' shows every source."
    means = {"estimate": "somebody's estimate", "recalled": "from memory, no document found"}
    said = "; ".join(f"[{mark}] {means[mark]}" for mark in weak)
    return f"[...] says how sure the weakest number behind a metric is: {said}. 'perfcore chips ID' shows every source."
