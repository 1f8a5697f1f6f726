"""How far measured speeds of serving lie from predicted ones, by what was known beforehand."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from perfcore.machine import known_id
from perfcore.reader import SPECS, read_toml
from perfcore.serving_questions import ServingSetting

__all__ = ["evidence_of", "ratios"]


@cache
def _document() -> Mapping[str, Any]:
    return read_toml(SPECS / "serving_intervals.toml")


def ratios(evidence: str, experts: float) -> tuple[float, float]:
    """Return the ends of the 80 % interval of measured over predicted time.

    Of a mixture of ``experts`` what is known of engine and chip says little: its published speeds are few and far off.

    >>> low, high = ratios("known", 0.0)
    >>> low < 1.0 < high, ratios("known", 256.0)[1] > high
    (True, True)
    """
    table = _document()["moe" if experts > 0.0 else evidence]
    return float(table["low_ratio"]), float(table["high_ratio"])


def evidence_of(setting: ServingSetting) -> str:
    """Say what the constants rest on: ``known``, ``new_chip`` for this engine, or ``new_engine`` without any speeds.

    A chip in a number format in which the engine was never measured counts as new.
    """
    fit = setting.software.document.get("fit", {})
    if setting.mode != "fitted" or not fit:
        return "new_engine"
    measured = known_id(setting.chip) in fit.get("chips", ()) and setting.precision.name in fit.get("formats", ())
    return "known" if measured else "new_chip"
