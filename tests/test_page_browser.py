"""The page in headless Chromium, where there is one: no console error, no request but to itself, check's answers."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, Browser
from test_serve import DAYS, design_file, running

import perfcore
from perfcore.chips import normal
from perfcore.display import percent
from perfcore.report.entries import catalogue
from perfcore.report.page import SLOW, Contents, contents_of, page
from perfcore.report.server import Server
from perfcore.terms import FACTS

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with chromedriver here")
SET = """
const field = document.getElementById(arguments[0]);
field.value = arguments[1];
field.dispatchEvent(new Event("input", {bubbles: true}));
"""
SETTLED = "document.getElementById('verdict').getAttribute('aria-busy') === 'false'"
STATUS = "document.getElementById('verdict-status').dataset.status"
SHOWN = """
const value = (name) => document.getElementById(name).value;
const fields = [...document.querySelectorAll("#form input[type=text]")].filter((field) => field.value);
const { status, paragraphs } = document.getElementById("verdict-status").dataset;
const datacenter = document.querySelector("input[name=datacenter]:checked").value;
return [status, paragraphs, value("field-on"), Object.fromEntries(fields.map((f) => [f.name, f.value])), datacenter];
"""


@pytest.fixture(scope="module")
def serving() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


def test_sliders_change_the_verdict_to_what_check_says(serving: Server, browser: Browser, tmp_path: Path) -> None:
    browser.requests()
    browser.open(serving.address)
    browser.wait(SETTLED)
    chance = random.Random(5)
    seen = set()
    for _ in range(25):
        name = chance.choice(["tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s"])
        browser.run(SET, f"slider-{name}", str(chance.randint(400, 1800)))
        if chance.random() < 0.4:
            browser.run(SET, "field-on", chance.choice(DAYS))
        browser.wait(SETTLED)
        status, paragraphs, on, facts, datacenter = browser.run(SHOWN)
        facts |= {"datacenter": datacenter} if datacenter else {}
        want = perfcore.check(design_file(tmp_path, facts), on=on)
        assert (status, paragraphs) == (want.status, ";".join(want.paragraphs)), (on, facts)
        seen.add(status)
    assert len(seen) >= 2
    assert browser.console() == []
    asked = [address for address in browser.requests() if not address.startswith(("data:", "chrome:"))]
    assert asked
    assert [address for address in asked if not address.startswith(serving.address)] == []


def test_margins_and_flips_are_those_of_check(serving: Server, browser: Browser, tmp_path: Path) -> None:
    facts = {"tpp": "2300.5", "applicable_die_area_mm2": "650", "io_bandwidth_gb_s": "", "datacenter": "true"}
    browser.open(serving.address)
    browser.wait(SETTLED)
    for name in ("tpp", "applicable_die_area_mm2", "io_bandwidth_gb_s", "dram_bandwidth_gb_s", "transistors_billion"):
        browser.run(SET, f"field-{name}", facts.get(name, ""))
    browser.run(SET, "field-on", "2024-01-01")
    browser.wait(SETTLED)
    want = perfcore.check(design_file(tmp_path, {k: v for k, v in facts.items() if v}), on="2024-01-01")
    tests = [test for finding in want.findings if finding.rule == "us_eccn_3a090" for test in finding.tests]
    cells = "return [...document.querySelectorAll('#verdict-more tbody tr td:last-child')].map((c) => c.textContent)"
    assert browser.run(cells) == [percent(test.margin) for test in tests]
    lines = browser.run("return document.getElementById('verdict-more').textContent")
    browser.run(SET, "field-tpp", "4799.99999")
    browser.wait(SETTLED)
    assert "4,799.99999" in browser.run("return document.querySelector('#verdict-more tbody tr').textContent")
    assert want.flips
    for flip in want.flips:
        assert f"{FACTS[flip['input']].label} from" in lines
        assert flip["change"] is None or percent(flip["change"]) in lines


def test_the_design_moves_on_the_map(serving: Server, browser: Browser) -> None:
    browser.open(serving.address)
    browser.wait(SETTLED)
    moved = "document.querySelector('figure.map:not([hidden]) .design').getAttribute('transform')"
    before = browser.wait(moved)
    browser.run(SET, "field-tpp", "20000")
    browser.wait(f"{moved} !== {json.dumps(before)}")
    browser.run(SET, "field-on", "2022-11-01")
    browser.wait("document.querySelector('figure.map:not([hidden])').dataset.effective === '2022-10-21'")
    browser.run(SET, "field-tpp", "")
    browser.wait("document.querySelector('figure.map:not([hidden]) .design').hasAttribute('hidden')")


def test_mistakes_in_a_field_are_shown_as_the_line_they_are(serving: Server, browser: Browser) -> None:
    browser.open(serving.address)
    browser.wait(SETTLED)
    browser.run(SET, "field-tpp", "-5")
    browser.wait(f"{STATUS} === 'refused'")
    assert "found -5" in browser.run("return document.getElementById('verdict-status').textContent")
    browser.console()  # the browser notes the answer 400 there


def test_filters_and_keyboard(serving: Server, browser: Browser) -> None:
    browser.open(serving.address)
    shown = "[...document.querySelectorAll('#matrix tbody tr:not([hidden])')].length"
    everything = browser.run(f"return {shown}")
    browser.run(SET, "filter-text", "AMD mi308")
    few = browser.run(f"return {shown}")
    assert (few, everything > 150) == (1, True)
    assert browser.run("return document.getElementById('matrix-count').textContent") == f"{few} shown"
    browser.run(SET, "filter-status", "excluded")
    assert browser.run(f"return {shown}") == 0
    browser.run(SET, "filter-text", "")
    browser.run(SET, "filter-status", "contested")
    flagged = [entry for entry in (*catalogue(), *catalogue("memory")) if entry.contested[-1]]
    assert browser.run(f"return {shown}") == len(flagged) > 15
    browser.run(SET, "filter-version", "0")
    assert browser.run(f"return {shown}") < len(flagged)
    browser.wait(SETTLED)
    browser.run("document.getElementById('slider-tpp').focus()")
    before = browser.run("return document.getElementById('field-tpp').value")
    for kind in ("keyDown", "keyUp"):
        browser.cdp("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    browser.wait(f"document.getElementById('field-tpp').value > {before}")
    browser.run("location.hash = '#chip-nvidiah20sxm96gb'")
    browser.wait("document.getElementById('chip-nvidiah20sxm96gb').open")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_the_window(serving: Server, browser: Browser, width: int, scheme: str) -> None:
    browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(serving.address)
    browser.wait(SETTLED)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    ink, paper = browser.run(
        "return ['color', 'backgroundColor'].map((k) => getComputedStyle(document.querySelector('section'))[k])"
    )
    assert contrast(ink, paper) > 7
    browser.cdp("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.strip("rgba()").split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_still_page_asks_for_nothing(browser: Browser, tmp_path: Path) -> None:
    target = tmp_path / "perfcore.html"
    target.write_text(page(Contents(without=tuple(SLOW))))
    browser.console()
    browser.requests()
    browser.open(target.as_uri())
    assert browser.run("return document.documentElement.className") == "scripted"  # its policy lets its script run
    assert "perfcore serve" in browser.run("return document.getElementById('design').textContent")
    assert browser.run("return [...document.querySelectorAll('figure.map')].filter((m) => !m.hidden).length") == 1
    assert browser.console() == []
    assert [address for address in browser.requests() if not address.startswith("data:")] == [target.as_uri()]


def test_a_chip_is_asked_for_as_perfcore_knows_it(serving: Server, browser: Browser) -> None:
    """Its file says more than five numbers: links that are open above, and what contested readings are about."""
    browser.open(serving.address)
    browser.wait(SETTLED)
    for chip, day in (("tpu v5p", "2022-10-21"), ("rtx 4090 d", "2024-12-02"), ("t-head ppu", "2024-12-02")):
        want = perfcore.check(chip, on=day)
        browser.run(SET, "start", f"chip-{normal(want.chip)}")
        browser.run(SET, "field-on", day)
        browser.wait(SETTLED)
        status, paragraphs, *_ = browser.run(SHOWN)
        assert (status, paragraphs) == (want.status, ";".join(want.paragraphs)), chip
        said = browser.run("return document.getElementById('verdict-more').textContent")
        assert all(flag["says"] in said for flag in want.flags)
    browser.run(SET, "start", "chip-googletpuv5p")
    assert "or more" in browser.run("return document.getElementById('field-io_bandwidth_gb_s').placeholder")
    browser.run(SET, "field-tpp", "7345")  # from here on it is a design, of what stands in the form
    assert browser.run(
        "return [document.getElementById('start').value, document.querySelector('#form [placeholder]"
        ':not([placeholder=""])\')]'
    ) == ["", None]


def test_a_design_of_ones_own_fills_the_form_with_its_numbers(browser: Browser, tmp_path: Path) -> None:
    """Also where it goes by the name of a chip of the catalogue."""
    own = tmp_path / "nvidia_h20_sxm_96gb.toml"
    own.write_text("name = 'Mine'\ntpp = 4799\napplicable_die_area_mm2 = 3000\n")
    with running(contents_of([own], without=tuple(SLOW))) as server:
        browser.open(server.address)
        browser.wait(SETTLED)
        for name, tpp in (("own", "4799"), ("chip", "2368")):
            browser.run(SET, "start", f"{name}-nvidiah20sxm96gb")
            assert browser.run("return document.getElementById('field-tpp').value") == tpp


def test_sliders_say_their_number_aloud(serving: Server, browser: Browser) -> None:
    browser.open(serving.address)
    browser.wait(SETTLED)
    said = "return document.getElementById('slider-tpp').getAttribute('aria-valuetext')"
    at = "return Number(document.getElementById('slider-tpp').value)"
    assert browser.run(said) == "2368 bit x TOPS"
    browser.run(SET, "field-tpp", "")
    assert browser.run(said) == "unknown"
    browser.run(SET, "field-tpp", "1000..10000")
    between = browser.run(at)
    browser.run(SET, "field-tpp", "3162.28")  # the middle on a logarithmic scale
    assert (browser.run(said), browser.run(at)) == ("3162.28 bit x TOPS", between)


# What a reader has to tell apart from what lies behind it: contrast of each text with the nearest paper behind it.
FAINT = """
const clear = "rgba(0, 0, 0, 0)", found = {};
const behind = (e) => { for (; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor;
  if (b !== clear) return b; } return "rgb(255, 255, 255)"; };
for (const e of document.querySelectorAll("body *:not(script):not(svg *)")) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.tagName !== "INPUT") continue;
  const ink = getComputedStyle(e).color, paper = behind(e);
  found[ink + " on " + paper] ??= [ink, paper, e.tagName + "." + e.className];
}
for (const e of document.querySelectorAll("svg text")) {
  const ink = getComputedStyle(e).fill, paper = behind(e.closest("svg"));
  found[ink + " on " + paper] ??= [ink, paper, "text." + e.getAttribute("class")];
}
return Object.values(found);
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_told_from_its_paper(serving: Server, browser: Browser, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(serving.address)
    browser.wait(SETTLED)
    pairs = browser.run(FAINT)
    browser.cdp("Emulation.setEmulatedMedia", features=[])
    assert len(pairs) >= 8
    assert [(ink, paper, where) for ink, paper, where in pairs if contrast(ink, paper) < 4.5] == []


def press(browser: Browser, key: str, code: int) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.cdp("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


FOCUSED = """
const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
return [e.id || e.textContent.slice(0, 20), style.outlineStyle, parseFloat(style.outlineWidth),
        box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 0];
"""


def test_everything_is_reached_by_the_keyboard_and_seen(serving: Server, browser: Browser) -> None:
    browser.open(serving.address)
    browser.wait(SETTLED)
    browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    reached = []
    for _ in range(45):
        press(browser, "Tab", 9)
        name, outline, width, is_seen = browser.run(FOCUSED)
        assert is_seen, name
        assert outline != "none", name
        assert width >= 1, name
        reached.append(name)
    browser.cdp("Emulation.setEmulatedMedia", features=[])
    assert reached[0] == "To the content"
    fields = ["start", "field-tpp", "slider-tpp", "field-transistors_billion", "field-on", "map-version", "filter-text"]
    assert [name for name in fields if name not in reached] == []


def test_a_word_without_end_stays_in_its_place(browser: Browser, tmp_path: Path) -> None:
    endless = "X" * 300
    own, bill, target = (tmp_path / name for name in ("own.toml", "bill.toml", "perfcore.html"))
    own.write_text(f"name = '{endless}'\nvendor = '{endless}'\ntpp = 4799\napplicable_die_area_mm2 = 3000\n")
    bill.write_text(
        f"name = '{endless}'\nlayer = 'proposal'\nnote = '{endless}'\n[[version]]\nsource = {{ title = '{endless}' }}\n"
        f"[[version.paragraph]]\nid = '{endless}'\nall_of = {{ tpp = {{ at_least = 1000 }} }}\n"
    )
    target.write_text(page(contents_of([own], [bill], without=tuple(SLOW))))
    browser.cdp("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
    browser.open(target.as_uri())
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    widths = browser.run(
        "return [document.documentElement.scrollWidth, document.querySelector('#matrix th').offsetWidth]"
    )
    browser.cdp("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    assert widths[0] <= 390
    assert widths[1] < 150


def test_on_paper_nothing_runs_over_the_edge(browser: Browser, tmp_path: Path) -> None:
    """A4 across with margins of 12 mm: 273 mm at 96 pixels an inch are 1031."""
    target = tmp_path / "perfcore.html"
    target.write_text(page(Contents(without=("measured", "stacking"))))
    browser.cdp("Emulation.setDeviceMetricsOverride", width=1031, height=700, deviceScaleFactor=1, mobile=False)
    browser.cdp("Emulation.setEmulatedMedia", media="print")
    browser.open(target.as_uri())
    wide = "return [...document.querySelectorAll('table, svg.chart')].map((e) => e.getBoundingClientRect().right)"
    right = browser.run(wide)
    hidden = "return ['nav', '.filters', '.skip'].map((q) => getComputedStyle(document.querySelector(q)).display)"
    shown = browser.run(hidden)
    sizes = "return ['td', 'td small'].map((q) => getComputedStyle(document.querySelector('#matrix ' + q)).fontSize)"
    cell, small = (float(size.removesuffix("px")) for size in browser.run(sizes))
    browser.cdp("Emulation.setEmulatedMedia", media="")
    browser.cdp("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    assert max(right) <= 1032
    assert set(shown) == {"none"}
    assert small < cell


def test_on_a_phone_a_row_keeps_its_name(serving: Server, browser: Browser) -> None:
    browser.cdp("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    browser.open(serving.address)
    browser.run("document.querySelector('#chips .wide').scrollLeft = 10000")
    name = "document.querySelector('#matrix tbody th').getBoundingClientRect()"
    last = "document.querySelector('#matrix tbody td:last-child').getBoundingClientRect()"
    browser.wait(SETTLED)
    browser.run(
        "document.getElementById('slider-transistors_billion').scrollIntoView({block: 'end', behavior: 'instant'})"
    )
    status = "document.getElementById('verdict-status').getBoundingClientRect()"
    top, bottom = browser.run(f"return [{status}.top, {status}.bottom]")
    mark = browser.run("return document.querySelector('figure.map:not([hidden]) .design').getBoundingClientRect().left")
    left, right, end = browser.run(f"return [{name}.left, {name}.right, {last}.right]")
    chart = "document.querySelector('figure.map:not([hidden]) svg.chart')"
    letters = browser.run(f"return 11 * {chart}.getBoundingClientRect().width / {chart}.viewBox.baseVal.width")
    browser.cdp("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    assert 0 <= top < bottom < 800  # the answer is in sight of the last slider
    assert 20 < mark < 370
    assert 0 <= left < right < 150
    assert end <= 390
    assert letters > 9  # px, of the smallest words on the map


def test_without_script_everything_is_there_but_the_form(serving: Server, browser: Browser, tmp_path: Path) -> None:
    target = tmp_path / "perfcore.html"
    target.write_text(page(Contents(without=tuple(SLOW))))
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for address, says in ((target.as_uri(), "still page"), (serving.address, "The form needs JavaScript")):
            browser.open(address)
            assert browser.run("return document.documentElement.className") == ""  # the page's script has not run
            assert says in browser.run("return document.getElementById('design').innerText")
            seen = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).length"
            assert browser.run(seen, "figure.map") == 4
            assert browser.run(seen, "#matrix tbody tr") > 150
            assert browser.run(seen, ".filters, #form") == 0
    finally:
        browser.cdp("Emulation.setScriptExecutionDisabled", value=False)
