"""Paired comparison of two models on the same runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.statistics.intervals import bootstrap_interval

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PairedComparison:
    """``a - b`` over runs; ``(n_targets,)`` each.

    Attributes
    ----------
    difference : ndarray
        Mean over runs.
    low, high : ndarray
        Its bootstrap interval, see :mod:`training.statistics.intervals`.
    effect_size : ndarray
        Matched-pairs rank-biserial correlation (Kerby 2014), -1 to 1: the rank sum in favour of `a`
        minus that in favour of `b`, relative to their sum.
    statistic : ndarray
        Wilcoxon's: the smaller of the two rank sums.
    p : ndarray
        Two-sided, of the signed-rank test.
    n_runs : ndarray of int
        Number of pairs with the target.
    interval_method : ndarray of str
        {"bootstrap_t", "student_t", "none"}.
    """

    difference: Values
    low: Values
    high: Values
    effect_size: Values
    statistic: Values
    p: Values
    n_runs: NDArray[np.int64]
    interval_method: NDArray[np.str_]


def compare_runs(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> PairedComparison:
    """Wilcoxon signed-rank test over runs, target by target.

    Runs with equal scores are left out of the test (Wilcoxon's method), but not of the mean. The p
    value is exact where scipy computes it exactly: up to 50 differing runs without ties.

    Parameters
    ----------
    a, b : ndarray
        Scores of the two models on the same runs, ``(n_runs, n_targets)``; a pair with a NaN is
        left out, a target without two pairs has NaN.
    confidence, n_resamples, seed
        Parameters of the interval.

    Raises
    ------
    ValueError
        If shapes differ, or there are fewer than two runs.

    Examples
    --------
    >>> b = np.arange(6.0)[:, None] / 10
    >>> result = compare_runs(b + 0.01 * (1 + b), b)
    >>> result.p, result.effect_size
    (array([0.03125]), array([1.]))
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(
            f"expected two tables of shape (n_runs, n_targets), got {a.shape} and {b.shape}"
        )
    if len(a) < 2:
        raise ValueError(
            f"a paired comparison over runs needs at least 2 runs, got {len(a)}; with n runs p "
            "cannot be below 2 / 2^n"
        )
    differences = a - b
    interval = bootstrap_interval(differences, confidence, n_resamples, seed)
    tests = np.array([_signed_rank(column[~np.isnan(column)]) for column in differences.T])
    statistic, p, effect_size = tests.reshape(-1, 3).T
    return PairedComparison(
        interval.estimate,
        interval.low,
        interval.high,
        effect_size,
        statistic,
        p,
        interval.n_runs,
        interval.method,
    )


def smallest_wilcoxon_p(n_runs: int) -> float:
    """The smallest two-sided p that `n_runs` pairs allow: all differences of one sign.

    Examples
    --------
    >>> smallest_wilcoxon_p(6)
    0.03125
    """
    return float(2.0 ** (1 - n_runs))


def _signed_rank(differences: Values) -> tuple[float, float, float]:
    """Statistic, p, and effect size of one target."""
    from scipy.stats import rankdata, wilcoxon

    if len(differences) < 2:
        return np.nan, np.nan, np.nan
    differing = differences[differences != 0]
    if len(differing) == 0:
        return 0.0, 1.0, 0.0
    ranks = rankdata(np.abs(differing))
    in_favour, against = ranks[differing > 0].sum(), ranks[differing < 0].sum()
    effect_size = (in_favour - against) / ranks.sum()
    return float(min(in_favour, against)), float(wilcoxon(differing).pvalue), float(effect_size)
