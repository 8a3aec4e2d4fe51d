"""Losses of a fit; targets missing in a subject (NaN columns) are ignored."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean_squared_error(predicted: Tensor, measured: Tensor) -> Tensor:
    """Mean over all measured values of ``(predicted - measured)^2``.

    Both have shape ``(..., n_targets)``.

    Examples
    --------
    >>> mean_squared_error(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, torch.nan]]))
    tensor(1.)
    """
    there = measured.isfinite()
    difference = torch.where(there, predicted - measured.nan_to_num(), 0.0)
    return difference.square().sum() / there.sum().clamp(min=1)


def one_minus_correlation(predicted: Tensor, measured: Tensor) -> Tensor:
    """``1 - r``, with Pearson's r over all rows, averaged over the measured targets.

    Shape ``(..., n_targets)``: windows and TRs together are the rows.

    Examples
    --------
    >>> measured = torch.tensor([[0.0], [1.0], [2.0]])
    >>> one_minus_correlation(3 * measured + 1, measured).abs() < 1e-6
    tensor(True)
    """
    predicted = predicted.flatten(0, -2)
    measured = measured.flatten(0, -2)
    there = measured.isfinite().all(dim=0)
    if not bool(there.any()):
        return predicted.sum() * 0
    x = predicted[:, there] - predicted[:, there].mean(dim=0)
    y = measured[:, there] - measured[:, there].mean(dim=0)
    norms = x.square().sum(dim=0).sqrt() * y.square().sum(dim=0).sqrt()
    r = (x * y).sum(dim=0) / norms.clamp(min=1e-8)
    return (1 - r).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mean_squared_error,
    "correlation": one_minus_correlation,
}
