"""Haemodynamic response: a double gamma, on a fine grid or as a short filter over TRs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNDERSHOOT_AFTER = 10.0  # seconds from the peak to that of the undershoot
UNDERSHOOT_RATIO = 1 / 6
DURATION = 32.0  # seconds after which the response is negligible


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
