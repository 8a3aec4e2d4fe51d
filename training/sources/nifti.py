"""Reading NIfTI images so that a damaged file is named, and the repetition time from headers."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TR_TOLERANCE = 1e-3  # seconds
SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


def open_image(path: Path, n_dimensions: int) -> Any:
    """Open an image without reading its voxels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a NIfTI file that can be read, or has another number of dimensions.
    """
    import nibabel

    if not path.is_file():
        raise FileNotFoundError(f"no such image: {path}")
    try:
        image: Any = nibabel.load(path)
        shape = image.shape
        while len(shape) > n_dimensions and shape[-1] == 1:
            shape = shape[:-1]
    except Exception as error:  # nibabel raises many kinds for damaged headers
        raise ValueError(f"{path}: its header cannot be read ({error}); fetch it anew") from error
    if not isinstance(image, nibabel.Nifti1Image) or len(shape) != n_dimensions:
        raise ValueError(
            f"{path} is a {type(image).__name__} of shape {image.shape}, expected a NIfTI image "
            f"of {n_dimensions} dimensions"
        )
    return image


def read_voxels(path: Path, n_dimensions: int) -> tuple[NDArray[np.float32], Any]:
    """Read an image whole.

    Returns
    -------
    voxels : ndarray
        float32, of `n_dimensions` dimensions.
    affine : ndarray
        From voxel indices to millimetres, ``(4, 4)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, has another number of dimensions, or holds values that are not finite.
    """
    image = open_image(path, n_dimensions)
    try:
        voxels = image.get_fdata(dtype=np.float32, caching="unchanged")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or cut off ({error}); fetch it anew") from error
    if not np.isfinite(voxels.sum(dtype=np.float64)):
        n_bad = int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
        raise ValueError(f"{path}: {n_bad} of {voxels.size} voxel values are NaN or infinite")
    return voxels.reshape(image.shape[:n_dimensions], order="F"), image.affine


def repetition_time(image: Any, path: Path, sidecar: Path | None, tr: float | None) -> float:
    """The repetition time in seconds on which header, sidecar and recipe agree.

    Parameters
    ----------
    image : nibabel.Nifti1Image
        Its header may say 0 for "not known".
    path : Path
        Its file, for messages.
    sidecar : Path or None
        JSON with ``RepetitionTime``.
    tr : float or None
        What the recipe says.

    Raises
    ------
    ValueError
        If they are more than 1 ms apart, nobody says it, or the sidecar cannot be read.
    """
    said: dict[str, float] = {}
    if tr is not None:
        said["the recipe"] = tr
    if sidecar is not None:
        try:
            value = json.loads(sidecar.read_text(encoding="utf-8")).get("RepetitionTime")
            if value is not None:
                said[sidecar.name] = float(value)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{sidecar} is not readable as JSON ({error})") from error
    seconds = float(image.header["pixdim"][4]) * SECONDS_PER_UNIT.get(_time_unit(image), 1.0)
    if seconds != 0:
        said["the image's header"] = round(seconds, 6)  # it is stored as float32
    if not said:
        raise ValueError(f"{path}: neither header nor sidecar say the repetition time; give tr:")
    values = list(said.values())
    if not max(values) - min(values) <= TR_TOLERANCE or not min(values) > 0:
        texts = ", ".join(f"{value:g} s by {who}" for who, value in said.items())
        raise ValueError(f"{path}: the repetition time is {texts}; correct what is wrong")
    return values[0]


def _time_unit(image: Any) -> str:
    try:
        return str(image.header.get_xyzt_units()[1])
    except KeyError:
        return "unknown"
