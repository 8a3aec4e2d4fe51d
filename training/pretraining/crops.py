"""Pairs of crops of recordings of a corpus."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from training.corpus.corpus import Corpus
from training.pretraining.recipe import CropSettings
from training.pretraining.targets import SAMPLE_RATE

SILENT = 1e-4  # root mean square below which a crop is drawn again, relative to full scale
MOST_TRIES = 20


class PairedCrops:
    """Draws recordings and two crops of each.

    Parameters
    ----------
    corpus : Corpus
        Where recordings come from.
    settings : CropSettings
        How they are drawn.
    speed : float
        Largest change of speed in octaves.

    Raises
    ------
    ValueError
        If there are fewer recordings than a step needs.
    """

    def __init__(self, corpus: Corpus, settings: CropSettings, speed: float) -> None:
        table = corpus.recordings
        if len(table) < settings.recordings_per_step:
            raise ValueError(
                f"a step takes {settings.recordings_per_step} recordings, the corpus has "
                f"{len(table)}; set crops.recordings_per_step"
            )
        self.corpus, self.settings, self.speed = corpus, settings, speed
        self.n_samples = round(settings.seconds * SAMPLE_RATE)
        self.lengths = table["n_samples"].to_numpy()
        weights = np.sqrt(self.lengths)
        if settings.balance_kinds:
            for rows in table.groupby("kind").indices.values():
                weights[rows] /= weights[rows].sum()
        self.weights = weights / weights.sum()

    def draw(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Crops of one step.

        Returns
        -------
        ndarray
            ``(2 * recordings_per_step, n_samples)``: one crop of each recording, then in the same
            order another one.
        """
        chosen = generator.choice(
            len(self.weights), self.settings.recordings_per_step, replace=False, p=self.weights
        )
        pairs = [self._pair(int(recording), generator) for recording in chosen]
        return np.stack([crop for side in zip(*pairs, strict=True) for crop in side])

    def _pair(
        self, recording: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        factor = 2.0 ** generator.uniform(-self.speed, self.speed) if self.speed else 1.0
        n_read = self.n_samples
        if self.speed:
            n_read = scipy.fft.next_fast_len(round(self.n_samples * factor), real=True)
        first, second = (self._crop(recording, n_read, generator) for _ in range(2))
        return self._at_length(first), self._at_length(second)

    def _crop(
        self, recording: int, n_read: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """`n_read` samples from anywhere; a shorter recording lies anywhere in silence."""
        length = int(self.lengths[recording])
        crop = np.zeros(n_read, dtype=np.float32)
        if length <= n_read:
            start = int(generator.integers(0, n_read - length + 1))
            crop[start : start + length] = self.corpus.samples(recording, 0, length)
            return crop
        for _ in range(MOST_TRIES):
            start = int(generator.integers(0, length - n_read + 1))
            crop = self.corpus.samples(recording, start, n_read)
            if float(np.sqrt(np.mean(np.square(crop)))) > SILENT:
                break
        return crop

    def _at_length(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(crop) == self.n_samples:
            return crop
        return np.asarray(scipy.signal.resample(crop, self.n_samples), dtype=np.float32)
