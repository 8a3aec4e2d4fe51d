"""SpectroTemporal baseline: power of modulations over time and frequency.

A cochleagram is filtered by a model of the tuning of primary auditory cortex (Chi, Ru & Shamma
2005, JASA 118): every pair of a temporal rate (0.5 to 64 Hz) and a spectral scale (0.0625 to 2
cycles per ERB), moving up or down in frequency, 96 filters; rates and scales alone, 8 and 6; and
the mean. Power is averaged over time for each of the 211 channels: 111 x 211 = 23,421 features, as
in Tuckute, Feather et al. 2023.

- In time, a rate `r` has the impulse response ``sin(2 pi u) u**2 exp(-3.5 u)`` with ``u = r t``,
  normalised to a peak gain of one. The highest rate is a high-pass.
- In frequency, a scale `s` has the gain ``q exp(1 - q)`` at ``q = (cycles per ERB / s)**2``. The
  finest scale is a high-pass.
- Rate 0 and scale 0 are the mean over time or channels, zero padding included.

Rates, scales, shapes and the number of channels are those of the authors' code, without copying it;
sounds are not truncated to its 390 frames.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.correspondence.baselines.cochleagram import (
    DENSITY,
    ENVELOPE_RATE,
    HIGHEST_HZ,
    LOWEST_HZ,
    N_CHANNELS,
    N_FILTERS,
    SAMPLE_RATE,
    cochleagram,
    erb_number,
)
from benchmarks.correspondence.stages import Frames

RATES_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SCALES = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)  # cycles per ERB
CHANNELS_PER_ERB = (DENSITY * (N_FILTERS + 1)) / float(
    erb_number(HIGHEST_HZ) - erb_number(LOWEST_HZ)
)
N_FEATURES = (2 * len(RATES_HZ) * len(SCALES) + len(RATES_HZ) + len(SCALES) + 1) * N_CHANNELS
STAGE = "modulation power"

# A sound is zero-padded by twice its length, the channels by their number, to avoid circular
# wrap-around of the filters.
PADDED_TIME, PADDED_CHANNELS = 3, 2


def temporal_gain(rate: float, n_frames: int) -> NDArray[np.complex128]:
    """Transfer function at the non-negative frequencies of ``3 * n_frames`` samples.

    Parameters
    ----------
    rate : float
        In Hz; the highest of :data:`RATES_HZ` is a high-pass.
    n_frames : int
        Number of frames of the cochleagram; the impulse response is as long.
    """
    u = np.arange(n_frames) / ENVELOPE_RATE * rate
    response = np.sin(2 * np.pi * u) * u**2 * np.exp(-3.5 * u)
    gain = np.fft.rfft(response - response.mean(), PADDED_TIME * n_frames)
    size = np.abs(gain)
    phase = np.exp(1j * np.angle(gain))
    size = size / size.max()
    if rate == RATES_HZ[-1]:
        size[size.argmax() :] = 1
    if PADDED_TIME * n_frames % 2 == 0:
        size[-1] = 0  # the Nyquist frequency has no direction
    return np.asarray(size * phase)


def spectral_gain(scale: float) -> NDArray[np.float64]:
    """Transfer function at the non-negative frequencies of 422 channels.

    Examples
    --------
    >>> [int(spectral_gain(scale).argmax()) for scale in SCALES]
    [4, 9, 17, 35, 69, 138]
    """
    n_padded = PADDED_CHANNELS * N_CHANNELS
    q = (np.fft.rfftfreq(n_padded, 1 / CHANNELS_PER_ERB) / scale) ** 2
    gain = q * np.exp(1 - q)
    if scale == SCALES[-1]:
        gain[gain.argmax() :] = 1
    return np.asarray(gain)


def modulation_power(spectrogram: Tensor) -> Tensor:
    """Power of every filter in every channel, ``(211, n_frames)`` to ``(111, 211)``.

    Rows: the mean; scales without rate; rates without scale; then rate by rate all scales, first
    one direction, then the other. A directional filter passes one quadrant of temporal and spectral
    frequencies and its mirror image: the response is twice the real part of that of one quadrant.
    """
    n_frames = spectrogram.shape[1]
    n_time, n_padded = PADDED_TIME * n_frames, PADDED_CHANNELS * N_CHANNELS
    still = spectrogram.sum(dim=1) / n_time
    flat = spectrogram.sum(dim=0) / n_padded
    operators = _scale_operators()
    mean = (still.sum() / n_padded).square().expand(1, N_CHANNELS)
    scales_alone = (2 * operators.real[: len(SCALES)] @ still).square()
    spectra = torch.fft.rfft(torch.cat([spectrogram, flat[None]]), n_time)
    both = torch.cat([operators.real, -operators.imag], dim=2).flatten(0, 1)
    rates_alone, together = [], []
    for rate in RATES_HZ:
        one_sided = torch.zeros(len(spectra), n_time, dtype=torch.complex64)
        gain = torch.from_numpy(temporal_gain(rate, n_frames)).to(torch.complex64)
        one_sided[:, : len(gain)] = 2 * spectra * gain
        analytic = torch.fft.ifft(one_sided)[:, :n_frames]
        rates_alone.append(analytic[-1].real.square().mean().expand(N_CHANNELS))
        analytic = analytic[:-1]
        filtered = both @ torch.cat([analytic.real, analytic.imag])
        together.append(filtered.square().mean(dim=1).reshape(-1, N_CHANNELS))
    return torch.cat([mean, scales_alone, torch.stack(rates_alone), *together])


@lru_cache(maxsize=1)
def _scale_operators() -> Tensor:
    """One-sided filters over channels as matrices, ``(12, 211, 211)``, complex64.

    The first six pass positive spectral frequencies, the others negative ones; the real part of
    each is half of the non-directional filter.
    """
    n_padded = PADDED_CHANNELS * N_CHANNELS
    impulses = np.fft.fft(np.eye(N_CHANNELS), n_padded, axis=0)
    operators = []
    for direction in (1, -1):
        for scale in SCALES:
            gain = spectral_gain(scale)
            full = np.zeros(n_padded)
            full[1 : len(gain) - 1] = gain[1:-1]
            if direction < 0:
                full = np.roll(full[::-1], 1)
            operators.append(np.fft.ifft(full[:, None] * impulses, axis=0)[:N_CHANNELS])
    return torch.from_numpy(np.stack(operators).astype(np.complex64))


class SpectroTemporal:
    """One stage of 23,421 units, a :class:`~benchmarks.correspondence.stages.StagedModel`."""

    name = "SpectroTemporal"
    sample_rate = SAMPLE_RATE
    stages = (STAGE,)
    identity = f"spectrotemporal-1-{RATES_HZ}-{SCALES}"

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        power = [modulation_power(cochleagram(sound[None])[0]).flatten() for sound in audio]
        return {STAGE: torch.stack(power)}

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """Not available: power is averaged over the whole sound."""
        raise ValueError(f"{self.name} averages over the whole sound and has no frames in time")
