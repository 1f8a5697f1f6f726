"""The curve of stacking: how much of the target N chips reach, what binds, the ceiling."""

from pathlib import Path
from typing import TYPE_CHECKING

from perfcore.plots.figure import save_figure
from perfcore.plots.shapes import COLOURS, GRID, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from perfcore.stacking import Match

__all__ = ["draw", "figure_of_curve"]

MARKERS = {
    "compute": "o",
    "memory bandwidth": "s",
    "links inside a domain": "^",
    "experts' exchange": "P",
    "network": "D",
    "pipeline bubble": "v",
    "host": "h",
    "failures": "X",
    "batch": "*",
}


def draw(found: "Match", target: str | Path) -> None:
    """Write the curve to a file: SVG, PNG or PDF by its suffix.

    Raises
    ------
    PerfcoreError
        If matplotlib is missing, or the file cannot be written.
    """
    title = f"{found.target['chips']:,} x {found.target['chip']} matched by {found.with_chip}"
    save_figure(lambda: figure_of_curve(found), Path(target), title)


def figure_of_curve(found: "Match") -> "Figure":
    """Return the curve as a figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 5.0), dpi=100, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    _lines(axes, found)
    _points(axes, found)
    axes.set_xlabel(f"chips: {found.with_chip}")
    axes.set_ylabel("useful tokens/s over those of the target")
    axes.set_title(f"{found.target['chips']:,} x {found.target['chip']} matched by {found.with_chip}", fontsize=10)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    axes.set_ylim(*_limits(found))
    return figure


def _limits(found: "Match") -> tuple[float, float]:
    ratios = [point["ratio"] for point in found.curve]
    return max(min(ratios) / 1.5, 1e-3), max(2.0, 3.0 * max(ratios))


def _lines(axes: "Axes", found: "Match") -> None:
    chips = [point["chips"] for point in found.curve]
    naive = [n / found.naive_chips for n in chips]
    axes.plot(chips, naive, color=COLOURS[6], linewidth=1.2, linestyle=(0, (5, 3)), label="by peak alone")
    ratios = [point["ratio"] for point in found.curve]
    axes.plot(chips, ratios, color=COLOURS[0], linewidth=1.7, zorder=2)
    axes.axhline(1.0, color=INK, linewidth=1.0)
    axes.axhline(found.ceiling, color=COLOURS[1], linewidth=1.2, linestyle=(0, (2, 2)))
    axes.annotate(
        f"ceiling {found.ceiling:.2f}",
        (0.01, found.ceiling),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        color=COLOURS[1],
        fontsize=9,
    )
    if found.chips is not None:
        axes.axvline(found.chips, color=COLOURS[2], linewidth=1.0, linestyle=(0, (1, 2)))
        axes.annotate(
            f"{found.chips:,} chips",
            (found.chips, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 0),
            textcoords="offset points",
            color=COLOURS[2],
            fontsize=9,
        )


def _points(axes: "Axes", found: "Match") -> None:
    kinds = sorted({point["binding"] for point in found.curve}, key=list(MARKERS).index)
    for place, kind in enumerate(kinds):
        some = [point for point in found.curve if point["binding"] == kind]
        xs, ys = [point["chips"] for point in some], [point["ratio"] for point in some]
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(xs, ys, MARKERS[kind], color=colour, markersize=6, linestyle="none", label=f"binds: {kind}", zorder=3)
