"""Fits that take a second: a ridge read-out on the frozen untrained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe

SMALL = {
    "start": "untrained",
    "train_from": "none",
    "windows": {"n_trs": 24},
    "split": {"test": {"seasons": ["s02"]}, "validation": {"count": 1}},
    "optimiser": {"max_epochs": 0},
}
N_PERMUTATIONS = 199


def fitted(data: Path, out: Path, **changes: Any) -> Path:
    """The folder of a finished ridge fit."""
    fit(FitRecipe.model_validate({"data": data, **SMALL, **changes}), out, progress=False)
    return out
