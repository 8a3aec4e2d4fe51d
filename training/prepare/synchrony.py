"""Synchrony of sound and responses: loudness of the audio against the signal of auditory targets.

The loudness of a run is the root mean square of its audio in each TR; convolved with the canonical
double-gamma haemodynamic response it approximates the expected response of an auditory region. The
targets of a subject that correlate best with it over all runs are taken as auditory, and their mean
signal is compared with the expectation at lags up to 20 s. A stimulus that was started late, cut or
exchanged shows as a lag that is not near 0, or as no correlation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset_info import OutOfStep
from training.data.prepared import INT16_SCALE, Prepared, Run
from training.progress import bar
from training.sound_features import rms

AUDITORY_SHARE = 0.05
MAX_LAG_S = 20.0
_RESPONSE_S = 32.0  # length of nilearn's haemodynamic response

# A lag is reported beyond this (regions and people differ by a second or two), ...
LATE_S = 3.0
# ... but only with some correlation, and a short run correlates by chance: r of two noises has
# standard deviation 1 / sqrt(n_trs), and the maximum is taken over some thirty lags.
WEAK_R = 0.15
CHANCE = 3.0


@dataclass(frozen=True)
class Synchrony:
    """Expected and measured signal of a run.

    Attributes
    ----------
    expected, auditory : ndarray
        ``(n_trs,)``, z-scored: loudness convolved with the haemodynamic response, and the mean of
        the auditory targets.
    lag : float
        Delay of `auditory` relative to `expected` in seconds at the largest correlation.
    r : float
        Pearson correlation at that lag; 0 if one of them does not vary.
    """

    expected: NDArray[np.float64]
    auditory: NDArray[np.float64]
    lag: float
    r: float

    def is_out_of_step(self, tr: float) -> bool:
        """Whether the lag exceeds the variation between regions and people."""
        needed = max(WEAK_R, CHANCE / math.sqrt(len(self.expected)))
        return abs(self.lag) > max(LATE_S, 1.5 * tr) and self.r >= needed


def synchrony_of_dataset(dataset: Prepared, *, progress: bool = False) -> dict[Run, Synchrony]:
    """Synchrony of each run of time series, subject by subject; empty for sound responses."""
    synchrony: dict[Run, Synchrony] = {}
    if dataset.info.kind != "time_series":
        return synchrony
    for subject in bar(dataset.subjects, desc="synchrony", shown=progress):
        runs = [run for run in dataset.runs if run.subject == subject]
        synchrony.update(zip(runs, synchrony_of_subject(dataset, runs), strict=True))
    return synchrony


def out_of_step(synchrony: Mapping[Run, Synchrony]) -> tuple[OutOfStep, ...]:
    """The runs with sound and responses out of step, as stored in ``dataset.json``."""
    return tuple(
        OutOfStep(
            subject=run.subject,
            run=run.name,
            lag=round(each.lag, 3),
            r=round(each.r, 3),
        )
        for run, each in synchrony.items()
        if each.is_out_of_step(run.tr)
    )


def out_of_step_findings(doubtful: Sequence[OutOfStep]) -> list[str]:
    """Findings about runs with sound and responses out of step."""
    return [
        f"runs whose responses follow their sound best more than {LATE_S:g} s early or late (check "
        f"their stimulus and start): {each.in_words()}"
        for each in doubtful
    ]


def synchrony_of_subject(dataset: Prepared, runs: Sequence[Run]) -> list[Synchrony]:
    """Synchrony of each run of one subject; reads every run twice, one at a time.

    The auditory targets are the 5 % (at least one) that correlate best with the expectation over
    all runs, at the single lag, common to all runs, with the largest correlation.
    """
    tr = runs[0].tr
    reach = int(MAX_LAG_S / tr)
    expectations = [_z(expected_signal(dataset, run)) for run in runs]
    correlations = np.zeros((dataset.n_targets, 2 * reach + 1))
    for run, expected in zip(runs, expectations, strict=True):
        lagged = np.stack([_shifted(expected, k) for k in range(-reach, reach + 1)], axis=1)
        correlations += np.nan_to_num(dataset.bold(run)).T @ lagged
    n_auditory = max(1, round(AUDITORY_SHARE * dataset.n_targets))
    best = np.sort(correlations, axis=0)[-n_auditory:].mean(axis=0).argmax()
    auditory = np.argsort(correlations[:, best], kind="stable")[-n_auditory:]
    synchrony = []
    for run, expected in zip(runs, expectations, strict=True):
        columns = dataset.bold(run)[:, auditory]
        signal = _z(np.nan_to_num(columns).mean(axis=1, dtype=np.float64))
        lag, r = best_lag(expected, signal, reach)
        synchrony.append(Synchrony(expected, signal, lag * tr, r))
    return synchrony


def expected_signal(dataset: Prepared, run: Run) -> NDArray[np.float64]:
    """Loudness of a run's audio convolved with the haemodynamic response, ``(n_trs,)``.

    Audio before TR 0 is included, if any.
    """
    from nilearn.glm.first_level import spm_hrf

    # nilearn's response is late by one of its own steps, so the steps are small. At whole TRs the
    # value is the response at the middle of a TR to the sound of earlier TRs.
    steps_per_tr = 50
    fine = np.asarray(spm_hrf(run.tr, oversampling=steps_per_tr, time_length=_RESPONSE_S))
    response = fine[::steps_per_tr]
    n_before = math.ceil(_RESPONSE_S / run.tr)
    onsets = run.start + np.arange(-n_before, run.n_trs) * run.tr
    starts, stops = (np.rint(t * dataset.info.sample_rate) for t in (onsets, onsets + run.tr))
    loudness = rms(dataset.audio(run.stimulus), starts, stops) / INT16_SCALE
    return np.convolve(loudness, response)[n_before : n_before + run.n_trs]


def best_lag(
    expected: NDArray[np.float64], signal: NDArray[np.float64], reach: int
) -> tuple[int, float]:
    """Lag of `signal` in samples at the largest correlation, and that correlation.

    Examples
    --------
    >>> pulse = np.zeros(40)
    >>> pulse[10:14] = 1
    >>> lag, r = best_lag(pulse, np.roll(pulse, 3), reach=5)
    >>> lag, round(r, 6)
    (3, 1.0)
    """
    n = len(expected)
    reach = min(reach, n // 2)
    correlations = {}
    for lag in range(-reach, reach + 1):
        early = _z(expected[max(0, -lag) : n - max(0, lag)])
        late = _z(signal[max(0, lag) : n - max(0, -lag)])
        correlations[lag] = float(early @ late) / len(early)
    lag = max(correlations, key=lambda each: correlations[each])
    return lag, correlations[lag]


def _z(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = signal.std()
    centred = signal - signal.mean()
    return centred / deviation if deviation > 1e-12 else np.zeros_like(signal)


def _shifted(signal: NDArray[np.float64], n_later: int) -> NDArray[np.float64]:
    """`signal` delayed by some samples, 0 where unknown; of the same length."""
    shifted = np.zeros_like(signal)
    n = len(signal)
    if abs(n_later) < n:
        shifted[max(0, n_later) : n + min(0, n_later)] = signal[
            max(0, -n_later) : n - max(0, n_later)
        ]
    return shifted
