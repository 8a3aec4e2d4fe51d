"""Reading of brain images, with errors that name the file, and of label images."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Largest compression ratio of DEFLATE (a match of 258 bytes takes two bits).
MOST_INFLATED = 1032
SLOPE_ROUNDING = 1e-3  # a slope this near to 1 on stored integers is a rounding error
VALUE_ROUNDING = 1e-3  # for labels stored as floating point
BACKGROUND = -1  # besides 0 and NaN
LONGEST_MESSAGE = 300  # characters of a library's message


def open_image(path: str | os.PathLike[str], n_dimensions: int, *, nifti: bool = True) -> Any:
    """Open an image without reading its voxels.

    Parameters
    ----------
    path : path-like
        Its file.
    n_dimensions : int
        Required number, without trailing axes of length 1.
    nifti : bool
        Whether it must be NIfTI; otherwise any volume that nibabel reads, such as ``.mgz``.

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
    """An image whose voxel values are ids.

    Attributes
    ----------
    ids : ndarray
        int64 ``(x, y, z)``, 0 for background.
    affine : ndarray
        From voxel indices to millimetres, ``(4, 4)``.
    header : nibabel header
        Header of the image.
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
