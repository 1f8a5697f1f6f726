"""The vocabulary: one name for a formula argument, a spec key, a table column, a CLI label and a JSON key."""

from typing import NamedTuple


class Term(NamedTuple):
    """A word of the vocabulary.

    ``kind`` is ``number`` (above 0, or an interval of such numbers), ``share`` (a plain number of 0 or more),
    ``count`` (a whole number from 1 to 10,000),
    ``whole`` (a whole number to 10^9), ``yes_no``, ``word``, ``words`` (a list), ``date``, ``table`` or ``tables``.
    """

    kind: str
    unit: str
    meaning: str
    label: str = ""


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
    "bandwidth_gb_s": Term("number", "GB/s", "bandwidth: of all memory, of one stack, or both ways of one link"),
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
    "value": Term("any", "", "a value not chosen"),
    "frameworks": Term("words", "", "how the name of a framework starts that this software is taken for"),
    "storage": Term("word", "", "which count of bytes a framework keeps: see perfcore.formulas.storage"),
    "structure": Term("table", "", "what a framework overlaps, fuses and reduces"),
    "residual": Term("share", "", "mean absolute error over them"),
    "attention_version": Term("word", "", "unfused, flash_1, flash_2 (SDPA, cuDNN 8) or flash_3 (cuDNN 9, splash)"),
    "overlap": Term("share", "", "share of hideable communication that is hidden"),
    "elementwise_factor": Term("share", "", "time of memory-bound kernels over that of the counted bytes"),
    "attention_factor": Term("share", "", "speed of the attention kernel over the best of its kind"),
    "link_factor": Term("share", "", "rate of links and network over what chips reach elsewhere"),
    "tensor_overlap": Term("share", "", "share of overlap that tensor-parallel traffic enjoys"),
    "data_overlap": Term("yes_no", "", "gradients are reduced behind the backward pass"),
    "gradient_bytes": Term("number", "B", "bytes per parameter in the reduction of gradients"),
    "pipeline_overlap": Term("share", "", "share of the traffic between pipeline stages that is hidden"),
    "logit_bytes": Term("number", "B", "bytes the loss moves per logit"),
    "fused_experts": Term("yes_no", "", "sorting, quantisation and activation of experts run in one kernel"),
    "deduplicated": Term("yes_no", "", "a token is sent once to a rank that holds several of its experts"),
    "expert_factor": Term("number", "", "time of sorting tokens to experts over that of the counted bytes"),
    "launch_us": Term("share", "us", "time the host needs to launch a kernel; 0 with graphs or compiled programs"),
    "measured_site": Term(
        "word", "", "the one machine its runs are from, where that is slower than its chips elsewhere"
    ),
    "single_network_port": Term("yes_no", "", "sharded weights enter and leave a server through one network port"),
    "straggler": Term("share", "", "slowdown per square root of the doublings of domains"),
    "slice_straggler": Term("share", "", "slowdown per doubling of joined slices"),
    "embedding_layers": Term("share", "", "layers that embedding and head each count for when stages are dealt"),
    "interleaving": Term("share", "", "layers of a pipeline chunk where a run does not say; 0: one layer a chunk"),
    "reason": Term("word", "", "why the value of the file was chosen"),
    "decision": Term("word", "", "what was decided where the values disagree across a threshold"),
    "mac_tops": Term("number", "10^12/s", "multiply-accumulate operations per second"),
    "peak_dense_tops": Term("number", "10^12/s", "operations per second, a multiply-accumulate counted as 2"),
    "bit_length": Term("number", "bit", "largest bit length of the inputs to the multiply"),
    "output_bit_length": Term("number", "bit", "largest bit length of the outputs"),
    "low": Term("number", "", "lower end of an interval"),
    "high": Term("number", "", "upper end of an interval"),
    "threshold": Term("number", "", "the number a rule compares with"),
    "family": Term("word", "", "generations of a vendor that are alike: one without kernels takes their mean"),
    "variant_of": Term("word", "", "the generation this is a capped or held back form of; not in the mean of a family"),
    "chips": Term("words", "", "ids of the chips (and parts of packages) of a generation"),
    "generations": Term("words", "", "ids of generations"),
    "neutral": Term("table", "", "from kernels, or bytes counted by hand: no training step time was used"),
    "neutral_width": Term("table", "", "relative one-sigma uncertainty of each"),
    "fitted": Term("table", "", "fitted to training step times, with the neutral values as priors"),
    "fitted_width": Term("table", "", "relative one-sigma uncertainty of each after the fit"),
    "fit": Term("table", "", "what the fit rests on"),
    "rows": Term("count", "", "measured rows"),
    "sources": Term("words", "", "ids of documents"),
    "gemm_16bit": Term("number", "", "share of the dense 16-bit peak that a large matrix product reaches"),
    "gemm_8bit": Term("number", "", "share of the dense 8-bit peak that a large matrix product reaches"),
    "gemm_4bit": Term("number", "", "share of the dense 4-bit peak that a large matrix product reaches"),
    "attention": Term(
        "number",
        "",
        "share of the dense 16-bit peak that the forward pass of fused attention reaches over long sequences, a causal "
        "mask counted half",
    ),
    "memory_efficiency": Term("number", "", "share of the datasheet memory bandwidth that memory-bound kernels reach"),
    "link_efficiency": Term("number", "", "share of the datasheet rate of the fast links that collectives reach"),
    "network_efficiency": Term("number", "", "share of the rate of the network that collectives reach"),
    "kernel_s": Term("number", "s", "start and drain of one kernel"),
    "link_latency_s": Term("number", "s", "start of one all-gather or reduce-scatter within a domain"),
    "network_latency_s": Term("number", "s", "start of one step of a collective between domains"),
    "attention_kernel": Term("table", "", "older attention kernels by generation"),
    "flash_1": Term("number", "", "speed of FlashAttention-1 over that of the generation's best kernel"),
    "flash_2": Term("number", "", "speed of FlashAttention-2 over that of the generation's best kernel"),
    "flash_3": Term("number", "", "speed of FlashAttention-3 or cuDNN 9 over that of the generation's best kernel"),
    "width": Term("number", "", "relative one-sigma uncertainty"),
    "site": Term("table", "", "machines slower than their chip"),
    "gemm_factor": Term("number", "", "GEMM rate of a machine over that of its generation"),
}

# The shape of a language model.
MODEL_KEYS = {
    "layers": Term("whole", "", "transformer layers, those of any kind"),
    "hidden": Term("whole", "", "width of the residual stream"),
    "heads": Term("whole", "", "query heads of a layer"),
    "kv_heads": Term("whole", "", "key and value heads of a layer; as many as heads where not given"),
    "head_dim": Term("whole", "", "size of a query and key head; hidden / heads where not given"),
    "v_head_dim": Term("whole", "", "size of a value head; head_dim where not given"),
    "ffn": Term("whole", "", "width of the dense MLP"),
    "ffn_matrices": Term("whole", "", "matrices of an MLP: 3 gated, 2 plain"),
    "vocab": Term("whole", "", "rows of the token embedding"),
    "tied_embeddings": Term("yes_no", "", "input and output embedding are one matrix"),
    "learned_positions": Term("whole", "", "rows of a learned position table; 0 for rotary positions or ALiBi"),
    "biases": Term("yes_no", "", "linear layers and norms carry biases"),
    "q_lora_rank": Term("whole", "", "multi-head latent attention: width of the query latent; 0 for none"),
    "kv_lora_rank": Term("whole", "", "multi-head latent attention: width of the key and value latent; 0 for none"),
    "rope_head_dim": Term("whole", "", "multi-head latent attention: the rotary part of head_dim"),
    "experts": Term("whole", "", "routed experts of a MoE layer; 0 for a dense model"),
    "top_k": Term("whole", "", "routed experts a token goes to"),
    "expert_ffn": Term("whole", "", "width of one routed expert"),
    "shared_ffn": Term("whole", "", "width of the experts every token goes to, together"),
    "dense_layers": Term("whole", "", "layers with the dense MLP; all of a dense model"),
    "top_groups": Term("whole", "", "groups of experts a token may reach where routing is limited to some"),
    "leading_dense_layers": Term("whole", "", "those dense layers of a MoE model that stand first"),
    "window": Term("whole", "token", "what a windowed attention layer sees; 0 for no window"),
    "window_layers": Term("whole", "", "layers with that window"),
    "mtp_layers": Term("whole", "", "trained layers that predict further tokens"),
    "seq": Term("whole", "token", "sequence length, in a model file that of its training"),
    "global_batch": Term("whole", "", "sequences of an optimizer step, in a model file those of its training"),
    "max_seq": Term("whole", "token", "longest sequence the model is published for"),
    "parameters_billion": Term("number", "10^9", "parameters, as published"),
    "active_parameters_billion": Term("number", "10^9", "parameters a token makes use of, as published"),
    "tokens_trillion": Term("number", "10^12", "tokens the model was trained on"),
}

TERMS = FACTS | KEYS | MODEL_KEYS | {name: Term("number", "10^12/s", f"{name} format") for name in FORMATS}


def weakest(marks: list[str]) -> str:
    """Return the least sure of some marks.

    >>> weakest(["datasheet", "recalled", "press"])
    'recalled'
    """
    return max(marks, key=MARKS.index)
