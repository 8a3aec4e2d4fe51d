"""Measurements of speed and memory, and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.program import Benchmark, Committed, Data, Named, Results
from benchmarks.speed.page import PAGE

benchmark = Benchmark("speed", PAGE.write)
app = benchmark.app

Rounds = Annotated[int, typer.Option(min=1, help="Number of rounds.")]


@benchmark.experiment
def embedding(rounds: Rounds = 5) -> Named:
    """Clips of several lengths, alone and in batches, against the earlier public recipe."""
    from benchmarks.speed.clips import clips_document

    yield "embedding", clips_document(rounds)


@benchmark.experiment
def long_(rounds: Rounds = 3) -> Named:
    """Twenty minutes and two hours, and growth of memory with length and number of clips."""
    from benchmarks.speed.long_sounds import long_document

    yield "long", long_document(rounds)


@benchmark.experiment
def folder(
    data: Data,
    rounds: Rounds = 3,
    files: Annotated[
        int | None, typer.Option(min=1, help="Files of each set; by default all.")
    ] = None,
) -> Named:
    """``hear-brainsoundnet embed`` on real recordings, against plain loops."""
    from benchmarks.speed.folders import folder_document

    yield "folder", folder_document(data, rounds, files)


@benchmark.experiment
def many_files(
    files: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Number of files, repeatable; by default 10,000 and 100,000."),
    ] = None,
) -> Named:
    """``hear-brainsoundnet embed`` on files of 0.2 s."""
    from benchmarks.speed.many_files import many_files_document

    yield "many_files", many_files_document(files or [10_000, 100_000])


@benchmark.experiment
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
) -> Named:
    """An epoch of fine-tuning from conv4, against the earlier public recipe."""
    from benchmarks.speed.epoch import epoch_document

    yield "epoch", epoch_document(threads, runs, minutes, rounds)


@benchmark.experiment
def preparation(
    minutes: Annotated[float, typer.Option(help="Length of the files.")] = 20.0,
    rounds: Rounds = 5,
) -> Named:
    """Preparing a film and a WAV file, against decoding and resampling them."""
    from benchmarks.speed.preparation import preparation_document

    yield "preparation", preparation_document(minutes, rounds)


@benchmark.experiment
def voxels(
    hours: Annotated[float, typer.Option(help="Length of the data.")] = 8.0,
    targets: Annotated[int, typer.Option(min=2, help="Number of voxels.")] = 50_000,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the read-out.")] = 50,
    stage: Annotated[str, typer.Option(help="Stage of the read-out.")] = "conv7",
    epochs: Annotated[int, typer.Option(min=0, help="Epochs after the ridge solution.")] = 2,
    permutations: Annotated[int, typer.Option(min=1, help="Permutations.")] = 1000,
    himalaya: Annotated[bool, typer.Option(help="Also time himalaya's ridge.")] = True,
    place: Annotated[
        Path | None, typer.Option(help="Folder for the data, which are removed; 9 GB.")
    ] = None,
) -> Named:
    """A fit of tens of thousands of voxels and its evaluation, beside himalaya's ridge."""
    import tempfile

    from benchmarks.speed.voxels import Voxels, voxels_document

    study = Voxels(hours, targets, rank, stage, epochs, permutations)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield "voxels", voxels_document(study, Path(folder), beside_himalaya=himalaya)


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

    from benchmarks.results import read_result, write_result
    from benchmarks.speed.season import (
        COMMANDS,
        FILMS,
        SEASON,
        Size,
        known_uses,
        measure_season,
        merged,
        season_document,
    )
    from benchmarks.speed.turns import machine

    numbers = benchmark.results(results, committed)
    sizes = [Size(*map(int, each.split("x"))) for each in size or ()] or [SEASON, FILMS]
    commands = tuple(only or COMMANDS)
    at_work, command = machine(), "python -m benchmarks speed season"
    command += "".join(f" --size {each}" for each in size or ())
    for each in sizes:
        with tempfile.TemporaryDirectory() as place:
            for use in measure_season(each, Path(place), commands):
                typer.echo(use.row(), err=True)
                uses = merged(known_uses(read_result(numbers, "season")), [use])
                write_result(numbers, "season", season_document(uses, command, at_work))
    typer.echo(numbers / "season.json")
