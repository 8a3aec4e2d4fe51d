"""Parcellations of the cortical surface, and all grayordinates as targets of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.label_table import MOST_ID, label_names
from training.sources.source import Targets
from training.sources.surface_files import read_surface_labels

MOST_EXACT = 2**24  # targets are stored as float32, as Connectome Workbench does
MAP_NAME = "target id"


@dataclass(frozen=True)
class SurfaceAtlas:
    """Location of the targets of a dataset on the surface.

    Attributes
    ----------
    targets : Targets
        Ids, names, and a CIFTI image of the ids.
    axis : nibabel.cifti2.BrainModelAxis
        Grayordinates of the atlas.
    ids : ndarray
        int32 ``(n_grayordinates,)``: the id of each, 0 if none.
    path : Path
        Its file.
    findings : tuple of str
        Remarks on the file.
    """

    targets: Targets
    axis: Any
    ids: NDArray[np.int32]
    path: Path
    findings: tuple[str, ...] = ()

    def ids_on(self, axis: Any, where: Path) -> NDArray[np.int32]:
        """The id of each grayordinate of other files, by vertex or voxel.

        Parameters
        ----------
        axis : nibabel.cifti2.BrainModelAxis
            Their grayordinates.
        where : Path
            The file, for messages.

        Raises
        ------
        ValueError
            If it has another mesh or another grid, or no target at all.
        """
        found = np.zeros(len(axis), dtype=np.int32)
        for name, part, own in self.axis.iter_structures():
            theirs = axis.name == name
            if not theirs.any():
                continue
            if name in self.axis.nvertices:
                shape: tuple[int, ...] = (self.axis.nvertices[name],)
                if axis.nvertices.get(name) != shape[0]:
                    raise ValueError(
                        f"{self.path} has {shape[0]} vertices in {_short(name)}, {where} "
                        f"{axis.nvertices.get(name)}; take a parcellation of the same surface"
                    )
                places, wanted = (own.vertex,), (axis.vertex[theirs],)
            else:
                shape = self.axis.volume_shape
                if axis.volume_shape != shape or not np.allclose(axis.affine, self.axis.affine):
                    raise ValueError(
                        f"the voxels of {self.path} are not on the grid of {where}; take a "
                        "parcellation of the same grayordinates"
                    )
                places, wanted = tuple(own.voxel.T), tuple(axis.voxel[theirs].T)
            dense = np.zeros(shape, dtype=np.int32)
            dense[places] = self.ids[part]
            found[theirs] = dense[wanted]
        if not found.any():
            raise ValueError(f"no grayordinate of {where} has a label of {self.path}")
        return found


def read_surface_atlas(
    path: Path,
    right: Path | None = None,
    table: Path | None = None,
    id_column: str | None = None,
    name_column: str | None = None,
    atlas: str = "",
    background: int | None = None,
) -> SurfaceAtlas:
    """Read a parcellation; parameters as for :func:`training.sources.labels.read_labels`.

    Parameters
    ----------
    path, right : Path
        As for :func:`training.sources.surface_files.read_surface_labels`. Without a table, names
        are those of the file.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, holds no label or other values, or the table lacks an id.
    """
    labels = read_surface_labels(path, right)
    values = np.nan_to_num(labels.ids)
    values[(values == -1) | (values == background)] = 0
    if (values < 0).any() or (values > min(MOST_ID, MOST_EXACT)).any() or (values % 1).any():
        wrong = values[(values < 0) | (values > MOST_EXACT) | (values % 1 != 0)][0]
        raise ValueError(
            f"{path} is not a parcellation: it holds {wrong:g}, expected whole numbers from 1 to "
            f"{MOST_EXACT}, and 0, -1 or NaN for background"
        )
    ids = values.astype(np.int32)
    present = tuple(int(i) for i in np.unique(ids) if i)
    if not present:
        raise ValueError(f"{path} holds no label, only background")
    names, said = label_names(path, present, table, id_column, name_column, known=labels.names)
    name = atlas or path.name.partition(".")[0]
    targets = Targets(present, names, name, image_of_targets(labels.axis, ids))
    return SurfaceAtlas(targets, labels.axis, ids, path, (*labels.findings, *said))


def every_grayordinate(axis: Any, path: Path, atlas: str = "") -> SurfaceAtlas:
    """Each grayordinate of a file as a target, ids 1 to n in its order."""
    ids = np.arange(1, len(axis) + 1, dtype=np.int32)
    names = tuple(
        f"{_short(name)} vertex {place}" if kind == "CIFTI_MODEL_TYPE_SURFACE" else
        f"{_short(name)} voxel {' '.join(map(str, place))}"
        for kind, place, name in map(axis.get_element, range(len(axis)))
    )  # fmt: skip
    targets = Targets(tuple(ids.tolist()), names, atlas, image_of_targets(axis, ids))
    return SurfaceAtlas(targets, axis, ids, path)


def image_of_targets(axis: Any, values: NDArray[Any], name: str = MAP_NAME) -> Any:
    """A ``.dscalar.nii`` of one value per grayordinate, a nibabel.Cifti2Image."""
    from nibabel.cifti2 import Cifti2Image, ScalarAxis

    image = Cifti2Image(values[None].astype(np.float32), (ScalarAxis([name]), axis))
    image.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_DENSE_SCALARS")
    return image


def _short(structure: str) -> str:
    """``left cortex`` for ``CIFTI_STRUCTURE_CORTEX_LEFT``."""
    words = structure.removeprefix("CIFTI_STRUCTURE_").lower().split("_")
    sides = [word for word in words if word in ("left", "right")]
    return " ".join([*sides, *(word for word in words if word not in sides)])
