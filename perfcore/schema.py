"""What a spec file may hold, and the check of a document against it: all problems at once."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from perfcore.errors import suggestion
from perfcore.silicon_terms import PROCESS_NUMBERS, RACK, REPORTED_YIELD
from perfcore.speed_terms import MODEL_KEYS
from perfcore.terms import FACTS, FORMATS, MARKS, TERMS

Problem = tuple[str, str]
# A table's keys: None where the kind is that of the term of the same name, else the keys of the table below.
Shape = Mapping[str, Any]

NEEDED = {"cache": ("name",), "conflict": ("key", "others", "reason"), "others": ("value",), "evidence": ("keys",)}
NEEDED |= {"figure": ("name", "value", "unit")}
LARGEST_NUMBER = Decimal("1e30")
SMALLEST_NUMBER = Decimal("1e-12")
MOST_DIGITS = 60

COUNTRY = re.compile(r"[a-z]{2}", re.IGNORECASE)
GOVERNING = ("3A090.a", "3A090.b", "3A090.c", "none")
WORDS = {
    "role": ("compute", "io", "cache", "other"),
    "transistor": ("planar", "finfet", "gaa"),
    "mark": MARKS,
    "basis": ("rated", "as operated", "announced"),
    "exporter": ("front_end_fabricator", "osat", "other"),
    "packager": ("front_end_fabricator", "approved_osat", "other"),
    "addressee": ("nvidia", "amd", "intel", "other"),
    "product": ("logic", "nand", "dram"),
    "designer": ("approved", "authorized", "other"),
}
# How the chips of a system are joined, by the table that says so: within a domain, and between domains.
TOPOLOGIES = {
    "scale_up": ("switch", "full_mesh", "torus_2d", "torus_3d", "ring", "none"),
    "scale_out": ("rail", "fat_tree", "torus", "dcn", "none"),
}

_RATES: Shape = dict.fromkeys(FORMATS)
CITED: Shape = {
    "evidence": dict.fromkeys(("keys", "source", "locator", "mark", "note")),
    "conflict": dict.fromkeys(("key", "reason", "decision")) | {"others": dict.fromkeys(("value", "source", "note"))},
}
PACKAGE_METRICS = (
    "tpp",
    "bits_x_tops_2022",
    "analog_tops",
    "applicable_die_area_mm2",
    "performance_density",
    "io_bandwidth_gb_s",
    "dram_bandwidth_gb_s",
    "transistors_billion",
    "tops",
)
# What follows from other facts and cannot be given.
DERIVED = ("analog_bits_x_tops_2022", "total_bits_x_tops_2022", "dram_plus_io_gb_s")
SYSTEM_FACTS = ("fp64_petaflops", "fp32_petaflops", "volume_ft3")
PROCESS_FACTS = (
    "product",
    "node_nm",
    "non_planar",
    "nand_layers",
    "dram_half_pitch_nm",
    "dram_cell_area_um2",
    "dram_density_gb_mm2",
    "tsv_per_die",
)
# Numbers of which there may be none.
ZERO_ALLOWED = ("tsv_per_die",)
# What a model may do without, which 0 says too.
NONE_ALLOWED = (
    *("learned_positions", "q_lora_rank", "kv_lora_rank", "rope_head_dim", "experts", "top_k", "expert_ffn"),
    *("shared_ffn", "dense_layers", "leading_dense_layers", "window", "window_layers", "mtp_layers", "top_groups"),
)
LARGEST_WHOLE = 10**9
SETTABLE_FACTS = tuple(name for name in FACTS if name not in ("classified", *DERIVED))

# How the numbers of a chip file were measured that `perfcore measure` wrote.
MEASURED: Shape = {
    **dict.fromkeys(("kind", "date", "version", "threads", "clock_mhz", "load", "spread", "gemm_share")),
    **dict.fromkeys(("stream_share", "refused", "note")),
    "figure": dict.fromkeys(("name", "value", "unit", "median", "spread", "note")),
}
CHIP: Shape = {
    **dict.fromkeys(("name", "vendor", "aliases", "form", "market", "launched", "datacenter", "note")),
    **dict.fromkeys(("packages_per_board", "multiprocessors", "devices", *PACKAGE_METRICS)),
    "peak_dense_tflops": _RATES,
    "vector_peak_dense_tflops": _RATES,
    "uncapped_peak_dense_tflops": _RATES,
    "die": dict.fromkeys(("role", "count", "area_mm2", "transistor", "process", "transistors_billion", "note")),
    "cache": dict.fromkeys(("name", "capacity_mb", "bandwidth_gb_s", "note")),
    "memory": dict.fromkeys(("type", "stacks", "bandwidth_gb_s", "capacity_gb", "note")),
    "link": dict.fromkeys(
        (
            *("name", "count", "bandwidth_gb_s", "shipped_gb_s", "silicon_count", "silicon_gb_s", "reported_gb_s"),
            *("to_volatile_memory", "note"),
        )
    ),
    "power": dict.fromkeys(("tdp_w",)),
    "clock": dict.fromkeys(("boost_mhz",)),
    "measured": MEASURED,
    "facts": dict.fromkeys(SETTABLE_FACTS),
    **CITED,
}
# A part of a package as programs see it, such as one of the two dies of an MI250X.
PART: Shape = {**CHIP, **dict.fromkeys(("part_of", "parts"))}
NETWORK = ("chips_per_node", "scale_up", "scale_out", "host", "rack")
SYSTEM: Shape = {
    **dict.fromkeys(("name", "vendor", "aliases", "note", "launched", *SYSTEM_FACTS)),
    **dict.fromkeys(("default_for", "chips_per_node")),
    "scale_up": dict.fromkeys(("name", "domain_chips", "per_direction_gb_s", "latency_us", "topology", "note")),
    "scale_out": dict.fromkeys(("name", "nics_per_node", "per_direction_gb_s", "latency_us", "topology", "note")),
    "host": dict.fromkeys(("name", "per_direction_gb_s", "note")),
    "rack": dict.fromkeys(RACK),
    "facts": dict.fromkeys(SETTABLE_FACTS),
    **CITED,
}
PROCESS: Shape = {
    **dict.fromkeys(("name", "vendor", "aliases", "note", "launched", "variants", *PROCESS_FACTS, *PROCESS_NUMBERS)),
    "reported_yield": dict.fromkeys(REPORTED_YIELD),
    "facts": dict.fromkeys(SETTABLE_FACTS),
    **CITED,
}
MEMORY: Shape = {
    **dict.fromkeys(("name", "vendor", "aliases", "generation", "basis", "stack_height", "pin_gbit_s", "bus_bits")),
    **dict.fromkeys(("bandwidth_gb_s", "capacity_gb", "area_mm2", "used_in", "note")),
    "facts": dict.fromkeys(SETTABLE_FACTS),
    **CITED,
}
MODEL: Shape = {
    **dict.fromkeys(("name", "vendor", "aliases", "note", "launched", *MODEL_KEYS)),
    **CITED,
}

# What kernels of a chip generation reach: shares of datasheet rates, from kernels alone and fitted to step times.
SHARES = ("gemm_16bit", "gemm_8bit", "gemm_4bit", "attention")
COMMON = (
    "memory_efficiency",
    "link_efficiency",
    "network_efficiency",
    "kernel_s",
    "link_latency_s",
    "network_latency_s",
)
_FIT: Shape = dict.fromkeys(("rows", "sources", "residual", "note"))


def _calibrated(keys: tuple[str, ...]) -> Shape:
    tables = ("neutral", "neutral_width", "fitted", "fitted_width")
    return {table: dict.fromkeys(keys) for table in tables} | {"fit": _FIT}


EFFICIENCY: Shape = {
    **dict.fromkeys(("name", "vendor", "family", "variant_of", "chips", "note")),
    **_calibrated(SHARES),
    **CITED,
}
SHARED_EFFICIENCY: Shape = {**dict.fromkeys(("name", "note")), **_calibrated(COMMON), **CITED}
ATTENTION_KERNEL: Shape = dict.fromkeys(("generations", "flash_1", "flash_2", "flash_3", "width"))
SITE: Shape = dict.fromkeys(("generation", "gemm_factor", "width"))


def problems_of(document: Mapping[str, Any], shape: Shape, path: str = "") -> list[Problem]:
    """Check a document (or one of its tables) against a shape.

    >>> problems_of({"nmae": "x"}, CHIP)
    [('nmae', 'not a known key; did you mean name?')]
    """
    found: list[Problem] = []
    for key, value in document.items():
        here = f"{path}.{key}" if path else key
        if key not in shape:
            found.append((here, _unknown_key(key, shape)))
        elif shape[key] is None:
            found += check_value(here, key, value)
        elif TERMS[key].kind == "table":
            found += _check_table(here, value, shape[key])
        else:
            found += _check_tables(here, value, shape[key])
    return found


def _unknown_key(key: str, shape: Shape) -> str:
    if "spars" in key.lower():
        return "sparse figures are never used (3A090, technical note 3); give the dense rate in peak_dense_tflops"
    hint = suggestion(key, shape) or f"; the keys here are: {', '.join(shape)}"
    return f"not a known key{hint}"


def _check_table(path: str, value: Any, shape: Shape) -> list[Problem]:
    if not isinstance(value, dict):
        return [(path, f"found {shown(value)}; allowed: a table, written [{path}]")]
    return problems_of(value, shape, path)


def _check_tables(path: str, value: Any, shape: Shape) -> list[Problem]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return [(path, f"found {shown(value)}; allowed: a list of tables, each written [[{path}]]")]
    found = []
    for place, entry in enumerate(value, 1):
        here = f"{path}.{place}"
        needed = NEEDED.get(path.rpartition(".")[2], ())
        found += [(here, f"{key} is missing; give it") for key in needed if key not in entry]
        found += problems_of(entry, shape, here)
    return found


def check_value(path: str, name: str, value: Any) -> list[Problem]:
    """Check one value against the kind of the term of its name."""
    kind = TERMS[name].kind
    if kind == "number" or (kind == "any" and not isinstance(value, str)):
        return check_number(path, value, TERMS[name].unit, zero=name in ZERO_ALLOWED)
    if kind == "whole":
        return check_whole(path, value, 0 if name in NONE_ALLOWED else 1)
    allowed = {
        "count": ("a whole number from 1 to 10000", _is_count),
        "share": ("a plain number of 0 or more", _is_share),
        "yes_no": ("true or false", lambda v: isinstance(v, bool)),
        "words": ("a list of texts", lambda v: isinstance(v, list) and all(isinstance(w, str) for w in v)),
        "date": ("a date, written 2024-01-31", lambda v: isinstance(v, date) and not isinstance(v, datetime)),
        "word": ("a text that is not empty", lambda v: isinstance(v, str) and bool(v.strip())),
        "any": ("a number or a text", lambda v: isinstance(v, str)),
    }[kind]
    if not allowed[1](value):
        return [(path, f"found {shown(value)}; allowed: {allowed[0]}")]
    if name in WORDS and value not in WORDS[name]:
        return [(path, f"found {shown(value)}; allowed: {', '.join(WORDS[name])}{suggestion(value, WORDS[name])}")]
    if name == "destination" and not COUNTRY.fullmatch(value):
        return [(path, f"found {shown(value)}; allowed: a country in two letters, such as cn")]
    return []


def _is_share(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and number_problem(value, zero=True) is None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000


def check_whole(path: str, value: Any, least: int) -> list[Problem]:
    """Check a whole number.

    >>> check_whole("heads", 0, 1)
    [('heads', 'found 0; allowed: a whole number from 1 to 1000000000')]
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and least <= value <= LARGEST_WHOLE:
        return []
    return [(path, f"found {shown(value)}; allowed: a whole number from {least} to {LARGEST_WHOLE}")]


def check_number(path: str, value: Any, unit: str, zero: bool = False) -> list[Problem]:
    """Check a number above 0, or a table of low and high with low not above high."""
    said = f"a number above 0 [{unit}]" if unit else "a number above 0"
    if not isinstance(value, dict):
        wrong = number_problem(value, zero)
        return (
            [(path, f"found {shown(value)}{wrong}; allowed: {said} or {{ low = , high = }}")]
            if wrong is not None
            else []
        )
    if set(value) != {"low", "high"}:
        return [
            (
                path,
                f"found a table with {', '.join(value) or 'nothing'}; allowed: {said} or {{ low = , high = }}",
            )
        ]
    ends = [
        (f"{path}.{end}", f"found {shown(value[end])}{wrong}; allowed: {said}")
        for end in ("low", "high")
        if (wrong := number_problem(value[end], zero)) is not None
    ]
    if not ends and value["low"] > value["high"]:
        return [(path, f"found low {value['low']} above high {value['high']}; allowed: low at most high")]
    return ends


def number_problem(value: Any, zero: bool = False) -> str | None:
    """Say why a value is not a usable number: None where it is one, else a remark (or nothing).

    >>> number_problem(Decimal("3.2")), number_problem(Decimal("nan")), number_problem("3.2 TB/s")
    (None, ' (not a number)', ' (text)')
    """
    if isinstance(value, str):
        return " (text)"
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ""
    if isinstance(value, Decimal) and not value.is_finite():
        return " (not a number)" if value.is_nan() else " (infinite)"
    if value == 0:
        return None if zero else " (zero)"
    if value < 0:
        return " (negative)"
    if not SMALLEST_NUMBER <= value <= LARGEST_NUMBER:
        return f" (outside {SMALLEST_NUMBER} to {LARGEST_NUMBER})"
    return " (too many digits)" if isinstance(value, Decimal) and len(value.as_tuple().digits) > MOST_DIGITS else None


def shown(value: Any) -> str:
    """Show a value in a message, briefly.

    >>> shown("x" * 99), shown([1, 2]), shown({"a": 1}), shown(True)
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'", 'a list', 'a table', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:30] + "...")
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    if isinstance(value, int) and value and math.log10(abs(value)) > 40:
        return "a number of more than 40 digits"
    return str(value)[:60]
