"""Reimplementation of the earlier public recipe for fine-tuning SoundNet on fMRI, for comparison.

Differences of the published recipe (Freteault et al. 2025) to this package:

- the network is two-dimensional, with a second axis of length one, and so is its read-out, which
  is padded on both sides and cut to the number of TRs;
- frozen stages have no gradients, but are recomputed in every epoch, in training mode;
- a run is a list of audio segments, one for each TR, which are concatenated for every step;
- the loss is a sum of squares in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hear_brainsoundnet.soundnet import BATCHNORM_EPS, Layer, SoundNet
from training.data.prepared import INT16_SCALE, Prepared, Run
from training.fitting.windows import Window


class EarlierNetwork(nn.Module):
    """SoundNet and a read-out of its last stage, along the first of two axes.

    Parameters
    ----------
    soundnet : SoundNet
        Initial weights.
    n_targets, n_delays : int
        Of the read-out.
    train_from : str
        The first trained stage.
    """

    def __init__(self, soundnet: SoundNet, n_targets: int, n_delays: int, train_from: str) -> None:
        super().__init__()
        by_name = two_dimensional_blocks(soundnet)
        n_frozen, blocks = list(by_name).index(train_from), list(by_name.values())
        self.frozen = nn.Sequential(*blocks[:n_frozen]).requires_grad_(False)
        self.learning = nn.Sequential(*blocks[n_frozen:])
        n_channels = soundnet.layers[-1].channels
        self.read_out = nn.Conv2d(n_channels, n_targets, (n_delays, 1), padding=(n_delays - 1, 0))

    def forward(self, sound: Tensor, n_trs: int) -> Tensor:
        """Sound ``(1, 1, n_samples, 1)`` to responses ``(n_trs, n_targets)``."""
        with torch.no_grad():
            frames = self.frozen(sound)
        return self.read_out(self.learning(frames))[0, :, :n_trs, 0].T


class EarlierData:
    """Runs as lists of audio segments, one for each TR."""

    def __init__(self, prepared: Prepared, runs: Sequence[Run]) -> None:
        self.pieces: dict[Run, list[NDArray[np.float32]]] = {}
        self.bold: dict[Run, NDArray[np.float32]] = {}
        for run in runs:
            sound = prepared.audio(run.stimulus).astype(np.float32) * np.float32(1 / INT16_SCALE)
            length = math.floor(prepared.info.sample_rate * run.tr)
            self.pieces[run] = [
                sound[i * length : (i + 1) * length].copy() for i in range(len(sound) // length)
            ]
            self.bold[run] = prepared.bold(run)[: len(self.pieces[run])]

    def batch(self, window: Window) -> tuple[Tensor, Tensor]:
        """Sound ``(1, 1, n_samples, 1)`` and responses ``(n_trs, n_targets)``."""
        trs = slice(window.first, window.first + window.n_trs)
        sound = torch.from_numpy(np.concatenate(self.pieces[window.run][trs]))
        return sound[None, None, :, None], torch.from_numpy(self.bold[window.run][trs])


class EarlierTraining:
    """The network, its data and its optimiser."""

    def __init__(
        self, network: EarlierNetwork, data: EarlierData, learning_rate: float, weight_decay: float
    ) -> None:
        self.network = network
        self.data = data
        learning = [each for each in network.parameters() if each.requires_grad]
        self.optimiser = torch.optim.AdamW(learning, learning_rate, weight_decay=weight_decay)
        self.loss = nn.MSELoss(reduction="sum")

    def epoch(self, windows: Sequence[Window]) -> list[float]:
        """One step for each window; returns all losses."""
        self.network.train()
        losses = []
        for window in windows:
            sound, bold = self.data.batch(window)
            self.optimiser.zero_grad()
            predicted = self.network(sound, window.n_trs)
            loss = 0.01 * self.loss(predicted.double(), bold.double()) / window.n_trs
            loss.backward()
            self.optimiser.step()
            losses.append(loss.item())
        return losses


def two_dimensional_blocks(soundnet: SoundNet) -> dict[str, nn.Sequential]:
    """The layers of a network with its weights, by name, along the first of two axes."""
    blocks, in_channels = {}, 1
    for layer in soundnet.layers:
        blocks[layer.name] = _block(layer, in_channels)
        _copy_weights(soundnet, layer.name, blocks[layer.name])
        in_channels = layer.channels
    return blocks


def _block(layer: Layer, in_channels: int) -> nn.Sequential:
    """A layer along the first of two axes, the second of length one."""
    made = nn.Sequential(
        nn.Conv2d(
            in_channels,
            layer.channels,
            (layer.kernel, 1),
            stride=(layer.stride, 1),
            padding=(layer.padding, 0),
        ),
        nn.BatchNorm2d(layer.channels, eps=BATCHNORM_EPS),
        nn.ReLU(inplace=True),
    )
    if layer.pool:
        made.append(nn.MaxPool2d((layer.pool, 1), stride=(layer.pool, 1)))
    return made


def _copy_weights(soundnet: SoundNet, name: str, copy: nn.Sequential) -> None:
    """Copy the weights of the block `name` to `copy`."""
    source = soundnet.block(name)
    conv = {key: value.clone() for key, value in source.conv.state_dict().items()}
    conv["weight"] = conv["weight"].unsqueeze(-1)
    copy[0].load_state_dict(conv)
    copy[1].load_state_dict(source.norm.state_dict())
