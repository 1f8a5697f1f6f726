"""Write ``docs/benchmarks.md`` from the figures beside it, which ``python benchmarks/run.py`` measures."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from validation_text import prose, table

FIGURES = Path(__file__).with_name("benchmarks.json")
READING, COPY, SWEEP_S = 0.8, 2.0, 60.0
QUIET = 0.1  # share of the cores that is busy with something else

Result = Mapping[str, Any]


def page(result: Result | None = None) -> str:
    """Return the page."""
    found = json.loads(FIGURES.read_text(encoding="utf-8")) if result is None else result
    parts: tuple[Callable[[Result], list[str]], ...] = (
        *(_head, _targets, _loops, _methods, _parquet, _threads),
        *(_searches, _dask, _growth, _start),
    )
    return "\n".join(line for part in parts for line in [*part(found), ""]).rstrip() + "\n"


def _head(found: Result) -> list[str]:
    used, cores = found["machine"], found["machine"]["cores"]
    packages = ", ".join(f"{name} {version or 'absent'}" for name, version in used["packages"].items())
    said = _beside([share for share in found["busy_beside"].values() if share is not None])
    return [
        "# Benchmarks",
        "",
        prose(
            "Written by `docs/generate.py` from `docs/benchmarks.json`, the figures of one run of "
            "`python benchmarks/run.py`. A figure is worth something beside the reference measured with it, turn by "
            "turn, in the same run; the best of several is taken. No test depends on a time."
        ),
        "",
        prose(
            f"{found['on']}: {used['processor']}, {cores} cores, Python {used['python']}, perfcore {used['perfcore']}, "
            f"{packages}; {found['seconds']} s in all. {said}"
        ),
    ]


def _beside(shares: list[float]) -> str:
    """Say whether something else was running, by the share of the cores that was busy between the parts.

    >>> _beside([0.01, 0.0]), _beside([])
    ('Nothing else was running.', 'What else was running is not known.')
    """
    if not shares:
        return "What else was running is not known."
    if max(shares) <= QUIET:
        return "Nothing else was running."
    least, most = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
    return (
        f"**Other work was running beside it**, which kept {least} to {most} % of the cores busy between the parts: "
        "speeds are below those of a quiet machine, and ratios scatter."
    )


def _targets(found: Result) -> list[str]:
    plans = found["plans"]
    rows = [
        (f"loop, {each['case'].partition(' (')[0]}, {_threads_of(each)}", each["share_of_reading"], READING, True, "%")
        for each in found["loops"]
        if each["threads"] <= found["machine"]["cores"]
    ]
    rows += [
        (f"Parquet to Parquet, {each['table']}, {_threads_of(each)}", each["times_plain_copy"], COPY, False, "x")
        for each in found["parquet"]
        if each["threads"] <= found["machine"]["cores"]
    ]
    rows.append(
        (f"`perfcore design --sweep`, grid {found['sweep']['grid']}", found["sweep"]["seconds"], SWEEP_S, False, "s")
    )
    rows.append(("training plans timed, over plain Python", plans["times_over_python"], 1000.0, True, "x"))
    rows.append(("`perfcore train`, whole command", plans["command_warm_s"], 1.5, False, "s"))
    head = ["what", "measured", "target", ""]
    lines = [
        [
            what,
            _shown(value, unit),
            f"at {'least' if least else 'most'} {_shown(target, unit)}",
            _met(value, target, least),
        ]
        for what, value, target, least, unit in rows
    ]
    return ["## Targets", "", "Of a loop: of the speed of reading the same columns.", "", table(head, lines)]


def _met(value: float, target: float, least: bool) -> str:
    return "met" if (value >= target if least else value <= target) else "**missed**"


def _shown(value: float, unit: str) -> str:
    """Show a share as per cent, a ratio or a time with what says enough.

    >>> _shown(0.876, "%"), _shown(96750.0, "x"), _shown(1.04, "x"), _shown(5.2, "s")
    ('88 %', '96,750 x', '1.04 x', '5.2 s')
    """
    return f"{100 * value:.0f} %" if unit == "%" else f"{value:,.0f} {unit}" if value >= 100 else f"{value:g} {unit}"


def _threads_of(row: Mapping[str, Any]) -> str:
    return f"{row['threads']} thread{'' if row['threads'] == 1 else 's'}"


def rate(value: float) -> str:
    """Show how many a second.

    >>> rate(2377567176), rate(16588800), rate(35912)
    ('2.38 billion', '16.6 million', '35,912')
    """
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.{2 if value < 10 * size else 1 if value < 100 * size else 0}f} {name}"
    return f"{value:,.0f}"


def _loops(found: Result) -> list[str]:
    rows = [
        [each["case"], str(each["threads"]), rate(each["designs_per_s"]), rate(each["reading_per_s"]),
         _shown(each["share_of_reading"], "%")]
        for each in found["loops"]
    ]  # fmt: skip
    size = found["sizes"]["rows"]
    return [
        "## The loops over columns",
        "",
        prose(
            f"{size:,} designs in memory. Reading is a loop that reads the same columns, adds them and writes a byte "
            "a row. More threads than cores are there to show what they lose or gain. A loop can pass 100 % where what "
            "it computes happens to suit the memory better than the sum does."
        ),
        "",
        table(["rules", "threads", "designs/s", "reading, rows/s", "of reading"], rows),
    ]


def _methods(found: Result) -> list[str]:
    methods = found["methods"]
    rows = [
        [each["method"], rate(each["designs_per_s"]), _times(each["perfcore_is_times_as_fast"])]
        for each in methods["methods"]
    ]
    left = methods["left_to_exact_arithmetic"]
    absent = "".join(f" {name} was not installed." for name in methods["absent"])
    return [
        "## The same question by other means",
        "",
        prose(
            f"{methods['rows']:,} designs, the rules of 2026, columns in and codes out; perfcore computes performance "
            "density as a column too, and finds the rows that rounding could put on the wrong side of a threshold. The "
            "others do not: they are right on random designs, which was checked, and may be wrong on a threshold."
            + absent
        ),
        "",
        table(["by", "designs/s", "perfcore on one thread is faster by"], rows),
        "",
        prose(
            "Rows that the loops leave to exact arithmetic, which is as slow as a CSV row: "
            + "; ".join(f"{_exact(share)} of designs {_kind(kind)}" for kind, share in left.items())
            + "."
        ),
    ]


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


def _exact(share: float) -> str:
    return "all" if share == 1 else "none" if share == 0 else f"{100 * share:.3g} %"


def _kind(kind: str) -> str:
    names = {"random": "at random", "one decimal": "with one decimal", "on thresholds": "put on a threshold of density"}
    return names[kind]


def _parquet(found: Result) -> list[str]:
    rows = [
        [each["table"], str(each["threads"]), rate(each["rows_per_s"]), rate(each["copy_rows_per_s"]),
         f"{each['times_plain_copy']:.2f}"]
        for each in found["parquet"]
    ]  # fmt: skip
    csv = found["csv"]
    return [
        "## Tables, end to end",
        "",
        prose(
            f"Parquet to Parquet, {found['parquet'][0]['rows']:,} rows, beside pyarrow reading and writing the same "
            "file by itself, row group by row group on one thread. Below 1 the verdicts come out sooner than the copy: "
            "less is written, packed faster."
        ),
        "",
        table(["numbers", "threads", "rows/s", "copy, rows/s", "times a plain copy"], rows),
        "",
        prose(
            f"CSV to CSV, {csv['rows']:,} rows, one process: {rate(csv['rows_per_s'])} rows/s, which takes "
            f"{csv['times_plain_copy']:g} times a copy by the csv module. Its cells are read as the decimals they are."
        ),
    ]


def _threads(found: Result) -> list[str]:
    rows = []
    for objective in dict.fromkeys(each["objective"] for each in found["designs"]["fused"]):
        several = [each for each in found["designs"]["fused"] if each["objective"] == objective]
        rows.append([objective, *(rate(each["designs_per_s"]) for each in several)])
    counts = [each["threads"] for each in found["designs"]["fused"] if each["objective"] == rows[0][0]]
    designs = found["designs"]
    return [
        "## Search over designs",
        "",
        prose(
            f"Designs a second over a grid of {designs['designs']:,}, by objective and threads. Plain Python, the same "
            f"formulas one at a time, makes {rate(designs['python_designs_per_s'])} a second of `decode`: "
            f"one thread is {designs['over_python_decode']:,} times as fast. numpy in blocks makes "
            f"{rate(designs['numpy_designs_per_s'])} of `tpp`: one thread is {designs['over_numpy_tpp']:g} times as "
            "fast. All three count the same regions, which was checked."
        ),
        "",
        table(["objective", *(f"{count} thread{'' if count == 1 else 's'}" for count in counts)], rows),
    ]


def _searches(found: Result) -> list[str]:
    plans = found["plans"]
    rows = [
        ["times of plans whose parts are known (the loop)", "times", "times_over_python"],
        ["parts and memory of plans", "fill", "fill_over_python"],
        ["the whole search, with the table of legal plans", "search", "search_over_python"],
    ]
    limit = _shown(plans["times_share_of_limit"], "%")
    lines = [[what, rate(plans[f"{name}_plans_per_s"]), f"{plans[over]:,.0f}"] for what, name, over in rows]
    return [
        "## Search over training plans",
        "",
        prose(
            f"Llama 3.1 405B on 16,384 H100, {plans['plans']:,.0f} plans, one core. Plain Python is the same formulas, "
            f"{rate(plans['python_plans_per_s'])} plans a second. The loop runs at {limit} "
            "of a loop that reads the same columns and adds them up. The command takes "
            f"{plans['command_warm_s']:.2g} s, {plans['command_cold_s']:.2g} s the first time, when loops are compiled."
        ),
        "",
        table(["what", "plans/s", "over plain Python"], lines),
    ]


def _dask(found: Result) -> list[str]:
    head = ["## Dask", ""]
    if found["dask"] is None:
        return [*head, "distributed was not installed."]
    rows = [
        [each["job"], f"{each['work']:,}", str(each["tasks"]), str(each["workers"]), f"{each['alone_s']:g}",
         f"{each['dask_s']:g}", f"{each['dask_over_alone']:.2f}", f"{each['overhead_ms_per_task']:g}"]
        for each in found["dask"]
    ]  # fmt: skip
    text = (
        "The same job without Dask and on a LocalCluster of loopback, whose workers have one thread each; tables have "
        "the same bytes, which was checked. With one worker the difference is what Dask costs; workers share the cores "
        "with scheduler and client. Without Dask, two workers of CSV are processes that are started afresh, which "
        "counts; the cluster stands already."
    )
    names = ["job", "rows or designs", "tasks", "workers", "without, s", "with, s", "ratio", "ms more a task"]
    return [*head, prose(text), "", table(names, rows)]


def _growth(found: Result) -> list[str]:
    lines, kinds = [], list(dict.fromkeys(each["kind"] for each in found["growth"]))
    for each in sorted(found["growth"], key=lambda each: kinds.index(each["kind"])):
        memory = "?" if each["memory_mb"] is None else f"{each['memory_mb']:,}"
        work = (f"{each['work']:,}", f"{each['seconds']:.3g}", rate(each["per_s"]), memory)
        lines.append([_named(each["kind"]), *work])
    sweep = found["sweep"]
    text = (
        "Each size in a process of its own; memory is the most it held. Tables are files, and their time is that of a "
        "fresh process with all it imports. Columns are made from the number of each row, range by range, and "
        "classified, so a billion rows need no file; their time has the making in it. Designs are of the grid of a "
        "billion, with shorter axes."
    )
    more = (
        f"Counts, best designs and Pareto fronts of grid `{sweep['grid']}` under every version of the rule, the whole "
        f"command: {sweep['seconds']:g} s, an answer of {sweep['answer_mb']:g} MB."
    )
    head = ["work", "how many", "s", "a second", "memory, MB"]
    return ["## As the work grows", "", prose(text), "", table(head, lines), "", prose(more)]


def _named(kind: str) -> str:
    return {"columns": "columns made and classified", "designs": "designs searched"}.get(kind, kind)


def _start(found: Result) -> list[str]:
    best = found["start"]["best_ms"]
    said = ", ".join(f"`{name}` {value:g} ms" for name, value in _commands(best))
    return ["## Start", "", prose(f"{said}; bare Python {best['bare_python']:g} ms.")]


def _commands(best: Mapping[str, float]) -> Iterable[tuple[str, float]]:
    yield "perfcore check h20 --on 2024-01-01", best["check_one_date"]
    yield "perfcore check h20", best["check_timeline"]
