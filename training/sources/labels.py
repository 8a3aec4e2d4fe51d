"""Atlases: a label image or a mask, and the names that a table gives to the labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.sources.nifti import read_voxels
from training.sources.source import Targets
from training.sources.tables import read_table

ID_COLUMNS = ("roi", "id", "index", "label_id", "region_id", "parcel", "value")
NAME_COLUMNS = ("label", "name", "region", "region_name", "roi_name", "label_name")


@dataclass(frozen=True)
class Atlas:
    """Where the targets of a dataset lie.

    Attributes
    ----------
    targets : Targets
        Ids, names, and an image of the ids.
    ids : ndarray
        int32 ``(x, y, z)``: the id of each voxel, 0 where there is none.
    affine : ndarray
        From voxel indices to millimetres, ``(4, 4)``.
    unit : str
        {"parcel", "voxel"}: whether a target is the mean of its voxels, or one voxel.
    path : Path
        The image's file.
    findings : tuple of str
        Rows of the table that have no voxel.
    """

    targets: Targets
    ids: NDArray[np.int32]
    affine: NDArray[np.float64]
    unit: Literal["parcel", "voxel"]
    path: Path
    findings: tuple[str, ...] = ()


def read_labels(
    path: Path,
    table: Path | None = None,
    id_column: str | None = None,
    name_column: str | None = None,
    atlas: str = "",
) -> Atlas:
    """Read an image whose voxel values are ids of parcels.

    Parameters
    ----------
    path : Path
        NIfTI image of whole numbers, 0 for background.
    table : Path, optional
        csv or tsv with a name for each id; a name that several parcels share gets its id appended.
    id_column, name_column : str, optional
        Columns of the table; found by the usual names where not given.
    atlas : str
        Name of the atlas; the file's where empty.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged, the image has other values, or the table lacks an id.
    """
    values, affine = read_voxels(path, n_dimensions=3)
    ids = np.rint(values).astype(np.int32)
    if not np.allclose(values, ids, atol=1e-3) or ids.min() < 0:
        raise ValueError(f"{path} is not a label image: its voxels must be whole numbers from 0 on")
    present = tuple(int(i) for i in np.unique(ids) if i)
    if not present:
        raise ValueError(f"{path} holds no label, only background")
    names = {i: f"label {i}" for i in present}
    findings = []
    if table is not None:
        named = read_label_names(table, id_column, name_column)
        if missing := [str(i) for i in present if i not in named]:
            raise ValueError(f"{table} has no row for the labels {', '.join(missing)} of {path}")
        names = {i: named[i] for i in present}
        if without := [f"{i} ({name})" for i, name in named.items() if i not in names]:
            findings.append(f"{table} names labels without a voxel in {path}: {', '.join(without)}")
    return Atlas(
        Targets(present, _distinct(names), atlas or _stem(path), _image(ids, affine)),
        ids,
        affine,
        "parcel",
        path,
        tuple(findings),
    )


def read_mask(path: Path, atlas: str = "") -> Atlas:
    """Read a mask each voxel of which is a target: ids 1 to n in C order (last axis fastest).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, empty, or holds more than one label.
    """
    values, affine = read_voxels(path, n_dimensions=3)
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


def read_label_names(
    table: Path, id_column: str | None = None, name_column: str | None = None
) -> dict[int, str]:
    """The names that a table gives to ids.

    Raises
    ------
    FileNotFoundError
        If there is no such table.
    ValueError
        If a column is not there, or an id is no whole number or stands in two rows.
    """
    columns, rows = read_table(table)
    id_column = id_column or _first(ID_COLUMNS, columns, table, "ids", "id_column")
    others = [column for column in columns if column != id_column]
    name_column = name_column or _first(NAME_COLUMNS, others, table, "names", "name_column")
    for column in (id_column, name_column):
        if column not in columns:
            raise ValueError(f"{table} has no column {column!r}, only {', '.join(columns)}")
    names: dict[int, str] = {}
    for line, row in rows.items():
        try:
            number = int(row[id_column])
        except ValueError as error:
            raise ValueError(
                f"{table} line {line}: {row[id_column]!r} in column {id_column} is no whole "
                "number; name the column of ids with id_column:"
            ) from error
        if number in names:
            raise ValueError(f"{table} line {line}: the id {number} stands in two rows")
        names[number] = row[name_column]
    return names


def _first(usual: tuple[str, ...], columns: list[str], table: Path, what: str, setting: str) -> str:
    lower = {column.lower(): column for column in columns}
    for name in usual:
        if name in lower:
            return lower[name]
    raise ValueError(
        f"{table}: none of the columns {', '.join(columns)} is known to hold {what}; say which "
        f"with {setting}:"
    )


def _distinct(names: dict[int, str]) -> tuple[str, ...]:
    counts = Counter(names.values())
    return tuple(name if counts[name] == 1 else f"{name} {i}" for i, name in names.items())


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _image(ids: NDArray[np.int32], affine: NDArray[Any]) -> Any:
    import nibabel

    return nibabel.Nifti1Image(ids, affine)
