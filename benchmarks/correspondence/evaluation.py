"""Comparison of a model with responses: regression, stage profiles, similarity, dimensionality."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.activations import Activations, activations_on
from benchmarks.correspondence.data import SoundResponses
from benchmarks.correspondence.regression import median_over_splits, score_stage
from benchmarks.correspondence.rsa import between_participants, compare_stages, halves
from benchmarks.correspondence.splits import N_SPLITS, random_splits
from benchmarks.correspondence.stage_selection import best_stage, over_participants, profiles
from benchmarks.correspondence.stages import StagedModel

logger = logging.getLogger(__name__)


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
