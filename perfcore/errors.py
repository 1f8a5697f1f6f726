"""The one exception a user's mistake raises."""

from collections.abc import Iterable


class PerfcoreError(ValueError):
    """A mistake in what the user gave, one line for each thing wrong.

    Each line says the file or argument, what was found, what is allowed, and what to do.

    >>> str(PerfcoreError(["a.toml:3: tpp: found -1; allowed: a number above 0", "a.toml:9: ..."]))
    'a.toml:3: tpp: found -1; allowed: a number above 0\\na.toml:9: ...'
    """

    def __init__(self, lines: str | Iterable[str]) -> None:
        self.lines = (lines,) if isinstance(lines, str) else tuple(lines)
        super().__init__("\n".join(self.lines))


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` for a misspelt word, or nothing when no allowed word is near.

    >>> suggestion("peak_dense_tflopz", ["peak_dense_tflops", "power"])
    '; did you mean peak_dense_tflops?'
    >>> suggestion("xyz", ["power"])
    ''
    """
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), list(allowed), n=3, cutoff=0.65)
    return f"; did you mean {' or '.join(near)}?" if near else ""
