"""Many logistic regressions at once, for the same labels from many small tables of features.

They minimise what ``sklearn.linear_model.LogisticRegression`` minimises with its defaults, and are
found by Newton's method: for 199 tables of six features a hundred times faster than one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Table = NDArray[np.float64]

N_STEPS = 30
TOLERANCE = 1e-9  # of the gradient, relative to the number of examples
INTERCEPT = 1e-9  # penalty of the intercepts, whose common shift changes nothing


def answers(
    x: Table, y: NDArray[np.str_], x_test: Table, y_test: NDArray[np.str_]
) -> NDArray[np.bool_]:
    """Correctness for each test clip, ``(n_tables, n_clips)``.

    Parameters
    ----------
    x, x_test : ndarray
        ``(n_tables, n_examples, n_features)`` and ``(n_tables, n_clips, n_features)``; each table
        is standardised by its examples.
    y, y_test : ndarray of str
        Labels, the same for all tables.
    """
    classes, codes = np.unique(y, return_inverse=True)
    mean, spread = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    spread = np.where(spread > 0, spread, 1.0)
    weights = _fit(_with_one((x - mean) / spread), np.eye(len(classes))[codes])
    found = classes[(_with_one((x_test - mean) / spread) @ weights).argmax(axis=2)]
    return np.asarray(found == y_test)


def _with_one(x: Table) -> Table:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def _fit(x: Table, targets: Table) -> Table:
    """Weights, ``(n_tables, n_features, n_classes)``; the last feature is constant."""
    n_tables, n_examples, n_features = x.shape
    n_classes = targets.shape[1]
    penalty = np.ones((n_features, 1))
    penalty[-1] = INTERCEPT
    weights = np.zeros((n_tables, n_features, n_classes))
    loss = _loss(x, targets, weights, penalty)
    pairs = (x[:, :, :, None] * x[:, :, None]).reshape(n_tables, n_examples, -1)
    for _ in range(N_STEPS):
        chances = softmax(x @ weights, axis=2)
        gradient = x.transpose(0, 2, 1) @ (chances - targets) + penalty * weights
        if np.abs(gradient).max() <= TOLERANCE * n_examples:
            break
        curves = chances[..., None] * (np.eye(n_classes) - chances[:, :, None])
        hessian = pairs.transpose(0, 2, 1) @ curves.reshape(n_tables, n_examples, -1)
        hessian = hessian.reshape(n_tables, n_features, n_features, n_classes, n_classes)
        size = n_features * n_classes
        hessian = hessian.transpose(0, 1, 3, 2, 4).reshape(n_tables, size, size)
        hessian += np.diag(np.repeat(penalty[:, 0], n_classes))
        step = np.linalg.solve(hessian, gradient.reshape(n_tables, size, 1))
        step = step.reshape(weights.shape)
        share = np.ones((n_tables, 1, 1))
        for _ in range(20):  # shorter steps where the loss would rise
            tried = _loss(x, targets, weights - share * step, penalty)
            rises = tried > loss + 1e-12 * np.abs(loss)
            if not rises.any():
                break
            share[rises] /= 2
        weights, loss = weights - share * step, tried
    return weights


def _loss(x: Table, targets: Table, weights: Table, penalty: Table) -> Table:
    scores = x @ weights
    fits = (logsumexp(scores, axis=2) - (scores * targets).sum(axis=2)).sum(axis=1)
    total: Table = fits + 0.5 * (penalty * np.square(weights)).sum(axis=(1, 2))
    return total
