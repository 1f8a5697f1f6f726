"""The data: every file loads, every number has a source, every field is a term, a conflict that counts a decision."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from perfcore import chips, evidence
from perfcore.errors import PerfcoreError
from perfcore.items import Item, item_of, tpp_of
from perfcore.outcome import classify
from perfcore.quantity import interval_of
from perfcore.reader import SPECS, read_toml
from perfcore.readings import metrics_of
from perfcore.rules import load, shipped
from perfcore.schema import CHIP, MEMORY, PART, PROCESS, SYSTEM
from perfcore.terms import FACTS, FORMATS, MARKS, TERMS
from perfcore.verdict import check

IDS = [item_id for kind in ("chip", "memory", "system", "process", "part") for item_id in chips.ids(kind)]
RULE = load("us_eccn_3a090")
# What chips the issue of the first release names.
NAMED = """v100; a100 sxm 40gb; a100 sxm 80gb; a100 pcie 40gb; a100 pcie 80gb; a800; a30; a10; a40; a2; h100 sxm;
h100 pcie; h100 nvl; h800; h20; h200; b200; b300; gb200; l40s; l40; l20; l4; l2; rtx 4090; rtx 4090 d; rtx 5090;
rtx 5090 d; mi210; mi250x; mi300x; mi308x; mi325x; mi355x; gaudi 2; gaudi 2 china; gaudi 3; tpu v4; tpu v5e; tpu v5p;
910b1; 910b2; 910b3; 910b4; 910c; br100"""


@pytest.mark.parametrize("name", NAMED.split(";"))
def test_the_named_chips_are_there(name: str) -> None:
    assert chips.load(name).kind == "chip"


def test_at_least_forty_chips_and_ten_memory_parts() -> None:
    assert len(chips.ids()) >= 40
    assert len(chips.ids("memory")) >= 10


@pytest.mark.parametrize("item_id", IDS)
def test_every_number_has_a_source_and_a_mark(item_id: str) -> None:
    item = chips.load(item_id)
    lacking = []
    for path, _ in evidence.leaves(item.document):
        entry = evidence.entry_for(item, path) or {}
        if entry.get("mark") not in MARKS or entry.get("source") not in evidence.sources():
            lacking.append(path)
    assert not lacking


def paths_in(document: Any, path: str = "") -> Iterator[str]:
    """Yield the path of everything in a file."""
    if path:
        yield path
    below = enumerate(document, 1) if isinstance(document, list) else getattr(document, "items", list)()
    for key, value in below:
        yield from paths_in(value, f"{path}.{key}" if path else str(key))


@pytest.mark.parametrize("item_id", IDS)
def test_evidence_and_conflicts_speak_of_something(item_id: str) -> None:
    item = chips.load(item_id)
    paths = list(paths_in(item.document))
    for entry in item.document.get("evidence", ()):
        for key in entry["keys"]:
            assert any(evidence.covers(key, path) for path in paths), key
    for conflict in item.document.get("conflict", ()):
        assert conflict["reason"].strip()
        for other in conflict["others"]:
            assert other["source"] in evidence.sources(), other


def test_a_chip_of_every_variant_answers_on_every_day() -> None:
    for item_id in IDS:
        if item_id in chips.ids("part"):
            continue  # export rules speak of whole packages: test_systems.py
        for verdict in check(item_id).verdicts:
            assert verdict.status in ("controlled", "excluded", "not_controlled", "undetermined")


def keys_of(shape: Any) -> Iterator[str]:
    for key, below in shape.items():
        yield key
        if below:
            yield from keys_of(below)


def test_every_field_is_a_term() -> None:
    assert set(chain.from_iterable(map(keys_of, (CHIP, MEMORY, PART, SYSTEM, PROCESS)))) <= set(TERMS)
    assert {b.metric for rule in shipped() for v in rule.versions for p in v.paragraphs for b in p.bounds} <= set(FACTS)


def test_every_term_is_explained() -> None:
    assert all(term.meaning for term in TERMS.values())


def test_every_source_says_what_it_is() -> None:
    used = {e.get("source") for i in IDS for e in chips.load(i).document["evidence"]}
    used |= {o["source"] for i in IDS for c in chips.load(i).document.get("conflict", ()) for o in c["others"]}
    for name, source in evidence.sources().items():
        assert set(source) == {"title", "address", "date"}, name
    assert used <= set(evidence.sources())


def test_names_are_unique() -> None:
    """But a rack may go by a name of the chip in it, as long as that is not the id of either."""
    system = chips.ids("system")
    for name, ids in chips._names().items():
        assert sum(item_id in system for item_id in ids) <= 1, ids
        assert sum(item_id not in system for item_id in ids) <= 1, ids
        assert len(ids) == 1 or name not in map(chips.normal, ids), ids


def test_two_files_with_one_alias_are_not_guessed_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chips").mkdir()
    for name in ("one", "two"):
        (tmp_path / "chips" / f"{name}.toml").write_text(f'name = "{name}"\naliases = ["the chip"]\ntpp = 3\n')
    monkeypatch.setattr(chips, "SPECS", tmp_path)
    chips._heads.cache_clear()
    chips._names.cache_clear()
    try:
        with pytest.raises(PerfcoreError, match="stands for several: one, two"):
            chips.find("The-Chip")
    finally:
        monkeypatch.undo()
        chips._heads.cache_clear()
        chips._names.cache_clear()


@pytest.mark.parametrize("item_id", [*chips.ids(), *chips.ids("system"), *chips.ids("part")])
def test_each_alias_finds_its_chip(item_id: str) -> None:
    item = chips.load(item_id)
    for alias in item.document["aliases"]:
        assert chips.find(alias, item.kind) == item_id


def answers(item: Item) -> list[Any]:
    values = metrics_of(item)
    return [classify(version, values)[:2] for version in RULE.versions]


def with_other(item: Item, key: str, value: Any) -> Item | None:
    """Return the item with a competing value in place of its own; None where it concerns no metric."""
    document: dict[str, Any] = {k: v for k, v in item.document.items() if k not in ("evidence", "conflict")}
    if key == "transistors_billion":
        return None  # no paragraph of 3A090 reads it
    if key in FACTS:
        document = {k: v for k, v in document.items() if k not in _parts_of(key)}
        return item_of({**document, key: value}, item.path, item.kind)
    table, _, rest = key.partition(".")
    if not rest and item.kind == "memory" and not isinstance(value, str):
        return item_of({**document, key: value}, item.path, item.kind)
    if not rest or not isinstance(value, int | Decimal | dict):
        return None
    if rest[0].isdigit():
        place, _, name = rest.partition(".")
        entries = [dict(entry) for entry in document[table]]
        entries[int(place) - 1][name] = value
        document[table] = entries
        if table == "die":
            document.pop("applicable_die_area_mm2", None)
    else:
        document[table] = {**document[table], rest: value}
    return item_of(document, item.path, item.kind)


def _parts_of(metric: str) -> tuple[str, ...]:
    return {"tpp": ("peak_dense_tflops",), "applicable_die_area_mm2": ("die",), "io_bandwidth_gb_s": ("link",)}.get(
        metric, ()
    )


CONFLICTS = [
    (item_id, conflict["key"], other["value"], conflict.get("decision"))
    for item_id in IDS
    for conflict in chips.load(item_id).document.get("conflict", ())
    for other in conflict["others"]
]


@pytest.mark.parametrize(("item_id", "key", "value", "decision"), CONFLICTS)
def test_a_conflict_that_changes_an_answer_has_a_decision(
    item_id: str, key: str, value: Any, decision: str | None
) -> None:
    item = chips.load(item_id)
    rival = with_other(item, key, value)
    if rival is not None and answers(rival) != answers(item):
        assert decision


@pytest.mark.parametrize("item_id", chips.ids())
def test_formats_that_round_one_clock_do_not_decide_in_silence(item_id: str) -> None:
    """Where a format within 1 % of the highest product answers otherwise, the file keeps both (the A30)."""
    item = chips.load(item_id)
    products = [tpp_of({name: rate}, FORMATS) for name, rate in (item.rates or {}).items()]
    best = max((product.low for product in products), default=0)  # a chip without published rates has none
    for product in products:
        if product.is_point and product.low >= best * 99 / 100:
            values = {**metrics_of(item), "tpp": product}
            then = [classify(version, values) for version in RULE.versions]
            for now, other in zip(answers(item), then, strict=True):
                assert now[0] == other.status
                assert set(now[1]) <= set(other.certain)


DATES = ("2022-10-20", "2022-12-01", "2023-11-16", "2023-11-17", "2024-12-31", "2026-02-01")
NO, A, NONE = "not_controlled", "controlled", ()
A_2022 = ("3A090.a",)
A1, A2, B1, B2 = "3A090.a.1", "3A090.a.2", "3A090.b.1", "3A090.b.2"
# chip -> (October 2022, from November 2023), each (status, paragraphs), worked out by hand from published numbers
MATRIX: dict[str, tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]] = {
    "a100": ((A, A_2022), (A, (A1, A2))),  # 4,992; 664 GB/s; 6.04
    "a800": ((NO, NONE), (A, (A1, A2))),  # 464 GB/s
    "h100": ((A, A_2022), (A, (A1, A2))),
    "h800": ((NO, NONE), (A, (A1, A2))),  # 528 GB/s
    "h20": ((NO, NONE), (NO, NONE)),  # 2,368; 1,028 GB/s; 2.909
    "l20": ((NO, NONE), (NO, NONE)),  # 1,912; 3.14
    "l2": ((NO, NONE), (NO, NONE)),  # 1,544
    "l4": ((NO, NONE), (A, (A2,))),  # 1,940; 6.59
    "l40": ((NO, NONE), (A, (B1, B2))),  # 2,896; 4.76
    "l40s": ((NO, NONE), (A, (A1, A2))),  # 5,864
    "a10": ((NO, NONE), (NO, NONE)),  # 2,000; 3.183
    "a30": ((NO, NONE), (A, (B1,))),  # 2,640 or 2,644: b.2 open
    "a40": ((NO, NONE), (A, (B2,))),  # 2,395; 3.81
    "mi210": ((NO, NONE), (A, (B1, B2))),  # 2,896; 3.67 to 4.0
    "mi250x": ((A, A_2022), (A, (A1, B2))),  # 6,128; 864 GB/s; 4.23
    "rtx 4090": ((NO, NONE), (A, (A1, A2))),  # 5,285, not for datacenters
    "rtx 4090 d": ((NO, NONE), ("excluded", (A2,))),  # 4,707, Note 2
    "h200": ((A, A_2022), (A, (A1, A2))),
    "mi325x": ((A, A_2022), (A, (A1, A2))),
}


@pytest.mark.parametrize("name", MATRIX)
def test_vintage_matrix(name: str) -> None:
    for on in DATES:
        verdict = check(name, on=on)
        early, late = MATRIX[name]
        expected = (NO, NONE) if on < "2022-10-21" else early if on < "2023-11-17" else late
        assert (verdict.status, verdict.paragraphs) == expected, on


def test_weak_marks_are_carried_to_the_answer() -> None:
    assert check("mi308x", on="2024-01-01").rests_on["applicable_die_area_mm2"]["mark"] == "recalled"
    assert check("mi308x", on="2024-01-01").status == "undetermined"


def test_datacenter_rests_on_stated_evidence() -> None:
    for item_id in chips.ids():
        item = chips.load(item_id)
        if "datacenter" in item.document:
            entry = evidence.entry_for(item, "datacenter")
            assert entry is not None
            assert entry.get("note"), item_id


def test_the_flag_of_the_contract() -> None:
    flags = {flag["reading"]: flag for flag in check("h20", on="2024-01-01").flags}
    assert flags["tensor_plus_vector_units"]["paragraphs"] == [B1, B2]  # 2,368 + 44 x 32 = 3,776 on 814 mm2


@pytest.mark.parametrize(
    ("name", "reading", "tpp"),
    [
        ("l20", "tensor_plus_vector_units", 119.5 * 16 + 59.8 * 32),  # the vector rate is the highest product by itself
        ("mi355x", "fp6_not_counted", 2516.6 * 16),
        ("mi308x", "without_firmware_cap", 344 * 16),
    ],
)
def test_contested_readings(name: str, reading: str, tpp: float) -> None:
    found = {r["reading"]: r for r in check(name, on="2024-01-01").readings}
    assert found[reading]["metrics"]["tpp"] == pytest.approx(tpp)


def test_published_peaks_that_straddle_leave_the_paragraph_open() -> None:
    """910B3: 313 x 16 = 5,008 as published, 294.9 x 16 = 4,718 of the cube units alone; controlled either way."""
    verdict = check("910b3", on="2024-01-01")
    assert (verdict.status, verdict.paragraphs) == (A, ())
    assert A1 in verdict.possible_paragraphs


def test_no_spec_file_is_left_unread() -> None:
    known = {
        "architecture",
        "chips",
        "claims",
        "efficiency",
        "engines",
        "measurements",
        "memory",
        "models",
        "parts",
        "processes",
        "rules",
        "software",
        "systems",
    }
    known |= {"intervals.toml", "precisions.toml", "serving_intervals.toml", "sources.toml", "README.md"}
    assert {path.name for path in Path(SPECS).iterdir()} <= known
    for path in Path(SPECS).rglob("*.toml"):
        read_toml(path)


def test_intervals_are_ordered() -> None:
    for item_id in IDS:
        for _, value in evidence.leaves(chips.load(item_id).document):
            if isinstance(value, dict):
                interval = interval_of(value)
                assert interval.high is not None
                assert interval.low <= interval.high
