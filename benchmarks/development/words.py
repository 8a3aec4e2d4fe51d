"""Isolated synthesised words, tested on voices not used in training.

Training clips come from one synthesiser, a third of the test clips from another: as with
recordings, test voices differ by more than their pitch. The tested variants of espeak-ng are in no
corpus; the voices of flite speak other words there.

``word``: bandwidth of recordings at 16 kHz; ``word_telephone``: at 8 kHz; ``word_few``: eight
training examples of each word, each of another voice, at 16 kHz. All are tested on the same
utterances. A word begins after a random pause, as in recordings cut to one second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.development.excerpts import SEED, scene_task
from benchmarks.hear.tasks.task_writer import LabelledClip, make_scene_task
from training.corpus.corpus import SAMPLE_RATE
from training.corpus.programs import write_once

SECONDS = 1.0
BANDS: Mapping[str, int] = {"word": 16_000, "word_telephone": 8_000, "word_few": 16_000}  # Hz
VERSIONS = {"train": 2, "test": 3}  # of each word by each voice
N_FEW = 8
_SPEEDS, _PITCHES = (120, 190), (25, 75)  # words a minute, and 0 to 99, of espeak-ng
_STRETCHES, _SHIFTS = (0.9, 1.3), (0.85, 1.2)  # of flite's durations and fundamental frequency
_SILENCE = 0.01  # of the peak; quieter samples around a word are trimmed
_SNR_DB = (10.0, 30.0)  # of the word over noise, which masks differences between synthesisers

# None is a word of Speech Commands, a digit, or among the frequent words in the corpora.
WORDS = (
    "crab", "fern", "glove", "grape", "hawk", "knob", "moss", "pearl",
    "plum", "quilt", "shrimp", "soup", "sponge", "thorn", "twig", "yolk",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """A voice of a synthesiser, by its name in the program."""

    program: Literal["espeak-ng", "flite"]
    name: str


_ESPEAK = (
    "en-us+m1", "en-us+f1", "en-us+m3", "en-us+f3", "en-gb+m2", "en-gb+f2", "en-gb+m7",
    "en-gb-scotland+m4", "en-029+f4", "en-gb-x-rp+m5", "en-gb-x-gbcwmd+m6", "en-us+m6",
)  # fmt: skip
TESTED_VARIANTS = ("Alicia", "Andrea", "Denis", "victor")  # of espeak-ng
_TESTED_LANGUAGES = ("en-us", "en-gb")  # in turn

LEARNED = tuple(Voice("espeak-ng", name) for name in _ESPEAK)
TESTED = (
    *(Voice("flite", name) for name in ("rms", "slt")),
    *(
        Voice("espeak-ng", f"{_TESTED_LANGUAGES[i % len(_TESTED_LANGUAGES)]}+{variant}")
        for i, variant in enumerate(TESTED_VARIANTS)
    ),
)


@dataclass(frozen=True)
class Utterance:
    """A word by a voice, number `version`; its prosody is determined by these."""

    word: str
    voice: Voice
    version: int

    @property
    def name(self) -> str:
        """File name."""
        voice = f"{self.voice.program}_{self.voice.name}".replace("+", "_")
        return f"{self.word}-{voice}-{self.version}.wav"

    def rng(self) -> np.random.Generator:
        """Random generator of this utterance."""
        return np.random.default_rng([SEED, *self.name.encode()])

    def command(self) -> list[str]:
        """Command that synthesises it to ``{out}``."""
        rng = self.rng()
        if self.voice.program == "flite":
            shift, stretch = rng.uniform(*_SHIFTS), rng.uniform(*_STRETCHES)
            settings = [
                "--setf",
                f"f0_shift={shift:.3f}",
                "--setf",
                f"duration_stretch={stretch:.3f}",
            ]
            return ["flite", "-voice", self.voice.name, *settings, "-t", self.word, "-o", "{out}"]
        speed, pitch = rng.integers(*_SPEEDS), rng.integers(*_PITCHES)
        settings = ["-s", str(speed), "-p", str(pitch)]
        return ["espeak-ng", "-v", self.voice.name, *settings, "-w", "{out}", "--", self.word]


def utterances(split: str, *, few: bool = False) -> Iterator[Utterance]:
    """Utterances of the split "train" or "test"; only of the first eight voices if few."""
    voices = LEARNED if split == "train" else TESTED
    n_versions = VERSIONS[split]
    if few and split == "train":
        voices, n_versions = voices[:: len(voices) // N_FEW][:N_FEW], 1
    for word in WORDS:
        for voice in voices:
            yield from (Utterance(word, voice, version) for version in range(n_versions))


def make_words(what: str, cache: Path, tasks_folder: Path) -> Path:
    """Make one of the tasks in :data:`BANDS`, unless it exists; returns its folder.

    Synthesised files are kept in `cache`.

    Raises
    ------
    OSError
        If espeak-ng or flite is missing.
    """
    about = f"""
- Source: espeak-ng and flite, whose voices are free (GPL-3+; BSD-like).
- Label: the word.
- Splits: voices. Learned from {", ".join(voice.name for voice in LEARNED)}; tested on \
{", ".join(voice.name for voice in TESTED)}.
- Band: that of recordings at {BANDS[what]} Hz. Noise {_SNR_DB[0]:g} to {_SNR_DB[1]:g} dB below \
the word."""
    task = scene_task(what, ("train", "test"), SECONDS, about)
    return make_scene_task(
        task,
        tasks_folder,
        lambda: [
            LabelledClip(each.name, each.word, split, partial(_spoken, each, cache, BANDS[what]))
            for split in task.splits
            for each in utterances(split, few=what == "word_few")
        ],
    )


def _spoken(utterance: Utterance, cache: Path, band: int) -> tuple[NDArray[np.float64], int]:
    """Samples and rate of an utterance, synthesised unless cached."""
    import soxr

    path = cache / "synthesised" / "development-words" / utterance.name
    write_once(path, utterance.command())
    audio, rate = soundfile.read(path, dtype="float64")
    sounding = np.flatnonzero(np.abs(audio) > _SILENCE * np.abs(audio).max())
    audio = soxr.resample(audio[sounding[0] : sounding[-1] + 1], rate, band, quality="HQ")
    rng = utterance.rng()
    length = round(SECONDS * band)
    pause = int(rng.integers(max(1, length - len(audio))))
    clip = np.zeros(length)
    end = min(length, pause + len(audio))
    clip[pause:end] = audio[: end - pause]
    rms = np.sqrt(np.mean(np.square(audio)))
    clip += rms * 10 ** (-rng.uniform(*_SNR_DB) / 20) * rng.standard_normal(length)
    clip /= max(1.0, np.abs(clip).max())
    return soxr.resample(clip, band, SAMPLE_RATE, quality="HQ"), SAMPLE_RATE
