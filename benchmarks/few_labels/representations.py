"""Representations of clips by few numbers: predicted brain components, and their controls.

All are linear functions of a scene embedding, fitted to sounds with measured responses and applied
to other clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.ridge import fit_ridge
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import unit_scales

Table = NDArray[np.float64]


def predicted_components(known: Table, responses: Table, clips: Table) -> Table:
    """Responses predicted by ridge regression, ``(n_clips, n_components)``.

    The penalty of each component minimises its leave-one-out error
    (:mod:`benchmarks.correspondence.ridge`).

    Parameters
    ----------
    known : ndarray
        Scene embeddings of the sounds with responses, ``(n_sounds, D)``.
    responses : ndarray
        ``(n_sounds, n_components)``; many permutations side by side cost little more than one.
    clips : ndarray
        Scene embeddings of the clips, ``(n_clips, D)``.

    Examples
    --------
    >>> known = np.random.default_rng(0).standard_normal((30, 4))
    >>> found = predicted_components(known, 2 * known[:, :1] + 1, known[:2])
    >>> np.allclose(found, 2 * known[:2, :1] + 1, atol=1e-6)
    True
    """
    n_known = len(known)
    units = np.concatenate([known, clips]) / unit_scales(known)
    split = Split(np.arange(n_known), np.arange(n_known, len(units)))
    padded = np.concatenate([responses, np.zeros((len(clips), responses.shape[1]))])
    fit = fit_ridge(units, padded, split)
    return fit.predicted + fit.train_means


def principal_components(known: Table, clips: Table, n: int) -> Table:
    """The first `n` principal components of the known sounds, for clips, ``(n_clips, n)``."""
    scales = unit_scales(known)
    mean = known.mean(axis=0)
    _, _, directions = np.linalg.svd((known - mean) / scales, full_matrices=False)
    found: Table = ((clips - mean) / scales) @ directions[:n].T
    return found


def permutations(
    n: int, generator: np.random.Generator, n_permutations: int, groups: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Random orders of `n` rows, ``(n_permutations, n)``; with groups only within each.

    Examples
    --------
    >>> order = permutations(4, np.random.default_rng(0), 3, ["a", "a", "b", "b"])
    >>> np.sort(order[:, :2]).tolist()
    [[0, 1], [0, 1], [0, 1]]
    """
    orders = np.tile(np.arange(n), (n_permutations, 1))
    labels = np.zeros(n, dtype=int) if groups is None else np.unique(groups, return_inverse=True)[1]
    for order in orders:
        for label in np.unique(labels):
            own = np.flatnonzero(labels == label)
            order[own] = generator.permutation(own)
    return orders
