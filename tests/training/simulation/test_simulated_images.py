"""A simulation in the layout of fMRIPrep: nilearn must find the truth in the images."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from simulated_recordings import write_atlas, write_recordings

from training.simulation import SimulationSettings, read_truth, simulate
from training.simulation.layouts import draw_nuisance
from training.simulation.parcels import read_parcels

TR = 1.49
KINDS = {"envelope": 1, "spectral": 1}  # no network: quick


IMAGES = {"layout": "fmriprep", "n_subjects": 1, "n_runs": 2}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def derivatives(recordings, tmp_path_factory):
    """A whole simulation in the layout of fMRIPrep."""
    out = tmp_path_factory.mktemp("simulated") / "fmriprep"
    settings = SimulationSettings(
        **IMAGES, run_minutes=4, n_parcels=24, kinds=KINDS, explainable_variance=(0.8, 0.8)
    )
    simulate(out, recordings, settings)
    return out


def confounds_and_parcel_means(out, run="ses-001_task-s01e01a"):
    """What a user of nilearn gets: load_confounds, and brute-force means over voxels."""
    import nibabel
    from nilearn.image import resample_to_img
    from nilearn.interfaces.fmriprep import load_confounds

    func = out / "derivatives/sub-01/ses-001/func"
    path = func / f"sub-01_{run}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    confounds, kept = load_confounds(
        str(path), strategy=("motion", "wm_csf", "high_pass"), motion="basic", wm_csf="basic"
    )
    assert kept is None
    image = nibabel.load(path)
    labels = resample_to_img(
        nibabel.load(out / "atlas.nii.gz"), image, interpolation="nearest", force_resample=True
    ).get_fdata()
    mask = nibabel.load(str(path).replace("preproc_bold", "brain_mask")).get_fdata() > 0
    bold = image.get_fdata()
    ids = read_truth(out).target_ids
    means = np.stack([bold[(labels == i) & mask].mean(axis=0) for i in ids], axis=1)
    return image, confounds, means


def test_cleaned_parcel_means_of_the_images_recover_the_truth(derivatives):
    from nilearn.signal import clean

    truth = read_truth(derivatives)
    image, confounds, means = confounds_and_parcel_means(derivatives)
    assert image.header.get_zooms()[3] == pytest.approx(TR)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert confounds.shape == (len(means), 6 + 2 + 3)
    cleaned = clean(means, confounds=confounds, detrend=False, standardize=None, filter=False)
    best = truth.response("sub-01", "s01e01a")
    for column in np.flatnonzero(truth.table.kind != "deaf"):
        known = clean(best[:, [column]], confounds=confounds, detrend=False, standardize=None)
        raw = np.corrcoef(means[:, column], best[:, column])[0, 1]
        r = np.corrcoef(cleaned[:, column], known[:, 0])[0, 1]
        assert raw < 0.75 < r
        assert r == pytest.approx(np.sqrt(0.8), abs=0.1)


@pytest.mark.slow
def test_nuisances_of_the_images_are_all_in_the_confounds(derivatives, tmp_path, recordings):
    """The same seed without nuisances leaves the same residual after regression."""
    from nilearn.signal import clean

    settings = SimulationSettings.model_validate(
        read_truth(derivatives).simulation["settings"] | {"drift": 0, "motion": 0, "physiology": 0}
    )
    pure = tmp_path / "pure"
    simulate(pure, recordings, settings)
    residuals = []
    for out in (derivatives, pure):
        _, confounds, means = confounds_and_parcel_means(out)
        residuals.append(clean(means, confounds=confounds, detrend=False, standardize=None))
    scale = residuals[1].std()
    np.testing.assert_allclose(residuals[0] / scale, residuals[1] / scale, atol=0.05)


def test_fmriprep_table_has_all_columns_that_load_confounds_may_ask_for(derivatives):
    from nilearn.interfaces.fmriprep import load_confounds

    func = derivatives / "derivatives/sub-01/ses-001/func"
    (path,) = func.glob("*task-s02e01a*_bold.nii.gz")
    full, _ = load_confounds(
        str(path),
        strategy=("motion", "wm_csf", "high_pass", "global_signal"),
        motion="full",
        wm_csf="full",
        global_signal="full",
    )
    assert full.shape[1] == 24 + 8 + 3 + 4
    sidecar = json.loads((func / path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["RepetitionTime"] == TR
    assert (derivatives / "derivatives/dataset_description.json").is_file()


def test_nuisance_table_squares_and_differences():
    table = draw_nuisance(50, TR, np.random.default_rng(0)).table(np.arange(50.0))
    np.testing.assert_allclose(table.global_signal_derivative1[1:], 1)
    assert np.isnan(table.csf_derivative1[0])
    assert np.isnan(table.framewise_displacement[0])
    np.testing.assert_allclose(table.rot_x_power2, table.rot_x**2)
    np.testing.assert_allclose(table.trans_z_derivative1_power2[1:], np.diff(table.trans_z) ** 2)


def test_labels_that_vanish_on_the_grid_are_warned_of(recordings, tmp_path, caplog):
    atlas = write_atlas(tmp_path)
    labels = {"atlas": atlas, "label_table": tmp_path / "blocks.csv"}
    settings = SimulationSettings(**IMAGES, **labels, run_minutes=1, kinds={"envelope": 1})
    with caplog.at_level(logging.WARNING):
        simulate(tmp_path / "out", recordings, settings)
    assert "1 of 3 labels have no voxel of 8 mm and vanish: 20" in caplog.text
    truth = read_truth(tmp_path / "out")
    assert truth.simulation["vanished"] == [20]
    assert list(truth.table.kind[truth.table.target_id == 20]) == ["vanished"]
    assert list(truth.table.name) == ["block 3", "block 7", "block 20"]
    assert np.isnan(truth.response("sub-01", "s02e01a")[:, 2]).all()
    assert truth.table.best_r.isna().tolist() == [False, False, True]


def test_centres_of_given_parcels_are_in_millimetres(tmp_path):
    parcels = read_parcels(write_atlas(tmp_path), tmp_path / "blocks.csv")
    np.testing.assert_allclose(parcels.centres[0], [24.5 - 60, 14.5 - 40, 19.5 - 10])
    assert parcels.from_auditory_cortex()[0] == pytest.approx(40 - 35.5)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_mist_atlas_on_a_coarse_grid(data_folder, tmp_path):
    folder = data_folder / "parcellation"
    labels = {"atlas": folder / "MIST_ROI.nii.gz", "label_table": folder / "MIST_ROI.csv"}
    kinds = {"envelope": 4, "spectral": 4}
    settings = SimulationSettings(**IMAGES, **labels, run_minutes=1, kinds=kinds)
    simulate(tmp_path / "out", data_folder / "fmri" / "natsound165" / "sounds", settings)
    truth = read_truth(tmp_path / "out")
    assert len(truth.table) == 210
    responsive = truth.table[~truth.table.kind.isin(["deaf", "vanished"])]
    assert {153, 154} <= set(responsive.target_id)  # the middle of the superior temporal gyri
