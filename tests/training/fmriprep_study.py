"""Derivatives as fMRIPrep writes them, with small random images, and brute force to check by."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas

from training.sources.fmriprep import FmriprepSource

SHAPE = (10, 10, 10)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = (-20, -18, -15)
N_TRS = 30
TR = 1.5
SPACE = "MNI152NLin2009cAsym"
MOTION = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
MINIMAL = [*MOTION, "csf", "white_matter", "cosine00", "cosine01"]
NONE = {"strategy": []}


class Study:
    """A folder of derivatives, stimuli and an atlas with the labels 2, 5 and 9."""

    def __init__(self, root: Path) -> None:
        self.derivatives = root / "derivatives"
        self.stimuli = root / "stimuli"
        self.stimuli.mkdir()
        for name in ("s01e02a", "s01e02b"):
            (self.stimuli / f"{name}.wav").write_bytes(b"")
        self.labels = root / "atlas.nii.gz"
        self.label_values = np.zeros(SHAPE)
        self.label_values[2:5, 2:5, 2:5] = 9
        self.label_values[6:8, 2:5, 2:5] = 2
        self.label_values[3, 7, 3:7] = 5
        save(self.label_values, self.labels)

    def write_run(
        self,
        sub: str = "01",
        ses: str = "003",
        task: str = "s01e02a",
        grid: str = f"space-{SPACE}",
        n_trs: int = N_TRS,
        shape: tuple[int, ...] = SHAPE,
        seed: int = 0,
    ) -> Path:
        """All files of a run; the path of its image."""
        generator = np.random.default_rng(seed)
        folder = self.derivatives / f"sub-{sub}" / f"ses-{ses}" / "func"
        folder.mkdir(parents=True, exist_ok=True)
        run = f"sub-{sub}_ses-{ses}_task-{task}"
        table = confounds(n_trs, generator)
        table.to_csv(
            folder / f"{run}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
        )
        (folder / f"{run}_desc-confounds_timeseries.json").write_text("{}")
        weights = generator.standard_normal((*shape, len(MINIMAL)))
        noise = generator.standard_normal((*shape, n_trs))
        voxels = 1000 + 5 * weights @ table[MINIMAL].to_numpy().T + noise
        bold = folder / f"{run}_{grid}_desc-preproc_bold.nii.gz"
        save(voxels.astype(np.float32), bold, tr=TR)
        brain = np.zeros(shape)
        brain[1:9, 1:9, 1:9] = 1
        save(brain, mask_of(bold))
        sidecar_of(bold).write_text(json.dumps({"RepetitionTime": TR, "TaskName": task}))
        return bold

    def source(self, **settings: Any) -> FmriprepSource:
        known = {
            "kind": "fmriprep",
            "derivatives": self.derivatives,
            "stimuli": self.stimuli,
            "task": "*",
            "labels": self.labels,
        }
        document = {key: value for key, value in (known | settings).items() if value is not None}
        return FmriprepSource.model_validate(document)

    def load(self, **settings: Any) -> np.ndarray:
        return self.source(**settings).collect().recordings[0].load()


def confounds(n_trs: int, generator: np.random.Generator) -> pandas.DataFrame:
    """A table as fMRIPrep writes it, with columns that nobody asks for."""
    columns = {name: generator.standard_normal(n_trs).cumsum() for name in MINIMAL[:-2]}
    columns |= {"global_signal": generator.standard_normal(n_trs) + 500}
    columns |= {
        f"{name}_derivative1": np.r_[np.nan, np.diff(values)] for name, values in columns.items()
    }
    columns |= {f"{name}_power2": values**2 for name, values in columns.items()}
    columns["framewise_displacement"] = np.r_[np.nan, generator.random(n_trs - 1)]
    columns["motion_outlier00"] = np.eye(n_trs)[3]
    time = (np.arange(n_trs) + 0.5) / n_trs
    columns |= {f"cosine{k:02d}": np.cos(np.pi * (k + 1) * time) for k in range(2)}
    return pandas.DataFrame(columns)


def save(voxels: np.ndarray, path: Path, affine: np.ndarray = AFFINE, tr: float = 0.0) -> None:
    image = nibabel.Nifti1Image(voxels, affine)
    if voxels.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
        image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def mask_of(bold: Path) -> Path:
    return bold.with_name(bold.name.replace("preproc_bold", "brain_mask"))


def sidecar_of(bold: Path) -> Path:
    return bold.with_name(bold.name.replace(".nii.gz", ".json"))


def table_of(bold: Path) -> Path:
    return bold.with_name(bold.name.split("_space")[0] + "_desc-confounds_timeseries.tsv")


def change_table(bold: Path, **columns: Any) -> pandas.DataFrame:
    """Replace columns of a run's table of confounds; None drops one."""
    table = pandas.read_csv(table_of(bold), sep="\t")
    gone = [name for name, values in columns.items() if values is None]
    table = table.drop(columns=gone).assign(**{k: v for k, v in columns.items() if k not in gone})
    table.to_csv(table_of(bold), sep="\t", index=False, na_rep="n/a")
    return table


def change_voxels(path: Path, change: Any, tr: float = TR) -> None:
    image = nibabel.load(path)
    voxels = image.get_fdata().copy()
    change(voxels)
    save(voxels.astype(np.float32), path, image.affine, tr)


def brute_means(bold: Path, labels: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Voxel by voxel, within the brain mask."""
    voxels = nibabel.load(bold).get_fdata()
    brain = nibabel.load(mask_of(bold)).get_fdata()
    columns = []
    for wanted in ids:
        courses = [
            voxels[index]
            for index in product(*map(range, brain.shape))
            if labels[index] == wanted and brain[index]
        ]
        columns.append(np.mean(courses, axis=0) if courses else np.full(voxels.shape[3], np.nan))
    return np.stack(columns, axis=1)


def residuals(signals: np.ndarray, regressors: np.ndarray) -> np.ndarray:
    """Ordinary least squares with an intercept."""
    design = np.column_stack([np.ones(len(regressors)), regressors])
    return signals - design @ np.linalg.lstsq(design, signals, rcond=None)[0]


def centred(table: np.ndarray) -> np.ndarray:
    return table - table.mean(axis=0)
