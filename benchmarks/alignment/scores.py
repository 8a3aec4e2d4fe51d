"""Scores of predicted responses: R² of sounds that a fit did not include, and their tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alignment.networks import STAGES, Setting, Table
from benchmarks.alignment.sounds import SEED
from benchmarks.correspondence.ridge import compact_units, fit_ridge
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import unit_scales

TOGETHER = "conv4 to conv7"
FEATURES = (*STAGES, TOGETHER)
N_BOOTSTRAPS = 10_000


def predictions(
    features: dict[str, NDArray[np.float32]], responses: Table, split: Split
) -> dict[str, Table]:
    """By features, predicted minus mean training responses of the test sounds."""
    tables = features | {TOGETHER: np.concatenate([features[each] for each in STAGES], axis=1)}
    found = {}
    for name, table in tables.items():
        units = np.asarray(table, np.float64)
        units = compact_units(units / unit_scales(units[split.train]))
        found[name] = fit_ridge(units, responses, split).predicted
    return found


def errors_of(
    predicted: dict[str, Table], responses: Table, split: Split
) -> dict[str, NDArray[np.float64]]:
    """By features, squared errors of the test sounds, ``(2, n_test, n_components)``.

    First of the predictions, then of the mean of the training sounds.
    """
    measured = responses[split.test] - responses[split.train].mean(axis=0)
    return {
        name: np.square(np.stack([measured - own, measured])) for name, own in predicted.items()
    }


def r2(errors: NDArray[np.float64], rows: NDArray[np.intp] | None = None) -> float:
    """R² of squared errors ``(2, n_sounds, n_components)``, mean over components."""
    own, mean = (errors if rows is None else errors[:, rows]).sum(axis=1)
    return float(np.mean(1 - own / mean))


@dataclass(frozen=True)
class Outcome:
    """Squared errors ``(n_features, 2, n_sounds, 6)`` of one start.

    Attributes
    ----------
    settings : list of Setting
        Of the folds.
    before : ndarray
    brain : ndarray
        ``(n_seeds, ...)``.
    permuted : ndarray
        ``(n_permutations, ...)``.
    """

    settings: list[Setting]
    before: NDArray[np.float64]
    brain: NDArray[np.float64]
    permuted: NDArray[np.float64]

    def scores(self, features: str) -> tuple[float, list[float], NDArray[np.float64]]:
        """R² before, of the brain by seed, and of each permuted brain."""
        place = FEATURES.index(features)
        return (
            r2(self.before[place]),
            [r2(each) for each in self.brain[:, place]],
            np.array([r2(each) for each in self.permuted[:, place]]),
        )


def row(name: str, outcome: Outcome) -> dict[str, Any]:
    """The tested score of one start: before, brain, permuted, and their differences."""
    before, scores, permuted = outcome.scores(TOGETHER)
    place = FEATURES.index(TOGETHER)
    errors_before, errors = outcome.before[place], outcome.brain[0, place]
    generator = np.random.default_rng(SEED)
    n_sounds = errors.shape[1]
    gains = np.empty(N_BOOTSTRAPS)
    for i in range(N_BOOTSTRAPS):
        rows = generator.integers(n_sounds, size=n_sounds)
        gains[i] = r2(errors, rows) - r2(errors_before, rows)
    low, high = np.quantile(gains, (0.025, 0.975))
    return {
        "start": name,
        "before": before,
        "brain": scores[0],
        "± over seeds": float(np.std(scores, ddof=1)),
        "permuted brains": f"{permuted.mean():.3f} ± {permuted.std(ddof=1):.3f}",
        "brain - permuted": f"{scores[0] - permuted.mean():+.3f}",
        "p": float((1 + np.sum(permuted >= scores[0])) / (1 + len(permuted))),
        "gain that p .05 takes": f"{np.quantile(permuted, 0.95) - permuted.mean():+.3f}",
        "brain - before": f"{scores[0] - before:+.3f} ({low:+.3f} to {high:+.3f})",
        "permuted - before": f"{permuted.mean() - before:+.3f}",
    }


def stage_rows(name: str, outcome: Outcome) -> list[dict[str, Any]]:
    """R² by features: described, not tested."""
    rows = []
    for features in FEATURES:
        before, scores, permuted = outcome.scores(features)
        below = np.mean(permuted < scores[0])
        rows.append(
            {
                "start": name,
                "features": features,
                "before": before,
                "brain": float(np.mean(scores)),
                "permuted brains": float(np.mean(permuted)),
                "permuted below brain": f"{below:.0%}",
            }
        )
    return rows
