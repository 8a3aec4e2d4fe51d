"""Voxel grids in world coordinates: equality and overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.entities import parse_entities
from training.sources.labels import Atlas

SAME_MM = 1e-3  # affines of one grid may differ by rounding


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
    entities = parse_entities(atlas.path.name)
    said = entities.get("space", entities.get("tpl", space))
    images = space or "the space of the scanner (no space- in their names)"
    if said != space:
        raise ValueError(
            f"{atlas.path} is in space {said}, the images are in {images}; set space: {said}, or "
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


def labels_on_grid(atlas: Atlas, shape: tuple[int, ...], affine: NDArray[Any]) -> NDArray[np.int32]:
    """The id of each voxel of a grid, by nearest neighbour in the atlas, int32 `shape`."""
    if same_grid(atlas.ids.shape, atlas.affine, shape, affine):
        return atlas.ids
    points = np.indices(shape).reshape(3, -1).T
    nearest, within = nearest_voxels(points, affine, atlas.ids.shape, to=atlas.affine)
    ids = np.zeros(len(points), dtype=np.int32)
    ids[within] = atlas.ids[tuple(nearest[within].T)]
    return ids.reshape(shape)
