"""Fits and an evaluation that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_fits import N_PERMUTATIONS, fitted

from training.evaluation.evaluate import evaluate
from training.evaluation.settings import EvaluationSettings


@pytest.fixture(scope="session")
def fits(two_listeners: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each listener."""
    folder = tmp_path_factory.mktemp("fits")
    subjects = {"one": "sub-01", "two": "sub-02"}
    return {
        name: fitted(two_listeners, folder / name, subjects=[subject])
        for name, subject in subjects.items()
    }


@pytest.fixture(scope="session")
def evaluation(fits: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both on both listeners."""
    out = tmp_path_factory.mktemp("evaluations") / "eval"
    settings = EvaluationSettings(n_permutations=N_PERMUTATIONS)
    evaluate(list(fits.values()), out, settings=settings, progress=False)
    return out
