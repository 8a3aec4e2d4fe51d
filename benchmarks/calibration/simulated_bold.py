"""Simulated BOLD, mostly autocorrelated noise, and smooth predictions, related to it or not.

The noise of a target is AR(1) of .3 to .6, a fifth of it shared by all targets, plus drifts slower
than 128 s. Predictions are mixtures, one per target, of six features of a slowly varying sound,
each convolved with a haemodynamic response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.simulation.signals import (
    HaemodynamicResponse,
    autoregressive,
    slow_cosines,
    unit_variance,
)

TR = 1.49  # seconds
AUTOCORRELATION = (0.3, 0.6)
SHARED = 0.2  # fraction of the noise common to all targets
N_FEATURES = 6
WARM_UP = 60  # TRs before a run, for stationarity

Run = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Setting:
    """One kind of experiment.

    Attributes
    ----------
    name : str
        Name in the tables.
    n_runs, n_trs, n_targets : int
        Its size.
    drift : float
        Fraction of the noise variance that is slow drift.
    high_pass : str
        {"", "BOLD", "both"}: whether drifts are removed from BOLD, as in preparation, and from
        predictions, too.
    slowness : float
        Autocorrelation of the sound's features at a lag of one TR, before the haemodynamics.
    events : bool
        Whether features are rare loud events instead, and BOLD has spikes.
    n_responding : int
        Number of targets (the first ones) that respond as predicted.
    effect : float
        Standard deviation of their responses; that of the noise is 1.
    """

    name: str
    n_runs: int = 8
    n_trs: int = 300
    n_targets: int = 60
    drift: float = 0.0
    high_pass: Literal["", "BOLD", "both"] = ""
    slowness: float = 0.9
    events: bool = False
    n_responding: int = 0
    effect: float = 0.0

    def row(self) -> dict[str, object]:
        """The first cells of a table."""
        return {"data": self.name, "runs": self.n_runs, "TRs": self.n_trs}


def draw_experiment(setting: Setting, seed: int) -> list[Run]:
    """Measured and predicted responses of every run, ``(n_trs, n_targets)`` each."""
    generator = np.random.default_rng(seed)
    rho = generator.uniform(*AUTOCORRELATION, setting.n_targets)
    mixes = generator.standard_normal((N_FEATURES, setting.n_targets))
    gain = np.where(np.arange(setting.n_targets) < setting.n_responding, setting.effect, 0.0)
    runs = []
    for _ in range(setting.n_runs):
        features, noise = _features_and_noise(setting, rho, generator)
        predicted = unit_variance(features @ mixes)
        measured = noise + gain * predicted
        if setting.high_pass:
            measured = without_drift(measured)
        if setting.high_pass == "both":
            predicted = without_drift(predicted)
        runs.append((measured, predicted))
    return runs


def without_drift(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The residual after regressing out the mean and cosines slower than 128 s."""
    slow = np.column_stack([np.ones(len(table)), slow_cosines(len(table), TR)])
    basis = np.linalg.qr(slow)[0]
    return np.asarray(table - basis @ (basis.T @ table))


def _features_and_noise(
    setting: Setting, rho: NDArray[np.float64], generator: np.random.Generator
) -> Run:
    """Features of the sound ``(n_trs, N_FEATURES)``, and noise ``(n_trs, n_targets)``."""
    from scipy.signal import lfilter

    n_trs = setting.n_trs + WARM_UP
    of_series = np.concatenate([rho, [np.mean(AUTOCORRELATION)], [setting.slowness] * N_FEATURES])
    series = autoregressive(n_trs, of_series, generator)
    own, shared, drive = np.split(series, [setting.n_targets, setting.n_targets + 1], axis=1)
    noise = (np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * shared)[WARM_UP:]
    if setting.events:
        drive = generator.exponential(size=drive.shape) * (generator.random(drive.shape) < 0.02)
        noise += 5 * generator.standard_normal(noise.shape) * (generator.random(noise.shape) < 0.01)
    if setting.drift:
        cosines = slow_cosines(setting.n_trs, TR)
        weights = generator.standard_normal((cosines.shape[1], setting.n_targets))
        slower_is_stronger = 1 / np.arange(1, cosines.shape[1] + 1)
        drift = unit_variance(cosines @ (weights * slower_is_stronger[:, None]))
        noise = np.sqrt(1 - setting.drift) * noise + np.sqrt(setting.drift) * drift
    response = HaemodynamicResponse(peak=5.0).delays(TR, n_delays=20)
    return lfilter(response, [1.0], drive, axis=0)[WARM_UP:], noise
