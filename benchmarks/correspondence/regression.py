"""Prediction scores of one stage of a model, for every split and target, corrected for noise.

The noise-corrected explained variance divides the squared correlation by reliabilities. With the
mean `v` of three scans and the prediction `p` of a model fitted to it,

    R2_c = r(v, p)**2 / (r_v * r_p),

where `r_v` is the reliability of the mean of three scans and `r_p` that of the prediction. Two
measurements with independent noise correlate by the reliability `m` of one of them; the mean of
three has the reliability ``3 m / (1 + 2 m)`` (Spearman-Brown). `m` is the median over the three
pairs of scans: for `r_v` of the responses to the training sounds, for `r_p` of the predictions for
the test sounds of three models, each fitted to one scan.

A reliability near zero would inflate the quotient. It is bounded below by the smallest significant
correlation (one-sided p < .05) over the number of sounds: .182 for 83 training sounds, .183 for 82
test sounds, see :func:`floor_of_reliability`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.ridge import compact_units, fit_ridge
from benchmarks.correspondence.splits import Split

SIGNIFICANCE = 0.05
DIGITS = 3  # of the published floors
CONSTANT = 1e-13  # standard deviation of a constant prediction, relative to the response

Table = NDArray[np.floating]
N_SCANS = 3


def floor_of_reliability(n_sounds: int) -> float:
    """The smallest significant correlation over `n_sounds`, rounded as published.

    Under no correlation ``t = r sqrt((n - 2) / (1 - r**2))`` has Student's distribution with
    ``n - 2`` degrees of freedom; solved for `r` at its 95 % quantile.

    Examples
    --------
    >>> floor_of_reliability(83), floor_of_reliability(82)
    (0.182, 0.183)
    """
    from scipy import stats

    t = float(stats.t.ppf(1 - SIGNIFICANCE, n_sounds - 2))
    return round(t / float(np.sqrt(t**2 + n_sounds - 2)), DIGITS)


def reliability_of_mean(scans: Table) -> NDArray[np.float64]:
    """Reliability of the mean of three scans, ``(3, n_sounds, n_targets)`` to ``(n_targets,)``.

    Pairs with a constant scan do not count; without any valid pair, or for discordant scans, it is
    the floor. (For a median below -1/2 the published code would pass the formula's pole and give
    more than 1.)

    Raises
    ------
    ValueError
        If there are not three scans.

    Examples
    --------
    >>> scan = np.arange(9.0)[:, None]
    >>> reliability_of_mean(np.stack([scan, 2 * scan, scan + 1])).round(6).tolist()
    [1.0]
    """
    if scans.ndim != 3 or len(scans) != 3:
        raise ValueError(
            f"expected three scans (3, n_sounds, n_targets), got shape {scans.shape}; responses "
            "that were measured otherwise have no noise correction here"
        )
    pairs = np.stack([_pearson_r(scans[a], scans[b]) for a, b in combinations(range(3), 2)])
    known = np.isfinite(pairs).any(axis=0)
    median = np.zeros(scans.shape[2])
    median[known] = np.nanmedian(pairs[:, known], axis=0)
    median = np.maximum(median, 0)
    return np.asarray(
        np.maximum(3 * median / (1 + 2 * median), floor_of_reliability(scans.shape[1]))
    )


def squared_correlation(measured: Table, predicted: Table) -> NDArray[np.float64]:
    """Pearson's r squared per column, 0 if r is negative or either is constant.

    Parameters
    ----------
    measured, predicted : ndarray
        ``(n_sounds, n_targets)``.

    Examples
    --------
    >>> y = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [3.0, 3.0, 3.0]])
    >>> squared_correlation(y, y * [2.0, -1.0, 0.0]).tolist()
    [1.0, 0.0, 0.0]
    """
    r = _pearson_r(measured, predicted)
    varies = predicted.std(axis=0) > CONSTANT * measured.std(axis=0)
    return np.asarray(np.square(np.where(varies & (r > 0), r, 0.0)))


def noise_corrected(
    r2: NDArray[np.float64], scans_of_train: Table, predictions_of_scans: Table
) -> NDArray[np.float64]:
    """Divide squared correlations ``(n_targets,)`` by both reliabilities; may exceed 1.

    Parameters
    ----------
    r2 : ndarray
        From :func:`squared_correlation` of the mean of three scans.
    scans_of_train : ndarray
        ``(3, n_train, n_targets)``.
    predictions_of_scans : ndarray
        ``(3, n_test, n_targets)``, each from a model of one scan.
    """
    return np.asarray(
        r2 / (reliability_of_mean(scans_of_train) * reliability_of_mean(predictions_of_scans))
    )


def median_over_splits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the second to last axis, ``(..., n_splits, n_targets)``; clipped at 1."""
    return np.asarray(np.minimum(np.median(scores, axis=-2), 1.0))


def _pearson_r(a: Table, b: Table) -> NDArray[np.float64]:
    """Per column; NaN if one of them is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norms = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norms > 0, (a * b).sum(axis=0) / norms, np.nan))


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
