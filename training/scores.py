"""Prediction scores per target, Pearson's r and R², and the losses that training minimises.

The two scores are different measures: ``r2_score = 1 - sum (y - p)^2 / sum (y - mean y)^2`` depends
on scale and offset and may be negative; ``pearson_r`` does not, and its square is not R².
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Table = NDArray[np.floating]  # (n_trs, n_targets)
TARGETS_AT_ONCE = 1024  # bounds the memory of intermediate results


def pearson_r(measured: Table, predicted: Table) -> NDArray[np.float64]:
    """Pearson's r per column, from two ``(n_trs, n_targets)`` to ``(n_targets,)``.

    A constant prediction has r = 0 by convention; a missing or constant target gives NaN.

    Examples
    --------
    >>> measured = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    >>> pearson_r(measured, measured[::-1])
    array([-1.,  1.])
    """
    return _in_blocks(_pearson_r, measured, predicted)


def _pearson_r(y: Table, p: Table) -> NDArray[np.float64]:
    y = y - y.mean(axis=0)
    p = p - p.mean(axis=0)
    sum_y, sum_p = (y**2).sum(axis=0), (p**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (y * p).sum(axis=0) / np.sqrt(sum_y * sum_p)
    r = np.where((sum_p == 0) & (sum_y > 0), 0.0, r)
    return np.where(sum_y > 0, r, np.nan)


def r2_score(measured: Table, predicted: Table) -> NDArray[np.float64]:
    """R² per column, from two ``(n_trs, n_targets)`` to ``(n_targets,)``; NaN for missing targets.

    Examples
    --------
    >>> measured = np.array([[0.0], [1.0], [2.0]])
    >>> r2_score(measured, np.zeros((3, 1)))
    array([-1.5])
    """
    return _in_blocks(_r2_score, measured, predicted)


def _r2_score(y: Table, p: Table) -> NDArray[np.float64]:
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - ((y - p) ** 2).sum(axis=0) / total
    return np.where(total > 0, r2, np.nan)


def _in_blocks(
    score: Callable[[Table, Table], NDArray[np.float64]], measured: Table, predicted: Table
) -> NDArray[np.float64]:
    """Score of each target, in float64."""
    tables = np.asarray(measured), np.asarray(predicted)
    n_targets = tables[0].shape[1]
    found = np.zeros(n_targets)
    for first in range(0, n_targets, TARGETS_AT_ONCE):
        block = slice(first, first + TARGETS_AT_ONCE)
        found[block] = score(*(table[:, block].astype(np.float64) for table in tables))
    return found


def mean_squared_error(predicted: Tensor, measured: Tensor) -> Tensor:
    """Mean over all measured values of ``(predicted - measured)^2``; NaN is ignored.

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
