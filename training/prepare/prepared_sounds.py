"""Audio of a dataset, and the position of runs in it: from headers first, then from samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from training.data.prepared import audio_file
from training.data.prepared_writer import Claim
from training.data.stimuli import PreparedSound, prepare_sound
from training.prepare.run_checks import Extent, RunRules, check_extents
from training.prepare.run_preparation import are_last
from training.prepare.workers import in_processes
from training.progress import bar
from training.sources.source import Collection

# Formats that count samples in the header. The length of MP3 and Ogg is estimated or searched for.
_COUNTED = frozenset({"WAV", "WAVEX", "W64", "RF64", "AIFF", "FLAC", "CAF", "AU"})
_UNKNOWN = 2**62  # and more frames mean "unknown"
# Containers round the length of a stream, and some omit samples that a decoder adds at its ends.
HEADER_SLACK_S = 1.0


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


def extents(
    collection: Collection, durations: Mapping[str, float], slack: float = 0.0
) -> list[Extent]:
    """Position of runs in their stimulus, for stimuli with a known duration.

    Parameters
    ----------
    collection : Collection
        The runs.
    durations : mapping
        Name of a stimulus to its duration in seconds; others are skipped.
    slack : float
        Tolerance in seconds for a shorter stimulus.
    """
    if collection.kind != "time_series":
        return []
    return [
        Extent(each, each.n_trs, max(durations[each.stimulus] - slack, 0.0), is_last)
        for each, is_last in zip(
            collection.recordings, are_last(collection.recordings), strict=True
        )
        if each.n_trs is not None and each.stimulus in durations
    ]


def check_announced_extents(collection: Collection, rules: RunRules) -> None:
    """Reject runs that are too short according to the headers of images and audio files.

    Raises
    ------
    ValueError
        If there are such runs; the message names all of them.
    """
    durations = {}
    for name in sorted({each.stimulus for each in collection.recordings}):
        duration = announced_duration(Path(collection.stimuli[name]))
        if duration is not None:
            durations[name] = duration
    short = [
        each
        for each in extents(collection, durations, HEADER_SLACK_S)
        if not each.is_outside  # only the samples are conclusive
    ]
    check_extents(short, rules)


def prepare_sounds(
    stimuli: Mapping[str, Path],
    claim: Claim,
    sample_rate: int,
    audio_stream: int | None = None,
    *,
    n_workers: int = 1,
    progress: bool = False,
) -> tuple[dict[str, PreparedSound], list[str]]:
    """Write all missing audio files; returns their metadata by name, and findings.

    Raises
    ------
    ValueError
        If a file is not usable audio.
    OSError
        If a file cannot be written.
    """
    names = sorted(stimuli)
    targets = {name: audio_file(claim.out, name) for name in names}
    calls = [
        (Path(stimuli[name]), target, sample_rate, audio_stream, claim.is_damaged(target))
        for name, target in targets.items()
    ]
    sounds: dict[str, PreparedSound] = {}
    with bar(total=len(calls), desc="audio", shown=progress) as sounds_done:
        for i, sound in in_processes(_prepare_sound, calls, n_workers):
            sounds[names[i]] = sound
            sounds_done.update()
    for target in targets.values():
        if claim.is_damaged(target):
            claim.keep(target)  # rewritten: the stored checksum is outdated
    findings = [_about(finding, name) for name in names for finding in sounds[name].findings]
    findings += [
        "sounds with samples beyond full scale, which are clipped: "
        f"{name} ({sounds[name].n_clipped} of {sounds[name].n_samples})"
        for name in names
        if sounds[name].n_clipped
    ]
    return {name: sounds[name] for name in names}, findings


def _prepare_sound(
    source: Path, target: Path, sample_rate: int, audio_stream: int | None, is_damaged: bool
) -> PreparedSound:
    if is_damaged:
        target.unlink()
    return prepare_sound(source, target, sample_rate, audio_stream)


def _about(finding: str, name: str) -> str:
    """A remark on an audio file as a finding, worded so that those of one kind are merged."""
    kind, _, details = finding.partition(": ")
    return f"{kind}: {name} ({details})" if details else f"{kind}: {name}"
