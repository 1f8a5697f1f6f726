"""The site of the docs: built without a warning, whole, and loading nothing from elsewhere."""

import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import CHROMIUM, DRIVER, Browser

import perfcore

ROOT = Path(__file__).resolve().parents[1]
# What a browser fetches without being asked, by tag; a link to click on may lead anywhere.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
HAS_SPHINX = bool(find_spec("sphinx") and find_spec("myst_parser"))
needs_sphinx = pytest.mark.skipif(not HAS_SPHINX, reason="needs the extra docs")
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with chromedriver here")


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that a link may name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.places += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.loads += [found[LOADS[tag]]] if LOADS.get(tag) in found else []


def built(docs: Path, out: Path) -> str:
    """Build a site and return what Sphinx complains of."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(docs), str(out)]
    environment = {
        **os.environ,
        "no_proxy": "",
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def leads_to(link: str, page: Path) -> tuple[Path, str] | None:
    """Return the file and the place in it that a link of a page names; none where it leads elsewhere."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site").resolve()
    assert built(ROOT / "docs", out) == ""
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


@needs_sphinx
def test_every_page_is_reached_from_the_start(site: Path, pages: dict[Path, Page]) -> None:
    reached, todo = set(), [site / "index.html"]
    while todo:
        page = todo.pop()
        if page not in reached and page in pages:
            reached.add(page)
            todo += [target[0] for link in pages[page].links if (target := leads_to(link, page))]
    assert reached == set(pages)
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {page.relative_to(site) for page in pages} >= written


@needs_sphinx
def test_no_link_is_broken(pages: dict[Path, Page]) -> None:
    broken = defaultdict(list)
    for path, page in pages.items():
        assert len(page.places) == len(set(page.places)), f"{path.name} has an id twice"
        for link in (*page.links, *page.loads):
            if target := leads_to(link, path):
                file, place = target
                if not file.is_file() or (place and file in pages and place not in pages[file].places):
                    broken[path.name].append(link)
    assert broken == {}


@needs_sphinx
def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        outside = [link for link in page.loads if not link.startswith("data:") and leads_to(link, path) is None]
        assert outside == [], path.name
    for sheet in (*site.rglob("*.css"), *site.rglob("*.svg")):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import|<script|href=['\"]http", text) == [], sheet.name


@needs_sphinx
def test_formulas_are_drawn_without_a_script(site: Path) -> None:
    text = (site / "site" / "formulas.html").read_text(encoding="utf-8")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML"' in text
    assert "mathjax" not in text.lower()


@needs_sphinx
def test_every_formula_and_public_name_is_documented(pages: dict[Path, Page]) -> None:
    places = {place for page in pages.values() for place in page.places}
    modules = {path.stem for path in (ROOT / "perfcore" / "formulas").glob("[!_]*.py")}
    assert modules
    assert {f"module-perfcore.formulas.{name}" for name in modules} <= places
    text = " ".join(page for page in places if page.startswith(("perfcore.", "module-perfcore.")))
    for name in perfcore.__all__:
        assert re.search(rf"perfcore\.([a-z_]+\.)*{re.escape(name)}\b", text) or name.startswith("__"), name


@needs_sphinx
@needs_browser
def test_pages_fit_a_phone_and_ask_for_nothing(site: Path, tmp_path: Path) -> None:
    names = ("index", "gallery/a_bill", "catalogue", "commands", "site/formulas", "site/contributing")
    with Browser(tmp_path) as window:
        window.requests()
        for width in (390, 1280):
            window.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            for name in names:
                window.open((site / f"{name}.html").as_uri())
                assert window.run("return document.documentElement.scrollWidth") <= width, name
        window.open((site / "search.html").as_uri() + "?q=padding")
        window.wait("document.querySelectorAll('ul.search a').length > 5")
        assert window.console() == []
        asked = [one for one in window.requests() if not one.startswith((site.as_uri(), "data:", "chrome:"))]
    assert asked == []


@needs_sphinx
def test_a_fault_stops_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "conf.py").write_text('extensions = ["myst_parser"]\nmyst_heading_anchors = 4\n', encoding="utf-8")
    faults = "[a page](not_there.md)\n\n[a place](#not_here)\n\n![a picture](not_drawn.svg)\n"
    (docs / "index.md").write_text(f"# A\n\n{faults}", encoding="utf-8")
    (docs / "alone.md").write_text("# B\n", encoding="utf-8")
    complaints = built(docs, tmp_path / "out")
    for said in ("not_there.md", "not_here", "not_drawn.svg", "alone.md", "exit code 1"):
        assert said in complaints


def test_continuous_integration_builds_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "perfcore[docs]" in extras["dev"]
    assert {re.split(r"[>\[]", one)[0] for one in extras["docs"]} >= {"sphinx", "myst-parser"}
