"""Chip links: the rates a part is built for, can be programmed to, ships with and is reported at; what a cap costs."""

from dataclasses import dataclass, replace
from typing import Any

from perfcore import chips as catalogue
from perfcore.clusters import Cluster, Point
from perfcore.errors import PerfcoreError
from perfcore.machine import Setting
from perfcore.quantity import interval_of
from perfcore.questions import answer
from perfcore.spoken import plan_words

__all__ = ["LinkRates", "capped", "link_rates", "link_sweep"]

# Keys of an entry of [[link]] and what they say; a rate that is not given is that of the one before it.
KINDS = {
    "silicon": "silicon_gb_s",
    "programmable": "bandwidth_gb_s",
    "shipped": "shipped_gb_s",
    "reported": "reported_gb_s",
}


@dataclass(frozen=True)
class LinkRates:
    """Totals over all links of a chip, both directions [GB/s]; None where a rate is not known.

    The law reads the programmable rate: what the links are or can be programmed to. ``silicon`` is what the die could
    do with other fuses, ``shipped`` what the part does as sold, ``reported`` what its seller or the press prints.
    """

    silicon: float | None
    programmable: float | None
    shipped: float | None
    reported: float | None

    @property
    def gaps(self) -> dict[str, float]:
        """Return how far each rate lies from the programmable one [GB/s], where it differs."""
        base = self.programmable
        others = {name: getattr(self, name) for name in KINDS if name != "programmable"}
        return {} if base is None else {k: v - base for k, v in others.items() if v is not None and v != base}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of the rates, with the gaps."""
        return {**{f"{name}_gb_s": getattr(self, name) for name in KINDS}, "gaps_gb_s": self.gaps}

    def _repr_html_(self) -> str:
        from perfcore.html_answer import NOT_ADVICE, answer_html

        return answer_html("Links, both directions", self.to_dict(), NOT_ADVICE)


def link_rates(chip: str | catalogue.Item) -> LinkRates:
    """Return the four rates of a chip's links.

    >>> link_rates("a800").programmable, link_rates("a800").silicon
    (464.0, 664.0)
    """
    item = chip if isinstance(chip, catalogue.Item) else catalogue.load(chip)
    entries = [entry for entry in item.document.get("link", ()) if not entry.get("to_volatile_memory")]
    totals: dict[str, float | None] = {}
    for name in KINDS:
        each = [_rate(entry, name) for entry in entries]
        totals[name] = None if not each or None in each else float(sum(rate for rate in each if rate is not None))
    return LinkRates(**totals)


def _rate(entry: Any, name: str) -> float | None:
    """Return the rate of an entry; one that is not given is the programmable one."""
    value = entry.get(KINDS[name], entry.get("bandwidth_gb_s"))
    if value is None:
        return None
    found = interval_of(value)
    count = entry.get("silicon_count", entry.get("count", 1)) if name == "silicon" else entry.get("count", 1)
    high = found.low if found.high is None else found.high
    return float((found.low + high) / 2) * int(count)


def capped(setting: Setting, rate_gb_s: float) -> Setting:
    """Return a setting whose chip link does no more than a rate [GB/s, both directions together]."""
    rate = min(setting.system.scale_up_bytes_s, rate_gb_s * 1e9 / 2.0)
    return replace(setting, system=replace(setting.system, scale_up_bytes_s=rate))


def link_sweep(side: Cluster, chips: int, rates_gb_s: tuple[float, ...]) -> list[dict[str, Any]]:
    """Return what capping the chip link at each rate costs N chips: with the plan kept, and with the best plan again.

    Rates are of one chip, both directions together; one above what the link does changes nothing.

    Raises
    ------
    PerfcoreError
        If no plan deals the work to so many chips.
    """
    start = side.at(chips)
    if start is None:
        raise PerfcoreError(f"--links: no plan deals the work to {chips} chips of {side.base.setting.chip.id}")
    return [_capped(side, start, rate) for rate in rates_gb_s]


def _capped(side: Cluster, start: Point, rate: float) -> dict[str, Any]:
    setting = capped(side.base.setting, rate)
    kept = answer(replace(start.question, setting=setting)).time_s
    other = Cluster(
        replace(side.base, setting=setting), side.reliability, side.given, side.batches, side.critical_batch
    )
    best = other.at(start.chips)
    assert best is not None  # memory and divisions do not depend on the link
    # Of useful tokens, since the best plan may be one of another batch.
    slower = start.useful_tokens_per_s / best.useful_tokens_per_s
    return {
        "link_gb_s": rate,
        "slowdown_fixed_plan": kept / start.step_s - 1.0,
        "slowdown": slower - 1.0,
        "plan": plan_words(best.question),
    }
