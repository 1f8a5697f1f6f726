"""The rules in the words of the law, version by version."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from perfcore.aloud import more_of, read_aloud
from perfcore.markup import Html, details, el, join, section
from perfcore.report.numbers import outside
from perfcore.rules import Paragraph, Rule, Version

__all__ = ["rules_section"]


def rules_section(rules: Sequence[Rule]) -> Html:
    """Return every rule; ECCN 3A090, the first, stands open."""
    intro = el(
        "p",
        "Each layer is an answer of its own: not controlled under ECCN 3A090 does not say that no licence is needed. ",
        "A paragraph is shown as it is read: as comparisons.",
    )
    return section("rules", "Rules", intro, *(_rule(rule, place == 0) for place, rule in enumerate(rules)))


def _rule(rule: Rule, is_open: bool) -> Html:
    about = (rule.authority or "no authority named", "; ", rule.layer.replace("_", " "), ". ", rule.note)
    summary = join((rule.name, " ", el("code", rule.id)))
    body = [_version(version) for version in reversed(rule.versions)]
    return details(summary, el("p", *about), *body, id=f"rule-{rule.id}", open=is_open)


def _version(version: Version) -> Html:
    since = "Proposed" if version.effective == date.min else f"From {version.effective}"
    until = f" to {version.until}" if version.until else ""
    source = version.source
    cited = [source.get("locator", ""), f"certainty: {source.get('certainty', 'not stated')}"]
    cited += [f"published {version.published}"] if version.published else []
    cited += [f"compliance {version.compliance}"] if version.compliance else []
    return join(
        (
            el("h3", f"{since}{until}", " ", el("small", version.status)),
            el("p", version.summary, " ", el("cite", _citation(source), "; ", "; ".join(filter(None, cited))), "."),
            el("ul", *map(_paragraph, version.paragraphs)) if version.paragraphs else None,
        )
    )


def _citation(source: Mapping[str, Any]) -> Html | str:
    """Return the citation, as a link where the Federal Register has a document by the number given."""
    title, document = str(source["title"]), str(source.get("document", ""))
    known = re.fullmatch(r"\d{4}-\d{5}", document)
    return outside(title, f"https://www.federalregister.gov/d/{document}") if known else title


def _paragraph(paragraph: Paragraph) -> Html:
    more = more_of(paragraph)
    return el(
        "li",
        el("strong", paragraph.id),
        f": {read_aloud(paragraph)}.",
        el("ul", *(el("li", each) for each in more)) if more else None,
    )
