"""The command line: ``python -m benchmarks.speed epoch | preparation | page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.results import write_result
from benchmarks.speed.documents import epoch_document, preparation_document
from benchmarks.speed.machine import machine
from benchmarks.speed.page import PAGE, RESULTS, write_page
from hear_brainsoundnet.command_line import new_app, run_program

PROGRAM = "python -m benchmarks.speed"

app = new_app(
    PROGRAM, "How long the work takes, measured against the plainest or the usual way to do it."
)

Rounds = Annotated[int, typer.Option(min=1, help="How often the contenders take turns.")]
Results = Annotated[Path, typer.Option(help="Folder for the numbers, one JSON file each.")]


@app.command()
def epoch(
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Threads, repeatable; one, and as many as torch takes."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs to learn from.")] = 2,
    minutes: Annotated[float, typer.Option(help="Length of a run.")] = 5.0,
    rounds: Rounds = 5,
    results: Results = RESULTS,
) -> None:
    """An epoch of fine-tuning from conv4, against the earlier public recipe."""
    import torch

    from benchmarks.speed.epoch import measure_epoch

    at_work = machine()
    speeds = [
        measure_epoch(runs, minutes, n_rounds=rounds, n_threads=n_threads)
        for n_threads in threads or sorted({1, torch.get_num_threads()})
    ]
    options = "".join(f" --threads {speed.n_threads}" for speed in speeds)
    command = f"{PROGRAM} epoch{options} --runs {runs} --minutes {minutes:g} --rounds {rounds}"
    typer.echo(write_result(results, "epoch", epoch_document(speeds, command, at_work)))


@app.command()
def preparation(
    minutes: Annotated[float, typer.Option(help="Length of the files.")] = 20.0,
    rounds: Rounds = 5,
    results: Results = RESULTS,
) -> None:
    """Preparing a film and a WAV file, against decoding and resampling them."""
    from benchmarks.speed.preparation import measure_preparation

    at_work = machine()
    speed = measure_preparation(minutes, rounds)
    command = f"{PROGRAM} preparation --minutes {minutes:g} --rounds {rounds}"
    typer.echo(write_result(results, "preparation", preparation_document(speed, command, at_work)))


@app.command()
def page(
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="The page.")] = PAGE,
) -> None:
    """Write the results page from the numbers alone."""
    typer.echo(write_page(results, out))


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what goes wrong is one line and an exit status."""
    run_program(app, PROGRAM, arguments)
