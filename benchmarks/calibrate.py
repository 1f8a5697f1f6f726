"""Fit the few constants of chip generations and software eras to published step times, and say what it is worth.

    python benchmarks/calibrate.py                  fit on all rows that count, print what changes
    python benchmarks/calibrate.py --write          and write [fitted] and [fit] into specs/
    python benchmarks/calibrate.py --leave-out F    leave each source out in turn; predictions go to F (CSV)
    ... --without PATTERN --leave-out F             leave out at once the rows whose model's name holds PATTERN

Rows are those of specs/measurements, or of a table of the same columns. Those that count: level A and key rows of the
table, and the truncated models of simumax-b200. Each constant is pulled to
its neutral value (kernels, counted bytes) by the width in its file; the loss is soft L1 of the log ratio on a scale of
4 %, a group of n rows of one source and chip weighs n^-0.35 a row. Memory and link efficiency are not fitted.
"""

import argparse
import csv
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numba
import numpy as np

from perfcore import efficiency, kernels
from perfcore.cells import SkippedError, read_rows
from perfcore.formulas.records import Machine, Model, Plan, Software, Work
from perfcore.formulas.step import step_time
from perfcore.measurements import NEEDED, Case, case_of
from perfcore.reader import read_toml
from perfcore.validation import published

SCALE, GROUP_WEIGHT, ITERATIONS = 0.04, -0.35, 15
SHARES = {16: "gemm_16bit", 8: "gemm_8bit", 4: "gemm_4bit"}
SPECS = Path(efficiency.FOLDER).parent
INTERVALS = SPECS / "intervals.toml"
# The printed layers, batch and time of these imply more than the chip's peak (140 to 190 % of it).
# Level B for one thing that is not stated: ZeRO-1 of SimuMax, recomputation on Trainium, micro-batches of 2020.
ALSO = ("simumax-b200", "aws-trn1", "megatron-2020-readme")
IMPOSSIBLE = ("bloom-prequel-052", "bloom-prequel-053", "bloom-prequel-054")


class Constant(NamedTuple):
    """One number of the fit: of a generation or a software, with its neutral value and width."""

    table: str
    owner: str
    name: str
    neutral: float
    width: float


@dataclass
class Rows:
    """The cases as arrays of records, on neutral constants."""

    cases: list[Case]
    models: np.ndarray
    plans: np.ndarray
    works: np.ndarray
    dealt: np.ndarray
    machines: np.ndarray
    softs: np.ndarray

    @property
    def measured(self) -> np.ndarray:
        """Return the measured times [s]."""
        return np.array([case.measured_s for case in self.cases])

    def subset(self, index: np.ndarray) -> "Rows":
        """Return some of the rows."""
        picked = [self.cases[i] for i in index]
        arrays = (self.models, self.plans, self.works, self.dealt, self.machines, self.softs)
        return Rows(picked, *(array[index] for array in arrays))


def _loop():
    """Compile the loop over rows; the constructors are written out from the fields of the records."""
    records = {"Model": "m", "Plan": "p", "Work": "w", "Machine": "c", "Software": "s"}
    made = {}
    for record in (Model, Plan, Work, Machine, Software):
        array = records[record.__name__]
        made[array] = f"{record.__name__}({', '.join(f'{array}[i, {k}]' for k in range(len(record._fields)))})"
    source = (
        "def loop(m, p, w, d, c, s, out):\n    for i in range(len(out)):\n"
        f"        out[i] = step({made['m']}, {made['p']}, {made['w']}, d[i], {made['c']}, {made['s']}).time_s\n"
    )
    names = {"step": numba.njit(step_time), **{r.__name__: r for r in (Model, Plan, Work, Machine, Software)}}
    exec(source, names)
    return numba.njit(names["loop"])


assert kernels.compiled  # importing it registers the formulas with numba
LOOP = _loop()


def seconds(rows: Rows) -> np.ndarray:
    """Predict every row."""
    out = np.empty(len(rows.cases))
    LOOP(rows.models, rows.plans, rows.works, rows.dealt, rows.machines, rows.softs, out)
    return out


def read(path: Path | None) -> Rows:
    """Read the rows that count."""
    cases = []
    for number, row in enumerate(read_rows(path, NEEDED) if path else published(), 1):
        counts = row.text("repro_level") == "A" and row.text("key_row") == "1"
        other = row.text("source_id") in ALSO and row.text("key_row") == "1"
        if row.text("row_id") in IMPOSSIBLE or not (counts or other):
            continue
        try:
            cases.append(case_of(row, number, "neutral"))
        except SkippedError as reason:
            print(f"skipped {row.text('row_id')}: {reason}", file=sys.stderr)
    questions = [case.question for case in cases]
    return Rows(
        cases,
        np.array([q.model for q in questions]),
        np.array([q.plan for q in questions]),
        np.array([q.work for q in questions]),
        np.array([q.dealt for q in questions]),
        np.array([q.machine() for q in questions]),
        np.array([q.soft() for q in questions]),
    )


def generation_of(case: Case) -> str:
    return efficiency.for_chip(case.question.setting.chip.id, "neutral").generation


def constants_of(cases: list[Case]) -> list[Constant]:
    """Return the constants that some case depends on."""
    found = {}
    for case in cases:
        setting = case.question.setting
        known = efficiency.for_chip(setting.chip.id, "neutral")
        for name in {"gemm_16bit", SHARES[setting.precision.bits], "attention"}:
            key = ("efficiency", known.generation, name)
            found[key] = Constant(*key, getattr(known, name), getattr(known, f"{name}_width"))
        document = setting.software.document
        for name, value in document["neutral"].items():
            key = ("software", setting.software.id, name)
            if name != "overlap" or 0 < value < 1:
                found[key] = Constant(*key, float(value), float(document["neutral_width"][name]))
    return [found[key] for key in sorted(found)]


def affected(constant: Constant, cases: list[Case]) -> np.ndarray:
    """Return the rows a constant changes."""
    if constant.table == "efficiency":
        return np.array([i for i, case in enumerate(cases) if generation_of(case) == constant.owner])
    return np.array([i for i, case in enumerate(cases) if case.question.setting.software.id == constant.owner])


def apply(rows: Rows, constants: list[Constant], values: np.ndarray) -> Rows:
    """Return the rows with other constants."""
    machines, softs = rows.machines.copy(), rows.softs.copy()
    machine, soft = Machine._fields.index, Software._fields.index
    bits = np.array([case.question.setting.precision.bits for case in rows.cases])
    for constant, value in zip(constants, values, strict=True):
        index = affected(constant, rows.cases)
        if not len(index):
            continue
        ratio = value / constant.neutral
        if constant.name in SHARES.values():
            width = next(b for b, name in SHARES.items() if name == constant.name)
            machines[index[bits[index] == width], machine("gemm_flop_s")] *= ratio
            if width == 16:
                machines[index, machine("wide_gemm_flop_s")] *= ratio
        elif constant.name == "attention":
            machines[index, machine("attention_flop_s")] *= ratio
        elif constant.name == "link_factor":
            for field in ("link_bytes_s", "network_bytes_s"):
                machines[index, machine(field)] *= ratio
        else:
            softs[index, soft(constant.name)] = value
    return Rows(rows.cases, rows.models, rows.plans, rows.works, rows.dealt, machines, softs)


def free(constant: Constant, value: float) -> float:
    """Return a constant on the scale it is fitted on: logarithmic, but for the overlap."""
    return value if constant.name == "overlap" else float(np.log(value))


def bound(constants: list[Constant], free_values: np.ndarray) -> np.ndarray:
    """Return constants from the scale they are fitted on."""
    pairs = zip(constants, free_values, strict=True)
    return np.array([min(max(v, 0.0), 0.97) if c.name == "overlap" else np.exp(v) for c, v in pairs])


def fit(rows: Rows) -> tuple[list[Constant], np.ndarray]:
    """Fit by Gauss-Newton steps on the soft L1 loss, with the pull to the neutral values."""
    constants = constants_of(rows.cases)
    start = np.array([free(c, c.neutral) for c in constants])
    widths = np.array([c.width for c in constants])
    groups = Counter((case.source, case.chip) for case in rows.cases)
    weights = np.array([groups[case.source, case.chip] ** GROUP_WEIGHT for case in rows.cases])
    touched = [affected(c, rows.cases) for c in constants]
    wanted = np.log(rows.measured)

    def residual(point: np.ndarray, index: np.ndarray | None = None) -> np.ndarray:
        part = rows if index is None else rows.subset(index)
        aim = wanted if index is None else wanted[index]
        return (np.log(seconds(apply(part, constants, bound(constants, point)))) - aim) / SCALE

    def loss(point: np.ndarray, off: np.ndarray) -> float:
        pull = np.sum(((point - start) / widths) ** 2)
        return float(np.sum(weights * 2 * (np.sqrt(1 + off**2) - 1)) + pull)

    point, damping = start.copy(), 1e-3
    off = residual(point)
    best = loss(point, off)
    for _ in range(ITERATIONS):
        slopes = np.zeros((len(rows.cases), len(constants)))
        for j, index in enumerate(touched):
            moved = point.copy()
            change = -1e-4 if constants[j].name == "overlap" and point[j] > 0.9 else 1e-4
            moved[j] += change
            slopes[index, j] = (residual(moved, index) - off[index]) / change
        pulled = weights / np.sqrt(1 + off**2)
        curvature = slopes.T @ (slopes * pulled[:, None]) + np.diag(1 / widths**2)
        gradient = slopes.T @ (pulled * off) + (point - start) / widths**2
        for _ in range(12):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), -gradient)
            trial = point + step
            for j, constant in enumerate(constants):
                if constant.name == "overlap":
                    trial[j] = min(max(trial[j], 0.0), 0.97)
            trial_off = residual(trial)
            trial_loss = loss(trial, trial_off)
            if trial_loss < best:
                break
            damping *= 5
        gained = best - trial_loss
        if gained <= 0:
            break
        point, off, best, damping = trial, trial_off, trial_loss, max(damping / 5, 1e-5)
        if gained < 1e-4 * best:
            break
    return constants, bound(constants, point)


def report(errors: dict[tuple[str, str], list[float]]) -> None:
    """Print error by source and chip, in percent of the measured time."""
    print(f"{'source':24}{'chip':24}{'n':>4}{'mean':>7}{'median':>8}{'max':>7}{'bias':>7}")
    every = [e for group in errors.values() for e in group]
    for (source, chip), group in [*sorted(errors.items()), (("all", ""), every)]:
        size = [abs(e) * 100 for e in group]
        print(
            f"{source:24}{chip:24}{len(group):4}{fmean(size):7.1f}{median(size):8.1f}{max(size):7.1f}"
            f"{fmean(group) * 100:+7.1f}"
        )


def by_group(cases: list[Case], errors: np.ndarray) -> dict[tuple[str, str], list[float]]:
    groups = defaultdict(list)
    for case, error in zip(cases, errors, strict=True):
        groups[case.source, case.chip].append(float(error))
    return groups


def kind_of(case: Case, train: list[Case]) -> str:
    """Say what is new about a case that was left out: its chip generation, its software, or neither."""
    if generation_of(case) not in {generation_of(other) for other in train}:
        return "new_chip"
    used = {other.question.setting.software.id for other in train}
    return "known" if case.question.setting.software.id in used else "new_software"


def carried(test: Rows, constants: list[Constant], values: np.ndarray) -> Rows:
    """Give generations without step times what their family's, or all families', ask for (as perfcore.efficiency)."""
    ratios: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in (*SHARES.values(), "attention")}
    fitted = {(c.owner, c.name) for c in constants if c.table == "efficiency"}
    for constant, value in zip(constants, values, strict=True):
        if constant.table == "efficiency":
            ratios[constant.name][family_of(constant.owner)].append(value / constant.neutral)
    mine = [c for c in constants_of(test.cases) if c.table == "efficiency" and (c.owner, c.name) not in fitted]
    wanted = []
    for constant in mine:
        known = ratios[constant.name]
        own = known.get(family_of(constant.owner)) or [fmean(r) for r in known.values()] or [1.0]
        wanted.append(constant.neutral * fmean(own))
    return apply(test, mine, np.array(wanted))


def family_of(generation: str) -> str:
    return str(read_toml(SPECS / "efficiency" / f"{generation}.toml")["family"])


def predicted_without(rows: Rows, name: str, left: np.ndarray) -> list[tuple[str, ...]]:
    """Fit on the other rows and predict those left out: a line each."""
    train, test = rows.subset(np.flatnonzero(~left)), rows.subset(np.flatnonzero(left))
    constants, values = fit(train)
    neutral = seconds(test)
    predicted = seconds(apply(carried(test, constants, values), constants, values))
    errors = predicted / test.measured - 1
    kinds = [kind_of(case, train.cases) for case in test.cases]
    said = ", ".join(sorted(set(kinds)))
    print(f"{name:24}{fmean(abs(errors)) * 100:6.1f}{fmean(errors) * 100:+7.1f}  {said}", flush=True)
    times = [[f"{value:.6g}" for value in column] for column in (test.measured, predicted, neutral)]
    return [
        (case.row_id, case.source, case.chip, kind, *figures)
        for case, kind, *figures in zip(test.cases, kinds, *times, strict=True)
    ]


def of_model(pattern: str, table: Path | None, rows: Rows) -> np.ndarray:
    """Tell which rows are of a model whose name holds a pattern."""
    named = read_rows(table, NEEDED) if table else published()
    ids = {row.text("row_id") for row in named if pattern.lower() in row.text("model").lower()}
    return np.array([case.row_id in ids for case in rows.cases])


def save(lines: list[tuple[str, ...]], path: Path) -> None:
    """Write predictions of rows left out."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row_id", "source", "chip", "kind", "measured_s", "left_out_s", "neutral_s"))
        writer.writerows(lines)


def leave_out(rows: Rows, path: Path, write_too: bool) -> None:
    """Leave each source out in turn and write what is then predicted."""
    lines = []
    for source in sorted({case.source for case in rows.cases}):
        lines += predicted_without(rows, source, np.array([case.source == source for case in rows.cases]))
    save(lines, path)
    intervals(lines, INTERVALS if write_too else None)
    for kind in KINDS:
        size = [abs(float(line[5]) / float(line[4]) - 1) * 100 for line in lines if line[3] == kind]
        if size:
            print(f"{kind:24}n={len(size):4} mean {fmean(size):5.1f} median {median(size):5.1f} max {max(size):5.1f}")


KINDS = ("known", "new_software", "new_chip")


def half_width(lines: list[tuple[str, ...]], level: float) -> float:
    """Return the quantile of |log(measured / predicted)|; a source of n rows weighs n^-0.35 a row."""
    sizes = Counter(line[1] for line in lines)
    pairs = sorted((abs(np.log(float(line[4]) / float(line[5]))), sizes[line[1]] ** GROUP_WEIGHT) for line in lines)
    reached, whole = 0.0, sum(weight for _, weight in pairs)
    for size, weight in pairs:
        reached += weight
        if reached >= level * whole:
            return float(size)
    return float(pairs[-1][0])


def coverage(lines: list[tuple[str, ...]], level: float) -> float:
    """Return the share of rows inside the interval that the other sources of their kind give."""
    inside = 0
    for kind in KINDS:
        mine = [line for line in lines if line[3] == kind]
        for name in {line[1] for line in mine}:
            width = half_width([line for line in mine if line[1] != name], level)
            inside += sum(abs(np.log(float(line[4]) / float(line[5]))) <= width for line in mine if line[1] == name)
    return inside / len(lines)


def intervals(lines: list[tuple[str, ...]], path: Path | None) -> None:
    """Print, and write if asked, the 80 % interval of each kind of prediction.

    Its level is the least at which 80 % of all rows lie inside the interval that sources other than their own give.
    """
    level = next(k / 100 for k in range(70, 100) if coverage(lines, k / 100) >= 0.8)
    print(f"level {level:.2f}: covers {coverage(lines, level):.0%} of the rows whose source was left out")
    blocks = []
    for kind in KINDS:
        mine = [line for line in lines if line[3] == kind]
        width = half_width(mine, level)
        print(f"{kind:16} 80 % interval {np.exp(-width):.3f} to {np.exp(width):.3f} of the prediction")
        table = (f"low_ratio = {np.exp(-width):.3f}", f"high_ratio = {np.exp(width):.3f}", f"rows = {len(mine)}")
        blocks.append("\n".join((f"[{kind}]", *table, "")))
    if path:
        path.write_text(INTERVAL_HEAD + "\n".join(blocks) + INTERVAL_TAIL, "utf-8")


INTERVAL_HEAD = """\
# Measured over predicted step time, when the source of a row was left out of the fit: an interval for each of what was
# known beforehand, as wide as it must be for 80 % of the rows to lie inside what sources other than their own give.
# Written by benchmarks/calibrate.py TABLE --leave-out FILE --write.

"""
INTERVAL_TAIL = """
[[evidence]]
keys = ["known", "new_software", "new_chip"]
source = "perfcore_calibration"
locator = "benchmarks/calibrate.py --leave-out"
mark = "derived"
"""


def write(rows: Rows, constants: list[Constant], values: np.ndarray) -> None:
    """Write the fitted constants into the files of their owners."""
    errors = seconds(apply(rows, constants, values)) / rows.measured - 1
    for table, owner in sorted({(c.table, c.owner) for c in constants}):
        path = SPECS / table / f"{owner}.toml"
        mine = [(c.name, v) for c, v in zip(constants, values, strict=True) if (c.table, c.owner) == (table, owner)]
        index = affected(Constant(table, owner, "", 1.0, 1.0), rows.cases)
        sources = sorted({rows.cases[i].source for i in index})
        block = ["[fitted]", *(f"{name} = {value:.3f}" for name, value in mine), "", "[fit]"]
        block += [f"rows = {len(index)}", f"sources = [{', '.join(chr(34) + s + chr(34) for s in sources)}]"]
        block += [f"residual = {fmean(abs(errors[index])):.3f}", "", "[[evidence]]", 'keys = ["fitted", "fit"]']
        block += ['source = "perfcore_calibration"', 'locator = "benchmarks/calibrate.py --write"', 'mark = "derived"']
        block += ['note = "Pulled to the neutral values; see docs/validation.md."', ""]
        text = path.read_text("utf-8")
        text = re.sub(r"\n*\[fitted\]\n.*?note = \"Pulled[^\n]*\n", "\n", text, flags=re.S).rstrip("\n")
        path.write_text(text + "\n\n" + "\n".join(block), "utf-8")


def main() -> None:
    """Fit, report, and write if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--write", action="store_true", help="write the constants into specs/")
    parser.add_argument("--leave-out", type=Path, metavar="FILE", help="predictions of each source left out")
    parser.add_argument("--without", metavar="PATTERN", help="leave out the rows of these models, not each source")
    options = parser.parse_args()
    if options.without and not options.leave_out:
        parser.error("--without: give the file of the predictions too, by --leave-out FILE")
    rows = read(options.table)
    neutral = seconds(rows) / rows.measured - 1
    size = abs(neutral) * 100
    print(f"neutral: mean {fmean(size):.1f}, median {median(size):.1f}, bias {fmean(neutral) * 100:+.1f}")
    if options.without:
        left = of_model(options.without, options.table, rows)
        if not left.any():
            parser.error(f"--without: no row's model holds {options.without!r}")
        save(predicted_without(rows, options.without, left), options.leave_out)
        return
    if options.leave_out:
        leave_out(rows, options.leave_out, options.write)
        return
    constants, values = fit(rows)
    for constant, value in zip(constants, values, strict=True):
        print(f"  {constant.table:11}{constant.owner:28}{constant.name:20}{constant.neutral:7.3f} -> {value:7.3f}")
    report(by_group(rows.cases, seconds(apply(rows, constants, values)) / rows.measured - 1))
    if options.write:
        write(rows, constants, values)


if __name__ == "__main__":
    main()
