"""Confound regression of fMRIPrep runs, and head motion."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from training.config import Settings
from training.sources.bids import CONFOUNDS_ENDINGS, BoldFile
from training.sources.tables import MOST_BYTES

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
HIGH_PASS_PERIOD = 128.0  # seconds; fMRIPrep writes no cosines for shorter runs
# Numbered columns, by a part of their name: of a component, or used with any strategy.
NUMBERED = {"high_pass": "cosine", "compcor": "_comp_cor_", "always": "non_steady_state"}
LINK_ENDING = "_desc-preproc_bold.nii.gz"  # name of the image passed to nilearn
DISPLACEMENT = "framewise_displacement"
# Names of motion and tissue signals in fMRIPrep 1.0 and 1.1.
OLD_COLUMNS = {"X", "Y", "Z", "RotX", "RotY", "RotZ", "CSF", "WhiteMatter", "GlobalSignal"}


class ConfoundSettings(Settings):
    """Confound regressors, with the options of `nilearn.interfaces.fmriprep.load_confounds`.

    The default is the "minimal" set of Freteault et al. (2025): six motion parameters, mean white
    matter and CSF signal, and cosines for slow drifts. Scrubbing is not available because removed
    TRs would break the timing; TRs marked by fMRIPrep as non-steady-state are kept with one
    regressor each, which sets them to the mean of the run.

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
        """Columns required in a confounds table, besides numbered ones."""
        return [
            column + suffix
            for component in self.strategy
            for column in COLUMNS.get(component, ())
            for suffix in SUFFIXES[getattr(self, component)]
        ]

    def check(self, run: BoldFile, n_trs: int, tr: float) -> None:
        """Check a run's table.

        Parameters
        ----------
        run : BoldFile
            The run.
        n_trs : int
            Number of TRs of its image.
        tr : float
            Repetition time in seconds.

        Raises
        ------
        ValueError
            If there is no table, it lacks columns or values, or does not have one row for each TR;
            the message names them.
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
        if "high_pass" in self.strategy and not has_cosines and n_trs * tr >= HIGH_PASS_PERIOD:
            missing.append("cosine00")
        if missing:
            old = "it is of fMRIPrep 1.0 or 1.1: run a newer one"
            raise ValueError(
                f"{run.confounds} lacks the columns {', '.join(missing)}; "
                f"{old if OLD_COLUMNS & set(columns) else 'fetch the full table'}, or name other "
                "components in confounds.strategy"
            )
        metadata = run.confounds.with_suffix(".json")
        if "compcor" in self.strategy and not metadata.is_file():
            raise ValueError(
                f"{run.confounds} has no {metadata.name} beside it, which describes its compcor "
                "columns; fetch it, or name other components in confounds.strategy"
            )
        numbered = [
            column
            for column in columns
            for component, word in NUMBERED.items()
            if word in column and (component in self.strategy or component == "always")
        ]
        check_columns(run.confounds, [*self.columns(), *numbered], n_trs)

    def read(self, run: BoldFile, n_trs: int) -> NDArray[np.float64] | None:
        """The regressors of a run, after :meth:`check`.

        Returns
        -------
        regressors : ndarray or None
            float64 ``(n_trs, n_regressors)``; None if there are none.

        Raises
        ------
        ValueError
            If the table does not have one row for each TR, is incomplete, or leaves no degrees of
            freedom.
        """
        from nilearn.interfaces.fmriprep import load_confounds

        if not self.strategy:
            return None
        with _alone(run, with_metadata="compcor" in self.strategy) as image:
            try:
                table, kept = load_confounds(str(image), **self.model_dump())
            except Exception as error:  # nilearn raises many types for damaged tables
                raise ValueError(_in_words(error, run, image)) from error
        if table.shape[1] == 0 and kept is None:  # a run too short for a cosine
            return None
        if len(table) != n_trs:
            raise ValueError(
                f"{run.confounds} has {len(table)} rows for the {n_trs} TRs of {run.bold}; one of "
                "them is cut off: fetch both again"
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


def _in_words(error: Exception, run: BoldFile, image: Path) -> str:
    """nilearn's message about a run, with the user's file names instead of the links."""
    text = " ".join(str(error).split()) or type(error).__name__
    if run.confounds is not None:
        link = image.with_name(image.name.removesuffix(LINK_ENDING) + CONFOUNDS_ENDINGS[0])
        text = text.replace(str(link.with_suffix("")), str(run.confounds.with_suffix("")))
    return f"{run.confounds}: {text.replace(str(image.parent), str(run.bold.parent))}"


@contextmanager
def _alone(run: BoldFile, *, with_metadata: bool) -> Iterator[Path]:
    """Path of an image in a new folder that contains only links to the run's table.

    nilearn finds the table by name and fails if a session has both ``task-x`` and ``task-x_run-2``.
    Being hexadecimal, the folder's name cannot contain "tsv", which nilearn replaces.
    """
    folder = Path(tempfile.gettempdir(), f"confounds-{uuid4().hex}")
    folder.mkdir(mode=0o700)
    try:
        if run.confounds is not None:
            metadata = [run.confounds.with_suffix(".json")] if with_metadata else []
            for path in (run.confounds, *metadata):
                name = f"sub-{run.entities['sub']}_desc-confounds_timeseries{path.suffix}"
                (folder / name).symlink_to(path.absolute())
        yield folder / f"sub-{run.entities['sub']}{LINK_ENDING}"
    finally:
        shutil.rmtree(folder)


def column_names(table: Path) -> list[str]:
    """Column names in the first line of a confounds table."""
    try:
        with table.open(encoding="utf-8-sig") as file:
            return file.readline(MOST_BYTES).rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{table} is not readable as text ({error})") from error


def check_columns(table: Path, columns: Sequence[str], n_trs: int) -> None:
    """Check all values of some columns.

    A missing first value, as in every derivative, is allowed: it is replaced by the second one.

    Raises
    ------
    ValueError
        If there is not one row for each TR, or a value is missing, infinite or not a number; the
        message names the columns.
    """
    values = _read(table)
    if len(values) != n_trs:
        raise ValueError(
            f"{table} has {len(values)} rows for the {n_trs} TRs of its image; one of them is cut "
            "off: fetch both again"
        )
    text, missing = [], []
    for column in columns:
        if values[column].dtype.kind not in "fiub":
            text.append(column)
            continue
        numbers = values[column].to_numpy(dtype=np.float64)
        if np.isnan(numbers[0]) and n_trs > 1:
            numbers = numbers[1:]
        if not np.isfinite(numbers).all():
            missing.append(column)
    if text:
        raise ValueError(f"{table} holds text among the numbers of {', '.join(text)}; repair it")
    if missing:
        raise ValueError(
            f"{table}: values are missing in {', '.join(missing)}; repair them, or name other "
            "components in confounds.strategy"
        )


def framewise_displacement(table: Path) -> NDArray[np.float64]:
    """Framewise displacement in mm, ``(n_trs,)``; 0 at the first TR."""
    column = _read(table).get(DISPLACEMENT)
    if column is None or column.dtype.kind not in "fiub":
        raise ValueError(f"{table}: {DISPLACEMENT} cannot be read as numbers")
    displacement = column.to_numpy(dtype=np.float64, copy=True)
    displacement[:1] = np.nan_to_num(displacement[:1])
    return np.asarray(displacement, dtype=np.float64)


def _read(table: Path) -> Any:
    """Read with the same options as nilearn, so that the checked values are those used."""
    import pandas

    try:
        if table.stat().st_size > MOST_BYTES:
            raise ValueError(f"{table.stat().st_size} bytes, a table has at most {MOST_BYTES}")
        return pandas.read_csv(table, sep="\t", encoding="utf-8", low_memory=False)
    except Exception as error:  # pandas raises many types
        raise ValueError(
            f"{table} cannot be read as a table ({' '.join(str(error).split())})"
        ) from error
