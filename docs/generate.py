"""Write the pages that follow from code and specs: ``python docs/generate.py``. A test says when they are stale."""

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from types import ModuleType

import click

from perfcore import chips, evidence, models, rules, systems
from perfcore.aloud import read_aloud
from perfcore.cli import COMMANDS
from perfcore.design import design_space
from perfcore.display import number
from perfcore.formulas import transformer
from perfcore.items import Item
from perfcore.plots import inline_roofline
from perfcore.plots.regions import inline_regions
from perfcore.quantity import plain
from perfcore.readings import metrics_of
from perfcore.regions import density
from perfcore.rooflines import roofline
from perfcore.speed_terms import MODEL_KEYS
from perfcore.terms import FACTS, KEYS, WEAK_MARKS, weakest
from perfcore.verdict import METRICS, check

HERE = Path(__file__).parent
SHORT = {"controlled": "controlled", "not_controlled": "no", "excluded": "excluded", "undetermined": "open"}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def command_page() -> str:
    """Return what each command takes, in a layout of our own: that of click may change with click."""
    parts = ["# Commands", "", "Written by `docs/generate.py`; `perfcore COMMAND --help` says the same."]
    for name in COMMANDS:
        command = import_module(f"perfcore.cli.{name}").command
        usage = " ".join(p.metavar or "" for p in command.params if isinstance(p, click.Argument))
        parts += ["", f"## perfcore {name} {usage}", "", cleandoc(command.help or ""), ""]
        options = [p for p in command.params if isinstance(p, click.Option)]
        parts.append(table(["option", "does"], [[f"`{_spelt(o)}`", o.help or ""] for o in options]))
        parts += ["", "```text", (command.epilog or "").replace("\b\n", "").strip(), "```"]
    return "\n".join(parts) + "\n"


def _spelt(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or '|'.join(getattr(option.type, 'choices', ()))}"
    return f"{option.opts[0]}{value}"


def terms_page() -> str:
    """Return the vocabulary."""
    parts = [
        "# Terms",
        "",
        "Written by `docs/generate.py` from `perfcore/terms.py`. One name is a formula's argument, a",
    ]
    parts += ["key of a spec file, a column, and a JSON key.", "", "## What a rule may test", ""]
    parts.append(table(["name", "unit", "meaning"], [[f"`{n}`", t.unit, t.meaning] for n, t in FACTS.items()]))
    parts += ["", "## The other words", ""]
    parts.append(table(["name", "unit", "meaning"], [[f"`{n}`", t.unit, t.meaning] for n, t in KEYS.items()]))
    parts += ["", "## The shape of a language model", ""]
    parts.append(table(["name", "unit", "meaning"], [[f"`{n}`", t.unit, t.meaning] for n, t in MODEL_KEYS.items()]))
    return "\n".join(parts) + "\n"


def rules_page() -> str:
    """Return every rule with its versions."""
    parts = ["# Rules", "", "Written by `docs/generate.py` from `specs/rules/`; `perfcore rules ID` shows all of one."]
    for rule in rules.shipped():
        parts += ["", f"## {rule.name} (`{rule.id}`)", "", f"{rule.authority}; {rule.layer.replace('_', ' ')}."]
        for version in rule.versions:
            cited = f"{version.source['title']}, {version.source['locator']} [{version.source['certainty']}]"
            since = "Proposed" if rule.layer == "proposal" else f"From **{version.effective}**"
            parts += ["", f"{since} ({version.status}): {version.summary} {cited}", ""]
            parts += [f"- {paragraph.id}: {read_aloud(paragraph)}" for paragraph in version.paragraphs]
    return "\n".join(parts) + "\n"


def catalogue_page() -> str:
    """Return the vintage matrix, what rests on weak marks, and the conflicts that were decided."""
    items = [chips.load(item_id) for item_id in chips.ids()]
    memory = [chips.load(item_id) for item_id in chips.ids("memory")]
    parts = ["# Catalogue", "", "Written by `docs/generate.py` from `specs/`; `perfcore chips ID` shows every source."]
    parts += ["", f"{len(items)} chips and {len(memory)} memory parts.", "", "## Vintage matrix: chip by rule date", ""]
    parts += [
        "`open` says that inputs are unknown or disagree; `no` that no paragraph of ECCN 3A090 is met, which is not"
    ]
    parts += [
        "the same as no licence needed.",
        "",
        _matrix([*items, *memory]),
        "",
        "## Metrics and what they rest on",
        "",
    ]
    parts += [_metrics(items), "", "## Conflicts that were decided", "", _conflicts(items)]
    parts += [
        "",
        "## Systems",
        "",
        "Bandwidths are of one chip in one direction; `*` marks what the file leaves open.",
        "",
    ]
    parts.append(_systems())
    parts += ["", "## Language models", "", "Parameters computed from the shape, beside those published [10^9].", ""]
    parts.append(_models())
    return "\n".join(parts) + "\n"


def _matrix(items: list[Item]) -> str:
    days = [str(version.effective) for version in rules.load(rules.THE_RULE).versions]
    rows = []
    for item in items:
        verdicts = [check(item, on=day) for day in days]
        rows.append([f"`{item.id}`", *(_cell(v.status, v.paragraphs) for v in verdicts)])
    return table(["chip", *days], rows)


def _cell(status: str, paragraphs: tuple[str, ...]) -> str:
    met = ", ".join(paragraph.removeprefix("3A090") for paragraph in paragraphs)
    return f"{SHORT[status]} {met}".strip()


def _metrics(items: list[Item]) -> str:
    rows = []
    for item in items:
        values = metrics_of(item)
        cells = []
        for name in METRICS:
            value = plain(density(values) if name == "performance_density" else values[name])
            support = evidence.support(item, name)
            weak = f" [{support.mark}]" if support and support.mark in WEAK_MARKS and value is not None else ""
            cells.append(number(value, 5) + weak)
        marks = [entry["mark"] for entry in item.document["evidence"]]
        rows.append([f"`{item.id}`", *cells, weakest(marks)])
    return table(["chip", "TPP", "density", "area mm2", "I/O GB/s", "DRAM GB/s", "weakest mark in the file"], rows)


def _models() -> str:
    rows = []
    for model in map(models.load, models.ids()):
        record, document = model.record, model.document
        counts = (transformer.parameters(record), transformer.active_parameters(record))
        shape = (record.layers, record.hidden, record.heads, record.kv_heads, record.vocab)
        said = " ".join(str(document.get(key, "")) for key in ("parameters_billion", "active_parameters_billion"))
        marks = weakest([entry["mark"] for entry in document["evidence"]])
        seq = "" if model.seq is None else number(model.seq)
        cells = [*(number(count / 1e9, 5) for count in counts), said.strip().replace(" ", ", "), *map(number, shape)]
        rows.append([f"`{model.id}`", *cells, seq, marks])
    head = ["model", "parameters", "active", "published", "layers", "hidden", "heads", "KV heads", "vocabulary"]
    return table([*head, "training sequence", "weakest mark in the file"], rows)


def _conflicts(items: list[Item]) -> str:
    rows = []
    for item in items:
        for conflict in item.document.get("conflict", ()):
            if "decision" in conflict:
                others = ", ".join(str(plain_value(other["value"])) for other in conflict["others"])
                rows.append([f"`{item.id}`", f"`{conflict['key']}`", others, conflict["decision"]])
    return table(["chip", "value", "chosen over", "decision"], rows)


def _systems() -> str:
    rows = []
    for system in map(systems.load, systems.ids()):
        document = system.document
        open_mark = "" if "scale_out" in document else " *"
        counts = [str(system.chips_per_node), str(system.domain_chips)]
        rates = [number(system.scale_up_bytes_s / 1e9), number(system.scale_out_bytes_s / 1e9) + open_mark]
        mark = weakest([entry["mark"] for entry in document["evidence"]])
        chips_of = ", ".join(f"`{chip_id}`" for chip_id in document.get("default_for", ()))
        rows.append([f"`{system.id}`", *counts, *rates, chips_of, mark])
    head = ["system", "a server", "a domain", "GB/s within", "GB/s between", "taken for", "weakest mark in the file"]
    return table(head, rows)


def plain_value(value: object) -> object:
    """Show an interval of a conflict as low to high."""
    return f"{value['low']} to {value['high']}" if isinstance(value, dict) else value


def _beside(name: str) -> ModuleType:
    """Return a module of this folder, however this file was loaded."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return import_module(name)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": command_page,
    "terms.md": terms_page,
    "rules.md": rules_page,
    "catalogue.md": catalogue_page,
    "claims.md": lambda: _beside("claims_page").page(),
    "validation.md": lambda: _beside("validation_page").page(),
    "serving_validation.md": lambda: _beside("serving_page").page(),
    "kernels.md": lambda: _beside("kernels_page").page(),
    "silicon.md": lambda: _beside("silicon_page").page(),
    "validation.svg": lambda: _beside("validation_plot").picture(),
    "design.svg": lambda: inline_regions(design_space("2024-01-01", objective="prefill")),
    "gallery/our_design.svg": lambda: _beside("gallery_pictures").our_design(),
    "gallery/a_bill.svg": lambda: _beside("gallery_pictures").a_bill(),
    "gallery/h20.svg": lambda: inline_roofline(roofline("h100", "h20", model="llama3_70b", batch=8)),
    "roofline.svg": lambda: inline_roofline(roofline("a100", "a800", "h800", "h20", "h200")),
}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (HERE / page).write_text(write(), encoding="utf-8")
