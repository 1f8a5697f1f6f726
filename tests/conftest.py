"""Shared by the tests: hypothesis profiles, and items made from a few numbers."""

import signal
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from perfcore.items import Item, item_of
from perfcore.rules import shipped
from perfcore.verdict import Verdict, verdict

# The first call of a compiled function takes longer than hypothesis allows by default.
settings.register_profile("perfcore", deadline=None, derandomize=True, max_examples=200)
settings.load_profile("perfcore")

# A shell that starts the tests in the background may have them ignore the interrupts that some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def exact(value: Any) -> Any:
    """Read numbers as TOML would: decimals exactly as written."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {key: exact(entry) for key, entry in value.items()}
    return [exact(entry) for entry in value] if isinstance(value, list) else value


def item(**keys: Any) -> Item:
    """Make a chip of the keys of a chip file."""
    return item_of(exact({"name": "a chip", **keys}), Path("a_chip.toml"))


def judged(chip: Item, on: str) -> Verdict:
    """Check an item on a day under the shipped rules."""
    return verdict(chip, date.fromisoformat(on), shipped())


@pytest.fixture
def chip_file(tmp_path: Path) -> Any:
    """Write a chip file and return its path."""

    def write(text: str, name: str = "design.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
