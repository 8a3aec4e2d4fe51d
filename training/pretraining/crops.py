"""Crops of a step: pairs from recordings of a corpus, and crops with single spoken words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.pretraining.recipe import CropSettings, WordSettings

SILENT = 1e-4  # root mean square below which a crop is redrawn, relative to full scale
MOST_TRIES = 20
PER_WORD = 2  # clips of each word in a step, by different voices if possible


@dataclass(frozen=True)
class Crops:
    """Crops of one step, with their positions in the recordings.

    Attributes
    ----------
    audio : ndarray
        float32 ``(n_crops, n_samples)``.
    recordings : ndarray
        int64 ``(n_crops,)``: rows of the corpus.
    start_s, stop_s : ndarray
        float64 ``(n_crops,)``: position in seconds of the recording in the corpus, before any
        change of speed; the whole recording if it is shorter than a crop.
    """

    audio: NDArray[np.float32]
    recordings: NDArray[np.int64]
    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]


class PairedCrops:
    """Sampler of recordings and two crops of each.

    Recordings with a label (single words) are not drawn: see :mod:`training.pretraining.crops`.

    Parameters
    ----------
    corpus : Corpus
        Source of the recordings.
    settings : CropSettings
        Sampling settings.
    speed : float
        Maximal change of speed in octaves.

    Raises
    ------
    ValueError
        If there are fewer recordings than a step needs, or a kind does not exist.
    """

    def __init__(self, corpus: Corpus, settings: CropSettings, speed: float) -> None:
        table = corpus.recordings
        self.rows = np.flatnonzero(table["label"].to_numpy() == "")
        if len(self.rows) < settings.recordings_per_step:
            raise ValueError(
                f"a step takes {settings.recordings_per_step} recordings, the corpus has "
                f"{len(self.rows)}; set crops.recordings_per_step"
            )
        self.corpus, self.settings, self.speed = corpus, settings, speed
        self.n_samples = round(settings.seconds * SAMPLE_RATE)
        self.lengths = table["n_samples"].to_numpy()
        kinds = table["kind"].iloc[self.rows].reset_index(drop=True)
        weights = np.sqrt(self.lengths[self.rows])
        if settings.balance_kinds:
            for places in kinds.groupby(kinds).indices.values():
                weights[places] /= weights[places].sum()
        if unknown := set(settings.kind_weights) - set(kinds):
            raise ValueError(
                f"crops.kind_weights names {', '.join(sorted(unknown))}; the corpus has "
                f"{', '.join(sorted(set(kinds)))}"
            )
        weights *= kinds.map(settings.kind_weights).fillna(1.0).to_numpy()
        if np.count_nonzero(weights) < settings.recordings_per_step:
            raise ValueError(
                f"a step takes {settings.recordings_per_step} recordings, kind_weights leaves "
                f"{np.count_nonzero(weights)}; give more kinds a weight"
            )
        self.weights = weights / weights.sum()

    def draw(self, generator: np.random.Generator) -> Crops:
        """Crops of one step.

        Returns
        -------
        Crops
            ``2 * recordings_per_step``: one crop of each recording, then in the same order another
            one.
        """
        chosen = generator.choice(
            self.rows, self.settings.recordings_per_step, replace=False, p=self.weights
        )
        pairs = [self._pair(int(recording), generator) for recording in chosen]
        drawn = [crop for side in zip(*pairs, strict=True) for crop in side]
        audio, starts, stops = zip(*drawn, strict=True)
        return Crops(np.stack(audio), np.tile(chosen, 2), np.array(starts), np.array(stops))

    def _pair(
        self, recording: int, generator: np.random.Generator
    ) -> tuple[tuple[NDArray[np.float32], float, float], tuple[NDArray[np.float32], float, float]]:
        factor = 2.0 ** generator.uniform(-self.speed, self.speed) if self.speed else 1.0
        n_read = self.n_samples
        if self.speed:
            n_read = scipy.fft.next_fast_len(round(self.n_samples * factor), real=True)
        first, second = (self._crop(recording, n_read, generator) for _ in range(2))
        return first, second

    def _crop(
        self, recording: int, n_read: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], float, float]:
        """`n_read` samples from a random position, resampled to a crop's length, with their times.

        A shorter recording is placed randomly in zeros.
        """
        length = int(self.lengths[recording])
        if length <= n_read:
            crop = np.zeros(n_read, dtype=np.float32)
            start = int(generator.integers(0, n_read - length + 1))
            crop[start : start + length] = self.corpus.samples(recording, 0, length)
            return at_length(crop, self.n_samples), 0.0, length / SAMPLE_RATE
        for _ in range(MOST_TRIES):
            start = int(generator.integers(0, length - n_read + 1))
            crop = self.corpus.samples(recording, start, n_read)
            if float(np.sqrt(np.mean(np.square(crop)))) > SILENT:
                break
        return (
            at_length(crop, self.n_samples),
            start / SAMPLE_RATE,
            (start + n_read) / SAMPLE_RATE,
        )


def at_length(samples: NDArray[np.float32], n_samples: int) -> NDArray[np.float32]:
    """The signal sped up or slowed down to `n_samples`.

    Examples
    --------
    >>> at_length(np.ones(8, np.float32), 4)
    array([1., 1., 1., 1.], dtype=float32)
    """
    if len(samples) == n_samples:
        return samples
    return np.asarray(scipy.signal.resample(samples, n_samples), dtype=np.float32)


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
