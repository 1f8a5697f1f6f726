"""The command line. Each command's module is imported only when it runs, so that ``check`` starts at once."""

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import click

from perfcore import __version__
from perfcore.errors import PerfcoreError, suggestion

COMMANDS = {
    "check": "Check chips, memory parts and designs against the rules.",
    "chips": "List the catalogue, or show one entry with every source.",
    "rules": "List the rules, or read one.",
    "models": "List the language models, or show one with every source.",
    "batch": "Check a table of designs, or answer a table of questions.",
    "roofline": "Show ridge points, levels of memory, and a model's operations under them.",
    "train": "Predict a training step on N chips; search the plan.",
    "infer": "Predict serving on N chips: first token, time per token, throughput, memory.",
    "match": "How many of one chip train a model as fast as N of another.",
    "design": "Explore chip designs under a rule: feasible region, the best of each, Pareto front.",
    "claims": "Recompute what has been said in public: what holds, what fails.",
    "validate": "Predict a table of measured runs and report the error.",
    "measure": "Measure the roofline of this machine, as a chip file.",
    "report": "Write everything as one self-contained page.",
    "serve": "Show the page on this machine, with a form for designs.",
}


class _Group(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"perfcore.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            hint = suggestion(args[0], COMMANDS)
            raise click.UsageError(
                f"there is no command {args[0]!r}{hint or '; the commands are: ' + ', '.join(COMMANDS)}"
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="perfcore")
def _main() -> None:
    """Does a chip or design cross an export-control threshold, on which date, by how much, and what would flip it?

    \b
    perfcore check h20 a800 my_design.toml --on 2024-01-01
    perfcore check h800               a chip under every version of the rules
    perfcore chips h800               every number with its source
    perfcore rules us_eccn_3a090      the law as perfcore reads it
    perfcore models llama3_70b        a language model: its shape and operations
    perfcore batch designs.csv verdicts.csv --on 2024-01-01
    perfcore batch questions.csv answers.csv   for train, infer or match
    perfcore roofline h100 h20 --model llama3_70b
    perfcore train llama3_405b --chip h100 --chips 16384
    perfcore infer llama3_70b --chip h20 --chips 8 --precision fp8
    perfcore match h100:16384 --with h20 --model llama3_405b
    perfcore design --on 2024-01-01 --reticles 1 --objective decode
    perfcore validate my_runs.csv
    perfcore claims h800_nvlink_300   a public claim, recomputed
    perfcore measure cpu -o my_machine.toml
    perfcore report -o perfcore.html  everything on one page
    perfcore serve                    the same, live, with a form for designs
    """


def main(prog_name: str | None = None) -> None:
    """Run the command line: a mistake is one line and exit code 2, an interrupt no traceback."""
    try:
        code = _main.main(prog_name=prog_name, standalone_mode=False)
    except PerfcoreError as mistake:
        code = _say(mistake.lines)
    except click.exceptions.NoArgsIsHelpError as mistake:
        click.echo(mistake.format_message())
        code = 0
    except click.UsageError as mistake:
        where = mistake.ctx.command_path if mistake.ctx else "perfcore"
        code = _say([f"{mistake.format_message().rstrip('.')} (see {where} --help)"])
    except click.ClickException as mistake:
        code = _say([mistake.format_message()])
    except click.Abort:
        click.echo("perfcore: interrupted; nothing was written", err=True)
        code = 130
    except BrokenPipeError:
        # The reader (head, less) has gone: point stdout at nothing so that the interpreter does not complain.
        _forget_stdout()
        code = 0
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        code = _say([f"{where}cannot write or read: {problem.strerror or problem}"])
        _forget_stdout()
    sys.exit(code)


def _forget_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(lines: Iterable[str]) -> int:
    for line in lines:
        click.echo(f"perfcore: {line}", err=True)
    return 2
