"""Crops with several single spoken words, for word classification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from training.corpus.corpus import Corpus
from training.pretraining.crops import at_length
from training.pretraining.recipe import WordSettings

PER_WORD = 2  # clips of each word in a step, by different voices if possible


@dataclass(frozen=True)
class Words:
    """Crops of one step with words.

    Attributes
    ----------
    audio : ndarray
        float32 ``(n_crops, n_samples)``.
    labels : ndarray
        int64 ``(n_crops, n_words)``: indices into :attr:`WordCrops.vocabulary`.
    spans : ndarray
        int64 ``(n_crops, n_words, 2)``: first sample of each word, and the one after its end.
    """

    audio: NDArray[np.float32]
    labels: NDArray[np.int64]
    spans: NDArray[np.int64]


class WordCrops:
    """Sampler of words and two clips of each, arranged in crops.

    Parameters
    ----------
    corpus : Corpus
        Corpus whose labelled recordings are clips of single words.
    settings : WordSettings
        Sampling settings.
    n_samples : int
        Length of a crop, which is divided into equal slots; a longer word is cut at both ends.
    speed : float
        Maximal change of speed in octaves.

    Attributes
    ----------
    vocabulary : ndarray of str
        All words in alphabetical order.

    Raises
    ------
    ValueError
        If there are too few words for a step.
    """

    def __init__(
        self, corpus: Corpus, settings: WordSettings, n_samples: int, speed: float
    ) -> None:
        self.corpus, self.settings, self.speed = corpus, settings, speed
        self.n_samples = n_samples
        labels = corpus.recordings["label"].to_numpy(dtype=str)
        spoken = np.flatnonzero(labels != "")
        self.vocabulary = np.unique(labels[spoken])
        if len(self.vocabulary) < self.n_words:
            raise ValueError(
                f"a step takes {self.n_words} different words, the corpus has "
                f"{len(self.vocabulary)}; build it with words, or set words.crops_per_step to 0"
            )
        order = spoken[np.argsort(labels[spoken], kind="stable")]
        self.clips = np.split(order, np.flatnonzero(labels[order][1:] != labels[order][:-1]) + 1)
        self.lengths = corpus.recordings["n_samples"].to_numpy()

    @property
    def n_words(self) -> int:
        """Number of different words in a step."""
        return self.settings.crops_per_step * self.settings.words_per_crop // PER_WORD

    def draw(self, generator: np.random.Generator) -> Words:
        """Crops of one step; :attr:`Words.spans` has the positions of words."""
        chosen = generator.choice(len(self.vocabulary), self.n_words, replace=False)
        clips = [
            (word, int(clip))
            for word in chosen
            for clip in generator.choice(self.clips[word], PER_WORD, len(self.clips[word]) == 1)
        ]
        clips = [clips[i] for i in generator.permutation(len(clips))]
        n_crops, n_slots = self.settings.crops_per_step, self.settings.words_per_crop
        slot = self.n_samples // n_slots
        audio = np.zeros((n_crops, self.n_samples), dtype=np.float32)
        labels = np.zeros((n_crops, n_slots), dtype=np.int64)
        spans = np.zeros((n_crops, n_slots, 2), dtype=np.int64)
        for n, (word, clip) in enumerate(clips):
            crop, place = divmod(n, n_slots)
            sound = self._clip(clip, slot, generator)
            start = place * slot + int(generator.integers(0, slot - len(sound) + 1))
            audio[crop, start : start + len(sound)] = sound
            labels[crop, place] = word
            spans[crop, place] = start, start + len(sound)
        return Words(audio, labels, spans)

    def _clip(
        self, recording: int, longest: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """A word with changed speed and fixed level: all words of a crop are equally loud."""
        samples = self.corpus.samples(recording, 0, int(self.lengths[recording]))
        if self.speed:
            factor = 2.0 ** generator.uniform(-self.speed, self.speed)
            n = scipy.fft.next_fast_len(len(samples), real=True)
            padded = np.pad(samples, (0, n - len(samples)))
            samples = at_length(padded, max(1, round(n / factor)))
        if len(samples) > longest:
            start = (len(samples) - longest) // 2
            samples = samples[start : start + longest]
        level = float(np.sqrt(np.mean(np.square(samples))))
        return samples * np.float32(0.1 / max(level, 1e-6))


def frames_of_spans(
    spans: NDArray[np.int64], centre: float, hop: float, n_frames: int
) -> NDArray[np.bool_]:
    """Mask of a stage's frames within each word; at least one, the nearest to its middle.

    Parameters
    ----------
    spans : ndarray
        int64 ``(n_crops, n_words, 2)``, in samples.
    centre, hop : float
        Of the stage, in samples: see :mod:`hear_brainsoundnet.geometry`.
    n_frames : int

    Returns
    -------
    ndarray
        bool ``(n_crops, n_words, n_frames)``.

    Examples
    --------
    >>> frames_of_spans(np.array([[[0, 25], [25, 29]]]), centre=0, hop=10, n_frames=4).astype(int)
    array([[[1, 1, 1, 0],
            [0, 0, 0, 1]]])
    """
    times = centre + hop * np.arange(n_frames)
    within: NDArray[np.bool_] = (times >= spans[..., :1]) & (times < spans[..., 1:])
    nearest = np.abs(times - spans.mean(axis=-1, keepdims=True)).argmin(axis=-1)
    none = ~within.any(axis=-1)
    within[none, nearest[none]] = True
    return within
