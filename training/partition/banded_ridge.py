"""Ridge regression from several feature spaces, each with its own regularisation.

With spaces `X_i` (rows are TRs), this minimises for each target `v`

    || y_v - sum_i X_i w_iv ||² + alpha_v sum_i || w_iv ||² / gamma_iv,    sum_i gamma_iv = 1

which is ordinary ridge regression for a single space (banded ridge: Nunez-Elizalde, Huth & Gallant
2019, NeuroImage 197; random search over `gamma`: Dupre la Tour et al. 2022, NeuroImage 264).
`alpha_v` and `gamma_v` minimise the squared error in cross-validation over training episodes.

With more columns than rows himalaya solves it from kernels ``X_i X_i'``, ``(n_rows, n_rows)``; else
it is solved from Gram matrices accumulated over the rows of each fold (:class:`BandedGrams`), whose
memory is independent of the number of rows. Both give the same predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fitting.gram_ridge import (
    ALPHA_SLOPE,
    TARGETS_AT_ONCE,
    Decomposition,
    Fold,
    Rows,
    Shape,
    Table,
    gram_matrices,
)
from training.fitting.ridge import Folds

# alpha per row, for spaces of total variance 1. Two in a decade: ten took 2.6 times as long and
# predicted simulated responses no better.
STRENGTHS = np.logspace(-5, 2, 15)
N_MIXTURES = 10
CONCENTRATIONS = (0.1, 1.0)  # of himalaya's random search: sparse and uniform
LEAST_WEIGHT = 1e-9  # instead of zero, by which himalaya would divide
TARGETS_AT_KERNELS = 256  # bounds the memory of alphas x rows x targets
ROWS_AT_ONCE = 4096

Columns = NDArray[np.floating]  # (n_rows, n_columns)
Mixture = tuple[tuple[str, float], ...]  # spaces and their weights, all above 0


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


class BandedGrams:
    """Sums over the rows of each fold, with cached scores.

    The sums of all spaces are computed once. A model of some spaces, each with a weight, needs
    their blocks of these sums, multiplied by the roots of the weights. Models without a space try
    many of the same mixtures, whose scores are cached.

    Parameters
    ----------
    x, x_new : mapping
        For each space ``(n_rows, n_columns)``, rows to fit to and rows to predict; centred.
    y : ndarray
        ``(n_rows, n_targets)``, centred.
    folds : list of (ndarray, ndarray)
        Rows to train on and rows to select `alpha` and the mixture with.
    alphas : ndarray
        Candidate values, ascending.
    """

    def __init__(
        self,
        x: Mapping[str, Columns],
        y: Columns,
        x_new: Mapping[str, Columns],
        folds: Folds,
        alphas: NDArray[np.floating],
    ) -> None:
        self.x_new, self.alphas = x_new, np.asarray(alphas, dtype=float)
        self.n_rows, self.n_targets = y.shape
        ends = np.cumsum([each.shape[1] for each in x.values()])
        places = np.split(np.arange(ends[-1]), ends[:-1])
        self.places = dict(zip(x, places, strict=True))
        self.grams, self.crosses, self.squares = _sums(list(x.values()), y, folds, int(ends[-1]))
        self.gram, self.cross = (sum(each[1:], each[0]) for each in (self.grams, self.crosses))
        self._scored: dict[Mixture, tuple[Table, Table]] = {}

    def predict(self, mixtures: Sequence[Mixture]) -> Table:
        """Predictions with the best mixture and `alpha` for each target, ``(n_new, n_targets)``."""
        best = np.full(self.n_targets, -np.inf)
        alphas, chosen = np.ones(self.n_targets), np.zeros(self.n_targets, dtype=np.int64)
        for number, mixture in enumerate(mixtures):
            score, alpha = self.scored(mixture)
            better = score > best + np.finfo(float).eps
            alphas[better], best[better], chosen[better] = alpha[better], score[better], number
        predicted = np.empty((len(next(iter(self.x_new.values()))), self.n_targets))
        for number in np.unique(chosen):
            own, mixture = chosen == number, mixtures[number]
            columns, scale = self._columns(mixture)
            whole = Decomposition.of(_scaled(self.gram, columns, scale))
            projected = whole.vectors.T @ (scale[:, None] * self.cross[np.ix_(columns, own)])
            weights = whole.vectors @ whole.shrunk(projected, alphas[own])
            new = np.concatenate([self.x_new[space] for space, _ in mixture], axis=1)
            predicted[:, own] = new @ (scale[:, None] * weights)
        return predicted

    def scored(self, mixture: Mixture) -> tuple[Table, Table]:
        """Negative mean squared error with the best `alpha`, and that `alpha`, per target."""
        if mixture not in self._scored:
            scores = self._scores(mixture) + ALPHA_SLOPE * np.log(self.alphas)[:, None]
            best = scores.argmax(axis=0)
            self._scored[mixture] = scores.max(axis=0), self.alphas[best]
        return self._scored[mixture]

    def _scores(self, mixture: Mixture) -> Table:
        """``(n_alphas, n_targets)``."""
        columns, scale = self._columns(mixture)
        scores = np.zeros((len(self.alphas), self.n_targets))
        n_rows = self.n_rows * len(self.grams)
        for own, of_own, square in zip(self.grams, self.crosses, self.squares, strict=True):
            gram = _scaled(own, columns, scale)
            rest = Decomposition.of(_scaled(self.gram, columns, scale) - gram)
            fold = Fold.of_gram(n_rows, rest, gram)
            for first in range(0, self.n_targets, TARGETS_AT_ONCE):
                some = slice(first, first + TARGETS_AT_ONCE)
                whole = rest.vectors.T @ (scale[:, None] * self.cross[columns, some])
                inside = rest.vectors.T @ (scale[:, None] * of_own[columns, some])
                scores[:, some] -= fold.errors(whole - inside, inside, square[some], self.alphas)
        return scores

    def _columns(self, mixture: Mixture) -> tuple[NDArray[np.int_], Table]:
        """Indices of the columns, and their factors."""
        columns = [self.places[space] for space, _ in mixture]
        scale = np.repeat([weight for _, weight in mixture], [len(each) for each in columns])
        return np.concatenate(columns), np.sqrt(scale)


def _scaled(gram: Table, columns: NDArray[np.int_], scale: Table) -> Table:
    """The Gram matrix of some columns multiplied by `scale`."""
    return np.asfortranarray(gram[np.ix_(columns, columns)] * scale * scale[:, None])


def _sums(
    x: Sequence[Columns], y: Columns, folds: Folds, n_columns: int
) -> tuple[list[Table], list[Table], list[Table]]:
    """For each fold ``X'X``, ``X'Y`` and the sums of squares of `Y`."""
    crosses: list[Table] = [np.zeros((n_columns, y.shape[1])) for _ in folds]
    squares: list[Table] = [np.zeros(y.shape[1]) for _ in folds]

    def source(targets: slice) -> Iterator[Rows]:
        for number, (_, held_out) in enumerate(folds):
            for first in range(0, len(held_out), ROWS_AT_ONCE):
                rows = held_out[first : first + ROWS_AT_ONCE]
                yield Rows(
                    number,
                    np.concatenate([each[rows] for each in x], axis=1, dtype=np.float64),
                    np.asarray(y[rows][:, targets], dtype=np.float64),
                )

    shape = Shape(len(y), n_columns, y.shape[1], len(folds))
    grams, _ = gram_matrices(source, shape)
    for first in range(0, y.shape[1], TARGETS_AT_ONCE):
        targets = slice(first, first + TARGETS_AT_ONCE)
        for rows in source(targets):
            crosses[rows.fold][:, targets] += rows.x.T @ rows.y
            squares[rows.fold][targets] += np.square(rows.y).sum(axis=0)
    return grams, crosses, squares
