"""Cross-validated ridge regression from sums over rows, with memory independent of their number.

With rows `x` of features and responses `y` of a target, both centred,

    w(alpha) = (G + alpha I)^-1 b,    G = sum of x x',    b = sum of x y.

Leaving out fold `f` leaves ``G - G_f`` and ``b - b_f``. With one eigendecomposition
``G - G_f = Q L Q'`` for each fold and ``u(alpha) = (L + alpha I)^-1 Q'(b - b_f)``, the squared
error of the left-out fold is, for every alpha and target,

    sum of y^2  -  2 u' Q' b_f  +  || S u ||^2,    S'S = Q' G_f Q.

With fewer features than rows in the fold the last term is ``u' S'S u``, which is twice ``u' U u``
for the upper triangle `U` of ``S'S`` with half its diagonal: half the products.

alpha is selected for each target by the mean over folds of the mean squared error in a fold; ties
go to the larger one, as in himalaya. Sums and decompositions are float64; only the product with `S`
or `U`, which dominates the time, is float32.

With fewer rows than features, the matrix of the rows' inner products replaces `G`, and nothing
larger than rows times features is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TARGETS_AT_ONCE = 1024  # bounds the memory for X'Y
ALPHA_SLOPE = 1e-10  # of the score over log(alpha): of equal scores the larger alpha is taken

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Rows of one fold.

    Attributes
    ----------
    fold : int
        Index of the fold.
    x, y : ndarray
        ``(n_rows, n_features)`` and ``(n_rows, n_targets)``.
    """

    fold: int
    x: Table
    y: Table


# All rows in a fixed order, with the responses of some targets.
Source = Callable[[slice], Iterator[Rows]]


@dataclass(frozen=True)
class Shape:
    """Dimensions of a source."""

    n_rows: int
    n_features: int
    n_targets: int
    n_folds: int


@dataclass(frozen=True)
class Solution:
    """Result of a regression.

    Attributes
    ----------
    weights : ndarray
        ``(n_features, n_targets)``.
    alphas : ndarray
        The selected alphas, ``(n_targets,)``.
    scores : ndarray
        Minus the mean squared error at them, mean over left-out folds, ``(n_targets,)``.
    """

    weights: Table
    alphas: Table
    scores: Table


def solve_ridge(source: Source, shape: Shape, alphas: NDArray[np.floating]) -> Solution:
    """Ridge regression with a separate alpha for each target.

    Parameters
    ----------
    source : callable
        Yields centred rows for a slice of the targets; called several times.
    shape : Shape
        Dimensions of the source.
    alphas : ndarray
        Candidate values, ascending.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((60, 3))
    >>> y = x @ [[1.0], [2.0], [0.0]]
    >>> def source(targets):
    ...     for fold in range(3):
    ...         yield Rows(fold, x[fold::3], y[fold::3, targets])
    >>> found = solve_ridge(source, Shape(60, 3, 1, 3), np.array([0.1, 10.0]))
    >>> float(found.alphas[0]), found.weights[:2, 0].round(1).tolist()
    (0.1, [1.0, 2.0])
    """
    solver = solver_of(source, shape)
    weights = np.zeros((shape.n_features, shape.n_targets))
    chosen, scores = np.zeros(shape.n_targets), np.zeros(shape.n_targets)
    for targets, found in solve_in_blocks(solver, alphas):
        weights[:, targets] = found.weights
        chosen[targets], scores[targets] = found.alphas, found.scores
    return Solution(weights, chosen, scores)


def solver_of(source: Source, shape: Shape) -> _Primal | _Dual:
    """The solver that needs the smaller matrices."""
    return (_Dual if shape.n_rows < shape.n_features else _Primal)(source, shape)


def solve_in_blocks(
    solver: _Primal | _Dual, alphas: NDArray[np.floating], every: int = 1
) -> Iterator[tuple[slice, Solution]]:
    """As :func:`solve_ridge`, for blocks of targets: at no time are all weights in memory.

    With `every` above 1, steps of so many alphas are searched first, then all of them around the
    best: the same as a search of all where the error has one minimum, in less time.
    """
    n_targets = solver.shape.n_targets
    for first in range(0, n_targets, TARGETS_AT_ONCE):
        targets = slice(first, min(first + TARGETS_AT_ONCE, n_targets))
        responses = solver.responses(targets)
        best, scores = responses.best(np.asarray(alphas, dtype=float), every)
        chosen = np.asarray(alphas, dtype=float)[best]
        yield targets, Solution(responses.weights(chosen), chosen, scores)


def _largest(scores: Table, alphas: Table) -> tuple[NDArray[np.intp], Table]:
    """Index of the largest score of each target, ties to the larger alpha, and that score."""
    best = np.argmax(scores + ALPHA_SLOPE * np.log(alphas)[:, None], axis=0)
    return best, np.take_along_axis(scores, best[None], axis=0)[0]


def reduce_rank(
    weights: Sequence[NDArray[np.float32]], solver: _Primal | _Dual, rank: int
) -> tuple[Table, Table]:
    """Weights of a lower rank whose fitted values are nearest to those of the given ones.

    With fitted values ``X W = U S V'``, the nearest ones of rank R in the sum of squares (Eckart
    and Young 1936) are those of ``W V_R V_R'``: reduced-rank regression (Izenman 1975), of a ridge
    regression here (Mukherjee and Zhu 2011). ``X W`` has a row for each TR and is never formed for
    all targets: `S` and `V` are also those of a matrix that is ``X W`` but for a rotation, with no
    more rows than there are features.

    Parameters
    ----------
    weights : sequence of ndarray
        Blocks of `W`, ``(n_features, n_targets_of_block)``.
    solver : solver
        Of the regression: knows `X`.
    rank : int
        R.

    Returns
    -------
    components, loadings : ndarray
        ``(n_features, R)``, with which the rows have a mean square of 1, and ``(R, n_targets)``, by
        descending sum of squares; zero beyond the rank of the fitted values.
    """
    from scipy.linalg import eigh

    total: Table | float = 0.0
    for block in weights:
        fitted = solver.rotated_fit(block)
        total = total + fitted @ fitted.T
    n = len(np.atleast_2d(total))
    values, vectors = eigh(total, subset_by_index=(max(0, n - rank), n - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > 1e-12 * values.max()
    inverse = np.where(real, 1 / np.sqrt(np.where(real, values, 1)), 0)
    loadings = np.zeros((rank, sum(block.shape[1] for block in weights)))
    components = np.zeros((solver.shape.n_features, rank))
    first = 0
    for block in weights:
        right = inverse[:, None] * (vectors.T @ solver.rotated_fit(block))  # V_R' of these targets
        loadings[: len(right), first : first + block.shape[1]] = right
        components[:, : len(right)] += block @ right.T
        first += block.shape[1]
    # So that both factors are of the size of standardised features and of responses.
    size = np.sqrt(np.maximum(values, 0) / solver.shape.n_rows)
    loadings[: len(size)] *= size[:, None]
    components[:, : len(size)] *= np.divide(1, size, out=np.zeros_like(size), where=real)
    return components, loadings


@dataclass(frozen=True)
class Decomposition:
    """Eigenvalues ``(n,)``, ascending and not negative, and eigenvectors ``(n, n)``."""

    values: Table
    vectors: Table

    @classmethod
    def of(cls, matrix: Table) -> Decomposition:
        """Eigendecomposition of a symmetric matrix, which is overwritten."""
        from scipy.linalg import eigh

        values, vectors = eigh(matrix, overwrite_a=True, check_finite=False, driver="evd")
        return cls(np.maximum(values, 0), vectors)

    def inverse(self, alphas: Table) -> Table:
        """``(L + alpha)^-1`` for each alpha, ``(n, n_alphas)``; no weight for zeros."""
        divisor = self.values[:, None] + alphas
        return np.divide(1, divisor, out=np.zeros_like(divisor), where=divisor > 0)

    def shrunk(self, projected: Table, alphas: Table) -> Table:
        """``(L + alpha)^-1`` times projections on the eigenvectors, one alpha per target."""
        return np.asarray(projected * self.inverse(alphas))


@dataclass(frozen=True)
class Fold:
    """A left-out fold.

    Attributes
    ----------
    n_rows : int
        Number of its rows.
    rest : Decomposition
        Eigendecomposition of the other folds.
    spread : ndarray
        `S` of the module docstring, ``(n_rows, n)``, or `U`, ``(n, n)``.
    is_triangle : bool
        Whether it is `U`.
    """

    n_rows: int
    rest: Decomposition
    spread: NDArray[np.float32]
    is_triangle: bool = False

    @classmethod
    def of_gram(cls, n_rows: int, rest: Decomposition, gram: Table) -> Fold:
        """From the Gram matrix of the fold's own rows, ``(n, n)``."""
        spread = (rest.vectors.T @ gram @ rest.vectors).astype(np.float32, order="F")
        np.fill_diagonal(spread, spread.diagonal() / 2)
        return cls(n_rows, rest, spread, is_triangle=True)

    def errors(self, rest: Table, own: Table, squares: Table, alphas: Table) -> Table:
        """Mean squared error for each alpha, ``(n_alphas, n_targets)``.

        Parameters
        ----------
        rest, own : ndarray
            ``Q'(b - b_f)`` and ``Q'b_f``, ``(n, n_targets)``.
        squares : ndarray
            Sum of the fold's y², ``(n_targets,)``.
        alphas : ndarray
            Candidate values.
        """
        from scipy.linalg.blas import strmm

        inverse = self.rest.inverse(alphas)
        errors = squares - 2 * inverse.T @ (rest * own)
        single = rest.astype(np.float32, order="F")
        for number, each in enumerate(inverse.T.astype(np.float32)):
            u = single * each[:, None]
            if self.is_triangle:
                product = strmm(2.0, self.spread, u)
                errors[number] += np.einsum("ij,ij->j", u, product, dtype=float)
            else:
                product = self.spread @ u
                errors[number] += np.einsum("ij,ij->j", product, product, dtype=float)
        return np.asarray(errors / self.n_rows)


class _Responses:
    """Scores of each alpha for some targets, and the weights for the selected ones."""

    def __init__(
        self,
        folds: Sequence[Fold],
        projected: Sequence[tuple[Table, Table, Table]],
        weights: Callable[[Table], Table],
    ) -> None:
        self.folds, self.projected, self.weights = folds, projected, weights

    def scores(
        self, alphas: NDArray[np.floating], columns: NDArray[np.intp] | slice = slice(None)
    ) -> Table:
        """Minus the mean squared error, mean over folds, ``(n_alphas, n_targets)``."""
        values = np.asarray(alphas, dtype=float)
        of_folds = [
            fold.errors(rest[:, columns], own[:, columns], squares[columns], values)
            for fold, (rest, own, squares) in zip(self.folds, self.projected, strict=True)
        ]
        return np.asarray(-np.mean(of_folds, axis=0))

    def best(self, alphas: Table, every: int) -> tuple[NDArray[np.intp], Table]:
        """Index of the best alpha for each target, and its score.

        Of every `every`-th alpha first, then of those up to its neighbours.
        """
        coarse = np.unique(np.append(np.arange(0, len(alphas), every), len(alphas) - 1))
        place, score = _largest(self.scores(alphas[coarse]), alphas[coarse])
        chosen = coarse[place]
        for index in np.unique(chosen) if every > 1 else ():
            own = np.flatnonzero(chosen == index)
            near = np.arange(max(0, index - every + 1), min(len(alphas), index + every))
            place, score[own] = _largest(self.scores(alphas[near], own), alphas[near])
            chosen[own] = near[place]
        return chosen, score


class _Primal:
    """Solver with Gram matrices of the features."""

    def __init__(self, source: Source, shape: Shape) -> None:
        self.source, self.shape = source, shape
        grams, n_rows = gram_matrices(source, shape)
        total = grams[0].copy(order="F")
        for gram in grams[1:]:
            total += gram
        self.folds = []
        for number in range(shape.n_folds):
            gram, grams[number] = grams[number], np.empty(0)
            rest = Decomposition.of(total - gram)
            if n_rows[number] < shape.n_features:
                rows = [each.x @ rest.vectors for each in source(slice(0)) if each.fold == number]
                spread = np.concatenate(rows).astype(np.float32)
                self.folds.append(Fold(n_rows[number], rest, spread))
            else:
                self.folds.append(Fold.of_gram(n_rows[number], rest, gram))
            del gram
        self.whole = Decomposition.of(total)

    def responses(self, targets: slice) -> _Responses:
        n_targets = targets.stop - targets.start
        cross = np.zeros((self.shape.n_folds, self.shape.n_features, n_targets))
        squares = np.zeros((self.shape.n_folds, n_targets))
        for rows in self.source(targets):
            cross[rows.fold] += rows.x.T @ rows.y
            squares[rows.fold] += np.square(rows.y).sum(axis=0)
        total = cross.sum(axis=0)
        projected = [
            (fold.rest.vectors.T @ (total - own), fold.rest.vectors.T @ own, of_fold)
            for fold, own, of_fold in zip(self.folds, cross, squares, strict=True)
        ]
        vectors = self.whole.vectors

        def weights(alphas: Table) -> Table:
            return np.asarray(vectors @ self.whole.shrunk(vectors.T @ total, alphas))

        return _Responses(self.folds, projected, weights)

    def rotated_fit(self, weights: NDArray[np.floating]) -> Table:
        """``sqrt(L) Q' W``: the fitted values but for a rotation, since ``X'X = Q L Q'``."""
        return np.asarray(np.sqrt(self.whole.values)[:, None] * (self.whole.vectors.T @ weights))


class _Dual:
    """Solver with inner products of the rows, for fewer rows than features."""

    def __init__(self, source: Source, shape: Shape) -> None:
        self.source, self.shape = source, shape
        every = list(source(slice(0)))
        self.x = np.concatenate([rows.x for rows in every])
        self.fold_of_row = np.concatenate([np.full(len(rows.x), rows.fold) for rows in every])
        del every
        kernel = self.x @ self.x.T
        self.folds = []
        for number in range(shape.n_folds):
            own = self.fold_of_row == number
            rest = Decomposition.of(kernel[np.ix_(~own, ~own)])
            spread = kernel[np.ix_(own, ~own)] @ rest.vectors
            self.folds.append(Fold(int(own.sum()), rest, spread.astype(np.float32)))
        self.whole = Decomposition.of(kernel)

    def responses(self, targets: slice) -> _Responses:
        y = np.concatenate([rows.y for rows in self.source(targets)])
        projected = []
        for number, fold in enumerate(self.folds):
            own = self.fold_of_row == number
            rest = fold.rest.vectors.T @ y[~own]
            projected.append((rest, fold.spread.T @ y[own], np.square(y[own]).sum(axis=0)))
        vectors = self.whole.vectors

        def weights(alphas: Table) -> Table:
            return np.asarray(self.x.T @ (vectors @ self.whole.shrunk(vectors.T @ y, alphas)))

        return _Responses(self.folds, projected, weights)

    def rotated_fit(self, weights: NDArray[np.floating]) -> Table:
        """The fitted values."""
        return np.asarray(self.x @ weights)


def gram_matrices(source: Source, shape: Shape) -> tuple[list[Table], list[int]]:
    """``sum of x x'`` of each fold, ``(n_features, n_features)`` each, and its number of rows."""
    from scipy.linalg.blas import dsyrk

    size = shape.n_features
    grams = [np.zeros((size, size), order="F") for _ in range(shape.n_folds)]
    n_rows = [0] * shape.n_folds
    for rows in source(slice(0)):
        # In place: summing temporary products would take as long as the products themselves.
        grams[rows.fold] = dsyrk(1.0, rows.x.T, beta=1.0, c=grams[rows.fold], overwrite_c=1)
        n_rows[rows.fold] += len(rows.x)
    for gram in grams:  # dsyrk fills the upper triangle
        for first in range(0, size, TARGETS_AT_ONCE):
            block = slice(first, first + TARGETS_AT_ONCE)
            lower = np.tril_indices(min(TARGETS_AT_ONCE, size - first), -1)
            square = gram[block, block]
            square[lower] = square.T[lower]
            gram[first + TARGETS_AT_ONCE :, block] = gram[block, first + TARGETS_AT_ONCE :].T
    return grams, n_rows
