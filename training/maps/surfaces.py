"""Targets on the cortical surface: the target of each vertex.

Targets of a surface have their vertices in their image, a CIFTI file. Those of a volume are drawn
on fsaverage5, and values are never interpolated: target ids are sampled in the voxels between white
matter and pia, the most frequent id is assigned to the vertex, and its value follows from the id.
So each vertex has the value of one target or none. Faces between targets get one of them, too
(:func:`sharp_mesh`), because a renderer blends colours over a face whose corners differ.

The meshes come with nilearn (Fischl et al. 1999, 10,242 vertices per hemisphere).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import in_words, read_label_image
from training.sources.labels import read_surface_atlas
from training.sources.sampling import nearest_voxels
from training.sources.surface_files import STRUCTURES, is_surface

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

HEMISPHERES = tuple(STRUCTURES)
# Sampling depths, 0 at the white matter and 1 at the pia.
DEPTHS = np.linspace(0, 1, 7)


class UnknownMesh(ValueError):
    """A surface whose mesh is not included and was not given."""


@dataclass(frozen=True)
class Mesh:
    """One hemisphere to draw on.

    Attributes
    ----------
    inflated : ndarray
        Coordinates of the vertices in mm, ``(n_vertices, 3)``; x to the right, y to the front, z
        up.
    faces : ndarray
        Vertices of each triangle, ``(n_faces, 3)``.
    depth : ndarray
        Sulcal depth, positive in sulci, ``(n_vertices,)``.
    """

    inflated: Floats
    faces: Integers
    depth: Floats


@dataclass(frozen=True)
class Hemisphere(Mesh):
    """One hemisphere of fsaverage5, with the coordinates of `white` and `pial`, as `inflated`."""

    white: Floats
    pial: Floats


@dataclass(frozen=True)
class Cortex:
    """Both hemispheres, "left" and "right", and the target id of each vertex, 0 for none."""

    meshes: Mapping[str, Mesh]
    labels: Mapping[str, Integers]


def load_cortex(targets_image: Path, mesh: Sequence[Path] = ()) -> Cortex:
    """The surface that targets are drawn on.

    Parameters
    ----------
    targets_image : Path
        Image of target ids, in the volume (MNI space) or on a surface.
    mesh : sequence of Path
        Files of the left and the right hemisphere, best inflated, for targets on another surface
        than fsaverage5, which comes with nilearn.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    UnknownMesh
        If the surface has another number of vertices than fsaverage5 and `mesh` is not given.
    ValueError
        If a file cannot be read, or `mesh` has another number of vertices.
    """
    if not is_surface(targets_image):
        if mesh:
            raise ValueError(f"{targets_image} is a volume, drawn on fsaverage5; leave mesh out")
        return Cortex(load_hemispheres(), surface_labels(targets_image))
    atlas = read_surface_atlas(targets_image)
    n_vertices = {side: atlas.axis.nvertices.get(name, 0) for side, name in STRUCTURES.items()}
    meshes = _read_meshes(mesh) if mesh else dict[str, Mesh](load_hemispheres())
    labels = {}
    for side, name in STRUCTURES.items():
        n_drawn = len(meshes[side].inflated)
        if n_vertices[side] not in (0, n_drawn):
            text = f"the {side} hemisphere of {targets_image} has {n_vertices[side]} vertices, "
            if mesh:
                raise ValueError(f"{text}{mesh[HEMISPHERES.index(side)]} has {n_drawn}")
            raise UnknownMesh(
                f"{text}a mesh that is not included (fsaverage5 is, of {n_drawn}); give the "
                "inflated surfaces of the left and the right hemisphere as mesh"
            )
        labels[side] = np.zeros(n_drawn, dtype=np.int64)
        own = atlas.axis.name == name
        labels[side][atlas.axis.vertex[own]] = atlas.ids[own]
    return Cortex(meshes, labels)


def _read_meshes(paths: Sequence[Path]) -> dict[str, Mesh]:
    """Meshes of both hemispheres, in GIFTI or FreeSurfer's format."""
    from nilearn.surface import load_surf_mesh

    if len(paths) != len(HEMISPHERES):
        raise ValueError(f"mesh needs a file of each hemisphere, left and right, got {len(paths)}")
    meshes = {}
    for side, path in zip(HEMISPHERES, paths, strict=True):
        if not path.is_file():
            raise FileNotFoundError(f"no such mesh of the {side} hemisphere: {path}")
        try:
            read = load_surf_mesh(path)
        except Exception as error:  # nilearn and nibabel raise many types
            raise ValueError(f"{path} cannot be read as a mesh ({in_words(error)})") from error
        inflated = np.asarray(read.coordinates, dtype=np.float64)
        faces = np.asarray(read.faces, dtype=np.int64)
        meshes[side] = Mesh(inflated, faces, np.zeros(len(inflated)))
    return meshes


@cache
def load_hemispheres() -> dict[str, Hemisphere]:
    """fsaverage5 as included in nilearn, by name of the hemisphere; offline."""
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    meshes = load_fsaverage("fsaverage5")
    depth = load_fsaverage_data(mesh="fsaverage5", data_type="sulcal")
    return {
        side: Hemisphere(
            white=_coordinates(meshes["white_matter"], side),
            pial=_coordinates(meshes["pial"], side),
            inflated=_coordinates(meshes["inflated"], side),
            faces=np.asarray(meshes["pial"].parts[side].faces, dtype=np.int64),
            depth=np.asarray(depth.data.parts[side], dtype=np.float64),
        )
        for side in HEMISPHERES
    }


def _coordinates(mesh: Any, side: str) -> Floats:
    return np.asarray(mesh.parts[side].coordinates, dtype=np.float64)


def surface_labels(targets_image: str | Path) -> dict[str, Integers]:
    """Target id of each vertex, 0 if there is none.

    Parameters
    ----------
    targets_image : path-like
        A three-dimensional image in MNI space whose voxel values are target ids, 0 for background.

    Returns
    -------
    dict of ndarray
        ``(n_vertices,)`` for "left" and "right". All 0 if the image has no target near the cortex.

    Raises
    ------
    FileNotFoundError, ValueError
        If the image is missing or cannot be read.
    """
    image = read_label_image(targets_image)
    labels = {}
    for side, half in load_hemispheres().items():
        samples = np.zeros((len(DEPTHS), len(half.white)), dtype=image.ids.dtype)
        for sample, depth in zip(samples, DEPTHS, strict=True):
            points = (1 - depth) * half.white + depth * half.pial
            voxels, within = nearest_voxels(points, np.eye(4), image.ids.shape, to=image.affine)
            sample[within] = image.ids[tuple(voxels[within].T)]
        labels[side] = most_frequent(samples)
    return labels


def most_frequent(samples: Integers) -> Integers:
    """The most frequent id of each column, 0 only if there is no other; the first one in a tie.

    Parameters
    ----------
    samples : ndarray
        ``(n_samples, n_points)``.

    Examples
    --------
    >>> most_frequent(np.array([[0, 4, 0], [0, 7, 0], [0, 7, 5]])).tolist()
    [0, 7, 5]
    """
    counts = (samples[:, None, :] == samples[None, :, :]).sum(axis=1)
    counts[samples == 0] = 0
    best = counts.argmax(axis=0)  # the first of equals
    return np.asarray(samples[best, np.arange(samples.shape[1])])


def surface_values(labels: Integers, values_by_id: Mapping[int, float]) -> Floats:
    """Value of each vertex, NaN if its target has none.

    Examples
    --------
    >>> surface_values(np.array([0, 3, 3, 8]), {3: 0.5}).tolist()
    [nan, 0.5, 0.5, nan]
    """
    ids, places = np.unique(labels, return_inverse=True)
    return np.array([values_by_id.get(int(i), np.nan) for i in ids], dtype=np.float64)[places]


def face_labels(labels: Integers, faces: Integers) -> Integers:
    """One target id per face: that of at least two corners, else of the first corner.

    Examples
    --------
    >>> face_labels(np.array([5, 6, 6, 9]), np.array([[0, 1, 2], [0, 1, 3]])).tolist()
    [6, 5]
    """
    first, second, third = labels[faces].T
    return np.asarray(np.where(second == third, second, first))


def sharp_mesh(labels: Integers, faces: Integers) -> tuple[Integers, Integers, Integers]:
    """A mesh whose faces have corners of one target each; vertices between targets are duplicated.

    Returns
    -------
    vertices : ndarray
        Original vertex of each new one, ``(n_new,)``.
    new_labels : ndarray
        Target id of each new vertex, ``(n_new,)``.
    new_faces : ndarray
        ``(n_faces, 3)``, into the new vertices.

    Examples
    --------
    >>> vertices, ids, faces = sharp_mesh(np.array([5, 5, 6]), np.array([[0, 1, 2]]))
    >>> vertices.tolist(), ids.tolist(), faces.tolist()
    ([0, 1, 2], [5, 5, 5], [[0, 1, 2]])
    """
    owners = np.repeat(face_labels(labels, faces), 3)
    pairs, places = np.unique(np.column_stack([faces.ravel(), owners]), axis=0, return_inverse=True)
    return pairs[:, 0], pairs[:, 1], places.reshape(faces.shape)
