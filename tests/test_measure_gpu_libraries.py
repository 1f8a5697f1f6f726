"""The adapters to torch, cupy and NVML, on stand-ins (fake_gpu_libraries.py); and on a GPU where there is one."""

import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_gpu_libraries as fake
import pytest

from perfcore.measure import gpu, nvml
from perfcore.measure.gpu_backends import GpuError, GpuFacts, choose, problem_of
from perfcore.measure.gpu_cupy import KERNELS
from perfcore.measure.nvml import Reading, Unknown, Use

KINDS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8")


# --- which library -----------------------------------------------------------------------------------------------


def test_torch_where_it_sees_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch, torch=fake.torch(), cupy=fake.cupy())
    assert choose().name == "torch 2.13.0"


@pytest.mark.parametrize("torch", [None, fake.torch(devices=0), fake.torch(cuda=None)])
def test_else_cupy(monkeypatch: pytest.MonkeyPatch, torch: Any) -> None:
    fake.install(monkeypatch, torch=torch, cupy=fake.cupy())
    assert choose().name == "cupy 14.2.0"


def _no_driver(message: str) -> Any:
    found = fake.torch()
    found.cuda.init.side_effect = RuntimeError(message)
    return found


def _cupy_without(message: str) -> Any:
    found = fake.cupy()
    found.cuda.runtime.getDeviceCount.side_effect = RuntimeError(message)
    return found


# What torch and cupy say where there is no driver, or no device (torch 2.13 and cupy 14.2, read on a machine without).
NO_DRIVER = "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU"
TOO_OLD = "The NVIDIA driver on your system is too old (found version 11040)."
INSUFFICIENT = "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
NO_DEVICE = "cudaErrorNoDevice: no CUDA-capable device is detected"


@pytest.mark.parametrize(
    ("torch", "cupy", "kind", "said"),
    [
        (None, None, "no_library", "torch is not installed; cupy is not installed"),
        (fake.torch(cuda=None), None, "no_library", "torch is a build without CUDA or ROCm"),
        (_no_driver(NO_DRIVER), None, "no_driver", "no usable driver"),
        (_no_driver(TOO_OLD), None, "no_driver", "no usable driver"),
        (None, _cupy_without(INSUFFICIENT), "no_driver", "no usable driver"),
        (None, _cupy_without(NO_DEVICE), "no_device", "the driver shows no device"),
        (_no_driver("No CUDA GPUs are available"), None, "no_device", "the driver shows no device"),
        (fake.torch(devices=0), fake.cupy(devices=0), "no_device", "found no device 0; allowed: none"),
    ],
)
def test_without_a_gpu_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch, torch: Any, cupy: Any, kind: str, said: str
) -> None:
    fake.install(monkeypatch, torch=torch, cupy=cupy)
    with pytest.raises(GpuError) as caught:
        gpu.measure()
    assert caught.value.kind == kind
    (line,) = caught.value.lines
    assert "\n" not in line
    assert said in line
    assert line.endswith("pip install 'perfcore[gpu]'")


def test_a_broken_library_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.install(monkeypatch)
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open\\nmore of it')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(GpuError, match=r"torch cannot be imported \(libcudart\.so\.13: cannot open\)"):
        choose()


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch, torch=fake.torch(devices=2))
    with pytest.raises(GpuError, match="found no device 2; allowed: 0 to 1"):
        choose(2)


def test_cupy_without_its_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch, cupy=fake.cupy())
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", None)
    with pytest.raises(GpuError, match=r"pip install 'cupy-cuda13x\[ctk\]'"):
        choose(0, "cupy")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmEx`"), "unsupported"),
        (NotImplementedError('"addmm_cuda" not implemented for Int'), "unsupported"),
        (
            RuntimeError("torch._scaled_mm is only supported on CUDA devices with compute capability >= 9.0"),
            "unsupported",
        ),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "lost"),
        (RuntimeError("CUDA error: unspecified launch failure"), "lost"),
        (RuntimeError("cudaErrorECCUncorrectable: uncorrectable ECC error encountered"), "lost"),
        (RuntimeError("CUDA error: operation not permitted when stream is capturing"), "failed"),
        (ValueError("what is that"), "failed"),
    ],
)
def test_what_messages_mean(error: Exception, kind: str) -> None:
    found = problem_of(error, "dram_copy")
    assert found.kind == kind
    assert str(found).startswith("dram_copy: ")
    assert found.ends_all == (kind == "lost")


# --- torch -------------------------------------------------------------------------------------------------------


def test_torch_tells_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch, torch=fake.torch())
    found = choose().facts()
    memory, uuid = 85029158912.0, "01234567-89ab-cdef-0123-456789abcdef"
    assert found == GpuFacts("NVIDIA H100 80GB HBM3", "NVIDIA", memory, 132.0, 52428800.0, "9.0", "CUDA 13.0", uuid)


def test_torch_on_rocm(monkeypatch: pytest.MonkeyPatch) -> None:
    library = fake.torch(cuda=None, hip="6.4.1")
    fake.install(monkeypatch, torch=library)
    backend = choose()
    assert backend.facts()[1::4] == ("AMD", "gfx942:sramecc+")
    assert backend.facts().runtime == "ROCm 6.4.1"
    assert "ROCm" in backend.formats()["tf32"]
    backend.gemm("fp8", 32, 32, 32).run()
    assert library.randn.return_value.to.call_args.args == (library.float8_e4m3fnuz,)


@pytest.mark.parametrize(
    ("capability", "missing"),
    [((9, 0), set()), ((8, 0), {"fp8"}), ((7, 0), {"fp8", "tf32", "bf16", "int8"}), ((8, 9), set())],
)
def test_formats_of_generations(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], missing: set[str]
) -> None:
    """Volta 7.0, Ampere 8.0, Ada 8.9, Hopper 9.0: whose tensor units know which formats."""
    fake.install(monkeypatch, torch=fake.torch(capability=capability))
    formats = choose().formats()
    assert {form for form in KINDS if formats[form]} == missing


def test_torch_times_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events lie 8 ms apart, whatever lies between."""
    library = fake.torch()
    fake.install(monkeypatch, torch=library)
    backend = choose()
    job = backend.stream("copy", 8e6)
    assert job.moved_bytes == 8e6
    batch = backend.batch(job, 4)
    assert batch.graphed
    assert backend.timed(batch) == 0.008
    assert library.rand.return_value.copy_.call_count == 3 + 4  # to warm up, then while the graph is recorded
    library.cuda.CUDAGraph.return_value.replay.assert_called_once_with()


def test_torch_without_graphs_starts_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    library = fake.torch()
    library.cuda.CUDAGraph.side_effect = RuntimeError("operation not permitted when stream is capturing")
    fake.install(monkeypatch, torch=library)
    backend = choose()
    batch = backend.batch(backend.least(), 5)
    assert not batch.graphed
    backend.timed(batch)
    assert library.zeros.return_value.add_.call_count == 3 + 5


def test_torch_products(monkeypatch: pytest.MonkeyPatch) -> None:
    library = fake.torch()
    fake.install(monkeypatch, torch=library)
    backend = choose()
    for form in KINDS:
        job = backend.gemm(form, 64, 32, 16)
        assert job.flop == 2 * 64 * 32 * 16
        job.run()
    assert library.mm.call_count == 5
    assert [call.args for call in library.set_float32_matmul_precision.call_args_list] == [("highest",), ("high",)]
    assert library._scaled_mm.call_args.kwargs["use_fast_accum"] is True
    library._int_mm.assert_called_once()
    backend.release()
    assert library.set_float32_matmul_precision.call_args.args == ("highest",)


def test_torch_streams_and_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 MB in three arrays are 1,000,000 floats each: a triad is 2 operations each, a read one of 3,000,000."""
    library = fake.torch()
    fake.install(monkeypatch, torch=library)
    backend = choose()
    triad, read = backend.stream("triad", 12e6), backend.stream("read", 12e6)
    assert (triad.moved_bytes, triad.flop, read.moved_bytes, read.flop) == (12e6, 2e6, 12e6, 3e6)
    triad.run()
    assert library.add.call_args.kwargs["alpha"] == 3.0
    read.run()
    library.sum.assert_called_once()
    x = library.randn.return_value
    x.shape = (64, 128)
    x.__matmul__.return_value.view.return_value.permute.return_value = ("q", library, "v")
    x.__matmul__.return_value.chunk.return_value = (library, library)
    library.nn.functional.layer_norm.return_value = x
    backend.layer(64, 128, 4, 256).run()
    assert library.bmm.call_count == 2


@pytest.mark.parametrize("call", ["rand", "randn", "cuda.synchronize", "cuda.Event", "cuda.empty_cache"])
def test_torch_failures_become_one_line(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    library = fake.torch()
    fake.install(monkeypatch, torch=library)
    backend = choose()
    batch = backend.batch(backend.least(), 1)
    where, _, name = call.rpartition(".")
    error = RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ...")
    setattr(library.cuda if where else library, name, _raising(error))
    for doing in (
        lambda: (backend.stream("copy", 8e6), backend.gemm("bf16", 32, 32, 32)),
        lambda: backend.timed(batch),
        lambda: backend.release(),
    ):
        try:
            doing()
        except GpuError as problem:
            caught = problem
    assert caught.kind == "lost"
    assert "\n" not in str(caught)


def _raising(error: Exception) -> Any:
    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_torch_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch takes 8 ms: one copy of n bytes moves n / 0.008 in a second, which the largest size does best."""
    memory = SimpleNamespace(total=85_520_809_984, used=5e8)
    driver = fake.pynvml(nvmlDeviceGetName=b"NVIDIA H100", nvmlDeviceGetMemoryInfo=memory)
    fake.install(monkeypatch, torch=fake.torch(), pynvml=driver)
    monkeypatch.setattr(gpu, "SETTLE_S", 0.0)
    found = gpu.measure(quick=True)
    assert found.conditions["backend"] == "torch 2.13.0"
    assert found.device["name"] == "NVIDIA H100"  # the driver's word
    assert found.conditions["load_before"] == 0.37
    assert [reason.partition(":")[0] for reason in found.refused] == ["load"]
    copy = found.figure("dram_copy")
    assert copy is not None
    # 48 times a cache of 52,428,800 bytes; 20 ms are wanted, which 3 calls of 8 ms take: 8 ms for the 3 of them.
    assert copy.median == pytest.approx(48 * 52_428_800 / (0.008 / 3) / 1e9)


# --- cupy --------------------------------------------------------------------------------------------------------


def test_cupy_tells_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch, cupy=fake.cupy())
    found = choose().facts()
    assert found[:4] == ("NVIDIA A100-SXM4-80GB", "NVIDIA", 85899345920.0, 108.0)
    assert found[5:] == ("8.0", "CUDA 13.2", "00010203-0405-0607-0809-0a0b0c0d0e0f")


def test_cupy_runs_every_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """48 MB in three arrays are 1,000,000 times four floats each: 8 operations each in a triad."""
    library = fake.cupy()
    fake.install(monkeypatch, cupy=library)
    backend = choose()
    for kernel, flop in (("read", 12e6), ("copy", 0.0), ("triad", 8e6)):
        job = backend.stream(kernel, 48e6)
        assert (job.moved_bytes, job.flop) == (48e6, flop)
        batch = backend.batch(job, 3)
        assert batch.graphed
        assert backend.timed(batch) == 0.008
    backend.timed(backend.batch(backend.least(), 2))
    asked = {call.args[0] for call in library.RawModule.return_value.get_function.call_args_list}
    assert asked == {"fill", "read", "copy", "triad", "least"}
    assert all(f"void {name}(" in KERNELS for name in asked)
    backend.release()


def test_cupy_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuBLAS gets (n, m, k) and rows of k: its numbers for the types stand in library_types.h and cublas_api.h."""
    fake.install(monkeypatch, cupy=fake.cupy())
    backend = choose()
    types = {"fp64": (1, 1, 70), "fp32": (0, 0, 68), "tf32": (0, 0, 77), "fp16": (2, 2, 68), "bf16": (14, 14, 68)}
    for form, (operand, result, compute) in (types | {"int8": (3, 10, 72)}).items():
        job = backend.gemm(form, 64, 32, 16)
        assert job.flop == 2 * 64 * 32 * 16
        job.run()
        given = sys.modules["cupy_backends.cuda.libs.cublas"].gemmEx.call_args.args
        assert len(given) == 19
        assert given[1:6] == (1, 0, 32, 64, 16)
        assert (given[8], given[11], given[15], given[17]) == (operand, operand, result, compute)
        assert (given[9], given[12], given[16]) == (16, 16, 32)
    with pytest.raises(GpuError, match="no product"):
        backend.gemm("fp8", 16, 16, 16)
    with pytest.raises(GpuError, match="install torch"):
        backend.layer(16, 16, 2, 16)


def test_cupy_without_graphs_starts_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    library = fake.cupy()
    library.cuda.Stream.return_value.begin_capture.side_effect = RuntimeError("capture is not supported")
    fake.install(monkeypatch, cupy=library)
    backend = choose()
    assert not backend.batch(backend.least(), 5).graphed
    library.cuda.Stream.return_value.begin_capture.side_effect = RuntimeError("cudaErrorIllegalAddress: an illegal ...")
    with pytest.raises(GpuError, match="the device was lost"):
        backend.batch(backend.least(), 5)


# --- NVML --------------------------------------------------------------------------------------------------------


def opened(monkeypatch: pytest.MonkeyPatch, uuid: str = "", **answers: Any) -> Any:
    fake.install(monkeypatch, pynvml=fake.pynvml(**answers))
    return nvml.open_device(0, uuid)


def test_the_driver_tells_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """0x4 is the power cap, 0x1 an idle device, which slows nothing; powers are in mW."""
    device = opened(monkeypatch, uuid="0123")
    assert device.reading() == Reading(1755.0, 1755.0, 698.5, 61.0, ("power cap",))
    assert device.use() == Use(0.37, (1,), 5e8)
    assert device.facts()["power_limit_w"] == 700
    assert device.facts()["name"] == "NVIDIA H200"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("LibraryNotFound", "no_driver"),
        ("DriverNotLoaded", "no_driver"),
        ("LibRmVersionMismatch", "no_driver"),
        ("NoPermission", "no_permission"),
        ("GpuIsLost", "lost"),
        ("Unknown", "failed"),
    ],
)
def test_a_driver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: str, kind: str) -> None:
    found = opened(monkeypatch, nvmlInit=fake.nvml_error(error))
    assert isinstance(found, Unknown)
    assert found.kind == kind


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fake.install(monkeypatch)
    assert nvml.open_device() == Unknown("no_library", "pynvml is not installed; pip install nvidia-ml-py")


def test_what_a_device_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    device = opened(
        monkeypatch,
        nvmlDeviceGetPowerUsage=fake.nvml_error("NotSupported"),
        nvmlDeviceGetUtilizationRates=fake.nvml_error("NotSupported"),
        nvmlDeviceGetComputeRunningProcesses=fake.nvml_error("NoPermission"),
        nvmlDeviceGetEnforcedPowerLimit=fake.nvml_error("NotSupported"),
    )
    assert device.reading() == Reading(1755.0, 1755.0, None, 61.0, ("power cap",))
    assert device.use() == Use(None, (), 5e8)
    assert "power_limit_w" not in device.facts()


def test_an_older_library_calls_the_reasons_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "nvmlDeviceGetCurrentClocksEventReasons": AttributeError("no such function"),
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0x20,
    }
    assert opened(monkeypatch, **answers).reading().slowed_by == ("thermal slowdown",)


def test_a_device_lost_while_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    device = opened(monkeypatch, nvmlDeviceGetClockInfo=fake.nvml_error("GpuIsLost"))
    assert isinstance(device.reading(), Unknown)
    assert device.reading().kind == "lost"


def test_a_uuid_that_the_driver_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a container the library may give another one: with one GPU there is no doubt, with two there is."""
    missing = fake.nvml_error("NotFound")
    assert not isinstance(opened(monkeypatch, "0123", nvmlDeviceGetHandleByUUID=missing), Unknown)
    found = opened(monkeypatch, "0123", nvmlDeviceGetHandleByUUID=missing, nvmlDeviceGetCount=2)
    assert found == Unknown("no_device", "the driver shows no such GPU")


def test_a_lost_device_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = fake.pynvml(nvmlDeviceGetClockInfo=fake.nvml_error("GpuIsLost"))
    fake.install(monkeypatch, torch=fake.torch(), pynvml=lost)
    with pytest.raises(GpuError, match="the GPU is lost"):
        gpu.measure(quick=True)


def test_processes_of_others_only(monkeypatch: pytest.MonkeyPatch) -> None:
    running = [SimpleNamespace(pid=os.getpid()), SimpleNamespace(pid=4711)]
    assert opened(monkeypatch, nvmlDeviceGetComputeRunningProcesses=running).use().processes == (4711,)


# --- a real one --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["torch", "cupy"])
@pytest.mark.filterwarnings("default")  # of the libraries' own making
def test_on_a_real_gpu(library: str) -> None:
    """Skipped where there is none; no speed is asked for."""
    try:
        backend = choose(0, library)
    except GpuError as problem:
        pytest.skip(str(problem))
    for kernel in ("read", "copy", "triad"):
        assert 0 < backend.timed(backend.batch(backend.stream(kernel, 64e6), 4)) < math.inf
    for form, why in backend.formats().items():
        if not why:
            batch = backend.batch(backend.gemm(form, 1024, 512, 256, 2), 4)
            assert 0 < backend.timed(batch) < math.inf
    assert backend.batch(backend.least(), 10).graphed
    if library == "torch":
        assert 0 < backend.timed(backend.batch(backend.layer(256, 512, 8, 1024), 2)) < math.inf
    backend.release()
