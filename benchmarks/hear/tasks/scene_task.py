"""Task with one label per clip, made from recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.tasks.task_writer import (
    SAMPLE_RATE,
    fitted,
    new_task_folder,
    read_mono,
    write_clip,
    write_descriptions,
    write_json,
)

Read = Callable[[], tuple[NDArray[np.float64], int]]


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

    Parameters
    ----------
    task : SceneTask
    tasks_folder : Path
        Parent of the task folder.
    clips_of : callable
        Lists the clips; called only if the task has to be made.

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
