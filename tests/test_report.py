"""``perfcore report``: one page that loads nothing, says everything, and lets no name become markup."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conftest import judged
from perfcore import chips, rules
from perfcore.chips import normal
from perfcore.cli import _main
from perfcore.errors import PerfcoreError
from perfcore.markup import Html, el, join, table
from perfcore.plots.shapes import Frame
from perfcore.report.chart import clipped
from perfcore.report.entries import catalogue, own_designs
from perfcore.report.page import SLOW, Contents, contents_of, page, policy
from perfcore.report.regions import Region, regions_of

TODAY = date(2026, 2, 1)
VOID = {"meta", "link", "input", "br", "hr", "img"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;</title>"


class Read(HTMLParser):
    """A strict reader: every element is closed in its turn, and ids are there once."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[int] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> outside of a picture closes nothing in HTML"
        self._note(tag, attrs)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def written() -> str:
    return page(Contents(), today=TODAY)


@pytest.fixture(scope="module")
def read(written: str) -> Read:
    return Read(written)


@pytest.fixture(scope="module")
def live() -> str:
    return page(Contents(), live=True, today=TODAY)


def test_it_is_valid_and_small(written: str, read: Read) -> None:
    assert written.startswith("<!doctype html>")
    assert len(written.encode()) < 2_000_000
    assert read.tags["h1"] == read.tags["main"] == written.partition("<body")[0].count("<title>") == 1
    assert [twice for twice, count in Counter(read.ids).items() if count > 1] == []


@pytest.mark.parametrize("kind", ["still", "live"])
def test_it_loads_nothing(written: str, live: str, kind: str) -> None:
    """No element or rule of style that fetches: links are followed only when they are clicked."""
    text = written if kind == "still" else live
    found = Read(text)
    loading = {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "audio",
        "video",
        "source",
        "track",
        "image",
        "use",
        "base",
    }
    for tag, name, value in found.attributes:
        assert not (tag in loading and name in ("src", "href", "data", "xlink:href", "srcset")), (tag, name, value)
        assert not name.startswith("on"), (tag, name)
        assert name != "style", (tag, value)
        if tag == "link":
            assert (name, value) in (("rel", "icon"), ("href", "data:,"))
        if name == "href" and tag == "a":
            assert value.startswith(("#", "https://", "http://", "/section/")), value
    assert not re.search(r"@import|url\((?!#)|@font-face", text.partition("<style>")[2].partition("</style>")[0])
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    assert "http" not in script.replace("perfcore serve running", "")
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_its_policy_names_its_own_style_and_script(written: str) -> None:
    """The hashes are computed here again, from the text of the page."""
    import base64
    import hashlib

    said = policy()
    for element in ("style", "script"):
        inside = written.rpartition(f"<{element}>")[2].partition(f"</{element}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in said
    assert "unsafe" not in said
    assert "default-src 'none'" in said
    assert ("meta", "http-equiv", "Content-Security-Policy") in Read(written).attributes


def test_every_chip_memory_part_and_rule_is_there(read: Read) -> None:
    for kind in ("chip", "memory"):
        for item_id in chips.ids(kind):
            assert f"chip-{normal(item_id)}" in read.ids
    for rule_id in rules.ids():
        assert f"rule-{rule_id}" in read.ids
    said = " ".join(read.text)
    for rule in rules.shipped():
        for version in rule.versions:
            assert version.source["title"] in said
            for paragraph in version.paragraphs:
                assert paragraph.id in said


def test_every_link_within_the_page_leads_somewhere(read: Read) -> None:
    inside = [value[1:] for tag, name, value in read.attributes if (tag, name) == ("a", "href") and value[0] == "#"]
    assert [target for target in inside if target not in read.ids] == []
    for name in ("aria-labelledby", "for"):
        named = [part for _, key, value in read.attributes if key == name for part in value.split()]
        assert [target for target in named if target not in read.ids] == []


def test_headings_are_in_order_and_pictures_are_named(read: Read, written: str) -> None:
    assert read.headings[0] == 1
    assert all(later <= earlier + 1 for earlier, later in zip(read.headings, read.headings[1:], strict=False))
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>(<title[^>]*>[^<]+</title><desc[^>]*>[^<]+</desc>)?', written)
    assert len(pictures) >= 9
    assert all(pictures)
    assert ("html", "lang", "en") in read.attributes
    assert "The same as" in " ".join(read.text)


def test_fields_have_labels(live: str) -> None:
    found = Read(live)
    labelled = {value for tag, name, value in found.attributes if (tag, name) == ("label", "for")}
    for field in re.findall(r"<(?:input|select)\b[^>]*>", live):
        name = re.search(r' id="([^"]+)"', field)
        inside = 'type="radio"' in field  # within its label
        assert inside or "aria-label=" in field or (name and name[1] in labelled), field


@pytest.mark.parametrize("name", ["h20", "a800 sxm", "rtx 4090", "mi308x", "910b1", "l4", "hbm3e 8hi"])
def test_the_matrix_says_what_check_says(written: str, name: str) -> None:
    item = chips.load(chips.find(name)) if name != "hbm3e 8hi" else chips.load(chips.ids("memory")[5])
    row = re.search(rf'<tr [^>]*data-states="([^"]*)"[^>]*><th scope="row"><a href="#chip-{normal(item.id)}"', written)
    row = row or re.search(rf'data-states="([^"]*)"><th scope="row"><a href="#chip-{normal(item.id)}"', written)
    days = [version.effective.isoformat() for version in rules.load(rules.THE_RULE).versions]
    assert row is not None
    assert row[1].split() == [judged(item, day).status for day in days]


def test_hostile_names_stay_text(chip_file: Any) -> None:
    quoted = json.dumps(HOSTILE)
    text = f"name = {quoted}\nvendor = {quoted}\naliases = [{quoted}]\ntpp = 3000\napplicable_die_area_mm2 = 700\n"
    text += f"[[evidence]]\nkeys = ['tpp']\nsource = {quoted}\nlocator = {quoted}\nmark = 'press'\nnote = {quoted}\n"
    others = f"[{{ value = 3, source = {quoted}, note = {quoted} }}]"
    text += f"[[conflict]]\nkey = 'tpp'\nreason = {quoted}\nothers = {others}\n"
    path = chip_file(text, "a<!--<script>&'c.toml")  # within a script these two would swallow its end
    for is_live in (False, True):
        made = page(contents_of([path], without=tuple(SLOW)), live=is_live, today=TODAY)
        found = Read(made)
        assert "alert(" not in re.sub(r"&lt;script&gt;alert\(1\)|onerror=alert\(2\)|\\u003cscript>alert\(1\)", "", made)
        assert found.tags["script"] == (2 if is_live else 1)
        assert found.tags["img"] == 0
        assert "<!--" not in made
        assert HOSTILE in "".join(found.text)
        assert not any(name.startswith("on") for _, name, _ in found.attributes)


def test_hostile_rules_stay_text(tmp_path: Path) -> None:
    quoted = json.dumps(HOSTILE)
    bill = tmp_path / "bill.toml"
    bill.write_text(
        f"name = {quoted}\nlayer = 'proposal'\nnote = {quoted}\n[[version]]\nsummary = {quoted}\n"
        f"source = {{ title = {quoted}, locator = {quoted} }}\n[[version.paragraph]]\nid = {quoted}\ntext = {quoted}\n"
        "all_of = { tpp = { at_least = 100 } }\n"
    )
    made = page(contents_of(rules=[bill], without=tuple(SLOW)), today=TODAY)
    found = Read(made)
    assert found.tags["script"] == 1
    assert "".join(found.text).count(HOSTILE) >= 5


def test_own_designs_stand_first(chip_file: Any) -> None:
    path = chip_file("name = 'Mine'\ntpp = 4799\napplicable_die_area_mm2 = 3000\ndatacenter = true\n")
    made = page(contents_of([path], without=tuple(SLOW)), today=TODAY)
    assert re.search(r'<tbody><tr data-words="design mine[^>]*data-states="not_controlled', made)
    assert made.count("Mine") >= 4  # the table, its numbers, the map and the map's table


@pytest.mark.parametrize(
    ("tpp", "area", "shown", "density"),
    [
        ("4799.99", "3000", "4,799.99", "1.599997"),  # under 1.6, and not controlled
        ("4800", "3000", "4,800", "1.6"),
        ("4800.004", "3000", "4,800.004", "1.600001"),
        ("2368", "814", "2,368", "2.909"),
        ("{ low = 2399.99, high = 3000 }", "1000", "2,399.99 to 3,000", "2.4 to 3"),
    ],
)
def test_no_number_is_rounded_onto_a_line(chip_file: Any, tpp: str, area: str, shown: str, density: str) -> None:
    path = chip_file(f"name = 'Mine'\ntpp = {tpp}\napplicable_die_area_mm2 = {area}\ndatacenter = true\n")
    made = page(contents_of([path], without=tuple(SLOW)), today=TODAY)
    row = made.partition('id="matrix"')[2].partition("<tbody>")[2].partition("</tr>")[0]
    cells = re.findall(r'<td class="n">([^<]*)</td>', row)
    assert cells[:2] == [shown, density]


def test_mistakes_in_files_are_named_together(chip_file: Any) -> None:
    bad = chip_file("name = 'x'\ntppp = 3\n", "bad.toml")
    system = chip_file("name = 'x'\nchips_per_node = 8\n", "system.toml")
    with pytest.raises(PerfcoreError) as caught:
        own_designs([bad, system, "none.toml"])
    assert len(caught.value.lines) == 3
    with pytest.raises(PerfcoreError, match="measured"):
        contents_of(without=["measurd"])


def test_markup_escapes() -> None:
    assert el("p", "<b>", Html("<b>x</b>"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<b>x</b></p>'
    assert join(["<", Html("<")], "&") == "&lt;&amp;<"
    assert el("p", data_at=0, hidden=False, open=True) == '<p data-at="0" open></p>'
    assert "&lt;i&gt;" in table("<i>", ("a",), [("b",)])


# The regions of the law, by hand from 15 CFR 774 supp. 1, ECCN 3A090 as of 2023-11-17: (TPP, density) of a point.
POINTS = [
    ((5000, 1.0), "a", "3A090.a.1"),
    ((5000, 4.0), "a", "3A090.a.1, 3A090.b.2"),
    ((5000, 6.0), "a", "3A090.a.1, 3A090.a.2"),
    ((3000, 6.0), "a", "3A090.a.2"),
    ((3000, 4.0), "b", "3A090.b.1, 3A090.b.2"),
    ((3000, 2.0), "b", "3A090.b.1"),
    ((3000, 1.5), "none", "not controlled"),
    ((2000, 6.0), "a", "3A090.a.2"),
    ((2000, 4.0), "b", "3A090.b.2"),
    ((2000, 3.0), "none", "not controlled"),
    ((1500, 9.0), "none", "not controlled"),
]


def region_at(regions: list[Region], tpp: float, density: float) -> Region:
    def holds(ends: tuple[float, float | None], value: float) -> bool:
        return ends[0] < value and (ends[1] is None or value < ends[1])

    found = [region for region in regions if holds(region.tpp, tpp) and holds(region.density, density)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("day", ["2023-11-17", "2024-04-04", "2024-12-02"])
@pytest.mark.parametrize(("spot", "kind", "words"), POINTS)
def test_regions_of_the_density_rules(day: str, spot: tuple[float, float], kind: str, words: str) -> None:
    version = rules.load(rules.THE_RULE).in_force(date.fromisoformat(day))
    region = region_at(regions_of(version), *spot)
    assert (region.kind, region.words) == (kind, words)
    assert region.only_datacenter == (kind != "none" and spot[0] < 4800)


def test_regions_of_october_2022_wait_for_the_links() -> None:
    """87 FR 62186: 4,800 bits x TOPS and 600 GB/s together; the area says nothing."""
    regions = regions_of(rules.load(rules.THE_RULE).in_force(date(2022, 10, 21)))
    assert [region.kind for region in regions] == ["none", "open"]
    assert regions[1].tpp == (4800.0, None)
    assert regions[1].words == "3A090.a where I/O bandwidth is at least 600 GB/s"
    assert regions_of(None) == []


def test_regions_say_what_check_says_of_real_chips() -> None:
    version = rules.load(rules.THE_RULE).in_force(date(2024, 12, 2))
    regions = regions_of(version)
    tried = 0
    for entry in catalogue():
        tpp, density = entry.value("tpp"), entry.value("performance_density")
        if tpp.is_point and density.is_point and entry.values["datacenter"] == frozenset({True}):
            region = region_at(regions, float(tpp.low), float(density.low))
            assert (region.kind in ("a", "b")) == (entry.outcomes[-1].status == "controlled"), entry.item.id
            tried += 1
    assert tried > 40


def test_polygons_are_cut_at_the_axes() -> None:
    frame = Frame(0.0, 0.0, 100.0, 100.0, 0.0, 1.0, 0.0, 1.0, "")
    cut = clipped([(-50.0, 50.0), (50.0, -50.0), (150.0, 50.0), (50.0, 150.0)], frame)
    assert sorted(cut) == [(0.0, 0.0), (0.0, 100.0), (100.0, 0.0), (100.0, 100.0)] or _area(cut) == 10_000.0
    assert clipped([(200.0, 200.0), (300.0, 200.0), (300.0, 300.0)], frame) == []


def _area(corners: list[tuple[float, float]]) -> float:
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return abs(math.fsum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def run(*arguments: str) -> Any:
    return CliRunner().invoke(_main, ["report", *arguments])


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = run("-o", str(target), *(f"--without={name}" for name in SLOW), "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said == {"output": str(target), "bytes": target.stat().st_size, "designs": []}
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert "Predicted against measured" not in target.read_text()


@pytest.mark.parametrize(
    ("target", "said"),
    [("page.pdf", ".html"), ("nowhere/page.html", "folder"), ("folder.html", "is a folder"), ("own.html", "made of")],
)
def test_targets_that_cannot_be_are_refused_at_once(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "folder.html").mkdir()
    own = tmp_path / "own.html"
    own.write_text("name = 'x'\ntpp = 3\n")
    done = run(str(own), "-o", str(tmp_path / target))
    assert isinstance(done.exception, PerfcoreError)
    assert said in str(done.exception)
    assert own.read_text() == "name = 'x'\ntpp = 3\n"


def test_a_failure_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perfcore.cli.report.os.replace", fail)
    done = run("-o", str(target), *(f"--without={name}" for name in SLOW))
    assert "No space left" in str(done.exception)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_it_needs_no_matplotlib() -> None:
    code = (
        "import sys; from perfcore.report.page import page, contents_of, SLOW; "
        "page(contents_of()); import perfcore.report.server, perfcore.cli.serve, perfcore.cli.report; "
        "print([m for m in ('matplotlib', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_verdict_of_the_server_needs_no_numbers_library() -> None:
    code = (
        "import sys, perfcore.cli.serve; from perfcore.report.questions import answer; "
        "answer({'on': '2026-02-01', 'facts': {'tpp': 3000}}); "
        "print([m for m in ('matplotlib', 'pandas', 'numpy', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
