"""Write ``docs/claims.md``: what was said in public, and what came of recomputing it."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache

from validation_text import prose, table

from perfcore import claims
from perfcore.claim_schema import OUTCOMES
from perfcore.claims import Judged
from perfcore.reader import SPECS, read_toml

# Statements on single chips: many, alike, and listed in full only where they do not hold.
TABLES = ("chip_",)


@cache
def judged() -> tuple[Judged, ...]:
    """Return every claim, recomputed."""
    return tuple(claims.judge(claim) for claim in claims.shipped().values())


def page() -> str:
    """Return the page."""
    sections: tuple[Callable[[], list[str]], ...] = (_what, _counts, _reading, _failing, _open, _not_computed, _holding)
    return "\n".join(line for section in sections for line in section()) + "\n"


def _what() -> list[str]:
    text = f"""
        {len(judged())} statements made in public on chips, rules, clusters and supply, each recomputed from the numbers
        of the catalogue. Every outcome is a test: when a chip, a rule or a formula changes and an outcome with it, the
        test fails until the file says why.
    """
    written = "Written by `docs/generate.py` from `specs/claims/`; `perfcore claims ID` shows all of one."
    return ["# Public claims", "", written, "", prose(text), ""]


def _of(outcome: str) -> list[Judged]:
    return [one for one in judged() if one.outcome == outcome]


def _counts() -> list[str]:
    names = {path.stem: str(read_toml(path)["name"]) for path in sorted((SPECS / "claims").glob("*.toml"))}
    by_file = {stem: Counter(one.outcome for one in judged() if one.claim.path.stem == stem) for stem in names}
    rows = [[f"`{s}`", names[s], *(str(by_file[s][o]) for o in OUTCOMES)] for s in names]
    rows.append(["all", "", *(str(len(_of(outcome))) for outcome in OUTCOMES)])
    return [table(["file", "what is said", *OUTCOMES], rows), ""]


READING = """
- **holds**: all that is computed lies within the tolerance of what was claimed; each tolerance has its reason in the
file. A TPP, density or bandwidth that the law speaks of must lie on the same side of every line too.
- **fails**: nothing of it does. The reason is in the file.
- **undetermined**: inputs are known only as intervals and some of them would bear the claim out; or perfcore's own
number is from memory, which refutes nobody; or what it takes is not known; or nothing here computes it.
- The catalogue is made of published numbers. Of SAME claims the number compared rests on the same document as the
claim, and HOLDING of those hold: they show that arithmetic and law are the same, not that the number is right.
`same_source` in the JSON marks them.
- Predictions of training enter with their 80 % interval, but for ratios of two predictions whose errors are the same.
Intervals propagate by the corners of all inputs; what stands twice in a formula is taken at one value.
- Marks (`press`, `recalled` ...) say how sure it is that the claim was made so: specs/README.md.
"""


def _reading() -> list[str]:
    same = [one for one in judged() if one.claim.same_source]
    holding = sum(one.outcome == "holds" for one in same)
    text = READING.replace("SAME", str(len(same))).replace("HOLDING", str(holding))
    points = [prose("- " + point) for point in text.strip().removeprefix("- ").split("\n- ")]
    return ["## How to read it", "", *points, ""]


def _row(one: Judged) -> list[str]:
    saying = one.claim.said[0]
    more = len(one.claim.said) - 1
    source = f"{saying['title']} [{saying['mark']}]" + (f" and {more} more" if more else "")
    return [f"`{one.claim.id}`", one.claim.words, one.claimed, one.computed, _why(one), source]


def _why(one: Judged) -> str:
    return str(one.claim.document.get("why") or one.claim.document.get("note") or "")


HEAD = ["id", "claim", "claimed", "computed", "why", "source"]


def _listed(found: Iterable[Judged]) -> list[str]:
    return [table(HEAD, [_row(one) for one in found]), ""]


def _failing() -> list[str]:
    return ["## Claims that fail", "", *_listed(_of("fails"))]


def _open() -> list[str]:
    found = [one for one in _of("undetermined") if one.claim.kind != "not_computed"]
    return ["## Claims that inputs leave open", "", *_listed(found)]


def _not_computed() -> list[str]:
    found = [one for one in judged() if one.claim.kind == "not_computed"]
    rows = [[*_row(one)[:2], str(one.claim.document["needs"]), *_row(one)[4:]] for one in found]
    return ["## Claims that cannot be recomputed", "", table(["id", "claim", "needs", "why", "source"], rows), ""]


def _holding() -> list[str]:
    found = _of("holds")
    listed = [one for one in found if not one.claim.path.stem.startswith(TABLES)]
    rest = Counter(one.claim.path.stem for one in found if one.claim.path.stem.startswith(TABLES))
    said = ", ".join(f"{count} of `{stem}`" for stem, count in rest.items())
    head = [*HEAD[:4], "note", HEAD[5]]
    return [
        "## Claims that hold",
        "",
        prose(f"Without {said}: `perfcore claims --outcome holds` lists those too."),
        "",
        table(head, [_row(one) for one in listed]),
    ]
