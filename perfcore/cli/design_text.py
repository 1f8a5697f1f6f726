"""The answer of ``perfcore design`` in words."""

from typing import TYPE_CHECKING, Any

from perfcore.cli.common import styled
from perfcore.display import fields, number, percent, text_table

if TYPE_CHECKING:
    from perfcore.design import DesignSpace

NAMES = {
    "3A090.a": "controlled, 3A090.a",
    "3A090.b": "controlled, 3A090.b",
    "excluded": "excluded by a note",
    "not_controlled": "outside 3A090",
}
OBJECTIVES = {
    "decode": "time between tokens",
    "prefill": "time to first token",
    "request": "time of an answer",
    "training": "time of a training layer",
    "tpp": "TPP",
}
LEFT_OUT = {
    "too_large": "larger than the exposure fields",
    "no_core": "not one core below the TPP limit",
    "out_of_bounds": "outside the bounds given",
    "does_not_fit": "counted above, but too little memory for the model",
}
FRONT = 12  # designs of a front that are shown


def lines_of(found: "DesignSpace") -> list[str]:
    """Return the lines of an answer."""
    document = found.to_dict()
    a = found.ask
    field = f"{a.limits.reticles} x {a.limits.reticle_mm2:g} mm2"
    head = f"designs at {document['node']} with {a.kind.parts.of('hbm')['type']} in {field}, rules of {document['on']}"
    load = f"{a.task.model} on {a.task.tp} chips, batch {a.task.batch}, {a.task.input:,} in, {a.task.output:,} out"
    rate = f"{document['designs']:,} in {document['search_s']:.3g} s"
    near = f"{document['decided_exactly']:,} near a threshold, decided exactly"
    return [
        styled(head, bold=True),
        fields(
            [("objective", f"{OBJECTIVES[a.task.objective]}; {load}"), ("grid", f"{a.grid.name}: {rate}; {near}")], 12
        ),
        "",
        *_counts(document),
        "",
        *_best(found, document),
        "",
        *_margins(document),
        *_front(document),
        "highest TPP by logic area",
        text_table(("mm2", "outside 3A090", "at most 3A090.b"), _areas(document), right=[0, 1, 2], indent="  "),
        "",
        *_sweep(document),
        "assumed",
        *(f"  {sentence}" for sentence in found.assumptions),
        "",
        "Areas and times are of a model, fitted to one die; docs/design.md says what is left out. Not legal advice.",
    ]


def _counts(document: dict[str, Any]) -> list[str]:
    limits = document["by_tpp_limit"]
    head = ["designs", *("no TPP limit" if one["tpp_limit"] is None else f"< {one['tpp_limit']:g}" for one in limits)]
    rows = [
        [said, *(f"{one['counts'][region]:,}" for one in limits)]
        for region, said in NAMES.items()
        if region != "excluded" or document["counts"][region]
    ]
    rows += [
        [said, *(f"{one['left_out'][reason]:,}" for one in limits)]
        for reason, said in LEFT_OUT.items()
        if document["left_out"][reason]
    ]
    return [text_table([*head, "all"], [[*row, _all(row)] for row in rows], right=range(1, len(head) + 1))]


def _all(row: list[str]) -> str:
    return f"{sum(int(cell.replace(',', '')) for cell in row[1:]):,}"


def _best(found: "DesignSpace", document: dict[str, Any]) -> list[str]:
    columns = {NAMES[name]: one for name, one in document["best"].items()}
    columns["A100-like"] = document["reference"]
    if not document["best"]:
        return ["best: no design of the grid lies within the bounds and holds the model"]
    rows = [
        ("array", *(f"{c['array_rows']:g} x {c['array_columns']:g}" for c in columns.values())),
        ("lanes", *_each(columns, "lanes")),
        ("cores (and spare)", *(f"{c['cores']:,.0f} ({c['spare_cores']:g})" for c in columns.values())),
        ("clock, GHz", *_each(columns, "clock_ghz")),
        ("L1 of a core, kB", *_each(columns, "l1_kb")),
        ("L2, MB", *_each(columns, "l2_mb")),
        ("memory, GB/s", *_each(columns, "dram_bandwidth_gb_s")),
        ("links and PCIe, GB/s", *_each(columns, "io_bandwidth_gb_s")),
        ("TPP", *_each(columns, "tpp", 5)),
        ("logic area, mm2", *_each(columns, "applicable_die_area_mm2", 4)),
        ("performance density", *_each(columns, "performance_density")),
        ("good logic dies, USD", *_each(columns, "silicon_cost_usd", 3)),
        ("first token, ms", *(_ms(c["prefill_s"]) for c in columns.values())),
        ("each token, ms", *(_ms(c["decode_s"]) for c in columns.values())),
        ("training layer, ms", *(_ms(c["training_layer_s"]) for c in columns.values())),
        ("objective, change", *(percent(c["change"]) for c in columns.values())),
    ]
    return [text_table(("best", *columns), rows, right=range(1, len(columns) + 1))]


def _each(columns: dict[str, Any], key: str, digits: int = 6) -> list[str]:
    return [number(column[key], digits) for column in columns.values()]


def _ms(seconds: float) -> str:
    return number(1e3 * seconds, 4)


def _margins(document: dict[str, Any]) -> list[str]:
    one = document["best"].get("not_controlled")
    if one is None or not one["paragraphs"]:
        return []
    rows = [
        (
            paragraph["paragraph"],
            test["metric"],
            test["test"].replace("_", " "),
            number(test["threshold"]),
            _margin(test),
        )
        for paragraph in one["paragraphs"]
        for test in paragraph["tests"]
        if test["margin"] is not None
    ]
    said = "margins of the best design outside (a paragraph is met where all its lines are positive)"
    return [said, text_table(("paragraph", "metric", "is", "", "margin"), rows, right=[3, 4], indent="  "), ""]


def _margin(test: dict[str, Any]) -> str:
    return percent(test["margin"]) if isinstance(test["margin"], float | int) else ""


def _front(document: dict[str, Any]) -> list[str]:
    several = document["pareto"].get("not_controlled", [])
    if not several:
        return []
    step = max(1, -(-len(several) // FRONT))
    shown = [*several[::step], *([several[-1]] if (len(several) - 1) % step else [])]
    rows = [
        (
            number(one["applicable_die_area_mm2"], 4),
            number(one["tpp"], 5),
            _ms(one["prefill_s"]),
            _ms(one["decode_s"]),
            number(one["silicon_cost_usd"], 3),
            percent(one["change"]),
            _shape(one),
        )
        for one in shown
    ]
    head = ("mm2", "TPP", "first, ms", "each, ms", "USD", "change", "array x lanes x cores")
    count = f"{len(shown)} of {len(several)}" if len(shown) < len(several) else str(len(several))
    title = f"Pareto front of area and objective outside 3A090 ({count})"
    return [title, text_table(head, rows, right=range(6), indent="  "), ""]


def _shape(one: dict[str, Any]) -> str:
    cores = f"{one['array_rows']:g} x {one['lanes']:g} x {one['cores']:g}"
    caches = f"L1 {one['l1_kb']:g}, L2 {one['l2_mb']:g}"
    return f"{cores}, {caches}, {one['hbm_stacks']:g} stacks, {one['links']:g} links"


def _areas(document: dict[str, Any]) -> list[tuple[str, ...]]:
    keys = ("outside", "at_most_3A090.b")
    return [
        (number(row["area_mm2"]), *("no limit" if row[key] is None else f"{row[key]:,}" for key in keys))
        for row in document["regions_by_area"]
    ]


def _sweep(document: dict[str, Any]) -> list[str]:
    if not document["sweep"]:
        return []
    rows = []
    for one in document["sweep"]:
        best, counts = one["best"], one["counts"]
        found = ("-",) * 4
        if best is not None:
            found = (
                number(best["tpp"], 5),
                number(best["applicable_die_area_mm2"], 4),
                number(best["io_bandwidth_gb_s"]),
                percent(best["change"]),
            )
        rows.append((one["on"], *(f"{counts[name]:,}" for name in ("3A090.a", "3A090.b", "not_controlled")), *found))
    head = ("from", ".a", ".b", "outside", "best: TPP", "mm2", "I/O GB/s", "change")
    return ["by version of the rule", text_table(head, rows, right=range(1, 8), indent="  "), ""]
