"""Cochleagram input of CochCNN9 and CochResNet50.

The filters are those of :mod:`benchmarks.correspondence.baselines.cochleagram`; the subsequent
steps differ in details on which trained weights depend. Settings of jenellefeather/cochdnn
("cochleagram_1") and steps of jenellefeather/chcochleagram.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.correspondence.baselines.cochleagram import (
    COMPRESSION,
    ENVELOPE_RATE,
    SAMPLE_RATE,
    filter_bank,
)
from benchmarks.correspondence.external.levels import to_rms

N_SAMPLES = 2 * SAMPLE_RATE  # the networks take sounds of 2 s
RATIO = SAMPLE_RATE // ENVELOPE_RATE
N_TAPS = 1001  # of the low-pass filter before envelopes are sampled
OFFSET = 1e-8


class CochleagramInput(nn.Module):
    """From sounds ``(n_sounds, 40000)`` at 20 kHz to ``(n_sounds, 1, 211 filters, 390 frames)``.

    The envelope is the absolute value of the inverse transform of the positive frequencies only,
    half the Hilbert envelope. A Kaiser-windowed sinc resamples it without padding at the ends,
    hence 390 and not 400 frames.

    Raises
    ------
    ValueError
        If sounds have another length.
    """

    filters: Tensor
    low_pass: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Half a sample off centre, as in the original.
        taps = np.arange(N_TAPS) - N_TAPS / 2
        low_pass = torch.from_numpy(np.kaiser(N_TAPS, 5) * np.sinc(taps / RATIO) / RATIO)
        filters = torch.from_numpy(filter_bank(N_SAMPLES))
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("low_pass", low_pass.float()[None, None], persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """See the class."""
        if audio.shape[1] != N_SAMPLES:
            raise ValueError(
                f"expected sounds of {N_SAMPLES} samples (2 s at 20 kHz), the length for which "
                f"these networks were trained, got {audio.shape[1]}"
            )
        bands = torch.fft.rfft(audio)[:, None] * self.filters
        n_missing = N_SAMPLES - bands.shape[-1]
        envelopes = torch.fft.ifft(nn.functional.pad(bands, (0, n_missing))).abs()
        frames = nn.functional.conv1d(envelopes.flatten(0, 1)[:, None], self.low_pass, stride=RATIO)
        compressed = (frames.clamp(min=0.0) + OFFSET) ** COMPRESSION
        return compressed.reshape(len(audio), 1, len(self.filters), -1)


def at_level(audio: Tensor) -> Tensor:
    """Each sound at the networks' input level: mean 0 and a root mean square of 0.1."""
    return to_rms(audio, 0.1)
