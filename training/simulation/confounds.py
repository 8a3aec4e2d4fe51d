"""Nuisance signals of a run, and fMRIPrep's confounds table for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.simulation.noise import (
    autoregressive,
    framewise_displacement,
    head_motion,
    slow_cosines,
)

if TYPE_CHECKING:
    import pandas

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
MEANS = ("white_matter", "csf")
MEAN_LEVEL = 8_000.0  # of white matter and CSF in scanner units


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
