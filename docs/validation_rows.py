"""What ``docs/validation.md`` rests on: the published runs with their predictions, and the errors of groups of them."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, median

from perfcore.cells import Row
from perfcore.machine import rate_of
from perfcore.measurements import Case, case_of
from perfcore.questions import flop_per_step
from perfcore.validation import published, validate

__all__ = ["KINDS", "Errors", "Run", "errors", "groups", "left_out_rows", "percent", "runs", "signed", "untimed"]

HERE = Path(__file__).parent
KINDS = {
    "known": "chip and software known",
    "new_software": "new software or site",
    "new_chip": "chip never seen end to end",
}
NOT_CONFIGURATION = {
    *("row_id", "source_id", "source_ref", "table_ref", "framework", "mode", "repro_level", "key_row", "mem_GiB"),
    *("metric", "step_time_s", "tokens_per_s_per_chip", "tflops_per_chip", "ref_gflop_per_token_full"),
}


@dataclass(frozen=True)
class Run:
    """A published run: its row, the case read from it, and errors of the step time (predicted / measured - 1)."""

    row: Row
    case: Case
    fitted: float
    neutral: float
    left_out: float
    kind: str
    constant: float  # one efficiency a chip and precision: the median of the other sources where there are any
    constant_own: float  # the same from all rows, its own among them

    @property
    def id(self) -> str:
        """Return the id of the row."""
        return self.case.row_id

    @property
    def moe(self) -> bool:
        """Tell whether the model is a mixture of experts."""
        return self.case.question.model.experts > 0

    @property
    def configuration(self) -> tuple[tuple[str, str], ...]:
        """Return the columns that say what was run, the release of the framework left aside."""
        cells = ((name, self.row.text(name)) for name in sorted(self.row.cells) if name not in NOT_CONFIGURATION)
        return tuple(cell for cell in cells if cell[1])


@dataclass(frozen=True)
class Errors:
    """Count, mean, median and maximum of the size of errors, and their mean with sign."""

    n: int
    mean: float
    median: float
    max: float
    bias: float


def errors(values: Iterable[float]) -> Errors:
    """Return the figures of some errors."""
    all_of = list(values)
    size = [abs(value) for value in all_of]
    return Errors(len(size), fmean(size), median(size), max(size), fmean(all_of))


def percent(share: float) -> str:
    """Print a share in percent, to 0.1; the noise of a machine's last digits does not reach it.

    >>> percent(0.0525), percent(0.0525 + 1e-15)
    ('5.2', '5.2')
    """
    return f"{round(share * 100, 7):.1f}"


def signed(share: float) -> str:
    """Print a share in percent with its sign; no minus before nothing.

    >>> signed(0.0123), signed(-0.0001)
    ('+1.2', '0.0')
    """
    shown = f"{round(share * 100, 7):+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown


@cache
def left_out_rows(name: str = "left_out.csv") -> dict[str, dict[str, str]]:
    """Return the lines of a table of predictions of rows left out of the fit, by row."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return {line["row_id"]: line for line in csv.DictReader(file)}


@cache
def runs() -> tuple[Run, ...]:
    """Return every published run that was timed, with its predictions."""
    fitted, neutral = validate(), validate(mode="neutral")
    found = []
    for number, (row, one, other) in enumerate(zip(published(), fitted.rows, neutral.rows, strict=True), 1):
        line = left_out_rows().get(one["row_id"])
        if one["skipped"] or line is None:
            continue
        left = float(line["left_out_s"]) / float(line["measured_s"]) - 1.0
        errors_of = (one["error"], other["error"], left, line["kind"], one["baseline_error"])
        found.append((row, case_of(row, number), *errors_of))
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _, case, *_ in found:
        shares[_chip_and_format(case)].append(_utilisation(case))
    return tuple(Run(*one, _utilisation(one[1]) / median(shares[_chip_and_format(one[1])]) - 1.0) for one in found)


def counted() -> tuple[Run, ...]:
    """Return the runs that the targets speak of: complete configurations (level A), near-duplicates left out."""
    return tuple(run for run in runs() if run.row.text("repro_level") == "A" and run.row.text("key_row") == "1")


def untimed() -> list[dict[str, str]]:
    """Return the published rows that could not be predicted: id and reason."""
    return [{"row_id": one["row_id"], "reason": one["skipped"]} for one in validate().rows if one["skipped"]]


def _chip_and_format(case: Case) -> tuple[str, str]:
    return case.chip, case.question.setting.precision.format


def _utilisation(case: Case) -> float:
    question = case.question
    peak = rate_of(question.setting.chip, question.setting.precision.format) * question.chips
    return flop_per_step(question.model, question.work) / (case.measured_s * peak)


def groups(of: Iterable[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    """Return runs by a key, in the order of the keys."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in of:
        found[key(run)].append(run)
    return dict(sorted(found.items()))


def repeats() -> dict[tuple[tuple[str, str], ...], list[Run]]:
    """Return the runs whose configuration columns are those of another run."""
    found: dict[tuple[tuple[str, str], ...], list[Run]] = defaultdict(list)
    for run in runs():
        found[run.configuration].append(run)
    return {key: same for key, same in found.items() if len(same) > 1}


def noise(moe: bool, one_software: bool) -> tuple[int, int, float]:
    """Return groups and runs of identical configuration, and their mean distance from the median of their group."""
    off: list[float] = []
    count = 0
    for same in repeats().values():
        parts = groups(same, lambda run: run.case.question.setting.software.id if one_software else "")
        for part in parts.values():
            if len(part) > 1 and part[0].moe == moe:
                middle = median(run.case.measured_s for run in part)
                off += [abs(run.case.measured_s / middle - 1.0) for run in part]
                count += 1
    return count, len(off), fmean(off)


def against_repeats(run: Run) -> tuple[int, float] | None:
    """Return how many other runs have this configuration, and this run's time over their median."""
    others = [other.case.measured_s for other in repeats().get(run.configuration, []) if other.id != run.id]
    return (len(others), run.case.measured_s / median(others)) if others else None


def sources_of(some: Iterable[Run]) -> Counter[str]:
    """Count runs by source."""
    return Counter(run.case.source for run in some)
