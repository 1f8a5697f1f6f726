"""Chip and date in, findings out: the answer, its margins, what would flip it, and what it rests on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

from perfcore import changes, evidence
from perfcore.chips import Item, load
from perfcore.errors import PerfcoreError, suggestion
from perfcore.findings import Seen, beside, findings_of
from perfcore.given import read_exactly
from perfcore.outcome import Outcome, classify, of_rules
from perfcore.quantity import Interval, plain
from perfcore.reader import as_date
from perfcore.readings import READINGS, Reading, Values, metrics_of, read_as
from perfcore.regions import DENSITY, density, is_impossible
from perfcore.result import NOTICE, Timeline, Verdict
from perfcore.rules import THE_RULE, Rule, Version, effective_dates, shipped, with_own
from perfcore.schema import PROCESS_FACTS, SETTABLE_FACTS, SYSTEM_FACTS, check_value

__all__ = [
    "METRICS",
    "NOTICE",
    "OTHER_METRICS",
    "Timeline",
    "Verdict",
    "check",
    "read_otherwise",
    "verdict",
    "verdicts",
    "with_facts",
]

METRICS = (
    "tpp",
    "performance_density",
    "applicable_die_area_mm2",
    "io_bandwidth_gb_s",
    "dram_bandwidth_gb_s",
)
OF_KIND = {"system": SYSTEM_FACTS, "process": PROCESS_FACTS}
OTHER_METRICS = ("bits_x_tops_2022", "transistors_billion", "hbm_bandwidth_density_gb_s_mm2")


@overload
def check(
    chip: str | Path | Item,
    on: date | str,
    rules: str | Path | Iterable[str | Path] = (),
    facts: Mapping[str, Any] | None = None,
) -> Verdict: ...
@overload
def check(
    chip: str | Path | Item,
    on: None = None,
    rules: str | Path | Iterable[str | Path] = (),
    facts: Mapping[str, Any] | None = None,
) -> Timeline: ...
def check(
    chip: str | Path | Item,
    on: date | str | None = None,
    rules: str | Path | Iterable[str | Path] = (),
    facts: Mapping[str, Any] | None = None,
) -> Verdict | Timeline:
    """Check a chip, memory part or design against the rules of a day, or of every version.

    Parameters
    ----------
    chip
        A name of the catalogue, a path to a TOML file, or an ``Item``.
    on
        The day, as YYYY-MM-DD, a date, or a Timestamp or datetime64 at midnight; without it, every day on which a
        rule version takes effect.
    rules
        Paths of the user's own rule files.
    facts
        Facts a rule reads that the file does not carry, or that replace what it says.

    Returns
    -------
    Verdict or Timeline
        A verdict for a day, a timeline without one.

    Raises
    ------
    PerfcoreError
        If a name, file, date or fact is wrong.

    Examples
    --------
    >>> check("a800", on="2023-11-16").status, check("a800", on="2023-11-17").paragraphs
    ('not_controlled', ('3A090.a.1', '3A090.a.2'))
    """
    item = with_facts(chip if isinstance(chip, Item) else load(chip), facts or {})
    paths = [rules] if isinstance(rules, str | Path) else list(rules)
    in_play = with_own(tuple(Path(path) for path in paths)) if paths else shipped()
    if on is None:
        return Timeline(verdicts(item, effective_dates(in_play, item.kind), in_play))
    return verdict(item, as_date(on, "on"), in_play)


def with_facts(item: Item, facts: Mapping[str, Any]) -> Item:
    """Return an item with some facts given beside its file.

    Raises
    ------
    PerfcoreError
        If a fact is unknown, computed, or not of its kind; or if the item is a part of a package.
    """
    if item.kind == "part":
        whole = item.document["part_of"]
        raise PerfcoreError(f"{item.id} is a part of a package, and export rules speak of whole ones; check {whole}")
    if not isinstance(facts, Mapping):
        allowed = 'names and values, such as {"destination": "cn"}'
        raise PerfcoreError(f"facts: found a {type(facts).__name__}; allowed: {allowed}")
    lines = []
    exact = {name: read_exactly(value) for name, value in facts.items()}
    for name, value in exact.items():
        if name not in SETTABLE_FACTS:
            hint = suggestion(name, SETTABLE_FACTS) or f"; the facts are: {', '.join(SETTABLE_FACTS)}"
            lines.append(f"fact {name}: not a fact that can be given{hint}")
        else:
            lines += [f"fact {where}: {wrong}" for where, wrong in check_value(name, name, value)]
    if lines:
        raise PerfcoreError(lines)
    changed = replace(item, facts={**item.facts, **exact}) if exact else item
    if DENSITY in facts and is_impossible(metrics_of(changed)):
        wrong = "disagrees with tpp over applicable_die_area_mm2; give two of the three"
        raise PerfcoreError(f"fact performance_density: {wrong}")
    return changed


def verdict(item: Item, on: date, rules: tuple[Rule, ...]) -> Verdict:
    """Decide one item on one day."""
    return verdicts(item, (on,), rules)[0]


def verdicts(item: Item, days: Iterable[date], rules: tuple[Rule, ...]) -> tuple[Verdict, ...]:
    """Decide one item on several days; what does not change from day to day is decided once."""
    values = metrics_of(item)
    same: dict[str, Any] = {
        "chip": item.id,
        "name": item.name,
        "metrics": _metrics(item, values),
        "facts": {"datacenter": plain(values["datacenter"])},
        "rests_on": _rests_on(item),
    }
    by_version: dict[date | None, dict[str, Any]] = {}
    seen: Seen = {}
    answers = []
    for on in days:
        version = of_rules(rules, THE_RULE).in_force(on)
        since = version.effective if version else None
        if since not in by_version:
            by_version[since] = _classified(item, version, values)
        findings = tuple(findings_of(rules, item.kind, on, version, values, seen))
        answers.append(Verdict(**same, **by_version[since], on=on, findings=findings, also=tuple(beside(findings))))
    return tuple(answers)


def _classified(item: Item, version: Version | None, values: Values) -> dict[str, Any]:
    """Return what one version of ECCN 3A090 says of an item."""
    now = classify(version, values)
    readings = tuple(_readings(item, version, values, now))
    flags = ({k: v for k, v in r.items() if k != "changes_status"} for r in readings if r["changes_status"])
    return {
        "status": now.status,
        "paragraphs": now.certain,
        "possible_paragraphs": now.possible,
        "rule_version": _version(version),
        "flags": tuple(flags),
        "readings": readings,
        "settle": tuple(_settle(version, values, now)),
        "flips": tuple(_flip(flip) for flip in changes.flips(version, values, now)),
    }


def _metrics(item: Item, values: Values) -> dict[str, Any]:
    if item.kind in OF_KIND:
        return {name: plain(values[name]) for name in OF_KIND[item.kind]}
    known = {**values, DENSITY: density(values)}
    shown = {name: plain(known[name]) for name in METRICS}
    return shown | {name: plain(known[name]) for name in OTHER_METRICS if plain(known[name]) is not None}


def _version(version: Version | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "rule": THE_RULE,
        "effective": version.effective.isoformat(),
        "published": version.published.isoformat() if version.published else None,
        "compliance": version.compliance.isoformat() if version.compliance else None,
        "summary": version.summary,
        "source": dict(version.source),
    }


def read_otherwise(item: Item, version: Version | None, values: Values) -> Iterator[tuple[Reading, Values, Outcome]]:
    """Yield each contested reading that says something of an item, its values, and the answer it would give."""
    for reading in READINGS:
        other = read_as(reading, item, values)
        if other is not None and version is not None:
            yield reading, other, classify(version, other)


def _readings(item: Item, version: Version | None, values: Values, now: Outcome) -> list[dict[str, Any]]:
    found = []
    for reading, other, then in read_otherwise(item, version, values):
        found.append(
            {
                "reading": reading.id,
                "status": then.status,
                "paragraphs": list(then.certain),
                "says": reading.says,
                "metrics": _changed(values, other),
                "changes_status": then.status != now.status,
            }
        )
    return found


def _changed(values: Values, other: Values) -> dict[str, Any]:
    names = [name for name in (*METRICS, "bits_x_tops_2022") if name != DENSITY and values[name] != other[name]]
    changed = {name: plain(other[name]) for name in names}
    return changed | ({DENSITY: plain(density(other))} if density(other) != density(values) else {})


def _settle(version: Version | None, values: Values, now: Outcome) -> list[dict[str, Any]]:
    found = []
    for settled in changes.settling(version, values, now):
        found.append(
            {
                "input": settled.input,
                "known": plain(settled.known),
                "decides": [_stretch(part, then) for part, then in settled.stretches],
            }
        )
    area = values["applicable_die_area_mm2"]
    if found and isinstance(area, Interval) and area.high == 0:
        why = "no die is non-planar, so performance density is undefined; no text of BIS settles it"
        found.append({"input": DENSITY, "known": None, "decides": [], "why": why})
    return found


def _stretch(part: Any, then: Outcome) -> dict[str, Any]:
    answer = {"status": then.status, "paragraphs": list(then.certain)}
    if not isinstance(part, Interval):
        return {"value": part, **answer}
    ends: dict[str, float] = {}
    if part.low > 0:
        ends["more_than" if part.low_open else "at_least"] = float(part.low)
    if part.high is not None:
        ends["below" if part.high_open else "at_most"] = float(part.high)
    return {**ends, **answer}


def _flip(flip: changes.Flip) -> dict[str, Any]:
    def number(value: Any) -> Any:
        return float(value) if isinstance(value, Fraction) else value

    return {
        "input": flip.input,
        "from": number(flip.present),
        "to": number(flip.to),
        "test": flip.test,
        "inclusive": flip.inclusive,
        "change": flip.change,
        "status": flip.outcome.status,
        "paragraphs": list(flip.outcome.certain),
    }


def _rests_on(item: Item) -> dict[str, dict[str, str]]:
    found = {}
    stated = {name for name in item.facts if name != "datacenter" or item.facts[name] != item.document.get(name)}
    for metric in (*METRICS, *OTHER_METRICS, "datacenter"):
        support = evidence.support(item, metric)
        if metric in stated:
            found[metric] = {"mark": "given", "source": "fact", "locator": "", "note": ""}
        elif support is not None:
            found[metric] = support._asdict()
    if DENSITY not in stated and {"tpp", "applicable_die_area_mm2"} <= stated:
        found.pop(DENSITY, None)
    return found
