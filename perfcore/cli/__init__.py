"""The command line. Each command's module is imported only when it runs, so that ``check`` starts at once."""

import sys
from importlib import import_module
from typing import Any

import click

from perfcore import __version__
from perfcore.errors import PerfcoreError, suggestion

COMMANDS = {
    "check": "Check chips, memory parts and designs against the rules.",
    "chips": "List the catalogue, or show one entry with every source.",
    "rules": "List the rules, or read one.",
    "batch": "Check a table of designs.",
}


class _Group(click.Group):
    """A group that imports a command when it is asked for, and turns a user's mistake into one line."""

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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PerfcoreError as mistake:
            for line in mistake.lines:
                click.echo(f"perfcore: {line}", err=True)
            ctx.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="perfcore")
def _main() -> None:
    """Does a chip or design cross an export-control threshold, on which date, by how much, and what would flip it?

    \b
    perfcore check h20 a800 my_design.toml --on 2024-01-01
    perfcore check h800                     the same chip under every version of the rules
    perfcore chips h800                     every number with its source
    perfcore rules us_eccn_3a090            the law as perfcore reads it
    perfcore batch designs.csv verdicts.csv --on 2024-01-01
    """


def main(prog_name: str | None = None) -> None:
    """Run the command line; a closed pipe or an interrupt ends it quietly."""
    try:
        _main(prog_name=prog_name)
    except BrokenPipeError:
        # The reader (head, less) has gone: point stdout at nothing so that the interpreter does not complain.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
