"""Noise ceilings from few repeats, compared with the simulation's true ceiling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.sizes import Size
from training.simulation.signals import autoregressive, unit_variance
from training.statistics import repeats_ceiling

RELIABILITIES = (0.1, 0.3, 0.6)
REPEATS = (2, 3, 5)
N_TRS = 400
SIGNAL_RHO, NOISE_RHO = 0.8, 0.45


def ceilings_document(size: Size) -> dict[str, Any]:
    """A row for each reliability, number of repeats and method."""
    rows = []
    for reliability in RELIABILITIES:
        for n_repeats in REPEATS:
            repeats = simulated_repeats(reliability, n_repeats, size.ceiling_targets)
            for method in ("pairs", "split_half"):
                ceiling = repeats_ceiling(repeats, method)
                estimates = ceiling.ceiling_r
                of_mean = ceiling.ceiling_r_of_mean
                true = np.sqrt(reliability)
                true_of_mean = np.sqrt(
                    n_repeats * reliability / (1 + (n_repeats - 1) * reliability)
                )
                rows.append(
                    {
                        "true ceiling of r": float(true),
                        "repeats": n_repeats,
                        "method": method,
                        "estimate, mean over targets": float(estimates.mean()),
                        "off by": float(estimates.mean() / true - 1),
                        "one target, ±": float(estimates.std() / true),
                        "of the mean: true": float(true_of_mean),
                        "of the mean: off by": float(of_mean.mean() / true_of_mean - 1),
                    }
                )
    return {
        "title": "Noise ceilings from repeats",
        "rows": rows,
        "notes": [
            f"One stimulus of {N_TRS} TRs presented 2, 3 or 5 times, {size.ceiling_targets} "
            f"targets: a response (AR {SIGNAL_RHO}) of known share of variance and AR({NOISE_RHO}) "
            "noise. The true ceiling is the square root of this share: what the response itself "
            "scores.",
            "Off by: relative error of the mean over targets. One target, ±: how far a single "
            "target's estimate lies from the truth, relative, typically; more stimuli with repeats "
            "make it smaller. That is why fractions of low ceilings are not given.",
            "The square root of an uncertain reliability is low on average: by a twentieth or a "
            "little more where a low ceiling (.32) is estimated from two repeats of one stimulus.",
        ],
        "seeds": {"simulation": [0]},
    }


def simulated_repeats(reliability: float, n_repeats: int, n_targets: int) -> NDArray[np.float64]:
    """Runs of one stimulus, ``(n_repeats, N_TRS, n_targets)``."""
    generator = np.random.default_rng(0)
    signal = unit_variance(autoregressive(N_TRS, np.full(n_targets, SIGNAL_RHO), generator))
    noise = [
        autoregressive(N_TRS, np.full(n_targets, NOISE_RHO), generator) for _ in range(n_repeats)
    ]
    return np.sqrt(reliability) * signal + np.sqrt(1 - reliability) * np.stack(noise)
