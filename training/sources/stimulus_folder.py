"""The sound and video files that a dataset was recorded with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".m4a")
VIDEO = (".mkv", ".mp4", ".mov", ".avi", ".webm")
N_SHOWN = 20


class StimulusFolder:
    """Sound and video files anywhere below a folder, by name without suffix.

    Hidden files and folders are passed over, and so are links without content.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no sound or video.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder of stimuli: {folder}")
        self.folder = folder
        self.files: dict[str, list[Path]] = {}
        self.empty_links: list[str] = []
        seen: set[str] = set()  # links between folders may form a ring
        for parent, folders, names in os.walk(folder, followlinks=True):
            real = os.path.realpath(parent)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if real in seen:
                folders[:] = []
                continue
            seen.add(real)
            for path in (Path(parent, name) for name in sorted(names)):
                if path.suffix.lower() not in AUDIO + VIDEO or path.name.startswith("."):
                    continue
                if path.is_file():
                    self.files.setdefault(path.stem, []).append(path)
                else:
                    self.empty_links.append(path.name)
        if not self.files:
            links = f" ({len(self.empty_links)} links without content)" if self.empty_links else ""
            raise ValueError(
                f"{folder} holds no sound or video{links}; expected {' '.join(AUDIO + VIDEO)}"
            )

    def get(self, name: str) -> Path | None:
        """The file of a stimulus, by its name or by its path within the folder.

        Raises
        ------
        ValueError
            If two files have this name.
        """
        paths = self.files.get(name, [])
        if not paths and Path(name).suffix.lower() in AUDIO + VIDEO:
            wanted = Path(name)
            same_stem = self.files.get(wanted.stem, [])
            paths = [p for p in same_stem if wanted in (p.relative_to(self.folder), Path(p.name))]
        if len(paths) > 1:
            raise ValueError(
                f"{len(paths)} files for the stimulus {name}: {paths[0]} and {paths[1]}; keep one "
                "of them in this folder"
            )
        return paths[0] if paths else None

    def findings(self, used: Iterable[str]) -> list[str]:
        """Files that no run refers to, and links without content."""
        findings = []
        if unused := sorted(self.files.keys() - set(used)):
            findings.append(f"stimuli in {self.folder} that belong to no run: {shown(unused)}")
        if self.empty_links:
            findings.append(
                f"stimuli in {self.folder} that are links without content: "
                f"{shown(self.empty_links)}"
            )
        return findings


def shown(names: Sequence[str]) -> str:
    """The first names of a list, and how many there are more."""
    more = f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    return ", ".join(names[:N_SHOWN]) + more
