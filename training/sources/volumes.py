"""Voxels of NIfTI images: a whole image, or the volumes of a run, each cropped to a box.

A whole run is never in memory: a compressed image is decompressed sequentially, and voxels outside
the box are dropped immediately.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import in_words, open_image


@dataclass(frozen=True)
class Box:
    """A range of voxels along each axis.

    Attributes
    ----------
    start, stop : tuple of int
        First voxel, and the one after the last, along the three axes.
    """

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @classmethod
    def around(cls, low: Any, high: Any, margin: Any, shape: tuple[int, ...]) -> Box:
        """From `low` to `high`, both included and as floats, with a margin, within `shape`.

        Examples
        --------
        >>> Box.around([3.5, 1, 4], [4.5, 1, 4], [2, 2, 2], (10, 10, 5))
        Box(start=(1, 0, 2), stop=(8, 4, 5))
        """
        start = np.clip(np.floor(low).astype(int) - margin, 0, shape[:3])
        stop = np.clip(np.ceil(high).astype(int) + margin + 1, start, shape[:3])
        first, second, third = start.tolist()
        return cls((first, second, third), tuple(stop.tolist()))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Slices for an array of a volume's shape."""
        return tuple(slice(*ends) for ends in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class Volumes:
    """The volumes of an image, for a single pass.

    Attributes
    ----------
    shape : tuple of int
        ``(x, y, z)`` of a whole volume.
    n_trs : int
        Number of volumes.
    affine : ndarray
        From voxel indices to millimetres, ``(4, 4)``.
    """

    path: Path
    shape: tuple[int, ...]
    n_trs: int
    affine: NDArray[Any]
    _image: Any

    def within(self, box: Box) -> Iterator[tuple[NDArray[np.float32], float, float]]:
        """Each volume within the box, and the finite extremes of the whole volume.

        Yields
        ------
        voxels : ndarray
            float32, of the box's shape, first axis fastest; may be modified.
        lowest, highest : float
            Of the finite values of the volume, 0 if there are none.

        Raises
        ------
        ValueError
            If the file is damaged or ends early.
        """
        from nibabel.openers import ImageOpener
        from nibabel.volumeutils import apply_read_scaling

        proxy = self._image.dataobj
        slope, inter = np.float32(proxy.slope), np.float32(proxy.inter)
        n_bytes = int(np.prod(self.shape)) * proxy.dtype.itemsize
        try:
            with ImageOpener(str(self.path)) as file:
                file.seek(proxy.offset)
                for i in range(self.n_trs):
                    content = file.read(n_bytes)
                    if len(content) < n_bytes:
                        raise EOFError(f"it ends within TR {i} of {self.n_trs}")
                    whole = np.frombuffer(content, proxy.dtype).reshape(self.shape, order="F")
                    scaled = apply_read_scaling(whole, slope, inter).astype(np.float32)
                    lowest, highest = _extremes(scaled)
                    yield np.array(scaled[box.slices], order="F"), lowest, highest
                file.read(1)  # at its end, the checksum of a compressed file is verified
        except (OSError, EOFError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(
                f"{self.path} is damaged or cut off ({error}); fetch it again"
            ) from error


def open_volumes(path: Path) -> Volumes:
    """Open a 4-D NIfTI image.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its header cannot be read, or it has the wrong number of dimensions.
    """
    image = open_image(path, n_dimensions=4)
    if image.get_data_dtype().kind not in "fiu":
        raise ValueError(f"{path} holds {image.get_data_dtype()}, expected real numbers")
    return Volumes(path, image.shape[:3], int(image.shape[3]), image.affine, image)


def _extremes(volume: NDArray[np.float32]) -> tuple[float, float]:
    lowest, highest = float(volume.min()), float(volume.max())  # NaN propagates
    if not np.isfinite((lowest, highest)).all():
        finite = volume[np.isfinite(volume)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    return lowest, highest


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
