"""The command line: ``python -m benchmarks.development tasks | measure``."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command_line import run_benchmark
from benchmarks.places import Committed, Places, Results
from hear_brainsoundnet.command_line import WrongCall, new_app

PROGRAM = "python -m benchmarks.development"
PLACES = Places("default_checkpoint")  # whose page has the table
PRESETS_LEVEL = "preset"
app = new_app(PROGRAM, "Development tasks for selecting presets, recipes and checkpoints.")


@app.command()
def tasks(
    corpus: Annotated[Path, typer.Option(help="Folder of a corpus.")],
    out: Annotated[Path, typer.Option(help="Folder for the tasks; existing ones are kept.")],
    cache: Annotated[
        Path, typer.Option(help="Folder for downloads and synthesised files, as for corpora.")
    ],
) -> None:
    """Make the tasks, from a corpus and from free synthesisers."""
    from benchmarks.development.make import make_all

    for folder in make_all(corpus, cache, out):
        typer.echo(folder)


@app.command()
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
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Compare checkpoints and scene expressions; each is compared with the first."""
    numbers = PLACES.results(results, committed)
    from benchmarks.development.embeddings import Candidate
    from benchmarks.development.measure import measure as measure_all
    from benchmarks.results import write_result
    from benchmarks.results_page import format_table

    if wrong := [each for each in checkpoints if "=" not in each]:
        raise WrongCall(f"expected NAME=FILE, got {wrong[0]!r}")
    named = [each.split("=", 1) for each in checkpoints]
    candidates = [
        Candidate(name, path, expression, _level(text))
        for (name, path), text, expression in product(
            named, level or [PRESETS_LEVEL], scene or ["default"]
        )
    ]
    document = measure_all(candidates, tasks, out / "embeddings", task or ())
    typer.echo("\n".join(format_table(document["rows"])))
    typer.echo(write_result(numbers, "development", document))


def _level(text: str) -> float | None:
    if text == PRESETS_LEVEL:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise WrongCall(f"--level: expected a number or {PRESETS_LEVEL}, got {text!r}") from error


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
