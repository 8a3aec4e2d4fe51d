"""Layout of the CNeuroMod and Algonauts 2025 h5 files: denoised parcels, z-scored per run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.simulation.parcels import ATLAS_FILE, LABEL_FILE, Parcels
from training.simulation.settings import SimulationSettings
from training.simulation.stimuli import Half

TASK = "friends"
SPACE = "MNI152NLin2009cAsym"


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
