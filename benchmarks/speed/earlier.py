"""Reimplementation of the earlier public code (Freteault et al. 2025), for comparison.

Its network is two-dimensional, with a second axis of length one. The embedding differs from this
package's preset "paper" in that

- the resampler, including its kernel, is rebuilt at each call;
- the clip is resampled and embedded as a whole, however long it is;
- the activations of all seven layers are copied to numpy, whichever is requested. (A layer here
  includes its pooling, so that the longest tables are not copied: the lenient interpretation.)

The recipe for fine-tuning on fMRI differs in that

- the read-out is two-dimensional as well, padded on both sides and cut to the number of TRs;
- frozen stages have no gradients, but are recomputed in every epoch, in training mode;
- a run is a list of audio segments, one for each TR, which are concatenated for every step;
- the loss is a sum of squares in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.soundnet import BATCHNORM_EPS, SoundNet

if TYPE_CHECKING:  # a process that only embeds does not import the training
    from training.data.prepared import Prepared, Run
    from training.fitting.windows import Window


class EarlierEmbedding:
    """A checkpoint run as in the earlier wrapper.

    Examples
    --------
    >>> from hear_brainsoundnet import load_checkpoint
    >>> earlier = EarlierEmbedding(load_checkpoint("untrained"))
    >>> earlier.embed(torch.zeros(2, 48_000), 48_000, "scene").shape
    (2, 1024)
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.card = checkpoint.card
        self.blocks = nn.ModuleDict(two_dimensional_blocks(checkpoint.build_soundnet())).eval()

    @torch.no_grad()
    def activations(self, audio: Tensor, sample_rate: int) -> dict[str, NDArray[np.float32]]:
        """All layers for clips ``(n_sounds, n_samples)``: ``(n_sounds, channels, n_frames)``."""
        from torchaudio.transforms import Resample

        resampled = Resample(sample_rate, self.card.sample_rate)(audio)
        frames = resampled[:, None, :, None] * self.card.input_scale
        copies = {}
        for name, layer in self.blocks.items():
            frames = layer(frames)
            copies[name] = frames[..., 0].numpy().copy()
        return copies

    def embed(self, audio: Tensor, sample_rate: int, kind: str) -> NDArray[np.float32]:
        """Scene ``(n_sounds, 1024)``: mean of conv7; or timestamps ``(n_sounds, n_frames, 128)``:
        conv4."""
        found = self.activations(audio, sample_rate)
        return found["conv7"].mean(axis=2) if kind == "scene" else found["conv4"].transpose(0, 2, 1)


class EarlierNetwork(nn.Module):
    """SoundNet and a read-out of its last stage, trained from one stage on."""

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


class EarlierTraining:
    """The network, its optimiser, and runs as lists of audio segments, one for each TR."""

    def __init__(
        self,
        network: EarlierNetwork,
        prepared: Prepared,
        runs: Sequence[Run],
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        from training.data.prepared import INT16_SCALE

        self.network = network
        learning = [each for each in network.parameters() if each.requires_grad]
        self.optimiser = torch.optim.AdamW(learning, learning_rate, weight_decay=weight_decay)
        self.loss = nn.MSELoss(reduction="sum")
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

    def epoch(self, windows: Sequence[Window]) -> list[float]:
        """One step for each window; returns all losses."""
        self.network.train()
        losses = []
        for window in windows:
            sound, bold = self.batch(window)
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
        size, stride, padding = (layer.kernel, 1), (layer.stride, 1), (layer.padding, 0)
        made = nn.Sequential(
            nn.Conv2d(in_channels, layer.channels, size, stride=stride, padding=padding),
            nn.BatchNorm2d(layer.channels, eps=BATCHNORM_EPS),
            nn.ReLU(inplace=True),
        )
        if layer.pool:
            made.append(nn.MaxPool2d((layer.pool, 1), stride=(layer.pool, 1)))
        source = soundnet.block(layer.name)
        conv = {key: value.clone() for key, value in source.conv.state_dict().items()}
        conv["weight"] = conv["weight"].unsqueeze(-1)
        made[0].load_state_dict(conv)
        made[1].load_state_dict(source.norm.state_dict())
        blocks[layer.name] = made
        in_channels = layer.channels
    return blocks
