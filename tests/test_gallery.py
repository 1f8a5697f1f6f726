"""The worked questions of docs/gallery: files, commands and Python of a page, run in the order of the page."""

import doctest
import io
import re
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from test_docs import generator

from perfcore.cli import COMMANDS, main

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery"
PAGES = sorted(path for path in GALLERY.glob("*.md") if path.stem != "index")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def asked_and_shown(block: str) -> list[tuple[str, str]]:
    """Return each command of a block with what the page says it prints."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0] == "", "a text block of the gallery starts with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def is_shown(shown: str, printed: str) -> bool:
    """Say whether a page shows what is printed, whole lines in order; a line ``...`` leaves some out."""
    lines = (r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in _lines(shown))
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


class Shell:
    """What runs the commands of a page."""

    def __init__(self) -> None:
        self.exit_code = 0

    def printed(self, command: str) -> str:
        """Run one command and return what it prints, on stdout and stderr."""
        if command == "echo $?":
            return f"{self.exit_code}\n"
        if command.startswith("cat "):
            return Path(command.removeprefix("cat ")).read_text(encoding="utf-8")
        program, *arguments = shlex.split(command)
        assert program == "perfcore"
        assert arguments[0] in COMMANDS
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.setattr(sys, "argv", [program, *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        self.exit_code = int(ended.value.code or 0)
        return re.sub(r"^perfcore: compiling .*\n", "", said.getvalue(), flags=re.MULTILINE)  # once a machine


def run_python(block: str, names: dict[str, object], page: Path) -> None:
    test = doctest.DocTestParser().get_doctest(block, names, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said: list[str] = []
    runner.run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_is_what_happens(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, content in generator("gallery_pictures").files_of(text).items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    shell, names = Shell(), {}
    ran = 0
    for language, block in BLOCK.findall(text):
        if language == "python":
            run_python(block, names, page)
        for command, shown in asked_and_shown(block) if language == "text" else ():
            printed = shell.printed(command)
            assert is_shown(shown, printed), f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"
        ran += language in ("python", "text")
    assert ran >= 3


def test_there_are_five_questions_and_the_list_names_them() -> None:
    listed = re.findall(r"\]\((\w+)\.md\)", (GALLERY / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [page.stem for page in PAGES]
    assert len(PAGES) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_says_how_sure_and_what_it_does_not_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") <= 140
    for part in ("**In short.**", "\n## How sure\n", "\n## What this does not say\n"):
        assert part in text, part


@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        ("a\nb\nc\n", True),
        ("a\nc\n", False),
        ("a\n...\nc\n", True),
        ("...\nb\n...\n", True),
        ("...\nc\n", True),
        ("...\nb\n", False),
        ("b\n...\n", False),
        ("...\nc\n...\na\n...\n", False),
        ("...\nb", False),
        ("...\n\n...\n", False),
    ],
)
def test_a_shortened_output_must_stand_there_whole_and_in_order(shown: str, holds: bool) -> None:
    assert is_shown(shown, "a\nb\nc\n") is holds


def test_a_part_of_a_line_is_not_the_line() -> None:
    assert not is_shown("...\nb\n...\n", "a\nab\nb c\n")
