"""Label images are read by one rule, and damaged images are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from hear_brainsoundnet.nifti import TargetImage, open_image, read_label_image

LABELS = np.zeros((3, 4, 5), dtype=np.int16)
LABELS[0], LABELS[1, 1:], LABELS[2, :2] = 3, 7, 300
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
IDS = (3, 7, 300)


def save(path: Path, values: np.ndarray, slope: float | None = None) -> Path:
    image = nibabel.Nifti1Image(values, AFFINE, dtype=values.dtype)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("background", [0, -1, np.nan])
def test_zero_nan_and_minus_one_are_background_for_fitting_and_for_prediction(
    tmp_path: Path, background: float
) -> None:
    from training.sources.labels import read_labels

    values = LABELS.astype(np.float32)
    values[values == 0] = background
    path = save(tmp_path / "atlas.nii.gz", values)
    atlas = read_labels(path)
    assert atlas.targets.ids == IDS
    np.testing.assert_array_equal(atlas.ids, LABELS)
    assert not atlas.findings
    image = TargetImage(path, IDS)
    np.testing.assert_array_equal(image.voxels, np.flatnonzero(LABELS.ravel(order="F")))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64, np.float64])
def test_labels_of_every_type(tmp_path: Path, kind: type) -> None:
    values = np.where(LABELS == 300, 30, LABELS).astype(kind)
    np.testing.assert_array_equal(read_label_image(save(tmp_path / "a.nii", values)).ids, values)


def test_large_ids_are_exact(tmp_path: Path) -> None:
    values = LABELS.astype(np.int32)
    values[0] = 614_454_277  # of the Allen brain atlas; float32 holds 614454272
    assert 614_454_277 in read_label_image(save(tmp_path / "a.nii", values)).ids


def test_a_slope_that_is_one_but_for_rounding_is_one(tmp_path: Path) -> None:
    values = np.where(LABELS == 300, 12_175, LABELS)
    path = save(tmp_path / "a.nii.gz", values, slope=1.00001)
    np.testing.assert_array_equal(read_label_image(path).ids, values)


def test_labels_that_were_scaled_are_refused_with_the_reason(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(LABELS.astype(np.float64), AFFINE)
    image.set_data_dtype(np.uint8)  # 300 does not fit, so that nibabel scales by 300 / 255
    nibabel.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match=r"not 3\.52\d+; its header scales uint8 values by 1\.17"):
        read_label_image(tmp_path / "a.nii.gz")


def test_an_image_without_background_is_a_finding_and_can_be_given_one(tmp_path: Path) -> None:
    from training.sources.labels import read_labels

    path = save(tmp_path / "a.nii.gz", np.where(LABELS == 0, 1000, LABELS)[::-1, ::-1])
    atlas = read_labels(path)
    assert atlas.targets.ids == (*IDS, 1000)
    assert "set background: " in atlas.findings[0]
    assert read_labels(path, background=1000).targets.ids == IDS


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_announces_more_than_the_file_can_hold(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", LABELS)
    whole = path.read_bytes() if suffix == ".nii" else gzip.decompress(path.read_bytes())
    content = bytearray(whole)
    content[42:48] = np.array([30_000, 30_000, 30_000], "<i2").tobytes()
    path.write_bytes(content if suffix == ".nii" else gzip.compress(content))
    with pytest.raises(ValueError, match=r"damaged or cut off \(its header declares"):
        open_image(path, n_dimensions=3)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_singular_affine_is_refused(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "a.nii", LABELS)
    content = bytearray(path.read_bytes())
    content[280:296] = np.full(4, value, "<f4").tobytes()  # the first row of the sform
    path.write_bytes(content)
    with pytest.raises(ValueError, match="its affine does not say where voxels lie"):
        open_image(path, n_dimensions=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2, 2, 4), np.int16), r"of shape \(2, 2, 2, 4\), expected an image of 3 dim"),
        (np.full((2, 2, 2), 5.5, np.float32), r"its voxels must be whole numbers, not 5.5"),
        (None, r"its header cannot be read"),
        (LABELS, r"lacks 2 of the read-out's 4 target ids: 5, 9 \(0 is background\)"),
    ],
)
def test_what_is_no_image_of_the_target_ids(
    tmp_path: Path, values: np.ndarray | None, message: str
) -> None:
    path = tmp_path / "image.nii.gz"
    if values is None:
        path.write_text("words")
    else:
        save(path, values)
    with pytest.raises(ValueError, match=message):
        TargetImage(path, (3, 5, 7, 9))


def test_many_missing_targets_and_trs_are_counted(tmp_path: Path) -> None:
    path = save(tmp_path / "image.nii", LABELS)
    with pytest.raises(ValueError, match=r"lacks 48 .*: 0, 1, 2, 4, 5, .* and 38 more"):
        TargetImage(path, range(50))
    with pytest.raises(ValueError, match=r"a map holds at most 32767 TRs, got 32768; leave out"):
        TargetImage(path, IDS).header(32_768, 1.49)
