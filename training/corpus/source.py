"""Sources of a corpus: lists of audio files with kind and licence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, find_sound_files, is_text, printable
from training.corpus.manifest import LeftOut

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioFile:
    """A file to include.

    Attributes
    ----------
    path : Path
    name : str
        Its path inside the source, with forward slashes.
    kind : str
        Content: speech, words, letters, singing, music, notes, drums, effects, ambience, ...
    licence : str
        SPDX or Debian short name.
    label : str
        Specific content, if known: the spoken word; else empty.
    """

    path: Path
    name: str
    kind: str
    licence: str
    label: str = ""


@dataclass(frozen=True)
class Source:
    """Files of one origin; see :class:`training.corpus.manifest.SourceEntry` for the fields."""

    name: str
    files: tuple[AudioFile, ...]
    version: str = ""
    sha256: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()


def folder_source(folder: Path, kind: str, licence: str) -> Source:
    """Every audio file under `folder`, in order of their names.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give a folder of audio files")
    found = find_sound_files(folder)
    for finding in found.findings():
        logger.warning(finding)
    names = {each: each.relative_to(folder).as_posix() for each in found.files}
    files = tuple(
        AudioFile(each, name, kind, licence) for each, name in names.items() if is_text(name)
    )
    left_out = tuple(
        LeftOut(file=printable(name), reason="its name is not UTF-8")
        for name in names.values()
        if not is_text(name)
    )
    if not files:
        known = ", ".join(sorted(SOUND_SUFFIXES))
        raise ValueError(f"{folder} holds no audio file; expected some of {known}")
    return Source(folder.resolve().name, files, left_out=left_out)
