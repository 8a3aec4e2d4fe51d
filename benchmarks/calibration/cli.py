"""The command line: ``python -m benchmarks.calibration run | page``."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.calibration.page import write_page
from benchmarks.calibration.sizes import SIZES, SizeName
from benchmarks.command_line import add_page, run_benchmark
from benchmarks.places import Committed, Places, Results
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import new_app

PROGRAM = "python -m benchmarks.calibration"
PLACES = Places("calibration")

app = new_app(PROGRAM, "Calibration of p values, corrections, ceilings and intervals.")


@app.command()
def run(
    size: Annotated[SizeName, typer.Option(help="Number of simulated experiments.")] = "full",
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Simulate, estimate, and compare with the truth: takes minutes at full size, on one core."""
    numbers = PLACES.results(results, committed)
    from benchmarks.calibration.ceilings import ceilings_document
    from benchmarks.calibration.discoveries import discoveries_document
    from benchmarks.calibration.intervals import intervals_document
    from benchmarks.calibration.nulls import nulls_document

    for name, document_of in {
        "nulls": nulls_document,
        "discoveries": discoveries_document,
        "ceilings": ceilings_document,
        "intervals": intervals_document,
    }.items():
        document = {**document_of(SIZES[size]), "command": f"{PROGRAM} run --size {size}"}
        typer.echo(write_result(numbers, name, document))


add_page(app, PLACES, write_page)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
