"""Shuffle: random permutation of the rows of the prediction.

Valid for exchangeable rows, such as responses to separate sounds. Invalid for time series: shuffled
predictions are white noise, and autocorrelated signals correlate by chance far more than white
noise, so that p values are much too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TARGETS_AT_ONCE = 64  # keeps gathered data in the CPU cache


@dataclass(frozen=True)
class Shuffle:
    """All orders of the rows; see the module docstring.

    Examples
    --------
    >>> null = Shuffle()
    >>> null.n_possible(4)
    24
    >>> null.surrogate(np.arange(3.0)[:, None], np.array([2, 0, 1]))[:, 0]
    array([2., 0., 1.])
    """

    def n_possible(self, n_trs: int) -> int:
        """Number of orders, including the original one."""
        return math.factorial(n_trs)

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Random orders of the rows, ``(n_draws, n_trs)``."""
        return generator.permuted(np.tile(np.arange(n_trs), (n_draws, 1)), axis=1)

    def surrogate(
        self, predicted: NDArray[np.float64], draw: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The surrogate of one draw, ``(n_trs, n_targets)``."""
        return predicted[draw]

    def cross_products(
        self,
        measured: NDArray[np.float64],
        predicted: NDArray[np.float64],
        draws: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """``sum_t measured[t] surrogate[t]`` per draw and target, ``(n_draws, n_targets)``."""
        cross = np.empty((len(draws), measured.shape[1]))
        for first in range(0, measured.shape[1], TARGETS_AT_ONCE):
            chunk = slice(first, first + TARGETS_AT_ONCE)
            y, p = (np.ascontiguousarray(table[:, chunk]) for table in (measured, predicted))
            for number, order in enumerate(draws):
                np.einsum("ti,ti->i", y, p[order], out=cross[number, chunk])
        return cross
