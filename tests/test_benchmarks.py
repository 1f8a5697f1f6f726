"""The page of benchmarks says what the figures beside it say, and what is missed or absent; the command runs."""

import copy
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIGURES: dict[str, Any] = json.loads((ROOT / "docs" / "benchmarks.json").read_text("utf-8"))


def page(figures: dict[str, Any]) -> str:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        text: str = import_module("benchmarks_page").page(figures)
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return text


def changed(*place: Any, to: Any) -> dict[str, Any]:
    """Return the figures with one of them another."""
    figures: Any = copy.deepcopy(FIGURES)
    inner = figures
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to
    found: dict[str, Any] = figures
    return found


def line(text: str, start: str) -> str:
    found = [each for each in text.splitlines() if each.startswith(start)]
    assert len(found) == 1, start
    return found[0]


@pytest.mark.parametrize(
    ("place", "value", "start", "said"),
    [
        (("loops", 0, "share_of_reading"), 0.8, "| loop, rules since 2023, 1 thread |", "80 % | at least 80 % | met |"),
        (("loops", 0, "share_of_reading"), 0.799, "| loop, rules since 2023, 1 thread |", "**missed** |"),
        (("parquet", 0, "times_plain_copy"), 2.0, "| Parquet to Parquet, random, 1 thread |", "at most 2 x | met |"),
        (("parquet", 0, "times_plain_copy"), 2.01, "| Parquet to Parquet, random, 1 thread |", "**missed** |"),
        (("plans", "command_warm_s"), 1.6, "| `perfcore train`, whole command |", "**missed** |"),
        (("plans", "times_over_python"), 999.0, "| training plans timed, over plain Python |", "**missed** |"),
        (("sweep", "seconds"), 61.0, "| `perfcore design --sweep`, grid billion |", "**missed** |"),
    ],
)
def test_a_target_is_judged_before_it_is_rounded(place: Any, value: float, start: str, said: str) -> None:
    assert line(page(changed(*place, to=value)), start).endswith(said)


def test_what_is_absent_is_said() -> None:
    assert "distributed was not installed." in page(changed("dask", to=None))
    assert "polars was not installed." in " ".join(page(changed("methods", "absent", to=["polars"])).split())
    assert "polars absent" in " ".join(page(changed("machine", "packages", "polars", to=None)).split())


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"loops": 0.02, "after": 0.0}, "Nothing else was running."),
        (
            {"loops": 0.02, "after": 0.61},
            "**Other work was running beside it**, which kept 2 to 61 % of the cores busy",
        ),
        ({"loops": None, "after": None}, "What else was running is not known."),
    ],
)
def test_what_ran_beside_it_is_said(beside: Any, said: str) -> None:
    assert said in " ".join(page(changed("busy_beside", to=beside)).split())


def test_the_figures_are_of_a_whole_run() -> None:
    """From 10^3 to 10^9, on 1, 2 and more threads, with everything beside it."""
    assert FIGURES["sizes"]["rows"] == 20_000_000
    work = {
        kind: [each["work"] for each in FIGURES["growth"] if each["kind"] == kind] for kind in ("columns", "designs")
    }
    assert work["columns"] == [10**power for power in range(3, 10)]
    assert work["designs"][0] <= 1000
    assert work["designs"][-1] == 1_021_870_080  # the grid of a billion, counted in docs/design.md
    assert {each["threads"] for each in FIGURES["loops"]} == {1, 2, 4}
    assert not FIGURES["methods"]["absent"]
    assert FIGURES["dask"]


def test_the_command_runs_and_refuses_in_words() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--quick", "--only"]
    pytest.importorskip("pyarrow")
    good = subprocess.run([*command, "csv"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert good.returncode == 0, good.stderr
    figures = json.loads(good.stdout)
    assert (figures["csv"]["rows"], set(figures["busy_beside"])) == (2000, {"csv", "after"})
    bad = subprocess.run([*command, "csvs"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert bad.returncode == 2
    assert "found 'csvs'; allowed: loops, methods" in bad.stderr
