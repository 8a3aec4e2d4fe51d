"""Signals of a simulated brain: haemodynamic response (a double gamma), noise, drift, motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNDERSHOOT_AFTER = 10.0  # seconds from the peak to that of the undershoot
UNDERSHOOT_RATIO = 1 / 6
DURATION = 32.0  # seconds after which the response is negligible
HIGH_PASS = 128.0  # seconds; fMRIPrep's cosines cover slower signals


@dataclass(frozen=True)
class HaemodynamicResponse:
    """The difference of two gamma densities (Friston et al. 1998; the shape used in SPM).

    Attributes
    ----------
    peak : float
        Delay to the peak in seconds.
    dispersion : float
        Scale of the gamma densities in seconds; 1 is standard.
    """

    peak: float
    dispersion: float = 1.0

    def __call__(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The response at `times` (seconds), relative to its peak.

        Examples
        --------
        >>> response = HaemodynamicResponse(peak=5.0)
        >>> bool(abs(response(np.array([5.0]))[0] - 1) < 0.01)
        True
        """
        from scipy.stats import gamma

        def bump(peak: float) -> NDArray[np.float64]:
            density = gamma(a=peak / self.dispersion + 1, scale=self.dispersion)
            return np.asarray(density.pdf(times) / density.pdf(peak))

        undershoot = self.peak + UNDERSHOOT_AFTER
        return bump(self.peak) - UNDERSHOOT_RATIO * bump(undershoot)

    def delays(self, tr: float, n_delays: int) -> NDArray[np.float64]:
        """Samples at lags of 0, 1, ... TRs, ``(n_delays,)``."""
        return self(np.arange(n_delays, dtype=np.float64) * tr)


def convolve_fine(
    drive: NDArray[np.float64], rate: float, response: HaemodynamicResponse, n_trs: int, tr: float
) -> NDArray[np.float64]:
    """The response to a drive on a fine grid, at the onsets of the TRs, ``(n_trs,)``.

    Parameters
    ----------
    drive : array
        Shape ``(n_frames,)``; frame k covers the time from ``k / rate`` to ``(k + 1) / rate``. It
        is 0 before the first one.
    rate : float
        Frames per second.
    """
    from scipy.signal import fftconvolve

    kernel = response(np.arange(round(DURATION * rate)) / rate) / rate
    evoked = fftconvolve(drive, kernel)[: len(drive)]
    centres = (np.arange(len(drive)) + 0.5) / rate
    return np.interp(np.arange(n_trs) * tr, centres, evoked)


def filter_trs(
    drive: NDArray[np.float64], response: HaemodynamicResponse, n_delays: int, tr: float
) -> NDArray[np.float64]:
    """A causal filter over `n_delays` TRs of a drive on the TR grid, ``(n_trs,)``.

    Zero-padded before the first TR, as in :class:`hear_brainsoundnet.encoder.BrainEncoder`, so that
    its read-out can represent the result exactly.
    """
    return np.convolve(drive, response.delays(tr, n_delays))[: len(drive)]


def autoregressive(
    n_trs: int, rho: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Stationary AR(1) noise of variance 1, ``(n_trs, n_targets)``.

    Parameters
    ----------
    n_trs : int
        Number of rows.
    rho : array
        Autocorrelation at a lag of one TR per target, ``(n_targets,)``, in (-1, 1).

    Examples
    --------
    >>> noise = autoregressive(5000, np.array([0.4]), np.random.default_rng(0))
    >>> bool(abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1] - 0.4) < 0.05)
    True
    """
    noise = generator.standard_normal((n_trs, len(rho)))
    innovation = np.sqrt(1 - rho**2)
    for t in range(1, n_trs):
        noise[t] = rho * noise[t - 1] + innovation * noise[t]
    return noise


def slow_cosines(n_trs: int, tr: float) -> NDArray[np.float64]:
    """fMRIPrep's discrete cosines slower than 128 s, ``(n_trs, n_cosines)``.

    Examples
    --------
    >>> slow_cosines(400, 1.49).shape
    (400, 9)
    """
    n_cosines = int(np.floor(2 * n_trs * tr / HIGH_PASS))
    times = (np.arange(n_trs) + 0.5) / n_trs
    orders = np.arange(1, n_cosines + 1)
    return np.asarray(np.sqrt(2 / n_trs) * np.cos(np.pi * times[:, None] * orders))


def head_motion(n_trs: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Three shifts in mm and three rotations in rad, ``(n_trs, 6)``: slow wandering and jerks."""
    wandering = np.cumsum(0.005 * generator.standard_normal((n_trs, 6)), axis=0)
    jerks = generator.standard_normal((n_trs, 6)) * (generator.random((n_trs, 1)) < 0.02)
    motion = (
        wandering + np.cumsum(0.1 * jerks, axis=0) + 0.02 * generator.standard_normal((n_trs, 6))
    )
    motion[:, 3:] /= 50  # a head of 50 mm radius (Power et al. 2012)
    return np.asarray(motion)


def framewise_displacement(motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Framewise displacement (Power et al. 2012) in mm, ``(n_trs,)``; 0 for the first TR."""
    steps = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    return np.asarray(steps[:, :3].sum(axis=1) + 50 * steps[:, 3:].sum(axis=1))


def unit_variance(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column with mean 0 and standard deviation 1; a constant column becomes 0."""
    centred = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.asarray(centred / np.where(deviation > 0, deviation, 1))
