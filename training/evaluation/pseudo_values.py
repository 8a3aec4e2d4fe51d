"""Intervals for scores that are not means: over concatenated runs, or over sounds.

The jackknife maps a score `s` of `n` units (runs, or sounds) to `n` pseudo-values whose mean is the
bias-corrected score (Tukey 1958; Efron and Tibshirani 1993, chapter 11.4),

    n s - (n - 1) s_without_unit_i,

and an interval of their mean is one of the score. Pearson's r is Fisher z-transformed for this,
which stabilises its variance, and transformed back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.statistics import Runs, ScoreName, bootstrap_interval

Values = NDArray[np.float64]
LARGEST_R = 1 - 1e-12  # arctanh(1) is infinite


@dataclass(frozen=True)
class Bounds:
    """Interval bounds of a score, ``(n_targets,)`` each; NaN for a single unit."""

    low: Values
    high: Values


def interval_over_units(units: Runs, score: ScoreName, confidence: float, seed: int) -> Bounds:
    """Interval of the score over all rows of all units together.

    Parameters
    ----------
    units : sequence of (measured, predicted)
        ``(n_rows, n_targets)`` each, see :func:`rows_as_units` for single sounds; a column with NaN
        is a target missing in the unit.
    score : str
        {"r", "r2"}.
    confidence, seed
        As in :func:`training.statistics.bootstrap_interval`, which computes the interval.

    Examples
    --------
    >>> signal, noise = np.random.default_rng(0).standard_normal((2, 80, 1))
    >>> bounds = interval_over_units(rows_as_units(signal + noise, signal), "r", 0.95, seed=0)
    >>> bool(0.5 < bounds.low[0] < np.sqrt(0.5) < bounds.high[0] < 0.85)
    True
    """
    values = pseudo_values(units, score)
    interval = bootstrap_interval(values, confidence, seed=seed)
    if score == "r":
        return Bounds(np.tanh(interval.low), np.tanh(interval.high))
    return Bounds(interval.low, interval.high)


def pseudo_values(units: Runs, score: ScoreName) -> Values:
    """Jackknife pseudo-values ``(n_units, n_targets)``, of arctanh(r) or R²."""
    sums = np.stack([_sums(measured, predicted) for measured, predicted in units], axis=1)
    total = sums.sum(axis=1, keepdims=True)
    has = sums[0] > 0
    n_units = has.sum(axis=0)
    whole, without = _score(total, score), _score(total - sums, score)
    values = n_units * whole - (n_units - 1) * without
    return np.where(has & (n_units > 1), values, np.nan)


def rows_as_units(
    measured: NDArray[np.floating], predicted: NDArray[np.floating]
) -> Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Each row, a sound, as a unit."""
    return [(y[None], p[None]) for y, p in zip(measured, predicted, strict=True)]


def _sums(measured: NDArray[np.floating], predicted: NDArray[np.floating]) -> Values:
    """Number of rows and sums of y, p, y², p², yp; ``(6, n_targets)``, 0 for missing targets."""
    y, p = np.asarray(measured, np.float64), np.asarray(predicted, np.float64)
    known = np.isfinite(y).all(axis=0) & np.isfinite(p).all(axis=0)
    y, p = np.where(known, y, 0.0), np.where(known, p, 0.0)
    sums = [len(y) * known, y.sum(0), p.sum(0), (y**2).sum(0), (p**2).sum(0), (y * p).sum(0)]
    return np.stack(sums).astype(np.float64)


def _score(sums: Values, score: ScoreName) -> Values:
    n, y, p, yy, pp, yp = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        total = yy - y**2 / n
        if score == "r2":
            return np.where(total > 0, 1 - (yy + pp - 2 * yp) / total, np.nan)
        r = (yp - y * p / n) / np.sqrt(total * (pp - p**2 / n))
    return np.arctanh(np.clip(r, -LARGEST_R, LARGEST_R))
