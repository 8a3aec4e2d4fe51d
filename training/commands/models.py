"""Commands that create and inspect models: ``fit``, ``export``, ``map``, ``average``..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted
from training.commands.options import Changes, read_settings
from training.fitting.untrained import SEED, write_untrained


def fit(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")],
    out: Annotated[Path, typer.Option(help="Folder of the fit.")],
    changes: Changes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the fit in OUT.")] = False,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validate: a fit for each of N folds, OUT/fold-1 to fold-N."),
    ] = None,
) -> None:
    """Fit an encoder to a prepared dataset."""
    if folds is not None:
        _fit_folds(recipe, out, changes or (), folds)
        return
    from training.config import read_recipe
    from training.fitting.fit import fit
    from training.fitting.recipe import FitRecipe

    settings = read_recipe(recipe, FitRecipe, changes or ())
    try:
        outcome = fit(settings, out, resume=resume)
    except KeyboardInterrupt:
        raise Interrupted("; the same command with --resume continues") from None
    typer.echo(
        f"{out}: done, {outcome.sentence()}; see {out / 'curves.png'} and {out / 'scores.csv'}"
    )


def _fit_folds(recipe: Path, out: Path, changes: Sequence[str], n_folds: int) -> None:
    from training.fitting.folds import fit_folds, fold_recipes

    try:
        fit_folds(fold_recipes(recipe, n_folds, changes), out)
    except KeyboardInterrupt:
        raise Interrupted("; the same command continues") from None
    typer.echo(f"{out}: {n_folds} folds done; python -m training evaluate {out} --out EVAL")


def export(
    fitted: Annotated[Path, typer.Argument(metavar="FIT", help="Folder of a fit.")],
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")] = "",
) -> None:
    """Write the best weights of a fit as a checkpoint of hear_brainsoundnet."""
    from training.fitting.export import export
    from training.fitting.fit_folder import OUTCOME_FILE, FitFolder

    digest = export(fitted, out, name=name)
    summary = FitFolder(fitted).read_document(OUTCOME_FILE)["summary"]
    typer.echo(f"{out} written, hash {digest}: {summary}")


def map_(
    fitted: Annotated[Path, typer.Argument(metavar="FIT", help="Folder of a fit.")],
    out: Annotated[Path, typer.Argument(help="OUT.png, or OUT.nii.gz, .dscalar.nii, .func.gii.")],
    changes: Changes = None,
) -> None:
    """Draw the scores of a fit on the brain, or write them as an image."""
    from training.maps.fit_maps import MapSettings, draw_fit

    draw_fit(fitted, out, read_settings(MapSettings, changes))
    typer.echo(f"{out} written")


def average(
    one: Annotated[str, typer.Argument(help="A checkpoint: its name or file.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    share: Annotated[float, typer.Option(help="Weight of the first, 0 to 1.")] = 0.5,
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")] = "",
) -> None:
    """Write the weighted mean of two networks, such as before and after fine-tuning."""
    from training.fitting.averaging import write_average

    digest = write_average(one, other, out, share=share, name=name)
    typer.echo(f"{out} written, hash {digest}")


def untrained(
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = SEED,
) -> None:
    """Write the untrained checkpoint: random weights, BatchNorm calibrated on audio."""
    typer.echo(f"{out} written, hash {write_untrained(out, seed)}")
