"""A paragraph of a rule in the words of the law."""

from typing import Any

from perfcore.display import number
from perfcore.quantity import plain, point
from perfcore.rules import Bound, Paragraph
from perfcore.terms import FACTS

__all__ = ["COMPARED", "more_of", "read_aloud", "threshold_of"]

COMPARED = {
    "at_least": "of {} or more",
    "more_than": "greater than {}",
    "below": "less than {}",
    "at_most": "of {} or less",
}


def threshold_of(bound: Bound) -> Any:
    """Return a threshold as JSON holds it: a number, a word, a list of words, yes or no."""
    threshold = bound.threshold
    if isinstance(threshold, bool):
        return threshold
    return list(threshold) if isinstance(threshold, tuple) else plain(point(threshold))


def more_of(paragraph: Paragraph) -> list[str]:
    """Return what a paragraph says beside its tests: its text, what is open, what follows, conditions."""
    more = [paragraph.text] if paragraph.text else []
    if paragraph.open_because:
        when = f"where {_all_of(paragraph.open_if)}: " if paragraph.open_if else ""
        more.append(f"open: {when}{paragraph.open_because}")
    more += [f"takes out: {', '.join(paragraph.excludes)}"] if paragraph.excludes else []
    more += [f"licence requirement: {paragraph.licence}"] if paragraph.licence else []
    more += [f"then: {paragraph.outcome}"] if paragraph.outcome else []
    more += [f"otherwise: {paragraph.otherwise}"] if paragraph.otherwise else []
    return more + [f"condition, not computed: {condition}" for condition in paragraph.conditions]


def read_aloud(paragraph: Paragraph) -> str:
    """Say a paragraph's tests as the law would.

    >>> from perfcore.rules import load
    >>> read_aloud(load("us_licence_exception_hbm").versions[-1].paragraphs[0])
    'classified under 3A090.c and memory bandwidth density less than 3.3 GB/s/mm2'
    """
    if not any(paragraph.alternatives):
        return "exists; its numbers are not known"
    several = zip(paragraph.labels, paragraph.alternatives, strict=True)
    return "; or ".join((f"({label}) " if label else "") + _all_of(bounds) for label, bounds in several)


def _all_of(bounds: tuple[Bound, ...]) -> str:
    said: list[str] = []
    previous = ""
    for bound in bounds:
        phrase = _bound(bound)
        if bound.metric == previous:
            said[-1] += " and " + phrase.removeprefix(FACTS[bound.metric].label).strip()
        else:
            said.append(phrase)
        previous = bound.metric
    return said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]


def _bound(bound: Bound) -> str:
    label = FACTS[bound.metric].label
    if bound.test in COMPARED:
        unit = FACTS[bound.metric].unit
        threshold = number(threshold_of(bound)) + (f" {unit}" if "GB/s" in unit else "")
        return f"{label} {COMPARED[bound.test].format(threshold)}"
    if isinstance(bound.threshold, tuple):
        return f"{label} {' or '.join(bound.threshold)}"
    return label if bound.threshold else f"not {label}"
