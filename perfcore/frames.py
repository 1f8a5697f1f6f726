"""DataFrame in, DataFrame out: the verdict of every row exactly, and the catalogue as a frame.

Columns of results are nullable: ``Float64``, ``string``, ``category``; NA says unknown, or that a row was not read.
"""

import warnings
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from perfcore import chips, evidence
from perfcore.answer_cells import STATUSES, Answers
from perfcore.errors import PerfcoreError
from perfcore.given import read_exactly
from perfcore.items import Item
from perfcore.outcome import classify
from perfcore.quantity import Interval, plain, point
from perfcore.reader import as_date
from perfcore.readings import Values, metrics_of
from perfcore.regions import AREA, DENSITY, density
from perfcore.rows import ENDS, INPUTS, NUMBERS, RATES, RESULTS, RowError, misspelt
from perfcore.rules import THE_RULE, load
from perfcore.schema import check_value
from perfcore.tables.csv_parts import checked
from perfcore.tables.decisions import exact_rows, law_on, sets_of, undecided
from perfcore.tables.designs import Decided, decide
from perfcore.tables.frame_columns import Frame, read_frame
from perfcore.terms import MARKS, weakest
from perfcore.tidy import to_frame

__all__ = ["check_frame", "chips_frame"]

SETTABLE = (*NUMBERS, "datacenter")
WHERE = "check_frame"
# Below so many rows the scalar engine is done before the compiled loops are loaded.
FEW_ROWS = 3_000
# Rows decided at once: the intervals among them take some hundred bytes each.
STRETCH = 1_000_000


def check_frame(
    frame: pd.DataFrame, on: date | str | None = None, facts: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Check every row of a DataFrame; the answers are those of ``check`` and of ``perfcore batch``.

    Parameters
    ----------
    frame
        Designs, one a row, in the columns of docs/batch.md: ``tpp`` or ``peak_dense_<format>_tflops`` [10^12/s],
        ``applicable_die_area_mm2`` [mm2], ``io_bandwidth_gb_s`` and ``dram_bandwidth_gb_s`` [GB/s], ``datacenter``,
        ``bits_x_tops_2022``; an interval as ``_low`` and ``_high``. NA, NaN, None and empty text are unknown.
    on
        The day whose rules apply, as YYYY-MM-DD, a date or a Timestamp; without it, every version of ECCN 3A090.
    facts
        What is known of all rows alike, such as ``{"datacenter": True}``; it replaces what the frame says.

    Returns
    -------
    DataFrame
        The index and the columns of the frame, then ``tpp`` and ``performance_density`` (Float64, NA where unknown or
        known as an interval alone), ``status`` (category), ``paragraphs`` (string, joined by ``;``), with intervals the
        ends of the first two, and ``error`` (string): why a row could not be read, else NA. Without ``on`` there is a
        ``status_<day>`` and a ``paragraphs_<day>`` for each day on which a version takes effect.

    Raises
    ------
    PerfcoreError
        If it is no DataFrame, has no column perfcore knows, one twice, or one of a type that holds no number.

    Examples
    --------
    >>> import pandas as pd
    >>> designs = pd.DataFrame({"tpp": [4440, 4440], "applicable_die_area_mm2": [750, 800]})
    >>> check_frame(designs, on="2024-01-01", facts={"datacenter": True})["paragraphs"].tolist()
    ['3A090.a.2', '3A090.b.1;3A090.b.2']
    """
    names = _checked(frame)
    days = _days(on)
    table = read_frame(_with_facts(frame[[name for name in names if name in INPUTS]], facts or {}))
    verdicts = _by_day(table, days)
    last, errors = verdicts[-1][1], verdicts[-1][2]
    results: dict[str, Any] = {
        name: _floats(*_point(*ends), errors) for name, ends in (("tpp", last.tpp), (DENSITY, last.density))
    }
    for day, (answers, decided, wrong) in zip(days, verdicts, strict=True):
        end = _end(day, on)
        results |= _answered(answers, decided, wrong, end)
    if any(name.endswith(ENDS) for name in table.columns):
        results |= _spread(last, errors)
    places = np.full(table.rows, -1)
    places[list(errors)] = np.arange(len(errors))
    results["error"] = _taken(list(errors.values()), places)
    return _beside(frame, results)


def _checked(frame: Any) -> list[str]:
    """Return the names of the columns; refuse what is no table of designs, and warn of what looks misspelt."""
    if not isinstance(frame, pd.DataFrame):
        kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
        raise PerfcoreError(f"{WHERE}: found a {kind}; allowed: a pandas DataFrame, one design a row")
    if frame.columns.nlevels > 1:
        raise PerfcoreError(f"{WHERE}: found columns of {frame.columns.nlevels} levels; allowed: one level of names")
    names = [name for name in frame.columns if isinstance(name, str)]
    checked(WHERE, names)
    for said in misspelt(names):
        warnings.warn(f"{WHERE}: {said}", stacklevel=3)
    return names


def _with_facts(known: pd.DataFrame, facts: Mapping[str, Any]) -> pd.DataFrame:
    """Return the known columns with what is given of all rows in place of their own."""
    if not isinstance(facts, Mapping):
        allowed = 'names and values, such as {"datacenter": True}'
        raise PerfcoreError(f"{WHERE}: facts: found a {type(facts).__name__}; allowed: {allowed}")
    replaced: set[str] = set()
    columns: dict[str, Any] = {}
    for name, value in facts.items():
        if name not in SETTABLE:
            raise PerfcoreError(f"{WHERE}: facts: found {name!r}; allowed: {', '.join(SETTABLE)}")
        exact = read_exactly(value)
        for where, wrong in check_value(name, name, exact):
            raise PerfcoreError(f"{WHERE}: facts: {where}: {wrong}")
        replaced |= {each + end for each in (name, *(RATES if name == "tpp" else ())) for end in ("", *ENDS)}
        columns |= {f"{name}_{end}": ends for end, ends in exact.items()} if isinstance(exact, dict) else {name: exact}
    given = pd.DataFrame({name: _constant(value, known.index) for name, value in columns.items()}, index=known.index)
    return pd.concat([known[[n for n in known if n not in replaced]], given], axis=1)


def _constant(value: Any, index: pd.Index) -> pd.Series:
    """Return a column of one value: as floats where a float says it to the last digit."""
    if not isinstance(value, bool) and Decimal(repr(float(value))) == value:
        value = float(value)
    return pd.Series([value] * len(index), index=index, dtype=None if isinstance(value, bool | float) else object)


def _by_day(table: Frame, days: list[date]) -> list[tuple[Answers, Decided, dict[int, str]]]:
    """Decide the rows on each day; versions that say the same are decided once."""
    found: dict[Answers, tuple[Answers, Decided, dict[int, str]]] = {}
    keys = []
    for day in days:
        answers = law_on(day, False)[1]
        keys.append(answers)
        if answers not in found:
            found[answers] = (answers, *_decided(table, day))
    return [found[key] for key in keys]


def _decided(table: Frame, day: date) -> tuple[Decided, dict[int, str]]:
    """Decide every row on a day; return why some could not be read, by row."""
    version, answers, law = law_on(day, table.rows >= FEW_ROWS)
    parts, errors = [], dict[int, str]()
    for start in range(0, max(table.rows, 1), STRETCH):
        stop = min(start + STRETCH, table.rows)
        found = undecided(stop - start) if law is None else decide(table.designs(start, stop), law)
        found, wrong = exact_rows(version, answers, found, partial(table.cells, start))
        parts.append(found)
        for row, error in wrong:
            errors[start + row] = "; ".join(filter(None, (errors.get(start + row), _said(error))))
    tpp, dense = ((_joined(p.tpp for p in parts)), (_joined(p.density for p in parts)))
    return Decided(np.concatenate([p.codes for p in parts]), tpp, dense), errors


def _joined(several: Any) -> Any:
    low, high = zip(*several, strict=True)
    if len(low) == 1:
        return low[0], high[0]
    return np.concatenate(low), np.concatenate(high)


def _said(error: RowError) -> str:
    return f"{error.column}: found {error.found!r}: {error.wrong}"


def _point(low: Any, high: Any) -> tuple[Any, Any]:
    """Return the numbers that are known, and where none is."""
    return low, (low != high) | np.isnan(low) | np.isinf(low)


def _floats(numbers: Any, missing: Any, errors: Mapping[int, str]) -> Any:
    missing = missing.copy()
    missing[list(errors)] = True
    return pd.arrays.FloatingArray(np.where(missing, 0.0, numbers), missing)


def _spread(last: Decided, errors: Mapping[int, str]) -> dict[str, Any]:
    """Return the ends of TPP and of performance density; NA for what is unknown, and where nothing bounds it."""
    found = {}
    for name, (low, high) in (("tpp", last.tpp), (DENSITY, last.density)):
        unbounded = np.isnan(high) | np.isinf(high)
        found[name + ENDS[0]] = _floats(low, np.isnan(low) | (unbounded & (low == 0)), errors)
        found[name + ENDS[1]] = _floats(high, unbounded, errors)
    return found


def _answered(answers: Answers, decided: Decided, errors: Mapping[int, str], end: str) -> dict[str, Any]:
    """Return the columns of status and paragraphs."""
    width = len(answers.paragraphs)
    rows = list(errors)
    status = (decided.codes >> width).astype(np.int8)
    met = (decided.codes & ((1 << width) - 1)).astype(np.intp)
    status[rows] = met[rows] = -1
    coded = pd.Categorical.from_codes(status, categories=list(STATUSES))
    return {f"status{end}": coded, f"paragraphs{end}": _taken(sets_of(answers), met)}


def _taken(words: list[str], places: Any) -> Any:
    """Return a column of texts by their places; NA for -1."""
    return pd.array(words, dtype="string").take(places, allow_fill=True)


def _beside(frame: pd.DataFrame, results: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns of a frame that are not results, and the results, on its index."""
    taken = {*RESULTS, *results}
    kept = frame.loc[:, [name not in taken for name in frame.columns]]
    found = pd.concat([kept, pd.DataFrame(dict(results), index=frame.index)], axis=1)
    found.columns.name = frame.columns.name
    found.attrs.update(frame.attrs)
    return found


def _days(on: date | str | None) -> list[date]:
    """Return the day that is asked about, or those on which a version of ECCN 3A090 takes effect."""
    return [as_date(on, "on")] if on is not None else [version.effective for version in load(THE_RULE).versions]


def _end(day: date, on: date | str | None) -> str:
    return "" if on is not None else f"_{day.isoformat()}"


def chips_frame(on: date | str | None = None) -> pd.DataFrame:
    """Return the chips of the catalogue, one a row by id, with what the rules of a day or of each version say.

    Parameters
    ----------
    on
        The day whose rules apply, as YYYY-MM-DD, a date or a Timestamp; without it, every version of ECCN 3A090.

    Returns
    -------
    DataFrame
        ``name``, ``vendor``, ``market``, ``launched``; the metrics that ``check`` takes, under the names that
        ``check_frame`` reads, an interval as ``_low`` and ``_high``; ``datacenter`` (boolean); ``status`` and
        ``paragraphs`` as of ``check_frame``; ``weakest_mark``: how sure the least sure number behind the metrics is.

    Raises
    ------
    PerfcoreError
        If the day is none.

    Examples
    --------
    >>> chips_frame(on="2024-01-01").at["nvidia_h20_sxm_96gb", "status"]
    'not_controlled'
    """
    days = _days(on)
    items = [chips.load(item_id) for item_id in chips.ids()]
    found = to_frame(_row(item, days, on) for item in items).set_axis(pd.Index(chips.ids(), name="id"))
    ends = [name + end for name in (*NUMBERS, DENSITY) for end in ENDS if name + end in found]
    found = found[[*(name for name in found if name not in ends), *ends]]
    found["launched"] = pd.to_datetime(found["launched"])
    for name in [f"status{_end(day, on)}" for day in days]:
        found[name] = pd.Categorical(found[name], categories=list(STATUSES))
    found["weakest_mark"] = pd.Categorical(found["weakest_mark"], categories=MARKS, ordered=True)
    return found


def _row(item: Item, days: list[date], on: date | str | None) -> dict[str, Any]:
    values, document = metrics_of(item), item.document
    row: dict[str, Any] = {"name": item.name, **{key: document.get(key) for key in ("vendor", "market", "launched")}}
    for name in (*NUMBERS, DENSITY):
        row |= _number(name, values)
    row["datacenter"] = item.facts.get("datacenter")
    for day in days:
        outcome = classify(load(THE_RULE).in_force(day), values)
        row |= {f"status{_end(day, on)}": outcome.status, f"paragraphs{_end(day, on)}": ";".join(outcome.certain)}
    supports = [evidence.support(item, name) for name in (*NUMBERS, "datacenter")]
    marks = [support.mark for support in supports if support is not None]
    return {**row, "weakest_mark": weakest(marks) if marks else None}


def _number(name: str, values: Values) -> dict[str, Any]:
    """Return what is known of a number: itself, or its ends."""
    known = density(values) if name == DENSITY else values[name]
    assert isinstance(known, Interval)
    undefined = name == DENSITY and values[AREA] == point(0)
    shown = None if undefined else plain(known)
    if isinstance(shown, dict):
        return {name: None, **{f"{name}_{end}": number for end, number in shown.items()}}
    return {name: shown}
