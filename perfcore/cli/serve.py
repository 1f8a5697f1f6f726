"""``perfcore serve``."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click

from perfcore.cli.common import print_json
from perfcore.report.page import SLOW, contents_of
from perfcore.report.server import HOST, Server

EPILOG = """\b
Examples:
  perfcore serve
  perfcore serve my_design.toml --port 0
"""
PORT = 8765
Handler = signal.Handlers | Callable[[int, FrameType | None], None]


@click.command("serve", epilog=EPILOG)
@click.argument("designs", metavar="[DESIGN.toml]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--port",
    metavar="N",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help=f"The port on {HOST}; 0 for any free one.",
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
    "--without", metavar="SECTION", multiple=True, help=f"Leave out a section: {', '.join(SLOW)}. Repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON document.")
def command(
    designs: tuple[Path, ...], port: int, own: tuple[Path, ...], without: tuple[str, ...], as_json: bool
) -> None:
    """Show the page of perfcore report live, for this machine alone, with a form for designs.

    Move the sliders for TPP, area, I/O, DRAM bandwidth, transistors and date: the verdict, the margins and the place
    on the map follow, each answer that of perfcore check. Ctrl-C ends it.
    """
    server = Server(port, contents_of(designs, own, without))
    _until_stopped(server, as_json)


def _until_stopped(server: Server, as_json: bool) -> None:
    """Serve until Ctrl-C or a signal to end."""
    _hear(_stop, signal.SIGTERM)
    try:
        if as_json:
            print_json({"address": server.address, "port": server.server_port})
        else:
            click.echo(f"{server.address}  (Ctrl-C ends it)")
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        _hear(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM)  # it is stopping already, within seconds
        server.close()
    click.echo("perfcore: stopped", err=True)


def _hear(handler: Handler, *numbers: signal.Signals) -> None:
    """Set what some signals do, where a program may: in its main thread."""
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
