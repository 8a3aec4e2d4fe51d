"""Encoder of the VQ-VAE of the ZeroSpeech 2020 challenge (van Niekerk, Nortje & Kamper 2020)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.inputs import mel_magnitudes, to_peak
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

SAMPLE_RATE = 16_000
HOP = 160
N_MELS = 80
N_CHANNELS = 768
N_CODE = 64
RANGE_DB = 80.0
# Kernel, stride and padding of the five convolutions with a ReLU.
CONVOLUTIONS = ((3, 1, 0), (3, 1, 1), (4, 2, 1), (3, 1, 1), (3, 1, 1))


class SpeechEncoder(nn.Module):
    """Five convolutions over time, each with batch normalisation and ReLU, and a projection."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (kernel, stride, padding) in enumerate(CONVOLUTIONS):
            n_in = N_CHANNELS if number else N_MELS
            layers += [
                nn.Conv1d(n_in, N_CHANNELS, kernel, stride, padding, bias=False),
                nn.BatchNorm1d(N_CHANNELS),
                nn.ReLU(),
            ]
        self.encoder = nn.Sequential(*layers, nn.Conv1d(N_CHANNELS, N_CODE, 1))

    def forward(self, log_mel: Tensor) -> Tensor:
        """``(n_sounds, 80, n_frames)`` to the code before quantisation, ``(n_sounds, 64, ...)``."""
        code: Tensor = self.encoder(log_mel)
        return code


def log_mel(audio: Tensor) -> Tensor:
    """Log-mel spectrogram with pre-emphasis, from 0 (quiet) to about 1.

    ``(n_sounds, n_samples)`` at 16 kHz to ``(n_sounds, 80, n_frames)``, in units of 80 dB, cut
    80 dB below each sound's maximum.
    """
    scaled = to_peak(audio, 0.999)
    raised = torch.cat([scaled[:, :1], scaled[:, 1:] - 0.97 * scaled[:, :-1]], dim=1)
    magnitudes = mel_magnitudes(
        raised,
        sample_rate=SAMPLE_RATE,
        n_fft=2048,
        win_length=400,
        hop_length=HOP,
        n_mels=N_MELS,
        f_min=50.0,
    )
    decibels = 20 * torch.log10(magnitudes.clamp(min=1e-5))
    loudest = decibels.amax(dim=(1, 2), keepdim=True)
    return torch.maximum(decibels, loudest - RANGE_DB) / RANGE_DB + 1


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = SpeechEncoder()
    if weights is not None:
        load_weights(module, weights, part="encoder", ignored=("codebook.", "jitter."))
    taps: dict[str, Tap] = {}
    first, hop = 0.0, HOP / SAMPLE_RATE
    for number, (kernel, stride, padding) in enumerate(CONVOLUTIONS):
        first += ((kernel - 1) / 2 - padding) * hop
        hop *= stride
        taps[f"ReLU_{number + 1}"] = Tap(f"encoder.{3 * number + 2}", times=(first, hop))
    return Network(module, taps, log_mel, batch_size=8)


VQ_VAE = ExternalModel(
    name="VQ-VAE",
    task="discovery of speech units (ZeroSpeech 2020)",
    library="this project",
    sample_rate=SAMPLE_RATE,
    normalisation="each sound to a peak of 0.999; pre-emphasis; log-mel (80 bands, 10 ms), 80 dB",
    n_units={f"ReLU_{number + 1}": N_CHANNELS for number in range(len(CONVOLUTIONS))},
    weights="the English model of bshall/ZeroSpeech (its encoder)",
    remarks="no library carries it, so its encoder is written here; the five ReLUs "
    "(gretatuckute/ZeroSpeech). The spectrogram mirrors the sound at its ends, as librosa did then",
    build=build,
)
