"""The compiled formulas give what the plain ones give, to the bit."""

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from perfcore import formulas, ufuncs

POSITIVE, SHARE = st.floats(1e-6, 1e9), st.floats(1e-6, 1.0)


def arguments(name: str) -> list[str]:
    return list(inspect.signature(getattr(formulas, name)).parameters)


@pytest.mark.parametrize("name", formulas.__all__)
@given(data=st.data())
def test_parity(name: str, data: st.DataObject) -> None:
    """To the bit, wherever Python has an answer: it raises where a float overflows, an array holds infinity there."""
    given_ = [data.draw(SHARE if word.endswith(("_yield", "_coverage")) else POSITIVE) for word in arguments(name)]
    try:
        expected = getattr(formulas, name)(*given_)
    except OverflowError:
        reject()
    compiled = getattr(ufuncs, name)(*(np.array([number]) for number in given_))
    assert compiled[0] == expected


def test_columns_keep_their_index_and_their_unknowns() -> None:
    frame = pd.DataFrame({"tpp": [2368.0, None], "area": [400.0, 400.0]}, index=["h", "i"])
    density = ufuncs.performance_density(frame["tpp"], frame["area"])
    assert list(density.index) == ["h", "i"]
    assert density["h"] == 5.92
    assert np.isnan(density["i"])


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="ttp"):
        _ = ufuncs.ttp
