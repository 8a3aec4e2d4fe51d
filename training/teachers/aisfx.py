"""aiSFX as a teacher, with the HEAR API: 512 values per 2.3 s window, every 1.16 s.

The network is X-Sequential-CE of Ma and Lerch (2022), "Representation learning for the automatic
indexing of sound effects libraries" (ISMIR): a convolutional network on log-mel spectrograms,
trained on the categories of commercial sound-effect libraries (Pro Sound Effects, Soundly and
others), some of whose authors are also active on Freesound: a slight overlap with the source of
ESC-10 is possible, none is known; nor any with FSDD, Speech Commands or the 165 natural sounds. The
code of the package is under the MIT licence, the weights under CC BY 4.0 (A. B. Ma and A. Lerch).

Weights are read from the wheel of ``aisfx`` 0.1.2. The spectrogram follows Essentia's ``MelBands``,
as in training: spectra of 2,048 samples at 44.1 kHz, 96 triangles that are linear in HTK's mel and
sum to 1, ``log10(1 + 10,000 power)``. The network was trained on full-band audio: a corpus at
22,050 Hz leaves its upper 18 bands empty.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.audio import check_audio
from training.teachers.sliding_windows import SlidingWindows
from training.teachers.weight_file import PublishedFile

__version__ = "1"  # of the embeddings: tables of another version are rejected

FILE = PublishedFile(
    "aisfx/models/checkpoint.pth",
    n_bytes=24_900_277,
    sha256="499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5",
    origin="give the wheel of pip download --no-deps aisfx==0.1.2",
)
SAMPLE_RATE = 44_100
N_FFT, MEL_HOP, N_BANDS = 2048, 1024, 96
LARGEST_LOG_MEL = 9.457798957824707  # of the training data; values are divided by it
WINDOWS = SlidingWindows(length=100, hop=50)  # in frames of the spectrogram
CHANNELS = (1, 64, 128, 256, 512)
SIZE = CHANNELS[-1]
MOST_WINDOWS = 16  # per batch
PREFIX = "embedding_net."


class _ConvBlock(nn.Module):
    """Two convolutions, each with batch normalisation and ReLU, and a maximum over squares."""

    def __init__(self, n_in: int, n_out: int, pooled: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.max_pool2d(x, self.pooled)


class AiSfx(nn.Module):
    """The network with its spectrogram."""

    sample_rate = SAMPLE_RATE
    scene_embedding_size = timestamp_embedding_size = SIZE
    window: Tensor
    triangles: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv_block1 = _ConvBlock(CHANNELS[0], CHANNELS[1], pooled=2)
        self.conv_block2 = _ConvBlock(CHANNELS[1], CHANNELS[2], pooled=2)
        self.conv_block3 = _ConvBlock(CHANNELS[2], CHANNELS[3], pooled=2)
        self.conv_block4 = _ConvBlock(CHANNELS[3], CHANNELS[4], pooled=1)
        self.register_buffer("window", torch.hann_window(N_FFT, periodic=False), persistent=False)
        self.register_buffer("triangles", mel_triangles(), persistent=False)

    def spectrogram(self, audio: Tensor) -> Tensor:
        """Log-mel ``(n_sounds, n_frames, 96)``, frame i centred at sample ``1024 i``."""
        spectra = torch.stft(
            audio, N_FFT, MEL_HOP, window=self.window, pad_mode="constant", return_complex=True
        )
        power = spectra.abs().square().transpose(1, 2)
        return torch.log10(1 + 10_000 * power @ self.triangles) / LARGEST_LOG_MEL

    def forward(self, audio: Tensor) -> Tensor:
        """Embeddings ``(n_sounds, n_windows, 512)``; `audio` is ``(n_sounds, n_samples)``."""
        log_mel = self.spectrogram(check_audio(audio).to(self.triangles))
        windows = WINDOWS.cut(log_mel).transpose(2, 3)  # (n_sounds, n_windows, 100, 96)
        found = [self._of_windows(each) for each in windows.flatten(0, 1).split(MOST_WINDOWS)]
        return torch.cat(found).unflatten(0, windows.shape[:2])

    def _of_windows(self, windows: Tensor) -> Tensor:
        x = windows[:, None]
        for block in (self.conv_block1, self.conv_block2, self.conv_block3, self.conv_block4):
            x = block(x)
        return x.mean(dim=3).amax(dim=2)


def mel_triangles() -> Tensor:
    """Weights ``(1025, 96)`` of a spectrum's bins in each band; those of a band sum to 1."""
    nyquist = SAMPLE_RATE / 2
    frequencies = torch.linspace(0, nyquist, N_FFT // 2 + 1, dtype=torch.float64)
    mel = 1127.01048 * torch.log1p(frequencies / 700)[:, None]
    edges = torch.linspace(0, float(mel[-1]), N_BANDS + 2, dtype=torch.float64)
    step = edges[1]
    weights = (1 - (mel - edges[1:-1]).abs() / step).clamp(min=0)
    return (weights / weights.sum(dim=0)).float()


def load_model(model_file_path: str | Path = "") -> AiSfx:
    """Load the network from the wheel of ``aisfx`` 0.1.2.

    Raises
    ------
    FileNotFoundError
        If there is no such wheel.
    ValueError
        If its checkpoint is not the published one.
    """
    content = FILE.read_from_wheel(model_file_path)
    named = [(_Ignored, name) for name in ("numpy.core.multiarray.scalar", "numpy.dtype")]
    with torch.serialization.safe_globals(named):  # type: ignore[arg-type]
        weights, _ = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    model = AiSfx()
    model.load_state_dict(
        {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
    )
    return model.eval()


def get_scene_embeddings(audio: Tensor, model: AiSfx) -> Tensor:
    """Mean of the embeddings over time, ``(n_sounds, 512)``."""
    scenes: Tensor = model(audio).mean(dim=1)
    return scenes


def get_timestamp_embeddings(audio: Tensor, model: AiSfx) -> tuple[Tensor, Tensor]:
    """Embeddings ``(n_sounds, n_windows, 512)``, centres in ms ``(n_sounds, n_windows)``."""
    frames = model(audio)
    n_frames = 1 + audio.shape[1] // MEL_HOP
    # Frame i of the spectrogram is a point in time, whereas sample i lasts until i + 1.
    milliseconds = (WINDOWS.centres(n_frames) - 0.5) * (1000 * MEL_HOP / SAMPLE_RATE)
    return frames, milliseconds.float().to(frames.device).repeat(len(frames), 1)


class _Ignored:
    """Stub for other values stored with the weights, written by NumPy."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass
