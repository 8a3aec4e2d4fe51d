"""Classification of spoken words from the stages of scene embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.geometry import stage_geometry
from training.pretraining.pooling import SMALLEST_VARIANCE
from training.pretraining.relations import standardised
from training.pretraining.words import Words, frames_of_spans

STAGES = ("conv3", "conv4", "conv5")  # with frames short enough for a word


class WordObjective(nn.Module):
    """Word classifier on mean, standard deviation and maximum of the stages' units over each word.

    Two losses: the cross-entropy of a linear read-out over the vocabulary, and a supervised
    contrastive loss between the clips of a word among all words of a step (Khosla et al. 2020, eq.
    2), which depends on similarities only, like a few-shot probe.

    Parameters
    ----------
    n_words : int
        Size of the vocabulary.
    temperature : float
        Divides the cosine similarities.
    """

    def __init__(self, n_words: int, temperature: float) -> None:
        super().__init__()
        geometry = stage_geometry()
        self.geometry = {name: geometry[name] for name in STAGES}
        self.temperature = temperature
        n_units = 3 * sum(stage.channels for stage in self.geometry.values())
        self.names = nn.Sequential(
            nn.BatchNorm1d(n_units, affine=False), nn.Linear(n_units, n_words)
        )

    def forward(self, stages: Mapping[str, Tensor], words: Words) -> dict[str, Tensor]:
        """Losses by name.

        Parameters
        ----------
        stages : mapping
            Activations ``(n_crops, channels, n_frames)`` of the crops of `words`.
        words : Words
        """
        pooled = torch.cat([self._pooled(name, stages[name], words) for name in STAGES], dim=1)
        labels = torch.from_numpy(words.labels).flatten().to(pooled.device)
        named = F.cross_entropy(self.names(pooled), labels)
        return {"words": named, "word pairs": supervised_contrast(pooled, labels, self.temperature)}

    def _pooled(self, name: str, frames: Tensor, words: Words) -> Tensor:
        stage = self.geometry[name]
        within = torch.from_numpy(
            frames_of_spans(words.spans, float(stage.centre), stage.hop, frames.shape[2])
        ).to(frames.device)
        count = within.sum(dim=2)[..., None]
        share = within / count
        mean = torch.einsum("ncf,nwf->nwc", frames, share)
        square = torch.einsum("ncf,nwf->nwc", frames.square(), share)
        deviation = ((square - mean.square()).clamp_min(0) + SMALLEST_VARIANCE).sqrt()
        # Units are never negative, so that zeros outside the word do not change a maximum.
        most = (frames[:, None] * within[:, :, None].to(frames.dtype)).amax(dim=3)
        return torch.cat([mean, deviation, most], dim=2).flatten(0, 1)


def supervised_contrast(pooled: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of finding another example of the same label among all others.

    Examples
    --------
    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> alike = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    >>> apart = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    >>> bool(supervised_contrast(alike, labels, 0.1) < supervised_contrast(apart, labels, 0.1))
    True
    """
    unit = F.normalize(standardised(pooled), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    chances = similarity.log_softmax(dim=1)
    same = (labels[:, None] == labels) & ~itself
    chances = chances.masked_fill(~same, 0.0)
    return -(chances.sum(dim=1) / same.sum(dim=1).clamp_min(1)).mean()
