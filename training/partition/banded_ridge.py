"""Ridge regression from several feature spaces, each with its own regularisation.

With spaces `X_i` (rows are TRs), this minimises for each target `v`

    || y_v - sum_i X_i w_iv ||² + alpha_v sum_i || w_iv ||² / gamma_iv,    sum_i gamma_iv = 1

which is ordinary ridge regression for a single space (banded ridge: Nunez-Elizalde, Huth & Gallant
2019, NeuroImage 197; random search over `gamma`: Dupre la Tour et al. 2022, NeuroImage 264).
`alpha_v` and `gamma_v` minimise the squared error in cross-validation over training episodes.

With more columns than rows himalaya solves it from kernels ``X_i X_i'``, ``(n_rows, n_rows)``; else
it is solved from Gram matrices accumulated over the rows of each fold
(:mod:`training.partition.banded_grams`), whose memory is independent of the number of rows. Both
give the same predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fitting.ridge import Folds
from training.partition.banded_grams import BandedGrams, Columns, Mixture

STRENGTHS = np.logspace(-5, 2, 15)  # alpha per row, for spaces of total variance 1
N_MIXTURES = 10
CONCENTRATIONS = (0.1, 1.0)  # of himalaya's random search: sparse and uniform
LEAST_WEIGHT = 1e-9  # instead of zero, by which himalaya would divide
TARGETS_AT_KERNELS = 256  # bounds the memory of alphas x rows x targets


def mixtures(n_spaces: int, n_random: int, seed: int) -> NDArray[np.float64]:
    """Candidate weights `gamma`, ``(2 ** n_spaces - 1 + n_random, n_spaces)``.

    Every subset of the spaces with equal weights, then random ones: so a space is never forced into
    a model that is better without it.

    Examples
    --------
    >>> mixtures(2, 0, seed=0).round(6).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    """
    weights = [
        [float(space in chosen) for space in range(n_spaces)]
        for n in range(n_spaces, 0, -1)
        for chosen in combinations(range(n_spaces), n)
    ]
    generator = np.random.default_rng(seed)
    if n_spaces > 1:
        weights += [
            generator.dirichlet([CONCENTRATIONS[i % len(CONCENTRATIONS)]] * n_spaces).tolist()
            for i in range(n_random)
        ]
    table = np.array(weights)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def fit_and_predict(
    training: Mapping[str, Columns],
    responses: Columns,
    others: Mapping[str, Columns],
    folds: Folds,
    **options: Any,
) -> NDArray[np.float64]:
    """Fit to training rows and predict others from all spaces, ``(n_other_rows, n_targets)``.

    Parameters and errors are those of :class:`BandedRidge`.
    """
    return BandedRidge(training, responses, others, folds, **options).predict(tuple(training))


class BandedRidge:
    """Models of subsets of the spaces, fitted to the same rows.

    Parameters
    ----------
    training, others : mapping
        For each space ``(n_rows, n_columns)``, rows to fit to and rows to predict.
    responses : ndarray
        ``(n_rows, n_targets)``, of the training rows; finite.
    folds : list of (ndarray, ndarray)
        Rows to train on and rows to select `alpha` and `gamma` with.
    strengths : ndarray
        Values of `alpha` per row.
    n_random : int
        Number of random weights, see :func:`mixtures`.
    seed : int
        Seed of random weights.
    form : str
        {"auto", "kernels", "grams"}: solver; it affects only time and memory.

    Raises
    ------
    ValueError
        If there are no feature spaces.
    """

    def __init__(
        self,
        training: Mapping[str, Columns],
        responses: Columns,
        others: Mapping[str, Columns],
        folds: Folds,
        *,
        strengths: NDArray[np.floating] = STRENGTHS,
        n_random: int = N_MIXTURES,
        seed: int = 0,
        form: str = "auto",
    ) -> None:
        if not training:
            raise ValueError("expected at least one feature space to predict from, got none")
        means = {
            space: columns.mean(axis=0, dtype=np.float64).astype(columns.dtype)
            for space, columns in training.items()
        }
        # In the columns' own dtype: a copy in float64 would be twice as large.
        self.x = {space: columns - means[space] for space, columns in training.items()}
        self.x_new = {space: others[space] - means[space] for space in training}
        self.offset = responses.mean(axis=0, dtype=np.float64)
        self.y = responses - self.offset
        self.folds, self.alphas = folds, np.asarray(strengths) * len(self.y)
        self.n_random, self.seed, self.form = n_random, seed, form

    def predict(self, spaces: Sequence[str]) -> NDArray[np.float64]:
        """Predictions for the other rows from some of the spaces, ``(n_other_rows, n_targets)``."""
        n_columns = sum(self.x[space].shape[1] for space in spaces)
        form = self.form
        if form == "auto":
            form = "kernels" if len(self.y) < n_columns else "grams"
        weights = mixtures(len(spaces), self.n_random, self.seed)
        if form == "kernels":
            predicted = self._from_kernels(spaces, weights)
        else:
            predicted = self._grams.predict([_mixture(spaces, each) for each in weights])
        return np.asarray(predicted, dtype=np.float64) + self.offset

    @cached_property
    def _grams(self) -> BandedGrams:
        return BandedGrams(self.x, self.y, self.x_new, self.folds, self.alphas)

    def _from_kernels(self, spaces: Sequence[str], weights: NDArray[np.float64]) -> Columns:
        from himalaya.kernel_ridge import MultipleKernelRidgeCV

        precise = [self.x[space].astype(np.float64) for space in spaces]
        kernels = np.stack([each @ each.T for each in precise])
        rows = [self.x_new[space] for space in spaces]
        new = np.stack([own @ each.T for own, each in zip(rows, precise, strict=True)])
        least = np.maximum(weights, LEAST_WEIGHT)
        model = MultipleKernelRidgeCV(
            kernels="precomputed",
            solver="random_search",
            solver_params={
                "n_iter": least / least.sum(axis=1, keepdims=True),
                "alphas": self.alphas,
                "score_func": _negative_error(len(self.y)),
                "progress_bar": False,
                "n_targets_batch": TARGETS_AT_KERNELS,
            },
            cv=self.folds,
        )
        model.fit(kernels, self.y)
        predicted: Columns = model.predict(new)
        return predicted


def _mixture(spaces: Sequence[str], weights: NDArray[np.float64]) -> Mixture:
    pairs = zip(spaces, weights.tolist(), strict=True)
    return tuple((space, weight) for space, weight in pairs if weight > 0)


def _negative_error(n_rows: int) -> Callable[[Columns, Columns], Columns]:
    """Squared error of a fold relative to all: every row counts equally, in any fold."""

    def score(measured: Columns, predicted: Columns) -> Columns:
        error: Columns = -np.square(measured - predicted).sum(axis=-2) / n_rows
        return error

    return score
