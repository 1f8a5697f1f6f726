"""Number formats of training recipes: the peak they run at and what quantising costs."""

from dataclasses import dataclass
from functools import cache

from perfcore.errors import PerfcoreError, suggestion
from perfcore.reader import SPECS, read_toml

__all__ = ["Precision", "find", "names"]


@dataclass(frozen=True)
class Precision:
    """A recipe: ``format`` is the key of the chip's peak, the rest see ``specs/precisions.toml``."""

    name: str
    format: str
    bits: int
    element_bytes: float
    cast_bytes: float
    fused_experts: bool
    spoken: tuple[str, ...]


@cache
def _all() -> dict[str, Precision]:
    document = read_toml(SPECS / "precisions.toml")
    return {
        name: Precision(
            name,
            table["format"],
            table["bits"],
            float(table["element_bytes"]),
            float(table["cast_bytes"]),
            table.get("fused_experts", False),
            tuple(table["names"]),
        )
        for name, table in document.items()
        if isinstance(table, dict)
    }


def names() -> tuple[str, ...]:
    """Return the names of the recipes.

    >>> names()[:3]
    ('bf16', 'fp16', 'tf32')
    """
    return tuple(_all())


def find_exactly(text: str) -> Precision:
    """Return the recipe of a name, or of one that frameworks use.

    >>> find_exactly("MXFP8").name, find_exactly("mxfp4").name
    ('mxfp8', 'nvfp4')

    Raises
    ------
    PerfcoreError
        If it is none.
    """
    said = text.strip().lower()
    for precision in _all().values():
        if said in (precision.name, *precision.spoken):
            return precision
    raise _unknown(text)


def find(text: str) -> Precision:
    """Return the recipe a text names, by the longest of the known names that it starts with.

    >>> find("nvfp4 (bf16 attention)").format, find("fp8-hybrid (TransformerEngine)").name
    ('fp4', 'fp8')

    Raises
    ------
    PerfcoreError
        If it names none.
    """
    said = text.strip().lower()
    starts = sorted(((spoken, p) for p in _all().values() for spoken in (p.name, *p.spoken)), key=lambda s: -len(s[0]))
    for spoken, precision in starts:
        if said.startswith(spoken):
            return precision
    raise _unknown(text)


def _unknown(text: str) -> PerfcoreError:
    hint = suggestion(text.strip().lower(), names())
    return PerfcoreError(f"--precision: found {text!r}{hint}; allowed: {', '.join(names())}")
