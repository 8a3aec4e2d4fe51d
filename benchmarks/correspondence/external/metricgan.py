"""MetricGAN+: speech enhancement, the generator (Fu et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.redirections import without_redirections
from benchmarks.correspondence.external.weights import load_weights, only_file
from benchmarks.correspondence.hooks import Tap

N_FFT = 512
HOP_S = 0.016
N_HIDDEN = 200  # in each of two directions
N_MIDDLE = 300
N_BINS = N_FFT // 2 + 1


def build(weights: Path | None) -> Network:
    """The network, with weights from a file of SpeechBrain or random."""
    with without_redirections():
        from speechbrain.lobes.models.MetricGAN import EnhancementGenerator
        from speechbrain.processing.features import STFT, spectral_magnitude

    module = EnhancementGenerator(input_size=N_BINS, hidden_size=N_HIDDEN, num_layers=2, dropout=0)
    if weights is not None:
        load_weights(module, only_file(weights, "enhance_model.ckpt"))
    transform = STFT(
        sample_rate=16_000,
        win_length=32,  # ms
        hop_length=HOP_S * 1000,
        n_fft=N_FFT,
        window_fn=torch.hamming_window,
    )

    def prepare(audio: Tensor) -> tuple[Tensor, Tensor]:
        """Compressed magnitudes ``(n_sounds, n_frames, 257)`` and relative lengths."""
        magnitudes = spectral_magnitude(transform(audio), power=0.5)
        return torch.log1p(magnitudes), torch.ones(len(audio))

    taps = {
        "LSTM_1-cell": Tap("blstm.rnn", output=_last_cells(0), sound_axis=1, time_axis=None),
        "LSTM_2-cell": Tap("blstm.rnn", output=_last_cells(1), sound_axis=1, time_axis=None),
        "Linear_1": Tap("linear1", time_axis=1, times=(0.0, HOP_S)),
        "Linear_2": Tap("linear2", time_axis=1, times=(0.0, HOP_S)),
    }
    return Network(module, taps, prepare, batch_size=8)


def _last_cells(layer: int) -> Callable[[Any], Tensor]:
    """Cell states of one layer at the end of each direction: ``(2, n_sounds, n_hidden)``."""

    def cells(output: Any) -> Tensor:
        states: Tensor = output[1][1]
        return states[2 * layer : 2 * layer + 2]

    return cells


METRICGAN = ExternalModel(
    name="MetricGAN",
    task="speech enhancement (VoiceBank-DEMAND)",
    library="speechbrain",
    package="speechbrain",
    sample_rate=16_000,
    normalisation="log(1 + magnitude) of a spectrogram (32 ms windows, 16 ms hop); level unchanged",
    n_units={
        "LSTM_1-cell": 2 * N_HIDDEN,
        "LSTM_2-cell": 2 * N_HIDDEN,
        "Linear_1": N_MIDDLE,
        "Linear_2": N_BINS,
    },
    weights="enhance_model.ckpt of speechbrain/metricgan-plus-voicebank, or its folder",
    remarks="LSTM stages are the cell states after the last frame of each direction (no average "
    "over time is possible); the linear layers are read before the LeakyReLU and the sigmoid "
    "(gretatuckute/speechbrain_activation_extraction; in the tables Linear_1 is LeakyReLU_1)",
    build=build,
)
