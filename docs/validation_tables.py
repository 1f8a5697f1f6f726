"""Further tables of ``docs/validation.md``: groups, memory, plans, peers, constants, misses, rows."""

from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean, median

from validation_known import BEST_CONSTANT, PEER_ROWS, PEERS, cause
from validation_plans import Ranking, memories, rankings
from validation_rows import Run, against_repeats, errors, groups, percent, runs, signed
from validation_text import judged, prose, table

from perfcore import efficiency, software
from perfcore.efficiency_files import read_efficiency

MISS = 0.20
FORMULAS = Path(__file__).resolve().parents[1] / "perfcore" / "formulas"
SIZES = ((8, "1 to 8"), (64, "9 to 64"), (512, "65 to 512"), (10**9, "513 and more"))
MEMORY_TARGETS = {"simumax-b200": 3.0, "zero-bubble": 4.0}


HEAD = (
    *("rows", "fitted mean", "median", "max", "bias"),
    *("left-out mean", "left-out bias", "neutral mean", "constant efficiency"),
)


def _cells(some: Sequence[Run]) -> tuple[str, ...]:
    fitted, left = errors(run.fitted for run in some), errors(run.left_out for run in some)
    others = [errors(run.neutral for run in some).mean, errors(run.constant for run in some).mean]
    return (
        str(fitted.n),
        *map(percent, (fitted.mean, fitted.median, fitted.max)),
        signed(fitted.bias),
        percent(left.mean),
        signed(left.bias),
        *map(percent, others),
    )


def _group_table(name: str, found: dict[str, list[Run]]) -> str:
    return table((name, *HEAD), [(key, *_cells(some)) for key, some in found.items()])


def group_sections() -> list[str]:
    """Return the errors by source and chip, precision and number of chips."""
    every = runs()
    sizes = groups(
        every, lambda run: str(next(i for i, (most, _) in enumerate(SIZES) if run.case.question.chips <= most))
    )
    return [
        "## By source and chip",
        "",
        _group_table("source, chip", groups(every, lambda run: f"{run.case.source}, {run.case.chip}")),
        "",
        "## By precision",
        "",
        _group_table("precision", groups(every, lambda run: run.case.question.setting.precision.name)),
        "",
        "## By number of chips",
        "",
        _group_table("chips", {SIZES[int(key)][1]: some for key, some in sizes.items()}),
        "",
    ]


def memory_section() -> list[str]:
    """Return memory beside what was measured, and what fits."""
    every = memories()
    rows = []
    for source in ("simumax-b200", "zero-bubble", "bloom-prequel", "torchtitan"):
        part = errors(m.predicted / m.measured - 1.0 for m in every if m.source == source and m.measured)
        target = MEMORY_TARGETS.get(source)
        judgement = ("", "") if target is None else (f"{target:g}", judged(part.mean * 100, target))
        figures = [percent(value) for value in (part.mean, part.median, part.max)]
        rows.append((source, str(part.n), *figures, signed(part.bias), *judgement, COUNTED[source]))
    head = ("source", "rows", "mean", "median", "max", "bias", "target mean", "", "what was counted")
    return ["## Memory", "", table(head, rows), "", *_fits_words(), ""]


COUNTED = {
    "simumax-b200": "allocated at the peak; byte counts chosen with these rows in view",
    "zero-bubble": "allocated at the peak",
    "bloom-prequel": "nvidia-smi, so contexts and caches too: its bytes a process were fitted on most of these rows",
    "torchtitan": "what the allocator had reserved, which is more than was used: no target",
}


def _fits_words() -> list[str]:
    every = memories()
    oom = [m for m in every if not m.ran]
    rows = [
        (
            m.id,
            f"{round(m.predicted, 7):.1f}",
            f"{round(m.capacity, 7):.1f}",
            "fits: **wrong**" if m.fits else "does not fit",
        )
        for m in oom
    ]
    wrong = [m for m in every if m.ran and not m.fits]
    seen = sum(m.measured is not None for m in wrong)
    of = ", ".join(f"{name} {count}" for name, count in sorted(Counter(m.source for m in wrong).items()))
    return [
        "Runs that ran out of memory [GiB a chip]:",
        "",
        table(("row", "predicted", "capacity", "predicted to"), rows),
        "",
        prose(f"""The other way round, {len(wrong)} of the {sum(m.ran for m in every)} runs that ran are predicted not
        to
        fit ({of}). Memory was measured in {seen} of them. The others do not say what they recompute or offload, and
        where recipes are silent they count as recomputing nothing; TPU runs keep activations by recipes of XLA that the
        memory model does not follow. A capacity counts 10^9 bytes a GB, while an A100 of 80 GB holds 80 GiB, 7 % more.
        The step time of these rows does not depend on it, but a search by `perfcore train` leaves out
        plans that do not fit."""),
    ]


def ranking_section() -> list[str]:
    """Return how well plans are ranked."""
    parts = [
        "## Ranking of plans",
        "",
        prose("""Groups of at least four plans of one model, sequence, chip, number of chips, precision and software:
        the
        rank correlation (Spearman) of predicted and measured time of a sequence, and the regret: how much slower the
        plan
        predicted to be the fastest is than the fastest. Fitted constants; a plan run more than once counts once, by the
        median."""),
        "",
    ]
    head = ("source", "groups", "plans", "Spearman, mean", "lowest", "regret, mean %", "largest %", "slowest / fastest")
    for one_batch, words in ((True, "The batch the same too:"), (False, "Batch a part of the plan:")):
        found = rankings(one_batch)
        by_source: dict[str, list[Ranking]] = {}
        for ranking in sorted(found, key=lambda r: r.source):
            by_source.setdefault(ranking.source, []).append(ranking)
        rows = [_ranking_cells(name, some) for name, some in [*by_source.items(), ("all", found)]]
        order, regret = fmean(r.spearman for r in found), fmean(r.regret for r in found) * 100
        parts += [words, "", table(head, rows), ""]
        verdicts = judged(-order, -0.9), judged(regret, 3.0)
        parts.append(f"Spearman {round(order, 7):.2f}, target at least 0.9: {verdicts[0]}.")
        parts += [f"Regret {round(regret, 7):.2f} %, target at most 3 %: {verdicts[1]}.", ""]
    bad = [r for r in rankings(True) if r.regret > 0.03]
    parts += [f"- {r.name}: {r.chosen}, predicted to be the fastest, was {percent(r.regret)} % slower." for r in bad]
    return [*parts, "", prose(RANKING_WORDS), ""]


RANKING_WORDS = """The groups of bloom-prequel hold plans close to one another, and some of its times differ by a tenth
without a reason that its columns show; its row bloom-prequel-104, among the misses below, is doubtful."""


def _ranking_cells(name: str, some: list[Ranking]) -> tuple[str, ...]:
    order, regret = [r.spearman for r in some], [r.regret for r in some]
    return (
        name,
        str(len(some)),
        str(sum(r.plans for r in some)),
        f"{round(fmean(order), 7):.2f}",
        f"{round(min(order), 7):.2f}",
        percent(fmean(regret)),
        percent(max(regret)),
        f"{round(median(r.spread for r in some), 7):.2f}",
    )


def peers_section() -> list[str]:
    """Return the rows that other tools were run on."""
    by_id = {run.id: run for run in runs()}
    columns = [[theirs[i] / 100 for theirs in PEER_ROWS.values()] for i in range(len(PEERS))]
    mine = [by_id[row_id] for row_id in PEER_ROWS]
    columns += [[run.neutral for run in mine], [run.left_out for run in mine], [run.fitted for run in mine]]
    rows = [
        (run.id, run.row.text("model"), f"{run.case.measured_s:.4g}", *(signed(column[i]) for column in columns))
        for i, run in enumerate(mine)
    ]
    rows.append(("mean of size", "", "", *(percent(errors(column).mean) for column in columns)))
    rows.append(("bias", "", "", *(signed(errors(column).bias) for column in columns)))
    head = ("row", "model", "measured [s]", *PEERS, "perfcore neutral", "perfcore left out", "perfcore fitted")
    return [
        "## Beside other tools",
        "",
        prose(f"""Table 1 of the Megatron paper of 2021 (`megatron_sc21`): the ten rows that the project ran three
        other tools
        on in November 2026, as they come and not tuned. Calculon with its own A100 file; SimuMax with its default
        efficiency and a network file made for the A100 SXM; llm-analysis 0.2.2 with its efficiency typed in (0.5). The
        best single efficiency, chosen for these ten rows, is {BEST_CONSTANT} % off in the mean. perfcore's fitted
        column
        has seen the rows; its neutral and left-out columns have not. Errors in percent."""),
        "",
        table(head, rows),
        "",
    ]


def _fitted_of() -> list[tuple[str, str, float, float, float, int]]:
    """Return every fitted constant: owner, name, neutral value, its width, fitted value, rows."""
    found = []
    for generation in efficiency.generations():
        document = read_efficiency(efficiency.FOLDER / f"{generation}.toml")
        for name, value in document.get("fitted", {}).items():
            share = efficiency.share_of(generation, name, "neutral")
            found.append((generation, name, share.value, share.width, float(value), int(document["fit"]["rows"])))
    for software_id in software.ids():
        document = software.load(software_id).document
        for name, value in document.get("fitted", {}).items():
            neutral, width = float(document["neutral"][name]), float(document["neutral_width"][name])
            found.append((software_id, name, neutral, width, float(value), int(document["fit"]["rows"])))
    return found


def hand_fitted() -> str:
    """Return the constants of the formulas that are marked as fitted."""
    lines = [line for path in sorted(FORMULAS.glob("*.py")) for line in path.read_text("utf-8").splitlines()]
    names = [line.split(" = ")[0] for line in lines if line.endswith("(fitted)") and " = " in line]
    return ", ".join(f"`{name}`" for name in names) or "no constants"


def _moved(name: str, neutral: float, value: float) -> float:
    """Return how far a constant was moved, on the scale it is fitted on."""
    return abs(value - neutral) if name == "overlap" else abs(log(value / neutral))


def constants_section() -> list[str]:
    """Return every fitted constant."""
    found = _fitted_of()
    moved = sum(_moved(name, neutral, value) > width for _, name, neutral, width, value, _ in found)
    rows = [
        (owner, f"`{name}`", f"{neutral:.3g}", f"{width:.2g}", f"{value:.3f}", str(count))
        for owner, name, neutral, width, value, count in found
    ]
    owners = {owner for owner, *_ in found}
    generations = efficiency.generations()
    chips, in_chips = len(owners & set(generations)), sum(owner in generations for owner, *_ in found)
    return [
        "## Fitted constants",
        "",
        prose(f"""{len(found)} numbers are free: {in_chips} of {chips} chip generations, {len(found) - in_chips} of
        {len(owners) - chips} software eras or sites. Each is pulled to its neutral value by its width (relative; for
        `overlap` absolute); {moved} of them ended more than one width away. A constant that no row depends on, such as
        `attention_factor` where attention is not fused, stays where it was. Not fitted: efficiencies of memory, links
        and
        network (but for `link_factor` of two machines), start-up times, and everything under `[structure]`.
        Beside them {hand_fitted()} in `perfcore/formulas` were set by hand on all of these rows, for all chips and all
        software; leaving a source out does not take them back."""),
        "",
        table(("owner", "constant", "neutral", "width", "fitted", "rows"), rows),
        "",
    ]


def misses_section() -> list[str]:
    """Return every row that is far off, and what is known of it."""
    rows = []
    for run in (run for run in runs() if abs(run.fitted) > MISS):
        same = against_repeats(run)
        known = cause(run.id)
        if same:
            plural = "run" if same[0] == 1 else "runs"
            known += (
                f"; took {round(same[1], 6):.2f} times as long as the {same[0]} other {plural} of this configuration"
            )
        what = f"{run.row.text('model')}, {run.case.question.chips} x {run.case.chip}"
        setting = f"{run.case.question.setting.precision.name}, {run.row.text('framework')}"
        rows.append((run.id, what, setting, signed(run.fitted), signed(run.left_out), known))
    return [
        "## Misses",
        "",
        prose(f"""Every row more than {MISS * 100:.0f} % off although the constants were fitted to it: {len(rows)} of
        {len(runs())}. *Likely* marks an explanation that was not tested."""),
        "",
        table(("row", "run", "precision, software", "fitted", "left out", "what is known of it"), rows),
        "",
    ]


NOT_MODELLED = (
    """- Experts' exchange in 8 bit, and hidden behind other work (DualPipe): for that and for its partial
    recomputation DeepSeek-V3's own plan on 2,048 H800 comes out about twice too slow, though the best plan
    searched comes near its speed.""",
    """- The host, but for a number of kernels to start in each layer and expert: graphs, garbage collection, loading of
    data. Small micro-batches of many experts come out too fast.""",
    "- Congestion and routing of the network between domains; failures, restarts, checkpoints, evaluation.",
    """- Power and clocks: a chip runs at the share of its peak that its generation shows; a site with another power
    limit
    or cooling differs.""",
    "- Uneven experts beyond a fixed imbalance of 1.10, dropped tokens, uneven context-parallel work.",
    """- Encoders, diffusion, state-space and linear attention; adapters, distillation, reinforcement learning;
    optimizers
    other than Adam; offloading to the host.""",
    "- Releases: the releases of one era of a framework count as one software, though they differ.",
)


def not_modelled_section() -> list[str]:
    """Return what the model leaves out."""
    return ["", "## What is not modelled", "", *map(prose, NOT_MODELLED)]


def rows_section() -> list[str]:
    """Return every row, folded by source."""
    parts = ["## Every row", "", "Times in seconds a step, errors in percent.", ""]
    head = ("row", "model", "chip", "chips", "measured", "predicted", "error", "left out", "where it is printed")
    for source, some in groups(runs(), lambda run: run.case.source).items():
        whole = errors(run.fitted for run in some)
        parts += [f"<details><summary>{source}: {whole.n} rows, mean {percent(whole.mean)} %</summary>", ""]
        parts += [table(head, map(_row_cells, some)), "", "</details>", ""]
    return parts[:-1]


def _row_cells(run: Run) -> tuple[str, ...]:
    question, measured = run.case.question, run.case.measured_s
    where = ", ".join(filter(None, (run.row.text("source_ref"), run.row.text("table_ref"))))
    times = (f"{measured:.4g}", f"{measured * (1.0 + run.fitted):.4g}")
    chips = str(question.chips)
    return run.id, run.row.text("model"), run.case.chip, chips, *times, signed(run.fitted), signed(run.left_out), where
