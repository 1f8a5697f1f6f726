"""Fit the constants of serving engines to published speeds, and say what the fit is worth.

    python benchmarks/calibrate_serving.py [TABLE]                       fit and report
    python benchmarks/calibrate_serving.py --write                       and write into specs/engines
    python benchmarks/calibrate_serving.py --leave-out FILE [--write]    leave chips, models and engines out of the fit

An engine has three free constants at most (``free`` in its file), pulled to the neutral ones of
specs/engines/default.toml; the shares of the chips are those of training and are not fitted here. Rows weigh less the
more of their source and chip there are. What is left out: each chip of each engine, each model of each engine, and each
engine whole, which then has the neutral constants. Where an engine was measured on one chip only, leaving that chip out
is leaving the engine out.
"""

import argparse
import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median

import numpy as np

from perfcore import engines
from perfcore.cells import SkippedError, read_rows
from perfcore.errors import PerfcoreError
from perfcore.inference_cases import Case, case_of
from perfcore.machine import known_id
from perfcore.reader import SPECS, read_toml
from perfcore.table_kinds import kind_named, published

SCALE = 0.06  # of a log ratio: noise between software versions of one engine
GROUP_WEIGHT = -0.35
ITERATIONS = 25
LEVEL = 0.8
# Rows the fit does not use: eager PyTorch in 32 bit, versions and settings that are not the engine's own.
UNUSED_SOURCES = ("neusight-inf", "nemo-ft-latency")
INTERVALS = SPECS / "serving_intervals.toml"
COLUMNS = ("row_id", "source", "chip", "model", "engine", "left_out", "kind", "moe", "measured_s", "left_out_s")
KINDS = {"model": "known", "chip": "new_chip", "engine": "new_engine"}


def read(table: Path | None) -> list[Case]:
    """Read the cases of a table, or the published key rows."""
    kind = kind_named("inference")
    rows = read_rows(table, kind.needed) if table else published("inference")
    cases = []
    for number, row in enumerate(rows, 1):
        if row.text("source_id") in UNUSED_SOURCES or row.text("key_row") not in ("", "1"):
            continue
        try:
            cases.append(neutral(case_of(row, number)))
        except (SkippedError, PerfcoreError) as problem:
            print(f"skipped {row.text('row_id')}: {problem}")
    return cases


def neutral(case: Case) -> Case:
    """Return a case under the neutral constants of its engine; chips keep the shares fitted to training."""
    return with_constants(case, dict(engines.load(engine_of(case), "neutral").constants))


def engine_of(case: Case) -> str:
    return case.question.setting.software.id


def with_constants(case: Case, constants: dict[str, float]) -> Case:
    """Return a case under other constants of its engine."""
    setting = case.question.setting
    used = replace(setting.software, constants={**setting.software.constants, **constants})
    return replace(case, question=replace(case.question, setting=replace(setting, software=used)))


def log_error(case: Case, constants: dict[str, float]) -> float:
    return float(np.log(with_constants(case, constants).predicted_s() / case.measured_s))


def widths() -> dict[str, float]:
    document = read_toml(SPECS / "engines" / "default.toml")
    return {name: float(value) for name, value in document["neutral_width"].items()}


def fit(cases: list[Case], engine: str) -> dict[str, float]:
    """Fit the free constants of an engine by Gauss-Newton steps on the soft L1 loss, pulled to the neutral ones."""
    used = engines.load(engine, "neutral")
    names = list(used.document.get("free", ()))
    if not cases or not names:
        return {}
    width = np.array([widths()[name] for name in names])
    start = np.log([max(used.constants[name], 1e-3) for name in names])
    sizes = Counter((case.source, case.chip) for case in cases)
    weights = np.array([sizes[case.source, case.chip] ** GROUP_WEIGHT for case in cases])

    def constants(point: np.ndarray) -> dict[str, float]:
        found = dict(zip(names, np.exp(point).tolist(), strict=True))
        return found | {"stream_efficiency": min(found["stream_efficiency"], 0.95)}

    def residual(point: np.ndarray) -> np.ndarray:
        chosen = constants(point)
        return np.array([log_error(case, chosen) for case in cases]) / SCALE

    def loss(point: np.ndarray, off: np.ndarray) -> float:
        return float(np.sum(weights * 2 * (np.sqrt(1 + off**2) - 1)) + np.sum(((point - start) / width) ** 2))

    point, damping = start.copy(), 1e-3
    off = residual(point)
    best = loss(point, off)
    for _ in range(ITERATIONS):
        slopes = np.stack([(residual(point + 1e-4 * step) - off) / 1e-4 for step in np.eye(len(names))], axis=1)
        pulled = weights / np.sqrt(1 + off**2)
        curvature = slopes.T @ (slopes * pulled[:, None]) + np.diag(1 / width**2)
        gradient = slopes.T @ (pulled * off) + (point - start) / width**2
        gained = 0.0
        for _ in range(12):
            trial = point - np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
            trial_off = residual(trial)
            trial_loss = loss(trial, trial_off)
            if trial_loss < best:
                gained = best - trial_loss
                point, off, best, damping = trial, trial_off, trial_loss, max(damping / 5, 1e-5)
                break
            damping *= 5
        if gained < 1e-4 * best:
            break
    return constants(point)


def fit_all(cases: list[Case]) -> dict[str, dict[str, float]]:
    used = sorted({engine_of(case) for case in cases})
    return {engine: fit([case for case in cases if engine_of(case) == engine], engine) for engine in used}


def error(case: Case, constants: dict[str, float]) -> float:
    """Return predicted time over measured time, less 1."""
    return with_constants(case, constants).predicted_s() / case.measured_s - 1.0


def line(name: str, errors: list[float]) -> str:
    size = [abs(one) * 100 for one in errors]
    figures = f"{fmean(size):7.1f}{median(size):8.1f}{max(size):7.1f}{fmean(errors) * 100:+7.1f}"
    return f"{name:52}{len(errors):4}{figures}"


def report(cases: list[Case], fitted: dict[str, dict[str, float]]) -> None:
    groups = defaultdict(list)
    for case in cases:
        one = error(case, fitted[engine_of(case)])
        kind = "moe" if case.question.model.experts else "dense"
        for name in ("all", kind, f"{case.source}, {case.chip}, {case.way}"):
            groups[name].append(one)
    plain = [case.roofline_s() / case.measured_s - 1.0 for case in cases]
    print(f"{'':52}{'n':>4}{'mean':>7}{'median':>8}{'max':>7}{'bias':>7}")
    for name in sorted(groups):
        print(line(name, groups[name]))
    print(line("plain roofline, of time", plain))
    rates = [1.0 / (1.0 + one) - 1.0 for one in plain]
    print(line("plain roofline, of speed", rates))


def parts(cases: list[Case], key: Callable[[Case], str]) -> dict[tuple[str, str], list[Case]]:
    found = defaultdict(list)
    for case in cases:
        found[engine_of(case), key(case)].append(case)
    return found


def left_out(cases: list[Case]) -> list[tuple[str, ...]]:
    """Return the prediction of each row when its chip, its model or its engine was left out of the fit."""
    lines = []
    keys: dict[str, Callable[[Case], str]] = {
        "model": lambda case: case.model,
        "chip": lambda case: case.chip,
        "engine": lambda case: "",
    }
    for name, key in keys.items():
        for (engine, value), test in sorted(parts(cases, key).items()):
            train = [case for case in cases if engine_of(case) == engine and key(case) != value]
            constants = fit(train, engine)
            kind = KINDS[name] if train else "new_engine"
            for case in test:
                seconds = with_constants(case, constants).predicted_s()
                moe = "moe" if case.question.model.experts else "dense"
                figures = [f"{number:.6g}" for number in (case.measured_s, seconds)]
                lines.append((case.row_id, case.source, case.chip, case.model, engine, name, kind, moe, *figures))
            errors = [error(case, constants) for case in test]
            print(line(f"without {name} {engine} {value}", errors), flush=True)
    return lines


def summary(lines: list[tuple[str, ...]]) -> None:
    """Print the error of rows left out: by what was left out, dense and MoE, and where something was left to fit."""
    for name in KINDS:
        mine = [one for one in lines if one[5] == name]
        for what, chosen in (
            (name, mine),
            (f"{name}, dense", [one for one in mine if one[7] == "dense"]),
            (f"{name}, MoE", [one for one in mine if one[7] == "moe"]),
            (f"{name}, the engine known", [one for one in mine if one[6] != "new_engine"]),
        ):
            if chosen:
                print(line(f"left out: {what}", [float(one[9]) / float(one[8]) - 1 for one in chosen]))
    by_source = defaultdict(list)
    for one in lines:
        by_source[one[5], one[1]].append(abs(float(one[9]) / float(one[8]) - 1))
    for name in KINDS:
        means = [fmean(size) for (kind, _), size in by_source.items() if kind == name]
        print(f"left out: {name}, mean over sources {fmean(means) * 100:.1f}")


def half_width(lines: list[tuple[str, ...]]) -> float:
    """Return the level's quantile of |log(measured / predicted)|; a source of n rows weighs n^-0.35 a row."""
    sizes = Counter(one[1] for one in lines)
    pairs = sorted((abs(np.log(float(one[8]) / float(one[9]))), sizes[one[1]] ** GROUP_WEIGHT) for one in lines)
    reached, whole = 0.0, sum(weight for _, weight in pairs)
    for size, weight in pairs:
        reached += weight
        if reached >= LEVEL * whole:
            return float(size)
    return float(pairs[-1][0])


def intervals(lines: list[tuple[str, ...]], path: Path | None) -> None:
    """Print, and write if asked, the 80 % interval of each kind of prediction; mixtures of experts are one of them."""
    text = INTERVAL_HEAD
    for kind in ("known", "new_chip", "new_engine", "moe"):
        mine = [one for one in lines if kind == (one[6] if one[7] == "dense" else "moe")]
        width = half_width(mine)
        ends = (np.exp(-width), np.exp(width))
        print(f"{kind:12} 80 % interval {ends[0]:.3f} to {ends[1]:.3f} of the prediction, {len(mine)} rows")
        text += f"[{kind}]\nlow_ratio = {ends[0]:.3f}\nhigh_ratio = {ends[1]:.3f}\nrows = {len(mine)}\n\n"
    if path:
        path.write_text(text + INTERVAL_TAIL, "utf-8")


INTERVAL_HEAD = """\
# Measured over predicted time of serving, by what was known beforehand, when a model, a chip or an engine was left out
# of the fit: as wide as it must be for 80 % of the rows to lie inside, sources weighed. Mixtures of experts have one of
# their own, whatever was known of engine and chip: their rows are few, and lie farther off.
# Written by benchmarks/calibrate_serving.py --leave-out FILE --write.

"""
INTERVAL_TAIL = """\
[[evidence]]
keys = ["known", "new_chip", "new_engine", "moe"]
source = "perfcore_calibration"
locator = "benchmarks/calibrate_serving.py --leave-out"
mark = "derived"
"""


def save(lines: list[tuple[str, ...]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)


def write(cases: list[Case], fitted: dict[str, dict[str, float]]) -> None:
    """Write the fitted constants into the files of the engines."""
    for engine, constants in fitted.items():
        if not constants:
            continue
        mine = [case for case in cases if engine_of(case) == engine]
        chips = sorted({known_id(case.question.setting.chip) for case in mine})
        sources = sorted({case.source for case in mine})
        formats = sorted({case.question.setting.precision.name for case in mine})
        block = ["[fitted]", *(f"{name} = {value:.3f}" for name, value in constants.items()), "", "[fit]"]
        block += [f"rows = {len(mine)}", f"sources = {quoted(sources)}"]
        block += [f"chips = {quoted(chips)}", f"formats = {quoted(formats)}"]
        block += [f"residual = {fmean(abs(error(case, constants)) for case in mine):.3f}", ""]
        block += ["[[evidence]]", 'keys = ["fitted", "fit"]', 'source = "perfcore_calibration"']
        block += ['locator = "benchmarks/calibrate_serving.py --write"', 'mark = "derived"']
        block += ['note = "Pulled to the neutral values; see docs/inference.md."', ""]
        path = SPECS / "engines" / f"{engine}.toml"
        text = re.sub(r"\n*\[fitted\]\n.*?note = \"Pulled[^\n]*\n", "\n", path.read_text("utf-8"), flags=re.S)
        path.write_text(text.rstrip("\n") + "\n\n" + "\n".join(block), "utf-8")


def quoted(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def main() -> None:
    """Fit, report, and write if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--write", action="store_true", help="write the constants, or the intervals, into specs/")
    parser.add_argument("--leave-out", type=Path, metavar="FILE", help="predictions of what was left out")
    options = parser.parse_args()
    cases = read(options.table)
    if options.leave_out:
        lines = left_out(cases)
        save(lines, options.leave_out)
        summary(lines)
        intervals(lines, INTERVALS if options.write else None)
        return
    fitted = fit_all(cases)
    for engine, constants in fitted.items():
        print(f"{engine:26}" + ", ".join(f"{name} {value:.3f}" for name, value in constants.items()))
    report(cases, fitted)
    if options.write:
        write(cases, fitted)


if __name__ == "__main__":
    main()
