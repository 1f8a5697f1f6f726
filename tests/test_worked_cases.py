"""The worked boundary cases of ECCN 3A090: expected answers typed from the law's text, not from perfcore.

Each row names the paragraph of law that decides it. Areas in mm2, I/O in GB/s, both directions.
"""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from conftest import item, judged
from perfcore.outcome import classify, layer_met
from perfcore.quantity import point
from perfcore.readings import metrics_of
from perfcore.rules import load

A, A1, A2, B1, B2 = "3A090.a", "3A090.a.1", "3A090.a.2", "3A090.b.1", "3A090.b.2"


def area(*mm2: float) -> dict[str, Any]:
    return {"die": [{"role": "compute", "area_mm2": each, "transistor": "finfet"} for each in mm2]}


def io(gb_s: float, **more: Any) -> dict[str, Any]:
    return {"link": [{"name": "link", "bandwidth_gb_s": gb_s, **more}]}


DC, NOT_DC = {"datacenter": True}, {"datacenter": False}

CASES_2022 = [
    # row, what, keys, day, status: 87 FR 62186, 3A090.a: I/O of 600 or more AND bits x TOPS of 4800 or more
    (1, {"tpp": 4800, **io(600)}, "2022-10-21", "controlled"),
    (2, {"tpp": 4799.99, **io(600)}, "2022-10-21", "not_controlled"),
    (3, {"tpp": 9999, **io(599.9)}, "2022-10-21", "not_controlled"),
    (4, {"tpp": 9999, **io(600, shipped_gb_s=500)}, "2022-11-01", "controlled"),  # "are programmable to have"
    (5, {"tpp": 4992, **io(664)}, "2022-10-20", "not_controlled"),  # the day before it takes effect
    (6, {"tpp": 4992, **io(664)}, "2022-12-01", "controlled"),
    (7, {"tpp": 4992, **io(464)}, "2022-12-01", "not_controlled"),
    (8, {"tpp": 15832, **io(528)}, "2023-06-01", "not_controlled"),
    (9, {"tpp": 15832, **io(1028)}, "2023-06-01", "controlled"),
    (10, {"tpp": 6128, **io(864)}, "2023-06-01", "controlled"),
    (11, {"tpp": 16384, **io(640)}, "2022-11-01", "controlled"),
    (11, {"tpp": 16384, **io(576)}, "2022-11-01", "not_controlled"),
    (12, {"tpp": 6920, **io(664)}, "2023-07-01", "controlled"),
    (12, {"tpp": 6920, **io(589)}, "2023-07-01", "not_controlled"),
    (13, {"tpp": 9999, **io(64), "memory": {"bandwidth_gb_s": 2000}}, "2023-01-01", "not_controlled"),
    (14, {"analog_tops": 600, **io(700)}, "2023-01-01", "controlled"),  # a.3: 600 x 8
    (15, {"tpp": 2000, "analog_tops": 350, **io(700)}, "2023-01-01", "controlled"),  # a.4: 2000 + 2800
    (15, {"tpp": 2000, "analog_tops": 349.9, **io(700)}, "2023-01-01", "not_controlled"),
    (16, {"tpp": 4992, **area(826), **io(464)}, "2023-11-16", "not_controlled"),
    (17, {"tpp": 4992, **area(826), **io(464)}, "2023-10-25", "not_controlled"),  # published, not effective
]


@pytest.mark.parametrize(("row", "keys", "on", "status"), CASES_2022)
def test_october_2022(row: int, keys: dict[str, Any], on: str, status: str) -> None:
    answer = judged(item(**keys), on)
    assert answer.status == status
    assert answer.paragraphs == ((A,) if status == "controlled" else ())


CASES_2023 = [
    # 88 FR 73458: a.1, a.2, b.1, b.2 and Note 2
    (16, {"tpp": 4992, **area(826), **DC}, "2023-11-17", "controlled", (A1, A2)),
    (18, {"tpp": 4800, **area(10000)}, "2024-01-01", "controlled", (A1,)),
    (19, {"tpp": 4799.99, **area(900), **DC}, "2024-01-01", "controlled", (B1, B2)),
    (20, {"tpp": 4799, **area(811), **DC}, "2024-01-01", "controlled", (B1, B2)),
    (20, {"tpp": 4799, **area(810), **DC}, "2024-01-01", "controlled", (A2,)),
    (22, {"tpp": 1599.9, **area(100), **DC}, "2024-01-01", "not_controlled", ()),
    (23, {"tpp": 2400, **area(1500), **DC}, "2024-01-01", "controlled", (B1,)),
    (24, {"tpp": 2400, **area(1501), **DC}, "2024-01-01", "not_controlled", ()),
    (25, {"tpp": 2399, **area(749), **DC}, "2024-01-01", "controlled", (B2,)),
    (25, {"tpp": 2399, **area(1200), **DC}, "2024-01-01", "not_controlled", ()),
    (26, {"tpp": 1600, **area(500), **DC}, "2024-01-01", "controlled", (B2,)),
    (26, {"tpp": 1600, **area(501), **DC}, "2024-01-01", "not_controlled", ()),
    (27, {"peak_dense_tflops": {"fp16": 148, "fp8": 296}, **area(814), **DC}, "2024-01-01", "not_controlled", ()),
    (29, {"tpp": 1912, **area(608.5), **DC}, "2024-01-01", "not_controlled", ()),
    (30, {"tpp": 1544, **area(294.5), **DC}, "2024-01-01", "not_controlled", ()),
    (31, {"tpp": {"low": 1936, "high": 1940}, **area(294.5), **DC}, "2024-01-01", "controlled", (A2,)),
    (32, {"peak_dense_tflops": {"fp8": 733}, **area(608.5), **DC}, "2023-11-17", "controlled", (A1, A2)),
    (33, {"tpp": 2896, **area(608.5), **DC}, "2023-11-17", "controlled", (B1, B2)),
    (34, {"tpp": {"low": 2640, "high": 2644}, **area(826), **DC}, "2023-11-17", "controlled", (B1,)),
    (35, {"tpp": 2000, **area(628.4), **DC}, "2023-11-17", "not_controlled", ()),
    (36, {"peak_dense_tflops": {"fp16": 149.7}, **area(628.4), **DC}, "2023-11-17", "controlled", (B2,)),
    (37, {"tpp": 2896, **area(724), **DC}, "2023-11-17", "controlled", (B1, B2)),
    (37, {"tpp": 2896, **area(790), **DC}, "2023-11-17", "controlled", (B1, B2)),
    (38, {"tpp": 6128, **area(724, 724), **DC}, "2023-11-17", "controlled", (A1, B2)),  # the words of b.2 too
    (38, {"tpp": 3064, **area(724), **DC}, "2023-11-17", "controlled", (B1, B2)),
    (39, {"tpp": 6920, **area(826), **DC}, "2023-11-17", "controlled", (A1, A2)),
    (40, {"peak_dense_tflops": {"int8": 660.6}, **area(608.5), **NOT_DC}, "2023-11-17", "controlled", (A1, A2)),
    (41, {"tpp": 4707, **area(608.5), **NOT_DC}, "2024-01-01", "excluded", (A2,)),  # Note 2
    (41, {"tpp": 4707, **area(608.5), **DC}, "2024-01-01", "controlled", (A2,)),
    (42, {"tpp": 4750, **area(750), **NOT_DC}, "2025-02-01", "excluded", (A2,)),
    (42, {"tpp": 4750, **area(750), **DC}, "2025-02-01", "controlled", (A2,)),
    (43, {"peak_dense_tflops": {"fp4": 1676}, **area(750), **NOT_DC}, "2025-02-01", "controlled", (A1, A2)),
    (
        44,
        {"peak_dense_tflops": {"int8": 300}, **area(600), **DC},
        "2024-01-01",
        "controlled",
        (B1, B2),
    ),  # note 3: dense
    (
        45,
        {"peak_dense_tflops": {"fp16": 100, "int8": 220, "int4": 620}, **area(900), **DC},
        "2024-01-01",
        "controlled",
        (B1,),
    ),
    (46, {"peak_dense_tflops": {"fp16": 1835, "fp8": 1835}, **DC}, "2024-10-01", "controlled", (A1,)),
    (47, {"peak_dense_tflops": {"fp64": 80}, **NOT_DC}, "2024-01-01", "controlled", (A1,)),
    (48, {"peak_dense_tflops": {"int8": 400}, **area(600), **DC}, "2024-01-01", "controlled", (B1, B2)),
    (52, {"tpp": 1500, **area(300), **DC, "packages_per_board": 4}, "2024-01-01", "not_controlled", ()),
    (53, {"tpp": 6000, **area(250, 250, 250, 250), **DC}, "2024-01-01", "controlled", (A1, A2)),
    (70, {"tpp": 2324, **area(750), **DC}, "2025-08-01", "not_controlled", ()),
]


@pytest.mark.parametrize(("row", "keys", "on", "status", "paragraphs"), CASES_2023)
def test_from_november_2023(row: int, keys: dict[str, Any], on: str, status: str, paragraphs: tuple[str, ...]) -> None:
    answer = judged(item(**keys), on)
    assert (answer.status, answer.paragraphs) == (status, paragraphs)


def test_row_21_density_exactly_on_5_92() -> None:
    """Technical note 4 and a.2: 1600 on 10000/37 mm2 is a density of exactly 5.92, which no decimal area reaches."""
    values = metrics_of(item(tpp=1600, datacenter=True)) | {"applicable_die_area_mm2": point(Fraction(10000, 37))}
    version = load("us_eccn_3a090").in_force(date(2024, 1, 1))
    assert classify(version, values).certain == (A2,)


@pytest.mark.parametrize(
    ("format_", "rate", "tpp"), [("int8", 300, 2400), ("int4", 620, 2480), ("fp16", 1835, 29360), ("fp64", 80, 5120)]
)
def test_rows_44_to_48_tpp(format_: str, rate: float, tpp: float) -> None:
    """Technical notes 1 and 2: 2 x MacTOPS x bits of the multiply inputs, dense, the highest over formats."""
    assert judged(item(peak_dense_tflops={format_: rate}), "2024-01-01").metrics["tpp"] == tpp


def test_row_49_all_planar() -> None:
    """Technical note 4 leaves the density undefined without a non-planar die; a.1 needs none."""
    planar = {"die": [{"area_mm2": 400, "transistor": "planar"}], "datacenter": True}
    small, large = judged(item(tpp=2000, **planar), "2024-01-01"), judged(item(tpp=5000, **planar), "2024-01-01")
    assert (small.status, small.paragraphs) == ("undetermined", ())
    assert (large.status, large.paragraphs) == ("controlled", (A1,))
    assert small.metrics["performance_density"] is None
    assert small.metrics["applicable_die_area_mm2"] == 0


@pytest.mark.parametrize(
    ("transistor", "paragraphs", "density"), [("planar", (A2,), 10.0), ("finfet", (B1, B2), 3000 / 700)]
)
def test_rows_50_and_51_io_die(transistor: str, paragraphs: tuple[str, ...], density: float) -> None:
    """Technical note 4: a planar I/O die does not count, a non-planar one does."""
    dies = [
        {"role": "compute", "area_mm2": 300, "transistor": "finfet"},
        {"role": "io", "area_mm2": 400, "transistor": transistor},
    ]
    answer = judged(item(tpp=3000, die=dies, datacenter=True), "2024-01-01")
    assert answer.paragraphs == paragraphs
    assert answer.metrics["performance_density"] == density


def test_row_52_board_reading_is_flagged() -> None:
    """Per package is the better reading; the board sum of 6000 would be a.1."""
    answer = judged(item(tpp=1500, **area(300), **DC, packages_per_board=4), "2024-01-01")
    flag = next(flag for flag in answer.flags if flag["reading"] == "board_aggregation")
    assert flag["status"] == "controlled"
    assert A1 in flag["paragraphs"]


HBM = [
    # 89 FR 96790, 3A090.c: greater than 2; 15 CFR 740.25: less than 3.3
    (54, 2.0, "2024-12-31", "not_controlled", False),
    (54, 2.001, "2024-12-31", "controlled", True),
    (54, 2.001, "2024-12-01", "not_controlled", False),  # the day before it takes effect
    (55, 3.29, "2025-01-01", "controlled", True),
    (55, 3.3, "2025-01-01", "controlled", False),
    (57, 7.0, "2025-01-01", "controlled", False),  # a stack on a logic die that is an interface with a PHY is in
]


@pytest.mark.parametrize(("row", "density", "on", "status", "exception"), HBM)
def test_hbm(row: int, density: float, on: str, status: str, exception: bool, chip_file: Any) -> None:
    from perfcore.chips import from_file

    path = chip_file(f'generation = "HBM"\nbandwidth_gb_s = {density * 100:.1f}\narea_mm2 = 100\n')
    answer = judged(from_file(path), on)
    assert answer.status == status
    assert answer.paragraphs == (("3A090.c",) if status == "controlled" else ())
    assert any(entry["rule"] == "us_licence_exception_hbm" for entry in answer.also) == exception


def test_row_56_a_module_with_hbm_is_not_3a090_c() -> None:
    """The note to .c leaves out co-packaged logic whose dominant function is processing."""
    answer = judged(item(tpp=15832, **area(814), **DC, memory={"type": "HBM3E", "bandwidth_gb_s": 4800}), "2025-01-01")
    assert answer.paragraphs == (A1, A2)


REVIEW = [
    # 91 FR 1684: TPP less than 21,000 and total DRAM bandwidth less than 6,500, exports from the US to China
    (62, 15832, 4800, True, True),
    (63, 20919, 6000, True, True),
    (64, 21000, 6000, True, False),
    (65, 20919, 5300, True, True),
    (66, 36000, 8000, True, False),
    (66, 28000, 4000, True, False),
    (67, 15832, 4800, False, False),  # a reexport is not an export from the United States
]


@pytest.mark.parametrize(("row", "tpp", "dram", "from_us", "case_by_case"), REVIEW)
def test_review_policy_of_2026(row: int, tpp: float, dram: float, from_us: bool, case_by_case: bool) -> None:
    facts = {"destination": "cn", "exported_from_us": from_us}
    chip = item(tpp=tpp, memory={"bandwidth_gb_s": dram}, **area(814), **DC, facts=facts)
    rule = load("us_review_policy_china")
    version = load("us_eccn_3a090").in_force(date(2026, 2, 1))
    in_force = rule.in_force(date(2026, 2, 1))
    assert in_force is not None
    assert layer_met(in_force.paragraphs[0], version, metrics_of(chip)) is case_by_case
    assert judged(chip, "2026-02-01").status == "controlled"  # a review policy moves no ECCN


def test_row_68_rumoured_chip_is_never_guessed() -> None:
    answer = judged(item(memory={"bandwidth_gb_s": 4000}), "2024-06-01")
    assert answer.status == "undetermined"
    assert {entry["input"] for entry in answer.settle} >= {"tpp"}
