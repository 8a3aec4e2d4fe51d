"""Measurements of speed and memory, and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.program import Benchmark, Committed, Data, Named, Results
from benchmarks.speed.page import PAGE

PROGRAM = "python -m benchmarks speed"
benchmark = Benchmark("speed", PAGE.write)
app = benchmark.app

Rounds = Annotated[int, typer.Option(min=1, help="Number of rounds.")]


@benchmark.experiment
def embedding(rounds: Rounds = 5) -> Named:
    """Clips of several lengths, alone and in batches, against the earlier public recipe."""
    import torch

    from benchmarks.speed.embedding import (
        BATCHES,
        DURATIONS,
        KINDS,
        embedding_document,
        measure_clips,
    )
    from benchmarks.speed.machine import machine

    at_work = machine()
    speeds = [
        measure_clips(kind, duration, n_clips, rounds)
        for kind in KINDS
        for duration in DURATIONS
        for n_clips in BATCHES
    ]
    command = f"{PROGRAM} embedding --rounds {rounds}"
    yield "embedding", embedding_document(speeds, torch.get_num_threads(), command, at_work)


@benchmark.experiment
def long_(rounds: Rounds = 3) -> Named:
    """Twenty minutes and two hours, and growth of memory with length and number of clips."""
    import torch

    from benchmarks.speed.embedding import KINDS
    from benchmarks.speed.long_sounds import long_document, measure_long, measure_memories
    from benchmarks.speed.machine import machine

    at_work, n_threads = machine(), torch.get_num_threads()
    memories = measure_memories(n_threads)
    speeds = [measure_long(kind, rounds) for kind in KINDS]
    command = f"{PROGRAM} long --rounds {rounds}"
    yield "long", long_document(speeds, memories, n_threads, command, at_work)


@benchmark.experiment
def folder(
    data: Data,
    rounds: Rounds = 3,
    files: Annotated[
        int | None, typer.Option(min=1, help="Files of each set; by default all.")
    ] = None,
) -> Named:
    """``hear-brainsoundnet embed`` on real recordings, against plain loops."""
    from benchmarks.speed.folders import (
        SETS,
        folder_document,
        measure_folder,
        measure_start,
        recordings,
    )
    from benchmarks.speed.machine import machine

    at_work = machine()
    sets = {name: recordings(data, name)[:files] for name in SETS}
    starts = measure_start(next(iter(sets.values()))[0])
    speeds = [measure_folder(name, paths, rounds) for name, paths in sets.items()]
    command = f"{PROGRAM} folder --rounds {rounds}"
    command += "" if files is None else f" --files {files}"
    yield "folder", folder_document(speeds, starts, command, at_work)


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
    import torch

    from benchmarks.speed.epoch import epoch_document, measure_epoch
    from benchmarks.speed.machine import machine

    at_work = machine()
    speeds = [
        measure_epoch(runs, minutes, n_rounds=rounds, n_threads=n_threads)
        for n_threads in threads or sorted({1, torch.get_num_threads()})
    ]
    options = "".join(f" --threads {speed.n_threads}" for speed in speeds)
    command = f"{PROGRAM} epoch{options} --runs {runs} --minutes {minutes:g} --rounds {rounds}"
    yield "epoch", epoch_document(speeds, command, at_work)


@benchmark.experiment
def preparation(
    minutes: Annotated[float, typer.Option(help="Length of the files.")] = 20.0,
    rounds: Rounds = 5,
) -> Named:
    """Preparing a film and a WAV file, against decoding and resampling them."""
    from benchmarks.speed.machine import machine
    from benchmarks.speed.preparation import measure_preparation, preparation_document

    at_work = machine()
    speed = measure_preparation(minutes, rounds)
    command = f"{PROGRAM} preparation --minutes {minutes:g} --rounds {rounds}"
    yield "preparation", preparation_document(speed, command, at_work)


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
    from benchmarks.speed.machine import machine
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

    numbers = benchmark.results(results, committed)
    sizes = [Size(*map(int, each.split("x"))) for each in size or ()] or [SEASON, FILMS]
    commands = tuple(only or COMMANDS)
    at_work, command = machine(), f"{PROGRAM} season"
    command += "".join(f" --size {each}" for each in size or ())
    for each in sizes:
        with tempfile.TemporaryDirectory() as place:
            for use in measure_season(each, Path(place), commands):
                typer.echo(use.row(), err=True)
                uses = merged(known_uses(read_result(numbers, "season")), [use])
                write_result(numbers, "season", season_document(uses, command, at_work))
    typer.echo(numbers / "season.json")
