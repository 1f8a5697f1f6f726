"""The JSON of frozen answers."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from fractions import Fraction
from typing import Any


def json_of(answer: Any) -> Any:
    """Return what JSON holds of an answer: its fields by name, dates as text, fractions as floats.

    >>> json_of({"on": date(2024, 1, 1), "rows": (Fraction(1, 2), None)})
    {'on': '2024-01-01', 'rows': [0.5, None]}
    """
    if is_dataclass(answer) and not isinstance(answer, type):
        return {field.name: json_of(getattr(answer, field.name)) for field in fields(answer)}
    if isinstance(answer, Mapping):
        return {str(key): json_of(value) for key, value in answer.items()}
    if isinstance(answer, tuple) and hasattr(answer, "_fields"):
        return {name: json_of(value) for name, value in zip(answer._fields, answer, strict=True)}
    if isinstance(answer, list | tuple):
        return [json_of(value) for value in answer]
    if isinstance(answer, date):
        return answer.isoformat()
    return float(answer) if isinstance(answer, Fraction) else answer
