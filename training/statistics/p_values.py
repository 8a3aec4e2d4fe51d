"""p values from surrogates, their corrections over targets, and how many surrogates these need.

    p = (1 + #{null >= observed}) / (1 + n)

(one-sided; the prediction itself counts as one of its surrogates: Phipson and Smyth 2010). It is
never 0: with `n` surrogates it is at least ``1 / (1 + n)``, whatever the effect.

Benjamini-Hochberg and Benjamini-Yekutieli bound the false discovery rate, the expected fraction of
false positives among the significant targets; the latter (used in the paper) under any dependence
between targets, at the cost of power. The family-wise correction bounds the probability of any
false positive.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Correction = Literal["bh", "by", "fwe", "none"]

TIE = 1e-10  # relative: smaller differences are rounding errors
ROUNDING = 1e-9  # numbers of permutations that differ by less are equal


def p_values(observed: NDArray[np.floating], null: NDArray[np.floating]) -> NDArray[np.float64]:
    """One-sided p per target.

    Parameters
    ----------
    observed : ndarray
        Scores, ``(n_targets,)``; NaN gives NaN.
    null : ndarray
        Scores of surrogates, ``(n_permutations, n_targets)``; ties with `observed` up to rounding
        count.

    Raises
    ------
    ValueError
        If shapes are inconsistent or there are no surrogates.

    Examples
    --------
    >>> p_values(np.array([0.3, np.nan]), np.array([[0.1, 0], [0.4, 0], [0.2, 0]]))
    array([0.5, nan])
    """
    if np.ndim(null) != 2 or null.shape[1:] != np.shape(observed) or len(null) == 0:
        raise ValueError(
            "expected null scores of shape (n_permutations, n_targets) with at least one row and "
            f"the targets of the observed ones {observed.shape}, got {null.shape}"
        )
    reached = (null >= just_below(observed)).sum(axis=0)
    return np.where(np.isnan(observed), np.nan, (1 + reached) / (1 + len(null)))


def just_below(observed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores minus a tolerance for rounding."""
    return np.asarray(observed - TIE * np.maximum(1, np.abs(observed)), dtype=np.float64)


def smallest_p(n_permutations: int) -> float:
    """The smallest p that this number of surrogates allows.

    Examples
    --------
    >>> smallest_p(999)
    0.001
    """
    return 1 / (1 + n_permutations)


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
    if null.shape[1:] != observed.shape or not len(null) or np.isnan(observed).all():
        return p_values(observed, null)
    return p_of_largest(observed, largest_scores(observed, null))


def largest_scores(
    observed: NDArray[np.floating], null: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Largest score of each surrogate over the targets with a score, ``(n_permutations,)``; -inf
    without any."""
    known = ~np.isnan(observed)
    return np.max(null[:, known], axis=1, initial=-np.inf)


def p_of_largest(
    observed: NDArray[np.floating], largest: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Family-wise p values ``(n_targets,)`` from :func:`largest_scores` over all targets."""
    below = np.searchsorted(np.sort(largest), just_below(observed), side="left")
    p = (1 + len(largest) - below) / (1 + len(largest))
    return np.where(np.isnan(observed), np.nan, p)


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


def permutations_needed(alpha: float, n_tests: int, correction: Correction) -> int:
    """Number of surrogates required for a single target among `n_tests` to be significant.

    Parameters
    ----------
    alpha : float
        Rate of the false discovery or error rate, for example .05.
    n_tests : int
        Number of targets.
    correction : str
        {"bh", "by", "fwe", "none"}.

    Examples
    --------
    >>> [permutations_needed(0.05, 210, each) for each in ("none", "fwe", "bh", "by")]
    [19, 19, 4199, 24892]
    """
    return max(1, math.ceil(_penalty(n_tests, correction) / alpha - 1 - ROUNDING))


def check_permutations(
    n_permutations: int, alpha: float, n_tests: int, correction: Correction
) -> str:
    """A note for the reader if surrogates are too few for a single target.

    Parameters
    ----------
    n_permutations : int
        Number of surrogates.
    alpha, n_tests, correction
        As in :func:`permutations_needed`.

    Returns
    -------
    sentence : str
        Empty if they suffice.

    Raises
    ------
    ValueError
        If they are so few that nothing can be significant, even if every target were.

    Examples
    --------
    >>> check_permutations(5000, 0.05, 210, "bh")
    ''
    >>> check_permutations(999, 0.05, 210, "bh")[:39]
    '999 permutations allow no p below 0.001'
    """
    needed = permutations_needed(alpha, n_tests, correction)
    if n_permutations >= needed:
        return ""
    least = smallest_p(n_permutations)
    together = math.ceil(least * _penalty(n_tests, correction) / alpha - ROUNDING)
    start = f"{n_permutations} permutations allow no p below {least:.3g}; "
    where = f"after correction ({correction}) over {n_tests} targets at alpha {alpha:g} "
    if together > n_tests or correction in ("fwe", "none"):
        raise ValueError(
            f"{start}{where}nothing could ever be significant; make at least {needed} permutations"
        )
    return (
        f"{start}{where}a target can be significant only together with others, {together} at "
        f"least; {needed} permutations would let a single one be"
    )


def _penalty(n_tests: int, correction: Correction) -> float:
    """Factor that the correction applies to the smallest of `n_tests` p values."""
    match correction:
        case "bh":
            return float(n_tests)
        case "by":
            return n_tests * harmonic(n_tests)
        case "fwe" | "none":
            return 1.0
    raise ValueError(f"expected a correction of 'bh', 'by', 'fwe' or 'none', got {correction!r}")
