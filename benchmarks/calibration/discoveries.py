"""False discoveries and power when some targets respond."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.nulls import nulls_of
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

RESPONDING = Setting("a fifth responds", drift=0.3, high_pass="BOLD", n_responding=12, effect=0.12)
SETTINGS = (RESPONDING, replace(RESPONDING, name="nothing responds", n_responding=0))
ALPHA = 0.05
N_PERMUTATIONS = 1000


def discoveries_document(size: Size) -> dict[str, Any]:
    """A row for each setting, null and correction."""
    rows = []
    for setting in SETTINGS:
        rows += discovery_rows(setting, size)
        logger.info("discoveries, %s: done", setting.name)
    one = RESPONDING
    return {
        "title": "False discoveries and power",
        "rows": rows,
        "notes": [
            f"{one.n_targets} targets, {one.n_responding} of them with a response of standard "
            f"deviation {one.effect} in noise of 1, drifts removed; {one.n_runs} runs of "
            f"{one.n_trs} TRs, {N_PERMUTATIONS} surrogates, level {ALPHA}.",
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
            scores = null_scores(runs, n_permutations=N_PERMUTATIONS, seed=seed, **options)
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
