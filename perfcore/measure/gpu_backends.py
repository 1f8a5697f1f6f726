"""What a GPU library must do to be measured through, what can go wrong, and which library is taken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from perfcore.errors import PerfcoreError

INSTALL = "pip install 'perfcore[gpu]'"
LIBRARIES = ("torch", "cupy")
# What a message of CUDA, ROCm, cuBLAS, torch or cupy says, and what it means; the first that fits counts.
_MEANINGS = (
    ("failed", ("captur",)),  # a call that a graph cannot record; the device is well
    ("out_of_memory", ("out of memory", "outofmemory", "memoryallocation", "alloc_failed", "alloc failed")),
    ("no_driver", ("no nvidia driver", "insufficientdriver", "driver version is insufficient", "too old")),
    ("no_device", ("no cuda-capable", "nodevice", "no cuda gpus", "no hip gpus", "invalid device ordinal")),
    (
        "unsupported",
        ("not supported", "not_supported", "not implemented", "only supported", "arch_mismatch", "no kernel image"),
    ),
    (
        "lost",
        (
            *("illegal memory access", "illegaladdress", "launch failure", "launchfailure", "device-side assert"),
            *("is lost", "fallen off", "uncorrectable", "ecc error", "devicesunavailable", "busy or unavailable"),
            *("acceleratorerror", "hardware stack error", "context is destroyed", "contextisdestroyed"),
        ),
    ),
)
_TELLING = ("lost", "out_of_memory", "no_driver", "no_device", "unsupported", "failed", "no_library")


class GpuError(PerfcoreError):
    """What a GPU library could not do, in one line.

    ``kind`` is ``no_library``, ``no_driver``, ``no_device``, ``out_of_memory``, ``unsupported``, ``lost`` or
    ``failed``. Out of memory, unsupported and failed concern one figure; the others end the measurement.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    @property
    def ends_all(self) -> bool:
        """Return whether nothing more can be measured."""
        return self.kind in ("no_library", "no_driver", "no_device", "lost")


class Job(NamedTuple):
    """Work on data that is in place: what one call moves and computes."""

    run: Callable[[], object]
    moved_bytes: float = 0.0
    flop: float = 0.0


class Batch(NamedTuple):
    """Several calls of a job, started by one graph (``graphed``) or one after the other."""

    run: Callable[[], object]
    calls: int
    graphed: bool


class GpuFacts(NamedTuple):
    """What the library says of the device; 0 and an empty word: unknown."""

    name: str
    vendor: str
    memory_bytes: float
    multiprocessors: float
    l2_bytes: float
    capability: str = ""
    runtime: str = ""
    uuid: str = ""


class GpuBackend(Protocol):
    """A library that allocates, computes and times on one GPU.

    Every method raises ``GpuError`` and nothing else. ``stream`` and ``gemm`` fill their operands with random
    numbers: zeros take less power and run faster than any real data. Dropping a job frees its memory.
    """

    name: str

    def facts(self) -> GpuFacts:
        """Return what the device is."""

    def formats(self) -> dict[str, str]:
        """Return the number formats of ``perfcore.terms.FORMATS``: empty where worth trying, else why not."""

    def stream(self, kernel: str, footprint_bytes: float) -> Job:
        """Return a ``read``, ``copy`` or ``triad`` over arrays of so many bytes together."""

    def gemm(self, form: str, m: int, n: int, k: int, copies: int = 1) -> Job:
        """Return a product of (m, k) by (k, n); ``copies`` of the operands are used in turn."""

    def layer(self, tokens: int, hidden: int, heads: int, ffn: int) -> Job:
        """Return the forward pass of one transformer layer in 16 bit; ``gpu_verify`` lists its kernels."""

    def least(self) -> Job:
        """Return the kernel with the least to do."""

    def batch(self, job: Job, calls: int) -> Batch:
        """Return so many calls as one thing to start."""

    def timed(self, batch: Batch) -> float:
        """Return the time between events before and after the batch [s]."""

    def release(self) -> None:
        """Give freed memory back to the device; where that fails, the device is lost."""


def first_line(error: BaseException) -> str:
    """Return what an error says, in one short line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")[:200]


def problem_of(error: Exception, doing: str) -> GpuError:
    """Tell what the error of a GPU library means.

    >>> problem_of(RuntimeError("CUDA error: an illegal memory access was encountered"), "dram_copy").kind
    'lost'
    >>> problem_of(MemoryError("out of memory allocating 4,096 bytes"), "dram_copy").kind
    'out_of_memory'
    """
    if isinstance(error, GpuError):
        return error
    said = f"{type(error).__name__} {error}".lower()
    if isinstance(error, NotImplementedError):
        kind = "unsupported"
    elif isinstance(error, MemoryError):
        kind = "out_of_memory"
    else:
        kind = next((meaning for meaning, words in _MEANINGS if any(word in said for word in words)), "failed")
    return GpuError(kind, f"{doing}: {_SAID[kind]} ({first_line(error)})")


_SAID = {
    "no_driver": "no usable driver; install or update it",
    "no_device": "the driver shows no device",
    "out_of_memory": "the device has not enough free memory",
    "unsupported": "the device or the library does not do it",
    "lost": "the device was lost; nothing was kept; look at its error log, then measure again",
    "failed": "the library failed",
}


@contextmanager
def telling(doing: str, kind: str = "") -> Iterator[None]:
    """Turn whatever a GPU library raises into a ``GpuError`` that says what was being done, of a kind if given."""
    try:
        yield
    except Exception as error:
        found = problem_of(error, doing)
        raise (GpuError(kind, f"{doing}: {_SAID[kind]} ({first_line(error)})") if kind else found) from None


def loaded(library: str) -> Any:
    """Import a library that may be missing or broken.

    Raises
    ------
    GpuError
        ``no_library``, with what the import said.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name == library:
            raise GpuError("no_library", f"{library} is not installed") from None
        raise GpuError("no_library", f"{library} cannot be imported ({first_line(error)})") from None
    except Exception as error:  # a broken install raises anything: OSError of a library, RuntimeError of a version
        raise GpuError("no_library", f"{library} cannot be imported ({first_line(error)})") from None


def choose(device: int = 0, library: str = "") -> GpuBackend:
    """Return the backend to measure through: torch where it sees a device, else cupy.

    Raises
    ------
    GpuError
        Where neither sees the device: one line that says why of each, and what to install.
    """
    problems = []
    for name in (library,) if library else LIBRARIES:
        try:
            backend: GpuBackend = import_module(f"perfcore.measure.gpu_{name}").open_device(device)
            return backend
        except GpuError as problem:
            problems.append(problem)
    kind = min((problem.kind for problem in problems), key=_TELLING.index)
    said = "; ".join(str(problem) for problem in problems)
    raise GpuError(kind, f"no GPU to measure: {said}; on a machine with a GPU and its driver: {INSTALL}")
