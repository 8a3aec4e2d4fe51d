"""Small runs and parcellations on a surface, written by nibabel's own classes."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
from fmriprep_study import confounds
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, ScalarAxis, SeriesAxis
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

N_VERTICES = 40
TR = 1.5
MEDIAL_WALL = 6  # vertices of each hemisphere that CIFTI leaves out
VOXELS = np.argwhere(np.ones((2, 2, 2)))


def grayordinates(n_vertices: int = N_VERTICES, voxels: bool = True) -> BrainModelAxis:
    """Both hemispheres without their medial wall, and a thalamus of eight voxels."""
    cortex = np.arange(MEDIAL_WALL, n_vertices)
    axis = BrainModelAxis.from_surface(cortex, n_vertices, "CortexLeft")
    axis += BrainModelAxis.from_surface(cortex[::-1], n_vertices, "CortexRight")
    if voxels:
        axis += BrainModelAxis.from_mask(np.ones((2, 2, 2)), "ThalamusLeft", np.eye(4))
    return axis


def whole_cortex(n_vertices: int = N_VERTICES) -> BrainModelAxis:
    every = np.arange(n_vertices)
    left = BrainModelAxis.from_surface(every, n_vertices, "CortexLeft")
    return left + BrainModelAxis.from_surface(every, n_vertices, "CortexRight")


def write_series(path: Path, values: np.ndarray, axis: BrainModelAxis, tr: float = TR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    series = SeriesAxis(0, tr, len(values), "SECOND")
    nibabel.save(Cifti2Image(values.astype(np.float32), (series, axis)), path)
    return path


def write_dlabel(path: Path, ids: np.ndarray, axis: BrainModelAxis, **names: str) -> Path:
    table = {0: ("???", (0, 0, 0, 0))}
    table |= {int(number.strip("n")): (name, (1, 0, 0, 1)) for number, name in names.items()}
    labels = LabelAxis(["parcels"], [table])
    nibabel.save(Cifti2Image(ids[None].astype(np.float32), (labels, axis)), path)
    return path


def write_dscalar(path: Path, values: np.ndarray, axis: BrainModelAxis) -> Path:
    maps = ScalarAxis([f"map {i}" for i in range(len(values))])
    nibabel.save(Cifti2Image(values.astype(np.float32), (maps, axis)), path)
    return path


def write_func(path: Path, values: np.ndarray, structure: str = "") -> Path:
    """One hemisphere, values ``(n_trs, n_vertices)``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [
        GiftiDataArray(row.astype(np.float32), intent="NIFTI_INTENT_TIME_SERIES") for row in values
    ]
    image = GiftiImage(darrays=arrays)
    if structure:
        image.meta["AnatomicalStructurePrimary"] = structure
    nibabel.save(image, path)
    return path


def write_label(path: Path, ids: np.ndarray, names: dict[int, str]) -> Path:
    table = GiftiLabelTable()
    for number, name in {0: "???", **names}.items():
        label = GiftiLabel(number, 1, 0, 0, 1)
        label.label = name
        table.labels.append(label)
    array = GiftiDataArray(ids.astype(np.int32), intent="NIFTI_INTENT_LABEL")
    nibabel.save(GiftiImage(darrays=[array], labeltable=table), path)
    return path


def write_companions(func: Path, run: str, n_trs: int, side: str = "", seed: int = 0) -> np.ndarray:
    """The table of confounds of a run and a sidecar; the regressors of the table."""
    table = confounds(n_trs, np.random.default_rng(seed))
    table.to_csv(func / f"{run}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    (func / f"{run}_desc-confounds_timeseries.json").write_text("{}")
    (func / f"{run}_{side}_bold.json").write_text(json.dumps({"RepetitionTime": TR}))
    return table
