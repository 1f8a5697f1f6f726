"""The kinds of measurement tables, told apart by their columns, and where perfcore's own tables of a kind are."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from perfcore.cells import Row, read_rows
from perfcore.errors import PerfcoreError, suggestion
from perfcore.predictions import Prediction
from perfcore.reader import SPECS

__all__ = ["KINDS", "Kind", "kind_named", "kind_of_table", "predictor", "published"]


@dataclass(frozen=True)
class Kind:
    """A kind of table: the columns without which no row can be predicted, the module that predicts a row."""

    name: str
    needed: tuple[str, ...]
    module: str  # holds predict(row, number, mode)
    folder: str  # of specs: the published tables of this kind
    groups: tuple[str, ...]  # by which errors are summed up, beside source and chip


KINDS = (
    Kind("training", ("chip", "n_chips", "seq"), "training_cases", "measurements", ("precision", "kind")),
    Kind(
        "inference",
        ("chip", "phase", "isl", "osl"),
        "inference_cases",
        "measurements/inference",
        ("precision", "phase", "kind", "engine"),
    ),
    Kind("kernels", ("chip", "category", "op"), "kernel_cases", "measurements/kernels", ("category", "dtype")),
)
Predict = Callable[[Row, int, str], Prediction]


def kind_named(name: str) -> Kind:
    """Return a kind by name.

    >>> kind_named("kernels").needed
    ('chip', 'category', 'op')

    Raises
    ------
    PerfcoreError
        If there is none of this name.
    """
    names = [kind.name for kind in KINDS]
    if name not in names:
        raise PerfcoreError(f"kind: found {name!r}; allowed: {', '.join(names)}{suggestion(name, names)}")
    return KINDS[names.index(name)]


def kind_of_table(path: Path, columns: Collection[str]) -> Kind:
    """Return the kind whose columns a table has.

    >>> kind_of_table(Path("t.csv"), ("chip", "category", "op", "M", "N", "K")).name
    'kernels'

    Raises
    ------
    PerfcoreError
        If it has those of no kind, or of more than one.
    """
    found = [kind for kind in KINDS if all(column in columns for column in kind.needed)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(kind.name for kind in found)
        raise PerfcoreError(f"{path}: the table mixes the columns of {names}; give each kind a table of its own")
    lacks = ["{}: {}".format(kind.name, ", ".join(_missing(kind, columns))) for kind in _nearest_first(columns)]
    raise PerfcoreError(
        f"{path}: columns are missing ({'; '.join(lacks)}); docs/training.md, inference.md and kernels.md list them"
    )


def _missing(kind: Kind, columns: Collection[str]) -> list[str]:
    return [column for column in kind.needed if column not in columns]


def _nearest_first(columns: Collection[str]) -> list[Kind]:
    """Return the kinds, first the one of which the least is missing."""
    return sorted(KINDS, key=lambda kind: len(_missing(kind, columns)) / len(kind.needed))


def predictor(kind: Kind) -> Predict:
    """Return the function that predicts a row of this kind; its module is imported only when it is needed.

    Raises
    ------
    PerfcoreError
        If this version has none.
    """
    name = f"perfcore.{kind.module}"
    if find_spec(name) is None:
        raise PerfcoreError(f"tables of {kind.name} measurements cannot be predicted by this version of perfcore")
    found: Predict = import_module(name).predict
    return found


def published(kind: str = "training") -> list[Row]:
    """Return the published measurements of a kind that perfcore carries, under ``specs/measurements``."""
    one = kind_named(kind)
    return [row for path in sorted((SPECS / one.folder).glob("*.csv")) for row in read_rows(path, one.needed)]
