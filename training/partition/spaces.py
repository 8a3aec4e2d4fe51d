"""Regression columns from features of runs: standardised, reduced, delayed.

Means, scales and principal components are estimated from training runs only and applied to others.
Delays are applied within each run: before its first TR there are zeros, the training mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.fitting.ridge import delayed

Features = NDArray[np.floating]  # (n_trs, n_channels) of one run
NO_VARIANCE = 1e-12


class FeatureSpace:
    """A feature space scaled with statistics of training runs.

    Channels are centred and divided by their standard deviation, or by the root mean square of all
    of these if theirs is smaller (otherwise noise in rarely active units would be amplified). More
    than `n_components` channels are then reduced to that many principal components. The result is
    divided by the root of its total variance, so that regularisation does not depend on the width
    of a space.

    Parameters
    ----------
    name : str
        Name for messages.
    training : sequence of array
        ``(n_trs, n_channels)`` of each training run.
    n_delays : int
        K: number of TRs that a prediction depends on, its own included.
    n_components : int
        Maximal number of channels.

    Attributes
    ----------
    n_channels, n_kept : int
        Number of channels before and after the reduction.
    explained : float
        Fraction of the variance of the standardised channels that is kept.

    Raises
    ------
    ValueError
        If there is no training run, a value is not finite, or nothing varies.

    Examples
    --------
    >>> space = FeatureSpace("level", [np.array([[1.0], [3.0]])], n_delays=2, n_components=8)
    >>> space.apply(np.array([[1.0], [3.0], [5.0]])).round(3)
    array([[ 0.   , -0.707],
           [-0.707,  0.707],
           [ 0.707,  2.121]], dtype=float32)
    """

    def __init__(
        self, name: str, training: Sequence[Features], *, n_delays: int, n_components: int
    ) -> None:
        self.name, self.n_delays = name, n_delays
        if not training:
            raise ValueError(f"feature space {name!r} has no training runs")
        if not all(np.isfinite(table).all() for table in training):
            raise ValueError(f"feature space {name!r} has values that are not finite")
        # Accumulated run by run: the rows of a season take a gigabyte in float64.
        n_rows = sum(len(table) for table in training)
        self.mean = np.sum([table.sum(axis=0, dtype=float) for table in training], axis=0) / n_rows
        squares = [np.square(table - self.mean).sum(axis=0) for table in training]
        deviation = np.sqrt(np.sum(squares, axis=0) / n_rows)
        overall = float(np.sqrt(np.mean(deviation**2)))
        if overall <= NO_VARIANCE * max(1.0, float(np.abs(self.mean).max())):
            raise ValueError(
                f"feature space {name!r} does not vary over the {n_rows} training rows and can "
                "explain nothing; leave it out"
            )
        scale = np.maximum(deviation, overall)
        self.n_channels = len(scale)
        self.n_kept = min(self.n_channels, n_components)
        total = float(np.square(deviation / scale).sum())
        mixing = np.diag(1 / scale)
        kept = total
        if self.n_kept < self.n_channels:
            covariance = np.zeros((self.n_channels, self.n_channels))
            for table in training:
                rows = (table - self.mean) / scale
                covariance += rows.T @ rows
            values, vectors = np.linalg.eigh(covariance / n_rows)
            mixing = mixing @ vectors[:, ::-1][:, : self.n_kept]
            kept = float(values[::-1][: self.n_kept].sum())
        self.explained = kept / total
        self.mixing = mixing / np.sqrt(kept * n_delays)

    def apply(self, features: Features) -> NDArray[np.float32]:
        """Columns for one run, ``(n_trs, n_channels)`` to ``(n_trs, n_delays * n_kept)``."""
        return delayed(((features - self.mean) @ self.mixing).astype(np.float32), self.n_delays)

    def apply_all(self, runs: Sequence[Features]) -> NDArray[np.float32]:
        """Concatenated columns of several runs; delays stay within each."""
        return np.concatenate([self.apply(features) for features in runs])
