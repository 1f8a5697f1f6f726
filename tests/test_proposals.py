"""A rule against the catalogue: caught, freed, open, and the nearest chips."""

from datetime import date
from pathlib import Path

import pytest

from perfcore.errors import PerfcoreError
from perfcore.proposals import against_catalogue
from perfcore.rules import from_file, load
from perfcore.verdict import check

ON = date(2026, 2, 1)
HEAD = 'name = "A bill"\nlayer = "proposal"\n[[version]]\nsource = { title = "S. 0000" }\n'


def bill(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bill.toml"
    path.write_text(HEAD + text)
    return path


def test_3a090_against_itself_adds_and_frees_nothing() -> None:
    found = against_catalogue(load("us_eccn_3a090"), ON)
    assert (found.newly_caught, found.released) == ((), ())
    assert set(found.both) == {v for v in found.both if check(v, on=ON).status == "controlled"}


def test_a_bill_adds_and_frees(tmp_path: Path) -> None:
    """DRAM of 3,500 GB/s or more: the H20 (4,000) is caught, the A100 (2,039) is freed."""
    found = against_catalogue(
        from_file(
            bill(tmp_path, "[[version.paragraph]]\nid = 'X'\nall_of = { dram_bandwidth_gb_s = { at_least = 3500 } }\n")
        ),
        ON,
    )
    assert "nvidia_h20_sxm_96gb" in found.newly_caught
    assert "nvidia_a100_sxm_80gb" in found.released
    assert "nvidia_h200_sxm_141gb" in found.both
    assert "nvidia_l4_pcie_24gb" in found.released
    assert "nvidia_a2_pcie_16gb" in found.neither
    nearest = found.nearest[0]
    assert nearest.below is not None
    assert nearest.above is not None
    assert nearest.below[0] in ("nvidia_h100_sxm_80gb", "nvidia_h800_sxm_80gb")  # both 3,350
    assert nearest.below[1] == pytest.approx(3350 / 3500 - 1)
    assert nearest.above[1] >= 0


def test_the_notes_of_a_bill_count(tmp_path: Path) -> None:
    text = "[[version.paragraph]]\nid = 'X.1'\nall_of = { tpp = { at_least = 2000 } }\n"
    note = (
        "[[version.paragraph]]\nid = 'Note'\nlayer = 'exclusion'\nexcludes = ['X']\nall_of = { datacenter = false }\n"
    )
    without = against_catalogue(from_file(bill(tmp_path, text)), ON)
    noted = against_catalogue(from_file(bill(tmp_path, text + note)), ON)
    assert "nvidia_rtx_4090_d_24gb" in without.newly_caught
    assert "nvidia_rtx_4090_d_24gb" in noted.neither
    assert "nvidia_rtx_4090_24gb" in noted.released


@pytest.mark.parametrize(("rule", "on"), [("us_supercomputer", "2026-02-01"), ("us_tariff_section_232", "2025-01-01")])
def test_what_cannot_be_compared_is_refused(rule: str, on: str) -> None:
    with pytest.raises(PerfcoreError):
        against_catalogue(load(rule), date.fromisoformat(on))


def test_json() -> None:
    found = against_catalogue(load("us_bill_safe_chips"), ON).to_dict()
    assert {"rule", "on", "newly_caught", "released", "both", "neither", "open", "nearest"} == set(found)
    assert sum(len(found[key]) for key in ("newly_caught", "released", "both", "neither", "open")) == 127
