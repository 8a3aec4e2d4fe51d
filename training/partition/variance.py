"""Variance decomposition: R² of each feature space alone, and its unique part.

With the full model of all spaces and, for each space `s`, a model without it,

    unique_s = R²(all spaces) - R²(all spaces but s)
    shared   = R²(all spaces) - sum_s unique_s

R² is on runs that no model was fitted to, and every model is fitted separately with its own
regularisation. So a unique part may be slightly negative (a space that only adds noise), and so may
the shared one, the remainder. The alternative, the product measure, splits the R² of the full model
into one part for each space (Dupre la Tour et al. 2022, NeuroImage 264); it divides shared variance
equally instead of separating it, and is not used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fitting.ridge import Folds
from training.partition.banded_ridge import N_MIXTURES, BandedRidge, Columns
from training.statistics.pooling import Pooling, pooled_scores

Scores = NDArray[np.float64]  # (n_targets,)


@dataclass(frozen=True)
class Decomposition:
    """Decomposed R² of held-out runs; all ``(n_targets,)``.

    Attributes
    ----------
    r2_full, r_full : ndarray
        R² and Pearson's r of the model of all spaces.
    alone, unique : dict
        By space: R² of the model with only this space; loss of R² without it.
    """

    r2_full: Scores
    r_full: Scores
    alone: dict[str, Scores]
    unique: dict[str, Scores]

    @property
    def shared(self) -> Scores:
        """The part that no single space is needed for."""
        return self.r2_full - np.sum(list(self.unique.values()), axis=0)


def needed_models(spaces: Sequence[str]) -> list[tuple[str, ...]]:
    """The combinations of spaces to fit: all, all but each, each alone, without duplicates.

    Examples
    --------
    >>> needed_models(["envelope", "model"])
    [('envelope', 'model'), ('model',), ('envelope',)]
    """
    everything = tuple(spaces)
    without = [tuple(other for other in spaces if other != space) for space in spaces]
    return list(dict.fromkeys([everything, *without, *((space,) for space in spaces)]))


def decompose(
    training: Mapping[str, Columns],
    responses: Columns,
    held_out: Sequence[tuple[Columns, Mapping[str, Columns]]],
    folds: Folds,
    *,
    pooling: Pooling = "mean",
    n_random: int = N_MIXTURES,
    seed: int = 0,
) -> Decomposition:
    """Fit all models to training rows, and score them on held-out runs.

    Parameters
    ----------
    training : mapping
        For each space ``(n_rows, n_columns)``.
    responses : ndarray
        ``(n_rows, n_targets)``, finite.
    held_out : sequence of (ndarray, mapping)
        For each scored run its responses ``(n_trs, n_targets)`` and its spaces.
    folds : list of (ndarray, ndarray)
        See :func:`training.fitting.ridge.folds_by_episode`.
    pooling : str
        {"mean", "fisher_z", "concatenated"}: pooling of scores over runs; with "fisher_z", R² is
        averaged instead.
    n_random, seed : int
        Random mixtures of spaces to try, and their seed.

    Raises
    ------
    ValueError
        If there are fewer than two spaces, or nothing to score.
    """
    spaces = list(training)
    if len(spaces) < 2:
        raise ValueError(f"a partition needs two feature spaces or more, got {spaces}")
    if not held_out:
        raise ValueError("a partition needs at least one run that is scored, got none")
    lengths = np.cumsum([len(measured) for measured, _ in held_out])[:-1]
    rows = {space: np.concatenate([own[space] for _, own in held_out]) for space in spaces}

    ridge = BandedRidge(training, responses, rows, folds, n_random=n_random, seed=seed)

    def runs_predicted_from(chosen: tuple[str, ...]) -> Iterator[tuple[Columns, Columns]]:
        predicted = np.split(ridge.predict(chosen), lengths)
        for (measured, _), own in zip(held_out, predicted, strict=True):
            yield measured, own

    everything, *others = needed_models(spaces)
    whole = list(runs_predicted_from(everything))
    r2_pooling: Pooling = "mean" if pooling == "fisher_z" else pooling
    r2 = {everything: pooled_scores(whole, "r2", r2_pooling)}
    for chosen in others:
        r2[chosen] = pooled_scores(list(runs_predicted_from(chosen)), "r2", r2_pooling)
    full = r2[everything]
    without = {space: tuple(other for other in spaces if other != space) for space in spaces}
    return Decomposition(
        r2_full=full,
        r_full=pooled_scores(whole, "r", pooling),
        alone={space: r2[space,] for space in spaces},
        unique={space: full - r2[without[space]] for space in spaces},
    )
