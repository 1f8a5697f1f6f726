"""Predict every row of a table of measurements and report the error, beside that of a constant efficiency."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from perfcore.cells import Row, SkippedError, read_rows
from perfcore.errors import PerfcoreError
from perfcore.predictions import Prediction
from perfcore.table_kinds import Kind, Predict, kind_named, kind_of_table, predictor, published

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Validation", "published", "validate"]


@dataclass(frozen=True)
class Validation:
    """Predictions of a table's rows, reasons of those skipped, and the error; ``to_dict`` is the JSON."""

    rows: list[dict[str, Any]]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {"rows": self.rows, "summary": self.summary}

    def to_frame(self) -> "pd.DataFrame":
        """Return the rows as a pandas DataFrame."""
        from perfcore.tidy import to_frame

        return to_frame(self.rows)

    def _repr_html_(self) -> str:
        from perfcore.notebook import validation_html

        return validation_html(self)


def validate(
    path: str | Path | None = None,
    *,
    kind: str = "training",
    mode: str = "fitted",
    keep: Callable[[Row], bool] | None = None,
) -> Validation:
    """Predict every row of a CSV table of measurements, or the published ones that perfcore carries.

    A table's columns say of what kind it is; ``kind`` (``training``, ``inference`` or ``kernels``) says which of the
    published measurements, where no table is given. ``mode`` says which efficiencies: ``fitted`` to step times, or
    ``neutral`` from kernels alone; ``keep`` which rows.

    Raises
    ------
    PerfcoreError
        If the table cannot be read or lacks a column without which no row can be predicted.
    """
    table = published(kind) if path is None else read_rows(Path(path), ())
    of_table = kind_named(kind) if path is None else kind_of_table(Path(path), table[0].cells)
    predict = predictor(of_table)
    found: list[Prediction | dict[str, Any]] = [
        _predicted(predict, row, number, mode) for number, row in enumerate(table, 1) if keep is None or keep(row)
    ]
    predicted = [one for one in found if isinstance(one, Prediction)]
    baseline = _baseline(predicted)
    rows = [_row(one, baseline) if isinstance(one, Prediction) else one for one in found]  # in the table's order
    return Validation(rows, _summary(of_table, predicted, baseline, len(found) - len(predicted)))


def _predicted(predict: Predict, row: Row, number: int, mode: str) -> Prediction | dict[str, Any]:
    try:
        return predict(row, number, mode)
    except (SkippedError, PerfcoreError) as reason:
        return _skipped_row(row, number, str(reason))


def _row(one: Prediction, baseline: dict[int, float]) -> dict[str, Any]:
    return {
        "row_id": one.row_id,
        "source": one.source,
        "chip": one.chip,
        "quantity": one.quantity,
        "predicted": one.predicted,
        "predicted_interval": None if one.predicted_interval is None else list(one.predicted_interval),
        "measured": one.measured,
        "error": one.time_error,
        "baseline_error": baseline.get(one.number),
        "evidence": one.evidence,
        "skipped": None,
        "assumptions": list(one.assumptions),
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


def _baseline(predicted: Sequence[Prediction]) -> dict[int, float]:
    """Return the error of one efficiency for each chip and precision: the median over the other sources.

    Where a chip and precision have one source only, the median over its own rows, which favours the baseline.
    """
    by_group: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in predicted:
        by_group[one.baseline_group][one.source].append(one.baseline_ratio)
    constants: dict[tuple[tuple[str, ...], str], float] = {}
    for group, sources in by_group.items():
        for source, own in sources.items():
            others = [ratio for other, ratios in sources.items() if other != source for ratio in ratios]
            constants[group, source] = median(others or own)
    return {one.number: one.baseline_ratio / constants[one.baseline_group, one.source] - 1.0 for one in predicted}


def _summary(kind: Kind, predicted: list[Prediction], baseline: dict[int, float], skipped: int) -> dict[str, Any]:
    inside = [one.inside for one in predicted if one.inside is not None]
    summary = {
        **_errors(predicted, baseline),
        "skipped": skipped,
        "inside_interval": sum(inside) / len(inside) if inside else None,
        "by_source": _by(predicted, baseline, lambda one: one.source),
        "by_chip": _by(predicted, baseline, lambda one: one.chip),
    }
    for name in kind.groups:
        summary[f"by_{name}"] = _by(predicted, baseline, partial(_group, name))
    return summary


def _group(name: str, one: Prediction) -> str:
    return one.groups[name]


def _by(
    predicted: list[Prediction], baseline: dict[int, float], key: Callable[[Prediction], str]
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Prediction]] = defaultdict(list)
    for one in predicted:
        groups[key(one)].append(one)
    return {name: _errors(groups[name], baseline) for name in sorted(groups)}


def _errors(predicted: list[Prediction], baseline: dict[int, float]) -> dict[str, Any]:
    """Return count, mean, median, maximum and bias of the error, and the mean of the baseline's."""
    if not predicted:
        names = ("mean_abs", "median_abs", "max_abs", "bias", "baseline_mean_abs", "baseline_median_abs")
        return {"n": 0, **dict.fromkeys(names)}
    signed = [one.time_error for one in predicted]
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
