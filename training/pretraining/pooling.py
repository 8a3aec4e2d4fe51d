"""Poolings over time of a stage's units during training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hear_brainsoundnet.features import lag_of

SMALLEST_VARIANCE = 1e-4  # the root of zero has no gradient


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
