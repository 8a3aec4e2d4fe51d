"""Ridge regression from a model's units to many voxels, each with its own penalty.

For each voxel the penalty minimises the squared leave-one-out error over the training sounds, among
100 powers of ten, exactly as in ``sklearn.linear_model.RidgeCV``; units and responses are centred
by the mean of the training sounds, without scaling.

With centred features ``X = Q diag(s) V'`` (a row per training sound), ``l = s**2`` and centred
responses `y`, the leave-one-out error of sound `i` at penalty `a` is (Rifkin & Lippert 2007)

    e_i = c_i / d_i,    c = Q diag(1 / (l + a)) Q' y,    d = diag(Q diag(1 / (l + a)) Q') - g,

where `g` accounts for the direction of the mean, removed by centring. Only `Q' y` depends on the
voxel and only ``l + a`` on the penalty: one decomposition serves all voxels and all penalties.
Units are rotated once for all splits, so that there are no more of them than sounds, without
changing predictions. The products ``X X'`` are never formed: they would square the condition number
and lose half of the digits where units differ much.

Numerical ties. ``X X'`` has eigenvalues that are zero in exact arithmetic (at least the one of the
mean; more if units are few, silent or collinear) and about 1e-16 of the largest in floating point,
some of them negative. scikit-learn (1.9 with its default `gcv_mode`) divides by these: at penalties
of that size and below, its errors are rounding noise, occasionally lower than all others, so that
it selects 1e-17 where explicit refitting without each sound does not. Here such eigenvalues count
as zero, the limit in exact arithmetic. And penalties far above the largest or far below the
smallest eigenvalue have errors that agree to the last digits: scikit-learn's selection depends on
rounding; here the first in the given order of those equal to 12 digits is selected. Otherwise the
selections are the same; ``python -m benchmarks correspondence speed`` counts how often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.splits import Split

# In the order of the authors' code: among equally good ones the strongest is selected.
ALPHAS = np.array([10.0**exponent for exponent in range(49, -51, -1)])
VOXELS_AT_ONCE = 4096
EQUAL = 1e-12  # relative: smaller differences of errors are rounding

Table = NDArray[np.floating]


@dataclass(frozen=True)
class RidgeFit:
    """Selected penalties and predictions of one split.

    Attributes
    ----------
    alphas : ndarray
        Selected penalty of each target, ``(n_targets,)``.
    predicted : ndarray
        Of the test sounds, ``(n_test, n_targets)``, without the mean of the training sounds.
    train_means : ndarray
        That mean, ``(n_targets,)``.
    """

    alphas: NDArray[np.float64]
    predicted: NDArray[np.float64]
    train_means: NDArray[np.float64]


def compact_units(features: Table) -> NDArray[np.float64]:
    """Units rotated so that there are no more than sounds; ridge regression is unaffected.

    They are first centred over all sounds, for precision.

    Parameters
    ----------
    features : ndarray
        ``(n_sounds, n_units)``.

    Returns
    -------
    ndarray
        ``(n_sounds, min(n_sounds, n_units))``, with the same products of sounds.

    Examples
    --------
    >>> compact_units(np.array([[1e9, 0.0], [1e9 + 2, 0.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    table = np.asarray(features, dtype=np.float64)
    table = table - table.mean(axis=0)
    if table.shape[1] <= len(table):
        return table
    left, sizes, _ = np.linalg.svd(table, full_matrices=False)
    return np.asarray(left * sizes)


def fit_ridge(
    units: NDArray[np.float64],
    responses: Table,
    split: Split,
    alphas: NDArray[np.float64] = ALPHAS,
) -> RidgeFit:
    """Fit to the training sounds of a split and predict its test sounds.

    Parameters
    ----------
    units : ndarray
        ``(n_sounds, n_units)``, from :func:`compact_units` if there are many.
    responses : ndarray
        ``(n_sounds, n_targets)``; finite.
    split : Split
        Training and test sounds.
    alphas : ndarray
        Candidate penalties in order.

    Raises
    ------
    ValueError
        If the numbers of sounds differ, a response is not finite, or a penalty is not positive.

    Examples
    --------
    >>> x = np.arange(8.0)[:, None]
    >>> fit = fit_ridge(x, 3 * x, Split(np.arange(6), np.array([6, 7])))
    >>> (fit.predicted + fit.train_means).round(6).ravel().tolist()
    [18.0, 21.0]
    """
    if len(units) != len(responses):
        raise ValueError(f"features of {len(units)} sounds, responses to {len(responses)}")
    if not np.isfinite(responses).all():
        raise ValueError("responses contain NaN or infinity; leave such targets out")
    if np.any(alphas <= 0):
        raise ValueError(f"penalties must be positive, got {alphas[alphas <= 0][0]:g}")
    decomposed = _decompose(units, split)
    fits = []
    for first in range(0, responses.shape[1], VOXELS_AT_ONCE):
        some = np.asarray(responses[:, first : first + VOXELS_AT_ONCE], dtype=np.float64)
        means = some[split.train].mean(axis=0)
        y = some[split.train] - means
        z = decomposed.vectors.T @ y
        chosen = _choose(decomposed, y, z, alphas)
        weights = z / (decomposed.eigenvalues[:, None] + chosen)
        fits.append((chosen, decomposed.test_vectors @ weights, means))
    chosen, predicted, means = (np.concatenate(each, axis=-1) for each in zip(*fits, strict=True))
    return RidgeFit(chosen, predicted, means)


@dataclass(frozen=True)
class _Decomposed:
    """Non-zero directions, strongest first: ``(n_train, rank)``, ``(n_test, rank)``.

    `rest` is each sound's part in the null directions except the mean: ``(n_train,)``, zero if
    there are none.
    """

    eigenvalues: NDArray[np.float64]
    vectors: NDArray[np.float64]
    test_vectors: NDArray[np.float64]
    rest: NDArray[np.float64]


def _decompose(units: NDArray[np.float64], split: Split) -> _Decomposed:
    train = units[split.train]
    mean = train.mean(axis=0)
    vectors, sizes, rows = np.linalg.svd(train - mean, full_matrices=False)
    n_train = len(train)
    carries = sizes > n_train * np.finfo(float).eps * sizes[0]
    carries[n_train - 1 :] = False  # centring removes one direction
    sizes, vectors, rows = sizes[carries], vectors[:, carries], rows[carries]
    rest = np.zeros(n_train)
    if len(sizes) < n_train - 1:
        rest = 1 - 1 / n_train - np.square(vectors).sum(axis=1)
        rest[rest < n_train * np.finfo(float).eps] = 0.0
    test_vectors = ((units[split.test] - mean) @ rows.T) * sizes
    return _Decomposed(np.square(sizes), vectors, test_vectors, rest)


def _choose(
    decomposed: _Decomposed, y: Table, z: Table, alphas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The penalty with the least leave-one-out error for each column of `y`; ties to the first."""
    eigenvalues, vectors, rest = decomposed.eigenvalues, decomposed.vectors, decomposed.rest
    squares = np.square(vectors)
    in_rest = (y - vectors @ z) * (rest > 0)[:, None]
    best = np.full(y.shape[1], np.inf)
    chosen = np.full(y.shape[1], alphas[0])
    before: NDArray[np.float64] | None = None
    for alpha in alphas:
        # Errors are relative: any common factor cancels. With this one, numerically equivalent
        # penalties have bit-identical weights and need no tie-breaking.
        above = not len(eigenvalues) or rest.any() or alpha >= eigenvalues[0]
        weights = (alpha if above else eigenvalues[-1]) / (eigenvalues + alpha)
        if before is not None and np.array_equal(weights, before):
            continue
        before = weights
        leverage = squares @ weights + rest
        leverage[leverage == 0] = np.inf  # a sound whose error is undetermined
        errors = (vectors * (weights / leverage[:, None])) @ z
        if rest.any():
            errors += in_rest / leverage[:, None]
        score = np.einsum("iv,iv->v", errors, errors)
        better = score < best * (1 - EQUAL)
        best[better], chosen[better] = score[better], alpha
    return chosen
