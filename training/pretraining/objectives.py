"""Objectives of pretraining: regression of targets, contrast between crops, word classification.

A crop's targets come from its own audio (:mod:`training.pretraining.targets`) and from teachers
(:mod:`training.teachers`); both share one namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.features import parse_scene
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS
from training.pretraining.pooling import pooled
from training.pretraining.recipe import ObjectiveSettings
from training.pretraining.relations import misalignment, side_by_side, standardised
from training.pretraining.targets import HOP, Targets
from training.pretraining.teachers import Role
from training.pretraining.word_objective import WordObjective
from training.pretraining.words import Words

FRAME_STAGE = "conv4"
CONTRAST_STAGE = "conv7"
HIDDEN, PROJECTED = 512, 128


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
            losses["contrast"] = self.settings.contrast * nt_xent(
                projected, self.settings.temperature
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


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding a crop's partner among all other crops (Chen et al. 2020, eq. 1).

    Parameters
    ----------
    projected : Tensor
        ``(2 * n, size)``, where `i` and ``n + i`` are partners.
    temperature : float
        Divides the cosine similarities.

    Examples
    --------
    >>> apart = torch.eye(3).repeat(2, 1)  # partners equal, others orthogonal
    >>> round(float(nt_xent(apart, 1.0)), 4)  # log(e + 4) - 1
    0.9048
    """
    n = len(projected) // 2
    unit = F.normalize(projected.float(), dim=1)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(2 * n, dtype=torch.bool, device=unit.device), float("-inf")
    )
    partners = torch.arange(2 * n, device=unit.device).roll(n)
    return F.cross_entropy(similarity, partners)
