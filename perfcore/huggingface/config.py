"""The keys of a config.json, asked for one by one."""

from collections.abc import Mapping
from typing import Any

from perfcore.schema import LARGEST_WHOLE, shown


class Config:
    """The keys of a config.json, asked for one by one; keeps what is wrong and what was assumed."""

    def __init__(self, keys: Mapping[str, Any], model_class: str, defaults: Mapping[str, Any]) -> None:
        self.keys = keys
        self.model_class = model_class
        self.defaults = defaults
        self.problems: list[str] = []
        self.assumptions: list[str] = []

    def whole(self, *names: str, least: int = 1) -> int | None:
        """Return a whole number by the first of its names that is there; a missing one is a problem."""
        value = self.optional(*names, least=least)
        if value is None and not any(self.keys.get(name) is not None for name in names):
            self.problems.append(f"{names[0]} is missing; a config.json of {self.model_class} holds it")
        return value

    def optional(self, *names: str, least: int = 0) -> int | None:
        """Return a whole number by the first of its names that is there, or the default of the architecture."""
        for name in names:
            if self.keys.get(name) is not None:
                return self._checked(name, self.keys[name], least)
        for name in names:
            if name in self.defaults:
                return int(self._default(name))
        return None

    def flag(self, name: str) -> bool:
        """Return a yes or no, or the default of the architecture (no where it has none)."""
        value = self.keys.get(name)
        if value is None:
            return bool(self._default(name)) if name in self.defaults else False
        if not isinstance(value, bool):
            self.problems.append(f"{name}: found {shown(value)}; allowed: true or false")
        return value is True

    def words(self, name: str) -> list[str]:
        """Return a list of texts; empty where there is none."""
        value = self.keys.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            self.problems.append(f"{name}: found {shown(value)}; allowed: a list of texts")
            return []
        return value

    def length(self, name: str) -> int:
        """Return how many entries a list has; 0 where there is none."""
        value = self.keys.get(name)
        if value is not None and not isinstance(value, list):
            self.problems.append(f"{name}: found {shown(value)}; allowed: a list")
        return len(value) if isinstance(value, list) else 0

    def table(self, name: str) -> Mapping[str, Any]:
        """Return an object within the config; empty where there is none."""
        value = self.keys.get(name)
        if value is not None and not isinstance(value, dict):
            self.problems.append(f"{name}: found {shown(value)}; allowed: an object")
        return value if isinstance(value, dict) else {}

    def assume(self, sentence: str) -> None:
        """Keep a sentence on something assumed, once."""
        if sentence not in self.assumptions:
            self.assumptions.append(sentence)

    def _default(self, name: str) -> Any:
        value = self.defaults[name]
        self.assume(f"{name} is not given: {shown(value)}, the default of {self.model_class}")
        return value

    def _checked(self, name: str, value: Any, least: int) -> int | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and least <= value <= LARGEST_WHOLE:
            return int(value)
        what = " (text)" if isinstance(value, str) else ""
        said = f"found {shown(value)}{what}; allowed: a whole number from {least} to {LARGEST_WHOLE}"
        self.problems.append(f"{name}: {said}")
        return None
