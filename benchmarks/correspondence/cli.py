"""The command line: ``python -m benchmarks.correspondence run MODEL``, then ``page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command_line import add_page, run_benchmark
from benchmarks.correspondence.page import SPEED, YARDSTICKS, write_page
from benchmarks.places import Committed, Places, Results
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import new_app
from hear_brainsoundnet.features import PRESETS

PROGRAM = "python -m benchmarks.correspondence"
PLACES = Places("correspondence")

app = new_app(PROGRAM, "Prediction of brain responses from the stages of a network.")

Data = Annotated[
    Path | None,
    typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings."),
]
Out = Annotated[Path, typer.Option(help="Folder for cached activations.")]


@app.command()
def run(
    models: Annotated[
        list[str],
        typer.Argument(
            help="soundnet, permuted, cochleagram, spectrotemporal, log-mel, modulation-spectrum, "
            "a network of the external overview, or any module with the HEAR API."
        ),
    ],
    out: Out,
    checkpoint: Annotated[str, typer.Option(help="Weights, by path or name.")] = "",
    on: Annotated[
        str,
        typer.Option(
            help="natsound165, archive:NH2015, archive:B2021, or the folder of a prepared dataset."
        ),
    ] = "natsound165",
    data: Data = None,
    archive: Annotated[
        Path | None, typer.Option(help="Folder of the published voxels: NH2015, B2021.")
    ] = None,
    splits: Annotated[
        int, typer.Option(min=2, help="Number of random halvings of the sounds.")
    ] = 10,
    level: Annotated[
        float,
        typer.Option(
            help="Normalise all sounds to this level first, as the default preset does "
            f"({PRESETS['default'].level:g}); 0 disables it."
        ),
    ] = 0.0,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Measure models against responses to sounds, or against time series."""
    numbers = PLACES.results(results, committed)
    from benchmarks.correspondence.runs import run_model

    for model in models:
        name, document = run_model(model, checkpoint, on, data, archive, out, splits, level)
        typer.echo(write_result(numbers, name, document))


@app.command()
def yardsticks(
    out: Out, data: Data = None, results: Results = None, committed: Committed = False
) -> None:
    """Remeasure the published simple baselines."""
    numbers = PLACES.results(results, committed)
    from benchmarks.correspondence.runs import SOUNDS
    from benchmarks.correspondence.yardsticks import yardstick_document

    if data is None:
        raise ValueError("yardsticks need the sounds; give --data or set BRAINSOUNDNET_DATA")
    typer.echo(write_result(numbers, YARDSTICKS, yardstick_document(data / SOUNDS, out)))


@app.command()
def speed(results: Results = None, committed: Committed = False) -> None:
    """Time 5,000 voxels here and with scikit-learn, jointly and one by one; takes a minute."""
    numbers = PLACES.results(results, committed)
    from benchmarks.correspondence.speed import speed_document

    typer.echo(write_result(numbers, SPEED, speed_document()))


add_page(app, PLACES, write_page)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
