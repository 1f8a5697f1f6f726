"""What others published on TPP, performance density and control status, each claim beside perfcore's answer.

A row of ``published/classification.csv`` agrees, or says why it does not. The thresholds here are typed from the
text of 3A090 and of the review policy of January 2026.
"""

import csv
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any

import pytest

import perfcore
from perfcore.outcome import is_under

Claim = dict[str, str]

with (Path(__file__).parent / "published" / "classification.csv").open(encoding="utf-8", newline="") as file:
    CLAIMS: list[Claim] = list(csv.DictReader(file))

THRESHOLDS = {"tpp": (1600, 2400, 4800, 21000), "performance_density": (1.6, 3.2, 5.92)}
TOLERANCE = {"tpp": 0.01, "performance_density": 0.02}


def is_near(metric: str, claimed: float, known: Any) -> bool:
    """Whether a claimed number is within tolerance of a known number or interval, on the same side of every line."""
    if known is None:
        return False
    low, high = (known["low"], known["high"]) if isinstance(known, dict) else (known, known)
    nearest = min(max(claimed, low or 0.0), inf if high is None else high)
    crossed = any((claimed >= line) != (nearest >= line) for line in THRESHOLDS[metric])
    return abs(claimed - nearest) <= TOLERANCE[metric] * nearest and not crossed


def is_met(claimed: str, paragraphs: tuple[str, ...]) -> bool:
    """Whether a claimed paragraph, or one under a claimed heading, is among those met; .a governs .b."""
    governing = [met for met in paragraphs if met.startswith("3A090.a")] or paragraphs
    return any(is_under(met, claimed) for met in governing)


def differing(claim: Claim) -> list[str]:
    """Return the columns of a claim that perfcore answers otherwise."""
    answer = perfcore.check(claim["chip"], on=claim["rule_date"])
    metrics = [name for name in THRESHOLDS if claim[name]]
    found = [name for name in metrics if not is_near(name, float(claim[name]), answer.metrics[name])]
    if claim["status"] not in ("", answer.status):
        found.append("status")
    if claim["paragraphs"] and not is_met(claim["paragraphs"], answer.paragraphs):
        found.append("paragraphs")
    return found


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim["claim"] for claim in CLAIMS])
def test_a_claim_agrees_or_says_why_not(claim: Claim) -> None:
    """Where it agrees nothing differs; where it does not something does, and a reason is given."""
    if claim["agrees"] == "yes":
        assert not differing(claim)
    else:
        assert claim["agrees"] == "no"
        assert differing(claim), f"agrees by now; stale reason: {claim['reason']}"
        assert claim["reason"]


def test_a_claim_stands_once() -> None:
    """No claim id is given twice."""
    assert not [name for name, times in Counter(claim["claim"] for claim in CLAIMS).items() if times > 1]


def test_a_claim_says_something_of_a_chip_and_names_its_source() -> None:
    """Each has a chip id, a source, and a number, status or paragraph to compare."""
    for claim in CLAIMS:
        assert claim["chip"] in perfcore.chips.ids(), claim["claim"]
        assert claim["source"], claim["claim"]
        assert any(claim[name] for name in (*THRESHOLDS, "status", "paragraphs")), claim["claim"]


@pytest.mark.parametrize(
    ("metric", "claimed", "known", "near"),
    [
        ("tpp", 15840, 15831.2, True),
        ("tpp", 4804, 4796, False),  # 0.2 % apart, on either side of 4,800
        ("tpp", 4800, 4800, True),
        ("tpp", 5008, {"low": 4493, "high": 5520}, True),
        ("performance_density", 3.26, 3.2, True),
        ("performance_density", 3.26, {"low": 1.5, "high": 3.19}, False),
        ("performance_density", 39.6, None, False),
    ],
)
def test_near_is_within_tolerance_and_never_across_a_threshold(
    metric: str, claimed: float, known: Any, near: bool
) -> None:
    """The comparison itself, on numbers one can check in the head."""
    assert is_near(metric, claimed, known) is near
