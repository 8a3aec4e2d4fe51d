"""CochCNN9: nine stages on cochleagrams (Kell et al. 2018; Tuckute, Feather et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from benchmarks.correspondence.baselines.cochleagram import SAMPLE_RATE
from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.cochdnn_input import CochleagramInput, at_level
from benchmarks.correspondence.external.cochdnn_tasks import (
    NORMALISATION,
    REMARKS,
    TASKS,
    weights_of,
)
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

N_HIDDEN = 4096


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


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = CochCNN9()
    if weights is not None:
        load_weights(module, weights, ignored=("classification.",))
    taps = {stage: Tap(stage, time_axis=None if stage == "relufc" else -1) for stage in _N_UNITS}
    return Network(module, taps, at_level, batch_size=4)


# Channels by filters left: 211 filters go to 71, 36, 18, 9 and 5.
_N_UNITS = {
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

COCHCNN9 = tuple(
    ExternalModel(
        name=f"CochCNN9-{variant}",
        task=task,
        library="this project",
        sample_rate=SAMPLE_RATE,
        normalisation=NORMALISATION,
        n_units=_N_UNITS,
        weights=weights_of("kell2018", folder),
        remarks=REMARKS,
        build=build,
    )
    for variant, (task, folder) in TASKS.items()
)
