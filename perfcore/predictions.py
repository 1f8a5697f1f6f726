"""What the prediction of one row of a measurement table holds, whatever was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """A row that was predicted: ``measured``, ``predicted`` and its interval are in ``quantity``.

    ``baseline_ratio`` is proportional to what was measured over what one constant efficiency would give, and rows of
    one ``baseline_group`` (such as chip and number format) share that constant: with the median over the group's other
    sources for it, the time it gives is off by ``baseline_ratio / median - 1``.
    """

    number: int  # of the row in its table; ids may be there twice
    row_id: str
    source: str
    chip: str
    quantity: str
    measured: float
    predicted: float
    predicted_interval: tuple[float, float] | None
    time_error: float  # predicted time over measured time, less 1
    baseline_ratio: float
    baseline_group: tuple[str, ...]
    evidence: str
    groups: Mapping[str, str] = field(default_factory=dict)  # by what else errors are summed up: precision, kind
    assumptions: tuple[str, ...] = ()

    @property
    def inside(self) -> bool | None:
        """Say whether what was measured lies inside the interval; None where there is none."""
        if self.predicted_interval is None:
            return None
        low, high = self.predicted_interval
        return low <= self.measured <= high
