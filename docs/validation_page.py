"""Write ``docs/validation.md``: what predictions of training step times are worth, with every row."""

from collections.abc import Callable

from validation_known import LIMITS, TARGETS_LEFT_OUT
from validation_rows import KINDS, errors, groups, left_out_rows, noise, percent, counted, runs, signed, sources_of, untimed
from validation_tables import (
    constants_section,
    group_sections,
    memory_section,
    misses_section,
    not_modelled_section,
    peers_section,
    ranking_section,
    rows_section,
)
from validation_text import judged, prose, table

from perfcore.intervals import ratios

OOM = "the run was out of memory; nothing was timed"
MADE_BY = (
    ("fitted, by source, chip, precision", "`perfcore validate`"),
    ("neutral: efficiencies from kernels alone", "`perfcore validate --neutral`"),
    ("source left out, intervals", "`python benchmarks/calibrate.py --leave-out docs/left_out.csv --write`"),
    (
        "DeepSeek-V3 left out",
        "`python benchmarks/calibrate.py --without deepseek-v3 --leave-out docs/left_out_moe.csv`",
    ),
    ("fitted constants", "`python benchmarks/calibrate.py --write`"),
    ("noise, memory, ranking of plans, this page and its picture", "`python docs/generate.py`"),
)


def page() -> str:
    """Return the page."""
    sections: tuple[Callable[[], list[str]], ...] = (
        _measured,
        _headline,
        _fitted,
        _experts,
        _intervals,
        group_sections,
        memory_section,
        ranking_section,
        peers_section,
        constants_section,
        misses_section,
        rows_section,
        not_modelled_section,
    )
    return "\n".join(line for section in sections for line in section()) + "\n"


def _measured() -> list[str]:
    every, skipped = runs(), untimed()
    sources, chips = len(sources_of(every)), len({run.case.chip for run in every})
    return [
        "# Validation of training step times",
        "",
        prose("""Written by `python docs/generate.py`. [training.md](training.md) says how a prediction is made, and
        lists [the columns of a table](training.md#a-table-of-measured-runs) for `perfcore validate`."""),
        "",
        prose(f"""{len(every)} published step times of {sources} sources on {chips} chips, in `specs/measurements`, each
        with the place where it is printed; {sum(run.moe for run in every)} are of mixtures of experts. {len(skipped)}
        further rows ran out of memory: nothing was timed, they serve the memory model. Errors are of time: predicted
        over measured, less 1, in percent. *Mean*, *median* and *max* are of their size, *bias* is the mean with sign;
        minus is predicted too fast. Every row counts once in a mean, so large sources weigh more. Left out of
        the table are bloom-prequel-052 to -054, whose printed layers, batch and time imply more than the peak."""),
        "",
        "![Predicted against measured step time](validation.svg)",
        "",
        table(("figures", "made by"), MADE_BY),
        "",
    ]


def _headline() -> list[str]:
    rows = []
    for kind, words in KINDS.items():
        some = [run for run in counted() if run.kind == kind]
        left, target = errors(run.left_out for run in some), TARGETS_LEFT_OUT[kind]
        figures = [percent(value) for value in (left.mean, left.median, left.max)]
        others = [[run.neutral for run in some], [run.constant for run in some], [run.constant_own for run in some]]
        beside = [percent(errors(values).mean) for values in others]
        verdict = judged(left.mean * 100, target)
        rows.append((words, str(left.n), *figures, signed(left.bias), f"{target:g}", verdict, *beside))
    head = ("what is known", "rows", "mean", "median", "max", "bias", "target mean", "")
    return [
        "## Sources left out of the fit",
        "",
        prose(f"""This is what to expect of a run that perfcore has not seen. Each source is left out in turn, the
        constants are fitted on the others, and its rows are predicted. What the others still tell of a row decides its
        kind: its chip generation and its software, its chip generation alone, or not even that. *Neutral* is the mean
        error of the prediction from kernels alone, with nothing fitted to a step time. *Constant efficiency* is that
        of one model FLOP utilisation for a chip and a number format: the median over the other sources where there are
        any, and, to its favour, over all rows, the one it predicts among them. Rows are the {len(counted())} whose
        configuration is complete (level A); the others stand in the tables by source below."""),
        "",
        table((*head, "neutral", "constant efficiency", "the same from all rows"), rows),
        "",
        "Of what the kinds are made, and what limits them:",
        "",
        table(("kind", "source", "rows", "mean", "bias", "share of the kind's error, %"), _limits()),
        "",
        *_worst_words(),
        "",
        prose("""The form of the formulas was chosen, and some byte counts in `specs/software` and
        `specs/precisions.toml` were set, with these rows in view. Leaving a source out takes away its numbers, not
        that knowledge: a source that nobody has looked at may do worse."""),
        "",
    ]


def _limits() -> list[tuple[str, ...]]:
    rows = []
    for kind, words in KINDS.items():
        some = [run for run in counted() if run.kind == kind]
        whole = sum(abs(run.left_out) for run in some)
        by_source = groups(some, lambda run: run.case.source)
        for source in sorted(by_source, key=lambda name: -sum(abs(run.left_out) for run in by_source[name])):
            part = errors(run.left_out for run in by_source[source])
            figures = (percent(part.mean), signed(part.bias), percent(part.mean * part.n / whole))
            rows.append((words, source, str(part.n), *figures))
    return rows


def _worst_words() -> list[str]:
    """Say of each kind which source gives most of its error, and whether that is one-sided."""
    lines = []
    for kind, words in KINDS.items():
        by_source = groups([run for run in counted() if run.kind == kind], lambda run: run.case.source)
        worst = max(by_source, key=lambda name: sum(abs(run.left_out) for run in by_source[name]))
        part = errors(run.left_out for run in by_source[worst])
        side = "too fast and too slow"
        if abs(part.bias) > 0.7 * part.mean:
            side = "most of them too fast" if part.bias < 0 else "most of them too slow"
        lines.append(prose(f"- {words}: the largest part is that of {worst}, {side}. {LIMITS[kind]}"))
    return lines


def _fitted() -> list[str]:
    every = counted()
    whole = errors(run.fitted for run in runs())
    all_of, constant = errors(run.fitted for run in every), errors(run.constant for run in every)
    dense, moe = (errors(run.fitted for run in every if run.moe == kind) for kind in (False, True))
    own = errors(run.constant_own for run in every)
    predicted = len(every) / (len(every) + sum(one["reason"] != OOM for one in untimed()))
    ratios_of = [round(one.mean / all_of.mean, 7) for one in (constant, own)]
    rows = [
        ("mean, %", percent(all_of.mean), "5", judged(all_of.mean * 100, 5.0)),
        ("median, %", percent(all_of.median), "3.5", judged(all_of.median * 100, 3.5)),
        ("bias, %", signed(all_of.bias), "1 either way", judged(abs(all_of.bias) * 100, 1.0)),
        ("largest, %", percent(all_of.max), "", ""),
        (f"mean of all {whole.n} rows, those of level B too, %", percent(whole.mean), "", ""),
        (f"mean of the {dense.n} dense rows, %", percent(dense.mean), "", ""),
        (f"mean of the {moe.n} mixtures of experts, %", percent(moe.mean), "8", judged(moe.mean * 100, 8.0)),
        ("timed rows that are predicted, %", percent(predicted), "98", judged(-predicted * 100, -98.0)),
        ("constant efficiency is worse by a factor of", f"{ratios_of[0]:.1f}", "4", judged(-ratios_of[0], -4.0)),
        ("constant efficiency from all rows, by a factor of", f"{ratios_of[1]:.1f}", "", ""),
    ]
    return [
        "## Fitted on all rows",
        "",
        prose(f"""The constants were fitted to these very rows, so this says how well the formulas can describe them, not
        how well they predict. Targets are of the {all_of.n} rows of level A."""),
        "",
        table(("fitted", "", "target", ""), rows),
        "",
        prose(f"""The constant efficiency of other sources is {percent(constant.mean)} % off in the mean
        ({percent(constant.median)} in the median), that from all rows {percent(own.mean)} ({percent(own.median)}):
        sources differ much in model, sequence and plan on one chip and format."""),
        "",
        *_noise_words(),
        "",
    ]


def _noise_words() -> list[str]:
    rows = []
    for one_software, words in ((False, "any release"), (True, "releases that perfcore takes for one software")):
        for moe, name in ((False, "dense"), (True, "mixture of experts")):
            count, size, off = noise(moe, one_software)
            rows.append((name, words, str(count), str(size), percent(off)))
    return [
        prose("""How far published runs of one configuration (every column of the table but the release of the
        framework and what was measured) lie from the median of their group; a mean error below this describes noise.
        The study that the model was drawn from (`training_fit_2026_11`) counted 3.6 % for dense models and 6.5 % for
        mixtures of experts in a larger table."""),
        "",
        table(("model", "same configuration in", "groups", "rows", "mean distance, %"), rows),
    ]


def _experts() -> list[str]:
    by_id = {run.id: run for run in runs()}
    rows, off = [], []
    for row_id, line in left_out_rows("left_out_moe.csv").items():
        run = by_id[row_id]
        left = float(line["left_out_s"]) / float(line["measured_s"]) - 1.0
        off.append(left)
        what = (f"{run.case.question.chips} x {run.case.chip}", run.row.text("layers"))
        rows.append((row_id, *what, signed(left), signed(run.fitted), signed(run.neutral)))
    whole = errors(off)
    return [
        "## Mixtures of experts: from small models to a large one",
        "",
        prose(f"""All {whole.n} rows of DeepSeek-V3 (671 billion parameters; those of simumax-b200 are cut in depth) are
        left out at once and predicted from what dense models and smaller mixtures teach: mean {percent(whole.mean)} %,
        bias {signed(whole.bias)} %, largest {percent(whole.max)} %. Their chips and software stay in the fit."""),
        "",
        table(("row", "chips", "layers", "left out", "fitted", "neutral"), rows),
        "",
    ]


def _intervals() -> list[str]:
    rows, inside_all = [], 0
    for kind, words in KINDS.items():
        some = [run for run in runs() if run.kind == kind]
        low, high = ratios(kind)
        inside = sum(low <= 1.0 / (1.0 + run.left_out) <= high for run in some)
        inside_all += inside
        rows.append((words, f"{low:.3f} to {high:.3f}", str(len(some)), percent(inside / len(some))))
    return [
        "## Intervals",
        "",
        prose(f"""The 80 % interval of a prediction is the prediction times the ratios of its kind
        (`specs/intervals.toml`), wider where numbers of the chip are intervals themselves. Of all rows, each with its
        source left out of the fit, {percent(inside_all / len(runs()))} % lie inside. The ratios were taken from these
        rows, as wide as 80 % of them need when no source widens its own interval. Errors of one source go together, so
        a whole source may lie outside."""),
        "",
        table(("kind", "measured / predicted", "rows", "inside, %"), rows),
        "",
    ]
