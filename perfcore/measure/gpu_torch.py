"""Measures through torch, on CUDA and on ROCm (which torch calls ``cuda`` too)."""

import warnings
from collections.abc import Callable
from itertools import cycle
from typing import Any

from perfcore.measure.gpu_backends import Batch, GpuError, GpuFacts, Job, loaded, telling

DTYPES = {"fp64": "float64", "fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16"}
# The compute capability from which NVIDIA's tensor units know a format.
SINCE = {"tf32": (8, 0), "bf16": (8, 0), "fp8": (8, 9), "int8": (7, 5)}
FLOAT = 4  # bytes; streams are of 32-bit floats
WARM_CALLS = 3  # before a graph is recorded: libraries choose their kernel and allocate in the first call


def open_device(device: int = 0) -> "TorchBackend":
    """Return the backend for a device.

    Raises
    ------
    GpuError
        If torch is missing or sees no such device.
    """
    torch = loaded("torch")
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        raise GpuError("no_library", "torch is a build without CUDA or ROCm")
    with telling("torch"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an old driver; the error says the same
        torch.cuda.init()
        count = torch.cuda.device_count()
        if 0 <= device < count:
            return TorchBackend(torch, device)
    allowed = "none" if count == 0 else f"0 to {count - 1}" if count > 1 else "0"
    raise GpuError("no_device", f"torch: found no device {device}; allowed: {allowed}")


class TorchBackend:
    """A GPU through torch; see ``GpuBackend``."""

    def __init__(self, torch: Any, device: int) -> None:
        self.torch = torch
        self.name = f"torch {torch.__version__}"
        self.rocm = getattr(torch.version, "hip", None) is not None
        self.place = f"cuda:{device}"
        torch.cuda.set_device(device)
        self.properties = torch.cuda.get_device_properties(device)
        self.precision = torch.get_float32_matmul_precision()

    def facts(self) -> GpuFacts:
        """Return what torch says of the device."""
        found, version = self.properties, self.torch.version
        return GpuFacts(
            name=found.name,
            vendor="AMD" if self.rocm else "NVIDIA",
            memory_bytes=float(found.total_memory),
            multiprocessors=float(found.multi_processor_count),
            l2_bytes=float(getattr(found, "L2_cache_size", 0)),
            capability=getattr(found, "gcnArchName", "") if self.rocm else f"{found.major}.{found.minor}",
            runtime=f"ROCm {version.hip}" if self.rocm else f"CUDA {version.cuda}",
            uuid=str(getattr(found, "uuid", "")),
        )

    def formats(self) -> dict[str, str]:
        """Return the formats that torch multiplies, and why not the others."""
        found = dict.fromkeys((*DTYPES, "fp8", "int8"), "")
        found |= dict.fromkeys(("fp6", "fp4", "int4"), "torch has no plain product in it")
        if self.rocm:
            return found | {"tf32": "what torch takes for TF32 on ROCm is not known"}
        has = (self.properties.major, self.properties.minor)
        late = {form: f"compute capability {has[0]}.{has[1]} has none" for form, since in SINCE.items() if has < since}
        return found | late

    def stream(self, kernel: str, footprint_bytes: float) -> Job:
        """Return a sum, a copy or ``a = b + 3 c`` of 32-bit floats."""
        torch = self.torch
        with telling(f"{kernel} of {footprint_bytes / 1e9:.3g} GB"):
            arrays = {"read": 1, "copy": 2, "triad": 3}[kernel]
            length = int(footprint_bytes) // (arrays * FLOAT)
            a, *others = (torch.rand(length, device=self.place) for _ in range(arrays))
            moved = float(arrays * length * FLOAT)
            if kernel == "read":
                total = torch.empty((), device=self.place)
                return Job(lambda: torch.sum(a, dim=0, out=total), moved, float(length))
            if kernel == "copy":
                return Job(lambda: a.copy_(others[0]), moved)
            return Job(lambda: torch.add(others[0], others[1], alpha=3.0, out=a), moved, 2.0 * length)

    def gemm(self, form: str, m: int, n: int, k: int, copies: int = 1) -> Job:
        """Return a product; 8-bit floats are scaled by 1, accumulated fast and written as bf16."""
        with telling(f"{form} product of {m} x {n} x {k}"):
            product = self._product(form, m, n)
            operands = cycle([(self._random(form, m, k), self._random(form, n, k).t()) for _ in range(copies)])
            size = self._random(form, 1, 1).element_size()
            return Job(lambda: product(*next(operands)), float(size * (m * k + n * k)), 2.0 * m * n * k)

    def _random(self, form: str, rows: int, columns: int) -> Any:
        torch = self.torch
        if form == "int8":
            return torch.randint(-128, 128, (rows, columns), dtype=torch.int8, device=self.place)
        if form == "fp8":
            found = torch.randn(rows, columns, dtype=torch.bfloat16, device=self.place)
            return found.to(self._eight_bit())
        return torch.randn(rows, columns, dtype=getattr(torch, DTYPES[form]), device=self.place)

    def _eight_bit(self) -> Any:
        """MI300 knows the 8-bit float of its own time only (no negative zero)."""
        own = self.rocm and "gfx94" in getattr(self.properties, "gcnArchName", "")
        return self.torch.float8_e4m3fnuz if own else self.torch.float8_e4m3fn

    def _product(self, form: str, m: int, n: int) -> Callable[[Any, Any], object]:
        torch = self.torch
        if form == "fp8":
            one = torch.ones((), device=self.place)
            return lambda a, b: torch._scaled_mm(
                a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True
            )
        if form == "int8":
            return lambda a, b: torch._int_mm(a, b)
        result = torch.empty(m, n, dtype=getattr(torch, DTYPES[form]), device=self.place)
        if form not in ("fp32", "tf32"):
            return lambda a, b: torch.mm(a, b, out=result)

        def single(a: Any, b: Any) -> object:
            torch.set_float32_matmul_precision("high" if form == "tf32" else "highest")
            return torch.mm(a, b, out=result)

        return single

    def layer(self, tokens: int, hidden: int, heads: int, ffn: int) -> Job:
        """Return one layer of plain torch calls, one kernel each, in bf16 (fp16 where there is none)."""
        form = "fp16" if self.formats()["bf16"] else "bf16"
        with telling(f"layer of {tokens} tokens"):
            shapes = ((tokens, hidden), (3 * hidden, hidden), (hidden, hidden), (2 * ffn, hidden), (hidden, ffn))
            x, *weights = (self._random(form, *shape) for shape in shapes)
            for weight in weights:
                weight.mul_(weight.shape[1] ** -0.5)  # keeps sums over k as large as what goes in
            return Job(lambda: _layer(self.torch, x, [weight.t() for weight in weights], heads))

    def least(self) -> Job:
        """Return the addition of 1 to one number: torch has no empty kernel to call."""
        with telling("launch"):
            one = self.torch.zeros(1, device=self.place)
            return Job(lambda: one.add_(1.0))

    def batch(self, job: Job, calls: int) -> Batch:
        """Record the calls as one graph; where that fails, they are started one by one."""
        with telling("warm-up"):
            for _ in range(WARM_CALLS):
                job.run()
            self.torch.cuda.synchronize()
        try:
            with telling("recording a graph"):
                graph = self.torch.cuda.CUDAGraph()
                with self.torch.cuda.graph(graph):
                    for _ in range(calls):
                        job.run()
                return Batch(graph.replay, calls, True)
        except GpuError as problem:
            if problem.ends_all:
                raise

        def loop() -> None:
            for _ in range(calls):
                job.run()

        return Batch(loop, calls, False)

    def timed(self, batch: Batch) -> float:
        """Return the time between two events on the device [s]."""
        with telling("timing"):
            start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            batch.run()
            end.record()
            end.synchronize()
            return float(start.elapsed_time(end)) / 1e3

    def release(self) -> None:
        """Empty torch's cache, and set back the precision of 32-bit products."""
        with telling("release", "lost"):
            self.torch.set_float32_matmul_precision(self.precision)
            self.torch.cuda.synchronize()
            self.torch.cuda.empty_cache()


def _layer(torch: Any, x: Any, weights: Any, heads: int) -> Any:
    """Normalise, attend (scores written to memory), project, add; normalise, gated MLP, add."""
    into_qkv, from_heads, into_ffn, from_ffn = weights
    tokens, hidden = x.shape
    functional = torch.nn.functional
    qkv = functional.layer_norm(x, (hidden,)) @ into_qkv
    q, k, v = qkv.view(tokens, 3, heads, hidden // heads).permute(1, 2, 0, 3)
    scores = torch.softmax(torch.bmm(q, k.transpose(1, 2)), dim=-1)
    heard = torch.bmm(scores, v).transpose(0, 1).reshape(tokens, hidden)
    x = x + heard @ from_heads
    gate, up = (functional.layer_norm(x, (hidden,)) @ into_ffn).chunk(2, dim=1)
    return x + (functional.silu(gate) * up) @ from_ffn
