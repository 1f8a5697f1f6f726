"""The vintage matrix: chips by rule date, to be filtered by text and status."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache

from perfcore.display import number
from perfcore.markup import EMPTY, Html, el, scrolling, section
from perfcore.outcome import Outcome
from perfcore.quantity import Interval, plain
from perfcore.report.entries import STATUSES, Contested, Entry, versions
from perfcore.terms import FACTS
from perfcore.verdict import METRICS, NOTICE

__all__ = ["matrix_section", "status_words"]

HEADS = {
    "tpp": "TPP",
    "performance_density": "density",
    "applicable_die_area_mm2": "area [mm²]",
    "io_bandwidth_gb_s": "I/O [GB/s]",
    "dram_bandwidth_gb_s": "DRAM [GB/s]",
}


def matrix_section(entries: Sequence[Entry]) -> Html:
    """Return the section of the matrix with its filters."""
    intro = el(
        "p",
        "Every chip and memory part under every version of ECCN 3A090, by the day the version took effect. ",
        "A name leads to each number and its source. ",
        el("em", "Open"),
        " says that inputs are unknown or disagree, ",
        el("em", "excluded"),
        " that Note 2 takes the item out. Where a contested reading of the rule would give another answer, ⚑ ",
        el("em", "else"),
        " says it, and the numbers of the chip say which reading. ",
        NOTICE,
    )
    count = el("p", f"{len(entries)} shown", id="matrix-count", role="status", aria_live="polite", class_="js")
    return section("chips", "Chips by rule date", intro, _filters(), count, _table(entries))


def _filters() -> Html:
    days = [version.effective.isoformat() for version in versions()]
    statuses = [
        ("", "any status"),
        *((name, words) for name, (words, _) in STATUSES.items()),
        ("contested", "⚑ contested"),
    ]
    text = el("input", id="filter-text", type="search", placeholder="h20, amd, hbm3 …", autocomplete="off")
    status = el("select", *(el("option", words, value=name) for name, words in statuses), id="filter-status")
    on = el(
        "select",
        *(el("option", f"from {day}", value=at, selected=at == len(days) - 1) for at, day in enumerate(days)),
        id="filter-version",
    )
    labels = (("filter-text", "Name or vendor", text), ("filter-status", "Status", status))
    fields = [el("label", said, " ", field, for_=name) for name, said, field in labels]
    fields.append(el("label", "in the version ", on, for_="filter-version"))
    return el("form", *fields, class_="filters js", role="search", aria_label="Filter the table of chips", id="filters")


def _table(entries: Sequence[Entry]) -> Html:
    metrics = [
        el("th", HEADS[name], scope="col", class_="n", title=f"{FACTS[name].label} [{FACTS[name].unit}]")
        for name in METRICS
    ]
    days = [el("th", el("time", day), scope="col") for day in (v.effective.isoformat() for v in versions())]
    head = el("tr", el("th", "chip", scope="col"), *days, *metrics)
    caption = el("caption", "Status and paragraphs of ECCN 3A090 that are certainly met, by effective date")
    body = el("tbody", *map(_row, entries))
    return scrolling(el("table", caption, el("thead", head), body, id="matrix"), "Table of chips by rule date")


def _row(entry: Entry) -> Html:
    item = entry.item
    vendor = str(item.document.get("vendor", ""))
    own = el("span", " yours", class_="own") if entry.own else EMPTY
    name = el("th", el("a", item.name, href=f"#{entry.anchor}"), own, scope="row")
    is_memory = item.kind == "memory"
    cells = [el("td", _shown(entry, metric, is_memory), class_="n") for metric in METRICS]
    words = " ".join((item.id, item.name, vendor, *item.document.get("aliases", ()))).lower()
    states = " ".join(outcome.status for outcome in entry.outcomes)
    row = (name, *map(_answer, entry.outcomes, entry.contested), *cells)
    contested = "".join("1" if others else "0" for others in entry.contested)
    return el("tr", *row, data_words=words, data_states=states, data_contested=contested if "1" in contested else None)


def _answer(outcome: Outcome, contested: Sequence[Contested]) -> Html:
    """Return the cell of one version; answers of contested readings stand under it as words, without their colour."""
    others = " or ".join(dict.fromkeys(STATUSES[one.outcome.status][0] for one in contested))
    flag = el("small", el("span", "⚑", aria_hidden="true"), f" else {others}", class_="flag") if others else None
    return el("td", status_words(outcome), flag)


def _shown(entry: Entry, metric: str, is_memory: bool) -> str:
    if is_memory and metric != "dram_bandwidth_gb_s":
        return "-"
    if metric == "performance_density" and entry.value("applicable_die_area_mm2").high == 0:
        return "undefined"
    known = entry.value(metric)
    return "?" if known.is_unknown else number(plain(known), _digits(known, metric))


def _digits(known: Interval, metric: str) -> int:
    """Return how many digits show a number: four, or more where four would put it on a line that it is not on."""
    for digits in range(4, 16):
        ends = [(end, Decimal(f"{float(end):.{digits}g}")) for end in (known.low, known.high) if end is not None]
        if not any(Fraction(shown) in _lines(metric) and Fraction(shown) != end for end, shown in ends):
            return digits
    return 17


@cache
def _lines(metric: str) -> frozenset[Fraction]:
    """Return the thresholds of a metric under any version."""
    bounds = (bound.threshold for version in versions() for bound in version.tests.get(metric, ()))
    return frozenset(line for line in bounds if isinstance(line, Fraction))


def status_words(outcome: Outcome) -> Html:
    """Return a status with its sign, and the paragraphs that are met or open."""
    words, sign = STATUSES[outcome.status]
    met = ", ".join(paragraph.removeprefix("3A090") for paragraph in outcome.certain)
    maybe = ", ".join(p.removeprefix("3A090") + "?" for p in outcome.possible if p.startswith("3A090"))
    more = " ".join(filter(None, (met, maybe)))
    shown = el("b", el("span", sign, aria_hidden="true"), f" {words}")
    return el("span", shown, el("small", f" {more}") if more else None, class_=f"s {outcome.status}")
