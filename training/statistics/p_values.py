"""p values from surrogates, and the smallest p that a number of surrogates allows.

    p = (1 + #{null >= observed}) / (1 + n)

(one-sided; the prediction itself counts as one of its surrogates: Phipson and Smyth 2010). It is
never 0: with `n` surrogates it is at least ``1 / (1 + n)``, whatever the effect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TIE = 1e-10  # relative: smaller differences are rounding errors


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
