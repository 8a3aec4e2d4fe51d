"""Acoustic fingerprints: bits that are robust to resampling, lossy coding and gain.

After Haitsma and Kalker (2002, "A highly robust audio fingerprinting system", ISMIR): a recording
is cut into overlapping frames, the energy of each in 33 bands from 300 to 3000 Hz is computed, and
bit m of frame n encodes whether the difference between bands m and m + 1 has grown since frame n -
1:

    F(n, m) = [E(n, m) - E(n, m+1) - (E(n-1, m) - E(n-1, m+1)) > 0]

Frames are shorter here than in the paper (93 ms rather than 370 ms), since many of the evaluation
recordings last half a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpus.corpus import SAMPLE_RATE

N_BITS = 32
BAND_HZ = (300.0, 3000.0)
FRAME = 2048  # samples
HOP = 512  # samples
_BLOCK = 2048  # frames transformed at a time
_FLOOR_DB = 45.0  # frames this far below the loudest are mostly noise
_SILENCE = 1e-7  # power per band; full scale is 1


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint words of a recording.

    Attributes
    ----------
    words : ndarray
        uint32 ``(n_frames - 1,)``: bit m of word n is F(n + 1, m).
    margins : ndarray
        float32 ``(n_frames - 1, 32)``: distance of each bit from its decision threshold, relative
        to the frame.
    heard : ndarray of bool
        ``(n_frames - 1,)``: whether the frame is not silent.
    """

    words: NDArray[np.uint32]
    margins: NDArray[np.float32]
    heard: NDArray[np.bool_]


def fingerprint(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a recording, ``(n_samples,)`` at the corpus rate.

    Recordings shorter than two frames have no words.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=22_050).astype(np.float32)
    >>> loud, soft = fingerprint(noise), fingerprint(noise / 1000)
    >>> len(loud.words), bool((loud.words == soft.words).all())
    (39, True)
    """
    energies = _band_energies(samples)
    if len(energies) < 2:
        return Fingerprint(
            np.zeros(0, np.uint32), np.zeros((0, N_BITS), np.float32), np.zeros(0, bool)
        )
    steps = np.diff(np.diff(energies, axis=1), axis=0)  # the sign of F is arbitrary
    bits = steps > 0
    powers = np.uint32(1) << np.arange(N_BITS, dtype=np.uint32)
    words = (bits * powers).sum(axis=1, dtype=np.uint32)
    totals = energies.sum(axis=1)
    totals = np.minimum(totals[1:], totals[:-1])
    heard = (totals > totals.max() * 10 ** (-_FLOOR_DB / 10)) & (totals > _SILENCE)
    scale = np.abs(steps).mean(axis=1, keepdims=True) + 1e-20
    return Fingerprint(words, np.abs(steps / scale).astype(np.float32), heard)


def _band_energies(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in the bands, ``(n_frames, 33)``."""
    import scipy.fft

    if len(samples) < FRAME:
        return np.zeros((0, N_BITS + 1), dtype=np.float32)
    edges = np.geomspace(*BAND_HZ, N_BITS + 2)
    frequencies = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
    inside = (frequencies >= edges[:-1, None]) & (frequencies < edges[1:, None])
    low, high = np.flatnonzero(inside.any(axis=0))[[0, -1]]
    bands = inside[:, low : high + 1].T.astype(np.float32) / FRAME
    window = np.hanning(FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    energies = np.empty((len(frames), N_BITS + 1), dtype=np.float32)
    for start in range(0, len(frames), _BLOCK):
        block = slice(start, start + _BLOCK)
        spectra = scipy.fft.rfft(frames[block] * window, axis=1)[:, low : high + 1]
        energies[block] = (spectra.real**2 + spectra.imag**2) @ bands
    return energies
