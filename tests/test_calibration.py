"""Constants of software, formats and intervals: few, sourced, and where the files say."""

import csv
from pathlib import Path

import pytest

from perfcore import chips, efficiency, precisions, software, systems
from perfcore.errors import PerfcoreError
from perfcore.intervals import ratios
from perfcore.machine import Setting, attention_speed, machine_of, rate_of, used_domain
from perfcore.reader import SPECS, read_toml

ROOT = Path(__file__).resolve().parents[1]
SOURCES = read_toml(SPECS / "sources.toml")


@pytest.mark.parametrize("name", software.ids())
def test_a_software_has_three_constants_at_most_and_sources(name: str) -> None:
    """Overlap, elementwise and attention; where nothing overlaps, the rate of the links may stand for the overlap."""
    document = software.load(name).document
    neutral = document["neutral"]
    free = set(neutral) - ({"overlap"} if not 0 < neutral["overlap"] < 1 else set())
    assert len(free) <= 3
    assert set(document.get("fitted", {})) <= free
    assert set(neutral) == set(document["neutral_width"])
    for entry in document["evidence"]:
        assert entry["source"] in SOURCES


@pytest.mark.parametrize("name", efficiency.generations())
def test_a_generation_has_four_fitted_constants_at_most(name: str) -> None:
    document = read_toml(SPECS / "efficiency" / f"{name}.toml")
    assert len(document.get("fitted", {})) <= 4
    assert ("fitted" in document) == ("fit" in document)


def test_formats_by_the_longest_name() -> None:
    """nvfp4 with bf16 attention is fp4; "fp8 rowwise" is not plain fp8."""
    assert precisions.find("nvfp4 (bf16/fp8 attention)").format == "fp4"
    assert precisions.find("fp8 rowwise").name == "fp8_rowwise"
    assert precisions.find("fp16/bf16").bits == 16
    with pytest.raises(PerfcoreError, match="allowed: bf16"):
        precisions.find("int3")


def setting(chip: str, form: str = "bf16", era: str = "megatron_bridge_2025") -> Setting:
    item = chips.load(chip)
    used = software.load(era)
    return Setting(item, systems.default_for(item), used, precisions.find(form), used.attention_kernel, "neutral")


def test_a_machine_is_datasheet_times_efficiency() -> None:
    """H100: 989.4 TFLOP/s x 0.75, 3,350 GB/s, 450 GB/s x 0.77 a direction, 50 GB/s x 0.85, all from their files."""
    machine = machine_of(setting("h100"), 64)
    assert machine.gemm_flop_s == pytest.approx(989.4e12 * 0.75)
    assert machine.memory_bytes_s == pytest.approx(3350e9)
    assert machine.link_bytes_s == pytest.approx(450e9 * 0.77)
    assert machine.network_bytes_s == pytest.approx(50e9 * 0.85)
    assert (machine.multiprocessors, machine.domain, machine.element_bytes) == (132, 8, 2)


def test_eight_bit_runs_at_its_own_peak_and_pays_for_casts() -> None:
    machine = machine_of(setting("h100", "fp8"), 8)
    assert machine.gemm_flop_s == pytest.approx(1978.9e12 * 0.68)
    assert machine.wide_gemm_flop_s == pytest.approx(989.4e12 * 0.75)
    assert (machine.element_bytes, machine.cast_bytes) == (1.0, 3.8)


def test_older_attention_kernels_are_slower_on_hopper_alone() -> None:
    assert attention_speed("nvidia_hopper", "flash_2") < 0.7 < attention_speed("nvidia_ampere", "flash_2")
    assert attention_speed("nvidia_hopper", "unfused") == 1.0


def test_a_format_the_chip_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(PerfcoreError, match=r"A100 SXM 80 GB has no fp8 rate; it has .*bf16"):
        rate_of(chips.load("a100"), "fp8")


@pytest.mark.parametrize(("chips_count", "used"), [(8, 8), (64, 64), (256, 64), (72, 72), (60, 60), (100, 50)])
def test_a_job_uses_as_much_of_a_rack_as_divides_it(chips_count: int, used: int) -> None:
    """A rack of 72: the most chips of it that divide the job evenly."""
    assert used_domain(systems.load("GB200 NVL72"), chips_count) == used


def test_the_interval_covers_what_it_says() -> None:
    """80 % of the rows lie inside the interval, when their source was left out of the fit."""
    with (ROOT / "docs" / "left_out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    inside = 0
    for row in rows:
        low, high = ratios(row["kind"])
        inside += low <= float(row["measured_s"]) / float(row["left_out_s"]) <= high
    assert 0.78 <= inside / len(rows) <= 0.90


def test_what_is_less_known_has_the_wider_interval() -> None:
    spans = [high / low for low, high in (ratios(kind) for kind in ("known", "new_software", "new_chip"))]
    assert spans == sorted(spans)


def test_unknown_software_is_refused_with_those_known() -> None:
    with pytest.raises(PerfcoreError, match="did you mean megatron_2021"):
        software.load("megatron_2012")


def test_an_awkward_number_of_chips_keeps_its_domains() -> None:
    """31 chips in servers of eight: three full ones and a rest, not 31 domains of one."""
    assert used_domain(systems.load("DGX H100"), 31) == 8
