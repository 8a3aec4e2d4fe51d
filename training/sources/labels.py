"""Atlases with names of their labels: a label image, a mask, a parcellation of the surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from hear_brainsoundnet.nifti import read_label_image
from training.config import Settings, added_setting
from training.sources.label_table import MOST_ID, LabelTable, label_names
from training.sources.source import Targets
from training.sources.surface_files import LABELS, is_surface, read_surface_labels
from training.sources.volumes import read_voxels

MOST_EXACT = 2**24  # targets are stored as float32, as Connectome Workbench does
MAP_NAME = "target id"


@dataclass(frozen=True)
class Atlas:
    """Location of the targets of a dataset.

    Attributes
    ----------
    targets : Targets
        Ids, names, and an image of the ids.
    ids : ndarray
        int32 ``(x, y, z)``: the id of each voxel, 0 if none.
    affine : ndarray
        From voxel indices to millimetres, ``(4, 4)``.
    unit : str
        {"parcel", "voxel"}: whether a target is the mean of its voxels, or one voxel.
    path : Path
        The image's file.
    findings : tuple of str
        Rows of the table without voxels.
    """

    targets: Targets
    ids: NDArray[np.int32]
    affine: NDArray[np.float64]
    unit: Literal["parcel", "voxel"]
    path: Path
    findings: tuple[str, ...] = ()


class LabelSettings(Settings):
    """Base of sources whose targets are the labels of an image.

    Attributes
    ----------
    labels : Path or None
        The image, whose voxel values are ids of parcels; or a parcellation of the surface,
        ``.dlabel.nii``, ``.dscalar.nii``, or ``.label.gii`` of the left hemisphere.
    right_labels : Path or None
        ``.label.gii`` of the right hemisphere.
    label_table : Path or None
        Names of the labels; see :mod:`training.sources.label_table`.
    id_column, name_column : str or None
        Columns of the table; by default those with a usual name.
    background : int or None
        Another value of the label image that is background, besides 0, -1 and NaN.
    atlas : str
        Name of the atlas; by default that of the image's file.
    """

    labels: Path | None = None
    right_labels: Path | None = added_setting(None)
    label_table: Path | None = None
    id_column: str | None = None
    name_column: str | None = None
    background: int | None = added_setting(None)
    atlas: str = ""

    @model_validator(mode="after")
    def _table_has_image(self) -> LabelSettings:
        if self.label_table is not None and self.labels is None:
            raise ValueError(
                "label_table names the parcels of labels, which is not given; a mask has none"
            )
        if self.right_labels is not None and (self.labels is None or not is_surface(self.labels)):
            raise ValueError(
                f"right_labels goes with labels of the left hemisphere ({LABELS[-1]}), "
                f"got {self.labels}"
            )
        return self

    def read_atlas(self) -> Atlas | SurfaceAtlas | None:
        """The labels with their names, see :func:`read_labels`; None without labels."""
        if self.labels is None:
            return None
        table = None
        if self.label_table is not None:
            table = LabelTable(self.label_table, self.id_column, self.name_column)
        if is_surface(self.labels):
            return read_surface_atlas(
                self.labels, self.right_labels, table, self.atlas, self.background
            )
        return read_labels(self.labels, table, self.atlas, self.background)


def read_labels(
    path: Path,
    table: LabelTable | None = None,
    atlas: str = "",
    background: int | None = None,
) -> Atlas:
    """Read an image whose voxel values are ids of parcels.

    Parameters
    ----------
    path : Path
        Image of whole numbers; background is 0, NaN or -1, as for
        :func:`hear_brainsoundnet.nifti.read_label_image`.
    table : LabelTable, optional
        Names of the ids, see :func:`training.sources.label_table.label_names`.
    atlas : str
        Name of the atlas; by default that of the file.
    background : int, optional
        Another background value.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, the image has other values, or the table lacks an id.
    """
    image = read_label_image(path)
    ids = np.where(image.ids == background, 0, image.ids)
    if ids.min() < 0 or ids.max() > MOST_ID:
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise ValueError(
            f"{path} is not a label image: it holds {wrong}, expected whole numbers from 1 to "
            f"{MOST_ID}, and 0, -1 or NaN for background"
        )
    ids = ids.astype(np.int32)
    present = tuple(int(i) for i in np.unique(ids) if i)
    if not present:
        raise ValueError(f"{path} holds no label, only background")
    names, findings = label_names(path, present, table)
    if ids.all():
        findings.insert(
            0,
            f"{path} has no background (0, -1 or NaN); if its label {ids[0, 0, 0]}, in the corner, "
            f"is meant as that, set background: {ids[0, 0, 0]}",
        )
    return Atlas(
        Targets(present, names, atlas or _stem(path), _image(ids, image.affine)),
        ids,
        image.affine,
        "parcel",
        path,
        tuple(findings),
    )


def read_mask(path: Path, atlas: str = "") -> Atlas:
    """Read a mask whose voxels are the targets: ids 1 to n in C order (last axis fastest).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, empty, or holds more than one label.
    """
    values, affine = read_voxels(path, n_dimensions=3, finite=False)
    values[np.isnan(values)] = 0
    levels = np.unique(values)
    if len(levels[levels != 0]) != 1:
        raise ValueError(
            f"{path} has {len(levels[levels != 0])} values besides 0, a mask has one; a label "
            "image is given as labels:"
        )
    ids = np.zeros(values.shape, dtype=np.int32)
    n_voxels = np.count_nonzero(values)
    ids[values != 0] = np.arange(1, n_voxels + 1)
    present = tuple(range(1, n_voxels + 1))
    names = tuple(f"voxel {i}" for i in present)
    targets = Targets(present, names, atlas or _stem(path), _image(ids, affine))
    return Atlas(targets, ids, affine, "voxel", path)


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _image(ids: NDArray[np.int32], affine: NDArray[Any]) -> Any:
    import nibabel

    return nibabel.Nifti1Image(ids, affine)


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
    table: LabelTable | None = None,
    atlas: str = "",
    background: int | None = None,
) -> SurfaceAtlas:
    """Read a parcellation; parameters as for :func:`read_labels`.

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
    if (values < 0).any() or (values > MOST_EXACT).any() or (values % 1).any():
        wrong = values[(values < 0) | (values > MOST_EXACT) | (values % 1 != 0)][0]
        raise ValueError(
            f"{path} is not a parcellation: it holds {wrong:g}, expected whole numbers from 1 to "
            f"{MOST_EXACT}, and 0, -1 or NaN for background"
        )
    ids = values.astype(np.int32)
    present = tuple(int(i) for i in np.unique(ids) if i)
    if not present:
        raise ValueError(f"{path} holds no label, only background")
    names, findings = label_names(path, present, table, labels.names)
    targets = Targets(present, names, atlas or _stem(path), image_of_targets(labels.axis, ids))
    return SurfaceAtlas(targets, labels.axis, ids, path, (*labels.findings, *findings))


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
