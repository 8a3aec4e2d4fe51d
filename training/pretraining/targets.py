"""Regression targets computed from a crop's audio, without labels.

A log-mel spectrogram, the mean and standard deviation of its bands, its 2-D modulation spectrum,
and the power of spectrotemporal modulations in each band: at several rates, upwards and downwards,
and several scales. All are computed from the augmented crop that is the network's input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.data.stimuli import DEFAULT_SAMPLE_RATE
from training.sound_features import LogMel, ModulationPower, modulation_spectrum

SAMPLE_RATE = DEFAULT_SAMPLE_RATE  # Hz
N_FFT, HOP, N_BANDS = 1024, 220, 128
FLOOR = 1e-6
POWER_FLOOR = 1e-2  # of modulation power: ripples of 0.1 neper
LARGEST = 4.0  # standard deviations: limits outliers such as silence and single clicks
FASTEST_HZ = 32.0  # of the modulation spectrum
N_SCALES, N_RATES = 24, 16
RATES_HZ = (0.75, 1.5, 3.0, 6.0, 12.0, 24.0)
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)  # cycles over N_POWER_BANDS / 4 bands
N_POWER_BANDS = 64
N_REPORTED_BANDS = 16


class Targets(nn.Module):
    """Targets of crops, standardised over the corpus.

    Parameters
    ----------
    n_samples : int
        Length of every crop.

    Examples
    --------
    >>> targets = Targets(22050)
    >>> described = targets.raw(torch.randn(2, 22050))
    >>> {name: tuple(table.shape) for name, table in described.items()}
    {'bands': (2, 256), 'modulation_spectrum': (2, 384), 'modulation_power': (2, 960)}
    """

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        self.mel = LogMel(SAMPLE_RATE, N_FFT, HOP, N_BANDS, FLOOR)
        self.n_fastest = round(FASTEST_HZ * n_samples / SAMPLE_RATE)
        n_frames = n_samples // HOP  # without the last one: composite lengths are fast
        self.modulation_power = ModulationPower(
            n_frames,
            SAMPLE_RATE / HOP,
            RATES_HZ,
            SCALES,
            N_POWER_BANDS,
            N_REPORTED_BANDS,
            POWER_FLOOR,
        )
        for name, size in self.sizes().items():
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))

    @staticmethod
    def sizes() -> dict[str, int]:
        """Size of each target of a crop, and bands of a frame."""
        return {
            "bands": 2 * N_BANDS,
            "modulation_spectrum": N_SCALES * N_RATES,
            "modulation_power": len(SCALES) * 2 * len(RATES_HZ) * N_REPORTED_BANDS,
            "frames": N_BANDS,
        }

    def log_mel(self, audio: Tensor) -> Tensor:
        """``(n_crops, N_BANDS, n_frames)``, frame `k` centred at ``k * HOP`` samples."""
        spectrogram: Tensor = self.mel(audio)
        return spectrogram[..., : audio.shape[1] // HOP]

    def raw(self, audio: Tensor) -> dict[str, Tensor]:
        """Targets of whole crops ``(n_crops, n_samples)``, not standardised."""
        return self._described(self.log_mel(audio))

    @torch.no_grad()
    def calibrate(self, audio: Tensor) -> None:
        """Estimate mean and standard deviation of every value from these crops."""
        log_mel = self.log_mel(audio)
        tables = {**self._described(log_mel), "frames": log_mel.transpose(1, 2).flatten(0, 1)}
        for name, table in tables.items():
            self.get_buffer(f"{name}_mean").copy_(table.mean(0))
            self.get_buffer(f"{name}_std").copy_(table.std(0).clamp_min(1e-3))

    @torch.no_grad()
    def forward(self, audio: Tensor) -> dict[str, Tensor]:
        """Standardised targets, with ``frames``: ``(n_crops, N_BANDS, n_frames)``.

        Values are clipped at ``LARGEST`` standard deviations.
        """
        log_mel = self.log_mel(audio)
        tables = self._described(log_mel)
        standard = {
            name: (table - self.get_buffer(f"{name}_mean")) / self.get_buffer(f"{name}_std")
            for name, table in tables.items()
        }
        mean, std = self.get_buffer("frames_mean"), self.get_buffer("frames_std")
        standard["frames"] = (log_mel - mean[:, None]) / std[:, None]
        return {name: table.clamp(-LARGEST, LARGEST) for name, table in standard.items()}

    def _described(self, log_mel: Tensor) -> dict[str, Tensor]:
        return {
            "bands": torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2)], dim=1),
            "modulation_spectrum": modulation_spectrum(log_mel, self.n_fastest, N_SCALES, N_RATES),
            "modulation_power": self.modulation_power(log_mel),
        }
