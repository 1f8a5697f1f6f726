"""``perfcore check``."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click

from perfcore.chips import Item, load
from perfcore.cli.check_text import legend, timeline_lines, verdict_lines
from perfcore.cli.common import complete_chip, print_json
from perfcore.errors import PerfcoreError
from perfcore.fact_pairs import read_facts
from perfcore.reader import parse_date
from perfcore.rules import effective_dates, shipped, with_own
from perfcore.schema import COUNTRY
from perfcore.verdict import NOTICE, Verdict, verdicts, with_facts

EPILOG = """\b
Examples:
  perfcore check h20 a800 --on 2024-01-01
  perfcore check my_design.toml --on 2026-02-01 --fail-on controlled
  perfcore check h200 --on 2026-02-01 --to cn --from us
  perfcore check h20 --on 2025-05-01 --to cn --fact addressee=nvidia
  perfcore check hbm3 h800

\b
Exit codes: 0 done, 1 --fail-on met, 2 a mistake in what was given.
Without --on each chip is shown under every version of the rules, and
--fail-on looks at the newest.
"""


@click.command("check", epilog=EPILOG)
@click.argument("chips", metavar="CHIP_OR_FILE...", nargs=-1, required=True, shell_complete=complete_chip)
@click.option("--on", "on", metavar="DATE", help="The day, YYYY-MM-DD. Without it: every version of the rules.")
@click.option(
    "--rules",
    "own",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A rule file of your own (a bill, a proposal), checked beside the shipped ones. Repeatable.",
)
@click.option(
    "--fact",
    "facts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A fact the rules read, such as destination=cn; numbers may be LOW..HIGH. Repeatable.",
)
@click.option("--to", metavar="COUNTRY", help="Destination, two letters: short for --fact destination=COUNTRY.")
@click.option(
    "--from", "origin", metavar="COUNTRY", help="Origin: short for --fact exported_from_us=true (us) or false."
)
@click.option(
    "--fail-on",
    type=click.Choice(["controlled", "undetermined"]),
    help="Exit with 1 if an answer is controlled, or controlled or undetermined.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    chips: tuple[str, ...],
    on: str | None,
    own: tuple[Path, ...],
    facts: tuple[str, ...],
    to: str | None,
    origin: str | None,
    fail_on: str | None,
    as_json: bool,
) -> None:
    """Say whether chips, memory parts or designs cross a threshold of ECCN 3A090, and by how much."""
    day = parse_date(on, "--on") if on is not None else None
    rules = with_own(own) if own else shipped()
    items = list(_items(chips, _together(_trade(to, origin), read_facts(facts))))
    days = [day] if day else None
    answers = [list(verdicts(item, days or effective_dates(rules, item.kind), rules)) for item in items]
    if as_json:
        print_json({"results": [v.to_dict() for several in answers for v in several], "notice": NOTICE})
    else:
        _print(answers, day, chips)
    if fail_on and any(_fails(several[-1], fail_on) for several in answers):
        sys.exit(1)


def _trade(to: str | None, origin: str | None) -> dict[str, object]:
    """Read the shorthand for destination and origin."""
    facts: dict[str, object] = {} if to is None else {"destination": to}
    if origin is not None:
        if not COUNTRY.fullmatch(origin):
            raise PerfcoreError(f"--from: found {origin!r}; allowed: a country in two letters, such as us")
        facts["exported_from_us"] = origin.lower() == "us"
    return facts


def _together(short: dict[str, object], facts: dict[str, object]) -> dict[str, object]:
    """Join the shorthand and the facts; the same fact twice is an error unless both say the same."""
    for name in short.keys() & facts.keys():
        if str(short[name]).lower() != str(facts[name]).lower():
            raise PerfcoreError(f"--fact: {name} is {facts[name]}, but --to and --from say {short[name]}; give one")
    return short | facts


def _items(names: tuple[str, ...], facts: dict[str, object]) -> Iterator[Item]:
    """Load every item, and name all the mistakes in all of them at once."""
    lines: list[str] = []
    items = []
    for name in names:
        try:
            items.append(with_facts(load(name), facts))
        except PerfcoreError as mistake:
            lines += [line for line in mistake.lines if line not in lines]
    if lines:
        raise PerfcoreError(lines)
    yield from items


def _fails(answer: Verdict, fail_on: str) -> bool:
    return answer.status in ("controlled", fail_on)


def _print(answers: list[list[Verdict]], day: date | None, asked: tuple[str, ...]) -> None:
    for several, name in zip(answers, asked, strict=True):
        click.echo("\n".join(verdict_lines(several[0], name) if day else timeline_lines(several, name)))
        click.echo()
    click.echo(legend(answers))
    click.echo(NOTICE)
