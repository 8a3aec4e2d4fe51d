"""Sums that determine r and R², so that a surrogate costs only one cross-product.

A surrogate has the values of a prediction in another order (or with other phases), so its mean and
sum of squares are unchanged. With ``C = sum (y - mean y)(p - mean p)`` over a run,

    r  = C / sqrt(S_y S_p)
    R² = 1 - (S_y + S_p - 2 C + n (mean y - mean p)^2) / S_y

and only ``C`` differs between surrogates. For concatenated runs the same holds with the sums over
all TRs, whose between-run part does not depend on the order within runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ScoreName = Literal["r", "r2"]
Run: TypeAlias = tuple[NDArray[np.floating], NDArray[np.floating]]  # measured, predicted
Runs: TypeAlias = Sequence[Run]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Sums of one run, or of concatenated runs; ``(n_targets,)`` each.

    Attributes
    ----------
    n_trs : ndarray
        Number of TRs; 0 if the target is missing.
    mean_measured, mean_predicted : ndarray
        Over TRs.
    sum_measured, sum_predicted : ndarray
        Sums of squares about the mean.
    """

    n_trs: Values
    mean_measured: Values
    mean_predicted: Values
    sum_measured: Values
    sum_predicted: Values

    def part(self, targets: slice) -> Moments:
        """The moments of some targets."""
        return Moments(*(getattr(self, each.name)[targets] for each in fields(self)))

    def scores(self, cross: Values, score: ScoreName) -> Values:
        """Scores from cross-products.

        Parameters
        ----------
        cross : ndarray
            Sums of products about the means, ``(n_targets,)`` or ``(n_draws, n_targets)``.
        score : str
            {"r", "r2"}.

        Returns
        -------
        scores : ndarray
            Like `cross`; NaN for targets that are missing or constant, r = 0 for a constant
            prediction, as in :mod:`training.scores`.
        """
        y, p = self.sum_measured, self.sum_predicted
        known = (self.n_trs > 0) & (y > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            if score == "r":
                values = cross * np.where(p > 0, 1 / np.sqrt(y * p), 0.0)
            else:
                offset = self.n_trs * (self.mean_measured - self.mean_predicted) ** 2
                values = cross * (2 / y) + (1 - (y + p + offset) / y)
        return np.where(known, values, np.nan)


def centred(run: Run) -> tuple[Moments, Values, Values]:
    """Moments of a run, and both tables about their means with zeros for missing targets.

    Examples
    --------
    >>> moments, y, p = centred((np.array([[1.0], [3.0]]), np.array([[0.0], [4.0]])))
    >>> moments.scores((y * p).sum(axis=0), "r")
    array([1.])
    """
    measured, predicted = (np.asarray(table, dtype=np.float64) for table in run)
    present = np.isfinite(measured).all(axis=0) & np.isfinite(predicted).all(axis=0)
    tables = [np.where(present, table, 0.0) for table in (measured, predicted)]
    means = [table.mean(axis=0) for table in tables]
    y, p = (table - mean for table, mean in zip(tables, means, strict=True))
    n_trs = np.where(present, len(y), 0).astype(np.float64)
    return Moments(n_trs, means[0], means[1], (y**2).sum(axis=0), (p**2).sum(axis=0)), y, p


def concatenate(runs: Sequence[Moments]) -> tuple[Moments, Values]:
    """Moments over the TRs of all runs, and the part of the cross-product between runs.

    A target is scored over the runs that have it.

    Returns
    -------
    moments : Moments
        Of the concatenated runs.
    between : ndarray
        Contribution of the differences between the runs' means to the cross-products,
        ``(n_targets,)``.
    """
    n = np.stack([run.n_trs for run in runs])
    y = np.stack([run.mean_measured for run in runs])
    p = np.stack([run.mean_predicted for run in runs])
    total = n.sum(axis=0)
    divisor = np.maximum(total, 1)
    mean_y, mean_p = (n * y).sum(axis=0) / divisor, (n * p).sum(axis=0) / divisor
    sum_y = sum(run.sum_measured for run in runs) + (n * (y - mean_y) ** 2).sum(axis=0)
    sum_p = sum(run.sum_predicted for run in runs) + (n * (p - mean_p) ** 2).sum(axis=0)
    between = (n * (y - mean_y) * (p - mean_p)).sum(axis=0)
    return Moments(total, mean_y, mean_p, sum_y, sum_p), between


def check_runs(runs: Runs) -> None:
    """Reject runs that cannot be scored together.

    Raises
    ------
    ValueError
        If there is no run, or shapes are inconsistent.
    """
    if len(runs) == 0:
        raise ValueError("expected at least one run (measured, predicted), got none")
    n_targets = np.shape(runs[0][0])[-1:]
    for number, (measured, predicted) in enumerate(runs):
        shapes = np.shape(measured), np.shape(predicted)
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][1:] != n_targets:
            raise ValueError(
                f"run {number}: expected measured and predicted of shape (n_trs, n_targets) with "
                f"the targets of the first run, got {shapes[0]} and {shapes[1]}"
            )
        if shapes[0][0] < 2:
            raise ValueError(f"run {number}: expected at least 2 TRs to score, got {shapes[0][0]}")
