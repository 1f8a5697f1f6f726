"""How long ``perfcore check`` takes beside the bare start of Python: a ratio of one run on one machine.

Run with the Python of an environment that has perfcore installed: ``python benchmarks/start.py``.
"""

import json
import subprocess
import sys
import time

COMMANDS = {
    "bare_python": [sys.executable, "-c", "pass"],
    "check_one_date": [sys.executable, "-m", "perfcore", "check", "h20", "--on", "2024-01-01"],
    "check_timeline": [sys.executable, "-m", "perfcore", "check", "h20"],
}
REPEATS = 20


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measured() -> dict[str, dict[str, float]]:
    """Time the commands turn by turn, so that a busy moment hits all alike; return the best of each."""
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, command in COMMANDS.items():
            samples[name].append(seconds(command))
    best = {name: min(several) for name, several in samples.items()}
    ratios = {name: round(value / best["bare_python"], 2) for name, value in best.items()}
    return {"best_ms": {n: round(v * 1000, 1) for n, v in best.items()}, "times_bare_python": ratios}


def main() -> None:
    print(json.dumps(measured(), indent=2))


if __name__ == "__main__":
    main()
