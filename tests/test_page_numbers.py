"""The numbers and words of the page are those of the command line, row by row, from its JSON."""

import json
import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from click.testing import CliRunner

from perfcore import chips, rules
from perfcore.cli import _main
from perfcore.report.numbers import documents_section
from perfcore.report.page import Contents, page

WORDS = {"controlled": "■ controlled", "excluded": "◆ excluded", "not_controlled": "○ not controlled"}
WORDS |= {"undetermined": "△ open"}
METRICS = ("tpp", "performance_density", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s")
DAYS = [version.effective.isoformat() for version in rules.load(rules.THE_RULE).versions]


class Tables(HTMLParser):
    """The cells of every table by its caption, as a reader sees them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, list[list[str]]] = {}
        self.place: list[str] | None = None
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "caption"):
            self.text = []

    def handle_endtag(self, tag: str) -> None:
        said = " ".join("".join(self.text).split())
        if tag == "caption":
            self.rows: list[list[str]] = self.found.setdefault(said, [])
        elif tag in ("td", "th"):
            self.rows[-1].append(said)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def tables() -> dict[str, list[list[str]]]:
    return Tables(page(Contents(), today=date(2026, 2, 1))).found


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(_main, [*arguments, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def digits(value: Any, count: int = 4) -> str:
    """Write a number of the JSON with so many digits, and thousands apart."""
    if value is None:
        return "?"
    if isinstance(value, dict):
        low, high = (None if end is None else digits(end, count) for end in (value["low"], value["high"]))
        return f"{low} or more" if high is None else f"{low} to {high}"
    short = f"{value:.{count}g}"
    return f"{float(value):,.0f}" if "e" in short else f"{float(short):,.10g}" if float(short) < 1e6 else short


@pytest.mark.parametrize("day", DAYS)
def test_the_matrix_says_what_check_says(tables: dict[str, list[list[str]]], day: str) -> None:
    """Status, paragraphs met and open, answers of contested readings, and metrics of every chip."""
    head, *rows = tables["Status and paragraphs of ECCN 3A090 that are certainly met, by effective date"]
    at = head.index(day)
    ids = chips.ids("chip")
    results = run("check", *ids, "--on", day)["results"]
    flagged = 0
    for row, result in zip(rows, results, strict=False):
        met = ", ".join(result["paragraphs"])
        maybe = ", ".join(f"{one}?" for one in result["possible_paragraphs"] if one.startswith("3A090"))
        others = " or ".join(dict.fromkeys(WORDS[flag["status"]][2:] for flag in result["flags"]))
        want = [WORDS[result["status"]], *(words.replace("3A090", "") for words in (met, maybe) if words)]
        assert row[0] == result["name"]
        assert row[at] == " ".join(want) + (f"⚑ else {others}" if others else "")
        for name, shown in zip(METRICS, row[head.index("TPP") :], strict=True):
            no_area = name == "performance_density" and result["metrics"]["applicable_die_area_mm2"] == 0
            assert shown == ("undefined" if no_area else digits(result["metrics"][name])), (row[0], name)
        flagged += bool(others)
    assert (flagged > 15) == (day > "2023")  # the TITAN V and others of tensor and vector units, from 2023 on


def test_the_box_of_a_chip_names_the_contested_readings() -> None:
    """RTX 4090 D, on the page of perfcore check: excluded, but for tensor and vector units added."""
    text = page(Contents(without=("measured", "stacking", "claims")), today=date(2026, 2, 1))
    box = text.partition('id="chip-nvidiartx4090d24gb"')[2].partition("</details>")[0]
    flags = run("check", "rtx 4090 d", "--on", "2024-12-02")["results"][0]["flags"]
    assert flags
    for flag in flags:
        said = f"{flag['reading'].replace('_', ' ')}, {flag['says']}: {WORDS[flag['status']][2:]}"
        assert f"{said} ({', '.join(flag['paragraphs'])}) from 2023-11-17, 2024-04-04, 2024-12-02<" in box


def test_tables_of_numbers_have_a_name_over_each_column(tables: dict[str, list[list[str]]]) -> None:
    heads = [rows[0] for caption, rows in tables.items() if caption.startswith("Numbers of ")]
    assert len(heads) > 150
    assert set(map(tuple, heads)) == {("name", "value", "unit", "mark", "source", "where")}


def test_claims_have_the_outcomes_of_the_command(tables: dict[str, list[list[str]]]) -> None:
    want = {(one["claim"], one["outcome"], one["says"]) for one in run("claims")["claims"]}
    rows = tables["Claims with what was computed"][1:]
    assert len(rows) == len(want)
    for claim, outcome, said, _ in rows:
        assert any(claim == c and outcome.endswith(o) and said.startswith(s) for c, o, s in want), claim


def test_errors_are_those_of_validate(tables: dict[str, list[list[str]]]) -> None:
    rows = {row[0]: row for row in tables["Errors, all rows"]}
    for kind, name in (("training", "Training steps"), ("inference", "Serving"), ("kernels", "Single kernels")):
        said = run("validate", "--published", kind)["summary"]
        sizes = [f"{said[key] * 100:.1f}" for key in ("mean_abs", "median_abs", "max_abs")]
        ends = [f"{said['bias'] * 100:+.1f}", f"{said['baseline_mean_abs'] * 100:.1f}"]
        assert rows[name][1:7] == [str(said["n"]), *sizes, *ends]


def test_stacking_is_that_of_match(tables: dict[str, list[list[str]]]) -> None:
    said = run("match", "h100:1024", "--with", "h20", "--model", "llama3_70b")
    caption = next(caption for caption in tables if caption.startswith("Substitutes for 1,024"))
    row = next(row for row in tables[caption] if row[0] == "NVIDIA H20 SXM 96 GB")
    low, high = said["chips_interval"]
    assert row[1:4] == [f"{said['naive_chips']:,}", f"{said['chips']:,}", f"{low:,} to {high:,}"]
    assert row[4:] == [
        f"{said['ceiling']:.2f}",
        f"{said['ceiling_chips']:,}",
        said["binding"],
        f"{said['power_ratio']:.2f}",
    ]
    points = tables["NVIDIA H20 SXM 96 GB"][1:]
    assert [point[0] for point in points] == [f"{one['chips']:,}" for one in said["curve"]]
    assert [point[1] for point in points] == [digits(one["ratio"], 3) for one in said["curve"]]


def test_rooflines_are_those_of_the_command(tables: dict[str, list[list[str]]]) -> None:
    rows = tables["AMD, Huawei and others"][1:]
    for result in run("roofline", "mi300x", "mi308x", "910b1", "910c", "h20")["results"]:
        own = {row[1]: row[4] for row in rows if row[0] == result["name"]}
        assert own == {form: digits(ridge) for form, ridge in result["ridge_flop_per_byte"].items()}


def test_a_citation_of_the_federal_register_is_a_link() -> None:
    """Numbers of documents as the Federal Register gives them: 88 FR 73458 is 2023-23055."""
    text = page(Contents(without=("measured", "stacking", "claims")), today=date(2026, 2, 1))
    linked = '<a href="https://www.federalregister.gov/d/2023-23055" rel="noreferrer noopener">88 FR 73458</a>'
    assert linked in text
    assert text.count("federalregister.gov/d/") > 20


def test_every_address_of_a_document_is_a_link() -> None:
    """Not the first alone; and the code stores and papers that are cited by name."""
    text = documents_section()
    plain = re.sub(r"<a [^>]*>[^<]*</a>", "", text)
    assert not re.search(r"https?://|github \w|arXiv \d", plain)
    for address in (
        "https://wifitalents.com/nvidia-blackwell-statistics",
        "https://github.com/s-w-kelly/chip-export-controls/tree/d813a66a",
        "https://arxiv.org/abs/2307.08691",
    ):
        assert f'<a href="{address}" rel="noreferrer noopener">' in text
