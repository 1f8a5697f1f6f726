"""Pictures: nothing overlaps, every chip can be told apart without colour, and the same input gives the same bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import run

import perfcore
from perfcore.errors import PerfcoreError
from perfcore.plots import inline_roofline, save_roofline
from perfcore.plots.inline import svg
from perfcore.plots.labels import inside, mark_box, overlap, spread
from perfcore.plots.roofline import picture_of
from perfcore.plots.shapes import COLOURS, INK, Picture, Text, text_width
from perfcore.rooflines import Rooflines

# What is looked at when pictures change: one chip, five, with a model, with a band, with other memory, and hard ones.
ASKED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "one": (("h100",), {}),
    "cache": (("a100",), {}),
    "five": (("a100", "a800", "h800", "h20", "h200"), {}),
    "model": (("h100", "h20"), {"model": "llama3_70b", "batch": 8}),
    "experts": (("h20",), {"model": "deepseek_v3", "precision": "fp8"}),
    "band": (("mi308x", "nvidia_rtx_6000d_84gb"), {}),
    "no peaks": (("nvidia_rtx_6000d_84gb",), {}),
    "no memory": (("cerebras_wse_3",), {}),
    "memory": (("h20",), {"memory": ["hbm3e:6", "hbm4:6"]}),
    "many": (("h100", "h20", "b200", "mi300x", "910b4", "tpu v6e", "gaudi3"), {"model": "llama3_8b"}),
}


def asked(name: str) -> Rooflines:
    names, options = ASKED[name]
    return perfcore.roofline(*names, **options)


@pytest.fixture(scope="module", params=ASKED)
def picture(request: pytest.FixtureRequest) -> Picture:
    return picture_of(asked(request.param))


def test_no_label_covers_another_or_a_mark_of_an_operation(picture: Picture) -> None:
    boxes = [(text.text, text.corners(pad=0.0)) for text in picture.texts]
    for (one, box), (other, another) in combinations(boxes, 2):
        assert not overlap(box, another), f"{one} on {other}"
    for text in picture.texts:
        for mark in picture.marks:
            assert not overlap(text.corners(pad=0.0), mark_box(mark)), f"{text.text} on a mark at {mark.x:.0f}"


def test_all_is_on_the_paper(picture: Picture) -> None:
    for text in picture.texts:
        for x, y in text.corners(pad=0.0):
            assert 0 <= x <= picture.width, text.text
            assert 0 <= y <= picture.height, text.text
    for mark in picture.marks:
        assert 0 <= mark.x <= picture.width
        assert 0 <= mark.y <= picture.height
    for line in picture.lines:
        for x, y in line.points:
            assert -0.01 <= x <= picture.width
            assert -0.01 <= y <= picture.height


def test_every_roof_and_operation_is_named() -> None:
    words = " ".join(text.text for text in picture_of(asked("one")).texts)
    for name in ("HBM3 3,350 GB/s", "NVLink 4 + NVSwitch 450 GB/s", "InfiniBand NDR 50 GB/s", "fp16, bf16 989", "tf32"):
        assert name in words
    words = " ".join(text.text for text in picture_of(asked("five")).texts)
    for rate in ("4,800", "4,000", "3,350", "2,039", "450", "300", "200", "50 GB/s", "25 GB/s"):
        assert rate in words
    drawn = picture_of(asked("experts"))
    numbers = [text.text for text in drawn.texts if text.bold and re.fullmatch(r"[0-9, ]+", text.text)]
    for frame in drawn.frames:
        own = [t for t in drawn.texts if t.text in numbers and inside(t.corners(), frame)]
        marked = {number for text in own for number in text.text.split(", ")}
        keyed = {t.text for t in drawn.texts if t.anchor == "end" and frame.top < t.y < frame.bottom}
        assert marked == keyed


def test_chips_differ_in_more_than_colour() -> None:
    drawn = picture_of(asked("five"))
    legend = [mark for mark in drawn.marks if mark.y < drawn.frames[0].top]
    assert len({mark.shape for mark in legend}) == len({mark.colour for mark in legend}) == len(legend) == 5
    levels = picture_of(asked("cache")).lines
    assert len({line.dash for line in levels if line.colour != INK and line.width > 1}) == 4
    assert {line.colour for line in drawn.lines if line.width > 1} <= set(COLOURS)


def test_ridge_points_stand_where_they_belong() -> None:
    drawn = picture_of(asked("one"))
    x, y = drawn.frames[0].place(989.4e3 / 3350, 989.4)
    assert any(abs(mark.x - x) < 0.01 and abs(mark.y - y) < 0.01 for mark in drawn.marks)


def test_more_chips_than_colours_differ_still() -> None:
    names = ("a100", "a800", "h800", "h20", "h200", "b200", "mi300x", "910b4", "gaudi3", "tpu v6e")
    drawn = picture_of(perfcore.roofline(*names))
    legend = [(mark.shape, mark.colour) for mark in drawn.marks if mark.y < drawn.frames[0].top]
    assert len(set(legend)) == len(legend) == len(names)


def test_a_missing_roof_is_said() -> None:
    assert "no memory bandwidth known of WSE-3" in picture_of(asked("no memory")).frames[0].title


def test_an_interval_is_drawn_as_a_band() -> None:
    assert not picture_of(asked("one")).areas
    drawn = picture_of(asked("band"))
    assert len(drawn.areas) == 3  # two peaks of the MI308X, the memory of the RTX 6000D


def test_the_inline_picture_is_clean(picture: Picture) -> None:
    text = svg(picture)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("aria-label") == picture.title
    assert text == svg(picture)
    assert not re.search(r"script|href|url\(|NaN|nan|inf", text)
    drawn = {"".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {each.text for each in picture.texts} <= drawn


def test_the_inline_picture_needs_no_matplotlib() -> None:
    code = (
        "import sys, perfcore; from perfcore.plots import inline_roofline\n"
        "assert '<svg' in inline_roofline(perfcore.roofline('h20'))\n"
        "assert not {'numpy', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert inline_roofline(asked("one")).startswith("<svg")


@given(st.lists(st.floats(0, 400), min_size=1, max_size=12))
def test_spread_labels_keep_apart_and_in_order(wanted: list[float]) -> None:
    found = spread(wanted, 15.0, 0.0, 400.0)
    order = sorted(range(len(wanted)), key=lambda place: (wanted[place], place))
    places = [found[index] for index in order]
    assert all(after - before >= 15.0 - 1e-6 for before, after in pairwise(places))
    assert all(-1e-6 <= place <= 400.0 + 1e-6 for place in places)


@pytest.fixture(scope="module")
def figures() -> Any:
    pytest.importorskip("matplotlib")
    from perfcore.plots import figure

    return figure


def test_estimated_boxes_hold_what_matplotlib_writes(figures: Any) -> None:
    """The boxes that labels are placed by are at least as large as those of the real letters."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = picture_of(asked("five"))
    texts = [*drawn.texts, *picture_of(asked("experts")).texts]
    upright = Picture(4000, 4000, "", texts=[Text(2000, 2000, t.text, bold=t.bold, size=t.size) for t in texts])
    made = figures.figure_of(upright)
    canvas = FigureCanvasAgg(made)
    canvas.draw()
    for text, artist in zip(upright.texts, made.axes[-1].texts, strict=True):
        assert artist.get_window_extent(canvas.get_renderer()).width <= text_width(text.text, text.size, text.bold) + 2


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_files_are_the_same_each_time(suffix: str, tmp_path: Path, figures: Any) -> None:
    found = asked("model")
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    for path in (one, other):
        save_roofline(found, path)
    assert one.read_bytes() == other.read_bytes()
    starts = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}
    assert one.read_bytes().startswith(starts[suffix])
    assert b"Date" not in one.read_bytes()


def test_the_axes_are_logarithmic(figures: Any) -> None:
    made = figures.figure_of(picture_of(asked("model")))
    panels = made.axes[:-1]
    assert len(panels) == 3
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in panels} == {("log", "log")}
    assert all("FLOP" in axes.get_xlabel() and "TFLOP/s" in axes.get_ylabel() for axes in panels)


def test_pyplot_is_never_asked_for(tmp_path: Path, figures: Any) -> None:
    code = (
        "import sys; sys.argv = ['perfcore', 'roofline', 'h20', '--plot', sys.argv[1]]\n"
        "from perfcore.cli import main\n"
        "try: main()\n"
        "finally: print('matplotlib.pyplot' in sys.modules)"
    )
    path = tmp_path / "x.svg"
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("False\n")
    assert result.stderr == f"perfcore: wrote {path}\n"
    assert path.stat().st_size > 5000


def test_without_matplotlib_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "sys.argv = ['perfcore', 'roofline', 'h20', '--plot', 'x.svg']\n"
        "from perfcore.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "pip install 'perfcore[plot]'" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("target", "said"),
    [("x.gif", "ends in .svg, .png, .pdf"), ("x", "ends in"), ("no/x.png", "no folder"), ("a.svg", "is a folder")],
)
def test_a_wrong_target_is_one_line(target: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(PerfcoreError, match=said):
        save_roofline(asked("one"), tmp_path / target)
    result = run("roofline", "h20", "--plot", target, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_a_target_that_cannot_be_written(tmp_path: Path, figures: Any) -> None:
    found = asked("one")
    path = tmp_path / ("x" * 300 + ".svg")
    with pytest.raises(PerfcoreError, match="cannot write"):
        save_roofline(found, path)
