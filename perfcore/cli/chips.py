"""``perfcore chips``."""

from typing import Any

import click

from perfcore import chips as catalogue
from perfcore import evidence
from perfcore.cli.cited import cited_lines, cited_values
from perfcore.cli.common import complete_chip, print_json, styled
from perfcore.display import number, text_table
from perfcore.items import Item
from perfcore.quantity import interval_of, plain
from perfcore.readings import metrics_of
from perfcore.regions import DENSITY, density
from perfcore.terms import TERMS, weakest
from perfcore.verdict import METRICS, OF_KIND

EPILOG = """\b
Examples:
  perfcore chips
  perfcore chips h800
  perfcore chips hbm3 --json
"""


@click.command("chips", epilog=EPILOG)
@click.argument("name", metavar="[ID]", required=False, shell_complete=complete_chip)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: str | None, as_json: bool) -> None:
    """List the chips and memory parts of the catalogue, or show one: every number, its source, how sure it is."""
    if name:
        item = catalogue.load(name)
        if as_json:
            print_json(as_document(item))
        else:
            click.echo("\n".join(lines_of(item)))
        return
    items = [catalogue.load(item_id) for kind in catalogue.FOLDERS for item_id in catalogue.ids(kind)]
    if as_json:
        print_json({"chips": [_summary(item) for item in items]})
        return
    click.echo(_chip_table([item for item in items if item.kind == "chip"]))
    click.echo()
    click.echo(_memory_table([item for item in items if item.kind == "memory"]))
    click.echo()
    click.echo(_other_table([item for item in items if item.kind not in ("chip", "memory")]))


def _metrics(item: Item) -> dict[str, Any]:
    if item.kind == "part":
        return {}  # export rules speak of whole packages
    values = metrics_of(item)
    if item.kind in OF_KIND:
        return {name: plain(values[name]) for name in OF_KIND[item.kind] if name in item.document}
    shown = {name: plain(density(values) if name == DENSITY else values[name]) for name in METRICS}
    if item.kind == "memory":
        name = "hbm_bandwidth_density_gb_s_mm2"
        return {name: plain(values[name]), "dram_bandwidth_gb_s": shown["dram_bandwidth_gb_s"]}
    return shown


def _summary(item: Item) -> dict[str, Any]:
    marks = {name: s.mark for name in _metrics(item) if (s := evidence.support(item, name)) is not None}
    return {
        "id": item.id,
        "kind": item.kind,
        "name": item.name,
        "vendor": item.document.get("vendor"),
        "aliases": list(item.document.get("aliases", ())),
        "datacenter": item.facts.get("datacenter"),
        "metrics": _metrics(item),
        "marks": marks,
    }


def as_document(item: Item) -> dict[str, Any]:
    """Return the JSON of one entry: its metrics, and every value with its source and its rivals."""
    return {
        **_summary(item),
        **cited_values(item, evidence.leaves(item.document)),
    }


def lines_of(item: Item) -> list[str]:
    """Return an entry of the catalogue in lines."""
    document = as_document(item)
    lines = [
        styled(item.name, bold=True),
        f"  id: {item.id}",
        f"  also found as: {', '.join(document['aliases'])}",
    ]
    lines += [
        f"  {TERMS[name].label}: {number(value)} {TERMS[name].unit}" for name, value in document["metrics"].items()
    ]
    return lines + cited_lines(document)


def _chip_table(items: list[Item]) -> str:
    head = ("id", "TPP", "density", "area mm2", "I/O GB/s", "DRAM GB/s", "datacenter", "weakest mark")
    rows = []
    for item in items:
        summary = _summary(item)
        marks = list(summary["marks"].values())
        datacenter = {True: "yes", False: "no", None: "unknown"}[summary["datacenter"]]
        numbers = [number(summary["metrics"][name], 4 if name == DENSITY else 6) for name in METRICS]
        rows.append((item.id, *numbers, datacenter, weakest(marks) if marks else ""))
    return text_table(head, rows, right=[1, 2, 3, 4, 5])


def _other_table(items: list[Item]) -> str:
    rows = []
    for item in items:
        stated = [f"{TERMS[name].label} {number(value)}" for name, value in _metrics(item).items()]
        rows.append((item.id, item.kind, "; ".join([*stated, *_network(item), *_share(item)])))
    return text_table(("system, process or part", "kind", "states"), rows)


def _network(item: Item) -> list[str]:
    """Say what joins the chips of a system: how many, and the rate of one chip in one direction."""
    up, out = item.document.get("scale_up", {}), item.document.get("scale_out", {})
    said = [f"{up['domain_chips']} chips"] if "domain_chips" in up else []
    for table in (up, out):
        if "per_direction_gb_s" in table:
            rate = number(plain(interval_of(table["per_direction_gb_s"])))
            said.append(f"{table.get('name', 'links')} {rate} GB/s each way")
    return [", ".join(said)] if said else []


def _share(item: Item) -> list[str]:
    document = item.document
    return (
        [f"one of {document.get('parts', 'several')} parts of {document['part_of']}"] if "part_of" in document else []
    )


def _memory_table(items: list[Item]) -> str:
    rows = []
    for item in items:
        summary = _summary(item)
        values = summary["metrics"]
        bandwidth, density = values["dram_bandwidth_gb_s"], values["hbm_bandwidth_density_gb_s_mm2"]
        rows.append((item.id, number(bandwidth), number(density, 3), weakest(list(summary["marks"].values()))))
    return text_table(("memory part", "GB/s", "GB/s/mm2", "weakest mark"), rows, right=[1, 2])
