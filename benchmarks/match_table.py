"""The tables and pictures of docs/match.md: five substitutes against clusters of H100 and A100.

``python benchmarks/match_table.py [FOLDER]`` prints the tables and writes ``match_*.svg`` into the folder, in minutes.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.plots.figure import save_figure
from perfcore.plots.shapes import COLOURS, GRID, INK
from perfcore.stacking import Match, match

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Counts to which plans deal the batch of each model: 2,048 and 1,536 sequences.
TARGETS = (
    ("h100:16384", "llama3_405b"),
    ("h100:12288", "gpt3_175b"),
    ("a100:8192", "llama3_405b"),
    ("a100:12288", "gpt3_175b"),
)
CHIPS = ("h20", "a800", "h800", "910c", "mi308x")
MARKERS = "osD^v"
HEAD = (
    *("substitute", "by peak", "really", "fewer reach", "80 % interval", "with the target's plan", "ceiling", "binds"),
    *("power", "energy a token", "chips, MW"),
)


def row(found: Match) -> list[str]:
    """Return a substitute as a row of the table."""
    low, high = (_count(end) for end in found.chips_interval)
    return [
        found.with_chip,
        _count(found.naive_chips),
        _count(found.chips),
        "-" if found.fewer is None else f"{_count(found.fewer['chips'])}: {found.fewer['ratio']:.2f}",
        f"{low} to {high}",
        f"{_count(found.fixed_plan_chips)}, at most {found.fixed_plan_ceiling:.2f}",
        f"{found.ceiling:.2f} at {_count(found.ceiling_chips)}",
        found.binding,
        *(_times(value) for value in (found.power_ratio, found.energy_ratio)),
        "-" if found.power_mw is None else f"{found.power_mw:.1f}",
    ]


def _count(value: int | None) -> str:
    return "none" if value is None else f"{value:,}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def table(answers: list[Match]) -> str:
    """Return the answers as a Markdown table."""
    lines = [list(HEAD), ["---"] * len(HEAD), *(row(found) for found in answers)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(answers: list[Match], title: str) -> "Figure":
    """Return the curves of several substitutes."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8.6, 5.0), dpi=100, facecolor="white", layout="constrained")
    axes = drawn.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.axhline(1.0, color=INK, linewidth=1.0)
    for place, found in enumerate(answers):
        points = [p for p in found.curve if p["ratio"] >= 0.02]
        label = f"{found.with_chip}: {'never' if found.chips is None else format(found.chips, ',')}"
        style = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place], "markersize": 5.0}
        axes.plot([p["chips"] for p in points], [p["ratio"] for p in points], linewidth=1.4, label=label, **style)
    axes.set_ylim(0.02, 2.5 * max(found.ceiling for found in answers))
    axes.set_xlabel("chips of the substitute")
    axes.set_ylabel("useful tokens/s over those of the target")
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    return drawn


def write(folder: Path) -> None:
    """Print every table and write every picture."""
    for target, model in TARGETS:
        answers = [match(target, chip, model) for chip in CHIPS]
        title = f"{answers[0].target['chips']:,} x {answers[0].target['chip']} matched for {model}"
        words = answers[0].target
        print(f"\n### {title}\n")
        speed = f"step {words['step_time_s']:.4g} s, MFU {words['mfu']:.1%}, goodput {words['goodput']:.1%}"
        print(f"{words['useful_tokens_per_s']:,.0f} useful tokens/s: {speed}; {words['power_mw']:.1f} MW of chips.\n")
        print(table(answers), flush=True)
        name = f"match_{target.partition(':')[0]}_{model}.svg"
        save_figure(lambda shown=answers, over=title: figure(shown, over), folder / name, title)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
