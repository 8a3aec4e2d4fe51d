"""Null distributions: scores of surrogate predictions unrelated to BOLD.

BOLD is unchanged; surrogates are made of the prediction within each run, drawn independently for
every run, and shared by all targets: so the scores of targets covary as in the data, and the
maximum over targets has the right distribution (family-wise correction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.statistics.moments import (
    Moments,
    Runs,
    ScoreName,
    centred,
    check_runs,
    concatenate,
)
from training.statistics.pooling import (
    Pooling,
    check_choice,
    from_pooled_scale,
    pooled_scores,
    to_pooled_scale,
)
from training.statistics.surrogates import (
    BLOCK_TRS,
    MIN_SHIFT,
    Null,
    count_possible,
    draw_surrogates,
    surrogates_of,
)

TARGETS_AT_ONCE = 512  # bounds the memory of one run's surrogates


@dataclass(frozen=True)
class NullScores:
    """Scores of the prediction and of its surrogates.

    Attributes
    ----------
    observed : ndarray
        ``(n_targets,)``; NaN for targets without a score.
    null : ndarray
        ``(n_permutations, n_targets)``. May have fewer rows than requested, see
        :func:`null_scores`.
    n_possible : int or float
        Number of distinct surrogates of all runs together; inf if uncountable.
    """

    observed: NDArray[np.float64]
    null: NDArray[np.float64]
    n_possible: float

    @property
    def n_permutations(self) -> int:
        """Number of surrogates scored."""
        return len(self.null)


def null_scores(
    runs: Runs,
    *,
    null: Null,
    score: ScoreName = "r",
    pooling: Pooling = "mean",
    n_permutations: int = 1000,
    seed: int = 0,
    min_shift: int = MIN_SHIFT,
    block_trs: int = BLOCK_TRS,
    same_draw: bool = False,
) -> NullScores:
    """Score a prediction and its surrogates, pooled over runs in the same way.

    Parameters
    ----------
    runs : sequence of (measured, predicted)
        ``(n_trs, n_targets)`` each; a column with NaN is a target missing in the run.
    null : str
        {"circular_shift", "block_permutation", "phase_randomised", "shuffle"}: see
        :mod:`training.statistics`.
    score, pooling : str
        As in :func:`training.statistics.pooled_scores`.
    n_permutations : int
        Number of surrogates. If there are fewer distinct circular shifts (a single short run), each
        of them is scored once and `null` has as many rows.
    seed : int
        Equal seeds give equal surrogates.
    min_shift : int
        Minimal circular shift in TRs; more than 1 makes p values too small.
    block_trs : int
        Length of a block in TRs.
    same_draw : bool
        Use one surrogate for all runs: for runs with the same stimulus and length (several
        subjects, repeats), whose BOLD signals covary.

    Raises
    ------
    ValueError
        If shapes or names are wrong, a run is too short, or there are fewer block orders or
        shuffles than `n_permutations`.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> runs = [tuple(generator.standard_normal((2, 200, 3))) for _ in range(4)]
    >>> scores = null_scores(runs, null="circular_shift", n_permutations=99)
    >>> scores.observed.shape, scores.null.shape, scores.n_possible
    ((3,), (99, 3), 1568239201)
    """
    check_choice(score, pooling)
    check_runs(runs)
    if n_permutations < 1:
        raise ValueError(f"expected at least 1 permutation, got {n_permutations}")
    surrogates = surrogates_of(null, min_shift=min_shift, block_trs=block_trs)
    lengths = [len(measured) for measured, _ in runs]
    n_possible = count_possible(surrogates, lengths, same_draw)
    n_draws = int(min(n_permutations, n_possible))
    n_targets = np.shape(runs[0][0])[1]
    total, count = np.zeros((n_draws, n_targets)), np.zeros(n_targets)
    moments: list[Moments] = []
    draws_of_runs = draw_surrogates(surrogates, lengths, n_permutations, seed, same_draw)
    for run, draws in zip(runs, draws_of_runs, strict=True):
        of_run, measured, predicted = centred(run)
        moments.append(of_run)
        for first in range(0, n_targets, TARGETS_AT_ONCE):
            chunk = slice(first, first + TARGETS_AT_ONCE)
            cross = surrogates.cross_products(measured[:, chunk], predicted[:, chunk], draws)
            if pooling == "concatenated":
                total[:, chunk] += cross
                continue
            scores = of_run.part(chunk).scores(cross, score)
            known = ~np.isnan(scores[0])
            total[:, chunk] += np.where(known, to_pooled_scale(scores, pooling), 0.0)
            count[chunk] += known
    if pooling == "concatenated":
        whole, between = concatenate(moments)
        pooled = whole.scores(total + between, score)
    else:
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        pooled = from_pooled_scale(mean, pooling)
    return NullScores(pooled_scores(runs, score, pooling), pooled, n_possible)
