"""The authors' tables of HEAR scores: a row for each model, a column for each score of heareval.

A model is a kind ("conv4 individual", "conv4 group", "baseline", ...), a subject and an atlas.
Missing scores stay missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.official_tasks import OFFICIAL_TASKS, OfficialTask

INDIVIDUAL_TABLES = ("metrics.csv", "metrics_145.csv")  # subjects 2, 3, 6; subjects 1, 4, 5
GROUP_TABLE = "metrics_group.csv"
LEADERBOARD = "leaderboard.csv"
ATLASES = ("wholebrain", "STG")
SUBJECTS = tuple(f"sub-{number:02}" for number in range(1, 7))
BASELINE, INDIVIDUAL, GROUP = "baseline", "conv4 individual", "conv4 group"
STAGES = ("conv7", "conv6", "conv5")  # fine-tuned from a deeper stage than conv4, individual only


def read_models(folder: Path) -> dict[tuple[str, str, str], dict[str, float]]:
    """Scores by ``(kind, subject, atlas)``, then by task.

    Parameters
    ----------
    folder : Path
        Folder of the tables.

    Raises
    ------
    FileNotFoundError
        If a table does not exist.
    ValueError
        If a table lacks columns, or a model occurs twice.
    """
    models: dict[tuple[str, str, str], dict[str, float]] = {}
    for name in (*INDIVIDUAL_TABLES, GROUP_TABLE):
        for _, row in _read(folder / name).iterrows():
            key = (_kind(str(row["finetune"]), name == GROUP_TABLE), row["subject"], row["atlas"])
            if key in models:
                raise ValueError(f"{folder / name}: {' '.join(key)} occurs twice")
            scores = {task.name: row.get(_column(task, row), np.nan) for task in OFFICIAL_TASKS}
            models[key] = {
                task: float(score) for task, score in scores.items() if np.isfinite(score)
            }
    return models


def of_kind(
    models: dict[tuple[str, str, str], dict[str, float]],
    kind: str,
    task: str,
    atlases: tuple[str, ...] = ATLASES,
) -> NDArray[np.float64]:
    """Scores of all models of a kind, by atlas and subject; NaN if missing."""
    return np.array(
        [
            models.get((kind, subject, atlas), {}).get(task, np.nan)
            for atlas in atlases
            for subject in SUBJECTS
        ]
    )


def _read(path: Path) -> Any:
    import pandas

    try:
        table = pandas.read_csv(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing; the folder of the data is given by --data or BRAINSOUNDNET_DATA"
        ) from error
    if missing := sorted({"subject", "finetune", "atlas"} - set(table.columns)):
        raise ValueError(f"{path} has no columns {', '.join(missing)}")
    return table


def _kind(finetune: str, is_group: bool) -> str:
    if finetune == "no":
        return BASELINE
    if finetune == "conv4":
        return GROUP if is_group else INDIVIDUAL
    return finetune


def _column(task: OfficialTask, row: Any) -> str:
    """Column of a task; with folds, the mean over folds."""
    column = f"{task.folder}_test_{task.score}"
    return f"{column}_mean" if f"{column}_mean" in row.index else column
