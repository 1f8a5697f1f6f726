"""Writes a measurement as a chip file, and reads the figures of one again."""

import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from perfcore import __version__
from perfcore.chips import Item
from perfcore.errors import PerfcoreError
from perfcore.measure.figures import Figure, Measurement
from perfcore.terms import FORMATS

__all__ = ["check_target", "figures_in", "text_of", "write"]

# A sample of a peak, by what the figure's name starts with; the largest is the peak of the file.
PEAKS = ("fma", "dot", "gemm")
SOURCE = "measured on the machine itself"
RECALLED = "instruction set manuals"
# Narrow multiply instructions, by flag of the CPU: format, products over those of the widest fp32 multiply-add.
# They are taken to be issued as often as that one.
NARROW = {
    "avx512_fp16": ("fp16", 2),
    "avx512_vnni": ("int8", 4),
    "avx_vnni": ("int8", 4),
    "avx512_bf16": ("bf16", 2),
    "i8mm": ("int8", 8),
    "asimddp": ("int8", 4),
    "bf16": ("bf16", 4),
    "asimdhp": ("fp16", 2),
}
# Tile units multiply 16 x 16 x 64 bytes in 16 cycles: operations of a core and cycle.
TILES = {"amx_int8": ("int8", 2048), "amx_bf16": ("bf16", 1024), "amx_fp16": ("fp16", 1024)}


class Rate(NamedTuple):
    """Peak of a format [TFLOP/s]: one number or both ends, and what it rests on."""

    low: float
    high: float
    mark: str
    source: str
    note: str


def rates_of(measurement: Measurement) -> dict[str, Rate]:
    """Return the peak of every format the device is known to have, in the order of the vocabulary.

    A format that is there and was not timed gets what its instructions make of the measured rates.
    """
    found = _measured(measurement)
    flags = measurement.device.get("vector_flags", ())
    base = measurement.value("fma_fp32")
    for flag in flags if base else ():
        form, times = NARROW.get(flag, ("", 0))
        rate = times * (base or 0.0)
        if form and (form not in found or (found[form].mark == "derived" and found[form].high < rate)):
            note = f"not timed: {flag} multiplies {times} times as many as fp32, if issued as often"
            found[form] = Rate(rate, rate, "derived", SOURCE, note)
    for flag in flags:
        if flag in TILES:
            _with_tiles(found, flag, measurement)
    return {form: found[form] for form in FORMATS if form in found}


def _measured(measurement: Measurement) -> dict[str, Rate]:
    found: dict[str, Rate] = {}
    for figure in measurement.figures:
        kind, _, form = figure.name.partition("_")
        if kind in PEAKS and form in FORMATS and (form not in found or figure.value > found[form].high):
            note = f"{figure.name}; the law counts the theoretical peak, which is at least this"
            found[form] = Rate(figure.value, figure.value, "estimate", SOURCE, note)
    return found


def _with_tiles(found: dict[str, Rate], flag: str, measurement: Measurement) -> None:
    """Widen the rate of a format to what a tile unit reaches at the measured clock."""
    form, flop_a_cycle = TILES[flag]
    clock, threads = measurement.value("clock"), measurement.device.get("threads")
    if clock and threads:
        high = flop_a_cycle * clock * threads / 1e3
        low = min(found[form].low if form in found else (measurement.value("fma_fp32") or high), high)
        note = f"{flag} is there and was not timed: {flop_a_cycle} operations a cycle at the measured clock at most"
        found[form] = Rate(low, high, "recalled", RECALLED, note)


def text_of(measurement: Measurement) -> str:
    """Return the text of the chip file."""
    return "\n".join(line for part in _parts(measurement) for line in part) + "\n"


def check_target(path: Path) -> None:
    """Refuse a place where no file can be written, before anything is measured.

    Raises
    ------
    PerfcoreError
        If it is a folder, or in none.
    """
    if path.is_dir():
        raise PerfcoreError(f"-o {path}: this is a folder; give a file")
    if not os.access(path.parent, os.W_OK):
        raise PerfcoreError(f"-o {path}: its folder is not there, or nothing can be written to it; give another path")


def write(measurement: Measurement, path: Path) -> None:
    """Write the chip file: whole or not at all.

    Raises
    ------
    PerfcoreError
        If it cannot be written there.
    """
    text = text_of(measurement)
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        made = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        made.chmod(0o644)
        made.replace(path)
    except OSError as problem:
        raise PerfcoreError(f"-o {path}: cannot be written: {problem.strerror or problem}; give another path") from None
    finally:
        if made is not None:
            made.unlink(missing_ok=True)


def _parts(measurement: Measurement) -> Iterator[list[str]]:
    rates = rates_of(measurement)
    yield _head(measurement)
    if rates:
        yield ["", "[peak_dense_tflops]", *(f"{form} = {_interval(rate)}" for form, rate in rates.items())]
    yield from _caches(measurement)
    yield _memory(measurement)
    yield _how(measurement, rates)
    yield from (_figure(one) for one in measurement.figures)
    for form, rate in rates.items():
        yield _evidence(f"peak_dense_tflops.{form}", rate.mark, rate.source, rate.note)
    if best_stream(measurement):
        note = f"{_best(measurement).name}; the datasheet's bandwidth is more"
        yield _evidence("memory.bandwidth_gb_s", "estimate", SOURCE, note)


def _head(measurement: Measurement) -> list[str]:
    device = measurement.device
    threads = device.get("threads")
    cores = f", {threads} core{'s' if threads != 1 else ''}" if threads else ""
    lines = [f"# Written by perfcore measure {measurement.kind}; docs/measure.md says how it measures."]
    lines += [f"# NOT A RESULT. {reason}" for reason in map(_printable, measurement.refused)]
    lines.append(f"name = {_quoted(str(device.get('name') or measurement.kind) + cores)}")
    if device.get("vendor"):
        lines.append(f"vendor = {_quoted(str(device['vendor']))}")
    if device.get("multiprocessors"):
        lines.append(f"multiprocessors = {int(device['multiprocessors'])}")
    note = "What the process was allowed to use of it, at the rates it reached; not a datasheet."
    return [*lines, f"note = {_quoted(note)}"]


def _caches(measurement: Measurement) -> Iterator[list[str]]:
    """Yield each level with its size, all instances together, and the best rate of all cores."""
    for cache in measurement.device.get("caches", ()):
        lines = ["", "[[cache]]", f"name = {_quoted(str(cache['name']))}"]
        if cache.get("size"):
            lines.append(f"capacity_mb = {_number(cache['size'] * cache.get('instances', 1) / 1e6)}")
        streams = [one for one in measurement.figures if _is_stream(one, str(cache["name"]).lower())]
        if streams:
            best = max(streams, key=lambda one: one.value)
            lines += [f"bandwidth_gb_s = {_number(best.value)}", f"note = {_quoted(best.name)}"]
        yield lines


def _is_stream(figure: Figure, level: str) -> bool:
    return figure.unit == "GB/s" and figure.name.startswith(f"{level}_") and not figure.name.endswith("_one_core")


def best_stream(measurement: Measurement) -> float:
    """Return the best rate of main memory [GB/s], 0 where none was measured."""
    streams = [one.value for one in measurement.figures if _is_stream(one, "dram")]
    return max(streams, default=0.0)


def _best(measurement: Measurement) -> Figure:
    return max((one for one in measurement.figures if _is_stream(one, "dram")), key=lambda one: one.value)


def _memory(measurement: Measurement) -> list[str]:
    capacity = measurement.device.get("memory_gb")
    lines = [f"bandwidth_gb_s = {_number(best_stream(measurement))}"] if best_stream(measurement) else []
    lines += [f"capacity_gb = {_number(capacity)}"] if capacity else []
    return ["", "[memory]", *lines] if lines else []


def _how(measurement: Measurement, rates: Mapping[str, Rate]) -> list[str]:
    conditions = measurement.conditions
    loads = [conditions[key] for key in ("load_before", "load_during", "load_after") if key in conditions]
    spreads = [one.spread for one in measurement.figures if one.unit in ("TFLOP/s", "GB/s")]
    numbers = {
        "clock_mhz": conditions.get("clock_end_mhz"),
        "load": max(loads, default=None),
        "spread": max(spreads, default=None),
        "gemm_share": gemm_share(measurement, rates),
        "stream_share": stream_share(measurement),
    }
    lines = ["", "[measured]", f"kind = {_quoted(measurement.kind)}", f"version = {_quoted(__version__)}"]
    if "date" in conditions:
        lines.append(f"date = {date.fromisoformat(str(conditions['date'])).isoformat()}")
    if measurement.device.get("threads"):
        lines.append(f"threads = {measurement.device['threads']}")
    lines += [f"{name} = {_number(value)}" for name, value in numbers.items() if value is not None]
    if measurement.refused:
        lines.append(f"refused = [{', '.join(map(_quoted, measurement.refused))}]")
    return lines


def gemm_share(measurement: Measurement, rates: Mapping[str, Rate]) -> float | None:
    """Return the median over the formats of what a large matrix product reaches of the peak in the file."""
    shares = [
        figure.median / rates[form].high for form in rates if (figure := measurement.figure(f"gemm_{form}")) is not None
    ]
    return statistics.median(shares) if shares else None


def stream_share(measurement: Measurement) -> float | None:
    """Return what a plain triad reaches of the memory bandwidth in the file."""
    triad = measurement.figure("dram_triad")
    return None if triad is None else triad.median / best_stream(measurement)


def _figure(figure: Figure) -> list[str]:
    lines = ["", "[[measured.figure]]", f"name = {_quoted(figure.name)}", f"value = {_number(figure.value)}"]
    lines += [f"unit = {_quoted(figure.unit)}", f"median = {_number(figure.median)}"]
    lines.append(f"spread = {_number(figure.spread)}")
    return [*lines, f"note = {_quoted(figure.note)}"] if figure.note else lines


def _evidence(key: str, mark: str, source: str, note: str) -> list[str]:
    said = {"keys": [key], "source": source, "locator": "perfcore measure", "mark": mark, "note": note}
    return ["", "[[evidence]]", *(f"{name} = {json.dumps(value)}" for name, value in said.items())]


def _interval(rate: Rate) -> str:
    if rate.low == rate.high:
        return _number(rate.low)
    return f"{{ low = {_number(rate.low)}, high = {_number(rate.high)} }}"


def _number(value: float) -> str:
    """Return six digits: more than any clock gives.

    >>> _number(1234567.0), _number(0.25), _number(32)
    ('1234570', '0.25', '32')
    """
    return f"{float(f'{value:.6g}'):.12f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return json.dumps(_printable(text), ensure_ascii=False)


def _printable(text: str) -> str:
    """Return text as TOML may hold it: on one line, without control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip() or "unknown"


def figures_in(chip: Item, kind: str) -> dict[str, float]:
    """Return the figures of a measured file by name.

    Raises
    ------
    PerfcoreError
        If it holds none, or those of another kind of device.
    """
    measured = chip.document.get("measured", {})
    rows = measured.get("figure", ())
    if not rows or measured.get("kind") != kind:
        found = f"a measurement of a {measured['kind']}" if rows and "kind" in measured else "no measured figures"
        raise PerfcoreError(f"{chip.path}: holds {found}; give a file that perfcore measure {kind} wrote")
    return {row["name"]: _plain(chip, row) for row in rows}


def _plain(chip: Item, row: Mapping[str, Any]) -> float:
    if isinstance(row["value"], str | dict):
        raise PerfcoreError(f"{chip.path}: measured.figure {row['name']}: found {row['value']!r}; allowed: one number")
    return float(row["value"])
