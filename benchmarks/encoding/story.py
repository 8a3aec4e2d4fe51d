"""Stand-in for a story without audio: each word synthesised by espeak-ng at its onset.

Onsets are those of the original recording; voice, prosody and loudness are not. The stand-in
preserves the rhythm of words and their coarse spectrum.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import espeak
from benchmarks.encoding.text_grid import Interval

RATE = 22_050
PAUSE = "sp"  # the aligner's label of a pause
VOICE = "en-us"
WORDS_PER_MINUTE = 250  # the median word then lasts as long as its median interval
FADE_S = 0.01
SILENCE = 0.003  # of full scale: the ends of a word below it are cut off

Samples = NDArray[np.float32]


def words_of(intervals: Sequence[Interval]) -> list[Interval]:
    """The intervals with a word."""
    return [interval for interval in intervals if interval.text not in ("", PAUSE)]


def speak(words: Sequence[str], *, progress: bool = True) -> dict[str, Samples]:
    """Each distinct word synthesised once: mono, 22,050 Hz, trimmed.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed.
    """
    spoken = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "word.wav")
        for word in tqdm(sorted(set(words)), desc="words", disable=not progress):
            espeak.speak(word, path, voice=VOICE, words_per_minute=WORDS_PER_MINUTE)
            spoken[word] = without_silence(_read(path))
    return spoken


def without_silence(sound: Samples) -> Samples:
    """From the first to the last non-silent sample; unchanged if all are silent."""
    heard = np.flatnonzero(np.abs(sound) > SILENCE)
    return sound[heard[0] : heard[-1] + 1] if len(heard) else sound


def place_words(
    words: Sequence[Interval], spoken: Mapping[str, Samples], duration: float, rate: int = RATE
) -> Samples:
    """Each word at its onset, faded out where it would overlap the next one.

    Parameters
    ----------
    words : sequence of Interval
        In order of onset; a word may last until the next one begins.
    spoken : mapping
        Samples of each word, ``(n_samples,)``.
    duration : float
        Of the story in seconds.
    rate : int
        In Hz.

    Returns
    -------
    ndarray
        float32 ``(round(duration * rate),)``.

    Raises
    ------
    ValueError
        If onsets do not ascend or a word begins after the end.
    """
    story = np.zeros(round(duration * rate), dtype=np.float32)
    onsets = [round(word.start * rate) for word in words]
    if any(one > other for one, other in zip(onsets, [*onsets[1:], len(story)], strict=True)):
        raise ValueError(f"word onsets must ascend within the {duration:g} s of the story")
    for word, onset, next_onset in zip(words, onsets, [*onsets[1:], len(story)], strict=True):
        sound = spoken[word.text]
        room = next_onset - onset
        if len(sound) > room:
            sound = sound[:room].copy()
            n_faded = min(room, round(FADE_S * rate))
            sound[room - n_faded :] *= np.linspace(1, 0, n_faded, endpoint=False, dtype=np.float32)
        story[onset : onset + len(sound)] = sound
    return story


def write_story(intervals: Sequence[Interval], path: Path, *, progress: bool = True) -> float:
    """Synthesise a story to a FLAC file; returns the fraction of truncated words."""
    words = words_of(intervals)
    spoken = speak([word.text for word in words], progress=progress)
    story = place_words(words, spoken, intervals[-1].stop)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, story, RATE, subtype="PCM_16")
    onsets = np.array([*(word.start for word in words), intervals[-1].stop])
    lengths = np.array([len(spoken[word.text]) / RATE for word in words])
    return float(np.mean(lengths > np.diff(onsets)))


def espeak_version() -> str:
    """Version of espeak-ng."""
    run = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True)
    return run.stdout.partition("Data at")[0].strip()


def _read(path: Path) -> Samples:
    """The file as mono samples at :data:`RATE`."""
    import soxr

    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Samples = sound.mean(axis=1, dtype=np.float32)
    return mono if rate == RATE else np.asarray(soxr.resample(mono, rate, RATE), dtype=np.float32)
