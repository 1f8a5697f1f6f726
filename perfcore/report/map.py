"""TPP against area: the regions of a rule version, lines of the reticle, real chips, and the design of the form."""

import math
import re
from collections.abc import Iterable, Sequence

from perfcore import chips
from perfcore.display import number
from perfcore.markup import Html, details, el, join, scrolling, section, table
from perfcore.plots.labels import beside_mark
from perfcore.plots.shapes import Frame, Mark, Point
from perfcore.quantity import plain
from perfcore.reader import SPECS, read_toml
from perfcore.regions import AREA
from perfcore.report.chart import at, axes, clipped, legend, marks, picture, points, text
from perfcore.report.entries import STATUSES, Entry, middle, the_rule, versions
from perfcore.report.regions import Region, regions_of
from perfcore.report.rooms import Box, within
from perfcore.rules import Version

__all__ = ["map_parts", "map_section"]

WIDTH, HEIGHT = 960.0, 690.0
FRAME = Frame(84.0, 58.0, 850.0, 556.0, math.log10(130), math.log10(4000), math.log10(150), math.log10(200_000), "")
SHAPES = {"controlled": "square", "excluded": "diamond", "not_controlled": "circle", "undetermined": "triangle"}
# Chips that are named on the map, where there is room; the others say their name when pointed at.
NAMED = (
    *("h100 sxm", "h20", "a100 sxm 80gb", "h800 sxm", "a800 sxm", "b200", "b300", "mi300x", "mi308x", "rtx 4090"),
    *("rtx 4090 d", "rtx 5090 d v2", "l40s", "l20", "l4", "910b1", "910c", "v100 sxm2 32gb", "t4", "gaudi 3 oam"),
    *("mi355x", "mi250x", "tpu v5p", "tpu v7", "h200 sxm", "rtx 5090", "l2", "mlu370 x8", "rubin r200", "tpu v4"),
    *("p100 sxm2", "a16", "a30", "br100", "trainium 2"),
)


INTRO = (
    "Both axes are logarithmic, so that a performance density is a straight line. Regions are computed from the "
    "rule's own comparisons, for a chip designed or marketed for datacenters. Where dots lie over a region, a chip "
    "that is neither is taken out by Note 2. Lines through a sign span what its published numbers leave open."
)


def map_section(entries: Sequence[Entry]) -> Html:
    """Return the section with a map for each version of ECCN 3A090, and tables in their place."""
    return section("map", "TPP against area", *map_parts(entries))


def map_parts(entries: Sequence[Entry]) -> list[Html]:
    """Return the words, the choice of a version, and a map for each, of which a script shows one."""
    numbered = list(enumerate(versions()))
    options = (
        el("option", f"{_span(at_)} ({version.source['title']})", value=at_, selected=at_ == len(numbered) - 1)
        for at_, version in numbered
    )
    choice = el("label", "Rules in force ", el("select", *options, id="map-version"), for_="map-version", class_="js")
    maps = (_figure(entries, place, version) for place, version in numbered)
    return [el("p", INTRO), el("form", choice, class_="filters js"), *maps]


def _span(place: int) -> str:
    """Return from when to when a version is in force."""
    several = versions()
    until = f" to the day before {several[place + 1].effective}" if place + 1 < len(several) else ""
    return f"from {several[place].effective}{until}"


def _figure(entries: Sequence[Entry], place: int, version: Version) -> Html:
    regions = regions_of(version)
    shown = [entry for entry in entries if entry.item.kind == "chip" and _place(entry) is not None]
    caption = el("figcaption", f"{the_rule().name}, {_span(place)}: {version.summary}")
    fallback = details("The same in words", _region_table(regions), _undrawn(entries))
    return el(
        "figure",
        caption,
        scrolling(_drawn(shown, place, regions), f"Map of TPP against area, {_span(place)}"),
        fallback,
        class_="map",
        data_version=place,
        data_effective=version.effective.isoformat(),
    )


def _drawn(entries: Sequence[Entry], place: int, regions: Sequence[Region]) -> Html:
    title = f"TPP against applicable die area under ECCN 3A090, {_span(place)}"
    kinds = ", ".join(dict.fromkeys(region.words for region in regions))
    desc = f"{len(entries)} chips as signs over regions: {kinds}. The words below and the table of chips say the same."
    taken = [_box(_spot(entry)) for entry in entries]
    parts = [
        el("g", *(_polygon(region) for region in regions)),
        axes(FRAME, "applicable die area [mm²]", "total processing performance (TPP)"),
        *_reticles(),
        *_region_names(regions, taken),
        el("g", *(_chip(entry, place) for entry in entries)),
        el("g", *_names(entries, taken), class_="names"),
        _key(),
        _design_mark(),
    ]
    return picture(f"map-{place}", (WIDTH, HEIGHT), title, desc, parts, **_geometry())


def _geometry() -> dict[str, str]:
    """Return where a point of the plane stands, for the mark of the design that the script moves."""
    f = FRAME
    values = (f.left, f.width, f.x_low, f.x_high, f.top, f.height, f.y_low, f.y_high)
    return {"data_frame": " ".join(f"{value:.6g}" for value in values)}


def _corners(region: Region) -> list[Point]:
    """Return a region in pixels: a band of TPP between two slopes, far beyond the axes where it has no end."""
    low, high = (math.log10(v) if v else beyond for v, beyond in zip(region.tpp, (-4.0, 9.0), strict=True))
    thin, dense = (math.log10(v) if v else beyond for v, beyond in zip(region.density, (-9.0, 9.0), strict=True))
    plane = ((low - dense, low), (low - thin, low), (high - thin, high), (high - dense, high))
    return clipped([FRAME.place(10.0**x, 10.0**y) for x, y in plane], FRAME)


def _polygon(region: Region) -> Html:
    corners = _corners(region)
    if len(corners) < 3:
        return Html("")
    drawn = el("polygon", points=points(corners), class_=f"r-{region.kind}")
    dots = el("polygon", points=points(corners), class_="r-note") if region.only_datacenter else None
    return join((drawn, dots))


def _region_names(regions: Sequence[Region], taken: list[Box]) -> Iterable[Html]:
    """Write what is met where there is room for it; regions that are free of control share a label, the largest's."""
    free = [region for region in regions if region.kind == "none"]
    largest = max(free, key=lambda region: _size(_corners(region)), default=None)
    for region in regions:
        if region.kind != "none" or region is largest:
            label = within(region.words, _corners(region), taken, 11.5)
            if label:
                yield text(label.x, label.y, label.text, "region")


def _size(corners: Sequence[Point]) -> float:
    """Return the area of a polygon."""
    pairs = zip(corners, [*corners[1:], *corners[:1]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


def _place(entry: Entry) -> tuple[float, float] | None:
    """Return area and TPP of a chip that can be drawn."""
    area, tpp = middle(entry.value(AREA)), middle(entry.value("tpp"))
    if area is None or tpp is None:
        return None
    inside = FRAME.x_low <= math.log10(area) <= FRAME.x_high and FRAME.y_low <= math.log10(tpp) <= FRAME.y_high
    return (area, tpp) if inside else None


def _box(spot: Point) -> Box:
    """Return the box of a sign."""
    x, y = spot
    return [(x - 4, y - 4), (x + 4, y - 4), (x + 4, y + 4), (x - 4, y + 4)]


def _spot(entry: Entry) -> Point:
    area, tpp = _place(entry) or (1.0, 1.0)
    return FRAME.place(area, tpp)


def _chip(entry: Entry, place: int) -> Html:
    """Return the sign of a chip, with what an interval leaves open, which leads to its numbers."""
    status = entry.outcomes[place].status
    x, y = _spot(entry)
    said = f"{entry.item.name}: {STATUSES[status][0]}; TPP {_said(entry, 'tpp')}, area {_said(entry, AREA)} mm²"
    drawn = [el("title", said), _whisker(entry, x, y), marks([(x, y)], SHAPES[status], f"m {status}")]
    return el("a", *drawn, href=f"#{entry.anchor}", tabindex="-1", class_="own" if entry.own else None)


def _said(entry: Entry, metric: str) -> str:
    return number(plain(entry.value(metric)), 5)


def _whisker(entry: Entry, x: float, y: float) -> Html | None:
    """Return lines over the intervals of a chip's numbers."""
    drawn = ""
    area, tpp = entry.value(AREA), entry.value("tpp")
    if not area.is_point and area.high is not None:
        ends = [FRAME.place(float(end), 10.0**FRAME.y_low)[0] for end in (area.low, area.high)]
        drawn += f"M{at(max(ends[0], FRAME.left))} {at(y)}H{at(min(ends[1], FRAME.right))}"
    if not tpp.is_point and tpp.high is not None:
        ends = [FRAME.place(10.0**FRAME.x_low, float(end))[1] for end in (tpp.low, tpp.high)]
        drawn += f"M{at(x)} {at(min(ends[0], FRAME.bottom))}V{at(max(ends[1], FRAME.top))}"
    return el("path", d=drawn, class_="whisker") if drawn else None


def _names(entries: Sequence[Entry], taken: list[Box]) -> Iterable[Html]:
    """Write the names of known chips, and of the user's own, beside their signs, where there is room."""
    by_id = {entry.item.id: entry for entry in entries if not entry.own}
    named = [entry for entry in entries if entry.own]
    named += [by_id[found] for name in NAMED if (found := _found(name)) in by_id]
    for spot, words in _together(named):
        label = beside_mark(words, Mark(*spot, "circle", "", 3.5), "", FRAME, taken, [], 11.0)
        if label:
            yield text(label.x, label.y, label.text)


def _found(name: str) -> str | None:
    try:
        return chips.find(name, "chip")
    except ValueError:
        return None


def _together(named: Sequence[Entry]) -> list[tuple[Point, str]]:
    """Return one label for chips that stand on one spot."""
    found: list[tuple[Point, list[str]]] = []
    for entry in named:
        spot, short = _spot(entry), _short(entry)
        near = [names for other, names in found if math.dist(other, spot) < 5.0]
        if near:
            near[0].append(short)
        else:
            found.append((spot, [short]))
    return [(spot, ", ".join(dict.fromkeys(names))) for spot, names in found]


def _short(entry: Entry) -> str:
    """Return a name without vendor, form and capacity."""
    if entry.own:
        return entry.item.name[:24]
    words = entry.item.name.partition(" ")[2] or entry.item.name
    words = words.partition(",")[0].partition(" (")[0]
    return re.sub(r" (SXM\d?|OAM|PCIe|APU|Superchip)\b|(Instinct|GeForce) |( \d+)? GB.*", "", words)


def _reticles() -> Iterable[Html]:
    """Draw one, two and four fields of a scanner, where a process of the catalogue gives the field."""
    field = _reticle()
    for count in (1, 2, 4) if field else ():
        x = FRAME.place(count * field[0], 10.0**FRAME.y_low)[0] if field else 0.0
        if x < FRAME.right:
            said = "1 reticle" if count == 1 else f"{count} reticles"
            yield el("path", d=f"M{at(x)} {at(FRAME.top)}V{at(FRAME.bottom)}", class_="reticle")
            yield text(x, FRAME.top - 9, said, "tick")


def _reticle() -> tuple[float, str] | None:
    """Return the largest field that a process gives [mm2], and where it stands."""
    for item_id in chips.ids("process"):
        document = read_toml(SPECS / "processes" / f"{item_id}.toml")
        if "reticle_mm2" in document:
            return float(document["reticle_mm2"]), item_id
    return None


def _key() -> Html:
    signs = [(SHAPES[status], f"m {status}", words) for status, (words, _) in STATUSES.items()]
    return legend(signs, FRAME.left, FRAME.top - 38, FRAME.width)


def _design_mark() -> Html:
    """Return the mark of the design of the form; the script of ``perfcore serve`` moves it."""
    cross = el("path", d="M-13 0H-5M5 0H13M0-13V-5M0 5V13M-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0")
    return el("g", cross, text(0, -22, "your design", "bold"), class_="design", hidden=True)


def _region_table(regions: Sequence[Region]) -> Html:
    rows = [
        (_ends(r.tpp), _ends(r.density), _status(r), "not controlled" if r.only_datacenter else "the same")
        for r in regions
    ]
    head = ("TPP", "performance density", "a chip for datacenters", "one that is not for datacenters")
    return table("Regions of the map", head, rows)


def _status(region: Region) -> str:
    return region.words if region.kind in ("none", "open") else f"controlled: {region.words}"


def _ends(ends: tuple[float, float | None]) -> str:
    low, high = ends
    if high is None:
        return f"above {number(low)}" if low else "any"
    return f"between {number(low)} and {number(high)}" if low else f"under {number(high)}"


def _undrawn(entries: Sequence[Entry]) -> Html:
    """Name the chips that are not drawn; those that are stand in the table of chips, with the same numbers."""
    names = [e.item.name for e in entries if e.item.kind == "chip" and _place(e) is None]
    said = f"{len(names)} chips are not drawn, their area or TPP unknown, open or beyond the axes: "
    table_ = el("a", "the table of chips by rule date", href="#chips")
    return el("p", said, ", ".join(names), ". Every chip stands in ", table_, ".")
