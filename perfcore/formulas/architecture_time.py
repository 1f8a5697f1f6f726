"""How long a model takes on a design: prefill, a decode step, a layer of training; by the formulas of the catalogue."""

from typing import NamedTuple

from perfcore.formulas.architecture import (
    Architecture,
    Blocks,
    array_tflops,
    design_tpp,
    hbm_bandwidth_gb_s,
)
from perfcore.formulas.layer_time import mean_layer, total
from perfcore.formulas.records import Engine, Formats, Machine, Model, Plan, Software, Work
from perfcore.formulas.serving import serving_step, total_s
from perfcore.formulas.serving_layer import Tokens

# What is made the least of: time to the first tokens, between tokens, of a whole answer, of a training layer; or -TPP.
PREFILL, DECODE, REQUEST, TRAINING, TPP = 0.0, 1.0, 2.0, 3.0, 4.0


class Reach(NamedTuple):
    """Shares of a design's peak rates that kernels reach, and what starting them takes."""

    gemm: float
    attention: float
    memory_efficiency: float
    link_efficiency: float
    kernel_s: float
    link_latency_s: float
    chips: float  # joined by the links, all of one model's tensor-parallel group


class Load(NamedTuple):
    """What a design has to do: a model cut over some chips, its prompts, its decode step, its training step."""

    objective: float
    outputs: float  # tokens of an answer
    model: Model
    plan: Plan
    prompts: Tokens
    decode: Tokens
    work: Work
    formats: Formats
    engine: Engine
    software: Software
    reach: Reach
    needed_bytes: float  # of a chip's memory, by weights and KV cache; 0: not looked at


def design_machine(a: Architecture, b: Blocks, reach: Reach) -> Machine:
    """Return what a design achieves, as the formulas of training and serving read it.

    Tiles of a product are dealt to the cores. First- and second-level caches do not enter: the formulas take products
    as read once from memory, whatever the caches hold.
    """
    rate = 1e12 * array_tflops(a)
    one_way = 0.5e9 * a.links * b.link_gb_s
    return Machine(
        rate * reach.gemm,
        rate * reach.gemm,
        rate * reach.attention,
        2.0,
        0.0,
        1e9 * hbm_bandwidth_gb_s(a, b),
        reach.memory_efficiency,
        1e9 * a.hbm_stacks * b.hbm_stack_gb,
        a.cores,
        reach.kernel_s,
        reach.chips,
        one_way * reach.link_efficiency,
        reach.link_latency_s,
        0.0,
        one_way * reach.link_efficiency,
        reach.link_latency_s,
    )


def prefill_s(load: Load, machine: Machine) -> float:
    """Return the time to the first token of all prompts together [s]."""
    return total_s(serving_step(load.model, load.plan, load.prompts, load.formats, machine, load.engine))


def decode_s(load: Load, machine: Machine) -> float:
    """Return the time between tokens: one decode step of all sequences [s]."""
    return total_s(serving_step(load.model, load.plan, load.decode, load.formats, machine, load.engine))


def training_layer_s(load: Load, machine: Machine) -> float:
    """Return the time of one layer of training, forward and backward, for one micro-batch [s].

    A mean over the layers of the model, with all-reduces of tensor parallelism, without the network between servers.
    """
    tokens = load.work.seq * load.plan.micro_batch
    return total(mean_layer(load.model, load.plan, load.work, tokens, machine, load.software))


def score(a: Architecture, b: Blocks, load: Load) -> float:
    """Return what the search makes the least of: a time [s], or the negative of TPP."""
    if load.objective == TPP:
        return -design_tpp(a, b)
    machine = design_machine(a, b, load.reach)
    if load.objective == PREFILL:
        return prefill_s(load, machine)
    if load.objective == DECODE:
        return decode_s(load, machine)
    if load.objective == REQUEST:
        return prefill_s(load, machine) + load.outputs * decode_s(load, machine)
    return training_layer_s(load, machine)


def fits(a: Architecture, b: Blocks, load: Load) -> bool:
    """Tell whether weights and KV cache fit in the memory of each chip."""
    return load.needed_bytes <= load.engine.memory_share * 1e9 * a.hbm_stacks * b.hbm_stack_gb
