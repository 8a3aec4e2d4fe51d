"""The network in two other forms: plain from some stage on, and two-dimensional."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.speed.earlier_recipe import two_dimensional_blocks
from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.soundnet import SoundNet


def plain_above(soundnet: SoundNet, known: str, last: str) -> Callable[[Tensor], Tensor]:
    """Blocked products up to a stage, and convolutions with BatchNorm folded in above it."""
    lower, upper = FastSoundNet(soundnet), copy.deepcopy(soundnet)
    for layer in upper.layers:
        each = upper.block(layer.name)
        each.conv = fuse_conv_bn_eval(each.conv, each.norm)
        each.norm = torch.nn.Identity()  # type: ignore[assignment]

    def run(audio: Tensor) -> Tensor:
        return upper.continue_from(known, lower(audio, [known])[known], [last])[last]

    return run


def two_dimensional(
    soundnet: SoundNet,
) -> tuple[torch.nn.Module, Callable[[Tensor], Tensor]]:
    """The network with a dummy axis and its channels last, and what shapes its input so."""
    blocks = two_dimensional_blocks(soundnet).values()
    network = torch.nn.Sequential(*blocks).eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def shaped(audio: Tensor) -> Tensor:
        return audio[:, None, :, None].contiguous(memory_format=torch.channels_last)

    return network, shaped
