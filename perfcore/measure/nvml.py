"""What the driver says of an NVIDIA GPU: name, memory, load, clocks, power, what slows it. By ``nvidia-ml-py``.

Nothing here raises: what cannot be known comes back as ``Unknown``, with the reason.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from perfcore.measure.gpu_backends import GpuError, first_line, loaded

Told = TypeVar("Told")
SM_CLOCK, MEMORY_CLOCK = 1, 2  # nvmlClockType_t
CELSIUS = 0  # nvmlTemperatureSensors_t
# Bits of the clock event reasons; an idle GPU is not a slowed one.
REASONS = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
}


@dataclass(frozen=True)
class Unknown:
    """Why something is not known.

    ``kind`` is ``no_library``, ``no_driver``, ``no_permission``, ``no_device``, ``lost`` or ``failed``.
    """

    kind: str
    text: str


class Reading(NamedTuple):
    """The state of the device at one moment; None where the device does not tell."""

    sm_mhz: float | None = None
    memory_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    slowed_by: tuple[str, ...] = ()


class Use(NamedTuple):
    """Who uses the device: share of the time that kernels ran, and the processes that are not this one."""

    share: float | None
    processes: tuple[int, ...]
    used_bytes: float | None


class Monitor(Protocol):
    """What the measurement asks about the device while it runs."""

    def facts(self) -> dict[str, str | float]:
        """Return what the driver says of the device: ``name``, ``memory_gb``, ``driver``, ``power_limit_w`` ..."""

    def reading(self) -> Reading | Unknown:
        """Return clocks, power, temperature and what slows the device, now."""

    def use(self) -> Use | Unknown:
        """Return who uses the device, now."""


_KINDS = {
    "LibraryNotFound": ("no_driver", "there is no NVIDIA driver (its library libnvidia-ml is missing)"),
    "LibRmVersionMismatch": ("no_driver", "the NVIDIA driver was updated and not loaded again; restart the machine"),
    "DriverNotLoaded": ("no_driver", "the NVIDIA driver is not loaded"),
    "NoPermission": ("no_permission", "the driver refuses this user"),
    "GpuIsLost": ("lost", "the GPU is lost; look at the system's log and restart it"),
    "ResetRequired": ("lost", "the GPU needs a reset"),
    "NotFound": ("no_device", "the driver shows no such GPU"),
    "InvalidArgument": ("no_device", "the driver shows no such GPU"),
}


def unknown(error: Exception) -> Unknown:
    """Tell what an error of NVML means, by the name of its class."""
    kind, text = _KINDS.get(type(error).__name__.removeprefix("NVMLError_"), ("failed", first_line(error)))
    return Unknown(kind, text)


def open_device(device: int = 0, uuid: str = "") -> "Nvml | Unknown":
    """Return the driver's view of a GPU, by its uuid where that is known (indices differ from those of CUDA)."""
    try:
        library = loaded("pynvml")
    except GpuError as problem:
        return Unknown("no_library", f"{problem}; pip install nvidia-ml-py")
    try:
        library.nvmlInit()
        return Nvml(library, _handle(library, device, uuid))
    except Exception as error:  # NVMLError, or AttributeError of an old library
        return unknown(error)


def _handle(library: Any, device: int, uuid: str) -> Any:
    if not uuid:
        return library.nvmlDeviceGetHandleByIndex(device)
    try:
        return library.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")
    except library.NVMLError:
        if library.nvmlDeviceGetCount() != 1:
            raise
        return library.nvmlDeviceGetHandleByIndex(0)


class Nvml:
    """One GPU through NVML; see ``Monitor``."""

    def __init__(self, library: Any, handle: Any) -> None:
        self.library, self.handle = library, handle

    def _ask(self, name: str, *more: Any) -> Any:
        """Return an answer, None where the device does not give it; a lost device raises."""
        try:
            return getattr(self.library, name)(self.handle, *more)
        except AttributeError:
            return None
        except self.library.NVMLError as error:
            if unknown(error).kind == "lost":
                raise
            return None

    def _scaled(self, name: str, *more: Any, unit: float = 1.0) -> float | None:
        found = self._ask(name, *more)
        return None if found is None else float(found) * unit

    def facts(self) -> dict[str, str | float]:
        """Return what the driver says of the device; what it does not say is left out."""
        found = _told(self._facts)
        return {} if isinstance(found, Unknown) else found

    def _facts(self) -> dict[str, str | float]:
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        found: dict[str, Any] = {
            "name": _text(self._ask("nvmlDeviceGetName")),
            "uuid": _text(self._ask("nvmlDeviceGetUUID")),
            "memory_gb": None if memory is None else memory.total / 1e9,
            "power_limit_w": self._scaled("nvmlDeviceGetEnforcedPowerLimit", unit=1e-3),
            "max_sm_mhz": self._scaled("nvmlDeviceGetMaxClockInfo", SM_CLOCK),
            "max_memory_mhz": self._scaled("nvmlDeviceGetMaxClockInfo", MEMORY_CLOCK),
            "driver": _text(self.library.nvmlSystemGetDriverVersion()),
        }
        return {key: value for key, value in found.items() if value is not None}

    def reading(self) -> Reading | Unknown:
        """Return clocks, power, temperature and what slows the device, now."""
        return _told(self._reading)

    def _reading(self) -> Reading:
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if bits is None:  # drivers before 535 know it by its older name
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
        return Reading(
            sm_mhz=self._scaled("nvmlDeviceGetClockInfo", SM_CLOCK),
            memory_mhz=self._scaled("nvmlDeviceGetClockInfo", MEMORY_CLOCK),
            power_w=self._scaled("nvmlDeviceGetPowerUsage", unit=1e-3),
            temperature_c=self._scaled("nvmlDeviceGetTemperature", CELSIUS),
            slowed_by=tuple(word for bit, word in REASONS.items() if bits & bit),
        )

    def use(self) -> Use | Unknown:
        """Return the load and the other processes, now."""
        return _told(self._use)

    def _use(self) -> Use:
        rates = self._ask("nvmlDeviceGetUtilizationRates")
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        running = self._ask("nvmlDeviceGetComputeRunningProcesses") or ()
        return Use(
            share=None if rates is None else rates.gpu / 100,
            processes=tuple(process.pid for process in running if process.pid != os.getpid()),
            used_bytes=None if memory is None else float(memory.used),
        )


def _told(question: Callable[[], Told]) -> Told | Unknown:
    try:
        return question()
    except Exception as error:
        return unknown(error)


def _text(found: Any) -> str | None:
    return found.decode() if isinstance(found, bytes) else None if found is None else str(found)
