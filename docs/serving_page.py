"""Write ``docs/serving_validation.md``: what predictions of serving are worth, with every row."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from validation_rows import Errors, errors, percent, signed
from validation_text import judged, prose, table

from perfcore import engines
from perfcore.cells import Row, SkippedError
from perfcore.errors import PerfcoreError
from perfcore.inference_cases import Case, case_of
from perfcore.serving_intervals import ratios
from perfcore.validation import published, validate

HERE = Path(__file__).parent
NOT_FITTED = ("neusight-inf", "nemo-ft-latency")
LEFT_OUT = {"model": "its model", "chip": "its chip", "engine": "its engine"}
TARGETS = {"dense": 12.0, "moe": 20.0}
MADE_BY = (
    ("fitted, by source, chip, phase", "`perfcore validate --published inference`"),
    ("fitted constants", "`python benchmarks/calibrate_serving.py --write`"),
    (
        "model, chip or engine left out; intervals",
        "`python benchmarks/calibrate_serving.py --leave-out docs/serving_left_out.csv --write`",
    ),
    ("this page", "`python docs/generate.py`"),
)


@cache
def runs() -> tuple[tuple[Row, Case, dict[str, Any]], ...]:
    """Return the published rows that are predicted, each with its case and the line of ``perfcore validate``."""
    found = []
    for number, (row, line) in enumerate(zip(published("inference"), _lines(), strict=True), 1):
        try:
            case = case_of(row, number)
        except (SkippedError, PerfcoreError):
            continue
        if not line["skipped"]:
            found.append((row, case, line))
    return tuple(found)


@cache
def _lines() -> list[dict[str, Any]]:
    return validate(kind="inference").rows


def counted() -> list[tuple[Row, Case, dict[str, Any]]]:
    """Return the rows that the targets speak of: key rows of the sources in the fit."""
    return [run for run in runs() if run[0].text("key_row") == "1" and run[1].source not in NOT_FITTED]


def _kind(case: Case) -> str:
    return "moe" if case.question.model.experts else "dense"


def page() -> str:
    """Return the page."""
    sections: tuple[Callable[[], list[str]], ...] = (
        _measured,
        _headline,
        _fitted,
        _groups,
        _intervals,
        _constants,
        _misses,
        _rows,
    )
    return "\n".join(line for section in sections for line in section()) + "\n"


def _measured() -> list[str]:
    some = counted()
    other = len(runs()) - len(some)
    return [
        "# Validation of serving",
        "",
        prose(f"""Written by `python docs/generate.py`. [inference.md](inference.md) says how a prediction is made.
        {len(some)} published speeds of {len({case.source for _, case, _ in some})} sources on
        {len({case.chip for _, case, _ in some})} chips under {len({_engine(case) for _, case, _ in some})} engines, in
        `specs/measurements/inference`; {sum(_kind(case) == "moe" for _, case, _ in some)} are of mixtures of experts.
        {other} more rows are predicted and shown but not counted: older releases, 32-bit eager PyTorch, pipelines over
        nodes. Errors are of time, predicted over measured, less 1, in percent; minus is predicted too fast. For a
        speed, time is its inverse. Every row counts once, so large sources weigh more."""),
        "",
        table(("figures", "made by"), MADE_BY),
        "",
    ]


def _engine(case: Case) -> str:
    return case.question.setting.software.id


@cache
def left_out() -> tuple[dict[str, str], ...]:
    """Return the predictions of rows whose model, chip or engine was left out of the fit."""
    with (HERE / "serving_left_out.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _off(line: dict[str, str]) -> float:
    return float(line["left_out_s"]) / float(line["measured_s"]) - 1.0


def _figures(found: Errors) -> tuple[str, ...]:
    return (str(found.n), *map(percent, (found.mean, found.median, found.max)), signed(found.bias))


FIGURES = ("rows", "mean", "median", "max", "bias")


def _headline() -> list[str]:
    rows = []
    for name, words in LEFT_OUT.items():
        mine = [line for line in left_out() if line["left_out"] == name]
        for kind, target in TARGETS.items():
            some = errors(_off(line) for line in mine if line["moe"] == kind)
            rows.append((f"{words}, {kind}", *_figures(some), f"{target:g}", judged(some.mean * 100, target)))
        known = [line for line in mine if line["kind"] != "new_engine"]
        if known:
            rows.append((f"{words}, where the engine ran others", *_figures(errors(map(_off, known))), "", ""))
    by_source = defaultdict(list)
    for line in left_out():
        by_source[line["left_out"], line["source"]].append(_off(line))
    sources = sorted({source for _, source in by_source})
    beside = []
    for source in sources:
        cells = [errors(by_source[name, source]) for name in LEFT_OUT]
        beside.append((source, str(cells[0].n), *(f"{percent(c.mean)} ({signed(c.bias)})" for c in cells)))
    return [
        "## Left out of the fit",
        "",
        prose("""What to expect of a run that perfcore has not seen. Each model, each chip and each engine is left out
        in turn, the constants of the engine are fitted on its other rows, and what was left out is predicted. An engine
        left out has the neutral constants of any engine (`specs/engines/default.toml`) and its own structure. Where an
        engine ran on one chip only, or served one model only, leaving that out is leaving the engine out."""),
        "",
        table(("left out", *FIGURES, "target mean", ""), rows),
        "",
        "Mean (bias) by source:",
        "",
        table(("source", "rows", *LEFT_OUT.values()), beside),
        "",
        prose("""The structure of the engines was chosen, and start-up times of their all-reduce were set, with these
        rows in view. Leaving a row out takes away its number, not that knowledge: an engine that nobody has looked at
        may do worse. Half of the rows left out with their engine are of Neuron and TensorRT-LLM 1.0."""),
        "",
    ]


def _fitted() -> list[str]:
    some = counted()
    all_of = errors(line["error"] for _, _, line in some)
    parts = {kind: errors(line["error"] for _, case, line in some if _kind(case) == kind) for kind in TARGETS}
    plain = errors(case.roofline_s() / case.measured_s - 1.0 for _, case, _ in some)
    speed = errors(case.measured_s / case.roofline_s() - 1.0 for _, case, _ in some)
    constant = errors(line["baseline_error"] for _, _, line in some)
    rows = [
        ("all", *_figures(all_of), "7", judged(all_of.mean * 100, 7.0)),
        ("its median", "", "", percent(all_of.median), "", "", "4.5", judged(all_of.median * 100, 4.5)),
        ("dense", *_figures(parts["dense"]), "", ""),
        ("mixtures of experts", *_figures(parts["moe"]), "", ""),
        ("plain roofline, of time", *_figures(plain), "", ""),
        ("plain roofline, of speed", *_figures(speed), "", ""),
        ("roofline times one efficiency a chip and format", *_figures(constant), "", ""),
    ]
    return [
        "## Fitted on all rows",
        "",
        prose("""The constants were fitted to these very rows, so this says how well the formulas can describe them.
        Beside it the plain roofline (bytes over bandwidth or operations over peak, by the datasheet), and the roofline
        times one efficiency for a chip and a number format: the median over the other sources where there are any."""),
        "",
        table(("", *FIGURES, "target", ""), rows),
        "",
    ]


def _groups() -> list[str]:
    parts = []
    keys: dict[str, Callable[[Case], str]] = {
        "source, chip": lambda case: f"{case.source}, {case.chip}",
        "phase": lambda case: case.way,
        "precision": lambda case: case.question.setting.precision.name,
        "model": lambda case: case.model,
    }
    for name, key in keys.items():
        found = defaultdict(list)
        for run in runs() if name == "source, chip" else counted():
            found[key(run[1])].append(run)
        rows = []
        for group, some in sorted(found.items()):
            plain = errors(case.roofline_s() / case.measured_s - 1.0 for _, case, _ in some)
            fitted = errors(line["error"] for _, _, line in some)
            baseline = errors(line["baseline_error"] for _, _, line in some)
            rows.append((group, *_figures(fitted), percent(plain.mean), percent(baseline.mean)))
        head = (name, *FIGURES, "plain roofline, mean", "one efficiency, mean")
        parts += [f"## By {name}", "", table(head, rows), ""]
    return parts


def _intervals() -> list[str]:
    rows = []
    for kind, words in (
        ("known", "engine and chip known, dense"),
        ("new_chip", "engine known, not on this chip, dense"),
        ("new_engine", "engine not known, dense"),
        ("moe", "mixture of experts, whatever is known"),
    ):
        some = [line for line in left_out() if kind == (line["kind"] if line["moe"] == "dense" else "moe")]
        low, high = ratios(kind, float(kind == "moe"))
        inside = sum(low <= 1.0 / (1.0 + _off(line)) <= high for line in some) / len(some)
        rows.append((words, f"{low:.3f} to {high:.3f}", str(len(some)), percent(inside)))
    return [
        "## Intervals",
        "",
        prose("""The 80 % interval of a prediction is the prediction times the ratios of its kind
        (`specs/serving_intervals.toml`): the spread of rows left out of the fit, sources weighed, so that the share of
        rows inside differs from 80 %."""),
        "",
        table(("kind", "measured / predicted", "rows", "inside, %"), rows),
        "",
    ]


def _constants() -> list[str]:
    rows = []
    neutral = engines.neutral()
    for engine_id in engines.ids():
        used = engines.load(engine_id)
        own = engines.load(engine_id, "neutral").constants
        for name in used.document.get("free", ()):
            fit = used.document["fit"]
            rows.append((used.name, f"`{name}`", f"{own[name]:.3g}", f"{used.constants[name]:.3f}", str(fit["rows"])))
    return [
        "## Fitted constants",
        "",
        prose(f"""{len(rows)} numbers are free, three at most of an engine, each pulled to the neutral value
        ({", ".join(f"`{name}` {value:g}" for name, value in neutral.items())}). The shares of peak that chips reach are
        those of training and kernels; none is fitted here. Set by hand with the rows in view: everything under
        `[structure]` of `specs/engines`, and in `perfcore/formulas/serving_layer.py` the rates of attention of single
        queries."""),
        "",
        table(("engine", "constant", "neutral", "fitted", "rows"), rows),
        "",
    ]


def _misses() -> list[str]:
    rows = [
        (case.row_id, case.model, f"{case.question.chips} x {case.chip}", case.way, signed(line["error"]))
        for _, case, line in counted()
        if abs(line["error"]) > 0.20
    ]
    return [
        "## Misses",
        "",
        prose(f"""The {len(rows)} counted rows more than 20 % off although the constants were fitted to them. The GB200
        rows of Qwen3 30B are slower as printed than those of the B200, the same silicon, by up to 1.7 times;
        Inferentia2
        rows 23 and 36 to 39 print a throughput that their own latencies contradict; what limits the rest is not
        known."""),
        "",
        table(("row", "model", "chips", "phase", "error"), rows),
        "",
    ]


def _rows() -> list[str]:
    parts = ["## Every row", "", "Measured and predicted in seconds, or in tokens a second.", ""]
    by_source: dict[str, list[tuple[Row, Case, dict[str, Any]]]] = defaultdict(list)
    for run in runs():
        by_source[run[1].source].append(run)
    head = ("row", "model", "chips", "precision", "load", "measured", "predicted", "error", "where it is printed")
    for source, some in sorted(by_source.items()):
        whole = errors(line["error"] for _, _, line in some)
        parts += [f"<details><summary>{source}: {whole.n} rows, mean {percent(whole.mean)} %</summary>", ""]
        parts += [table(head, [_cells(*run) for run in some]), "", "</details>", ""]
    return [*parts, *_not_predicted()]


def _cells(row: Row, case: Case, line: dict[str, Any]) -> tuple[str, ...]:
    asked = case.question
    load = f"{case.way}, {asked.sequences:.6g} x {asked.prompt:.0f}/{asked.output:.0f}"
    chips = f"{asked.chips} x {case.chip}"
    figures = (f"{line['measured']:.4g}", f"{line['predicted']:.4g}", signed(line["error"]))
    return case.row_id, case.model, chips, asked.setting.precision.name, load, *figures, row.text("source_ref")


def _not_predicted() -> list[str]:
    skipped: Iterable[dict[str, Any]] = [line for line in _lines() if line["skipped"]]
    return ["Not predicted:", "", *(f"- {line['row_id']}: {line['skipped']}" for line in skipped)]
