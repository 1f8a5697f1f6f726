"""The vocabulary: one name for a formula argument, a spec key, a table column, a CLI label and a JSON key."""

from perfcore.design_terms import DESIGN_KEYS
from perfcore.silicon_terms import SILICON_KEYS
from perfcore.speed_terms import (
    CALIBRATION_KEYS,
    ENGINE_KEYS,
    MEASURED_KEYS,
    MODEL_KEYS,
    ROOFLINE_KEYS,
    Term,
)

# Bit length of the multiply inputs. TF32 counts its 19 significant bits: the market's reading.
FORMATS = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 19,
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "fp6": 6,
    "fp4": 4,
    "int8": 8,
    "int4": 4,
}

# How sure a number is, from the surest to the least sure.
MARKS = ("datasheet", "filing", "teardown", "press", "derived", "estimate", "recalled")
WEAK_MARKS = ("estimate", "recalled")

# What a rule may test. `label` is the phrase of the law.
FACTS = {
    "tpp": Term(
        "number",
        "bit x TOPS",
        "2 x MacTOPS x bit length of the largest multiply input, dense, the highest over formats, summed over "
        "the processing units and dies of one package (15 CFR 774 supp. 1, 3A090, technical notes 1 to 3)",
        "total processing performance",
    ),
    "bits_x_tops_2022": Term(
        "number",
        "bit x TOPS",
        "the measure of October 2022: bit length per operation x TOPS over all digital processor units; equals "
        "tpp where it is not given",
        "bit length per operation x TOPS",
    ),
    "analog_tops": Term(
        "number",
        "TOPS",
        "operations of analog, multi-value or multi-level units; none where it is not given",
        "analog TOPS",
    ),
    "analog_bits_x_tops_2022": Term(
        "number", "bit x TOPS", "the 2022 measure of analog units: TOPS x 8", "analog TOPS x 8"
    ),
    "total_bits_x_tops_2022": Term(
        "number",
        "bit x TOPS",
        "the 2022 measure of digital and analog units together",
        "bits x TOPS, digital and analog together",
    ),
    "applicable_die_area_mm2": Term(
        "number",
        "mm2",
        "area of all logic dies of the package made on a non-planar process; 0 says there is none",
        "applicable die area",
    ),
    "performance_density": Term(
        "number",
        "TPP/mm2",
        "tpp / applicable_die_area_mm2; undefined where no die is non-planar",
        "performance density",
    ),
    "io_bandwidth_gb_s": Term(
        "number",
        "GB/s",
        "aggregate bidirectional rate of all links other than to volatile memory, at the rate they are or can "
        "be programmed to",
        "I/O bandwidth",
    ),
    "dram_bandwidth_gb_s": Term(
        "number", "GB/s", "theoretical peak summed over all DRAM attached to the package", "DRAM bandwidth"
    ),
    "hbm_bandwidth_density_gb_s_mm2": Term(
        "number",
        "GB/s/mm2",
        "memory bandwidth over the area of one HBM package or stack",
        "memory bandwidth density",
    ),
    "transistors_billion": Term(
        "number",
        "10^9",
        "approximated transistors summed over the non-planar dies of the package",
        "aggregated approximated transistor count",
    ),
    "tops": Term(
        "number",
        "10^12/s",
        "2 x MacTOPS over all processing units, without the bit length (3A991.p)",
        "processing performance in TOPS",
    ),
    "dram_plus_io_gb_s": Term(
        "number", "GB/s", "DRAM bandwidth and I/O bandwidth together", "sum of DRAM and I/O bandwidth"
    ),
    "completion_year": Term("number", "", "year in which an export is completed", "year the export is completed"),
    "aggregate_tpp": Term("number", "bit x TOPS", "TPP summed over the circuits of one quota", "aggregate TPP"),
    "training_operations": Term("number", "", "operations used to train a model", "training operations"),
    "fp64_petaflops": Term("number", "10^15/s", "double-precision peak of a system", "64-bit petaflops"),
    "fp32_petaflops": Term("number", "10^15/s", "single-precision peak of a system", "32-bit petaflops"),
    "volume_ft3": Term("number", "ft3", "envelope of a system", "envelope"),
    "node_nm": Term("number", "nm", "production node of logic circuits", "production node"),
    "nand_layers": Term("number", "", "layers of NAND memory", "NAND layers"),
    "dram_half_pitch_nm": Term("number", "nm", "half-pitch of DRAM", "DRAM half-pitch"),
    "dram_cell_area_um2": Term("number", "um2", "area of a DRAM cell", "DRAM cell area"),
    "dram_density_gb_mm2": Term("number", "Gbit/mm2", "memory density of DRAM", "DRAM density"),
    "tsv_per_die": Term("number", "", "through-silicon vias of a DRAM die", "through-silicon vias per die"),
    "datacenter": Term(
        "yes_no",
        "",
        "designed or marketed for use in datacenters: a fact with evidence, never computed",
        "designed or marketed for datacenters",
    ),
    "digital_processing_units": Term(
        "yes_no",
        "",
        "the item has one or more digital processing units",
        "an integrated circuit with one or more digital processing units",
    ),
    "dominant_function_processing": Term(
        "yes_no",
        "",
        "memory and logic in one package whose dominant function is processing",
        "co-packaged with logic whose dominant function is processing",
    ),
    "classified": Term(
        "word",
        "",
        "the paragraph that governs the item: 3A090.a, 3A090.b, 3A090.c or none; computed",
        "classified under",
    ),
    "product": Term("word", "", "what a process makes: logic, nand or dram", "process for"),
    "non_planar": Term("yes_no", "", "transistors are FinFET or gate-all-around", "non-planar transistors"),
    "high_bandwidth_memory": Term("yes_no", "", "the package contains HBM", "contains high bandwidth memory"),
    "exporter": Term("word", "", "who exports: front_end_fabricator, osat or other", "exporter"),
    "packager": Term("word", "", "who packages: front_end_fabricator, approved_osat or other", "packaged by"),
    "packaged_in_macau_or_d5": Term(
        "yes_no", "", "the place of packaging is in Macau or D:5", "packaged in Macau or D:5"
    ),
    "designer": Term(
        "word", "", "the designer: approved, authorized or other, with an attestation", "attested by a designer"
    ),
    "addressee": Term("word", "", "the company a letter is addressed to", "addressed to"),
    "quarter": Term("word", "", "quarter of a quota, such as 2026-q1", "quarter"),
    "launched_after_2025": Term(
        "yes_no",
        "",
        "first marketed after 1 January 2026; follows from the date of launch",
        "first marketed after 1 January 2026",
    ),
    "destination": Term("word", "", "country of destination, two letters, lower case", "destination"),
    "exported_from_us": Term("yes_no", "", "the item is exported from the United States", "exported from the US"),
}

# The other words of the spec files and formulas.
KEYS = {
    "subject": Term("words", "", "what a rule speaks of: chip, memory, system, process, transaction or model"),
    "name": Term("word", "", "what people call it"),
    "vendor": Term("word", "", "who sells it"),
    "aliases": Term("words", "", "other names it is found under"),
    "form": Term("word", "", "form factor"),
    "market": Term("word", "", "where it is sold"),
    "launched": Term("date", "", "day of launch"),
    "packages_per_board": Term("count", "", "such packages on one card"),
    "multiprocessors": Term(
        "count",
        "",
        "streaming multiprocessors or compute units of the package that tiles of a matrix product are dealt to; left "
        "out for systolic chips",
        "streaming multiprocessors or compute units",
    ),
    "devices": Term("count", "", "devices of one package that training software counts as ranks; 1 where left out"),
    "part_of": Term("word", "", "id of the chip (whole package) this is a part of"),
    "parts": Term("count", "", "equal parts the package is counted as"),
    "default_for": Term("words", "", "ids of the chips this system is taken for where none is named"),
    "chips_per_node": Term("count", "", "chips of one server"),
    "scale_up": Term("table", "", "the fast links that join the chips of one domain"),
    "scale_out": Term("table", "", "the network that joins domains"),
    "host": Term("table", "", "the way to the memory of the host"),
    "domain_chips": Term("count", "", "chips joined by the fast links: a server, a rack, a slice of a torus"),
    "nics_per_node": Term("count", "", "network adapters of one server"),
    "per_direction_gb_s": Term("number", "GB/s", "bandwidth of one chip in one direction, all its links of the kind"),
    "latency_us": Term(
        "number", "us", "start-up time of one all-gather or reduce-scatter; an all-reduce takes two of them"
    ),
    "topology": Term(
        "word",
        "",
        "scale_up: switch, full_mesh, torus_2d, torus_3d, ring or none; scale_out: rail, fat_tree, torus, dcn or none",
    ),
    "peak_dense_tflops": Term("table", "10^12/s", "dense peak by number format, multiply-accumulate = 2"),
    "vector_peak_dense_tflops": Term("table", "10^12/s", "dense peak of the units beside the tensor units"),
    "uncapped_peak_dense_tflops": Term("table", "10^12/s", "dense peak without a firmware cap"),
    "die": Term("tables", "", "a logic die of the package"),
    "memory": Term("table", "", "the DRAM attached to the package"),
    "cache": Term("tables", "", "a level of cache of the package, the nearest to the units first"),
    "capacity_mb": Term("number", "10^6 B", "capacity of a cache, summed over the package"),
    "link": Term("tables", "", "a link of the package to anything but volatile memory"),
    "power": Term("table", "", "power"),
    "clock": Term("table", "", "clocks"),
    "facts": Term("table", "", "other facts a rule reads"),
    "evidence": Term("tables", "", "the source of the numbers under some keys"),
    "conflict": Term("tables", "", "competing published values of one number"),
    "role": Term("word", "", "what a die does: compute, io, cache or other"),
    "count": Term("count", "", "how many of them"),
    "area_mm2": Term("number", "mm2", "area of one die, HBM package or stack"),
    "transistor": Term("word", "", "planar, finfet or gaa"),
    "process": Term("word", "", "fabrication process"),
    "type": Term("word", "", "kind of memory"),
    "stacks": Term("count", "", "memory stacks"),
    "bandwidth_gb_s": Term(
        "number", "GB/s", "bandwidth: of all memory, of one stack, of a cache as a whole, or both ways of one link"
    ),
    "silicon_count": Term("count", "", "links of the die, when more than the part has"),
    "silicon_gb_s": Term(
        "number",
        "GB/s",
        "rate a link could run at by its die, both directions, when above what it can be programmed to",
    ),
    "reported_gb_s": Term("number", "GB/s", "rate of a link as its seller or the press prints it, when another"),
    "shipped_gb_s": Term("number", "GB/s", "rate a link ships at, when below what it can be programmed to"),
    "to_volatile_memory": Term("yes_no", "", "the link leads to volatile memory and does not count"),
    "capacity_gb": Term("number", "10^9 B", "memory capacity"),
    "tdp_w": Term("number", "W", "thermal design power"),
    "boost_mhz": Term("number", "MHz", "boost clock"),
    "generation": Term("word", "", "HBM generation"),
    "basis": Term("word", "", "rated, as operated or announced"),
    "stack_height": Term("count", "", "DRAM dies in a stack"),
    "pin_gbit_s": Term("number", "Gbit/s", "rate of one pin"),
    "bus_bits": Term("count", "bit", "width of the interface"),
    "used_in": Term("words", "", "products that use it"),
    "keys": Term("words", "", "the paths a piece of evidence covers"),
    "key": Term("word", "", "the path or metric a conflict is about"),
    "source": Term("word", "", "id of a document in sources.toml"),
    "locator": Term("word", "", "where in the document"),
    "mark": Term("word", "", "how sure"),
    "note": Term("word", "", "a remark"),
    "others": Term("tables", "", "the values not chosen"),
    "value": Term("any", "", "a value: one not chosen, or a measured one"),
    "reason": Term("word", "", "why the value of the file was chosen"),
    "decision": Term("word", "", "what was decided where the values disagree across a threshold"),
    "mac_tops": Term("number", "10^12/s", "multiply-accumulate operations per second"),
    "peak_dense_tops": Term("number", "10^12/s", "operations per second, a multiply-accumulate counted as 2"),
    "bit_length": Term("number", "bit", "largest bit length of the inputs to the multiply"),
    "output_bit_length": Term("number", "bit", "largest bit length of the outputs"),
    "low": Term("number", "", "lower end of an interval"),
    "high": Term("number", "", "upper end of an interval"),
    "threshold": Term("number", "", "the number a rule compares with"),
}

KEYS |= CALIBRATION_KEYS | ENGINE_KEYS | MEASURED_KEYS | ROOFLINE_KEYS | SILICON_KEYS | DESIGN_KEYS
TERMS = FACTS | KEYS | MODEL_KEYS | {name: Term("number", "10^12/s", f"{name} format") for name in FORMATS}


def weakest(marks: list[str]) -> str:
    """Return the least sure of some marks.

    >>> weakest(["datasheet", "recalled", "press"])
    'recalled'
    """
    return max(marks, key=MARKS.index)
