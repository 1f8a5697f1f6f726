"""The files under ``specs/efficiency``, read and checked: all problems of one at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfcore.reader import read_toml, report
from perfcore.schema import ATTENTION_KERNEL, EFFICIENCY, SHARED_EFFICIENCY, SITE, Problem, problems_of


def read_efficiency(path: Path) -> Mapping[str, Any]:
    """Read and check the file of a generation; all its problems at once.

    Raises
    ------
    PerfcoreError
        If the file cannot be read or says what such a file may not say.
    """
    document = read_toml(path)
    found = problems_of(document, EFFICIENCY) or _beyond_the_shape(document)
    found += [(key, "is missing; give it") for key in ("name", "family") if key not in document]
    if found:
        raise report(path, found)
    return document


def _beyond_the_shape(document: Mapping[str, Any]) -> list[Problem]:
    """Check what the shape cannot say: a share is at most 1, and a number has its width."""
    found: list[Problem] = []
    for table in ("neutral", "fitted", "neutral_width", "fitted_width"):
        for key, value in document.get(table, {}).items():
            if isinstance(value, dict):
                found.append((f"{table}.{key}", "found an interval; allowed: a single number, its width beside it"))
            elif value > 1:
                found.append((f"{table}.{key}", f"found {value}; allowed: a number above 0 and at most 1"))
    for key in document.get("neutral", {}):
        if key not in document.get("neutral_width", {}):
            found.append((f"neutral_width.{key}", "is missing; say how sure the number is (relative, one sigma)"))
    return found


def read_shared(path: Path) -> Mapping[str, Any]:
    """Read and check the file of what all chips share; all its problems at once."""
    document = read_toml(path)
    named = {"attention_kernel": ATTENTION_KERNEL, "site": SITE}
    found = problems_of({key: value for key, value in document.items() if key not in named}, SHARED_EFFICIENCY)
    for table, shape in named.items():
        for name, entry in document.get(table, {}).items():
            here = f"{table}.{name}"
            if not isinstance(entry, dict):
                found.append((here, f"found {entry}; allowed: a table, written [{here}]"))
                continue
            found += [(f"{here}.{key}", "is missing; give it") for key in shape if key not in entry]
            found += problems_of(entry, shape, here)
    found = found or _beyond_the_shape(document)
    if found:
        raise report(path, found)
    return document
