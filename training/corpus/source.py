"""Sources of a corpus: lists of audio files with kind and licence."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.decoding import open_sound
from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, find_sound_files, is_text, printable
from training.checksums import sha256_of
from training.corpus.corpus import SAMPLE_RATE, SAMPLE_TYPE, LeftOut
from training.data.prepared import INT16_SCALE

logger = logging.getLogger(__name__)
CONVERSION = (
    f"mean of channels, soxr HQ to {SAMPLE_RATE} Hz, rounded to int16 without dither, clipped"
)
SHORTEST_S = 0.2
SILENCE = 2**-10  # -60 dB of full scale; a file below it throughout is silent


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
    """Files of one origin; see :class:`training.corpus.corpus.SourceEntry` for the fields."""

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


@dataclass(frozen=True)
class Recording:
    """Samples, int16 ``(n_samples,)``, and the SHA-256 of the file and of the samples."""

    samples: NDArray[np.int16]
    sha256: str
    samples_sha256: str


def decode(path: Path, *, shortest: float = SHORTEST_S, silence: float = SILENCE) -> Recording:
    """Decode a file.

    Parameters
    ----------
    path : Path
    shortest : float
        Minimal duration in seconds.
    silence : float
        Largest amplitude of a file considered silent.

    Raises
    ------
    ValueError
        If it cannot be decoded, is damaged, truncated, too short, or silent.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "tone.wav"), np.full(44_100, 0.25), 44_100)
    ...     recording = decode(Path(folder, "tone.wav"))
    >>> recording.samples[11_025], len(recording.samples)
    (np.int16(8192), 22050)
    """
    import soxr

    name = printable(path)
    sound, rate = _mono(path)
    if not np.isfinite(sound).all():
        raise ValueError(f"{name} holds NaN or infinite samples; export it again")
    if rate != SAMPLE_RATE:
        sound = soxr.resample(sound, rate, SAMPLE_RATE, quality="HQ")
    if len(sound) == 0 or len(sound) < shortest * SAMPLE_RATE:
        raise ValueError(f"{name} is shorter than {shortest} s")
    if np.abs(sound).max() <= silence:
        raise ValueError(f"{name} is silent")
    scaled = np.rint(sound * np.float32(INT16_SCALE))
    samples = np.clip(scaled, -INT16_SCALE, INT16_SCALE - 1).astype(SAMPLE_TYPE)
    return Recording(samples, sha256_of(path), hashlib.sha256(samples.tobytes()).hexdigest())


def _mono(path: Path) -> tuple[NDArray[np.float32], int]:
    """All audio of a file as mono float32 ``(n_samples,)``, and its rate in Hz."""
    try:
        with closing(open_sound(path)) as reader:
            blocks = [block.copy() for block in reader.blocks()]
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{printable(path)} cannot be opened ({reason})") from error
    return np.concatenate(blocks or [np.zeros(0, dtype=np.float32)]), reader.sample_rate
