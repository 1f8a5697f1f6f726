"""``perfcore design``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import complete_model, print_json
from perfcore.errors import PerfcoreError

if TYPE_CHECKING:
    from perfcore.design import DesignSpace

EPILOG = """\b
Examples:
  perfcore design --on 2024-01-01 --reticles 1 --objective decode
  perfcore design --on 2024-01-01 --objective prefill \\
      --model gpt3_175b --tp 8 --sweep
  perfcore design --on 2024-01-01 --grid full --max-tpp 4800 \\
      --plot regions.svg
  perfcore design --on 2024-01-01 --grid billion --sweep
  perfcore design --on 2024-01-01 --objective request --max-tpp 2400 \\
      -o best.toml && perfcore check best.toml
"""
REGIONS = {"outside": "not_controlled", "b": "3A090.b", "a": "3A090.a"}


@click.command("design", epilog=EPILOG)
@click.option("--on", required=True, metavar="DATE", help="The day whose rules are taken, as YYYY-MM-DD.")
@click.option("--objective", default="decode", help="decode, prefill, request, training or tpp. Default: decode.")
@click.option(
    "--model", default="llama3_70b", shell_complete=complete_model, help="Model that is run. Default: llama3_70b."
)
@click.option("--batch", type=int, default=8, help="Sequences at once. Default: 8.")
@click.option("--input", "input", type=int, default=2048, help="Tokens of a prompt. Default: 2048.")
@click.option("--output", type=int, default=1024, help="Tokens of an answer. Default: 1024.")
@click.option("--tp", type=int, default=4, help="Chips the model is cut over. Default: 4.")
@click.option("--overheads", default="neutral", help="Of kernels: neutral, llmcompass (273 us a layer) or none.")
@click.option("--ignore-capacity", is_flag=True, help="Take designs too whose memory does not hold the model.")
@click.option("--reticles", type=int, default=1, help="Exposure fields of logic in the package. Default: 1.")
@click.option("--reticle-mm2", type=float, help="Area of one. Default: 858.")
@click.option("--node", default="7nm", help="7nm, 6nm or 5nm. Default: 7nm.")
@click.option("--hbm", default="hbm2e", help="hbm2e or hbm3. Default: hbm2e.")
@click.option("--link", default="nvlink3", help="nvlink3 or nvlink4. Default: nvlink3.")
@click.option("--pcie", default="pcie4", help="pcie4 or pcie5. Default: pcie4.")
@click.option("--min-tpp", type=float, help="Only designs of that TPP or more.")
@click.option("--max-tpp", type=float, help="Only designs below that TPP; where a grid fills, cores fill up to it.")
@click.option("--min-area", type=float, help="Only designs of that logic area or more [mm2].")
@click.option("--max-area", type=float, help="Only designs of that logic area or less [mm2].")
@click.option(
    "--grid", default="small", help="small, published, full, billion, or a grid file (.toml). Default: small."
)
@click.option("--no-datacenter", is_flag=True, help="Designs neither made nor marketed for datacenters (Note 2).")
@click.option("--sweep", is_flag=True, help="The same for every version of the rule.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the search. Default: one a core.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, whose workers search ranges of the grid.")
@click.option("--region", default="outside", type=click.Choice(list(REGIONS)), help="Which best design -o writes.")
@click.option("-o", "out", metavar="FILE", help="Write that design as a chip file for perfcore check.")
@click.option("--plot", metavar="FILE", help="Draw TPP against area: .svg, .png or .pdf (needs matplotlib).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool, plot: str | None, out: str | None, region: str, **options: Any) -> None:
    """Explore chip designs under a rule: the feasible region, the best of each, and the Pareto front.

    Areas, rates and times follow from the architecture by published block sizes; docs/design.md says what is left out.
    """
    from perfcore.design import design_space

    if plot is not None:
        from perfcore.plots import check_target

        check_target(plot)
    day, barred = options.pop("on"), options.pop("no_datacenter")
    found = design_space(day, datacenter=not barred, progress=_progress, **options)
    if plot is not None:
        from perfcore.plots.regions import save_regions

        save_regions(found, Path(plot))
        click.echo(f"perfcore: wrote {plot}", err=True)
    if out is not None:
        _write(found, region, Path(out))
    if as_json:
        print_json(found.to_dict())
    else:
        from perfcore.cli.design_text import lines_of

        click.echo("\n".join(lines_of(found)))


def _progress(said: str) -> None:
    """Say what the search waits for: on one line of a terminal, elsewhere only where it takes long."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{said}", nl=False, err=True)
    elif said.startswith("compiling"):
        click.echo(f"perfcore: {said}", err=True)


def _write(found: "DesignSpace", region: str, path: Path) -> None:
    from perfcore.design_file import text_of

    best = found.best.get(REGIONS[region])
    if best is None:
        raise PerfcoreError(f"-o: no design of the grid lies in the region {region!r}; widen the grid or the bounds")
    path.write_text(text_of(best, found.ask.day), "utf-8")
    click.echo(f"perfcore: wrote {path}", err=True)
