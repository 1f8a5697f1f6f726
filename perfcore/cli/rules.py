"""``perfcore rules``."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcore.aloud import COMPARED, more_of, read_aloud, threshold_of
from perfcore.cli.common import complete_rule, print_json, styled
from perfcore.display import number, percent, text_table
from perfcore.errors import PerfcoreError
from perfcore.reader import parse_date
from perfcore.rules import Bound, Paragraph, Rule, Version, from_file, load, shipped
from perfcore.terms import FACTS
from perfcore.verdict import NOTICE

if TYPE_CHECKING:
    from perfcore.proposals import Comparison

EPILOG = """\b
Examples:
  perfcore rules
  perfcore rules us_eccn_3a090
  perfcore rules my_bill.toml --catalogue --on 2026-02-01
"""


@click.command("rules", epilog=EPILOG)
@click.argument("name", metavar="[ID_OR_FILE]", required=False, shell_complete=complete_rule)
@click.option(
    "--catalogue", is_flag=True, help="Hold the rule against every chip: what it catches that 3A090 does not."
)
@click.option("--on", metavar="DATE", help="With --catalogue: the day, YYYY-MM-DD. Without it: today.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: str | None, catalogue: bool, on: str | None, as_json: bool) -> None:
    """List the rules perfcore carries, read one with all its versions, or hold one against the catalogue."""
    if catalogue:
        if not name:
            raise PerfcoreError("--catalogue: found no rule; give the id of a rule or a file")
        _compare(_rule(name), parse_date(on, "--on") if on else date.today(), as_json)
        return
    shown = [_rule(name)] if name else list(shipped())
    if as_json:
        print_json({"rules": [as_document(rule) for rule in shown], "notice": NOTICE})
    elif name:
        click.echo("\n".join(lines_of(shown[0])))
    else:
        head = ("id", "layer", "status of the newest version", "its citation", "certainty", "versions")
        click.echo(text_table(head, [_row(rule) for rule in shown]))
    if not as_json:
        click.echo(f"\n{NOTICE}")


def _rule(name: str) -> Rule:
    """Load a rule by its id, or a user's own file."""
    return from_file(Path(name)) if name.lower().endswith(".toml") or "/" in name else load(name)


def _compare(rule: Rule, on: date, as_json: bool) -> None:
    from perfcore.proposals import against_catalogue

    found = against_catalogue(rule, on)
    if as_json:
        print_json({**found.to_dict(), "notice": NOTICE})
        return
    click.echo("\n".join(comparison_lines(found, rule.name)))
    click.echo(f"\n{NOTICE}")


def comparison_lines(found: "Comparison", name: str) -> list[str]:
    """Return what a rule catches that ECCN 3A090 does not, in lines."""
    said = {
        "newly_caught": "caught by it, not controlled under 3A090",
        "released": "controlled under 3A090, not caught by it",
        "both": "both",
        "neither": "neither",
        "open": "open: an input is unknown",
    }
    lines = [f"{name} beside ECCN 3A090 on {found.on}"]
    for group, meaning in said.items():
        ids = getattr(found, group)
        lines.append(f"  {meaning}: {len(ids)}")
        lines += [f"    {chip}" for chip in ids if group in ("newly_caught", "released", "open")]
    if not found.newly_caught and not found.both and not found.open:
        lines.append("  no chip of the catalogue meets it")
    head = ("line", "nearest below", "", "nearest at or above", "")
    rows = [(_line(n.metric, n.test, n.threshold), *_near(n.below), *_near(n.above)) for n in found.nearest]
    return [*lines, text_table(head, rows, right=[2, 4], indent="  ")]


def _line(metric: str, test: str, threshold: float) -> str:
    return f"{FACTS[metric].label} {COMPARED[test].format(number(threshold))}"


def _near(pair: tuple[str, float] | None) -> tuple[str, str]:
    return (pair[0], percent(pair[1])) if pair else ("none", "")


def _row(rule: Rule) -> tuple[str, ...]:
    newest = rule.versions[-1]
    source = newest.source
    return (rule.id, rule.layer, newest.status, source["title"], source.get("certainty", "not stated"), _dates(rule))


def _dates(rule: Rule) -> str:
    return ", ".join("undated" if v.effective == date.min else str(v.effective) for v in rule.versions)


def as_document(rule: Rule) -> dict[str, Any]:
    """Return the JSON of a rule."""
    versions = [
        {
            "effective": _iso(None if version.effective == date.min else version.effective),
            "until": _iso(version.until),
            "published": _iso(version.published),
            "compliance": _iso(version.compliance),
            "status": version.status,
            "summary": version.summary,
            "source": dict(version.source),
            "paragraphs": [_paragraph(paragraph) for paragraph in version.paragraphs],
        }
        for version in rule.versions
    ]
    return {
        "id": rule.id,
        "name": rule.name,
        "layer": rule.layer,
        "subject": list(rule.subject),
        "authority": rule.authority,
        "note": rule.note,
        "versions": versions,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _paragraph(paragraph: Paragraph) -> dict[str, Any]:
    tests = [[_test(b) for b in bounds] for bounds in paragraph.alternatives]
    return {
        "id": paragraph.id,
        "layer": paragraph.layer,
        "any_of_all_of": tests,
        "open_if": [_test(b) for b in paragraph.open_if],
        "open_because": paragraph.open_because,
        "text": paragraph.text,
        "excludes": list(paragraph.excludes),
        "licence": paragraph.licence,
        "outcome": paragraph.outcome,
        "otherwise": paragraph.otherwise,
        "conditions": list(paragraph.conditions),
        "says": read_aloud(paragraph),
    }


def _test(bound: Bound) -> dict[str, Any]:
    return {"metric": bound.metric, "test": bound.test, "threshold": threshold_of(bound)}


def lines_of(rule: Rule) -> list[str]:
    """Return an entry of the catalogue in lines."""
    lines = [styled(rule.name, bold=True), f"{rule.authority or 'no authority named'} ({rule.layer.replace('_', ' ')})"]
    lines += [rule.note] if rule.note else []
    for place, version in enumerate(rule.versions):
        following = rule.versions[place + 1].effective if place + 1 < len(rule.versions) else None
        lines += ["", *_version_lines(version, following)]
    return lines


def _version_lines(version: Version, following: date | None) -> list[str]:
    start = "proposed" if version.effective == date.min else f"from {version.effective}"
    last = f" until the day before {following}" if following else ""
    last = f" until {version.until}" if version.until else last
    source = version.source
    lines = [styled(f"{start}{last}: {version.summary}", bold=True)]
    where = f", {source['locator']}" if "locator" in source else ""
    cited = f"  {source['title']}{where} [{source.get('certainty', 'certainty not stated')}]"
    if version.published:
        cited += f"; published {version.published}"
    if version.compliance:
        cited += f"; compliance {version.compliance}"
    cited += f"; {version.status}"
    lines.append(cited)
    for paragraph in version.paragraphs:
        lines.append(f"  {paragraph.id}: {read_aloud(paragraph)}")
        lines += [f"      {more}" for more in more_of(paragraph)]
    return lines
