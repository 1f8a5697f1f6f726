"""The grid a design search goes through: values of each parameter, from the catalogue or a user's file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS, read_toml, report
from perfcore.schema import Problem, number_problem, shown

__all__ = ["AXES", "FILL", "Grid", "from_file", "load"]

FOLDER = SPECS / "architecture"
PRESETS = ("small", "published", "full", "billion")
MOST_VALUES, MOST_DESIGNS = 10_000, 10**10
FILL = 0.0  # cores: as many as there is room for
# The order in which the kernel counts: what changes a design's speed first, what only moves its area last. For each
# the least and the most, and whether values are whole.
AXES: dict[str, tuple[float, float, bool]] = {
    "clock_ghz": (0.01, 20, False),
    "array_rows": (1, 4096, True),
    "array_columns": (1, 4096, True),
    "lanes": (1, 1024, True),
    "vector_width": (1, 4096, True),
    "cores": (1, 1_000_000, True),
    "hbm_stacks": (1, 64, True),
    "links": (1, 1000, True),
    "pcie_lanes": (0, 256, True),
    "spare_cores": (0, 1_000_000, True),
    "spare_stacks": (0, 64, True),
    "l1_kb": (1, 1_048_576, False),
    "l2_mb": (0.25, 65_536, False),
}
USUAL = {"spare_cores": (0.0,), "spare_stacks": (0.0,), "pcie_lanes": (16.0,), "vector_width": (32.0,)}
KEYS = ("note", "array", *AXES)


@dataclass(frozen=True)
class Grid:
    """The values of every axis, in the order of ``AXES``; columns of 0 are as many as rows, cores of 0 fill."""

    name: str
    values: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return math.prod(len(axis) for axis in self.values)

    @property
    def fills(self) -> bool:
        """Tell whether cores are as many as there is room for."""
        return self.axis("cores") == (FILL,)

    def axis(self, name: str) -> tuple[float, ...]:
        """Return the values of an axis."""
        return self.values[list(AXES).index(name)]

    def design(self, index: int) -> dict[str, float]:
        """Return the parameters of an index, the last axis the fastest.

        >>> load("published").design(2879)["l2_mb"]
        80.0
        """
        found = {}
        for name, axis in reversed(list(zip(AXES, self.values, strict=True))):
            index, digit = divmod(index, len(axis))
            found[name] = axis[digit]
        return found


def load(name: str) -> Grid:
    """Load a grid of the catalogue by name, or a user's file.

    >>> len(load("small")), len(load("published")), len(load("full"))
    (3840, 2880, 16588800)

    Raises
    ------
    PerfcoreError
        If there is none of that name, or the file is wrong.
    """
    if name in PRESETS:
        return from_file(FOLDER / f"grid_{name}.toml", name)
    if "/" not in name and "." not in name:
        hint = suggestion(name, PRESETS)
        raise PerfcoreError(f"--grid: found {name[:40]!r}{hint}; allowed: {', '.join(PRESETS)}, or a grid file (.toml)")
    return from_file(Path(name), Path(name).stem)


def from_file(path: Path, name: str) -> Grid:
    """Read a grid file.

    Raises
    ------
    PerfcoreError
        With every problem of the file, by line.
    """
    document = read_toml(path)
    problems: list[Problem] = [(key, _unknown(key)) for key in document if key not in KEYS]
    problems += _sides(document)
    axes = {key: document[key] for key in AXES if key in document}
    if "array" in document:
        axes |= {"array_rows": document["array"]}
    values = {}
    for key, given in axes.items():
        shown_as = "array" if key == "array_rows" and "array" in document else key
        values[key], wrong = _values(key, given)
        problems += [(shown_as, sentence) for sentence in wrong]
    values = {"array_columns": (0.0,)} | USUAL | values
    problems += [(key, f"is missing; give a list of values of {key}") for key in AXES if key not in values]
    if problems:
        raise report(path, problems)
    grid = Grid(name, tuple(values[key] for key in AXES))
    if len(grid) > MOST_DESIGNS:
        found = f"found {len(grid):.3g} designs" if len(grid) >= 10**15 else f"found {len(grid):,} designs"
        raise PerfcoreError(f"{path}: {found}; allowed: at most {MOST_DESIGNS:,}; give fewer values of some parameter")
    return grid


def _unknown(key: str) -> str:
    return f"not a parameter of a design{suggestion(key, KEYS) or '; allowed: ' + ', '.join(KEYS)}"


def _sides(document: Mapping[str, Any]) -> list[Problem]:
    """Check how the sides of the arrays are given: square ones by ``array``, others by rows and columns."""
    both = [key for key in ("array_rows", "array_columns") if key in document]
    if "array" in document and both:
        return [(both[0], "stands beside array, which gives rows and columns; give one of them")]
    if both == ["array_rows"]:
        return [("array_rows", "stands without array_columns; give both, or array for square ones")]
    return []


def _values(key: str, given: Any) -> tuple[tuple[float, ...], list[str]]:
    """Return the values of one axis and what is wrong with them: a list, a number, or from, to and step."""
    if given == "fill" and key == "cores":
        return (FILL,), []
    listed: Any = given
    if isinstance(given, dict):
        listed, wrong = _range(given)
        if wrong:
            return (), [wrong]
    elif not isinstance(given, list):
        listed = [given]
    if not listed or len(listed) > MOST_VALUES:
        return (), [f"found {len(listed)} values; allowed: 1 to {MOST_VALUES:,}"]
    wrong_ones = [value for value in listed if not _allowed(key, value)]
    if wrong_ones:
        return (), [f"found {shown(wrong_ones[0])}; allowed: {_said(key)}"]
    if len(set(listed)) < len(listed):
        return (), ["found a value twice; give each once"]
    return tuple(float(value) for value in listed), []


def _allowed(key: str, value: Any) -> bool:
    least, most, whole = AXES[key]
    if number_problem(value, zero=True) is not None:
        return False
    return bool(least <= value <= most and (not whole or value == int(value)))


def _said(key: str) -> str:
    least, most, whole = AXES[key]
    numbers = f"{'whole ' if whole else ''}numbers from {least:g} to {most:,.10g}"
    return numbers + (', or "fill"' if key == "cores" else "")


def _range(given: Mapping[str, Any]) -> tuple[list[Any], str]:
    """Return the values of ``{ from = , to = , step = }``, both ends included, and what is wrong with it."""
    if set(given) != {"from", "to", "step"} or any(number_problem(v, zero=True) is not None for v in given.values()):
        return [], "found a table; allowed: { from = , to = , step = } of numbers"
    low, high, step = given["from"], given["to"], given["step"]
    if low > high or step <= 0:
        return [], f"found from {low} to {high} by {step}; allowed: from at most to, and a step above 0"
    count = int((Decimal(high) - Decimal(low)) / Decimal(step)) + 1
    if count > MOST_VALUES:
        return [], f"found {count:,} values; allowed: 1 to {MOST_VALUES:,}"
    return [low + place * step for place in range(count)], ""
