"""How fast a table of questions is answered, beside asking one at a time.

    python benchmarks/bulk.py [--quick] [-o FILE.json]

Questions are drawn at random (a fixed seed) from a few models, chips and counts, as a table that compares them has.
Everything is measured in one run, turn by turn, the best of several, each turn from an empty memory of plans and specs.
Processor time counts all processes of a way; on a busy machine it says more than the time on the wall.

    table       perfcore.answer_table, CSV to CSV, one process
    workers     the same with a process a core, their start counted
    functions   perfcore.train, infer or match in a loop of one process
    forgetful   the same with nothing remembered from one question to the next
    command     perfcore train ... --json, a process for each question (of a sample)
"""

import argparse
import contextlib
import csv
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import perfcore
from perfcore import PerfcoreError, chips, models, searching

MODELS = ("llama3_8b", "llama3_70b", "gpt3_175b", "mixtral_8x7b")
CHIPS = ("h100", "h20", "a100", "h800", "b200")
PLAN = {"tp": 8, "pp": 4, "micro_batch": 1, "shard": 1, "recompute": "selective"}
NEEDED = {
    "train": ("model", "chip", "chips"),
    "infer": ("model", "chip", "chips"),
    "match": ("target", "with", "model"),
}
Row = dict[str, Any]


def train_row(draw: random.Random) -> Row:
    asked = {"model": draw.choice(MODELS), "chip": draw.choice(CHIPS), "chips": draw.choice((64, 128, 256, 512, 1024))}
    return asked | {"global_batch": draw.choice((256, 512, 1024)), "seq": 2048}


def planned_row(draw: random.Random) -> Row:
    return train_row(draw) | PLAN


def infer_row(draw: random.Random) -> Row:
    asked = {"model": draw.choice(MODELS), "chip": draw.choice(CHIPS), "chips": 8, "precision": "bf16"}
    return asked | {"batch": draw.choice((1, 8, 32, 128)), "input": draw.choice((512, 1024)), "output": 256}


def match_row(draw: random.Random) -> Row:
    asked = {"target": f"h100:{draw.choice((64, 128, 256, 512, 1024))}", "with": draw.choice(("h20", "a100", "h800"))}
    return asked | {"model": draw.choice(("llama3_8b", "llama3_70b")), "global_batch": 512}


# Name, command, how a question is drawn, questions, those asked of the command, turns.
CASES = (
    ("train, plan searched", "train", train_row, 200, 3, 3),
    ("train, plan given", "train", planned_row, 2000, 3, 3),
    ("infer, plan searched", "infer", infer_row, 1000, 3, 3),
    ("match", "match", match_row, 30, 2, 1),
)


def forget() -> None:
    """Empty what is remembered from one question to the next."""
    for kept in (searching._fastest, searching.load_loops, chips._of_catalogue, models._of_catalogue):
        kept.cache_clear()


def one(kind: str, row: Row) -> None:
    asked = dict(row)
    needed = [asked.pop(name) for name in NEEDED[kind]]
    with contextlib.suppress(PerfcoreError):  # in a table it goes aside
        getattr(perfcore, kind)(*needed, **asked).to_dict()


def functions(kind: str, rows: list[Row], between: Callable[[], None] | None = None) -> None:
    for row in rows:
        if between:
            between()
        one(kind, row)


def command(kind: str, row: Row) -> None:
    first = "target" if kind == "match" else "model"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in row.items() if name != first]
    whole = [sys.executable, "-m", "perfcore", kind, str(row[first]), *words, "--json"]
    subprocess.run(whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def spent(run: Callable[[], Any]) -> tuple[float, float]:
    """Return the time of a run from an empty memory [s], and that of all its processors [s]."""
    forget()
    start, before = time.perf_counter(), os.times()
    run()
    return time.perf_counter() - start, sum(os.times()[:4]) - sum(before[:4])


def turn_by_turn(ways: dict[str, tuple[int, Callable[[], Any]]], turns: int) -> dict[str, tuple[float, float]]:
    """Return the least time and processor time a question of each way [s]; the command has one turn, being slow."""
    least = dict.fromkeys(ways, (float("inf"), float("inf")))
    for turn in range(turns):
        for name, (questions, run) in ways.items():
            if turn == 0 or name != "command":
                wall, busy = (seconds / questions for seconds in spent(run))
                least[name] = (min(wall, least[name][0]), min(busy, least[name][1]))
    return least


def measured(case: tuple[Any, ...], part: float, folder: Path) -> dict[str, Any]:
    """Answer one table in every way, and return questions a second."""
    name, kind, draw_row, count, few, turns = case
    draw = random.Random(1)
    rows = [draw_row(draw) for _ in range(max(4, int(count * part)))]
    source, target = folder / "questions.csv", folder / "answers.csv"
    with source.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows[:2]:
        one(kind, row)  # loads the compiled loops
    cores = os.cpu_count() or 1
    alone = rows[: max(2, len(rows) // 5)]
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "table": (len(rows), lambda: perfcore.answer_table(source, target, kind)),
        "workers": (len(rows), lambda: perfcore.answer_table(source, target, kind, workers=cores)),
        "functions": (len(rows), lambda: functions(kind, rows)),
        "forgetful": (len(alone), lambda: functions(kind, alone, forget)),
        "command": (few, lambda: [command(kind, row) for row in rows[:few]]),
    }
    least = turn_by_turn(ways, turns)
    return {
        "case": name,
        "questions": len(rows),
        "without_an_answer": perfcore.answer_table(source, target, kind).errors,
        "questions_per_s": {way: round(1.0 / wall, 2) for way, (wall, _) in least.items()},
        "time_over_table": {way: round(wall / least["table"][0], 2) for way, (wall, _) in least.items()},
        "processor_time_over_table": {way: round(busy / least["table"][1], 2) for way, (_, busy) in least.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer questions, a minute in all")
    parser.add_argument("-o", dest="output", type=Path)
    given = parser.parse_args()
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        found = [measured(case, 0.2 if given.quick else 1.0, Path(name)) for case in CASES]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {"machine": machine, "load_before": before, "load_after": os.getloadavg(), "cases": found}
    for row in found:
        print(f"\n{row['case']}: {row['questions']} questions, {row['without_an_answer']} without an answer")
        for what in ("questions_per_s", "time_over_table", "processor_time_over_table"):
            print(f"  {what:26} " + ", ".join(f"{way} {n:,}" for way, n in row[what].items()))
    print(f"\nload before {before[0]:.1f}, after {os.getloadavg()[0]:.1f}")
    if given.output:
        given.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
