"""Fuzzing of the readers: whatever a file holds, it is read or refused in words, never with a traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcore import check_table
from perfcore.chips import from_file
from perfcore.errors import PerfcoreError
from perfcore.reader import SPECS
from perfcore.rules import from_file as rule_from_file
from perfcore.verdict import check

CHIP = (SPECS / "chips" / "amd_mi308x_oam_192gb.toml").read_text("utf-8")
RULE = (SPECS / "rules" / "us_foundry_presumption.toml").read_text("utf-8")
TABLE = "design,tpp,tpp_low,tpp_high,applicable_die_area_mm2,datacenter\na,4800,,,500,true\nb,,1,2,,\n"
PIECES = [*"[]{}=,.", '"', "'", "\n", "-1", "0", "nan", "inf", "1e999", "true", "1979-05-27", "[[die]]\n", "\x00"]
PIECES += ["\u00e9", "= []\n", "= {}\n", "9" * 400]
FUZZ = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """Cut pieces out of a good text, and put others in."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 30))
        text = text[:at] + draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=5))) + text[at + cut :]
    return text


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def read_or_refused(read: Callable[[Path], Any], path: Path) -> Any:
    """Return what is read, or None where each line of the refusal names the file."""
    said: tuple[str, ...] = ()
    try:
        return read(path)
    except PerfcoreError as mistake:
        said = mistake.lines
    assert said
    assert all(line.startswith(str(path.parent)) for line in said)
    return None


@FUZZ
@given(text=damaged(CHIP))
def test_chip_files(tmp_path: Path, text: str) -> None:
    item = read_or_refused(from_file, write(tmp_path / "chip.toml", text))
    if item is not None:
        check(item, on="2025-01-01").to_dict()


@FUZZ
@given(text=damaged(RULE))
def test_rule_files(tmp_path: Path, text: str) -> None:
    read_or_refused(rule_from_file, write(tmp_path / "rule.toml", text))


@FUZZ
@given(text=damaged(TABLE))
def test_tables(tmp_path: Path, text: str) -> None:
    source = write(tmp_path / "in.csv", text)
    read_or_refused(lambda path: check_table(path, tmp_path / "out.csv", "2024-01-01"), source)


@FUZZ
@given(raw=st.binary(max_size=400))
@pytest.mark.parametrize("read", [from_file, rule_from_file])
def test_binary_junk(tmp_path: Path, read: Callable[[Path], Any], raw: bytes) -> None:
    path = tmp_path / "junk.toml"
    path.write_bytes(raw)
    read_or_refused(read, path)
