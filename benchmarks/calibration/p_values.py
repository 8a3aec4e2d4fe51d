"""p values of simulated experiments: uniform without a relation, discoveries where some respond.

Without any relation p <= .05 must come up in 5 of 100 targets. Where some targets respond, false
discoveries must keep their level after correction, and power counts the others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.simulated_bold import Setting, draw_experiment
from benchmarks.calibration.sizes import Size
from training.statistics import (
    NullScores,
    benjamini_hochberg,
    benjamini_yekutieli,
    family_wise,
    null_scores,
    p_values,
)

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
RESPONDING = Setting("a fifth responds", drift=0.3, high_pass="BOLD", n_responding=12, effect=0.12)
RESPONDING_OR_NOT = (RESPONDING, replace(RESPONDING, name="nothing responds", n_responding=0))
ALPHA = 0.05
N_CORRECTED = 1000  # surrogates; corrections need smaller p values


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


def discoveries_document(size: Size) -> dict[str, Any]:
    """A row for each setting, null and correction."""
    rows = []
    for setting in RESPONDING_OR_NOT:
        rows += discovery_rows(setting, size)
        logger.info("discoveries, %s: done", setting.name)
    one = RESPONDING
    return {
        "title": "False discoveries and power",
        "rows": rows,
        "notes": [
            f"{one.n_targets} targets, {one.n_responding} of them with a response of standard "
            f"deviation {one.effect} in noise of 1, drifts removed; {one.n_runs} runs of "
            f"{one.n_trs} TRs, {N_CORRECTED} surrogates, level {ALPHA}.",
            "False discoveries: share of non-responding targets among significant ones, mean over "
            "experiments (0 where none is significant); bound by bh and by at .05. Any false: "
            "experiments with at least one; bound by fwe (max statistic) at .05. Power: share of "
            "responding targets that are found. ±: standard errors over experiments.",
            "Where nothing responds, every discovery is false, so that false discoveries and any "
            "false are the same number.",
        ],
        "seeds": {"experiments": list(range(size.discovery_experiments))},
    }


def discovery_rows(setting: Setting, size: Size) -> list[dict[str, Any]]:
    """One row for each null and correction."""
    outcomes: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for seed in range(size.discovery_experiments):
        runs = draw_experiment(setting, seed)
        for name, options in nulls_of(seed, size).items():
            scores = null_scores(runs, n_permutations=N_CORRECTED, seed=seed, **options)
            for correction, adjusted in corrected(scores).items():
                outcome = _outcome(adjusted <= ALPHA, setting.n_responding)
                outcomes.setdefault((name, correction), []).append(outcome)
    rows = []
    for (name, correction), each in outcomes.items():
        false, any_false, power = np.mean(each, axis=0).tolist()
        errors = (np.std(each, axis=0, ddof=1) / np.sqrt(len(each))).tolist()
        row: dict[str, Any] = {"data": setting.name, "null": name, "correction": correction}
        row |= {"experiments": len(each), "false discoveries": false, "± false": errors[0]}
        row |= {"any false": any_false, "± any": errors[1]}
        rows.append(row | ({"power": power} if setting.n_responding else {}))
    return rows


def corrected(scores: NullScores) -> dict[str, NDArray[np.float64]]:
    """p values by correction, ``(n_targets,)`` each."""
    p = p_values(scores.observed, scores.null)
    return {
        "none": p,
        "bh": benjamini_hochberg(p),
        "by": benjamini_yekutieli(p),
        "fwe": family_wise(scores.observed, scores.null),
    }


def _outcome(significant: NDArray[np.bool_], n_responding: int) -> tuple[float, float, float]:
    """Fraction of false ones, whether there are any, fraction of responding targets found."""
    n_false = int(significant[n_responding:].sum())
    found = int(significant[:n_responding].sum())
    return n_false / max(1, n_false + found), float(n_false > 0), found / max(1, n_responding)
