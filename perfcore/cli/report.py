"""``perfcore report``."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from perfcore.cli.common import print_json
from perfcore.errors import PerfcoreError
from perfcore.report.page import SLOW, Contents, contents_of, page, slow_section

EPILOG = """\b
Examples:
  perfcore report -o perfcore.html
  perfcore report my_design.toml -o perfcore.html \\
      --without measured --without claims
"""
SUFFIXES = (".html", ".htm")


@click.command("report", epilog=EPILOG)
@click.argument("designs", metavar="[DESIGN.toml]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE.html",
    default="perfcore.html",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where to write the page.",
)
@click.option(
    "--rules",
    "own",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A rule file of your own, shown beside the shipped ones. Repeatable.",
)
@click.option(
    "--without",
    metavar="SECTION",
    multiple=True,
    help=f"Leave out a section that takes seconds: {', '.join(SLOW)}. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON document.")
def command(
    designs: tuple[Path, ...], target: Path, own: tuple[Path, ...], without: tuple[str, ...], as_json: bool
) -> None:
    """Write one page with everything: chips by rule date, the map, rules, rooflines, predictions, sources.

    It needs no network and no other file. Designs of your own stand in its table and on its map.
    """
    _check(target, (*designs, *own))
    contents = contents_of(designs, own, without)
    if sys.stderr.isatty():
        _show_progress(contents)
    text = page(contents).encode()
    _write(target, text)
    if as_json:
        print_json({"output": str(target), "bytes": len(text), "designs": [entry.item.id for entry in contents.own]})
    else:
        click.echo(f"{target}: {len(text):,} bytes", err=True)


def _check(target: Path, given: tuple[Path, ...]) -> None:
    """Raise what stands against writing the page, before anything is computed."""
    if target.suffix.lower() not in SUFFIXES:
        raise PerfcoreError(
            f"--output: found {str(target)[:60]!r}; allowed: a file that ends in {' or '.join(SUFFIXES)}"
        )
    if target.is_dir():
        raise PerfcoreError(f"--output: {str(target)[:60]!r} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise PerfcoreError(f"--output: there is no folder {str(target.parent)[:60]!r}; make it, or name another")
    if any(path.resolve() == target.resolve() for path in given):
        raise PerfcoreError(f"--output: {target} is what the page is made of; name another file")


def _show_progress(contents: Contents) -> None:
    """Make the slow sections one by one, and say which; what is made is kept for the page."""
    for name, one in SLOW.items():
        if name not in contents.without:
            click.echo(f"{one.title} ...", err=True)
            slow_section(name)


def _write(target: Path, text: bytes) -> None:
    """Write a file whole or not at all."""
    made: Path | None = None
    try:
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            made = Path(file.name)
            file.write(text)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        made.chmod(mode)
        os.replace(made, target)
    except BaseException as problem:
        if made is not None:
            with suppress(OSError):
                made.unlink()
        if isinstance(problem, OSError):
            raise PerfcoreError(f"--output: {target} cannot be written: {problem.strerror or problem}") from None
        raise


def _umask() -> int:
    """Return the mask of new files, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
