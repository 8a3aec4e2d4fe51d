"""A cross-validation as one model: each run is predicted by the fit that tests it.

Scores, p values and intervals are then those of any model. Within a run everything is as usual: its
fit has not seen it, and a surrogate only shuffles its predictions. Over runs the interval takes the
scores for independent, though the fits share most of their training runs; it is a little too narrow
(Bengio & Grandvalet 2004: no unbiased estimate of this variance exists).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from training.config import write_recipe
from training.evaluation.held_out import FoldSplits
from training.evaluation.models import Model, load_model
from training.fitting.recipe import FitRecipe
from training.recipe_folder import CONFIG_FILE

NOTE = (
    "{name} is a cross-validation: each run is scored by the fit of {n_folds} that did not see it. "
    "Fits share training runs, so that scores of runs are not quite independent and intervals over "
    "them a little too narrow; p values are not affected."
)


def folds_in(folder: str | Path) -> list[Path]:
    """Folders of the fits in a folder that is not one itself; empty if it has none."""
    folder = Path(folder)
    if (folder / CONFIG_FILE).exists():
        return []
    return sorted(path.parent for path in folder.glob(f"*/{CONFIG_FILE}"))


def load(fitted: str | Path, name: str) -> Model:
    """Load a fit, or the fits of a cross-validation as one model.

    Raises
    ------
    FileNotFoundError, ValueError
        As by :func:`training.evaluation.models.load_model`; or if a folder holds other fits than
        the folds of one cross-validation, or not all of them.
    """
    folders = folds_in(fitted)
    if not folders:
        return load_model(fitted, name)
    folds = tuple(load_model(folder, name) for folder in folders)
    recipes = [FitRecipe.model_validate(fold.info.recipe) for fold in folds]
    common = [_without_fold(recipe) for recipe in recipes]
    n_folds = recipes[0].split.n_folds
    if n_folds is None or any(other != common[0] for other in common):
        raise ValueError(
            f"{fitted} holds several fits, but not the folds of one cross-validation; evaluate "
            f"them as {fitted}/*"
        )
    found = sorted(recipe.split.fold or 0 for recipe in recipes)
    if found != list(range(1, n_folds + 1)):
        raise ValueError(
            f"{fitted} holds the folds {', '.join(map(str, found))} of {n_folds}; fit --folds "
            f"{n_folds}, started again, does what is missing"
        )
    first = folds[0]
    if any(fold.encoder.read_out != first.encoder.read_out for fold in folds):
        raise ValueError(
            f"the folds of {fitted} predict different targets: some have no data in the training "
            "runs of a fold; choose targets that all runs have"
        )
    info = first.info.model_copy(
        update={
            "fit": str(fitted),
            "n_folds": n_folds,
            "best_epoch": 0,
            "n_epochs": 0,
            "recipe": common[0].model_dump(mode="json"),
        }
    )
    return replace(
        first,
        info=info,
        splits=FoldSplits([fold.splits for fold in folds]),
        files={CONFIG_FILE: write_recipe(common[0]).encode()},
        folds=folds,
    )


def _without_fold(recipe: FitRecipe) -> FitRecipe:
    """The recipe as it is given to ``fit --folds``."""
    split = recipe.split.model_copy(update={"n_folds": None, "fold": None})
    return recipe.model_copy(update={"split": split})
