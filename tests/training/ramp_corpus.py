"""A corpus whose samples tell the time: each recording rises by `SLOPE` per second from zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from training.corpus.build import build
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.corpus.source import AudioFile, Source

SLOPE = 0.05
SECONDS = {"speech": (2.0, 0.5, 0.25), "music": (18.5, 3.0)}


def ramp_corpus(folder: Path, slope: float = SLOPE) -> Corpus:
    """Three recordings of speech, two of music."""
    folder.mkdir(parents=True)
    files = []
    for kind, lengths in SECONDS.items():
        for seconds in lengths:
            path = folder / f"{kind}-{seconds}.wav"
            ramp = slope * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
            soundfile.write(path, ramp, SAMPLE_RATE, subtype="PCM_16")
            files.append(AudioFile(path, path.name, kind, "CC0-1.0"))
    build([Source("ramps", files=tuple(files))], folder / "corpus")
    return Corpus.open(folder / "corpus")
