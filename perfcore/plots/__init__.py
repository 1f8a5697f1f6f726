"""Pictures: what is drawn is decided once, in pixels; matplotlib writes files, a writer of our own SVG for pages.

``inline_roofline`` needs no library; ``save_roofline`` needs matplotlib, the extra ``plot``.
"""

import os
from pathlib import Path

from perfcore.errors import PerfcoreError
from perfcore.rooflines import Rooflines

__all__ = ["check_target", "inline_roofline", "save_roofline"]


def check_target(target: str | Path) -> None:
    """Raise what stands against writing a picture, before anything is computed."""
    from perfcore.plots.figure import SUFFIXES, needs_matplotlib

    path = Path(target)
    if path.suffix.lower() not in SUFFIXES:
        raise PerfcoreError(f"--plot: found {str(target)[:60]!r}; allowed: a file that ends in {', '.join(SUFFIXES)}")
    if not os.path.isdir(path.parent):
        raise PerfcoreError(f"--plot: there is no folder {str(path.parent)[:60]!r}; make it, or name another")
    if os.path.isdir(path):
        raise PerfcoreError(f"--plot: {str(target)[:60]!r} is a folder; name a file in it")
    needs_matplotlib()


def save_roofline(found: Rooflines, path: Path) -> None:
    """Write the picture of rooflines to a file: SVG, PNG or PDF by its suffix.

    Raises
    ------
    PerfcoreError
        If matplotlib is missing, or the file cannot be written.
    """
    from perfcore.plots.figure import save
    from perfcore.plots.roofline import picture_of

    check_target(path)
    save(picture_of(found), path)


def inline_roofline(found: Rooflines) -> str:
    """Return the picture of rooflines as an ``svg`` element, without matplotlib."""
    from perfcore.plots.inline import svg
    from perfcore.plots.roofline import picture_of

    return svg(picture_of(found))
