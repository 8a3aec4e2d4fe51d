"""Banded ridge regression from Gram matrices accumulated over the rows of each fold.

The sums of all spaces are computed once. A model of some spaces, each with a weight, needs their
blocks of these sums, multiplied by the roots of the weights; a space of zero weight is left out.
Scores of mixtures are cached: models without a space try many of the same mixtures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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

ROWS_AT_ONCE = 4096

Columns = NDArray[np.floating]  # (n_rows, n_columns)
Mixture = tuple[tuple[str, float], ...]  # spaces and their weights, all above 0


class BandedGrams:
    """Sums over the rows of each fold, with cached scores.

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
