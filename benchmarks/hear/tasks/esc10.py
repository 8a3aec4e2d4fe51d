"""Recordings of ESC-10 (Piczak 2015).

Layout: ``NNN - Class name/FOLD-CLIP-TAKE.ogg``. All clips of one original recording are in one
fold, so different folds share no source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.hear.tasks.task_writer import read_mono

FOLDER = Path("audio/esc10")
FILE_NAME = re.compile(r"(?P<fold>[1-5])-(?P<clip>\d+)-(?P<take>[A-Z])\.ogg")


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
        raise FileNotFoundError(
            f"no recordings in {folder}: expected 'NNN - Class/FOLD-CLIP-TAKE.ogg'; "
            "name the folder with the real data by --data or BRAINSOUNDNET_DATA"
        )
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
