"""Scores on the brain."""

import csv
import shutil

import nibabel
import numpy as np
import pytest
from small_dataset import known_brain

from training.cli import main
from training.maps import draw_map, map_image, mean_scores
from training.recipe import FitRecipe
from training.run_folder import RunFolder

AFFINE = np.array([[-8.0, 0, 0, 60], [0, 8, 0, -80], [0, 0, 8, -40], [0, 0, 0, 1]])
ROWS = [
    ("validation", "sub-01", "run-1", 1, 0.9),
    ("test", "sub-01", "run-2", 1, 0.25),
    ("test", "sub-01", "run-3", 1, 0.75),
    ("test", "sub-01", "run-2", 4, -0.5),
    ("test", "sub-01", "run-3", 4, "nan"),  # a response that did not vary
    ("test", "sub-01", "run-2", 3, "nan"),
]


@pytest.fixture
def targets_image(tmp_path):
    """Ids 1 to 4, the first in most voxels, in no order."""
    ids = np.random.default_rng(0).choice([0, 1, 1, 1, 2, 3, 4], (15, 18, 14)).astype(np.int16)
    path = tmp_path / "targets.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ids, AFFINE), path)
    return path


def write_scores(path):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["side", "subject", "run", "target_id", "r", "r2"])
        writer.writerows([(*row, 0) for row in ROWS])


def test_values_stand_where_their_ids_are(targets_image):
    image = map_image(targets_image, {4: 0.5, 1: -2.0, 3: np.nan})
    ids = np.asarray(nibabel.load(targets_image).dataobj)
    expected = np.zeros(ids.shape)
    expected[ids == 4] = 0.5
    expected[ids == 1] = -2.0
    np.testing.assert_array_equal(np.asarray(image.dataobj), expected)
    np.testing.assert_array_equal(image.affine, AFFINE)


def test_ids_of_another_atlas_are_refused(targets_image):
    with pytest.raises(ValueError, match=r"lacks 2 of 3 target ids, the first is 0; give the im"):
        map_image(targets_image, {0: 1.0, 1: 1.0, 5: 1.0})


def test_scores_are_means_over_the_runs_of_one_side(tmp_path):
    write_scores(tmp_path / "scores.csv")
    assert mean_scores(tmp_path / "scores.csv", "test", "r") == ({1: 0.5, 4: -0.5}, 2)
    assert mean_scores(tmp_path / "scores.csv", "validation", "r") == ({1: 0.9}, 1)
    with pytest.raises(ValueError, match="no scores of side 'train'; it has test, validation"):
        mean_scores(tmp_path / "scores.csv", "train", "r")
    with pytest.raises(ValueError, match="score is 'r3', expected one of r, r2"):
        mean_scores(tmp_path / "scores.csv", "test", "r3")
    with pytest.raises(FileNotFoundError, match="has not come to its end"):
        mean_scores(tmp_path / "none.csv", "test", "r")


@pytest.mark.slow
@pytest.mark.parametrize("values", [{1: 0.4, 2: -0.1}, {}], ids=["values", "nothing"])
def test_a_map_is_drawn_and_brings_no_window(targets_image, tmp_path, values):
    from matplotlib import pyplot

    draw_map(targets_image, values, tmp_path / "map.png", "four targets", "Pearson r")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []


def test_the_command_draws_the_scores_of_a_run(targets_image, tmp_path, capsys):
    data = known_brain(tmp_path / "data", n_runs=1, n_trs=8)
    run = RunFolder(tmp_path / "run")
    run.begin(FitRecipe(data=data), resume=False)
    write_scores(run.path / "scores.csv")
    arguments = ["map", str(run.path), str(tmp_path / "map.png"), "--side", "test"]
    with pytest.raises(SystemExit, match="1"):
        main(arguments)
    assert (
        "has no targets.nii.gz: its targets have no place in the brain" in capsys.readouterr().err
    )
    shutil.copy(targets_image, data / "targets.nii.gz")
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    assert (tmp_path / "map.png").stat().st_size > 10_000
