"""Folder of the audio and video stimuli of a dataset."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from hear_brainsoundnet.sound_files import (
    SOUND_SUFFIXES,
    find_sound_files,
    is_sound,
    is_text,
    printable,
)

LONGEST_NAME = 200  # bytes without suffix: dataset files append to it, up to 255
UNREADABLE_NAME = "names that are not UTF-8, which no table or dataset can hold"
LONG_NAME = f"names of more than {LONGEST_NAME} bytes"


class StimulusFolder:
    """Audio and video files in a folder, searched recursively, by name without suffix.

    Files left out by :func:`hear_brainsoundnet.sound_files.find_sound_files`, and files with names
    that a dataset cannot store, are findings. Names are compared after Unicode normalisation (NFC
    or NFD).

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no audio or video.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder of stimuli: {folder}")
        self.folder = folder
        self.files: dict[str, list[Path]] = {}
        self._found = find_sound_files(folder)
        for path in self._found.files:
            if reason := _unusable(path.relative_to(folder)):
                self._found.left_out.setdefault(reason, []).append(path)
            else:
                self.files.setdefault(path.stem, []).append(path)
        self._by_normal_form: dict[str, list[Path]] = {}
        for name, paths in self.files.items():
            self._by_normal_form.setdefault(_normal_form(name), []).extend(paths)
        if not self.files:
            left_out = "".join(f"; {finding}" for finding in self._found.findings())
            raise ValueError(
                f"{folder} holds no sound or video; expected {' '.join(sorted(SOUND_SUFFIXES))}"
                f"{left_out}"
            )

    def get(self, name: str) -> Path | None:
        """The file of a stimulus, by its name or by its path within the folder.

        Raises
        ------
        ValueError
            If two files have this name.
        """
        paths = self._called(name)
        if not paths and is_sound(Path(name)):
            wanted = Path(_normal_form(name))
            paths = [
                path
                for path in self._called(Path(name).stem)
                if wanted.name == _normal_form(path.name)
                and wanted in (self._inside(path), Path(wanted.name))
            ]
        if len(paths) > 1:
            raise ValueError(
                f"{len(paths)} files for the stimulus {name}: {paths[0]} and {paths[1]}; keep one "
                "of them in this folder"
            )
        return paths[0] if paths else None

    def findings(self, used: Iterable[str]) -> list[str]:
        """Files that no run refers to, and those left out by the search."""
        findings = []
        if unused := sorted(self.files.keys() - set(used)):
            names = [printable(name) for name in unused]
            findings.append(f"stimuli in {self.folder} that belong to no run: {', '.join(names)}")
        return findings + self._found.findings()

    def _called(self, name: str) -> list[Path]:
        """Files of this name: exactly, or else in another Unicode normalisation."""
        return self.files.get(name) or self._by_normal_form.get(_normal_form(name), [])

    def _inside(self, path: Path) -> Path:
        return Path(_normal_form(path.relative_to(self.folder).as_posix()))


def _normal_form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _unusable(path: Path) -> str:
    """Why a dataset cannot store a stimulus of this path; empty if it can."""
    if not is_text(path):
        return UNREADABLE_NAME
    return LONG_NAME if len(path.stem.encode()) > LONGEST_NAME else ""
