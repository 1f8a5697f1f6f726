"""Facts as a user writes them: ``NAME=VALUE``."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from perfcore.errors import PerfcoreError
from perfcore.terms import FACTS

__all__ = ["read_facts"]


def read_facts(pairs: Iterable[str], where: str = "--fact") -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs: numbers, LOW..HIGH, true or false, words; ``where`` names them in a refusal.

    >>> read_facts(("tpp=4000..5000", "datacenter=true", "destination=CN"))
    {'tpp': {'low': Decimal('4000'), 'high': Decimal('5000')}, 'datacenter': True, 'destination': 'cn'}
    """
    facts: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not text.strip():
            raise PerfcoreError(f"{where}: found {pair[:60]!r}; allowed: NAME=VALUE, such as destination=cn")
        if name in facts:
            raise PerfcoreError(f"{where}: {name[:60]} is given twice")
        facts[name] = _value(text.strip(), FACTS[name].kind if name in FACTS else "word")
    return facts


def _value(text: str, kind: str) -> Any:
    if kind == "yes_no":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if kind == "number":
        low, dots, high = text.partition("..")
        return {"low": _decimal(low), "high": _decimal(high)} if dots else _decimal(text)
    return text.lower()


def _decimal(text: str) -> Any:
    try:
        if "_" in text or not text.isascii():
            raise InvalidOperation
        return Decimal(text.strip())
    except InvalidOperation:
        return text.strip()
