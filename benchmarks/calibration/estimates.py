"""Noise ceilings from few repeats, and intervals of a mean over runs, against the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.sizes import Size
from training.simulation.signals import autoregressive, unit_variance
from training.statistics import bootstrap_interval, repeats_ceiling

RELIABILITIES = (0.1, 0.3, 0.6)
REPEATS = (2, 3, 5)
N_TRS = 400
SIGNAL_RHO, NOISE_RHO = 0.8, 0.45
Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Values]
N_RUNS = (5, 8, 16, 48)
CONFIDENCE = 0.95
N_RESAMPLES = 2000
AT_ONCE = 250  # targets that share their resamples
SCORES: Mapping[str, tuple[float, Draw]] = {  # true mean, and sampler of scores of runs
    "normal": (0.0, lambda generator, shape: generator.standard_normal(shape)),
    "skewed (gamma, skewness 1)": (4.0, lambda generator, shape: generator.gamma(4, size=shape)),
    "very skewed (exponential)": (1.0, lambda generator, shape: generator.exponential(size=shape)),
    "heavy tails (t, 4 df)": (0.0, lambda generator, shape: generator.standard_t(4, size=shape)),
}


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


def intervals_document(size: Size) -> dict[str, Any]:
    """A row for each distribution and number of runs."""
    rows = []
    for name, (mean, draw) in SCORES.items():
        for n_runs in N_RUNS:
            values = draw(np.random.default_rng(n_runs), (n_runs, size.interval_targets))
            holds, percentile_holds, methods = [], [], set()
            for seed, first in enumerate(range(0, size.interval_targets, AT_ONCE)):
                own = values[:, first : first + AT_ONCE]
                interval = bootstrap_interval(own, CONFIDENCE, N_RESAMPLES, seed)
                holds.append((interval.low <= mean) & (mean <= interval.high))
                methods |= set(interval.method.tolist())
                low, high = percentile_interval(own, seed)
                percentile_holds.append((low <= mean) & (mean <= high))
            coverage = float(np.concatenate(holds).mean())
            rows.append(
                {
                    "scores": name,
                    "runs": n_runs,
                    "method": ", ".join(sorted(methods)),
                    "coverage": coverage,
                    "±": float(np.sqrt(coverage * (1 - coverage) / size.interval_targets)),
                    "percentile bootstrap": float(np.concatenate(percentile_holds).mean()),
                }
            )
    return {
        "title": "Coverage of 95 % intervals",
        "rows": rows,
        "notes": [
            f"{size.interval_targets} simulated targets a row, {N_RESAMPLES} resamples of runs. ±: "
            "binomial standard error. The last column is the usual bootstrap interval, which is "
            "too narrow for few runs, for comparison.",
            "With fewer than 8 runs Student's t is used, which is right for normal scores and too "
            "narrow for skewed ones. Few runs with heavy tails are where the bootstrap falls a "
            "little short of 93 of 100, too.",
        ],
        "seeds": {"resamples": list(range(-(-size.interval_targets // AT_ONCE)))},
    }


def percentile_interval(values: Values, seed: int) -> tuple[Values, Values]:
    """The percentile bootstrap: quantiles of resampled means."""
    n_runs = len(values)
    counts = np.random.default_rng(seed).multinomial(
        n_runs, np.full(n_runs, 1 / n_runs), N_RESAMPLES
    )
    means = counts @ values / n_runs
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return low, high
