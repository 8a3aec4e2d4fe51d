"""Fits of an experiment: run, and loaded with their selected weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.fitting.assembly import Parts, assemble
from training.fitting.fit import fit
from training.fitting.fit_folder import Epoch, FitFolder
from training.fitting.recipe import FitRecipe


@dataclass(frozen=True)
class Fitted:
    """A finished fit."""

    recipe: FitRecipe
    folder: Path
    history: tuple[Epoch, ...]
    best_epoch: int

    def parts(self) -> Parts:
        """Data and model, with the selected weights."""
        parts = assemble(self.recipe)
        state = FitFolder(self.folder).read_state()
        assert state is not None
        parts.encoder.load_state_dict(state.best)
        return parts


def fitted(recipe: FitRecipe, folder: Path, *, progress: bool = False) -> Fitted:
    """Fit into a folder; a finished fit of the same recipe is reused."""
    fit(recipe, folder, resume=True, progress=progress)
    state = FitFolder(folder).read_state()
    assert state is not None
    return Fitted(recipe, folder, tuple(state.history), state.best_epoch)
