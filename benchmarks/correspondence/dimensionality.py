"""Effective dimensionality: number of directions that share the variance (Del Giudice 2021)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def effective_dimensionality(features: NDArray[np.floating], *, z_score: bool = False) -> float:
    """``(sum l)**2 / sum l**2`` over the eigenvalues `l` of the covariance over sounds.

    1 if all variance lies in one direction, the number of directions if they share it equally. Sums
    of eigenvalues and of their squares are the trace and the squared norm of the Gram matrix, so no
    decomposition is needed.

    Parameters
    ----------
    features : ndarray
        ``(n_sounds, n_units)``.
    z_score : bool
        Whether units are first z-scored (as for RSA), except constant ones.

    Raises
    ------
    ValueError
        If all units are constant.

    Examples
    --------
    >>> effective_dimensionality(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    table = np.asarray(features, dtype=np.float64)
    if z_score:
        scale = table.std(axis=0)
        table = table / np.where(scale > 0, scale, 1.0)
    table = table - table.mean(axis=0)
    gram = table @ table.T
    total = float(np.square(gram).sum())
    if total == 0:
        raise ValueError("no unit differs between sounds: the dimensionality is undefined")
    return float(np.trace(gram)) ** 2 / total
