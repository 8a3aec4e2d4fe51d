"""What the network is asked for: descriptions of what it hears, and which crops belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS
from training.pretraining.recipe import ObjectiveSettings
from training.pretraining.targets import HOP, Targets

FRAME_STAGE = "conv4"
CONTRAST_STAGE = "conv7"
HIDDEN, PROJECTED = 512, 128
SMALLEST_VARIANCE = 1e-4  # the root of zero has no gradient


class Objectives(nn.Module):
    """Read-outs of the network that exist only while it is trained.

    Parameters
    ----------
    settings : ObjectiveSettings
        Which objectives there are and how much each counts.
    """

    def __init__(self, settings: ObjectiveSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = {layer.name: layer.channels for layer in LAYERS}
        widths |= {layer.pool_name: layer.channels for layer in LAYERS if layer.pool_name}
        sizes = Targets.sizes()
        self.described = {
            name: float(getattr(settings, name))
            for name in ("bands", "modulation_spectrum", "modulation_power")
            if getattr(settings, name)
        }
        n_numbers = sum(sizes[name] for name in self.described)
        n_pooled = {stage: width * len(settings.described_by) for stage, width in widths.items()}
        self.descriptions = nn.ModuleDict(
            {
                stage: nn.Sequential(
                    nn.BatchNorm1d(n_pooled[stage], affine=False),
                    nn.Linear(n_pooled[stage], n_numbers),
                )
                for stage in (settings.described_stages if self.described else ())
            }
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

    def forward(
        self, stages: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is what is minimised.

        Parameters
        ----------
        stages : mapping
            Activations ``(n_crops, channels, n_frames)``; the second half of the crops are of the
            same recordings as the first half, in the same order.
        targets : mapping
            From :class:`Targets`.
        """
        losses: dict[str, Tensor] = {}
        for stage, read_out in self.descriptions.items():
            predicted = read_out(pooled(stages[stage], self.settings.described_by))
            at = 0
            for name, weight in self.described.items():
                wanted = targets[name]
                part = predicted[:, at : at + wanted.shape[1]]
                at += wanted.shape[1]
                share = weight / len(self.descriptions)
                losses[f"{name} from {stage}"] = share * F.mse_loss(part, wanted)
        if self.settings.frames:
            heard = stages[FRAME_STAGE]
            wanted = at_frames(targets["frames"], heard.shape[2])
            losses["frames"] = self.settings.frames * F.mse_loss(self.frames(heard), wanted)
        if self.settings.contrast:
            projected = self.projection(stages[CONTRAST_STAGE].mean(dim=2))
            losses["contrast"] = self.settings.contrast * nt_xent(
                projected, self.settings.temperature
            )
        return losses


def pooled(frames: Tensor, poolings: Sequence[str]) -> Tensor:
    """Mean and standard deviation over time, side by side.

    Examples
    --------
    >>> pooled(torch.tensor([[[1.0, 3.0], [5.0, 5.0]]]), ("mean", "std")).round(decimals=2)
    tensor([[2.0000, 5.0000, 1.0000, 0.0100]])
    """
    parts = {
        "mean": lambda: frames.mean(dim=2),
        "std": lambda: (frames.var(dim=2, unbiased=False) + SMALLEST_VARIANCE).sqrt(),
    }
    return torch.cat([parts[pooling]() for pooling in poolings], dim=1)


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
    >>> heard = at_frames(ramp, 5)[0, 0]
    >>> bool(((heard - (stage.centre + stage.hop * torch.arange(5)))[1:].abs() < HOP).all())
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
