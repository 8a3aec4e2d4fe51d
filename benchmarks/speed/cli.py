"""Measurements of speed and memory, and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.program import Benchmark, Data, Named, Results
from benchmarks.results import read_result
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
    from benchmarks.speed.folders import many_files_document

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
    size: Annotated[
        list[str] | None,
        typer.Option(help="HOURSxTARGETS, repeatable; by default 2x50000, 8x12500, 8x50000."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="fit, evaluate or himalaya; by default all.")
    ] = None,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the read-out.")] = 50,
    stage: Annotated[str, typer.Option(help="Stage of the read-out.")] = "conv4",
    epochs: Annotated[int, typer.Option(min=0, help="Epochs after the ridge solution.")] = 1,
    permutations: Annotated[int, typer.Option(min=1, help="Permutations.")] = 1000,
    place: Annotated[Path | None, typer.Option(help="Folder for 6 GB of data.")] = None,
    results: Results = None,
) -> Named:
    """Fits of tens of thousands of voxels and their evaluation, beside himalaya's ridge.

    Results replace earlier ones of the same size.
    """
    import tempfile

    from benchmarks.speed.voxels import COMMANDS, Voxels, measure_voxels, merged, voxels_document

    for each in size or ["2x50000", "8x12500", "8x50000"]:
        hours, targets = each.split("x")
        study = Voxels(float(hours), int(targets), rank, stage, epochs, permutations)
        with tempfile.TemporaryDirectory(dir=place) as folder:
            for measured in measure_voxels(study, Path(folder), tuple(only or COMMANDS)):
                typer.echo(measured["row"], err=True)
                known = read_result(results, "voxels") if results else None
                yield "voxels", voxels_document(merged(known, measured))


@benchmark.experiment
def season(
    size: Annotated[
        list[str] | None,
        typer.Option(help="TRSxTARGETS, repeatable; by default a season and two films."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A command, repeatable; by default all.")
    ] = None,
    results: Results = None,
) -> Named:
    """Time and memory of all training commands, with 87,000 TRs or 10,000 voxels; takes hours.

    Results replace earlier ones of the same command.
    """
    import tempfile

    from benchmarks.speed import season as of_season
    from benchmarks.speed.timing import machine

    sizes = [of_season.Size(*map(int, each.split("x"))) for each in size or ()]
    at_work = machine()
    for each in sizes or [of_season.SEASON, of_season.FILMS]:
        with tempfile.TemporaryDirectory() as place:
            uses = of_season.measure_season(each, Path(place), only or of_season.COMMANDS)
            for use in uses:
                typer.echo(use.row(), err=True)
                known = read_result(results, "season") if results else None
                yield "season", of_season.season_document(of_season.merged(known, use), at_work)
