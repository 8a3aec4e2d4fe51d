"""Prediction scores of one stage of a model, for every split and target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.noise_correction import noise_corrected, squared_correlation
from benchmarks.correspondence.ridge import compact_units, fit_ridge
from benchmarks.correspondence.splits import Split

N_SCANS = 3


@dataclass(frozen=True)
class StageScores:
    """Scores of one stage.

    Attributes
    ----------
    r2 : ndarray
        Squared correlation of test sounds, ``(n_splits, n_targets)``.
    corrected : ndarray or None
        The same with noise correction; None without three scans.
    alphas : ndarray
        Selected penalties, ``(n_splits, n_targets)``.
    """

    r2: NDArray[np.float64]
    corrected: NDArray[np.float64] | None
    alphas: NDArray[np.float64]

    @property
    def scores(self) -> NDArray[np.float64]:
        """With noise correction if available."""
        return self.r2 if self.corrected is None else self.corrected


def score_stage(
    features: NDArray[np.floating], responses: NDArray[np.floating], splits: Sequence[Split]
) -> StageScores:
    """Regress responses on the units of a stage, in every split.

    Parameters
    ----------
    features : ndarray
        ``(n_sounds, n_units)``.
    responses : ndarray
        ``(n_scans, n_sounds, n_targets)``. With three scans scores are noise-corrected; a single
        measurement, such as components, is scored by the squared correlation.
    splits : sequence of Split
        The same for every stage and model.

    Raises
    ------
    ValueError
        If the numbers of sounds differ or there are neither one nor three scans.

    Examples
    --------
    >>> from benchmarks.correspondence.splits import random_splits
    >>> x = np.arange(12.0)[:, None]
    >>> scores = score_stage(x, -2 * x[None], random_splits(12, 3))
    >>> scores.r2.round(6).ravel().tolist(), scores.corrected
    ([1.0, 1.0, 1.0], None)
    """
    if responses.ndim != 3 or len(responses) not in (1, N_SCANS):
        raise ValueError(
            "expected responses (1 or 3 scans, n_sounds, n_targets), got shape "
            f"{responses.shape}; average other numbers of scans into one"
        )
    units = compact_units(features)
    mean = responses.mean(axis=0)
    with_scans = len(responses) == N_SCANS
    together = np.concatenate([mean, *responses], axis=1) if with_scans else mean
    r2, corrected, alphas = [], [], []
    for split in splits:
        fit = fit_ridge(units, together, split)
        predicted, *of_scans = np.split(fit.predicted, together.shape[1] // mean.shape[1], axis=1)
        r2.append(squared_correlation(mean[split.test], predicted))
        alphas.append(fit.alphas[: mean.shape[1]])
        if with_scans:
            corrected.append(noise_corrected(r2[-1], responses[:, split.train], np.stack(of_scans)))
    return StageScores(np.stack(r2), np.stack(corrected) if corrected else None, np.stack(alphas))
