"""``perfcore match``."""

import sys
from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import complete_chip, print_json, styled
from perfcore.cli.train import plan_text
from perfcore.display import fields, text_table
from perfcore.errors import PerfcoreError

if TYPE_CHECKING:
    from perfcore.stacking import Match

EPILOG = """\b
Examples:
  perfcore match h100:16384 --with h20 --model llama3_405b
  perfcore match a100:1024 --with a800 --model gpt3_175b \\
      --global-batch 1536 --plot curve.svg
  perfcore match h100:1024 --with h100 --model gpt3_175b \\
      --links 900,600,400,300,200,128,64
  perfcore match h100:8192 --with h20 --model llama3_405b \\
      --beside a100:4096 --local-steps 100
"""
DISCLAIMER = "A model of training, not a measurement; docs/match.md says what it leaves out."


@click.command("match", epilog=EPILOG)
@click.argument("target", metavar="CHIP:N")
@click.option(
    "--with", "with_chip", required=True, shell_complete=complete_chip, help="The substitute: a chip or file."
)
@click.option("--model", required=True, help="Catalogue id or Hugging Face config.json.")
@click.option("--global-batch", type=int, help="Sequences a step. Default: the model's own.")
@click.option("--seq", type=int, help="Tokens a sequence. Default: the model's own.")
@click.option("--precision", help="Number format of both sides. Default: bf16.")
@click.option("--with-precision", help="Number format of the substitute, if another.")
@click.option("--system", help="System of the target. Default: that of the chip.")
@click.option("--with-system", help="System of the substitute. Default: that of the chip.")
@click.option("--software", help="Training software of the target. Default: the newest for the chip.")
@click.option("--with-software", help="Training software of the substitute. Default: the newest for the chip.")
@click.option("--link-gb-s", type=float, help="Cap of the substitute's chip link, both directions [GB/s].")
@click.option("--links", help="Caps of the chip link to compare, both directions [GB/s]: 900,600,400.")
@click.option("--local-steps", type=int, default=1, help="The substitute averages gradients every so many steps.")
@click.option("--failures", type=float, help="Failures per 1,000 server-days, both sides. Default: 3.79.")
@click.option("--save-s", type=float, help="Time a checkpoint stops the work [s]. Default: 30.")
@click.option("--restart-s", type=float, help="Time to restart after a failure [s]. Default: 300.")
@click.option("--critical-batch", type=float, help="Critical batch [tokens]: larger batches are tried, worth less.")
@click.option("--batch-slack", type=float, help="Share by which both sides may take a larger batch: 0.25. Default: 0.")
@click.option("--beside", metavar="CHIP:N", help="Chips of a third kind that take a part of the batch.")
@click.option("--max-chips", type=int, help="The most chips to use. Default: 10 million.")
@click.option("--price", multiple=True, metavar="CHIP=USD", help="Price of a chip, for the cost ratio; of each kind.")
@click.option("--tp", type=click.IntRange(min=1), help="Tensor-parallel ranks of all sides (searched if not given).")
@click.option("--pp", type=click.IntRange(min=1), help="Pipeline stages of all sides (searched if not given).")
@click.option("--plot", metavar="FILE", help="Draw the curve: SVG, PNG or PDF.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(target: str, with_chip: str, model: str, as_json: bool, **options: Any) -> None:
    """Find how many of one chip train a model as fast as N of another: CHIP:N, such as h100:16384.

    Naively by peak, and really: both sides at their best plan, failures counted, over every number of chips to which a
    plan deals the work; the ceiling that no number of them passes, and what binds.
    """
    from perfcore.stacking import match

    plot = options.pop("plot")
    if plot:
        from perfcore.plots import check_target

        check_target(plot)
    prices = dict(_price(text) for text in options.pop("price"))
    links = _numbers(options.pop("links"))
    chosen = {name: value for name, value in options.items() if value is not None}
    progress = _progress if sys.stderr.isatty() else None
    found = match(target, with_chip, model, prices=prices, links=links, progress=progress, **chosen)
    if progress:
        click.echo("\r\033[K", nl=False, err=True)
    if plot:
        from perfcore.plots.curve import draw

        draw(found, plot)
        click.echo(f"perfcore: wrote {plot}", err=True)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(lines_of(found)))


def _progress(said: str) -> None:
    click.echo(f"\r\033[K{said}", nl=False, err=True)


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in (text or "").split(",") if one.strip())
    except ValueError:
        raise PerfcoreError(f"--links: found {text!r}; allowed: numbers with commas, such as 900,400") from None


def _price(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        price = float(value)
    except ValueError:
        raise PerfcoreError(f"--price: found {text!r}; allowed: CHIP=USD, such as h20=12000") from None
    return name, price


def lines_of(found: "Match") -> list[str]:
    """Return an answer in lines."""
    return [*_head(found), "", *_curve(found), *_links(found), *_mixed(found), "", *_rest(found)]


def _head(found: "Match") -> list[str]:
    target = found.target
    title = styled(f"{found.with_chip} for {target['chips']:,} x {target['chip']}", bold=True)
    lines = [title, fields([*_answers(found), *_power(found)], width=18)]
    if found.figures is not None and found.plan is not None:
        lines += ["", "plan", "  " + plan_text(found.plan)]
    return lines


def _answers(found: "Match") -> list[tuple[str, str]]:
    target, chips = found.target, found.chips
    low, high = found.chips_interval
    none = "none within --max-chips" if found.ceiling >= 1.0 else "no number of them"
    answer = none if chips is None else f"{chips:,}"
    ends = " to ".join("none" if end is None else f"{end:,}" for end in (low, high))
    fixed = "no number" if found.fixed_plan_chips is None else f"{found.fixed_plan_chips:,}"
    most = f"at most {found.fixed_plan_ceiling:.2f} of the target" if found.fixed_plan_ceiling else "it does not fit"
    speed = f"step {target['step_time_s']:.4g} s, MFU {target['mfu']:.1%}, goodput {target['goodput']:.1%}"
    return [
        ("target", f"{target['useful_tokens_per_s']:,.0f} useful tokens/s: {speed}"),
        ("by peak", f"{found.naive_chips:,} chips; by memory bandwidth {found.naive_chips_by_bandwidth or 0:,}"),
        ("really", f"{answer}   (80 % interval {ends})"),
        *_fewer(found),
        ("with the target's plan, more replicas", f"{fixed}; {most}"),
        ("ceiling", f"{found.ceiling:.2f} of the target, at {found.ceiling_chips:,} chips"),
        ("binds", found.binding),
    ]


def _power(found: "Match") -> list[tuple[str, str]]:
    rows = []
    if found.power_ratio is not None:
        energy = f"energy a token {found.energy_ratio or 0:.2f} times"
        rows.append(("power", f"{found.power_ratio:.2f} times, {found.power_mw:,.1f} MW of chips; {energy}"))
    if found.cost_ratio is not None:
        rows.append(("price of chips", f"{found.cost_ratio:.2f} times"))
    if found.figures is not None and found.plan is not None:
        step, mfu, goodput = (found.figures[key] for key in ("step_time_s", "mfu", "goodput"))
        rows.append(("at that number", f"step {step:.4g} s, MFU {mfu:.1%}, goodput {goodput:.1%}"))
    return rows


def _fewer(found: "Match") -> list[tuple[str, str]]:
    """Say how near the next best number comes; the numbers that plans deal the work to lie far apart."""
    near = found.fewer
    said = [] if near is None else [f"{near['chips']:,} reach {near['ratio']:.3f} of the target"]
    return [("with fewer", one) for one in said]


def _curve(found: "Match") -> list[str]:
    rows = [
        (f"{p['chips']:,}", f"{p['ratio']:.3f}", f"{p['mfu']:.1%}", f"{p['goodput']:.1%}", p["binding"])
        for p in found.curve
    ]
    head = ("chips", "of the target", "MFU", "goodput", "binds")
    return ["more of them", text_table(head, rows, right=[0, 1, 2, 3], indent="  ")]


def _links(found: "Match") -> list[str]:
    if not found.links:
        return []
    rows = [(f"{p['link_gb_s']:g}", f"{p['slowdown_fixed_plan']:+.1%}", f"{p['slowdown']:+.1%}") for p in found.links]
    head = ("GB/s, both directions", "plan kept", "best plan")
    return ["", "chip link capped: change of the step", text_table(head, rows, right=[0, 1, 2], indent="  ")]


def _mixed(found: "Match") -> list[str]:
    if found.mixed is None:
        return []
    other = found.mixed["beside"]
    theirs = f"beside {other['chips']:,} x {other['chip']}, which take {other['sequences']:g} sequences of a step"
    return ["", f"{theirs}: {found.mixed['chips']:,} x {found.with_chip} for the other {found.mixed['sequences']:g}"]


def _rest(found: "Match") -> list[str]:
    rows = [
        (p["input"], f"{p['throughput_low'] - 1:+.1%}", f"{p['throughput_high'] - 1:+.1%}") for p in found.sensitivities
    ]
    return [
        "what the substitute's speed depends on (one sigma; failures by a factor of two)",
        text_table(("input", "low", "high"), rows, right=[1, 2], indent="  "),
        "",
        "assumed",
        *(f"  {sentence}" for sentence in found.assumptions),
        "",
        DISCLAIMER,
    ]
