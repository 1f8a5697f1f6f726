"""Predictions of the rows of a table of training measurements."""

from perfcore.cells import Row
from perfcore.intervals import interval
from perfcore.machine import rate_of
from perfcore.measurements import Case, case_of
from perfcore.predictions import Prediction
from perfcore.questions import answer, flop_per_step

__all__ = ["predict"]


def predict(row: Row, number: int, mode: str) -> Prediction:
    """Predict the step of a row; ``mode`` says which efficiencies: ``fitted`` or ``neutral``.

    Raises
    ------
    SkippedError, PerfcoreError
        If something that decides the time is missing, unknown or contradictory.
    """
    case = case_of(row, number, mode)
    found = answer(case.question)
    low_s, high_s, kind = interval(case.question, found)
    low, high = sorted(case.in_quantity(end) for end in (low_s, high_s))
    setting = case.question.setting
    return Prediction(
        number=number,
        row_id=case.row_id,
        source=case.source,
        chip=case.chip,
        quantity=case.quantity,
        measured=case.measured,
        predicted=case.in_quantity(found.time_s),
        predicted_interval=(low, high),
        time_error=found.time_s / case.measured_s - 1.0,
        baseline_ratio=_utilisation(case),
        baseline_group=(case.chip, setting.precision.format),
        evidence=kind,
        groups={"precision": setting.precision.name, "kind": "moe" if case.question.model.experts else "dense"},
        assumptions=case.assumptions,
    )


def _utilisation(case: Case) -> float:
    """Return the model FLOP utilisation that was measured."""
    question = case.question
    setting = question.setting
    peak = rate_of(setting.chip, setting.precision.format) * question.chips
    return flop_per_step(question.model, question.work) / (case.measured_s * peak)
