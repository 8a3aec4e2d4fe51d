"""Calibration without any relation: p values must be uniform, p <= .05 in 5 of 100 targets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.simulated_bold import Setting, draw_experiment
from benchmarks.calibration.sizes import Size
from training.statistics import null_scores, p_values

logger = logging.getLogger(__name__)

SETTINGS = (
    Setting("drift removed from BOLD", drift=0.3, high_pass="BOLD"),
    Setting("no drift"),
    Setting("one run, no drift", n_runs=1, n_trs=400),
    Setting("short runs, no drift", n_trs=120),
    Setting("rare events, spikes, no drift", events=True),
    Setting("drift removed from predictions, too", drift=0.3, high_pass="both"),
    Setting("a fifth is drift", drift=0.2),
    Setting("most is drift, slow sound", drift=0.6, slowness=0.98),
)
NULLS: Mapping[str, Mapping[str, Any]] = {
    "circular_shift": {"null": "circular_shift"},
    "phase_randomised": {"null": "phase_randomised"},
    "block_permutation": {"null": "block_permutation"},
    "shift of 20 TRs or more": {"null": "circular_shift", "min_shift": 20},
    "shuffle": {"null": "shuffle"},
}
N_PERMUTATIONS = 200
# For the plot: possible values of p, equally spaced on a logarithmic scale.
LEVELS = np.unique(np.geomspace(1, 1 + N_PERMUTATIONS, 25).round()) / (1 + N_PERMUTATIONS)


def nulls_document(size: Size) -> dict[str, Any]:
    """A row for each setting and null, with the fraction of p values below each level."""
    rows, curves = [], {}
    for setting in SETTINGS[: size.n_settings]:
        for name, p in null_p_values(setting, size).items():
            rows.append(setting.row() | {"null": name} | calibration(p))
            curves[f"{setting.name}: {name}"] = [float((p <= level).mean()) for level in LEVELS]
        logger.info("p values, %s: done", setting.name)
    return {
        "title": "p values where nothing is related",
        "rows": rows,
        "notes": _notes(size),
        "details": {"levels": LEVELS.tolist(), "share": curves},
        "seeds": {"experiments": list(range(size.null_experiments))},
    }


def null_p_values(setting: Setting, size: Size) -> dict[str, NDArray[np.float64]]:
    """p values of unrelated predictions by null, ``(n_experiments, n_targets)`` each."""
    each: dict[str, list[NDArray[np.float64]]] = {name: [] for name in NULLS}
    for seed in range(size.null_experiments):
        runs = draw_experiment(setting, seed)
        for name, options in nulls_of(seed, size).items():
            scores = null_scores(runs, n_permutations=N_PERMUTATIONS, seed=seed, **options)
            each[name].append(p_values(scores.observed, scores.null))
    return {name: np.stack(p) for name, p in each.items()}


def nulls_of(experiment: int, size: Size) -> Mapping[str, Mapping[str, Any]]:
    """The nulls applied to an experiment, with their options."""
    return {
        name: options
        for name, options in NULLS.items()
        if name != "shuffle" or experiment < size.shuffle_experiments
    }


def calibration(p: NDArray[np.float64]) -> dict[str, float]:
    """Cells of a row, from p values ``(n_experiments, n_targets)``."""
    from scipy.stats import kstest

    of_experiments = (p <= 0.05).mean(axis=1)
    return {
        "p ≤ .05": float(of_experiments.mean()),
        "±": float(of_experiments.std(ddof=1) / np.sqrt(len(p))),
        "p ≤ .01": float((p <= 0.01).mean()),
        "KS": float(kstest(p.ravel(), "uniform").statistic),
    }


def _notes(size: Size) -> list[str]:
    one = SETTINGS[0]
    return [
        f"Share of p values up to .05 and .01 (nominally as many), {one.n_targets} targets of "
        f"{size.null_experiments} experiments (of {size.shuffle_experiments} for shuffle), "
        f"{N_PERMUTATIONS} surrogates each; Pearson's r, mean over runs. ±: standard error "
        "over experiments, whose targets share noise and features. KS: the largest distance of "
        "their distribution from the uniform one.",
        "BOLD: AR(1) noise of .3 to .6, a fifth shared by all targets, and drift of a share "
        f"of {one.drift}, .2 or .6 where it is named; predictions: features that change slowly "
        "(correlation .9 from TR to TR, .98 for the slow sound) after a haemodynamic response. "
        "See simulated_bold.py.",
        "Circular shift (all shifts) and phase randomisation hold their level where BOLD has "
        "no drift, in single and short runs, too. Leaving out shifts below 20 TRs makes p "
        "values too small, most in short runs. Block permutation (40 TRs) breaks what is "
        "slower than its blocks: p values are a little small, more so when predictions were "
        "filtered run by run.",
        "Where both BOLD drifts and the sound is slow, no null of the prediction is right: the "
        "two ends of a drift differ, which surrogates do not follow. Remove drift from BOLD.",
        "Shuffle is the naive permutation of time points.",
    ]
