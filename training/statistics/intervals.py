"""Confidence intervals of a mean over runs, by the studentised bootstrap.

The common percentile bootstrap is too narrow for few runs: its spread is that of the sample,
smaller by ``sqrt((n - 1) / n)``, with normal tails where Student's are needed. The studentised
("bootstrap-t") interval instead resamples the distribution of ``t* = (mean* - mean) / se*`` (Efron
and Tibshirani 1993, chapter 12.5):

    [mean - t*_(1 - a/2) se,  mean - t*_(a/2) se]

It needs enough distinct runs to estimate the spread of the standard error: with fewer than 8,
Student's t is used (assuming normal scores), as recorded in `method`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.statistics.pooling import Pooling, from_pooled_scale, to_pooled_scale

FEWEST_RUNS = 8  # for the bootstrap; measured in benchmarks/calibration
VALUES_AT_ONCE = 4_000_000  # resamples times targets, bounds memory

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Confidence interval of a mean over runs; ``(n_targets,)`` each.

    Attributes
    ----------
    estimate, low, high : ndarray
        Bounds are NaN for a single run, all are NaN for none.
    method : ndarray of str
        {"bootstrap_t", "student_t", "none"}: "none" for fewer than two runs, which do not determine
        the spread over runs.
    n_runs : ndarray of int
        Number of runs with the target.
    """

    estimate: Values
    low: Values
    high: Values
    method: NDArray[np.str_]
    n_runs: NDArray[np.int64]


def bootstrap_interval(
    values: NDArray[np.floating],
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    pooling: Pooling = "mean",
) -> Interval:
    """Interval of the mean over runs.

    Parameters
    ----------
    values : ndarray
        Scores or differences, ``(n_runs, n_targets)``; NaN for a run without the target.
    confidence : float
        Coverage probability.
    n_resamples : int
        Resamples of the runs, the same for all targets.
    seed : int
        Seed of the resamples.
    pooling : str
        {"mean", "fisher_z"}: the latter averages arctanh and transforms back.

    Raises
    ------
    ValueError
        If shapes or values are invalid.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(0.2, 0.1, size=(20, 1))
    >>> interval = bootstrap_interval(values)
    >>> bool(interval.low[0] < 0.2 < interval.high[0]), str(interval.method[0])
    (True, 'bootstrap_t')
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"expected values of shape (n_runs, n_targets), got {values.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence within 0 and 1, got {confidence}")
    if n_resamples * (1 - confidence) < 20:
        raise ValueError(
            f"expected at least {int(np.ceil(20 / (1 - confidence)))} resamples, so that 10 lie "
            f"beyond either end of a {confidence:.0%} interval, got {n_resamples}"
        )
    scores = to_pooled_scale(values, pooling)
    n_targets = values.shape[1]
    estimate, low, high = (np.full(n_targets, np.nan) for _ in range(3))
    method = np.full(n_targets, "none", dtype="U11")
    known = np.isfinite(scores)
    n_runs = known.sum(axis=0)
    for pattern in np.unique(known, axis=1).T:
        targets = np.flatnonzero((known == pattern[:, None]).all(axis=0))
        own = scores[np.ix_(pattern, targets)]
        if len(own):
            estimate[targets] = own.mean(axis=0)
        if len(own) >= 2:
            method[targets] = "bootstrap_t" if len(own) >= FEWEST_RUNS else "student_t"
            if len(own) >= FEWEST_RUNS:
                lower, upper = _bootstrap_t(own, confidence, n_resamples, seed)
            else:
                lower, upper = _student_t(len(own), confidence)
            error = own.std(axis=0, ddof=1) / np.sqrt(len(own))
            low[targets] = estimate[targets] - upper * error
            high[targets] = estimate[targets] - lower * error
    estimate, low, high = (from_pooled_scale(each, pooling) for each in (estimate, low, high))
    return Interval(estimate, low, high, method, n_runs)


def _student_t(n_runs: int, confidence: float) -> tuple[Values, Values]:
    from scipy.stats import t

    upper = np.asarray(t.ppf((1 + confidence) / 2, n_runs - 1))
    return -upper, upper


def _bootstrap_t(
    values: Values, confidence: float, n_resamples: int, seed: int
) -> tuple[Values, Values]:
    """Quantiles of t* per target.

    The multiplicities of runs in a resample are a row of counts, so that means and mean squares
    over all resamples are two matrix products. Resamples of equal values have no t* and are left
    out.
    """
    n_runs = len(values)
    counts = np.random.default_rng(seed).multinomial(
        n_runs, np.full(n_runs, 1 / n_runs), n_resamples
    )
    weights = counts / n_runs
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    quantiles = np.zeros((2, values.shape[1]))
    step = max(1, VALUES_AT_ONCE // n_resamples)
    for first in range(0, values.shape[1], step):
        own = values[:, first : first + step]
        own = own - own.mean(axis=0)
        spread = own.std(axis=0)
        own = own / np.where(spread > 0, spread, 1)
        mean = weights @ own
        variance = weights @ own**2 - mean**2
        error = np.sqrt(np.maximum(variance, 0) / (n_runs - 1))
        varied = variance > 1e-12  # more than one distinct value was drawn, up to rounding
        t = np.where(varied, mean / np.where(varied, error, 1), np.nan)
        if varied.all():
            quantiles[:, first : first + step] = np.quantile(t, tails, axis=0)
        else:
            some = varied.any(axis=0)
            quantiles[:, first + np.flatnonzero(some)] = np.nanquantile(t[:, some], tails, axis=0)
    return quantiles[0], quantiles[1]
