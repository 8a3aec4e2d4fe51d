"""Networks fine-tuned on responses to short sounds, and summaries of their stages.

Stages below conv4 are fixed, so that each sound enters as its conv3 frames, computed once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.default_checkpoint.components import unit_scales
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.features import Term, pooled
from hear_brainsoundnet.soundnet import SoundNet

FIXED = "conv3"  # the deepest stage that is not trained
STAGES = ("conv4", "conv5", "conv6", "conv7")
SOUNDS_AT_ONCE = 33
READ_OUT_RATE = 3e-3

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Learning rate of the network and number of epochs."""

    learning_rate: float
    n_epochs: int


GRID = tuple(Setting(rate, n) for rate in (1e-4, 1e-3) for n in (1, 2, 4, 8))


class Start:
    """The network that fine-tuning starts from, by name or file."""

    def __init__(self, checkpoint: str) -> None:
        read = load_checkpoint(checkpoint)
        self.hash = read.hash
        self.soundnet: SoundNet = read.build_soundnet().eval().requires_grad_(False)
        self.input_scale = read.card.input_scale

    @torch.no_grad()
    def frames(self, audio: NDArray[np.float32]) -> Tensor:
        """Frames of the deepest fixed stage, ``(1, channels, n_frames)``."""
        sound = torch.from_numpy(audio)[None] * self.input_scale
        return self.soundnet(sound, [FIXED])[FIXED]


def fine_tuned(
    start: Start, frames: Tensor, responses: Table, setting: Setting, seed: int
) -> SoundNet:
    """The network after fine-tuning on responses ``(n_sounds, n_components)``.

    `frames` are of the fixed stage, ``(n_sounds, channels, n_frames)``; the seed is that of the
    order of sounds.
    """
    *_, (_, network) = _epochs(start, frames, responses, setting, seed)
    return network


def _epochs(
    start: Start, frames: Tensor, responses: Table, setting: Setting, seed: int
) -> Iterator[tuple[int, SoundNet]]:
    """The number of epochs and the network, the same object, after each epoch."""
    network = copy.deepcopy(start.soundnet)
    top = STAGES[-1]
    before = network.continue_from(FIXED, frames, [top])[top].mean(dim=2)
    scales = torch.from_numpy(unit_scales(before.numpy())).float()
    read_out = nn.Linear(before.shape[1], responses.shape[1])
    nn.init.zeros_(read_out.weight)
    nn.init.zeros_(read_out.bias)
    trained = [p for stage in STAGES for p in network.block(stage).requires_grad_().parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": trained, "lr": setting.learning_rate},
            {"params": read_out.parameters(), "lr": READ_OUT_RATE},
        ]
    )
    deviation = responses.std(axis=0)
    wanted = torch.from_numpy((responses - responses.mean(axis=0)) / deviation).float()
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(1, setting.n_epochs + 1):
        for rows in torch.randperm(len(frames), generator=generator).split(SOUNDS_AT_ONCE):
            units = network.continue_from(FIXED, frames[rows], [top])[top].mean(dim=2)
            loss = nn.functional.mse_loss(read_out(units / scales), wanted[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        yield epoch, network


def tried_settings(
    start: Start, frames: Tensor, responses: Table, grid: Sequence[Setting], seed: int
) -> Iterator[tuple[Setting, SoundNet]]:
    """Networks of all settings; those that differ in the number of epochs only are one fit."""
    for rate in dict.fromkeys(each.learning_rate for each in grid):
        wanted = {each.n_epochs: each for each in grid if each.learning_rate == rate}
        longest = Setting(rate, max(wanted))
        for epoch, network in _epochs(start, frames, responses, longest, seed):
            if epoch in wanted:
                yield wanted[epoch], network


@torch.no_grad()
def summaries(network: SoundNet, frames: Tensor) -> dict[str, NDArray[np.float32]]:
    """Mean and standard deviation over time of each trained stage, ``(n_sounds, 2 * channels)``."""
    found = network.continue_from(FIXED, frames, STAGES)
    return {
        stage: pooled(found[stage], None, Term(stage, ("mean", "std"))).numpy() for stage in STAGES
    }
