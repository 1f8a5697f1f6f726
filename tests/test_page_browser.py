"""The page in headless Chromium, where there is one: no console error, no request but to itself, check's answers."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, Browser
from test_serve import DAYS, design_file, running

import perfcore
from perfcore.display import percent
from perfcore.report.page import SLOW, Contents, page
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
    browser.wait(SETTLED)
    browser.run("document.getElementById('slider-tpp').focus()")
    before = browser.run("return document.getElementById('field-tpp').value")
    for kind in ("keyDown", "keyUp"):
        browser.cdp("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    browser.wait(f"document.getElementById('field-tpp').value > {before}")
    browser.run("location.hash = '#chip-nvidiah20sxm96gb'")
    browser.wait("document.getElementById('chip-nvidiah20sxm96gb').open")


@pytest.mark.parametrize("width", [360, 768, 1280])
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
