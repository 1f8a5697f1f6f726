"""Stand-ins for torch, cupy and pynvml, as small as the adapters need: events that return known milliseconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

EVENT_MS = 8.0


class Properties:
    """What torch says of an H100."""

    name = "NVIDIA H100 80GB HBM3"
    total_memory = 85_029_158_912
    multi_processor_count = 132
    L2_cache_size = 52_428_800
    gcnArchName = "gfx942:sramecc+"  # noqa: N815  torch's name
    uuid = "01234567-89ab-cdef-0123-456789abcdef"

    def __init__(self, major: int = 9, minor: int = 0) -> None:
        self.major, self.minor = major, minor


class Event:
    """Two events lie 8 ms apart."""

    def __init__(self, enable_timing: bool = False) -> None:
        self.enable_timing = enable_timing

    def record(self, *_: object) -> None: ...

    def synchronize(self) -> None: ...

    def elapsed_time(self, _: "Event") -> float:
        return EVENT_MS


def torch(
    devices: int = 1, cuda: str | None = "13.0", hip: str | None = None, capability: tuple[int, int] = (9, 0)
) -> Any:
    """Return a torch that computes nothing; what it was asked for is kept by its mocks."""
    found = MagicMock(name="torch")
    found.__version__ = "2.13.0"
    found.version = SimpleNamespace(cuda=cuda, hip=hip)
    found.get_float32_matmul_precision.return_value = "highest"
    found.cuda.device_count.return_value = devices
    found.cuda.get_device_properties.return_value = Properties(*capability)
    found.cuda.Event = Event
    found.randn.return_value.element_size.return_value = 2
    found.randint.return_value.element_size.return_value = 1
    found.randn.return_value.to.return_value.element_size.return_value = 1

    @contextmanager
    def graph(_: object) -> Iterator[None]:
        yield

    found.cuda.graph = graph
    return found


def cupy(devices: int = 1) -> Any:
    """Return a cupy that computes nothing."""
    found = MagicMock(name="cupy")
    found.__version__ = "14.2.0"
    found.cuda.runtime.getDeviceCount.return_value = devices
    found.cuda.runtime.runtimeGetVersion.return_value = 13020
    found.cuda.runtime.getDeviceProperties.return_value = {
        "name": b"NVIDIA A100-SXM4-80GB",
        "totalGlobalMem": 85_899_345_920,
        "multiProcessorCount": 108,
        "l2CacheSize": 41_943_040,
        "major": 8,
        "minor": 0,
        "uuid": bytes(range(16)),
    }
    found.cuda.get_elapsed_time.return_value = EVENT_MS
    return found


def install(monkeypatch: pytest.MonkeyPatch, **libraries: Any) -> None:
    """Put stand-ins in place; a library given as None is not installed."""
    given = {"torch": None, "cupy": None, "pynvml": None} | libraries
    for name, library in given.items():
        monkeypatch.setitem(sys.modules, name, library)
    if given["cupy"] is not None:
        for name in ("cupy_backends", "cupy_backends.cuda", "cupy_backends.cuda.libs"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", MagicMock(name="cublas"))


class NVMLError(Exception):
    """NVML's own error; its kinds are subclasses by name."""


def nvml_error(kind: str) -> NVMLError:
    """Return an error of NVML, such as ``GpuIsLost``."""
    return type(f"NVMLError_{kind}", (NVMLError,), {})(kind)


def pynvml(**answers: Any) -> Any:
    """Return a pynvml whose answers can be replaced; an exception is raised, not returned."""
    given: dict[str, Any] = {
        "nvmlInit": None,
        "nvmlDeviceGetHandleByIndex": "handle",
        "nvmlDeviceGetHandleByUUID": "handle",
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetName": b"NVIDIA H200",
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=150_754_820_096, used=5e8),
        "nvmlDeviceGetEnforcedPowerLimit": 700_000,
        "nvmlDeviceGetMaxClockInfo": 1980,
        "nvmlSystemGetDriverVersion": "580.159.03",
        "nvmlDeviceGetClockInfo": 1755,
        "nvmlDeviceGetPowerUsage": 698_500,
        "nvmlDeviceGetTemperature": 61,
        "nvmlDeviceGetCurrentClocksEventReasons": 0x4 | 0x1,
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=5),
        "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=1)],
    } | answers
    found = ModuleType("pynvml")
    found.NVMLError = NVMLError  # type: ignore[attr-defined]
    for name, answer in given.items():
        setattr(found, name, _answering(answer))
    return found


def _answering(answer: Any) -> Any:
    def call(*_: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call
