"""``perfcore measure``."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcore.cli.common import print_json, styled
from perfcore.display import text_table
from perfcore.errors import PerfcoreError

if TYPE_CHECKING:
    from perfcore.measure.figures import Figure, Measurement

Outcome = tuple["Measurement | None", Any]  # and a verification, where one was asked for
EPILOG = """\b
Examples:
  perfcore measure cpu -o my_machine.toml && perfcore check my_machine.toml
  perfcore measure gpu -o my_gpu.toml && perfcore roofline my_gpu.toml
  perfcore measure cpu --verify                   predicted against measured
  perfcore measure cpu --verify my_machine.toml   with the figures of a file
"""
# What tells the libraries that NumPy may multiply matrices with how many threads to take; read when NumPy is loaded.
BLAS_THREADS = (
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",
)


@click.command("measure", epilog=EPILOG)
@click.argument("device", metavar="[cpu|gpu]", required=False, default="cpu", type=click.Choice(["cpu", "gpu"]))
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Chip file to write. Default: measured_cpu.toml.")
@click.option("--verify", is_flag=True, help="Hold predictions against the clock; writes a file only with -o.")
@click.option("--threads", type=int, help="Cores to measure with. Default: all this process may use.")
@click.option("--quick", is_flag=True, help="A third of the samples.")
@click.option("--force", is_flag=True, help="Write a run that is no result, with the reasons in the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; writes a file only with -o.")
def command(
    device: str,
    file: Path | None,
    output: Path | None,
    verify: bool,
    threads: int | None,
    quick: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure the roofline of this machine and write it as a chip file.

    Peaks by number format, bandwidth of each level of memory, latency, matrix products. A run with other programs at
    work, a changing clock or a lost core is not a result: it says so and writes nothing.
    """
    from perfcore.measure import chip_file

    if file is not None and not verify:
        raise PerfcoreError(f"{file}: a file is read with --verify only; -o {file} writes one")
    if file is not None and output is not None:
        raise PerfcoreError(f"-o {output}: no figures are measured where a file is verified; leave one of them out")
    if output is None and not verify and not as_json:
        output = Path(f"measured_{device}.toml")
    if output is not None:
        chip_file.check_target(output)
    found, verification = _run(device, file, verify, threads, quick)
    reasons = () if found is None else found.refused
    written = output if force or not reasons else None
    if written is not None and found is not None:
        chip_file.write(found, written)
    if as_json:
        print_json(_document(found, verification, written))
    else:
        click.echo("\n".join(_lines(found, verification, written)))
    if reasons and not force:
        lost = "" if output is None else "; nothing was written (--force writes it with the reasons inside)"
        raise PerfcoreError([f"not a result: {reason}{lost}" for reason in reasons])


def _run(device: str, file: Path | None, verify: bool, threads: int | None, quick: bool) -> Outcome:
    say = _progress if sys.stderr.isatty() else _plain_progress
    if device == "gpu" and threads is not None:
        raise PerfcoreError("--threads: a GPU has none to choose; leave it out")
    if device == "gpu":
        return _on_gpu(file, verify, quick, say)
    if threads is not None:
        for name in BLAS_THREADS:
            os.environ.setdefault(name, str(threads))
    if verify:
        from perfcore.measure.cpu_cases import verify as verify_cpu

        verification, found = verify_cpu(file, threads, quick, say)
        return found, verification
    from perfcore.measure.cpu import measure

    return measure(threads, quick, say), None


def _on_gpu(file: Path | None, verify: bool, quick: bool, say: Any) -> Outcome:
    from perfcore.measure.gpu import measure
    from perfcore.measure.gpu_backends import choose
    from perfcore.measure.gpu_verify import verify as verify_gpu

    backend = choose()
    found = None if file is not None else measure(backend, quick=quick, progress=say)
    source = file if file is not None else found
    return found, verify_gpu(backend, source, quick) if verify and source is not None else None


def _document(found: "Measurement | None", verification: Any, written: Path | None) -> dict[str, Any]:
    beside = {} if found is None or found.kind != "gpu" else {"comparison": _compared(found)}
    return {
        "measurement": None if found is None else found.to_dict(),
        **beside,
        "file": None if written is None else str(written),
        "verification": None if verification is None else verification.to_dict(),
    }


def _compared(found: "Measurement") -> dict[str, Any]:
    from perfcore.measure.gpu_match import compared

    return compared(found)


def _progress(said: str) -> None:
    """Show what is being done on one line of a terminal."""
    click.echo(f"\r\033[K{said}", nl=False, err=True)


def _plain_progress(said: str) -> None:
    """Say the stages, but not each round."""
    if not said.startswith(("round", "warming up")):
        click.echo(f"perfcore: {said}", err=True)


def _lines(found: "Measurement | None", verification: Any, written: Path | None) -> Iterator[str]:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    yield from result_lines(found, verification)
    if written is not None:
        yield f"\nwritten to {written}: perfcore check {written} (or roofline, train, infer)"


def result_lines(found: "Measurement | None", verification: Any) -> Iterator[str]:
    """Yield what was measured, and how far predictions lie from the clock."""
    if found is not None:
        yield from _measured(found)
    if found is not None and found.kind == "gpu":
        yield from _beside_datasheet(found)
    if verification is not None:
        yield from _verified(verification)


def _measured(found: "Measurement") -> Iterator[str]:
    yield styled(_title(found), bold=True)
    yield from (f"  {name:14} {said}" for name, said in _conditions(found))
    figures = [one for one in found.figures if one.unit != "ns a call"]
    if figures:
        head = ("figure", "best", "median", "unit", "spread", "")
        yield from ("", text_table(head, [_row(one) for one in figures], right=[1, 2, 4], indent="  "))


def _beside_datasheet(found: "Measurement") -> Iterator[str]:
    """Yield medians beside the datasheet, and what was not measured."""
    told = _compared(found)
    rows = [("TPP", told["tpp"]), *((f"ridge {form}", one) for form, one in told["ridge_flop_per_byte"].items())]
    if told["chip"]:
        yield f"\nbeside the datasheet of {told['chip']} (median, not best)"
        cells = [
            (name, _four(one["measured"]), _four(one["specified"]), f"{one['share']:.1%}")
            for name, one in (*told["rates"].items(), *rows)
            if one["specified"]
        ]
        yield text_table(("", "measured", "datasheet", "share"), cells, right=[1, 2, 3], indent="  ")
    else:
        yield f"\nno datasheet: {found.device.get('catalogue_by')}"
    yield from (f"  not measured: {name}: {why}" for name, why in found.conditions["skipped"].items())


def _four(value: float) -> str:
    """Return four digits, or all before the point.

    >>> _four(15831.2), _four(178.57)
    ('15,831', '178.6')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _title(found: "Measurement") -> str:
    threads = found.device.get("threads")
    said = f", {threads} core{'s' if threads > 1 else ''}" if threads else ""
    return f"{found.device.get('name', found.kind)}{said}"


def _row(one: "Figure") -> tuple[str, ...]:
    return one.name, f"{one.value:.4g}", f"{one.median:.4g}", one.unit, f"{one.spread:.0%}", one.note


def _conditions(found: "Measurement") -> Iterator[tuple[str, str]]:
    told = found.conditions
    loads = [f"{told[key]:.0%}" for key in ("load_before", "load_during", "load_after") if key in told]
    if loads:
        yield "other load", f"{' / '.join(loads)} before, during, after"
    if "clock_start_mhz" in told and "clock_end_mhz" in told:
        yield "clock", f"{told['clock_start_mhz']:,.0f} to {told['clock_end_mhz']:,.0f} MHz"
    if "second_core" in told:
        yield "second core", f"two threads do {told['second_core']:.2f} times the work of one"
    for cache in found.device.get("caches", ()):
        yield cache["name"], f"{cache['instances']} x {cache['size'] / 1024:,.0f} KiB"
    blas = told.get("blas")
    if blas:
        settings = "".join(f", {name}={value}" for name, value in blas["settings"].items())
        yield "BLAS", f"{blas['name']} {blas['version']}{settings}"


def _verified(verification: Any) -> Iterator[str]:
    yield "\npredicted from measured figures, and measured"
    rows = [
        (row.name, f"{row.predicted_s * 1e6:,.1f}", f"{row.measured_s * 1e6:,.1f}", f"{row.error:+.1%}")
        for row in verification.rows
    ]
    yield text_table(("kernel", "predicted us", "measured us", "error"), rows, right=[1, 2, 3], indent="  ")
    yield from (f"  not run: {name}: {why}" for name, why in verification.skipped.items())
    yield f"  median size of the error {verification.median_abs:.1%}"
