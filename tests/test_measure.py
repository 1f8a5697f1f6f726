"""Measuring a CPU: what counts as a result, the chip file, the host, verification. No test reads a clock."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import perfcore
from perfcore.chips import from_file
from perfcore.cli.measure import command
from perfcore.errors import PerfcoreError
from perfcore.measure import chip_file, verify
from perfcore.measure.figures import Figure, Measurement, judged, rate_figure, time_figure
from perfcore.measure.host import Cache, Host, look, ticks
from perfcore.measure.rounds import Probe, enough_turns, figures_of, take

CACHES = [
    {"name": "L1", "size": 48_000, "instances": 2},
    {"name": "L2", "size": 1_000_000, "instances": 2},
]


def figures() -> tuple[Figure, ...]:
    """Steady figures of a machine of two cores."""
    rates = {"fma_fp64": 0.25, "fma_fp32": 0.5, "gemm_fp64": 0.2, "gemm_fp32": 0.4}
    streams = {
        "l1_read": 900.0,
        "l2_copy": 380.0,
        "dram_triad": 40.0,
        "dram_triad_nt": 50.0,
        "dram_triad_one_core": 60.0,
    }
    made = [rate_figure(name, "TFLOP/s", [value] * 3) for name, value in rates.items()]
    made += [rate_figure(name, "GB/s", [value] * 3) for name, value in streams.items()]
    return (rate_figure("clock", "GHz", [2.0] * 3), *made)


def measurement(flags: tuple[str, ...] = (), **conditions: Any) -> Measurement:
    """A run on a quiet machine."""
    device = {"name": "Some CPU", "vendor": "Someone", "memory_gb": 16.0, "caches": CACHES, "threads": 2}
    quiet = {
        "date": "2026-11-22",
        "load_before": 0.01,
        "load_during": 0.02,
        "clock_start_mhz": 2000.0,
        "clock_end_mhz": 2010.0,
        "cores_before": 2,
        "cores_after": 2,
        "second_core": 1.98,
    }
    return Measurement("cpu", device | {"vector_flags": flags}, quiet | conditions, figures())


# What counts as a result.


def test_a_quiet_run_is_a_result() -> None:
    assert judged(measurement()).refused == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"load_before": 0.3}, "load: other programs use 30% of the device; allowed: 10%"),
        ({"load_during": 0.11}, "load: other programs use 11%"),
        ({"clock_end_mhz": 1900.0}, "clock: 2,000 MHz at the start and 1,900 at the end; allowed: a change of 3%"),
        ({"cores_after": 1}, "cores: 2 allowed at the start and 1 at the end"),
        ({"second_core": 1.02}, "cores: two threads did 1.02 times the work of one; allowed: 1.7"),
    ],
)
def test_a_disturbed_run_is_none(change: dict[str, Any], says: str) -> None:
    (reason,) = judged(measurement(**change)).refused
    assert reason.startswith(says)
    assert reason.count("\n") == 0
    assert reason.count("; ") >= 2  # seen; allowed; what to do


def test_scattered_samples_are_none() -> None:
    """Of 10, 10, 10, 10, 5: p10 is 7, p90 10, the median 10."""
    shaky = rate_figure("l2_read", "GB/s", [10.0, 5.0, 10.0, 10.0, 10.0])
    assert shaky.spread == pytest.approx(0.3)
    (reason,) = judged(replace(measurement(), figures=(shaky,))).refused
    assert reason.startswith("spread: samples of l2_read lie 30% of their median apart; allowed: 25%")


def test_what_is_not_known_refuses_nothing() -> None:
    assert judged(Measurement("cpu", {}, {}, figures())).refused == ()


def test_a_rate_is_its_best_sample_and_a_time_its_shortest() -> None:
    assert rate_figure("a", "GB/s", [1.0, 3.0, 2.0]).value == 3.0
    assert time_figure("a", "ns", [1.0, 3.0, 2.0]).value == 1.0
    assert rate_figure("a", "GB/s", [1.0, 3.0, 2.0]).samples == (1.0, 3.0, 2.0)


# The chip file.


def written(tmp_path: Path, run: Measurement) -> Path:
    path = tmp_path / "mine.toml"
    chip_file.write(run, path)
    return path


def test_a_measured_file_ends_in_a_verdict(tmp_path: Path) -> None:
    """TPP by hand: fp64 64 x 0.25 = 16 = fp32 32 x 0.5; DRAM: the best stream of all cores, not of one."""
    path = written(tmp_path, measurement())
    answer = perfcore.check(path, on="2026-02-01")
    assert answer.status == "not_controlled"
    assert answer.metrics["tpp"] == 16.0
    assert answer.metrics["dram_bandwidth_gb_s"] == 50.0
    assert answer.metrics["performance_density"] is None  # nothing is known of its dies
    assert from_file(path).document["memory"]["capacity_gb"] == 16


def test_the_file_keeps_shares_caches_and_figures(tmp_path: Path) -> None:
    document = from_file(written(tmp_path, measurement())).document
    measured = document["measured"]
    assert float(measured["gemm_share"]) == 0.8  # 0.2 / 0.25 and 0.4 / 0.5
    assert float(measured["stream_share"]) == 0.8  # 40 / 50
    assert float(measured["load"]) == 0.02
    assert [(c["name"], float(c["capacity_mb"]), float(c["bandwidth_gb_s"])) for c in document["cache"]] == [
        ("L1", 0.096, 900.0),
        ("L2", 2.0, 380.0),
    ]
    assert chip_file.figures_in(from_file(tmp_path / "mine.toml"), "cpu") == {f.name: f.value for f in figures()}


def test_narrow_formats_that_were_not_timed_are_derived(tmp_path: Path) -> None:
    """A VNNI instruction multiplies 64 pairs of 8 bit where a multiply-add has 16 of 32 bit: 4 x 0.5 TFLOP/s."""
    document = from_file(written(tmp_path, measurement(("avx512_vnni", "avx512_bf16")))).document
    assert (float(document["peak_dense_tflops"]["int8"]), float(document["peak_dense_tflops"]["bf16"])) == (2.0, 1.0)
    marks = {one["keys"][0]: one["mark"] for one in document["evidence"]}
    assert marks["peak_dense_tflops.int8"] == "derived"
    assert marks["peak_dense_tflops.fp32"] == "estimate"


def test_a_tile_unit_that_was_not_timed_is_an_interval(tmp_path: Path) -> None:
    """AMX: 16 x 16 x 64 products in 16 cycles are 2,048 operations a cycle; 2 GHz x 2 cores: 8.192 TFLOP/s."""
    path = written(tmp_path, measurement(("amx_int8", "avx512_vnni")))
    rate = from_file(path).document["peak_dense_tflops"]["int8"]
    assert (float(rate["low"]), float(rate["high"])) == (2.0, 8.192)
    assert perfcore.check(path, on="2026-02-01").metrics["tpp"] == {"low": 16.0, "high": 65.536}


def test_a_timed_format_is_not_derived_again(tmp_path: Path) -> None:
    timed = (*figures(), rate_figure("dot_int8", "TFLOP/s", [1.7] * 3))
    run = replace(measurement(("avx512_vnni",)), figures=timed)
    assert float(from_file(written(tmp_path, run)).document["peak_dense_tflops"]["int8"]) == 1.7


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fp32 = 0.5", "fp32 = -0.5", r"mine.toml:\d+: peak_dense_tflops.fp32: found -0.5 \(negative\); allowed:"),
        ("fp32 = 0.5", 'fp32 = "fast"', r"mine.toml:\d+: peak_dense_tflops.fp32: found 'fast' \(text\)"),
        ("bandwidth_gb_s = 50", "bandwidth_gb_s = inf", r"mine.toml:\d+: memory.bandwidth_gb_s: found .* \(infinite\)"),
        ("capacity_mb = 2", "capacity_mb = 0", r"mine.toml:\d+: cache.2.capacity_mb: found 0 \(zero\)"),
        ("gemm_share = 0.8", "gemm_share = -1", r"mine.toml:\d+: measured.gemm_share: found -1; allowed:"),
        ("threads = 2", "threads = 2.5", r"mine.toml:\d+: measured.threads: found 2.5; allowed: a whole number"),
        ("date = 2026-11-22", 'date = "today"', r"mine.toml:\d+: measured.date: found 'today'; allowed: a date"),
        ("[measured]", "[measurde]", r"mine.toml:\d+: measurde: not a known key; did you mean measured"),
        ("value = 900", "value = -900", r"mine.toml:\d+: measured.figure.\d+.value: found -900 \(negative\)"),
    ],
)
def test_a_file_edited_into_nonsense_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = written(tmp_path, measurement())
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PerfcoreError, match=says) as mistake:
        perfcore.check(path, on="2026-02-01")
    assert len(mistake.value.lines) == 1


def test_the_reasons_stand_in_a_file_that_was_forced(tmp_path: Path) -> None:
    path = written(tmp_path, judged(measurement(load_during=0.5)))
    assert "# NOT A RESULT. load: other programs use 50%" in path.read_text()
    assert from_file(path).document["measured"]["refused"][0].startswith("load: ")


def test_odd_names_make_no_odd_file(tmp_path: Path) -> None:
    device = {"name": 'A "CPU"\n[die]\\\x07', "vendor": "é"}
    path = written(tmp_path, Measurement("cpu", device, {}, figures()))
    assert from_file(path).name == 'A "CPU" [die]\\'


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 'old'\n")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PerfcoreError, match="No space left"):
        chip_file.write(measurement(), path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.toml"]
    assert path.read_text() == "name = 'old'\n"


def test_figures_of_another_kind_are_refused(tmp_path: Path, chip_file: Callable[..., Path]) -> None:
    from perfcore.measure.chip_file import figures_in

    path = written(tmp_path, measurement())
    with pytest.raises(
        PerfcoreError, match="holds a measurement of a cpu; give a file that perfcore measure gpu wrote"
    ):
        figures_in(from_file(path), "gpu")
    with pytest.raises(PerfcoreError, match="holds no measured figures"):
        figures_in(from_file(chip_file("name = 'x'\ntpp = 3\n")), "cpu")


# The host.


def machine(root: Path, **files: str) -> Path:
    """Lay out the files of a machine; __ in a name stands for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def a_core(core: int, siblings: str) -> dict[str, str]:
    base = f"sys__devices__system__cpu__cpu{core}__"
    levels = {0: ("1", "Data", "48K", siblings), 1: ("1", "Instruction", "32K", siblings)}
    levels |= {2: ("2", "Unified", "2048K", siblings), 3: ("3", "Unified", "32M", "0-3")}
    files = {f"{base}topology__thread_siblings_list": siblings}
    for index, said in levels.items():
        names = ("level", "type", "size", "shared_cpu_list")
        files |= {f"{base}cache__index{index}__{name}": one for name, one in zip(names, said, strict=True)}
    return files


def test_a_machine_with_two_threads_a_core(tmp_path: Path) -> None:
    files = a_core(0, "0,2") | a_core(1, "1,3") | a_core(2, "0,2") | a_core(3, "1,3")
    files["proc__cpuinfo"] = (
        "vendor_id\t: GenuineIntel\nmodel name\t: A Xeon\nflags\t\t: avx avx2\n\nmodel name: other\n"
    )
    files["proc__meminfo"] = "MemTotal:  1000 kB\nMemAvailable:   500 kB\n"
    host = look(machine(tmp_path, **files), allowed=(0, 1, 2, 3))
    assert (host.name, host.vendor, host.flags) == ("A Xeon", "Intel", {"avx", "avx2"})
    assert host.one_a_core == (0, 1)
    assert (host.memory, host.available) == (1_024_000, 512_000)
    assert host.caches == (Cache(1, 49152, 2, 2), Cache(2, 2 * 2**20, 2, 2), Cache(3, 2**25, 4, 1))


def test_half_a_machine_counts_what_it_reaches(tmp_path: Path) -> None:
    host = look(machine(tmp_path, **(a_core(0, "0,2") | a_core(2, "0,2"))), allowed=(0, 2))
    assert host.one_a_core == (0,)
    assert host.cache(3) == Cache(3, 2**25, 2, 1)


def test_a_container_has_what_it_is_allowed(tmp_path: Path) -> None:
    files = {"sys__fs__cgroup__cpu.max": "150000 100000", "sys__fs__cgroup__memory.max": "2048000"}
    files |= {
        "sys__fs__cgroup__memory.current": "48000",
        "proc__meminfo": "MemTotal: 99999 kB\nMemAvailable: 9999 kB\n",
    }
    host = look(machine(tmp_path, **files), allowed=(0, 1, 2))
    assert host.one_a_core == (0,)  # 1.5 cores' worth of time keeps one core busy
    assert (host.memory, host.available) == (2_048_000, 2_000_000)


def test_a_machine_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    host = look(tmp_path, allowed=(0, 1))
    assert (host.caches, host.memory, host.available, host.flags) == ((), None, None, frozenset())
    assert host.vendor == "unknown"
    assert host.one_a_core == (0, 1)
    assert ticks((0, 1), tmp_path) is None
    assert host.to_dict()["memory_gb"] is None


def test_load_counts_time_the_host_takes_away(tmp_path: Path) -> None:
    """User 1 + nice 2 + system 3 + irq 6 + softirq 7 + steal 8 = 27 of 36; idle 4 and iowait 5 are not busy."""
    machine(tmp_path, proc__stat="cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 99 99\ncpu1 500 0 0 0 0 0 0 0\n")
    assert ticks((0,), tmp_path) == (27, 36)


# Samples.


def test_probes_take_turns() -> None:
    order: list[str] = []

    def of(name: str) -> Callable[[int], float]:
        def run(turns: int) -> float:
            order.append(name)
            return 0.01 * turns

        return run

    probes = [Probe("a", "GB/s", 2.0, of("a"), sample_s=0.0), Probe("b", "ns", 5.0, of("b"), False, sample_s=0.0)]
    samples = take(probes, rounds=2)
    assert order == ["a", "b", "a", "b", "a", "b"]  # a warm-up, then two rounds
    assert samples == {"a": [200.0, 200.0], "b": [2e6, 2e6]}  # 2 / 0.01 s; 0.01 s / 5 in ns
    assert [(one.name, one.value) for one in figures_of(probes, samples)] == [("a", 200.0), ("b", 2e6)]


def test_turns_grow_until_a_sample_is_long_enough() -> None:
    asked: list[int] = []

    def run(turns: int) -> float:
        asked.append(turns)
        return 1e-4 * turns

    assert enough_turns(run, 0.02) == 200
    assert asked == [1, 1, 1, 4, 4, 16, 16, 64, 64]  # 64 turns last 6.4 ms, more than a quarter of what is wanted


def test_an_interrupted_warm_up_makes_no_short_sample() -> None:
    """The first call of each two takes a second longer."""
    calls: list[int] = []

    def run(turns: int) -> float:
        calls.append(turns)
        return 1e-4 * turns + len(calls) % 2

    assert enough_turns(run, 0.02) == 200


# Verification.

RATES = {
    **{
        f"{level}_{what}": rate
        for level, rate in (("l1", 100.0), ("l2", 50.0), ("dram", 10.0))
        for what in ("read", "copy", "triad")
    },
    "gemm_fp64": 0.1,
    "gemm_fp32": 0.2,
    "numpy_call": 500.0,
    "numpy_matmul_call": 1000.0,
    "exp_fp32_one_core": 2.0,
    "row_sum_fp32_one_core": 5.0,
    "row_subtract_fp32_one_core": 5.0,
}
SMALL = Host("x", "y", (0,), (0,), (Cache(1, 1000, 1, 1), Cache(2, 10_000, 1, 1)), None, None, frozenset())


def test_a_product_is_multiplying_then_packing_then_the_call() -> None:
    """100 x 100 x 100 in fp64: 2e6 FLOP at 0.1 TFLOP/s are 20 us; 480 kB packed at 10 GB/s 48 us; the call 1 us."""
    found = verify.machine_of(RATES, SMALL)
    assert found.gemm_s(100, 100, 100, 8) == pytest.approx(69e-6)


def test_a_vector_times_a_matrix_reads_it_once() -> None:
    """1 x 1000 x 1000 in fp32: 4.008 MB at 10 GB/s, and the call."""
    assert verify.machine_of(RATES, SMALL).gemm_s(1, 1000, 1000, 4) == pytest.approx(400.8e-6 + 1e-6)


def test_a_stream_moves_at_the_rate_of_its_level() -> None:
    found = verify.machine_of(RATES, SMALL)
    assert found.elementwise_s("copy", 1000.0, 800.0) == pytest.approx(10e-9 + 500e-9)
    assert found.elementwise_s("copy", 1000.0, 5000.0) == pytest.approx(20e-9 + 500e-9)
    assert found.bound_s("exp", "copy", 1000.0, 800.0) == pytest.approx(510e-9)  # 2 GB/s would be 500 ns
    assert found.bound_s("exp", "copy", 10_000.0, 800.0) == pytest.approx(5e-6)


def test_errors_are_of_time() -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("a case is timed by its probe alone")

    predicted = {"a": 1.1e-3, "b": 0.8e-3, "c": 1.0e-3}
    cases = [verify.Case(name, "gemm", never, lambda _, s=s: s) for name, s in predicted.items()]
    timed = {name: time_figure(name, "ns a call", [2e6, 1e6]) for name in predicted}  # the shortest: 1 ms
    found = verify.verification_of(cases, verify.machine_of(RATES, SMALL), timed)
    assert [row.error for row in found.rows] == pytest.approx([0.1, -0.2, 0.0])
    told = found.to_dict()
    assert (told["median_abs"], told["max_abs"], told["n"]) == (pytest.approx(0.1), pytest.approx(0.2), 3)
    assert told["bias"] == pytest.approx(-0.1 / 3)


def test_a_missing_figure_is_named() -> None:
    some = {name: rate for name, rate in RATES.items() if name != "gemm_fp32"}
    with pytest.raises(PerfcoreError, match=r"mine\.toml: holds no figure gemm_fp32"):
        verify.machine_of(some, SMALL, "mine.toml")


# The command.


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Measurement], None]:
    """Stand in for the measuring of the CPU; the current folder is an empty one."""
    from perfcore.measure import cpu

    monkeypatch.chdir(tmp_path)

    def as_if(found: Measurement) -> None:
        monkeypatch.setattr(cpu, "measure", lambda *_, **__: judged(found))

    return as_if


def test_the_command_writes_a_file_and_says_where(fake: Any, tmp_path: Path) -> None:
    fake(measurement())
    result = run("cpu")
    assert result.exit_code == 0, result.output
    assert "written to measured_cpu.toml" in result.output
    assert perfcore.check(tmp_path / "measured_cpu.toml", on="2026-02-01").metrics["tpp"] == 16.0


def test_a_run_that_is_no_result_writes_nothing(fake: Any, tmp_path: Path) -> None:
    fake(measurement(load_during=0.5))
    result = run("cpu")
    assert isinstance(result.exception, PerfcoreError)
    assert str(result.exception).startswith("not a result: load: other programs use 50% of the device")
    assert list(tmp_path.iterdir()) == []
    assert run("cpu", "--force").exit_code == 0
    assert "NOT A RESULT" in (tmp_path / "measured_cpu.toml").read_text()


def test_json_is_one_document(fake: Any, tmp_path: Path) -> None:
    fake(measurement())
    told = json.loads(run("cpu", "--json").stdout)
    assert told["measurement"]["kind"] == "cpu"
    assert told["measurement"]["figures"][0]["samples"] == [2.0, 2.0, 2.0]
    assert (told["file"], told["verification"]) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from perfcore.measure import cpu

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cpu, "measure", interrupted)
    assert run("cpu").exit_code == 1  # click's Abort, which main() makes 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cpu", "some.toml"), "some.toml: a file is read with --verify only"),
        (("cpu", "some.toml", "--verify", "-o", "x.toml"), "-o x.toml: no figures are measured"),
        (("cpu", "-o", "."), "-o .: this is a folder"),
        (("cpu", "-o", "no/such/x.toml"), "-o no/such/x.toml: its folder is not there"),
        (("gpu", "--threads", "2"), "--threads: a GPU has none"),
        (("cpu", "--threads", "0"), "--threads: found 0; allowed: 1 to"),
        (("cpu", "no_such.toml", "--verify"), "no_such.toml: cannot be read"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], says: str, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    mistake = run(*arguments).exception
    assert isinstance(mistake, PerfcoreError)
    assert str(mistake).startswith(says)
    assert len(mistake.lines) == 1


def test_a_share_of_products_above_the_peak_is_refused_where_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "edited.toml"
    path.write_text(
        'name = "Edited"\n[peak_dense_tflops]\nfp32 = 0.3\n[memory]\nbandwidth_gb_s = 30\ncapacity_gb = 24\n'
        '[measured]\nkind = "cpu"\ngemm_share = 7\n'
    )
    with pytest.raises(PerfcoreError, match="gemm_share: found 7; allowed: a share of the peak, at most 1"):
        perfcore.infer("llama3.2_1b", str(path), 1, batch=1, input=16, output=4, precision="fp32")
