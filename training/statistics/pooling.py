"""Pooling of scores over runs to one score per target. The three ways give different numbers.

"mean" is the plain mean over runs, as in the paper. "fisher_z" is ``tanh(mean(arctanh(r)))``: the
mean on the scale on which the variance of r does not depend on r. "concatenated" is one score over
the TRs of all runs: it includes differences between the runs' means and gives long runs more
weight.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.scores import pearson_r, r2_score
from training.statistics.moments import Runs, ScoreName, centred, check_runs, concatenate

Pooling = Literal["mean", "fisher_z", "concatenated"]

LARGEST_R = 1 - 1e-12  # arctanh(1) is infinite
SCORES = {"r": pearson_r, "r2": r2_score}


def pool(scores: NDArray[np.floating], pooling: Pooling = "mean") -> NDArray[np.float64]:
    """Pool scores over runs; for each target over the runs that have it.

    Parameters
    ----------
    scores : ndarray
        ``(n_runs, n_targets)``; NaN if a run has no score.
    pooling : str
        {"mean", "fisher_z"}; "fisher_z" is for Pearson's r only.

    Returns
    -------
    pooled : ndarray
        ``(n_targets,)``; NaN for targets that no run has.

    Raises
    ------
    ValueError
        If `scores` are not correlations and Fisher's z is requested, or if concatenated scores are
        requested, which cannot be computed from scores of runs.

    Examples
    --------
    >>> pool(np.array([[0.0, 0.2], [0.8, np.nan]]))
    array([0.4, 0.2])
    >>> pool(np.array([[0.0, 0.2], [0.8, np.nan]]), "fisher_z")
    array([0.5, 0.2])
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(
            f"expected scores of shape (n_runs, n_targets) with at least one run, got "
            f"{values.shape}"
        )
    return from_pooled_scale(mean_over_runs(to_pooled_scale(values, pooling)), pooling)


def pooled_scores(runs: Runs, score: ScoreName, pooling: Pooling) -> NDArray[np.float64]:
    """Score each run and pool, ``(n_targets,)``.

    Parameters
    ----------
    runs : sequence of (measured, predicted)
        ``(n_trs, n_targets)`` each; a column with NaN is a target missing in the run.
    score : str
        {"r", "r2"}.
    pooling : str
        {"mean", "fisher_z", "concatenated"}.

    Raises
    ------
    ValueError
        If shapes are inconsistent, or R² is to be pooled by Fisher's z.

    Examples
    --------
    >>> measured = np.array([[0.0], [1.0], [2.0]])
    >>> runs = [(measured, measured), (measured, -measured - 1)]
    >>> pooled_scores(runs, "r", "mean"), pooled_scores(runs, "r2", "concatenated")
    (array([0.]), array([-7.75]))
    """
    check_choice(score, pooling)
    check_runs(runs)
    if pooling != "concatenated":
        return pool(np.stack([SCORES[score](*run) for run in runs]), pooling)
    of_runs, cross = [], np.zeros(np.shape(runs[0][0])[1])
    for run in runs:  # one at a time: all centred runs would take twice the memory
        own, y, p = centred(run)
        of_runs.append(own)
        cross += (y * p).sum(axis=0)
    moments, between = concatenate(of_runs)
    return moments.scores(cross + between, score)


def check_choice(score: ScoreName, pooling: Pooling) -> None:
    """Reject unknown names, and R² pooled by Fisher's z.

    Raises
    ------
    ValueError
        In these cases.
    """
    if score not in ("r", "r2"):
        raise ValueError(f"expected a score of 'r' or 'r2', got {score!r}")
    if pooling not in ("mean", "fisher_z", "concatenated"):
        raise ValueError(
            f"expected a pooling of 'mean', 'fisher_z' or 'concatenated', got {pooling!r}"
        )
    if pooling == "fisher_z" and score != "r":
        raise ValueError(
            "Fisher's z is of correlations: R² may lie below -1; use pooling 'mean' or "
            "'concatenated' for R², or the score 'r'"
        )


def to_pooled_scale(scores: NDArray[np.floating], pooling: Pooling) -> NDArray[np.float64]:
    """Scores on the scale on which they are averaged: themselves, or their arctanh.

    Raises
    ------
    ValueError
        If scores are out of range, or `pooling` is "concatenated".
    """
    values = np.asarray(scores, dtype=np.float64)
    if pooling == "mean":
        return values
    if pooling != "fisher_z":
        raise ValueError(
            f"expected a pooling of 'mean' or 'fisher_z' for scores of single runs, got "
            f"{pooling!r}; concatenated runs are scored from their TRs (pooled_scores)"
        )
    outside = np.abs(values[np.isfinite(values)]) > 1 + 1e-9
    if outside.any():
        raise ValueError(
            "Fisher's z is of correlations within -1 to 1, and these scores go beyond (R²?); use "
            "pooling 'mean'"
        )
    return np.arctanh(np.clip(values, -LARGEST_R, LARGEST_R))


def from_pooled_scale(values: NDArray[np.float64], pooling: Pooling) -> NDArray[np.float64]:
    """Inverse of :func:`to_pooled_scale`."""
    return np.tanh(values) if pooling == "fisher_z" else values


def mean_over_runs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis without NaN; NaN, without a warning, if there are no values."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
