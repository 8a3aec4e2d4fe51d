"""The command line: ``python -m benchmarks.speed embedding | long | folder | ... | page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command_line import add_page, run_benchmark
from benchmarks.places import Committed, Data, Places, Results
from benchmarks.results import write_result
from benchmarks.speed.documents import (
    embedding_document,
    epoch_document,
    folder_document,
    long_document,
    preparation_document,
    season_document,
)
from benchmarks.speed.machine import machine
from benchmarks.speed.page import write_page
from hear_brainsoundnet.command_line import new_app

PROGRAM = "python -m benchmarks.speed"
PLACES = Places("speed")

app = new_app(PROGRAM, "Speed relative to straightforward or common implementations.")

Rounds = Annotated[int, typer.Option(min=1, help="Number of rounds.")]


@app.command()
def embedding(rounds: Rounds = 5, results: Results = None, committed: Committed = False) -> None:
    """Clips of several lengths, alone and in batches, against the earlier public recipe."""
    numbers = PLACES.results(results, committed)
    import torch

    from benchmarks.speed.embedding import BATCHES, DURATIONS, KINDS, measure_clips

    at_work = machine()
    speeds = [
        measure_clips(kind, duration, n_clips, rounds)
        for kind in KINDS
        for duration in DURATIONS
        for n_clips in BATCHES
    ]
    command = f"{PROGRAM} embedding --rounds {rounds}"
    document = embedding_document(speeds, torch.get_num_threads(), command, at_work)
    typer.echo(write_result(numbers, "embedding", document))


@app.command("long")
def long_(rounds: Rounds = 3, results: Results = None, committed: Committed = False) -> None:
    """Twenty minutes and two hours, and growth of memory with length and number of clips."""
    numbers = PLACES.results(results, committed)
    import torch

    from benchmarks.speed.embedding import KINDS
    from benchmarks.speed.long_sounds import measure_long, measure_memories

    at_work, n_threads = machine(), torch.get_num_threads()
    memories = measure_memories(n_threads)
    speeds = [measure_long(kind, rounds) for kind in KINDS]
    command = f"{PROGRAM} long --rounds {rounds}"
    document = long_document(speeds, memories, n_threads, command, at_work)
    typer.echo(write_result(numbers, "long", document))


@app.command()
def folder(
    data: Data,
    rounds: Rounds = 3,
    files: Annotated[
        int | None, typer.Option(min=1, help="Files of each set; by default all.")
    ] = None,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """``hear-brainsoundnet embed`` on real recordings, against plain loops."""
    numbers = PLACES.results(results, committed)
    from benchmarks.speed.folders import SETS, measure_folder, measure_start, recordings

    at_work = machine()
    sets = {name: recordings(data, name)[:files] for name in SETS}
    starts = measure_start(next(iter(sets.values()))[0])
    speeds = [measure_folder(name, paths, rounds) for name, paths in sets.items()]
    command = f"{PROGRAM} folder --rounds {rounds}"
    command += "" if files is None else f" --files {files}"
    typer.echo(write_result(numbers, "folder", folder_document(speeds, starts, command, at_work)))


@app.command()
def epoch(
    threads: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Number of threads, repeatable; by default one, and torch's default."
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Training runs.")] = 2,
    minutes: Annotated[float, typer.Option(help="Length of a run.")] = 5.0,
    rounds: Rounds = 5,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """An epoch of fine-tuning from conv4, against the earlier public recipe."""
    numbers = PLACES.results(results, committed)
    import torch

    from benchmarks.speed.epoch import measure_epoch

    at_work = machine()
    speeds = [
        measure_epoch(runs, minutes, n_rounds=rounds, n_threads=n_threads)
        for n_threads in threads or sorted({1, torch.get_num_threads()})
    ]
    options = "".join(f" --threads {speed.n_threads}" for speed in speeds)
    command = f"{PROGRAM} epoch{options} --runs {runs} --minutes {minutes:g} --rounds {rounds}"
    typer.echo(write_result(numbers, "epoch", epoch_document(speeds, command, at_work)))


@app.command()
def preparation(
    minutes: Annotated[float, typer.Option(help="Length of the files.")] = 20.0,
    rounds: Rounds = 5,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Preparing a film and a WAV file, against decoding and resampling them."""
    numbers = PLACES.results(results, committed)
    from benchmarks.speed.preparation import measure_preparation

    at_work = machine()
    speed = measure_preparation(minutes, rounds)
    command = f"{PROGRAM} preparation --minutes {minutes:g} --rounds {rounds}"
    typer.echo(write_result(numbers, "preparation", preparation_document(speed, command, at_work)))


@app.command()
def season(
    size: Annotated[
        list[str] | None,
        typer.Option(help="TRSxTARGETS, repeatable; by default a season and two films."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A command, repeatable; by default all.")
    ] = None,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Time and memory of all training commands, with 87,000 TRs or 10,000 voxels; takes hours.

    Results replace earlier ones of the same command.
    """
    import tempfile

    from benchmarks.results import read_result
    from benchmarks.speed.season import (
        COMMANDS,
        FILMS,
        SEASON,
        Size,
        known_uses,
        measure_season,
        merged,
    )

    numbers = PLACES.results(results, committed)
    sizes = [Size(*map(int, each.split("x"))) for each in size or ()] or [SEASON, FILMS]
    commands = tuple(only or COMMANDS)
    at_work, command = machine(), f"{PROGRAM} season"
    command += "".join(f" --size {each}" for each in size or ())
    for each in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for use in measure_season(each, Path(folder), commands):
                typer.echo(use.row(), err=True)
                uses = merged(known_uses(read_result(numbers, "season")), [use])
                document = season_document(uses, command, at_work)
                write_result(numbers, "season", document)
    typer.echo(numbers / "season.json")


add_page(app, PLACES, write_page)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
