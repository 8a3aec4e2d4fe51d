"""Stand-in for a story without audio: each word synthesised by espeak-ng at its onset.

Onsets are those of the original recording; voice, prosody and loudness are not. The stand-in
preserves the rhythm of words and their coarse spectrum. Onsets are read from Praat's TextGrid, long
text form.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import espeak

RATE = 22_050
PAUSE = "sp"  # the aligner's label of a pause
VOICE = "en-us"
WORDS_PER_MINUTE = 250  # the median word then lasts as long as its median interval
FADE_S = 0.01
SILENCE = 0.003  # of full scale: the ends of a word below it are cut off

_NAME = re.compile(r'name = "((?:[^"]|"")*)"')
_COUNT = re.compile(r"intervals: size = (\d+)")
_INTERVAL = re.compile(
    r"intervals \[\d+\]:\s*xmin = (\S+)\s*xmax = (\S+)\s*text = " + r'"((?:[^"]|"")*)"'
)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """Label of a tier from `start` to `stop`, in seconds."""

    start: float
    stop: float
    text: str


def read_tier(path: Path, tier: str) -> list[Interval]:
    """All intervals of a tier, the empty ones included.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a TextGrid, has no such tier, or the tier is incomplete.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such TextGrid: {path}")
    try:
        return parse_tier(path.read_text(encoding="utf-8-sig"), tier)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_tier(text: str, tier: str) -> list[Interval]:
    """As :func:`read_tier`, from the content of the file.

    Examples
    --------
    >>> parse_tier('''"ooTextFile" "TextGrid"
    ...     name = "word"
    ...     intervals: size = 1
    ...     intervals [1]:
    ...         xmin = 20.5
    ...         xmax = 21
    ...         text = "Alice" ''', "word")
    [Interval(start=20.5, stop=21.0, text='Alice')]
    """
    if "TextGrid" not in text[:200]:
        raise ValueError("no TextGrid in the long text form; save it from Praat as text file")
    _, *pieces = _NAME.split(text)
    tiers = dict(zip(pieces[::2], pieces[1::2], strict=True))
    if tier not in tiers:
        raise ValueError(f"no tier {tier!r}, it has {', '.join(tiers) or 'none'}")
    content = tiers[tier]
    intervals = [
        Interval(float(start), float(stop), label.replace('""', '"').strip())
        for start, stop, label in _INTERVAL.findall(content)
    ]
    count = _COUNT.search(content)
    if count is None or int(count[1]) != len(intervals):
        announced = count[1] if count else "no number of"
        raise ValueError(
            f"tier {tier!r} declares {announced} intervals and has {len(intervals)}; is the file "
            "complete?"
        )
    return intervals


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
    audible = np.flatnonzero(np.abs(sound) > SILENCE)
    return sound[audible[0] : audible[-1] + 1] if len(audible) else sound


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


def write_story(intervals: Sequence[Interval], path: Path, *, progress: bool = True) -> None:
    """Synthesise a story to a FLAC file."""
    words = words_of(intervals)
    spoken = speak([word.text for word in words], progress=progress)
    story = place_words(words, spoken, intervals[-1].stop)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, story, RATE, subtype="PCM_16")


def _read(path: Path) -> Samples:
    """The file as mono samples at :data:`RATE`."""
    import soxr

    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Samples = sound.mean(axis=1, dtype=np.float32)
    return mono if rate == RATE else np.asarray(soxr.resample(mono, rate, RATE), dtype=np.float32)
