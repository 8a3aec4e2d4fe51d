"""Ridge regression from several feature spaces, each with its own regularisation (himalaya).

With spaces `X_i` (rows are TRs), himalaya minimises for each target `v`

    || y_v - sum_i X_i w_iv ||² + alpha_v sum_i || w_iv ||² / gamma_iv,    sum_i gamma_iv = 1

which is ordinary ridge regression where there is one space (banded ridge: Nunez-Elizalde, Huth &
Gallant 2019, NeuroImage 197; random search over `gamma`: Dupre la Tour et al. 2022, NeuroImage
264). `alpha_v` and `gamma_v` are those with the smallest squared error in cross-validation over
training episodes.

With many more columns than rows the same is solved from kernels ``X_i X_i'``, ``(n_rows, n_rows)``;
with many more rows than columns, the rows of every fold are first turned into as few as there are
columns and targets, see :func:`turned`. All ways give the same predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.folds import Folds

STRENGTHS = np.logspace(-5, 2, 15)  # alpha per row, for spaces of total variance 1
N_MIXTURES = 10
CONCENTRATIONS = (0.1, 1.0)  # of himalaya's random search: a few spaces alone, and all alike
LEAST_WEIGHT = 1e-9  # stands for zero, which himalaya would divide by: nothing is left of a space
KERNELS_BELOW = 2.5  # rows per column: then kernels take less time

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
        {"auto", "kernels", "columns", "turned"}: how it is solved; it changes nothing but the time.

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
    x = [columns - means[space] for space, columns in training.items()]
    x_new = [others[space] - means[space] for space in training]
    offset = responses.mean(axis=0, dtype=np.float64)
    y = responses - offset
    n_rows, n_columns = len(y), sum(each.shape[1] for each in x)
    if form == "auto":
        form = "kernels" if n_rows < KERNELS_BELOW * n_columns else "turned"
    search = {
        "n_iter": mixtures(len(x), n_random, seed),
        "alphas": np.asarray(strengths) * n_rows,
        "score_func": _negative_error(n_rows),
        "progress_bar": False,
    }
    if form == "kernels":
        predicted = _from_kernels(x, y, x_new, folds, search)
    else:
        if form == "turned":
            x, y, folds = turned(x, y, folds)
        predicted = _from_columns(x, y, x_new, folds, search)
    return np.asarray(predicted, dtype=np.float64) + offset


def turned(x: list[Columns], y: Columns, folds: Folds) -> tuple[list[Columns], Columns, Folds]:
    """As few rows as there are columns and targets instead of those of each fold.

    With ``[X Y] = Q R`` of a fold and orthonormal `Q`, ``|| Y - X w ||² = || R_Y - R_X w ||²`` for
    every `w`: the rows of `R` stand for those of the fold. Folds that are shorter stay as they are.

    Examples
    --------
    >>> x, y = np.arange(12.0)[:, None], np.ones((12, 1))
    >>> from training.folds import folds_by_episode
    >>> folds = folds_by_episode(["a"] * 6 + ["b"] * 6)
    >>> (short,), _, _ = turned([x], y, folds)
    >>> len(short), round(float(short[:, 0] @ short[:, 0])) == round(float(x[:, 0] @ x[:, 0]))
    (4, True)
    """
    table = np.concatenate([*x, y], axis=1)
    pieces = [table[held_out] for _, held_out in folds]
    pieces = [_triangle(piece) if len(piece) > piece.shape[1] else piece for piece in pieces]
    number = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    table = np.concatenate(pieces)
    ends = np.cumsum([each.shape[1] for each in x])
    *x, y = np.split(table, ends, axis=1)
    return x, y, [(np.flatnonzero(number != i), np.flatnonzero(number == i)) for i in set(number)]


def _triangle(rows: Columns) -> Columns:
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _from_kernels(
    x: list[Columns], y: Columns, x_new: list[Columns], folds: Folds, search: dict[str, Any]
) -> Columns:
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    kernels = np.stack([each @ each.T for each in x])
    new = np.stack([rows @ each.T for rows, each in zip(x_new, x, strict=True)])
    model = MultipleKernelRidgeCV(
        kernels="precomputed", solver="random_search", solver_params=search, cv=folds
    )
    model.fit(kernels, y)
    predicted: Columns = model.predict(new)
    return predicted


def _from_columns(
    x: list[Columns], y: Columns, x_new: list[Columns], folds: Folds, search: dict[str, Any]
) -> Columns:
    from himalaya.ridge import GroupRidgeCV

    model = GroupRidgeCV(
        groups="input",
        solver="random_search",
        solver_params={**search, "warn": False},
        cv=folds,
        fit_intercept=False,
    )
    model.fit(x, y)
    predicted: Columns = model.predict(x_new)
    return predicted


def _negative_error(n_rows: int) -> Callable[[Columns, Columns], Columns]:
    """Squared error of a fold as a share of the whole: every row counts alike, in any fold."""

    def score(measured: Columns, predicted: Columns) -> Columns:
        error: Columns = -np.square(measured - predicted).sum(axis=-2) / n_rows
        return error

    return score
