"""Atlas of the simulated brain, and its auditory parcels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.label_table import LabelTable
from training.sources.labels import read_labels

ATLAS_FILE = "atlas.nii.gz"
LABEL_FILE = "atlas.csv"
ATLAS_MM = 4  # voxels of the synthetic atlas
AUDITORY_X = 40.0  # mm in MNI space: lateral of this on both sides,
AUDITORY_Y = (-40.0, 5.0)
AUDITORY_Z = (-5.0, 15.0)


@dataclass(frozen=True)
class Parcels:
    """Labels of an atlas.

    Attributes
    ----------
    ids : array
        Ascending, ``(n_targets,)``.
    names : tuple of str
        One each.
    centres : array
        Mean position in mm, ``(n_targets, 3)``.
    image : nibabel.Nifti1Image
        Its voxel values are the ids, 0 elsewhere.
    """

    ids: NDArray[np.int64]
    names: tuple[str, ...]
    centres: NDArray[np.float64]
    image: Any

    def from_auditory_cortex(self) -> NDArray[np.float64]:
        """Distance from the box around the superior temporal lobes in mm, ``(n_targets,)``."""
        x, y, z = np.abs(self.centres[:, 0]), self.centres[:, 1], self.centres[:, 2]
        outside = [
            np.maximum(0, AUDITORY_X - x),
            np.maximum(0, np.maximum(AUDITORY_Y[0] - y, y - AUDITORY_Y[1])),
            np.maximum(0, np.maximum(AUDITORY_Z[0] - z, z - AUDITORY_Z[1])),
        ]
        return np.asarray(np.linalg.norm(outside, axis=0))


def made_up_parcels(n_parcels: int, seed: np.random.SeedSequence) -> Parcels:
    """Voronoi cells around random voxels of the MNI152 brain."""
    import nibabel
    from nilearn.datasets import load_mni152_brain_mask
    from scipy.spatial import cKDTree

    generator = np.random.default_rng(seed)
    mask = load_mni152_brain_mask(resolution=ATLAS_MM)
    inside = np.asarray(mask.dataobj) > 0
    voxels = np.argwhere(inside)
    seeds = voxels[generator.choice(len(voxels), n_parcels, replace=False)]
    values = np.zeros(inside.shape, np.int16)
    values[inside] = cKDTree(seeds).query(voxels)[1] + 1
    image = nibabel.Nifti1Image(values, mask.affine)
    image.header.set_xyzt_units("mm", "sec")
    width = len(str(n_parcels))
    return _parcels(image, {i: f"parcel-{i:0{width}}" for i in range(1, n_parcels + 1)})


def read_parcels(atlas: Path, label_table: Path | None = None) -> Parcels:
    """An atlas from an image of labels in MNI space, and a table of their names.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the image does not hold labels, or the table lacks an id.
    """
    read = read_labels(atlas, None if label_table is None else LabelTable(label_table))
    return _parcels(
        read.targets.image, dict(zip(read.targets.ids, read.targets.names, strict=True))
    )


def write_parcels(folder: Path, parcels: Parcels) -> None:
    """``atlas.nii.gz`` and ``atlas.csv`` with the columns ``roi;label``."""
    import nibabel

    nibabel.save(parcels.image, folder / ATLAS_FILE)
    rows = [f"{i};{name}" for i, name in zip(parcels.ids, parcels.names, strict=True)]
    (folder / LABEL_FILE).write_text("\n".join(["roi;label", *rows]) + "\n", encoding="utf-8")


def _parcels(image: Any, names: dict[int, str]) -> Parcels:
    from nibabel.affines import apply_affine
    from scipy.ndimage import center_of_mass

    values = np.asarray(image.dataobj)
    ids = np.array(sorted(names), dtype=np.int64)
    centres = center_of_mass(np.ones(values.shape, np.int8), values, ids)
    positions = np.asarray(apply_affine(image.affine, np.asarray(centres)))
    return Parcels(ids, tuple(names[int(i)] for i in ids), positions, image)
