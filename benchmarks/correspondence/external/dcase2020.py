"""The baseline of DCASE 2020 task 6, audio captioning (Drossos, Lipping & Virtanen 2020)."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.inputs import mel_magnitudes, to_peak
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

SAMPLE_RATE = 44_100
N_MELS = 64
N_HIDDEN = 256
N_WORDS = 4367
N_STEPS = 22  # words of a caption


class Encoder(nn.Module):
    """Three GRUs in both directions; the second and third are added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.gru_1 = nn.GRU(N_MELS, N_HIDDEN, batch_first=True, bidirectional=True)
        self.gru_2 = nn.GRU(2 * N_HIDDEN, N_HIDDEN, batch_first=True, bidirectional=True)
        self.gru_3 = nn.GRU(2 * N_HIDDEN, N_HIDDEN, batch_first=True, bidirectional=True)

    def forward(self, log_mel: Tensor) -> Tensor:
        """``(n_sounds, n_frames, n_mels)`` to ``(n_sounds, n_frames, 2 * n_hidden)``."""
        hidden: Tensor = self.gru_1(log_mel)[0]
        hidden = hidden + self.gru_2(hidden)[0]
        return hidden + self.gru_3(hidden)[0]


class Decoder(nn.Module):
    """A GRU with the same summary as input at each word, and a word classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(2 * N_HIDDEN, N_HIDDEN, batch_first=True)
        self.classifier = nn.Linear(N_HIDDEN, N_WORDS)

    def forward(self, summary: Tensor) -> Tensor:
        """``(n_sounds, n_steps, 2 * n_hidden)`` to ``(n_sounds, n_steps, n_words)``."""
        words: Tensor = self.classifier(self.rnn(summary)[0])
        return words


class CaptioningBaseline(nn.Module):
    """Encoder, its last frame, decoder; parameter names of audio-captioning/dcase-2020-baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, log_mel: Tensor) -> Tensor:
        """``(n_sounds, n_frames, n_mels)`` to ``(n_sounds, n_steps, n_words)``."""
        summary = self.encoder(log_mel)[:, -1:].expand(-1, N_STEPS, -1)
        words: Tensor = self.decoder(summary)
        return words


def log_mel(audio: Tensor) -> Tensor:
    """``(n_sounds, n_samples)`` at 44.1 kHz to ``(n_sounds, n_frames, 64)``, from a peak of 1."""
    magnitudes = mel_magnitudes(
        to_peak(audio, 1.0),
        sample_rate=SAMPLE_RATE,
        n_fft=1024,
        win_length=1024,
        hop_length=512,
        n_mels=N_MELS,
    )
    return torch.log(magnitudes + sys.float_info.epsilon).transpose(1, 2)


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = CaptioningBaseline()
    if weights is not None:
        load_weights(module, weights)
    layers = ("encoder.gru_1", "encoder.gru_2", "encoder.gru_3", "decoder.rnn")
    taps = {
        **{
            # A GRU gives its states after the last frame second: (directions, n_sounds, 256).
            f"GRU_{number + 1}": Tap(path, output=1, sound_axis=1, time_axis=None)
            for number, path in enumerate(layers)
        },
        "Linear": Tap("decoder.classifier", time_axis=1),
    }
    return Network(module, taps, log_mel, batch_size=8)


DCASE2020 = ExternalModel(
    name="DCASE2020",
    task="audio captioning (Clotho)",
    library="this project",
    sample_rate=SAMPLE_RATE,
    normalisation="each sound to a peak of 1; log-mel magnitudes (64 bands, 11.6 ms)",
    n_units={
        "GRU_1": 2 * N_HIDDEN,
        "GRU_2": 2 * N_HIDDEN,
        "GRU_3": 2 * N_HIDDEN,
        "GRU_4": N_HIDDEN,
        "Linear": N_WORDS,
    },
    weights="dcase_model_baseline_pre_trained.pt of audio-captioning/dcase-2020-baseline",
    remarks="no library carries it, so it is written here; GRU stages are the states after the "
    "last frame of each direction (GRU_4: the decoder, after its last word), Linear word logits "
    "averaged over the 22 words (gretatuckute/dcase-2020-baseline)",
    build=build,
)
