"""Writing of task folders, and tasks with one label per clip, made from recordings."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.hear.task_folder import METADATA, VOCABULARY

README = "README.md"
SAMPLE_RATE = 44_100  # Hz; the same for all tasks of `benchmarks.hear`, so that a model runs on all
Read = Callable[[], tuple[NDArray[np.float64], int]]


@contextmanager
def new_task_folder(tasks_folder: Path, name: str) -> Iterator[Path]:
    """A temporary folder, renamed to the task's at the end, or removed on errors."""
    temporary = tasks_folder / f".{name}.{os.getpid()}.tmp"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.replace(temporary, tasks_folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def no_data(what: str) -> FileNotFoundError:
    """The error for recordings that are not in the folder of the data."""
    return FileNotFoundError(
        f"{what}; name the folder with the real data by --data or BRAINSOUNDNET_DATA"
    )


def write_descriptions(
    folder: Path, name: str, settings: Mapping[str, Any], labels: Iterable[str], readme: str
) -> None:
    """Metadata, vocabulary and README.

    `name` is ``<task>-<version>-<mode>``, `settings` all other content of ``task_metadata.json``.
    """
    task_name, version, mode = name.rsplit("-", 2)
    metadata = {"task_name": task_name, "version": version, "mode": mode, **settings}
    write_json(folder / METADATA, metadata)
    rows = [f"{index},{label}" for index, label in enumerate(sorted(set(labels)))]
    (folder / VOCABULARY).write_text("\n".join(["idx,label", *rows]) + "\n", encoding="utf-8")
    (folder / README).write_text(readme, encoding="utf-8")


def write_json(path: Path, document: object) -> None:
    """Strict JSON."""
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_clip(path: Path, audio: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> None:
    """16 bits, ``(n_samples,)`` in [-1, 1]."""
    soundfile.write(path, audio, sample_rate, subtype="PCM_16")


def read_mono(path: Path) -> tuple[NDArray[np.float64], int]:
    """Samples ``(n_samples,)`` and their rate in Hz.

    Raises
    ------
    ValueError
        If the file is not audio, or has more than one channel.
    """
    try:
        audio, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} is not an audio file; fetch the data again") from error
    if audio.shape[1] != 1:
        raise ValueError(f"{path} has {audio.shape[1]} channels, expected 1; fetch the data again")
    return audio[:, 0], int(rate)


def fitted(
    audio: NDArray[np.float64], rate: int, seconds: float, sample_rate: int = SAMPLE_RATE
) -> NDArray[np.float64]:
    """Resampled to `sample_rate`, cut or zero-padded, as in HEAR.

    Examples
    --------
    >>> fitted(np.ones(10), 10, 2.0).shape
    (88200,)
    """
    import torch
    from torchaudio.functional import resample

    if rate != sample_rate:
        audio = resample(torch.from_numpy(audio), rate, sample_rate).numpy()
    n_samples = round(seconds * sample_rate)
    clipped = np.clip(audio[:n_samples], -1.0, 1.0)
    return np.pad(clipped, (0, n_samples - len(clipped)))


def fold_names(n_folds: int) -> Sequence[str]:
    """HEAR's names of folds.

    Examples
    --------
    >>> fold_names(2)
    ['fold00', 'fold01']
    """
    return [f"fold{number:02}" for number in range(n_folds)]


@dataclass(frozen=True)
class LabelledClip:
    """A clip of a task.

    Attributes
    ----------
    name : str
        File name in the task, ending in ``.wav``.
    label, split : str
    read : callable
        Returns samples ``(n_samples,)`` and their rate in Hz.
    """

    name: str
    label: str
    split: str
    read: Read = field(repr=False)


@dataclass(frozen=True)
class SceneTask:
    """Metadata of a task.

    Attributes
    ----------
    name : str
        ``<task>-<version>-<mode>``, the name of its folder.
    splits : tuple of str
        ``fold00``, ...; or ``train``, ``valid``, ``test``.
    seconds : float
        Duration of each clip: longer recordings are cut, shorter ones zero-padded.
    command : str
        Command that makes it.
    about : str
        Sources, folds and licence, as Markdown.
    sample_rate : int
        Of the written clips, in Hz.
    """

    name: str
    splits: tuple[str, ...]
    seconds: float
    command: str
    about: str
    sample_rate: int = SAMPLE_RATE


def make_scene_task(
    task: SceneTask, tasks_folder: Path, clips_of: Callable[[], Sequence[LabelledClip]]
) -> Path:
    """Write the task, unless it exists; returns its folder.

    `clips_of` lists the clips; it is called only if the task has to be made.

    Raises
    ------
    FileNotFoundError, ValueError
        If recordings are missing or invalid.
    """
    folder = tasks_folder / task.name
    if folder.exists():
        return folder
    clips = clips_of()
    twice = [name for name, count in Counter((c.split, c.name) for c in clips).items() if count > 1]
    if twice:
        raise ValueError(f"{task.name}: {twice[0][1]} is in {twice[0][0]} twice")
    with new_task_folder(tasks_folder, task.name) as temporary:
        for split in task.splits:
            own = [clip for clip in clips if clip.split == split]
            if not own:
                raise ValueError(f"{task.name}: no recording for {split}; fetch the data again")
            audio_folder = temporary / str(task.sample_rate) / split
            audio_folder.mkdir(parents=True)
            for clip in own:
                audio = fitted(*clip.read(), task.seconds, task.sample_rate)
                write_clip(audio_folder / clip.name, audio, task.sample_rate)
            write_json(temporary / f"{split}.json", {clip.name: [clip.label] for clip in own})
        kfold = task.splits[0].startswith("fold")
        settings = {
            "embedding_type": "scene",
            "prediction_type": "multiclass",
            "split_mode": "presplit_kfold" if kfold else "trainvaltest",
            **({"nfolds": len(task.splits)} if kfold else {}),
            "sample_duration": task.seconds,
            "evaluation": ["top1_acc"],
            "splits": list(task.splits),
        }
        labels = [clip.label for clip in clips]
        write_descriptions(temporary, task.name, settings, labels, _readme(task, clips))
    return folder


def file_clip(path: Path, label: str, split: str) -> LabelledClip:
    """A clip that is a whole file."""
    return LabelledClip(f"{path.stem}.wav", label, split, lambda: read_mono(path))


def _readme(task: SceneTask, clips: Sequence[LabelledClip]) -> str:
    counts = Counter(clip.split for clip in clips)
    labels = Counter(clip.label for clip in clips)
    return f"""# {task.name}

{len(clips)} clips of {task.seconds:g} s at {task.sample_rate} Hz; longer recordings are cut, \
shorter ones are followed by silence.

Written by `{task.command}`; not to be edited.

{task.about.strip()}
- Clips: {", ".join(f"{split} {counts[split]}" for split in task.splits)}.
- Labels: {", ".join(f"{label} {labels[label]}" for label in sorted(labels))}.
"""
