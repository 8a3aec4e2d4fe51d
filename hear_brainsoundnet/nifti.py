"""Brain images: reading, with errors that name the file; images of labels; maps of targets."""

from __future__ import annotations

import gzip
import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

# Largest compression ratio of DEFLATE (a match of 258 bytes takes two bits).
MOST_INFLATED = 1032
SLOPE_ROUNDING = 1e-3  # a slope this near to 1 on stored integers is a rounding error
VALUE_ROUNDING = 1e-3  # for labels stored as floating point
BACKGROUND = -1  # besides 0 and NaN
MOST_VOLUMES = 32_767  # the NIfTI-1 header counts with 16 bits
ALIGNED = 2  # NIfTI code of an unnamed space
N_LISTED = 10  # ids in a message
LONGEST_MESSAGE = 300  # characters of a library's message


def open_image(path: str | os.PathLike[str], n_dimensions: int, *, nifti: bool = True) -> Any:
    """Open an image without reading its voxels.

    It must have `n_dimensions`, without trailing axes of length 1, and be NIfTI; with `nifti` false
    any volume that nibabel reads, such as ``.mgz``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If nibabel is missing, the file cannot be read or is shorter than its header implies, has
        the wrong number of dimensions, or an invalid affine.
    """
    path = Path(path)
    nibabel = _nibabel()
    if not path.is_file():
        raise FileNotFoundError(f"no such image: {path}")
    try:
        with without_notes(nibabel):
            image: Any = nibabel.load(path)
        shape = tuple(int(length) for length in image.shape)
        affine = np.asarray(image.affine)
        n_bytes = math.prod(shape) * image.get_data_dtype().itemsize
    except Exception as error:  # nibabel raises many kinds for damaged headers
        raise ValueError(
            f"{path}: its header cannot be read ({in_words(error)}); fetch it again"
        ) from error
    while len(shape) > n_dimensions and shape[-1] == 1:
        shape = shape[:-1]
    wanted = nibabel.Nifti1Image if nifti else nibabel.spatialimages.SpatialImage
    if not isinstance(image, wanted) or len(shape) != n_dimensions or 0 in shape:
        kind = "a NIfTI image" if nifti else "an image"
        hint = ""
        if len(shape) == 4 and n_dimensions == 3:
            hint = "; maps of probabilities must be made one map of labels first"
        raise ValueError(
            f"{path} is a {type(image).__name__} of shape {image.shape}, expected {kind} of "
            f"{n_dimensions} dimensions{hint}"
        )
    inflated = MOST_INFLATED if path.suffix in (".gz", ".mgz") else 1
    if n_bytes > path.stat().st_size * inflated:
        raise ValueError(
            f"{path} is damaged or cut off (its header declares {n_bytes} bytes of voxels, which "
            f"{path.stat().st_size} bytes cannot hold); fetch it again"
        )
    if not np.isfinite(affine).all() or not np.linalg.matrix_rank(affine) == 4:
        raise ValueError(f"{path}: its affine does not say where voxels lie; fetch it again")
    return image


@dataclass(frozen=True)
class LabelImage:
    """An image whose voxel values are ids: int64 ``(x, y, z)``, 0 for background; the affine, from
    voxel indices to millimetres; the header of the image.
    """

    ids: np.ndarray
    affine: np.ndarray
    header: Any


def read_label_image(path: str | os.PathLike[str]) -> LabelImage:
    """Read an image whose voxel values are ids; background is 0, NaN or -1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If nibabel is missing, the file cannot be read, is not three-dimensional, or holds values
        that are not whole numbers.
    """
    image = open_image(path, n_dimensions=3, nifti=False)
    try:
        values = _stored_labels(image)
    except Exception as error:  # nibabel and zlib raise many kinds for damaged files
        raise ValueError(
            f"{path} is damaged or cut off ({in_words(error)}); fetch it again"
        ) from error
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path} is not a label image: its voxels are {values.dtype}, not numbers")
    values = values.reshape(image.shape[:3], order="F")
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), 0, values)
        with np.errstate(invalid="ignore"):
            whole = np.abs(values - np.rint(values)) <= VALUE_ROUNDING
        if not whole.all():
            wrong = values[~whole][0]
            raise ValueError(
                f"{path} is not a label image: its voxels must be whole numbers, not {wrong:g}"
                f"{_scaling(image)}"
            )
        values = np.rint(values)
    if (np.abs(values.astype(np.float64)) >= 2.0**62).any():
        raise ValueError(f"{path} is not a label image: it holds ids beyond {2**62}")
    ids = values.astype(np.int64)
    ids[ids == BACKGROUND] = 0
    return LabelImage(ids, np.asarray(image.affine), image.header)


def _stored_labels(image: Any) -> np.ndarray:
    """Voxels in their stored dtype, unscaled if the slope is 1 up to rounding."""
    data = image.dataobj
    slope, intercept = getattr(data, "slope", 1.0), getattr(data, "inter", 0.0)
    unscaled = abs(slope - 1) <= SLOPE_ROUNDING and abs(intercept) <= SLOPE_ROUNDING
    if unscaled and image.get_data_dtype().kind in "iu" and hasattr(data, "get_unscaled"):
        return np.asarray(data.get_unscaled())
    return np.asanyarray(data)


def _scaling(image: Any) -> str:
    slope = getattr(image.dataobj, "slope", 1.0)
    if image.get_data_dtype().kind in "iu" and slope != 1:
        kind = image.get_data_dtype().name
        return f"; its header scales {kind} values by {slope:g}: save the labels as int32"
    return "; a map of probabilities must be made one of labels first"


class TargetImage:
    """Image whose voxel values are target ids, and the mapping of prediction columns to voxels.

    `target_ids` are the ids of the columns, ascending. Raises as :func:`read_label_image`, and a
    ValueError if the image lacks target ids.
    """

    def __init__(self, path: str | os.PathLike[str], target_ids: Sequence[int]) -> None:
        path = Path(path)
        image = read_label_image(path)
        values = image.ids.ravel(order="F")
        ids = np.asarray(target_ids)
        self.shape = image.ids.shape
        self.affine = image.affine
        codes = [name for name in ("sform_code", "qform_code") if name in image.header]
        self.space = next((int(image.header[c]) for c in codes if image.header[c]), ALIGNED)
        self.voxels = np.flatnonzero(np.isin(values, ids[ids != 0]))
        found = values[self.voxels]
        missing = np.setdiff1d(ids, found)
        if len(missing):
            listed = ", ".join(map(str, missing[:N_LISTED]))
            more = f" and {len(missing) - N_LISTED} more" if len(missing) > N_LISTED else ""
            raise ValueError(
                f"{path} lacks {len(missing)} of the read-out's {len(ids)} target ids: {listed}"
                f"{more} (0 is background); give the image of the atlas that the read-out was "
                "fitted with (--atlas)"
            )
        self.columns = np.searchsorted(ids, found)

    def header(self, n_trs: int, tr: float) -> Nifti1Header:
        """The header of a map: float32 ``(x, y, z, n_trs)``, a TR of `tr` seconds.

        A ValueError if there are more TRs than the header can count.
        """
        if n_trs > MOST_VOLUMES:
            raise ValueError(
                f"a map holds at most {MOST_VOLUMES} TRs, got {n_trs}; leave out --map, or predict "
                "shorter sounds"
            )
        header = _nibabel().Nifti1Header()
        header.set_data_dtype(np.dtype("<f4"))
        header.set_data_shape((*self.shape, n_trs))
        header.set_qform(self.affine, self.space)
        header.set_sform(self.affine, self.space)
        header.set_zooms((*header.get_zooms()[:3], tr))
        header.set_xyzt_units("mm", "sec")
        header.set_slope_inter(1, 0)
        return header

    def write_map(self, path: Path, prediction: np.ndarray, tr: float) -> None:
        """Write `prediction`, ``(n_trs, n_targets)``, as an image ``(x, y, z, n_trs)``.

        Voxels without a predicted target are 0. One volume at a time is in memory.
        """
        header = self.header(len(prediction), tr)
        volume = np.zeros(int(np.prod(self.shape)), dtype="<f4")
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as file:
            header.write_to(file)
            for row in prediction:
                volume[self.voxels] = row[self.columns]
                file.write(volume.tobytes())


@contextmanager
def without_notes(nibabel: Any) -> Iterator[None]:
    """Suppress nibabel's log of header corrections, which names no file; relevant fields are
    checked later."""
    logger = nibabel.imageglobals.logger
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def in_words(error: Exception) -> str:
    """Message of an error on one line, truncated: some libraries quote the content."""
    return " ".join(str(error).split())[:LONGEST_MESSAGE] or type(error).__name__


def _nibabel() -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise ValueError(
            "reading images needs nibabel, which is not installed: "
            'pip install "hear-brainsoundnet[training]"'
        ) from error
    return nibabel
