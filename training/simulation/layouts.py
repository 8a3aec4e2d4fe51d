"""Layouts of the simulated files: h5 files of CNeuroMod, and images of fMRIPrep."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.simulation.parcels import ATLAS_FILE, LABEL_FILE, Parcels
from training.simulation.settings import SimulationSettings
from training.simulation.signals import (
    autoregressive,
    framewise_displacement,
    head_motion,
    slow_cosines,
    unit_variance,
)
from training.simulation.stimuli import Half

if TYPE_CHECKING:
    import pandas

logger = logging.getLogger(__name__)

SPACE = "MNI152NLin2009cAsym"
TASK = "friends"  # in the h5 files
BASELINE = (9_000.0, 11_000.0)  # range over voxels in scanner units
UNIT = 100.0  # scanner units per standard deviation of a clean parcel
VOXEL_NOISE = 1.0  # standard deviation between the voxels of a parcel, in UNIT
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
MEANS = ("white_matter", "csf")
MEAN_LEVEL = 8_000.0  # of white matter and CSF in scanner units


class H5Layout:
    """One h5 file per subject with one dataset per run, stimuli by season.

        stimuli/movies/friends/s1/friends_s01e01a.wav
        fmri/sub-01/func/sub-01_task-friends_..._parcel-60_desc-s12_bold.h5
            ses-001_task-s01e01a        float32 (n_trs, n_parcels), columns in the order of ids

    Parameters
    ----------
    out : Path
        Folder of the simulation.
    parcels : Parcels
        The atlas.
    tr : float
        Repetition time in seconds.
    settings : SimulationSettings
        Not used in this layout.

    Raises
    ------
    ValueError
        If the ids of the atlas are not 1 to n: the columns of such a file have no other ids.
    """

    def __init__(
        self, out: Path, parcels: Parcels, tr: float, settings: SimulationSettings
    ) -> None:
        n_parcels = len(parcels.ids)
        if parcels.ids.tolist() != list(range(1, n_parcels + 1)):
            raise ValueError(
                f"the {n_parcels} ids of the atlas are not 1 to {n_parcels} but go up to "
                f"{parcels.ids[-1]}; kind 'h5' requires this: use kind 'fmriprep' or another atlas"
            )
        self.out = out
        self.tr = tr
        self.n_parcels = n_parcels
        self.present = np.ones(n_parcels, bool)  # parcels need no voxels in this layout

    def stimulus_file(self, half: Half) -> Path:
        """Path of the audio of a run."""
        folder = self.out / "stimuli" / "movies" / TASK / f"s{half.season}"
        return folder / f"{TASK}_{half.name}.wav"

    def write_subject(
        self,
        subject: str,
        runs: Mapping[Half, NDArray[np.float64]],
        seed: np.random.SeedSequence,
    ) -> None:
        """Write the runs of a subject, z-scored ``(n_trs, n_targets)`` each; deterministic."""
        import h5py

        folder = self.out / "fmri" / subject / "func"
        folder.mkdir(parents=True)
        seasons = "".join(str(season) for season in sorted({half.season for half in runs}))
        atlas = f"atlas-Simulated_parcel-{self.n_parcels}"
        name = f"{subject}_task-{TASK}_space-{SPACE}_{atlas}_desc-s{seasons}_bold.h5"
        with h5py.File(folder / name, "w") as file:
            for half, bold in runs.items():
                file.create_dataset(half.run, data=bold.astype(np.float32), track_times=False)

    def source(self) -> dict[str, Any]:
        """The source section of a preparation recipe for these files."""
        return {
            "kind": "cneuromod",
            "fmri": str(self.out / "fmri"),
            "stimuli": str(self.out / "stimuli"),
            "tr": self.tr,
            "labels": str(self.out / ATLAS_FILE),
            "label_table": str(self.out / LABEL_FILE),
            "atlas": "Simulated",
        }


class FmriprepLayout:
    """Images and confounds of every run, one sound file per run.

        stimuli/s01e01a.wav
        derivatives/sub-01/ses-001/func/sub-01_ses-001_task-s01e01a_space-..._bold.nii.gz ...

    The voxels of a parcel share its response, plus drift, motion and physiology that the confounds
    describe completely; differences between voxels have mean 0 over the parcel.

    Parameters
    ----------
    out : Path
        Folder of the simulation.
    parcels : Parcels
        The atlas, resampled to the grid by nearest neighbour.
    tr : float
        Repetition time in seconds.
    settings : SimulationSettings
        Size of the voxels, strength of the nuisances.
    """

    def __init__(
        self, out: Path, parcels: Parcels, tr: float, settings: SimulationSettings
    ) -> None:
        from nilearn.datasets import load_mni152_brain_mask
        from nilearn.image import resample_to_img

        self.out = out
        self.tr = tr
        self.settings = settings
        mask = load_mni152_brain_mask(resolution=settings.voxel_mm)
        self.affine: NDArray[np.float64] = mask.affine
        self.brain = np.asarray(mask.dataobj) > 0
        labels = resample_to_img(
            parcels.image, mask, interpolation="nearest", force_resample=True, copy_header=True
        )
        self.labels = np.where(self.brain, np.asarray(labels.dataobj), 0).astype(np.int64)
        self.present = np.isin(parcels.ids, self.labels)
        vanished = parcels.ids[~self.present].tolist()
        if vanished:
            logger.warning(
                "%d of %d labels have no voxel of %d mm and vanish: %s; smaller voxels would keep "
                "them",
                len(vanished),
                len(parcels.ids),
                settings.voxel_mm,
                ", ".join(map(str, vanished)),
            )
        # Column of each brain voxel; the last one is for voxels outside all parcels.
        columns = np.searchsorted(parcels.ids, self.labels[self.brain])
        self.column = np.where(self.labels[self.brain] > 0, columns, len(parcels.ids))

    def stimulus_file(self, half: Half) -> Path:
        """Path of the audio of a run."""
        return self.out / "stimuli" / f"{half.name}.wav"

    def write_subject(
        self,
        subject: str,
        runs: Mapping[Half, NDArray[np.float64]],
        seed: np.random.SeedSequence,
    ) -> None:
        """Write the runs of a subject.

        Parameters
        ----------
        subject : str
            Such as ``"sub-01"``.
        runs : mapping
            The clean responses, z-scored ``(n_trs, n_targets)`` each.
        seed : SeedSequence
            Seed of the nuisances and noise.
        """
        description = self.out / "derivatives" / "dataset_description.json"
        description.parent.mkdir(exist_ok=True)
        _write_json(
            description,
            {
                "Name": "Simulated responses to sound, in the layout of fMRIPrep",
                "BIDSVersion": "1.8.0",
                "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "training.simulation"}],
            },
        )
        baseline_seed, *seeds = seed.spawn(1 + len(runs))
        baseline = np.random.default_rng(baseline_seed).uniform(*BASELINE, len(self.column))
        for (half, clean), run_seed in zip(runs.items(), seeds, strict=True):
            generator = np.random.default_rng(run_seed)
            nuisance = draw_nuisance(len(clean), self.tr, generator)
            bold = baseline + UNIT * self._voxels(clean, nuisance, generator)
            folder = self.out / "derivatives" / subject / half.session / "func"
            folder.mkdir(parents=True, exist_ok=True)
            self._write_run(folder / f"{subject}_{half.run}", half, bold, nuisance)

    def source(self) -> dict[str, Any]:
        """The source section of a preparation recipe for these files."""
        return {
            "kind": "fmriprep",
            "derivatives": str(self.out / "derivatives"),
            "stimuli": str(self.out / "stimuli"),
            "task": "s*",
            "space": SPACE,
            "tr": self.tr,
            "labels": str(self.out / ATLAS_FILE),
            "label_table": str(self.out / LABEL_FILE),
            "atlas": "Simulated",
        }

    def _voxels(
        self, clean: NDArray[np.float64], nuisance: Nuisance, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Fluctuations ``(n_trs, n_voxels)`` in units of a clean parcel's deviation."""
        n_trs, n_parcels = clean.shape
        parcels = np.hstack([clean, np.zeros((n_trs, 1))])
        for strength, columns in (
            (self.settings.drift, nuisance.cosines),
            (self.settings.motion, nuisance.motion),
            (self.settings.physiology, nuisance.physiology),
        ):
            mixing = generator.standard_normal((columns.shape[1], n_parcels + 1))
            parcels += strength * unit_variance(unit_variance(columns) @ mixing)
        own = VOXEL_NOISE * generator.standard_normal((n_trs, len(self.column)))
        counts = np.bincount(self.column, minlength=n_parcels + 1)
        for row in own:
            sums = np.bincount(self.column, weights=row, minlength=n_parcels + 1)
            row -= (sums / np.maximum(counts, 1))[self.column]
        return parcels[:, self.column] + own

    def _write_run(
        self, stem: Path, half: Half, bold: NDArray[np.float64], nuisance: Nuisance
    ) -> None:
        """Image, mask, confounds and sidecars of one run; `bold` is ``(n_trs, n_voxels)``."""
        volume = np.zeros((*self.brain.shape, len(bold)), np.int16)
        volume[self.brain] = np.round(bold.T)
        image = f"{stem}_space-{SPACE}_desc"
        self._save(f"{image}-preproc_bold.nii.gz", volume)
        self._save(f"{image}-brain_mask.nii.gz", self.brain.astype(np.uint8))
        sidecar = {"RepetitionTime": self.tr, "TaskName": half.name, "SliceTimingCorrected": False}
        _write_json(Path(f"{image}-preproc_bold.json"), sidecar)
        table = nuisance.table(bold.mean(axis=1))
        path = f"{stem}_desc-confounds_timeseries"
        table.to_csv(f"{path}.tsv", sep="\t", index=False, na_rep="n/a")
        _write_json(Path(f"{path}.json"), {name: {"Method": "Mean"} for name in nuisance.means})

    def _save(self, path: str, values: NDArray[Any]) -> None:
        import nibabel

        image = nibabel.Nifti1Image(values, self.affine)
        image.set_sform(self.affine, code="mni")
        image.set_qform(self.affine, code="mni")
        image.header.set_xyzt_units("mm", "sec")
        if values.ndim == 4:
            image.header.set_zooms((*image.header.get_zooms()[:3], self.tr))
        nibabel.save(image, path)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Nuisance:
    """Nuisance signals of one run.

    Attributes
    ----------
    motion : array
        Shifts in mm and rotations in rad, ``(n_trs, 6)``.
    physiology : array
        Mean signals of white matter and CSF, ``(n_trs, 2)``.
    cosines : array
        Slow drifts, ``(n_trs, n_cosines)``.
    """

    motion: NDArray[np.float64]
    physiology: NDArray[np.float64]
    cosines: NDArray[np.float64]
    means: tuple[str, ...] = (*MEANS, "global_signal")

    def table(self, global_signal: NDArray[np.float64]) -> pandas.DataFrame:
        """The confounds with fMRIPrep's names, including derivatives and squares.

        Parameters
        ----------
        global_signal : array
            Mean over the brain, ``(n_trs,)``.
        """
        import pandas

        series = {
            **dict(zip(MOTION, self.motion.T, strict=True)),
            **dict(zip(MEANS, MEAN_LEVEL + 50 * self.physiology.T, strict=True)),
            "global_signal": global_signal,
        }
        columns = {}
        for name, values in series.items():
            derivative = np.diff(values, prepend=np.nan)  # n/a in the first row
            columns[name] = values
            columns[f"{name}_derivative1"] = derivative
            columns[f"{name}_power2"] = values**2
            columns[f"{name}_derivative1_power2"] = derivative**2
        for i, cosine in enumerate(self.cosines.T):
            columns[f"cosine{i:02}"] = cosine
        displacement = framewise_displacement(self.motion)
        displacement[0] = np.nan
        columns["framewise_displacement"] = displacement
        return pandas.DataFrame(columns)


def draw_nuisance(n_trs: int, tr: float, generator: np.random.Generator) -> Nuisance:
    """Head motion, two autocorrelated mean signals, and the cosines of a run."""
    physiology = autoregressive(n_trs, np.array([0.6, 0.6]), generator)
    return Nuisance(head_motion(n_trs, generator), physiology, slow_cosines(n_trs, tr))
