"""The words of silicon, packaging, supply and failures; ``perfcore.terms`` joins them to the vocabulary."""

from perfcore.speed_terms import Term

SILICON_KEYS = {
    "wafer_cost_usd": Term("number", "USD", "cost of one processed wafer"),
    "wafer_diameter_mm": Term("number", "mm", "diameter of the wafer"),
    "transistor_density_mtr_mm2": Term("number", "10^6/mm2", "transistors of one mm2 of logic"),
    "defects_per_cm2": Term("number", "1/cm2", "mean density of the defects that kill a die"),
    "clustering": Term(
        "number", "", "how little defects cluster, in the negative binomial yield: 1 Seeds, large Poisson"
    ),
    "die_yield": Term("share", "", "share of dies that work"),
    "gross_dies": Term("number", "", "whole dies of one wafer, working or not"),
    "test_coverage": Term("share", "", "share of bad dies that a test finds before packaging; 1 for known-good dies"),
    "die_test_usd": Term("share", "USD", "cost of testing one die"),
    "die_cost_usd": Term("share", "USD", "cost of one die that is put in a package"),
    "assembly_cost_usd": Term("share", "USD", "substrate, interposer, memory and work of one package"),
    "bond_yield": Term("share", "", "share of dies joined without damage"),
    "package_yield": Term("share", "", "share of packages that work"),
    "memory_package_yield": Term("share", "", "share of memory stacks that end in a working package"),
    "dies_per_package": Term("count", "", "logic dies of one package"),
    "stacks_per_package": Term("count", "", "memory stacks of one package"),
    "padding_area_mm2": Term("share", "mm2", "logic area added to lower performance density"),
    "raw_silicon_usd_mm2": Term("number", "USD/mm2", "cost of processed silicon, edge and bad dies not counted"),
    "interface_mm2": Term("share", "mm2", "area each chiplet needs for links to the others"),
    "k": Term("whole", "", "dies a chip is split into"),
    "extra_masks": Term("share", "", "masks added by exposing the finest layers several times"),
    "cost_factor_per_mask": Term("number", "", "cost of a wafer with one mask more over that without"),
    "yield_per_mask": Term("share", "", "share of dies that one extra mask leaves good"),
    "euv_exposures": Term("share", "", "EUV exposures that the extra masks stand for"),
    "cost_factor_per_euv_exposure": Term("number", "", "cost of a wafer with one EUV exposure over that without"),
    "yield_per_euv_exposure": Term("share", "", "share of dies that one EUV exposure leaves good"),
    "tpp_per_billion": Term("number", "bit x TOPS", "TPP of a billion transistors"),
    "petaflops": Term("number", "10^15/s", "peak of a system"),
    "racks": Term("number", "", "racks of a system"),
    "rack_volume_ft3": Term("number", "ft3", "outer volume of one rack"),
    "wafers": Term("number", "", "wafers"),
    "dies": Term("number", "", "working dies at hand"),
    "memory_stacks": Term("number", "", "memory stacks at hand"),
    "packages_by_dies": Term("number", "", "packages that the dies alone allow"),
    "packages_by_stacks": Term("number", "", "packages that the memory stacks alone allow"),
    "packages_by_lines": Term("number", "", "packages that the packaging lines alone allow"),
    "interruptions": Term("number", "", "interruptions of a run"),
    "nodes": Term("number", "", "servers of a run"),
    "days": Term("number", "day", "length of time"),
    "failures_per_1000_node_days": Term("number", "", "failures of 1,000 servers in a day"),
    "mtti_s": Term("number", "s", "mean time to interruption"),
    "save_s": Term("share", "s", "time a checkpoint stops the work for"),
    "restart_s": Term("share", "s", "time from an interruption until the work goes on"),
    "interval_s": Term("number", "s", "time of work between two checkpoints"),
    "reticle_mm2": Term("number", "mm2", "largest field a scanner exposes at once"),
    "variants": Term("words", "", "processes of chip files whose density is compared with this one"),
    "reported_yield": Term("tables", "", "a yield that someone reported of dies of this process"),
    "made": Term("word", "", "what the dies are"),
    "rack": Term("table", "", "what one rack of a system holds"),
    "chips_per_rack": Term("count", "", "chips of one rack, racks without chips shared out"),
    "rack_kw": Term("number", "kW", "power of one rack"),
}

# What a process file says beside the facts that rules read.
PROCESS_NUMBERS = (
    "wafer_cost_usd",
    "wafer_diameter_mm",
    "reticle_mm2",
    "transistor_density_mtr_mm2",
    "defects_per_cm2",
    "clustering",
)
REPORTED_YIELD = ("made", "area_mm2", "die_yield", "note")
RACK = ("chips_per_rack", "rack_volume_ft3", "rack_kw", "note")
