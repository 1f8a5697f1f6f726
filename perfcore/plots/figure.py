"""A picture as a figure of matplotlib, which is asked for only here: files by suffix, the same bytes each time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcore.errors import PerfcoreError
from perfcore.plots.inline import CORNERS
from perfcore.plots.shapes import GRID, INK, Frame, Mark, Picture, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "figure_of", "needs_matplotlib", "save", "save_figure"]

DPI = 100.0
POINT = 72.0 / DPI  # points of a pixel
SUFFIXES = (".svg", ".png", ".pdf")
ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def needs_matplotlib() -> None:
    """Raise a line that says what to install, where matplotlib is not."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise PerfcoreError(
            "--plot: matplotlib is not installed; install it with: pip install 'perfcore[plot]'"
        ) from None


def figure_of(picture: Picture) -> "Figure":
    """Return a figure, made without pyplot, so that no window and no global state is involved."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(picture.width / DPI, picture.height / DPI), dpi=DPI, facecolor="white")
    for frame in picture.frames:
        _axes(figure, picture, frame)
    over = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    over.set_axis_off()
    over.set_xlim(0.0, picture.width)
    over.set_ylim(picture.height, 0.0)
    over.patch.set_alpha(0.0)
    for area in picture.areas:
        over.fill(*zip(*area.points, strict=True), color=area.colour, alpha=0.18, linewidth=0.0, zorder=1)
    for line in picture.lines:
        style: Any = (line.offset, line.dash) if line.dash else "-"
        _dashed(over, line.points, line.colour, line.width, style)
    for mark in picture.marks:
        _mark(over, mark)
    for text in picture.texts:
        _text(over, text)
    return figure


def _dashed(axes: "Axes", points: Any, colour: str, width: float, style: Any) -> None:
    """Draw a line; matplotlib counts dashes in line widths, which pictures count in pixels."""
    if style != "-":
        offset, dash = style
        style = (-offset / width, tuple(each / width for each in dash))
    xs, ys = zip(*points, strict=True)
    axes.plot(xs, ys, color=colour, linewidth=width * POINT, linestyle=style, zorder=2, dash_capstyle="butt")


def _axes(figure: "Figure", picture: Picture, frame: Frame) -> None:
    """Add a panel with its two logarithmic axes."""
    left, bottom = frame.left / picture.width, 1.0 - frame.bottom / picture.height
    axes = figure.add_axes((left, bottom, frame.width / picture.width, frame.height / picture.height))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(10.0**frame.x_low, 10.0**frame.x_high)
    axes.set_ylim(10.0**frame.y_low, 10.0**frame.y_high)
    for axis, ticks in ((axes.xaxis, frame.x_ticks()), (axes.yaxis, frame.y_ticks())):
        axis.set_ticks([value for value, _ in ticks], [said for _, said in ticks])
        axis.set_tick_params(labelsize=12.0 * POINT, colors=INK, length=0)
        axis.set_ticks([], minor=True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(frame.x_name, fontsize=12.0 * POINT, color=INK)
    axes.set_ylabel(frame.y_name, fontsize=12.0 * POINT, color=INK)
    axes.set_title(frame.title, fontsize=13.0 * POINT, fontweight="bold", color=INK, loc="left")


def _mark(axes: "Axes", mark: Mark) -> None:
    code = {"circle": "o", "cross": "x", "plus": "+"}.get(mark.shape)
    shape: Any = code or [(x, -y) for x, y in CORNERS[mark.shape]]
    edge = mark.colour if mark.shape in ("cross", "plus") else "white"
    width = 2.4 if mark.shape in ("cross", "plus") else 1.0
    axes.plot(
        [mark.x],
        [mark.y],
        marker=shape,
        markersize=2.0 * mark.size * POINT,
        color=mark.colour,
        markeredgecolor=edge,
        markeredgewidth=width * POINT,
        linestyle="none",
        zorder=3,
    )


def _text(axes: "Axes", text: Text) -> None:
    from matplotlib.patheffects import withStroke

    if text.backed:
        axes.fill(*zip(*text.corners(pad=0.0), strict=True), color="white", linewidth=0.0, zorder=2.5)
    drawn = axes.text(
        text.x,
        text.y,
        text.text,
        color=text.colour,
        fontsize=text.size * POINT,
        fontweight="bold" if text.bold else "normal",
        ha=ANCHORS[text.anchor],
        va="center",
        rotation=text.angle,
        rotation_mode="anchor",
        zorder=4,
    )
    if text.halo:
        drawn.set_path_effects([withStroke(linewidth=3.0 * POINT, foreground="white")])


def save(picture: Picture, path: Path) -> None:
    """Write a picture as SVG, PNG or PDF, the same bytes each time."""
    save_figure(lambda: figure_of(picture), path, picture.title)


def save_figure(make: "Callable[[], Figure]", path: Path, title: str) -> None:
    """Write what ``make`` draws as SVG, PNG or PDF, the same bytes each time.

    Raises
    ------
    PerfcoreError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends import backend_agg, backend_pdf, backend_svg

    suffix = path.suffix.lower()
    metadata: dict[str, dict[str, Any]] = {
        ".svg": {"Date": None, "Creator": None, "Title": title},
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Title": title},
        ".png": {"Software": None, "Title": title},
    }
    canvas = {
        ".svg": backend_svg.FigureCanvasSVG,
        ".pdf": backend_pdf.FigureCanvasPdf,
        ".png": backend_agg.FigureCanvasAgg,
    }[suffix]
    with rc_context({"svg.hashsalt": "perfcore", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure = make()
        canvas(figure)
        try:
            figure.savefig(path, format=suffix[1:], dpi=2 * DPI if suffix == ".png" else DPI, metadata=metadata[suffix])
        except OSError as problem:
            raise PerfcoreError(f"--plot: cannot write {path}: {problem.strerror or problem}") from None
