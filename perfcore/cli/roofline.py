"""``perfcore roofline``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import complete_chip, complete_model, print_json, styled
from perfcore.display import number, text_table

if TYPE_CHECKING:
    from perfcore.rooflines import Roofline, Rooflines

EPILOG = """\b
Examples:
  perfcore roofline a100 a800 h800 h20 h200 --plot roofline.svg
  perfcore roofline h100 h20 --model llama3_70b --batch 8
  perfcore roofline h20 --memory hbm3e:6 --memory hbm4:6 --model llama3_70b
  perfcore roofline my_chip.toml --json
"""
POINTER = "What export rules say of a bandwidth: perfcore check CHIP --fact dram_bandwidth_gb_s=GB_S."


@click.command("roofline", epilog=EPILOG)
@click.argument("chips", nargs=-1, required=True, metavar="CHIP...", shell_complete=complete_chip)
@click.option("--model", shell_complete=complete_model, help="Place the operations of a model (id or config.json).")
@click.option(
    "--memory", multiple=True, metavar="PART:STACKS", help="What if: other memory, such as hbm3e:6. Repeatable."
)
@click.option("--system", help="Node and network: of the catalogue, or a file. Default: that of the chip.")
@click.option("--tp", type=int, help="Ranks a model is cut over. Default: the fewest whose memory holds it.")
@click.option("--chips", "count", type=int, help="The same in chips (packages).")
@click.option("--batch", type=int, help="Sequences that decode at once, and of a training step. Default: 16.")
@click.option("--input", "seq", type=int, help="Tokens of a prompt and in each sequence's cache. Default: 4096.")
@click.option("--precision", help="bf16, fp16, tf32, fp8, mxfp8, nvfp4 ... Default: bf16.")
@click.option("--plot", metavar="FILE", help="Draw it: .svg, .png or .pdf (needs matplotlib).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(chips: tuple[str, ...], plot: str | None, as_json: bool, **options: Any) -> None:
    """Show the rooflines of chips: ridge points by format, levels of memory, links, and the operations of a model.

    A chip is a name of the catalogue or a chip file, such as `perfcore measure` writes.
    """
    from perfcore.rooflines import roofline

    if plot is not None:
        from perfcore.plots import check_target

        check_target(plot)
    found = roofline(*chips, chips_in_group=options.pop("count"), **options)
    if plot is not None:
        from perfcore.plots import save_roofline

        save_roofline(found, Path(plot))
        click.echo(f"perfcore: wrote {plot}", err=True)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(lines_of(found)))


def lines_of(found: "Rooflines") -> Iterator[str]:
    """Yield an answer in lines."""
    common = _common(found)
    for one in found.results:
        yield from _one(one)
        own = [sentence for sentence in one.assumptions if sentence not in common]
        yield from ("", "  assumed", *(f"    {sentence}" for sentence in own)) if own else ()
        yield ""
    if len(found.results) > 1:
        yield from _compared(found)
    if common:
        yield from ("assumed of all", *(f"  {sentence}" for sentence in common), "")
    if any(one.what_if for one in found.results):
        yield POINTER
    if found.model is not None:
        yield found.notice


def _common(found: "Rooflines") -> list[str]:
    """Return the assumptions that every result makes, where there are several."""
    if len(found.results) == 1:
        return []
    first, *others = (one.assumptions for one in found.results)
    return [sentence for sentence in first if all(sentence in other for other in others)]


def _one(one: "Roofline") -> Iterator[str]:
    with_other = f" with {one.what_if}" if one.what_if else ""
    yield styled(f"{one.name}{with_other}", bold=True)
    roofs = [(roof.level, roof.name, number(roof.bandwidth_gb_s), roof.unit, _mark(roof.source)) for roof in one.roofs]
    if roofs:
        yield text_table(("level", "", "bandwidth", "unit", "source"), roofs, right=[2], indent="  ")
        yield ""
    rows = [
        (
            peak.format,
            number(peak.peak_dense_tflops),
            number(one.ridge_flop_per_byte.get(peak.format), 4),
            _mark(peak.source),
        )
        for peak in one.peaks
    ]
    if rows:
        yield text_table(("format", "TFLOP/s", "ridge [FLOP/B]", "source"), rows, right=[1, 2], indent="  ")
    for phase in one.phases:
        yield ""
        yield from _phase(one, phase)


def _mark(source: dict[str, Any]) -> str:
    """Return a source as mark and document."""
    words = [source.get("mark") or "given", source.get("source") or ""]
    return " ".join(dict.fromkeys(word for word in words if word))


def _phase(one: "Roofline", phase: dict[str, Any]) -> Iterator[str]:
    assert one.group is not None
    work = {
        "prefill": f"a prompt of {one.group['input']:,} tokens",
        "decode": f"a token for each of {one.group['batch']:,} sequences of {one.group['input']:,}",
        "training": f"a step of {one.group['batch']:,} sequences of {one.group['input']:,}",
    }[phase["phase"]]
    bounds = ", ".join(f"{share:.0%} {bound}" for bound, share in phase["share_by_bound"].items() if share >= 5e-3)
    took = f"{seconds(phase['time_s'])} (datasheet: at least {seconds(phase['roofline_time_s'])})"
    ranks = one.group["tp"]
    yield f"  {phase['phase']}: {work}; {took} on {ranks} rank{'s' if ranks > 1 else ''}; {bounds}"
    rows = [
        (
            own["name"],
            f"{own['flop']:.3g}",
            f"{own['bytes']:.3g}",
            "" if own["flop"] == 0 else number(own["intensity"], 3),
            "" if own["flop"] == 0 else number(own["attainable_tflops"], 3),
            "" if own["flop"] == 0 else number(own["achieved_tflops"], 3),
            own["bound"],
            seconds(own["time_s"]),
            f"{own['share_of_phase']:.1%}",
        )
        for own in one.operations
        if own["phase"] == phase["phase"]
    ]
    head = ("", "FLOP", "bytes", "FLOP/B", "attainable", "reached TFLOP/s", "bound", "time", "share")
    yield text_table(head, rows, right=[1, 2, 3, 4, 5, 7, 8], indent="    ")


def seconds(value: Any) -> str:
    """Show a time, or the ends of an interval.

    >>> seconds(0.00123), seconds(2.5), seconds({"low": 1e-6, "high": 2e-6})
    ('1.23 ms', '2.5 s', '1 us to 2 us')
    """
    if isinstance(value, dict):
        return f"{seconds(value['low'])} to {seconds(value['high'])}"
    unit, scale = next(pair for pair in (("s", 1.0), ("ms", 1e-3), ("us", 0.0)) if value >= pair[1])
    return f"{value / (scale or 1e-6):.3g} {unit}"


def _compared(found: "Rooflines") -> Iterator[str]:
    """Set the chips side by side: bandwidth, ridge, and the time of each phase, over that of the first."""
    first = found.results[0]
    form = _shared_format(found)
    names = [phase["phase"] for phase in first.phases]
    base = {phase["phase"]: phase for phase in first.phases}
    rows = []
    for one in found.results:
        peak = next((p.peak_dense_tflops for p in one.peaks if p.format == form), None)
        cells = [one.name + (f" with {one.what_if}" if one.what_if else "")]
        cells += [number(peak), number(one.memory.bandwidth_gb_s), number(one.ridge_flop_per_byte.get(form), 4)]
        own = {phase["phase"]: phase for phase in one.phases}
        rows.append((*cells, *(_faster(base.get(name), own.get(name)) for name in names)))
    head = ("side by side", f"{form} TFLOP/s", "DRAM GB/s", "ridge [FLOP/B]", *names)
    yield text_table(head, rows, right=range(1, 4 + len(names)))
    if names:
        yield "  speed of each phase over that of the first; in brackets by the datasheet alone"
    yield ""


def _faster(first: dict[str, Any] | None, own: dict[str, Any] | None) -> str:
    """Return how many times as fast as the first a phase is, by kernels and by the datasheet."""
    if first is None or own is None:
        return ""
    kernels, sheet = (first[key] / own[key] for key in ("time_s", "roofline_time_s"))
    return f"{kernels:.2f} ({sheet:.2f})"


def _shared_format(found: "Rooflines") -> str:
    """Return a format most of the chips have: the 16-bit one, else that of the fastest peak."""
    has = [peak.format for one in found.results for peak in one.peaks]
    return max(dict.fromkeys(("bf16", "fp16", *has)), key=has.count, default="bf16")
