"""Objectives of pretraining: regression of targets, contrast between crops, word classification.

A crop's targets come from its own audio (:mod:`training.pretraining.targets`) and from teachers
(:mod:`training.teachers`); both share one namespace.

A probe trained on a few hundred clips depends on an embedding only through the similarities between
clips. Hence the objective ``relations``: agreement of the network's similarities of clips with
those of targets and teachers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hear_brainsoundnet.features import lag_of, parse_scene
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS
from training.pretraining.crops import Words
from training.pretraining.recipe import ObjectiveSettings
from training.pretraining.targets import HOP, LARGEST, Role, Targets

FRAME_STAGE = "conv4"
CONTRAST_STAGE = "conv7"
HIDDEN, PROJECTED = 512, 128
WORD_STAGES = ("conv3", "conv4", "conv5")  # with frames short enough for a word
SMALLEST_VARIANCE = 1e-4  # the root of zero has no gradient


class Objectives(nn.Module):
    """Auxiliary read-outs of the network, used only in training.

    Parameters
    ----------
    settings : ObjectiveSettings
        Objectives and their weights.
    teachers : sequence of Role
        Further targets.
    words : WordObjective, optional
        For the crops after those described by `settings`.
    """

    def __init__(
        self,
        settings: ObjectiveSettings,
        teachers: Sequence[Role] = (),
        words: WordObjective | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.words = words
        widths = {layer.name: layer.channels for layer in LAYERS}
        widths |= {layer.pool_name: layer.channels for layer in LAYERS if layer.pool_name}
        sizes = Targets.sizes()
        self.roles = [
            Role(name, sizes[name], float(weight), settings.described_stages)
            for name in ("bands", "modulation_spectrum", "modulation_power")
            if (weight := getattr(settings, name))
        ]
        self.roles += teachers
        stages = dict.fromkeys(stage for role in self.roles for stage in role.stages)
        self.descriptions = nn.ModuleDict()
        for stage in stages:
            n_pooled = widths[stage] * len(settings.described_by)
            n_numbers = sum(role.size for role in self.roles_of(stage))
            self.descriptions[stage] = nn.Sequential(
                nn.BatchNorm1d(n_pooled, affine=False), nn.Linear(n_pooled, n_numbers)
            )
        if settings.frames:
            self.frames = nn.Conv1d(widths[FRAME_STAGE], sizes["frames"], 1)
        if settings.contrast:
            self.projection = nn.Sequential(
                nn.BatchNorm1d(widths[CONTRAST_STAGE]),
                nn.Linear(widths[CONTRAST_STAGE], HIDDEN),
                nn.BatchNorm1d(HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, PROJECTED),
            )
        self.related = (
            parse_scene(settings.related_scene, stage_geometry()) if settings.relations else ()
        )
        self.needs_conv2 = any(term.stage == "conv2" for term in self.related)

    def roles_of(self, stage: str) -> list[Role]:
        """Targets predicted from a stage."""
        return [role for role in self.roles if stage in role.stages]

    def forward(
        self,
        stages: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
        words: Words | None = None,
    ) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is minimised.

        Parameters
        ----------
        stages : mapping
            Activations ``(n_crops, channels, n_frames)``; the second half of the crops are of the
            same recordings as the first half, in the same order. The crops of `words` follow.
        targets : mapping
            From :class:`Targets`, and ``(n_crops, size)`` of each teacher, standardised.
        words : Words, optional
            Words in the crops with words.
        """
        losses: dict[str, Tensor] = {}
        if self.words is not None and words is not None:
            spoken = {name: frames[-len(words.audio) :] for name, frames in stages.items()}
            stages = {name: frames[: -len(words.audio)] for name, frames in stages.items()}
            found = self.words(spoken, words)
            losses["words"] = self.settings.words * found["words"]
            losses["word pairs"] = self.settings.word_pairs * found["word pairs"]
        for stage, read_out in self.descriptions.items():
            predicted = read_out(pooled(stages[stage], self.settings.described_by))
            at = 0
            for role in self.roles_of(stage):
                part = predicted[:, at : at + role.size]
                at += role.size
                share = role.weight / len(role.stages)
                losses[f"{role.name} from {stage}"] = share * error(part, targets[role.name])
        if self.settings.frames:
            frames = stages[FRAME_STAGE]
            wanted = at_frames(targets["frames"], frames.shape[2])
            losses["frames"] = self.settings.frames * F.mse_loss(self.frames(frames), wanted)
        if self.settings.contrast:
            projected = self.projection(stages[CONTRAST_STAGE].mean(dim=2))
            partners = torch.arange(len(projected) // 2, device=projected.device).repeat(2)
            losses["contrast"] = self.settings.contrast * contrast(
                projected, partners, self.settings.temperature
            )
        if self.settings.relations:
            losses["relations"] = self.settings.relations * self._relations(stages, targets)
        return losses

    def _relations(self, stages: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        scene = [pooled(stages[term.stage], term.poolings) for term in self.related]
        embeddings = standardised(torch.cat(scene, dim=1))
        wanted = side_by_side(
            [targets[role.name].nan_to_num() for role in self.roles],
            [role.weight for role in self.roles],
        )
        return misalignment(embeddings @ embeddings.T, wanted)


def error(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error over the known rows of `wanted`; 0 if there are none.

    Examples
    --------
    >>> wanted = torch.tensor([[1.0, 2.0], [float("nan"), float("nan")]])
    >>> error(torch.zeros(2, 2), wanted)
    tensor(2.5000)
    """
    known = ~wanted.isnan().any(dim=1)
    return (predicted - wanted)[known].square().sum() / (known.sum() * wanted.shape[1]).clamp_min(1)


def at_frames(log_mel: Tensor, n_frames: int) -> Tensor:
    """A spectrogram averaged over one hop of conv4 around the centre of each of its frames.

    Parameters
    ----------
    log_mel : Tensor
        ``(n_crops, n_bands, n_columns)``, column `k` centred at ``k * HOP`` samples.
    n_frames : int
        Frames of conv4.

    Examples
    --------
    >>> ramp = HOP * torch.arange(101.0).view(1, 1, -1)  # each column's own time in samples
    >>> stage = stage_geometry()[FRAME_STAGE]
    >>> frames = at_frames(ramp, 5)[0, 0]
    >>> bool(((frames - (stage.centre + stage.hop * torch.arange(5)))[1:].abs() < HOP).all())
    True
    """
    stage = stage_geometry()[FRAME_STAGE]
    columns = HOP * torch.arange(log_mel.shape[2], device=log_mel.device)
    centres = stage.centre + stage.hop * torch.arange(n_frames, device=log_mel.device)
    distance = (columns[:, None] - centres).abs()
    weights = (distance <= stage.hop / 2).to(log_mel.dtype)
    weights /= weights.sum(0).clamp_min(1)
    return log_mel @ weights


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
        self.geometry = {name: geometry[name] for name in WORD_STAGES}
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
        pooled = torch.cat([self._pooled(name, stages[name], words) for name in WORD_STAGES], dim=1)
        labels = torch.from_numpy(words.labels).flatten().to(pooled.device)
        named = F.cross_entropy(self.names(pooled), labels)
        pairs = contrast(standardised(pooled), labels, self.temperature)
        return {"words": named, "word pairs": pairs}

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


def contrast(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of finding another example of the same label among all others.

    NT-Xent (Chen et al. 2020, eq. 1) with a label for each pair; supervised contrastive loss
    (Khosla et al. 2020, eq. 2) with one for each word.

    Parameters
    ----------
    embeddings : Tensor
        ``(n, size)``.
    labels : Tensor
        int64 ``(n,)``.
    temperature : float
        Divides the cosine similarities.

    Examples
    --------
    >>> apart = torch.eye(3).repeat(2, 1)  # partners equal, others orthogonal
    >>> round(float(contrast(apart, torch.arange(3).repeat(2), 1.0)), 4)  # log(e + 4) - 1
    0.9048
    """
    unit = F.normalize(embeddings.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    same = (labels[:, None] == labels) & ~itself
    chances = similarity.log_softmax(dim=1).masked_fill(~same, 0.0)
    return -(chances.sum(dim=1) / same.sum(dim=1).clamp_min(1)).mean()


def side_by_side(tables: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Similarities ``(n, n)`` of clips by the weighted concatenation of several tables.

    Parameters
    ----------
    tables : sequence of Tensor
        ``(n, size)`` each, standardised; each contributes equally whatever its size.
    weights : sequence of float
        Weight of each table.

    Examples
    --------
    >>> side_by_side([torch.eye(2) * 2, torch.ones(2, 4)], [1.0, 0.5])
    tensor([[2.5000, 0.5000],
            [0.5000, 2.5000]])
    """
    parts = [
        weight * (table @ table.T) / table.shape[1]
        for table, weight in zip(tables, weights, strict=True)
    ]
    return torch.stack(parts).sum(dim=0)


def standardised(embeddings: Tensor) -> Tensor:
    """Embeddings z-scored over the clips of a step, as for probes.

    The scale of a nearly silent unit stays small, so that a single response does not dominate.
    """
    centred = embeddings - embeddings.mean(dim=0)
    deviation = (centred.square().mean(dim=0) + 1e-8).sqrt()
    least = 0.1 * deviation.square().mean().sqrt()
    return (centred / deviation.clamp_min(least.detach())).clamp(-LARGEST, LARGEST)


def misalignment(similarities: Tensor, wanted: Tensor) -> Tensor:
    """One minus the centred kernel alignment of two matrices ``(n, n)`` of similarities.

    From 0 for equal similarities up to a factor, to 1 for unrelated ones (Cortes, Mohri &
    Rostamizadeh 2012, definition 4).

    Examples
    --------
    >>> kernel = torch.randn(5, 3) @ torch.randn(3, 5)
    >>> kernel = kernel @ kernel.T
    >>> abs(float(misalignment(3 * kernel, kernel))) < 1e-5
    True
    """
    first, second = _centred(similarities), _centred(wanted)
    return 1 - (first * second).sum() / (first.norm() * second.norm()).clamp_min(1e-12)


def _centred(kernel: Tensor) -> Tensor:
    rows = kernel.mean(dim=1, keepdim=True)
    return kernel - rows - kernel.mean(dim=0, keepdim=True) + rows.mean()


def pooled(frames: Tensor, poolings: Sequence[str]) -> Tensor:
    """Poolings over time as for scenes, concatenated; differentiable at zero variance.

    Examples
    --------
    >>> pooled(torch.tensor([[[1.0, 3.0], [5.0, 5.0]]]), ("mean", "std")).round(decimals=2)
    tensor([[2.0000, 5.0000, 1.0000, 0.0100]])
    """
    return torch.cat([_pooled(frames, pooling) for pooling in poolings], dim=1)


def _pooled(frames: Tensor, pooling: str) -> Tensor:
    if pooling == "mean":
        return frames.mean(dim=2)
    if pooling == "max":
        return frames.amax(dim=2)
    if 0 < (lag := lag_of(pooling)) < frames.shape[2]:
        mean_square = (frames[:, :, lag:] - frames[:, :, :-lag]).square().mean(dim=2)
    else:
        mean_square = frames.var(dim=2, unbiased=False) * (2 if lag else 1)
    return (mean_square + SMALLEST_VARIANCE).sqrt()


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
