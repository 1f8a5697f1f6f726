"""Claims files and the command: mistakes in one line, JSON, exit codes, and what the law alone imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfcore import claims
from perfcore.cli.claims import command
from perfcore.errors import PerfcoreError

GOOD = """
name = "mine"
[said_by.me]
source = "a page of mine"
mark = "press"
[[claim]]
id = "mine"
claim = "The H20 has a TPP of 2,368"
said_by = ["me"]
kind = "quantity"
chip = "h20"
metric = "tpp"
value = 2368
outcome = "holds"
"""
RATIO = GOOD.replace('"quantity"\nchip = "h20"\nmetric = "tpp"', '"formula"\nformula = "arithmetic.ratio"\nARGUMENTS')


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (claim,) = claims.from_file(written(tmp_path, GOOD))
    assert claims.judge(claim).outcome == "holds"
    assert claim.said[0]["title"] == "a page of mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("value = 2368", "value = 2368\nvaleu = 3"), "valeu: not a known key; did you mean value?"),
        (("value = 2368\n", ""), "value is missing"),
        (('outcome = "holds"', 'outcome = "true"'), "outcome: found 'true'; allowed: holds, fails, undetermined"),
        (('outcome = "holds"', 'outcome = "fails"'), "why is missing; say why it fails"),
        (("value = 2368", "value = 2368\ntolerance = 0.1"), "because is missing; say why this tolerance"),
        (
            ("value = 2368", "value = 2368\ntolerance = -1\nbecause = 'x'"),
            "tolerance: found -1; allowed: a number of 0",
        ),
        (
            ("value = 2368", "value = 2368\ntolerance = 0\ntolerance_absolute = 1\nbecause = 'x'"),
            "stands beside tolerance_absolute; give one",
        ),
        (("value = 2368", "value = true\ntolerance = 0\nbecause = 'x'"), "only a claimed number has a tolerance"),
        (("value = 2368", "value = {}"), "value: found a table; allowed: a number, a text"),
        (('said_by = ["me"]', 'said_by = ["me", 3]'), "said_by: found a list; allowed: a list of texts"),
        (('[said_by.me]\nsource = "a page of mine"\nmark = "press"', "said_by = 3"), "allowed: tables, each written"),
        (("value = 2368", "value = nan"), "value: found NaN"),
        (("value = 2368", "value = { about = 3 }"), "value: found a table; allowed: a number, a text"),
        (('kind = "quantity"', 'kind = "quantities"'), "kind: found 'quantities'; allowed: quantity, status"),
        (('metric = "tpp"', 'metric = "tpp"\nlink = "NVLink"'), "give one of metric, path, link"),
        (('chip = "h20"', 'chips = ["h20"]'), "several chips need `of`"),
        (('said_by = ["me"]', 'said_by = ["you"]'), "found 'you', which is no [said_by.you] of this file"),
        (('mark = "press"', 'mark = "rumour"'), "said_by.me.mark: found 'rumour'; allowed: datasheet"),
        (('source = "a page of mine"', 'source = "nowhere"'), "found 'nowhere', which is not in sources.toml"),
        (("[[claim]]", "[claim]"), "claim: found a table; allowed: a list of tables"),
        (("[[claim]]", "[[group]]\nclaims = 3\n[[claim]]"), "group.1.claims: found 3; allowed: a list of tables"),
        (('name = "mine"', ""), "say in words what the file gathers"),
        (('claim = "The H20 has a TPP of 2,368"', ""), ""),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = written(tmp_path, GOOD.replace(*change))
    if not said:  # a plain number of a chip is put in words
        assert claims.from_file(path)[0].words.endswith("total processing performance 2,368")
        return
    with pytest.raises(PerfcoreError) as caught:
        claims.from_file(path)
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("arguments = { above = 1, under = 2 }", "found above, under; allowed: above, below"),
        ('arguments = { above = 1, below = "2" }', "arguments.below: found '2'; allowed: a number"),
        ("arguments = { above = 1, below = { low = 3, high = 2 } }", "allowed: two numbers, low at most high"),
        ('arguments = { above = 1, below = { kind = "status" } }', "kind: found 'status'; allowed among arguments"),
        ('arguments = { above = 1, below = { kind = "quantity", chip = "h20" } }', "give one of metric, path, link"),
    ],
)
def test_a_mistake_among_arguments_is_named(tmp_path: Path, arguments: str, said: str) -> None:
    with pytest.raises(PerfcoreError) as caught:
        claims.from_file(written(tmp_path, RATIO.replace("ARGUMENTS", arguments)))
    assert said in str(caught.value)


def test_an_interval_of_one_number_is_fine(tmp_path: Path) -> None:
    path = written(tmp_path, RATIO.replace("ARGUMENTS", "arguments = { above = 4736, below = { low = 2, high = 2 } }"))
    assert claims.judge(claims.from_file(path)[0]).outcome == "holds"


def test_a_group_fills_in_what_its_rows_leave_out(tmp_path: Path) -> None:
    """A slip in a row is named by its place: the first row of the second group."""
    group = '[[group]]\nkind = "quantity"\nmetric = "tpp"\nsaid_by = ["me"]\noutcome = "holds"\nclaims = [ ROW ]\n'
    head = GOOD[: GOOD.index("[[claim]]")]
    rows = [group.replace("ROW", f'{{ id = "{n}", chip = "h20", value = 2368 }}') for n in ("one", "two")]
    found = claims.from_file(written(tmp_path, head + "".join(rows)))
    assert [(claim.id, claims.judge(claim).outcome) for claim in found] == [("one", "holds"), ("two", "holds")]
    with pytest.raises(PerfcoreError, match=r"group.2.claims.1.chp: not a known key"):
        claims.from_file(written(tmp_path, head + rows[0] + rows[1].replace("chip", "chp")))


def test_a_division_by_zero_is_no_number(tmp_path: Path) -> None:
    path = written(tmp_path, RATIO.replace("ARGUMENTS", "arguments = { above = 1, below = 0 }"))
    judged = claims.judge(claims.from_file(path)[0])
    assert judged.outcome == "undetermined"
    assert judged.found.reason == "no number for what was given"


def test_one_id_stands_once(tmp_path: Path) -> None:
    again = GOOD + GOOD[GOOD.index("[[claim]]") :]
    with pytest.raises(PerfcoreError, match="found 'mine' twice"):
        claims.from_file(written(tmp_path, again))


def test_the_json_has_the_keys_of_the_contract() -> None:
    result = CliRunner().invoke(command, ["h800_nvlink_300", "--json"])
    (claim,) = json.loads(result.output)["claims"]
    assert {"id", "claim", "outcome", "source"} <= set(claim)
    assert (claim["claimed"], claim["computed"], claim["difference"]) == (300, 400.0, -0.25)
    assert claim["source"]["title"]
    assert claim["computation"] == {"kind": "quantity", "chip": "nvidia_h800_sxm_80gb", "link": "NVLink"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["h800_nvlink_300"], 0),
        (["h800_nvlink_300", "--fail-on", "fails"], 1),
        (["a800_nvlink_400", "--fail-on", "undetermined"], 0),
        (["hbm_130_times_faster", "--fail-on", "fails"], 0),
        (["hbm_130_times_faster", "--fail-on", "undetermined"], 1),
    ],
)
def test_the_exit_code_says_whether_a_claim_fails(arguments: list[str], code: int) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == code


def test_an_unknown_claim_is_one_line() -> None:
    code = "from perfcore.cli import main; main()"
    run = [sys.executable, "-c", code, "claims", "h800_nvlnk_300"]
    result = subprocess.run(run, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "did you mean h800_nvlink_300" in result.stderr


def test_only_the_claims_with_an_outcome() -> None:
    result = CliRunner().invoke(command, ["h800_nvlink_300", "a800_nvlink_400", "--outcome", "holds", "--json"])
    assert [claim["id"] for claim in json.loads(result.output)["claims"]] == ["a800_nvlink_400"]


def test_the_law_alone_does_not_import_numpy() -> None:
    names = ["h20_3a090_b2", "h800_nvlink_300", "tpp_limit_lowered_to_1600", "cm384_compute_1_7"]
    code = f"import sys\nfrom perfcore import claims\n[claims.judge(claims.load(n)) for n in {names}]\n"
    code += "print([m for m in ('numpy', 'numba', 'pandas') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_notebook_shows_what_there_is() -> None:
    shown = claims.judge(claims.load("house_bill_catches_h20_by_density"))
    assert shown.to_dict()["computed"] == ["performance_density"]
    assert f"holds: computed {shown.computed}" in shown._repr_html_()
    assert "tolerance:" not in shown._repr_html_()


def test_one_claim_is_shown_in_full() -> None:
    shown = CliRunner().invoke(command, ["h20_3a090_b2"]).output
    for words in ("fails: computed no; claimed yes", "why: ", "computation", "would hold with one of", "said by"):
        assert words in shown


def test_a_number_from_the_same_document_is_not_independent() -> None:
    """The catalogue's Trainium3 rests on Epoch or not: where it does, the page of the claim says so."""
    same = [claim for claim in claims.shipped().values() if claim.same_source]
    assert same
    shown = CliRunner().invoke(command, [same[0].id]).output
    assert "not independent" in shown
