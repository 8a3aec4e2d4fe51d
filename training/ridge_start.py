"""A read-out that is solved for instead of learned: ridge regression from frozen activations.

For target `v` with delayed, centred and scaled features `X` (a row per TR, K channels' delays side
by side), himalaya minimises

    || y_v - X w_v - b_v ||² + alpha_v || w_v ||²

Channels are divided by their standard deviation, or by the root mean square of all of these where
theirs is smaller: units that hardly ever fire would otherwise be blown up to noise, and one that
fires in the test data alone would spoil a prediction. `alpha_v` is chosen for each target by
cross-validation over the training episodes. The solution is put into the weights of the read-out,
so that fine-tuning begins where the frozen baseline ends.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.folds import folds_by_episode
from training.prepared import Run

logger = logging.getLogger(__name__)

STRENGTHS = np.logspace(-3, 5, 17)  # per row, for standardised features


def delayed(features: NDArray[np.float32], n_delays: int) -> NDArray[np.float32]:
    """Features ``(n_trs, n_channels)`` of one run to ``(n_trs, n_delays * n_channels)``.

    Column block `k` holds the features of ``n_delays - 1 - k`` TRs before, in the order of the
    read-out's kernel; before the run there are zeros.

    Examples
    --------
    >>> delayed(np.array([[1.0], [2.0], [3.0]], dtype=np.float32), 2)
    array([[0., 1.],
           [1., 2.],
           [2., 3.]], dtype=float32)
    """
    n_trs = len(features)
    padded = np.concatenate([np.zeros((n_delays - 1, features.shape[1]), np.float32), features])
    return np.concatenate([padded[k : k + n_trs] for k in range(n_delays)], axis=1)


def solve_read_out(
    head: nn.Conv1d,
    runs: Sequence[Run],
    features: Sequence[NDArray[np.float32]],
    responses: Sequence[NDArray[np.float32]],
) -> None:
    """Put the ridge solution into a read-out.

    Parameters
    ----------
    head : Conv1d
        The read-out, ``(n_targets, n_channels, n_delays)``; changed in place.
    runs : sequence of Run
        Training runs; their episodes are the folds of the cross-validation.
    features, responses : sequences of array
        For each run ``(n_trs, n_channels)`` and ``(n_trs, n_targets)``. Targets with NaN get a
        prediction of zero.
    """
    n_targets, n_channels, n_delays = head.weight.shape
    x = np.concatenate([delayed(table, n_delays) for table in features])
    y = np.concatenate(responses)
    there = np.isfinite(y).all(axis=0)
    mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    scale = np.maximum(scale, max(float(np.sqrt(np.mean(scale**2))), 1e-12))
    x = ((x - mean) / scale).astype(np.float32)
    offset = y[:, there].mean(axis=0, dtype=np.float64)
    weights = np.zeros((x.shape[1], n_targets))
    if there.any():
        episodes = np.repeat([run.episode for run in runs], [len(table) for table in responses])
        solution = _ridge(x, (y[:, there] - offset).astype(np.float32), episodes)
        weights[:, there] = solution / scale[:, None]
    bias = np.zeros(n_targets)
    bias[there] = offset - mean @ weights[:, there]
    kernel = weights.reshape(n_delays, n_channels, n_targets).transpose(2, 1, 0)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        assert head.bias is not None
        head.bias.copy_(torch.from_numpy(bias))


def _ridge(
    x: NDArray[np.float32], y: NDArray[np.float32], episodes: NDArray[np.str_]
) -> NDArray[np.floating]:
    """Weights ``(n_features, n_targets)``, the strength chosen for each target."""
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV

    folds = folds_by_episode(episodes.tolist())
    if len(np.unique(episodes)) == 1:
        logger.warning("one training episode only: the ridge's folds lie within it")
    alphas = STRENGTHS * len(x)
    if x.shape[0] < x.shape[1]:
        kernel_model = KernelRidgeCV(alphas=alphas, kernel="linear", cv=folds)
        kernel_model.fit(x, y)
        return np.asarray(kernel_model.get_primal_coef(x))
    model = RidgeCV(alphas=alphas, fit_intercept=False, cv=folds)
    model.fit(x, y)
    return np.asarray(model.coef_)
