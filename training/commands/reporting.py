"""Commands for further analysis of an evaluation: ``partition`` and ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.partition.choices import N_COMPONENTS, N_MIXTURES


def partition(
    evaluation: Annotated[Path, typer.Argument(help="Folder of an evaluation.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    model: Annotated[
        list[str] | None, typer.Option(help="Model of the evaluation, repeatable; by default all.")
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(help="envelope, spectrogram or modulation, repeatable; by default all three."),
    ] = None,
    delays: Annotated[
        int | None, typer.Option(min=1, help="Number of delays in TRs; by default the model's.")
    ] = None,
    components: Annotated[
        int, typer.Option(min=1, help="Principal components kept of a wide feature space.")
    ] = N_COMPONENTS,
    mixtures: Annotated[
        int, typer.Option(min=0, help="Number of random weightings of the spaces to try.")
    ] = N_MIXTURES,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random weightings.")] = 0,
) -> None:
    """Partition explained variance between models and level, spectrogram and modulation of the
    audio."""
    from training.partition import partition
    from training.partition.choices import SPACES

    info = partition(
        evaluation,
        out,
        spaces=space or SPACES,
        models=model or (),
        n_delays=delays,
        n_components=components,
        n_mixtures=mixtures,
        seed=seed,
    )
    typer.echo(f"{out}: unique and shared R² of {', '.join(info.spaces)}; see {out}/targets.csv")


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of evaluate, compare and partition.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the page.")],
    title: Annotated[str, typer.Option(help="Heading; by default the names of the datasets.")] = "",
) -> None:
    """Write a self-contained HTML report of evaluations, comparisons and partitions."""
    from training.report import write_report

    typer.echo(write_report(folders, out, title=title, progress=True))
