"""Measuring a GPU, on one that is none: expected values are computed by hand from its set rates (fake_gpu.py)."""

import importlib.util
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_gpu import FORMATS, H200, FakeDriver, FakeGpu
from hypothesis import given, settings
from hypothesis import strategies as st

import perfcore
from perfcore.chips import load
from perfcore.cli import main
from perfcore.errors import PerfcoreError
from perfcore.measure import gpu, gpu_backends, nvml
from perfcore.measure.chip_file import write
from perfcore.measure.figures import Figure, Measurement
from perfcore.measure.gpu_backends import GpuError, GpuFacts
from perfcore.measure.gpu_match import compared, match
from perfcore.measure.gpu_sizes import ladders
from perfcore.measure.gpu_verify import Rates, layer_s, product_s, rates_of, verify
from perfcore.measure.nvml import Unknown

GIB = 2**30
ROOT = Path(__file__).resolve().parents[1]
NO_DRIVER = Unknown("no_driver", "there is no NVIDIA driver")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SETTLE_S", 0.0)


@pytest.fixture(scope="module")
def measured() -> Measurement:
    before, gpu.SETTLE_S = gpu.SETTLE_S, 0.0
    found = gpu.measure(FakeGpu(), monitor=FakeDriver())
    gpu.SETTLE_S = before
    return found


def median_of(measurement: Measurement, name: str) -> float:
    found = measurement.figure(name)
    assert found is not None, measurement.conditions["skipped"]
    return found.median


def test_it_measures_what_the_device_does(measured: Measurement) -> None:
    """A product of 16384^3 is 8.796e12 FLOP; the fake takes as long as if they were 2e10 more."""
    assert measured.refused == ()
    assert median_of(measured, "dram_read") == pytest.approx(4400)
    assert median_of(measured, "dram_copy") == pytest.approx(4200)
    assert median_of(measured, "dram_triad") == pytest.approx(4300)
    assert median_of(measured, "l2_triad") == pytest.approx(8000)
    assert median_of(measured, "gemm_bf16") == pytest.approx(800 * 8.796093 / 8.816093, rel=1e-6)
    assert median_of(measured, "gemm_fp64") == pytest.approx(50 * 8.796093 / 8.816093, rel=1e-6)
    assert median_of(measured, "launch_graph") == pytest.approx(1.0)
    assert median_of(measured, "launch") == pytest.approx(4.0)


def test_it_says_what_the_device_is_and_how_it_was(measured: Measurement) -> None:
    assert measured.kind == "gpu"
    assert measured.device["catalogue"] == "nvidia_h200_sxm_141gb"
    assert measured.device["driver"] == "580.1"
    assert measured.conditions["backend"] == "fake 1"
    assert measured.conditions["rounds"] == 5
    assert measured.conditions["clock_start_mhz"] == measured.conditions["clock_end_mhz"] == 1980
    assert measured.conditions["sustained"]["gemm_fp8"]["power_w"] == 650
    assert measured.conditions["skipped"] == {"gemm_fp4": "no product in it"}
    best = measured.figure("gemm_bf16")
    assert best is not None
    assert best.note == "at 16384 x 16384 x 16384, the best of 8"
    assert len(best.samples) == 15  # 3 in each of 5 rounds


def test_rounds_are_interleaved() -> None:
    """Every size runs once a round, forward and backward in turn: what disturbs a while falls on all alike."""
    backend = FakeGpu()
    gpu.measure(backend, monitor=NO_DRIVER)
    products = [what for what in backend.done if what.startswith("bf16")]
    ladder = products[:8]  # the survey, the smallest first
    assert len(set(ladder)) == 8
    assert products == ladder + ladder + ladder[::-1] + ladder + ladder[::-1] + ladder + [ladder[-1]]


def test_sizes_lie_well_beyond_or_below_the_cache() -> None:
    for quick in (False, True):
        trials = [trial for ladder in ladders(H200, FORMATS, quick) for trial in ladder]
        dram = [trial.footprint_bytes for trial in trials if trial.figure.startswith("dram")]
        cached = [trial.footprint_bytes for trial in trials if trial.figure.startswith("l2")]
        assert min(dram) >= 24 * H200.l2_bytes
        assert max(cached) <= H200.l2_bytes / 2
        assert quick or len(set(dram)) == 3


def test_a_device_that_hides_its_cache_has_no_l2_figures() -> None:
    found = gpu.measure(FakeGpu(H200._replace(l2_bytes=0.0)), monitor=NO_DRIVER, quick=True)
    assert found.figure("l2_read") is None
    assert median_of(found, "dram_read") == pytest.approx(4400)


def test_without_nvml_it_measures_and_says_what_is_unknown() -> None:
    found = gpu.measure(FakeGpu(), monitor=NO_DRIVER, quick=True)
    assert found.conditions["nvml"] == "there is no NVIDIA driver"
    assert "clock_start_mhz" not in found.conditions
    assert "load_before" not in found.conditions
    assert found.device["catalogue"] == "nvidia_h200_sxm_141gb"
    assert found.refused == ()


def test_amd_is_named_by_the_library_and_the_rest_is_unknown() -> None:
    facts = GpuFacts("AMD Instinct MI300X", "AMD", 192.0 * GIB, 304.0, 4e6, "gfx942", "ROCm 6.4")
    found = gpu.measure(FakeGpu(facts), quick=True)
    assert found.device["catalogue"] == "amd_mi300x_oam_192gb"
    assert "NVML speaks of NVIDIA GPUs only" in found.conditions["nvml"]


def test_a_slice_is_not_taken_for_the_whole() -> None:
    facts = H200._replace(name="NVIDIA H200 MIG 1g.18gb", memory_bytes=17.5e9, multiprocessors=16.0)
    found = gpu.measure(FakeGpu(facts), monitor=FakeDriver(), quick=True)  # the driver speaks of the whole
    assert found.device["memory_gb"] == 17.5
    assert "catalogue" not in found.device
    assert "slice" in found.device["catalogue_by"]


# --- failures ---------------------------------------------------------------------------------------------------


def test_out_of_memory_takes_the_next_smaller_size_and_says_so() -> None:
    """Of 1.2, 2.4 and 4.8 GB only the first fits 1.3 GB; of products in fp64 8192^3, with 1.07 GB of operands."""
    found = gpu.measure(FakeGpu(room_bytes=1.3e9), monitor=NO_DRIVER)
    assert median_of(found, "dram_triad") == pytest.approx(4300)
    triad = found.figure("dram_triad")
    assert triad is not None
    assert triad.note == "at 1.2 GB, the largest of 1"
    product = found.figure("gemm_fp64")
    assert product is not None
    assert product.note.startswith("at 8192 x 8192 x 8192,")
    skipped = found.conditions["skipped"]
    assert "not enough free memory" in skipped["dram_triad at 2.4 GB"]
    assert "not enough free memory" in skipped["gemm_fp64 at 16384 x 16384 x 16384"]
    assert "gemm_fp64" not in skipped  # the figure itself stands
    assert found.refused == ()


def test_no_room_at_all_is_one_line() -> None:
    with pytest.raises(PerfcoreError, match="not enough free memory") as caught:
        gpu.measure(FakeGpu(room_bytes=0.0, fails={"least": "out_of_memory"}), monitor=NO_DRIVER)
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("call", [1, 2, 3, 50, 200, 700])
def test_a_lost_device_ends_the_measurement(call: int) -> None:
    with pytest.raises(GpuError, match="lost") as caught:
        gpu.measure(FakeGpu(fails={call: "lost"}), monitor=NO_DRIVER)
    assert caught.value.kind == "lost"
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("reading", [1, 2, 30])
def test_a_device_that_the_driver_lost_ends_it_too(reading: int) -> None:
    with pytest.raises(GpuError, match="the GPU is lost; nothing was kept"):
        gpu.measure(FakeGpu(), monitor=FakeDriver(lost_at=reading), quick=True)


def test_a_format_that_the_device_lacks_is_skipped_with_the_reason() -> None:
    backend = FakeGpu(known=FORMATS | {"fp8": "compute capability 8.0 has none"}, fails={"int8": "unsupported"})
    found = gpu.measure(backend, monitor=NO_DRIVER, quick=True)
    assert found.figure("gemm_fp8") is None
    assert found.figure("gemm_int8") is None
    assert found.conditions["skipped"]["gemm_fp8"] == "compute capability 8.0 has none"
    assert "unsupported" in found.conditions["skipped"]["gemm_int8"]
    assert median_of(found, "gemm_bf16") > 0
    assert sum(what.startswith("int8") for what in backend.done) == 1  # it is not tried again at other sizes


def test_a_size_that_fails_late_is_dropped_whole() -> None:
    backend = FakeGpu()
    gpu.measure(backend, monitor=NO_DRIVER)
    late = [number for number, what in enumerate(backend.done, 1) if what == "bf16 16384 x 16384 x 16384"][2]
    found = gpu.measure(FakeGpu(fails={late: "failed"}), monitor=NO_DRIVER)
    figure = found.figure("gemm_bf16")
    assert figure is not None
    assert figure.note == "at 8192 x 8192 x 28672, the best of 7"
    assert "gemm_bf16 at 16384 x 16384 x 16384" in found.conditions["skipped"]


def test_a_failure_in_the_sustained_runs_leaves_the_figures() -> None:
    backend = FakeGpu()
    gpu.measure(backend, monitor=NO_DRIVER)
    last = len(backend.done) - 2  # of the sustained product in int8; a release follows
    found = gpu.measure(FakeGpu(fails={last: "out_of_memory"}), monitor=NO_DRIVER)
    assert "out_of_memory" in found.conditions["sustained"]["gemm_int8"]["skipped"]
    assert median_of(found, "gemm_int8") > 0
    with pytest.raises(GpuError, match="lost"):
        gpu.measure(FakeGpu(fails={last: "lost"}), monitor=NO_DRIVER)


@settings(max_examples=60, deadline=None)
@given(call=st.integers(1, 700), kind=st.sampled_from(["out_of_memory", "unsupported", "failed", "lost", "no_device"]))
def test_any_failure_at_any_call_is_told(call: int, kind: str) -> None:
    """A result without the call that failed, its reason in it; or one line."""
    backend = FakeGpu(fails={call: kind})
    try:
        skipped = gpu.measure(backend, monitor=NO_DRIVER, quick=True).conditions["skipped"]
    except GpuError as problem:
        ended, skipped = problem, {}
    else:
        ended = None
    if kind in ("lost", "no_device") or backend.done[call - 1] == "release":
        assert ended is not None
        assert ended.ends_all
    else:
        assert any(kind in why for why in skipped.values()), backend.done[call - 1]


@pytest.mark.parametrize(
    ("driver", "word"),
    [
        (FakeDriver(clock=lambda number: 1980.0 - 2.0 * number), "clock"),
        (FakeDriver(share=0.5, processes=(4711,)), "load"),
    ],
)
def test_a_disturbed_run_is_no_result(driver: FakeDriver, word: str) -> None:
    found = gpu.measure(FakeGpu(), monitor=driver)
    assert [reason.partition(":")[0] for reason in found.refused] == [word]
    assert found.figures  # they are there for who insists


def test_what_ran_just_before_is_waited_for() -> None:
    """The driver's load is a mean over up to a second: a program that has ended is no longer there at the next look."""
    found = gpu.measure(FakeGpu(), monitor=FakeDriver(share=0.9, settles_after=2), quick=True)
    assert found.conditions["load_before"] == 0.0
    assert found.refused == ()


def test_a_device_that_slows_down_is_no_result() -> None:
    """Each of about 1,500 calls is slower by 0.05 % of the first: the last by three quarters, far above 10 %."""
    found = gpu.measure(FakeGpu(drift=5e-4), monitor=NO_DRIVER)
    assert [reason.partition(":")[0] for reason in found.refused] == ["spread"]


def test_other_processes_are_noted() -> None:
    found = gpu.measure(FakeGpu(), monitor=FakeDriver(processes=(4711,)), quick=True)
    assert found.conditions["before"]["processes"] == [4711]
    assert found.refused == ()  # one that does nothing disturbs nothing


def test_slow_products_are_left_out() -> None:
    """At 0.5 TFLOP/s in fp64 a product of 8192^3 takes 2.2 s, above the second allowed; 8000^3 just above it too."""
    backend = FakeGpu()
    slow = {"fp64": 0.5e12}
    import fake_gpu

    before = dict(fake_gpu.RATES)
    fake_gpu.RATES |= slow
    try:
        found = gpu.measure(backend, monitor=NO_DRIVER)
    finally:
        fake_gpu.RATES |= before
    figure = found.figure("gemm_fp64")
    assert figure is not None
    assert figure.note.startswith("at 4112 x 4112 x 4112,")
    assert "a call would take" in found.conditions["skipped"]["gemm_fp64 at 8192 x 8192 x 8192"]


def test_time_runs_out_after_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    found = gpu.measure(FakeGpu(), monitor=NO_DRIVER, limit_s=0.0)
    assert found.conditions["rounds"] == 1
    assert median_of(found, "dram_copy") == pytest.approx(4200)


# --- which chip, and beside its datasheet -----------------------------------------------------------------------


# Names as drivers print them, memory in MiB by nvidia-smi (recalled), and the catalogue's id.
@pytest.mark.parametrize(
    ("name", "mib", "units", "chip"),
    [
        ("NVIDIA H200", 143771, 132, "nvidia_h200_sxm_141gb"),
        ("NVIDIA H200 NVL", 143771, 132, "nvidia_h200_nvl_141gb"),
        ("NVIDIA H100 80GB HBM3", 81559, 132, "nvidia_h100_sxm_80gb"),
        ("NVIDIA H100 PCIe", 81559, 114, "nvidia_h100_pcie_80gb"),
        ("NVIDIA A100-SXM4-40GB", 40960, 108, "nvidia_a100_sxm_40gb"),
        ("NVIDIA A100-SXM4-80GB", 81920, 108, "nvidia_a100_sxm_80gb"),
        ("NVIDIA A100 80GB PCIe", 81920, 108, "nvidia_a100_pcie_80gb"),
        ("NVIDIA H20", 97871, 78, "nvidia_h20_sxm_96gb"),
        ("NVIDIA H20-3e", 143771, 78, "nvidia_h20_3e_sxm_141gb"),
        ("NVIDIA GH200 480GB", 97871, 132, "nvidia_gh200_superchip_gpu_96gb"),
        ("Tesla T4", 15360, 40, "nvidia_t4_pcie_16gb"),
        ("NVIDIA L40S", 46068, 142, "nvidia_l40s_pcie_48gb"),
        ("NVIDIA GeForce RTX 4090 D", 24564, 114, "nvidia_rtx_4090_d_24gb"),
        ("AMD Instinct MI300X", 196592, 304, "amd_mi300x_oam_192gb"),
        ("AMD Instinct MI250X / MI250", 65520, 110, "amd_mi250x_gcd_64gb"),
        ("AMD Instinct MI250X / MI250", 65520, 104, "amd_mi250_gcd_64gb"),
    ],
)
def test_names_of_drivers(name: str, mib: int, units: int, chip: str) -> None:
    assert match(name, mib * 2.0**20, units).chip == chip


@pytest.mark.parametrize(
    ("name", "mib", "said"),
    [
        ("NVIDIA GeForce RTX 4080 SUPER", 16376, "no chip of the catalogue"),
        ("NVIDIA H200", 81559, "none has 79.6 GiB"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 4864, "slice"),
        ("AMD Instinct MI250X / MI250", 65520, "may be amd_mi250_gcd_64gb or amd_mi250x_gcd_64gb"),
    ],
)
def test_what_is_not_in_the_catalogue_is_said(name: str, mib: int, said: str) -> None:
    found = match(name, mib * 2.0**20)
    assert found.chip is None
    assert said in found.said


def a_measurement(**values: float) -> Measurement:
    """Return a measurement of an H200 with one sample a figure."""
    device = {"catalogue": "nvidia_h200_sxm_141gb", "multiprocessors": 132, "l2_mb": 50.0}
    units = {"dram": "GB/s", "gemm": "TFLOP/s", "laun": "us"}
    figures = tuple(Figure(name, one, units[name[:4]], one, one, one, (one,)) for name, one in values.items())
    return Measurement("gpu", device, {}, figures)


def test_measured_beside_the_datasheet_of_the_h200() -> None:
    """Datasheet (specs/chips/nvidia_h200_sxm_141gb.toml): 989.4 and 1978.9 TFLOP/s, 4,800 GB/s.

    TPP 1978.9 x 8 = 15,831.2 specified; ridge of bf16 989,400 / 4,800 = 206.125 FLOP/B.
    """
    found = compared(a_measurement(gemm_bf16=790.0, gemm_fp8=1400.0, dram_read=4000.0, dram_copy=4300.0))
    assert found["chip"] == "nvidia_h200_sxm_141gb"
    assert found["rates"]["gemm_bf16"] == {"measured": 790.0, "specified": 989.4, "share": pytest.approx(0.798464)}
    assert found["rates"]["dram_copy"]["share"] == pytest.approx(4300 / 4800)
    assert found["tpp"]["specified"] == pytest.approx(15831.2)
    assert found["tpp"]["measured"] == pytest.approx(790 * 16)  # above 1400 x 8 = 11,200
    assert found["ridge_flop_per_byte"]["bf16"]["specified"] == pytest.approx(206.125)
    assert found["ridge_flop_per_byte"]["bf16"]["measured"] == pytest.approx(790_000 / 4300)


def test_a_chip_of_no_catalogue_stands_alone() -> None:
    found = compared(replace(a_measurement(gemm_bf16=100.0, dram_copy=500.0), device={}))
    assert found["chip"] is None
    assert found["rates"]["gemm_bf16"] == {"measured": 100.0, "specified": None, "share": None}
    assert found["ridge_flop_per_byte"]["bf16"]["measured"] == pytest.approx(200)


# --- predicted against measured ---------------------------------------------------------------------------------

RATES = Rates("bf16", 800e12, 4.3e12, 4.4e12, 1e-6, 132.0, 50e6)


def test_a_predicted_product() -> None:
    """132 tiles of 256 x 128 on 132 units, K of 890 and 110 more: 8.65e9 FLOP at 800 TFLOP/s are 10.813 us.

    30,188,800 elements in and 4,325,376 out, 2 bytes each, are 69.03 MB: 15.688 us at 4.4 TB/s. The fourth root of the
    sum of both to the fourth is 16.507 us; the start of the kernel adds 1.
    """
    assert product_s(RATES, 256 * 132, 128, 890) * 1e6 == pytest.approx(17.507, abs=2e-3)


def test_a_predicted_layer() -> None:
    """Products that cost nothing leave 14 starts; 8 tokens x (6 x 4 + 6 x 4 + 2 x 2 x 8 + 5 x 16) = 1,280 elements."""
    free = RATES._replace(flop_s=1e40, read_bytes_s=1e40, triad_bytes_s=256.0, kernel_s=1.0)
    assert layer_s(free, 8, 4, 2, 16) == pytest.approx(2 * 1280 / 256 + 14)


def test_rates_take_off_the_waste_of_the_size_they_were_measured_at(measured: Measurement) -> None:
    """16384^3 is 8,192 tiles, 63 waves of 132: 8,316 tiles' time; K of 16,494 for 16,384."""
    rates = rates_of(measured, H200)
    reached = 800e12 * 8.796093 / 8.816093
    assert rates.flop_s == pytest.approx(reached * 8316 / 8192 * 16494 / 16384, rel=1e-6)
    assert rates.read_bytes_s == pytest.approx(4.4e12)
    assert rates.kernel_s == pytest.approx(1e-6)


def test_verify_compares_with_what_the_device_takes() -> None:
    """Triad of 1.5 GB at 4.3 TB/s: predicted 348.84 us and 1 for its start, the fake takes 348.84: +0.287 %."""
    source = a_measurement(gemm_bf16=800.0, dram_read=4400.0, dram_triad=4300.0, launch_graph=1.0)
    found = verify(FakeGpu(), source)
    assert len(found.rows) == 3 + 13 + 1
    rows = {row.name: row for row in found.rows}
    assert rows["triad of 1.5 GB"].error == pytest.approx(4300 * 1e-6 / 1.5, rel=1e-6)
    layer = rows["layer of 4096 tokens, 4096 wide"]
    assert layer.measured_s == pytest.approx(4e-3)
    assert layer.predicted_s == pytest.approx(layer_s(RATES, 4096, 4096, 32, 11008))
    assert found.to_dict()["median_abs"] == pytest.approx(sorted(abs(row.error) for row in found.rows)[8])
    assert found.skipped == {}


def test_verify_says_what_did_not_run() -> None:
    source = a_measurement(gemm_fp16=800.0, dram_triad=4300.0)
    found = verify(FakeGpu(fails={"layer": "unsupported"}), source, quick=True)
    assert found.skipped == {"layer of 4096 tokens, 4096 wide": "layer: unsupported"}
    assert all(row.name.startswith(("triad", "fp16")) for row in found.rows)


def test_verify_ends_with_a_lost_device() -> None:
    with pytest.raises(GpuError, match="lost"):
        verify(FakeGpu(fails={30: "lost"}), a_measurement(gemm_bf16=800.0, dram_triad=4300.0))


@pytest.mark.parametrize("figures", [{"dram_triad": 4300.0}, {"gemm_bf16": 800.0}, {"gemm_fp32": 50.0}])
def test_verify_needs_its_rates(figures: dict[str, float]) -> None:
    with pytest.raises(PerfcoreError, match="found no 16-bit product or no triad"):
        verify(FakeGpu(), a_measurement(**figures))


def test_operands_fill_more_than_the_cache() -> None:
    """1024^3 in 16 bit reads 4.2 MB: 24 copies and more stand against a cache of 50 MB."""
    seen: dict[str, int] = {}

    class Counting(FakeGpu):
        def gemm(self, form: str, m: int, n: int, k: int, copies: int = 1) -> Any:
            seen[f"{m} x {n} x {k}"] = copies
            return super().gemm(form, m, n, k, copies)

    verify(Counting(), a_measurement(gemm_bf16=800.0, dram_triad=4300.0))
    assert seen["1024 x 1024 x 1024"] == 1 + int(100e6 // 4194304)
    assert seen["10240 x 10240 x 10240"] == 1


# --- the chip file ----------------------------------------------------------------------------------------------


def test_a_measured_gpu_is_a_chip_file_like_any_other(measured: Measurement, tmp_path: Path) -> None:
    """Round trip: what was measured is what the file says, and what verify takes from it."""
    path = tmp_path / "mine.toml"
    write(measured, path)
    chip = load(path)
    assert chip.document["multiprocessors"] == 132
    assert float(chip.rates["bf16"].low) == pytest.approx(800 * 8.796093 / 8.816093, rel=1e-5)  # type: ignore[index]
    assert float(chip.parts["dram_bandwidth_gb_s"].low) == pytest.approx(4400)
    assert chip.document["cache"][0]["bandwidth_gb_s"] == 8000
    from_file, at_once = (verify(FakeGpu(), source).rows for source in (path, measured))
    assert [row.predicted_s for row in from_file] == pytest.approx([row.predicted_s for row in at_once], rel=1e-4)
    # 800 x 16 of bf16 is above the 4,800 of 3A090.a.1, whatever the die area.
    assert perfcore.check(str(path), on="2025-01-01").to_dict()["status"] == "controlled"


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", '"fast"', "true", "{ low = 1, high = 2 }"])
def test_a_file_edited_into_nonsense_is_one_line(measured: Measurement, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "mine.toml"
    write(measured, path)
    text, times = re.subn(
        r"(name = \"dram_triad\".*?median = )[0-9.]+", rf"\g<1>{wrong}", path.read_text(), flags=re.DOTALL
    )
    assert times == 1
    path.write_text(text)
    with pytest.raises(PerfcoreError, match=r"mine\.toml"):
        verify(FakeGpu(), path, quick=True)


def test_a_chip_file_that_was_not_measured_cannot_be_verified(tmp_path: Path) -> None:
    path = tmp_path / "designed.toml"
    path.write_text('name = "Mine"\n[peak_dense_tflops]\nbf16 = 300\n[memory]\nbandwidth_gb_s = 3000\n')
    with pytest.raises(
        PerfcoreError, match=r"designed\.toml: holds no measured figures; give a file that perfcore measure gpu"
    ):
        verify(FakeGpu(), path)


# --- the command ------------------------------------------------------------------------------------------------


def run_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], backend: FakeGpu, *words: str
) -> tuple[int, str, str]:
    """Run ``perfcore measure gpu`` on a fake; return exit code, stdout and what stderr says beside progress."""
    monkeypatch.setattr(gpu_backends, "choose", lambda: backend)
    monkeypatch.setattr(nvml, "open_device", lambda device, uuid: FakeDriver())
    monkeypatch.setattr(sys, "argv", ["perfcore", "measure", "gpu", "--quick", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    problems = [line for line in told.err.splitlines() if not line.startswith("perfcore: trying")]
    return int(ended.value.code or 0), told.out, "\n".join(problems)


def test_the_command_writes_a_chip_file_and_compares(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """800 TFLOP/s x 1.0995e12 / 1.1195e12 = 785.7 at 8192^3, of 989.4; TPP 12,571 of 15,831."""
    path = tmp_path / "mine.toml"
    code, out, problems = run_command(monkeypatch, capsys, FakeGpu(), "-o", str(path), "--verify")
    assert (code, problems) == (0, "")
    assert load(path).name == "NVIDIA H200"
    assert [line.split() for line in out.splitlines() if line.startswith("  TPP")] == [
        ["TPP", "12,571", "15,831", "79.4%"]
    ]
    assert "not measured: gemm_fp4: no product in it" in out
    assert "triad of 0.5 GB" in out


def test_the_command_prints_one_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(monkeypatch, capsys, FakeGpu(), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["comparison"]["chip"] == "nvidia_h200_sxm_141gb"
    assert found["measurement"]["kind"] == "gpu"


def test_the_command_keeps_nothing_of_a_lost_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    code, out, problems = run_command(monkeypatch, capsys, FakeGpu(fails={300: "lost"}), "-o", str(path))
    assert (code, out) == (2, "")
    assert len(problems.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# --- benchmarks/local_gpu.py ------------------------------------------------------------------------------------


def run_local(monkeypatch: pytest.MonkeyPatch, backend: FakeGpu, out: Path) -> int:
    spec = importlib.util.spec_from_file_location("local_gpu", ROOT / "benchmarks" / "local_gpu.py")
    assert spec is not None
    assert spec.loader is not None
    script: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "choose", lambda device, library: backend)
    monkeypatch.setattr(nvml, "open_device", lambda device, uuid: FakeDriver())
    monkeypatch.setattr(sys, "argv", ["local_gpu.py", "--out", str(out), "--quick"])
    return int(script.main())


def test_one_command_writes_the_file_and_the_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quick run ends at 8192^3: 800 TFLOP/s x 1.0995e12 / 1.1195e12 = 785.7, of 989.4 79.4 %."""
    assert run_local(monkeypatch, FakeGpu(), tmp_path) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "nvidia_h200_sxm_141gb_fake.json",
        "nvidia_h200_sxm_141gb_fake.toml",
    ]
    found = json.loads((tmp_path / "nvidia_h200_sxm_141gb_fake.json").read_text())
    assert found["comparison"]["rates"]["gemm_bf16"]["share"] == pytest.approx(0.7941, abs=1e-4)
    assert found["verification"]["n"] > 5
    assert "79.4%" in capsys.readouterr().out


@pytest.mark.parametrize(("call", "files"), [(300, 0), (740, 2)])
def test_a_device_lost_keeps_nothing_half(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], call: int, files: int
) -> None:
    """Lost while it is measured: no file. Lost while it is verified, after 724 calls: the measurement stands."""
    backend = FakeGpu(fails={call: "lost"})
    assert run_local(monkeypatch, backend, tmp_path) == (0 if files else 2)
    assert len(list(tmp_path.iterdir())) == files
    if files:
        found = json.loads((tmp_path / "nvidia_h200_sxm_141gb_fake.json").read_text())
        assert "lost" in found["verification"]["failed"]
    else:
        (line,) = (said for said in capsys.readouterr().err.splitlines() if said.startswith("local_gpu:"))
        assert "lost" in line
