"""Responses and labels on the cortical surface: CIFTI files, and GIFTI files of both hemispheres.

The columns are *grayordinates*: vertices of the hemispheres and, in CIFTI, voxels of subcortical
structures. Their places are nibabel's ``BrainModelAxis`` in both formats, so that labels of one
format fit responses of the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import in_words, without_notes

STRUCTURES = {"left": "CIFTI_STRUCTURE_CORTEX_LEFT", "right": "CIFTI_STRUCTURE_CORTEX_RIGHT"}
CIFTI_SERIES, GIFTI_SERIES = ".dtseries.nii", ".func.gii"
SERIES = (CIFTI_SERIES, GIFTI_SERIES)
CIFTI_LABELS, GIFTI_LABELS = (".dlabel.nii", ".dscalar.nii"), (".label.gii",)
LABELS = (*CIFTI_LABELS, *GIFTI_LABELS)


@dataclass(frozen=True)
class SurfaceSeries:
    """The responses of a run.

    Attributes
    ----------
    axis : nibabel.cifti2.BrainModelAxis
        Places of the columns.
    n_trs : int
        Number of TRs.
    tr : float or None
        Repetition time in seconds by the header of a CIFTI file; GIFTI files have none.
    read : callable
        Returns float32 ``(n_trs, n_grayordinates)``.
    """

    axis: Any
    n_trs: int
    tr: float | None
    read: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class SurfaceLabels:
    """A parcellation.

    Attributes
    ----------
    axis : nibabel.cifti2.BrainModelAxis
        Places of the labels.
    ids : ndarray
        As stored, float64 ``(n_grayordinates,)``.
    names : dict
        Names by id; empty if the file has none.
    findings : tuple of str
        Remarks.
    """

    axis: Any
    ids: NDArray[np.float64]
    names: dict[int, str]
    findings: tuple[str, ...] = ()


def is_surface(path: Path) -> bool:
    """Whether a file's name is that of responses or labels on a surface."""
    return path.name.lower().endswith((*SERIES, *LABELS))


def open_series(path: Path, right: Path | None = None) -> SurfaceSeries:
    """Open the responses of a run.

    Parameters
    ----------
    path : Path
        ``.dtseries.nii``, or ``.func.gii`` of the left hemisphere.
    right : Path, optional
        ``.func.gii`` of the right hemisphere.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file cannot be read or is of another kind, a hemisphere is missing, or lengths differ.
    """
    if _is_pair(path, right, GIFTI_SERIES):
        left_axis, left = _read_hemisphere(path, "left")
        right_axis, other = _read_hemisphere(right, "right")
        if len(left) != len(other):
            raise ValueError(
                f"{path} has {len(left)} TRs and {right} {len(other)}; one of them is cut off: "
                "fetch both again"
            )
        values = np.hstack([left, other])
        return SurfaceSeries(left_axis + right_axis, len(left), None, lambda: values)
    image, series, axis = _open_cifti(path, "SeriesAxis", f"responses ({CIFTI_SERIES})")
    tr = float(series.step) if series.unit == "SECOND" and series.step > 0 else None
    return SurfaceSeries(axis, len(series), tr, partial(_values, image, path))


def read_surface_labels(path: Path, right: Path | None = None) -> SurfaceLabels:
    """Read a parcellation.

    Parameters
    ----------
    path : Path
        ``.dlabel.nii`` or ``.dscalar.nii`` with one map, or ``.label.gii`` of the left hemisphere.
    right : Path, optional
        ``.label.gii`` of the right hemisphere. If both use the same ids, those of the right one are
        counted on from the largest of the left.

    Raises
    ------
    FileNotFoundError, ValueError
        As for :func:`open_series`, and if there are several maps.
    """
    if _is_pair(path, right, GIFTI_LABELS):
        return _joined(path, right)
    kind = "LabelAxis" if path.name.lower().endswith(CIFTI_LABELS[0]) else "ScalarAxis"
    image, maps, axis = _open_cifti(path, kind, f"labels ({' or '.join(CIFTI_LABELS)})")
    _one_map(path, len(maps))
    named = maps.label[0] if kind == "LabelAxis" else {}
    names = {int(number): str(name) for number, (name, _) in named.items()}
    return SurfaceLabels(axis, _values(image, path)[0].astype(np.float64), names)


def _is_pair(path: Path, right: Path | None, kind: str | tuple[str, ...]) -> bool:
    """Whether the files are GIFTI; both hemispheres must then be given."""
    is_gifti = path.name.lower().endswith(kind)
    if is_gifti and right is None:
        raise ValueError(f"{path} is one hemisphere, and the right one is not given")
    if not is_gifti and right is not None:
        raise ValueError(f"{right} is given for the right hemisphere, but {path} holds both")
    return is_gifti


def _open_cifti(path: Path, kind: str, what: str) -> tuple[Any, Any, Any]:
    """A CIFTI image and its axes, the first of which is of the nibabel class `kind`."""
    import nibabel

    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        with without_notes(nibabel), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on shapes, which are compared below
            image = nibabel.Cifti2Image.from_filename(path)
        axes = [image.header.get_axis(i) for i in range(image.ndim)]
    except Exception as error:  # nibabel raises many types for damaged files
        raise ValueError(f"{path} cannot be read as CIFTI ({in_words(error)})") from error
    kinds = [type(axis).__name__ for axis in axes]
    if kinds != [kind, "BrainModelAxis"]:
        raise ValueError(
            f"{path} is a CIFTI file of {' by '.join(kinds)}, expected {what} of grayordinates"
        )
    if image.shape != tuple(map(len, axes)):
        raise ValueError(
            f"{path} holds values of shape {image.shape}, its header describes "
            f"{tuple(map(len, axes))}; fetch or write it again"
        )
    return image, *axes


def _values(image: Any, path: Path) -> NDArray[np.float32]:
    try:
        return np.asarray(image.dataobj, dtype=np.float32)
    except Exception as error:
        raise ValueError(
            f"{path} is damaged or cut off ({in_words(error)}); fetch it again"
        ) from error


def _open_gifti(path: Path, side: str) -> Any:
    import nibabel

    if not path.is_file():
        raise FileNotFoundError(f"no such file of the {side} hemisphere: {path}")
    try:
        with without_notes(nibabel):
            image = nibabel.GiftiImage.from_filename(path)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as GIFTI ({in_words(error)}); fetch it again"
        ) from error
    structures = " ".join(str((each.meta or {}).get("AnatomicalStructurePrimary", ""))
                    for each in (image, *image.darrays))  # fmt: skip
    other = "Right" if side == "left" else "Left"
    if f"Cortex{other}" in structures:
        raise ValueError(f"{path} is given for the {side} hemisphere, but says Cortex{other}")
    return image


def _read_hemisphere(path: Path | None, side: str) -> tuple[Any, NDArray[np.float32]]:
    """Axis and values ``(n_maps, n_vertices)`` of one hemisphere."""
    from nibabel.cifti2 import BrainModelAxis

    assert path is not None
    arrays = [np.asarray(each.data) for each in _open_gifti(path, side).darrays]
    if len(arrays) == 1 and arrays[0].ndim == 2:  # one array with a column per TR
        arrays = list(arrays[0].T)
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) != 1 or len(shapes[0]) != 1 or arrays[0].dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds arrays of shapes {shapes or 'nothing'}, expected one value per vertex "
            "in each"
        )
    axis = BrainModelAxis.from_surface(
        np.arange(shapes[0][0]), shapes[0][0], f"Cortex{side.title()}"
    )
    return axis, np.stack(arrays).astype(np.float32)


def _one_map(path: Path, n_maps: int) -> None:
    if n_maps != 1:
        raise ValueError(
            f"{path} holds {n_maps} maps, expected one; write the wanted one into a file of its own"
        )


def _joined(path: Path, right: Path | None) -> SurfaceLabels:
    """Labels of both hemispheres; a parcel never spans them."""
    axes, ids, names = [], [], []
    for side, file in zip(STRUCTURES, (path, right), strict=True):
        assert file is not None
        axis, values = _read_hemisphere(file, side)
        _one_map(file, len(values))
        table = _open_gifti(file, side).labeltable.get_labels_as_dict()
        axes.append(axis)
        ids.append(values[0].astype(np.float64))
        names.append({int(number): str(name) for number, name in table.items() if number > 0})
    findings = []
    if shared := set(ids[0][ids[0] > 0]) & set(ids[1]):
        last = int(max(ids[0].max(), 0))
        ids[1] = np.where(ids[1] > 0, ids[1] + last, ids[1])
        named = zip(STRUCTURES, (0, last), names, strict=True)
        names = [{i + by: f"{side} {name}" for i, name in own.items()} for side, by, own in named]
        findings = [
            f"{len(shared)} ids are used by both hemispheres: {last} is added to those of {right}"
        ]
    return SurfaceLabels(
        axes[0] + axes[1], np.concatenate(ids), names[0] | names[1], tuple(findings)
    )
