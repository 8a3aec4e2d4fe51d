"""Cochleagram: envelopes of a cochlear filter bank over time.

Filters are half-cosines on the scale of equivalent rectangular bandwidths (Glasberg & Moore 1990),
50 of them between 50 Hz and 10 kHz side by side, sampled four times as densely: 203, and at each
end four that cover the remaining frequencies, 211 in all. Their squared responses sum to one at
every frequency. Hilbert envelopes of the subbands are resampled to 200 Hz and raised to the power
0.3. (McDermott & Simoncelli 2011, Neuron 71; an independent implementation of pycochleagram's
filter arrangement.)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.correspondence.stages import Frames

SAMPLE_RATE = 20_000
ENVELOPE_RATE = 200
N_FILTERS, DENSITY = 50, 4
LOWEST_HZ, HIGHEST_HZ = 50.0, 10_000.0
COMPRESSION = 0.3
N_CHANNELS = DENSITY * (N_FILTERS + 1) - 1 + 2 * DENSITY
FILTERS_AT_ONCE = 32
STAGE = "cochleagram"

_EAR_Q, _MINIMAL_BANDWIDTH = 9.265, 24.7  # Glasberg & Moore's fit, in Hz


def erb_number(hertz: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Position on the ERB scale.

    Examples
    --------
    >>> float(erb_number(1000.0).round(2))
    15.57
    """
    return np.asarray(_EAR_Q * np.log1p(np.asarray(hertz) / (_EAR_Q * _MINIMAL_BANDWIDTH)))


@lru_cache(maxsize=4)
def filter_bank(n_samples: int) -> NDArray[np.float32]:
    """Gains of all filters at the frequencies of a real Fourier transform.

    Parameters
    ----------
    n_samples : int
        Length of the sound at 20 kHz.

    Returns
    -------
    ndarray
        ``(211, n_samples // 2 + 1)``, by ascending frequency.
    """
    places = erb_number(np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE))
    n_bands = N_CHANNELS - 2 * DENSITY
    centres, step = np.linspace(
        erb_number(LOWEST_HZ), erb_number(HIGHEST_HZ), n_bands + 2, retstep=True
    )
    centres = centres[1:-1]
    away = (places - centres[:, None]) / (2 * DENSITY * step)  # whole widths from the centre
    bands = np.where(np.abs(away) < 0.5, np.cos(np.pi * away), 0.0)
    low = [_rest(bands[i], places < centres[i]) for i in range(DENSITY)]
    high = [_rest(bands[-DENSITY + i], places > centres[-DENSITY + i]) for i in range(DENSITY)]
    return np.asarray(np.concatenate([low, bands, high]) / np.sqrt(DENSITY), dtype=np.float32)


def cochleagram(audio: Tensor) -> Tensor:
    """Compressed envelopes, ``(n_sounds, n_samples)`` at 20 kHz to ``(n_sounds, 211, n_frames)``.

    Examples
    --------
    >>> cochleagram(torch.zeros(1, 20_000)).shape
    torch.Size([1, 211, 200])
    """
    import torchaudio

    n_samples = audio.shape[1]
    spectrum = torch.fft.rfft(audio)
    gains = torch.from_numpy(filter_bank(n_samples))
    doubled = torch.full((gains.shape[1],), 2.0)
    doubled[0] = 1.0
    if n_samples % 2 == 0:
        doubled[-1] = 1.0
    envelopes = []
    for some in gains.split(FILTERS_AT_ONCE):
        subbands = torch.zeros(len(audio), len(some), n_samples, dtype=torch.complex64)
        subbands[..., : gains.shape[1]] = spectrum[:, None] * some * doubled
        envelope = torch.fft.ifft(subbands).abs()
        envelopes.append(torchaudio.functional.resample(envelope, SAMPLE_RATE, ENVELOPE_RATE))
    return torch.cat(envelopes, dim=1).clamp(min=0) ** COMPRESSION


class Cochleagram:
    """One stage of 211 units, a :class:`~benchmarks.correspondence.stages.StagedModel`."""

    name = "cochleagram"
    sample_rate = SAMPLE_RATE
    stages = (STAGE,)
    identity = f"cochleagram-1-{N_CHANNELS}-{ENVELOPE_RATE}-{COMPRESSION}"

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return {STAGE: torch.cat([cochleagram(sound[None]).mean(dim=2) for sound in audio])}

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`; frame `k` is centred at ``k / 200`` seconds."""
        values = cochleagram(audio[None])[0].T
        return Frames(values, torch.arange(len(values), dtype=torch.float64) / ENVELOPE_RATE)


def _rest(band: NDArray[np.float64], beyond: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Complementary gain of a band on its outer side."""
    return np.where(beyond, np.sqrt(np.maximum(1 - np.square(band), 0)), 0.0)
