"""Networks of the speechbrain library: SepFormer and MetricGAN+.

SepFormer separates two speakers, trained on WHAMR! (Subakan et al. 2021); of MetricGAN+, for speech
enhancement, the generator is used (Fu et al. 2021).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

N_UNITS = 256  # of SepFormer
KERNEL = 16  # samples, stride half of it
N_BLOCKS = 2  # dual-path blocks, each with a transformer within chunks and one across them
N_LAYERS = 8  # of each of these transformers
METRICGAN_FFT = 512
METRICGAN_HOP_S = 0.016
METRICGAN_HIDDEN = 200  # in each of two directions
METRICGAN_MIDDLE = 300
METRICGAN_BINS = METRICGAN_FFT // 2 + 1


@contextmanager
def without_redirections() -> Iterator[None]:
    """Remove speechbrain's lazy modules from ``sys.modules`` that were added inside the block.

    It registers modules under old names that import the new ones on first access, and raise if
    these need a missing library: code that walks over all modules (inspectors, test tools) fails.

    Examples
    --------
    >>> with without_redirections():
    ...     import json
    """
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if type(module).__name__ == "DeprecatedModuleRedirect":
                del sys.modules[name]


def _file(path: Path, name: str) -> Path:
    """A file, given directly or by its folder and usual name.

    Raises
    ------
    FileNotFoundError
        If the folder has no such file.
    """
    if not path.is_dir():
        return path
    if not (path / name).is_file():
        raise FileNotFoundError(f"{path} has no file {name}")
    return path / name


class Separator(nn.Module):
    """Encoder and mask network; the decoder comes after all stages and is left out."""

    def __init__(self) -> None:
        with without_redirections():
            from speechbrain.lobes.models.dual_path import (
                Dual_Path_Model,
                Encoder,
                SBTransformerBlock,
            )

        def transformer() -> nn.Module:
            block: nn.Module = SBTransformerBlock(
                num_layers=N_LAYERS,
                d_model=N_UNITS,
                nhead=8,
                d_ffn=1024,
                dropout=0,
                use_positional_encoding=True,
                norm_before=True,
            )
            return block

        super().__init__()
        self.encoder = Encoder(kernel_size=KERNEL, out_channels=N_UNITS)
        self.masknet = Dual_Path_Model(
            in_channels=N_UNITS,
            out_channels=N_UNITS,
            intra_model=transformer(),
            inter_model=transformer(),
            num_layers=N_BLOCKS,
            norm="ln",
            K=250,
            num_spks=2,
            skip_around_intra=True,
            linear_layer_after_inter_intra=False,
        )

    def forward(self, audio: Tensor) -> None:
        """``(n_sounds, n_samples)`` at 8 kHz."""
        self.masknet(self.encoder(audio))


def _sepformer(weights: Path | None) -> Network:
    """SepFormer, with weights from a folder of SpeechBrain or random."""
    module = Separator()
    if weights is not None:
        if not weights.is_dir():
            raise ValueError(f"expected {SEPFORMER.weights}, got the file {weights}")
        load_weights(module.encoder, _file(weights, "encoder.ckpt"))
        load_weights(module.masknet, _file(weights, "masknet.ckpt"))

    def all_chunks(output: Tensor) -> Tensor:
        """``(n_chunks, n_frames, n_units)`` or the like to ``(n_frames in all, n_units)``."""
        return output.flatten(0, 1)

    paths = [
        f"masknet.dual_mdl.{block}.{way}_mdl.mdl.layers.{layer}.pos_ffn.ffn.3"
        for block in range(N_BLOCKS)
        for way in ("intra", "inter")
        for layer in range(N_LAYERS)
    ]
    taps = {
        "Embedding": Tap("encoder.conv1d", times=((KERNEL - 1) / 2 / 8000, KERNEL / 2 / 8000)),
        **{
            f"Encoder_{number + 1}": Tap(path, output=all_chunks, sound_axis=None, time_axis=0)
            for number, path in enumerate(paths)
        },
    }
    return Network(module, taps, _as_it_is, batch_size=1)


def _as_it_is(audio: Tensor) -> Tensor:
    if audio.shape[1] < KERNEL:
        raise ValueError(
            f"SepFormer needs sounds of at least {KERNEL} samples, got {audio.shape[1]}"
        )
    return audio


SEPFORMER = ExternalModel(
    name="SepFormer",
    task="separation of two speakers in noise and reverberation (WHAMR!)",
    library="speechbrain",
    package="speechbrain",
    sample_rate=8000,
    normalisation="none",
    n_units={
        "Embedding": N_UNITS,
        **{f"Encoder_{number + 1}": N_UNITS for number in range(N_BLOCKS * 2 * N_LAYERS)},
    },
    weights="the folder of speechbrain/sepformer-whamr (encoder.ckpt, masknet.ckpt)",
    remarks="Embedding is the encoder's convolution before its ReLU; Encoder_k the second linear "
    "layer of the k-th transformer layer (8 within chunks, 8 across, twice) before it is added to "
    "the residual stream, averaged over frames and chunks, which overlap by half "
    "(gretatuckute/speechbrain_activation_extraction)",
    build=_sepformer,
)


def _metricgan(weights: Path | None) -> Network:
    """MetricGAN+, with weights from a file of SpeechBrain or random."""
    with without_redirections():
        from speechbrain.lobes.models.MetricGAN import EnhancementGenerator
        from speechbrain.processing.features import STFT, spectral_magnitude

    module = EnhancementGenerator(
        input_size=METRICGAN_BINS, hidden_size=METRICGAN_HIDDEN, num_layers=2, dropout=0
    )
    if weights is not None:
        load_weights(module, _file(weights, "enhance_model.ckpt"))
    transform = STFT(
        sample_rate=16_000,
        win_length=32,  # ms
        hop_length=METRICGAN_HOP_S * 1000,
        n_fft=METRICGAN_FFT,
        window_fn=torch.hamming_window,
    )

    def prepare(audio: Tensor) -> tuple[Tensor, Tensor]:
        """Compressed magnitudes ``(n_sounds, n_frames, 257)`` and relative lengths."""
        magnitudes = spectral_magnitude(transform(audio), power=0.5)
        return torch.log1p(magnitudes), torch.ones(len(audio))

    taps = {
        "LSTM_1-cell": Tap("blstm.rnn", output=_cells_of(0), sound_axis=1, time_axis=None),
        "LSTM_2-cell": Tap("blstm.rnn", output=_cells_of(1), sound_axis=1, time_axis=None),
        "Linear_1": Tap("linear1", time_axis=1, times=(0.0, METRICGAN_HOP_S)),
        "Linear_2": Tap("linear2", time_axis=1, times=(0.0, METRICGAN_HOP_S)),
    }
    return Network(module, taps, prepare, batch_size=8)


def _cells_of(layer: int) -> Callable[[Any], Tensor]:
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
        "LSTM_1-cell": 2 * METRICGAN_HIDDEN,
        "LSTM_2-cell": 2 * METRICGAN_HIDDEN,
        "Linear_1": METRICGAN_MIDDLE,
        "Linear_2": METRICGAN_BINS,
    },
    weights="enhance_model.ckpt of speechbrain/metricgan-plus-voicebank, or its folder",
    remarks="LSTM stages are the cell states after the last frame of each direction (no average "
    "over time is possible); the linear layers are read before the LeakyReLU and the sigmoid "
    "(gretatuckute/speechbrain_activation_extraction; in the tables Linear_1 is LeakyReLU_1)",
    build=_metricgan,
)
