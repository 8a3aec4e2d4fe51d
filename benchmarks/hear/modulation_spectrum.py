"""Baseline with the HEAR API: the 2-D modulation spectrum, with mean and std of log-mel bands.

128 bands in frames of about 10 ms; up to 32 Hz upwards and downwards, averaged in 24 groups of
spectral and 16 of temporal frequencies: 384 values, with 256 of mean and standard deviation 640.
The definition was searched for on the sounds of natsound165, see
:mod:`benchmarks.correspondence.yardsticks`. It describes a whole clip, so its timestamp embeddings
are those of :mod:`benchmarks.hear.logmel`.

>>> model = load_model()
>>> tuple(get_scene_embeddings(torch.zeros(2, 44_100), model).shape)
(2, 640)
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torchaudio
from torch import Tensor, nn

from benchmarks.hear import logmel
from training.pretraining.targets import (
    FASTEST_HZ,
    FLOOR,
    HOP,
    N_BANDS,
    N_FFT,
    N_RATES,
    N_SCALES,
    SAMPLE_RATE,
)
from training.sound_features import LogMel, modulation_spectrum

SHORTEST = N_RATES / 2 / FASTEST_HZ  # seconds


class WholeClips(nn.Module):
    """Features of whole clips; their timestamp embeddings are log-mel frames.

    Parameters
    ----------
    sample_rate : int
        Rate of the audio in Hz; it is resampled to 22,050.
    size : int
        Of a clip's features.
    """

    def __init__(self, sample_rate: int, size: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.scene_embedding_size = size
        self.timestamp_embedding_size = logmel.N_BANDS
        self.resample = torchaudio.transforms.Resample(sample_rate, SAMPLE_RATE)

    def too_short(self, audio: Tensor) -> ValueError:
        """The error for clips that have no modulation spectrum."""
        return ValueError(
            f"a modulation spectrum needs sounds of {SHORTEST:g} s or more, "
            f"got {audio.shape[1] / self.sample_rate:g} s"
        )


class ModulationSpectrum(WholeClips):
    """Features of whole clips of more than 1/4 s."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate, N_SCALES * N_RATES + 2 * N_BANDS)
        self.spectrogram = LogMel(SAMPLE_RATE, N_FFT, HOP, N_BANDS, FLOOR)

    def forward(self, audio: Tensor) -> Tensor:
        """``(n_sounds, 640)`` of audio ``(n_sounds, n_samples)``."""
        n_rates = round(FASTEST_HZ * audio.shape[1] / self.sample_rate)
        if n_rates < N_RATES // 2:
            raise self.too_short(audio)
        log_mel: Tensor = self.spectrogram(self.resample(audio))
        of_bands = torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2)], dim=1)
        modulation = modulation_spectrum(log_mel, n_rates, N_SCALES, N_RATES)
        return torch.cat([modulation, of_bands], dim=1)


def load_model(model_file_path: str = "", *, sample_rate: int = 48_000) -> ModulationSpectrum:
    """The model; there is no file to load.

    Raises
    ------
    ValueError
        If a file is given.
    """
    refuse_weights(model_file_path)
    return ModulationSpectrum(sample_rate)


def refuse_weights(model_file_path: str) -> None:
    """Reject a file of weights: these baselines have none."""
    if model_file_path:
        raise ValueError(f"there are no weights, got {model_file_path!r}; leave it out")


def get_scene_embeddings(audio: Tensor, model: WholeClips) -> Tensor:
    """Shape ``(n_sounds, model.scene_embedding_size)``."""
    scene: Tensor = model(audio)
    return scene


def get_timestamp_embeddings(audio: Tensor, model: WholeClips) -> tuple[Tensor, Tensor]:
    """Log-mel frames, see :func:`benchmarks.hear.logmel.get_timestamp_embeddings`."""
    return logmel.get_timestamp_embeddings(audio, _bands(model.sample_rate).to(audio.device))


@lru_cache(maxsize=8)
def _bands(sample_rate: int) -> logmel.LogMel:
    return logmel.load_model(sample_rate=sample_rate)
