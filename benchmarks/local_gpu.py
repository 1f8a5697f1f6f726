"""The GPU of this machine beside its datasheet: measures, writes what was found, verifies, and writes that too.

    python benchmarks/local_gpu.py

Needs perfcore on the path, torch or cupy, and nvidia-ml-py for clocks and power; no network. Written under
benchmarks/results/, each file whole or not at all: ``<chip>_<library>.toml``, a chip file, and ``.json`` with every
figure, the comparison and the verification. ``--limit`` bounds the rounds: with the default a run should end within
six minutes. The chip file and the comparison are there before the verification begins: a run cut short keeps them.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from perfcore import __version__
from perfcore.chips import normal
from perfcore.errors import PerfcoreError
from perfcore.measure.chip_file import write
from perfcore.measure.figures import Measurement
from perfcore.measure.gpu import LIMIT_S, measure
from perfcore.measure.gpu_backends import GpuBackend, choose
from perfcore.measure.gpu_match import compared
from perfcore.measure.gpu_verify import verify

RESULTS = Path(__file__).resolve().parent / "results"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", type=int, default=0, help="number of the GPU (default: 0)")
    parser.add_argument("--library", choices=("torch", "cupy"), default="", help="default: torch, else cupy")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="no round begins after so many seconds")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds: to see that it runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: benchmarks/results)")
    return parser.parse_args()


def main() -> int:
    given = options()
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {what}", file=sys.stderr, flush=True)

    try:
        backend = choose(given.device, given.library)
        measurement = measure(backend, given.quick, say, given.device, limit_s=given.limit)
        return report(given, backend, measurement, say)
    except PerfcoreError as mistake:
        for line in mistake.lines:
            print(f"local_gpu: {line}", file=sys.stderr)
        return 2


def report(given: argparse.Namespace, backend: GpuBackend, measurement: Measurement, say: Any) -> int:
    """Write the chip file and the comparison, then the verification."""
    given.out.mkdir(parents=True, exist_ok=True)
    chip = measurement.device.get("catalogue") or normal(str(measurement.device["name"]))
    stem = given.out / f"{chip}_{backend.name.partition(' ')[0]}"
    found: dict[str, Any] = {
        "perfcore": __version__,
        "python": platform.python_version(),
        "measurement": measurement.to_dict(),
        "comparison": compared(measurement),
    }
    write_json(stem.with_suffix(".json"), found)
    write(measurement, stem.with_suffix(".toml"))
    show(found["comparison"], measurement)
    say("verifying")
    try:
        found["verification"] = verify(backend, measurement, given.quick).to_dict()
    except PerfcoreError as mistake:
        found["verification"] = {"failed": str(mistake)}
    write_json(stem.with_suffix(".json"), found)
    show_verified(found["verification"])
    print(f"\nwritten: {stem}.toml, {stem}.json")
    return 0


def write_json(path: Path, found: dict[str, Any]) -> None:
    """Write it whole, or leave what is there."""
    half = path.with_suffix(".json.tmp")
    half.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(half, path)


def show(comparison: dict[str, Any], measurement: Measurement) -> None:
    device = measurement.device
    print(f"{device['name']}: {comparison['chip'] or 'in no catalogue'} ({device.get('catalogue_by', '')})")
    sustained = measurement.conditions["sustained"]
    print(f"{'figure':<14}{'median':>10}{'datasheet':>11}{'share':>8}   sustained, MHz, W, slowed by")
    for figure in measurement.figures:
        beside = comparison["rates"].get(figure.name, {})
        print(f"{figure.name:<14}{figure.median:>10.4g}{cell(beside, 'specified')}{cell(beside, 'share')}   ", end="")
        print(said(sustained.get(figure.name, {})))
    print(f"{'TPP':<14}{comparison['tpp']['measured']:>10.5g}{cell(comparison['tpp'], 'specified')}", end="")
    print(cell(comparison["tpp"], "share"))
    for form, beside in comparison["ridge_flop_per_byte"].items():
        print(f"{'ridge ' + form:<14}{beside['measured']:>10.4g}{cell(beside, 'specified')}{cell(beside, 'share')}")
    for name, why in measurement.conditions["skipped"].items():
        print(f"skipped: {name}: {why}")
    for why in measurement.refused:
        print(f"NOT A RESULT: {why}")


def cell(beside: dict[str, Any], key: str) -> str:
    value = beside.get(key)
    if value is None:
        return f"{'-':>11}" if key == "specified" else f"{'-':>8}"
    return f"{value:>11.5g}" if key == "specified" else f"{value:>8.1%}"


def said(state: dict[str, Any]) -> str:
    if "value" not in state:
        return state.get("skipped", "")
    numbers = [f"{state[key]:.5g}" if key in state else "?" for key in ("value", "sm_mhz", "power_w")]
    return ", ".join([*numbers, " and ".join(state.get("slowed_by", ())) or "nothing"])


def show_verified(verified: dict[str, Any]) -> None:
    if "failed" in verified:
        print(f"\nnot verified: {verified['failed']}")
        return
    print(f"\n{'kernel':<36}{'predicted us':>14}{'measured us':>14}{'error':>9}")
    for row in verified["rows"]:
        print(
            f"{row['name']:<36}{row['predicted_s'] * 1e6:>14.5g}{row['measured_s'] * 1e6:>14.5g}{row['error']:>+9.1%}"
        )
    for name, why in verified["skipped"].items():
        print(f"skipped: {name}: {why}")
    print(f"median of the absolute errors: {verified['median_abs']:.1%}; the target is 10 %")


if __name__ == "__main__":
    sys.exit(main())
