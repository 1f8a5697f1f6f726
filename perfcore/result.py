"""The answer and its JSON: what ``check`` returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NOTICE = (
    "Analysis, not legal advice. 'Not controlled' speaks of ECCN 3A090 alone: other entries, end uses, parties, "
    "letters and foreign law may still require a licence."
)


@dataclass(frozen=True)
class Test:
    """One comparison of a paragraph with what is known of the item."""

    metric: str
    test: str
    threshold: Any
    value: Any
    met: bool | None
    margin: Any


@dataclass(frozen=True)
class Finding:
    """What one paragraph of one rule says."""

    layer: str
    rule: str
    version: str
    paragraph: str
    met: bool | None
    tests: tuple[Test, ...]
    source: Mapping[str, str]
    outcome: str = ""
    open_because: str = ""
    status: str = "in force"
    conditions: tuple[str, ...] = ()
    compliance: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a finding."""
        return {
            **vars(self),
            "tests": [vars(test) for test in self.tests],
            "source": dict(self.source),
            "conditions": list(self.conditions),
        }


@dataclass(frozen=True)
class Verdict:
    """The answer for one item on one day; ``to_dict()`` is the JSON of ``perfcore check``."""

    chip: str
    name: str
    on: date
    metrics: Mapping[str, Any]
    facts: Mapping[str, Any]
    status: str
    paragraphs: tuple[str, ...]
    possible_paragraphs: tuple[str, ...]
    rule_version: Mapping[str, Any] | None
    findings: tuple[Finding, ...]
    also: tuple[Mapping[str, Any], ...]
    flags: tuple[Mapping[str, Any], ...]
    readings: tuple[Mapping[str, Any], ...]
    settle: tuple[Mapping[str, Any], ...]
    flips: tuple[Mapping[str, Any], ...]
    rests_on: Mapping[str, Mapping[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a verdict."""
        lists = ("paragraphs", "possible_paragraphs", "also", "flags", "readings", "settle", "flips")
        return {
            **vars(self),
            "on": self.on.isoformat(),
            "metrics": dict(self.metrics),
            "facts": dict(self.facts),
            "rule_version": None if self.rule_version is None else dict(self.rule_version),
            "rests_on": {name: dict(support) for name, support in self.rests_on.items()},
            "findings": [finding.to_dict() for finding in self.findings],
            **{key: [_thawed(entry) for entry in getattr(self, key)] for key in lists},
        }

    def _repr_html_(self) -> str:
        from perfcore.notebook import verdicts_html

        return verdicts_html([self], timeline=False)


@dataclass(frozen=True)
class Timeline:
    """The same item under every version of the rules, oldest first."""

    verdicts: tuple[Verdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of a timeline."""
        return {"results": [verdict.to_dict() for verdict in self.verdicts], "notice": NOTICE}

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas DataFrame, one row a day: status and paragraphs of ECCN 3A090, and which version it is."""
        from perfcore.tidy import to_frame

        names = ("chip", "status", "paragraphs", "possible_paragraphs")
        rows = [
            {
                "on": verdict.on,
                **{name: getattr(verdict, name) for name in names[:2]},
                **{name: ";".join(getattr(verdict, name)) for name in names[2:]},
                "version": verdict.rule_version["effective"] if verdict.rule_version else None,
            }
            for verdict in self.verdicts
        ]
        return to_frame(rows).astype({"on": "datetime64[s]"}).set_index("on")

    def _repr_html_(self) -> str:
        from perfcore.notebook import verdicts_html

        return verdicts_html(self.verdicts, timeline=True)


def _thawed(entry: Any) -> Any:
    return dict(entry) if isinstance(entry, Mapping) else entry
