"""Flips and settling of October 2022: the sum of digital and analog units moves with the digital ones.

87 FR 62186, 3A090.a.4: digital and analog bits x TOPS together of 4,800 or more, with I/O of 600 GB/s or more.
"""

from typing import Any

from conftest import item, judged

IO: dict[str, Any] = {"link": [{"bandwidth_gb_s": 700}]}
DAY = "2023-01-01"


def test_a_controlled_chip_flips_below_4800() -> None:
    """At 4,799.99 it is not controlled (row 2 of the worked cases), so that is a flip, and nearer than that of I/O."""
    found = {flip["input"]: (flip["to"], flip["inclusive"]) for flip in judged(item(tpp=5000, **IO), DAY).flips}
    assert found == {"bits_x_tops_2022": (4800, False), "io_bandwidth_gb_s": (600, False)}


def test_digital_units_flip_where_the_sum_reaches_4800() -> None:
    """300 analog TOPS are 2,400; 2,400 digital make the sum, not 4,800."""
    flip = judged(item(tpp=2000, analog_tops=300, **IO), DAY).flips[0]
    assert (flip["input"], flip["to"], flip["inclusive"]) == ("bits_x_tops_2022", 2400, True)


def test_both_sides_of_4800_settle() -> None:
    settled = judged(item(**IO), DAY).settle[0]
    assert [(part.get("at_least"), part.get("below"), part["status"]) for part in settled["decides"]] == [
        (None, 4800, "not_controlled"),
        (4800, None, "controlled"),
    ]
