"""Scores on the brain."""

import csv
import shutil

import nibabel
import numpy as np
import pytest
from matplotlib.text import Text

from training.cli import main
from training.fitting.fit_folder import FitFolder
from training.fitting.recipe import FitRecipe
from training.maps import fit_maps
from training.maps.fit_maps import MapSettings, draw_fit
from training.maps.target_maps import map_image, map_picture

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


@pytest.fixture
def fit_with_scores(tmp_path):
    """A finished fit; its dataset and its weights are not needed for a map."""
    run = FitFolder(tmp_path / "run")
    run.begin(FitRecipe(data=tmp_path / "data"), resume=False)
    (run.path / "model.safetensors").touch()
    with (run.path / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "subject", "run", "target_id", "r", "r2"])
        writer.writerows([(*row, 0) for row in ROWS])
    return run.path


def test_values_are_in_the_voxels_of_their_ids(targets_image):
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


def test_scores_are_means_over_the_runs_of_one_split(fit_with_scores, targets_image, monkeypatch):
    shutil.copy(targets_image, fit_with_scores / "model.targets.nii.gz")
    drawn = []
    monkeypatch.setattr(fit_maps, "map_picture", lambda *arguments: drawn.append(arguments) or b"")
    for split in ("test", "validation"):
        draw_fit(fit_with_scores, fit_with_scores / "map.png", MapSettings(split=split))
    assert [values for _, values, *_ in drawn] == [{1: 0.5, 4: -0.5}, {1: 0.9}]
    assert "sub-01, 2 targets, mean over 2 test runs" in drawn[0][2]
    scores = fit_with_scores / "scores.csv"
    scores.write_text(scores.read_text().replace("validation", "test"))
    with pytest.raises(ValueError, match="has no scores of split 'validation'; there are test"):
        draw_fit(fit_with_scores, "map.png", MapSettings(split="validation"))
    scores.write_text(scores.read_text().replace("split,", "side,"))
    with pytest.raises(ValueError, match="no column 'split': an earlier program wrote it"):
        draw_fit(fit_with_scores, "map.png", MapSettings())


@pytest.mark.slow
@pytest.mark.parametrize("values", [{1: 0.4, 2: -0.1}, {}], ids=["values", "nothing"])
def test_map_is_drawn_without_a_window(targets_image, values):
    from matplotlib import pyplot

    picture = map_picture(targets_image, values, "four targets", "Pearson r")
    assert picture.startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []


@pytest.mark.slow
def test_map_names_its_scores_and_hemispheres(
    fit_with_scores, targets_image, tmp_path, monkeypatch
):
    from matplotlib.figure import Figure

    shutil.copy(targets_image, fit_with_scores / "model.targets.nii.gz")
    shown = []
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda figure, buffer, **_: shown.extend(
            text.get_text() for text in figure.findobj(Text) if text.get_text()
        ),
    )
    draw_fit(fit_with_scores, tmp_path / "map.png")
    assert "run: sub-01, 2 targets, mean over 2 test runs" in shown
    assert {"left", "right"} <= set(shown)


def test_fit_without_an_image_of_targets_is_refused(fit_with_scores, tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["map", str(fit_with_scores), str(tmp_path / "map.png")])
    assert "model.targets.nii.gz: the targets of its dataset have no loc" in capsys.readouterr().err
