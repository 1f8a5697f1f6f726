"""Write ``docs/kernels.md``: what predictions of single kernels are worth, by source, chip and category."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kernels_known import CAUSES, COLUMNS, HOW
from validation_rows import errors, percent, signed
from validation_text import prose, table

from perfcore.cells import Row
from perfcore.formulas.gemm import few_rows_flop, gemm_bytes, gemm_time_s, soft_max
from perfcore.formulas.tiles import STREAM_SHARE
from perfcore.kernel_beds import bed, format_of
from perfcore.validation import Validation, published, validate

ROWS_OF_M = ((4, "1 to 4"), (16, "5 to 16"), (64, "17 to 64"), (512, "65 to 512"), (10**9, "513 and more"))
WORST = 3


@dataclass(frozen=True)
class Kernel:
    """A row that was predicted."""

    row: Row
    error: float
    constant: float
    measured: float
    predicted: float
    quantity: str
    inside: bool


@cache
def validation() -> Validation:
    """Return the predictions of the published kernels."""
    return validate(kind="kernels")


@cache
def kernels() -> tuple[Kernel, ...]:
    """Return the rows that were predicted."""
    found = []
    for row, one in zip(published("kernels"), validation().rows, strict=True):
        if not one["skipped"]:
            low, high = one["predicted_interval"]
            numbers = (one["error"], one["baseline_error"], one["measured"], one["predicted"])
            found.append(Kernel(row, *numbers, one["quantity"], low <= one["measured"] <= high))
    return tuple(found)


def page() -> str:
    """Return the page."""
    sections: tuple[Callable[[], list[str]], ...] = (_what, _columns, _groups, _products, _misses, _skipped)
    return "\n".join(line for section in sections for line in section()) + "\n"


def _what() -> list[str]:
    every = kernels()
    whole, constant = errors(one.error for one in every), errors(one.constant for one in every)
    sources = len({one.row.text("source_id") for one in every})
    inside = sum(one.inside for one in every) / len(every)
    return [
        "# Single kernels",
        "",
        prose(f"""Written by `python docs/generate.py`. `perfcore validate TABLE.csv` predicts tables of single kernels
        too; `perfcore validate --published kernels` predicts the {len(published("kernels"))} measurements of
        `specs/measurements/kernels`, each with the place where it is printed. {len(every)} of {sources} sources are
        predicted: mean error {percent(whole.mean)} %, median {percent(whole.median)} %, bias {signed(whole.bias)} %;
        {percent(inside)} % of them lie inside the 80 % interval. Errors are of time: predicted over measured, less 1;
        minus is predicted too fast. Every row counts once, so InferSim's 1,695 kernels of the H20 weigh most."""),
        "",
        prose(f"""*Constant efficiency* is the baseline: one share of the datasheet roofline (the larger of FLOP over
        the peak and bytes over the bandwidth; of collectives, bytes over the link) for a chip, category and format, the
        median over the other sources, or, where there are none, over its own rows, which favours it. It is off by
        {percent(constant.mean)} % in the mean and {percent(constant.median)} % in the median; of a single row it is
        right by construction."""),
        "",
        "## How a kernel is predicted",
        "",
        table(("`category`", "time"), HOW),
        "",
        prose("""All shares of datasheet rates are the neutral ones of `specs/efficiency`, with `--neutral` or without:
        those fitted to training steps hold what a whole step loses beside its kernels. They come from some of these
        same rows (`benchmarks/kernel_calibration.py`): of InferSim, Vidur, LLMCompass, DeepEP, gpt-fast and the tables
        of S. Bekman, so of those this page says how well a few numbers describe many rows, not what to expect of a new
        source. The constants of decode attention rest on InferSim's H20 alone. Widths of intervals: that of the share,
        that of the start, and 10 % for the shape, as if independent."""),
        "",
    ]


def _columns() -> list[str]:
    words = """A CSV table with a header, a kernel a row; `chip`, `category` and `op` must be columns. Others may be
    missing, an empty cell is a missing one, columns not listed here are ignored. A row that cannot be predicted is
    skipped with the reason."""
    return ["## Columns", "", prose(words), "", table(("column", "meaning", "where missing"), COLUMNS), ""]


HEAD = ("rows", "mean", "median", "max", "bias", "inside interval, %", "constant efficiency, mean")


def _cells(some: Iterable[Kernel]) -> tuple[str, ...]:
    rows = list(some)
    off, constant = errors(one.error for one in rows), errors(one.constant for one in rows)
    inside = sum(one.inside for one in rows) / len(rows)
    figures = [percent(value) for value in (off.mean, off.median, off.max)]
    return str(off.n), *figures, signed(off.bias), f"{inside * 100:.0f}", percent(constant.mean)


def _grouped(key: Callable[[Kernel], tuple[str, ...]]) -> list[tuple[str, ...]]:
    found: dict[tuple[str, ...], list[Kernel]] = defaultdict(list)
    for one in kernels():
        found[key(one)].append(one)
    return [(*names, *_cells(found[names])) for names in sorted(found)]


def _groups() -> list[str]:
    lines = []
    for title, columns in (
        ("By category", ("category",)),
        ("By source, chip and category", ("source_id", "chip", "category")),
        ("By format", ("dtype",)),
    ):
        rows = _grouped(lambda one, columns=columns: tuple(one.row.text(name) or "not given" for name in columns))
        heads = [name.removesuffix("_id") for name in columns]
        lines += [f"## {title}", "", table((*heads, *HEAD), rows), ""]
    return lines


def _products() -> list[str]:
    """Compare three forms of the time of a plain product, by its rows."""
    cells: dict[tuple[str, int], list[tuple[float, float, float]]] = defaultdict(list)
    for one in kernels():
        row = one.row
        if row.text("category") == "gemm" and row.text("source_id") in ("vidur", "infersim"):
            chip = f"{row.text('source_id')}, {row.text('chip')}"
            size = next(i for i, (most, _) in enumerate(ROWS_OF_M) if row.needed("M") <= most)
            cells[chip, size].append((one.error, *_other_forms(row, one.measured / 1e6)))
    rows = []
    for chip, size in sorted(cells):
        forms = [errors(values) for values in zip(*cells[chip, size], strict=True)]
        figures = [f"{percent(form.mean)} ({signed(form.bias)})" for form in forms]
        rows.append((chip, ROWS_OF_M[size][1], str(forms[0].n), *figures))
    return [
        "## Products of few rows",
        "",
        prose("""Three forms of one product, with the same share of the peak: *fitted tiles* (`formulas/tiles.py`, used
        here), the four tiles of training (`gemm.gemm_time_s`), and those with tiles of 16, 32 and 64 rows and a vector
        kernel (`gemm.few_rows_flop`). Mean error, bias in brackets. What decides on the H20, whose peak is small beside
        its bandwidth, is that no tile has fewer than 64 rows and that its width fits the wave; on the others weights
        are read, and the share of the bandwidth decides. Products of 65 to 512 rows come out too fast on those: their
        library chooses among fewer tiles. The larger tables behind it:
        `benchmarks/kernel_calibration.py`."""),
        "",
        table(("source, chip", "rows M", "n", "fitted tiles", "tiles of training", "tiles of few rows"), rows),
        "",
    ]


def _other_forms(row: Row, measured_s: float) -> tuple[float, float]:
    """Return the errors of the two other forms."""
    on, form = bed(row.text("chip"), 1.0, 1.0), format_of(row.text("dtype"))
    m, n, k = (row.needed(name) for name in ("M", "N", "K"))
    machine, rate = on.machine, on.peak_flop_s(form) * on.product_share(form)[0]
    size, units = form.element_bytes, machine.multiprocessors
    training = gemm_time_s(m, n, k, 1.0, rate, size, machine.memory_bytes_s, units, machine.kernel_s)
    moved_s = gemm_bytes(m, n, k, 1.0, size) / (STREAM_SHARE * machine.memory_bytes_s)
    few = soft_max(few_rows_flop(m, n, k, 1.0, units) / rate, moved_s) + machine.kernel_s
    return training / measured_s - 1.0, few / measured_s - 1.0


def _misses() -> list[str]:
    by_category: dict[str, list[Kernel]] = defaultdict(list)
    for one in kernels():
        by_category[one.row.text("category")].append(one)
    rows = []
    for name in sorted(by_category):
        for one in sorted(by_category[name], key=lambda one: (-abs(one.error), one.row.text("row_id")))[:WORST]:
            row = one.row
            sides = " x ".join(filter(None, (row.text(column) for column in ("M", "N", "K"))))
            shape = sides or row.text("seq_or_kv") or row.text("message_bytes")
            numbers = (f"{one.measured:.4g}", f"{one.predicted:.4g}", signed(one.error))
            rows.append((name, row.text("row_id"), row.text("op"), shape, one.quantity, *numbers))
    head = ("category", "row", "op", "shape or size", "quantity", "measured", "predicted", "error, %")
    points = [prose(f"- {cause}") for cause in CAUSES]
    return ["## The worst rows", "", table(head, rows), "", "## What falls short", "", *points, ""]


def _skipped() -> list[str]:
    reasons = Counter((one["source"], one["skipped"]) for one in validation().rows if one["skipped"])
    rows: list[tuple[Any, ...]] = [(source, str(count), reason) for (source, reason), count in sorted(reasons.items())]
    return ["## Skipped", "", table(("source", "rows", "reason"), rows)]
