"""Takes samples: warm-up, then every probe once a round, so that a disturbance falls on all of them alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from perfcore.measure.figures import Figure, rate_figure, time_figure

__all__ = ["Probe", "figures_of", "take"]

SAMPLE_S = 0.02  # what one sample should last, a thousand times what starting threads costs
MOST_TURNS = 2**40

Progress = Callable[[str], None]


class Probe(NamedTuple):
    """One thing to time.

    ``run(turns)`` returns the seconds of that many turns; ``amount`` is what one turn does, in the unit times s for a
    rate and in steps for a time. ``sample_s`` is how long a sample should last; 0 for exactly one turn.
    """

    name: str
    unit: str
    amount: float
    run: Callable[[int], float]
    is_rate: bool = True
    sample_s: float = SAMPLE_S
    note: str = ""


@dataclass
class _Taken:
    probe: Probe
    turns: int
    samples: list[float]


def enough_turns(run: Callable[[int], float], wanted_s: float) -> int:
    """Return how many turns last ``wanted_s``; the first call also compiles and touches memory.

    >>> enough_turns(lambda turns: 0.001 * turns, 0.02)
    20
    """
    run(1)
    turns = 1
    while wanted_s:
        taken = min(run(turns), run(turns))  # one that was interrupted would seem long enough
        if taken >= 0.25 * wanted_s or turns >= MOST_TURNS:
            return max(1, round(turns * wanted_s / max(taken, 1e-9)))
        turns *= 4
    return turns


def take(probes: Sequence[Probe], rounds: int, progress: Progress | None = None) -> dict[str, list[float]]:
    """Return the samples of every probe by name, in the order of the rounds; the warm-up is not among them."""
    say = progress or (lambda said: None)
    taken = []
    for place, probe in enumerate(probes, 1):
        say(f"warming up {place} of {len(probes)}: {probe.name}")
        taken.append(_Taken(probe, enough_turns(probe.run, probe.sample_s), []))
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}")
        for one in taken:
            one.samples.append(_sample(one.probe, one.turns))
    return {one.probe.name: one.samples for one in taken}


def _sample(probe: Probe, turns: int) -> float:
    seconds = max(probe.run(turns), 1e-9)  # a clock that stood still is no infinite rate
    done = probe.amount * turns
    return done / seconds if probe.is_rate else seconds / done * 1e9


def figures_of(probes: Sequence[Probe], samples: dict[str, list[float]]) -> tuple[Figure, ...]:
    """Make the figures of all samples."""
    make = {True: rate_figure, False: time_figure}
    return tuple(make[one.is_rate](one.name, one.unit, samples[one.name], one.note) for one in probes)
