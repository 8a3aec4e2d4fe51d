"""Ridge regression from several feature spaces, each with its own regularisation.

With spaces `X_i` (rows are TRs), this minimises for each target `v`

    || y_v - sum_i X_i w_iv ||² + alpha_v sum_i || w_iv ||² / gamma_iv,    sum_i gamma_iv = 1

which is ordinary ridge regression where there is one space (banded ridge: Nunez-Elizalde, Huth &
Gallant 2019, NeuroImage 197; random search over `gamma`: Dupre la Tour et al. 2022, NeuroImage
264). `alpha_v` and `gamma_v` are those with the smallest squared error in cross-validation over
training episodes.

With more columns than rows the same is solved from kernels ``X_i X_i'``, ``(n_rows, n_rows)``, by
himalaya; else from the columns' products summed over the rows of each fold, which take no more
memory for more rows. Both ways give the same predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.folds import Folds
from training.gram_ridge import (
    ALPHA_SLOPE,
    TARGETS_AT_ONCE,
    Decomposition,
    Fold,
    Rows,
    Shape,
    Table,
    gram_matrices,
)

STRENGTHS = np.logspace(-5, 2, 15)  # alpha per row, for spaces of total variance 1
N_MIXTURES = 10
CONCENTRATIONS = (0.1, 1.0)  # of himalaya's random search: a few spaces alone, and all alike
LEAST_WEIGHT = 1e-9  # stands for zero, which himalaya would divide by: nothing is left of a space
ROWS_AT_ONCE = 4096
TARGETS_AT_KERNELS = 256  # bounds the memory: alphas x rows x targets are held

Columns = NDArray[np.floating]  # (n_rows, n_columns)


def mixtures(n_spaces: int, n_random: int, seed: int) -> NDArray[np.float64]:
    """Weights `gamma` that are tried, ``(2 ** n_spaces - 1 + n_random, n_spaces)``.

    Every subset of the spaces with equal weights, then random ones: so no space is ever forced
    into a model that is better without it.

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
    table = np.maximum(weights, LEAST_WEIGHT)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def fit_and_predict(
    training: Mapping[str, Columns],
    responses: Columns,
    others: Mapping[str, Columns],
    folds: Folds,
    *,
    strengths: NDArray[np.floating] = STRENGTHS,
    n_random: int = N_MIXTURES,
    seed: int = 0,
    form: str = "auto",
) -> NDArray[np.float64]:
    """Fit to training rows and predict others.

    Parameters
    ----------
    training, others : mapping
        For each space ``(n_rows, n_columns)``, rows to fit to and rows to predict.
    responses : ndarray
        ``(n_rows, n_targets)``, of the training rows; finite.
    folds : list of (ndarray, ndarray)
        Rows to train on and rows to choose `alpha` and `gamma` by.
    strengths : ndarray
        Values of `alpha` per row.
    n_random : int
        Random weights, see :func:`mixtures`.
    seed : int
        Of these.
    form : str
        {"auto", "kernels", "grams"}: how it is solved; it changes nothing but time and memory.

    Returns
    -------
    ndarray
        ``(n_other_rows, n_targets)``.

    Raises
    ------
    ValueError
        If there is no space to predict from.
    """
    if not training:
        raise ValueError("expected at least one feature space to predict from, got none")
    means = {space: columns.mean(axis=0, dtype=np.float64) for space, columns in training.items()}
    # In the columns' own precision: a copy in float64 would be twice as large as they are.
    x = [columns - means[space].astype(columns.dtype) for space, columns in training.items()]
    x_new = [others[space] - means[space].astype(training[space].dtype) for space in training]
    offset = responses.mean(axis=0, dtype=np.float64)
    y = responses - offset
    n_rows, n_columns = len(y), sum(each.shape[1] for each in x)
    if form == "auto":
        form = "kernels" if n_rows < n_columns else "grams"
    search = Search(mixtures(len(x), n_random, seed), np.asarray(strengths) * n_rows)
    solve = _from_kernels if form == "kernels" else _from_grams
    predicted = solve(x, y, x_new, folds, search)
    return np.asarray(predicted, dtype=np.float64) + offset


@dataclass(frozen=True)
class Search:
    """What is tried: weights of the spaces, ``(n_mixtures, n_spaces)``, and values of `alpha`."""

    mixtures: NDArray[np.float64]
    alphas: NDArray[np.float64]


def _from_kernels(
    x: list[Columns], y: Columns, x_new: list[Columns], folds: Folds, search: Search
) -> Columns:
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    precise = [each.astype(np.float64) for each in x]
    kernels = np.stack([each @ each.T for each in precise])
    new = np.stack([rows @ each.T for rows, each in zip(x_new, precise, strict=True)])
    model = MultipleKernelRidgeCV(
        kernels="precomputed",
        solver="random_search",
        solver_params={
            "n_iter": search.mixtures,
            "alphas": search.alphas,
            "score_func": _negative_error(len(y)),
            "progress_bar": False,
            "n_targets_batch": TARGETS_AT_KERNELS,
        },
        cv=folds,
    )
    model.fit(kernels, y)
    predicted: Columns = model.predict(new)
    return predicted


def _from_grams(
    x: list[Columns],
    y: Columns,
    x_new: list[Columns],
    folds: Folds,
    search: Search,
) -> Columns:
    """From sums of products of each fold, see :mod:`training.gram_ridge`."""
    n_rows, n_columns = len(y), sum(each.shape[1] for each in x)
    grams, crosses, squares = _sums(x, y, folds, n_columns)
    gram, cross = sum(grams[1:], grams[0]), sum(crosses[1:], crosses[0])
    best = np.full(y.shape[1], -np.inf)
    alphas, mixture = np.ones(y.shape[1]), np.zeros(y.shape[1], dtype=np.int64)
    widths = [each.shape[1] for each in x]
    scales = np.sqrt(np.repeat(search.mixtures, widths, axis=1))
    for number, scale in enumerate(scales):
        scores = np.zeros((len(search.alphas), y.shape[1]))
        for own, of_own, square in zip(grams, crosses, squares, strict=True):
            rest = Decomposition.of(scaled(gram - own, scale))
            spread = rest.vectors.T @ scaled(own, scale) @ rest.vectors
            fold = Fold(n_rows * len(folds), rest, spread.astype(np.float32))
            for first in range(0, y.shape[1], TARGETS_AT_ONCE):
                some = slice(first, first + TARGETS_AT_ONCE)
                inside = rest.vectors.T @ (scale[:, None] * of_own[:, some])
                outside = rest.vectors.T @ (scale[:, None] * (cross - of_own)[:, some])
                scores[:, some] -= fold.errors(
                    outside, inside, square[some], search.alphas.tolist()
                )
        scores += ALPHA_SLOPE * np.log(search.alphas)[:, None]
        score = scores.max(axis=0)
        better = score > best + np.finfo(float).eps
        alphas[better] = search.alphas[scores.argmax(axis=0)][better]
        mixture[better], best[better] = number, score[better]
    predicted = np.empty((len(x_new[0]), y.shape[1]))
    new = np.concatenate(x_new, axis=1)
    for number in np.unique(mixture):
        own, scale = mixture == number, scales[number]
        whole = Decomposition.of(scaled(gram, scale))
        projected = whole.vectors.T @ (scale[:, None] * cross[:, own])
        weights = whole.vectors @ whole.shrunk(projected, alphas[own])
        predicted[:, own] = new @ (scale[:, None] * weights)
    return predicted


def scaled(gram: Table, scale: Table) -> Table:
    """The Gram matrix of columns that are multiplied by `scale`, for decompositions in place.

    Examples
    --------
    >>> scaled(np.ones((2, 2)), np.array([1.0, 3.0])).tolist()
    [[1.0, 3.0], [3.0, 9.0]]
    """
    return np.asfortranarray(gram * scale * scale[:, None])


def _sums(
    x: list[Columns], y: Columns, folds: Folds, n_columns: int
) -> tuple[list[Table], list[Table], list[Table]]:
    """Of each fold ``X'X``, ``X'Y`` and the sums of squares of `Y`."""
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


def _negative_error(n_rows: int) -> Callable[[Columns, Columns], Columns]:
    """Squared error of a fold as a share of the whole: every row counts alike, in any fold."""

    def score(measured: Columns, predicted: Columns) -> Columns:
        error: Columns = -np.square(measured - predicted).sum(axis=-2) / n_rows
        return error

    return score
