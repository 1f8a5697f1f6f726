"""HBM against the law: density of one part, and how many stacks the DRAM bandwidth limits leave a package."""

import math
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from perfcore import chips
from perfcore.answers import json_of
from perfcore.errors import PerfcoreError
from perfcore.findings import findings_of
from perfcore.outcome import classify
from perfcore.quantity import Interval, plain
from perfcore.reader import as_date
from perfcore.readings import metrics_of
from perfcore.rules import THE_RULE, load, shipped

DENSITY = "hbm_bandwidth_density_gb_s_mm2"
DRAM = "dram_bandwidth_gb_s"


@dataclass(frozen=True)
class Limit:
    """One limit on DRAM bandwidth, and the most stacks of the part that stay below it."""

    rule: str
    paragraph: str
    dram_bandwidth_gb_s: float
    most_stacks_below: int


@dataclass(frozen=True)
class Stacks:
    """A memory part: its status as such, licence exceptions for it, and the limits on what a package may carry.

    Memory in a package whose dominant function is processing is not classified by itself. A limit may be one of several
    conditions of its paragraph.
    """

    part: str
    on: date
    hbm_bandwidth_density_gb_s_mm2: Any
    status: str
    paragraphs: tuple[str, ...]
    exceptions: tuple[str, ...]
    limits: tuple[Limit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        found: dict[str, Any] = json_of(self)
        return found

    def _repr_html_(self) -> str:
        from perfcore.html_answer import NOT_ADVICE, answer_html

        return answer_html(f"Memory part {self.part}", self.to_dict(), NOT_ADVICE)


def stacks_allowed(part: str, on: date | str) -> Stacks:
    """Return what the rules of a day say of a memory part, alone and by the package.

    Raises
    ------
    PerfcoreError
        If there is no such part or date.

    Examples
    --------
    >>> answer = stacks_allowed("skhynix_hbm3_8hi", "2026-02-01")
    >>> answer.paragraphs, {l.rule: l.most_stacks_below for l in answer.limits}["us_review_policy_china"]
    (('3A090.c',), 7)
    """
    item, day = chips.load(part), as_date(on, "on")
    if item.kind != "memory":
        raise PerfcoreError(f"{item.id}: found a {item.kind} file; give a memory part")
    values = metrics_of(item)
    version = load(THE_RULE).in_force(day)
    now = classify(version, values)
    findings = findings_of(shipped(), "memory", day, version, values, {})
    excepted = [
        f"{f.paragraph}: {f.outcome}" for f in findings if f.layer == "licence_exception" and f.met is not False
    ]
    return Stacks(
        part=item.id,
        on=day,
        hbm_bandwidth_density_gb_s_mm2=plain(values[DENSITY]),
        status=now.status,
        paragraphs=now.certain,
        exceptions=tuple(excepted),
        limits=tuple(_limits(values[DRAM], day)),
    )


def _limits(each: Any, on: date) -> list[Limit]:
    """Return every limit on the DRAM bandwidth of a package, of rules in force and proposed, once each."""
    found: dict[tuple[str, Fraction], Limit] = {}
    if not isinstance(each, Interval) or each.high is None:
        return []
    for rule in shipped():
        version = rule.in_force(on)
        for paragraph in version.paragraphs if version else ():
            for bound in paragraph.bounds:
                if bound.metric == DRAM and isinstance(bound.threshold, Fraction):
                    most = math.ceil(bound.threshold / each.high) - 1
                    limit = Limit(rule.id, paragraph.id, float(bound.threshold), most)
                    found.setdefault((rule.id, bound.threshold), limit)
    return list(found.values())
