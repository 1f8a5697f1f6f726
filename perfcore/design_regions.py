"""The classification of a design as boxes: what the search needs of a rule, in floats and exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from perfcore.items import Item
from perfcore.outcome import EXCLUDED, GROUPS, NOT_CONTROLLED, is_under
from perfcore.readings import metrics_of
from perfcore.regions import met
from perfcore.rules import Bound, Version

__all__ = ["METRICS", "REGIONS", "Boxes", "boxes_of"]

# What a design is given by, in the order the kernel reads it; other measures of the law that are the same number.
METRICS = ("tpp", "performance_density", "io_bandwidth_gb_s", "dram_bandwidth_gb_s")
SAME_AS = {"bits_x_tops_2022": "tpp", "total_bits_x_tops_2022": "tpp"}  # digital units alone
TESTS = ("at_least", "more_than", "below", "at_most")
REGIONS = (*GROUPS[:2], EXCLUDED, NOT_CONTROLLED)


@dataclass(frozen=True)
class Box:
    """One alternative of a paragraph: all of some comparisons of metrics."""

    paragraph: str
    layer: str
    excludes: tuple[str, ...]
    bounds: tuple[tuple[int, Bound], ...]

    def holds(self, values: Mapping[str, Fraction]) -> bool:
        """Tell whether exact values lie in it."""
        return all(bound.holds(values[METRICS[place]]) for place, bound in self.bounds)


@dataclass(frozen=True)
class Boxes:
    """The paragraphs that a kind of design can meet, each alternative a box; a set of boxes is a mask, a bit each."""

    boxes: tuple[Box, ...]

    def tests(self) -> list[tuple[float, float, float, float]]:
        """Return a row for each comparison: box, metric, kind of comparison, threshold."""
        return [
            (float(number), float(place), float(TESTS.index(bound.test)), float(_number(bound)))
            for number, box in enumerate(self.boxes)
            for place, bound in box.bounds
        ]

    def region(self, mask: int) -> int:
        """Return the region of a mask, a place in ``REGIONS``; ``.a`` governs ``.b``, a note takes out."""
        inside = [box for number, box in enumerate(self.boxes) if mask >> number & 1]
        words = [box.paragraph for box in inside if box.layer == "classification"]
        out = [heading for box in inside if box.layer == "exclusion" for heading in box.excludes]
        left = [word for word in words if not any(is_under(word, heading) for heading in out)]
        if not left:
            return REGIONS.index(EXCLUDED if words else NOT_CONTROLLED)
        return next(REGIONS.index(heading) for heading in GROUPS if any(is_under(word, heading) for word in left))

    def regions(self) -> list[int]:
        """Return the region of every mask."""
        return [self.region(mask) for mask in range(1 << len(self.boxes))]

    def mask(self, values: Mapping[str, Fraction]) -> int:
        """Return the boxes that exact values lie in."""
        return sum(1 << number for number, box in enumerate(self.boxes) if box.holds(values))

    def region_at(self, tpp: Fraction, area: Fraction, io: Fraction, dram: Fraction) -> str:
        """Return the region of exact values, by name."""
        values = dict(zip(METRICS, (tpp, tpp / area, io, dram), strict=True))
        return REGIONS[self.region(self.mask(values))]

    def thresholds(self, metric: str) -> list[Fraction]:
        """Return the thresholds of a metric, each once, from the lowest."""
        place = METRICS.index(metric)
        return sorted({_number(bound) for box in self.boxes for where, bound in box.bounds if where == place})


def _number(bound: Bound) -> Fraction:
    assert isinstance(bound.threshold, Fraction)
    return bound.threshold


def boxes_of(version: Version | None, item: Item) -> Boxes:
    """Return the boxes that designs of a kind can meet.

    ``item`` is one of them: what it is apart from its numbers (designed for datacenters, a digital circuit, no memory
    part) decides the comparisons of facts once for all.
    """
    values = metrics_of(item)
    found = []
    for paragraph in version.paragraphs if version else ():
        for alternative in paragraph.alternatives:
            measured = {bound: SAME_AS.get(bound.metric, bound.metric) for bound in alternative}
            others = [bound for bound, name in measured.items() if name not in METRICS]
            if all(met(bound, values) for bound in others):
                bounds = tuple((METRICS.index(name), b) for b, name in measured.items() if name in METRICS)
                found.append(Box(paragraph.id, paragraph.layer, paragraph.excludes, bounds))
    return Boxes(tuple(found))
