"""Prediction scores per target: Pearson's r and R², which are different measures.

``r2_score = 1 - sum (y - p)^2 / sum (y - mean y)^2`` depends on scale and offset and may be
negative; ``pearson_r`` does not, and its square is not R².
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.floating]  # (n_trs, n_targets)


def pearson_r(measured: Table, predicted: Table) -> NDArray[np.float64]:
    """Pearson's r per column, from two ``(n_trs, n_targets)`` to ``(n_targets,)``.

    A constant prediction has r = 0 by convention; a missing or constant target gives NaN.

    Examples
    --------
    >>> measured = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    >>> pearson_r(measured, measured[::-1])
    array([-1.,  1.])
    """
    y = np.asarray(measured, dtype=np.float64)
    p = np.asarray(predicted, dtype=np.float64)
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
    y = np.asarray(measured, dtype=np.float64)
    p = np.asarray(predicted, dtype=np.float64)
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - ((y - p) ** 2).sum(axis=0) / total
    return np.where(total > 0, r2, np.nan)
