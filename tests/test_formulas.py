"""The formulas: values printed in the law, and the promises of their docstrings."""

import ast
import inspect
from fractions import Fraction
from pathlib import Path

import pytest

from perfcore import formulas
from perfcore.terms import TERMS

ALL = [getattr(formulas, name) for name in formulas.__all__]


def test_the_examples_of_the_law() -> None:
    # ECCN 3A090, technical note 2: 600 TOPS (2 x 300 MacTOPS) at 8 bits or 300 TFLOPS (2 x 150) at 16 bits
    assert formulas.tpp(300, 8) == 4800
    assert formulas.tpp(150, 16) == 4800
    assert formulas.tpp(formulas.mac_tops(600), 8) == 4800


def test_values_worked_by_hand() -> None:
    assert formulas.performance_density(4992, 832) == 6
    assert formulas.analog_bits_x_tops_2022(600) == 4800  # 3A090.a.3 of October 2022
    assert formulas.total_bits_x_tops_2022(2000, 2800) == 4800  # a.4
    assert formulas.bits_x_tops_2022(312, 16, 16) == 4992
    assert formulas.bits_x_tops_2022(312, 16, 32) == 9984  # the literal reading of outputs
    assert formulas.link_bandwidth_gb_s(12, 50) == 600
    assert formulas.hbm_bandwidth_density_gb_s_mm2(Fraction(8192, 10), 100) == Fraction(8192, 1000)
    assert formulas.area_at_density_mm2(4800, Fraction(592, 100)) == Fraction(30000, 37)
    assert formulas.margin(2368, 1600) == pytest.approx(0.48)


@pytest.mark.parametrize("formula", ALL, ids=lambda formula: formula.__name__)
def test_docstring_has_units_reference_and_example(formula: object) -> None:
    doc = inspect.getdoc(formula) or ""
    assert "References" in doc
    assert ">>>" in doc
    first = doc.split("\n")[0]
    name = formula.__name__  # type: ignore[attr-defined]
    assert "[" in first or name == "margin"


@pytest.mark.parametrize("formula", ALL, ids=lambda formula: formula.__name__)
def test_arguments_are_words_of_the_vocabulary(formula: object) -> None:
    names = set(inspect.signature(formula).parameters)  # type: ignore[arg-type]
    assert names - {"value"} <= set(TERMS)


def test_formulas_import_nothing_but_math_and_each_other() -> None:
    for path in Path(formulas.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= {"math"}, path
            elif isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                own = (node.module or "").startswith("perfcore.formulas")
                assert own or (node.module == "typing" and names == {"NamedTuple"}), path
