"""Rule files: a user's own works as the shipped ones do, and each mistake is named."""

from datetime import date
from pathlib import Path

import pytest

from conftest import item
from perfcore.errors import PerfcoreError
from perfcore.rules import effective_dates, from_file, load, with_own
from perfcore.verdict import check

BILL = """
name = "A bill"
layer = "proposal"
[[version]]
source = { title = "S. 0000" }
[[version.paragraph]]
id = "covered"
any_of = [ { tpp = { at_least = 4800 } }, { dram_bandwidth_gb_s = { at_least = 4100 } } ]
"""


def write(tmp_path: Path, text: str, name: str = "bill.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_bill_without_a_date_is_read_on_any_day(tmp_path: Path) -> None:
    bill = write(tmp_path, BILL)
    for on, met in (("2019-01-01", True), ("2026-02-01", True)):
        found = [f for f in check("h100", on=on, rules=(bill,)).findings if f.rule == "bill"]
        assert [(f.met, f.layer, f.version) for f in found] == [(met, "proposal", "undated")]
    h20 = check("h20", on="2026-02-01", rules=(bill,))
    assert h20.status == "not_controlled"  # a proposal never moves the status
    assert [entry for entry in h20.also if entry["rule"] == "bill"] == []
    gaudi = [
        f for f in check(item(datacenter=True, tpp=100), on="2026-02-01", rules=(bill,)).findings if f.rule == "bill"
    ]
    assert gaudi[0].met is None  # DRAM bandwidth is not known


def test_a_dated_rule_joins_the_timeline(tmp_path: Path) -> None:
    own = write(tmp_path, BILL.replace("[[version]]", "[[version]]\neffective = 2027-01-01\nuntil = 2027-12-31"))
    rules = with_own((own,))
    assert effective_dates(rules)[-1] == date(2027, 1, 1)
    assert from_file(own).in_force(date(2026, 12, 31)) is None
    assert from_file(own).in_force(date(2027, 12, 31)) is not None
    assert from_file(own).in_force(date(2028, 1, 1)) is None


VERSION = '[[version]]\neffective = {}\nsource = {{ title = "x" }}\n{}[[version.paragraph]]\nid = "p"\nall_of = {}\n'


def rule(*versions: tuple[str, str], tests: str = "{ tpp = { at_least = 1 } }") -> str:
    return 'name = "r"\n' + "".join(VERSION.format(day, more, tests) for day, more in versions)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rule(("2024-01-01", ""), ("2023-01-01", "")), "not after 2024-01-01"),
        (rule(("2024-01-01", ""), ("2024-01-01", "")), "not after 2024-01-01"),
        (rule(("2024-01-01", "until = 2023-12-31\n")), "before the version takes effect"),
        (rule(("2024-01-01", "until = 2025-06-01\n"), ("2025-01-01", "")), "allowed: at most 2024-12-31"),
        (rule(("2024-01-01", ""), tests="{ ttp = { at_least = 1 } }"), "did you mean tpp"),
        (rule(("2024-01-01", ""), tests="{ tpp = { at_lest = 1 } }"), "did you mean at_least"),
        (rule(("2024-01-01", ""), tests="{ tpp = { at_least = 5, below = 5 } }"), "no number can meet this"),
        (rule(("2024-01-01", ""), tests="{ tpp = { at_least = 'many' } }"), "found 'many' (text)"),
        (rule(("2024-01-01", ""), tests="{ tpp = { at_least = nan } }"), "(not a number)"),
        (rule(("2024-01-01", ""), tests="{ tpp = 4800 }"), "allowed: a comparison"),
        (rule(("2024-01-01", ""), tests="{ datacenter = 'yes' }"), "allowed: true or false"),
        (rule(("2024-01-01", ""), tests="{ destination = 4 }"), "allowed: a text or a list"),
        (rule(("2024-01-01", ""), tests="{ }"), "has no test"),
        (rule(("2024-01-01", "")).replace('source = { title = "x" }\n', ""), "has no citation"),
        (rule(("2024-01-01", "")).replace("effective = 2024-01-01\n", ""), "effective is missing"),
        (rule(("2024-01-01", "")).replace("2024-01-01", "'2024-01-01'"), "allowed: a date"),
        (
            rule(("2024-01-01", "same_as = 2020-01-01\n")).split("[[version.p")[0],
            "the effective date of an earlier version",
        ),
        (rule(("2024-01-01", "")).replace('id = "p"', 'id = "p"\nlayer = "law"'), "allowed: classification"),
        (rule(("2024-01-01", "")) + '[[version.paragraph]]\nid = "p"\nall_of = { tpp = { below = 4 } }\n', "twice"),
        (rule(("2024-01-01", "")) + "excludes = ['q']\nlayer = 'exclusion'\n", "has no such paragraph"),
        (rule(("2024-01-01", "")) + "layer = 'exclusion'\n", "go together"),
        (rule(("2024-01-01", "")) + "layer = 'exclusion'\nexcludes = ['p']\n", "itself"),
        (rule(("2024-01-01", "")) + "any_of = [ { tpp = { below = 1 } } ]\n", "contradicts all_of"),
        (rule(("2024-01-01", ""), tests="{ exporter = 'foundry' }"), "allowed: front_end_fabricator"),
        ('name = "r"\n', "version: is missing"),
        (rule(("2024-01-01", "")).replace('name = "r"', 'nmae = "r"'), "did you mean name"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        from_file(write(tmp_path, text))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    for line in caught.value.lines:
        assert "\n" not in line


def test_the_line_of_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError, match=r"bill\.toml:8: version\.1\.paragraph\.1\.any_of\.ttp"):
        from_file(write(tmp_path, BILL.replace("tpp", "ttp")))


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError, match="already"):
        with_own((write(tmp_path, BILL, "us_eccn_3a090.toml"),))


def test_an_unknown_rule() -> None:
    with pytest.raises(PerfcoreError, match="did you mean us_eccn_3a090"):
        load("us_eccn_3a091")


def test_every_shipped_version_is_cited() -> None:
    from perfcore.rules import shipped

    for rule_ in shipped():
        for version in rule_.versions:
            assert {"title", "locator", "certainty"} <= set(version.source)
            assert version.summary
            assert version.published or rule_.layer in ("proposal", "letter") or rule_.id[:2] != "us"
