"""Cross-validation: an ordinary fit for each fold, whose test runs are that fold.

OUT/
    fold-1/, fold-2/, ...   fit folders; `evaluate OUT` scores each run by the fit that tests it
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.config import read_recipe
from training.data.prepared import Prepared
from training.data.splits import split_runs
from training.fitting.assembly import select_subjects
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.recipe_folder import CONFIG_FILE


def fold_recipes(recipe: str | Path, n_folds: int, changes: Sequence[str] = ()) -> list[FitRecipe]:
    """The recipe of each fold; see :func:`training.config.read_recipe`."""
    return [
        read_recipe(recipe, FitRecipe, [*changes, f"split.n_folds={n_folds}", f"split.fold={fold}"])
        for fold in range(1, max(n_folds, 1) + 1)
    ]


def fit_folds(
    recipes: Sequence[FitRecipe], out: str | Path, *, progress: bool = True
) -> list[Path]:
    """Fit every fold that is not fitted yet, one after the other.

    Parameters
    ----------
    recipes : sequence of FitRecipe
        One per fold.
    out : path-like
        Folder of the cross-validation; its unfinished fits are resumed.
    progress : bool
        Show progress on standard error.

    Returns
    -------
    list of Path
        Folders of the fits.

    Raises
    ------
    FileExistsError
        If `out` is itself a fit.
    FileNotFoundError, ValueError
        If a split is not possible, before anything is written; or as by
        :func:`training.fitting.fit.fit`.
    """
    out = Path(out)
    if (out / CONFIG_FILE).exists():
        raise FileExistsError(f"{out} holds a single fit; give another --out")
    prepared = Prepared(recipes[0].data)
    subjects = select_subjects(recipes[0], prepared)
    for recipe in recipes:
        split_runs([run for run in prepared.runs if run.subject in subjects], recipe.split)
    width = len(str(len(recipes)))
    folders = [out / f"fold-{fold:0{width}}" for fold in range(1, len(recipes) + 1)]
    for folder, recipe in zip(folders, recipes, strict=True):
        try:
            fit(recipe, folder, resume=True, progress=progress)
        except ValueError as error:
            raise ValueError(f"{folder.name}: {error}") from error
    return folders
