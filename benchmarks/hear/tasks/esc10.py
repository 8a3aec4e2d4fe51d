"""Recordings of ESC-10 (Piczak 2015), and the task of its ten classes in its own five folds.

Layout: ``NNN - Class name/FOLD-CLIP-TAKE.ogg``. All clips of one original recording are in one
fold, so different folds share no source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.hear.tasks.task_writer import (
    SceneTask,
    file_clip,
    fold_names,
    make_scene_task,
    no_data,
    read_mono,
)

FOLDER = Path("audio/esc10")
FILE_NAME = re.compile(r"(?P<fold>[1-5])-(?P<clip>\d+)-(?P<take>[A-Z])\.ogg")

FOLDS = fold_names(5)
TASK = SceneTask(
    name="esc10-1.0.0-full",
    splits=tuple(FOLDS),
    seconds=5.0,
    command="python -m benchmarks hear tasks make-esc10",
    about="""
- Source: ESC-10 (K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM \
Multimedia 2015).
- Folds: the five that ESC-10 comes with; clips of one original recording are in one fold. fold00 \
is ESC-10's fold 1.
- Licence: CC BY 3.0; of the single recordings ESC-10's own README says more.""",
)


@dataclass(frozen=True)
class SourceClip:
    """One recording: its file, its class ("Dog bark") and its fold (1 to 5)."""

    path: Path
    category: str
    fold: int

    def read(self, sample_rate: int) -> np.ndarray:
        """Samples as float64, shape ``(n_samples,)``.

        Raises
        ------
        ValueError
            If the file is not mono at `sample_rate`.
        """
        audio, rate = read_mono(self.path)
        if rate != sample_rate:
            raise ValueError(
                f"{self.path} is at {rate} Hz, expected {sample_rate} Hz; use the original files "
                "of ESC-10"
            )
        return audio


def make_esc10(data_folder: Path, tasks_folder: Path) -> Path:
    """Make the task from ``audio/esc10``, unless it exists; returns its folder.

    Raises
    ------
    FileNotFoundError
        If there are no recordings.
    """
    return make_scene_task(
        TASK,
        tasks_folder,
        lambda: [
            file_clip(clip.path, clip.category.lower().replace(" ", "_"), FOLDS[clip.fold - 1])
            for clip in list_clips(data_folder)
        ],
    )


def list_clips(data_folder: Path) -> list[SourceClip]:
    """All recordings, in the order of class and file name.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    folder = data_folder / FOLDER
    clips = []
    for path in sorted(folder.glob("* - */*.ogg")):
        name = FILE_NAME.fullmatch(path.name)
        if name is not None:
            category = path.parent.name.partition(" - ")[2]
            clips.append(SourceClip(path, category, int(name["fold"])))
    if not clips:
        raise no_data(f"no recordings in {folder}: expected 'NNN - Class/FOLD-CLIP-TAKE.ogg'")
    return clips


def read_credits(data_folder: Path) -> dict[str, str]:
    """Licence of each clip in ESC-10's README, by file name.

    Empty if the file has no such list.
    """
    readme = data_folder / FOLDER / "README.md"
    if not readme.is_file():
        return {}
    line = re.compile(r"- \*\*\[([^\]]+\.ogg)\]\([^)]*\)\*\*:\s*(.*)")
    matches = map(line.fullmatch, readme.read_text(encoding="utf-8").splitlines())
    return {match[1]: match[2].strip() for match in matches if match is not None}
