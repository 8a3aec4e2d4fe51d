"""Regression targets computed from a crop's audio, without labels.

A log-mel spectrogram, the mean and standard deviation of its bands, its 2-D modulation spectrum,
and the power of spectrotemporal modulations in each band: at several rates, upwards and downwards,
and several scales (after Chi, Ru & Shamma 2005; here with Gaussian filters on a logarithmic axis
and on a log-mel spectrogram). All are computed from the augmented crop that is the network's input.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from training.data.stimuli import DEFAULT_SAMPLE_RATE

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
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_BANDS
        )
        self.n_fastest = round(FASTEST_HZ * n_samples / SAMPLE_RATE)
        n_frames = n_samples // HOP  # without the last one: composite lengths are fast
        rates, scales = modulation_filters(n_frames)
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("scales", scales, persistent=False)
        self.register_buffer("taper", torch.hann_window(n_frames), persistent=False)
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
        spectrogram: Tensor = (self.mel(audio) + FLOOR).log()
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
            "modulation_spectrum": modulation_spectrum(log_mel, self.n_fastest),
            "modulation_power": self._modulation_power(log_mel),
        }

    def _modulation_power(self, log_mel: Tensor) -> Tensor:
        """By Parseval's theorem power over time is a sum over rates: no inverse transform is
        needed."""
        bands = F.avg_pool1d(log_mel.transpose(1, 2), N_BANDS // N_POWER_BANDS).transpose(1, 2)
        bands = (bands - bands.mean(dim=2, keepdim=True)) * self.get_buffer("taper")
        filtered = self.get_buffer("scales").flatten(0, 1) @ torch.fft.fft(bands, dim=2)
        power = (
            torch.view_as_real(filtered).square().sum(-1)
            @ self.get_buffer("rates")
            / bands.shape[2]
        ).unflatten(1, (len(SCALES), N_POWER_BANDS))
        pooled = F.avg_pool2d(power, (N_POWER_BANDS // N_REPORTED_BANDS, 1))
        return (pooled.transpose(2, 3) + POWER_FLOOR).log().flatten(1)


def modulation_spectrum(log_mel: Tensor, n_fastest: int) -> Tensor:
    """Log magnitudes of the 2-D Fourier transform, averaged in groups of scales and rates.

    Parameters
    ----------
    log_mel : Tensor
        ``(n_sounds, n_bands, n_frames)``.
    n_fastest : int
        Number of temporal frequencies, upwards and downwards: cycles over all frames.

    Returns
    -------
    Tensor
        ``(n_sounds, N_SCALES * N_RATES)``; the second half of the rates are downward.

    Examples
    --------
    >>> modulation_spectrum(torch.randn(2, 128, 200), n_fastest=64).shape
    torch.Size([2, 384])
    """
    centred = log_mel - log_mel.mean(dim=(1, 2), keepdim=True)
    size = torch.log1p(torch.fft.fft2(centred).abs())[:, : log_mel.shape[1] // 2]
    both = torch.cat([size[..., 1 : n_fastest + 1], size[..., -n_fastest:]], dim=2)
    return F.adaptive_avg_pool2d(both, (N_SCALES, N_RATES)).flatten(1)


def modulation_filters(n_frames: int) -> tuple[Tensor, Tensor]:
    """Gains of the filters along time and along bands.

    Returns
    -------
    rates : Tensor
        ``(n_frames, 2 * len(RATES_HZ))``: squared gain at each temporal frequency, first one
        direction, then the other; one octave wide at half power.
    scales : Tensor
        ``(len(SCALES), N_POWER_BANDS, N_POWER_BANDS)``, complex: matrices that filter all bands at
        once, zero-padded at the edges. Only non-negative spectral frequencies are kept, so that
        the sign of the temporal frequency is the direction. The first is a low-pass.

    Examples
    --------
    >>> rates, scales = modulation_filters(200)
    >>> rates.shape, scales.shape
    (torch.Size([200, 12]), torch.Size([5, 64, 64]))
    """
    hertz = torch.fft.fftfreq(n_frames, HOP / SAMPLE_RATE)
    width = 0.5 / math.sqrt(2 * math.log(2))  # standard deviation in octaves
    columns = []
    for sign in (1.0, -1.0):
        octaves = (sign * hertz).clamp_min(1e-9).log2()
        for rate in RATES_HZ:
            columns.append(torch.exp(-0.5 * ((octaves - math.log2(rate)) / width) ** 2))
    cycles = torch.arange(N_POWER_BANDS) / 2 / 4
    gains = []
    for scale in SCALES:
        if scale == 0:
            gain = torch.exp(-0.5 * (cycles / 0.5) ** 2)
        else:
            gain = torch.exp(-0.25 * ((cycles.clamp_min(1e-9) / scale).log2() / width) ** 2)
        gains.append(gain)
    filters = torch.zeros(len(SCALES), 2 * N_POWER_BANDS)
    filters[:, :N_POWER_BANDS] = torch.stack(gains)
    responses = torch.fft.ifft(filters, dim=1)
    band = torch.arange(N_POWER_BANDS)
    return torch.stack(columns, dim=1), responses[:, band[:, None] - band]
