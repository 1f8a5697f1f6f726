"""What has been said in public, each claim recomputed: it holds, fails, or cannot be decided, and why."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore import evidence
from perfcore.chips import load as load_chip
from perfcore.chips import normal
from perfcore.claim_kinds import compute, entries_of, names_of, needed_arguments
from perfcore.claim_law import lines_on
from perfcore.claim_schema import KINDS, OUTCOMES, claim_problems, file_problems
from perfcore.claim_values import FROM_MEMORY, HOLDS, Band, Found, Range, band_of, difference, outcome_of, spoken
from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import Problem
from perfcore.terms import FACTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OUTCOMES", "Claim", "Judged", "from_file", "ids", "judge", "load", "shipped", "to_frame"]


@dataclass(frozen=True)
class Claim:
    """Something said in public: who said it, what follows if it is right, and how it is recomputed.

    ``document`` holds the keys of the file, those of its group filled in; ``said`` who said it.
    """

    id: str
    document: Mapping[str, Any] = field(repr=False)
    said: tuple[Mapping[str, str], ...] = field(repr=False)
    path: Path = field(repr=False)

    @property
    def kind(self) -> str:
        """The kind of computation."""
        return str(self.document["kind"])

    @cached_property
    def computation(self) -> Mapping[str, Any]:
        """The computation alone: its kind and what that takes."""
        return {key: self.document[key] for key in ("kind", *KINDS[self.kind]) if key in self.document}

    @cached_property
    def words(self) -> str:
        """What was said: in the words of the file, or for a plain number or status in ours."""
        return str(self.document["claim"]) if "claim" in self.document else _words(self.document)

    @property
    def same_source(self) -> bool | None:
        """Whether the catalogue rests, in part at least, on a document that makes the claim; None without a chip."""
        if self.kind != "quantity" or "chip" not in self.document:
            return None
        entries = entries_of(load_chip(self.document["chip"]), self.document)
        return bool({entry.get("source") for entry in entries} & {saying["id"] for saying in self.said})

    @property
    def lines(self) -> tuple[float, ...]:
        """The lines of the law that the claimed number must not cross."""
        return lines_on(self.document["metric"]) if "metric" in self.document and self.kind == "quantity" else ()

    def _repr_html_(self) -> str:
        from perfcore.notebook import said_html

        return said_html(self)


def _words(document: Mapping[str, Any]) -> str:
    said = spoken(document["value"]).replace("_", " ")
    if document["kind"] == "quantity":
        key = document.get("metric", document.get("path", document.get("link", "")))
        of = FACTS[key].label if key in FACTS else key
        return f"{load_chip(document['chip']).name}: {of} {said}"
    subject = f"{load_chip(document['chip']).name} on {document['on']}"
    if document["kind"] == "paragraph":
        return f"{subject}: {document['paragraph']}, {'met' if document['value'] else 'not met'}"
    return f"{subject}: {said}"


@dataclass(frozen=True)
class Judged:
    """A claim and what came of recomputing it; ``to_dict`` is its JSON."""

    claim: Claim
    found: Found
    outcome: str

    @property
    def says(self) -> str:
        """What was computed beside what was claimed, in a sentence."""
        if self.found.value is None:
            return self.found.reason
        memory = ", a number from memory" if self.found.mark == FROM_MEMORY else ""
        return f"computed {self.computed}{memory}; claimed {self.claimed}"

    @property
    def computed(self) -> str:
        """What was computed, in words."""
        return spoken(self.found.value)

    @property
    def claimed(self) -> str:
        """What was claimed, in words."""
        document = self.claim.document
        return f"{spoken(document['value'])}{_tolerated(document)}" if "value" in document else ""

    @property
    def would_hold(self) -> tuple[str, ...]:
        """What would make it hold."""
        document = self.claim.document
        if self.outcome == HOLDS or "value" not in document:
            return ()
        if not isinstance(self.found.value, Range):
            return self.found.flips
        band = band_of(document, self.claim.lines)
        return (f"a computed value {_band_words(document, band)}", *needed_arguments(self.claim.computation, band))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a claim."""
        document = self.claim.document
        sources = [dict(saying) for saying in self.claim.said]
        return {
            "id": self.claim.id,
            "claim": self.claim.words,
            "outcome": self.outcome,
            "claimed": _plain(document.get("value")),
            "tolerance": _plain(document.get("tolerance")),
            "tolerance_absolute": _plain(document.get("tolerance_absolute")),
            "because": document.get("because"),
            "computed": _plain(self.found.value),
            "mark": self.found.mark,
            "difference": difference(self.found, document),
            "says": self.says,
            "why": document.get("why"),
            "would_hold": list(self.would_hold),
            "source": sources[0],
            "sources": sources,
            "same_source": self.claim.same_source,
            "computation": _plain(self.claim.computation),
            "steps": list(self.found.steps),
            "recorded": document["outcome"],
            "note": document.get("note"),
            "file": self.claim.path.stem,
        }

    def _repr_html_(self) -> str:
        from perfcore.notebook import claim_html

        return claim_html(self)


def _tolerated(document: Mapping[str, Any]) -> str:
    if "tolerance" in document:
        return f" ± {float(document['tolerance']) * 100:.3g} %"
    return f" ± {spoken(document['tolerance_absolute'])}" if "tolerance_absolute" in document else ""


def _band_words(document: Mapping[str, Any], band: Band) -> str:
    if isinstance(document["value"], Mapping):
        return spoken(document["value"])
    said = f"of {spoken(Range(band.low, band.high))}"
    return f"{said}, the upper end not included" if band.high_open else said


def _plain(value: Any) -> Any:
    """Turn what a file or a computation holds into what JSON holds; an open end is null."""
    if isinstance(value, Range):
        low, high = (None if abs(end) == float("inf") else end for end in value)
        return value.low if value.is_point else {"low": low, "high": high}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


def judge(claim: Claim) -> Judged:
    """Recompute a claim.

    >>> judge(load("h20_3a090_b2")).outcome
    'fails'

    Raises
    ------
    PerfcoreError
        If its computation names something that is not there.
    """
    try:
        found = compute(claim.computation)
    except PerfcoreError as mistake:
        raise PerfcoreError(f"{claim.path}: claim {claim.id}: {line}" for line in mistake.lines) from None
    return Judged(claim, found, outcome_of(found, claim.document, claim.lines))


def to_frame(judged: Iterable[Judged]) -> "pd.DataFrame":
    """Return judged claims as a pandas DataFrame, one a row by id, with the source that said it first."""
    from perfcore.tidy import to_frame

    keys = ("id", "claim", "outcome", "mark", "difference", "says", "why")
    rows = []
    for one in judged:
        found, said = one.to_dict(), one.claim.said[0]
        source = {key: said.get(key) for key in ("id", "title", "locator")}
        computed = None if one.found.value is None else one.computed
        row = {key: found[key] for key in keys} | {"kind": one.claim.kind, "claimed": one.claimed, "computed": computed}
        rows.append({**row, "source": source})
    return to_frame(rows).set_index("id")


@cache
def shipped() -> Mapping[str, Claim]:
    """Return every claim perfcore ships, by id."""
    claims: dict[str, Claim] = {}
    for path in sorted((SPECS / "claims").glob("*.toml")):
        for claim in from_file(path):
            if claim.id in claims:
                other = claims[claim.id].path
                raise PerfcoreError(f"{path}: claim {claim.id} stands in {other.name} too; a claim stands once")
            claims[claim.id] = claim
    return claims


def ids() -> tuple[str, ...]:
    """Return the ids of the claims, in the order of the files."""
    return tuple(shipped())


def load(name: str, among: Mapping[str, Claim] | None = None) -> Claim:
    """Return a claim by its id, written with or without underscores; ``among`` those of a user's file.

    >>> load("h20-3a090-b2").document["chip"]
    'nvidia_h20_sxm_96gb'

    Raises
    ------
    PerfcoreError
        If there is no such claim.
    """
    known = shipped() if among is None else among
    by_name = {normal(claim_id): claim for claim_id, claim in known.items()}
    if normal(name) not in by_name:
        hint = suggestion(name, known) or "; perfcore claims lists them"
        raise PerfcoreError(f"there is no claim {name!r}{hint}")
    return by_name[normal(name)]


def from_file(path: Path) -> tuple[Claim, ...]:
    """Read a claims file, the catalogue's or a user's.

    Raises
    ------
    PerfcoreError
        With every problem of the file, by line.
    """
    document = read_toml(path)
    problems = file_problems(document)
    if problems:
        raise report(path, problems)
    said_by = document.get("said_by", {})
    entries = list(_entries(document))
    for place, entry in entries:
        problems += claim_problems(entry, place, said_by) or _name_problems(entry, place)
    problems = problems or _twice(entries) or _source_problems(said_by)
    if problems:
        raise report(path, problems)
    return tuple(_claim(entry, said_by, path) for _, entry in entries)


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each claim with its place in the file, the keys of its group filled in."""
    for number, group in enumerate(document.get("group", ()), 1):
        common = {key: value for key, value in group.items() if key != "claims"}
        for row, entry in enumerate(group.get("claims", ()), 1):
            yield f"group.{number}.claims.{row}", {**common, **entry}
    for number, entry in enumerate(document.get("claim", ()), 1):
        yield f"claim.{number}", dict(entry)


def _name_problems(entry: Mapping[str, Any], place: str) -> list[Problem]:
    if "claim" not in entry and not (
        "chip" in entry and entry["kind"] in ("quantity", "status", "heading", "paragraph")
    ):
        return [(place, "claim is missing; say in words what was said")]
    try:
        names_of({key: entry[key] for key in ("kind", *KINDS[entry["kind"]]) if key in entry})
    except PerfcoreError as mistake:
        return [(place, line) for line in mistake.lines]
    return []


def _twice(entries: list[tuple[str, dict[str, Any]]]) -> list[Problem]:
    seen: set[str] = set()
    found = []
    for place, entry in entries:
        if entry["id"] in seen:
            found.append((f"{place}.id", f"found {entry['id']!r} twice; a claim stands once"))
        seen.add(entry["id"])
    return found


def _source_problems(said_by: Mapping[str, Any]) -> list[Problem]:
    """A source is the id of a document in sources.toml, or a citation in words."""
    cited = {name: saying.get("source", name) for name, saying in said_by.items()}
    return [
        (f"said_by.{name}", f"source: found {source!r}, which is not in sources.toml; add it, or cite in words")
        for name, source in cited.items()
        if " " not in source and source not in evidence.sources()
    ]


def _claim(entry: Mapping[str, Any], said_by: Mapping[str, Any], path: Path) -> Claim:
    return Claim(entry["id"], entry, tuple(_saying(name, said_by[name]) for name in entry["said_by"]), path)


def _saying(name: str, saying: Mapping[str, str]) -> Mapping[str, str]:
    source = saying.get("source", name)
    document = evidence.sources().get(source, {"title": source, "address": "", "date": ""})
    own = {key: saying[key] for key in ("date", "locator", "mark", "note") if key in saying}
    return {"id": source, **document, "locator": "", **own}
