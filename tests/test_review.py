"""Regressions: what a fresh-eye review found, each once."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import item, judged
from perfcore import check, check_table
from perfcore.chips import from_file, load
from perfcore.errors import PerfcoreError
from perfcore.rules import from_file as rule_from_file


@pytest.mark.parametrize(("tpp", "area"), [(1600.176, 270.3), (1601.36, 270.5), (1601.952, 270.6), (1603.136, 270.8)])
def test_a_float_fact_means_its_shortest_decimal(tpp: float, area: float) -> None:
    """Each pair is a density of exactly 5.92; as binary floats each falls short of it."""
    answer = check("l4", on="2024-01-01", facts={"tpp": tpp, "applicable_die_area_mm2": area})
    assert answer.paragraphs == ("3A090.a.2",)


def test_float_intervals_and_numpy_numbers_as_facts() -> None:
    import numpy as np

    facts = {"tpp": {"low": 4800.5, "high": 5000.5}}
    assert check("l4", on="2024-01-01", facts=facts).paragraphs[0] == "3A090.a.1"
    for number in (np.float64(4800.0), np.int64(4800), np.float32(4800)):
        assert check("l4", on="2024-01-01", facts={"tpp": number}).paragraphs[0] == "3A090.a.1"


def test_batch_never_touches_its_input_or_files_of_others(tmp_path: Path) -> None:
    table = "design,tpp\na,4800\nb,-1\n"
    source = tmp_path / "runs.errors.csv"
    source.write_text(table)
    with pytest.raises(PerfcoreError, match="is the input"):
        check_table(source, tmp_path / "runs.csv", "2024-01-01")
    other = tmp_path / "out.errors.csv"
    other.write_text("somebody's notes\n")
    with pytest.raises(PerfcoreError, match="in the way"):
        check_table(source, tmp_path / "out.csv", "2024-01-01")
    assert source.read_text() == table
    assert other.read_text() == "somebody's notes\n"
    assert not (tmp_path / "out.csv").exists()


def test_batch_writes_only_to_plain_files(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("tpp\n4800\n")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "folder.csv", "missing/out.csv"):
        with pytest.raises(PerfcoreError):
            check_table(source, tmp_path / name, "2024-01-01")
    (tmp_path / "real.csv").write_text("old\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    check_table(source, tmp_path / "link.csv", "2024-01-01")
    assert (tmp_path / "link.csv").is_symlink()
    assert "controlled" in (tmp_path / "real.csv").read_text()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_settle_tells_paragraphs_apart() -> None:
    """TPP 3,646 to 5,504 on 1,940 to 2,400 mm2: b.1 from 3,840 to 4,800, a.1 above, never one answer for both."""
    settle = {s["input"]: s["decides"] for s in check("mi308x", on="2024-01-01").settle}
    assert [(d["at_least"], d["paragraphs"]) for d in settle["tpp"]] == [(3840, ["3A090.b.1"]), (4800, ["3A090.a.1"])]
    for decided in settle["tpp"]:
        then = check("mi308x", on="2024-01-01", facts={"tpp": decided["at_least"]})
        assert list(then.paragraphs) == decided["paragraphs"]


def test_settle_names_only_what_matters_to_such_an_item() -> None:
    chip = check("mi308x", on="2025-01-01").settle
    memory = check("hbm2 1.6 gbps", on="2025-01-01").settle
    assert {s["input"] for s in chip} == {"tpp", "applicable_die_area_mm2"}
    assert {s["input"] for s in memory} == {"hbm_bandwidth_density_gb_s_mm2"}


RULE = 'name = "r"\n[[version]]\neffective = 2024-01-01\nsource = { title = "x" }\n'


@pytest.mark.parametrize(
    "text",
    [
        'name = "r"\nversion = [3]\n',
        'name = "r"\nversion = []\n',
        RULE + "paragraph = [3]\n",
        RULE + "[[version.paragraph]]\nid = ['p']\nall_of = { tpp = { at_least = 3 } }\n",
        RULE + "[[version.paragraph]]\nid = 'p'\nall_of = { classified = '3A090.a.1' }\n",
        RULE + "[[version.paragraph]]\nid = 'p'\nall_of = { destination = 'china' }\n",
        RULE + "[[version.paragraph]]\nid = 'p'\nexcludes = [3]\nall_of = { tpp = { at_least = 3 } }\n",
        RULE.replace('"x"', '"x", certainty = 3'),
        'name = "r"\nlayer = 3\n' + RULE[11:],
    ],
)
def test_rule_files_that_once_gave_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(PerfcoreError):
        rule_from_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "[[conflict]]\nkey = 'tpp'\nreason = 'x'\n",
        "[[conflict]]\nkey = 'tpp'\nreason = 'x'\nothers = [ { note = 'y' } ]\n",
        "[[conflict]]\nkey = 'tpp'\nreason = 'x'\nothers = [ { value = nan } ]\n",
        "[[conflict]]\nkey = 'tpp'\nreason = 'x'\nothers = [ { value = 1e99999999 } ]\n",
        ".".join("a" * 50_000) + " = 1\n",
        "[facts]\ntpp = 5000\n",
        "[facts]\ndestination = 'china'\n",
        "x = 1\ny = [\n[" + " " * 20_000 + "\n]]\n",
    ],
)
def test_chip_files_that_once_gave_a_traceback_or_hung(chip_file: Any, text: str) -> None:
    with pytest.raises(PerfcoreError):
        load(chip_file("tpp = 3000\n" + text))


def test_a_device_is_read_only_so_far() -> None:
    with pytest.raises(PerfcoreError, match="more than"):
        from_file(Path("/dev/zero"))


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-"])
def test_an_output_that_cannot_be_written(redirection: str) -> None:
    command = f"{sys.executable} -m perfcore check h20 {redirection}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("destination", ["CN", "cn"])
def test_a_destination_is_read_in_any_case(destination: str) -> None:
    facts = {"destination": destination, "exported_from_us": True}
    also = check("h200", on="2026-02-01", facts=facts).also
    assert [entry["met"] for entry in also if entry["layer"] == "review_policy"] == [True]


def test_a_review_policy_is_silent_about_other_countries() -> None:
    def said(**facts: Any) -> list[Any]:
        also = check("h200", on="2026-02-01", facts=facts).also
        return [entry["outcome"] for entry in also if entry["layer"] == "review_policy"]

    assert said(destination="fr", exported_from_us=True) == []
    assert "denial" in said(destination="cn", exported_from_us=False)[0]


def test_a_purely_analog_chip_of_2022() -> None:
    """87 FR 62186, 3A090.a.3: 700 TOPS x 8 = 5,600; no digital unit is needed."""
    link = [{"bandwidth_gb_s": 700}]
    chip = item(analog_tops=700, link=link, facts={"digital_processing_units": False})
    assert judged(chip, "2023-01-01").paragraphs == ("3A090.a",)


def test_marks_follow_the_number() -> None:
    assert check("l2", on="2024-01-01").rests_on["transistors_billion"]["mark"] in ("estimate", "recalled", "press")
    assert check("4090d", on="2024-01-01", facts={"datacenter": True}).rests_on["datacenter"]["mark"] == "given"
    facts = {"applicable_die_area_mm2": 300, "tpp": 1900}
    assert "performance_density" not in check("l4", on="2024-01-01", facts=facts).rests_on


def test_whose_area_counts_is_computed_for_chiplets() -> None:
    for name in ("mi300x", "mi308x", "mi325x"):
        readings = {r["reading"] for r in check(name, on="2024-01-01").readings}
        assert "area_of_compute_dies_only" in readings, name


def test_a_note_of_ones_own_rule_takes_out(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        RULE + "[[version.paragraph]]\nid = 'X.a'\nall_of = { tpp = { at_least = 4000 } }\n"
        "[[version.paragraph]]\nid = 'note'\nlayer = 'exclusion'\nexcludes = ['X.a']\nall_of = { datacenter = false }\n"
    )
    met = {f.paragraph: f.met for f in check("4090d", on="2024-06-01", rules=own).findings if f.rule == "own"}
    assert met == {"X.a": False, "note": True}
    assert {f.paragraph: f.met for f in check("h100", on="2024-06-01", rules=own).findings if f.rule == "own"}["X.a"]


def test_other_rules_speak_before_3a090_does(tmp_path: Path) -> None:
    bill = tmp_path / "bill.toml"
    bill.write_text(
        RULE.replace("2024", "2020") + "[[version.paragraph]]\nid = 'p'\nall_of = { tpp = { at_least = 1 } }\n"
    )
    command = [sys.executable, "-m", "perfcore", "check", "h20", "--on", "2022-01-01", "--rules", str(bill)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "No version of ECCN 3A090" in out
    assert "(bill) met" in out


@pytest.mark.parametrize(
    ("tpp", "shown"), [("4799.99999", "4,799.99999"), ("4799.99999999999999999", "just below 4,800")]
)
def test_what_is_shown_does_not_contradict_the_answer(chip_file: Any, tpp: str, shown: str) -> None:
    path = chip_file(f"tpp = {tpp}\napplicable_die_area_mm2 = 900\ndatacenter = true\n")
    command = [sys.executable, "-m", "perfcore", "check", str(path), "--on", "2024-01-01"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown in next(line for line in out.splitlines() if "3A090.a.1" in line and "4,800 or more" in line)


def test_a_pipe_as_input(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("tpp\n4800\n")
    command = f"{sys.executable} -m perfcore batch <(cat {source}) {tmp_path}/out.csv --on 2024-01-01"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0


def test_names_of_the_catalogue_are_those_the_files_state() -> None:
    from perfcore import chips

    for kind in ("chip", "memory"):
        for item_id in chips.ids(kind):
            document = chips.load(item_id).document
            assert sorted(chips._heads()[item_id][1]) == sorted([document["name"], *document["aliases"]])


def test_a_stated_2022_measure_is_not_read_anew() -> None:
    chip = item(peak_dense_tflops={"tf32": 100})
    verdict = check(chip, on="2022-12-01", facts={"bits_x_tops_2022": 1000})
    readings = {reading["reading"]: reading["metrics"] for reading in verdict.readings}
    assert "bits_x_tops_2022" not in readings["tf32_as_32_bits"]


def test_otherwise_speaks_for_the_alternative_that_fits(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        RULE + "[[version.paragraph]]\nid = 'p'\notherwise = 'no'\nany_of = [ { classified = '3A090.a', "
        "tpp = { below = 5000 } }, { classified = '3A090.b', tpp = { below = 3000 } } ]\n"
    )
    found = check(item(tpp=6000), on="2024-06-01", rules=own).findings
    assert [(f.met, f.outcome) for f in found if f.rule == "own"] == [(False, "no")]


def test_python_arguments() -> None:
    from datetime import datetime

    with pytest.raises(PerfcoreError):
        check("h20", on=datetime(2024, 1, 1, 12))
    assert check("h20").to_dict()["notice"]
    verdict = check("h20", on="2024-01-01")
    assert pickle.loads(pickle.dumps(verdict)) == verdict


def test_perfcore_alone_shows_its_help() -> None:
    result = subprocess.run([sys.executable, "-m", "perfcore"], capture_output=True, text=True, check=False)
    assert "Commands:" in result.stdout + result.stderr
    assert "Error" not in result.stderr
