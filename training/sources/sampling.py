"""Sampling of a volume: one value per target, the mean of a parcel or the value at a voxel of a
mask.

A sampler specifies the required box of a volume and reads its values from volumes cropped to it.
The results equal those of the whole volume: the margins cover the support of smoothing (a Gaussian
truncated at four standard deviations) and of spline interpolation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.sources.entities import parse_entities
from training.sources.labels import Atlas
from training.sources.volumes import Box

SAME_MM = 1e-3  # affines of one grid may differ by rounding
# A cubic spline depends on voxels that are k away by 0.268^k: 1e-8 at this margin, below float32.
SPLINE_MARGIN = 14
TRUNCATE = 4.0  # standard deviations, as in scipy.ndimage.gaussian_filter1d
SAME_VOXEL = 1e-6  # coordinates that differ from a voxel's centre by less are at it


def same_grid(
    shape: tuple[int, ...], affine: NDArray[Any], other: tuple[int, ...], to: NDArray[Any]
) -> bool:
    """Whether two grids of shapes `shape` and `other` with affines `affine` and `to` are equal."""
    return shape == other and np.allclose(affine, to, rtol=0, atol=SAME_MM)


def nearest_voxels(
    points: NDArray[Any], affine: NDArray[Any], shape: tuple[int, ...], to: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Voxels of another grid nearest to voxels of one grid, in world coordinates.

    Parameters
    ----------
    points : ndarray
        Voxel indices ``(n, 3)``.
    affine, to : ndarray
        Affines of the grid of the points and of the other grid.
    shape : tuple
        Shape of the other grid.

    Returns
    -------
    nearest : ndarray
        Voxel indices ``(n, 3)`` in the other grid.
    within : ndarray
        Whether they lie within its field of view, bool ``(n,)``.

    Examples
    --------
    >>> points, fine, coarse = np.array([[9, 0, 0]]), np.diag([2, 2, 2, 1]), np.diag([3, 3, 3, 1])
    >>> nearest_voxels(points, fine, (7, 7, 7), to=coarse)
    (array([[6, 0, 0]]), array([ True]))
    """
    transform = np.linalg.inv(to) @ affine
    nearest = np.rint(points @ transform[:3, :3].T + transform[:3, 3]).astype(np.int64)
    return nearest, np.all((nearest >= 0) & (nearest < shape[:3]), axis=1)


def check_space(
    atlas: Atlas,
    space: str,
    brain: NDArray[np.bool_],
    affine: NDArray[Any],
    least_overlap: float,
    where: Path,
) -> None:
    """Reject an atlas in another space than the images.

    Its space is that of a ``space-`` or ``tpl-`` entity in the file name. Otherwise an atlas with
    less than `least_overlap` of its voxels within the brain, in world coordinates, is considered to
    be in another space.

    Raises
    ------
    ValueError
        If it is; the message gives the overlap.
    """
    images = space or "the space of the scanner (no space- in their names)"
    named = named_space(atlas.path, space)
    if named != space:
        raise ValueError(
            f"{atlas.path} is in space {named}, the images are in {images}; set space: {named}, or "
            "use an atlas in their space (one without tpl- or space- in its name is judged "
            "by its overlap)"
        )
    points = np.argwhere(atlas.ids)
    nearest, within = nearest_voxels(points, atlas.affine, brain.shape, to=affine)
    share = np.count_nonzero(brain[tuple(nearest[within].T)]) / len(points)
    if share < least_overlap:
        raise ValueError(
            f"{atlas.path} seems to be in another space: {share:.0%} of its voxels lie within the "
            f"brain mask {where}, expected {least_overlap:.0%} or more; take an atlas in {images}, "
            "or lower least_overlap: where only part of the brain was measured"
        )


def named_space(atlas: Path, default: str) -> str:
    """The space in the name of an atlas."""
    entities = parse_entities(atlas.name)
    return entities.get("space", entities.get("tpl", default))


def labels_on_grid(atlas: Atlas, shape: tuple[int, ...], affine: NDArray[Any]) -> NDArray[np.int32]:
    """The id of each voxel of a grid, by nearest neighbour in the atlas, int32 `shape`."""
    if same_grid(atlas.ids.shape, atlas.affine, shape, affine):
        return atlas.ids
    points = np.indices(shape).reshape(3, -1).T
    nearest, within = nearest_voxels(points, affine, atlas.ids.shape, to=atlas.affine)
    ids = np.zeros(len(points), dtype=np.int32)
    ids[within] = atlas.ids[tuple(nearest[within].T)]
    return ids.reshape(shape)


class Sampler(Protocol):
    """Sampler of values from volumes cropped to `box`."""

    box: Box

    def sample(self, volume: NDArray[np.float32]) -> NDArray[np.float64]:
        """One value per target, NaN if the run has no voxel of it; ``(n_targets,)``."""
        ...

    def sample_nearest(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a target's single voxel is flagged; always false for means of voxels."""
        ...


class ParcelMeans:
    """Mean over the voxels of each label.

    Parameters
    ----------
    labels : ndarray
        The id of each voxel of a whole volume ``(x, y, z)``; 0 for none.
    ids : tuple of int
        Ascending; the targets.
    margin : ndarray
        Voxels around the labels that smoothing needs, ``(3,)``.

    Examples
    --------
    >>> labels = np.array([[[3], [3]], [[7], [0]]])
    >>> means = ParcelMeans(labels, ids=(3, 5, 7), margin=np.zeros(3, int))
    >>> means.sample(np.array([[[1], [2]], [[5], [9]]], dtype=np.float32))
    array([1.5, nan, 5. ])
    """

    def __init__(
        self, labels: NDArray[np.int32], ids: tuple[int, ...], margin: NDArray[np.int64]
    ) -> None:
        self.box = _box_of(np.argwhere(labels), margin, labels.shape)
        flat = labels[self.box.slices].ravel(order="F")  # the first axis of volumes is fastest
        self._voxels = np.flatnonzero(flat)
        self._column = np.searchsorted(ids, flat[self._voxels])
        self._counts = np.bincount(self._column, minlength=len(ids)).astype(np.float64)
        self._counts[self._counts == 0] = np.nan

    def sample(self, volume: NDArray[np.float32]) -> NDArray[np.float64]:
        values = volume.ravel(order="F")[self._voxels]
        sums = np.bincount(self._column, weights=values, minlength=len(self._counts))
        return np.asarray(sums / self._counts)

    def sample_nearest(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.zeros(len(self._counts), dtype=bool)


class MaskVoxels:
    """Value at each voxel of a mask, by cubic splines if the volumes are on another grid.

    Parameters
    ----------
    atlas : Atlas
        The mask.
    shape, affine
        Grid of the volumes.
    margin : ndarray
        Voxels around the mask that smoothing needs, ``(3,)``.
    """

    def __init__(
        self,
        atlas: Atlas,
        shape: tuple[int, ...],
        affine: NDArray[Any],
        margin: NDArray[np.int64],
    ) -> None:
        points = np.argwhere(atlas.ids)  # in C order, like the ids
        nearest, self._within = nearest_voxels(points, atlas.affine, shape, to=affine)
        self._is_one_grid = same_grid(atlas.ids.shape, atlas.affine, shape, affine)
        if self._is_one_grid:
            coordinates: NDArray[Any] = points
        else:
            transform = np.linalg.inv(affine) @ atlas.affine
            coordinates = points @ transform[:3, :3].T + transform[:3, 3]
            centres = np.rint(coordinates)
            is_centre = np.abs(coordinates - centres) < SAME_VOXEL
            coordinates = np.where(is_centre, centres, coordinates)
            margin = margin + SPLINE_MARGIN
        self.box = _box_of(coordinates[self._within], margin, shape)
        self._coordinates = (coordinates - self.box.start).T
        self._nearest = (nearest - self.box.start)[self._within].T

    def sample(self, volume: NDArray[np.float32]) -> NDArray[np.float64]:
        if self._is_one_grid:
            return volume[tuple(self._coordinates)].astype(np.float64)
        from scipy.ndimage import map_coordinates

        values = map_coordinates(volume, self._coordinates, output=np.float64, order=3)
        return np.where(self._within, values, np.nan)

    def sample_nearest(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        sampled = np.zeros(len(self._within), dtype=bool)
        sampled[self._within] = flags[tuple(self._nearest)]
        return sampled


def smoothing_in_voxels(fwhm: float | None, affine: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviation in voxels along each axis of a Gaussian with a FWHM in mm.

    Examples
    --------
    >>> smoothing_in_voxels(np.sqrt(8 * np.log(2)) * 3, np.diag([3, 2, 1, 1])).round(6).tolist()
    [1.0, 1.5, 3.0]
    """
    voxel_mm = np.sqrt(np.square(affine[:3, :3]).sum(axis=0))
    return np.asarray((fwhm or 0.0) / (np.sqrt(8 * np.log(2)) * voxel_mm))


def smoothing_margin(deviation: NDArray[np.float64]) -> NDArray[np.int64]:
    """Extent of a Gaussian in voxels, along each axis."""
    return (TRUNCATE * deviation + 0.5).astype(np.int64)


def smooth(volume: NDArray[np.float32], deviation: NDArray[np.float64]) -> None:
    """Smooth a volume in place, axis by axis."""
    from scipy.ndimage import gaussian_filter1d

    for axis, sigma in enumerate(deviation):
        if sigma > 0:
            gaussian_filter1d(volume, sigma, output=volume, axis=axis, truncate=TRUNCATE)


def _box_of(points: NDArray[Any], margin: NDArray[np.int64], shape: tuple[int, ...]) -> Box:
    if not len(points):  # no target in this image
        return Box((0, 0, 0), (0, 0, 0))
    return Box.around(points.min(axis=0), points.max(axis=0), margin, shape)
