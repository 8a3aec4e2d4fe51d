"""What is regressed out of an fMRIPrep run, and how much the head moved."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from training.config import Settings
from training.sources.bids import BOLD_ENDING, BoldFile

Component = Literal["motion", "wm_csf", "high_pass", "global_signal", "compcor"]
Model = Literal["basic", "derivatives", "power2", "full"]
COLUMNS = {
    "motion": ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"),
    "wm_csf": ("csf", "white_matter"),
    "global_signal": ("global_signal",),
}
SUFFIXES = {
    "basic": ("",),
    "derivatives": ("", "_derivative1"),
    "power2": ("", "_power2"),
    "full": ("", "_derivative1", "_power2", "_derivative1_power2"),
}
HIGH_PASS_PERIOD = 128.0  # seconds; fMRIPrep writes no cosine for a shorter run
DISPLACEMENT = "framewise_displacement"


class ConfoundSettings(Settings):
    """Regressors in the words of `nilearn.interfaces.fmriprep.load_confounds`.

    The default is the "minimal" set of Freteault et al. (2025): six motion parameters, mean white
    matter and CSF signal, and cosines against slow drifts. Scrubbing is not among the components
    because a run that misses TRs loses its clock; TRs that fMRIPrep marks as not yet in steady
    state are kept with one regressor each, which leaves them at the mean of the run.

    Attributes
    ----------
    strategy : tuple of str
        Any of {"motion", "wm_csf", "high_pass", "global_signal", "compcor"}; empty for none.
    motion, wm_csf, global_signal : str
        {"basic", "derivatives", "power2", "full"}.
    compcor : str
        {"anat_combined", "anat_separated", "temporal", ...}, needs "high_pass".
    n_compcor : int or "all"
        Components per mask.
    """

    strategy: tuple[Component, ...] = ("motion", "wm_csf", "high_pass")
    motion: Model = "basic"
    wm_csf: Model = "basic"
    global_signal: Model = "basic"
    compcor: Literal[
        "anat_combined",
        "anat_separated",
        "temporal",
        "temporal_anat_combined",
        "temporal_anat_separated",
    ] = "anat_combined"
    n_compcor: Literal["all"] | int = Field("all", union_mode="left_to_right")

    @model_validator(mode="after")
    def _compcor_is_high_passed(self) -> ConfoundSettings:
        if "compcor" in self.strategy and "high_pass" not in self.strategy:
            raise ValueError("compcor components are made after high-pass filtering; add high_pass")
        return self

    def columns(self) -> list[str]:
        """Columns that a table of confounds must have, besides those with a number."""
        return [
            column + suffix
            for component in self.strategy
            for column in COLUMNS.get(component, ())
            for suffix in SUFFIXES[getattr(self, component)]
        ]

    def check(self, run: BoldFile, duration: float) -> None:
        """Look at the first line of a run's table.

        Parameters
        ----------
        run : BoldFile
            Which run.
        duration : float
            Its length in seconds.

        Raises
        ------
        ValueError
            If there is no table, or it lacks columns: the message names them.
        """
        if not self.strategy:
            return
        if run.confounds is None:
            raise ValueError(
                f"{run.bold} has no table of confounds (*_desc-confounds_timeseries.tsv) beside "
                "it; fetch it, or set confounds.strategy: []"
            )
        columns = column_names(run.confounds)
        missing = [column for column in self.columns() if column not in columns]
        has_cosines = any(column.startswith("cosine") for column in columns)
        if "high_pass" in self.strategy and not has_cosines and duration >= HIGH_PASS_PERIOD:
            missing.append("cosine00")
        if missing:
            raise ValueError(
                f"{run.confounds} lacks the columns {', '.join(missing)}; fetch the full table, or "
                "name other components in confounds.strategy"
            )

    def read(self, run: BoldFile, n_trs: int) -> NDArray[np.float64] | None:
        """The regressors of a run.

        Returns
        -------
        regressors : ndarray or None
            float64 ``(n_trs, n_regressors)``; None where there are none.

        Raises
        ------
        ValueError
            If the table does not have one row for each TR, is incomplete, or leaves nothing over.
        """
        from nilearn.interfaces.fmriprep import load_confounds

        if not self.strategy:
            return None
        try:
            with _alone(run) as image:
                table, kept = load_confounds(str(image), **self.model_dump())
        except (ValueError, TypeError, KeyError, OSError, IndexError) as error:
            raise ValueError(f"{run.confounds}: {' '.join(str(error).split())}") from error
        if table.shape[1] == 0 and kept is None:  # a run too short for a cosine
            return None
        if len(table) != n_trs:
            raise ValueError(
                f"{run.confounds} has {len(table)} rows for the {n_trs} TRs of {run.bold}; one of "
                "them is cut off: fetch both anew"
            )
        try:
            regressors = table.to_numpy(dtype=np.float64)
        except ValueError as error:
            raise ValueError(f"{run.confounds} holds text among its numbers ({error})") from error
        unknown = [c for c, bad in zip(table, ~np.isfinite(regressors).all(0), strict=True) if bad]
        if unknown:
            raise ValueError(f"{run.confounds}: values are missing in {', '.join(unknown)}")
        if kept is not None:
            unsteady = np.setdiff1d(np.arange(n_trs), kept)
            regressors = np.hstack([regressors, np.eye(n_trs)[:, unsteady]])
        if regressors.shape[1] >= n_trs - 1:
            raise ValueError(
                f"{run.confounds}: {regressors.shape[1]} regressors leave nothing of {n_trs} TRs; "
                "name fewer components in confounds.strategy"
            )
        return regressors


@contextmanager
def _alone(run: BoldFile) -> Iterator[Path]:
    """Path of an image in a new folder, with nothing but links to the run's table beside it.

    nilearn looks for the table by name and gives up where a session has both ``task-x`` and
    ``task-x_run-2``. Hexadecimal, the folder's name cannot hold "tsv", which nilearn replaces.
    """
    folder = Path(tempfile.gettempdir(), f"confounds-{uuid4().hex}")
    folder.mkdir(mode=0o700)
    try:
        if run.confounds is not None:
            for path in (run.confounds, run.confounds.with_suffix(".json")):
                name = f"sub-{run.entities['sub']}_desc-confounds_timeseries{path.suffix}"
                (folder / name).symlink_to(path.absolute())
        yield folder / f"sub-{run.entities['sub']}{BOLD_ENDING}"
    finally:
        shutil.rmtree(folder)


def column_names(table: Path) -> list[str]:
    """Names in the first line of a table of confounds."""
    try:
        with table.open(encoding="utf-8") as file:
            return file.readline().rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{table} is not readable as text ({error})") from error


def framewise_displacement(table: Path) -> NDArray[np.float64]:
    """How far the head moved since the TR before, in mm, ``(n_trs,)``; 0 at the first TR."""
    import pandas

    try:
        column = pandas.read_csv(table, sep="\t", usecols=[DISPLACEMENT])[DISPLACEMENT]
        displacement = column.to_numpy(dtype=np.float64, copy=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"{table}: {DISPLACEMENT} cannot be read ({error})") from error
    displacement[:1] = np.nan_to_num(displacement[:1])
    return displacement
