"""The house: layers, sizes, the README's promises, and specs found wherever perfcore is installed."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import perfcore
from perfcore.reader import SPECS

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "perfcore").rglob("*.py"))


def test_the_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports_command as c; c()"
    result = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_importing_perfcore_is_light() -> None:
    code = (
        "import sys, perfcore; print([m for m in ('numpy', 'numba', 'pandas', 'click', 'decimal') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", perfcore.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(perfcore, name) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 330, "does it hold two things?"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False) or ""
            assert (node.end_lineno or 0) - node.lineno + 1 - doc.count("\n") <= 50, node.name


def test_no_threshold_of_the_law_stands_in_python() -> None:
    """4800, 5.92 and the others live in specs/rules/ alone (docstrings and comments may speak of them)."""
    law = {4800, 2400, 1600, 5.92, 3.2, 1.6, 600, 21000, 6500, 3.3}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, int | float)
                and not isinstance(node.value, bool)
            ):
                assert node.value not in law, f"{path}:{node.lineno}"


def test_specs_are_those_of_the_checkout_when_run_from_one() -> None:
    """An editable install reads specs/ of the checkout, and no copy of it stands beside the package."""
    if Path(perfcore.__file__).parent == (ROOT / "perfcore"):
        assert SPECS == ROOT / "specs"
        assert not (ROOT / "perfcore" / "_specs").exists()


def test_the_readme_has_its_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.strip().startswith("python3 -m venv")]
    assert len(commands) == 2
    assert "perfcore check" in commands[0]
    assert "pytest" in commands[1]


def test_the_readme_does_not_promise_commands_that_are_not_there() -> None:
    from perfcore.cli import COMMANDS

    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for command in re.findall(r"^    perfcore (\w+)", page.read_text(), re.MULTILINE):
            assert command in COMMANDS, f"{page.name}: perfcore {command}"


def test_dependencies_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(each for extra in extras.values() for each in extra)]:
        own = re.fullmatch(r"perfcore\[([a-z]+)\]", requirement)
        assert own[1] in extras if own else re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?>=[0-9.]+", requirement)


def test_a_gpu_is_nobodys_duty() -> None:
    """GPU libraries take gigabytes: an extra of their own, in no other one, and imported only where one is measured."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    heavy = ("cupy", "nvidia", "torch", "perfcore[gpu]")
    for name, requirements in extras.items():
        assert name == "gpu" or not any(one.startswith(heavy) for one in requirements)
    for path in MODULES:
        assert not re.search(r"^\s*(import|from) (torch|cupy|pynvml)\b", path.read_text(), re.MULTILINE), path
