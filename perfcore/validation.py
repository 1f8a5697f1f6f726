"""Predict every row of a table of measurements and report the error, beside that of a constant efficiency."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from perfcore.cells import Row, SkippedError, read_rows
from perfcore.errors import PerfcoreError
from perfcore.intervals import interval
from perfcore.machine import rate_of
from perfcore.measurements import NEEDED, Case, case_of
from perfcore.questions import answer, flop_per_step
from perfcore.reader import SPECS

__all__ = ["Validation", "published", "validate"]

INFERENCE = ("isl", "osl", "phase", "kv_dtype", "batch_or_concurrency")
KERNELS = ("message_bytes", "category", "op")


@dataclass(frozen=True)
class Predicted:
    """A row that was predicted."""

    number: int  # of the row in its table; ids may be there twice
    case: Case
    time_s: float
    interval_s: tuple[float, float]
    evidence: str

    @property
    def error(self) -> float:
        """Return predicted time over measured time, less 1."""
        return self.time_s / self.case.measured_s - 1.0


@dataclass(frozen=True)
class Validation:
    """Predictions of a table's rows, reasons of those skipped, and the error; ``to_dict`` is the JSON."""

    rows: list[dict[str, Any]]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {"rows": self.rows, "summary": self.summary}


def published() -> list[Row]:
    """Return the published runs that perfcore carries: ``specs/measurements``."""
    return [row for path in sorted((SPECS / "measurements").glob("*.csv")) for row in read_rows(path, NEEDED)]


def validate(
    path: str | Path | None = None,
    *,
    mode: str = "fitted",
    keep: Callable[[Row], bool] | None = None,
) -> Validation:
    """Predict every row of a CSV table of training measurements, or the published runs that perfcore carries.

    ``mode`` says which efficiencies: ``fitted`` to step times, or ``neutral`` from kernels alone; ``keep`` which rows.

    Raises
    ------
    PerfcoreError
        If the table cannot be read or lacks a column without which no row can be predicted.
    """
    table = published() if path is None else read_rows(Path(path), ())
    if path is not None:
        _check_columns(Path(path), table[0])
    found: list[Predicted | tuple[Row, int, str]] = []
    for number, row in enumerate(table, 1):
        if keep is None or keep(row):
            found.append(_predict(row, number, mode))
    predicted = [one for one in found if isinstance(one, Predicted)]
    baseline = _baseline(predicted)
    rows = [
        _row(one, baseline) if isinstance(one, Predicted) else _skipped_row(*one)  # keeps the table's order
        for one in found
    ]
    return Validation(rows, _summary(predicted, baseline, len(found) - len(predicted)))


def _check_columns(path: Path, row: Row) -> None:
    missing = [column for column in NEEDED if column not in row.cells]
    if not missing:
        return
    for kind, columns in (("inference", INFERENCE), ("kernel", KERNELS)):
        if sum(column in row.cells for column in columns) > 1:
            raise PerfcoreError(f"{path}: this is a table of {kind} measurements; validate reads training tables")
    raise PerfcoreError(f"{path}: the columns {', '.join(missing)} are missing; docs/training.md lists them")


def _predict(row: Row, number: int, mode: str) -> Predicted | tuple[Row, int, str]:
    try:
        case = case_of(row, number, mode)
        found = answer(case.question)
    except (SkippedError, PerfcoreError) as reason:
        return row, number, str(reason)
    low, high, kind = interval(case.question, found)
    return Predicted(number, case, found.time_s, (low, high), kind)


def _row(one: Predicted, baseline: dict[int, float]) -> dict[str, Any]:
    case = one.case
    ends = sorted(case.in_quantity(end) for end in one.interval_s)
    return {
        "row_id": case.row_id,
        "source": case.source,
        "chip": case.chip,
        "quantity": case.quantity,
        "predicted": case.in_quantity(one.time_s),
        "predicted_interval": ends,
        "measured": case.measured,
        "error": one.error,
        "baseline_error": baseline.get(one.number),
        "evidence": one.evidence,
        "skipped": None,
        "assumptions": list(case.assumptions),
    }


def _skipped_row(row: Row, number: int, reason: str) -> dict[str, Any]:
    return {
        "row_id": row.text("row_id") or f"row {number}",
        "source": row.text("source_id") or "this table",
        "chip": row.text("chip"),
        "quantity": None,
        "predicted": None,
        "measured": None,
        "error": None,
        "skipped": reason,
    }


def _utilisation(one: Predicted) -> float:
    """Return the model FLOP utilisation that was measured."""
    question = one.case.question
    setting = question.setting
    peak = rate_of(setting.chip, setting.precision.format) * question.chips
    return flop_per_step(question.model, question.work) / (one.case.measured_s * peak)


def _baseline(predicted: list[Predicted]) -> dict[int, float]:
    """Return the error of one efficiency for each chip and precision: the median over the other sources.

    Where a chip and precision have one source only, the median over its own rows, which favours the baseline.
    """
    groups: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for one in predicted:
        groups[_kind(one)].append((one.case.source, _utilisation(one)))
    errors = {}
    for one in predicted:
        mine = groups[_kind(one)]
        others = [value for source, value in mine if source != one.case.source] or [value for _, value in mine]
        errors[one.number] = _utilisation(one) / median(others) - 1.0
    return errors


def _kind(one: Predicted) -> tuple[str, str]:
    return one.case.chip, one.case.question.setting.precision.format


def _summary(predicted: list[Predicted], baseline: dict[int, float], skipped: int) -> dict[str, Any]:
    return {
        **_errors(predicted, baseline),
        "skipped": skipped,
        "inside_interval": _share(one.interval_s[0] <= one.case.measured_s <= one.interval_s[1] for one in predicted),
        "by_source": _by(predicted, baseline, lambda one: one.case.source),
        "by_chip": _by(predicted, baseline, lambda one: one.case.chip),
        "by_precision": _by(predicted, baseline, lambda one: one.case.question.setting.precision.name),
        "by_kind": _by(predicted, baseline, lambda one: "moe" if one.case.question.model.experts else "dense"),
    }


def _share(inside: Iterable[bool]) -> float | None:
    values = list(inside)
    return sum(values) / len(values) if values else None


def _by(
    predicted: list[Predicted], baseline: dict[int, float], key: Callable[[Predicted], str]
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Predicted]] = defaultdict(list)
    for one in predicted:
        groups[key(one)].append(one)
    return {name: _errors(groups[name], baseline) for name in sorted(groups)}


def _errors(predicted: list[Predicted], baseline: dict[int, float]) -> dict[str, Any]:
    """Return count, mean, median, maximum and bias of the error, and the mean of the baseline's."""
    if not predicted:
        names = ("mean_abs", "median_abs", "max_abs", "bias", "baseline_mean_abs", "baseline_median_abs")
        return {"n": 0, **dict.fromkeys(names)}
    signed = [one.error for one in predicted]
    size = [abs(error) for error in signed]
    constant = [abs(baseline[one.number]) for one in predicted]
    return {
        "n": len(predicted),
        "mean_abs": fmean(size),
        "median_abs": median(size),
        "max_abs": max(size),
        "bias": fmean(signed),
        "baseline_mean_abs": fmean(constant),
        "baseline_median_abs": median(constant),
    }
