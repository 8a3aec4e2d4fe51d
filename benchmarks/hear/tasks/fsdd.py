"""Digit and speaker classification on the Free Spoken Digit Dataset.

Six speakers say each of ten digits fifty times: ``DIGIT_SPEAKER_INDEX.wav``. Three tasks:

- digits, tested on a speaker not used in training (a fold for each speaker);
- digits, tested on other takes of the same speakers (five folds of ten consecutive takes);
- speakers, with the same five folds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from benchmarks.hear.tasks.task_writer import (
    LabelledClip,
    SceneTask,
    file_clip,
    fold_names,
    make_scene_task,
    no_data,
)

FOLDER = Path("audio/fsdd/recordings")
FILE_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
TAKES_PER_FOLD = 10
N_TAKES = 50
N_SPEAKERS = 6
DIGITS_BY_SPEAKER = "fsdd_digit_by_speaker"  # begins the task's name; its folds are speakers

Label = Literal["digit", "speaker"]
Folds = Literal["speaker", "index"]

ABOUT = """
- Source: Free Spoken Digit Dataset (Z. Jackson et al.), 8 kHz, six speakers, fifty takes of each \
digit.
- Licence: CC BY-SA 4.0.
- Label: the {label}.
- """
SECONDS = 1.0  # as in HEAR's spoken-digit task


def make_fsdd(
    data_folder: Path, tasks_folder: Path, label: Label = "digit", folds: Folds = "speaker"
) -> Path:
    """Make one of the tasks from ``audio/fsdd``, unless it exists; returns its folder.

    Parameters
    ----------
    data_folder, tasks_folder : Path
    label : str
        {"digit", "speaker"}: target of the classification.
    folds : str
        {"speaker", "index"}: whether folds differ in speakers or takes.

    Raises
    ------
    FileNotFoundError
        If there are no recordings.
    ValueError
        If speakers are the target and also differ between folds.
    """
    if label == "speaker" and folds == "speaker":
        raise ValueError(
            "a speaker who is in no training clip cannot be recognised; use folds by index"
        )
    task = SceneTask(
        name=task_name(label, folds),
        splits=tuple(_splits(folds)),
        seconds=SECONDS,
        command=f"python -m benchmarks hear tasks make-fsdd --label {label} --folds {folds}",
        about=ABOUT.format(label=label) + _about_folds(folds),
    )
    return make_scene_task(
        task,
        tasks_folder,
        lambda: list_recordings(data_folder, label, folds),
    )


def task_name(label: Label, folds: Folds) -> str:
    """Name of the task's folder.

    Examples
    --------
    >>> task_name("digit", "index")
    'fsdd_digit_by_index-1.0.0-full'
    """
    return f"fsdd_{label}_by_{folds}-1.0.0-full"


def list_recordings(data_folder: Path, label: Label, folds: Folds) -> list[LabelledClip]:
    """All recordings, in the order of their names.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If the number of speakers is wrong, or there are more takes than folds for them.
    """
    folder = data_folder / FOLDER
    named = [(path, FILE_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.wav"))]
    found = [(path, match.groupdict()) for path, match in named if match is not None]
    if not found:
        raise no_data(f"no recordings in {folder}: expected DIGIT_SPEAKER_INDEX.wav")
    speakers = sorted({parts["speaker"] for _, parts in found})
    splits = _splits(folds)
    clips = []
    for path, parts in found:
        number = (
            speakers.index(parts["speaker"])
            if folds == "speaker"
            else int(parts["index"]) // TAKES_PER_FOLD
        )
        if number >= len(splits):
            raise ValueError(
                f"{path} is of speaker or take {number}, expected {N_SPEAKERS} speakers and "
                f"{N_TAKES} takes; use the recordings of FSDD 1.0.10"
            )
        clips.append(file_clip(path, parts[label], splits[number]))
    return clips


def _splits(folds: Folds) -> list[str]:
    return list(fold_names(N_SPEAKERS if folds == "speaker" else N_TAKES // TAKES_PER_FOLD))


def _about_folds(folds: Folds) -> str:
    if folds == "speaker":
        return "Folds: a speaker each, in the order of their names.\n"
    return f"Folds: {TAKES_PER_FOLD} takes in a row each, of all speakers.\n"
