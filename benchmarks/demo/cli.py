"""The two demos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.program import Benchmark, Data

app = Benchmark("demo").app
Audio = Annotated[Path | None, typer.Option(help="Folder of recordings; by default examples.")]


@app.command()
def nearest(
    audio: Audio = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
) -> None:
    """Embed a folder of recordings with the default checkpoint and show the nearest neighbours."""
    from benchmarks.demo.neighbours import show_neighbours

    show_neighbours(audio, out)


@app.command()
def train(
    audio: Audio = None,
    out: Annotated[Path, typer.Option(help="Output folder, new or empty.")] = Path("train-demo"),
) -> None:
    """Simulate a brain's responses, fit an encoder to them, export and use it."""
    from benchmarks.demo.train import train_on_simulation

    train_on_simulation(audio, out)


@app.command()
def over_time(
    data: Data,
    out: Annotated[Path, typer.Option(help="The picture, PNG.")] = Path("over_time.png"),
) -> None:
    """Draw a sound, its embedding over time, and the auditory cortex that it predicts."""
    from benchmarks.demo.over_time import draw_over_time

    typer.echo(draw_over_time(data, out))
