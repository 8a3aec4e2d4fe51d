"""Continuous stimuli, one per run, made of real recordings.

Runs are the halves of episodes: s01e01a, s01e01b, s01e02a ... The last third of the episodes is
season 2, with recordings that do not occur in season 1: it is a valid test season. Recordings
follow each other in random order and at random levels, cross-faded or with a short gap.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.sound_files import find_sound_files
from training.data.prepared import INT16_SCALE
from training.fitting.untrained import SAMPLE_RATE

logger = logging.getLogger(__name__)

RUNS_PER_SESSION = 4
LONGEST_EXCERPT = 20.0  # seconds; longer recordings are excerpted
LEVEL_DB = (-35.0, -15.0)  # RMS re full scale
GAP = (0.1, 1.0)  # seconds
GAP_PROBABILITY = 0.3
CROSSFADE = (0.05, 0.5)  # seconds


@dataclass(frozen=True)
class Half:
    """One half of an episode, the stimulus of one run."""

    name: str
    season: int
    session: str

    @property
    def run(self) -> str:
        """The name of the run in the files."""
        return f"{self.session}_task-{self.name}"


@dataclass(frozen=True)
class Clip:
    """Position of a recording: its onset in seconds of the stimulus, and its level in dB."""

    stimulus: str
    onset: float
    level_db: float
    file: str


def schedule(n_runs: int) -> list[Half]:
    """The runs in order of acquisition.

    With two runs each is the first half of a separate episode, so that there are two seasons.

    Examples
    --------
    >>> [half.name for half in schedule(6)]
    ['s01e01a', 's01e01b', 's01e02a', 's01e02b', 's02e01a', 's02e01b']
    """
    if n_runs < 2:
        raise ValueError(f"n_runs is {n_runs}, expected at least 2: one must be held out")
    n_episodes = max(2, -(-n_runs // 2))
    n_first = n_episodes - max(1, round(n_episodes / 3))
    names = []
    for i in range(n_episodes):
        season, episode = (1, i + 1) if i < n_first else (2, i - n_first + 1)
        names += [f"s{season:02}e{episode:02}{half}" for half in ("a" if n_runs == 2 else "ab")]
    return [
        Half(name, int(name[1:3]), f"ses-{i // RUNS_PER_SESSION + 1:03}")
        for i, name in enumerate(names[:n_runs])
    ]


def find_recordings(folder: Path) -> list[Path]:
    """Audio files in a folder, recursively, without duplicates, by name.

    Raises
    ------
    ValueError
        If there are fewer than two, one for each season.
    """
    found: dict[str, Path] = {}
    search = find_sound_files(Path(folder))
    for finding in search.findings():
        logger.warning(finding)
    for path in search.files:
        found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    if len(found) < 2:
        raise ValueError(
            f"{folder} holds {len(found)} different audio files, expected at least 2 (one for each "
            "season); give a folder of recordings (WAV, FLAC, Ogg, MP3 ...)"
        )
    return list(found.values())


def films(
    recordings: Sequence[Path], halves: Sequence[Half], seconds: float, seed: np.random.SeedSequence
) -> Iterator[tuple[Half, NDArray[np.int16], list[Clip]]]:
    """Audio of every run, int16 ``(n_samples,)`` at 22,050 Hz, and its composition."""
    generator = np.random.default_rng(seed)
    order = [recordings[i] for i in generator.permutation(len(recordings))]
    share = sum(half.season == 1 for half in halves) / len(halves)
    n_first = min(max(1, round(share * len(order))), len(order) - 1)
    queues = {1: _endless(order[:n_first], generator), 2: _endless(order[n_first:], generator)}
    for half in halves:
        audio, clips = _film(half, queues[half.season], seconds, generator)
        yield half, np.round(audio * (INT16_SCALE - 1)).astype(np.int16), clips


def _endless(recordings: list[Path], generator: np.random.Generator) -> Iterator[Path]:
    """All recordings in random order, repeatedly reshuffled."""
    while True:
        for i in generator.permutation(len(recordings)):
            yield recordings[i]


def _film(
    half: Half, queue: Iterator[Path], seconds: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], list[Clip]]:
    audio = np.zeros(round(seconds * SAMPLE_RATE))
    clips: list[Clip] = []
    position, n_silent = 0, 0
    while position < len(audio):
        path = next(queue)
        sound = _excerpt(path, generator)
        rms = float(np.sqrt(np.mean(sound**2)))
        if rms < 1e-6:
            n_silent += 1
            if n_silent > 1000:
                raise ValueError(
                    f"recordings such as {path} are silent; give a folder of audible recordings"
                )
            continue
        level = generator.uniform(*LEVEL_DB)
        sound = sound * 10 ** (level / 20) / rms
        sound /= max(1.0, float(np.abs(sound).max()) / 0.7)  # two of them overlap in a cross-fade
        fade = min(round(generator.uniform(*CROSSFADE) * SAMPLE_RATE), len(sound) // 2)
        ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
        sound[:fade] *= ramp
        sound[len(sound) - fade :] *= ramp[::-1]
        stop = min(position + len(sound), len(audio))
        audio[position:stop] += sound[: stop - position]
        clips.append(Clip(half.name, position / SAMPLE_RATE, level, str(path)))
        position += max(1, len(sound) - fade)
        if generator.random() < GAP_PROBABILITY:
            position += fade + round(generator.uniform(*GAP) * SAMPLE_RATE)
    return np.clip(audio, -1, 1), clips


def _excerpt(path: Path, generator: np.random.Generator) -> NDArray[np.float64]:
    """A recording, or an excerpt of a long one, ``(n_samples,)`` at 22,050 Hz."""
    with AudioFile(path) as file:
        n_samples = min(file.n_samples, round(LONGEST_EXCERPT * file.sample_rate))
        start = int(generator.integers(file.n_samples - n_samples + 1))
        sound = (
            _resampler(file.sample_rate)(file.read(start, start + n_samples))[0].double().numpy()
        )
    if not np.isfinite(sound).all():
        raise ValueError(f"{path} contains NaN or infinity; remove it from the folder")
    return np.asarray(sound)


@lru_cache(maxsize=8)
def _resampler(sample_rate: int) -> Resampler:
    """Cached: its kernel is computed once per rate."""
    return Resampler(sample_rate, SAMPLE_RATE)
