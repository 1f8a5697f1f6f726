"""The kinds of computation a claim may name, and how each is done; speeds are imported when they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from perfcore import chips, evidence
from perfcore.claim_formulas import evaluated, function_of, solutions
from perfcore.claim_law import LAW
from perfcore.claim_values import Band, Found, Range, range_of, spoken
from perfcore.display import number
from perfcore.errors import PerfcoreError
from perfcore.items import Item
from perfcore.quantity import interval_of
from perfcore.readings import metrics_of
from perfcore.regions import DENSITY, density
from perfcore.terms import FACTS, weakest

Computation = Mapping[str, Any]


def compute(computation: Computation) -> Found:
    """Do a computation.

    >>> compute({"kind": "quantity", "chip": "h20", "metric": "tpp"}).value
    Range(low=2368.0, high=2368.0)

    Raises
    ------
    PerfcoreError
        If a chip, rule, formula or key it names is not there.
    """
    return _KINDS[computation["kind"]](computation)


def _not_computed(computation: Computation) -> Found:
    return Found(None, (), f"cannot be recomputed: {computation['needs']}")


def _quantity(computation: Computation) -> Found:
    if "chip" in computation:
        return _of_one(chips.load(computation["chip"]), computation)
    each = [_of_one(chips.load(name), computation) for name in computation["chips"]]
    steps = tuple(step for found in each for step in found.steps)
    known = [found.value for found in each if isinstance(found.value, Range)]
    if len(known) < len(each):
        return Found(None, steps, next(found.reason for found in each if found.value is None))
    least = computation["of"] == "lowest"
    pick = min if least else max
    value = Range(pick(one.low for one in known), pick(one.high for one in known))
    said = f"{computation['of']} of them: {spoken(value)}"
    return Found(value, (*steps, said), mark=weakest_of(found.mark for found in each))


def _of_one(item: Item, computation: Computation) -> Found:
    key, value = _looked_up(item, computation)
    if value is None:
        return Found(None, (f"{key} of {item.name}: unknown",), f"{key} of {item.name} is not known")
    mark = _mark_of(item, computation)
    return Found(value, (f"{key} of {item.name}: {spoken(value)}" + (f" [{mark}]" if mark else ""),), mark=mark)


def _mark_of(item: Item, computation: Computation) -> str | None:
    """Return the mark of the weakest number that a quantity of a chip is made of."""
    return weakest_of(entry.get("mark") for entry in entries_of(item, computation))


def entries_of(item: Item, computation: Computation) -> list[Mapping[str, Any]]:
    """Return the evidence of the numbers that a quantity of a chip is made of.

    >>> [entry["source"] for entry in entries_of(chips.load("h20"), {"metric": "tpp"})][0]
    'toms_h20_2023'
    """
    if "metric" in computation:
        paths = evidence.paths_of(item, computation["metric"])
    else:
        paths = [computation["path"]] if "path" in computation else _link_paths(item, computation["link"])
    return [entry for path in paths if (entry := evidence.entry_for(item, path)) is not None]


def _link_paths(item: Item, name: str) -> list[str]:
    links = enumerate(item.document.get("link", ()), 1)
    return [f"link.{place}.bandwidth_gb_s" for place, link in links if link.get("name", "").startswith(name)]


def weakest_of(marks: Iterable[str | None]) -> str | None:
    """Return the weakest of some marks, None where there are none."""
    known = [mark for mark in marks if mark]
    return weakest(known) if known else None


def _looked_up(item: Item, computation: Computation) -> tuple[str, Range | None]:
    if "metric" in computation:
        name = computation["metric"]
        if FACTS[name].kind != "number" if name in FACTS else True:
            raise PerfcoreError(f"metric: found {name!r}; allowed: a number of {', '.join(_numbers())}")
        values = metrics_of(item)
        return FACTS[name].label, range_of(density(values) if name == DENSITY else values[name])
    if "link" in computation:
        return f"links {computation['link']}", _links(item, computation["link"])
    return computation["path"], _at_path(item, computation["path"])


def _numbers() -> list[str]:
    return [name for name, term in FACTS.items() if term.kind == "number"]


def _links(item: Item, name: str) -> Range | None:
    """Add up the links whose name starts so, both directions [GB/s]."""
    links = [link for link in item.document.get("link", ()) if link.get("name", "").startswith(name)]
    if not links or any("bandwidth_gb_s" not in link for link in links):
        return None
    each = [(interval_of(link["bandwidth_gb_s"]), link.get("count", 1)) for link in links]
    return Range(sum(float(i.low) * n for i, n in each), sum(float(i.high or i.low) * n for i, n in each))


def _at_path(item: Item, path: str) -> Range | None:
    """Return the number at a path of a file, such as ``memory.capacity_gb`` or ``die.1.area_mm2``."""
    value: Any = item.document
    for part in path.split("."):
        places = value if isinstance(value, list) else []
        if part.isdigit() and 0 < int(part) <= len(places):
            value = places[int(part) - 1]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return None
    return range_of(interval_of(value))


def _formula(computation: Computation) -> Found:
    arguments, steps, marks = {}, [], []
    for name, value in computation["arguments"].items():
        found = _argument(value)
        steps += [f"  {step}" for step in found.steps]
        if not isinstance(found.value, Range):
            return Found(None, tuple(steps), found.reason or f"{name} is not a number")
        arguments[name] = found.value
        marks.append(found.mark)
    value = evaluated(computation["formula"], arguments)
    given = ", ".join(f"{name} = {spoken(one)}" for name, one in arguments.items())
    said = f"{computation['formula']}({given}) = {spoken(value)}"
    return Found(value, (*steps, said), "" if value else "no number for what was given", mark=weakest_of(marks))


def _argument(value: Any) -> Found:
    if isinstance(value, Mapping) and "kind" in value:
        return compute(value)
    exact = value if isinstance(value, Mapping) else {"low": value, "high": value}
    return Found(Range(float(exact["low"]), float(exact["high"])))


def needed_arguments(computation: Computation, band: Band) -> tuple[str, ...]:
    """Say which value of each argument of a formula would bring it into a band, the others as they are."""
    if computation["kind"] != "formula":
        return ()
    arguments = {name: _argument(value).value for name, value in computation["arguments"].items()}
    known = {name: one for name, one in arguments.items() if isinstance(one, Range)}
    if len(known) < len(arguments):
        return ()
    found = solutions(computation["formula"], known, band)
    return tuple(f"{name} = {number(value, 4)} in place of {spoken(known[name])}" for name, value in found.items())


def _design(computation: Computation) -> Found:
    from perfcore import claim_designs  # and the tables of engines with it

    return claim_designs.computed(computation)


def _speed(computation: Computation) -> Found:
    from perfcore import claim_speeds  # numpy is imported with it

    return claim_speeds.SPEEDS[computation["kind"]](computation)


def names_of(computation: Computation) -> None:
    """Look up the formulas a computation names, so that a slip is found without doing it."""
    if computation["kind"] == "formula":
        function_of(computation["formula"], computation["arguments"])
        for value in computation["arguments"].values():
            if isinstance(value, Mapping) and "kind" in value:
                names_of(value)


_KINDS: dict[str, Callable[[Computation], Found]] = {
    "not_computed": _not_computed,
    "quantity": _quantity,
    **LAW,
    "formula": _formula,
    "design": _design,
    "training": _speed,
    "serving": _speed,
}
