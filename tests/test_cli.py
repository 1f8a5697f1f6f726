"""The command line, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli import COMMANDS

HEAVY = ("numpy", "numba", "pandas", "pyarrow", "matplotlib", "rich")


def run(*arguments: Any, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perfcore", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )


def document(*arguments: Any) -> Any:
    result = run(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_check_as_the_contract_shows_it() -> None:
    result = document("check", "h20", "--on", "2024-01-01")["results"][0]
    assert (result["chip"], result["on"], result["status"]) == ("nvidia_h20_sxm_96gb", "2024-01-01", "not_controlled")
    assert (result["paragraphs"], result["settle"]) == ([], [])
    certain = {entry["paragraph"] for entry in result["also"] if entry["layer"] != "proposal"}
    assert certain == {"3A991.p", "4A994.l"}  # 148 TOPS: less capable circuits, and what contains them
    metrics = {key: round(result["metrics"][key], 4) for key in list(result["metrics"])[:5]}
    assert metrics == {
        "tpp": 2368.0, "performance_density": 2.9091, "applicable_die_area_mm2": 814.0,
        "io_bandwidth_gb_s": 1028.0, "dram_bandwidth_gb_s": 4000.0,
    }  # fmt: skip
    finding = next(f for f in result["findings"] if f["paragraph"] == "3A090.b.2")
    assert (finding["layer"], finding["rule"], finding["version"], finding["met"]) == (
        "classification", "us_eccn_3a090", "2023-11-17", False,
    )  # fmt: skip
    tests = [
        (t["metric"], t["test"], t["threshold"], round(t["value"], 4), t["met"], round(t["margin"], 4))
        for t in finding["tests"]
    ]
    assert tests == [
        ("tpp", "at_least", 1600, 2368.0, True, 0.48),
        ("performance_density", "at_least", 3.2, 2.9091, False, -0.0909),
        ("performance_density", "below", 5.92, 2.9091, True, 0.5086),
    ]
    assert finding["source"]["title"] == "88 FR 73458"
    flag = result["flags"][0]
    assert (flag["reading"], flag["status"], flag["paragraphs"]) == (
        "tensor_plus_vector_units", "controlled", ["3A090.b.1", "3A090.b.2"],
    )  # fmt: skip
    assert result["flips"][0]["input"] == "tpp"
    assert result["flips"][0]["to"] == 2400.0


def test_a_timeline_has_every_version_in_order() -> None:
    days = [result["on"] for result in document("check", "a800")["results"]]
    assert days == sorted(days)
    assert {"2022-10-21", "2023-11-17", "2024-04-04", "2024-12-02", "2025-01-16", "2025-04-09", "2026-01-15"} <= set(
        days
    )


def test_several_chips_and_a_file(chip_file: Any) -> None:
    path = chip_file("name = 'Mine'\ntpp = 3000\napplicable_die_area_mm2 = 750\n")
    results = document("check", "h20", "a800", path, "--on", "2024-01-01")["results"]
    assert [r["status"] for r in results] == ["not_controlled", "controlled", "undetermined"]


def test_text_is_plain_and_says_what_matters() -> None:
    out = run("check", "h20", "rtx 4090 d", "mi308x", "--on", "2024-01-01").stdout
    assert "\x1b" not in out
    for said in (
        "not controlled under ECCN 3A090",
        "at least 2,400 instead of 2,368 (+1.35 %)",
        "excluded under ECCN 3A090: 3A090.a.2",
        "tensor_plus_vector_units",
        "what would settle it",
        "[recalled]",
        "88 FR 73458",
        "rtx 4090 d is read as nvidia_rtx_4090_d_24gb",
    ):
        assert said in out, said
    assert out.count("not legal advice") == 1


def review(*arguments: str) -> list[tuple[bool | None, str]]:
    also = document("check", "h200", "--on", "2026-02-01", *arguments)["results"][0]["also"]
    return [(entry["met"], entry["outcome"]) for entry in also if entry["layer"] == "review_policy"]


def test_on_a_line_the_way_out_is_down(tmp_path: Path) -> None:
    """2,400 on 750 mm2 (density 3.2): any less is no longer controlled, more stays so."""
    (tmp_path / "design.toml").write_text("name = 'x'\ntpp = 2400\napplicable_die_area_mm2 = 750\ndatacenter = true\n")
    out = run("check", tmp_path / "design.toml", "--on", "2024-01-01").stdout
    assert "total processing performance: below 2,400 instead of 2,400 (+0.00 %)  -> not controlled\n" in out


def test_facts_and_review_policy() -> None:
    case_by_case = [(True, "application reviewed case by case")]
    assert review("--fact", "destination=cn", "--fact", "exported_from_us=true") == case_by_case
    assert review("--to", "CN", "--from", "us") == case_by_case
    assert review("--to", "cn", "--from", "sg") == [(True, "presumption of denial")]
    assert {met for met, _ in review()} == {None}
    dc = document("check", "4090d", "--on", "2024-01-01", "--fact", "datacenter=true")["results"][0]
    assert dc["status"] == "controlled"


@pytest.mark.parametrize(
    ("chip", "on", "fail_on", "code"),
    [
        ("a100", "2024-01-01", "controlled", 1),
        ("h20", "2024-01-01", "controlled", 0),
        ("4090d", "2024-01-01", "undetermined", 0),  # excluded is neither
        ("mi308x", "2024-01-01", "controlled", 0),
        ("mi308x", "2024-01-01", "undetermined", 1),
        ("a100", "2024-01-01", "undetermined", 1),
        ("a800", None, "controlled", 1),  # the newest version counts
        ("h20", None, "undetermined", 0),
    ],
)
def test_fail_on(chip: str, on: str | None, fail_on: str, code: int) -> None:
    day = ("--on", on) if on else ()
    assert run("check", chip, *day, "--fail-on", fail_on).returncode == code


MISTAKES = [
    (("check", "h1000"), "did you mean"),
    (("check", "h20", "--on", "2024-13-01"), "YYYY-MM-DD"),
    (("check", "h20", "--on", "20240101"), "YYYY-MM-DD"),
    (("check", "h20", "--on", "yesterday"), "'yesterday'"),
    (("check", "no_such_file.toml"), "No such file"),
    (("check",), "Missing argument"),
    (("check", "h20", "--fact", "tpp"), "NAME=VALUE"),
    (("check", "h20", "--fact", "tppp=3"), "did you mean tpp"),
    (("check", "h20", "--to", "china"), "two letters"),
    (("check", "h20", "--from", "china"), "two letters"),
    (("check", "h20", "--to", "cn", "--fact", "destination=us"), "give one"),
    (("rules", "us_supercomputer", "--catalogue"), "speaks of system"),
    (("rules", "us_tariff_section_232", "--catalogue", "--on", "2025-01-01"), "in force"),
    (("rules", "--catalogue"), "no rule"),
    (("check", "h20", "--fact", "exporter=me"), "allowed: front_end_fabricator"),
    (("check", "h20", "--fact", "tpp=many"), "'many' (text)"),
    (("check", "h20", "--fact", "tpp=-3"), "negative"),
    (("check", "h20", "--fact", "tpp=0"), "zero"),
    (("check", "h20", "--fact", "tpp=inf"), "infinite"),
    (("check", "h20", "--fact", "tpp=nan"), "not a number"),
    (("check", "h20", "--fact", "tpp=5..4"), "low at most high"),
    (("check", "h20", "--fact", "datacenter=perhaps"), "true or false"),
    (("check", "h20", "--fact", "performance_density=9", "--fact", "applicable_die_area_mm2=9"), "two of the three"),
    (("check", "h20", "--fact", "classified=3A090.a"), "not a fact that can be given"),
    (("check", "h20", "--fact", "tpp=1", "--fact", "tpp=2"), "twice"),
    (("check", "h20", "--rules", "missing.toml"), "No such file"),
    (("check", "h20", "--fail-on", "red"), "red"),
    (("check", "h20", "--onn", "2024-01-01"), "--on"),
    (("chek", "h20"), "did you mean check"),
    (("chips", "hbm9"), "did you mean"),
    (("rules", "us_eccn_3a09"), "did you mean us_eccn_3a090"),
    (("batch", "missing.csv", "out.csv"), "No such file"),
    (("batch", "in.parquet", "out.csv"), "allowed: .csv"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_all_mistakes_of_all_files_at_once(chip_file: Any) -> None:
    one = chip_file("nmae = 'x'\ntpp = -1\n", "one.toml")
    two = chip_file("{}", "two.toml")
    result = run("check", "h20", one, two)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 3
    assert "one.toml:1: nmae" in lines[0]
    assert "one.toml:2: tpp" in lines[1]
    assert "two.toml: this is not TOML" in lines[2]
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_an_example_and_fits_a_terminal(command: str) -> None:
    out = run(*command.split(), "--help").stdout
    assert f"  perfcore {command or 'check h20'}" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_chips_shows_sources_and_rivals() -> None:
    out = run("chips", "h800").stdout
    for said in (
        "chosen over:",
        "428",
        "because:",
        "datasheet",
        "kelly_tracker_2026",
        "sources:",
        "link.1.bandwidth_gb_s",
    ):
        assert said in out
    assert "nvidia_h800_sxm_80gb" in run("chips").stdout
    shown = document("chips", "h800")
    assert shown["metrics"]["io_bandwidth_gb_s"] == 528.0
    assert any(value["key"] == "peak_dense_tflops.fp16" and value["mark"] == "datasheet" for value in shown["values"])


def test_rules_reads_like_the_law() -> None:
    out = run("rules", "us_eccn_3a090").stdout
    assert "total processing performance of 2,400 or more and less than 4,800" in out
    assert "performance density of 3.2 or more and less than 5.92" in out
    assert "88 FR 73458" in out
    assert "memory bandwidth density greater than 2" in out
    rules = document("rules")["rules"]
    assert {"us_eccn_3a090", "us_review_policy_china"} <= {rule["id"] for rule in rules}


@pytest.mark.parametrize(
    "arguments", [("check", "h20", "--on", "2024-01-01"), ("check", "h20", "--json"), ("chips", "h20"), ("rules",)]
)
def test_no_heavy_import(arguments: tuple[str, ...]) -> None:
    code = (
        f"import sys; sys.argv = ['perfcore', *{arguments!r}]\n"
        "from perfcore.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "[]"
    assert result.returncode == 0


def test_shell_completion() -> None:
    words = {"COMP_WORDS": "perfcore check nvidia_h2", "COMP_CWORD": "2", "_PERFCORE_COMPLETE": "bash_complete"}
    code = "from perfcore.cli import main; main(prog_name='perfcore')"
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **words}, check=False).stdout
    assert "nvidia_h20_sxm_96gb" in out


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m perfcore chips --json | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.stderr == ""


def test_version() -> None:
    import perfcore

    assert perfcore.__version__ in run("--version").stdout
