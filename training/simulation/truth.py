"""Ground truth of a simulation: tuning of parcels, and the best possible scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.simulation.brain import Parcel
from training.simulation.settings import VANISHED

if TYPE_CHECKING:
    import pandas

FOLDER = "truth"
TABLE = "truth.csv"
MIXES = "mixes.csv"
CLIPS = "clips.csv"
DOCUMENT = "simulation.json"  # written last: without it a simulation is incomplete


@dataclass(frozen=True)
class Truth:
    """Ground truth of a simulation.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per subject and target: subject, target_id, name, kind, subject_specific, hrf_peak,
        explainable_variance, best_r, best_r2 (means over runs).
    mixes : pandas.DataFrame
        One row per subject, target and feature: subject, target_id, channel, weight.
    clips : pandas.DataFrame
        One row per recording used: stimulus, onset (seconds), level_db, file.
    simulation : dict
        Settings, seed and versions.
    folder : Path
        Its folder.
    """

    table: pandas.DataFrame
    mixes: pandas.DataFrame
    clips: pandas.DataFrame
    simulation: dict[str, Any]
    folder: Path

    @property
    def target_ids(self) -> tuple[int, ...]:
        """The columns of :meth:`response`."""
        return tuple(self.simulation["target_ids"])

    def response(self, subject: str, run: str) -> NDArray[np.float32]:
        """The best possible prediction of a run, float32 ``(n_trs, n_targets)``.

        The noise-free response, shifted and scaled like the z-scored measured one; 0 for "deaf"
        targets, NaN for labels without voxels.

        Parameters
        ----------
        subject : str
            Such as ``"sub-01"``.
        run : str
            Its name or its stimulus: ``"ses-001_task-s01e01a"``, ``"s01e01a"``,
            ``"friends_s01e01a"``.

        Raises
        ------
        ValueError
            If there is no such subject or run.
        """
        import h5py

        path = self.folder / f"{subject}.h5"
        if not path.is_file():
            raise ValueError(f"the simulation has no subject {subject!r} ({path} is missing)")
        with h5py.File(path, "r") as file:
            for name, table in file.items():
                if run == name or run.endswith(name.rpartition("-")[2]):
                    return np.asarray(table[()], dtype=np.float32)
            raise ValueError(f"{subject} has no run {run!r}; it has {', '.join(file)}")


def read_truth(folder: str | Path) -> Truth:
    """Read the ground truth of a simulation.

    Raises
    ------
    FileNotFoundError
        If there is no simulation, or an unfinished one.

    Examples
    --------
    >>> truth = read_truth("simulated")  # doctest: +SKIP
    >>> truth.table.query("kind == 'soundnet'").best_r.mean()  # doctest: +SKIP
    0.67
    """
    import pandas

    folder = Path(folder) / FOLDER
    path = folder / DOCUMENT
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder.parent} holds no complete simulation (no {FOLDER}/{DOCUMENT}); run "
            "python -m training simulate (again)"
        )
    table, mixes, clips = (pandas.read_csv(folder / name) for name in (TABLE, MIXES, CLIPS))
    return Truth(table, mixes, clips, json.loads(path.read_text(encoding="utf-8")), folder)


def z_score_like(
    signal: NDArray[np.float64], measured: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The measured run z-scored, and the signal shifted and scaled in the same way.

    The signal keeps its scale relative to the measured one: it is the best prediction by R2.
    """
    deviation = measured.std(axis=0)
    scored = (measured - measured.mean(axis=0)) / deviation
    return (signal - signal.mean(axis=0)) / deviation, scored


def best_scores(
    best: Sequence[NDArray[np.float64]], measured: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation and R2 of the best predictions, means over runs, ``(n_targets,)`` each.

    "deaf" targets have 0 for both. `measured` is z-scored, so that R2 is 1 minus the mean squared
    difference.
    """
    correlations, shares = [], []
    for prediction, target in zip(best, measured, strict=True):
        deviation = prediction.std(axis=0)
        product = (prediction * target).mean(axis=0)
        correlations.append(np.divide(product, deviation, out=0 * product, where=deviation > 0))
        share = 1 - np.square(target - prediction).mean(axis=0)
        shares.append(np.where(deviation > 0, share, 0))
    return np.mean(correlations, axis=0), np.mean(shares, axis=0)


def table_rows(
    subject: str, brain: Sequence[Parcel], r: NDArray[np.float64], r2: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Rows of ``truth.csv``."""
    return [
        {
            "subject": subject,
            "target_id": parcel.target_id,
            "name": parcel.name,
            "kind": parcel.kind,
            "subject_specific": parcel.subject_specific,
            "hrf_peak": parcel.response.peak,
            "explainable_variance": parcel.explainable_variance,
            "best_r": np.nan if parcel.kind == VANISHED else r[column],
            "best_r2": np.nan if parcel.kind == VANISHED else r2[column],
        }
        for column, parcel in enumerate(brain)
    ]


def mix_rows(subject: str, brain: Sequence[Parcel]) -> list[dict[str, Any]]:
    """Rows of ``mixes.csv``."""
    return [
        {"subject": subject, "target_id": parcel.target_id, "channel": channel, "weight": weight}
        for parcel in brain
        for channel, weight in zip(parcel.channels, parcel.weights, strict=True)
    ]


def write_responses(
    out: Path, subject: str, brain: Sequence[Parcel], best: Mapping[str, NDArray[np.float64]]
) -> None:
    """The best predictions of a subject: one dataset per run."""
    import h5py

    vanished = [parcel.kind == VANISHED for parcel in brain]
    with h5py.File(out / FOLDER / f"{subject}.h5", "w") as file:
        file.attrs["target_ids"] = [parcel.target_id for parcel in brain]
        for run, prediction in best.items():
            values = np.where(vanished, np.nan, prediction).astype(np.float32)
            file.create_dataset(run, data=values, track_times=False)


def write_table(out: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table beside the truth."""
    import pandas

    pandas.DataFrame(rows).to_csv(out / FOLDER / name, index=False)
