"""Corpora that tests make of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from training.corpus.build import build
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.corpus.source import AudioFile, Source

SLOPE = 0.05
SECONDS = {"speech": (2.0, 0.5, 0.25), "music": (18.5, 3.0)}


def corpus_of(folder: Path, sounds: Iterable[tuple[np.ndarray, str, str]]) -> Corpus:
    """A corpus of samples, each with its kind and label."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, (samples, kind, label) in enumerate(sounds):
        path = folder / f"{i:02}.wav"
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        files.append(AudioFile(path, path.name, kind, "CC0-1.0", label))
    build([Source("made", files=tuple(files))], folder / "corpus")
    return Corpus.open(folder / "corpus")


def ramps(slope: float = SLOPE) -> list[tuple[np.ndarray, str, str]]:
    """Three recordings of speech, two of music; each rises by `slope` per second from zero."""
    return [
        (slope * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE, kind, "")
        for kind, lengths in SECONDS.items()
        for seconds in lengths
    ]


def ramp_corpus(folder: Path, slope: float = SLOPE) -> Corpus:
    """A corpus whose samples are proportional to their time."""
    return corpus_of(folder, ramps(slope))
