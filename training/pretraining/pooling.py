"""What over time of a stage's units is read while the network is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-4  # the root of zero has no gradient


def pooled(frames: Tensor, poolings: Sequence[str]) -> Tensor:
    """Mean, standard deviation and maximum over time, side by side.

    Examples
    --------
    >>> pooled(torch.tensor([[[1.0, 3.0], [5.0, 5.0]]]), ("mean", "std")).round(decimals=2)
    tensor([[2.0000, 5.0000, 1.0000, 0.0100]])
    """
    parts = {
        "mean": lambda: frames.mean(dim=2),
        "std": lambda: (frames.var(dim=2, unbiased=False) + SMALLEST_VARIANCE).sqrt(),
        "max": lambda: frames.amax(dim=2),
    }
    return torch.cat([parts[pooling]() for pooling in poolings], dim=1)
