"""CochResNet50: a ResNet-50 on cochleagrams (He et al. 2016; Tuckute, Feather et al. 2023)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

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

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4


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


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = CochResNet50()
    if weights is not None:
        load_weights(module, weights, ignored=("fc.",))
    paths = {"conv1_relu1": "relu", "maxpool1": "maxpool"}
    taps = {stage: Tap(paths.get(stage, stage)) for stage in _N_UNITS}
    return Network(module, taps, at_level, batch_size=4)


# Channels by filters left: 211 filters go to 106, 53, 27, 14 and 7.
_N_UNITS = {
    "conv1_relu1": 64 * 106,
    "maxpool1": 64 * 53,
    "layer1": 256 * 53,
    "layer2": 512 * 27,
    "layer3": 1024 * 14,
    "layer4": 2048 * 7,
    "avgpool": 2048,
}

COCHRESNET50 = tuple(
    ExternalModel(
        name=f"CochResNet50-{variant}",
        task=task,
        library="this project",
        sample_rate=SAMPLE_RATE,
        normalisation=NORMALISATION,
        n_units=_N_UNITS,
        weights=weights_of("resnet50", folder),
        remarks=REMARKS,
        build=build,
    )
    for variant, (task, folder) in TASKS.items()
)
