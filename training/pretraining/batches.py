"""Batches of pretraining: augmented audio and its targets, prepared in advance.

Augmentations preserve the content: filter, reverberation, mixing, noise, level.

All draws are seeded by the recipe's seed and the step number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hear_brainsoundnet.level import brought_to
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.pretraining.crops import Crops, PairedCrops, WordCrops, Words
from training.pretraining.recipe import AugmentationSettings, PretrainRecipe
from training.pretraining.targets import Targets, Teachers

N_AHEAD = 2  # steps prepared in advance
N_FILTER_POINTS = 8  # of the random filter, equally spaced on a logarithmic axis
LOWEST_HZ = 20.0
MIXING_DB = (5.0, 30.0)
NOISE_DB = (15.0, 60.0)
TELEPHONE_HZ = (3_000.0, 8_000.0)
TELEPHONE_DB = -60.0
REVERBERATION_S = (0.1, 0.8)
DIRECT_DB = (0.0, 15.0)  # direct-to-reverberant ratio
SMALLEST = 1e-6


@dataclass(frozen=True)
class Batch:
    """Data of one step.

    Attributes
    ----------
    audio : Tensor
        ``(n_crops, n_samples)``, augmented and level-normalised; crops with words come last.
    targets : dict of str to Tensor
        Targets of the other crops, by name.
    words : Words or None
        Words in the last crops.
    """

    audio: Tensor
    targets: dict[str, Tensor]
    words: Words | None


class Batches:
    """Generator of augmented crops with their targets and teachers' embeddings.

    Parameters
    ----------
    corpus : Corpus
    recipe : PretrainRecipe
    teachers : Teachers
        Teachers with tables of the corpus.

    Attributes
    ----------
    targets : Targets
        Targets, to be calibrated.
    n_words : int
        Size of the vocabulary; 0 if no words are drawn.
    """

    def __init__(self, corpus: Corpus, recipe: PretrainRecipe, teachers: Teachers) -> None:
        self.recipe, self.teachers = recipe, teachers
        speed = recipe.augmentation.speed
        self.crops = PairedCrops(corpus, recipe.crops, speed)
        self.targets = Targets(self.crops.n_samples)
        self.words: WordCrops | None = None
        if recipe.words.crops_per_step:
            self.words = WordCrops(corpus, recipe.words, self.crops.n_samples, speed)
        self.n_words = len(self.words.vocabulary) if self.words else 0

    def calibrate(self) -> None:
        """Estimate the scale of the targets from crops drawn for this purpose."""
        n_steps = self.recipe.schedule.calibration_steps
        drawn = [self._drawn(-1 - i) for i in range(n_steps)]
        self.targets.calibrate(torch.cat([audio for audio, _, _ in drawn]))
        self.teachers.calibrate([crops for _, crops, _ in drawn])

    def scales(self) -> dict[str, Tensor]:
        """Results of :meth:`calibrate`, for resuming."""
        return {**self.targets.state_dict(), **self.teachers.state_dict()}

    def load_scales(self, scales: dict[str, Tensor]) -> None:
        """Restore scales from an earlier calibration."""
        for part in (self.targets, self.teachers):
            part.load_state_dict({name: scales[name] for name in part.state_dict()})

    def ahead(self, steps: range) -> Iterator[Batch]:
        """Batches of these steps, each prepared in a thread during the step before."""
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.batch, step) for step in steps[:N_AHEAD]]
            for step in steps:
                yield waiting.pop(0).result()
                if step + N_AHEAD < steps.stop:
                    waiting.append(pool.submit(self.batch, step + N_AHEAD))

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        audio, crops, words = self._drawn(step)
        targets = self.targets(audio[: len(crops.audio)])
        targets |= self.teachers(crops)
        if self.recipe.level:
            audio = brought_to(self.recipe.level, audio, SAMPLE_RATE)
        return Batch(audio, targets, words)

    def _drawn(self, step: int) -> tuple[Tensor, Crops, Words | None]:
        """Augmented crops; negative steps are for the calibration, which needs no words."""
        generator = np.random.default_rng([self.recipe.seed, int(step < 0), abs(step)])
        crops = self.crops.draw(generator)
        audio = augment(torch.from_numpy(crops.audio), self.recipe.augmentation, generator)
        if self.words is None or step < 0:
            return audio, crops, None
        words = self.words.draw(generator)
        spoken = augment(torch.from_numpy(words.audio), self.recipe.augmentation, generator)
        return torch.cat([audio, spoken]), crops, words


def augment(
    crops: Tensor, settings: AugmentationSettings, generator: np.random.Generator
) -> Tensor:
    """Augment crops independently.

    Parameters
    ----------
    crops : Tensor
        ``(n_crops, n_samples)``.
    settings : AugmentationSettings
        Augmentations to apply.
    generator : numpy Generator
        Source of all random choices.

    Returns
    -------
    Tensor
        ``(n_crops, n_samples)`` within [-1, 1].

    Examples
    --------
    >>> quiet = AugmentationSettings(filter_db=0, mixing=0, noise=0, quietest_db=-20,
    ...                              loudest_db=-20)
    >>> changed = augment(torch.randn(2, 1000), quiet, np.random.default_rng(0))
    >>> changed.square().mean(1).sqrt().numpy().round(3).tolist()
    [0.10000000149011612, 0.10000000149011612]
    """
    n_crops = len(crops)

    def column(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32))[:, None]

    def gain_of(decibels: tuple[float, float]) -> Tensor:
        return column(10 ** (-generator.uniform(*decibels, n_crops) / 20))

    if settings.filter_db:
        gains = _filters(n_crops, crops.shape[1], settings.filter_db, generator)
        crops = torch.fft.irfft(torch.fft.rfft(crops) * gains, n=crops.shape[1])
    if settings.room:
        chosen_rows = np.flatnonzero(generator.random(n_crops) < settings.room)
        if len(chosen_rows):  # the transforms do not accept an empty batch
            rows = torch.from_numpy(chosen_rows)
            direct, gain = crops[rows], gain_of(DIRECT_DB)[rows]
            reverberated = _reverberation(direct, generator)
            reverberated = reverberated * gain * _level(direct) / _level(reverberated)
            crops = crops.index_copy(0, rows, direct + reverberated)
    if settings.mixing:
        other = crops.roll(1 + int(generator.integers(0, max(1, n_crops // 2 - 1))), dims=0)
        chosen = column(generator.random(n_crops) < settings.mixing)
        scale = _level(crops) / _level(other)
        crops = crops + chosen * scale * gain_of(MIXING_DB) * other
    if settings.noise:
        chosen = column(generator.random(n_crops) < settings.noise)
        white = torch.from_numpy(generator.standard_normal(crops.shape, dtype=np.float32))
        crops = crops + chosen * _level(crops) * gain_of(NOISE_DB) * white
    if settings.telephone:
        low = generator.random(n_crops) < settings.telephone
        gains = _low_passes(n_crops, crops.shape[1], low, generator)
        crops = torch.fft.irfft(torch.fft.rfft(crops) * gains, n=crops.shape[1])
    level = gain_of((-settings.loudest_db, -settings.quietest_db))
    return (crops * level / _level(crops)).clamp(-1, 1)


def _level(crops: Tensor) -> Tensor:
    return crops.square().mean(dim=1, keepdim=True).sqrt().clamp_min(SMALLEST)


def _filters(
    n_crops: int, n_samples: int, deviation_db: float, generator: np.random.Generator
) -> Tensor:
    """Gains at the frequencies of a real Fourier transform, linear in dB between a few points."""
    hertz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(hertz, LOWEST_HZ) / LOWEST_HZ)
    points = np.linspace(0, octaves[-1], N_FILTER_POINTS)
    heights = generator.normal(0, deviation_db, (n_crops, N_FILTER_POINTS))
    decibels = np.stack([np.interp(octaves, points, row) for row in heights])
    return torch.from_numpy((10 ** (decibels / 20)).astype(np.float32))


def _low_passes(
    n_crops: int, n_samples: int, chosen: np.ndarray, generator: np.random.Generator
) -> Tensor:
    """Gains of random low-pass filters, as for recordings at lower rates."""
    hertz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE)
    cutoff = _log_uniform(TELEPHONE_HZ, n_crops, generator)
    gains = np.where(hertz > cutoff[:, None], 10 ** (TELEPHONE_DB / 20), 1.0)
    return torch.from_numpy(np.where(chosen[:, None], gains, 1.0).astype(np.float32))


def _reverberation(crops: Tensor, generator: np.random.Generator) -> Tensor:
    """Crops convolved with noise that decays by 60 dB in a random time."""
    n_crops, n_samples = crops.shape
    decay_s = _log_uniform(REVERBERATION_S, n_crops, generator)[:, None]
    times = np.arange(round(REVERBERATION_S[1] * SAMPLE_RATE)) / SAMPLE_RATE
    tail = generator.standard_normal((n_crops, len(times))) * 10 ** (-3 * times / decay_s)
    spectrum = torch.fft.rfft(torch.from_numpy(tail.astype(np.float32)), n=2 * n_samples)
    return torch.fft.irfft(torch.fft.rfft(crops, n=2 * n_samples) * spectrum)[:, :n_samples]


def _log_uniform(
    bounds: tuple[float, float], n: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    return np.exp(generator.uniform(math.log(bounds[0]), math.log(bounds[1]), n))
