"""A GPU that is none: rates to set, failures at any call, and a driver to go with it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from perfcore.measure.gpu_backends import Batch, GpuError, GpuFacts, Job
from perfcore.measure.nvml import Reading, Unknown, Use

H200 = GpuFacts("NVIDIA H200", "NVIDIA", 143771 * 2**20, 132.0, 50e6, "9.0", "CUDA 13.0", "")
# Below the datasheet's, as real ones are. [FLOP/s], [bytes/s]
RATES = {"fp64": 50e12, "fp32": 50e12, "tf32": 400e12, "fp16": 750e12, "bf16": 800e12, "fp8": 1400e12, "int8": 1500e12}
FORMATS = dict.fromkeys(RATES, "") | {"fp4": "no product in it"}
STREAMS = {"read": 4.4e12, "copy": 4.2e12, "triad": 4.3e12}
L2_BYTES_S = 8e12
BYTES = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1}
LEAST_S, QUEUED_S = 1e-6, 4e-6
LAYER_S = 4e-3


@dataclass
class FakeGpu:
    """A ``GpuBackend`` whose time stands still but for what it says it took.

    ``fails`` maps the number of a call (of any method that a real device could fail at, counted from 1), or a word in
    what it is doing, to the kind of the failure. ``drift`` makes each call slower than the one before by so much.
    """

    given: GpuFacts = H200
    known: dict[str, str] = field(default_factory=lambda: dict(FORMATS))
    fails: dict[int | str, str] = field(default_factory=dict)
    drift: float = 0.0
    room_bytes: float = 100e9
    name: str = "fake 1"
    calls: int = 0
    elapsed_s: float = 0.0
    done: list[str] = field(default_factory=list)

    def facts(self) -> GpuFacts:
        return self.given

    def formats(self) -> dict[str, str]:
        return self.known

    def _do(self, what: str) -> None:
        self.calls += 1
        self.done.append(what)
        for where, kind in self.fails.items():
            if where == self.calls or (isinstance(where, str) and where in what):
                raise GpuError(kind, f"{what}: {kind}")

    def _job(self, what: str, seconds: float, moved: float = 0.0, flop: float = 0.0) -> Job:
        self._do(what)

        def run() -> None:
            self.elapsed_s += seconds * (1 + self.drift * self.calls)

        return Job(run, moved, flop)

    def _held(self, what: str, size: float) -> None:
        if size > self.room_bytes:
            self._do(what)
            raise GpuError("out_of_memory", f"{what}: the device has not enough free memory")

    def stream(self, kernel: str, footprint_bytes: float) -> Job:
        what = f"{kernel} of {footprint_bytes:.0f}"
        self._held(what, footprint_bytes)
        rate = L2_BYTES_S if footprint_bytes < self.given.l2_bytes else STREAMS[kernel]
        return self._job(what, footprint_bytes / rate, footprint_bytes)

    def gemm(self, form: str, m: int, n: int, k: int, copies: int = 1) -> Job:
        what = f"{form} {m} x {n} x {k}"
        self._held(what, BYTES[form] * copies * (m * k + n * k))
        flop = 2.0 * m * n * k
        moved = float(BYTES[form] * (m * k + n * k))
        # Small products reach less: half of the rate at 2 x 10^10 FLOP.
        return self._job(what, (flop + 2e10) / RATES[form], moved, flop)

    def layer(self, tokens: int, hidden: int, heads: int, ffn: int) -> Job:
        return self._job("layer", LAYER_S)

    def least(self) -> Job:
        return self._job("least", LEAST_S)

    def batch(self, job: Job, calls: int) -> Batch:
        def run() -> None:
            start = self.elapsed_s
            job.run()
            self.elapsed_s = start + calls * (self.elapsed_s - start)

        self._do("batch")
        return Batch(run, calls, True)

    def timed(self, batch: Batch) -> float:
        self._do("timed")
        start = self.elapsed_s
        batch.run()
        return self.elapsed_s - start + (0.0 if batch.graphed else batch.calls * (QUEUED_S - LEAST_S))

    def release(self) -> None:
        try:
            self._do("release")
        except GpuError as problem:
            raise GpuError(problem.kind if problem.ends_all else "lost", str(problem)) from None


@dataclass
class FakeDriver:
    """A ``Monitor``: ``clock(n)`` is the clock at the n-th reading."""

    clock: Callable[[int], float] = lambda number: 1980.0
    share: float | None = 0.0
    settles_after: int = 10**9  # questions, after which nobody else uses the device
    processes: tuple[int, ...] = ()
    lost_at: int = 0
    readings: int = 0
    questions: int = 0

    def facts(self) -> dict[str, str | float]:
        return {"name": "NVIDIA H200", "memory_gb": 143771 * 2**20 / 1e9, "driver": "580.1", "power_limit_w": 700.0}

    def reading(self) -> Reading | Unknown:
        self.readings += 1
        if self.readings == self.lost_at:
            return Unknown("lost", "the GPU is lost")
        return Reading(self.clock(self.readings), 3201.0, 650.0, 60.0, ("power cap",))

    def use(self) -> Use | Unknown:
        self.questions += 1
        return Use(self.share if self.questions <= self.settles_after else 0.0, self.processes, 1e9)
