"""Number formats of training and serving: the peak they run at, what quantising costs, what is stored."""

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
    weight_bytes: float  # of a stored weight, in serving
    weight_share: float  # rate at which it is read over that of plain ones
    serving_only: bool


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
            float(table["weight_bytes"] if "weight_bytes" in table else table["element_bytes"]),
            float(table.get("weight_share", 1.0)),
            table.get("serving_only", False),
        )
        for name, table in document.items()
        if isinstance(table, dict)
    }


def names(serving: bool = False) -> tuple[str, ...]:
    """Return the names of the recipes of training, or of those and the ones of serving alone.

    >>> names()[:3]
    ('bf16', 'fp16', 'tf32')
    """
    return tuple(name for name, precision in _all().items() if serving or not precision.serving_only)


def find_exactly(text: str, serving: bool = False) -> Precision:
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
        if said in (precision.name, *precision.spoken) and (serving or not precision.serving_only):
            return precision
    raise _unknown(text, serving)


def find_in(text: str) -> Precision:
    """Return the recipe of serving that a text names anywhere, by the longest of the known names in it.

    >>> find_in("bf16 compute, int8 weights").name, find_in("int4 g32 weights").weight_share
    ('int8_weights', 0.74)

    Raises
    ------
    PerfcoreError
        If it names none.
    """
    said = text.strip().lower()
    held = [(spoken, p) for p in _all().values() for spoken in (p.name, *p.spoken) if spoken in said]
    if not held:
        raise _unknown(text, serving=True)
    return max(held, key=lambda pair: len(pair[0]))[1]


def find(text: str) -> Precision:
    """Return the recipe of training that a text names, by the longest of the known names that it starts with.

    >>> find("nvfp4 (bf16 attention)").format, find("fp8-hybrid (TransformerEngine)").name
    ('fp4', 'fp8')

    Raises
    ------
    PerfcoreError
        If it names none.
    """
    said = text.strip().lower()
    starts = sorted(
        ((spoken, _all()[name]) for name in names() for spoken in (name, *_all()[name].spoken)),
        key=lambda pair: -len(pair[0]),
    )
    for spoken, precision in starts:
        if said.startswith(spoken):
            return precision
    raise _unknown(text)


def _unknown(text: str, serving: bool = False) -> PerfcoreError:
    allowed = names(serving)
    hint = suggestion(text.strip().lower(), allowed)
    return PerfcoreError(f"--precision: found {text!r}{hint}; allowed: {', '.join(allowed)}")
