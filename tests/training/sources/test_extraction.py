"""Volume by volume within a box, against nilearn on whole images."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from fmriprep_study import (
    AFFINE,
    N_TRS,
    NONE,
    SHAPE,
    TR,
    Study,
    change_voxels,
    mask_of,
    save,
)
from nilearn.image import resample_img, smooth_img
from nilearn.maskers import NiftiLabelsMasker

SHIFTED = np.array([[-3.1, 0.2, 0, 15], [0.1, 2.9, -0.3, -14], [0, 0.4, 3.3, -13], [0, 0, 0, 1.0]])
WIDE = (60, 58, 61)  # wider than the margins, so that something is cut off


def write_wide(study: Study, dtype=np.float32, n_trs: int = 4):
    """A run on a grid that is wider than a box and its margins."""
    bold = study.write_run(shape=SHAPE, n_trs=n_trs)
    generator = np.random.default_rng(3)
    x = np.abs(1000 + 300 * generator.standard_normal((*WIDE, n_trs)))
    x[:5] = 0  # as outside of the brain
    save(x.astype(dtype), bold, tr=TR)
    save(np.ones(WIDE), mask_of(bold))
    return bold


def small_mask(study: Study, affine: np.ndarray) -> np.ndarray:
    """A few voxels of a grid, some of them at the edges of the images."""
    mask = np.zeros((40, 40, 40))
    mask[8:11, 9:12, 10] = 1
    mask[0, 0, 0] = mask[1, 2, 0] = 1
    save(mask, study.labels, affine)
    return mask


def whole_volumes(bold, mask: np.ndarray, affine: np.ndarray, fwhm: float | None) -> np.ndarray:
    """nilearn: smooth and resample everything, then look at the mask's voxels."""
    image = nibabel.load(bold)
    if fwhm:
        image = smooth_img(image, fwhm)
    if not np.array_equal(image.affine, affine):
        image = resample_img(image, affine, mask.shape, "continuous")
    return image.get_fdata()[tuple(np.argwhere(mask).T)].T


@pytest.mark.parametrize("fwhm", [None, 5.0])
@pytest.mark.parametrize("affine", [SHIFTED, np.diag([2.0, 2, 2, 1])], ids=["turned", "finer"])
def test_voxels_of_a_mask_equal_those_of_resampled_volumes(study: Study, affine, fwhm) -> None:
    bold = write_wide(study)
    if affine[0, 0] == 2:
        affine = affine.copy()
        affine[:3, 3] = AFFINE[:3, 3]
    mask = small_mask(study, affine)
    settings = {"labels": None, "mask": study.labels, "least_overlap": 0, "smoothing_fwhm": fwhm}
    loaded = study.source(confounds=NONE, **settings).collect().recordings[0].load()
    expected = whole_volumes(bold, mask, affine, fwhm)
    assert loaded.shape == expected.shape
    # nilearn keeps the result as float32 and its spline sums over 64 voxels
    bound = 64 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(loaded - loaded.mean(0), expected - expected.mean(0), atol=bound)


@pytest.mark.parametrize("fwhm", [None, 9.0])
def test_parcels_equal_those_of_nilearns_masker(study: Study, fwhm) -> None:
    bold = write_wide(study, dtype=np.int16)
    labels = np.zeros(WIDE)
    labels[7:9, 20:25, 21:23] = 4
    labels[10, 18, 30:33] = 2
    save(labels, study.labels)
    loaded = study.load(confounds=NONE, smoothing_fwhm=fwhm)
    masker = NiftiLabelsMasker(study.labels, smoothing_fwhm=fwhm, standardize=None)
    expected = masker.fit_transform(bold)
    bound = 64 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(loaded - loaded.mean(0), expected - expected.mean(0), atol=bound)


def test_scaled_integers_are_read_as_nibabel_reads_them(study: Study) -> None:
    bold = study.write_run()
    image = nibabel.Nifti1Image(
        np.random.default_rng(0).integers(0, 3000, (*SHAPE, N_TRS)).astype(np.int16), AFFINE
    )
    image.header.set_slope_inter(0.37, 12.5)
    image.header.set_zooms((4, 4, 4, TR))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, bold)
    voxels = nibabel.load(bold).get_fdata()
    expected = voxels[study.label_values == 9].mean(axis=0)
    np.testing.assert_allclose(study.load(confounds=NONE)[:, 2], expected, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_counts_within_the_brain_only(study: Study, value) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__setitem__((0, 0, 0), 0.0))
    expected = study.load(smoothing_fwhm=6.0)
    change_voxels(bold, lambda voxels: voxels.__setitem__((0, 0, 0), value))
    np.testing.assert_array_equal(study.load(smoothing_fwhm=6.0), expected)
    change_voxels(bold, lambda voxels: voxels.__setitem__((3, 3, 3, 7), value))
    with pytest.raises(ValueError, match=r"1 voxel values within the brain mask .* at TR 7; rep"):
        study.load()


def test_mask_voxel_without_a_value_is_missing(study: Study) -> None:
    bold = study.write_run()
    mask = np.zeros(SHAPE)
    mask[0, 0, 0] = mask[3, 3, 3] = mask[4, 4, 4] = 1
    save(mask, study.labels)
    change_voxels(bold, lambda voxels: voxels.__setitem__((0, 0, 0, 7), np.nan))
    loaded = study.load(labels=None, mask=study.labels, confounds=NONE)
    assert np.isnan(loaded[:, 0]).all()
    assert np.isfinite(loaded[:, 1:]).all()


def test_compressed_image_with_a_wrong_checksum_is_damaged(study: Study) -> None:
    bold = study.write_run()
    content = bytearray(bold.read_bytes())
    content[-6] ^= 1  # of the eight bytes at the end: the checksum of what was compressed
    bold.write_bytes(content)
    with pytest.raises(ValueError, match=r"preproc_bold\.nii\.gz is damaged or cut off \(CRC"):
        study.load()
