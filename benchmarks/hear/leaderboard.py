"""The nineteen tasks of HEAR 2021, published scores on them, and ranks among these.

An archive of Zenodo 10.5281/zenodo.6332517 unpacks to
``hear-2021.0.6/tasks/<folder>/{task_metadata.json,labelvocabulary.csv,<split>.json,48000/<split>}``.
Beehive comes in two folders; the leaderboard has the first one.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = "Model"


@dataclass(frozen=True)
class OfficialTask:
    """One task.

    Attributes
    ----------
    name : str
        Column of the leaderboard.
    folder : str
        Name of the task's folder, used by heareval.
    score : str
        heareval's name of the leaderboard's score.
    train_seconds : int
        Training audio of the probe in seconds (Freteault et al. 2025, from their notebook).
    """

    name: str
    folder: str
    score: str
    train_seconds: int


# In order of size.
OFFICIAL_TASKS = (
    OfficialTask("Gunshot", "gunshot_triangulation-v1.0-full", "top1_acc", 114),
    OfficialTask("Beijing Opera", "beijing_opera-v1.0-hear2021-full", "top1_acc", 902),
    OfficialTask("GTZAN Music/Speech", "tfds_gtzan_music_speech-1.0.0-full", "top1_acc", 3456),
    OfficialTask("Mridangam Stroke", "mridangam_stroke-v1.5-full", "top1_acc", 4521),
    OfficialTask("Mridangam Tonic", "mridangam_tonic-v1.5-full", "top1_acc", 4521),
    OfficialTask("DCASE 2016", "dcase2016_task2-hear2021-full", "event_onset_200ms_fms", 6912),
    OfficialTask("ESC-50", "esc50-v2.0.0-full", "top1_acc", 8000),
    OfficialTask("VoxLingua107 top 10", "vox_lingua_top10-hear2021-full", "top1_acc", 14494),
    OfficialTask("NSynth Pitch 5h", "nsynth_pitch-v2.2.3-5h", "pitch_acc", 16000),
    OfficialTask("Maestro 5h", "maestro-v3.0.0-5h", "event_onset_50ms_fms", 17760),
    OfficialTask("Speech commands 5h", "speech_commands-v0.0.2-5h", "top1_acc", 18312),
    OfficialTask("Libricount", "libricount-v1.0.0-hear2021-full", "top1_acc", 22880),
    OfficialTask("GTZAN Genre", "tfds_gtzan-1.0.0-full", "top1_acc", 27000),
    OfficialTask("CREMA-D", "tfds_crema_d-1.0.0-full", "top1_acc", 29755),
    OfficialTask("Vocal Imitation", "vocal_imitation-v1.1.3-full", "mAP", 42044),
    OfficialTask("Speech commands full", "speech_commands-v0.0.2-full", "top1_acc", 80402),
    OfficialTask("NSynth Pitch 50h", "nsynth_pitch-v2.2.3-50h", "pitch_acc", 156992),
    OfficialTask("Beehive", "beehive_states_fold0-v2-full", "aucroc", 276480),
    OfficialTask("FSD50K", "fsd50k-v1.0-full", "mAP", 289440),
)


def official_task(folder: str) -> OfficialTask | None:
    """The task of a folder name; None for any other task.

    Examples
    --------
    >>> official_task("esc50-v2.0.0-full").name, official_task("esc10-1.0.0-full")
    ('ESC-50', None)
    """
    return next((task for task in OFFICIAL_TASKS if task.folder == folder), None)


def missing_tasks(folders: list[str]) -> list[str]:
    """Names of the nineteen tasks that are not among these folders.

    Examples
    --------
    >>> len(missing_tasks(["esc50-v2.0.0-full", "esc10-1.0.0-full"]))
    18
    """
    return [task.name for task in OFFICIAL_TASKS if task.folder not in folders]


@dataclass(frozen=True)
class Leaderboard:
    """Scores of published models; missing scores are never imputed.

    Attributes
    ----------
    models : tuple of str
    scores : dict
        By name of the task, then of the model.
    """

    models: tuple[str, ...]
    scores: dict[str, dict[str, float]]

    def of_task(self, task: str) -> list[float]:
        """All scores of a task, in the order of the models; empty for an unknown task."""
        return list(self.scores.get(task, {}).values())


def read_leaderboard(path: Path) -> Leaderboard:
    """Read a table with a row for each model and a column for each task of HEAR.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it has no models, none of HEAR's tasks, or a cell that is not a number.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no leaderboard {path}; give a csv file with the columns {MODEL} and the names of "
            "HEAR's tasks"
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        columns = list(reader.fieldnames or [])
    tasks = [task.name for task in OFFICIAL_TASKS if task.name in columns]
    if MODEL not in columns or not tasks or not rows:
        raise ValueError(
            f"{path} has {len(rows)} rows with the columns {columns}; expected {MODEL} and the "
            f"names of HEAR's tasks, such as {OFFICIAL_TASKS[0].name!r}"
        )
    scores: dict[str, dict[str, float]] = {task: {} for task in tasks}
    for row in rows:
        for task in tasks:
            cell = (row[task] or "").strip()
            if not cell:
                continue
            try:
                score = float(cell)
            except ValueError as error:
                raise ValueError(
                    f"{path}: {row[MODEL]}, {task}: expected a number or nothing, got {cell!r}"
                ) from error
            if math.isfinite(score):
                scores[task][row[MODEL]] = score
    return Leaderboard(tuple(row[MODEL] for row in rows), scores)


def rank_among(score: float, published: Sequence[float]) -> float:
    """Rank of a score among published ones, 1 the best; ties share their mean rank.

    Examples
    --------
    >>> rank_among(0.5, [0.9, 0.4]), rank_among(0.5, [0.9, 0.5, 0.5])
    (2.0, 3.0)
    """
    better = sum(other > score for other in published)
    equal = sum(other == score for other in published)
    return 1.0 + better + equal / 2


def rank_gain(
    score: float, baseline: float, published: Sequence[float], *, together: bool = False
) -> float:
    """Ranks gained over a baseline.

    Parameters
    ----------
    score, baseline : float
    published : sequence of float
    together : bool
        Rank both at once, as Freteault et al. 2025 do: passing the baseline is then one rank by
        itself, even without a published model between the two.

    Examples
    --------
    >>> rank_gain(0.5, 0.4, [0.9, 0.3]), rank_gain(0.5, 0.4, [0.9, 0.3], together=True)
    (0.0, 1.0)
    """
    if together:
        return rank_among(baseline, [*published, score]) - rank_among(score, [*published, baseline])
    return rank_among(baseline, published) - rank_among(score, published)
