"""Measures through cupy: own streams compiled at run time, products by cuBLAS."""

from itertools import cycle
from typing import Any

from perfcore.measure.gpu_backends import Batch, GpuError, GpuFacts, Job, loaded, telling

LIBRARIES = "the CUDA libraries are missing; pip install 'cupy-cuda13x[ctk]'"
KERNELS = r"""
extern "C" {
__device__ size_t first() { return blockIdx.x * (size_t)blockDim.x + threadIdx.x; }
__device__ size_t step() { return (size_t)gridDim.x * blockDim.x; }

__global__ void fill(float* a, size_t n, unsigned seed) {
  for (size_t i = first(); i < n; i += step()) {
    unsigned x = (unsigned)i * 2654435761u + seed;
    x ^= x >> 16; x *= 2246822519u; x ^= x >> 13; x *= 3266489917u; x ^= x >> 16;
    a[i] = (x >> 8) * 5.9604645e-8f - 0.5f;
  }
}
__global__ void read(float4* __restrict__ a, const float4* __restrict__ b, const float4* __restrict__ c, size_t n) {
  float sum = 0.0f;
  #pragma unroll 4
  for (size_t i = first(); i < n; i += step()) { float4 x = b[i]; sum += x.x + x.y + x.z + x.w; }
  if (sum == 1.2345e30f) a[0] = make_float4(sum, sum, sum, sum);  // never; else nothing need be read
}
__global__ void copy(float4* __restrict__ a, const float4* __restrict__ b, const float4* __restrict__ c, size_t n) {
  #pragma unroll 4
  for (size_t i = first(); i < n; i += step()) a[i] = b[i];
}
__global__ void triad(float4* __restrict__ a, const float4* __restrict__ b, const float4* __restrict__ c, size_t n) {
  #pragma unroll 4
  for (size_t i = first(); i < n; i += step()) {
    float4 x = b[i], y = c[i];
    a[i] = make_float4(x.x + 3.0f * y.x, x.y + 3.0f * y.y, x.z + 3.0f * y.z, x.w + 3.0f * y.w);
  }
}
__global__ void least() {}
}
"""
# Operand and result as cudaDataType, cublasComputeType, the result's type for numpy.
TYPES = {
    "fp64": (1, 1, 70, "float64"),
    "fp32": (0, 0, 68, "float32"),
    "tf32": (0, 0, 77, "float32"),
    "fp16": (2, 2, 68, "float16"),
    "bf16": (14, 14, 68, "uint16"),
    "int8": (3, 10, 72, "int32"),
}
SINCE = {"tf32": (8, 0), "bf16": (8, 0), "int8": (7, 5)}
WORDS = {"fp64": 8, "fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "int8": 1}
THREADS, BLOCKS = 256, 8  # of a block; blocks of a multiprocessor: 2,048 threads keep enough loads in flight


def open_device(device: int = 0) -> "CupyBackend":
    """Return the backend for a device.

    Raises
    ------
    GpuError
        If cupy or the CUDA libraries are missing, or it sees no such device.
    """
    cupy = loaded("cupy")
    with telling("cupy"):
        count = cupy.cuda.runtime.getDeviceCount()
        if 0 <= device < count:
            try:
                return CupyBackend(cupy, loaded("cupy_backends.cuda.libs.cublas"), device)
            except (ImportError, GpuError):
                raise GpuError("no_library", f"cupy: {LIBRARIES}") from None
    allowed = "none" if count == 0 else f"0 to {count - 1}" if count > 1 else "0"
    raise GpuError("no_device", f"cupy: found no device {device}; allowed: {allowed}")


class CupyBackend:
    """A GPU through cupy; see ``GpuBackend``."""

    def __init__(self, cupy: Any, cublas: Any, device: int) -> None:
        self.cupy, self.cublas = cupy, cublas
        self.name = f"cupy {cupy.__version__}"
        self.device = cupy.cuda.Device(device)
        self.device.use()
        self.queue = cupy.cuda.Stream(non_blocking=True)  # the default one cannot be recorded
        self.queue.use()
        self.properties = cupy.cuda.runtime.getDeviceProperties(device)
        self.kernels = cupy.RawModule(code=KERNELS)
        self.grid = (int(self.properties["multiProcessorCount"]) * BLOCKS,)

    def facts(self) -> GpuFacts:
        """Return what the CUDA runtime says of the device."""
        found, name = self.properties, self.properties["name"]
        version = self.cupy.cuda.runtime.runtimeGetVersion()
        uuid = found.get("uuid", b"")
        return GpuFacts(
            name=name.decode() if isinstance(name, bytes) else str(name),
            vendor="NVIDIA",
            memory_bytes=float(found["totalGlobalMem"]),
            multiprocessors=float(found["multiProcessorCount"]),
            l2_bytes=float(found.get("l2CacheSize", 0)),
            capability=f"{found['major']}.{found['minor']}",
            runtime=f"CUDA {version // 1000}.{version % 1000 // 10}",
            uuid=_uuid(uuid) if isinstance(uuid, bytes) and len(uuid) == 16 else "",
        )

    def formats(self) -> dict[str, str]:
        """Return the formats that cuBLAS multiplies through ``gemmEx``, and why not the others."""
        has = (int(self.properties["major"]), int(self.properties["minor"]))
        found = dict.fromkeys(TYPES, "") | dict.fromkeys(("fp8", "fp6", "fp4", "int4"), "cupy has no product in it")
        late = {form: f"compute capability {has[0]}.{has[1]} has none" for form, since in SINCE.items() if has < since}
        return found | late

    def _random(self, length: int, seed: int) -> Any:
        found = self.cupy.empty(length, dtype="float32")
        self.kernels.get_function("fill")(self.grid, (THREADS,), (found, _count(length), _seed(seed)))
        return found

    def stream(self, kernel: str, footprint_bytes: float) -> Job:
        """Return a sum, a copy or ``a = b + 3 c`` of 32-bit floats, four at a time."""
        with telling(f"{kernel} of {footprint_bytes / 1e9:.3g} GB"):
            arrays = {"read": 1, "copy": 2, "triad": 3}[kernel]
            fours = int(footprint_bytes) // (arrays * 16)
            held = [self._random(4 * fours, seed) for seed in range(arrays)]
            function = self.kernels.get_function(kernel)
            into = held[0] if arrays > 1 else self._random(4, 0)
            given = (into, held[-1], held[arrays // 2], _count(fours))
            moved = float(arrays * fours * 16)
            flop = {"read": 4.0, "copy": 0.0, "triad": 8.0}[kernel] * fours
            return Job(lambda: function(self.grid, (THREADS,), given), moved, flop)

    def gemm(self, form: str, m: int, n: int, k: int, copies: int = 1) -> Job:
        """Return a product of rows by rows, as 8-bit integers need it; sums are kept in 32 bit or more."""
        if form not in TYPES:
            raise GpuError("unsupported", f"{form}: cupy has no product in it")
        with telling(f"{form} product of {m} x {n} x {k}"):
            operand, result, compute, name = TYPES[form]
            held = cycle([(self._operand(form, m * k, 1), self._operand(form, n * k, 2)) for _ in range(copies)])
            out = self.cupy.empty(m * n, dtype=name)
            one, zero = (self._scalar(form, value) for value in (1, 0))

            def run() -> object:
                a, b = next(held)
                # cuBLAS counts columns first: what it computes is the transpose, b transposed times a.
                pointers = (self.device.cublas_handle, 1, 0, n, m, k, one.ctypes.data, b.data.ptr, operand, k)
                rest = (a.data.ptr, operand, k, zero.ctypes.data, out.data.ptr, result, n, compute, -1)
                return self.cublas.gemmEx(*pointers, *rest)

            return Job(run, float(WORDS[form] * (m * k + n * k)), 2.0 * m * n * k)

    def _operand(self, form: str, length: int, seed: int) -> Any:
        if form == "int8":
            return self._random(length // 4 + 1, seed).view("int8")
        found = self._random(length, seed)
        if form == "bf16":  # the upper half of a 32-bit float
            return (found.view("uint32") >> 16).astype("uint16")
        return found.astype({"fp64": "float64", "fp16": "float16"}.get(form, "float32"))

    def _scalar(self, form: str, value: int) -> Any:
        numpy = loaded("numpy")
        return numpy.array(value, dtype={"fp64": "float64", "int8": "int32"}.get(form, "float32"))

    def layer(self, tokens: int, hidden: int, heads: int, ffn: int) -> Job:
        """Say that there is none: cupy normalises and weighs in many small kernels."""
        raise GpuError("unsupported", "layer: cupy has no normalisation or softmax of one kernel; install torch")

    def least(self) -> Job:
        """Return an empty kernel."""
        with telling("launch"):
            function = self.kernels.get_function("least")
            return Job(lambda: function((1,), (32,), ()))

    def batch(self, job: Job, calls: int) -> Batch:
        """Record the calls as one graph; where that fails, they are started one by one."""
        with telling("warm-up"):
            job.run()
            self.queue.synchronize()

        def loop() -> None:
            for _ in range(calls):
                job.run()

        try:
            with telling("recording a graph"):
                self.queue.begin_capture()
                try:
                    loop()
                finally:
                    graph = self.queue.end_capture()
                return Batch(lambda: graph.launch(self.queue), calls, True)
        except GpuError as problem:
            if problem.ends_all:
                raise
        return Batch(loop, calls, False)

    def timed(self, batch: Batch) -> float:
        """Return the time between two events on the device [s]."""
        with telling("timing"):
            start, end = (self.cupy.cuda.Event() for _ in range(2))
            start.record(self.queue)
            batch.run()
            end.record(self.queue)
            end.synchronize()
            return float(self.cupy.cuda.get_elapsed_time(start, end)) / 1e3

    def release(self) -> None:
        """Give cupy's pool back."""
        with telling("release", "lost"):
            self.queue.synchronize()
            self.cupy.get_default_memory_pool().free_all_blocks()


def _count(length: int) -> Any:
    return loaded("numpy").uint64(length)


def _seed(seed: int) -> Any:
    return loaded("numpy").uint32(seed)


def _uuid(raw: bytes) -> str:
    """Write 16 bytes as NVML does.

    >>> _uuid(bytes(range(16)))
    '00010203-0405-0607-0809-0a0b0c0d0e0f'
    """
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
