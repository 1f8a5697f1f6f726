"""How far measured step times lie from predicted ones, by what was known beforehand."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from perfcore import efficiency
from perfcore.machine import known_id
from perfcore.questions import Answer, Question
from perfcore.reader import SPECS, read_toml

__all__ = ["interval", "kind_of", "ratios"]


@cache
def _document() -> Mapping[str, Any]:
    return read_toml(SPECS / "intervals.toml")


def ratios(kind: str) -> tuple[float, float]:
    """Return the ends of the 80 % interval of measured over predicted time.

    >>> low, high = ratios("known")
    >>> low < 1.0 < high
    True
    """
    table = _document()[kind]
    return float(table["low_ratio"]), float(table["high_ratio"])


def kind_of(question: Question) -> str:
    """Say what the constants rest on: ``known``; ``new_software`` or ``new_chip`` without published step times."""
    setting = question.setting
    shares = ("gemm_16bit", f"gemm_{setting.precision.bits}bit")
    runs = efficiency.fitted_sources(known_id(setting.chip), shares)
    if not runs:
        return "new_chip"
    return "known" if runs & set(setting.software.document.get("fit", {}).get("sources", ())) else "new_software"


def interval(question: Question, found: Answer) -> tuple[float, float, str]:
    """Return the 80 % interval of the step time [s] and what it rests on."""
    kind = kind_of(question)
    low, high = ratios(kind)
    return found.low_s * low, found.high_s * high, kind
