"""Published voxel archive of Tuckute, Feather et al. 2023, given by path.

The layout follows the authors' public code; the archive itself was not available here, so that any
difference is an error that names the file:

    FOLDER/NH2015/voxel_features_array.npy   (165 sounds, n_voxels, 3 scans)
    FOLDER/NH2015/voxel_features_meta.npy    a record per voxel; those with n_reps 3 are used
    FOLDER/NH2015/neural_stim_meta.npy       a record per sound, its first field "NAME.wav"
    FOLDER/B2021/voxel_features_array.npy    (192 sounds, n_voxels, 3); the first 165 are used
    FOLDER/DATASET/df_roi_meta.csv           a row per voxel used: subj_idx, roi_label_general

The last one is published as a pickle, which can execute code when opened and is not opened here. If
you trust it, convert it to text once:
``pandas.read_pickle("df_roi_meta.pkl").to_csv("df_roi_meta.csv", index=False)``. Regions are
Primary, Anterior, Lateral and Posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.data import SoundResponses, sound_files
from training.sources.tables import read_table

N_SOUNDS = 165
DATASETS = ("NH2015", "B2021")
ARRAY, META, STIMULI = "voxel_features_array.npy", "voxel_features_meta.npy", "neural_stim_meta.npy"
ROIS = "df_roi_meta.csv"


def read_archive(folder: Path, dataset: str, sounds: Path) -> SoundResponses:
    """One of the two datasets.

    Parameters
    ----------
    folder : Path
        The folder ``neural`` of the archive.
    dataset : str
        {"NH2015", "B2021"}.
    sounds : Path
        Folder of the audio files.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If a file has another layout, or sounds have no file.
    """
    if dataset not in DATASETS:
        raise ValueError(f"no dataset {dataset!r} in the archive; it has {' and '.join(DATASETS)}")
    own = folder / dataset
    voxels = _load(own / ARRAY)
    if voxels.ndim != 3 or voxels.shape[2] != 3 or len(voxels) < N_SOUNDS:
        raise ValueError(
            f"{own / ARRAY} has shape {voxels.shape}, expected ({N_SOUNDS} or more sounds, "
            "n_voxels, 3 scans)"
        )
    names = _names(_load(folder / "NH2015" / STIMULI), folder / "NH2015" / STIMULI)
    kept = np.arange(voxels.shape[1])
    if dataset == "NH2015":
        kept = _with_three_scans(_load(own / META), own / META, voxels.shape[1])
    participants, regions = _rois(own / ROIS, len(kept))
    return SoundResponses(
        name=dataset,
        sounds=names,
        responses=np.moveaxis(voxels[:N_SOUNDS, kept], 2, 0),
        participants=participants,
        regions=regions,
        read=sound_files(sounds, names, str(own / ARRAY)),
    )


def _load(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; see the layout in {__name__}")
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a plain numpy array ({error})") from error


def _names(records: NDArray[Any], path: Path) -> tuple[str, ...]:
    if records.dtype.names is None or len(records) != N_SOUNDS:
        raise ValueError(
            f"{path}: expected {N_SOUNDS} records with a name each, got {records.dtype}"
        )
    first = records[records.dtype.names[0]]
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in first.tolist()]
    return tuple(word.removesuffix(".wav") for word in words)


def _with_three_scans(records: NDArray[Any], path: Path, n_voxels: int) -> NDArray[np.intp]:
    if "n_reps" not in (records.dtype.names or ()) or len(records) != n_voxels:
        raise ValueError(f"{path}: expected a field n_reps for {n_voxels} voxels")
    return np.flatnonzero(records["n_reps"] == 3)


def _rois(path: Path, n_voxels: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; write it from df_roi_meta.pkl as described in {__name__}"
        )
    header, rows = read_table(path)
    missing = {"subj_idx", "roi_label_general"} - set(header)
    if missing or len(rows) != n_voxels:
        raise ValueError(
            f"{path}: expected the columns subj_idx and roi_label_general and {n_voxels} rows, got "
            f"{len(rows)} rows and {', '.join(header)}"
        )
    values: Sequence[dict[str, str]] = list(rows.values())
    regions = (row["roi_label_general"].strip() for row in values)
    return (
        tuple(row["subj_idx"].strip() for row in values),
        tuple("" if region.lower() == "nan" else region for region in regions),
    )
