"""Coverage of intervals of a mean over runs: nominally 95 of 100."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.sizes import Size
from training.statistics import bootstrap_interval

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
