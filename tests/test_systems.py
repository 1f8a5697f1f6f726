"""Systems: printed bandwidths halved to one direction, a system for every measured chip, and a user's own file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perfcore import chips, evidence, systems
from perfcore.errors import PerfcoreError
from perfcore.quantity import interval_of
from perfcore.reader import read_toml
from perfcore.verdict import check

# Typed from what vendors and papers print: (chips a server, chips a domain, GB/s of one chip over the fast links in
# BOTH directions, Gb/s of one chip over the network in one direction).
PRINTED = {
    "dgx a100": (8, 8, 600, 200),  # NVLink 3: 12 x 50; eight HDR adapters for eight chips (SC21 paper)
    "selene": (8, 8, 600, 200),
    "jean zay": (8, 8, 600, 50),  # four Omni-Path adapters of 100 Gb/s for eight chips (BLOOM chronicles)
    "hgx a800": (8, 8, 400, 200),  # NVLink cut to 400
    "dgx h100": (8, 8, 900, 400),  # NVLink 4: 18 x 50; eight NDR adapters
    "hgx h800": (8, 8, 400, 400),  # NVLink cut to 400; CX7 400 Gb/s for each GPU (DeepEP)
    "dgx-2": (16, 16, 300, 50),  # NVLink 2: 6 x 50; eight EDR adapters for sixteen chips
    "dgx b300": (8, 8, 1800, 800),  # NVLink 5: 18 x 100; 800 Gb/s for each GPU
    "gb200 nvl72": (4, 72, 1800, 400),
    "atlas 900 a2": (8, 8, 392, 200),  # HCCS: 7 x 56
    "mi325x platform": (8, 8, 896, 400),  # Infinity Fabric: 7 x 128
    "trn1.32xlarge": (16, 16, 768, 50),  # EFA: 800 Gb/s for sixteen chips
    "hls-gaudi2": (8, 8, 525, 300),  # 24 ports of 100 Gb/s: 21 x 25 GB/s inside, 3 outside
    "tpu v5e pod": (8, 256, 400, 25),  # 6.4 Tb/s a pod of 256 to the data center network
}


@pytest.mark.parametrize("name", PRINTED)
def test_one_direction_of_one_chip(name: str) -> None:
    node, domain, both_ways_gb_s, network_gbit_s = PRINTED[name]
    system = systems.load(name)
    assert (system.chips_per_node, system.domain_chips) == (node, domain)
    assert system.scale_up_bytes_s == both_ways_gb_s / 2 * 1e9
    assert system.scale_out_bytes_s == network_gbit_s / 8 * 1e9


def test_start_up_times_are_halves_of_measured_all_reduces() -> None:
    """nccl-tests of eight A100 at 32 KiB: 43.83 us; Vidur's eight H100: 36 us; eight H200: 39.96 us."""
    assert systems.load("dgx a100").scale_up_latency_s == pytest.approx(43.83e-6 / 2, rel=1e-3)
    assert systems.load("dgx h100").scale_up_latency_s == pytest.approx(36e-6 / 2, rel=1e-3)
    assert systems.load("hgx h200").scale_up_latency_s == pytest.approx(39.96e-6 / 2, rel=1e-2)


def test_what_a_file_leaves_open_is_filled_in_and_said() -> None:
    system = systems.load("dgx b200")
    assert system.scale_up_latency_s == 25e-6
    assert system.scale_out_latency_s == 30e-6
    started = "25 us to start a collective within the domain; 30 us to start a collective between domains"
    assert system.assumptions == (f"the system does not say, so taken from generic_server: {started}",)
    assert systems.load("generic server").assumptions == ()


# Every name in the chip columns of the training, inference and microbenchmark tables collected for this project,
# beside the id it stands for.
TRAINED = {
    "A100-PCIe-80GB": "nvidia_a100_pcie_80gb",
    "A100-SXM-40GB": "nvidia_a100_sxm_40gb",
    "A100-SXM-80GB": "nvidia_a100_sxm_80gb",
    "A800-SXM-80GB": "nvidia_a800_sxm_80gb",
    "Ascend-910B": "huawei_ascend_910b1_64gb",
    "B200": "nvidia_b200_sxm_180gb",
    "B300": "nvidia_b300_sxm_270gb",
    "GB200": "nvidia_gb200_superchip_gpu_186gb",
    "GB300": "nvidia_gb300_superchip_gpu_288gb",
    "Gaudi2-96GB": "intel_gaudi_2_oam_96gb",
    "H100-96GB-HBM2e-500W": "nvidia_h100_sxm_96gb_500w",
    "H100-SXM-80GB": "nvidia_h100_sxm_80gb",
    "L4": "nvidia_l4_pcie_24gb",
    "MI300X": "amd_mi300x_oam_192gb",
    "MI325X": "amd_mi325x_oam_256gb",
    "MI355X": "amd_mi355x_oam_288gb",
    "TPU-v4": "google_tpu_v4",
    "TPU-v5e": "google_tpu_v5e",
    "TPU-v5p": "google_tpu_v5p",
    "TPU-v6e": "google_tpu_v6e",
    "TPU-v7x (Ironwood)": "google_tpu_v7",
    "Trainium1": "aws_trainium_1",
    "V100-PCIe-32GB": "nvidia_v100_pcie_32gb",
    "V100-SXM3-32GB": "nvidia_v100_sxm3_32gb",
}
OTHERS = {
    "A100-PCIe-40GB": "nvidia_a100_pcie_40gb",
    "A100-40GB": "nvidia_a100_sxm_40gb",
    "A100-80GB": "nvidia_a100_sxm_80gb",
    "A40": "nvidia_a40_pcie_48gb",
    "A40-48GB": "nvidia_a40_pcie_48gb",
    "AMD MI300X": "amd_mi300x_oam_192gb",
    "AMD MI325X": "amd_mi325x_oam_256gb",
    "AMD MI355X": "amd_mi355x_oam_288gb",
    "H100-PCIe-80GB": "nvidia_h100_pcie_80gb",
    "H20-96GB": "nvidia_h20_sxm_96gb",
    "H200-SXM-141GB": "nvidia_h200_sxm_141gb",
    "H800-SXM-80GB": "nvidia_h800_sxm_80gb",
    "Inferentia2": "aws_inferentia_2",
    "Intel Gaudi 2": "intel_gaudi_2_oam_96gb",
    "Intel Gaudi 3": "intel_gaudi_3_oam_128gb",
    "L40": "nvidia_l40_pcie_48gb",
    "L40S": "nvidia_l40s_pcie_48gb",
    "MI100": "amd_mi100_pcie_32gb",
    "MI210": "amd_mi210_pcie_64gb",
    "MI250 (one GCD?)": "amd_mi250_gcd_64gb",
    "MI250X (per GCD)": "amd_mi250x_gcd_64gb",
    "NVIDIA A100 PCIe": "nvidia_a100_pcie_80gb",
    "NVIDIA A100 SXM": "nvidia_a100_sxm_80gb",
    "NVIDIA B200 SXM": "nvidia_b200_sxm_180gb",
    "NVIDIA B300 SXM": "nvidia_b300_sxm_270gb",
    "NVIDIA GB200 SXM": "nvidia_gb200_superchip_gpu_186gb",
    "NVIDIA GH200 SXM": "nvidia_gh200_superchip_gpu_96gb",
    "NVIDIA H100 SXM": "nvidia_h100_sxm_80gb",
    "NVIDIA H200 SXM": "nvidia_h200_sxm_141gb",
    "P100-PCIe-16GB": "nvidia_p100_pcie_16gb",
    "P4": "nvidia_p4_pcie_8gb",
    "RX6900XT": "amd_radeon_rx_6900_xt_16gb",
    "T4": "nvidia_t4_pcie_16gb",
    "V100-SXM2-32GB": "nvidia_v100_sxm2_32gb",
}


@pytest.mark.parametrize(("name", "chip_id"), (TRAINED | OTHERS).items())
def test_names_of_the_measurement_tables(name: str, chip_id: str) -> None:
    assert chips.find(name) == chip_id


@pytest.mark.parametrize("name", ["unnamed", "unnamed (8-GPU nodes)"])
def test_what_has_no_name_is_no_chip(name: str) -> None:
    with pytest.raises(PerfcoreError, match="nothing of the catalogue"):
        chips.find(name)


@pytest.mark.parametrize("chip_id", TRAINED.values())
def test_each_chip_trained_on_stands_in_one_system(chip_id: str) -> None:
    holding = [name for name in systems.ids() if chip_id in read(name).get("default_for", ())]
    assert len(holding) == 1
    assert systems.default_for(chip_id).id == holding[0]


def read(system_id: str) -> Any:
    return chips.load(system_id).document


def test_no_chip_stands_in_two_systems_and_all_are_chips() -> None:
    named = [chip_id for name in systems.ids() for chip_id in read(name).get("default_for", ())]
    assert len(named) == len(set(named))
    assert set(named) <= {*chips.ids(), *chips.ids("part")}


@pytest.mark.parametrize("name", systems.ids())
def test_no_chip_sends_more_in_a_direction_than_half_of_its_links(name: str) -> None:
    """The chip files give both directions; Frontier's processor links and Gaudi's outer ports take a share."""
    document = read(name)
    for chip_id in document.get("default_for", ()):
        both_ways = [
            float(interval_of(link["bandwidth_gb_s"]).low) * link.get("count", 1)
            for link in chips.load(chip_id).document["link"]
            if "bandwidth_gb_s" in link
        ]
        assert float(document["scale_up"]["per_direction_gb_s"]) <= max(both_ways) / 2


def test_a_chip_of_no_system_is_joined_by_its_own_links() -> None:
    """BR100: eight BLinks of 64 GB/s, 256 in one direction; MI250X die: four links of 100, 200 in one direction."""
    system = systems.default_for("br100")
    assert (system.id, system.chips_per_node, system.domain_chips) == ("generic_server", 8, 8)
    assert system.scale_up_bytes_s == 256e9
    assert system.assumptions[0].startswith("no system is known for biren_br100_oam_64gb: 8 chips joined by BLink")
    assert "50 GB/s per chip and direction between domains" in system.assumptions[1]
    assert systems.default_for("MI250X (per GCD)").scale_up_bytes_s == 200e9


@pytest.mark.parametrize(
    ("links", "gb_s"),
    [
        ('[[link]]\nname = "X"\ncount = 4\nbandwidth_gb_s = 50\n[[link]]\nname = "PCIe"\nbandwidth_gb_s = 400\n', 100),
        ('[[link]]\nname = "X"\ncount = 4\nbandwidth_gb_s = 50\nshipped_gb_s = 40\n', 80),  # as shipped
        ('[[link]]\nname = "NVLink bridge"\nbandwidth_gb_s = 600\n[[link]]\nname = "PCIe"\nbandwidth_gb_s = 64\n', 32),
        ('[[link]]\nname = "X"\n', 64),  # no rate: PCIe 5.0 x16 of the generic server
        ("", 64),
    ],
)
def test_which_link_joins_a_design(tmp_path: Path, links: str, gb_s: float) -> None:
    path = tmp_path / "design.toml"
    path.write_text(f"tpp = 1000\n{links}")
    assert systems.default_for(path).scale_up_bytes_s == gb_s * 1e9


def test_a_users_file_named_like_a_chip_is_not_that_chip(tmp_path: Path) -> None:
    path = tmp_path / "nvidia_h100_sxm_80gb.toml"
    path.write_text("tpp = 1000\n")
    assert systems.default_for(path).id == "generic_server"


OWN = """name = "My pod"
chips_per_node = 16
[scale_up]
domain_chips = 64
per_direction_gb_s = 123.5
latency_us = 4
topology = "torus_3d"
[scale_out]
per_direction_gb_s = 12.5
latency_us = 9
topology = "dcn"
[host]
per_direction_gb_s = 32
"""


def test_a_users_own_system(tmp_path: Path) -> None:
    path = tmp_path / "pod.toml"
    path.write_text(OWN)
    for system in (systems.load(path), systems.load(str(path))):
        assert (system.id, system.name, system.chips_per_node, system.domain_chips) == ("pod", "My pod", 16, 64)
        assert (system.scale_up_bytes_s, system.scale_up_latency_s) == (123.5e9, 4e-6)
        assert (system.scale_out_bytes_s, system.scale_out_latency_s) == (12.5e9, 9e-6)
        assert (system.scale_up_topology, system.scale_out_topology, system.host_bytes_s) == ("torus_3d", "dcn", 32e9)
        assert system.assumptions == ()


def test_the_domain_is_the_server_unless_said(tmp_path: Path) -> None:
    path = tmp_path / "pod.toml"
    path.write_text("chips_per_node = 4\n[scale_up]\nper_direction_gb_s = 100\n")
    system = systems.load(path)
    assert (system.domain_chips, system.scale_out_bytes_s) == (4, 50e9)
    assert "50 GB/s per chip and direction between domains" in system.assumptions[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("chips_per_node = 16", "chips_per_node = 0"), ":2: chips_per_node: found 0; allowed: a whole number"),
        (("chips_per_node = 16", "chips_per_node = 2.5"), ":2: chips_per_node: found 2.5"),
        (("chips_per_node = 16\n", ""), "chips_per_node: is missing"),
        (("= 123.5", "= -1"), ":5: scale_up.per_direction_gb_s: found -1 (negative)"),
        (("= 123.5", "= nan"), ":5: scale_up.per_direction_gb_s: found NaN (not a number)"),
        (("= 123.5", '= "450 GB/s"'), ":5: scale_up.per_direction_gb_s: found '450 GB/s' (text)"),
        (("= 123.5", "= { low = 1, high = 2 }"), ":5: scale_up.per_direction_gb_s: found an interval; give one number"),
        (("per_direction_gb_s = 123.5\n", ""), ":3: scale_up.per_direction_gb_s: is missing"),
        (("per_direction_gb_s = 123.5", "bandwidth_gb_s = 9"), ":5: scale_up.bandwidth_gb_s: not a known key"),
        (("latency_us = 4", "latency_us = 0"), ":6: scale_up.latency_us: found 0 (zero)"),
        (('"torus_3d"', '"torus_3"'), ":7: scale_up.topology: found 'torus_3'; allowed: switch, full_mesh"),
        (('"dcn"', '"switch"'), ":11: scale_out.topology: found 'switch'; allowed: rail, fat_tree, torus, dcn, none"),
        (("[host]", "[hosts]"), ":12: hosts: not a known key; did you mean host?"),
    ],
)
def test_mistakes_in_a_system_file(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "pod.toml"
    assert change[0] in OWN
    path.write_text(OWN.replace(change[0], change[1], 1))
    with pytest.raises(PerfcoreError) as caught:
        systems.load(path)
    assert len(caught.value.lines) == 1
    assert said in caught.value.lines[0]


@pytest.mark.parametrize("ask", [systems.find, systems.load])
def test_a_chip_is_no_system(ask: Any, tmp_path: Path) -> None:
    with pytest.raises(PerfcoreError, match="'h100' is no system of the catalogue and no file"):
        ask("h100")
    path = tmp_path / "design.toml"
    path.write_text("tpp = 1000\n")
    with pytest.raises(PerfcoreError, match="found a chip, which is not a system"):
        systems.load(path)


def test_a_rack_and_its_chip_may_share_a_name() -> None:
    assert chips.find("GB300 NVL72") == "nvidia_gb300_superchip_gpu_288gb"
    assert systems.find("GB300 NVL72") == "nvidia_gb300_nvl72"


def test_a_system_is_no_chip() -> None:
    with pytest.raises(PerfcoreError, match="not a chip"):
        systems.default_for("dgx h100")


def test_rules_still_read_a_system(tmp_path: Path) -> None:
    """100 petaflops at 64 bits within 41,600 ft3 is a supercomputer (15 CFR 772.1)."""
    path = tmp_path / "machine.toml"
    path.write_text(OWN.replace("[scale_up]", "fp64_petaflops = 150\nvolume_ft3 = 20000\n[scale_up]", 1))
    findings = check(path, on="2024-01-01").findings
    assert [f.met for f in findings if f.rule == "us_supercomputer"] == [True]


@pytest.mark.parametrize("part_id", chips.ids("part"))
def test_a_part_is_its_package_divided(part_id: str) -> None:
    part = chips.load(part_id).document
    whole = chips.load(part["part_of"]).document
    share = part["parts"]
    for path, value in evidence.leaves(part):
        table, _, key = path.partition(".")
        if table == "link":
            continue
        package = whole[table][key] if key else whole[table]
        assert value * (1 if table == "clock" else share) == package, path
    for mine, its in zip(part["link"], whole["link"], strict=False):
        assert (mine["count"] * share, mine["bandwidth_gb_s"]) == (its["count"], its["bandwidth_gb_s"])


def test_rules_do_not_speak_of_parts(tmp_path: Path) -> None:
    said = (
        "amd_mi250x_gcd_64gb is a part of a package, and export rules speak of whole ones; check amd_mi250x_oam_128gb"
    )
    with pytest.raises(PerfcoreError, match=said):
        check("MI250X (per GCD)")
    own = tmp_path / "half.toml"
    own.write_text('part_of = "my_chip"\nparts = 2\ntpp = 5000\n')
    with pytest.raises(PerfcoreError, match="half is a part of a package"):
        check(own, on="2024-01-01")
    assert not set(chips.ids("part")) & set(chips.ids())


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("a100", 108),  # GA100 white paper: 108 of 128 enabled
        ("h100", 132),
        ("h100 pcie", 114),
        ("l4", 58),  # 7,424 cores of 128 a unit
        ("mi300x", 304),  # 8 dies of 38
        ("mi250x", 220),  # 2 dies of 110
        ("MI250X (per GCD)", 110),
        ("mi355x", 256),  # 8 dies of 32
    ],
)
def test_units_that_tiles_are_dealt_to(name: str, units: int) -> None:
    assert chips.load(name).document["multiprocessors"] == units


@pytest.mark.parametrize("name", ["tpu v5e", "gaudi 2", "trn1", "910b1"])
def test_systolic_chips_have_no_such_units(name: str) -> None:
    assert "multiprocessors" not in chips.load(name).document


def test_the_listing_shows_systems_and_parts() -> None:
    result = subprocess.run([sys.executable, "-m", "perfcore", "chips"], capture_output=True, text=True, check=True)
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "8 chips, NVLink 4 + NVSwitch 450 GB/s each way, InfiniBand NDR 50 GB/s each way" in lines["nvidia_dgx_h100"]
    assert "one of 2 parts of amd_mi250x_oam_128gb" in lines["amd_mi250x_gcd_64gb"]


def test_the_files_of_systems_parse_as_the_pattern_reads_them() -> None:
    """default_for is read by pattern; here by parsing."""
    parsed = {}
    for name in systems.ids():
        for chip_id in read_toml(chips.load(name).path).get("default_for", ()):
            parsed[chip_id] = name
    assert dict(systems._defaults()) == parsed


def test_a_system_can_be_a_key_of_a_cache() -> None:
    assert len({systems.load("dgx h100"), systems.default_for("h100"), systems.load("dgx a100")}) == 2
