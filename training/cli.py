"""The command line: ``python -m training simulate | prepare | fit | export | map | untrained``.

Errors are one line on standard error without a traceback. Exit status: 0 all well, 1 something
failed, 2 a wrong call, 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hear_brainsoundnet.command_line import run_program
from training.untrained import SEED, write_untrained

PROGRAM = "python -m training"

app = typer.Typer(
    name=PROGRAM,
    help="From fMRI and sound to checkpoints.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Changes = Annotated[list[str] | None, typer.Argument(help="key=value, changes to the recipe.")]


class Side(StrEnum):
    """Runs that are scored."""

    test = "test"
    validation = "validation"


class Score(StrEnum):
    """How well a target is predicted."""

    r = "r"
    r2 = "r2"


class Layout(StrEnum):
    """File layouts that a simulation can be written in."""

    fmriprep = "fmriprep"
    h5 = "h5"


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    audio: Annotated[Path, typer.Option(help="Folder of recordings for the stimuli.")],
    subjects: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 2,
    runs: Annotated[int, typer.Option(min=2, help="Runs of each subject.")] = 6,
    tr: Annotated[float, typer.Option(help="Repetition time in seconds.")] = 1.49,
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw.")] = 0,
    layout: Annotated[Layout, typer.Option("--as", help="fMRIPrep's files, or h5.")] = Layout.h5,
    atlas: Annotated[Path | None, typer.Option(help="Image of labels; else made up.")] = None,
    label_table: Annotated[Path | None, typer.Option(help="Names of the atlas's labels.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value of the simulated brain, repeatable."),
    ] = None,
) -> None:
    """Write fMRI of a brain whose truth is known, heard from real recordings."""
    from training.config import validate
    from training.simulation import SimulationSettings, simulate

    chosen = validate({}, SimulationSettings, settings or (), source="--set")
    simulate(
        out,
        audio,
        n_subjects=subjects,
        n_runs=runs,
        tr=tr,
        seed=seed,
        kind=layout.value,
        atlas=atlas,
        label_table=label_table,
        settings=chosen,
    )
    typer.echo(
        f"{out} written, the truth in {out / 'truth'}; next: python -m training prepare "
        f"{out / 'prepare.yaml'}"
    )


@app.command()
def prepare(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")], changes: Changes = None
) -> None:
    """Bring recordings into the form that every fit reads; done runs are skipped."""
    from training.config import read_recipe
    from training.preparation import PrepareRecipe, prepare

    prepared = prepare(read_recipe(recipe, PrepareRecipe, changes or ()))
    minutes = sum(run.n_trs * run.tr for run in prepared.runs) / 60
    typer.echo(
        f"{prepared.folder}: {len(prepared.subjects)} subjects, {len(prepared.runs)} runs, "
        f"{minutes:.0f} minutes, {prepared.n_targets} targets, {len(prepared.info.findings)} "
        f"findings; see {prepared.folder / 'summary.html'}"
    )


@app.command()
def fit(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    changes: Changes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
) -> None:
    """Fit an encoder to a prepared dataset."""
    from training.config import read_recipe
    from training.fit import fit
    from training.recipe import FitRecipe

    settings = read_recipe(recipe, FitRecipe, changes or ())
    try:
        fit(settings, out, resume=resume)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; the same command with --resume goes on", file=sys.stderr)
        raise typer.Exit(130) from None
    typer.echo(f"{out}: done; see {out / 'curves.png'} and {out / 'scores.csv'}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    name: Annotated[str, typer.Option(help="Of the checkpoint.")] = "",
) -> None:
    """Write the best weights of a run as a checkpoint of hear_brainsoundnet."""
    from training.export import export

    typer.echo(f"{out} written, hash {export(run, out, name=name)}")


@app.command("map")
def map_(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Argument(help="OUT.png")],
    side: Annotated[Side, typer.Option(help="Runs whose scores are drawn.")] = Side.test,
    score: Annotated[Score, typer.Option(help="Pearson's r or R².")] = Score.r,
) -> None:
    """Draw the scores of a run on the brain."""
    from training.maps import draw_run

    draw_run(run, out, side=side.value, score=score.value)
    typer.echo(f"{out} written")


@app.command()
def untrained(
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    seed: Annotated[int, typer.Option(help="Of the random weights.")] = SEED,
) -> None:
    """Write the untrained checkpoint: random weights, BatchNorm calibrated on sound."""
    typer.echo(f"{out} written, hash {write_untrained(out, seed)}")


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: runs the command and turns errors into one line and an exit status."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    run_program(app, PROGRAM, arguments)
