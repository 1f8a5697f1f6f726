"""The page on silicon, packages and failures: every number computed when the page is written."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

from perfcore import chips, formulas, processes
from perfcore.chiplets import YIELDS
from perfcore.display import number
from perfcore.foundry import carried
from perfcore.items import Item, item_of
from perfcore.scenarios import Spread, simulate
from perfcore.silicon import CAVEAT, envelope, foundry_gate, packages, padding, region_table, split, stacks_allowed

HEAD = """# Silicon, packages and failures

Written by `docs/generate.py`. What a design costs to stay on one side of a limit, what a supply of dies and memory
allows, and what failures leave of a large run. The limits are those of `specs/rules/`, costs and densities those of
`specs/processes/`. Models of analysis, not legal advice.

```python
>>> from perfcore import silicon
>>> silicon.region_table([858], on="2024-01-01")
(Region(applicable_die_area_mm2=858.0, outside=2399, at_most_b=4799),)
>>> silicon.packages(2.9e6, memory_stacks=13e6, dies_per_package=2, stacks_per_package=8).binding
('dies',)

```
"""
DIE, DAY = 814.0, "2024-01-01"
PADDED = ((4799, 814, "outside"), (2399, 400, "outside"), (4799, 745, "at_most_3A090.b"))
CHIPS = ("a30", "l4", "h20", "l20", "h100")
RACKS = (
    "Racks are those of the chip's usual system where its file says what one holds; otherwise give `chips_per_rack`, "
    "`rack_volume_ft3`, `rack_kw`."
)
GATE = (("n16", 500.0), ("n10", 500.0), ("n7", 400.0), ("n5", 300.0))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(head), ["---" for _ in head], *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def page() -> str:
    """Return the page."""
    sections = (regions, pads, nodes, yields, splits, gates, memory, supply, supercomputers, failures, scenario)
    return "\n".join([HEAD, *(section() for section in sections)])


def regions() -> str:
    """Return the region table."""
    rows = [
        (number(row.applicable_die_area_mm2), number(row.outside), number(row.at_most_b))
        for row in region_table([500, 750, 858, 1716, 2574, 3000], on=DAY)
    ]
    return f"""## Highest TPP by logic area

Of a datacenter chip on {DAY}, decided exactly. 858 mm2 is one reticle field. Splitting a chip over packages
divides its TPP and leaves its performance density.

{table(("logic area mm2", "outside 3A090", "at most 3A090.b"), rows)}
"""


def design(tpp: int, area: int) -> Item:
    """Return a datacenter chip of which only TPP and area are known."""
    return item_of({"datacenter": True, "tpp": tpp, "applicable_die_area_mm2": area}, Path(f"{tpp} on {area}"))


def pads() -> str:
    """Return what padding costs."""
    rows = []
    asked = [(f"TPP {number(t)} on {a} mm2", design(t, a), region) for t, a, region in PADDED]
    asked += [(f"`{chips.find(name)}`", chips.load(name), "outside") for name in CHIPS]
    for name, item, region in asked:
        answer = padding(item, region, on=DAY, process=["n16", "n5"])
        cost = [f"{number(c.padding_cost_usd, 3)}" for c in answer.costs] or ["", ""]
        needed = answer.why if answer.area_needed_mm2 is None else number(answer.area_needed_mm2, 5)
        rows.append((name, region, needed, number(answer.padding_area_mm2, 5).replace("unknown", ""), *cost))
    head = ("chip", "region", "area to pass, mm2", "added mm2", "of 16FF, USD", "of N5, USD")
    return f"""## Padding

{fill(f"Area added until performance density is low enough on {DAY}, as raw silicon. {CAVEAT}", 120)}

{table(head, rows)}
"""


def nodes() -> str:
    """Return the processes."""
    rows = []
    for name in processes.with_costs():
        made = processes.load(name)
        each = formulas.raw_silicon_usd_mm2(made.number("wafer_cost_usd"), made.number("wafer_diameter_mm"))
        reached = [r.transistor_density_mtr_mm2 for r in made.realised]
        density = f"{min(reached):g} to {max(reached):g}" if reached else "none in the catalogue"
        values = [number(made.number(n)) for n in ("wafer_cost_usd", "transistor_density_mtr_mm2", "defects_per_cm2")]
        rows.append((made.name, values[0], f"{each:.3f}", values[1], density, values[2]))
    head = ("process", "wafer USD", "USD/mm2", "10^6 transistors/mm2 on paper", "reached by chips", "defects/cm2")
    return f"""## Processes

Every value on paper is an `estimate`; `perfcore chips tsmc_n5` shows where it comes from and what it was chosen over.

{table(head, rows)}
"""


def yields() -> str:
    """Return yields by model, and the defects that reported yields imply."""
    defects = (0.05, 0.10, 0.15, 0.20, 0.30)
    rows = [(name.replace("_", " "), *(f"{f(DIE, d, 3.0):.2f}" for d in defects)) for name, f in YIELDS.items()]
    implied = []
    for said in processes.load("smic_n2").reported:
        binomial = formulas.negative_binomial_defects_per_cm2(said.area_mm2, said.die_yield, 3.0)
        murphy = formulas.murphy_defects_per_cm2(said.area_mm2, said.die_yield)
        implied.append((said.made, f"{said.die_yield:.0%}", said.mark, f"{binomial:.2f}", f"{murphy:.2f}"))
    return f"""## Yield of a die of {DIE:g} mm2 by defects a cm2

{table(("model", *(f"{d:g}" for d in defects)), rows)}

Clustering is 3. A wafer of 300 mm holds {formulas.gross_dies(300, DIE):.1f} such dies. What yields reported of SMIC
N+2 imply, if they are of dies of 665 mm2:

{table(("dies", "yield", "mark", "defects/cm2, negative binomial", "Murphy"), implied)}
"""


def splits() -> str:
    """Return what splitting brings."""
    rows = []
    for defects in (0.10, 0.15, 0.22, 0.32):
        two, four = (split("h100", k, "n5", defects_per_cm2=defects) for k in (2, 4))
        rows.append([f"{defects:g}", *(f"{x:.2f}" for s in (two, four) for x in (s.yield_ratio, s.silicon_cost_ratio))])
    head = ("defects/cm2", "two: yield", "two: silicon cost", "four: yield", "four: silicon cost")
    return f"""## One die of {DIE:g} mm2 over two or four

How many times as much the one die costs, dies known good and links between them free. The silicon cost also counts the
edge of the wafer, which small dies fill better. Bonds, tests and assembly are inputs (`Assembly`).

{table(head, rows)}
"""


def gates() -> str:
    """Return the foundry's gate."""
    rows = []
    for process, area in GATE:
        gate = foundry_gate(area, process, True, 2026)
        nominal, reached = gate.counts[0], gate.counts[1:]
        spread = [f"{c.transistors_billion:.1f}" for c in (reached[0], reached[-1])] if reached else []
        at_limit = number(nominal.area_at_limit_mm2, 3)
        rows.append(
            (
                gate.process,
                f"{area:g}",
                f"{nominal.transistors_billion:.1f}",
                " to ".join(spread),
                gate.overcome,
                at_limit,
            )
        )
    head = (
        "process",
        "area mm2",
        "billions on paper",
        "as chips reach",
        "below the limit",
        "mm2 at the limit, on paper",
    )
    named = ("a100", "mi325x", "b200", "h100", "b300")
    carrying = [(f"`{row.chip}`", f"{row.tpp_per_billion:.0f}", number(round(row.tpp))) for row in carried(30, named)]
    return f"""## The foundry's gate

Transistors of an area with HBM, 2026, limit 30 billion. `open`: density on paper and as reached answer differently.

{table(head, rows)}

A count below the gate does not mean a TPP below a threshold. What 30 billion transistors carry at the TPP per
transistor of

{table(("chip", "TPP per billion", "TPP of 30 billion"), carrying)}
"""


def memory() -> str:
    """Return HBM parts against the law."""
    rows = []
    for part in ("skhynix_hbm2_4hi_2_0gbps", "samsung_hbm2e_flashbolt_8hi", "skhynix_hbm3_8hi", "micron_hbm3e_8hi"):
        answer = stacks_allowed(part, "2026-02-01")
        most = {limit.rule: limit.most_stacks_below for limit in answer.limits}
        rows.append(
            (
                f"`{part}`",
                number(answer.hbm_bandwidth_density_gb_s_mm2, 3),
                ", ".join(answer.paragraphs) or answer.status,
                "possible" if answer.exceptions else "no",
                str(most["us_review_policy_china"]),
                str(most["us_letters"]),
            )
        )
    head = ("part", "GB/s/mm2", "alone", "exception HBM", "stacks below the review policy", "below the letters of 2025")
    return f"""## HBM

On 2026-02-01. A part alone, and how many of it a package may carry below limits on its DRAM bandwidth; each limit is
one of several conditions.

{table(head, rows)}
"""


def supply() -> str:
    """Return what supplies allow."""
    cases = (
        ("13 million stacks, 8 each", packages(9e9, 13e6, None, 2, 8)),
        ("2.9 million dies, 2 each", packages(2.9e6, 13e6, None, 2, 8)),
        ("and 75 % packaging yield", packages(2.9e6, 13e6, None, 2, 8, 0.75)),
        ("2 million dies, 2 each, 75 %", packages(2e6, 13e6, None, 2, 8, 0.75)),
    )
    rows = [(name, number(answer.packages, 7), ", ".join(answer.binding)) for name, answer in cases]
    return f"""## Supply of the Ascend 910C

{table(("supply", "packages", "binds"), rows)}
"""


def supercomputers() -> str:
    """Return what makes a supercomputer."""
    rows = []
    for name in ("a100", "h100", "h20", "h800", "b200", "gb200"):
        answer = envelope(name)
        for reach in answer.reaches:
            cells = [number(reach.chip_tflops), number(reach.chips), number(reach.chip_kw, 4)]
            cells += [
                number(value, 5).replace("unknown", "") for value in (reach.racks, reach.rack_kw, reach.volume_ft3)
            ]
            units = reach.number_format + (", vector units" if reach.units == "vector" else "")
            rows.append((f"`{answer.chip}`", units, *cells))
    head = ("chip", "format", "TFLOPS", "chips", "their TDP kW", "racks", "kW of racks", "ft3")
    return f"""## Chips of a supercomputer (15 CFR 772.1)

{fill(envelope("gb200").note + " " + RACKS, 120)}

{table(head, rows)}
"""


def failures() -> str:
    """Return goodput by size."""
    rate = formulas.failures_per_1000_node_days(419, 2048, 54)
    rows = []
    for count in (16_384, 32_768, 100_000, 131_072):
        hours = formulas.mtti_s(count / 8, rate) / 3600
        shares = [formulas.best_goodput(count / 8, rate, s * 60, r * 60) for s, r in ((0.5, 5), (1, 10), (5, 15))]
        rows.append((number(count), f"{hours:.2f}", *(f"{share:.0%}" for share in shares)))
    head = ("chips", "hours between interruptions", "0.5 and 5 min", "1 and 10 min", "5 and 15 min")
    return f"""## Failures

Share of time that ends in work kept, by the time a checkpoint stops the run for and that of a restart, at the failure
rate of Llama 3: 419 interruptions in 54 days on 16,384 chips, {rate:.2f} per 1,000 server-days. The rate is linear in
the servers: for 1,024 chips it says 28.8 h at Meta's rate of 6.5, where 7.9 were measured.

{table(head, rows)}
"""


def scenario() -> str:
    """Return a guess as a distribution."""
    each = 624.0 * 8  # TPP of an A100
    out = simulate(lambda chips: chips * each, {"chips": Spread(18_000, 1_600, 200_000)}, draws=20_000, seed=1)
    ends = [number(float(f"{end / 1e6:.2g}")) for end in (out.low, out.median, out.high)]
    return f"""## Scenarios

`perfcore.scenarios` draws guesses, with a seed. CNAS (2023) gives for its cloud pathway a median of 18,000 chips, 95 %
from 1,600 to 200,000. If all were A100, {out.draws:,} draws with seed {out.seed} give {ends[1]} million TPP, 95 % from
{ends[0]} to {ends[2]} million. `tornado` says which guess an answer hangs on most. Of the figure of 2025 (median
140,000) the upper end is published in words only, so it is not computed.
"""
