"""Signals of runs of fMRIPrep derivatives, against brute force."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import pandas
from fmriprep_study import (
    AFFINE,
    MINIMAL,
    MOTION,
    N_TRS,
    NONE,
    SHAPE,
    TR,
    Study,
    brute_means,
    centred,
    change_table,
    change_voxels,
    mask_of,
    residuals,
    save,
    table_of,
)
from scipy.ndimage import gaussian_filter


def test_column_is_the_mean_of_its_parcel_within_the_brain(study: Study) -> None:
    bold = study.write_run()
    change_voxels(mask_of(bold), lambda brain: brain.__setitem__((slice(2, 3),), 0))
    expected = brute_means(bold, study.label_values, (2, 5, 9))
    np.testing.assert_allclose(study.load(confounds=NONE), expected, rtol=1e-6)


def test_minimal_confounds_are_regressed_out_as_by_least_squares(study: Study) -> None:
    bold = study.write_run()
    table = pandas.read_csv(table_of(bold), sep="\t")
    expected = residuals(
        brute_means(bold, study.label_values, (2, 5, 9)), table[MINIMAL].to_numpy()
    )
    loaded = centred(study.load())
    np.testing.assert_allclose(loaded, expected, atol=1e-3 * expected.std())
    np.testing.assert_allclose(centred(table[MINIMAL].to_numpy()).T @ loaded, 0, atol=1e-2)


def test_derivatives_of_the_first_tr_are_those_of_the_second(study: Study) -> None:
    bold = study.write_run()
    names = [*MOTION, *(f"{name}_derivative1" for name in MOTION), "global_signal"]
    table = pandas.read_csv(table_of(bold), sep="\t")[names].bfill()
    expected = residuals(brute_means(bold, study.label_values, (2, 5, 9)), table.to_numpy())
    loaded = study.load(
        confounds={"strategy": ["motion", "global_signal"], "motion": "derivatives"}
    )
    np.testing.assert_allclose(centred(loaded), expected, atol=1e-3 * expected.std())


def test_unsteady_trs_keep_their_place_at_the_mean(study: Study) -> None:
    bold = study.write_run()
    table = change_table(bold, non_steady_state_outlier00=np.eye(N_TRS)[0])
    change_voxels(bold, lambda voxels: voxels.__setitem__((..., 0), 3000))
    loaded = study.load()
    assert loaded.shape == (N_TRS, 3)
    means = brute_means(bold, study.label_values, (2, 5, 9))[1:]
    expected = residuals(means, table[MINIMAL].to_numpy()[1:])
    np.testing.assert_allclose(centred(loaded)[0], 0, atol=1e-2)
    np.testing.assert_allclose(centred(loaded[1:]), expected, atol=1e-3 * expected.std())


def test_detrend_removes_a_line(study: Study) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__iadd__(7 * np.arange(N_TRS)))
    means = brute_means(bold, study.label_values, (2, 5, 9))
    expected = residuals(means, np.arange(N_TRS)[:, np.newaxis])
    loaded = study.load(confounds=NONE, detrend=True)
    np.testing.assert_allclose(centred(loaded), expected, atol=1e-3 * expected.std())


def test_smoothing_is_gaussian_in_millimetres(study: Study) -> None:
    bold = study.write_run()
    fwhm = 6.0
    sigma = fwhm / np.sqrt(8 * np.log(2)) / 4  # voxels of 4 mm
    voxels = nibabel.load(bold).get_fdata()
    smooth = gaussian_filter(voxels, (sigma, sigma, sigma, 0), mode="constant")
    expected = smooth[study.label_values == 9].mean(axis=0)
    loaded = study.load(confounds=NONE, smoothing_fwhm=fwhm)
    np.testing.assert_allclose(loaded[:, 2], expected, rtol=1e-4)


def test_constant_parcel_stays_constant_beside_confounds(study: Study) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__setitem__(study.label_values == 5, 812.3))
    loaded = study.load()
    assert np.ptp(loaded[:, 1]) == 0
    assert np.ptp(loaded[:, 0]) > 0


def test_label_outside_the_brain_is_a_column_of_nan(study: Study) -> None:
    bolds = [study.write_run(task=task) for task in ("s01e02a", "s01e02b")]
    for bold in bolds:
        change_voxels(mask_of(bold), lambda brain: brain.__setitem__(study.label_values == 5, 0))
    first, second = study.source(confounds=NONE).collect().recordings
    loaded = first.load()
    assert np.isnan(loaded[:, 1]).all()
    expected = brute_means(bolds[0], study.label_values, (2, 9))
    np.testing.assert_allclose(loaded[:, [0, 2]], expected, rtol=1e-6)
    assert np.isnan(second.load()[:, 1]).all()


def test_atlas_on_another_grid_is_resampled_to_the_nearest_voxel(study: Study) -> None:
    bold = study.write_run()
    other = np.diag([-2.7, 3.1, 2.9, 1.0])  # flipped, finer, shifted
    other[:3, 3] = (22, -19, -16)
    values = np.zeros((16, 13, 14))
    values[2:9, 3:9, 3:9] = 4
    values[9:13, 3:9, 3:9] = 7
    save(values, study.labels, other)
    moved = np.zeros(SHAPE)
    for index in product(*map(range, SHAPE)):
        world = AFFINE @ [*index, 1]
        source = np.rint(np.linalg.solve(other, world))[:3].astype(int)
        if np.all(source >= 0) and np.all(source < values.shape):
            moved[index] = values[tuple(source)]
    loaded = study.load(confounds=NONE)
    np.testing.assert_allclose(loaded, brute_means(bold, moved, (4, 7)), rtol=1e-6)

    from nilearn.maskers import NiftiLabelsMasker

    masker = NiftiLabelsMasker(study.labels, mask_img=mask_of(bold), standardize=None)
    np.testing.assert_allclose(loaded, masker.fit_transform(bold), rtol=1e-5)


def test_voxels_of_a_mask_are_columns_in_c_order(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    mask = np.zeros(SHAPE)
    inside = [(2, 3, 4), (2, 7, 1), (5, 2, 8)]
    for index in reversed(inside):
        mask[index] = 1
    save(mask, tmp_path / "STG_middle.nii.gz")
    source = study.source(labels=None, mask=tmp_path / "STG_middle.nii.gz", confounds=NONE)
    collection = source.collect()
    voxels = nibabel.load(bold).get_fdata()
    expected = np.stack([voxels[index] for index in inside], axis=1)
    np.testing.assert_allclose(collection.recordings[0].load(), expected, rtol=1e-6)
    targets = collection.targets
    assert (targets.ids, targets.names[0], targets.atlas) == ((1, 2, 3), "voxel 1", "STG_middle")
    image = targets.image.get_fdata()
    assert [image[index] for index in inside] == [1, 2, 3]


def test_images_are_resampled_to_the_grid_of_a_mask(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    x, y, z = np.indices(SHAPE)
    ramp = (x + 2.0 * y - z)[..., np.newaxis] * np.linspace(1, 2, N_TRS)
    save(ramp.astype(np.float32), bold, tr=TR)
    coarse = AFFINE.copy()
    coarse[:3, :3] *= 1.5
    mask = np.zeros((8, 8, 8))
    mask[2, 3, 3] = mask[4, 2, 3] = mask[7, 3, 3] = 1  # the last lies outside: voxel 10.5 of 10
    save(mask, tmp_path / "mask.nii.gz", coarse)
    source = study.source(labels=None, mask=tmp_path / "mask.nii.gz", confounds=NONE)
    loaded = source.collect().recordings[0].load()
    expected = np.array([3 + 9 - 4.5, 6 + 6 - 4.5])  # splines of a ramp are the ramp
    np.testing.assert_allclose(loaded[0, :2], expected, atol=0.1)
    assert np.isnan(loaded[:, 2]).all()


def test_framewise_displacement_is_in_millimetres_and_0_at_first(study: Study) -> None:
    bold = study.write_run()
    change_table(bold, framewise_displacement=np.r_[np.nan, np.full(N_TRS - 1, 0.25)])
    motion = study.source().collect().recordings[0].motion
    assert motion is not None
    np.testing.assert_array_equal(motion(), np.r_[0, np.full(N_TRS - 1, 0.25)])
    change_table(bold, framewise_displacement=None)
    assert study.source().collect().recordings[0].motion is None
