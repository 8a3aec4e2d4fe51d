"""Duration of audio, from the header of its file."""

from __future__ import annotations

import re
from pathlib import Path

# Formats that count samples in the header. The length of MP3 and Ogg is estimated or searched for.
_COUNTED = frozenset({"WAV", "WAVEX", "W64", "RF64", "AIFF", "FLAC", "CAF", "AU"})
_UNKNOWN = 2**62  # and more frames mean "unknown"


def announced_duration(path: Path) -> float | None:
    """Duration in seconds declared by a header, or None if it is not reliable.

    Damaged files are left to the readers.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "a.wav"), np.zeros(800), 8000)
    ...     soundfile.write(Path(folder, "a.mp3"), np.zeros(16000), 16000)
    ...     announced_duration(Path(folder, "a.wav")), announced_duration(Path(folder, "a.mp3"))
    (0.1, None)
    """
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, TypeError, UnicodeError):
        return _of_stream(path)
    if info.format not in _COUNTED or not 0 < info.frames < _UNKNOWN or info.samplerate <= 0:
        return None
    return float(info.frames / info.samplerate)


def _of_stream(path: Path) -> float | None:
    """Duration of the first audio stream of a container."""
    try:
        import av

        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                return float(stream.duration * stream.time_base)
            return _seconds(stream.metadata.get("DURATION", ""))
    except Exception:  # av raises many kinds, and may be absent
        return None


def _seconds(text: str) -> float | None:
    """Duration from Matroska's stream metadata.

    Examples
    --------
    >>> _seconds("00:22:10.500000000")
    1330.5
    """
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip("\0 "))
    if match is None:
        return None
    hours, minutes, seconds = map(float, match.groups())
    return 3600 * hours + 60 * minutes + seconds
