"""What a rule file may hold, and the check of a document against it: all problems at once."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from perfcore.errors import suggestion
from perfcore.schema import COUNTRY, GOVERNING, WORDS, Problem, number_problem, shown
from perfcore.terms import FACTS

LAYERS = (
    "classification",
    "exclusion",
    "licence_exception",
    "review_policy",
    "tariff",
    "letter",
    "presumption",
    "end_use",
    "proposal",
)
SUBJECTS = ("chip", "memory", "system", "process", "transaction", "model")
COMPARISONS = ("at_least", "more_than", "below", "at_most")
CERTAINTY = ("verified", "reported", "recalled", "inference")

_RULE_KEYS = {
    "name": str,
    "authority": str,
    "layer": str,
    "jurisdiction": str,
    "note": str,
    "subject": list,
    "version": list,
}
_VERSION_KEYS = {
    "effective": date,
    "until": date,
    "published": date,
    "compliance": date,
    "status": str,
    "summary": str,
    "source": dict,
    "same_as": date,
    "paragraph": list,
}
_SOURCE_KEYS = {"title": str, "locator": str, "document": str, "certainty": str}
_PARAGRAPH_KEYS = {
    "id": str,
    "layer": str,
    "text": str,
    "all_of": dict,
    "any_of": list,
    "open_if": dict,
    "open_because": str,
    "excludes": list,
    "licence": str,
    "outcome": str,
    "otherwise": str,
    "conditions": list,
    "compliance": date,
}


def rule_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with a rule document."""
    found = _key_problems(document, _RULE_KEYS, "")
    found += [(key, "is missing; every rule needs it") for key in ("name", "version") if key not in document]
    if isinstance(document.get("layer", ""), str) and document.get("layer", LAYERS[0]) not in LAYERS:
        found.append(("layer", _not_one_of(document["layer"], LAYERS)))
    subject = document.get("subject", ["chip"])
    if isinstance(subject, list) and not set(map(str, subject)) <= set(SUBJECTS):
        found.append(("subject", _not_one_of(subject, SUBJECTS)))
    versions = document.get("version")
    if not isinstance(versions, list) or not versions or not all(isinstance(v, dict) for v in versions):
        if "version" in document:
            found.append(("version", f"found {shown(versions)}; allowed: one or more [[version]] tables"))
        return found
    for place, version in enumerate(versions, 1):
        found += _version_problems(version, f"version.{place}", document.get("layer", ""))
    return found or _date_problems(versions)


def _key_problems(entry: Mapping[str, Any], kinds: Mapping[str, type], path: str) -> list[Problem]:
    found = []
    for key, value in entry.items():
        here = f"{path}.{key}" if path else key
        if key not in kinds:
            found.append(
                (
                    here,
                    f"not a known key{suggestion(key, kinds) or '; the keys here are: ' + ', '.join(kinds)}",
                )
            )
        elif not isinstance(value, kinds[key]) or (kinds[key] is date and type(value) is not date):
            found.append((here, f"found {shown(value)}; allowed: {_NAMES[kinds[key]]}"))
    return found


_NAMES = {str: "a text", date: "a date, written 2024-01-31", list: "a list", dict: "a table"}


def _not_one_of(value: Any, allowed: tuple[str, ...]) -> str:
    return f"found {shown(value)}; allowed: {', '.join(allowed)}"


def _version_problems(version: Mapping[str, Any], path: str, layer: str) -> list[Problem]:
    found = _key_problems(version, _VERSION_KEYS, path)
    if "effective" not in version and layer != "proposal":
        found.append((path, "effective is missing; a version starts on a day (only a proposal may do without)"))
    source = version.get("source")
    if not isinstance(source, dict) or "title" not in source:
        found.append((path, 'has no citation; write source = { title = "88 FR 73458", locator = "..." }'))
    else:
        found += _key_problems(source, _SOURCE_KEYS, f"{path}.source")
        if isinstance(source.get("certainty", ""), str) and source.get("certainty", CERTAINTY[0]) not in CERTAINTY:
            found.append((f"{path}.source.certainty", _not_one_of(source["certainty"], CERTAINTY)))
    paragraphs = version.get("paragraph", [])
    if not isinstance(paragraphs, list) or not all(isinstance(p, dict) for p in paragraphs):
        found.append((f"{path}.paragraph", "allowed: tables, each written [[version.paragraph]]"))
        return found
    seen: set[str] = set()
    for place, paragraph in enumerate(paragraphs, 1):
        here = f"{path}.paragraph.{place}"
        found += _paragraph_problems(paragraph, here)
        name = str(paragraph.get("id", ""))
        if name in seen:
            found.append((f"{here}.id", f"found {name!r} twice in one version"))
        seen.add(name)
    return found or _exclusion_problems(paragraphs, path)


def _exclusion_problems(paragraphs: list[dict[str, Any]], path: str) -> list[Problem]:
    """Name each exclusion that contradicts the rest: it takes out what is not there, or stands in another layer."""
    found: list[Problem] = []
    ids = [p["id"] for p in paragraphs]
    for place, paragraph in enumerate(paragraphs, 1):
        here = f"{path}.paragraph.{place}"
        for heading in paragraph.get("excludes", ()):
            if heading == paragraph["id"]:
                found.append((f"{here}.excludes", f"found {heading!r}, itself"))
            elif not any(name == heading or name.startswith(heading + ".") for name in ids):
                found.append((f"{here}.excludes", f"found {heading!r}, but the version has no such paragraph"))
        if bool(paragraph.get("excludes")) != (paragraph.get("layer") == "exclusion"):
            found.append((here, "contradicts itself: excludes and layer = 'exclusion' go together"))
    return found


def _paragraph_problems(paragraph: Mapping[str, Any], path: str) -> list[Problem]:
    found = _key_problems(paragraph, _PARAGRAPH_KEYS, path)
    if "id" not in paragraph:
        found.append((path, "id is missing"))
    if isinstance(paragraph.get("layer", ""), str) and paragraph.get("layer", LAYERS[0]) not in LAYERS:
        found.append((f"{path}.layer", _not_one_of(paragraph["layer"], LAYERS)))
    if "open_if" in paragraph and "open_because" not in paragraph:
        found.append((path, "open_because is missing; say why the text leaves it open"))
    if not paragraph.get("all_of") and not paragraph.get("any_of") and "open_because" not in paragraph:
        found.append((path, "has no test; write all_of = { tpp = { at_least = 4800 } } or any_of = [ ... ]"))
    for key in ("excludes", "conditions"):
        if isinstance(paragraph.get(key), list) and not all(isinstance(word, str) for word in paragraph[key]):
            found.append((f"{path}.{key}", "allowed: a list of texts"))
    if found:
        return found
    found += _tests_problems(paragraph.get("all_of", {}), f"{path}.all_of")
    found += _tests_problems(paragraph.get("open_if", {}), f"{path}.open_if")
    for alternative in paragraph.get("any_of", ()):
        if not isinstance(alternative, dict) or not alternative.keys() - {"label"}:
            found.append((f"{path}.any_of", f"found {shown(alternative)}; allowed: a table of tests"))
        else:
            found += _tests_problems(alternative, f"{path}.any_of")
            found += _contradictions(paragraph.get("all_of", {}), alternative, f"{path}.any_of")
    return found


def _contradictions(common: Mapping[str, Any], alternative: Mapping[str, Any], path: str) -> list[Problem]:
    """Name each term of which all_of and an alternative together ask what nothing can meet."""
    found = []
    for metric, wanted in alternative.items():
        other = common.get(metric)
        if isinstance(wanted, dict) and isinstance(other, dict):
            sound = not any(_number_test_problems(each, path) for each in (wanted, other))
            if sound and _is_empty_of(wanted, other):
                found.append((f"{path}.{metric}", "contradicts all_of: no number can meet both"))
        elif isinstance(wanted, bool) and isinstance(other, bool) and wanted != other:
            found.append((f"{path}.{metric}", "contradicts all_of"))
    return found


def _tests_problems(tests: Mapping[str, Any], path: str) -> list[Problem]:
    found: list[Problem] = []
    for metric, wanted in tests.items():
        if metric == "label":
            continue
        here = f"{path}.{metric}"
        if metric not in FACTS:
            found.append(
                (
                    here,
                    f"not a term a rule can test{suggestion(metric, FACTS) or '; the terms are: ' + ', '.join(FACTS)}",
                )
            )
        elif FACTS[metric].kind == "yes_no" and not isinstance(wanted, bool):
            found.append((here, f"found {shown(wanted)}; allowed: true or false"))
        elif FACTS[metric].kind == "word" and not _is_words(wanted):
            found.append((here, f"found {shown(wanted)}; allowed: a text or a list of texts"))
        elif FACTS[metric].kind == "word":
            found += _word_problems(metric, wanted, here)
        elif FACTS[metric].kind == "number":
            found += _number_test_problems(wanted, here)
    return found


def _word_problems(metric: str, wanted: Any, path: str) -> list[Problem]:
    words = wanted if isinstance(wanted, list) else [wanted]
    if metric == "classified":
        return [(path, _not_one_of(word, GOVERNING)) for word in words if word not in GOVERNING]
    if metric == "destination":
        said = "allowed: a country in two letters, such as cn"
        return [(path, f"found {shown(word)}; {said}") for word in words if not COUNTRY.fullmatch(word)]
    allowed = WORDS.get(metric)
    return [(path, _not_one_of(word, allowed)) for word in words if allowed and word.lower() not in allowed]


def _is_words(wanted: Any) -> bool:
    several = wanted if isinstance(wanted, list) else [wanted]
    return bool(several) and all(isinstance(word, str) for word in several)


def _number_test_problems(wanted: Any, path: str) -> list[Problem]:
    if not isinstance(wanted, dict) or not wanted:
        return [(path, f"found {shown(wanted)}; allowed: a comparison, such as {{ at_least = 4800 }}")]
    found = []
    for test, number in wanted.items():
        if test not in COMPARISONS:
            found.append(
                (
                    f"{path}.{test}",
                    f"not a comparison{suggestion(test, COMPARISONS)}; allowed: {', '.join(COMPARISONS)}",
                )
            )
        elif (wrong := number_problem(number, zero=True)) is not None:
            found.append((f"{path}.{test}", f"found {shown(number)}{wrong}; allowed: a number of 0 or more"))
    if not found and _is_empty_of(wanted):
        found.append((path, "no number can meet this; the lower bound is not under the upper"))
    return found


def _is_empty_of(*several: Mapping[str, int | Decimal]) -> bool:
    """Whether no number meets all of some comparisons."""
    tests = [(test, number) for wanted in several for test, number in wanted.items()]
    lows = [number for test, number in tests if test in ("at_least", "more_than")]
    highs = [number for test, number in tests if test in ("below", "at_most")]
    if not lows or not highs:
        return False
    low, high = max(lows), min(highs)
    closed = ("more_than", low) not in tests and ("below", high) not in tests
    return low > high or (low == high and not closed)


def _date_problems(versions: list[dict[str, Any]]) -> list[Problem]:
    """Name versions out of order, overlapping, or copied from one that is not there."""
    found: list[Problem] = []
    earlier: list[date] = []
    for place, version in enumerate(versions, 1):
        here, effective = f"version.{place}", version.get("effective", date.min)
        following = versions[place].get("effective", date.max) if place < len(versions) else date.max
        until = version.get("until", effective)
        if earlier and effective <= earlier[-1]:
            wrong = f"found {effective}, not after {earlier[-1]} of the version before; versions stand in order"
            found.append((f"{here}.effective", wrong))
        if until < effective:
            found.append((f"{here}.until", f"found {until}, before the version takes effect ({effective})"))
        elif until >= following > effective:
            last = following - timedelta(days=1)
            wrong = f"found {until}, but the next version takes effect on {following}; allowed: at most {last}"
            found.append((f"{here}.until", wrong))
        found += _copy_problems(version, here, earlier)
        earlier.append(effective)
    return found


def _copy_problems(version: Mapping[str, Any], path: str, earlier: list[date]) -> list[Problem]:
    if "same_as" not in version:
        return []
    if "paragraph" in version:
        return [(path, "has both same_as and paragraphs; give one")]
    if version["same_as"] not in earlier:
        wrong = f"found {version['same_as']}; allowed: the effective date of an earlier version"
        return [(f"{path}.same_as", wrong)]
    return []
