"""Commands that create data: ``simulate``, ``prepare`` and ``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.options import Changes, read_settings

if TYPE_CHECKING:
    from training.data.prepared import Prepared


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    audio: Annotated[Path, typer.Option(help="Folder of recordings for the stimuli.")],
    changes: Changes = None,
) -> None:
    """Simulate fMRI responses to real recordings from a known ground truth."""
    from training.simulation import SimulationSettings, simulate

    simulate(out, audio, read_settings(SimulationSettings, changes))
    typer.echo(
        f"{out} written, the ground truth in {out / 'truth'}; next: python -m training prepare "
        f"{out / 'prepare.yaml'}"
    )


def prepare(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")],
    changes: Changes = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for stimuli and runs.")] = 1,
) -> None:
    """Convert recordings to a prepared dataset; finished runs are skipped."""
    from training.config import read_recipe
    from training.prepare.preparation import PrepareRecipe, prepare

    prepared = prepare(read_recipe(recipe, PrepareRecipe, changes or ()), n_workers=workers)
    typer.echo(_what_there_is(prepared))


def merge(
    parts: Annotated[list[Path], typer.Argument(help="Folders of prepared datasets.")],
    out: Annotated[Path, typer.Option(help="Folder of the new dataset.")],
    name: Annotated[
        str, typer.Option(help="Name of the new dataset; by default that of the first.")
    ] = "",
) -> None:
    """Merge subjects that were prepared separately into one dataset."""
    from training.prepare.merging import merge_datasets

    typer.echo(_what_there_is(merge_datasets(parts, out, name=name)))


def _what_there_is(prepared: Prepared) -> str:
    minutes = sum(run.n_trs * run.tr for run in prepared.runs) / 60
    return (
        f"{prepared.folder}: {len(prepared.subjects)} subjects, {len(prepared.runs)} runs, "
        f"{minutes:.0f} minutes, {prepared.n_targets} targets, {len(prepared.info.findings)} "
        f"findings; see {prepared.folder / 'summary.html'}"
    )
