"""Reading of all voxels of NIfTI images, with errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import in_words, open_image


def read_voxels(
    path: Path, n_dimensions: int, *, finite: bool = True
) -> tuple[NDArray[np.float32], Any]:
    """Read a whole image.

    Parameters
    ----------
    path : Path
        Its file.
    n_dimensions : int
        Required number, without trailing axes of length 1.
    finite : bool
        Whether NaN and infinite values are rejected.

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
        If it is damaged, has the wrong number of dimensions, or holds values that are not finite.
    """
    image = open_image(path, n_dimensions)
    try:
        voxels = image.get_fdata(dtype=np.float32, caching="unchanged")
    except Exception as error:  # nibabel and zlib raise many types for damaged files
        raise ValueError(
            f"{path} is damaged or cut off ({in_words(error)}); fetch it again"
        ) from error
    if finite and not np.isfinite(voxels.sum(dtype=np.float64)):
        n_bad = int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
        raise ValueError(f"{path}: {n_bad} of {voxels.size} voxel values are NaN or infinite")
    return voxels.reshape(image.shape[:n_dimensions], order="F"), image.affine
