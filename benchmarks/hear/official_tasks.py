"""The nineteen tasks of HEAR 2021: names on the leaderboard, and folders.

An archive of Zenodo 10.5281/zenodo.6332517 unpacks to
``hear-2021.0.6/tasks/<folder>/{task_metadata.json,labelvocabulary.csv,<split>.json,48000/<split>}``.
Beehive comes in two folders; the leaderboard has the first one.
"""

from __future__ import annotations

from dataclasses import dataclass


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
