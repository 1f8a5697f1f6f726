"""Fused loops over the formulas; imported only by what searches or fits, since it brings in numba.

Compiled code is kept in the user's cache, in a folder named by a hash of every formula, so that a changed formula is
never answered by an old kernel.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import numba
from numba.extending import register_jitable

from perfcore import __version__
from perfcore.formulas import (
    activations,
    architecture,
    architecture_time,
    collectives,
    decode_attention,
    footprint,
    gemm,
    layer,
    layer_time,
    messages,
    pipeline,
    products,
    roofline,
    serving,
    serving_layer,
    states,
    step,
    tiles,
    traffic,
)

__all__ = ["compiled", "is_cold", "ready"]

F = TypeVar("F", bound=Callable[..., Any])
HERE = Path(__file__).resolve().parent
_MODULES = (
    *(gemm, collectives, activations, states, footprint, pipeline, products, layer, traffic, layer_time, step),
    *(tiles, messages, roofline, decode_attention, serving_layer, serving, architecture, architecture_time),
)


def _cache_folder() -> Path:
    """Return where compiled code is kept: the platform's cache folder, one sub-folder for each state of the sources."""
    given = os.environ.get("PERFCORE_CACHE_DIR")
    home = _home()
    standard = {"darwin": home / "Library/Caches", "win32": Path(os.environ.get("LOCALAPPDATA", str(home)))}
    base = (
        Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or standard.get(sys.platform, home / ".cache"))
    )
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), *HERE.parent.glob("formulas/*.py")]):
        digest.update(path.read_bytes())
    return base / "perfcore" / f"{__version__}-{digest.hexdigest()[:16]}"


def _home() -> Path:
    """Return the home folder; one that cannot be written where the user has none, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


FOLDER = _cache_folder()
CACHED = _usable(FOLDER)
if CACHED:
    numba.config.CACHE_DIR = str(FOLDER)  # type: ignore[attr-defined]


def is_cold() -> bool:
    """Tell whether nothing is compiled yet, so that a first answer takes seconds."""
    return not CACHED or not any(FOLDER.rglob("*.nbi"))


def _register(module: ModuleType) -> None:
    for function in vars(module).values():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            register_jitable(function)


for _module in _MODULES:
    _register(_module)


def compiled(function: F) -> F:
    """Compile a loop: no threads of its own, the lock released, IEEE arithmetic kept."""
    made: Any = numba.njit(nogil=True, cache=CACHED, error_model="numpy")(function)
    compiled_function: F = made
    return compiled_function


def ready(loop: Callable[..., None], *arguments: Any) -> None:
    """Call a loop for the first time, which loads or compiles it; a cache that is broken or full is emptied.

    A file cut short raises whatever unpickling it raises, so everything is caught; what the loop itself raises comes
    again.
    """
    for _ in range(2):  # a broken cache may be a full one too
        try:
            return loop(*arguments)
        except Exception:
            if not CACHED:
                raise
            _forget()
    return loop(*arguments)


def _forget() -> None:
    """Delete the compiled code of this state of the sources."""
    for path in (*FOLDER.rglob("*.nbi"), *FOLDER.rglob("*.nbc")):
        path.unlink(missing_ok=True)
