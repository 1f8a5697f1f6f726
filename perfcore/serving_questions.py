"""One question of serving: a model, a chip in a system under an engine, a plan and a load; and its times and memory."""

from dataclasses import dataclass, replace

from perfcore.chips import Item
from perfcore.engines import EngineFile
from perfcore.formulas import serving
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan
from perfcore.formulas.serving_layer import Served, Tokens
from perfcore.machine import machine_of, rate_of
from perfcore.precisions import Precision
from perfcore.systems import System

__all__ = ["ServingQuestion", "ServingSetting"]

PACKAGE_SHARE = 0.5  # rate between devices of one package over that of the memory of one (estimate)


@dataclass(frozen=True)
class ServingSetting:
    """A chip in a system under a serving engine; ``kv_bits`` are those of an element of the KV cache.

    ``mode`` says which efficiencies: ``fitted`` or ``neutral``; ``end`` which end of a number given as an interval.
    ``ranks`` are the devices of a package that the engine counts, where they are not those of the chip's file.
    """

    chip: Item
    system: System
    software: EngineFile
    precision: Precision
    kv_bits: int
    mode: str = "fitted"
    end: str = "mid"
    ranks: int = 0

    @property
    def attention_kernel(self) -> str:
        """Return the kernel of attention over prompts."""
        return self.software.attention_kernel

    @property
    def devices(self) -> int:
        """Return how many devices of one package the engine counts as ranks."""
        return self.ranks or int(self.chip.document.get("devices", 1))

    def formats(self) -> Formats:
        """Return what weights and KV cache are stored in."""
        return Formats(self.precision.weight_bytes, self.precision.weight_share, self.kv_bits / 8.0)

    def machine(self, chips: float, tp: float) -> Machine:
        """Return one rank of a job on ``chips`` packages; ranks of one package talk at the rate of its memory."""
        machine = machine_of(self, chips)._replace(link_latency_s=0.5 * self.software.reduce_s)
        if 1.0 < tp <= self.devices:
            return machine._replace(link_bytes_s=PACKAGE_SHARE * machine.memory_bytes_s, torus_axes=0.0)
        return machine


@dataclass(frozen=True)
class ServingQuestion:
    """What is asked: ``sequences`` decode at once on each data-parallel rank; tokens are those of one request."""

    model: Model
    setting: ServingSetting
    chips: int
    plan: Plan
    sequences: float
    prompt: float  # to be computed, after a cached prefix
    output: float
    prefix: float = 0.0
    chunk_tokens: float | None = None

    @property
    def length(self) -> float:
        """Return the tokens of a whole request."""
        return self.prefix + self.prompt + self.output

    @property
    def engine(self) -> Engine:
        """Return the record of the engine."""
        return self.setting.software.record(self.chunk_tokens, self.setting.precision.bits)

    @property
    def machine(self) -> Machine:
        """Return the record of one rank."""
        return self.setting.machine(self.chips, self.plan.tp)

    def at(self, end: str) -> "ServingQuestion":
        """Return the same with another end of the chip's intervals."""
        return replace(self, setting=replace(self.setting, end=end))

    def with_sequences(self, sequences: float) -> "ServingQuestion":
        """Return the same with another number of sequences."""
        return replace(self, sequences=sequences)

    def prefill(self, prompts: float = 1.0) -> Served:
        """Return the prefill of some prompts at once, the first new token included."""
        lengths, formats = (self.prompt, self.prefix), self.setting.formats()
        return serving.prefill_step(self.model, self.plan, prompts, *lengths, formats, self.machine, self.engine)

    def decode(self) -> Served:
        """Return a decode step alone, the KV cache at its mean length."""
        context = serving.mean_context(self.prefix + self.prompt, self.output, self.engine)
        step = Tokens(self.sequences, context, 0.0, 0.0, 0.0)
        return serving.serving_step(self.model, self.plan, step, self.setting.formats(), self.machine, self.engine)

    def continuous(self) -> Served:
        """Return the mean step of continuous batching."""
        lengths = (self.prompt, self.prefix, self.output)
        formats = self.setting.formats()
        return serving.continuous_step(
            self.model, self.plan, self.sequences, *lengths, formats, self.machine, self.engine
        )

    def batch_s(self) -> float:
        """Return the time of a static batch [s]: all prompts, then all outputs."""
        return serving.total_s(self.prefill(self.sequences)) + self.output * serving.total_s(self.decode())

    def capacity(self) -> float:
        """Return how many sequences of the whole length fit in memory on a data-parallel rank."""
        formats = self.setting.formats()
        return serving.most_sequences(self.model, self.plan, self.length, formats, self.machine, self.engine)

    def weight_bytes(self) -> float:
        """Return the bytes of the weights on a rank."""
        return serving.weight_bytes(self.model, self.plan, self.setting.formats())

    def kv_bytes(self) -> float:
        """Return the bytes of the KV cache on a rank when all sequences have their whole length."""
        formats = self.setting.formats()
        return self.sequences * serving.kv_bytes_per_sequence(self.model, self.plan, self.length, formats)

    def roofline_s(self, step: Tokens) -> float:
        """Return the least time of a step by the datasheet alone [s]: bytes over bandwidth or FLOP over peak."""
        memory = self.machine.memory_bytes_s
        peak = rate_of(self.setting.chip, self.setting.precision.format, self.setting.end) / self.setting.devices
        return serving.roofline_step_s(self.model, self.plan, step, self.setting.formats(), peak, memory)
