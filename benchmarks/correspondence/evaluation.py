"""Comparison of a model with responses: regression, stage profiles, similarity, dimensionality."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.data import SoundResponses
from benchmarks.correspondence.regression import median_over_splits, score_stage
from benchmarks.correspondence.rsa import between_participants, compare_stages, halves
from benchmarks.correspondence.splits import N_SPLITS, random_splits
from benchmarks.correspondence.stages import Activations, StagedModel, activations_on

N_REPEATS = 10

Scores = NDArray[np.float64]  # (n_stages, n_splits, n_targets)
logger = logging.getLogger(__name__)


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


def effective_dimensionality(features: NDArray[np.floating], *, z_score: bool = False) -> float:
    """``(sum l)**2 / sum l**2`` over the eigenvalues `l` of the covariance over sounds.

    1 if all variance lies in one direction, the number of directions if they share it equally. Sums
    of eigenvalues and of their squares are the trace and the squared norm of the Gram matrix, so no
    decomposition is needed.

    Parameters
    ----------
    features : ndarray
        ``(n_sounds, n_units)``.
    z_score : bool
        Whether units are first z-scored (as for RSA), except constant ones.

    Raises
    ------
    ValueError
        If all units are constant.

    Examples
    --------
    >>> effective_dimensionality(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    table = np.asarray(features, dtype=np.float64)
    if z_score:
        scale = table.std(axis=0)
        table = table / np.where(scale > 0, scale, 1.0)
    table = table - table.mean(axis=0)
    gram = table @ table.T
    total = float(np.square(gram).sum())
    if total == 0:
        raise ValueError("no unit differs between sounds: the dimensionality is undefined")
    return float(np.trace(gram)) ** 2 / total


def evaluate(
    model: StagedModel,
    targets: Sequence[SoundResponses],
    cache: Path | None = None,
    *,
    n_splits: int = N_SPLITS,
) -> dict[str, Any]:
    """All measures of one model.

    Parameters
    ----------
    model : StagedModel
        The model.
    targets : sequence of SoundResponses
        Responses to the same sounds; regression uses all, similarity the last ones.
    cache : Path, optional
        Folder for activations.
    n_splits : int
        Number of halvings of the sounds.

    Returns
    -------
    dict
        For a JSON file: "stages", "units", "dimensionality", "regression" by the name of the
        responses (see :func:`_regression`) and "similarity" (see :func:`_similarity`).

    Raises
    ------
    ValueError
        If the responses are to different sounds, activations cannot be compared, or there are
        more splits than sounds.
    """
    sounds = targets[0].sounds
    if any(each.sounds != sounds for each in targets):
        raise ValueError("expected responses to the same sounds in the same order")
    random_splits(len(sounds), n_splits)  # fails before activations are computed for hours
    activations = activations_on(model, sounds, targets[0].read, cache)
    return {
        "stages": list(activations),
        "units": [table.shape[1] for table in activations.values()],
        "dimensionality": {
            kind: [_dimensionality(table, z_score) for table in activations.values()]
            for kind, z_score in (("demeaned", False), ("z-scored", True))
        },
        "regression": {each.name: _regression(activations, each, n_splits) for each in targets},
        "similarity": _similarity(activations, targets[-1], n_splits),
    }


def _regression(activations: Activations, targets: SoundResponses, n_splits: int) -> dict[str, Any]:
    """Scores of every stage; of the stage selected by half of the splits; both by region."""
    splits = random_splits(len(targets.sounds), n_splits)
    of_stages = []
    for stage, table in activations.items():
        logger.info("%s: %s", targets.name, stage)
        of_stages.append(score_stage(table, targets.responses, splits))
    scores = np.stack([each.scores for each in of_stages])
    best = best_stage(scores)
    regions = [region for region in dict.fromkeys(targets.regions) if region]
    of_region = {region: np.array([own == region for own in targets.regions]) for region in regions}

    def summary(values: NDArray[np.float64], some: NDArray[np.bool_]) -> float:
        people = [who for who, there in zip(targets.participants, some, strict=True) if there]
        return over_participants(values[some], people)

    everything = np.ones(len(targets.participants), dtype=bool)
    return {
        "noise_corrected": of_stages[0].corrected is not None,
        "n_targets": len(targets.participants),
        "n_participants": len(set(targets.participants)),
        "stages": [
            over_participants(stage, targets.participants) for stage in median_over_splits(scores)
        ],
        "best": summary(best.score, everything),
        "profiles": profiles(scores, targets.participants, targets.regions),
        "best_of_regions": {name: summary(best.score, some) for name, some in of_region.items()},
        "position_of_regions": {
            name: float(np.mean(best.position[some])) for name, some in of_region.items()
        },
        "alphas": [np.median(each.alphas).item() for each in of_stages],
    }


def _similarity(activations: Activations, targets: SoundResponses, n_splits: int) -> dict[str, Any]:
    """RSA with every participant, mean over them; agreement between participants."""
    splits = random_splits(len(targets.sounds), n_splits)
    of_stages = {stage: halves(table, splits) for stage, table in activations.items()}
    mean = targets.responses.mean(axis=0)
    people = np.asarray(targets.participants)
    brains = [halves(mean[:, people == person], splits) for person in np.unique(people)]
    scores = [compare_stages(of_stages, brain) for brain in brains]
    return {
        "on": targets.name,
        "best": float(np.mean([each.best for each in scores])),
        "stages": np.mean([each.stages for each in scores], axis=0).tolist(),
        "between_participants": between_participants(brains) if len(brains) > 1 else None,
    }


def _dimensionality(table: NDArray[np.float32], z_score: bool) -> float | None:
    if not np.ptp(table, axis=0).any():
        return None
    return effective_dimensionality(table, z_score=z_score)
