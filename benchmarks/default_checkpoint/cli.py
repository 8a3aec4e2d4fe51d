"""The command line: ``python -m benchmarks.default_checkpoint COMMAND``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command_line import run_benchmark
from benchmarks.default_checkpoint.page import (
    README,
    write_brief_table,
    write_page,
)
from benchmarks.places import Committed, Page, Places, Results
from benchmarks.results import read_result, write_result
from hear_brainsoundnet.command_line import new_app
from hear_brainsoundnet.named import CHECKPOINT_FOLDER

PROGRAM = "python -m benchmarks.default_checkpoint"
PLACES = Places("default_checkpoint")
Share = Annotated[float, typer.Option(help="Of the aligned weights in the average.")]
app = new_app(PROGRAM, "How the embedded default came about, and what it is worth.")

Pretrained = Annotated[Path, typer.Option(help="Checkpoint of the pretrained network.")]
Data = Annotated[
    Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
]
Work = Annotated[Path, typer.Option(help="Folder for prepared data, fits and embeddings.")]


@app.command()
def ablation(
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    data: Data,
    tasks: Annotated[Path, typer.Option(help="Folder of HEAR tasks.")],
    out: Work,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Short pretrainings in which one thing is left out each."""
    numbers = PLACES.results(results, committed)
    from benchmarks.default_checkpoint.ablation import measure_ablation

    typer.echo(write_result(numbers, "ablation", measure_ablation(corpus, data, tasks, out)))


@app.command()
def align(
    pretrained: Pretrained,
    data: Data,
    out: Work,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Cross-validated alignment with responses to natural sounds, and its controls."""
    numbers = PLACES.results(results, committed)
    from benchmarks.default_checkpoint.alignment import measure_alignment

    typer.echo(write_result(numbers, "alignment", measure_alignment(pretrained, data, out)))


@app.command()
def tasks(
    checkpoints: Annotated[list[str], typer.Argument(help="NAME=FILE each.")],
    tasks: Annotated[Path, typer.Option(help="Folder of HEAR tasks.")],
    out: Work,
    scene: Annotated[
        list[str] | None, typer.Option(help="Scene expression or preset; repeat it.")
    ] = None,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Logistic regression on scene embeddings."""
    numbers = PLACES.results(results, committed)
    from benchmarks.default_checkpoint.tasks import measure_tasks

    wrong = [each for each in checkpoints if "=" not in each]
    if wrong:
        raise ValueError(f"expected NAME=FILE, got {wrong[0]!r}")
    named = dict(each.split("=", 1) for each in checkpoints)
    document = measure_tasks(named, scene or ["default"], tasks, out)
    typer.echo(write_result(numbers, "tasks", document))


@app.command("fit-all")
def fit_all(
    pretrained: Pretrained,
    data: Data,
    out: Work,
    file: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    share: Share,
) -> None:
    """Align with all sounds, with the settings that cross-validation chose."""
    from benchmarks.default_checkpoint import shipping

    digest = shipping.fit_all(pretrained, data, out, file, share=share)
    typer.echo(f"{file} written, hash {digest}")


@app.command()
def ship(
    aligned: Annotated[Path, typer.Option(help="What fit-all has written.")],
    pretrained: Pretrained,
    share: Share,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where to; with --committed the package itself, by default beside --results."
        ),
    ] = None,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Write both networks with names, licences and measured scores."""
    numbers = PLACES.results(results, committed)
    folder = folder or (CHECKPOINT_FOLDER if committed else numbers.with_name("checkpoints"))
    from benchmarks.default_checkpoint import shipping

    found = {}
    for name, command in (("alignment", "align"), ("tasks", "tasks")):
        document = read_result(numbers, name)
        if document is None:
            raise FileNotFoundError(f"{numbers} has no {name}.json; run {PROGRAM} {command} first")
        found[name] = document
    for kind, path in (("aligned", aligned), ("pretrained", pretrained)):
        scores = shipping.scores_of(kind, share, found["alignment"], found["tasks"])
        digest = shipping.ship(path, kind, scores, folder)
        typer.echo(f"{shipping.NAMES[kind]} {digest}")


@app.command()
def page(
    results: Results = None,
    committed: Committed = False,
    out: Page = None,
    readme: Annotated[
        Path | None,
        typer.Option(help="Text that gets the table of scores; with --committed the README."),
    ] = None,
) -> None:
    """Write the results page, and the scores into a README, from the numbers alone."""
    numbers = PLACES.results(results, committed)
    typer.echo(write_page(numbers, PLACES.page(out, committed)))
    if readme or committed:
        typer.echo(write_brief_table(numbers, readme or README))


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what goes wrong is one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
