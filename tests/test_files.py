"""A user's own file: what is accepted, what it means, and how each mistake is named."""

from pathlib import Path
from typing import Any

import pytest

from conftest import judged
from perfcore.chips import from_file, load
from perfcore.errors import PerfcoreError
from perfcore.quantity import UNKNOWN, Interval
from perfcore.readings import metrics_of
from perfcore.verdict import check

# The example of the contract, in full.
EXAMPLE = """name = "Example accelerator"
vendor = "Example"
datacenter = true

[peak_dense_tflops]
fp16 = 300
int8 = 600

[[die]]
role = "compute"
count = 2
area_mm2 = 407.0
transistor = "finfet"
process = "tsmc_n7"
transistors_billion = 27.1

[memory]
type = "HBM3"
stacks = 5
bandwidth_gb_s = 3350
capacity_gb = 80

[[link]]
name = "NVLink 4"
count = 18
bandwidth_gb_s = 50
shipped_gb_s = 44

[power]
tdp_w = 700
"""


def metric(path: Path, name: str) -> Any:
    return metrics_of(from_file(path))[name]


def test_the_example_of_the_contract(chip_file: Any) -> None:
    answer = check(chip_file(EXAMPLE), on="2024-01-01")
    assert answer.metrics["tpp"] == 4800  # 300 x 16 = 600 x 8
    assert answer.metrics["applicable_die_area_mm2"] == 814
    assert answer.metrics["io_bandwidth_gb_s"] == 900  # as programmable, not as shipped
    assert answer.metrics["dram_bandwidth_gb_s"] == 3350
    assert answer.metrics["transistors_billion"] == pytest.approx(54.2)
    assert (answer.status, answer.paragraphs) == ("controlled", ("3A090.a.1", "3A090.b.2"))


def test_an_interval_of_area(chip_file: Any) -> None:
    path = chip_file(EXAMPLE.replace("407.0", "{ low = 390, high = 420 }"))
    assert check(path, on="2024-01-01").metrics["applicable_die_area_mm2"] == {"low": 780, "high": 840}


@pytest.mark.parametrize(
    ("without", "name"),
    [
        ("[peak_dense_tflops]\nfp16 = 300\nint8 = 600\n", "tpp"),
        ('[memory]\ntype = "HBM3"\nstacks = 5\nbandwidth_gb_s = 3350\ncapacity_gb = 80\n', "dram_bandwidth_gb_s"),
    ],
)
def test_a_missing_table_is_unknown(chip_file: Any, without: str, name: str) -> None:
    assert metric(chip_file(EXAMPLE.replace(without, "")), name) == UNKNOWN


@pytest.mark.parametrize(
    ("change", "name", "low"),
    [
        (("bandwidth_gb_s = 50\nshipped_gb_s = 44\n", ""), "io_bandwidth_gb_s", 0),
        (("bandwidth_gb_s = 50\n", ""), "io_bandwidth_gb_s", 18 * 44),  # it can do at least what it ships at
        (("area_mm2 = 407.0\n", ""), "applicable_die_area_mm2", 0),
        (("bandwidth_gb_s = 3350\n", ""), "dram_bandwidth_gb_s", 0),
    ],
)
def test_a_missing_key_is_unknown(chip_file: Any, change: tuple[str, str], name: str, low: int) -> None:
    assert metric(chip_file(EXAMPLE.replace(*change)), name) == Interval(UNKNOWN.low + low, None)


def test_a_die_of_unknown_transistors_may_or_may_not_count(chip_file: Any) -> None:
    found = metric(chip_file(EXAMPLE.replace('transistor = "finfet"\n', "")), "applicable_die_area_mm2")
    assert (found.low, found.high) == (0, 814)


def test_planar_dies_and_memory_ports_do_not_count(chip_file: Any) -> None:
    more = '[[die]]\nrole = "io"\narea_mm2 = 100\ntransistor = "planar"\n'
    more += '[[link]]\nname = "CXL"\nbandwidth_gb_s = 64\nto_volatile_memory = true\n'
    answer = check(chip_file(EXAMPLE + more), on="2024-01-01")
    assert answer.metrics["applicable_die_area_mm2"] == 814
    assert answer.metrics["io_bandwidth_gb_s"] == 900


def test_no_link_is_no_bandwidth(chip_file: Any) -> None:
    text = EXAMPLE.split("[[link]]")[0].replace("[peak", "link = []\n[peak", 1)
    assert check(chip_file(text), on="2024-01-01").metrics["io_bandwidth_gb_s"] == 0


BAD = [
    ("peak_dense_tflopz = 3\n", "peak_dense_tflopz: not a known key; did you mean peak_dense_tflops"),
    ("[peak_dense_tflops]\nfp17 = 3\n", "did you mean fp16"),
    ("[memory]\nbandwidth_tb_s = 3.35\n", "did you mean bandwidth_gb_s"),
    ("[[die]]\narea_cm2 = 8.14\n", "did you mean area_mm2"),
    ('[[die]]\narea_mm2 = "814 mm2"\n', "found '814 mm2' (text); allowed: a number above 0 [mm2]"),
    ("[peak_dense_tflops]\nfp16 = 'many'\n", "(text)"),
    ("[peak_dense_tflops]\nfp16 = -3\n", "found -3 (negative)"),
    ("[peak_dense_tflops]\nfp16 = 0\n", "(zero)"),
    ("[peak_dense_tflops]\nfp16 = nan\n", "(not a number)"),
    ("[peak_dense_tflops]\nfp16 = inf\n", "(infinite)"),
    ("[peak_dense_tflops]\nfp16 = 1e400000000\n", "outside"),
    ("[peak_dense_tflops]\nfp16 = true\n", "found true; allowed: a number"),
    ("[peak_dense_tflops]\nfp16 = [1, 2]\n", "found a list"),
    ("[peak_dense_tflops]\nfp16 = { low = 5, high = 4 }\n", "found low 5 above high 4"),
    ("[peak_dense_tflops]\nfp16 = { low = 5 }\n", "found a table with low"),
    ("[peak_dense_tflops]\nfp16 = { low = 5, high = nan }\n", "fp16.high"),
    ("[peak_dense_tflops]\nfp16_sparse = 600\n", "sparse figures are never used"),
    ("[sparse_tflops]\nfp16 = 600\n", "sparse figures are never used"),
    ("[peak_dense_tflops]\n", "found no format"),
    ("die = []\n", "found no die"),
    ("die = 3\n", "a list of tables"),
    ("memory = 3\n", "a table, written [memory]"),
    ("[[die]]\ncount = 1.5\n", "a whole number"),
    ("[[die]]\ncount = 0\n", "a whole number"),
    ("[[die]]\ntransistor = 'finfit'\n", "did you mean finfet"),
    ("datacenter = 'yes'\ntpp = 3\n", "allowed: true or false"),
    ("launched = '2024-01-01'\ntpp = 3\n", "allowed: a date"),
    ("tpp = 4800\n[peak_dense_tflops]\nfp16 = 301\n", "the parts of the file make 4816"),
    ("applicable_die_area_mm2 = 800\n[[die]]\narea_mm2 = 814\ntransistor = 'gaa'\n", "make 814"),
    ("tpp = 3000\napplicable_die_area_mm2 = 750\nperformance_density = 4.1\n", "the parts of the file make 4"),
    ("[[link]]\nbandwidth_gb_s = 50\nshipped_gb_s = 60\n", "at most as fast as it can be programmed"),
    ("vendor = 'x'\n", "says nothing about a chip"),
    ("[facts]\ndestinaton = 'cn'\n", "did you mean destination"),
    ("tpp = 3\ntpp = 4\n", "not TOML"),
    ("tpp = \n", "not TOML"),
    ("name: x\ntpp: 4800\n", "looks like YAML"),
    ('{"tpp": 4800}', "looks like JSON"),
    ("", "the file is empty"),
    ("  \n\n", "the file is empty"),
    ("x = " + "[" * 5000 + "]" * 5000, "not TOML"),
    ("tpp = " + "9" * 5000, "not TOML"),
    ("tpp = " + "9" * 300, "outside"),
    ("tpp = 1." + "1" * 300, "too many digits"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_mistakes(chip_file: Any, text: str, said: str) -> None:
    path = chip_file(text)
    with pytest.raises(PerfcoreError) as caught:
        load(path)
    assert said in str(caught.value)
    assert all(line.startswith(str(path)) and len(line) < 500 + len(str(path)) for line in caught.value.lines)


def test_line_and_key_of_every_mistake_at_once(chip_file: Any) -> None:
    text = EXAMPLE.replace("fp16 = 300", "fp16 = -300").replace("407.0", '"407"').replace("count = 18", "count = 0")
    with pytest.raises(PerfcoreError) as caught:
        load(chip_file(text))
    places = [line.split("design.toml:")[1].split(": ")[:2] for line in caught.value.lines]
    assert places == [["6", "peak_dense_tflops.fp16"], ["12", "die.1.area_mm2"], ["25", "link.1.count"]]


def test_the_line_of_a_later_table_of_a_list(chip_file: Any) -> None:
    path = chip_file(EXAMPLE + "[[link]]\nname = 'PCIe'\n# a remark\nbandwidth_gb_s = 'x'\n")
    with pytest.raises(PerfcoreError, match=rf"design\.toml:{len(EXAMPLE.splitlines()) + 4}: link\.2\.bandwidth_gb_s"):
        load(path)


def test_binary_junk_a_folder_and_a_huge_file(tmp_path: Path) -> None:
    junk, huge = tmp_path / "junk.toml", tmp_path / "huge.toml"
    junk.write_bytes(bytes(range(128, 256)) * 9)
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    for path, said in ((junk, "not text in UTF-8"), (huge, "found 100,000,000 bytes"), (tmp_path, "a folder")):
        with pytest.raises(PerfcoreError, match=said):
            load(path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    assert check(path, on="2024-01-01").status == "controlled"


TWO_INTERVALS = "tpp = { low = 2400, high = 4000 }\nperformance_density = { low = 4, high = 5 }\n"


@pytest.mark.parametrize(
    ("text", "status", "paragraphs"),
    [
        ("tpp = 3000\nperformance_density = { low = 4, high = 7 }\n", "controlled", ()),
        ("tpp = 3000\nperformance_density = 4\n", "controlled", ("3A090.b.1", "3A090.b.2")),
        # TPP and density both intervals: the corners of the area they imply are not corners of the design
        (
            "tpp = { low = 2400, high = 4000 }\nperformance_density = { low = 4, high = 5 }\n",
            "controlled",
            ("3A090.b.1", "3A090.b.2"),
        ),
        ("performance_density = 6\n", "undetermined", ()),
    ],
)
def test_a_density_may_be_stated(chip_file: Any, text: str, status: str, paragraphs: tuple[str, ...]) -> None:
    answer = check(chip_file("datacenter = true\n" + text), on="2024-01-01")
    assert (answer.status, answer.paragraphs) == (status, paragraphs)


def test_a_stated_density_flips_through_tpp_and_area(chip_file: Any) -> None:
    answer = check(chip_file("datacenter = true\ntpp = 2000\nperformance_density = 2.5\n"), on="2024-01-01")
    assert answer.metrics["applicable_die_area_mm2"] == 800
    assert {flip["input"]: flip["to"] for flip in answer.flips} == {"tpp": 2400, "applicable_die_area_mm2": 625}


def test_a_memory_part_of_ones_own(chip_file: Any) -> None:
    path = chip_file('generation = "HBM3"\nbandwidth_gb_s = 200\narea_mm2 = { low = 90, high = 110 }\n')
    answer = judged(from_file(path), "2025-01-01")
    assert answer.status == "undetermined"  # 1.8 to 2.2
    assert answer.settle[0]["input"] == "hbm_bandwidth_density_gb_s_mm2"


def test_a_name_without_case_spaces_or_punctuation() -> None:
    assert load("RTX-4090 d").id == load("rtx 4090D").id == "nvidia_rtx_4090_d_24gb"


def test_frozen() -> None:
    with pytest.raises(TypeError):
        load("h20").document["tpp"] = 3  # type: ignore[index]
