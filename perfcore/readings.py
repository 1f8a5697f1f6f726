"""The package metrics of an item: on the market's reading of the law, and on the contested ones."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from perfcore.items import Item, counted, tpp_of
from perfcore.quantity import UNKNOWN, Interval, Value, common, interval_of, point, quotient, scaled, total
from perfcore.regions import completed
from perfcore.terms import FACTS, FORMATS

Values = dict[str, Value]

# Bit length of what a format accumulates into, for the literal reading of the 2022 measure.
ACCUMULATORS = {name: 64 if name == "fp64" else 32 for name in FORMATS}


class Reading(NamedTuple):
    """A contested reading of the law: its id, what it says, and the values it changes (None: says nothing new)."""

    id: str
    says: str
    changes: Callable[[Item, Mapping[str, Value]], Mapping[str, Value] | None]


def metrics_of(item: Item) -> Values:
    """Return what is known of each fact about an item, on the market's reading.

    >>> from perfcore.chips import load
    >>> metrics_of(load("h20"))["tpp"].low
    Fraction(2368, 1)
    """
    values: Values = {}
    for name, term in FACTS.items():
        if term.kind == "number":
            values[name] = _number(item, name)
        elif name in item.facts:
            values[name] = frozenset({item.facts[name]})
        else:
            values[name] = None
    del values["classified"]  # follows from the others, point by point
    if item.kind != "chip":
        values |= dict.fromkeys(("tpp", "bits_x_tops_2022"), point(0))  # it has no processing units
    if item.kind in ("system", "process"):
        values["hbm_bandwidth_density_gb_s_mm2"] = point(0)  # nor is it memory
    _settle_density(item, values)
    return completed(values)


def _settle_density(item: Item, values: Values) -> None:
    """Keep a performance density only where it is stated; with TPP it says the area, also in place of the file's."""
    tpp, area, stated = (values[name] for name in ("tpp", "applicable_die_area_mm2", "performance_density"))
    assert isinstance(tpp, Interval)
    assert isinstance(stated, Interval)
    if stated == UNKNOWN:
        del values["performance_density"]
    elif area == UNKNOWN or ("performance_density" in item.facts and "applicable_die_area_mm2" not in item.facts):
        values["applicable_die_area_mm2"] = UNKNOWN if tpp.is_unknown else quotient(tpp, stated)


def _number(item: Item, name: str) -> Interval:
    if name in item.facts:
        return interval_of(item.facts[name])
    given, parts = item.given.get(name), item.parts.get(name)
    if given is not None and parts is not None:
        return common(given, parts) or given
    # Listed formats are complete, so an analog unit that is not listed is not there.
    return given or parts or (point(0) if name == "analog_tops" else UNKNOWN)


def _tensor_plus_vector(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    """Add what the vector units do to what the others do; FP32 is theirs where the file does not say."""
    if not item.rates:
        return None
    vector = item.vector_rates
    if vector is None:
        vector = {name: item.rates[name] for name in ("fp32",) if name in item.rates}
    tensor = {name: rate for name, rate in item.rates.items() if vector.get(name) != rate}
    if not vector or not tensor:
        return None
    return {"tpp": total([tpp_of(tensor, FORMATS), tpp_of(vector, FORMATS)])}


def _tf32_as_32_bits(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    if not item.rates or "tf32" not in item.rates:
        return None
    return {"tpp": tpp_of(item.rates, FORMATS | {"tf32": 32})}


def _fp6_not_counted(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    if not item.rates or "fp6" not in item.rates or len(item.rates) == 1:
        return None
    return {"tpp": tpp_of({name: rate for name, rate in item.rates.items() if name != "fp6"}, FORMATS)}


def _board(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    packages = item.document.get("packages_per_board", 1)
    if packages == 1:
        return None
    summed = (
        "tpp",
        "bits_x_tops_2022",
        "applicable_die_area_mm2",
        "io_bandwidth_gb_s",
        "dram_bandwidth_gb_s",
    )
    return {name: scaled(value, packages) for name in summed if isinstance(value := values[name], Interval)}


def _compute_dies_only(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    dies = item.document.get("die", ())
    compute = [die for die in dies if die.get("role") == "compute"]
    if len(compute) == len(dies) or not compute or "applicable_die_area_mm2" in item.given:
        return None
    return {"applicable_die_area_mm2": total(counted(die, "area_mm2") for die in compute)}


def _without_firmware_cap(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    return {"tpp": tpp_of(item.uncapped_rates, FORMATS)} if item.uncapped_rates else None


def _outputs_counted_in_2022(item: Item, values: Mapping[str, Value]) -> Mapping[str, Value] | None:
    if not item.rates or "bits_x_tops_2022" in item.given:
        return None
    widest = {name: max(bits, ACCUMULATORS[name]) for name, bits in FORMATS.items()}
    return {"bits_x_tops_2022": tpp_of(item.rates, widest)}


READINGS = (
    Reading(
        "tensor_plus_vector_units",
        "the rates of tensor and vector units are added; "
        "the market counts the units that reach the quoted peak together",
        _tensor_plus_vector,
    ),
    Reading("tf32_as_32_bits", "TF32 counts as 32 bits, as it is stored; the market counts 19", _tf32_as_32_bits),
    Reading("fp6_not_counted", "the 6-bit rate is left out, as several trackers do", _fp6_not_counted),
    Reading(
        "board_aggregation",
        "the packages of one card are added (CSET, 2023); the better reading of the text is per package",
        _board,
    ),
    Reading(
        "area_of_compute_dies_only",
        "only compute dies count as applicable die area; the text counts all logic dies on a non-planar process",
        _compute_dies_only,
    ),
    Reading(
        "without_firmware_cap",
        "a cap enforced by firmware does not lower what is theoretically possible",
        _without_firmware_cap,
    ),
    Reading(
        "outputs_counted_in_2022",
        "the 2022 measure takes the bit length of outputs too (32 for accumulated products); recalled text",
        _outputs_counted_in_2022,
    ),
)


def read_as(reading: Reading, item: Item, values: Mapping[str, Value]) -> Values | None:
    """Return the values under a contested reading, or None where it changes none of them."""
    if item.kind != "chip":
        return None
    stated = {*item.facts, *item.given}  # a metric given as such is not read anew
    changes = reading.changes(item, values) or {}
    if reading.id != "board_aggregation":
        changes = {name: value for name, value in changes.items() if name not in stated}
    if all(values[name] == value for name, value in changes.items()):
        return None
    # The 2022 measure follows TPP where the file does not give it.
    if "tpp" in changes and "bits_x_tops_2022" not in {*changes, *stated}:
        changes = {**changes, "bits_x_tops_2022": UNKNOWN}
    if {"tpp", "applicable_die_area_mm2"} & changes.keys():
        changes = {**changes, "performance_density": UNKNOWN}  # what was stated no longer holds
    then = completed({**values, **changes})
    return {name: value for name, value in then.items() if name != "performance_density" or value != UNKNOWN}
