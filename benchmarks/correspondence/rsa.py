"""Representational similarity analysis.

Units or voxels are z-scored over sounds (with mean and standard deviation of the training sounds;
constant ones stay zero). The distance of two sounds is 1 - Pearson's r between their patterns; two
systems are compared by Spearman's correlation of their distances. In each split the training sounds
select the stage, the test sounds score it; the median over splits is the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.splits import Split

Table = NDArray[np.floating]
Halves = tuple[NDArray[np.float64], NDArray[np.float64]]  # distances of training and test sounds


@dataclass(frozen=True)
class RsaScores:
    """Similarity of a model to one participant.

    Attributes
    ----------
    best : float
        Median over splits of the stage selected by the training sounds.
    stages : tuple of float
        Median over splits of each stage, test sounds.
    chosen : tuple of int
        Index of the selected stage in each split.
    """

    best: float
    stages: tuple[float, ...]
    chosen: tuple[int, ...]


def distances(patterns: Table) -> NDArray[np.float64]:
    """1 - Pearson's r of each pair of sounds, ``(n_sounds, n_units)`` to ``(n_pairs,)``.

    A sound with a constant pattern has r = 0 with all others.

    Examples
    --------
    >>> distances(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 0.0]])).round(6).tolist()
    [0.0, 2.0, 2.0]
    """
    table = patterns - patterns.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    table = np.divide(table, norms, out=np.zeros_like(table, dtype=np.float64), where=norms > 0)
    return np.asarray(1 - (table @ table.T)[np.triu_indices(len(table), k=1)])


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's correlation; 0 if all distances of one are equal."""
    from scipy.stats import rankdata

    ranks = [rankdata(each.round(12)) for each in (a, b)]  # rounding noise must not break ties
    ranks = [rank - rank.mean() for rank in ranks]
    norm = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
    return float(ranks[0] @ ranks[1] / norm) if norm > 0 else 0.0


def halves(table: Table, splits: Sequence[Split]) -> list[Halves]:
    """Distances of training and of test sounds in each split, from ``(n_sounds, n_units)``."""
    found = []
    for split in splits:
        train = np.asarray(table[split.train], dtype=np.float64)
        mean, scale = train.mean(axis=0), train.std(axis=0)
        scale[scale == 0] = np.inf
        test = (table[split.test] - mean) / scale
        found.append((distances((train - mean) / scale), distances(test)))
    return found


def compare_stages(stages: Mapping[str, Sequence[Halves]], of_brain: Sequence[Halves]) -> RsaScores:
    """Similarity of a model's stages to a brain.

    Parameters
    ----------
    stages : mapping
        By stage, the result of :func:`halves` for its activations.
    of_brain : sequence
        The same for the responses of one participant, same splits.

    Examples
    --------
    >>> from benchmarks.correspondence.splits import random_splits
    >>> table = np.random.default_rng(0).standard_normal((20, 4))
    >>> own, other = halves(table, random_splits(20)), halves(table**2, random_splits(20))
    >>> scores = compare_stages({"other": other, "own": own}, own)
    >>> round(scores.best, 6), set(scores.chosen)
    (1.0, {1})
    """
    train, test = (
        np.array(
            [
                [
                    spearman(own[half], brain[half])
                    for own, brain in zip(each, of_brain, strict=True)
                ]
                for each in stages.values()
            ]
        )
        for half in (0, 1)
    )
    chosen = train.argmax(axis=0)
    best = float(np.median(test[chosen, np.arange(test.shape[1])]))
    return RsaScores(best, tuple(np.median(test, axis=1).tolist()), tuple(chosen.tolist()))


def between_participants(participants: Sequence[Sequence[Halves]]) -> float:
    """Agreement between participants, each as the result of :func:`halves`.

    Each participant's distances of the test sounds are compared with the mean of the others';
    median over splits, mean over participants. Nili et al. (2014) call it the lower bound of the
    noise ceiling, since the mean of the others is noisy.

    Raises
    ------
    ValueError
        If there are fewer than two participants.
    """
    if len(participants) < 2:
        raise ValueError(
            f"agreement between participants needs 2 or more of them, got {len(participants)}"
        )
    tables = np.array([[test for _, test in each] for each in participants])
    total = tables.sum(axis=0)
    of_participants = [
        np.median(
            [
                spearman(test, (others - test) / (len(tables) - 1))
                for test, others in zip(own, total, strict=True)
            ]
        )
        for own in tables
    ]
    return float(np.mean(of_participants))
