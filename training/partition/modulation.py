"""Modulation spectrum: rates of change of a log spectrogram over time and frequency.

The log spectrogram of one second is Fourier-transformed over time and over frequency (Singh &
Theunissen 2003, JASA 114). Power is averaged in octaves of temporal rate (1 to 32 Hz) and of
spectral scale (cycles over the whole range of bands), separately for upward and downward sweeps,
similar to the filters of the cortical model of Chi, Ru & Shamma 2005 (JASA 118).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 1.0
RATES_HZ = ((1, 2), (2, 4), (4, 8), (8, 16), (16, 32))
SCALES = ((0, 1), (1, 2), (2, 4), (4, 8), (8, 17))  # cycles over all bands; the first: constant
N_CHANNELS = len(RATES_HZ) * (2 * len(SCALES) - 1)

Frames = NDArray[np.floating]


def modulation_spectrum(
    spectrogram: Frames, frames_per_second: int, step: int
) -> tuple[Frames, Frames]:
    """Log modulation power of windows of one second.

    Parameters
    ----------
    spectrogram : ndarray
        ``(n_frames, n_bands)``, logarithms.
    frames_per_second : int
        At least 64, so that 32 Hz is resolved.
    step : int
        Frames from one window to the next.

    Returns
    -------
    power : ndarray
        ``(n_windows, 45)``: for each octave of rate, the power common to all bands, then for each
        octave of scale that of falling and that of rising sweeps.
    centres : ndarray
        ``(n_windows,)``, seconds from the beginning of the spectrogram.

    Raises
    ------
    ValueError
        If the spectrogram is shorter than a window.
    """
    n_window = round(WINDOW_S * frames_per_second)
    n_frames, n_bands = spectrogram.shape
    if n_frames < n_window:
        raise ValueError(
            f"a modulation spectrum needs {WINDOW_S:g} s of sound ({n_window} frames), got "
            f"{n_frames}"
        )
    taper = np.hanning(n_window + 2)[1:-1, None]  # nonzero at its ends
    firsts = np.arange(0, n_frames - n_window + 1, step)
    octaves = _octaves(n_window, n_bands, frames_per_second)
    rows = []
    for first in firsts:
        window = spectrogram[first : first + n_window]
        window = (window - window.mean(axis=0)) * taper
        power = np.square(np.abs(np.fft.fft(np.fft.rfft(window, axis=1), axis=0))) / window.size
        rows.append(octaves @ power.ravel())
    return np.log1p(np.array(rows)), (firsts + n_window / 2) / frames_per_second


def _octaves(n_window: int, n_bands: int, frames_per_second: int) -> Frames:
    """Averaging matrix from power at all rates and scales to octaves, ``(45, n_rates *
    n_scales)``."""
    rate = np.fft.fftfreq(n_window, 1 / frames_per_second)[:, None]
    scale = np.arange(n_bands // 2 + 1)[None]
    means = []
    for slow, fast in RATES_HZ:
        for coarse, fine in SCALES:
            # For changes common to all bands, both directions of a real spectrogram are equal.
            for sign in (1,) if coarse == 0 else (1, -1):
                inside = (sign * rate >= slow) & (sign * rate < fast)
                inside = inside & (scale >= coarse) & (scale < fine)
                means.append(inside.ravel() / inside.sum())
    return np.array(means)
