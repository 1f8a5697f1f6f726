"""What the classification says of a region: one answer for all its points, or several."""

from collections.abc import Iterable
from typing import NamedTuple

from perfcore.regions import Values, World, worlds
from perfcore.rules import Paragraph, Rule, Version, by_metric
from perfcore.schema import GOVERNING

CONTROLLED, EXCLUDED, NOT_CONTROLLED, UNDETERMINED = (
    "controlled",
    "excluded",
    "not_controlled",
    "undetermined",
)
# The headings without the word for none of them.
GROUPS = GOVERNING[:-1]


class Outcome(NamedTuple):
    """A status, the paragraphs certainly met, and those that may be met."""

    status: str
    certain: tuple[str, ...]
    possible: tuple[str, ...]


def is_met(paragraph: Paragraph, world: World) -> bool:
    """Whether a paragraph is met at one point."""
    return any(all(bound.holds(world[bound.metric]) for bound in bounds) for bounds in paragraph.alternatives)


def stands(paragraph: Paragraph, world: World) -> bool | None:
    """Whether a paragraph is met at one point, or None where its text leaves that open."""
    holds = all(bound.holds(world[bound.metric]) for bound in (*paragraph.common, *paragraph.open_if))
    return None if paragraph.open_because and holds else is_met(paragraph, world)


def is_under(paragraph_id: str, heading: str) -> bool:
    """Whether a paragraph stands under a heading of the law.

    >>> is_under("3A090.a.1", "3A090.a"), is_under("3A090.a", "3A090"), is_under("3A090.b.1", "3A090.a")
    (True, True, False)
    """
    return paragraph_id == heading or paragraph_id.startswith(heading + ".")


def at(version: Version, world: World) -> tuple[str, frozenset[str], str]:
    """Return status, paragraphs met and governing heading at one point. ``.a`` governs ``.b``."""
    words = frozenset(p.id for p in version.paragraphs if p.layer == "classification" and is_met(p, world))
    excluded = [h for p in version.paragraphs if p.layer == "exclusion" and is_met(p, world) for h in p.excludes]
    left = [p for p in words if not any(is_under(p, heading) for heading in excluded)]
    if not left:
        return (EXCLUDED if words else NOT_CONTROLLED), words, "none"
    return CONTROLLED, words, next(h for h in GROUPS if any(is_under(p, h) for p in left))


def classify(version: Version | None, values: Values) -> Outcome:
    """Decide a whole region: the status all its points share, or ``undetermined``."""
    if version is None:
        return Outcome(NOT_CONTROLLED, (), ())
    statuses: set[str] = set()
    sets: list[frozenset[str]] = []
    for world in worlds(values, version.tests):
        status, words, _ = at(version, world)
        statuses.add(status)
        sets.append(words)
    status = statuses.pop() if len(statuses) == 1 else UNDETERMINED
    certain = frozenset.intersection(*sets)
    return Outcome(status, tuple(sorted(certain)), tuple(sorted(frozenset.union(*sets) - certain)))


def notes_to(paragraph: Paragraph, version: Version) -> tuple[Paragraph, ...]:
    """Return the notes of a version that may take an item out of a paragraph."""
    return tuple(p for p in version.paragraphs if any(is_under(paragraph.id, heading) for heading in p.excludes))


def layer_met(
    paragraph: Paragraph, version: Version | None, values: Values, notes: tuple[Paragraph, ...] = ()
) -> bool | None:
    """Whether a paragraph of any layer is met, given how the item is classified; None if that is open.

    A paragraph that tests ``classified`` is tried together with the classification, point by point; one that a
    note takes an item out of, together with the note.
    """
    together = (paragraph, *notes)
    leans = any(bound.metric == "classified" for each in together for bound in each.bounds)
    if leans and version is None:
        return False
    words = version.paragraphs if leans and version is not None else ()
    answers: set[bool | None] = set()
    for world in worlds(values, by_metric(bound for each in (*together, *words) for bound in each.bounds)):
        if leans and version is not None:
            world["classified"] = at(version, world)[2]
        met = stands(paragraph, world)
        answers.add(met and not any(is_met(note, world) for note in notes))
    return answers.pop() if len(answers) == 1 else None


def governing(version: Version | None, values: Values) -> frozenset[str]:
    """Return the headings that may govern the item."""
    if version is None:
        return frozenset({"none"})
    return frozenset(at(version, world)[2] for world in worlds(values, version.tests))


def of_rules(rules: Iterable[Rule], rule_id: str) -> Rule:
    """Return the rule of an id."""
    return next(rule for rule in rules if rule.id == rule_id)
