"""Making the development tasks, and measuring candidates on them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.program import Benchmark, Named, named_checkpoints
from hear_brainsoundnet.command_line import WrongCall

benchmark = Benchmark("development", folder="default_checkpoint")  # whose page has the table
app = benchmark.app
PRESETS_LEVEL = "preset"


@app.command()
def tasks(
    corpus: Annotated[Path, typer.Option(help="Folder of a corpus.")],
    out: Annotated[Path, typer.Option(help="Folder for the tasks; existing ones are kept.")],
    cache: Annotated[
        Path, typer.Option(help="Folder for downloads and synthesised files, as for corpora.")
    ],
) -> None:
    """Make the tasks, from a corpus and from free synthesisers."""
    from benchmarks.development.excerpts import FRAMES, SCENES
    from benchmarks.development.notes import make_instrument, make_note
    from benchmarks.development.onsets import make_onset
    from benchmarks.development.sounds import make_event, make_kind
    from benchmarks.development.voices import make_letter, make_phrase, make_speaker
    from benchmarks.development.words import BANDS, make_words
    from training.corpus.corpus import Corpus

    opened, scenes = Corpus.open(corpus), out / SCENES
    for make in (make_kind, make_event, make_speaker, make_phrase, make_letter):
        typer.echo(make(opened, scenes))
    for what in BANDS:
        typer.echo(make_words(what, cache, scenes))
    for make_played in (make_instrument, make_note):
        typer.echo(make_played(cache, scenes))
    typer.echo(make_onset(opened, out / FRAMES))


@benchmark.experiment
def measure(
    checkpoints: Annotated[list[str], typer.Argument(help="NAME=FILE each; FILE may be a name.")],
    tasks: Annotated[Path, typer.Option(help="Folder of the tasks.")],
    out: Annotated[Path, typer.Option(help="Folder for embeddings.")],
    scene: Annotated[
        list[str] | None, typer.Option(help="Scene expression or preset; repeat it.")
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option(help=f"Level, or {PRESETS_LEVEL!r} for that of the preset; repeatable."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task of scenes, such as kind; repeat it.")
    ] = None,
) -> Named:
    """Compare checkpoints and scene expressions; each is compared with the first."""
    from benchmarks.development.candidates import Candidate
    from benchmarks.development.measure import measure as measure_all
    from benchmarks.page import format_table

    candidates = [
        Candidate(name, path, expression, _level(text))
        for (name, path), text, expression in product(
            named_checkpoints(checkpoints).items(), level or [PRESETS_LEVEL], scene or ["default"]
        )
    ]
    document = measure_all(candidates, tasks, out / "embeddings", task or ())
    typer.echo("\n".join(format_table(document["rows"])))
    yield "development", document


def _level(text: str) -> float | None:
    if text == PRESETS_LEVEL:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise WrongCall(f"--level: expected a number or {PRESETS_LEVEL}, got {text!r}") from error
