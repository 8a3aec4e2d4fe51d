"""Similarity objective: the network's similarities of clips against those of targets and teachers.

A probe trained on a few hundred clips depends on an embedding only through the similarities between
clips. The value of an embedding for it is therefore its agreement with the relevant similarities,
not whether a probe trained on many more clips could decode the same values.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.pretraining.targets import LARGEST


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
