"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from fmriprep_study import Study
from small_dataset import known_brain


@pytest.fixture(scope="session")
def two_listeners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects, five runs of 24 TRs each over two seasons, with little noise."""
    folder = tmp_path_factory.mktemp("prepared") / "known"
    return known_brain(folder, subjects=("sub-01", "sub-02"), n_runs=5, n_trs=24, noise=0.3)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)
