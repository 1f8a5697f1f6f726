"""Mutation score of the engine: change one node of one module at a time, and see whether a test fails.

Run from the root of a checkout, in an environment with ``perfcore[dev]``::

    python benchmarks/mutation.py --out mutants.csv            # every mutant
    python benchmarks/mutation.py --every 3 --only regions     # each third mutant of one module
    python benchmarks/mutation.py --again mutants.csv --out again.csv  # only what survived

The checkout is copied; only the copy is mutated. Each mutant is tried in a process of its own, forked after the
libraries are imported, one at a time. The tests run in lots, the cheapest first, up to the first that fails; a
mutant that cannot be imported counts as killed. Needs a system with ``os.fork``.
"""

import argparse
import ast
import compileall
import copy
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

MODULES = (
    "formulas/control",
    "quantity",
    "regions",
    "outcome",
    "changes",
    "readings",
    "rules",
    "findings",
    "rows",
)
COPIED = ("perfcore", "specs", "tests", "pyproject.toml", "README.md", "docs")
# Lots of tests, tried in this order; the module's own doctests come first.
LOTS = (
    ("tests/test_pinned.py",),
    ("tests/test_formulas.py", "tests/test_worked_cases.py", "tests/test_thresholds.py"),
    ("tests/test_rule_files.py", "tests/test_files.py", "tests/test_review.py"),
    (
        "tests/test_catalogue.py::test_vintage_matrix",
        "tests/test_catalogue.py::test_contested_readings",
        "tests/test_catalogue.py::test_the_flag_of_the_contract",
        "tests/test_catalogue.py::test_formats_that_round_one_clock_do_not_decide_in_silence",
        "tests/test_properties.py",
        "tests/test_batch.py",
    ),
)
# The classes called Test... are no tests; the 3,000 designs of test_batch stand for the 100,000 of test_properties.
OPTIONS = [
    *("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-o", "python_classes=-"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning", "--hypothesis-profile=mutation"),
    "--deselect=tests/test_properties.py::test_agreement_with_an_oracle_written_from_the_law",
]
TIMEOUT_S = 60.0
ENDS = ("killed", "timed out", "survived")

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One changed node: its place, what it said and says, and the source of the whole module so changed."""

    module: str
    number: int
    line: int
    was: str
    now: str
    source: str


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in place of a node."""
    match node:
        case ast.Compare(ops=[only]):
            for operator in COMPARED[type(only)]:
                yield ast.Compare(node.left, [operator()], node.comparators)
        case ast.BinOp(op=operator) if type(operator) in COMPUTED:
            yield ast.BinOp(node.left, COMPUTED[type(operator)](), node.right)
        case ast.AugAssign(op=operator) if type(operator) in COMPUTED:
            yield ast.AugAssign(node.target, COMPUTED[type(operator)](), node.value)
        case ast.BoolOp(op=operator, values=several):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), several)
            for i in range(len(several)):
                rest = several[:i] + several[i + 1 :]
                yield ast.BoolOp(operator, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=None):
            yield ast.Constant(0)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Name(id=name, ctx=ast.Load()) if name in SWAPPED:
            yield ast.Name(SWAPPED[name], ast.Load())
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Return(value=value) if value is not None and not is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.If(test=test) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield ast.If(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)
        case ast.IfExp(test=test) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)


def is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def sites(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield the place of every node that runs: its parent, the field, and the place in a list; no annotations."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, field, i
                yield from sites(child)


def mutants_of(module: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its text."""
    tree = ast.parse(text)
    number = 0
    for parent, field, i in list(sites(tree)):
        held: Any = getattr(parent, field)
        node = held if i is None else held[i]
        if isinstance(node, ast.Name) and isinstance(parent, ast.AnnAssign) and field == "target":
            continue
        for new in replacements(node):
            put(parent, field, i, ast.copy_location(new, node))
            source = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
            number += 1
            yield Mutant(module, number, node.lineno, first_line(node), first_line(new), source)
            put(parent, field, i, node)


def put(parent: ast.AST, field: str, i: int | None, node: ast.AST) -> None:
    if i is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[i] = node


def first_line(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split("\n")[0]


def tried(root: Path, lots: tuple[tuple[str, ...], ...], timeout_s: float) -> str:
    """Run the tests on the copy in a child process; say ``survived``, ``killed`` or ``timed out``."""
    child = os.fork()
    if child == 0:
        os.setsid()
        failed = run_lots(root, lots)
        sys.stdout.flush()
        os._exit(failed)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "survived" if status == 0 else "killed"
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timed out"


def run_lots(root: Path, lots: tuple[tuple[str, ...], ...]) -> int:
    """Run lots of tests up to the first failure; 0 where all pass. In the child."""
    import pytest
    from hypothesis import Phase, settings

    settings.register_profile(
        "mutation", deadline=None, derandomize=True, database=None, max_examples=50, phases=(Phase.generate,)
    )
    os.chdir(root)
    sys.path.insert(0, str(root))
    null = os.open(os.devnull, os.O_WRONLY)
    if "MUTATION_SHOW" not in os.environ:
        os.dup2(null, 1)
        os.dup2(null, 2)
    for lot in lots:
        paths = [path for path in lot if (root / path.split("::")[0]).exists()]
        try:
            if paths and pytest.main([*OPTIONS, *paths]) not in (0, 5):  # 5: no test in these files
                return 1
        except BaseException as problem:
            print(repr(problem), file=sys.stderr)
            return 1
    return 0


def prepared(root: Path) -> None:
    """Copy the checkout and compile it, so that a child compiles only the mutated module."""
    for name in COPIED:
        source = Path(name)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, root / name)
    compileall.compile_dir(root / "perfcore", quiet=2)


def wanted(arguments: argparse.Namespace) -> list[Mutant]:
    """Return the mutants asked for."""
    modules = [m for m in MODULES if not arguments.only or m in arguments.only]
    all_of_them = [
        mutant for module in modules for mutant in mutants_of(module, Path(f"perfcore/{module}.py").read_text())
    ]
    if arguments.again:
        with open(arguments.again, newline="") as file:
            left = {(row["module"], int(row["number"])) for row in csv.DictReader(file) if row["end"] == "survived"}
        return [mutant for mutant in all_of_them if mutant[:2] in left]
    random.Random(0).shuffle(all_of_them)  # a run that is stopped has then tried a fair sample
    return all_of_them[arguments.start :: arguments.every]


def one(root: Path, mutant: Mutant) -> str:
    """Try one mutant: write it, run the tests, and put back what was there."""
    path = root / f"perfcore/{mutant.module}.py"
    text, stat = path.read_text(), path.stat()
    path.write_text(mutant.source)
    os.utime(path, (stat.st_atime, stat.st_mtime + 10))  # or Python would take the compiled original
    try:
        return tried(root, ((f"perfcore/{mutant.module}.py",), *LOTS), TIMEOUT_S)
    finally:
        path.write_text(text)
        os.utime(path, (stat.st_atime, stat.st_mtime))


def score(mutants: list[Mutant], out: str) -> Counter[tuple[str, str]]:
    """Try the mutants one after the other; count how they end, by module."""
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder, open(out, "w", newline="") as file:
        root = Path(folder).resolve()
        prepared(root)
        if tried(root, (tuple(f"perfcore/{module}.py" for module in MODULES), *LOTS), 600) != "survived":
            raise SystemExit("the tests fail without a mutant; run again with MUTATION_SHOW=1 to see them")
        sys.dont_write_bytecode = True
        table = csv.writer(file)
        table.writerow(("module", "number", "line", "was", "now", "end", "seconds"))
        for mutant in mutants:
            start = time.monotonic()
            end = one(root, mutant)
            counts[mutant.module, end] += 1
            table.writerow((*mutant[:-1], end, f"{time.monotonic() - start:.1f}"))
            file.flush()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation score of the engine.")
    parser.add_argument("--every", type=int, default=1, help="try each n-th mutant, in an order shuffled once for all")
    parser.add_argument("--start", type=int, default=0, help="with --every: the first mutant to try, from 0")
    parser.add_argument("--only", action="append", choices=MODULES, help="a module; may be repeated")
    parser.add_argument("--again", help="a table of an earlier run: try what survived")
    parser.add_argument("--out", default="mutants.csv", help="table to write")
    parser.add_argument("--list", action="store_true", help="only count the mutants")
    arguments = parser.parse_args()
    mutants = wanted(arguments)
    print(len(mutants), "mutants", flush=True)
    if arguments.list or not mutants:
        return
    for library in ("hypothesis", "numba", "pandas", "pytest"):  # once, before the forks
        import_module(library)
    counts = score(mutants, arguments.out)
    for module in dict.fromkeys(mutant.module for mutant in mutants):
        print(module, {end: counts[module, end] for end in ENDS})
    survived = sum(counts[module, "survived"] for module in MODULES)
    print(f"killed or timed out: {1 - survived / len(mutants):.1%}")


if __name__ == "__main__":
    main()
