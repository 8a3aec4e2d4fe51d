"""Gains that a comparison of two models detects, by hours of test data, reliability and targets.

A target's BOLD is, in units of its variance, the part that both models predict, the gain (predicted
by one of them), a part that the stimulus evokes and neither predicts, and noise; the first three
sum to the reliability. Each model's prediction has errors of its own, as from a read-out that was
fitted to noisy data. Scores of runs are compared as by ``python -m training compare``: the
signed-rank test over runs, for one target, and for many with correction.

How much fits differ between seeds is another question: a difference between two fits is one of
these fits. How many pairs of fits show a difference of methods follows from Student's t.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.simulated_bold import AUTOCORRELATION, SHARED, TR, WARM_UP
from benchmarks.calibration.sizes import Size
from training.scores import r2_score
from training.simulation.signals import HaemodynamicResponse, autoregressive, unit_variance
from training.statistics import benjamini_hochberg, compare_runs

GAINS = (0.0, 0.01, 0.02, 0.04)  # of R², as between the published networks and their start
RELIABILITIES = (0.2, 0.4)
TEST_HOURS = (1.0, 4.4, 8.8, 17.6)  # 8.8: a season of Friends without repeats
RUN_TRS = 450  # half an episode, 11 minutes
COMMON = 0.1  # R² of both models without the gain
ERROR = 0.02  # variance of each model's own prediction errors, of that of BOLD
SLOWNESS = 0.9  # autocorrelation of predicted features before the haemodynamics
ALPHA = 0.05
PER_SEASON = 8.8
SEED_DEVIATIONS = (0.002, 0.005, 0.01)
POWER = 0.8
N_RESAMPLES = 400  # of the interval, which is not used here

Table = NDArray[np.float64]


def power_document(size: Size) -> dict[str, Any]:
    """A row for each reliability, gain and amount of test data, and the seeds that are needed."""
    rows = []
    for reliability in RELIABILITIES:
        for hours in TEST_HOURS:
            n_runs = max(2, round(hours * 3600 / (RUN_TRS * TR)))
            for gain in GAINS:
                found = [
                    _experiment(gain, reliability, n_runs, size.power_targets, seed)
                    for seed in range(size.power_experiments)
                ]
                one, corrected, measured = np.mean(found, axis=0)
                rows.append(
                    {
                        "reliability": reliability,
                        "test hours": hours,
                        "runs": n_runs,
                        "gain in R²": gain,
                        "measured gain": float(measured),
                        "one target, p ≤ .05": float(one),
                        f"of {size.power_targets}, BH": float(corrected),
                    }
                )
    return {
        "title": "Power to detect that one model predicts better",
        "rows": rows,
        "tables": [{"title": f"Pairs of fits needed for power {POWER:g}", "rows": _seed_rows()}],
        "notes": [
            f"Simulated: {size.power_experiments} experiments of {size.power_targets} targets a "
            f"row, runs of {RUN_TRS} TRs of {TR} s. Both models have R² {COMMON:g} without the "
            f"gain, and prediction errors of their own of {ERROR:g} of BOLD's variance. A gain of "
            "0 shows the rate of false positives, two-sided.",
            f"A season of Friends is about {PER_SEASON:g} hours; with one season held out and no "
            "repeats, these are the rows of 8.8 hours. All targets have the gain; where few have "
            "it, corrected power is lower.",
            "The test over runs is of the two fits at hand. That a method gains, and not one fit, "
            "is a test over pairs of fits with other seeds (second table; two-sided, alpha .05, "
            "independent deviations of both fits' mean R² between seeds as given).",
            "A gain of R² can exceed neither the reliability nor what the stimulus evokes beyond "
            "the first model.",
        ],
        "seeds": {"experiments": list(range(size.power_experiments))},
    }


def _experiment(
    gain: float, reliability: float, n_runs: int, n_targets: int, seed: int
) -> tuple[float, float, float]:
    """Share of targets with p up to alpha, the same after correction, and the mean gain."""
    generator = np.random.default_rng([seed, n_runs, round(100 * reliability), round(1000 * gain)])
    rho = generator.uniform(*AUTOCORRELATION, n_targets)
    scores = []
    for _ in range(n_runs):
        measured, better, other = draw_run(gain, reliability, rho, generator)
        scores.append([r2_score(measured, better), r2_score(measured, other)])
    a, b = np.array(scores).transpose(1, 0, 2)
    compared = compare_runs(a, b, n_resamples=N_RESAMPLES)
    is_better = compared.difference > 0 if gain else np.ones(n_targets, dtype=bool)
    single = np.mean((compared.p <= ALPHA) & is_better)
    corrected = np.mean((benjamini_hochberg(compared.p) <= ALPHA) & is_better)
    return float(single), float(corrected), float(compared.difference.mean())


def draw_run(
    gain: float, reliability: float, rho: Table, generator: np.random.Generator
) -> tuple[Table, Table, Table]:
    """BOLD, prediction of the better model, and of the other, ``(RUN_TRS, n_targets)`` each."""
    n_targets = len(rho)
    noise = autoregressive(RUN_TRS, np.append(rho, np.mean(AUTOCORRELATION)), generator)
    noise = np.sqrt(1 - SHARED) * noise[:, :-1] + np.sqrt(SHARED) * noise[:, -1:]
    common, gained, unknown, error, other_error = (_smooth(n_targets, generator) for _ in range(5))
    evoked = np.sqrt(COMMON) * common + np.sqrt(gain) * gained
    rest = np.sqrt(reliability - COMMON - gain) * unknown
    measured = evoked + rest + np.sqrt(1 - reliability) * noise
    return (
        measured,
        evoked + np.sqrt(ERROR) * error,
        np.sqrt(COMMON) * common + np.sqrt(ERROR) * other_error,
    )


def _smooth(n_targets: int, generator: np.random.Generator) -> Table:
    """Slow features after the haemodynamic response, of unit variance on average over runs."""
    from scipy.signal import lfilter

    drive = autoregressive(RUN_TRS + WARM_UP, np.full(n_targets, SLOWNESS), generator)
    response = HaemodynamicResponse(peak=5.0).delays(TR, n_delays=20)
    return unit_variance(lfilter(response, [1.0], drive, axis=0)[WARM_UP:])


def _seed_rows() -> list[dict[str, Any]]:
    return [
        {
            "deviation between seeds": deviation,
            **{f"gain {gain:g}": pairs_needed(gain, deviation) for gain in GAINS[1:]},
        }
        for deviation in SEED_DEVIATIONS
    ]


def pairs_needed(gain: float, deviation: float, power: float = POWER) -> int:
    """Number of pairs of fits with which Student's t detects a gain.

    Parameters
    ----------
    gain : float
        Mean difference of the fits of a pair.
    deviation : float
        Standard deviation over seeds of each of the two.
    power : float
        In (0, 1).

    Examples
    --------
    >>> pairs_needed(0.01, 0.005), pairs_needed(0.01, 0.02)
    (7, 65)
    """
    from scipy.stats import nct, t

    effect = gain / (deviation * np.sqrt(2))
    n = 2
    while True:
        critical, shift = t.ppf(1 - ALPHA / 2, n - 1), effect * np.sqrt(n)
        if nct.sf(critical, n - 1, shift) + nct.cdf(-critical, n - 1, shift) >= power:
            return n
        n += 1
