"""DeepSpeech2: convolutions and bidirectional LSTMs on spectrograms (Amodei et al. 2016)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.inputs import refuse_silence
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

WINDOW, HOP = 320, 160  # 20 and 10 ms at 16 kHz
N_HIDDEN = 1024
N_LSTMS = 5
N_LETTERS = 29
CONV_CHANNELS = 32
CONV_BINS = (81, 41)  # frequency bins left after each convolution


class SequenceWise(nn.Module):
    """Applies a module to ``(n_frames * n_sounds, n_units)``; the name is that of its weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, values: Tensor) -> Tensor:
        """``(n_frames, n_sounds, n_units)`` in and out."""
        n_frames, n_sounds = values.shape[:2]
        flat: Tensor = self.module(values.flatten(0, 1))
        return flat.unflatten(0, (n_frames, n_sounds))


class RecurrentLayer(nn.Module):
    """Batch normalisation (not in the first), LSTM in both directions, their sum."""

    def __init__(self, n_in: int, *, normalised: bool) -> None:
        super().__init__()
        self.batch_norm = SequenceWise(nn.BatchNorm1d(n_in)) if normalised else None
        self.rnn = nn.LSTM(n_in, N_HIDDEN, bidirectional=True)

    def forward(self, values: Tensor) -> Tensor:
        """``(n_frames, n_sounds, n_in)`` to ``(n_frames, n_sounds, n_hidden)``."""
        if self.batch_norm is not None:
            values = self.batch_norm(values)
        both, _ = self.rnn(values)
        return both.unflatten(-1, (2, N_HIDDEN)).sum(dim=2)


class Convolutions(nn.Module):
    """Two convolutions over frequency and time."""

    def __init__(self) -> None:
        super().__init__()
        n = CONV_CHANNELS
        self.seq_module = nn.Sequential(
            nn.Conv2d(1, n, kernel_size=(41, 11), stride=(2, 2), padding=(20, 5)),
            nn.BatchNorm2d(n),
            nn.Hardtanh(0, 20),
            nn.Conv2d(n, n, kernel_size=(21, 11), stride=(2, 1), padding=(10, 5)),
            nn.BatchNorm2d(n),
            nn.Hardtanh(0, 20),
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        """``(n_sounds, 1, n_bins, n_frames)`` to ``(n_sounds, n_channels, 41, n_frames / 2)``."""
        values: Tensor = self.seq_module(spectrogram)
        return values


class DeepSpeech2(nn.Module):
    """The bidirectional network of SeanNaren/deepspeech.pytorch, with its parameter names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Convolutions()
        n_first = CONV_CHANNELS * CONV_BINS[1]
        self.rnns = nn.Sequential(
            RecurrentLayer(n_first, normalised=False),
            *(RecurrentLayer(N_HIDDEN, normalised=True) for _ in range(N_LSTMS - 1)),
        )
        letters = nn.Linear(N_HIDDEN, N_LETTERS, bias=False)
        self.fc = nn.Sequential(SequenceWise(nn.Sequential(nn.BatchNorm1d(N_HIDDEN), letters)))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """``(n_sounds, 1, n_bins, n_frames)`` to letters ``(n_frames / 2, n_sounds, 29)``."""
        values: Tensor = self.conv(spectrogram).flatten(1, 2).permute(2, 0, 1)
        letters: Tensor = self.fc(self.rnns(values))
        return letters


def log_spectrogram(audio: Tensor) -> Tensor:
    """Each sound's log(1 + magnitude), with mean 0 and variance 1 over all of it.

    ``(n_sounds, n_samples)`` at 16 kHz to ``(n_sounds, 1, 161 bins, n_frames)``.
    """
    refuse_silence(audio)
    spectrum = torch.stft(
        audio,
        WINDOW,
        HOP,
        window=torch.hamming_window(WINDOW),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    values = torch.log1p(spectrum.abs())
    mean = values.mean(dim=(1, 2), keepdim=True)
    return ((values - mean) / values.std(dim=(1, 2), keepdim=True))[:, None]


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = DeepSpeech2()
    if weights is not None:
        load_weights(module, weights)
    times = (0.0, 2 * HOP / 16_000)
    taps = {
        "Tanh_1": Tap("conv.seq_module.2", times=times),
        "Tanh_2": Tap("conv.seq_module.5", times=times),
        **{
            f"LSTM_{number + 1}-cell": Tap(
                f"rnns.{number}.rnn", output=_last_cells, sound_axis=1, time_axis=None
            )
            for number in range(N_LSTMS)
        },
        "Linear": Tap("fc", sound_axis=1, time_axis=0, times=times),
    }
    return Network(module, taps, log_spectrogram, batch_size=8)


def _last_cells(output: Any) -> Tensor:
    """Cell states at the end of each direction: ``(2, n_sounds, n_hidden)``."""
    cells: Tensor = output[1][1]
    return cells


DEEPSPEECH2 = ExternalModel(
    name="DeepSpeech2",
    task="speech recognition (LibriSpeech 960 h, letters)",
    library="this project",
    sample_rate=16_000,
    normalisation="log(1 + magnitude), 20 ms windows, mean 0 and variance 1 over the sound",
    n_units={
        "Tanh_1": CONV_CHANNELS * CONV_BINS[0],
        "Tanh_2": CONV_CHANNELS * CONV_BINS[1],
        **{f"LSTM_{number + 1}-cell": 2 * N_HIDDEN for number in range(N_LSTMS)},
        "Linear": N_LETTERS,
    },
    weights="the pretrained LibriSpeech file of SeanNaren/deepspeech.pytorch, its state dict saved "
    "as .safetensors",
    remarks="torchaudio's DeepSpeech is the first version (no convolutions, one recurrent layer) "
    "and asteroid, speechbrain and transformers have none, so it is written here; hard tanh, then "
    "the LSTMs' cell states after the last frame of each direction, letter logits; which release "
    "of the weights the paper used is not known",
    build=build,
)
