"""The generated pages are those the code and the specs would write now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def generator(name: str = "generate") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = (
    "commands.md",
    "terms.md",
    "rules.md",
    "catalogue.md",
    "claims.md",
    "validation.md",
    "validation.svg",
    "roofline.svg",
    "design.svg",
    "kernels.md",
    "silicon.md",
    "gallery/our_design.svg",
    "gallery/a_bill.svg",
    "gallery/h20.svg",
)


@pytest.mark.parametrize("page", PAGES)
def test_page_is_current(page: str) -> None:
    written = generator().PAGES[page]()
    assert (DOCS / page).read_text(encoding="utf-8") == written, "run: python docs/generate.py"
