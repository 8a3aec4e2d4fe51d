"""Multiple-comparison corrections of p values over targets.

Benjamini-Hochberg and Benjamini-Yekutieli bound the false discovery rate, the expected fraction of
false positives among the significant targets; the latter (used in the paper) under any dependence
between targets, at the cost of power. The family-wise correction bounds the probability of any
false positive.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.statistics.p_values import p_values

Correction = Literal["bh", "by", "fwe", "none"]


def benjamini_hochberg(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Adjusted p values (Benjamini and Hochberg 1995), ``(n_targets,)``.

    The i-th smallest of m becomes ``min over j >= i of p_j m / j``. NaN is kept and not counted.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03]))
    array([0.03,  nan, 0.04, 0.04])
    """
    return _adjusted(p, "bh")


def benjamini_yekutieli(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Adjusted p values for any dependence (Benjamini and Yekutieli 2001), ``(n_targets,)``.

    Those of Benjamini and Hochberg times ``1 + 1/2 + ... + 1/m``. NaN is kept and not counted.

    Examples
    --------
    >>> benjamini_yekutieli(np.array([0.01, np.nan, 0.3]))
    array([0.03,  nan, 0.45])
    """
    return _adjusted(p, "by")


def family_wise(observed: NDArray[np.floating], null: NDArray[np.floating]) -> NDArray[np.float64]:
    """p values corrected by the largest score (Westfall and Young 1993; Nichols and Holmes 2002).

    ``(1 + #{max over targets of null >= observed}) / (1 + n)``. Scores are compared without
    standardisation: a target with noisier scores raises the threshold for all, which is valid but
    costs power.

    Parameters
    ----------
    observed : ndarray
        Scores, ``(n_targets,)``; NaN gives NaN.
    null : ndarray
        Scores of surrogates shared by all targets, ``(n_permutations, n_targets)``.

    Raises
    ------
    ValueError
        If shapes are inconsistent.

    Examples
    --------
    >>> family_wise(np.array([0.3, 0.9]), np.array([[0.1, 0.5], [0.2, 0.1], [0.4, 0.0]]))
    array([0.75, 0.25])
    """
    observed, null = np.asarray(observed, np.float64), np.asarray(null, np.float64)
    known = ~np.isnan(observed)
    if null.shape[1:] != observed.shape or not known.any():
        return p_values(observed, null)
    largest = null[:, known].max(axis=1, keepdims=True)
    return p_values(observed, np.broadcast_to(largest, null.shape))


def harmonic(n_tests: int) -> float:
    """``1 + 1/2 + ... + 1/n_tests``."""
    return float((1 / np.arange(1, n_tests + 1)).sum())


def _adjusted(p: NDArray[np.floating], method: Literal["bh", "by"]) -> NDArray[np.float64]:
    """By :func:`scipy.stats.false_discovery_control`, which does not support NaN."""
    from scipy.stats import false_discovery_control

    adjusted = np.array(p, dtype=np.float64)
    known = ~np.isnan(adjusted)
    p_known = adjusted[known]
    if ((p_known < 0) | (p_known > 1)).any():
        raise ValueError(f"expected p values within 0 to 1, got {p_known.min()} to {p_known.max()}")
    if known.any():
        adjusted[known] = false_discovery_control(p_known, method=method)
    return adjusted
