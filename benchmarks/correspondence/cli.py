"""Models against responses, yardsticks, speed, and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.correspondence.page import SPEED, YARDSTICKS, write_page
from benchmarks.program import Benchmark, Data, Named
from hear_brainsoundnet.features import PRESETS

benchmark = Benchmark("correspondence", write_page)
app = benchmark.app

OptionalData = Annotated[
    Path | None,
    typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings."),
]
Out = Annotated[Path, typer.Option(help="Folder for cached activations.")]


@benchmark.experiment
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
    data: OptionalData = None,
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
) -> Named:
    """Measure models against responses to sounds, or against time series."""
    from benchmarks.correspondence.runs import run_model

    for model in models:
        yield run_model(model, checkpoint, on, data, archive, out, splits, level)


@benchmark.experiment
def yardsticks(out: Out, data: Data) -> Named:
    """Remeasure the published simple baselines."""
    from benchmarks.correspondence.yardsticks import yardstick_document
    from benchmarks.hear.tasks.natsound165_categories import FOLDER

    yield YARDSTICKS, yardstick_document(data / FOLDER, out)


@benchmark.experiment
def speed() -> Named:
    """Time 5,000 voxels here and with scikit-learn, jointly and one by one; takes a minute."""
    from benchmarks.correspondence.speed import speed_document

    yield SPEED, speed_document()
