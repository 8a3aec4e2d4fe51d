"""Making the default checkpoint, measuring it, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmarks.default_checkpoint.page import README, write_brief_table, write_page
from benchmarks.program import Benchmark, Committed, Data, Named, Page, Results, named_checkpoints
from benchmarks.results import read_result
from hear_brainsoundnet.checkpoint import CHECKPOINT_FOLDER

RESULTS_OF_CARDS = ("natural_sounds", "tasks", "development")
benchmark = Benchmark("default-checkpoint")
app = benchmark.app

Share = Annotated[float, typer.Option(help="Weight of the aligned network in the average.")]
Pretrained = Annotated[Path, typer.Option(help="Checkpoint of the pretrained network.")]
Checkpoints = Annotated[list[str], typer.Argument(help="NAME=FILE each.")]
Kind = Literal["distilled", "aligned", "pretrained"]
Tasks = Annotated[Path, typer.Option(help="Folder of HEAR tasks.")]
Work = Annotated[Path, typer.Option(help="Folder for prepared data, fits and embeddings.")]


@benchmark.experiment
def ablation(
    changes: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE", help="For all trainings: corpus, teachers' tables."),
    ],
    data: Data,
    tasks: Tasks,
    out: Work,
    of: Annotated[
        Literal["ablation", "distillation"],
        typer.Option(help="ablation is of the pretraining."),
    ] = "ablation",
    seed: Annotated[list[int] | None, typer.Option(min=0, help="By default 0 and 1.")] = None,
) -> Named:
    """Short trainings, each with one component removed."""
    from benchmarks.default_checkpoint.ablation import SEEDS, measure_ablation

    yield of, measure_ablation(of, changes, data, tasks, out, seeds=seed or SEEDS)


@benchmark.experiment
def natural_sounds(checkpoints: Checkpoints, data: Data, out: Work) -> Named:
    """Prediction of responses to natural sounds by networks without fine-tuning."""
    from benchmarks.default_checkpoint.natural_sounds import measure_natural_sounds

    yield "natural_sounds", measure_natural_sounds(named_checkpoints(checkpoints), data, out)


@benchmark.experiment
def tasks(
    checkpoints: Checkpoints,
    tasks: Tasks,
    out: Work,
    scene: Annotated[
        list[str] | None, typer.Option(help="Scene expression or preset; repeat it.")
    ] = None,
) -> Named:
    """Logistic regression on scene embeddings."""
    from benchmarks.default_checkpoint.tasks import measure_tasks

    named = named_checkpoints(checkpoints)
    yield "tasks", measure_tasks(named, scene or ["default"], tasks, out)


@app.command("fit-all")
def fit_all(
    pretrained: Pretrained,
    data: Data,
    out: Work,
    file: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    share: Share,
) -> None:
    """Align with all sounds, with fixed settings."""
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
    numbers = benchmark.results(results, committed)
    folder = folder or (CHECKPOINT_FOLDER if committed else numbers.with_name("checkpoints"))
    from benchmarks.default_checkpoint import shipping

    found = {name: read_result(numbers, name) for name in RESULTS_OF_CARDS}
    documents = {name: document for name, document in found.items() if document is not None}
    if not documents:
        raise FileNotFoundError(
            f"{numbers} has no results of networks; run python -m benchmarks default-checkpoint "
            "natural-sounds first"
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
    numbers = benchmark.results(results, committed)
    typer.echo(write_page(numbers, benchmark.page(out, committed)))
    if readme or committed:
        typer.echo(write_brief_table(numbers, readme or README))
