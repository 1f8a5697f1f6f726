"""``perfcore validate``."""

from typing import Any

import click

from perfcore.cells import Row
from perfcore.cli.common import print_json
from perfcore.display import text_table
from perfcore.errors import PerfcoreError

EPILOG = """\b
Examples:
  perfcore validate
  perfcore validate my_runs.csv
  perfcore validate my_runs.csv --neutral --json
  perfcore validate --published kernels
"""
PUBLISHED = ("training", "inference", "kernels")


@click.command("validate", epilog=EPILOG)
@click.argument("table", metavar="[FILE.csv]", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--published", metavar="KIND", help=f"What perfcore carries: {', '.join(PUBLISHED)}; default {PUBLISHED[0]}."
)
@click.option("--neutral", is_flag=True, help="Efficiencies from kernels alone, none fitted to a step time.")
@click.option("--key-rows", is_flag=True, help="Only rows with key_row 1 (of training: of repro_level A too).")
@click.option("--rows", "show_rows", is_flag=True, help="Print every row.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    table: str | None, published: str | None, neutral: bool, key_rows: bool, show_rows: bool, as_json: bool
) -> None:
    """Predict every row of a table of measurements and report the error.

    A table of training runs, of inference or of kernels, told apart by its columns. Without a table, the published
    training runs that perfcore carries (specs/measurements).

    The error is of time: predicted / measured - 1. Beside it stands what one constant efficiency for each chip and
    precision would give. Columns: docs/training.md, docs/kernels.md.
    """
    from perfcore.validation import validate

    if table and published:
        raise PerfcoreError(f"--published {published}: a table is given too ({table}); give one of them")
    keep = _is_key if key_rows else None
    found = validate(table, kind=published or PUBLISHED[0], mode="neutral" if neutral else "fitted", keep=keep)
    if as_json:
        print_json(found.to_dict())
        return
    click.echo("\n".join(lines_of(found.summary, found.rows, show_rows)))


def _is_key(row: Row) -> bool:
    complete = row.text("repro_level") == "A" or "seq" not in row.cells  # only training tables have levels
    return complete and row.text("key_row") == "1"


def lines_of(summary: dict[str, Any], rows: list[dict[str, Any]], show_rows: bool = False) -> list[str]:
    """Return the errors by group in lines; on demand every row before them."""
    lines = []
    if show_rows:
        lines += [_row_table(rows), ""]
    for name in (key for key in summary if key.startswith("by_")):
        lines += [_group_table(name.removeprefix("by_"), summary[name]), ""]
    lines.append(_group_table("all", {"all rows": summary}))
    inside = summary["inside_interval"]
    if inside is not None:
        lines.append(f"{inside:.0%} of the rows lie inside the 80 % interval of their prediction")
    reasons: dict[str, int] = {}
    for row in rows:
        if row["skipped"]:
            reasons[row["skipped"]] = reasons.get(row["skipped"], 0) + 1
    if reasons:
        lines += ["", f"skipped: {summary['skipped']}"]
        lines += [f"  {count} x {reason}" for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1])]
    return lines


def _group_table(what: str, groups: dict[str, Any]) -> str:
    head = (what, "rows", "mean %", "median %", "max %", "bias %", "constant efficiency, mean %")
    body = []
    for name, one in groups.items():
        if one["n"]:
            numbers = (one["mean_abs"], one["median_abs"], one["max_abs"])
            signed = f"{one['bias'] * 100:+.1f}"
            cells = [f"{value * 100:.1f}" for value in numbers]
            body.append((name, str(one["n"]), *cells, signed, f"{one['baseline_mean_abs'] * 100:.1f}"))
    return text_table(head, body, right=[1, 2, 3, 4, 5, 6])


def _row_table(rows: list[dict[str, Any]]) -> str:
    head = ("row", "chip", "quantity", "measured", "predicted", "error %")
    body = [
        (
            row["row_id"],
            row["chip"],
            row["quantity"],
            f"{row['measured']:.4g}",
            f"{row['predicted']:.4g}",
            f"{row['error'] * 100:+.1f}",
        )
        for row in rows
        if not row["skipped"]
    ]
    return text_table(head, body, right=[3, 4, 5])
