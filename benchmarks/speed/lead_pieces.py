"""Leads about single steps of the fast way, measured by themselves: pooling, and upper layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.blocked import blocked_frames, blocked_kernel
from hear_brainsoundnet.fast import N_LOWER, WINDOWS_AT_ONCE, largest, n_conv_outputs
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import SoundNet


def pooling_ways(seed: int = 0) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Pooling the outputs of one product of conv1, by ``amax`` and by halves.

    Returns
    -------
    two callables
        Each returns ``(n_windows, channels)``, the same to the last bit.

    Examples
    --------
    >>> by_amax, by_halves = pooling_ways()
    >>> torch.equal(by_amax(), by_halves())
    True
    """
    layer = SoundNet().layers[0]
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(WINDOWS_AT_ONCE, layer.pool, layer.channels, generator=generator)
    return lambda: outputs.amax(dim=1), lambda: largest(outputs)


def upper_ways(
    soundnet: SoundNet, duration: float, seed: int = 0
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The layer above the blocked ones, as a convolution and as a product of blocks.

    Parameters
    ----------
    soundnet : SoundNet
        In inference mode, without gradients.
    duration : float
        Of the sound, in seconds.

    Returns
    -------
    two callables
        Each returns ``(1, channels, n_frames)``, with BatchNorm folded into the kernel and without
        the ReLU.
    """
    below, layer = soundnet.layers[N_LOWER - 1], soundnet.layers[N_LOWER]
    assert below.pool_name is not None
    n_frames = stage_geometry(soundnet.layers)[below.pool_name].n_frames(round(duration * 22_050))
    conv = soundnet.block(layer.name).conv
    assert conv.bias is not None
    bias, kernel = conv.bias, blocked_kernel(conv.weight, layer.stride, 1)
    n_windows = n_conv_outputs(layer, n_frames)
    generator = torch.Generator().manual_seed(seed)
    channels_last = torch.randn(1, n_frames, below.channels, generator=generator)

    def as_product() -> Tensor:
        blocks = blocked_frames(channels_last, kernel, layer.padding, n_windows)
        return (F.linear(blocks, kernel.matrix.T, bias)).transpose(1, 2)

    return lambda: conv(channels_last.transpose(1, 2)), as_product
