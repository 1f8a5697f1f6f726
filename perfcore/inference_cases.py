"""Rows of a table of inference measurements: what was served how, what was measured, and what is predicted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from perfcore import chips, engines, systems
from perfcore.cells import Row, SkippedError
from perfcore.engines import EngineFile
from perfcore.errors import PerfcoreError
from perfcore.formulas.serving import mean_context, total_s
from perfcore.formulas.serving_layer import Tokens
from perfcore.precisions import Precision, find_in
from perfcore.predictions import Prediction
from perfcore.questions import plan_of
from perfcore.serving_intervals import evidence_of, ratios
from perfcore.serving_questions import ServingQuestion, ServingSetting
from perfcore.table_models import model_of_row

__all__ = ["Case", "case_of", "predict"]

NUMBER = re.compile(r"(?<![\w.,-])\d+(?:\.\d+)?(?:e\d+)?(?![\w.,-])|(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w.,-])")
TOKENS_A_SECOND = re.compile(r"(?:output |total )?tok(?:en)?s?(?:/| per )s(?:ec(?:ond)?)?(?P<each>/\w+| per \w+)?")
MOST_RANKS = 10_000  # along the pipeline; stages are gone through one by one
SECONDS = {"ms": 1e-3, "s": 1.0, "us": 1e-6}
FASTEST = 1.0  # a row whose time is below this part of the roofline contradicts itself


@dataclass(frozen=True)
class Case:
    """A measured run of serving: ``scale / time`` is what was measured, where that is a rate."""

    row_id: str
    source: str
    chip: str
    model: str
    quantity: str  # latency_s, time_to_first_token_s, time_per_token_s or tokens_per_s
    measured: float
    measured_s: float
    scale: float  # tokens of the time that is predicted; 0 where a time was measured
    way: str  # prefill, decode, continuous or static
    question: ServingQuestion
    waves: float  # times the batch must be served, where it does not fit at once
    assumptions: tuple[str, ...]

    def predicted_s(self) -> float:
        """Return the predicted time [s]."""
        asked = self.question
        if self.way == "prefill":
            return total_s(asked.prefill(asked.sequences)) * self.waves
        if self.way == "decode":
            return total_s(asked.decode()) * self.waves
        if self.way == "continuous":
            return total_s(asked.continuous())
        return asked.batch_s() * self.waves

    def roofline_s(self) -> float:
        """Return the least time by the datasheet [s]."""
        asked = self.question
        whole = asked.prefix + asked.prompt
        context = mean_context(whole, asked.output, asked.engine)
        decode = Tokens(asked.sequences, context, 0.0, 0.0, 0.0)
        prefill = Tokens(0.0, 0.0, asked.sequences * asked.prompt, asked.prompt, asked.prefix)
        if self.way == "prefill":
            return asked.roofline_s(prefill) * self.waves
        if self.way == "decode":
            return asked.roofline_s(decode) * self.waves
        if self.way == "continuous":
            return asked.roofline_s(decode) + asked.roofline_s(prefill) / asked.output
        return (asked.roofline_s(prefill) + asked.output * asked.roofline_s(decode)) * self.waves

    def in_quantity(self, time_s: float) -> float:
        """Return a time in the quantity that was measured."""
        return self.scale / time_s if self.scale else time_s


def predict(row: Row, number: int, mode: str) -> Prediction:
    """Predict a row; ``mode`` says which efficiencies: ``fitted`` or ``neutral``.

    Raises
    ------
    SkippedError, PerfcoreError
        If something that decides the time is missing, unknown or contradictory.
    """
    case = case_of(row, number, mode)
    time_s = case.predicted_s()
    roofline_s = case.roofline_s()
    if roofline_s > FASTEST * case.measured_s:
        raise SkippedError(f"the time implies {roofline_s / case.measured_s:.0%} of what bandwidth and peak allow")
    setting = case.question.setting
    evidence = evidence_of(setting)
    low, high = sorted(case.in_quantity(time_s * ratio) for ratio in ratios(evidence, case.question.model.experts))
    return Prediction(
        number=number,
        row_id=case.row_id,
        source=case.source,
        chip=case.chip,
        quantity=case.quantity,
        measured=case.measured,
        predicted=case.in_quantity(time_s),
        predicted_interval=(low, high),
        time_error=time_s / case.measured_s - 1.0,
        baseline_ratio=roofline_s / case.measured_s,
        baseline_group=(case.chip, setting.precision.name),
        evidence=evidence,
        groups={
            "precision": setting.precision.name,
            "phase": case.way,
            "kind": "moe" if case.question.model.experts else "dense",
            "engine": setting.software.id,
        },
        assumptions=case.assumptions,
    )


def case_of(row: Row, number: int, mode: str = "fitted") -> Case:
    """Return the measured run of a row.

    Raises
    ------
    SkippedError
        If something that decides the time is missing, unknown or contradictory.
    """
    said: list[str] = []
    way = _way(row)
    base = _question(row, way, mode, said)
    asked, waves = _load(row, base, way, said)
    value, unit = row.needed("value"), row.text("unit").lower()
    scale, quantity = 0.0, _time_quantity(row, way)
    if unit not in SECONDS:
        scale, quantity = _tokens(row, asked, way, waves), "tokens_per_s"
    measured = value * SECONDS.get(unit, 1.0)
    return Case(
        row.text("row_id") or f"row {number}",
        row.text("source_id") or "this table",
        row.text("chip"),
        row.text("model"),
        quantity,
        measured,
        scale / measured if scale else measured,
        scale,
        way,
        asked,
        waves,
        tuple(said),
    )


def _time_quantity(row: Row, way: str) -> str:
    if way == "prefill":
        return "time_to_first_token_s"
    return "time_per_token_s" if way in ("decode", "continuous") else "latency_s"


def _way(row: Row) -> str:
    """Return how a row was served: prefill or decode alone, continuous batching, or a static batch."""
    phase, metric, unit = row.text("phase").lower(), row.text("metric").lower(), row.text("unit").lower()
    if unit not in SECONDS and not TOKENS_A_SECOND.fullmatch(unit):
        raise SkippedError(f"unit: found {row.text('unit')!r}; allowed: ms, s, us, or tokens a second")
    if phase == "prefill" or "first token" in metric:
        return "prefill"
    if "tpot" in metric:
        return "continuous"
    if phase == "decode" or "per-token" in metric:
        return "decode"
    if phase not in ("e2e", "e2e latency", "offline e2e", "serving"):
        raise SkippedError(f"phase: found {row.text('phase')!r}; allowed: prefill, decode, e2e, offline e2e, serving")
    return "static" if unit in SECONDS or _engine(row).structure["static_batches"] else "continuous"


def _question(row: Row, way: str, mode: str, said: list[str]) -> ServingQuestion:
    """Return the model on its chips, without the load."""
    used = _engine(row, said, mode)
    chip = _looked_up(chips.load, row.text("chip"))
    precision = _looked_up(find_in, row.text("precision") or "bf16")
    model = model_of_row(row, said)
    count = row.needed("n_chips")
    tp, pp = row.or_else("TP", 1.0), row.or_else("PP", 1.0)
    devices = float(chip.document.get("devices", 1))
    if tp * pp > count * devices:
        devices = tp * pp / count
        if devices > 8 or devices != int(devices):
            raise SkippedError(f"TP x PP = {tp * pp:g} is more than the {count:g} chips have")
        said.append(f"TP counts {devices:g} devices a chip")
    ranks = count * devices
    if count != int(count) or tp != int(tp) or pp != int(pp) or pp > MOST_RANKS:
        raise SkippedError(f"n_chips {count:g}, TP {tp:g}, PP {pp:g}: allowed: whole numbers, PP at most {MOST_RANKS}")
    dp = row.number("DP") or ranks / (tp * pp)
    if dp < 1 or dp != int(dp) or tp * pp * dp > ranks:
        raise SkippedError(f"TP x PP = {tp * pp:g} does not divide the {ranks:g} ranks")
    ep = _expert_ranks(row, tp, dp)
    spread = ep == int(ep) and ep <= tp * dp and model.experts % ep == 0 if model.experts else ep <= 1
    if tp > model.heads or model.layers < pp or not spread:
        raise SkippedError(f"TP {tp:g}, PP {pp:g}, EP {ep:g} do not divide the model")
    if model.heads % tp:
        said.append(f"TP {tp:g} does not divide the {model.heads:g} heads: their work is taken to be dealt evenly")
    kv_bits = _kv_bits(row, precision, used, said)
    setting = ServingSetting(chip, systems.default_for(chip), used, precision, kv_bits, mode, ranks=int(devices))
    plan = plan_of(tp=tp, pp=pp, dp=dp, ep=ep)
    prompt = _length(row, "isl")
    output = 1.0 if way == "prefill" and not row.text("osl") else _length(row, "osl")
    return ServingQuestion(model, setting, int(count), plan, 1.0, prompt, output)


def _engine(row: Row, said: list[str] | None = None, mode: str = "fitted") -> EngineFile:
    name = row.text("framework")
    known = engines.for_framework(name)
    if known is None and said is not None:
        said.append(f"framework {name or 'not given'}: an engine of which no speed is known")
    return engines.load(known or engines.DEFAULT, mode)


def _expert_ranks(row: Row, tp: float, dp: float) -> float:
    text = row.text("EP").lower()
    if text in ("on", "yes", "true"):
        return tp * dp
    return row.or_else("EP", 1.0) if text[:1].isdigit() else 1.0


def _kv_bits(row: Row, precision: Precision, used: EngineFile, said: list[str]) -> int:
    text = row.text("kv_dtype").lower()
    if text:
        return 8 if "8" in text else 4 if "fp4" in text or "int4" in text else 16
    eight = bool(used.structure["kv_follows_weights"]) and precision.format in ("fp8", "fp4")
    said.append(f"kv_dtype not given: {8 if eight else 16} bit")
    return 8 if eight else 16


def _length(row: Row, column: str) -> float:
    """Return a number of tokens; tables also write about 5 as ~5."""
    found = _only_number(row.text(column))
    if found is None or not 1 <= found <= 1e8:
        said = row.text(column)[:40]
        raise SkippedError(f"{column}: found {said!r}; allowed: a number of tokens from 1 to 100 million")
    return found


def _only_number(text: str) -> float | None:
    """Return the number in a text that holds one, also as ~5 or 16,384; a range or a sign is none.

    >>> _only_number("~5"), _only_number("max_num_seqs 3200"), _only_number("5 to 10"), _only_number("32k")
    (5.0, 3200.0, None, None)
    """
    found = NUMBER.findall(text.lower())
    return float(found[0].replace(",", "")) if len(found) == 1 else None


def _load(row: Row, base: ServingQuestion, way: str, said: list[str]) -> tuple[ServingQuestion, float]:
    """Return the question with its sequences on a data-parallel rank, and in how many waves they are served."""
    wanted = _sequences(row, base)
    fits = base.capacity()
    if fits < 1:
        raise SkippedError("the weights and one request do not fit in memory")
    most = min(fits, base.engine.most_sequences) if wanted is None or way == "continuous" else fits
    if wanted is None:
        said.append(f"batch not given: {most:g} sequences, what memory and engine admit")
        return base.with_sequences(most), 1.0
    if wanted <= most or way == "prefill":
        return base.with_sequences(wanted), 1.0
    said.append(f"{wanted:g} sequences do not fit at once: {most:g} at a time")
    return base.with_sequences(most), 1.0 if way == "continuous" else wanted / most


def _sequences(row: Row, base: ServingQuestion) -> float | None:
    """Return the sequences of a data-parallel rank; None for as many as fit."""
    text = row.text("batch_or_concurrency").lower()
    count = _only_number(text)
    if not text or (text.startswith("max") and not any(letter.isdigit() for letter in text)):
        return None
    if count is None or not 0 < count <= 1e7:
        raise SkippedError(f"batch_or_concurrency: found {text[:40]!r}; allowed: a number, or max")
    if "token" in text:
        return count / base.prompt
    if "per gpu" in text or "per chip" in text:
        return count * base.chips / base.plan.dp
    return count / base.plan.dp


def _tokens(row: Row, asked: ServingQuestion, way: str, waves: float) -> float:
    """Return the tokens that the predicted time gives, counted as the row counts them."""
    metric, unit = row.text("metric").lower(), TOKENS_A_SECOND.fullmatch(row.text("unit").lower())
    each = {"prefill": asked.prompt, "static": asked.output}.get(way, 1.0)
    tokens = asked.sequences * each * asked.plan.dp * waves
    per_chip = any(said in metric for said in ("/gpu", "per chip", "/chip", "per gpu")) or bool(unit and unit["each"])
    return tokens / asked.chips if per_chip else tokens


T = TypeVar("T")


def _looked_up(find: Callable[[str], T], name: str) -> T:
    try:
        return find(name)
    except PerfcoreError as problem:
        raise SkippedError(str(problem)) from None
