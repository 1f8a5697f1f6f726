"""What ``perfcore measure cpu`` times, beside clock x width, compiled C STREAM and likwid-bench: ratios of one run.

``python benchmarks/local_cpu.py [--rounds 12] [--json]``. All take turns, so that a disturbance falls on all alike; the
best of each is compared. Needs gcc for STREAM and likwid-bench for the caches; what is not there is left out, and said.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from perfcore.measure import cpu_kernels
from perfcore.measure.cpu import other_load
from perfcore.measure.cpu_probes import Loops, arithmetic, clock, dram_bytes, loops, streams, working_sets
from perfcore.measure.figures import rate_figure
from perfcore.measure.host import Host, look
from perfcore.measure.rounds import Probe, enough_turns
from perfcore.measure.team import Team

Sampler = Callable[[], dict[str, float]]
SOURCE = Path(__file__).with_name("stream.c")
REPEATS = 6  # of STREAM in one call
LIKWID_S = 0.05
# Of likwid-bench, by the vectors of the CPU: read, copy, triad.
LIKWID = {
    64: ("load_avx512", "copy_avx512", "stream_avx512_fma"),
    32: ("load_avx", "copy_avx", "stream_avx_fma"),
    16: ("load_sse", "copy_sse", "stream_sse"),
}
TARGETS = {"fma": 0.95, "stream": 0.95, "likwid": 0.90}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=12)
    asked.add_argument("--json", action="store_true")
    options = asked.parse_args()
    host = look()
    made = loops()
    cores = host.one_a_core
    with tempfile.TemporaryDirectory() as folder, closing(Team(cores[:1])) as one, closing(Team(cores)) as team:
        before = other_load(host.cores)
        samplers = [*ours(made, host, one, team), *theirs(host, Path(folder), made.width)]
        samples = gathered(samplers, options.rounds)
        load = {"before": before, "after": other_load(host.cores)}
    figures = {name: rate_figure(name, "", several) for name, several in samples.items()}
    best = {name: figure.value for name, figure in figures.items()}
    rows = list(compared(best, made.width, len(cores)))
    told = {
        "cpu": host.name,
        "cores": len(cores),
        "load": load,
        "best": best,
        "spread": {name: round(figure.spread, 3) for name, figure in figures.items()},
        "ratios": [
            dict(zip(("what", "ours", "theirs", "ratio", "target", "reached"), row, strict=True)) for row in rows
        ],
    }
    print(json.dumps(told, indent=2) if options.json else table(told, rows))


def ours(made: Loops, host: Host, one: Team, team: Team) -> Iterator[Sampler]:
    probes = [clock(made, one), *arithmetic(made, one, "_one_core"), *streams(made, host, one, "_one_core")]
    if len(team.cores) > 1:
        shared = [probe for probe in streams(made, host, team, "") if probe.name.startswith("dram_")]
        probes += [*arithmetic(made, team, ""), *shared]
    for probe in probes:
        yield sampler_of(probe)


def sampler_of(probe: Probe) -> Sampler:
    """Return what takes the best of REPEATS passes over main memory, as STREAM does, and else one long sample."""
    turns = enough_turns(probe.run, probe.sample_s)
    if probe.name.startswith("dram_"):
        return lambda: {probe.name: probe.amount / min(probe.run(1) for _ in range(REPEATS))}
    return lambda: {probe.name: probe.amount * turns / probe.run(turns)}


def theirs(host: Host, folder: Path, width: int) -> Iterator[Sampler]:
    binary = compiled(folder)
    if binary is not None:
        threads = len(host.one_a_core)
        yield stream(binary, dram_bytes(host, 1) // 8, host.one_a_core[:1], "_one_core")
        if threads > 1:
            yield stream(binary, threads * dram_bytes(host, threads) // 8, host.one_a_core, "")
    if shutil.which("likwid-bench"):
        for level, size in working_sets(host, 1).items():
            for what, test in zip(("read", "copy", "triad"), LIKWID[width], strict=True):
                yield likwid(f"likwid_{level}_{what}_one_core", test, size)
    else:
        print("no likwid-bench here: cache levels are not compared", file=sys.stderr)


def compiled(folder: Path) -> Path | None:
    compiler = shutil.which("gcc")
    if compiler is None:
        print("no gcc here: STREAM is not compared", file=sys.stderr)
        return None
    binary = folder / "stream"
    subprocess.run([compiler, "-O3", "-march=native", "-fopenmp", str(SOURCE), "-o", str(binary)], check=True)
    return binary


def stream(binary: Path, count: int, cores: tuple[int, ...], suffix: str) -> Sampler:
    places = "{" + "},{".join(map(str, cores)) + "}"
    settings = {"OMP_NUM_THREADS": str(len(cores)), "OMP_PROC_BIND": "true", "OMP_PLACES": places}

    def sample() -> dict[str, float]:
        command = [str(binary), str(count), str(REPEATS)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | settings)
        copy, triad, _ = map(float, said.stdout.split())
        return {f"stream_copy{suffix}": copy, f"stream_triad{suffix}": triad}

    return sample


def likwid(name: str, test: str, size: int) -> Sampler:
    def rate(turns: int) -> float:
        command = ["likwid-bench", "-t", test, "-i", str(turns), "-w", f"S0:{size}B:1"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = re.search(r"^MByte/s:\s+([\d.]+)", said, re.MULTILINE)
        return float(found[1]) / 1e3 if found else 0.0

    turns = max(10, int(LIKWID_S * 1e9 * max(rate(2000), 1.0) / size))
    return lambda: {name: rate(turns)}


def gathered(samplers: list[Sampler], rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr)
        for sampler in samplers:
            for name, value in sampler().items():
                samples.setdefault(name, []).append(value)
    print(file=sys.stderr)
    return samples


def compared(best: dict[str, float], width: int, cores: int) -> Iterator[tuple[str, float, float, float, float, bool]]:
    """Yield each figure beside what it is held against."""
    # One core does the same with one, two or four units for multiply-adds: the fewest that explain its rate.
    alone = best["fma_fp64_one_core"] / (2 * width / 8 * best["clock"] / 1e3)
    units = next(units for units in (1, 2, 4, 8) if alone < 1.1 * units)
    for bits in (64, 32):
        for suffix, members in (("_one_core", 1), ("", cores)):
            name = f"fma_fp{bits}{suffix}"
            if name in best:
                lanes = 2 * (8 * width // bits) * best["clock"] * members / 1e3  # with one unit
                yield row(f"{name} / clock x width x {units} units", best[name], units * lanes, "fma")
    for what in ("copy", "triad"):
        for suffix in ("_one_core", ""):
            name = f"stream_{what}{suffix}"
            if name in best and f"dram_{what}{suffix}" in best:
                yield row(f"dram_{what}{suffix} / C STREAM", best[f"dram_{what}{suffix}"], best[name], "stream")
    for name, theirs_ in best.items():
        if name.startswith("likwid_") and theirs_:
            mine = name.removeprefix("likwid_")
            yield row(f"{mine} / likwid-bench", best[mine], theirs_, "likwid")


def row(what: str, mine: float, other: float, target: str) -> tuple[str, float, float, float, float, bool]:
    ratio = mine / other
    return what, mine, other, ratio, TARGETS[target], ratio >= TARGETS[target]


def table(told: dict[str, object], rows: list[tuple[str, float, float, float, float, bool]]) -> str:
    load = {when: "unknown" if share is None else f"{share:.0%}" for when, share in told["load"].items()}  # type: ignore
    lines = [f"{told['cpu']}, {told['cores']} cores; other load {load['before']} before, {load['after']} after"]
    width = max(len(one[0]) for one in rows)
    for what, mine, other, ratio, target, reached in rows:
        said = "" if reached else f"  below {target:.2f}"
        lines.append(f"{what:{width}}  {mine:9.4g}  {other:9.4g}  {ratio:6.3f}{said}")
    return "\n".join(lines)


if __name__ == "__main__":
    cpu_kernels.check_compiler()
    main()
