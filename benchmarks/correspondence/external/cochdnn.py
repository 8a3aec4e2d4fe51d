"""CochCNN9 and CochResNet50, trained by Tuckute, Feather et al. 2023, each for several tasks.

CochCNN9 has nine stages (Kell et al. 2018), CochResNet50 is a ResNet-50 (He et al. 2016). Both take
a cochleagram: the filters are those of :mod:`benchmarks.correspondence.baselines.cochleagram`; the
subsequent steps differ in details on which trained weights depend. Settings of
jenellefeather/cochdnn ("cochleagram_1") and steps of jenellefeather/chcochleagram.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.correspondence.baselines.cochleagram import (
    COMPRESSION,
    ENVELOPE_RATE,
    SAMPLE_RATE,
    filter_bank,
)
from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.inputs import to_rms
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

N_SAMPLES = 2 * SAMPLE_RATE  # the networks take sounds of 2 s
RATIO = SAMPLE_RATE // ENVELOPE_RATE
N_TAPS = 1001  # of the low-pass filter before envelopes are sampled
OFFSET = 1e-8

N_HIDDEN = 4096  # of CochCNN9
BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4  # of CochResNet50
# Channels by filters left: 211 filters go to 71, 36, 18, 9 and 5.
COCHCNN9_UNITS = {
    "relu0": 96 * 71,
    "maxpool0": 96 * 36,
    "relu1": 256 * 18,
    "maxpool1": 256 * 9,
    "relu2": 512 * 9,
    "relu3": 1024 * 9,
    "relu4": 512 * 9,
    "avgpool": 512 * 5,
    "relufc": N_HIDDEN,
}
# 211 filters go to 106, 53, 27, 14 and 7.
COCHRESNET50_UNITS = {
    "conv1_relu1": 64 * 106,
    "maxpool1": 64 * 53,
    "layer1": 256 * 53,
    "layer2": 512 * 27,
    "layer3": 1024 * 14,
    "layer4": 2048 * 7,
    "avgpool": 2048,
}
# Variant: training task, and name in the folders of the authors' repository.
TASKS = {
    "Word": ("word in the middle of speech in noise (794)", "word"),
    "Speaker": ("speaker of speech in noise (433)", "speaker"),
    "AudioSet": ("AudioSet events (517)", "audioset"),
    "Genre": ("musical genre", ""),
    "MultiTask": ("word, speaker and AudioSet events at once", "word_speaker_audioset"),
}


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


def padded_like_tensorflow(values: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pad with zeros so that a convolution gives ``ceil(size / stride)``; the odd one at the end.

    Examples
    --------
    >>> import torch
    >>> padded_like_tensorflow(torch.ones(1, 1, 4, 5), (2, 5), (2, 2)).shape
    torch.Size([1, 1, 4, 9])
    """
    pads: list[int] = []
    for size, k, s in zip(values.shape[-2:], kernel, stride, strict=True):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads = [total // 2, total - total // 2, *pads]  # the last axis comes first
    return functional.pad(values, pads)


class SameConv2d(nn.Conv2d):
    """Convolution without bias, padded like TensorFlow's "same"."""

    def __init__(self, n_in: int, n_out: int, kernel: tuple[int, int], stride: int) -> None:
        super().__init__(n_in, n_out, kernel, stride, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """``(n_sounds, n_in, n_filters, n_frames)`` to the next."""
        padded = padded_like_tensorflow(values, self.weight.shape[2:], self.stride)
        return functional.conv2d(padded, self.weight, None, self.stride)


class SamePool(nn.Module):
    """Pooling over 2 channels of frequency and 5 frames, both halved, padded likewise.

    Padding zeros count in the mean, as in the original; they do not affect the maximum of values
    after a ReLU.

    Parameters
    ----------
    kind : str
        {"max", "mean"}
    """

    KERNEL, STRIDE = (2, 5), (2, 2)

    def __init__(self, kind: str) -> None:
        super().__init__()
        kinds = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d}
        self.pool = kinds[kind](self.KERNEL, self.STRIDE)

    def forward(self, values: Tensor) -> Tensor:
        """``(n_sounds, n_channels, n_filters, n_frames)`` to half the filters and frames."""
        pooled: Tensor = self.pool(padded_like_tensorflow(values, self.KERNEL, self.STRIDE))
        return pooled


class CochCNN9(nn.Module):
    """Cochleagram and network, up to the layer before the tasks' outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.cochleagram = CochleagramInput()
        self.batchnorm0 = nn.BatchNorm2d(1)
        # Initial statistics of the cochleagram in the authors' code.
        nn.init.constant_(self.batchnorm0.weight, 0.6180)
        nn.init.constant_(self.batchnorm0.bias, -2.0971)
        self.conv0 = SameConv2d(1, 96, (7, 14), 3)
        self.relu0 = nn.ReLU()
        self.maxpool0 = SamePool("max")
        self.batchnorm1 = nn.BatchNorm2d(96)
        self.conv1 = SameConv2d(96, 256, (4, 8), 2)
        self.relu1 = nn.ReLU()
        self.maxpool1 = SamePool("max")
        self.batchnorm2 = nn.BatchNorm2d(256)
        self.conv2 = SameConv2d(256, 512, (2, 5), 1)
        self.relu2 = nn.ReLU()
        self.conv3 = SameConv2d(512, 1024, (2, 5), 1)
        self.relu3 = nn.ReLU()
        self.conv4 = SameConv2d(1024, 512, (2, 5), 1)
        self.relu4 = nn.ReLU()
        self.avgpool = SamePool("mean")
        self.fullyconnected = nn.Linear(512 * 5 * 9, N_HIDDEN)
        self.relufc = nn.ReLU()

    def forward(self, audio: Tensor) -> Tensor:
        """``(n_sounds, 40000)`` to ``(n_sounds, 4096)``."""
        values = self.batchnorm0(self.cochleagram(audio))
        values = self.maxpool0(self.relu0(self.conv0(values)))
        values = self.maxpool1(self.relu1(self.conv1(self.batchnorm1(values))))
        values = self.relu2(self.conv2(self.batchnorm2(values)))
        values = self.relu4(self.conv4(self.relu3(self.conv3(values))))
        last: Tensor = self.relufc(self.fullyconnected(self.avgpool(values).flatten(1)))
        return last


class Bottleneck(nn.Module):
    """Three convolutions (1, 3 and 1 wide) beside the unchanged or projected input."""

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = width * EXPANSION
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
            if stride != 1 or n_in != n_out
            else None
        )

    def forward(self, values: Tensor) -> Tensor:
        """``(n_sounds, n_in, n_filters, n_frames)`` to the next."""
        beside = values if self.downsample is None else self.downsample(values)
        values = torch.relu(self.bn1(self.conv1(values)))
        values = torch.relu(self.bn2(self.conv2(values)))
        return torch.relu(self.bn3(self.conv3(values)) + beside)


class CochResNet50(nn.Module):
    """Cochleagram and network, up to the average before the tasks' outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.cochleagram = CochleagramInput()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        n_in = WIDTHS[0]
        layers = []
        for number, (n_blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
            strides = [1 if number == 0 else 2] + [1] * (n_blocks - 1)
            blocks = []
            for stride in strides:
                blocks.append(Bottleneck(n_in, width, stride))
                n_in = width * EXPANSION
            layers.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, audio: Tensor) -> Tensor:
        """``(n_sounds, 40000)`` to ``(n_sounds, 2048)``."""
        values = self.maxpool(self.relu(self.bn1(self.conv1(self.cochleagram(audio)))))
        values = self.layer4(self.layer3(self.layer2(self.layer1(values))))
        mean: Tensor = self.avgpool(values).flatten(1)
        return mean


def _cochcnn9(weights: Path | None) -> Network:
    module = CochCNN9()
    if weights is not None:
        load_weights(module, weights, ignored=("classification.",))
    taps = {
        stage: Tap(stage, time_axis=None if stage == "relufc" else -1) for stage in COCHCNN9_UNITS
    }
    return Network(module, taps, at_level, batch_size=4)


def _cochresnet50(weights: Path | None) -> Network:
    module = CochResNet50()
    if weights is not None:
        load_weights(module, weights, ignored=("fc.",))
    paths = {"conv1_relu1": "relu", "maxpool1": "maxpool"}
    taps = {stage: Tap(paths.get(stage, stage)) for stage in COCHRESNET50_UNITS}
    return Network(module, taps, at_level, batch_size=4)


def _rows(
    name: str, architecture: str, n_units: dict[str, int], build: Callable[[Path | None], Network]
) -> tuple[ExternalModel, ...]:
    """A row for each task; `architecture` is its name in the authors' repository."""
    return tuple(
        ExternalModel(
            name=f"{name}-{variant}",
            task=task,
            library="this project",
            sample_rate=SAMPLE_RATE,
            normalisation="each sound to mean 0 and a root mean square of 0.1; 2 s; cochleagram "
            "(211 filters)",
            n_units=n_units,
            weights=(
                f"the checkpoint of {architecture}_{folder} in cochdnn_model_checkpoints.tar of "
                "jenellefeather/cochdnn, its state dict saved as .safetensors"
                if folder
                else "the state dict as .safetensors; jenellefeather/cochdnn has no folder for the "
                "genre networks, so their weights have to be asked of the authors"
            ),
            remarks="written here after jenellefeather/cochdnn, with its parameter names; the "
            "stages of the paper's analysis code, which leaves out the cochleagram itself (it "
            "would be one stage more); outputs of the task come after all stages and are not built",
            build=build,
        )
        for variant, (task, folder) in TASKS.items()
    )


COCHCNN9 = _rows("CochCNN9", "kell2018", COCHCNN9_UNITS, _cochcnn9)
COCHRESNET50 = _rows("CochResNet50", "resnet50", COCHRESNET50_UNITS, _cochresnet50)
