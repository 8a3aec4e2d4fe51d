"""A new subject's read-out on the network of a multi-subject fit."""

from pathlib import Path

import numpy as np
import pytest
from small_dataset import known_brain
from small_fits import SMALL, fitted

from hear_brainsoundnet.checkpoint import read_checkpoint
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import read_table
from training.evaluation.settings import EvaluationSettings
from training.fitting.assembly import load_start
from training.fitting.fit_folder import FitFolder
from training.fitting.recipe import FitRecipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three") / "known"
    subjects = ("sub-01", "sub-02", "sub-07")
    return known_brain(folder, subjects=subjects, n_runs=5, n_trs=24, noise=0.3)


@pytest.fixture(scope="module")
def trunk(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(
        data,
        tmp_path_factory.mktemp("trunk") / "both",
        model="multi_subject",
        subjects=["sub-01", "sub-02"],
        train_from="conv7",
        optimiser={"max_epochs": 1, "keep": "last", "learning_rate": 1e-3},
    )


@pytest.fixture(scope="module")
def new(data: Path, trunk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("new") / "sub-07"
    return fitted(data, out, start=str(trunk), subjects=["sub-07"])


def test_the_network_is_that_of_the_others_and_the_read_out_new(trunk: Path, new: Path):
    before, after = (read_checkpoint(each / "model.safetensors") for each in (trunk, new))
    networks = [each.build_soundnet().state_dict() for each in (before, after)]
    for name, tensor in networks[0].items():
        np.testing.assert_array_equal(tensor.numpy(), networks[1][name].numpy())
    assert before.card.read_out is not None
    assert after.card.read_out is not None
    assert before.card.read_out.names == ("sub-01", "sub-02")
    assert after.card.read_out.names == after.card.read_out.subjects == ("sub-07",)
    started = load_start(FitRecipe(data="x", start=str(trunk / "model.safetensors")))
    assert FitFolder(new).read_document("origin.json")["start"]["hash"] == started.hash


def test_it_is_scored_on_stimuli_that_neither_fit_has_seen(
    data: Path, trunk: Path, new: Path, tmp_path: Path
):
    settings = EvaluationSettings(n_permutations=0, subjects=("sub-07",))
    evaluate([new], tmp_path / "eval", settings=settings, progress=False)
    scores = read_table(tmp_path / "eval", "scores")
    assert all("s02" in run for run in scores.run)
    assert scores[scores.target_id < 4].r.mean() > 0.3
    with pytest.raises(ValueError, match="was itself fitted to stimuli of 1 of the 1 test runs"):
        fitted(
            data,
            tmp_path / "overlap",
            start=str(trunk),
            subjects=["sub-07"],
            split={**SMALL["split"], "test": {"episodes": ["s01e01"]}},
        )


def test_an_unfinished_fit_is_no_start(data: Path, trunk: Path, tmp_path: Path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.yaml").write_bytes((trunk / "config.yaml").read_bytes())
    with pytest.raises(ValueError, match=r"begun is a folder; give the path of a \.safetensors"):
        fitted(data, tmp_path / "new", start=str(tmp_path / "begun"), subjects=["sub-07"])
