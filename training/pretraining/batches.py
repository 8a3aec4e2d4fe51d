"""Batches of pretraining: augmented audio and targets, prepared in advance.

All draws are seeded by the recipe's seed and the step number.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hear_brainsoundnet.level import brought_to
from training.corpus.corpus import Corpus
from training.pretraining.augmentation import augment
from training.pretraining.crops import Crops, PairedCrops
from training.pretraining.recipe import PretrainRecipe
from training.pretraining.targets import SAMPLE_RATE, Targets
from training.pretraining.teachers import Teachers
from training.pretraining.words import WordCrops, Words

N_AHEAD = 2  # steps prepared in advance


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
