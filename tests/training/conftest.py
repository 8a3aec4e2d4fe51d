"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from fmriprep_study import Study
from small_dataset import known_brain
from small_fits import N_PERMUTATIONS, fitted

from training.evaluation.evaluate import evaluate
from training.evaluation.settings import EvaluationSettings


@pytest.fixture(scope="session")
def two_subjects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects, five runs of 24 TRs each over two seasons, with little noise."""
    folder = tmp_path_factory.mktemp("prepared") / "known"
    return known_brain(folder, subjects=("sub-01", "sub-02"), n_runs=5, n_trs=24, noise=0.3)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture(scope="session")
def fits(two_subjects: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each subject."""
    folder = tmp_path_factory.mktemp("fits")
    subjects = {"one": "sub-01", "two": "sub-02"}
    return {
        name: fitted(two_subjects, folder / name, subjects=[subject])
        for name, subject in subjects.items()
    }


@pytest.fixture(scope="session")
def evaluation(fits: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both on both subjects."""
    out = tmp_path_factory.mktemp("evaluations") / "eval"
    settings = EvaluationSettings(n_permutations=N_PERMUTATIONS)
    evaluate(list(fits.values()), out, settings=settings, progress=False)
    return out


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparation without its summary page and synchrony, which take most of the time."""

    def write(dataset: object, path: Path, *_: object, **__: object) -> None:
        path.write_text("page")

    monkeypatch.setattr("training.prepare.preparation.write_summary", write)
    monkeypatch.setattr("training.prepare.preparation.synchrony_of_dataset", lambda *_, **__: {})
