"""Noise ceiling: the best possible score of a model, from repeats of a stimulus.

Write a run as ``y = s + e``: the response to the stimulus, and noise independent between repeats.
The correlation of two repeats is the reliability of a run, ``rho = var(s) / (var(s) + var(e))``.
Even a perfect model, which predicts `s`, has

    r  = sqrt(rho)      R² = rho      for a single run
    r  = sqrt(rho_n)    R² = rho_n    for the mean of n repeats,

with ``rho_n = n rho / (1 + (n - 1) rho)`` (Spearman 1910; Brown 1910). A model depends only on the
stimulus, so reproducible noise (such as moving at the same scene) counts towards the ceiling.

The correlation of each subject with the mean of the others is no noise ceiling. Write the responses
of two subjects to one stimulus as ``s + e1`` and ``s + e2`` with equal noise: they correlate by
`rho`, while a perfect model of `s` reaches ``sqrt(rho)`` with either, .62 where they correlate by
.38. The mean of more subjects approaches that without reaching it, and a model fitted to one
subject may also predict responses specific to that subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.scores import pearson_r
from training.statistics.pooling import mean_over_runs

Repeats = NDArray[np.floating] | Sequence[NDArray[np.floating]]
Values = NDArray[np.float64]
Method = Literal["pairs", "split_half"]


@dataclass(frozen=True)
class Ceiling:
    """Reliability of repeats of a stimulus, and the resulting ceilings.

    Attributes
    ----------
    reliability : ndarray
        Of one run, ``(n_targets,)``: also the ceiling of R² for a single run. Can be slightly
        negative if nothing is reproducible.
    n_repeats : int
        Number of runs averaged: the fewest repeats of any stimulus.
    """

    reliability: Values
    n_repeats: int

    @property
    def reliability_of_mean(self) -> Values:
        """Reliability of the mean of `n_repeats` runs: also the ceiling of its R²."""
        return spearman_brown(self.reliability, self.n_repeats)

    @property
    def ceiling_r(self) -> Values:
        """Ceiling of Pearson's r with a single run; 0 if nothing is reproducible."""
        return np.sqrt(np.maximum(self.reliability, 0))

    @property
    def ceiling_r_of_mean(self) -> Values:
        """Ceiling of Pearson's r with the mean of `n_repeats` runs."""
        return np.sqrt(np.maximum(self.reliability_of_mean, 0))


def repeats_ceiling(
    repeats: Repeats, method: Method = "pairs", n_splits: int = 100, seed: int = 0
) -> Ceiling:
    """Noise ceiling from runs of one subject with the same stimulus.

    Parameters
    ----------
    repeats : ndarray, or sequence of them
        ``(n_repeats, n_trs, n_targets)``, one array for each stimulus. Stimuli are weighted by
        their TRs times their pairs of repeats. A column with NaN is a target missing in the repeat.
    method : str
        "pairs" is the mean r over all pairs of repeats; "split_half" the mean r between the means
        of two halves of the repeats (of an odd number one is left out in turn), converted to one
        run by Spearman-Brown.
    n_splits : int
        Maximal number of halvings; all of them if there are not more.
    seed : int
        Seed of the halvings, if they are drawn.

    Raises
    ------
    ValueError
        If a stimulus has no repeats.

    Examples
    --------
    >>> signal = np.sin(np.arange(200.0))[:, None]
    >>> noise = np.random.default_rng(0).normal(scale=0.5, size=(4, 200, 1))
    >>> ceiling = repeats_ceiling(signal + noise)
    >>> ceiling.reliability.round(1), ceiling.n_repeats
    (array([0.7]), 4)
    """
    stimuli = _stimuli(repeats)
    reliabilities, weights = [], []
    for number, runs in enumerate(stimuli):
        if len(runs) < 2:
            raise ValueError(
                "a noise ceiling from repeats needs at least two runs of the same stimulus in the "
                f"same subject, got {len(runs)} of stimulus {number}; leave it out"
            )
        if method == "pairs":
            pairs = combinations(range(len(runs)), 2)
            reliability = mean_over_runs(
                np.stack([pearson_r(runs[one], runs[other]) for one, other in pairs])
            )
        elif method == "split_half":
            reliability = _split_half(runs, n_splits, seed)
        else:
            raise ValueError(f"expected a method of 'pairs' or 'split_half', got {method!r}")
        reliabilities.append(reliability)
        weights.append(runs.shape[1] * comb(len(runs), 2))
    known = ~np.isnan(reliabilities)
    weight = np.array(weights)[:, None] * known
    total = np.where(known, reliabilities, 0.0) * weight
    with np.errstate(invalid="ignore"):
        pooled = total.sum(axis=0) / weight.sum(axis=0)
    return Ceiling(pooled, min(map(len, stimuli)))


def spearman_brown(reliability: NDArray[np.floating], factor: float) -> Values:
    """Reliability of a mean over `factor` times as many runs; `factor` may be below 1.

    Examples
    --------
    >>> spearman_brown(np.array([0.5]), 2)
    array([0.66666667])
    """
    rho = np.asarray(reliability, dtype=np.float64)
    return factor * rho / (1 + (factor - 1) * rho)


def fraction_of_ceiling(
    score: NDArray[np.floating], ceiling: NDArray[np.floating], floor: float
) -> Values:
    """Scores divided by their ceiling, NaN if the ceiling is below `floor`.

    A ceiling near 0 is dominated by its error, and the ratio is meaningless.

    Parameters
    ----------
    score, ceiling : ndarray
        Of the same kind: r by ``ceiling_r``, R² by ``reliability``; ``(n_targets,)``.
    floor : float
        The minimal ceiling, above 0.

    Raises
    ------
    ValueError
        If `floor` is not above 0.

    Examples
    --------
    >>> fraction_of_ceiling(np.array([0.2, 0.2]), np.array([0.4, 0.05]), floor=0.1)
    array([0.5, nan])
    """
    if not floor > 0:
        raise ValueError(f"expected a floor above 0, below which no fraction is given, got {floor}")
    ceiling = np.asarray(ceiling, dtype=np.float64)
    high_enough = ceiling >= floor
    return np.where(high_enough, score / np.where(high_enough, ceiling, 1.0), np.nan)


def _stimuli(repeats: Repeats) -> list[Values]:
    each = [repeats] if isinstance(repeats, np.ndarray) else list(repeats)
    if not each:
        raise ValueError("expected repeats of at least one stimulus, got none")
    stimuli = [np.asarray(runs, dtype=np.float64) for runs in each]
    for number, runs in enumerate(stimuli):
        if runs.ndim != 3 or runs.shape[2] != stimuli[0].shape[-1]:
            raise ValueError(
                f"stimulus {number}: expected (n_repeats, n_trs, n_targets) with the targets of "
                f"the first one, got {runs.shape}"
            )
    return stimuli


def _split_half(runs: Values, n_splits: int, seed: int) -> Values:
    """Split-half reliability, converted to one run."""
    n_repeats, half = len(runs), len(runs) // 2
    splits: list[tuple[list[int], list[int]]] = []
    if comb(n_repeats, half) * comb(n_repeats - half, half) // 2 <= n_splits:
        for one in combinations(range(n_repeats), half):
            rest = [i for i in range(n_repeats) if i not in one]
            splits += [
                (list(one), list(other)) for other in combinations(rest, half) if one < other
            ]
    else:
        generator = np.random.default_rng(seed)
        for _ in range(n_splits):
            order = generator.permutation(n_repeats).tolist()
            splits.append((order[:half], order[half : 2 * half]))
    of_halves = [
        pearson_r(runs[one].mean(axis=0), runs[other].mean(axis=0)) for one, other in splits
    ]
    return spearman_brown(mean_over_runs(np.stack(of_halves)), 1 / half)


def inter_subject_correlation(subjects: NDArray[np.floating]) -> Values:
    """r of each subject with the mean of the others, ``(n_subjects, n_targets)``.

    Leave-one-out inter-subject correlation (Nastase et al. 2019); Nili et al. (2014) call it the
    lower bound of the noise ceiling.

    Parameters
    ----------
    subjects : ndarray
        Responses to the same stimulus, ``(n_subjects, n_trs, n_targets)``, z-scored per subject and
        target if their scales differ; a column with NaN is a target missing in the subject.

    Raises
    ------
    ValueError
        If there is only one subject.

    Examples
    --------
    >>> one = np.array([[0.0], [1.0], [2.0]])
    >>> inter_subject_correlation(np.stack([one, one, -one]))[:, 0]
    array([ 0.,  0., -1.])
    """
    responses = np.asarray(subjects, dtype=np.float64)
    if responses.ndim != 3 or len(responses) < 2:
        raise ValueError(
            "an inter-subject correlation needs responses (n_subjects, n_trs, n_targets) of at "
            f"least two subjects to the same stimulus, got {responses.shape}"
        )
    known: NDArray[np.bool_] = np.asarray(np.isfinite(responses).all(axis=1, keepdims=True))
    total = np.where(known, responses, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    found = []
    for own, is_known in zip(responses, known, strict=True):
        n_others = count - is_known
        with np.errstate(invalid="ignore", divide="ignore"):
            others = np.where(
                n_others > 0, (total - np.where(is_known, own, 0.0)) / n_others, np.nan
            )
        found.append(pearson_r(own, others))
    return np.stack(found)
