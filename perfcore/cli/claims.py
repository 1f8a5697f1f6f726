"""``perfcore claims``."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from perfcore import claims as public
from perfcore.claim_schema import OUTCOMES
from perfcore.claims import Judged
from perfcore.cli.common import print_json, styled
from perfcore.display import percent, text_table

EPILOG = """\b
Examples:
  perfcore claims
  perfcore claims h800_nvlink_300
  perfcore claims --outcome undetermined --json
  perfcore claims --file my_claims.toml --fail-on fails
"""
STYLES: dict[str, dict[str, Any]] = {
    "holds": {"fg": "green"},
    "fails": {"fg": "red"},
    "undetermined": {"fg": "magenta"},
}
WIDTH = 76
NOTICE = (
    "Holds and fails speak of the numbers perfcore has: see what each rests on. An outcome is no judgement of the "
    "source."
)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in public.ids() if name.startswith(incomplete.lower())]


@click.command("claims", epilog=EPILOG)
@click.argument("names", metavar="[ID]...", nargs=-1, shell_complete=_complete)
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only the claims with this outcome.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A claims file of your own in place of ours.")
@click.option("--fail-on", type=click.Choice(["fails", "undetermined"]), help="Exit with 1 where a claim does so.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(names: tuple[str, ...], outcome: str | None, path: Path | None, fail_on: str | None, as_json: bool) -> None:
    """Recompute what has been said in public: which claims hold, which fail, which cannot be decided.

    One ID shows all of a claim: who said it, the computation spelled out, what would make it hold. --fail-on
    undetermined fails on claims that fail too.
    """
    found = [one for one in map(public.judge, _asked(names, path)) if outcome in (None, one.outcome)]
    if as_json:
        print_json({"claims": [one.to_dict() for one in found], "counts": _counts(found), "notice": NOTICE})
    elif len(names) == 1 and found:
        click.echo("\n".join(lines_of(found[0])))
    else:
        click.echo("\n".join(_table(found)))
    failing = {"fails": ("fails",), "undetermined": ("fails", "undetermined")}.get(fail_on or "", ())
    if any(one.outcome in failing for one in found):
        sys.exit(1)


def _asked(names: tuple[str, ...], path: Path | None) -> list[public.Claim]:
    if path is None:
        return [public.load(name) for name in dict.fromkeys(names)] if names else list(public.shipped().values())
    own = {claim.id: claim for claim in public.from_file(path)}
    return [public.load(name, own) for name in dict.fromkeys(names)] if names else list(own.values())


def _counts(found: list[Judged]) -> dict[str, int]:
    counted = Counter(one.outcome for one in found)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def _table(found: list[Judged]) -> list[str]:
    rows = [
        (one.outcome, one.claim.id, one.claimed, one.computed, _cut(one.claim.words), one.claim.said[0]["id"])
        for one in found
    ]
    table = text_table(("outcome", "id", "claimed", "computed", "claim", "source"), rows).splitlines()
    lines = [_coloured(line, one.outcome) for line, one in zip(table[1:], found, strict=True)]
    counts = ", ".join(f"{number} {outcome}" for outcome, number in _counts(found).items())
    return [table[0], *lines, "", f"{len(found)} claims: {counts}. perfcore claims ID shows all of one.", NOTICE]


def _coloured(line: str, outcome: str) -> str:
    return styled(line[: len(outcome)], **STYLES[outcome]) + line[len(outcome) :]


def _cut(words: str) -> str:
    return words if len(words) <= WIDTH else words[: WIDTH - 3].rstrip() + "..."


def lines_of(one: Judged) -> list[str]:
    """Return all of a claim in lines."""
    document = one.to_dict()
    lines = [
        styled(document["claim"], bold=True),
        f"  {styled(one.outcome, **STYLES[one.outcome])}: {document['says']}",
    ]
    lines += [f"  {label}: {document[key]}" for label, key in (("why", "why"), ("note", "note")) if document[key]]
    if document["difference"] is not None:
        lines.append(f"  claimed over computed: {percent(document['difference'])}")
    if document["because"]:
        lines.append(f"  tolerance: {document['because']}")
    if document["recorded"] != one.outcome:
        lines.append(f"  the file has it as {document['recorded']}: something it rests on has changed")
    lines += ["", "computation", *(f"  {step}" for step in document["steps"] or ["none"])]
    if document["would_hold"]:
        lines += ["", "would hold with one of" if one.outcome == "fails" else "would settle it"]
        lines += [f"  {change}" for change in document["would_hold"]]
    return [*lines, "", "said by", *source_lines(document)]


def source_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield who said it, where and when."""
    for source in document["sources"]:
        where = f", {source['locator']}" if source["locator"] else ""
        yield f"  {source['title']}{where} [{source['mark']}] ({source['date']})"
        yield f"    {source['address']}"
        if "note" in source:
            yield f"    {source['note']}"
    if document["same_source"]:
        yield "  the number of the catalogue rests on the same document, so that the two are not independent"
