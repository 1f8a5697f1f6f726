"""The catalogue beside figures another hand derived from the same sources; each difference with its reason.

``published/derived.csv``: TPP, non-planar logic area, I/O with PCIe and DRAM bandwidth as derived while the chip data
were collected (November 2026), before perfcore existed. Tolerance 0.5 %, or anywhere in the file's interval.
"""

import csv
from pathlib import Path

import pytest

from perfcore.chips import ids, load
from perfcore.quantity import Interval
from perfcore.readings import metrics_of

with (Path(__file__).parent / "published" / "derived.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))

BOARD = "the figures are of the board; the file describes one of its packages"
DIFFERENCES = {
    ("nvidia_a16_pcie_16gb", "tpp"): BOARD,
    ("nvidia_a16_pcie_16gb", "applicable_die_area_mm2"): BOARD,
    ("nvidia_a16_pcie_16gb", "io_bandwidth_gb_s"): BOARD,
    ("nvidia_a16_pcie_16gb", "dram_bandwidth_gb_s"): BOARD,
    ("cambricon_mlu370_x8_48gb", "tpp"): BOARD,
    ("cambricon_mlu370_x8_48gb", "dram_bandwidth_gb_s"): BOARD,
    ("amd_mi308x_oam_192gb", "tpp"): "a measurement contradicts the recalled rate",
    ("aws_trainium_1", "tpp"): "TF32 was left out; it counts 19 bits here",
    ("aws_trainium_2", "tpp"): "TF32 was left out; it counts 19 bits here",
}
CASES = [(row["chip"], metric, row[metric]) for row in ROWS for metric in list(row)[1:] if row[metric]]


@pytest.mark.parametrize(("chip", "metric", "derived"), CASES)
def test_a_derived_figure_agrees_or_the_difference_is_explained(chip: str, metric: str, derived: str) -> None:
    known = metrics_of(load(chip))[metric]
    assert isinstance(known, Interval)
    number = float(derived)
    agrees = float(known.low) * 0.995 <= number and (known.high is None or number <= float(known.high) * 1.005)
    assert agrees != ((chip, metric) in DIFFERENCES)


def test_every_derived_chip_is_in_the_catalogue() -> None:
    assert len(ROWS) == 120
    assert {row["chip"] for row in ROWS} <= set(ids())
