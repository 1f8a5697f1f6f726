"""``perfcore validate``."""

from typing import Any

import click

from perfcore.cells import Row
from perfcore.cli.common import print_json
from perfcore.display import text_table

EPILOG = """\b
Examples:
  perfcore validate
  perfcore validate my_runs.csv
  perfcore validate my_runs.csv --neutral --json
"""


@click.command("validate", epilog=EPILOG)
@click.argument("table", metavar="[FILE.csv]", required=False, type=click.Path(dir_okay=False))
@click.option("--neutral", is_flag=True, help="Efficiencies from kernels alone, none fitted to a step time.")
@click.option("--key-rows", is_flag=True, help="Only rows of repro_level A with key_row 1.")
@click.option("--rows", "show_rows", is_flag=True, help="Print every row.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(table: str | None, neutral: bool, key_rows: bool, show_rows: bool, as_json: bool) -> None:
    """Predict every row of a table of training measurements and report the error.

    Without a table, the published runs that perfcore carries (specs/measurements).

    The error is of time: predicted / measured - 1. Beside it stands what one constant efficiency for each chip and
    precision would give. Columns: docs/training.md.
    """
    from perfcore.validation import validate

    found = validate(table, mode="neutral" if neutral else "fitted", keep=_is_key if key_rows else None)
    if as_json:
        print_json(found.to_dict())
        return
    click.echo("\n".join(_lines(found.summary, found.rows, show_rows)))


def _is_key(row: Row) -> bool:
    return row.text("repro_level") == "A" and row.text("key_row") == "1"


def _lines(summary: dict[str, Any], rows: list[dict[str, Any]], show_rows: bool) -> list[str]:
    lines = []
    if show_rows:
        lines += [_row_table(rows), ""]
    for name in ("by_source", "by_chip", "by_precision", "by_kind"):
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
