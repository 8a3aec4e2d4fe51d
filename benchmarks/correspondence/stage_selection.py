"""Cross-validated selection of a model's best stage.

The maximum over many stages is biased upwards. Half of the splits therefore select the stage of
each target, the other half score it; this is repeated with other halves and averaged. Targets are
then summarised within participants by their median, and participants by their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.regression import median_over_splits

N_REPEATS = 10

Scores = NDArray[np.float64]  # (n_stages, n_splits, n_targets)


@dataclass(frozen=True)
class BestStage:
    """Best stage of each target.

    Attributes
    ----------
    score : ndarray
        ``(n_targets,)``, mean over the repeats.
    position : ndarray
        Relative position of the selected stages, 0 the first and 1 the last one, mean over the
        repeats.
    """

    score: NDArray[np.float64]
    position: NDArray[np.float64]


def best_stage(scores: Scores, *, n_repeats: int = N_REPEATS, seed: int = 0) -> BestStage:
    """Select by half of the splits, score by the other half.

    Parameters
    ----------
    scores : ndarray
        ``(n_stages, n_splits, n_targets)``.
    n_repeats : int
        Number of random halves.
    seed : int
        Seed of the halves.

    Raises
    ------
    ValueError
        If there are fewer than two splits.

    Examples
    --------
    >>> scores = np.zeros((3, 4, 1))
    >>> scores[1] = 0.5
    >>> best = best_stage(scores)
    >>> best.score.tolist(), best.position.tolist()
    ([0.5], [0.5])
    """
    n_stages, n_splits, n_targets = scores.shape
    if n_splits < 2:
        raise ValueError(
            f"expected at least 2 splits, got {n_splits}; one half needs some to score"
        )
    generator = np.random.default_rng(seed)
    positions = stage_positions(n_stages)
    score, position = np.zeros(n_targets), np.zeros(n_targets)
    for _ in range(n_repeats):
        order = generator.permutation(n_splits)
        choose, rest = order[: n_splits // 2], order[n_splits // 2 :]
        chosen = median_over_splits(scores[:, choose]).argmax(axis=0)
        score += median_over_splits(scores[:, rest])[chosen, np.arange(n_targets)]
        position += positions[chosen]
    return BestStage(score / n_repeats, position / n_repeats)


def stage_positions(n_stages: int) -> NDArray[np.float64]:
    """From 0 for the first stage to 1 for the last one.

    Examples
    --------
    >>> stage_positions(3).tolist(), stage_positions(1).tolist()
    ([0.0, 0.5, 1.0], [0.0])
    """
    return np.arange(n_stages) / max(n_stages - 1, 1)


def over_participants(values: NDArray[np.floating], participants: Sequence[str]) -> float:
    """Median over the targets of each participant, then mean over participants.

    Examples
    --------
    >>> over_participants(np.array([0.0, 1.0, 5.0, 3.0]), ["a", "a", "a", "b"])
    2.0
    """
    names = np.asarray(participants)
    return float(np.mean([np.median(values[names == name]) for name in np.unique(names)]))


def profiles(
    scores: Scores, participants: Sequence[str], regions: Sequence[str]
) -> dict[str, list[float]]:
    """Score of every stage in every region; targets without a region ("") are left out.

    Returns
    -------
    dict
        By region, in their first order, a number for each stage: median over splits, then over the
        targets of a participant, mean over participants.

    Examples
    --------
    >>> scores = np.array([[[0.1, 0.2]], [[0.3, 0.1]]])
    >>> profiles(scores, ["a", "a"], ["Primary", "Lateral"])
    {'Primary': [0.1, 0.3], 'Lateral': [0.2, 0.1]}
    """
    of_targets = median_over_splits(scores)
    names, people = np.asarray(regions), np.asarray(participants)
    return {
        region: [
            over_participants(stage[names == region], people[names == region])
            for stage in of_targets
        ]
        for region in dict.fromkeys(regions)
        if region
    }
