"""The command line: ``python -m benchmarks.default_checkpoint COMMAND``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
RESULTS_OF_CARDS = ("natural_sounds", "tasks", "development")
Share = Annotated[float, typer.Option(help="Weight of the aligned network in the average.")]
app = new_app(PROGRAM, "Creation and evaluation of the embedded default checkpoint.")

Pretrained = Annotated[Path, typer.Option(help="Checkpoint of the pretrained network.")]
Data = Annotated[
    Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
]
Checkpoints = Annotated[list[str], typer.Argument(help="NAME=FILE each.")]
Kind = Literal["distilled", "aligned", "pretrained"]
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
    """Short pretrainings, each with one component removed."""
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


@app.command("natural-sounds")
def natural_sounds(
    checkpoints: Checkpoints,
    data: Data,
    out: Work,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Prediction of responses to natural sounds by networks without fine-tuning."""
    numbers = PLACES.results(results, committed)
    from benchmarks.default_checkpoint.natural_sounds import measure_natural_sounds

    document = measure_natural_sounds(_named(checkpoints), data, out)
    typer.echo(write_result(numbers, "natural_sounds", document))


@app.command()
def tasks(
    checkpoints: Checkpoints,
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

    document = measure_tasks(_named(checkpoints), scene or ["default"], tasks, out)
    typer.echo(write_result(numbers, "tasks", document))


@app.command("fit-all")
def fit_all(
    pretrained: Pretrained,
    data: Data,
    out: Work,
    file: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    share: Share,
) -> None:
    """Align with all sounds, with the settings selected by cross-validation."""
    from benchmarks.default_checkpoint import shipping

    digest = shipping.fit_all(pretrained, data, out, file, share=share)
    typer.echo(f"{file} written, hash {digest}")


@app.command()
def ship(
    kind: Annotated[Kind, typer.Argument(help="Network of the package to write.")],
    checkpoint: Annotated[Path, typer.Argument(help="The network.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; with --committed the package itself, by default beside --results."
        ),
    ] = None,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Write a network with name, licence and measured scores."""
    numbers = PLACES.results(results, committed)
    folder = folder or (CHECKPOINT_FOLDER if committed else numbers.with_name("checkpoints"))
    from benchmarks.default_checkpoint import shipping

    found = {name: read_result(numbers, name) for name in RESULTS_OF_CARDS}
    documents = {name: document for name, document in found.items() if document is not None}
    if not documents:
        raise FileNotFoundError(
            f"{numbers} has no results of networks; run {PROGRAM} natural-sounds first"
        )
    scores = shipping.scores_of(kind, documents)
    typer.echo(f"{shipping.NAMES[kind]} {shipping.ship(checkpoint, kind, scores, folder)}")


@app.command()
def page(
    results: Results = None,
    committed: Committed = False,
    out: Page = None,
    readme: Annotated[
        Path | None,
        typer.Option(help="Text to update with the table of scores; with --committed the README."),
    ] = None,
) -> None:
    """Write the results page, and the scores into a README, from the stored numbers."""
    numbers = PLACES.results(results, committed)
    typer.echo(write_page(numbers, PLACES.page(out, committed)))
    if readme or committed:
        typer.echo(write_brief_table(numbers, readme or README))


def _named(checkpoints: list[str]) -> dict[str, str]:
    wrong = [each for each in checkpoints if "=" not in each]
    if wrong:
        raise ValueError(f"expected NAME=FILE, got {wrong[0]!r}")
    return dict(each.split("=", 1) for each in checkpoints)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
