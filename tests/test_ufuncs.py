"""The compiled formulas give what the plain ones give, to the bit."""

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore import formulas, ufuncs

NUMBERS = st.lists(st.floats(1e-6, 1e9), min_size=7, max_size=7)


@pytest.mark.parametrize("name", formulas.__all__)
@given(numbers=NUMBERS)
def test_parity(name: str, numbers: list[float]) -> None:
    formula = getattr(formulas, name)
    given_ = numbers[: len(inspect.signature(formula).parameters)]
    compiled = getattr(ufuncs, name)(*(np.array([number]) for number in given_))
    assert compiled[0] == formula(*given_)


def test_columns_keep_their_index_and_their_unknowns() -> None:
    frame = pd.DataFrame({"tpp": [2368.0, None], "area": [400.0, 400.0]}, index=["h", "i"])
    density = ufuncs.performance_density(frame["tpp"], frame["area"])
    assert list(density.index) == ["h", "i"]
    assert density["h"] == 5.92
    assert np.isnan(density["i"])


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="ttp"):
        _ = ufuncs.ttp
