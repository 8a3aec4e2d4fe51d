"""Small version of Speech Commands: ten words, other words, and silence.

Made from the two small archives of HEAR's open tasks, with HEAR's split: the files in
``validation_list.txt`` are for validation, those in ``testing_list.txt`` are left out, and the test
set is a separate archive, balanced by its authors. Silence is cut from the background noise. With
so few clips the task tests the pipeline, and learning from very little.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.hear.tasks.task_writer import (
    LabelledClip,
    Read,
    SceneTask,
    make_scene_task,
    no_data,
)

FOLDER = Path("audio/hear_open_small")
TRAINING = "speech_commands_v0.02-small.zip"
TESTING = "speech_commands_test_set_v0.02-small.zip"
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
UNKNOWN, SILENCE, NOISE = "_unknown_", "_silence_", "_background_noise_"
SECONDS = 1.0
N_SILENT = {"train": 8, "valid": 2}  # one-second segments of noise, spread over its length

TASK = SceneTask(
    name="speech_commands_mini-0.0.2-small",
    splits=("train", "valid", "test"),
    seconds=SECONDS,
    command="python -m benchmarks hear tasks make-speech-commands",
    about=f"""
- Source: Speech Commands 0.02 (P. Warden 2018), the small archives of HEAR's open tasks, 16 kHz.
- Labels: ten words; every other word is {UNKNOWN}; {SILENCE} is background noise.
- Splits: validation and test lists of the data set; the recordings of `testing_list.txt` are left \
out, the test set is the archive {TESTING}.
- So few clips that scores are noisy, and some words are not in valid.
- Licence: CC BY 4.0.""",
)


def make_speech_commands(data_folder: Path, tasks_folder: Path) -> Path:
    """Make the task from ``audio/hear_open_small``, unless it exists; returns its folder.

    Raises
    ------
    FileNotFoundError
        If an archive is missing.
    ValueError
        If an archive cannot be read or is incomplete.
    """
    return make_scene_task(
        TASK,
        tasks_folder,
        lambda: [*_learned_from(data_folder / FOLDER), *_tested_on(data_folder / FOLDER)],
    )


def _learned_from(folder: Path) -> list[LabelledClip]:
    names = _names(folder / TRAINING)
    lists = {}
    for kind in ("validation", "testing"):
        if f"{kind}_list.txt" not in names:
            raise ValueError(f"{folder / TRAINING} has no {kind}_list.txt; fetch the archive again")
        lists[kind] = set(_read(folder / TRAINING, f"{kind}_list.txt").decode().split())
    clips = []
    for name in names:
        path = PurePosixPath(name)
        if path.suffix != ".wav" or name in lists["testing"]:
            continue
        word = path.parent.name
        if word == NOISE:
            clips += _silences(folder / TRAINING, name)
            continue
        split = "valid" if name in lists["validation"] else "train"
        label = word if word in WORDS else UNKNOWN
        clips.append(
            LabelledClip(f"{word}-{path.stem}.wav", label, split, _sound(folder / TRAINING, name))
        )
    return clips


def _tested_on(folder: Path) -> list[LabelledClip]:
    paths = [PurePosixPath(name) for name in _names(folder / TESTING) if name.endswith(".wav")]
    return [
        LabelledClip(
            f"{path.parent.name}-{path.name.removesuffix('.wav').removesuffix('.wav')}.wav",
            path.parent.name,
            "test",
            _sound(folder / TESTING, str(path)),
        )
        for path in paths
    ]


def _silences(archive: Path, name: str) -> list[LabelledClip]:
    """One-second segments of noise, far apart: the first for training, the last for validation."""
    noise, rate = _sound(archive, name)()
    n_pieces, length = sum(N_SILENT.values()), round(SECONDS * rate)
    distance = len(noise) // n_pieces
    if distance < length:
        raise ValueError(f"{archive}: {name} is too short for {n_pieces} pieces of {SECONDS:g} s")
    splits = [split for split, count in N_SILENT.items() for _ in range(count)]
    clips = []
    for number, split in enumerate(splits):
        piece = noise[number * distance : number * distance + length]
        file = f"{SILENCE}-{PurePosixPath(name).stem}-{number}.wav"
        clips.append(LabelledClip(file, SILENCE, split, partial(_same, piece, rate)))
    return clips


def _same(audio: NDArray[np.float64], rate: int) -> tuple[NDArray[np.float64], int]:
    return audio, rate


def _names(archive: Path) -> Sequence[str]:
    if not archive.is_file():
        raise no_data(f"no archive {archive}")
    try:
        with zipfile.ZipFile(archive) as opened:
            return sorted(opened.namelist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} cannot be read ({error}); fetch the archive again") from error


def _read(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(name)


def _sound(archive: Path, name: str) -> Read:
    def read() -> tuple[NDArray[np.float64], int]:
        audio, rate = soundfile.read(io.BytesIO(_read(archive, name)), dtype="float64")
        return audio, int(rate)

    return read
